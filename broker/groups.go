package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/group"
)

// groups is the group coordinator: it finds groups, holds each one's lock,
// hands out answers and keeps their deadlines. What groups do is in package
// group.
type groups struct {
	b  *Broker
	mu sync.Mutex // to find, add and remove; a leaf: no other lock is taken below it
	// byID has the groups that exist.
	byID map[string]*groupState
	// pending has, by producer id, the groups for which its open transaction
	// commits offsets.
	pending map[int64]map[string]struct{}

	watchers   groupWatchers
	rebalances rebalances
}

// groupState is one group with its lock and its timer.
type groupState struct {
	id   string
	mu   sync.Mutex
	g    *group.Group
	gone bool // dropped from groups.byID: look again

	timer *groupTimer // nil: no deadline
	epoch int32       // of g, as last counted in rebalances
}

// groupTimer calls a group back at its deadline.
type groupTimer struct {
	at time.Time
	t  Timer
}

// pendingAnswer is the ticket of a request that waits for its group.
type pendingAnswer struct{ ch chan kmsg.Response }

func newPendingAnswer() *pendingAnswer {
	return &pendingAnswer{ch: make(chan kmsg.Response, 1)}
}

// with runs f on a group under its lock, then stores and delivers what came of it. A group
// that does not exist is Dead to f, and exists from then on if f brings it to
// life.
func (s *groups) with(id string, f func(g *group.Group, now time.Time) group.Effects) {
	for {
		gs := s.find(id)
		gs.mu.Lock()
		if gs.gone {
			gs.mu.Unlock()
			continue
		}
		now := s.b.clock.Now() // under the lock: a group's time never goes back
		eff := f(gs.g, now)
		s.b.storeGroupRecords(gs.id, noProducer, eff.Records, now)
		s.settle(gs, &eff, now)
		gs.mu.Unlock()
		s.deliver(&eff)
		s.b.changes.happened()
		return
	}
}

// peek runs f on a group that exists, to look at it; false if there is none.
func (s *groups) peek(id string, f func(g *group.Group)) bool {
	s.mu.Lock()
	gs := s.byID[id]
	s.mu.Unlock()
	if gs == nil {
		return false
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.gone {
		return false
	}
	f(gs.g)
	return true
}

func (s *groups) find(id string) *groupState {
	s.mu.Lock()
	defer s.mu.Unlock()
	gs := s.byID[id]
	if gs == nil {
		gs = &groupState{id: id, g: group.NewGroup(id, s.config())}
		s.byID[id] = gs
	}
	return gs
}

// settle keeps the group's deadline and drops the group if it is empty. It
// needs the group's lock.
func (s *groups) settle(gs *groupState, eff *group.Effects, now time.Time) {
	s.watchers.enqueue(eff.Events, now)
	s.rebalances.count(gs)
	if eff.Empty {
		gs.gone = true
		if gs.timer != nil {
			gs.timer.t.Stop()
		}
		s.mu.Lock()
		delete(s.byID, gs.id)
		s.mu.Unlock()
		return
	}
	at := eff.Deadline
	switch {
	case at.IsZero():
	case gs.timer == nil:
		gs.timer = &groupTimer{at: at}
		gs.timer.t = s.b.clock.AfterFunc(at.Sub(now), func() { s.expire(gs) })
	case gs.timer.at.IsZero() || at.Before(gs.timer.at):
		// A later deadline is left to the timer that is set: sessions move
		// with every heartbeat.
		gs.timer.at = at
		gs.timer.t.Reset(at.Sub(now))
	}
}

// expire is called when a group's timer fires.
func (s *groups) expire(gs *groupState) {
	gs.mu.Lock()
	if gs.gone {
		gs.mu.Unlock()
		return
	}
	now := s.b.clock.Now()
	gs.timer.at = time.Time{}
	eff := gs.g.Expire(now)
	s.b.storeGroupRecords(gs.id, noProducer, eff.Records, now)
	s.settle(gs, &eff, now)
	gs.mu.Unlock()
	s.deliver(&eff)
	s.b.changes.happened()
}

// deliver tells those who watch, and hands out the answers of requests that
// waited. It is called without locks.
func (s *groups) deliver(eff *group.Effects) {
	if len(eff.Events) > 0 {
		s.watchers.drain(s.b)
	}
	for _, a := range eff.Answers {
		a.Ticket.(*pendingAnswer).ch <- a.Response // has room for its one answer
	}
	if len(eff.Events) > 0 && s.b.loggers.groups.Enabled(context.Background(), slog.LevelDebug) {
		for _, e := range eff.Events {
			s.b.loggers.groups.Debug("group", "group", e.Group, "from", e.From, "to", e.To, "generation", e.Generation, "member", e.Member, "why", e.Why, "reason", e.Reason)
		}
	}
}

// all returns the groups that exist now.
func (s *groups) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.byID))
	for id := range s.byID {
		ids = append(ids, id)
	}
	return ids
}

