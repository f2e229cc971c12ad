package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// KindShare is the group type that ListGroups shows for a Share.
const KindShare = "share"

// Share is one share group: its members get records of the same partitions
// (KIP-932, Kafka's ShareGroup). What becomes of the records is in package
// share. This file owns the group's state and who is in it; the other share_*.go
// files own its requests and records.
//
// The group's epoch grows with each change of members, subscriptions or topics.
// The assignment is computed for an epoch, and a member has it from its next
// heartbeat on: nothing has to be given up first.
type Share struct {
	base
	pace   pace
	timing Timing // as of the last heartbeat

	state           State // as observers know it
	epoch           int32
	assignmentEpoch int32
	assignedAt      time.Time // when the target was computed; zero: never

	members map[string]*sharer
	order   []*sharer // in order of joining

	topics []Topic // those subscribed to that exist, by name
	seen   uint64  // the version of the cluster that topics are of
	// begun is the topics with partitions whose state was initialized: only
	// these partitions are assigned.
	begun []begunTopic // by id

	timersFrom time.Time // no session ends earlier
	became     *Classic  // set when the group is no more
}

// sharer is one member of a Share.
type sharer struct {
	id              string
	rack            *string
	client          Client
	epoch, previous int32
	names           []string // subscribed to, sorted; shared by members that subscribe alike

	target   partitions // what it is to have
	assigned partitions // what it was told to have
	session  time.Time  // the end of its session
}

// begunTopic is a topic whose partitions have a state in the group.
type begunTopic struct {
	id         [16]byte
	name       string
	partitions []int32 // in order
}

// ShareStates is where the state of a share group's partitions is kept: the
// share coordinator.
type ShareStates interface {
	// Initialize begins a partition's state at an offset; -1: where
	// share.auto.offset.reset says. The error is FENCED_STATE_EPOCH or nil.
	Initialize(topic [16]byte, partition, epoch int32, start int64) *kerr.Error
	// Delete forgets a partition's state.
	Delete(topic [16]byte, partition int32)
}

// newShare returns a share group in place of a group id that does not exist.
func newShare(b base) *Share { return &Share{base: b, state: Dead, epoch: 1, assignmentEpoch: 1} }

// Kind returns KindShare.
func (g *Share) Kind() string { return KindShare }

// State returns the group's state.
func (g *Share) State() State { return g.state }

// Epoch returns the group's epoch.
func (g *Share) Epoch() int32 { return g.epoch }

// Members returns how many members the group has.
func (g *Share) Members() int { return len(g.order) }

func (g *Share) effects() Effects {
	if g.became != nil {
		return g.became.effects()
	}
	to := Stable
	if len(g.order) == 0 {
		to = Empty
	}
	if to != g.state {
		if len(g.out.Events) == 0 {
			g.event(Event{Why: "created"})
		}
		g.out.Events[len(g.out.Events)-1].To = to
		g.state = to
	}
	e := g.out
	g.out = Effects{}
	e.Deadline = g.timersFrom
	return e
}

func (g *Share) event(e Event) {
	if m := g.members[e.Member]; m != nil && len(m.assigned) > 0 {
		e.Assignment = m.assigned
	}
	g.emit(KindShare, g.state, g.epoch, e)
}

// bump starts the next epoch of the group.
func (g *Share) bump(e Event) {
	g.epoch++
	g.pace.changed = g.now
	g.storeEpoch()
	g.event(e)
}

func (g *Share) add(m *sharer) {
	if g.members == nil {
		g.members = make(map[string]*sharer)
	}
	g.members[m.id] = m
	g.order = append(g.order, m)
}

// fence takes a member out, and starts the next epoch without it. What it has
// on loan is not touched: its share session or its locks will end.
func (g *Share) fence(m *sharer, e Event) {
	delete(g.members, m.id)
	i := slices.Index(g.order, m)
	g.order = slices.Delete(g.order, i, i+1)
	g.storeMemberGone(m.id)
	g.bump(e)
}

