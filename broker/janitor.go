package broker

import (
	"container/heap"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"minibroker/internal/clock"
	"minibroker/storage"
)

// This file owns when logs are cleaned: retention and compaction run when they
// are due, on the broker's clock, and an idle broker does nothing at all.
//
// Apache Kafka looks at all logs every log.retention.check.interval.ms. Here a
// heap knows when each partition has something to do, and one timer waits for
// the earliest: a test that sets retention.ms=1000 sees it after a second, and
// a virtual clock's Advance does it at once. Only records that were too old
// when they came wait for one such interval, as somebody may want to read them.

// janitor cleans logs.
type janitor struct {
	b *Broker

	mu      sync.Mutex
	due     cleanHeap
	timer   clock.Timer // nil until something is due
	timerAt int64
	running bool // run is at work, and sets the timer when it ends
	closed  bool

	unreturned int64       // bytes dropped since all memory was given back
	collect    clock.Timer // nil until much was dropped
	giveBack   clock.Timer // runs while there is memory to give back
	quiet      int         // how often it ran since something was dropped
}

// giveBackAbove is how many dropped bytes are worth a garbage collection, from
// which on logs can use the memory again. It comes soon after a topic's deletion;
// what retention drops little by little, the collector finds by itself, unless
// nothing more is dropped for collectAfter. What no log has used for one or two
// times giveBackEvery goes back to the machine.
const (
	giveBackAbove = 16 << 20
	collectSoon   = 20 * time.Millisecond
	collectAfter  = time.Second
	giveBackEvery = 2 * time.Second
)

// at notes that p, whose mu is held, has something to do at a time, in ms, if
// that is earlier than what is known.
func (j *janitor) at(p *partition, due int64) {
	if p.deleted || due >= p.cleanAt.Load() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || due >= p.cleanAt.Load() {
		return
	}
	p.cleanAt.Store(due)
	if p.heapAt > 0 {
		heap.Fix(&j.due, p.heapAt-1)
	} else {
		heap.Push(&j.due, p)
	}
	j.arm()
}

// arm sets the timer for the earliest partition. It needs j.mu.
func (j *janitor) arm() {
	if j.running || len(j.due) == 0 {
		return
	}
	at := j.due[0].cleanAt.Load()
	if j.timer != nil && j.timerAt <= at {
		return // it will find out when it runs
	}
	j.timerAt = at
	d := durationMs(at - j.b.nowMs())
	if j.timer == nil {
		j.timer = j.b.clock.AfterFunc(d, j.run)
	} else {
		j.timer.Reset(d)
	}
}

// durationMs is ms, which may be as large as "never", as a duration.
func durationMs(ms int64) time.Duration {
	return time.Duration(min(ms, int64(365*24*time.Hour/time.Millisecond))) * time.Millisecond
}

// run cleans all partitions that are due.
func (j *janitor) run() {
	j.mu.Lock()
	if j.closed || j.running {
		j.mu.Unlock()
		return
	}
	j.running = true
	j.b.running.Add(1)
	defer j.b.running.Done()
	for {
		now := j.b.nowMs()
		if j.closed || len(j.due) == 0 || j.due[0].cleanAt.Load() > now {
			break
		}
		p := heap.Pop(&j.due).(*partition)
		p.cleanAt.Store(storage.Never)
		j.mu.Unlock()
		j.clean(p, now)
		j.mu.Lock()
	}
	j.running, j.timer = false, nil
	if !j.closed {
		j.arm()
	}
	j.mu.Unlock()
}