// topicDeleted forgets the offsets committed for a topic.
func (s *groups) topicDeleted(name string) {
	for _, id := range s.all() {
		s.with(id, func(g *group.Group, now time.Time) group.Effects {
			return g.TopicsDeleted(now, name)
		})
	}
}

// stop ends the groups' timers.
func (s *groups) stop() {
	s.mu.Lock()
	states := make([]*groupState, 0, len(s.byID))
	for _, gs := range s.byID {
		states = append(states, gs)
	}
	s.mu.Unlock()
	for _, gs := range states {
		gs.mu.Lock()
		gs.gone = true
		if gs.timer != nil {
			gs.timer.t.Stop()
		}
		gs.mu.Unlock()
	}
}

// config is what the broker's configs say about groups now.
func (s *groups) config() *group.Config {
	for {
		if c := s.b.groupConfig.Load(); c != nil {
			return c
		}
		s.b.groupConfig.CompareAndSwap(nil, s.b.newGroupConfig(s.b.config.Load()))
	}
}

// newGroupConfig is what the broker's configs say about groups.
func (b *Broker) newGroupConfig(cfg *config.Broker) *group.Config {
	return &group.Config{
		InitialRebalanceDelay:  cfg.Duration("group.initial.rebalance.delay.ms"),
		MinSessionTimeout:      cfg.Duration("group.min.session.timeout.ms"),
		MaxSessionTimeout:      cfg.Duration("group.max.session.timeout.ms"),
		MaxSize:                cfg.Int("group.max.size"),
		OffsetMetadataMaxBytes: cfg.Int("offset.metadata.max.bytes"),
		OffsetsRetention:       time.Duration(cfg.Int("offsets.retention.minutes")) * time.Minute,
		OffsetsCheckInterval:   cfg.Duration("offsets.retention.check.interval.ms"),
		NewUUID:                b.random.uuidText,
		Watched:                b.groups.watchers.any,
		Consumer:               consumerConfig(cfg, b.random.uuidShort),
		Share:                  group.ShareConfig{MaxSize: cfg.Int("group.share.max.size")},
		Streams:                group.StreamsConfig{MaxSize: cfg.Int("group.streams.max.size")},
	}
}

// lookupTopic resolves topics for the groups' state machines.
func (b *Broker) lookupTopic() group.Lookup { return b.image.Load().lookup }

// lookupTopic finds topics for a request: one with which the client may not do
// what it wants has that for its error.
func (r *request) lookupTopic(op kmsg.ACLOperation) group.Lookup {
	find := r.broker.lookupTopic()
	if !r.guarded() {
		return find
	}
	return func(name string, id [16]byte) group.Topic {
		t := find(name, id)
		if t.Name != "" && !r.mayTopic(op, t.Name) {
			return group.Topic{Name: name, ID: id, Err: kerr.TopicAuthorizationFailed.Code}
		}
		return t
	}
}

// find is the image's lookup.
func (m *image) find(name string, id [16]byte) group.Topic {
	t := m.topic(name)
	missing := kerr.UnknownTopicOrPartition.Code
	if name == "" && id != [16]byte{} {
		t = m.topicByID(id)
		missing = kerr.UnknownTopicID.Code
	}
	if t == nil {
		return group.Topic{Name: name, ID: id, Err: missing}
	}
	return groupTopic(t)
}

func groupTopic(t *topic) group.Topic {
	return group.Topic{Name: t.name, ID: t.id, Partitions: int32(len(t.partitions))}
}
