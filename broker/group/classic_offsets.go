package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a classic group says to requests for its offsets
// (OffsetCommit, OffsetFetch, OffsetDelete) and what others see of it:
// DescribeGroups, ListGroups, DeleteGroups.

// CommitOffsets stores offsets. topics says which exist; the others get its
// error and do not touch the group.
func (g *Classic) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects) {
	g.now = now
	// The group has its say only if there is something to store.
	asked := false
	var refused *kerr.Error
	resp := g.commitOffsets(req, topics, in, func(Topic, int32) *kerr.Error {
		if !asked {
			asked = true
			refused = g.validateCommit(req)
		}
		return refused
	}, func() {
		if g.state == Dead {
			g.create("first commit")
		}
	})
	return resp, g.effects()
}

// validateCommit tells whether the group takes a commit from this sender. A
// member's commit counts as a heartbeat.
func (g *Classic) validateCommit(req *kmsg.OffsetCommitRequest) *kerr.Error {
	switch {
	case req.Generation < 0 && (g.state == Dead || g.state == Empty):
		// A consumer that assigns its partitions itself, or an
		// administrator: neither is a member.
		return nil
	case g.state == Dead && req.Version >= 9:
		return kerr.GroupIDNotFound
	case g.state == Dead:
		return kerr.IllegalGeneration
	}
	m, err := g.validate(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	case g.state == CompletingRebalance:
		return kerr.RebalanceInProgress
	}
	g.expectHeartbeat(m, m.sessionTimeout)
	return nil
}

// DeleteOffsets forgets offsets of topics that no member consumes.
func (g *Classic) DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, topics Lookup) (*kmsg.OffsetDeleteResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = req.Version
	switch {
	case g.id == "":
		resp.ErrorCode = kerr.InvalidGroupID.Code
	case g.state == Dead:
		resp.ErrorCode = kerr.GroupIDNotFound.Code
	case g.state != Empty && g.protocolType != consumerProtocol:
		// Only consumers tell what they are subscribed to.
		resp.ErrorCode = kerr.NonEmptyGroup.Code
	}
	if resp.ErrorCode != 0 {
		return resp, g.effects()
	}
	g.deleteOffsets(req, resp, topics, g.isSubscribed)
	return resp, g.effects()
}

// TopicsDeleted forgets the offsets of topics that do not exist any more.
func (g *Classic) TopicsDeleted(now time.Time, names ...string) Effects {
	g.now = now
	g.deleteTopics(names)
	return g.effects()
}

// Delete removes a group without members, with its offsets. The error is
// GROUP_ID_NOT_FOUND or NON_EMPTY_GROUP, or nil.
func (g *Classic) Delete(now time.Time) (*kerr.Error, Effects) {
	g.now = now
	switch g.state {
	case Dead:
		return kerr.GroupIDNotFound, g.effects()
	case Empty:
		g.storeGone()
		g.die("deleted")
		return nil, g.effects()
	}
	return kerr.NonEmptyGroup, g.effects()
}

// Describe answers DescribeGroups in the given version. Who is allowed to do
// what is for the caller to add.
func (g *Classic) Describe(version int16) kmsg.DescribeGroupsResponseGroup {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group, r.State, r.ProtocolType = g.id, string(g.state), g.protocolType
	if g.state == Dead && version >= 6 {
		r.ErrorCode = kerr.GroupIDNotFound.Code
		r.ErrorMessage = kmsg.StringPtr("Group " + g.id + " not found.")
	}
	if g.state == Stable {
		r.Protocol = g.protocol
	}
	r.Members = make([]kmsg.DescribeGroupsResponseGroupMember, len(g.order))
	for i, m := range g.order {
		r.Members[i] = kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host,
			MemberAssignment: m.assignment,
		}
		if g.state == Stable {
			r.Members[i].ProtocolMetadata = m.metadata(g.protocol)
		}
	}
	return r
}

// List is the group's line in ListGroups.
func (g *Classic) List() kmsg.ListGroupsResponseGroup {
	return kmsg.ListGroupsResponseGroup{
		Group: g.id, ProtocolType: g.protocolType, GroupState: string(g.state), GroupType: KindClassic,
	}
}
