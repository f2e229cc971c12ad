package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDescribeTopicPartitions serves DescribeTopicPartitions v0 (KIP-966):
// topics by name, so many partitions at a time, and a cursor for where to go
// on.
func (b *Broker) handleDescribeTopicPartitions(r *request, req *kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	m := b.image.Load()
	var from kmsg.DescribeTopicPartitionsRequestCursor
	if req.Cursor != nil {
		from = *req.Cursor
	}
	names := make([]string, 0, len(req.Topics))
	for i := range req.Topics {
		if name := req.Topics[i].Topic; name >= from.Topic {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if from.Partition < 0 || req.Cursor != nil && len(req.Topics) > 0 && (len(names) == 0 || names[0] != from.Topic) {
		for i := range req.Topics {
			resp.Topics = append(resp.Topics, undescribed(req.Topics[i].Topic, kerr.InvalidRequest.Code, notAsked))
		}
		return resp, nil
	}
	left := max(1, min(int(req.ResponsePartitionLimit), b.config.Load().Int("max.request.partition.size.limit")))
	stopAt := func(name string, partition int32) bool {
		next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
		next.Topic, next.Partition = name, partition
		resp.NextCursor = &next
		return false
	}
	// describe returns false when the answer is full.
	describe := func(name string, t *topic) bool {
		if left == 0 {
			return stopAt(name, 0)
		}
		if !r.mayTopic(kmsg.ACLOperationDescribe, name) {
			return true // told at the end
		}
		operations := r.authorizedOperations(kmsg.ACLResourceTypeTopic, name)
		if t == nil {
			code := kerr.UnknownTopicOrPartition.Code
			if invalidTopicName(name) != "" {
				code = kerr.InvalidTopicException.Code
			}
			resp.Topics = append(resp.Topics, undescribed(name, code, operations))
			return true
		}
		first := int32(0)
		if name == from.Topic {
			first = from.Partition
		}
		resp.Topics = append(resp.Topics, describePartitions(t, first, left, operations))
		n := max(0, len(t.partitions)-int(first))
		if n > left {
			return stopAt(name, first+int32(left))
		}
		left -= n
		return true
	}
	if len(req.Topics) == 0 {
		m.topics.Ascend(from.Topic, describe)
		return resp, nil
	}
	for _, name := range names {
		if !describe(name, m.topic(name)) {
			break
		}
	}
	for i := range req.Topics {
		if name := req.Topics[i].Topic; !r.mayTopic(kmsg.ACLOperationDescribe, name) {
			resp.Topics = append(resp.Topics, undescribed(name, kerr.TopicAuthorizationFailed.Code, notAsked))
		}
	}
	return resp, nil
}

// undescribed is the entry of a topic that can't be described.
func undescribed(name string, code int16, operations int32) kmsg.DescribeTopicPartitionsResponseTopic {
	d := kmsg.NewDescribeTopicPartitionsResponseTopic()
	d.Topic, d.ErrorCode, d.AuthorizedOperations, d.IsInternal = &name, code, operations, isInternal(name)
	return d
}

// describePartitions describes a topic's partitions from first on, limit at
// most.
func describePartitions(t *topic, first int32, limit int, operations int32) kmsg.DescribeTopicPartitionsResponseTopic {
	d := kmsg.NewDescribeTopicPartitionsResponseTopic()
	d.Topic, d.TopicID, d.IsInternal, d.AuthorizedOperations = &t.name, t.id, t.internal, operations
	for i := int(first); i < len(t.partitions) && limit > 0; i++ {
		l := t.partitions[i].leadership.Load()
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = int32(i), l.leader, l.leaderEpoch
		p.Replicas, p.ISR = l.replicas, l.isr
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
		if len(l.elr) > 0 {
			p.EligibleLeaderReplicas = l.elr
		}
		if l.lastKnown > 0 {
			p.LastKnownELR = []int32{l.lastKnown}
		}
		if l.leader < 0 {
			p.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		d.Partitions = append(d.Partitions, p)
		limit--
	}
	return d
}
