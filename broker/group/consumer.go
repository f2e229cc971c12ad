package group

import (
	"cmp"
	"slices"
	"time"
)

// The further states of a consumer group (Kafka's ConsumerGroupState).
const (
	// Assigning is a group whose epoch is ahead of its target assignment.
	Assigning State = "Assigning"
	// Reconciling is a group with members that are not yet at their target.
	Reconciling State = "Reconciling"
)

// KindConsumer is the group type that ListGroups shows for a Consumer.
const KindConsumer = "consumer"

// Member epochs that ask for something else than a heartbeat (KIP-848).
const (
	joinEpoch        = 0
	leaveEpoch       = -1
	leaveStaticEpoch = -2 // a static member goes, and will be back
)

// Consumer is one group of the protocol whose coordinator assigns partitions
// (KIP-848, Kafka's ConsumerGroup). This file owns its state and who is in it;
// the other consumer_*.go files own its requests.
//
// The group's epoch grows with each change of members or subscriptions. The
// target assignment is computed for an epoch; each member then goes from what
// it has to its target: it gives up what it must, says so, and gets what
// others gave up. So a partition never has two owners.
type Consumer struct {
	base
	pace   pace
	timing Timing // as of the last heartbeat

	state           State // as observers know it
	epoch           int32
	assignmentEpoch int32
	assignedAt      time.Time // when the target was computed; zero: never

	members   map[string]*consumer
	order     []*consumer          // in order of joining
	static    map[string]*consumer // by instance id
	classics  int                  // members of the classic protocol
	unsettled int                  // members that are not at their target

	topics  []Topic // those subscribed to that exist, by name
	byID    map[[16]byte]int
	seen    uint64 // the version of the cluster that topics are of
	regexes map[string]*regex
	owners  map[[16]byte][]owner // topic -> partition -> who has it

	timersFrom time.Time // no timer of a member ends earlier
	became     *Classic  // set when the group went over to the classic protocol, or is no more
}

// Timing is what may be set for one group (group configs, KIP-848).
type Timing struct {
	SessionTimeout     time.Duration // consumer.session.timeout.ms
	HeartbeatInterval  time.Duration // consumer.heartbeat.interval.ms: the longest; see pace
	AssignmentInterval time.Duration // consumer.assignment.interval.ms; zero: assign at once
}

// consumer is one member of a Consumer.
type consumer struct {
	id               string
	instance, rack   *string
	client           Client
	epoch, previous  int32
	phase            phase
	rebalanceTimeout time.Duration
	assignor         string   // empty: no preference
	names            []string // subscribed to by name, sorted; shared by members that subscribe alike
	regex            string   // subscribed to by pattern; empty: none

	target   partitions // what it is to have
	assigned partitions // what it has, or is told to have
	revoking partitions // what it has and must give up

	stored    bool      // what it says about itself is stored
	targeted  bool      // its target is stored
	settled   bool      // at its target: not counted in unsettled
	session   time.Time // the end of its session
	rebalance time.Time // when it must have given up what it has to; zero: nothing
	classic   *classicSide
}

// classicSide is what a member has that uses the classic protocol in a
// consumer group.
type classicSide struct {
	sessionTimeout time.Duration
	protocols      []protocol
	joinBy, syncBy time.Time // zero: not awaited
	version        int16     // of its metadata, and so of its assignments
}

// phase is where a member stands between what it has and its target (Kafka's
// MemberState).
type phase uint8

const (
	stable     phase = iota // has what it can have at its epoch
	unrevoked               // must give up partitions first
	unreleased              // waits for partitions that others must give up
)

// owner is who has a partition, and since which of its epochs.
type owner struct {
	m     *consumer
	since int32
}

// newConsumer returns a group of consumers without members in place of one of
// another kind. It exists from the first member on.
func newConsumer(b base) *Consumer {
	return &Consumer{base: b, state: Empty, epoch: 1}
}

// State returns the group's state.
func (g *Consumer) State() State { return g.state }

// Kind returns KindConsumer.
func (g *Consumer) Kind() string { return KindConsumer }

// Epoch returns the group's epoch.
func (g *Consumer) Epoch() int32 { return g.epoch }

// Members returns how many members the group has.
func (g *Consumer) Members() int { return len(g.order) }

func (g *Consumer) effects() Effects {
	if g.became != nil {
		return g.became.effects()
	}
	g.settleState()
	e := g.out
	g.out = Effects{}
	e.Deadline = g.deadline()
	return e
}

func (g *Consumer) deadline() time.Time { return earlier(g.timersFrom, g.cleanupAt) }

