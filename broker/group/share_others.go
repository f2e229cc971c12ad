package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a share group says to members of other protocols: that
// they are none of its.

// Join refuses a classic member.
func (g *Share) Join(now time.Time, req *kmsg.JoinGroupRequest, t Ticket) Effects {
	g.now = now
	g.answer(parked{true, t, req.Version}, refusedJoin("", kerr.InconsistentGroupProtocol))
	return g.effects()
}

// nobody is a group in which no member is known.
func (g *Share) nobody() *Classic { return New(g.id, g.cfg) }

// Sync refuses a classic member.
func (g *Share) Sync(now time.Time, req *kmsg.SyncGroupRequest, t Ticket) Effects {
	g.now = now
	g.out.Answers = append(g.out.Answers, g.nobody().Sync(now, req, t).Answers...)
	return g.effects()
}

// Heartbeat refuses a classic member.
func (g *Share) Heartbeat(now time.Time, req *kmsg.HeartbeatRequest) (int16, Effects) {
	g.now = now
	code, _ := g.nobody().Heartbeat(now, req)
	return code, g.effects()
}

// Leave refuses a classic member.
func (g *Share) Leave(now time.Time, req *kmsg.LeaveGroupRequest) (*kmsg.LeaveGroupResponse, Effects) {
	g.now = now
	resp, _ := g.nobody().Leave(now, req)
	return resp, g.effects()
}

// notForShare refuses a ConsumerGroupHeartbeat into a share group.
func (g *Group) notForShare(now time.Time, req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, Effects) {
	s := g.kind.(*Share)
	refused := checkHeartbeat(s.id, &s.cfg.Consumer, req)
	if refused == nil {
		refused = refuse(kerr.GroupIDNotFound, "Group %s is not a consumer group.", s.id)
	}
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.Version, resp.ErrorCode, resp.ErrorMessage = req.Version, refused.err.Code, &refused.message
	return resp, g.look(now)
}
