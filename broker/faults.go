package broker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
	"minibroker/protocol"
)

// This file owns the faults in place and the hooks on requests. Package fault
// says what faults there are, faultanswers.go makes the answers of failed
// requests. Without any fault or hook a request costs one atomic load.

type faults struct {
	mu    sync.Mutex
	last  int                         // id that was given
	inUse atomic.Pointer[faultsInUse] // nil: none
}

type faultsInUse struct {
	hooks  []*Hook
	faults []*Injected
}

// errDropped ends a connection because a fault says so.
var errDropped = errors.New("a fault drops the connection")

// Injected is a fault in place.
type Injected struct {
	b     *Broker
	fault fault.Fault
	id    int

	at    string       // where the test's code put it in place, as file:line
	other atomic.Int64 // requests of its API that it was not about

	mu       sync.Mutex
	seen     int // requests that matched
	hits     int
	released chan struct{} // closed by Release and Remove: what waits goes on
	open     bool
}

// Inject puts a fault in place, for requests from now on. Several may hit one
// request: all delays and holds count, and the first that ends the request. What
// comes by [Broker.AdminDialer], as the web UI does, is not hit. On
// a broker from [Start], the test fails if the fault never happened, unless it
// is Optional.
func (b *Broker) Inject(f fault.Fault) *Injected {
	in := &Injected{b: b, fault: f, released: make(chan struct{})}
	if _, file, line, ok := runtime.Caller(1); ok && b.test != nil {
		in.at = fmt.Sprintf("%s:%d", filepath.Base(file), line)
	}
	b.faults.change(func(u *faultsInUse) {
		b.faults.last++
		in.id = b.faults.last
		u.faults = append(u.faults, in)
	})
	return in
}

// Faults are the faults in place, oldest first.
func (b *Broker) Faults() []*Injected {
	if u := b.faults.inUse.Load(); u != nil {
		return slices.Clone(u.faults)
	}
	return nil
}

// ID is the fault's number: no other of the broker has it.
func (in *Injected) ID() int { return in.id }

// Fault is what was injected.
func (in *Injected) Fault() fault.Fault { return in.fault }

// Hits is how many requests the fault has hit so far.
func (in *Injected) Hits() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.hits
}

// WaitForHits waits until the fault has hit n requests. With a Hold, that many
// have arrived at the gate.
func (in *Injected) WaitForHits(ctx context.Context, n int) error {
	err := in.b.WaitFor(ctx, fmt.Sprintf("the fault %q to happen %d times", in.fault, n), func() bool { return in.Hits() >= n })
	if err != nil {
		return fmt.Errorf("%w (it happened %d times)", err, in.Hits())
	}
	return nil
}

// Released says whether Release was called.
func (in *Injected) Released() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.open
}

// Release opens the gate of a Hold: requests that it keeps are handled, and
// later ones pass. It does nothing to other faults, or a second time.
func (in *Injected) Release() {
	if in.fault.Kind == fault.KindHold {
		in.letGo()
	}
}

func (in *Injected) letGo() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.open {
		in.open = true
		close(in.released)
	}
}

// Remove takes the fault away: what it holds, delays or slows down goes on at
// once. That it never happened is then no failure.
func (in *Injected) Remove() {
	in.b.faults.change(func(u *faultsInUse) {
		u.faults = slices.DeleteFunc(u.faults, func(other *Injected) bool { return other == in })
	})
	in.letGo()
}

// ClearFaults removes all faults.
func (b *Broker) ClearFaults() {
	if u := b.faults.inUse.Load(); u != nil {
		for _, in := range u.faults {
			in.Remove()
		}
	}
}

// MissedFaults returns the faults in place that never happened and are not
// Optional.
func (b *Broker) MissedFaults() []fault.Fault {
	var missed []fault.Fault
	for _, in := range b.missed() {
		missed = append(missed, in.fault)
	}
	return missed
}

func (b *Broker) missed() []*Injected {
	return slices.DeleteFunc(b.Faults(), func(in *Injected) bool { return in.fault.MayMiss || in.Hits() > 0 })
}

// Request is a request as a hook sees it. Its body aliases the broker's memory:
// it may be read until the hook returns, and never be changed.
type Request struct {
	Client
	Key     kmsg.Key
	Version int16
	Body    kmsg.Request
}

// Hook is a function on requests in place.
type Hook struct {
	b *Broker
	f func(Request) (kmsg.Response, error, bool)
}

// Control calls f for every request before it is handled, on the connection's
// goroutine: f may take its time, and only that client waits. With false the
// request goes on; with true it is answered by what f returned: a response
// (its version is set for it), nil for no answer at all, or an error to close
// the connection. Hooks are asked in the order in which they were set, before
// any fault.
func (b *Broker) Control(f func(Request) (resp kmsg.Response, err error, handled bool)) *Hook {
	h := &Hook{b, f}
	b.faults.change(func(u *faultsInUse) { u.hooks = append(u.hooks, h) })
	return h
}

