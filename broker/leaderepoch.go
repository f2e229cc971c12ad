package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleOffsetForLeaderEpoch serves OffsetForLeaderEpoch v0-v4 (v1: the epoch
// found, v2: the current leader epoch, v3: the replica's id): where a leader
// epoch ended, so that consumers notice what a new leader never had (KIP-320).
func (b *Broker) handleOffsetForLeaderEpoch(r *request, req *kmsg.OffsetForLeaderEpochRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	m := b.image.Load()
	replica := r.mayCluster(kmsg.ACLOperationClusterAction)
	resp.Topics = make([]kmsg.OffsetForLeaderEpochResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		asked := &req.Topics[i]
		answer := kmsg.NewOffsetForLeaderEpochResponseTopic()
		answer.Topic = asked.Topic
		t := m.topic(asked.Topic)
		for j := range asked.Partitions {
			p := &asked.Partitions[j]
			entry := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			entry.Partition = p.Partition
			if !replica && !r.mayTopic(kmsg.ACLOperationDescribe, asked.Topic) {
				entry.LeaderEpoch, entry.EndOffset, entry.ErrorCode = -1, -1, kerr.TopicAuthorizationFailed.Code
				answer.Partitions = append(answer.Partitions, entry)
				continue
			}
			entry.LeaderEpoch, entry.EndOffset, entry.ErrorCode = endOfEpoch(t.partition(p.Partition), r.node, p)
			answer.Partitions = append(answer.Partitions, entry)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

func endOfEpoch(p *partition, n *node, asked *kmsg.OffsetForLeaderEpochRequestTopicPartition) (epoch int32, end int64, code int16) {
	if p == nil {
		return -1, -1, kerr.UnknownTopicOrPartition.Code
	}
	l := p.leadership.Load()
	if code := l.check(n, asked.CurrentLeaderEpoch); code != 0 {
		return -1, -1, code
	}
	epoch, end = p.log.EndOffsetForEpoch(asked.LeaderEpoch, l.leaderEpoch)
	return epoch, end, 0
}