// settleState finds the group's state. The last event of the call tells of a
// change.
func (g *Consumer) settleState() {
	to := Stable
	switch {
	case len(g.order) == 0:
		to = Empty
		if g.state != Empty {
			g.cleanupSoon()
		}
	case g.epoch > g.assignmentEpoch:
		to = Assigning
	case g.unsettled > 0:
		to = Reconciling
	}
	if to == g.state {
		return
	}
	if len(g.out.Events) == 0 {
		g.event(Event{Why: "member reconciled"})
	}
	g.out.Events[len(g.out.Events)-1].To = to
	g.state = to
}

func (g *Consumer) event(e Event) {
	if m := g.members[e.Member]; m != nil && len(m.assigned) > 0 {
		e.Assignment = m.assigned
	}
	g.emit(KindConsumer, g.state, g.epoch, e)
}

// bump starts the next epoch of the group.
func (g *Consumer) bump(e Event) {
	g.epoch++
	g.pace.changed = g.now
	g.storeEpoch(g.topics)
	g.event(e)
}

// add puts a new member in.
func (g *Consumer) add(m *consumer) {
	if g.members == nil {
		g.members = make(map[string]*consumer)
	}
	g.members[m.id] = m
	g.order = append(g.order, m)
	g.setInstance(m, m.instance)
	m.settled = true
	g.note(m)
}

func (g *Consumer) setInstance(m *consumer, instance *string) {
	if instance == nil {
		return
	}
	m.instance = instance
	if g.static == nil {
		g.static = make(map[string]*consumer)
	}
	g.static[*instance] = m
}

// rename lets a static member that came back take its former self's place.
func (g *Consumer) rename(m *consumer, id string) {
	g.storeMemberGone(m)
	delete(g.members, m.id)
	m.id, m.epoch, m.previous = id, 0, 0
	m.stored = false
	m.rebalance = time.Time{}
	g.members[id] = m
	g.note(m)
}

// remove takes a member out. What it had is free.
func (g *Consumer) remove(m *consumer) {
	g.storeMemberGone(m)
	g.setPartitions(m, m.epoch, nil, nil)
	delete(g.members, m.id)
	i := slices.Index(g.order, m)
	g.order = slices.Delete(g.order, i, i+1)
	if m.instance != nil && g.static[*m.instance] == m {
		delete(g.static, *m.instance)
	}
	g.setRegex(m, "", nil)
	g.setClassic(m, nil)
	if !m.settled {
		g.unsettled--
	}
}

func (g *Consumer) setClassic(m *consumer, c *classicSide) {
	if m.classic != nil {
		g.classics--
	}
	if c != nil {
		g.classics++
	}
	m.classic = c
}

// note counts a member whose epoch or phase changed.
func (g *Consumer) note(m *consumer) {
	settled := m.phase == stable && m.epoch == g.assignmentEpoch
	if settled == m.settled {
		return
	}
	m.settled = settled
	if settled {
		g.unsettled--
	} else {
		g.unsettled++
	}
}

// ownerOf tells who has a partition.
func (g *Consumer) ownerOf(topic [16]byte, partition int32) owner {
	if os := g.owners[topic]; int(partition) < len(os) {
		return os[partition]
	}
	return owner{}
}

// setPartitions gives a member other partitions, at the epoch from which on it
// has the new ones.
func (g *Consumer) setPartitions(m *consumer, epoch int32, assigned, revoking partitions) {
	free := func(topic [16]byte, partition int32) {
		if !assigned.has(topic, partition) && !revoking.has(topic, partition) {
			g.owners[topic][partition] = owner{}
		}
	}
	if !m.assigned.equal(assigned) || !m.revoking.equal(revoking) {
		m.assigned.each(free)
		m.revoking.each(free)
	}
	take := func(topic [16]byte, partition int32) {
		if o := g.ownerOf(topic, partition); o.m == m {
			return
		}
		if g.owners == nil {
			g.owners = make(map[[16]byte][]owner)
		}
		os := g.owners[topic]
		if missing := int(partition) + 1 - len(os); missing > 0 {
			if i, ok := g.byID[topic]; ok { // all at once
				missing = max(missing, int(g.topics[i].Partitions)-len(os))
			}
			os = slices.Grow(os, missing)[:len(os)+missing]
			g.owners[topic] = os
		}
		os[partition] = owner{m, epoch}
	}
	assigned.each(take)
	revoking.each(take)
	m.assigned, m.revoking = assigned, revoking
}

