package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns how groups go over from the classic protocol to KIP-848's and
// back, with their members and offsets.

// toConsumer returns the group as one of consumers. It leaves the classic
// group as it is: the member that wants this may still be refused.
func (g *Classic) toConsumer(memberEpoch int32, cluster Cluster) (*Consumer, *refusal) {
	cannot := func(why string) (*Consumer, *refusal) {
		return nil, refuse(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because %s.", g.id, why)
	}
	switch {
	case g.state == Dead && memberEpoch == joinEpoch, g.state == Empty && memberEpoch == joinEpoch:
		return newConsumer(g.base), nil
	case g.state == Dead && memberEpoch < joinEpoch:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s not found.", g.id)
	case g.state == Dead:
		return nil, refuse(kerr.GroupIDNotFound, "Consumer group %s not found.", g.id)
	case memberEpoch != joinEpoch:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a consumer group.", g.id)
	case !g.cfg.Consumer.Upgrade:
		return cannot("online upgrade is disabled")
	case g.protocolType != consumerProtocol:
		return cannot("the group does not use the consumer embedded protocol")
	case len(g.order) > g.cfg.Consumer.MaxSize:
		return cannot("the group size exceeds the consumer group maximum size")
	}
	protocol := g.protocol
	if protocol == "" {
		protocol = g.selectProtocol()
	}
	c := newConsumer(g.base)
	c.epoch, c.assignmentEpoch, c.state = g.generation, g.generation, Stable
	for _, old := range g.order {
		sub, err := parseSubscription(old.metadata(protocol))
		if err != nil {
			return cannot("the embedded consumer protocol is malformed")
		}
		has, custom, err := parseAssignment(old.assignment, cluster.Lookup)
		if err != nil {
			return cannot("the embedded consumer protocol is malformed")
		}
		if custom {
			return cannot("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
		}
		m := &consumer{
			id: old.id, instance: old.instance, rack: sub.Rack, client: old.client,
			epoch: c.epoch, previous: c.epoch, rebalanceTimeout: old.rebalanceTimeout,
		}
		c.setNames(m, sub.Topics)
		c.add(m)
		c.setClassic(m, &classicSide{sessionTimeout: old.sessionTimeout, protocols: old.protocols, version: sub.Version})
		// A leader may have given a partition to two members.
		has, _ = has.split(func(topic [16]byte, partition int32) bool { return c.ownerOf(topic, partition).m == nil })
		c.setPartitions(m, c.epoch, has, nil)
		m.target = has
		c.within(&m.session, old.sessionTimeout)
	}
	c.now = g.now
	c.storeAll(cluster.Lookup)
	// Its topics are looked up with the heartbeat that brings this about, and
	// are new to it: so there is an assignment of its own.
	c.event(Event{Why: "upgraded from the classic protocol"})
	return c, nil
}

// handOver ends the classic group for the one that it became: who waits has to
// join anew.
func (g *Classic) handOver(c *Consumer) {
	if g.state != Dead { // it is no classic one any more
		c.out.Records = slices.Insert(c.out.Records, 0, Record{Key: groupKey(g.id, 0)})
	}
	for _, m := range g.order {
		g.answerJoin(m, refusedJoin(m.id, kerr.RebalanceInProgress))
		g.answerSync(m, refusedSync(kerr.RebalanceInProgress))
	}
	c.out.Answers = append(c.out.Answers, g.out.Answers...)
}

// look returns the effects of a call that changed nothing.
func (g *Classic) look(now time.Time) Effects {
	g.now = now
	return g.effects()
}

// mayDowngrade tells whether the group goes over to the classic protocol when
// these members are gone.
func (g *Consumer) mayDowngrade(without []*consumer) bool {
	left, classics := len(g.order)-len(without), g.classics
	for _, m := range without {
		if m.classic != nil {
			classics--
		}
	}
	return left > 0 && classics == left && g.cfg.Consumer.Downgrade && left <= g.cfg.MaxSize
}

// mayReplace is mayDowngrade for a member whose place a classic one takes.
func (g *Consumer) mayReplace(m *consumer) bool {
	return m.classic == nil && g.classics == len(g.order)-1 && g.cfg.Consumer.Downgrade && len(g.order) <= g.cfg.MaxSize
}

// downgrade makes the group a classic one, without some members. Unless it was
// brought about by the join of a member that took the last consumer's place,
// the others rebalance.
func (g *Consumer) downgrade(without []*consumer, joined *consumer) {
	why := "downgraded to the classic protocol"
	stale := g.epoch > g.assignmentEpoch
	left := make([]*consumer, 0, len(g.order))
	for _, m := range g.order {
		if !slices.Contains(without, m) {
			left = append(left, m)
		}
	}
	g.storeAllGone()
	c := g.toClassic()
	c.state, c.previous = g.state, g.state
	c.generation = g.epoch
	for _, m := range left {
		c.add(&member{
			id: m.id, instance: m.instance, client: m.client, assignment: noAssignment,
			sessionTimeout: m.classic.sessionTimeout, rebalanceTimeout: m.rebalanceTimeout, protocols: m.classic.protocols,
		}, consumerProtocol)
	}
	c.protocol = c.selectProtocol()
	c.readSubscription()
	for i, m := range left {
		c.order[i].assignment = g.classicAssignment(m.classic.version, m.target)
		c.expectHeartbeat(c.order[i], m.classic.sessionTimeout)
	}
	c.transition(Stable, Event{Why: why})
	c.storeGeneration()
	g.became = c
	if joined == nil || stale {
		c.prepareRebalance(Event{Why: why})
	}
}

// toClassic returns a classic group without members that has the rest of this
// one.
func (g *Consumer) toClassic() *Classic {
	c := &Classic{base: g.base, state: Empty, previous: Empty, stateSince: g.now}
	c.cleanupSoon()
	return c
}

// parseSubscription reads the metadata of a consumer of the classic protocol.
func parseSubscription(metadata []byte) (kmsg.ConsumerMemberMetadata, error) {
	s := kmsg.NewConsumerMemberMetadata()
	err := s.ReadFrom(metadata)
	return s, err
}

// parseAssignment reads what a leader assigned to a consumer of the classic
// protocol. custom says that the assignor put in something of its own, which
// nobody else understands.
func parseAssignment(assignment []byte, topics Lookup) (ps partitions, custom bool, err error) {
	if len(assignment) == 0 {
		return nil, false, nil
	}
	a := kmsg.NewConsumerMemberAssignment()
	if err := a.ReadFrom(assignment); err != nil {
		return nil, false, err
	}
	var b setBuilder
	for _, t := range a.Topics {
		if topic := topics(t.Topic, [16]byte{}); topic.Err == 0 {
			for _, p := range t.Partitions {
				if p >= 0 && p < topic.Partitions {
					b.add(topic.ID, p)
				}
			}
		}
	}
	return b.done(), len(a.UserData) > 0, nil
}

// classicAssignment writes partitions as a consumer of the classic protocol
// reads them.
func (g *Consumer) classicAssignment(version int16, ps partitions) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	a.Version = version
	for i := range ps {
		if t, ok := g.byID[ps[i].topic]; ok {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: g.topics[t].Name, Partitions: ps[i].partitions})
		}
	}
	return a.AppendTo(nil)
}
