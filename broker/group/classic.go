package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Classic is one group of the protocol whose members assign partitions among
// themselves: JoinGroup, SyncGroup, Heartbeat, LeaveGroup (Kafka's
// ClassicGroup). This file owns its state and who is in it; the other
// classic_*.go files own its requests.
//
// Every group starts Dead, which answers all requests as an unknown group;
// the first join or commit brings it to life. When Effects says Empty it is
// Dead again: the owner drops it, and calls it no more.
type Classic struct {
	base

	state, previous State
	stateSince      time.Time
	generation      int32
	protocolType    string // empty: no member has ever joined
	protocol        string // of this generation, by its members' votes; empty without members
	subscribed      subscription

	order     []*member          // the members, in order of joining, so that every list and choice is repeatable
	byID      map[string]*member // the same; nil up to fewMembers
	leader    *member            // nil without members
	static    map[string]*member // by instance id (KIP-345)
	pending   map[string]time.Time
	supported []protocolCount // by how many members

	awaitingJoin int // members with a parked join
	awaitingSync int // members that must still call SyncGroup in this generation

	// Deadlines; zero where there is none.
	joinDeadline time.Time // the rebalance timeout, or the end of the initial delay
	syncDeadline time.Time // members that did not sync by then are out
	sessionsFrom time.Time // no member's or pending id's session ends earlier

	// The initial delay of an empty group's first rebalance.
	delay, delayLeft time.Duration
	memberAdded      bool // since the delay started or was extended
}

// member is one member of the group. Its byte slices are never changed in
// place: answers alias them.
type member struct {
	id               string
	instance         *string
	client           Client
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []protocol
	assignment       []byte // never nil
	join, sync       parked
	// isNew: its first join is not answered yet. It cannot send heartbeats
	// and a broker cannot see it hang up, so it can time out while it waits.
	isNew    bool
	unsynced bool      // counted in awaitingSync
	deadline time.Time // the end of its session; zero: none runs
}

type protocol struct {
	name     string
	metadata []byte
}

// protocolCount is how many members know a protocol. There are few of them: a
// list takes less than a map.
type protocolCount struct {
	name    string
	members int
}

// parked is a request that waits. Its ticket is nil once it was abandoned.
type parked struct {
	waits   bool
	ticket  Ticket
	version int16
}

// New returns the group id in state Dead.
func New(id string, cfg *Config) *Classic {
	return &Classic{base: base{id: id, cfg: cfg}, state: Dead, previous: Dead}
}

// State returns the group's state.
func (g *Classic) State() State { return g.state }

// Kind returns KindClassic.
func (g *Classic) Kind() string { return KindClassic }

// Epoch is the generation.
func (g *Classic) Epoch() int32 { return g.generation }

// Generation counts the group's completed rebalances.
func (g *Classic) Generation() int32 { return g.generation }

// Members returns how many members the group has.
func (g *Classic) Members() int { return len(g.order) }

func (g *Classic) effects() Effects {
	e := g.out
	g.out = Effects{}
	e.Empty = g.state == Dead
	e.Deadline = g.deadline()
	return e
}

func (g *Classic) deadline() time.Time {
	return earlier(earlier(g.joinDeadline, g.syncDeadline), earlier(g.sessionsFrom, g.cleanupAt))
}

// create brings an unknown group to life.
func (g *Classic) create(why string) {
	g.transition(Empty, Event{Why: why})
	g.cleanupSoon()
}

// die makes the group unknown. It has no members then.
func (g *Classic) die(why string) {
	g.transition(Dead, Event{Why: why})
	*g = Classic{base: base{id: g.id, cfg: g.cfg, now: g.now, out: g.out}, state: Dead, previous: Dead}
}

// transition moves to another state; e says on whose account and why.
func (g *Classic) transition(to State, e Event) {
	g.previous, g.state, g.stateSince = g.state, to, g.now
	g.event(e)
	g.out.Events[len(g.out.Events)-1].From = g.previous
}

// event tells observers of something that left the state as it is.
func (g *Classic) event(e Event) { g.emit(KindClassic, g.state, g.generation, e) }

// supports tells whether a member with these protocols can be in the group:
// it shares the type and at least one protocol with everyone.
func (g *Classic) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	return g.protocolType == protocolType && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return g.supporters(p.Name) == len(g.order)
	})
}

// fewMembers are found by looking at each: a map takes more memory than one
// member.
const fewMembers = 2

// member finds a member; nil: there is none.
func (g *Classic) member(id string) *member {
	if g.byID != nil {
		return g.byID[id]
	}
	for _, m := range g.order {
		if m.id == id {
			return m
		}
	}
	return nil
}

// add puts a new member in.
func (g *Classic) add(m *member, protocolType string) {
	if len(g.order) == 0 {
		g.protocolType = protocolType
	}
	g.noLongerPending(m.id)
	g.order = append(g.order, m)
	switch {
	case g.byID != nil:
		g.byID[m.id] = m
	case len(g.order) > fewMembers:
		g.byID = make(map[string]*member, 2*fewMembers)
		for _, o := range g.order {
			g.byID[o.id] = o
		}
	}
	if m.instance != nil {
		if g.static == nil {
			g.static = make(map[string]*member)
		}
		g.static[*m.instance] = m
	}
	if g.leader == nil {
		g.leader = m
	}
	g.count(m.protocols, 1)
}

