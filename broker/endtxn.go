package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
)

// handleEndTxn serves EndTxn v0-v5 (v2: PRODUCER_FENCED; v5: transactions V2,
// each end gives the producer a new epoch, KIP-890). All markers are written
// when the answer goes out.
func (b *Broker) handleEndTxn(r *request, req *kmsg.EndTxnRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	v := txn.V1
	if req.Version >= 5 {
		v = txn.V2
	}
	next, err := b.transactions.end(req.TransactionalID, txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, req.Commit, v)
	resp.ErrorCode = codeOf(olderFencing(err, req.Version >= 2))
	resp.ProducerID, resp.ProducerEpoch = next.ID, next.Epoch
	return resp, nil
}

// handleWriteTxnMarkers serves WriteTxnMarkers v0-v2 (v2: the transaction
// version, KIP-890). Coordinators send it to other brokers, and administrators
// to abort a transaction that no coordinator knows any more (KIP-664).
func (b *Broker) handleWriteTxnMarkers(r *request, req *kmsg.WriteTxnMarkersRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	m := b.image.Load()
	for i := range req.Markers {
		asked := &req.Markers[i]
		by := txn.Producer{ID: asked.ProducerID, Epoch: asked.ProducerEpoch}
		mark := newMarker(asked.Committed, by, asked.CoordinatorEpoch, asked.TransactionVersion >= int8(txn.V2), b.nowMs())
		done := kmsg.NewWriteTxnMarkersResponseMarker()
		done.ProducerID = asked.ProducerID
		for j := range asked.Topics {
			t := m.topic(asked.Topics[j].Topic)
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = asked.Topics[j].Topic
			for _, index := range asked.Topics[j].Partitions {
				p := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				p.Partition, p.ErrorCode = index, b.writeMarker(r, t.partition(index), mark)
				topic.Partitions = append(topic.Partitions, p)
			}
			done.Topics = append(done.Topics, topic)
		}
		resp.Markers = append(resp.Markers, done)
	}
	return resp, nil
}

// writeMarker writes one marker that a client sent, and returns an error code.
func (b *Broker) writeMarker(r *request, p *partition, m *marker) int16 {
	if p == nil {
		return kerr.UnknownTopicOrPartition.Code
	}
	if p.leadership.Load().leader != r.node.id {
		return kerr.NotLeaderForPartition.Code
	}
	if m.producer.ID < 0 || m.producer.Epoch < 0 {
		return kerr.UnknownServerError.Code // there is no such marker
	}
	if err := b.endTransaction(p, m); err != nil {
		return err.code
	}
	if p.topicName == groupMetadataTopic {
		b.groups.endTransaction(p, m.producer.ID, m.commit)
	}
	return 0
}
