package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Virtual is a clock that moves only when Advance is called.
type Virtual struct {
	mu      sync.Mutex
	now     time.Time
	seq     uint64
	pending timerHeap
}

// NewVirtual returns a clock that stands at start.
func NewVirtual(start time.Time) *Virtual { return &Virtual{now: start} }

func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

func (v *Virtual) AfterFunc(d time.Duration, f func()) Timer {
	t := &virtualTimer{clock: v, f: f, index: -1}
	t.Reset(d)
	return t
}

// Advance moves the clock by d and runs, on the caller's goroutine, each
// function that falls due, in order of time and then of registration. While
// one runs, the clock stands at its due time; what it registers within d runs
// too. Functions registered with d <= 0 run at the next Advance, even of 0.
func (v *Virtual) Advance(d time.Duration) { v.advanceTo(v.Now().Add(d)) }

func (v *Virtual) advanceTo(end time.Time) {
	v.mu.Lock()
	for len(v.pending) > 0 && !v.pending[0].due.After(end) {
		t := heap.Pop(&v.pending).(*virtualTimer)
		if t.due.After(v.now) {
			v.now = t.due
		}
		v.mu.Unlock()
		t.f()
		v.mu.Lock()
	}
	if end.After(v.now) {
		v.now = end
	}
	v.mu.Unlock()
}

// Next returns when the earliest pending function falls due.
func (v *Virtual) Next() (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.pending) == 0 {
		return time.Time{}, false
	}
	return v.pending[0].due, true
}

type virtualTimer struct {
	clock *Virtual
	f     func()
	due   time.Time
	seq   uint64
	index int // place in the heap, -1 when not pending
}

func (t *virtualTimer) Stop() bool {
	v := t.clock
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.remove(t)
}

func (t *virtualTimer) Reset(d time.Duration) bool {
	v := t.clock
	v.mu.Lock()
	defer v.mu.Unlock()
	return t.set(v.now.Add(d))
}

// resetAt is Reset with the time at which f is to run.
func (t *virtualTimer) resetAt(due time.Time) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.set(due)
}

// set needs the clock's mu.
func (t *virtualTimer) set(due time.Time) bool {
	v := t.clock
	was := v.remove(t)
	v.seq++
	t.due, t.seq = due, v.seq
	heap.Push(&v.pending, t)
	return was
}

func (v *Virtual) remove(t *virtualTimer) bool {
	if t.index < 0 {
		return false
	}
	heap.Remove(&v.pending, t.index)
	return true
}

type timerHeap []*virtualTimer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*virtualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
