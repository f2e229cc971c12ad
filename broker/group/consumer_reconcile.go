package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns how one member gets from what it has to its target
// (org.apache.kafka.coordinator.group.modern.consumer.CurrentAssignmentBuilder).

// owned is what a member says it has; nil says nothing.
type owned []kmsg.ConsumerGroupHeartbeatRequestTopic

// has tells whether a member still has some of ps. One that says nothing may.
func (o owned) has(ps partitions) bool {
	if o == nil {
		return true
	}
	for i := range o {
		for _, p := range o[i].Partitions {
			if ps.has(o[i].TopicID, p) {
				return true
			}
		}
	}
	return false
}

// within tells whether a member says that it has nothing but ps.
func (o owned) within(ps partitions) bool {
	for i := range o {
		for _, p := range o[i].Partitions {
			if !ps.has(o[i].TopicID, p) {
				return false
			}
		}
	}
	return o != nil
}

// reconcile takes a member as far towards its target as it can go now. It tells
// whether the member's partitions are others then. subscribed says that its
// subscription changed with this request.
func (g *Consumer) reconcile(m *consumer, has owned, subscribed bool) bool {
	before, epoch, phase := m.assigned, m.epoch, m.phase
	revoking, previous := m.revoking, m.previous
	switch {
	case m.phase == stable && m.epoch == g.assignmentEpoch:
		if subscribed {
			g.dropUnsubscribed(m, has)
		}
	case m.phase == unrevoked && has.has(m.revoking):
		if subscribed {
			g.dropUnsubscribed(m, has)
		}
	default:
		g.advance(m, has)
	}
	if epoch != m.epoch || phase != m.phase || !before.equal(m.assigned) {
		g.note(m)
		g.event(Event{Member: m.id, Why: m.phase.String()})
	}
	if epoch != m.epoch || previous != m.previous || phase != m.phase || !before.equal(m.assigned) || !revoking.equal(m.revoking) {
		g.storeCurrent(m)
	}
	switch {
	case m.phase != unrevoked || m.classic != nil: // a classic member has other timers
		m.rebalance = time.Time{}
	case phase != unrevoked || !before.equal(m.assigned) || m.rebalance.IsZero():
		g.within(&m.rebalance, m.rebalanceTimeout)
	}
	return !before.equal(m.assigned)
}

func (p phase) String() string {
	switch p {
	case unrevoked:
		return "member must give up partitions"
	case unreleased:
		return "member waits for partitions of others"
	}
	return "member reached its target"
}

// advance computes what the member has next.
func (g *Consumer) advance(m *consumer, has owned) {
	target, _ := m.target.split(func(topic [16]byte, _ int32) bool { return g.subscribesID(m, topic) })
	keep, revoke := m.assigned.split(target.has)
	if len(revoke) > 0 && has.has(revoke) {
		// It stays at its epoch until it says that it gave them up.
		m.phase = unrevoked
		g.setEpoch(m, m.epoch)
		g.setPartitions(m, m.epoch, keep, revoke)
		return
	}
	free, taken := partitions(nil), partitions(nil)
	if !keep.equal(target) {
		_, missing := target.split(keep.has)
		free, taken = missing.split(func(topic [16]byte, partition int32) bool {
			o := g.ownerOf(topic, partition)
			return o.m == nil || o.m == m && m.revoking.has(topic, partition)
		})
	}
	m.phase = stable
	if len(taken) > 0 {
		m.phase = unreleased
	}
	g.setEpoch(m, g.assignmentEpoch)
	// What it gave up and gets back it has from this epoch on.
	g.setPartitions(m, m.epoch, keep, nil)
	g.setPartitions(m, m.epoch, keep.plus(free), nil)
}

// dropUnsubscribed makes a member give up at once what it does not subscribe to
// any more, even if the next target is still to come.
func (g *Consumer) dropUnsubscribed(m *consumer, has owned) {
	keep, drop := m.assigned.split(func(topic [16]byte, _ int32) bool { return g.subscribesID(m, topic) })
	if len(drop) == 0 {
		return
	}
	revoking := m.revoking.plus(drop)
	if has.has(revoking) {
		m.phase = unrevoked
		g.setPartitions(m, m.epoch, keep, revoking)
		return
	}
	g.setPartitions(m, m.epoch, keep, m.revoking)
}

func (g *Consumer) setEpoch(m *consumer, epoch int32) {
	m.previous, m.epoch = m.epoch, epoch
}
