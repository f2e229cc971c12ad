package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/share"
)

// This file owns the requests that brokers send to the share coordinator
// (org.apache.kafka.coordinator.share.ShareCoordinatorService): InitializeShareGroupState,
// ReadShareGroupState, WriteShareGroupState, DeleteShareGroupState and
// ReadShareGroupStateSummary. Here the broker sends them to nobody; they work
// on the state that share groups use.

const textNegativePartition = "The partition id cannot be a negative number."

// checkSharePlace finds what is wrong with a partition whatever its state is.
func (b *Broker) checkSharePlace(r *request, id string, topic [16]byte, partition int32) *apiError {
	if err := r.coordinates(shareStateTopic, coordinatorKey(share.PartitionKey{Group: id, Topic: topic, Partition: partition})); err != nil {
		return &apiError{code: err.Code, message: err.Description}
	}
	switch {
	case partition < 0:
		return fail(kerr.InvalidRequest, textNegativePartition)
	case b.image.Load().topicByID(topic).partition(partition) == nil:
		return errUnknownTopicOrPartition
	}
	return nil
}

func shareError(err *share.Refusal) *apiError {
	if err == nil {
		return nil
	}
	return &apiError{code: err.Err.Code, message: err.Message}
}

// atShareState runs f on a partition's state under its lock.
func (b *Broker) atShareState(id string, topic [16]byte, partition int32, f func(p *sharePartition) *share.Refusal) (err *share.Refusal) {
	b.shares.with(share.PartitionKey{Group: id, Topic: topic, Partition: partition}, func(p *sharePartition) { err = f(p) })
	return err
}

