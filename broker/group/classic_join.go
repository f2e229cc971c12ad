package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns JoinGroup v0-v9.

// newMemberJoinTimeout is how long a new member's first join may wait: its
// client may be gone, and a retry would come as yet another member.
const newMemberJoinTimeout = 5 * time.Minute

// Join takes a member's request to be in the next generation. The answer
// comes with the Effects of this call or of a later one.
func (g *Classic) Join(now time.Time, client Client, req *kmsg.JoinGroupRequest, t Ticket) Effects {
	g.now = now
	g.join(client, req, parked{true, t, req.Version})
	return g.effects()
}

func (g *Classic) join(client Client, req *kmsg.JoinGroupRequest, p parked) {
	session := millis(req.SessionTimeoutMillis)
	switch {
	case g.id == "":
		g.answer(p, refusedJoin(req.MemberID, kerr.InvalidGroupID))
		return
	case session < g.cfg.MinSessionTimeout || session > g.cfg.MaxSessionTimeout:
		g.answer(p, refusedJoin(req.MemberID, kerr.InvalidSessionTimeout))
		return
	case g.state == Dead && req.MemberID != "":
		g.answer(p, refusedJoin(req.MemberID, kerr.UnknownMemberID))
		return
	case g.state == Dead:
		g.create("first join")
		g.storeNew()
	}
	switch {
	case !g.hasRoomFor(req.MemberID):
		g.answer(p, refusedJoin("", kerr.GroupMaxSizeReached))
		g.turnAway(req.MemberID)
	case !g.supports(req.ProtocolType, req.Protocols):
		g.answer(p, refusedJoin(req.MemberID, kerr.InconsistentGroupProtocol))
	case req.MemberID == "":
		g.joinUnknown(client, req, p)
	default:
		g.joinKnown(client, req, p)
	}
}

// hasRoomFor counts against group.max.size. During a rebalance those that
// wait for it count, so that the last to come back are the ones turned away
// when there are too many.
func (g *Classic) hasRoomFor(id string) bool {
	m := g.member(id)
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.join.waits || g.awaitingJoin < g.cfg.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || len(g.order) < g.cfg.MaxSize
	}
	return true
}

// turnAway forgets a member id that finds no room. The others need not wait
// for it any longer.
func (g *Classic) turnAway(id string) {
	if m := g.member(id); m != nil {
		g.remove(m)
		g.event(Event{Member: id, Why: "no room in the group"})
	}
	g.noLongerPending(id)
	g.completeJoinIfAll()
}

// joinUnknown takes a join that has no member id yet.
func (g *Classic) joinUnknown(client Client, req *kmsg.JoinGroupRequest, p parked) {
	if req.InstanceID != nil {
		id := *req.InstanceID + "-" + g.cfg.NewUUID()
		if old := g.static[*req.InstanceID]; old != nil {
			g.rejoinStatic(old, id, req, p)
		} else {
			g.joinNew(id, client, req, p)
		}
		return
	}
	id := client.ID + "-" + g.cfg.NewUUID()
	if req.Version < 4 {
		g.joinNew(id, client, req, p)
		return
	}
	// A client that tries again after a lost answer must not leave a member
	// behind each time: it learns its id first (KIP-394).
	if g.pending == nil {
		g.pending = make(map[string]time.Time)
	}
	deadline := g.now.Add(millis(req.SessionTimeoutMillis))
	g.pending[id] = deadline
	g.sessionsFrom = earlier(g.sessionsFrom, deadline)
	g.answer(p, refusedJoin(id, kerr.MemberIDRequired))
}

// joinNew adds a member.
func (g *Classic) joinNew(id string, client Client, req *kmsg.JoinGroupRequest, p parked) {
	m := &member{id: id, instance: req.InstanceID, client: client, assignment: noAssignment, isNew: true}
	if g.state == PreparingRebalance && g.previous == Empty {
		g.memberAdded = true
	}
	g.update(m, req)
	g.add(m, req.ProtocolType)
	g.parkJoin(m, p)
	g.expectHeartbeat(m, newMemberJoinTimeout)
	g.rebalance(Event{Member: id, Why: "member joined", Reason: reason(req.Reason)})
}

