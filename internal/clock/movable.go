package clock

import (
	"sync"
	"time"
)

// Movable is a clock that runs like the machine's and can be moved ahead:
// Advance is time that passes at once. Programs with clocks of their own can
// live with it, and time-outs of minutes are still over when a test says so.
type Movable struct {
	timers *Virtual // its now is when the timers were last looked at

	mu    sync.Mutex
	ahead time.Duration
	wake  *time.Timer // for the earliest timer
}

// NewMovable returns a clock that shows the machine's time.
func NewMovable() *Movable {
	m := &Movable{timers: NewVirtual(time.Now())}
	m.wake = time.AfterFunc(time.Hour, m.run)
	m.wake.Stop()
	return m
}

func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead)
}

// Advance moves the clock ahead by d. When it returns, all that fell due was
// done, in order.
func (m *Movable) Advance(d time.Duration) {
	m.mu.Lock()
	m.ahead += d
	m.mu.Unlock()
	m.run()
}

// Next returns when the earliest pending function falls due.
func (m *Movable) Next() (time.Time, bool) { return m.timers.Next() }

// run does what is due by now.
func (m *Movable) run() {
	m.timers.advanceTo(m.Now())
	m.sleep()
}

// sleep sets the wake-up for the earliest timer.
func (m *Movable) sleep() {
	due, ok := m.timers.Next()
	m.mu.Lock()
	defer m.mu.Unlock()
	if ok {
		m.wake.Reset(max(0, due.Sub(time.Now().Add(m.ahead))))
	} else {
		m.wake.Stop()
	}
}

// AfterFunc runs f when the clock shows d from now.
func (m *Movable) AfterFunc(d time.Duration, f func()) Timer {
	t := &movableTimer{clock: m, timer: &virtualTimer{clock: m.timers, f: f, index: -1}}
	t.Reset(d)
	return t
}

type movableTimer struct {
	clock *Movable
	timer *virtualTimer
}

func (t *movableTimer) Stop() bool { return t.timer.Stop() }

// Reset counts d from the clock's time, which the timers' may be behind.
func (t *movableTimer) Reset(d time.Duration) bool {
	was := t.timer.resetAt(t.clock.Now().Add(d))
	t.clock.sleep()
	return was
}
