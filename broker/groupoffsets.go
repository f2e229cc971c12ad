package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
)

// handleOffsetCommit serves OffsetCommit v0-v10 (v2-v4: a retention time, v7:
// static members, v10: topic ids). v0 once stored offsets elsewhere; here all
// versions store them in one place.
func (b *Broker) handleOffsetCommit(r *request, req *kmsg.OffsetCommitRequest) (kmsg.Response, error) {
	b.internalTopic(groupMetadataTopic) // the group may begin here
	var resp *kmsg.OffsetCommitResponse
	topics := r.lookupTopic(kmsg.ACLOperationRead)
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.CommitOffsets(now, req, topics, &r.memory().committed)
		return eff
	})
	return resp, nil
}

// handleOffsetFetch serves OffsetFetch v0-v10 (v2: all topics, v7: stable
// offsets only, KIP-447, v8: several groups, v9: member epochs, v10: topic ids).
func (b *Broker) handleOffsetFetch(r *request, req *kmsg.OffsetFetchRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	topics := r.lookupTopic(kmsg.ACLOperationDescribe)
	if req.Version >= 8 {
		for i := range req.Groups {
			resp.Groups = append(resp.Groups, b.fetchOffsets(r, req, &req.Groups[i], topics))
		}
		return resp, nil
	}
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	if req.Topics != nil || req.Version < 2 {
		one.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, len(req.Topics))
	}
	for i, t := range req.Topics {
		one.Topics[i].Topic, one.Topics[i].Partitions = t.Topic, t.Partitions
	}
	answer := b.fetchOffsets(r, req, &one, topics)
	resp.ErrorCode = answer.ErrorCode
	for _, t := range answer.Topics {
		old := kmsg.NewOffsetFetchResponseTopic()
		old.Topic = t.Topic
		for _, p := range t.Partitions {
			op := kmsg.NewOffsetFetchResponseTopicPartition()
			op.Partition, op.Offset, op.LeaderEpoch, op.Metadata, op.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			old.Partitions = append(old.Partitions, op)
		}
		resp.Topics = append(resp.Topics, old)
	}
	return resp, nil
}

// fetchOffsets reads one group's offsets. A group that does not exist has none.
func (b *Broker) fetchOffsets(r *request, all *kmsg.OffsetFetchRequest, req *kmsg.OffsetFetchRequestGroup, topics group.Lookup) (answer kmsg.OffsetFetchResponseGroup) {
	if err := r.seesGroup(req.Group); err != nil {
		return offsetsElsewhere(all.Version, req, err)
	}
	found := b.groups.peek(req.Group, func(g *group.Group) {
		answer = g.FetchOffsets(all.Version, req, topics)
		if all.RequireStable { // v7+
			g.Offsets().HideUnstable(&answer, topics)
		}
	})
	if !found {
		answer = group.NewGroup(req.Group, b.groups.config()).FetchOffsets(all.Version, req, topics)
	}
	return answer
}

// offsetsElsewhere is the answer for a group that another broker coordinates.
// Before v2 there is no place for a group's error.
func offsetsElsewhere(version int16, req *kmsg.OffsetFetchRequestGroup, err *kerr.Error) (answer kmsg.OffsetFetchResponseGroup) {
	answer.Default()
	answer.Group, answer.ErrorCode = req.Group, err.Code
	if version >= 2 {
		return answer
	}
	for _, t := range req.Topics {
		at := kmsg.NewOffsetFetchResponseGroupTopic()
		at.Topic = t.Topic
		for _, index := range t.Partitions {
			p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			p.Partition, p.Offset, p.Metadata, p.ErrorCode = index, -1, new(""), err.Code
			at.Partitions = append(at.Partitions, p)
		}
		answer.Topics = append(answer.Topics, at)
	}
	return answer
}

// handleOffsetDelete serves OffsetDelete v0 (KIP-496).
func (b *Broker) handleOffsetDelete(r *request, req *kmsg.OffsetDeleteRequest) (kmsg.Response, error) {
	var resp *kmsg.OffsetDeleteResponse
	topics := r.lookupTopic(kmsg.ACLOperationRead)
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.DeleteOffsets(now, req, topics)
		return eff
	})
	return resp, nil
}
