package broker

import (
	"sync"
	"time"

	"minibroker/broker/group"
	"minibroker/broker/txn"
	"minibroker/protocol/record"
)

// This file owns how the groups' records get into __consumer_offsets.

// noProducer is who writes what belongs to no transaction.
var noProducer = txn.Nobody

// storeGroupRecords appends records of a group to its partition of
// __consumer_offsets, as part of a producer's transaction unless that is
// noProducer; only then it can fail. It is called with the group's lock held, so
// that records are stored in the order in which things happened, and before the
// answers go out. None of the checks on what clients write apply.
//
// The topic was made when the group was. If somebody has deleted it since, the
// group lives on without it.
func (b *Broker) storeGroupRecords(id string, by txn.Producer, records []group.Record, now time.Time) *apiError {
	if len(records) == 0 {
		return nil
	}
	t := b.image.Load().topic(groupMetadataTopic)
	if t == nil {
		return nil
	}
	p := t.partitionOf(id)
	w := groupRecordWriters.Get().(*groupRecordWriter)
	defer w.release()
	ms := now.UnixMilli()
	for len(records) > 0 {
		n := w.build(records, by, ms, p.settings.Load().limits.MaxMessageBytes)
		if _, err := b.append(p, w.batch, ms); err != nil {
			if by == noProducer {
				return nil // the topic is being deleted
			}
			return err
		}
		records = records[n:]
	}
	return nil
}

// groupRecordWriter builds batches in memory that is used again and again.
type groupRecordWriter struct {
	builder record.Builder
	batch   record.Batch
}

var groupRecordWriters = sync.Pool{New: func() any { return new(groupRecordWriter) }}

// release gives the writer back, unless it has grown large.
func (w *groupRecordWriter) release() {
	if cap(w.batch) <= 64<<10 {
		groupRecordWriters.Put(w)
	}
}

// build makes a batch of the first n records: all, if they fit a batch of limit
// bytes or are part of a transaction.
func (w *groupRecordWriter) build(records []group.Record, by txn.Producer, ms int64, limit int) (n int) {
	w.builder.Reset(record.None, 0)
	if by != noProducer {
		w.builder.ProducerID, w.builder.ProducerEpoch, w.builder.Transactional = by.ID, by.Epoch, true
	}
	for n < len(records) {
		r := &records[n]
		const overhead = 24 // at most, of one such record
		if n > 0 && by == noProducer && w.builder.Len()+len(r.Key)+len(r.Value)+overhead > limit {
			break
		}
		w.builder.Add(record.Record{Offset: int64(n), Timestamp: ms, Key: r.Key, Value: r.Value})
		n++
	}
	w.batch, _ = w.builder.Build(w.batch[:0]) // rising offsets and no codec: cannot fail
	return n
}