// noLongerPending forgets an id that was handed out. Most groups have none: they
// keep no map for it.
func (g *Classic) noLongerPending(id string) {
	if delete(g.pending, id); len(g.pending) == 0 {
		g.pending = nil
	}
}

// remove takes a member out. What it still waits for is answered: it may be
// alive, and then has to join anew.
func (g *Classic) remove(m *member) {
	g.answerJoin(m, refusedJoin("", kerr.UnknownMemberID))
	g.answerSync(m, refusedSync(kerr.UnknownMemberID))
	delete(g.byID, m.id)
	i := slices.Index(g.order, m)
	g.order = slices.Delete(g.order, i, i+1)
	if m.instance != nil {
		delete(g.static, *m.instance)
	}
	g.count(m.protocols, -1)
	if g.leader == m {
		g.leader = nil
		if len(g.order) > 0 {
			g.leader = g.order[0]
		}
	}
}

// replaceStatic puts a static member that came back without its member id in
// the place of its former self, which is fenced if it still waits (KIP-345).
func (g *Classic) replaceStatic(old *member, id string) *member {
	g.answerJoin(old, refusedJoin(old.id, kerr.FencedInstanceID))
	g.answerSync(old, refusedSync(kerr.FencedInstanceID))
	m := *old
	m.id, m.isNew = id, false
	if delete(g.byID, old.id); g.byID != nil {
		g.byID[id] = &m
	}
	g.order[slices.Index(g.order, old)] = &m
	g.static[*m.instance] = &m
	if g.leader == old {
		g.leader = &m
	}
	return &m
}

// setProtocols copies the protocols of a join.
func (g *Classic) setProtocols(m *member, from []kmsg.JoinGroupRequestProtocol) {
	protocols := cloneProtocols(from)
	if g.member(m.id) == m {
		g.count(m.protocols, -1)
		g.count(protocols, 1)
	}
	m.protocols = protocols
}

// cloneProtocols copies the protocols of a join: the request aliases its frame.
// A name counts once however often it comes.
func cloneProtocols(from []kmsg.JoinGroupRequestProtocol) []protocol {
	size := 0
	for _, p := range from {
		size += len(p.Metadata)
	}
	blob := make([]byte, 0, size)
	protocols := make([]protocol, 0, len(from))
	seen := make(map[string]bool, len(from))
	for _, p := range from {
		if seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		start := len(blob)
		blob = append(blob, p.Metadata...)
		protocols = append(protocols, protocol{p.Name, blob[start:len(blob):len(blob)]})
	}
	return protocols
}

func (g *Classic) count(protocols []protocol, by int) {
	for _, p := range protocols {
		i := slices.IndexFunc(g.supported, func(c protocolCount) bool { return c.name == p.name })
		if i < 0 {
			i = len(g.supported)
			g.supported = append(g.supported, protocolCount{name: p.name})
		}
		if g.supported[i].members += by; g.supported[i].members == 0 {
			g.supported = slices.Delete(g.supported, i, i+1)
		}
	}
}

// supporters is how many members know a protocol.
func (g *Classic) supporters(name string) int {
	for i := range g.supported {
		if g.supported[i].name == name {
			return g.supported[i].members
		}
	}
	return 0
}

// selectProtocol lets each member vote for the first of its protocols that
// all share. The most votes win; of equals, the one voted for first.
func (g *Classic) selectProtocol() string {
	votes := make(map[string]int)
	best := ""
	for _, m := range g.order {
		for _, p := range m.protocols {
			if g.supporters(p.name) == len(g.order) {
				votes[p.name]++
				break
			}
		}
	}
	for _, m := range g.order {
		for _, p := range m.protocols {
			if votes[p.name] > votes[best] {
				best = p.name
			}
		}
	}
	return best
}

// validate finds a member by what a request says of itself.
func (g *Classic) validate(id string, instance *string) (*member, *kerr.Error) {
	if instance != nil {
		m := g.static[*instance]
		if m == nil {
			return nil, kerr.UnknownMemberID
		}
		if m.id != id {
			return nil, kerr.FencedInstanceID
		}
	}
	m := g.member(id)
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// rebalanceTimeout is the longest of the members'.
func (g *Classic) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.order {
		d = max(d, m.rebalanceTimeout)
	}
	return d
}

func (g *Classic) allJoined() bool { return g.awaitingJoin == len(g.order) && len(g.pending) == 0 }

// expectHeartbeat starts a member's session anew.
func (g *Classic) expectHeartbeat(m *member, within time.Duration) {
	m.deadline = g.now.Add(within)
	g.sessionsFrom = earlier(g.sessionsFrom, m.deadline)
}

// matches tells whether a join brings the protocols that the member has.
func (m *member) matches(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a protocol, b kmsg.JoinGroupRequestProtocol) bool {
		return a.name == b.Name && bytes.Equal(a.metadata, b.Metadata)
	})
}

// metadata returns what the member said for a protocol.
func (m *member) metadata(name string) []byte {
	for _, p := range m.protocols {
		if p.name == name {
			return p.metadata
		}
	}
	return nil
}
