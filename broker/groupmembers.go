package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
)

// handleJoinGroup serves JoinGroup v0-v9 (v4: member ids are asked for first,
// KIP-394; v5: static members, KIP-345). It waits for the group's rebalance.
func (b *Broker) handleJoinGroup(r *request, req *kmsg.JoinGroupRequest) (kmsg.Response, error) {
	b.internalTopic(groupMetadataTopic) // the group may begin here
	client := group.Client{ID: r.clientID, Host: r.clientHost()}
	return r.awaitGroup(req.Group, func(g *group.Group, now time.Time, p *pendingAnswer) group.Effects {
		return g.Join(now, client, req, p, b.groupCluster())
	})
}

// handleSyncGroup serves SyncGroup v0-v5. It waits for the leader's assignment.
func (b *Broker) handleSyncGroup(r *request, req *kmsg.SyncGroupRequest) (kmsg.Response, error) {
	return r.awaitGroup(req.Group, func(g *group.Group, now time.Time, p *pendingAnswer) group.Effects {
		return g.Sync(now, req, p)
	})
}

// awaitGroup runs f on a group and waits for the answer to its ticket.
func (r *request) awaitGroup(id string, f func(*group.Group, time.Time, *pendingAnswer) group.Effects) (kmsg.Response, error) {
	p := newPendingAnswer()
	r.broker.groups.with(id, func(g *group.Group, now time.Time) group.Effects { return f(g, now, p) })
	select {
	case resp := <-p.ch:
		return resp, nil
	default:
	}
	if err := r.out.flush(); err != nil {
		return nil, err
	}
	select {
	case resp := <-p.ch:
		return resp, nil
	case <-r.closing:
		return nil, errClosing
	case <-r.broker.closing:
		return nil, errClosing
	}
}

// clientHost is the client's address as DescribeGroups shows it: Java prints
// an address without a name behind a slash.
func (r *request) clientHost() string {
	if r.peer.remote.IsValid() {
		return "/" + r.peer.remote.Addr().String()
	}
	return "/" + r.nc.RemoteAddr().String()
}

// handleHeartbeat serves Heartbeat v0-v4.
func (b *Broker) handleHeartbeat(r *request, req *kmsg.HeartbeatRequest) (kmsg.Response, error) {
	resp := &r.memory().beat
	*resp = kmsg.HeartbeatResponse{Version: req.Version}
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp.ErrorCode, eff = g.Heartbeat(now, req)
		return eff
	})
	return resp, nil
}

// handleLeaveGroup serves LeaveGroup v0-v5 (v3: several members at once).
func (b *Broker) handleLeaveGroup(r *request, req *kmsg.LeaveGroupRequest) (kmsg.Response, error) {
	var resp *kmsg.LeaveGroupResponse
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.Leave(now, req)
		return eff
	})
	return resp, nil
}
