package broker

import (
	"time"

	"minibroker/internal/clock"
)

// WithVirtualClock gives the broker a clock that stands at start and moves only
// when [Broker.Advance] is called: session time-outs, retention and timestamps
// of records are then in the test's hand.
func WithVirtualClock(start time.Time) Option { return WithClock(NewVirtualClock(start)) }

// Now is the time on the broker's clock.
func (b *Broker) Now() time.Time { return b.clock.Now() }

// MovableClock is a Clock that runs as the machine's does, and that Advance
// moves ahead.
type MovableClock = clock.Movable

// WithMovableClock gives the broker a clock that runs as the machine's does, and
// that [Broker.Advance] moves ahead: for clients in other processes, which wait
// on clocks of their own.
func WithMovableClock() Option { return func(o *options) { o.clock = clock.NewMovable() } }

// ClockKind says which clock the broker has: "real", "movable" or "virtual", or
// "injected" for another.
func (b *Broker) ClockKind() string {
	switch b.clock.(type) {
	case clock.Real:
		return "real"
	case *MovableClock:
		return "movable"
	case *VirtualClock:
		return "virtual"
	}
	return "injected"
}

// Advance moves the broker's virtual or movable clock by d. When it returns, all
// that fell due was done, each thing at its own moment and in order: members
// whose session is over are out of their groups, records beyond retention are
// gone. Answers to requests that waited are on their way to their clients.
//
// It panics when the broker's clock cannot be moved: start it with
// [WithVirtualClock] or [WithMovableClock], or use testing/synctest with
// [WithMemoryNetwork], where time passes by itself and for the clients, too.
func (b *Broker) Advance(d time.Duration) {
	c, ok := b.clock.(interface{ Advance(time.Duration) })
	if !ok {
		panic("broker: Advance needs a virtual clock: start the broker with broker.WithVirtualClock(time)")
	}
	c.Advance(d)
}

// Virtual says whether [Broker.Advance] can move the broker's clock: it is
// virtual or movable.
func (b *Broker) Virtual() bool {
	_, ok := b.clock.(interface{ Advance(time.Duration) })
	return ok
}

// NextDeadline is when the next thing on a virtual or movable clock falls due;
// false if nothing does, or the clock is another.
func (b *Broker) NextDeadline() (time.Time, bool) {
	if c, ok := b.clock.(interface{ Next() (time.Time, bool) }); ok {
		return c.Next()
	}
	return time.Time{}, false
}
