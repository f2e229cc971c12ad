// Package clock is the only place that reads the wall clock. Everything that
// waits or stamps takes a Clock, so a test can move time by hand.
package clock

import "time"

// Clock tells the time and runs functions later.
type Clock interface {
	Now() time.Time
	// AfterFunc runs f once, d from now, on a goroutine that holds no lock of
	// the caller. A d of zero or less runs f as soon as possible, never
	// inside the call.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending AfterFunc.
type Timer interface {
	// Stop prevents f from running; false if it ran or was stopped already.
	Stop() bool
	// Reset makes f run d from now, whether or not it ran before.
	Reset(d time.Duration) bool
}

// Real is the machine's clock. Inside a testing/synctest bubble it is the
// bubble's clock.
type Real struct{}

func (Real) Now() time.Time { return time.Now() }

func (Real) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
