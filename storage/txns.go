package storage

import "minibroker/protocol/record"

// txnTracker follows transactions while compaction walks over batches, to tell aborted data from committed, and to keep each marker for as
// long as there is a batch that needs it: without its marker, a consumer with
// read_committed could not judge the batch (CleanedTransactionMetadata).
type txnTracker struct {
	queue     []AbortedTxn // those ahead, by first offset
	aborted   map[int64]abortedData
	committed map[int64]bool // producers of which there is data since the last marker
}

// abortedData is a producer's open aborted transaction.
type abortedData struct {
	last int64 // offset of its marker
	seen bool  // is there any data of it?
}

func newTxnTracker(aborted []AbortedTxn) *txnTracker {
	return &txnTracker{queue: aborted, aborted: map[int64]abortedData{}, committed: map[int64]bool{}}
}

// advance opens the aborted transactions that begin up to b, and reports whether
// b is in one of its producer. A transaction ends with its offsets, too:
// compaction may have removed its marker before.
func (t *txnTracker) advance(b record.Batch) (a abortedData, ok bool) {
	for len(t.queue) > 0 && t.queue[0].FirstOffset <= b.LastOffset() {
		next := t.queue[0]
		t.aborted[next.ProducerID] = abortedData{last: next.LastOffset}
		t.queue = t.queue[1:]
	}
	a, ok = t.aborted[b.ProducerID()]
	return a, ok && b.BaseOffset() <= a.last
}

// data reports whether a batch that is no marker was aborted.
func (t *txnTracker) data(b record.Batch) (aborted bool) {
	a, ok := t.advance(b)
	switch {
	case !b.Attributes().Transactional():
		return false
	case ok:
		a.seen = true
		t.aborted[b.ProducerID()] = a
		return true
	}
	t.committed[b.ProducerID()] = true
	return false
}

// marker reports whether a control batch has no data left that it belongs to.
// Control batches that are no transaction markers always stay.
func (t *txnTracker) marker(b record.Batch) (idle bool) {
	a, ok := t.advance(b)
	id := b.ProducerID()
	if b.NumRecords() == 0 { // compaction emptied it before
		return true
	}
	switch controlType(b) {
	case record.Abort:
		seen := ok && a.seen || t.committed[id]
		delete(t.aborted, id)
		delete(t.committed, id)
		return !seen
	case record.Commit:
		seen := t.committed[id]
		delete(t.committed, id)
		return !seen
	}
	return false
}

// controlType is what a control batch's one record says; -1 if it says nothing
// that is known.
func controlType(b record.Batch) record.ControlType {
	for r, err := range b.Records(nil) {
		if kind, ok := record.ParseControlKey(r.Key); ok && err == nil {
			return kind
		}
		break
	}
	return -1
}
