package group

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns ConsumerGroupHeartbeat v0-v1: joining, staying, leaving.

// ConsumerConfig is what a broker's configuration says about consumer groups.
type ConsumerConfig struct {
	// Assignors are those that members may ask for, the first one by default
	// (group.consumer.assignors). At least one.
	Assignors []string
	// MaxSize is the largest number of members (group.consumer.max.size).
	MaxSize int
	// Upgrade and Downgrade let groups change their protocol while they have
	// members (group.consumer.migration.policy).
	Upgrade, Downgrade bool
	// NewMemberID makes the ids of members that bring none.
	NewMemberID func() string
}

// IsAssignor tells whether there is a server-side assignor of that name.
func IsAssignor(name string) bool { return assignors[name] != nil }

// refusal is an error with a text for people.
type refusal struct {
	err     *kerr.Error
	message string
}

func refuse(err *kerr.Error, format string, args ...any) *refusal {
	return &refusal{err, fmt.Sprintf(format, args...)}
}

// checkHeartbeat finds what is wrong with a request whatever the group is
// (GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid).
func checkHeartbeat(group string, cfg *ConsumerConfig, req *kmsg.ConsumerGroupHeartbeatRequest) *refusal {
	empty := func(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }
	invalid := func(message string) *refusal { return refuse(kerr.InvalidRequest, "%s", message) }
	switch {
	case empty(&req.MemberID) && (req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == leaveEpoch):
		return invalid("MemberId can't be empty.")
	case empty(&group):
		return invalid("GroupId can't be empty.")
	case empty(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch == joinEpoch && req.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case req.MemberEpoch == joinEpoch && (req.Topics == nil || len(req.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case req.MemberEpoch == joinEpoch && req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	case req.MemberEpoch == leaveStaticEpoch && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case req.MemberEpoch < leaveStaticEpoch:
		return invalid("MemberEpoch is invalid.")
	case req.ServerAssignor != nil && !slices.Contains(cfg.Assignors, *req.ServerAssignor):
		return refuse(kerr.UnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: %s.", *req.ServerAssignor, strings.Join(cfg.Assignors, ", "))
	}
	return nil
}

// heartbeat takes a member's request. Nothing has changed when it is refused.
func (g *Consumer) heartbeat(client Client, req *kmsg.ConsumerGroupHeartbeatRequest, cluster Cluster) (*kmsg.ConsumerGroupHeartbeatResponse, *refusal) {
	if req.MemberEpoch < joinEpoch {
		return g.goodbye(req)
	}
	m, refused := g.sender(req)
	if refused != nil {
		return nil, refused
	}
	re, refused := g.newPattern(m, req.SubscribedTopicRegex)
	if refused != nil {
		return nil, refused
	}
	e := Event{Why: "member changed its subscription"}
	switch {
	case m == nil:
		m = &consumer{id: req.MemberID}
		if m.id == "" {
			m.id = g.cfg.Consumer.NewMemberID()
		}
		g.add(m)
		e.Why = "member joined"
	case req.InstanceID != nil && m.id != req.MemberID:
		id := req.MemberID
		if id == "" {
			id = g.cfg.Consumer.NewMemberID()
		}
		g.rename(m, id)
		g.event(Event{Member: id, Why: "static member came back"})
	}
	e.Member = m.id
	was := m.described()
	changed := g.update(m, client, req, re)
	g.setClassic(m, nil)
	g.storeUpdated(m, was, changed)
	if changed || cluster.Version != g.seen {
		others := g.refreshTopics(cluster)
		if !changed {
			e = Event{Why: "topics changed"}
		}
		if changed || others {
			g.bump(e)
		}
	}
	g.assign()
	moved := g.reconcile(m, owned(req.Topics), changed)
	g.within(&m.session, g.timing.SessionTimeout)

	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = kmsg.StringPtr(m.id), m.epoch
	resp.HeartbeatIntervalMillis = g.pace.interval(g.now, len(g.order), m.phase == unreleased, g.timing.HeartbeatInterval)
	full := req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
	if full || moved {
		resp.Assignment = heartbeatAssignment(m.assigned)
	}
	return resp, nil
}

// sender finds the member that a request is from; nil: it is a new one.
func (g *Consumer) sender(req *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *refusal) {
	joins := req.MemberEpoch == joinEpoch
	m := g.members[req.MemberID]
	if limit := g.cfg.Consumer.MaxSize; m == nil && len(g.order) >= limit {
		return nil, refuse(kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity of %d members.", limit)
	}
	switch {
	case req.InstanceID == nil && m == nil && !joins:
		return nil, g.unknownMember(req.MemberID)
	case req.InstanceID == nil && (m == nil || joins):
		return m, nil
	case req.InstanceID == nil:
		return m, m.checkEpoch(req)
	}
	static := g.static[*req.InstanceID]
	if !joins {
		if err := checkStatic(static, *req.InstanceID, req.MemberID); err != nil {
			return nil, err
		}
		return static, static.checkEpoch(req)
	}
	if static != nil && static.classic == nil && static.epoch != leaveStaticEpoch {
		return nil, refuse(kerr.UnreleasedInstanceID, "Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", req.MemberID, *req.InstanceID, static.id)
	}
	if static == nil {
		return m, nil
	}
	return static, nil
}

func (g *Consumer) unknownMember(id string) *refusal {
	return refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, g.id)
}

// checkStatic holds a member id against who has the instance id.
func checkStatic(m *consumer, instance, id string) *refusal {
	switch {
	case m == nil:
		return refuse(kerr.UnknownMemberID, "Instance id %s is unknown.", instance)
	case m.id != id:
		return refuse(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, instance, m.id)
	}
	return nil
}

// checkEpoch fences a member that is not where the group knows it to be. One
// epoch back is fine if the answer that brought it forward may be lost.
func (m *consumer) checkEpoch(req *kmsg.ConsumerGroupHeartbeatRequest) *refusal {
	epoch, than := req.MemberEpoch, "smaller"
	switch {
	case epoch == m.epoch, epoch == m.previous && epoch < m.epoch && owned(req.Topics).within(m.assigned):
		return nil
	case epoch > m.epoch:
		than = "greater"
	}
	return refuse(kerr.FencedMemberEpoch, "The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", than, epoch, m.epoch)
}

// newPattern compiles the pattern that a request brings, unless it is known.
func (g *Consumer) newPattern(m *consumer, pattern *string) (*regexp.Regexp, *refusal) {
	if pattern == nil || *pattern == "" || m != nil && m.regex == *pattern || g.regexes[*pattern] != nil {
		return nil, nil
	}
	return compile(*pattern)
}

// update takes over what a request says about its member, and tells whether its
// subscription is another one.
func (g *Consumer) update(m *consumer, client Client, req *kmsg.ConsumerGroupHeartbeatRequest, re *regexp.Regexp) (changed bool) {
	m.client = client
	g.setInstance(m, req.InstanceID)
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis != -1 {
		m.rebalanceTimeout = millis(req.RebalanceTimeoutMillis)
	}
	if req.ServerAssignor != nil {
		m.assignor = *req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil {
		changed = g.setNames(m, req.SubscribedTopicNames)
	}
	if req.SubscribedTopicRegex != nil {
		changed = g.setRegex(m, *req.SubscribedTopicRegex, re) || changed
	}
	return changed
}

// goodbye takes a request to leave.
func (g *Consumer) goodbye(req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *refusal) {
	m := g.members[req.MemberID]
	if req.InstanceID != nil {
		m = g.static[*req.InstanceID]
		if err := checkStatic(m, *req.InstanceID, req.MemberID); err != nil {
			return nil, err
		}
	} else if m == nil {
		return nil, g.unknownMember(req.MemberID)
	}
	if req.MemberEpoch == leaveStaticEpoch {
		// It keeps its partitions and its session for who comes back.
		g.setPartitions(m, m.epoch, m.assigned, nil)
		m.epoch = leaveStaticEpoch
		m.assigned.each(func(topic [16]byte, partition int32) { g.owners[topic][partition].since = 0 })
		g.storeCurrent(m)
		m.rebalance = time.Time{}
		g.note(m)
		g.event(Event{Member: m.id, Why: "static member left for a while"})
	} else {
		g.fence([]*consumer{m}, Event{Member: m.id, Why: "member left"})
	}
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = &req.MemberID, req.MemberEpoch
	return resp, nil
}

func heartbeatAssignment(ps partitions) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	a.Topics = make([]kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic, len(ps))
	for i := range ps {
		a.Topics[i].TopicID, a.Topics[i].Partitions = ps[i].topic, ps[i].partitions
	}
	return &a
}
