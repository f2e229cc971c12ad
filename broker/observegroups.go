package broker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"minibroker/broker/group"
)

// This file owns what others see of groups while they change: every transition
// of every group, in order. Package group says what happened; here it waits in
// a queue until the group's lock is free, and is told.

// GroupEvent is one step of a group of any kind. From and To are equal where
// something happened to a member and the group's state stayed.
type GroupEvent struct {
	Time     time.Time // on the broker's clock
	Group    string
	Kind     string // classic, consumer, share or streams
	From, To string // states, as [Group.State] spells them
	// Epoch is the group's epoch: a classic group's generation.
	Epoch  int32
	Member string // the id of the member that it is about, if one
	// Assignment is what that member has from now on, by topic; nil where that
	// did not change, or is nothing.
	Assignment map[string][]int32
	Why        string // what happened, in a few words that stay the same
	Reason     string // what the client gave as its reason (KIP-800), if anything
}

// GroupObserver is told of events, one after the other.
type GroupObserver func(GroupEvent)

// groupWatchers are those who look at groups, and what they are yet to be told.
type groupWatchers struct {
	mu   sync.Mutex // a leaf
	list atomic.Pointer[[]*GroupObserver]
	// queue is filled with the lock of the events' group held, so a group's
	// events are in their order. Whoever comes first drains it for all.
	queue    []queuedEvent
	draining bool
}

type queuedEvent struct {
	at time.Time
	group.Event
}

// ObserveGroups calls f for each event of each group from now on, until stop is
// called: in the order in which a group's events happened, one at a time, and
// with no lock of the broker held, so f may look inside and change things.
// Mostly, f is called before the client that brought the event about gets its
// answer. What f takes long for, clients wait for. Nobody looking costs one
// atomic load.
func (b *Broker) ObserveGroups(f GroupObserver) (stop func()) {
	w := &b.groups.watchers
	mine := &f
	w.change(func(list []*GroupObserver) []*GroupObserver { return append(slices.Clone(list), mine) })
	return func() {
		w.change(func(list []*GroupObserver) []*GroupObserver {
			return slices.DeleteFunc(slices.Clone(list), func(g *GroupObserver) bool { return g == mine })
		})
	}
}

func (w *groupWatchers) change(f func([]*GroupObserver) []*GroupObserver) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*GroupObserver
	if old := w.list.Load(); old != nil {
		list = *old
	}
	if list = f(list); len(list) == 0 {
		w.list.Store(nil)
		return
	}
	w.list.Store(&list)
}

// any tells whether somebody looks.
func (w *groupWatchers) any() bool { return w.list.Load() != nil }

// enqueue notes events of a group whose lock is held.
func (w *groupWatchers) enqueue(events []group.Event, now time.Time) {
	if len(events) == 0 || !w.any() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		w.queue = append(w.queue, queuedEvent{now, e})
	}
}

// drain tells of all that is queued, unless somebody is doing so already. No
// lock may be held.
func (w *groupWatchers) drain(b *Broker) {
	if !w.any() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return
	}
	w.draining = true
	defer func() { w.draining = false }()
	for len(w.queue) > 0 {
		events := w.queue
		w.queue = nil
		list := w.list.Load()
		func() {
			w.mu.Unlock()
			defer w.mu.Lock() // also when an observer panics
			if list != nil {
				tell(b, *list, events)
			}
		}()
	}
}

func tell(b *Broker, list []*GroupObserver, events []queuedEvent) {
	topics := b.lookupTopic()
	for i := range events {
		e := &events[i]
		as := GroupEvent{
			Time: e.at, Group: e.Group, Kind: e.Kind, From: string(e.From), To: string(e.To),
			Epoch: e.Generation, Member: e.Member, Why: e.Why, Reason: e.Reason,
		}
		if e.Assignment != nil {
			as.Assignment = e.Assignment.ByTopic(topics)
		}
		for _, f := range list {
			(*f)(as)
		}
	}
}
