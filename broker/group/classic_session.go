package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what members do once they joined: SyncGroup v0-v5, Heartbeat
// v0-v4, LeaveGroup v0-v5, and connections that end while a request waits.

// noAssignment is what a member has that the leader gave nothing.
var noAssignment = []byte{}

// Sync takes the leader's assignment, or a member's wish to know its own. The
// answer comes with the Effects of this call or of a later one.
func (g *Classic) Sync(now time.Time, req *kmsg.SyncGroupRequest, t Ticket) Effects {
	g.now = now
	p := parked{true, t, req.Version}
	if err := g.sync(req, p); err != nil {
		g.answer(p, refusedSync(err))
	}
	return g.effects()
}

func (g *Classic) sync(req *kmsg.SyncGroupRequest, p parked) *kerr.Error {
	switch {
	case req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil):
		return kerr.InconsistentGroupProtocol
	case g.id == "":
		return kerr.InvalidGroupID
	}
	m, err := g.validate(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != g.protocolType,
		req.Protocol != nil && g.protocol != "" && *req.Protocol != g.protocol:
		return kerr.InconsistentGroupProtocol
	case g.state == PreparingRebalance:
		return kerr.RebalanceInProgress
	}
	g.synced(m)
	if g.state == Stable {
		g.answer(p, g.assigned(m, kmsg.StringPtr(g.protocolType), kmsg.StringPtr(g.protocol)))
		return nil
	}
	// One that it had parked before is given up: the client uses another
	// connection now.
	g.answerSync(m, refusedSync(kerr.RebalanceInProgress))
	m.sync = p
	if m == g.leader {
		g.assign(m, req.GroupAssignment)
	}
	return nil
}

// assign gives each member what the leader decided, and answers all that wait
// for it.
func (g *Classic) assign(leader *member, assignments []kmsg.SyncGroupRequestGroupAssignment) {
	size := 0
	for i := range assignments {
		size += len(assignments[i].MemberAssignment)
	}
	blob := make([]byte, 0, size) // a copy: the request aliases its frame
	for _, m := range g.order {
		m.assignment = noAssignment
	}
	for i := range assignments {
		a := &assignments[i]
		if m := g.member(a.MemberID); m != nil {
			start := len(blob)
			blob = append(blob, a.MemberAssignment...)
			m.assignment = blob[start:len(blob):len(blob)]
		}
	}
	g.storeGeneration()
	g.transition(Stable, Event{Member: leader.id, Why: "leader assigned"})
	if g.protocolType == consumerProtocol && g.watched() {
		for _, m := range g.order {
			g.event(Event{Member: m.id, Assignment: consumerAssignment(m.assignment), Why: "member got its partitions"})
		}
	}
	g.cleanupSoon()
	protocolType, protocol := kmsg.StringPtr(g.protocolType), kmsg.StringPtr(g.protocol)
	for _, m := range g.order {
		if m.sync.waits {
			g.answerSync(m, g.assigned(m, protocolType, protocol))
			g.expectHeartbeat(m, m.sessionTimeout)
		}
	}
}

func (g *Classic) assigned(m *member, protocolType, protocol *string) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.ProtocolType, r.Protocol, r.MemberAssignment = protocolType, protocol, m.assignment
	return r
}

// answerSync answers a parked sync, if there is one.
func (g *Classic) answerSync(m *member, r *kmsg.SyncGroupResponse) {
	if m.sync.waits {
		g.answer(m.sync, r)
		m.sync = parked{}
	}
}

func refusedSync(err *kerr.Error) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.ErrorCode = err.Code
	r.MemberAssignment = noAssignment
	return r
}

// Heartbeat keeps a member's session and returns the error code for it:
// REBALANCE_IN_PROGRESS tells the member to join.
func (g *Classic) Heartbeat(now time.Time, req *kmsg.HeartbeatRequest) (int16, Effects) {
	g.now = now
	if g.id == "" {
		return kerr.InvalidGroupID.Code, g.effects()
	}
	m, err := g.validate(req.MemberID, req.InstanceID)
	if err != nil {
		return err.Code, g.effects()
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration.Code, g.effects()
	}
	g.expectHeartbeat(m, m.sessionTimeout)
	if g.state == PreparingRebalance {
		return kerr.RebalanceInProgress.Code, g.effects()
	}
	return 0, g.effects()
}

// Leave removes members: the sender (v0-v2), or those named, by member id or
// by instance id alone as an administrator does (v3+, KIP-345).
func (g *Classic) Leave(now time.Time, req *kmsg.LeaveGroupRequest) (*kmsg.LeaveGroupResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.Version = req.Version
	if g.id == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp, g.effects()
	}
	leaving := req.Members
	if req.Version < 3 {
		leaving = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	var left []Event
	for _, l := range leaving {
		id, err := g.leave(l.MemberID, l.InstanceID)
		r := kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID}
		if err != nil {
			r.ErrorCode = err.Code
		} else {
			left = append(left, Event{Member: id, Why: "member left", Reason: reason(l.Reason)})
		}
		resp.Members = append(resp.Members, r)
	}
	if req.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	if len(left) == 0 {
		return resp, g.effects()
	}
	last := len(left) - 1
	for _, e := range left[:last] {
		g.event(e)
	}
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepareRebalance(left[last])
	default:
		g.event(left[last])
		g.completeJoinIfAll()
	}
	return resp, g.effects()
}

// leave removes one member or handed-out id and returns its member id.
func (g *Classic) leave(id string, instance *string) (string, *kerr.Error) {
	if _, ok := g.pending[id]; ok {
		g.noLongerPending(id)
		return id, nil
	}
	if id == "" && instance != nil && g.static[*instance] != nil {
		id = g.static[*instance].id
	}
	m, err := g.validate(id, instance)
	if err != nil {
		return "", err
	}
	g.remove(m)
	return id, nil
}

// Abandon gives up a ticket whose connection ended: no answer will come for
// it. The member stays until a timeout, as in Apache Kafka, which does not
// see a connection end while its request waits.
func (g *Classic) Abandon(t Ticket) {
	for _, m := range g.order {
		if m.join.ticket == t {
			m.join.ticket = nil
		}
		if m.sync.ticket == t {
			m.sync.ticket = nil
		}
	}
}

// Unload answers all that waits with NOT_COORDINATOR and forgets the group:
// this broker does not serve it any longer.
func (g *Classic) Unload(now time.Time) Effects {
	g.now = now
	for _, m := range g.order {
		g.answerJoin(m, refusedJoin(m.id, kerr.NotCoordinator))
		g.answerSync(m, refusedSync(kerr.NotCoordinator))
	}
	if g.state != Dead {
		g.die("unloaded")
	}
	return g.effects()
}
