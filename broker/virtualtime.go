package broker

import "time"

// WithVirtualClock gives the broker a clock that stands at start and moves only
// when [Broker.Advance] is called: session time-outs, retention and timestamps
// of records are then in the test's hand.
func WithVirtualClock(start time.Time) Option { return WithClock(NewVirtualClock(start)) }

// Now is the time on the broker's clock.
func (b *Broker) Now() time.Time { return b.clock.Now() }

// Advance moves the broker's virtual clock by d. When it returns, all that fell
// due was done, each thing at its own moment and in order: members whose
// session is over are out of their groups, records beyond retention are gone.
// Answers to requests that waited are on their way to their clients.
//
// It panics when the broker has no virtual clock: start it with
// [WithVirtualClock], or use testing/synctest with [WithMemoryNetwork], where
// time passes by itself and for the clients, too.
func (b *Broker) Advance(d time.Duration) {
	v, ok := b.clock.(*VirtualClock)
	if !ok {
		panic("broker: Advance needs a virtual clock: start the broker with broker.WithVirtualClock(time)")
	}
	v.Advance(d)
}

// Virtual says whether the broker has a virtual clock, which moves only when
// [Broker.Advance] is called.
func (b *Broker) Virtual() bool {
	_, ok := b.clock.(*VirtualClock)
	return ok
}

// NextDeadline is when the next thing on a virtual clock falls due; false if
// nothing does, or the clock is not virtual.
func (b *Broker) NextDeadline() (time.Time, bool) {
	if v, ok := b.clock.(*VirtualClock); ok {
		return v.Next()
	}
	return time.Time{}, false
}
