package broker

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/broker/config"
	"minibroker/broker/group"
	"minibroker/storage"
)

// This file owns how a broker is emptied and brought back to an earlier state
// while its ports and connections stay: between subtests that share it.

// Reset brings the broker back to where it was when it started: the topics of
// WithTopic are there, and empty, and those of fixtures have what the fixtures
// gave them; all else is gone, such as other topics, groups, committed offsets,
// transactional ids, quotas, changed configs, faults and hooks. It costs
// microseconds.
//
// Ports and connections stay, and clients that live on see what they would see
// if somebody had deleted the topics and made them anew. Producer ids go on
// counting, so that old and new producers are never taken for one another. On a
// broker from [Start], faults that never happened fail the test.
func (b *Broker) Reset() {
	if b.loaded != nil {
		b.Restore(b.loaded)
		return
	}
	b.renew(b.started, func() {
		for _, t := range b.seeds {
			// What could be made at the start can be made again.
			if planned, err := b.planTopic(seedTopic(t)); err == nil {
				b.put(planned)
			}
		}
	})
}

// renew empties the broker and lets fill make the new topics. fill runs with
// controller.mu held.
func (b *Broker) renew(cfg *config.Broker, fill func()) {
	b.reportMissed()
	b.ClearFaults()
	b.allRunning()
	b.faults.change(func(u *faultsInUse) { u.hooks = nil })
	b.transactions.reset()
	for _, id := range b.groups.all() {
		b.groups.with(id, func(g *group.Group, now time.Time) group.Effects { return g.Unload(now) })
	}
	b.groups.mu.Lock()
	b.groups.pending = nil
	b.groups.mu.Unlock()
	for _, n := range b.nodes {
		n.shareSessions.reset()
	}
	b.shares.reset()
	b.controller.mu.Lock()
	b.config.Store(cfg)
	for _, n := range b.nodes {
		n.config.Store(n.started)
	}
	b.groupConfig.Store(b.newGroupConfig(cfg))
	b.controller.configs = nil
	b.quotas.reset()
	b.features.Store(newestFeatures())
	b.scram.reset(b.passwords, b.random)
	b.tokens.reset(cfg, b.nowMillis())
	b.rules.Store(b.firstRules)
	b.denials.reset()
	b.loggers.reset()
	b.telemetry.reset()
	b.controller.written()
	old := b.image.Load()
	b.image.Store(newImage(b.nodes))
	fill()
	b.controller.mu.Unlock()
	old.topics.Scan(func(_ string, t *topic) bool {
		for _, p := range t.partitions {
			p.delete()
		}
		b.janitor.forget(t)
		return true
	})
	b.changes.happened()
}

// reset forgets all transactional ids.
func (s *transactions) reset() {
	s.mu.Lock()
	old := s.byID
	s.byID = make(map[string]*transaction)
	s.mu.Unlock()
	for _, x := range old {
		x.mu.Lock()
		x.gone = true
		if x.timer != nil {
			x.timer.Stop()
		}
		x.mu.Unlock()
	}
}

// Snapshot is the state of a broker at one moment: its topics with their
// records and configs, its own configs and feature levels, the groups' committed
// offsets, how far share groups are, producers and transactions, open ones
// included, quotas, users with their SCRAM credentials, delegation tokens and ACLs.
// It never changes and can be restored any number of times. It shares the
// records' memory with the broker, and keeps them alive.
type Snapshot struct {
	config       *config.Broker
	own          []*config.Broker             // of each broker
	others       map[string]map[string]string // controller.configs
	features     *featureLevels
	quotas       *quotaTable
	users        map[scramKey]*auth.ScramCredential
	tokens       *auth.Tokens
	rules        *auth.Rules // nil: there was no authorizer
	topics       []topicSnapshot
	groups       map[string][]kmsg.OffsetCommitRequestTopic
	shares       map[string]shareSnapshot // by the ids of share groups
	transactions txnSnapshot
}

type topicSnapshot struct {
	topic      *topic
	partitions []partitionSnapshot
}

type partitionSnapshot struct {
	log           *storage.Log
	highWatermark int64
	leadership    *leadership
	producers     *producerStates
	open          []openTxn
	aborted       []abortedTxn
}

