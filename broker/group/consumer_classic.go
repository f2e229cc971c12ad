package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns members of a consumer group that use the classic protocol, as
// there are while a group is upgraded or downgraded: their JoinGroup, SyncGroup,
// Heartbeat and LeaveGroup. To them the group's epoch is a generation, and the
// leader is somebody else.

// Join takes a member that speaks the classic protocol. It is answered at once.
func (g *Consumer) Join(now time.Time, client Client, req *kmsg.JoinGroupRequest, t Ticket, cluster Cluster) Effects {
	g.now = now
	p := parked{true, t, req.Version}
	resp, refused := g.join(client, req, cluster)
	if refused != nil {
		resp = refusedJoin(req.MemberID, refused)
	}
	if g.became != nil { // the answer is an effect of the group that it is now
		g.became.answer(p, resp)
	} else {
		g.answer(p, resp)
	}
	return g.effects()
}

func (g *Consumer) join(client Client, req *kmsg.JoinGroupRequest, cluster Cluster) (*kmsg.JoinGroupResponse, *kerr.Error) {
	session := millis(req.SessionTimeoutMillis)
	m := g.members[req.MemberID]
	switch {
	case session < g.cfg.MinSessionTimeout || session > g.cfg.MaxSessionTimeout:
		return nil, kerr.InvalidSessionTimeout
	case !g.cfg.Consumer.Upgrade && !g.cfg.Consumer.Downgrade:
		return nil, kerr.InconsistentGroupProtocol
	case m == nil && len(g.order) >= g.cfg.Consumer.MaxSize:
		return nil, kerr.GroupMaxSizeReached
	case !g.supports(req):
		return nil, kerr.InconsistentGroupProtocol
	}
	id := req.MemberID
	if id == "" {
		id = g.cfg.Consumer.NewMemberID()
		if req.Version >= 4 && req.InstanceID == nil {
			return refusedJoin(id, kerr.MemberIDRequired), nil // KIP-394
		}
	}
	if req.InstanceID != nil {
		static := g.static[*req.InstanceID]
		if req.MemberID != "" {
			if err := checkStatic(static, *req.InstanceID, req.MemberID); err != nil {
				return nil, err.err
			}
		}
		m = static
	}
	sub, err := parseSubscription(req.Protocols[0].Metadata)
	if err != nil {
		return nil, kerr.UnknownServerError
	}
	e := Event{Why: "member changed its subscription", Reason: reason(req.Reason)}
	// The last consumer may be replaced by a classic member, which takes the
	// whole group back.
	downgrade := m != nil && m.id != id && g.mayReplace(m)
	switch {
	case m == nil:
		m = &consumer{id: id}
		g.add(m)
		e.Why = "member joined by the classic protocol"
	case m.id != id:
		g.rename(m, id)
		g.event(Event{Member: id, Why: "static member came back by the classic protocol"})
	}
	e.Member = id
	was := m.described()
	m.client = client
	g.setInstance(m, req.InstanceID)
	if sub.Rack != nil {
		m.rack = sub.Rack
	}
	m.rebalanceTimeout = max(millis(req.RebalanceTimeoutMillis), 0)
	if req.Version == 0 { // has no rebalance timeout
		m.rebalanceTimeout = session
	}
	changed := g.setNames(m, sub.Topics)
	changed = g.setRegex(m, "", nil) || changed
	g.setClassic(m, &classicSide{sessionTimeout: session, protocols: cloneProtocols(req.Protocols), version: sub.Version})
	g.storeUpdated(m, was, changed)
	if changed || cluster.Version != g.seen {
		if others := g.refreshTopics(cluster); changed || others {
			g.bump(e)
		}
	}
	if !downgrade {
		g.assign()
	}
	if !downgrade || g.epoch <= g.assignmentEpoch {
		g.reconcile(m, ownedTopics(&sub, cluster.Lookup), changed)
	}
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.MemberID, resp.Generation = id, m.epoch
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), kmsg.StringPtr(m.classic.protocols[0].name)
	if downgrade {
		g.downgrade(nil, m)
		return resp, nil
	}
	g.within(&m.session, session)
	g.within(&m.classic.syncBy, m.rebalanceTimeout)
	return resp, nil
}

// supports tells whether a classic member shares a protocol with all others.
func (g *Consumer) supports(req *kmsg.JoinGroupRequest) bool {
	return req.ProtocolType == consumerProtocol && slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		for _, m := range g.order {
			if m.classic != nil && !slices.ContainsFunc(m.classic.protocols, func(q protocol) bool { return q.name == p.Name }) {
				return false
			}
		}
		return true
	})
}

