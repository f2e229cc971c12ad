package group

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a streams group says to requests for its offsets
// (OffsetCommit, OffsetFetch, OffsetDelete) and what others see of it:
// StreamsGroupDescribe, StreamsGroupTopologyDescriptionUpdate, DescribeGroups,
// ListGroups, DeleteGroups.

// CommitOffsets stores offsets. topics says which exist; the others get its
// error.
func (g *Streams) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects) {
	g.now = now
	m, refused := g.committer(req.MemberID, req.Generation)
	if m != nil && req.Version < 9 {
		refused = kerr.UnsupportedVersion
	}
	resp := g.commitOffsets(req, topics, in, func(t Topic, partition int32) *kerr.Error {
		if refused != nil {
			return refused
		}
		return g.mayCommit(m, req.Generation, t.Name, partition)
	}, func() {})
	return resp, g.effects()
}

// committer finds the member that a commit is from; nil: it is from an
// administrator.
func (g *Streams) committer(id string, epoch int32) (*streamer, *kerr.Error) {
	if epoch < 0 && len(g.order) == 0 {
		return nil, nil
	}
	m := g.members[id]
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case epoch > m.epoch:
		return m, kerr.StaleMemberEpoch
	}
	return m, nil
}

// mayCommit tells whether a member may commit a partition's offset at an epoch.
// If it was overtaken by a new one, the tasks that it has since then or longer
// are still its to commit for (KIP-1251).
func (g *Streams) mayCommit(m *streamer, epoch int32, topic string, partition int32) *kerr.Error {
	if m == nil || epoch == m.epoch {
		return nil
	}
	subtopology, reads := g.topology.sources[topic]
	if !reads {
		return kerr.StaleMemberEpoch
	}
	since, has := m.assigned.active.sinceEpoch(subtopology, partition)
	if !has {
		since, has = m.revoking.active.sinceEpoch(subtopology, partition)
	}
	if !has || epoch < since {
		return kerr.StaleMemberEpoch
	}
	return nil
}

