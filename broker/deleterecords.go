package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toHighWatermark asks DeleteRecords to delete all that consumers can read.
const toHighWatermark int64 = -1

// handleDeleteRecords serves DeleteRecords v0-v2 (KIP-107).
func (b *Broker) handleDeleteRecords(r *request, req *kmsg.DeleteRecordsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	m := b.image.Load()
	topics := recordsToDelete(req)
	resp.Topics = make([]kmsg.DeleteRecordsResponseTopic, 0, len(topics))
	for i := range topics {
		asked := &topics[i]
		answer := kmsg.NewDeleteRecordsResponseTopic()
		answer.Topic = asked.Topic
		t := m.topic(asked.Topic)
		for _, p := range asked.Partitions {
			low, code := int64(-1), kerr.TopicAuthorizationFailed.Code
			if r.mayTopic(kmsg.ACLOperationDelete, asked.Topic) {
				low, code = b.deleteRecords(r, t, p.Partition, p.Offset)
			}
			entry := kmsg.NewDeleteRecordsResponseTopicPartition()
			entry.Partition, entry.LowWatermark, entry.ErrorCode = p.Partition, low, code
			answer.Partitions = append(answer.Partitions, entry)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// recordsToDelete is a request's topics, each once and with each of its
// partitions once: of one that is named twice the last offset counts.
func recordsToDelete(req *kmsg.DeleteRecordsRequest) (topics []kmsg.DeleteRecordsRequestTopic) {
	topicAt := make(map[string]int)
	partitionAt := make(map[partitionName]int)
	for i := range req.Topics {
		asked := &req.Topics[i]
		for _, p := range asked.Partitions {
			at, known := topicAt[asked.Topic]
			if !known {
				at = len(topics)
				topicAt[asked.Topic] = at
				topics = append(topics, kmsg.DeleteRecordsRequestTopic{Topic: asked.Topic})
			}
			t := &topics[at]
			name := partitionName{asked.Topic, p.Partition}
			if j, twice := partitionAt[name]; twice {
				t.Partitions[j].Offset = p.Offset
				continue
			}
			partitionAt[name] = len(t.Partitions)
			t.Partitions = append(t.Partitions, p)
		}
	}
	return topics
}

// deleteRecords deletes a partition's records below an offset and returns the
// log start offset, or -1 and an error code
// (Partition.deleteRecordsOnLeader).
func (b *Broker) deleteRecords(r *request, t *topic, index int32, before int64) (low int64, code int16) {
	p := t.partition(index)
	if p == nil {
		return -1, kerr.UnknownTopicOrPartition.Code
	}
	if t.internal {
		return -1, kerr.InvalidTopicException.Code
	}
	if code := p.leadership.Load().check(r.node, -1); code != 0 {
		return -1, code
	}
	low, freed, code := p.deleteRecords(before)
	b.janitor.dropped(freed)
	return low, code
}

func (p *partition) deleteRecords(before int64) (low, freed int64, code int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted {
		return -1, 0, kerr.UnknownTopicOrPartition.Code
	}
	if !p.settings.Load().log.Delete {
		return -1, 0, kerr.PolicyViolation.Code
	}
	high := p.highWatermark.Load()
	if before == toHighWatermark {
		before = high
	}
	if before < 0 || before > high {
		return -1, 0, kerr.OffsetOutOfRange.Code
	}
	freed = p.log.DeleteRecords(before)
	return p.log.StartOffset(), freed, 0
}