// ownedTopics is what a classic member's metadata says that it has.
func ownedTopics(sub *kmsg.ConsumerMemberMetadata, topics Lookup) owned {
	o := make(owned, 0, len(sub.OwnedPartitions))
	for _, t := range sub.OwnedPartitions {
		if topic := topics(t.Topic, [16]byte{}); topic.Err == 0 {
			o = append(o, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: topic.ID, Partitions: t.Partitions})
		}
	}
	return o
}

// classicMember finds the classic member that a request is from.
func (g *Consumer) classicMember(id string, instance *string, generation int32) (*consumer, *kerr.Error) {
	m := g.members[id]
	if instance != nil {
		m = g.static[*instance]
		if err := checkStatic(m, *instance, id); err != nil {
			return nil, err.err
		}
	}
	switch {
	case m == nil || m.classic == nil:
		return nil, kerr.UnknownMemberID
	case m.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// Sync gives a classic member its partitions.
func (g *Consumer) Sync(now time.Time, req *kmsg.SyncGroupRequest, t Ticket) Effects {
	g.now = now
	resp, err := g.sync(req)
	if err != nil {
		resp = refusedSync(err)
	}
	g.answer(parked{true, t, req.Version}, resp)
	return g.effects()
}

func (g *Consumer) sync(req *kmsg.SyncGroupRequest) (*kmsg.SyncGroupResponse, *kerr.Error) {
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		return nil, kerr.InconsistentGroupProtocol
	}
	m, err := g.classicMember(req.MemberID, req.InstanceID, req.Generation)
	switch {
	case err != nil:
		return nil, err
	case req.ProtocolType != nil && *req.ProtocolType != consumerProtocol,
		req.Protocol != nil && *req.Protocol != m.classic.protocols[0].name:
		return nil, kerr.InconsistentGroupProtocol
	case g.epoch > m.epoch && m.phase != unrevoked:
		g.expectJoin(m)
		return nil, kerr.RebalanceInProgress
	}
	m.classic.syncBy = time.Time{}
	g.within(&m.session, m.classic.sessionTimeout)
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = req.ProtocolType, req.Protocol
	resp.MemberAssignment = g.classicAssignment(m.classic.version, m.assigned)
	return resp, nil
}

// expectJoin gives a classic member the rebalance timeout to join again.
func (g *Consumer) expectJoin(m *consumer) {
	if m.classic.joinBy.IsZero() {
		g.within(&m.classic.joinBy, m.rebalanceTimeout)
	}
}

// Heartbeat keeps a classic member's session and returns the error code for it.
// REBALANCE_IN_PROGRESS tells it to join: for a new epoch, to give up
// partitions, or to get those that became free.
func (g *Consumer) Heartbeat(now time.Time, req *kmsg.HeartbeatRequest) (int16, Effects) {
	g.now = now
	m, err := g.classicMember(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err.Code, g.effects()
	}
	g.within(&m.session, m.classic.sessionTimeout)
	if m.epoch < g.epoch || m.phase == unrevoked || m.phase == unreleased && !g.waits(m) {
		g.expectJoin(m)
		return kerr.RebalanceInProgress.Code, g.effects()
	}
	return 0, g.effects()
}

// waits tells whether others still have partitions of a member's target.
func (g *Consumer) waits(m *consumer) bool {
	_, taken := m.target.split(func(topic [16]byte, partition int32) bool {
		o := g.ownerOf(topic, partition)
		return o.m == nil || o.m == m
	})
	return len(taken) > 0
}

// Leave removes members of either protocol: the sender (v0-v2), or those named,
// as an administrator does.
func (g *Consumer) Leave(now time.Time, req *kmsg.LeaveGroupRequest) (*kmsg.LeaveGroupResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.Version = req.Version
	leaving := req.Members
	if req.Version < 3 {
		leaving = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	var gone []*consumer
	e := Event{Why: "member left"}
	for _, l := range leaving {
		r := kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID}
		m, err := g.leaving(&l)
		switch {
		case err != nil:
			r.ErrorCode = err.Code
		case slices.Contains(gone, m):
			r.ErrorCode = kerr.UnknownMemberID.Code
		default:
			r.MemberID = m.id
			gone = append(gone, m)
			e.Member, e.Reason = m.id, reason(l.Reason)
		}
		resp.Members = append(resp.Members, r)
	}
	if req.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	if len(gone) > 0 {
		g.fence(gone, e)
	}
	return resp, g.effects()
}

func (g *Consumer) leaving(l *kmsg.LeaveGroupRequestMember) (*consumer, *kerr.Error) {
	m := g.members[l.MemberID]
	if l.InstanceID != nil {
		m = g.static[*l.InstanceID]
		if m != nil && l.MemberID != "" && m.id != l.MemberID {
			return nil, kerr.FencedInstanceID
		}
	}
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}
