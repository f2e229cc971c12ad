package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/group"
	"minibroker/broker/share"
)

// This file owns the requests about share groups and their members (KIP-932):
// ShareGroupHeartbeat, ShareGroupDescribe, DescribeShareGroupOffsets,
// AlterShareGroupOffsets, DeleteShareGroupOffsets.

// handleShareGroupHeartbeat serves ShareGroupHeartbeat v0-v1.
func (b *Broker) handleShareGroupHeartbeat(r *request, req *kmsg.ShareGroupHeartbeatRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	if !b.sharesServed() {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	if req.MemberEpoch == 0 && len(req.SubscribedTopicNames) > 0 && group.ValidMemberID(req.MemberID) {
		b.internalTopic(groupMetadataTopic) // the group may begin here
		b.internalTopic(shareStateTopic)
	}
	client := group.Client{ID: r.clientID, Host: r.clientHost()}
	timing := b.shareTiming(req.GroupID)
	b.groups.with(req.GroupID, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.ShareHeartbeat(now, client, req, b.groupCluster(), timing, groupShareStates{&b.shares, req.GroupID})
		return eff
	})
	return resp, nil
}

// shareTiming is what the configs of a share group, or else the broker's, say
// about its times.
func (b *Broker) shareTiming(id string) group.Timing {
	own, cfg := b.controller.configsOf(kmsg.ConfigResourceTypeGroupConfig, id), b.config.Load()
	return group.Timing{
		SessionTimeout:     config.GroupDuration("group.share.session.timeout.ms", own, cfg),
		HeartbeatInterval:  config.GroupDuration("group.share.heartbeat.interval.ms", own, cfg),
		AssignmentInterval: config.GroupDuration("group.share.assignment.interval.ms", own, cfg),
	}
}