// handleInitializeShareGroupState serves InitializeShareGroupState v0.
func (b *Broker) handleInitializeShareGroupState(r *request, req *kmsg.InitializeShareGroupStateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.InitializeShareGroupStateResponse)
	if req.GroupID == "" {
		return resp, nil
	}
	b.internalTopic(shareStateTopic)
	for _, t := range req.Topics {
		out := kmsg.NewInitializeShareGroupStateResponseTopic()
		out.TopicID = t.TopicID
		for _, p := range t.Partitions {
			answer := kmsg.NewInitializeShareGroupStateResponseTopicPartition()
			answer.Partition = p.Partition
			err := b.checkSharePlace(r, req.GroupID, t.TopicID, p.Partition)
			if p.Partition >= 0 {
				refused := b.atShareState(req.GroupID, t.TopicID, p.Partition, func(s *sharePartition) *share.Refusal {
					if err != nil {
						return s.fenced(p.StateEpoch)
					}
					return b.shares.initialize(s, p.StateEpoch, p.StartOffset)
				})
				if refused != nil {
					err = shareError(refused)
				}
			}
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// fenced refuses an older state epoch. It needs p.mu.
func (p *sharePartition) fenced(epoch int32) *share.Refusal {
	if p.state == nil {
		return nil
	}
	_, _, err := share.Initialize(p.state, p.key, epoch, p.state.Start, 0)
	return err
}

// handleReadShareGroupState serves ReadShareGroupState v0.
func (b *Broker) handleReadShareGroupState(r *request, req *kmsg.ReadShareGroupStateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateResponse)
	if req.GroupID == "" {
		return resp, nil
	}
	for _, t := range req.Topics {
		out := kmsg.NewReadShareGroupStateResponseTopic()
		out.TopicID = t.TopicID
		for _, p := range t.Partitions {
			answer := kmsg.NewReadShareGroupStateResponseTopicPartition()
			answer.Partition = p.Partition
			err := b.checkSharePlace(r, req.GroupID, t.TopicID, p.Partition)
			if p.Partition >= 0 {
				refused := b.atShareState(req.GroupID, t.TopicID, p.Partition, func(s *sharePartition) *share.Refusal {
					leaderEpoch := p.LeaderEpoch
					if err != nil {
						leaderEpoch = -1 // only look
					}
					records, refused := share.Read(s.state, s.key, leaderEpoch, b.shares.updatesPerSnapshot(), b.nowMs())
					if refused != nil || err != nil {
						return refused
					}
					b.shares.store(s.key, records...)
					answer.StateEpoch, answer.StartOffset = s.state.StateEpoch, s.state.Start
					for _, sb := range s.state.Batches {
						as := kmsg.NewReadShareGroupStateResponseTopicPartitionStateBatch()
						as.FirstOffset, as.LastOffset, as.DeliveryState, as.DeliveryCount = sb.First, sb.Last, int8(sb.State), sb.DeliveryCount
						answer.StateBatches = append(answer.StateBatches, as)
					}
					return nil
				})
				if refused != nil {
					err = shareError(refused)
				}
			}
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// handleWriteShareGroupState serves WriteShareGroupState v0-v1 (v1: how many
// deliveries are complete).
func (b *Broker) handleWriteShareGroupState(r *request, req *kmsg.WriteShareGroupStateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.WriteShareGroupStateResponse)
	if req.GroupID == "" {
		return resp, nil
	}
	for _, t := range req.Topics {
		out := kmsg.NewWriteShareGroupStateResponseTopic()
		out.TopicID = t.TopicID
		for _, p := range t.Partitions {
			answer := kmsg.NewWriteShareGroupStateResponseTopicPartition()
			answer.Partition = p.Partition
			err := b.checkSharePlace(r, req.GroupID, t.TopicID, p.Partition)
			if p.Partition >= 0 {
				w := share.Write{StateEpoch: p.StateEpoch, Start: p.StartOffset, Complete: p.DeliveryCompleteCount}
				if req.Version == 0 {
					w.Complete = -1
				}
				for _, sb := range p.StateBatches {
					w.Batches = append(w.Batches, share.StateBatch{
						Range: share.Range{First: sb.FirstOffset, Last: sb.LastOffset}, State: share.RecordState(sb.DeliveryState), DeliveryCount: sb.DeliveryCount,
					})
				}
				refused := b.atShareState(req.GroupID, t.TopicID, p.Partition, func(s *sharePartition) *share.Refusal {
					if s.state == nil || err == nil {
						record, refused := share.Put(s.state, s.key, p.LeaderEpoch, w, b.shares.updatesPerSnapshot(), b.nowMs())
						if refused == nil {
							b.shares.store(s.key, record)
						}
						return refused
					}
					return nil
				})
				if refused != nil {
					err = shareError(refused)
				}
			}
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// handleDeleteShareGroupState serves DeleteShareGroupState v0.
func (b *Broker) handleDeleteShareGroupState(r *request, req *kmsg.DeleteShareGroupStateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteShareGroupStateResponse)
	if req.GroupID == "" {
		return resp, nil
	}
	for _, t := range req.Topics {
		out := kmsg.NewDeleteShareGroupStateResponseTopic()
		out.TopicID = t.TopicID
		for _, p := range t.Partitions {
			answer := kmsg.NewDeleteShareGroupStateResponseTopicPartition()
			answer.Partition = p.Partition
			err := b.checkSharePlace(r, req.GroupID, t.TopicID, p.Partition)
			if err == nil {
				_ = b.atShareState(req.GroupID, t.TopicID, p.Partition, func(s *sharePartition) *share.Refusal {
					if s.state != nil {
						b.shares.store(s.key, share.Tombstone(s.key))
						s.state = nil
					}
					return nil
				})
			}
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// handleReadShareGroupStateSummary serves ReadShareGroupStateSummary v0-v1 (v1:
// how many deliveries are complete).
func (b *Broker) handleReadShareGroupStateSummary(r *request, req *kmsg.ReadShareGroupStateSummaryRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateSummaryResponse)
	if req.GroupID == "" {
		return resp, nil
	}
	for _, t := range req.Topics {
		out := kmsg.NewReadShareGroupStateSummaryResponseTopic()
		out.TopicID = t.TopicID
		for _, p := range t.Partitions {
			answer := kmsg.NewReadShareGroupStateSummaryResponseTopicPartition()
			answer.Partition = p.Partition
			err := b.checkSharePlace(r, req.GroupID, t.TopicID, p.Partition)
			if err == nil {
				answer.StartOffset, answer.DeliveryCompleteCount = -1, -1
				if s := b.shares.summary(share.PartitionKey{Group: req.GroupID, Topic: t.TopicID, Partition: p.Partition}); s != nil {
					answer.StateEpoch, answer.LeaderEpoch, answer.StartOffset, answer.DeliveryCompleteCount = s.StateEpoch, s.LeaderEpoch, s.Start, s.Complete
				}
			}
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// summary is a copy of a partition's state; nil: it has none.
func (s *shares) summary(key share.PartitionKey) *share.State {
	p := s.find(key)
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Clone()
}
