package broker

import (
	"math"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
)

// relearn makes what p knows of its producers and their transactions from what
// the log has, after a truncation
// (org.apache.kafka.storage.internals.log.UnifiedLog.rebuildProducerState). It
// needs mu.
func (p *partition) relearn() {
	const forever = math.MaxInt64
	p.producers = nil
	p.txns.open = nil
	p.txns.firstOpen.Store(0)
	p.txns.aborted.Store(nil)
	start := p.log.StartOffset()
	for batch := range p.log.Batches(start, p.log.EndOffset()) {
		switch {
		case !batch.HasProducer():
		case !batch.Attributes().Control():
			var began bool
			if p.producers, began = p.producers.appended(batch, batch.BaseOffset(), batch.MaxTimestamp(), forever); began {
				p.txns.begin(batch.ProducerID(), batch.BaseOffset())
			}
		default:
			m := markerOf(batch)
			var first int64
			if p.producers, first = p.producers.ended(m, forever); first >= 0 {
				p.txns.end(m.producer.ID, first, batch.BaseOffset(), !m.commit, start)
			}
		}
	}
}

// markerOf reads a control batch.
func markerOf(batch record.Batch) *marker {
	m := &marker{producer: txn.Producer{ID: batch.ProducerID(), Epoch: batch.ProducerEpoch()}, now: batch.MaxTimestamp()}
	for r, err := range batch.Records(nil) {
		if err == nil {
			kind, _ := record.ParseControlKey(r.Key)
			m.commit = kind == record.Commit
			m.coordinatorEpoch, _ = record.ParseEndTxnValue(r.Value)
		}
	}
	return m
}