// CommitInTransaction notes offsets that take effect when the producer's
// transaction is committed; see commitInTransaction. Clients before v3 do not
// say which member they are (KIP-447).
func (g *Streams) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	g.now = now
	var m *streamer
	var refused *kerr.Error
	if req.Generation != -1 || req.MemberID != "" || req.InstanceID != nil {
		m, refused = g.committer(req.MemberID, req.Generation)
	}
	resp := g.commitInTransaction(req, topics, func(t Topic, partition int32) *kerr.Error {
		err := refused
		if err == nil {
			err = g.mayCommit(m, req.Generation, t.Name, partition)
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
func (g *Streams) EndTransaction(now time.Time, producerID int64, commit bool) Effects {
	g.now = now
	g.endTransaction(producerID, commit)
	return g.effects()
}

// FetchOffsets returns committed offsets. A member that says who it is (v9)
// must be at its epoch.
func (g *Streams) FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup {
	if version >= 9 && (req.MemberID != nil || req.MemberEpoch >= 0) {
		switch m := g.members[reason(req.MemberID)]; {
		case m == nil:
			return kmsg.OffsetFetchResponseGroup{Group: req.Group, ErrorCode: kerr.UnknownMemberID.Code}
		case m.epoch != req.MemberEpoch:
			return kmsg.OffsetFetchResponseGroup{Group: req.Group, ErrorCode: kerr.StaleMemberEpoch.Code}
		}
	}
	return g.base.FetchOffsets(version, req, topics)
}

// DeleteOffsets forgets offsets of topics that no member consumes.
func (g *Streams) DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, topics Lookup) (*kmsg.OffsetDeleteResponse, Effects) {
	g.now = now
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = req.Version
	g.deleteOffsets(req, resp, topics, g.isSubscribed)
	return resp, g.effects()
}

// TopicsDeleted forgets the offsets of topics that do not exist any more.
func (g *Streams) TopicsDeleted(now time.Time, names ...string) Effects {
	g.now = now
	g.deleteTopics(names)
	return g.effects()
}

// Delete removes a group without members, with its offsets. The error is
// NON_EMPTY_GROUP or nil.
func (g *Streams) Delete(now time.Time) (*kerr.Error, Effects) {
	g.now = now
	if len(g.order) > 0 {
		return kerr.NonEmptyGroup, g.effects()
	}
	g.die("deleted")
	return nil, g.effects()
}

// Unload forgets the group: this broker does not serve it any longer. Its
// records stay.
func (g *Streams) Unload(now time.Time) Effects {
	g.now = now
	g.die("unloaded")
	g.became.out.Records = nil
	return g.effects()
}

// Describe answers DescribeGroups, which is for classic groups only.
func (g *Streams) Describe(version int16) kmsg.DescribeGroupsResponseGroup {
	r := kmsg.NewDescribeGroupsResponseGroup()
	r.Group, r.State = g.id, string(Dead)
	if version >= 6 {
		r.ErrorCode = kerr.GroupIDNotFound.Code
		r.ErrorMessage = kmsg.StringPtr("Group " + g.id + " is not a classic group.")
	}
	return r
}

// List is the group's line in ListGroups.
func (g *Streams) List() kmsg.ListGroupsResponseGroup {
	return kmsg.ListGroupsResponseGroup{Group: g.id, ProtocolType: KindStreams, GroupState: string(g.state), GroupType: KindStreams}
}

// Whether a group's topology can be described (StreamsGroupDescribe v1).
const (
	descriptionNotRequested int8 = 0
	descriptionNotStored    int8 = 1
	descriptionAvailable    int8 = 3
)

// DescribeStreams answers StreamsGroupDescribe; withTopology is whether the
// description that a member sent is wanted, too.
func (g *Group) DescribeStreams(id string, withTopology bool) kmsg.StreamsGroupDescribeResponseGroup {
	if s, ok := g.is().(*Streams); ok {
		return s.describe(withTopology)
	}
	r := kmsg.NewStreamsGroupDescribeResponseGroup()
	r.Group, r.ErrorCode = id, kerr.GroupIDNotFound.Code
	switch {
	case id == "":
		r.ErrorCode = kerr.InvalidGroupID.Code
	case g.State() == Dead:
		r.ErrorMessage = kmsg.StringPtr("Group " + id + " not found.")
	default:
		r.ErrorMessage = kmsg.StringPtr("Group " + id + " is not a streams group.")
	}
	return r
}

func (g *Streams) describe(withTopology bool) kmsg.StreamsGroupDescribeResponseGroup {
	r := kmsg.NewStreamsGroupDescribeResponseGroup()
	r.Group, r.State, r.Epoch, r.AssignmentEpoch = g.id, string(g.state), g.epoch, g.assignmentEpoch
	r.AssignorName = kmsg.StringPtr(streamsAssignor)
	r.Topology = g.describeTopology()
	switch {
	case !withTopology:
		r.TopologyDescriptionStatus = descriptionNotRequested
	case g.description == nil:
		r.TopologyDescriptionStatus = descriptionNotStored
	default:
		r.TopologyDescriptionStatus = descriptionAvailable
		r.TopologyDescription = &kmsg.StreamsGroupDescribeResponseGroupTopologyDescription{
			Subtopologies: g.description.Subtopologies, GlobalStores: g.description.GlobalStores,
		}
	}
	r.Members = make([]kmsg.StreamsGroupDescribeResponseGroupMember, len(g.order))
	for i, m := range g.order {
		d := kmsg.NewStreamsGroupDescribeResponseGroupMember()
		d.MemberID, d.MemberEpoch, d.RackID, d.ProcessID, d.TopologyEpoch = m.id, m.epoch, m.rack, m.process, m.topologyEpoch
		d.ClientID, d.ClientHost = m.client.ID, m.client.Host
		if m.endpoint != nil {
			d.UserEndpoint = &kmsg.StreamsGroupDescribeResponseGroupMemberUserEndpoint{Host: m.endpoint.Host, Port: m.endpoint.Port}
		}
		for _, tag := range m.tags {
			d.ClientTags = append(d.ClientTags, kmsg.StreamsGroupDescribeResponseGroupMemberClientTag{Key: tag.key, Value: tag.value})
		}
		d.Assignment, d.TargetAssignment = describeRoles(m.assigned), describeRoles(m.target)
		r.Members[i] = d
	}
	return r
}

func describeRoles(rs roles) kmsg.StreamsAssignment {
	return kmsg.StreamsAssignment{ActiveTasks: writeTasks(rs.active), StandbyTasks: writeTasks(rs.standby), WarmupTasks: writeTasks(rs.warmup)}
}

// describeTopology is the topology with the numbers of partitions that were
// found for it; without them where its topics are not as they must be.
func (g *Streams) describeTopology() *kmsg.StreamsGroupDescribeResponseGroupTopology {
	t := kmsg.NewStreamsGroupDescribeResponseGroupTopology()
	t.Epoch = g.topology.epoch
	t.Subtopologies = make([]kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology, len(g.topology.subtopologies))
	for i := range g.topology.subtopologies {
		s, d := &g.topology.subtopologies[i], &t.Subtopologies[i]
		var found *configuredSubtopology
		if g.configured.problem == nil {
			found = &g.configured.subtopologies[i]
		}
		d.SubtopologyID = s.SubtopologyID
		d.SourceTopics, d.RepartitionSinkTopics = slices.Sorted(slices.Values(s.SourceTopics)), slices.Sorted(slices.Values(s.RepartitionSinkTopics))
		d.RepartitionSourceTopics, d.StateChangelogTopics = describedTopics(s.RepartitionSourceTopics, found), describedTopics(s.StateChangelogTopics, found)
	}
	return &t
}

func describedTopics(list []kmsg.TopicInfo, found *configuredSubtopology) []kmsg.TopicInfo {
	list = slices.Clone(list)
	for i := range list {
		if found != nil {
			list[i].NumPartitions = found.internal[list[i].Topic]
		}
	}
	slices.SortFunc(list, func(a, b kmsg.TopicInfo) int { return strings.Compare(a.Topic, b.Topic) })
	return list
}

// DescribeTopology takes a StreamsGroupTopologyDescriptionUpdate: what a
// member's topology looks like, for people (KIP-1331).
func (g *Group) DescribeTopology(now time.Time, req *kmsg.StreamsGroupTopologyDescriptionUpdateRequest) (*kmsg.StreamsGroupTopologyDescriptionUpdateResponse, Effects) {
	resp := kmsg.NewPtrStreamsGroupTopologyDescriptionUpdateResponse()
	resp.Version = req.Version
	if refused := g.describeTopologyOf(req); refused != nil {
		resp.ErrorCode, resp.ErrorMessage = refused.err.Code, &refused.message
	}
	return resp, g.is().Expire(now)
}

func (g *Group) describeTopologyOf(req *kmsg.StreamsGroupTopologyDescriptionUpdateRequest) *refusal {
	s, isStreams := g.is().(*Streams)
	switch {
	case req.MemberID == "":
		return refuse(kerr.InvalidRequest, "MemberId can't be empty.")
	case req.Group == "":
		return refuse(kerr.InvalidRequest, "GroupId can't be empty.")
	case !isStreams && g.State() == Dead:
		return refuse(kerr.GroupIDNotFound, "Group %s not found.", req.Group)
	case !isStreams:
		return refuse(kerr.GroupIDNotFound, "Group %s is not a streams group.", req.Group)
	case s.members[req.MemberID] == nil:
		return s.unknownMember(req.MemberID)
	case req.TopologyEpoch != s.topology.epoch:
		return refuse(kerr.InvalidRequest, "The topology epoch %d is not the group's topology epoch %d.", req.TopologyEpoch, s.topology.epoch)
	}
	description := req.TopologyDescription
	s.description = &description
	return nil
}