// Snapshot takes the broker's state, to be brought back by [Broker.Restore]. It
// costs a few pointers per partition and megabyte, and copies no record. What is
// under way on connections is not part of it: members of groups, records on loan
// to them, faults and hooks.
func (b *Broker) Snapshot() (s *Snapshot) {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	b.transactions.still(func(all []*transaction) {
		s = &Snapshot{
			config: b.config.Load(), others: maps.Clone(b.controller.configs), features: b.features.Load(),
			quotas: b.quotas.table.Load(), users: b.scram.snapshot(), tokens: b.tokens.snapshot(), rules: b.rules.Load(), transactions: b.transactions.snapshot(all),
			groups: make(map[string][]kmsg.OffsetCommitRequestTopic), shares: make(map[string]shareSnapshot),
		}
		for _, n := range b.nodes {
			s.own = append(s.own, n.config.Load())
		}
		b.image.Load().topics.Scan(func(_ string, t *topic) bool {
			if t.internal {
				return true
			}
			ts := topicSnapshot{topic: t}
			for _, p := range t.partitions {
				p.mu.Lock()
				ts.partitions = append(ts.partitions, p.snapshot())
				p.mu.Unlock()
			}
			s.topics = append(s.topics, ts)
			return true
		})
		for _, id := range b.groups.all() {
			b.groups.peek(id, func(g *group.Group) {
				if g.IsShare() {
					s.shares[id] = shareSnapshot{g.Epoch(), g.Begun(), b.shares.snapshot(id)}
					return
				}
				s.groups[id] = commits(g.Offsets())
				for _, req := range g.Offsets().Pending() {
					req.Group = id
					s.transactions.offsets = append(s.transactions.offsets, req)
				}
			})
		}
	})
	return s
}

// snapshot needs p.mu.
func (p *partition) snapshot() partitionSnapshot {
	s := partitionSnapshot{log: p.log.Clone(), highWatermark: p.highWatermark.Load(), leadership: p.leadership.Load(), producers: p.producers.clone(), open: slices.Clone(p.txns.open)}
	if aborted := p.txns.aborted.Load(); aborted != nil {
		s.aborted = slices.Clone(*aborted)
	}
	return s
}

func (ps *producerStates) clone() *producerStates {
	if ps == nil {
		return nil
	}
	c := &producerStates{byID: make(map[int64]*producerState, len(ps.byID)), sweepAt: ps.sweepAt}
	for id, s := range ps.byID {
		copied := *s
		c.byID[id] = &copied
	}
	return c
}

// commits is a group's offsets as a request would commit them.
func commits(o *group.Offsets) (topics []kmsg.OffsetCommitRequestTopic) {
	for _, name := range o.Topics() {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		for _, c := range o.Partitions(name) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = c.Partition, c.Offset, c.LeaderEpoch, kmsg.StringPtr(c.Metadata)
			t.Partitions = append(t.Partitions, p)
		}
		topics = append(topics, t)
	}
	return topics
}

// Restore brings the broker to the state of a snapshot, of this broker or of
// another, in microseconds. All else goes as with [Broker.Reset]. The topics have
// the ids that they had, the committed offsets count as committed now, and open
// transactions have as much of their time-out left as they had.
func (b *Broker) Restore(s *Snapshot) {
	b.renew(s.config, func() {
		b.controller.configs = maps.Clone(s.others)
		b.features.Store(s.features)
		b.quotas.table.Store(s.quotas)
		b.scram.restore(s.users)
		b.tokens.restore(s.tokens)
		if b.firstRules != nil && s.rules != nil {
			b.rules.Store(b.firstRules.WithACLsOf(s.rules))
		}
		if len(s.own) == len(b.nodes) {
			for i, n := range b.nodes {
				n.config.Store(s.own[i])
			}
		}
		for i := range s.topics {
			b.put(b.restored(&s.topics[i]))
		}
	})
	for id, topics := range s.groups {
		if len(topics) == 0 {
			continue
		}
		b.commitAs(id, topics)
	}
	b.transactions.restore(&s.transactions)
	for id, of := range s.shares {
		b.internalTopic(groupMetadataTopic)
		b.internalTopic(shareStateTopic)
		b.groups.with(id, func(g *group.Group, now time.Time) group.Effects {
			b.shares.restore(of.states)
			return g.RestoreShare(now, of.epoch, of.begun)
		})
	}
}

// rehouse is a partition's leadership when all brokers run: its replicas are in
// sync, as far as there are such brokers here.
func (b *Broker) rehouse(l *leadership) *leadership {
	if len(b.nodes) == 1 && len(l.replicas) == 1 && l.leader == b.nodes[0].id {
		return l
	}
	here := slices.DeleteFunc(slices.Clone(l.replicas), func(id int32) bool { return b.nodeByID(id) == nil || slices.Contains(l.adding, id) })
	if len(here) == 0 {
		here = []int32{b.nodes[0].id}
	}
	next := &leadership{leader: here[0], leaderEpoch: l.leaderEpoch, replicas: here, isr: here}
	if slices.Contains(here, l.leader) {
		next.leader = l.leader
	}
	return next
}

// restored makes a topic of its snapshot.
func (b *Broker) restored(s *topicSnapshot) *topic {
	t := *s.topic
	t.partitions = make([]*partition, len(s.partitions))
	for i := range s.partitions {
		from := &s.partitions[i]
		p := b.newPartition(&t, int32(i), b.rehouse(from.leadership))
		p.log, p.producers = from.log.Clone(), from.producers.clone()
		if from.aborted != nil {
			aborted := slices.Clone(from.aborted)
			p.txns.aborted.Store(&aborted)
		}
		for _, o := range from.open {
			p.txns.begin(o.producerID, o.first)
		}
		p.highWatermark.Store(p.log.EndOffset()) // all replicas are in sync
		t.partitions[i] = p
		b.janitor.restored(p)
	}
	return &t
}
