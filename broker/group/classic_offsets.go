package group

import (
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns a classic group's offsets and what others see of it:
// OffsetCommit v0-v10, OffsetFetch v0-v10, OffsetDelete, DescribeGroups,
// ListGroups, DeleteGroups.

// CommitOffsets stores offsets. topics says which exist; the others get its
// error and do not touch the group.
func (g *Classic) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup) (*kmsg.OffsetCommitResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = req.Version
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, 0, len(req.Topics))
	// The group has its say only if there is something to store.
	asked := false
	var refused *kerr.Error
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, rt.TopicID)
		ps := make([]kmsg.OffsetCommitResponseTopicPartition, len(rt.Partitions))
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			ps[j].Partition = rp.Partition
			switch {
			case topic.Err != 0:
				ps[j].ErrorCode = topic.Err
				continue
			case rp.Partition < 0 || rp.Partition >= topic.Partitions:
				ps[j].ErrorCode = kerr.UnknownTopicOrPartition.Code
				continue
			}
			if !asked {
				asked = true
				refused = g.validateCommit(req)
			}
			switch {
			case refused != nil:
				ps[j].ErrorCode = refused.Code
			case g.tooLong(rp.Metadata):
				ps[j].ErrorCode = kerr.OffsetMetadataTooLarge.Code
			default:
				g.commit(&topic, req.RetentionTimeMillis, rp)
			}
		}
		resp.Topics = append(resp.Topics, kmsg.OffsetCommitResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID, Partitions: ps})
	}
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

// tooLong measures as Java does, in UTF-16 units, which are never more than
// the bytes of UTF-8.
func (g *Classic) tooLong(metadata *string) bool {
	limit := g.cfg.OffsetMetadataMaxBytes
	if metadata == nil || len(*metadata) <= limit {
		return false
	}
	n := 0
	for _, r := range *metadata {
		n += max(utf16.RuneLen(r), 1)
	}
	return n > limit
}

func (g *Classic) commit(topic *Topic, retention int64, rp *kmsg.OffsetCommitRequestTopicPartition) {
	if g.state == Dead {
		g.create("first commit")
	}
	c := Committed{
		Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, Metadata: reason(rp.Metadata),
		CommitMillis: g.now.UnixMilli(), ExpireMillis: -1,
	}
	if retention != -1 {
		c.ExpireMillis = max(saturatingAdd(c.CommitMillis, retention), 0)
	}
	if rp.Timestamp != -1 { // v1 only
		c.CommitMillis = rp.Timestamp
	}
	g.offsets.Commit(topic.Name, rp.Partition, c)
	g.store(OffsetRecord(g.id, topic, rp.Partition, &c))
	if g.cleanupAt.IsZero() || retention != -1 || rp.Timestamp != -1 {
		g.cleanupSoon()
	}
}

// FetchOffsets returns committed offsets: of the partitions in req, or of all
// where its topics are null. version is that of the request; before v8 a
// request is for one group, which the caller writes as this form. What is not
// committed, or does not exist, has offset -1 and no error.
func (g *Classic) FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.OffsetFetchResponseGroup{Group: req.Group}
	if req.Topics == nil {
		for _, name := range g.offsets.Topics() {
			t := topics(name, [16]byte{})
			if t.Err == kerr.TopicAuthorizationFailed.Code || version >= 10 && t.Err != 0 {
				continue // not to be seen, or without an id to name it by
			}
			ps := g.offsets.Partitions(name)
			out := make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(ps))
			for i := range ps {
				out[i] = fetched(ps[i].Partition, ps[i].Committed)
			}
			resp.Topics = append(resp.Topics, kmsg.OffsetFetchResponseGroupTopic{Topic: name, TopicID: t.ID, Partitions: out})
		}
		return resp
	}
	resp.Topics = make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		t := topics(rt.Topic, rt.TopicID)
		name, code := t.Name, t.Err
		if version < 10 && code == kerr.UnknownTopicOrPartition.Code {
			name, code = rt.Topic, 0
		}
		out := make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(rt.Partitions))
		for j, partition := range rt.Partitions {
			c, ok := Committed{}, false
			if code == 0 {
				c, ok = g.offsets.Get(name, partition)
			}
			if !ok {
				c = Committed{Offset: -1, LeaderEpoch: -1}
			}
			out[j] = fetched(partition, c)
			out[j].ErrorCode = code
		}
		resp.Topics = append(resp.Topics, kmsg.OffsetFetchResponseGroupTopic{Topic: rt.Topic, TopicID: rt.TopicID, Partitions: out})
	}
	return resp
}

func fetched(partition int32, c Committed) kmsg.OffsetFetchResponseGroupTopicPartition {
	metadata := &noMetadata
	if c.Metadata != "" {
		metadata = kmsg.StringPtr(c.Metadata)
	}
	return kmsg.OffsetFetchResponseGroupTopicPartition{
		Partition: partition, Offset: c.Offset, LeaderEpoch: c.LeaderEpoch, Metadata: metadata,
	}
}

// noMetadata is shared by all answers without a text.
var noMetadata string

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
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, [16]byte{})
		out := make([]kmsg.OffsetDeleteResponseTopicPartition, len(rt.Partitions))
		for j, rp := range rt.Partitions {
			out[j].Partition = rp.Partition
			switch {
			case topic.Err != 0:
				out[j].ErrorCode = topic.Err
			case rp.Partition < 0 || rp.Partition >= topic.Partitions:
				out[j].ErrorCode = kerr.UnknownTopicOrPartition.Code
			case g.isSubscribed(rt.Topic):
				out[j].ErrorCode = kerr.GroupSubscribedToTopic.Code
			default:
				if g.offsets.Delete(rt.Topic, rp.Partition) {
					g.store(OffsetTombstone(g.id, rt.Topic, rp.Partition))
				}
			}
		}
		resp.Topics = append(resp.Topics, kmsg.OffsetDeleteResponseTopic{Topic: rt.Topic, Partitions: out})
	}
	g.cleanupSoon() // the group goes if that was all it had
	return resp, g.effects()
}

// TopicsDeleted forgets the offsets of topics that do not exist any more.
func (g *Classic) TopicsDeleted(now time.Time, names ...string) Effects {
	g.now = now
	for _, name := range names {
		g.storeNoOffsets(name)
		if g.offsets.DeleteTopic(name) {
			g.cleanupSoon()
		}
	}
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
