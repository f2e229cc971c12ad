package group

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// NotReady is a streams group whose topology lacks topics.
const NotReady State = "NotReady"

// KindStreams is the group type that ListGroups shows for a Streams.
const KindStreams = "streams"

// Streams is one group of Kafka Streams' own protocol (KIP-1071, Kafka's
// StreamsGroup). This file owns its state and who is in it; the other
// streams_*.go files own its requests.
//
// Members say what they run, as a topology; the group finds the topics for it
// and gives out tasks, as a Consumer does partitions: the epoch grows with each
// change, a target is computed for an epoch, each member goes from what it has
// to its target, and an active task never has two owners.
type Streams struct {
	base
	pace     pace
	settings StreamsSettings // as of the last heartbeat

	state           State // as observers know it
	epoch           int32
	assignmentEpoch int32
	assignedAt      time.Time // when the target was computed; zero: never
	delayUntil      time.Time // the end of the first rebalance's delay; zero: none runs

	members   map[string]*streamer
	order     []*streamer              // in order of joining
	unsettled int                      // members that are not at their target
	holders   map[string][]taskHolders // subtopology -> partition -> who has the task

	topology    *topology
	configured  *configured
	topics      []Topic // those of the topology that exist, by name
	seen        uint64  // the version of the cluster that topics are of
	hash        int64   // of topics
	validated   int32   // the topology's epoch if its topics are as they must be; else -1
	standbys    int     // copies of each state, as of the last epoch; -1: no epoch yet
	description *kmsg.TopologyDescription

	endpointEpoch int32
	shutdownBy    string // who wants all members to end; empty: nobody

	timersFrom time.Time // no timer of a member ends earlier
	became     *Classic  // set when the group is no more
}

// StreamsSettings is what may be set for one streams group (group configs,
// KIP-1071).
type StreamsSettings struct {
	SessionTimeout        time.Duration // streams.session.timeout.ms
	HeartbeatInterval     time.Duration // streams.heartbeat.interval.ms: the longest; see pace
	AssignmentInterval    time.Duration // streams.assignment.interval.ms; zero: assign at once
	InitialRebalanceDelay time.Duration // streams.initial.rebalance.delay.ms; zero: assign at once
	Standbys              int           // streams.num.standby.replicas
}

// streamer is one member of a Streams: a thread of an application's process.
type streamer struct {
	id              string
	process         string // its application instance
	rack            *string
	client          Client
	endpoint        *kmsg.StreamsGroupHeartbeatRequestUserEndpoint // for interactive queries; nil: none
	tags            []keyValue                                     // by key
	rebalanceMillis int32
	topologyEpoch   int32

	epoch, previous int32
	phase           phase

	target   roles // what it is to have
	assigned roles // what it has, or is told to have
	revoking roles // what it has and must give up

	hasTarget bool      // one was computed since it joined
	settled   bool      // at its target: not counted in unsettled
	session   time.Time // the end of its session
	rebalance time.Time // when it must have given up what it has to; zero: nothing
}

type keyValue struct{ key, value string }

// taskHolders is who has a task: one member runs it, others have its state.
type taskHolders struct {
	active *streamer
	copies []*streamer
}

// newStreams returns a streams group without members in place of one of another
// kind. It exists from the first member on.
func newStreams(b base) *Streams {
	return &Streams{base: b, state: Empty, epoch: 1, assignmentEpoch: 1, validated: -1, standbys: -1}
}

// State returns the group's state.
func (g *Streams) State() State { return g.state }

// Kind returns KindStreams.
func (g *Streams) Kind() string { return KindStreams }

// Epoch returns the group's epoch.
func (g *Streams) Epoch() int32 { return g.epoch }

// Members returns how many members the group has.
func (g *Streams) Members() int { return len(g.order) }

// configs is what the last epoch's assignment depends on, as it is stored.
func (g *Streams) configs() []keyValue {
	return []keyValue{{"num.standby.replicas", strconv.Itoa(g.standbys)}}
}

func (g *Streams) effects() Effects {
	if g.became != nil {
		return g.became.effects()
	}
	g.settleState()
	e := g.out
	g.out = Effects{}
	e.Deadline = g.deadline()
	return e
}