// handleShareGroupDescribe serves ShareGroupDescribe v0-v1.
func (b *Broker) handleShareGroupDescribe(r *request, req *kmsg.ShareGroupDescribeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
	topics := b.lookupTopic()
	for _, id := range req.GroupIDs {
		var d kmsg.ShareGroupDescribeResponseGroup
		if err := r.seesGroup(id); err != nil {
			d = kmsg.NewShareGroupDescribeResponseGroup()
			d.GroupID, d.ErrorCode, d.AuthorizedOperations = id, err.Code, notAsked
			resp.Groups = append(resp.Groups, d)
			continue
		}
		if !b.groups.peek(id, func(g *group.Group) { d = g.DescribeShare(topics) }) {
			d = group.NewGroup(id, b.groups.config()).DescribeShare(topics)
		}
		if !b.sharesServed() {
			d = kmsg.NewShareGroupDescribeResponseGroup()
			d.GroupID, d.ErrorCode = id, kerr.UnsupportedVersion.Code
		} else if err := r.seesGroup(id); err != nil {
			d = kmsg.NewShareGroupDescribeResponseGroup()
			d.GroupID, d.ErrorCode = id, err.Code
		}
		d.AuthorizedOperations = notAsked
		if req.IncludeAuthorizedOperations && d.ErrorCode == 0 {
			d.AuthorizedOperations = r.authorizedOperations(kmsg.ACLResourceTypeGroup, id)
		}
		if r.guarded() {
			r.hideShare(&d)
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp, nil
}

// handleDescribeShareGroupOffsets serves DescribeShareGroupOffsets v0-v1 (v1:
// lag).
func (b *Broker) handleDescribeShareGroupOffsets(r *request, req *kmsg.DescribeShareGroupOffsetsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
	for i := range req.Groups {
		asked := &req.Groups[i]
		out := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
		out.GroupID = asked.GroupID
		switch {
		case !b.sharesServed():
			out.ErrorCode = kerr.UnsupportedVersion.Code
		case r.seesGroup(asked.GroupID) != nil:
			out.ErrorCode = r.seesGroup(asked.GroupID).Code
		case asked.Topics == nil:
			out.Topics = b.allShareOffsets(asked.GroupID)
		default:
			out.Topics = b.someShareOffsets(asked)
		}
		resp.Groups = append(resp.Groups, out)
	}
	return resp, nil
}

// allShareOffsets is where a group is in all partitions that it has begun.
func (b *Broker) allShareOffsets(id string) (topics []kmsg.DescribeShareGroupOffsetsResponseGroupTopic) {
	var begun []group.BegunTopic
	b.groups.peek(id, func(g *group.Group) { begun = g.Begun() })
	m := b.image.Load()
	for _, at := range begun {
		t := m.topicByID(at.ID)
		if t == nil {
			continue
		}
		topics = append(topics, b.shareOffsets(id, t, at.Partitions))
	}
	return topics
}

func (b *Broker) someShareOffsets(asked *kmsg.DescribeShareGroupOffsetsRequestGroup) (topics []kmsg.DescribeShareGroupOffsetsResponseGroupTopic) {
	m := b.image.Load()
	var unknown []kmsg.DescribeShareGroupOffsetsResponseGroupTopic
	for _, at := range asked.Topics {
		if t := m.topic(at.Topic); t != nil {
			topics = append(topics, b.shareOffsets(asked.GroupID, t, at.Partitions))
			continue
		}
		out := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
		out.Topic = at.Topic
		for _, index := range at.Partitions {
			p := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
			p.Partition, p.StartOffset, p.Lag = index, -1, -1
			out.Partitions = append(out.Partitions, p)
		}
		unknown = append(unknown, out)
	}
	return append(topics, unknown...)
}

// shareOffsets is where a group is in partitions of one topic. The lag is the
// records from the start on whose delivery is not complete.
func (b *Broker) shareOffsets(id string, t *topic, partitions []int32) kmsg.DescribeShareGroupOffsetsResponseGroupTopic {
	out := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
	out.Topic, out.TopicID = t.name, t.id
	for _, index := range partitions {
		p := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
		p.Partition, p.StartOffset, p.Lag = index, -1, -1
		if s := b.shares.summary(share.PartitionKey{Group: id, Topic: t.id, Partition: index}); s != nil {
			p.StartOffset, p.LeaderEpoch = s.Start, s.LeaderEpoch
			if log := t.partition(index); log != nil && s.Start != -1 && s.Complete != -1 {
				p.Lag = log.highWatermark.Load() - s.Start - int64(s.Complete)
			}
		}
		out.Partitions = append(out.Partitions, p)
	}
	return out
}

// handleAlterShareGroupOffsets serves AlterShareGroupOffsets v0.
func (b *Broker) handleAlterShareGroupOffsets(r *request, req *kmsg.AlterShareGroupOffsetsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterShareGroupOffsetsResponse)
	switch {
	case !b.sharesServed():
		resp.ErrorCode, resp.ErrorMessage = codeAndText(&apiError{code: kerr.UnsupportedVersion.Code})
		return resp, nil
	case req.GroupID == "":
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.InvalidGroupID, "The group id is invalid."))
		return resp, nil
	}
	b.internalTopic(groupMetadataTopic) // the group may begin here
	b.internalTopic(shareStateTopic)
	topics := r.lookupTopic(kmsg.ACLOperationRead)
	b.groups.with(req.GroupID, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.AlterShareOffsets(now, req, topics, groupShareStates{&b.shares, req.GroupID})
		return eff
	})
	return resp, nil
}

// handleDeleteShareGroupOffsets serves DeleteShareGroupOffsets v0.
func (b *Broker) handleDeleteShareGroupOffsets(r *request, req *kmsg.DeleteShareGroupOffsetsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteShareGroupOffsetsResponse)
	switch {
	case !b.sharesServed():
		resp.ErrorCode, resp.ErrorMessage = codeAndText(&apiError{code: kerr.UnsupportedVersion.Code})
		return resp, nil
	case req.GroupID == "":
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.InvalidGroupID, "The group id is invalid."))
		return resp, nil
	}
	topics := r.lookupTopic(kmsg.ACLOperationRead)
	b.groups.with(req.GroupID, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.DeleteShareOffsets(now, req, topics, groupShareStates{&b.shares, req.GroupID})
		return eff
	})
	return resp, nil
}
