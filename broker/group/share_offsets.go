package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what administrators do to share groups and see of them:
// AlterShareGroupOffsets, DeleteShareGroupOffsets, ShareGroupDescribe,
// ListGroups, DeleteGroups; and what such a group says to requests that are for
// other kinds. A share group commits no offsets.

// Texts of errors that have no details (org.apache.kafka.common.protocol.Errors).
var (
	textNonEmpty     = "The group is not empty."
	textUnknownTopic = "This server does not host this topic-partition."
	textNothing      = "There is no offset information to delete."
)

// AlterShareOffsets sets where a share group without members begins. A group id
// that does not exist becomes one. Its errors for all are GROUP_ID_NOT_FOUND and
// NON_EMPTY_GROUP.
func (g *Group) AlterShareOffsets(now time.Time, req *kmsg.AlterShareGroupOffsetsRequest, topics Lookup, states ShareStates) (*kmsg.AlterShareGroupOffsetsResponse, Effects) {
	resp := kmsg.NewPtrAlterShareGroupOffsetsResponse()
	resp.Version = req.Version
	s, refused := g.share(now, true, "")
	if refused == nil && len(s.order) > 0 {
		refused = refuse(kerr.NonEmptyGroup, "%s", textNonEmpty)
	}
	if refused != nil {
		resp.ErrorCode, resp.ErrorMessage = refused.err.Code, &refused.message
		return resp, g.look(now)
	}
	known := false
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, [16]byte{})
		out := kmsg.NewAlterShareGroupOffsetsResponseTopic()
		out.Topic = rt.Topic
		if topic.Err == 0 {
			out.TopicID, known = topic.ID, true
		}
		for _, rp := range rt.Partitions {
			p := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
			p.Partition = rp.Partition
			if topic.Err != 0 || rp.Partition < 0 || rp.Partition >= topic.Partitions {
				p.ErrorCode, p.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &textUnknownTopic
			} else if err := states.Initialize(topic.ID, rp.Partition, s.epoch, rp.StartOffset); err != nil {
				p.ErrorCode, p.ErrorMessage = err.Code, &err.Description
			} else {
				s.begin(topic, rp.Partition)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if s.state == Dead && !known {
		return resp, g.look(now) // nothing to make a group for
	}
	s.storeBegun()
	g.kind = s
	return resp, s.effects()
}

// DeleteShareOffsets forgets where a share group without members is in some
// topics. Its errors for all are GROUP_ID_NOT_FOUND and NON_EMPTY_GROUP.
func (g *Group) DeleteShareOffsets(now time.Time, req *kmsg.DeleteShareGroupOffsetsRequest, topics Lookup, states ShareStates) (*kmsg.DeleteShareGroupOffsetsResponse, Effects) {
	resp := kmsg.NewPtrDeleteShareGroupOffsetsResponse()
	resp.Version = req.Version
	s, refused := g.share(now, false, "Group %s not found.")
	if refused == nil && len(s.order) > 0 {
		refused = refuse(kerr.NonEmptyGroup, "%s", textNonEmpty)
	}
	if refused != nil {
		resp.ErrorCode, resp.ErrorMessage = refused.err.Code, &refused.message
		return resp, g.look(now)
	}
	var failed []kmsg.DeleteShareGroupOffsetsResponseTopic
	for _, rt := range req.Topics {
		topic := topics(rt.Topic, [16]byte{})
		out := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
		out.Topic = rt.Topic
		at, found := s.begunAt(topic.ID)
		switch {
		case topic.Err != 0:
			out.ErrorCode, out.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &textUnknownTopic
			failed = append(failed, out)
			continue
		case !found:
			out.ErrorCode, out.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &textNothing
			failed = append(failed, out)
			continue
		}
		out.TopicID = topic.ID
		for _, p := range s.begun[at].partitions {
			states.Delete(topic.ID, p)
		}
		s.begun = slices.Delete(s.begun, at, at+1)
		resp.Topics = append(resp.Topics, out)
	}
	resp.Topics = append(resp.Topics, failed...)
	s.storeBegun()
	return resp, s.effects()
}

// Begun is the partitions of a share group that have a state, by topic; nil for
// groups of other kinds.
func (g *Group) Begun() []BegunTopic {
	s, ok := g.is().(*Share)
	if !ok {
		return nil
	}
	all := make([]BegunTopic, len(s.begun))
	for i, t := range s.begun {
		all[i] = BegunTopic{t.id, t.name, slices.Clone(t.partitions)}
	}
	return all
}

// BegunTopic is a topic whose partitions have a state in a share group.
type BegunTopic struct {
	ID         [16]byte
	Name       string
	Partitions []int32
}

// RestoreShare makes a group id that does not exist a share group without
// members at an epoch, some of whose partitions have a state already.
func (g *Group) RestoreShare(now time.Time, epoch int32, topics []BegunTopic) Effects {
	s, refused := g.share(now, true, "")
	if refused != nil {
		return g.look(now)
	}
	s.epoch, s.assignmentEpoch = epoch, epoch
	for _, t := range topics {
		for _, p := range t.Partitions {
			s.begin(Topic{Name: t.Name, ID: t.ID}, p)
		}
	}
	s.storeEpoch()
	s.storeBegun()
	g.kind = s
	return s.effects()
}

// IsShare tells whether this is a share group.
func (g *Group) IsShare() bool {
	_, ok := g.is().(*Share)
	return ok
}

// DescribeShare answers ShareGroupDescribe.
func (g *Group) DescribeShare(topics Lookup) kmsg.ShareGroupDescribeResponseGroup {
	r := kmsg.NewShareGroupDescribeResponseGroup()
	id := g.List().Group
	r.GroupID = id
	s, ok := g.is().(*Share)
	if !ok {
		r.ErrorCode = kerr.GroupIDNotFound.Code
		switch {
		case id == "":
			r.ErrorCode = kerr.InvalidGroupID.Code
		case g.State() == Dead:
			r.ErrorMessage = kmsg.StringPtr("Group " + id + " not found.")
		default:
			r.ErrorMessage = kmsg.StringPtr("Group " + id + " is not a share group.")
		}
		return r
	}
	r.GroupState, r.GroupEpoch, r.AssignmentEpoch, r.Assignor = string(s.state), s.epoch, s.assignmentEpoch, simpleAssignor
	r.Members = make([]kmsg.ShareGroupDescribeResponseGroupMember, len(s.order))
	for i, m := range s.order {
		d := kmsg.NewShareGroupDescribeResponseGroupMember()
		d.MemberID, d.RackID, d.MemberEpoch = m.id, m.rack, m.epoch
		d.ClientID, d.ClientHost, d.SubscribedTopicNames = m.client.ID, m.client.Host, m.names
		for _, ps := range m.assigned {
			if t := topics("", ps.topic); t.Err == 0 {
				a := kmsg.NewShareGroupDescribeResponseGroupMemberAssignmentTopicPartition()
				a.TopicID, a.Topic, a.Partitions = t.ID, t.Name, ps.partitions
				d.Assignment.TopicPartitions = append(d.Assignment.TopicPartitions, a)
			}
		}
		r.Members[i] = d
	}
	return r
}

// List is the group's line in ListGroups.
func (g *Share) List() kmsg.ListGroupsResponseGroup {
	return kmsg.ListGroupsResponseGroup{Group: g.id, ProtocolType: KindShare, GroupState: string(g.state), GroupType: KindShare}
}

// Describe answers DescribeGroups, which is for classic groups only.
func (g *Share) Describe(version int16) kmsg.DescribeGroupsResponseGroup {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group, r.State = g.id, string(Dead)
	if version >= 6 {
		r.ErrorCode = kerr.GroupIDNotFound.Code
		r.ErrorMessage = kmsg.StringPtr("Group " + g.id + " is not a classic group.")
	}
	return r
}

// Delete removes a group without members. The error is NON_EMPTY_GROUP or nil.
func (g *Share) Delete(now time.Time) (*kerr.Error, Effects) {
	g.now = now
	if len(g.order) > 0 {
		return kerr.NonEmptyGroup, g.effects()
	}
	g.storeGone()
	g.die("deleted")
	return nil, g.effects()
}

// Unload forgets the group: this broker does not serve it any longer. Its
// records stay.
func (g *Share) Unload(now time.Time) Effects {
	g.now = now
	g.die("unloaded")
	g.became.out.Records = nil
	return g.effects()
}

// TopicsDeleted forgets the partitions of topics that do not exist any more.
func (g *Share) TopicsDeleted(now time.Time, names ...string) Effects {
	g.now = now
	before := len(g.begun)
	g.begun = slices.DeleteFunc(g.begun, func(t begunTopic) bool { return slices.Contains(names, t.name) })
	if len(g.begun) < before {
		g.storeBegun()
	}
	return g.effects()
}

// CommitOffsets refuses: a share group has no offsets of that kind.
func (g *Share) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects) {
	g.now = now
	resp := g.commitOffsets(req, topics, in, func(Topic, int32) *kerr.Error { return kerr.GroupIDNotFound }, func() {})
	return resp, g.effects()
}

// CommitInTransaction refuses, as CommitOffsets does.
func (g *Share) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	g.now = now
	resp := g.commitInTransaction(req, topics, func(Topic, int32) *kerr.Error { return kerr.GroupIDNotFound }, func() {}, store)
	return resp, g.effects()
}

// EndTransaction has nothing to do.
func (g *Share) EndTransaction(now time.Time, _ int64, _ bool) Effects {
	g.now = now
	return g.effects()
}

// DeleteOffsets refuses.
func (g *Share) DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, _ Lookup) (*kmsg.OffsetDeleteResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version, resp.ErrorCode = req.Version, kerr.GroupIDNotFound.Code
	return resp, g.effects()
}