// clean does what is due on one partition, and notes when to come again.
func (j *janitor) clean(p *partition, now int64) {
	defer j.b.changes.happened()
	s := p.settings.Load()
	p.mu.Lock()
	before := p.log.Size()
	storage.Retain(p.log, &s.log, now, p.highWatermark.Load())
	p.mu.Unlock()
	if s.log.Compact {
		j.compact(p, &s.log, now)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	j.dropped(before - p.log.Size())
	next := p.log.NextDeadline(&p.settings.Load().log, now, p.highWatermark.Load())
	if next <= now {
		// It could not be done, as when appends raced with compaction.
		next = now + j.b.config.Load().Duration("log.cleaner.backoff.ms").Milliseconds()
	}
	j.at(p, next)
}

// compact rewrites the log's dirty part beside those who append and read, and
// swaps the result in.
func (j *janitor) compact(p *partition, cfg *storage.Config, now int64) {
	for range 3 { // a swap fails when records were deleted meanwhile
		p.mu.Lock()
		producers := storage.Producers{Last: p.producers.last(now, j.b.producerExpiry()), Aborted: p.txns.allAborted()}
		upTo := p.moment().lastStable
		p.mu.Unlock()
		plan := p.log.PlanCompaction(cfg, now, upTo, producers)
		if plan == nil {
			return
		}
		p.mu.Lock()
		done := p.log.Swap(plan)
		p.mu.Unlock()
		if done {
			return
		}
	}
}

// dueAfterAppend is when there is something to do on p, whose mu is held and
// which has just got records.
func (j *janitor) dueAfterAppend(p *partition, cfg *storage.Config, now int64) int64 {
	high := p.highWatermark.Load()
	due := p.log.NextDeadline(cfg, now, high)
	if due > now || !cfg.Delete || cfg.RetentionMs < 0 {
		return due
	}
	// Too old on arrival, or too much? The first can wait.
	bySize := *cfg
	bySize.RetentionMs = -1
	if due = p.log.NextDeadline(&bySize, now, high); due > now {
		due = min(due, now+j.b.config.Load().Duration("log.retention.check.interval.ms").Milliseconds())
	}
	return due
}

// restored looks at p, which has got all its records at once. Those that are too
// old may be read for a while, as when they were appended.
func (j *janitor) restored(p *partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.at(p, j.dueAfterAppend(p, &p.settings.Load().log, j.b.nowMs()))
}

// configured looks again at p, whose configs have changed.
func (j *janitor) configured(p *partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.at(p, p.log.NextDeadline(&p.settings.Load().log, j.b.nowMs(), p.highWatermark.Load()))
}

// forget drops the partitions of a deleted topic, which would keep their logs.
func (j *janitor) forget(t *topic) {
	var bytes int64
	j.mu.Lock()
	for _, p := range t.partitions {
		bytes += p.log.Size()
		if p.heapAt > 0 {
			heap.Remove(&j.due, p.heapAt-1)
		}
	}
	j.mu.Unlock()
	j.droppedFor(collectSoon, bytes)
}

// dropped notes that logs let go of so many bytes. The runtime alone would
// find them when the garbage collector next runs, and that may be two minutes
// later in an idle process.
func (j *janitor) dropped(bytes int64) { j.droppedFor(collectAfter, bytes) }

// droppedFor is dropped, with how long nothing more must be dropped before the
// runtime is asked to find them.
func (j *janitor) droppedFor(collect time.Duration, bytes int64) {
	if bytes <= 0 {
		return
	}
	storage.Dropped(bytes)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unreturned += bytes
	if j.closed || j.unreturned < giveBackAbove {
		return
	}
	j.quiet = 0
	if j.collect == nil {
		j.collect = j.b.clock.AfterFunc(collect, func() { j.unlessClosed(runtime.GC) })
	} else {
		j.collect.Reset(collect)
	}
	if j.giveBack == nil {
		j.giveBack = j.b.clock.AfterFunc(giveBackEvery, func() { j.unlessClosed(j.returnMemory) })
	}
}

func (j *janitor) returnMemory() {
	j.mu.Lock()
	j.quiet++
	all := j.quiet == 2
	if all {
		j.unreturned, j.giveBack = 0, nil
	} else {
		j.giveBack.Reset(giveBackEvery)
	}
	j.mu.Unlock()
	if all {
		storage.ForgetAll()
	} else if storage.ForgetIdle() < giveBackAbove {
		return
	}
	debug.FreeOSMemory()
}

// unlessClosed does f, and lets Close wait for it.
func (j *janitor) unlessClosed(f func()) {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return
	}
	j.b.running.Add(1)
	j.mu.Unlock()
	defer j.b.running.Done()
	f()
}

// stop ends all timers; what runs ends by itself.
func (j *janitor) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	for _, t := range []clock.Timer{j.timer, j.collect, j.giveBack} {
		if t != nil {
			t.Stop()
		}
	}
}

// cleanHeap is partitions by cleanAt.
type cleanHeap []*partition

func (h cleanHeap) Len() int           { return len(h) }
func (h cleanHeap) Less(i, j int) bool { return h[i].cleanAt.Load() < h[j].cleanAt.Load() }
func (h cleanHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = i+1, j+1
}

func (h *cleanHeap) Push(x any) {
	p := x.(*partition)
	*h = append(*h, p)
	p.heapAt = len(*h)
}

func (h *cleanHeap) Pop() any {
	old := *h
	n := len(old) - 1
	p := old[n]
	old[n] = nil
	*h = old[:n]
	p.heapAt = 0
	return p
}