// assign computes the target of all members for the group's epoch, unless the
// last one is too recent (KIP-1263: many changes then make one target).
func (g *Consumer) assign() {
	if g.epoch <= g.assignmentEpoch {
		return
	}
	if d := g.timing.AssignmentInterval; d > 0 && !g.assignedAt.IsZero() && g.now.Before(g.assignedAt.Add(d)) {
		return
	}
	name := g.assignorName()
	members := make([]assignee, len(g.order))
	for i, m := range g.order {
		members[i] = assignee{id: m.id, instance: m.instance, held: m.target}
		if i > 0 && sameNames(m.names, g.order[i-1].names) && m.regex == g.order[i-1].regex {
			members[i].topics = members[i-1].topics
			continue
		}
		for t := range g.topics {
			if g.subscribes(m, g.topics[t].Name) {
				members[i].topics = append(members[i].topics, t)
			}
		}
	}
	assignors[name](g.topics, members)
	g.assignmentEpoch, g.assignedAt = g.epoch, g.now
	for i, m := range g.order {
		if !m.target.equal(members[i].target) {
			m.target = members[i].target
			m.targeted = false
		}
		if !m.targeted {
			g.storeTarget(m)
		}
		g.note(m)
	}
	g.storeAssigned()
	g.event(Event{Why: "assigned by " + name})
}

// assignorName is the assignor that most members prefer; of equals, the one
// that the broker's configs name first.
func (g *Consumer) assignorName() string {
	votes := make(map[string]int)
	for _, m := range g.order {
		if m.assignor != "" {
			votes[m.assignor]++
		}
	}
	return slices.MaxFunc(g.cfg.Consumer.Assignors, func(a, b string) int { return cmp.Compare(votes[a], votes[b]) })
}

// within starts one of a member's timers.
func (g *Consumer) within(timer *time.Time, d time.Duration) {
	*timer = g.now.Add(d)
	g.timersFrom = earlier(g.timersFrom, *timer)
}

// Expire does what is due at now: members whose time ran out are fenced, and
// old offsets are forgotten. It may be called too early.
func (g *Consumer) Expire(now time.Time) Effects {
	g.now = now
	for g.became == nil {
		at := g.deadline()
		if at.IsZero() || at.After(now) {
			break
		}
		if at == g.timersFrom {
			g.expireMembers()
		} else {
			g.cleanup()
		}
	}
	return g.effects()
}

// expireMembers fences the members whose time ran out. It is the only place
// that looks at all of them, once per session timeout.
func (g *Consumer) expireMembers() {
	var next time.Time
	var late []*consumer
	for _, m := range g.order {
		if first := m.firstTimer(); first.After(g.now) {
			next = earlier(next, first)
		} else if !first.IsZero() {
			late = append(late, m)
		}
	}
	g.timersFrom = next
	for _, m := range late {
		why := "member's session timed out"
		switch first := m.firstTimer(); {
		case first == m.session:
		case first == m.rebalance:
			why = "member did not give up its partitions within the rebalance timeout"
		case first == m.classic.joinBy:
			why = "member did not rejoin within the rebalance timeout"
		default:
			why = "member did not sync within the rebalance timeout"
		}
		if g.fence([]*consumer{m}, Event{Member: m.id, Why: why}); g.became != nil {
			return // the others have new sessions
		}
	}
}

func (m *consumer) firstTimer() time.Time {
	first := earlier(m.session, m.rebalance)
	if m.classic != nil {
		first = earlier(first, earlier(m.classic.joinBy, m.classic.syncBy))
	}
	return first
}

// fence takes members out, and starts the next epoch without them. When only
// members of the classic protocol are left, the group goes over to it.
func (g *Consumer) fence(members []*consumer, e Event) {
	if g.mayDowngrade(members) {
		g.event(e)
		g.downgrade(members, nil)
		return
	}
	for _, m := range members {
		g.remove(m)
	}
	g.forgetTopics()
	g.bump(e)
}

// cleanup forgets expired offsets, and the group with its last one.
func (g *Consumer) cleanup() {
	g.cleanupAt = time.Time{}
	g.expireOffsets(-1, g.isSubscribed)
	if len(g.order) == 0 && g.offsets.None() {
		g.die("empty, and nothing committed")
	}
}

func (g *Consumer) die(why string) {
	g.storeOffsetsGone()
	g.storeGroupGone()
	g.event(Event{Why: why})
	g.out.Events[len(g.out.Events)-1].To = Dead
	g.became = New(g.id, g.cfg) // anything may begin here again
	g.became.now, g.became.out = g.now, g.out
}