// beginTopics initializes the partitions of the subscribed topics that have no
// state yet, and tells whether there were any.
func (g *Share) beginTopics(states ShareStates) (any bool) {
	for _, t := range g.topics {
		for p := range t.Partitions {
			if !g.hasBegun(t.ID, p) && states.Initialize(t.ID, p, g.epoch, -1) == nil {
				g.begin(t, p)
				any = true
			}
		}
	}
	if any {
		g.storeBegun()
	}
	return any
}

func (g *Share) begunAt(id [16]byte) (int, bool) {
	return slices.BinarySearchFunc(g.begun, id, func(a begunTopic, id [16]byte) int { return compareIDs(a.id, id) })
}

func (g *Share) hasBegun(id [16]byte, partition int32) bool {
	i, found := g.begunAt(id)
	if !found {
		return false
	}
	_, found = slices.BinarySearch(g.begun[i].partitions, partition)
	return found
}

func (g *Share) begin(t Topic, partition int32) {
	i, found := g.begunAt(t.ID)
	if !found {
		g.begun = slices.Insert(g.begun, i, begunTopic{id: t.ID, name: t.Name})
	}
	b := &g.begun[i]
	if at, found := slices.BinarySearch(b.partitions, partition); !found {
		b.partitions = slices.Insert(b.partitions, at, partition)
	}
}

// assign computes the target of all members for the group's epoch, unless the
// last one is too recent.
func (g *Share) assign() {
	if g.epoch <= g.assignmentEpoch {
		return
	}
	if d := g.timing.AssignmentInterval; d > 0 && !g.assignedAt.IsZero() && g.now.Before(g.assignedAt.Add(d)) {
		return
	}
	topics := make([]shareable, len(g.topics))
	for i := range g.topics {
		topics[i].topic = g.topics[i].ID
		if at, found := g.begunAt(g.topics[i].ID); found {
			topics[i].partitions = g.begun[at].partitions
		}
	}
	members := make([]assignee, len(g.order))
	for i, m := range g.order {
		members[i] = assignee{id: m.id, held: m.target}
		if i > 0 && sameNames(m.names, g.order[i-1].names) {
			members[i].topics = members[i-1].topics
			continue
		}
		for t := range g.topics {
			if _, found := slices.BinarySearch(m.names, g.topics[t].Name); found {
				members[i].topics = append(members[i].topics, t)
			}
		}
	}
	assignSimple(topics, members)
	for i, m := range g.order {
		if !m.target.equal(members[i].target) {
			m.target = members[i].target
			g.storeTarget(m)
		}
	}
	g.assignmentEpoch, g.assignedAt = g.epoch, g.now
	g.storeTargetEpoch()
	g.event(Event{Why: "assigned by " + simpleAssignor})
}

// within starts a member's session anew.
func (g *Share) within(m *sharer, d time.Duration) {
	m.session = g.now.Add(d)
	g.timersFrom = earlier(g.timersFrom, m.session)
}

// Expire does what is due at now: members whose session ended are fenced. It
// may be called too early.
func (g *Share) Expire(now time.Time) Effects {
	g.now = now
	if g.became != nil || g.timersFrom.IsZero() || g.timersFrom.After(now) {
		return g.effects()
	}
	var next time.Time
	var late []*sharer
	for _, m := range g.order {
		if m.session.After(now) {
			next = earlier(next, m.session)
		} else {
			late = append(late, m)
		}
	}
	g.timersFrom = next
	for _, m := range late {
		g.fence(m, Event{Member: m.id, Why: "member's session timed out"})
	}
	return g.effects()
}

func (g *Share) die(why string) {
	g.event(Event{Why: why})
	g.out.Events[len(g.out.Events)-1].To = Dead
	g.became = New(g.id, g.cfg) // anything may begin here again
	g.became.now, g.became.out = g.now, g.out
}