// Remove takes the hook away.
func (h *Hook) Remove() {
	h.b.faults.change(func(u *faultsInUse) {
		u.hooks = slices.DeleteFunc(u.hooks, func(other *Hook) bool { return other == h })
	})
}

func (fs *faults) change(f func(*faultsInUse)) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	next := new(faultsInUse)
	if old := fs.inUse.Load(); old != nil {
		next.hooks, next.faults = slices.Clone(old.hooks), slices.Clone(old.faults)
	}
	f(next)
	if len(next.hooks) == 0 && len(next.faults) == 0 {
		next = nil
	}
	fs.inUse.Store(next)
}

// work handles a request, as far as hooks and faults let it.
func (b *Broker) work(r *request, h protocol.Header, flexible bool) (kmsg.Response, error) {
	in := b.faults.inUse.Load()
	if in == nil {
		return b.serve(r)
	}
	return in.work(b, r, h, flexible)
}

func (u *faultsInUse) work(b *Broker, r *request, h protocol.Header, flexible bool) (kmsg.Response, error) {
	for _, hook := range u.hooks {
		resp, err, handled := hook.f(Request{
			Client: Client{Connection: r.id, Broker: r.node.id, RemoteAddr: r.nc.RemoteAddr().String(), ClientID: r.clientID, SoftwareName: r.softwareName, SoftwareVersion: r.softwareVersion, User: r.user()},
			Key:    kmsg.Key(r.key), Version: r.version, Body: r.body,
		})
		if handled {
			if resp != nil {
				resp.SetVersion(r.version)
			}
			return resp, err
		}
	}
	var failing *Injected
	var after []*Injected
	for _, f := range u.faults {
		if r.peer.port.inner {
			break // by this way come those who set faults and look at them
		}
		if !b.matches(&f.fault, r) {
			if f.fault.API == fault.Any || f.fault.API.Int16() == r.key {
				f.other.Add(1)
			}
			continue
		}
		switch f.fault.Kind {
		case fault.KindFail:
			if failing == nil && f.take() {
				failing = f
			}
			continue
		case fault.KindThrottle, fault.KindLoseAnswer, fault.KindCutAnswer, fault.KindCorrupt, fault.KindSlowAnswer:
			after = append(after, f)
			continue
		}
		if !f.take() {
			continue
		}
		switch f.fault.Kind {
		case fault.KindDrop:
			return nil, errDropped
		case fault.KindDelay:
			if err := r.pauseUnless(f.released, f.fault.Wait); err != nil {
				return nil, err
			}
		case fault.KindSlowRequest:
			if err := r.pauseUnless(f.released, bytesTake(r.size, f.fault.Rate)); err != nil {
				return nil, err
			}
		case fault.KindHold:
			if _, err := r.await(f.released, nil); err != nil {
				return nil, err
			}
		}
	}
	var resp kmsg.Response
	var err error
	if failing != nil {
		resp, err = b.failed(&failing.fault, r)
	} else {
		resp, err = b.serve(r)
	}
	if err != nil {
		return resp, err
	}
	return u.after(b, r, h, flexible, resp, after)
}

// after does what faults do to a request that was handled.
func (u *faultsInUse) after(b *Broker, r *request, h protocol.Header, flexible bool, resp kmsg.Response, after []*Injected) (kmsg.Response, error) {
	if len(after) > 0 {
		resp = asModel(resp)
	}
	for _, f := range after {
		if f.fault.Kind == fault.KindCorrupt {
			answer := resp.(*kmsg.FetchResponse)
			if parts := b.corruptible(&f.fault, answer); len(parts) > 0 && f.take() {
				for _, p := range parts {
					p.RecordBatches = slices.Clone(p.RecordBatches)
					p.RecordBatches[len(p.RecordBatches)-1] ^= 0xff
				}
			}
			continue
		}
		if !f.take() {
			continue
		}
		switch f.fault.Kind {
		case fault.KindThrottle:
			r.throttled = max(r.throttled, f.fault.Wait.Milliseconds()) // as a quota does
		case fault.KindSlowAnswer:
			r.slow = f
		case fault.KindLoseAnswer:
			return nil, errDropped
		case fault.KindCutAnswer:
			if resp == nil {
				return nil, errDropped
			}
			frame := protocol.AppendResponseHeader(nil, h.Key, h.CorrelationID, flexible)
			frame = resp.AppendTo(frame)
			protocol.PutSize(frame, 0, len(frame)-4)
			if err := r.out.flush(); err != nil {
				return nil, err
			}
			_, _ = r.nc.Write(frame[:len(frame)/2])
			return nil, errDropped
		}
	}
	return resp, nil
}

// take counts a request that matches; true if the fault hits it.
func (in *Injected) take() bool {
	in.mu.Lock()
	if in.open && in.fault.Kind == fault.KindHold {
		in.mu.Unlock()
		return false
	}
	in.seen++
	hit := in.fault.Hits(in.seen, in.hits)
	if hit {
		in.hits++
	}
	in.mu.Unlock()
	if hit {
		in.b.changes.happened()
	}
	return hit
}
