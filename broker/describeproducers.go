package broker

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDescribeProducers serves DescribeProducers v0 (KIP-664): who has lately
// written to a partition, and which of them has a transaction open.
func (b *Broker) handleDescribeProducers(r *request, req *kmsg.DescribeProducersRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	m := b.image.Load()
	now, expiry := b.nowMs(), b.producerExpiry()
	for i := range req.Topics {
		asked := &req.Topics[i]
		t := m.topic(asked.Topic)
		answer := kmsg.NewDescribeProducersResponseTopic()
		answer.Topic = asked.Topic
		for _, index := range asked.Partitions {
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition = index
			switch on := t.partition(index); {
			case !r.mayTopic(kmsg.ACLOperationRead, asked.Topic):
				p.ErrorCode, p.ErrorMessage = codeAndText(errTopicDenied)
			case t == nil && invalidTopicName(asked.Topic) != "":
				p.ErrorCode, p.ErrorMessage = kerr.InvalidTopicException.Code, kmsg.StringPtr(invalidTopicName(asked.Topic))
			case t == nil:
				p.ErrorCode, p.ErrorMessage = codeAndText(errUnknownTopicOrPartition)
			case on == nil:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case !slices.Contains(on.leadership.Load().replicas, r.node.id):
				p.ErrorCode = kerr.NotLeaderForPartition.Code
			default:
				p.ActiveProducers = on.activeProducers(now, expiry)
			}
			answer.Partitions = append(answer.Partitions, p)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// activeProducers is the partition's producers by id.
func (p *partition) activeProducers(now, expireAfter int64) (active []kmsg.DescribeProducersResponseTopicPartitionActiveProducer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.producers == nil {
		return nil
	}
	for id, s := range p.producers.byID {
		if s.expired(now, expireAfter) {
			continue
		}
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch = id, int32(s.epoch)
		a.LastTimestamp, a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.lastTimestamp, s.coordinatorEpoch, s.txnFirst
		if newest := s.newest(); newest != nil {
			a.LastSequence = newest.lastSeq
		}
		active = append(active, a)
	}
	slices.SortFunc(active, func(a, b kmsg.DescribeProducersResponseTopicPartitionActiveProducer) int {
		return cmp.Compare(a.ProducerID, b.ProducerID)
	})
	return active
}
