package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps that mean a place in the log
// (org.apache.kafka.common.requests.ListOffsetsRequest), and the first version
// that knows each.
const (
	latestTimestamp        int64 = -1
	earliestTimestamp      int64 = -2
	maxTimestamp           int64 = -3 // v7 (KIP-734)
	earliestLocalTimestamp int64 = -4 // v8 (KIP-405)
	latestTieredTimestamp  int64 = -5 // v9 (KIP-1005)
	earliestPendingUpload  int64 = -6 // v11 (KIP-1023)
)

// since is the first version of ListOffsets that knows a negative timestamp.
var timestampSince = map[int64]int16{
	latestTimestamp:        0,
	earliestTimestamp:      0,
	maxTimestamp:           7,
	earliestLocalTimestamp: 8,
	latestTieredTimestamp:  9,
	earliestPendingUpload:  11,
}

// partitionName names a partition in one request, by the topic's name.
type partitionName struct {
	topic string
	index int32
}

// handleListOffsets serves ListOffsets v0-v11 (v0: a list of offsets, v1: one
// offset with its timestamp, v2: isolation levels, v4: leader epochs).
func (b *Broker) handleListOffsets(r *request, req *kmsg.ListOffsetsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	if req.IsolationLevel != readUncommitted && req.IsolationLevel != readCommitted {
		return refuseListOffsets(req, resp), nil
	}
	m := b.image.Load()
	times := make(map[partitionName]int)
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			times[partitionName{req.Topics[i].Topic, req.Topics[i].Partitions[j].Partition}]++
		}
	}
	resp.Topics = make([]kmsg.ListOffsetsResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		asked := &req.Topics[i]
		answer := kmsg.NewListOffsetsResponseTopic()
		answer.Topic = asked.Topic
		answer.Partitions = make([]kmsg.ListOffsetsResponseTopicPartition, 0, len(asked.Partitions))
		t := m.topic(asked.Topic)
		for j := range asked.Partitions {
			p := &asked.Partitions[j]
			name := partitionName{asked.Topic, p.Partition}
			n := times[name]
			if n == 0 {
				continue // answered already (behaviour 113)
			}
			times[name] = 0
			var found foundOffset
			code := kerr.InvalidRequest.Code
			switch {
			case !r.mayTopic(kmsg.ACLOperationDescribe, asked.Topic):
				code = kerr.TopicAuthorizationFailed.Code
			case n == 1:
				found, code = b.listOffset(r, req, t.partition(p.Partition), p)
			}
			answer.Partitions = append(answer.Partitions, answerOffset(p, found, code))
		}
		if len(answer.Partitions) > 0 {
			resp.Topics = append(resp.Topics, answer)
		}
	}
	return resp, nil
}

// refuseListOffsets answers a request that makes no sense as
// org.apache.kafka.common.requests.ListOffsetsRequest.getErrorResponse does.
func refuseListOffsets(req *kmsg.ListOffsetsRequest, resp *kmsg.ListOffsetsResponse) kmsg.Response {
	for i := range req.Topics {
		answer := kmsg.NewListOffsetsResponseTopic()
		answer.Topic = req.Topics[i].Topic
		for j := range req.Topics[i].Partitions {
			answer.Partitions = append(answer.Partitions, answerOffset(&req.Topics[i].Partitions[j], noOffset, kerr.UnknownServerError.Code))
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp
}

// foundOffset is the answer for one partition: an offset, with the timestamp
// and the leader epoch of what is there, or -1 for each.
type foundOffset struct {
	offset, timestamp int64
	leaderEpoch       int32
	list              []int64 // v0
}

var noOffset = foundOffset{offset: -1, timestamp: -1, leaderEpoch: -1}

func answerOffset(asked *kmsg.ListOffsetsRequestTopicPartition, found foundOffset, code int16) kmsg.ListOffsetsResponseTopicPartition {
	if code != 0 {
		found = noOffset
	}
	answer := kmsg.NewListOffsetsResponseTopicPartition()
	answer.Partition, answer.ErrorCode = asked.Partition, code
	answer.Offset, answer.Timestamp, answer.LeaderEpoch = found.offset, found.timestamp, found.leaderEpoch
	answer.OldStyleOffsets = found.list
	return answer
}

// listOffset answers for one partition
// (org.apache.kafka.server Partition.fetchOffsetForTimestamp).
func (b *Broker) listOffset(r *request, req *kmsg.ListOffsetsRequest, p *partition, asked *kmsg.ListOffsetsRequestTopicPartition) (foundOffset, int16) {
	ts := asked.Timestamp
	if since, known := timestampSince[ts]; ts < 0 && (!known || req.Version < since) {
		return noOffset, kerr.UnsupportedVersion.Code
	}
	if p == nil {
		return noOffset, kerr.UnknownTopicOrPartition.Code
	}
	seen := p.moment()
	if code := seen.leadership.check(r.node, asked.CurrentLeaderEpoch); code != 0 {
		return noOffset, code
	}
	end := seen.highWatermark
	if req.IsolationLevel == readCommitted {
		end = seen.lastStable
	}
	if req.Version == 0 {
		return foundOffset{list: p.offsetsBefore(ts, end, int(asked.MaxNumOffsets), b.nowMs())}, 0
	}
	found := noOffset
	if p.epochStart.Load() > seen.highWatermark && ts != earliestTimestamp && ts != earliestLocalTimestamp {
		// A new leader that does not know yet what is committed.
		if req.Version < 5 {
			return noOffset, kerr.LeaderNotAvailable.Code
		}
		return noOffset, kerr.OffsetNotAvailable.Code
	}
	switch ts {
	case latestTimestamp:
		return foundOffset{offset: end, timestamp: -1, leaderEpoch: seen.leadership.leaderEpoch}, 0
	case earliestTimestamp, earliestLocalTimestamp:
		start := p.log.StartOffset()
		return foundOffset{offset: start, timestamp: -1, leaderEpoch: p.epochAt(start, seen.leadership)}, 0
	case latestTieredTimestamp, earliestPendingUpload:
		return noOffset, 0 // nothing is tiered here
	case maxTimestamp:
		found.offset, found.timestamp, found.leaderEpoch, _ = p.log.MaxTimestamp()
	default:
		found.offset, found.timestamp, found.leaderEpoch, _ = p.log.OffsetForTimestamp(ts)
	}
	if found.offset >= end {
		return noOffset, 0
	}
	return found, 0
}

// epochAt is the leader epoch of the first record from an offset on; of an
// empty log, the current one, which began there.
func (p *partition) epochAt(offset int64, l *leadership) int32 {
	for batch := range p.log.Batches(offset, p.log.EndOffset()) {
		return batch.LeaderEpoch()
	}
	return l.leaderEpoch
}

// offsetsBefore answers v0: where segments begin that had their last record by
// the time ts, newest first, and the log's end if that is not later than now. A
// log is taken as one segment: where others begin is no business of clients.
func (p *partition) offsetsBefore(ts, end int64, most int, now int64) []int64 {
	start := p.log.StartOffset()
	offsets := make([]int64, 0, 2)
	if (ts == latestTimestamp || ts >= now) && end > start && len(offsets) < most {
		offsets = append(offsets, end)
	}
	begun := true
	if ts >= 0 {
		_, last, _, any := p.log.MaxTimestamp()
		begun = !any || last <= ts
	}
	if begun && len(offsets) < most {
		offsets = append(offsets, start)
	}
	return offsets
}
