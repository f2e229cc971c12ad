package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a consumer group says to requests for its offsets
// (OffsetCommit, OffsetFetch, OffsetDelete) and what others see of it:
// ConsumerGroupDescribe, DescribeGroups, ListGroups, DeleteGroups.

// CommitOffsets stores offsets. topics says which exist; the others get its
// error.
func (g *Consumer) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects) {
	g.now = now
	m, refused := g.committer(req.MemberID, req.Generation)
	if m := g.members[req.MemberID]; m != nil && m.classic == nil && req.Version < 9 {
		refused = kerr.UnsupportedVersion
	}
	resp := g.commitOffsets(req, topics, in, func(t Topic, partition int32) *kerr.Error {
		if refused != nil {
			return refused
		}
		return g.mayCommit(m, req.Generation, t, partition)
	}, func() {})
	return resp, g.effects()
}

// committer finds the member that a commit is from; nil: it is from a consumer
// without a group, or an administrator.
func (g *Consumer) committer(id string, epoch int32) (*consumer, *kerr.Error) {
	if epoch < 0 && len(g.order) == 0 {
		return nil, nil
	}
	m := g.members[id]
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case epoch > m.epoch:
		return nil, m.staleEpoch()
	}
	return m, nil
}

// mayCommit tells whether a member may commit a partition's offset at an epoch.
// If it was overtaken by a new one, what it has since then or longer is still
// its to commit (KIP-1251).
func (g *Consumer) mayCommit(m *consumer, epoch int32, topic Topic, partition int32) *kerr.Error {
	if m == nil || epoch == m.epoch {
		return nil
	}
	if o := g.ownerOf(topic.ID, partition); o.m != m || epoch < o.since {
		return m.staleEpoch()
	}
	return nil
}

// CommitInTransaction notes offsets that take effect when the producer's
// transaction is committed; see commitInTransaction. Clients before v3 do not
// say which member they are (KIP-447).
func (g *Consumer) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	g.now = now
	var m *consumer
	var refused *kerr.Error
	if req.Generation != -1 || req.MemberID != "" || req.InstanceID != nil {
		m, refused = g.committer(req.MemberID, req.Generation)
	}
	resp := g.commitInTransaction(req, topics, func(t Topic, partition int32) *kerr.Error {
		err := refused
		if err == nil {
			err = g.mayCommit(m, req.Generation, t, partition)
		}
		if err == kerr.StaleMemberEpoch {
			return kerr.IllegalGeneration // producers do not know of epochs
		}
		return err
	}, func() {}, store)
	return resp, g.effects()
}

// EndTransaction commits the offsets of a producer's transaction, or forgets
// them.
func (g *Consumer) EndTransaction(now time.Time, producerID int64, commit bool) Effects {
	g.now = now
	g.endTransaction(producerID, commit)
	return g.effects()
}

// staleEpoch is the error for a wrong epoch in the words of the member's
// protocol.
func (m *consumer) staleEpoch() *kerr.Error {
	if m.classic != nil {
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

// FetchOffsets returns committed offsets. A member that says who it is (v9)
// must be at the group's epoch.
func (g *Consumer) FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup {
	var err *kerr.Error
	if version >= 9 && (req.MemberID != nil || req.MemberEpoch >= 0) {
		if m := g.members[reason(req.MemberID)]; m == nil {
			err = kerr.UnknownMemberID
		} else if m.epoch != req.MemberEpoch {
			err = m.staleEpoch()
		}
	}
	if err != nil {
		return kmsg.OffsetFetchResponseGroup{Group: req.Group, ErrorCode: err.Code}
	}
	return g.base.FetchOffsets(version, req, topics)
}

// DeleteOffsets forgets offsets of topics that no member consumes.
func (g *Consumer) DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, topics Lookup) (*kmsg.OffsetDeleteResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = req.Version
	g.deleteOffsets(req, resp, topics, g.isSubscribed)
	return resp, g.effects()
}

// TopicsDeleted forgets the offsets of topics that do not exist any more.
func (g *Consumer) TopicsDeleted(now time.Time, names ...string) Effects {
	g.now = now
	g.deleteTopics(names)
	return g.effects()
}

// Delete removes a group without members, with its offsets. The error is
// NON_EMPTY_GROUP or nil.
func (g *Consumer) Delete(now time.Time) (*kerr.Error, Effects) {
	g.now = now
	if len(g.order) > 0 {
		return kerr.NonEmptyGroup, g.effects()
	}
	g.die("deleted")
	return nil, g.effects()
}

// Unload forgets the group: this broker does not serve it any longer. Its
// records stay.
func (g *Consumer) Unload(now time.Time) Effects {
	g.now = now
	g.die("unloaded")
	g.became.out.Records = nil
	return g.effects()
}

// Describe answers DescribeGroups, which is for classic groups only.
func (g *Consumer) Describe(version int16) kmsg.DescribeGroupsResponseGroup {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group, r.State = g.id, string(Dead)
	if version >= 6 {
		r.ErrorCode = kerr.GroupIDNotFound.Code
		r.ErrorMessage = kmsg.StringPtr("Group " + g.id + " is not a classic group.")
	}
	return r
}

// DescribeConsumer answers ConsumerGroupDescribe.
func (g *Consumer) DescribeConsumer(topics Lookup) kmsg.ConsumerGroupDescribeResponseGroup {
	r := kmsg.NewConsumerGroupDescribeResponseGroup()
	r.Group, r.State, r.Epoch, r.AssignmentEpoch = g.id, string(g.state), g.epoch, g.assignmentEpoch
	r.AssignorName = g.assignorName()
	r.Members = make([]kmsg.ConsumerGroupDescribeResponseGroupMember, len(g.order))
	for i, m := range g.order {
		d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		d.MemberID, d.InstanceID, d.RackID, d.MemberEpoch = m.id, m.instance, m.rack, m.epoch
		d.ClientID, d.ClientHost = m.client.ID, m.client.Host
		d.SubscribedTopics, d.SubscribedTopicRegex = m.names, kmsg.StringPtr(m.regex)
		d.Assignment, d.TargetAssignment = named(m.assigned, topics), named(m.target, topics)
		d.MemberType = 1
		if m.classic != nil {
			d.MemberType = 0
		}
		r.Members[i] = d
	}
	return r
}

// named is ps with the names of its topics. Deleted topics have none, and are
// left out.
func named(ps partitions, topics Lookup) kmsg.Assignment {
	var a kmsg.Assignment
	for i := range ps {
		if t := topics("", ps[i].topic); t.Err == 0 {
			a.TopicPartitions = append(a.TopicPartitions, kmsg.AssignmentTopicPartition{TopicID: t.ID, Topic: t.Name, Partitions: ps[i].partitions})
		}
	}
	return a
}

// List is the group's line in ListGroups.
func (g *Consumer) List() kmsg.ListGroupsResponseGroup {
	return kmsg.ListGroupsResponseGroup{
		Group: g.id, ProtocolType: consumerProtocol, GroupState: string(g.state), GroupType: KindConsumer,
	}
}