// look returns the effects of a call that changed nothing.
func (g *Streams) look(now time.Time) Effects {
	g.now = now
	return g.effects()
}

func (g *Streams) deadline() time.Time {
	return earlier(earlier(g.timersFrom, g.delayUntil), g.cleanupAt)
}

// settleState finds the group's state. The last event of the call tells of a
// change.
func (g *Streams) settleState() {
	to := Stable
	switch {
	case len(g.order) == 0:
		to = Empty
		g.shutdownBy = ""
		if g.state != Empty {
			g.cleanupSoon()
		}
	case g.validated != g.topology.epoch:
		to = NotReady
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

func (g *Streams) event(e Event) {
	if m := g.members[e.Member]; m != nil && len(m.assigned.active) > 0 {
		e.Assignment = taskInputs{g.configured, m.assigned.active}
	}
	g.emit(KindStreams, g.state, g.epoch, e)
}

// bump starts the next epoch of the group.
func (g *Streams) bump(e Event) {
	g.epoch++
	g.pace.changed = g.now
	g.event(e)
	g.storeGroup()
}

// add puts a new member in.
func (g *Streams) add(id string) *streamer {
	if g.members == nil {
		g.members = make(map[string]*streamer)
	}
	m := &streamer{id: id, rebalanceMillis: -1, topologyEpoch: -1, settled: true}
	g.members[id] = m
	g.order = append(g.order, m)
	g.note(m)
	return m
}

// remove takes a member out. What it had is free.
func (g *Streams) remove(m *streamer) {
	g.setTasks(m, roles{}, roles{})
	delete(g.members, m.id)
	i := slices.Index(g.order, m)
	g.order = slices.Delete(g.order, i, i+1)
	if !m.settled {
		g.unsettled--
	}
	g.storeMemberGone(m.id)
}

// note counts a member whose epoch or phase changed.
func (g *Streams) note(m *streamer) {
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

// holdersOf tells who has a task.
func (g *Streams) holdersOf(subtopology string, partition int32) taskHolders {
	if hs := g.holders[subtopology]; int(partition) < len(hs) {
		return hs[partition]
	}
	return taskHolders{}
}

// setTasks gives a member other tasks.
func (g *Streams) setTasks(m *streamer, assigned, revoking roles) {
	if m.assigned.equal(assigned) && m.revoking.equal(revoking) {
		return
	}
	for _, r := range []roles{m.assigned, m.revoking} {
		r.active.each(func(subtopology string, partition, _ int32) {
			if h := &g.holders[subtopology][partition]; h.active == m {
				h.active = nil
			}
		})
		for _, copies := range []tasks{r.standby, r.warmup} {
			copies.each(func(subtopology string, partition, _ int32) {
				h := &g.holders[subtopology][partition]
				h.copies = slices.DeleteFunc(h.copies, func(other *streamer) bool { return other == m })
			})
		}
	}
	m.assigned, m.revoking = assigned, revoking
	for _, r := range []roles{assigned, revoking} {
		r.active.each(func(subtopology string, partition, _ int32) { g.holder(subtopology, partition).active = m })
		for _, copies := range []tasks{r.standby, r.warmup} {
			copies.each(func(subtopology string, partition, _ int32) {
				h := g.holder(subtopology, partition)
				h.copies = append(h.copies, m)
			})
		}
	}
}

// holder is the place of a task in the table of who has it.
func (g *Streams) holder(subtopology string, partition int32) *taskHolders {
	if g.holders == nil {
		g.holders = make(map[string][]taskHolders)
	}
	hs := g.holders[subtopology]
	if missing := int(partition) + 1 - len(hs); missing > 0 {
		if s := g.configured.find(subtopology); s != nil { // all at once
			missing = max(missing, int(s.tasks)-len(hs))
		}
		hs = slices.Grow(hs, missing)[:len(hs)+missing]
		g.holders[subtopology] = hs
	}
	return &hs[partition]
}

// assign computes the target of all members for the group's epoch. It says why
// it does not, if it does not: the first rebalance waits for others, or the last
// one is too recent.
func (g *Streams) assign() (delayed string) {
	switch d := g.settings.AssignmentInterval; {
	case !g.delayUntil.IsZero():
		return "Assignment delayed due to the configured initial rebalance delay."
	case g.epoch <= g.assignmentEpoch:
		return ""
	case d > 0 && !g.assignedAt.IsZero() && g.now.Before(g.assignedAt.Add(d)):
		return "Assignment delayed due to the configured assignment interval."
	}
	g.assignNow()
	return ""
}

func (g *Streams) assignNow() {
	values, assignees := make([]taskAssignee, len(g.order)), make([]*taskAssignee, len(g.order))
	for i, m := range g.order {
		values[i] = taskAssignee{id: m.id, process: m.process, held: m.target}
		assignees[i] = &values[i]
	}
	if g.configured.problem == nil {
		sources := make([]taskSource, len(g.configured.subtopologies))
		for i := range sources {
			s := &g.configured.subtopologies[i]
			sources[i] = taskSource{s.id, s.tasks, s.stateful}
		}
		assignTasks(sources, assignees, g.standbys)
	}
	g.assignmentEpoch, g.assignedAt = g.epoch, g.now
	for i, m := range g.order {
		if !m.hasTarget || !m.target.equal(assignees[i].target) {
			m.target, m.hasTarget = assignees[i].target, true
			g.storeTarget(m)
		}
		g.note(m)
	}
	g.storeTargetEpoch()
	g.event(Event{Why: "assigned by " + streamsAssignor})
}

// streamsAssignor is the name of the only assignor.
const streamsAssignor = "sticky"

// within starts one of a member's timers.
func (g *Streams) within(timer *time.Time, d time.Duration) {
	*timer = g.now.Add(d)
	g.timersFrom = earlier(g.timersFrom, *timer)
}

// Expire does what is due at now: members whose time ran out are fenced, the
// first assignment is made, and old offsets are forgotten. It may be called too
// early.
func (g *Streams) Expire(now time.Time) Effects {
	g.now = now
	for g.became == nil {
		at := g.deadline()
		if at.IsZero() || at.After(now) {
			break
		}
		switch at {
		case g.timersFrom:
			g.expireMembers()
		case g.delayUntil:
			g.delayUntil = time.Time{}
			if len(g.order) > 0 {
				g.assignNow()
			}
		default:
			g.cleanup()
		}
	}
	return g.effects()
}

// expireMembers fences the members whose time ran out. It is the only place
// that looks at all of them, once per session timeout.
func (g *Streams) expireMembers() {
	var next time.Time
	var late []*streamer
	for _, m := range g.order {
		if first := earlier(m.session, m.rebalance); first.After(g.now) {
			next = earlier(next, first)
		} else {
			late = append(late, m)
		}
	}
	g.timersFrom = next
	for _, m := range late {
		why := "member's session timed out"
		if earlier(m.session, m.rebalance) != m.session {
			why = "member did not give up its tasks within the rebalance timeout"
		}
		g.fence(m, why)
	}
}

// fence takes a member out, and starts the next epoch without it.
func (g *Streams) fence(m *streamer, why string) {
	g.remove(m)
	g.bump(Event{Member: m.id, Why: why})
}

// cleanup forgets expired offsets, and the group with its last one.
func (g *Streams) cleanup() {
	g.cleanupAt = time.Time{}
	g.expireOffsets(-1, g.isSubscribed)
	if len(g.order) == 0 && g.offsets.None() {
		g.die("empty, and nothing committed")
	}
}

func (g *Streams) die(why string) {
	g.storeOffsetsGone()
	g.storeGone()
	g.event(Event{Why: why})
	g.out.Events[len(g.out.Events)-1].To = Dead
	g.became = New(g.id, g.cfg) // anything may begin here again
	g.became.now, g.became.out = g.now, g.out
}

// toClassic returns a classic group without members that has the rest of this
// one.
func (g *Streams) toClassic() *Classic {
	g.storeGone()
	c := &Classic{base: g.base, state: Empty, previous: Empty, stateSince: g.now}
	c.cleanupSoon()
	c.storeNew()
	return c
}

// isSubscribed tells whether the group's members consume a topic.
func (g *Streams) isSubscribed(topic string) bool {
	if len(g.order) == 0 {
		return false
	}
	_, reads := g.topology.sources[topic]
	return reads
}