// joinKnown takes a join with a member id that the coordinator gave out.
func (g *Classic) joinKnown(client Client, req *kmsg.JoinGroupRequest, p parked) {
	if _, ok := g.pending[req.MemberID]; ok {
		if req.InstanceID != nil {
			// Pending ids go to dynamic members only: this client is broken.
			g.answer(p, refusedJoin("", kerr.UnknownServerError))
			return
		}
		g.joinNew(req.MemberID, client, req, p)
		return
	}
	m, err := g.validate(req.MemberID, req.InstanceID)
	if err != nil {
		g.answer(p, refusedJoin(req.MemberID, err))
		return
	}
	switch {
	case g.state == PreparingRebalance:
		g.rejoin(m, req, p, "member rejoined")
	case !m.matches(req.Protocols):
		g.rejoin(m, req, p, "member changed its metadata")
	case g.state == Stable && m == g.leader:
		// The leader knows of changes that its metadata does not show, such
		// as new partitions, and asks for a rebalance in this way.
		g.rejoin(m, req, p, "leader rejoined")
	default:
		// It may have missed the answer to its join.
		protocolType, protocol := g.protocolType, g.protocol
		g.answer(p, g.joined(m, &protocolType, &protocol))
	}
}

func (g *Classic) rejoin(m *member, req *kmsg.JoinGroupRequest, p parked, why string) {
	g.update(m, req)
	g.parkJoin(m, p)
	g.rebalance(Event{Member: m.id, Why: why, Reason: reason(req.Reason)})
}

// rejoinStatic takes a static member that restarted. In a stable group it
// gets its assignment back without a rebalance.
func (g *Classic) rejoinStatic(old *member, id string, req *kmsg.JoinGroupRequest, p parked) {
	formerLeader := g.leader.id
	m := g.replaceStatic(old, id)
	g.expectHeartbeat(m, m.sessionTimeout)
	g.update(m, req)
	e := Event{Member: id, Why: "static member came back", Reason: reason(req.Reason)}
	switch {
	case g.state == Stable && g.selectProtocol() == g.protocol:
		g.event(e)
		g.storeGeneration() // its member id is a new one
		protocolType, protocol := g.protocolType, g.protocol
		r := g.joined(m, &protocolType, &protocol)
		if req.Version >= 9 {
			// It is the leader, but must not assign anew (KIP-814).
			r.SkipAssignment = m == g.leader
		} else {
			// Before v9 there was no way to say so: it is told of a leader
			// that is not itself.
			r.LeaderID, r.Members = formerLeader, nil
		}
		g.answer(p, r)
	case g.state == Stable || g.state == CompletingRebalance:
		// The leader may be assigning to the former member id just now.
		g.parkJoin(m, p)
		g.prepareRebalance(e)
	default:
		g.parkJoin(m, p)
		g.event(e)
		g.completeJoinIfAll()
	}
}

// update takes over what a join says about the member.
func (g *Classic) update(m *member, req *kmsg.JoinGroupRequest) {
	if !m.matches(req.Protocols) {
		g.setProtocols(m, req.Protocols)
	}
	m.sessionTimeout = millis(req.SessionTimeoutMillis)
	m.rebalanceTimeout = max(millis(req.RebalanceTimeoutMillis), 0)
	if req.Version == 0 { // has no rebalance timeout
		m.rebalanceTimeout = m.sessionTimeout
	}
}

// parkJoin makes the member wait. A join that it had parked before is given
// up: the client uses another connection now.
func (g *Classic) parkJoin(m *member, p parked) {
	g.answerJoin(m, refusedJoin(m.id, kerr.RebalanceInProgress))
	m.join = p
	g.awaitingJoin++
}

// answerJoin answers a parked join, if there is one.
func (g *Classic) answerJoin(m *member, r *kmsg.JoinGroupResponse) {
	if !m.join.waits {
		return
	}
	g.answer(m.join, r)
	m.join = parked{}
	g.awaitingJoin--
}

// joined is the answer that brings a member into the current generation.
func (g *Classic) joined(m *member, protocolType, protocol *string) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.Generation = g.generation
	r.ProtocolType, r.Protocol = protocolType, protocol
	r.MemberID, r.LeaderID = m.id, g.leader.id
	if m == g.leader {
		r.Members = make([]kmsg.JoinGroupResponseMember, len(g.order))
		for i, o := range g.order {
			r.Members[i] = kmsg.JoinGroupResponseMember{
				MemberID: o.id, InstanceID: o.instance, ProtocolMetadata: o.metadata(g.protocol),
			}
		}
	}
	return r
}

func refusedJoin(memberID string, err *kerr.Error) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.ErrorCode = err.Code
	r.MemberID = memberID
	return r
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func reason(r *string) string {
	if r == nil {
		return ""
	}
	return *r
}
