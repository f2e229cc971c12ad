package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// This file owns the news that something has changed: records, groups, topics
// or connections. It wakes those who wait for a state of the broker, so that
// nobody has to poll. Nobody waiting costs one atomic load per change.

type changes struct {
	waiting atomic.Int32
	mu      sync.Mutex
	next    chan struct{} // closed at the next change; nil when nobody looks
}

// happened is called after a change, best with no lock held.
func (c *changes) happened() {
	if c.waiting.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// following returns a channel that is closed at the next change.
func (c *changes) following() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

// Follow is for those who show what happens: next returns a channel that is
// closed at the next change of records, topics, groups, committed offsets or
// connections. stop must be called at the end: following costs each change a
// lock.
func (b *Broker) Follow() (next func() <-chan struct{}, stop func()) {
	b.changes.waiting.Add(1)
	return b.changes.following, sync.OnceFunc(func() { b.changes.waiting.Add(-1) })
}

// WaitFor waits until done returns true. It asks done at once, and again
// whenever records, topics, groups, committed offsets or connections of this
// broker have changed; it does not poll. done may use all methods of the broker
// that look inside, and runs on the caller's goroutine. The error, when ctx
// ends or the broker closes first, says what was waited for.
func (b *Broker) WaitFor(ctx context.Context, what string, done func() bool) error {
	b.changes.waiting.Add(1)
	defer b.changes.waiting.Add(-1)
	for {
		changed := b.changes.following() // before done, so that no change is missed
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-b.closing:
			return fmt.Errorf("waiting for %s: %w", what, errClosing)
		}
	}
}
