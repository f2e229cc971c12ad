package broker

import (
	"slices"

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
	tell := newMarkersTold(resp)
	for i := range req.Markers {
		asked := &req.Markers[i]
		by := txn.Producer{ID: asked.ProducerID, Epoch: asked.ProducerEpoch}
		mark := newMarker(asked.Committed, by, asked.CoordinatorEpoch, asked.TransactionVersion >= int8(txn.V2), b.nowMs())
		if !possible(asked, m) {
			return markersFailed(req), nil
		}
		written := make(map[txn.Partition]struct{})
		for j := range asked.Topics {
			t := m.topic(asked.Topics[j].Topic)
			for _, index := range asked.Topics[j].Partitions {
				at := txn.Partition{Topic: asked.Topics[j].Topic, Index: index}
				if _, twice := written[at]; twice {
					continue
				}
				written[at] = struct{}{}
				tell.add(asked.ProducerID, at, b.writeMarker(r, t.partition(index), mark))
			}
		}
	}
	return resp, nil
}

// possible tells whether there can be such a marker. Apache Kafka does not check;
// it fails when it makes one for a partition that exists.
func possible(asked *kmsg.WriteTxnMarkersRequestMarker, m *image) bool {
	if asked.ProducerID != -1 && asked.ProducerEpoch != -1 && asked.TransactionVersion >= 0 {
		return true
	}
	return !slices.ContainsFunc(asked.Topics, func(t kmsg.WriteTxnMarkersRequestMarkerTopic) bool {
		return slices.ContainsFunc(t.Partitions, func(index int32) bool { return m.topic(t.Topic).partition(index) != nil })
	})
}

// markersFailed is the answer where one of the markers cannot be: none is said to
// be written, even those that were before it.
func markersFailed(req *kmsg.WriteTxnMarkersRequest) *kmsg.WriteTxnMarkersResponse {
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	tell := newMarkersTold(resp)
	for i := range req.Markers {
		for _, t := range req.Markers[i].Topics {
			for _, index := range t.Partitions {
				tell.add(req.Markers[i].ProducerID, txn.Partition{Topic: t.Topic, Index: index}, kerr.UnknownServerError.Code)
			}
		}
	}
	return resp
}

// markersTold fills the answer to WriteTxnMarkers: one entry for each producer
// and topic of which there is something to tell.
type markersTold struct {
	resp    *kmsg.WriteTxnMarkersResponse
	markers map[int64]int
	topics  map[producerTopic]int
}

type producerTopic struct {
	producerID int64
	topic      string
}

func newMarkersTold(resp *kmsg.WriteTxnMarkersResponse) *markersTold {
	return &markersTold{resp: resp, markers: make(map[int64]int), topics: make(map[producerTopic]int)}
}

func (m *markersTold) add(producerID int64, at txn.Partition, code int16) {
	i, known := m.markers[producerID]
	if !known {
		i = len(m.resp.Markers)
		m.markers[producerID] = i
		m.resp.Markers = append(m.resp.Markers, kmsg.WriteTxnMarkersResponseMarker{ProducerID: producerID})
	}
	topics := &m.resp.Markers[i].Topics
	j, known := m.topics[producerTopic{producerID, at.Topic}]
	if !known {
		j = len(*topics)
		m.topics[producerTopic{producerID, at.Topic}] = j
		*topics = append(*topics, kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: at.Topic})
	}
	(*topics)[j].Partitions = append((*topics)[j].Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: at.Index, ErrorCode: code})
}

// writeMarker writes one marker that a client sent, and returns an error code.
func (b *Broker) writeMarker(r *request, p *partition, m *marker) int16 {
	if p == nil {
		return kerr.UnknownTopicOrPartition.Code
	}
	if p.leadership.Load().leader != r.node.id {
		return kerr.NotLeaderForPartition.Code
	}
	if m.producer.Epoch < 0 {
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
