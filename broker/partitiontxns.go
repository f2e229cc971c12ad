package broker

import (
	"cmp"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
	"minibroker/storage"
)

// This file owns a partition's transactions: which are open, which were aborted,
// and the markers that end them (KIP-98,
// org.apache.kafka.storage.internals.log.ProducerStateManager, TransactionIndex).

// partitionTxns is the transactions of one partition. Writers hold the
// partition's mu, readers nothing.
type partitionTxns struct {
	open []openTxn // by first offset
	// firstOpen is the first offset of the oldest open transaction, plus 1;
	// 0: none is open.
	firstOpen atomic.Int64
	// aborted is the transactions that were aborted, by the offset of the
	// marker. The slice is only ever appended to, or replaced.
	aborted atomic.Pointer[[]abortedTxn]
}

type openTxn struct{ producerID, first int64 }

type abortedTxn struct {
	storage.AbortedTxn
	// stable was the last stable offset after it ended: what is aborted later
	// begins there or behind.
	stable int64
}

// begin notes that a producer's transaction has its first record at an offset.
func (t *partitionTxns) begin(producerID, first int64) {
	t.open = append(t.open, openTxn{producerID, first})
	if len(t.open) == 1 {
		t.firstOpen.Store(first + 1)
	}
}

// end notes that a transaction that began at first was ended by the marker at
// last. logStart is where the log begins: nobody can ask for what was before.
func (t *partitionTxns) end(producerID, first, last int64, abort bool, logStart int64) {
	t.open = slices.DeleteFunc(t.open, func(o openTxn) bool { return o.producerID == producerID })
	stable, firstOpen := last+1, int64(0)
	if len(t.open) > 0 {
		stable = t.open[0].first
		firstOpen = stable + 1
	}
	if abort {
		var all []abortedTxn
		if old := t.aborted.Load(); old != nil {
			all = *old
			gone := sort.Search(len(all), func(i int) bool { return all[i].LastOffset >= logStart })
			if gone > len(all)/2 {
				all = slices.Clone(all[gone:])
			}
		}
		all = append(all, abortedTxn{storage.AbortedTxn{ProducerID: producerID, FirstOffset: first, LastOffset: last}, stable})
		t.aborted.Store(&all)
	}
	// Readers that see the new stable offset find the aborted ones below it.
	t.firstOpen.Store(firstOpen)
}

// abortedBetween is what a consumer must leave out of the records from one
// offset up to, and without, another (TransactionIndex.collectAbortedTxns).
func (t *partitionTxns) abortedBetween(from, upTo int64) (found []kmsg.FetchResponseTopicPartitionAbortedTransaction) {
	p := t.aborted.Load()
	if p == nil {
		return nil
	}
	all := *p
	for i := sort.Search(len(all), func(i int) bool { return all[i].LastOffset >= from }); i < len(all); i++ {
		a := &all[i]
		if a.FirstOffset < upTo {
			r := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			r.ProducerID, r.FirstOffset = a.ProducerID, a.FirstOffset
			found = append(found, r)
		}
		if a.stable >= upTo {
			break
		}
	}
	return found
}

// allAborted is all aborted transactions, by first offset, as compaction needs
// them.
func (t *partitionTxns) allAborted() []storage.AbortedTxn {
	p := t.aborted.Load()
	if p == nil {
		return nil
	}
	all := make([]storage.AbortedTxn, len(*p))
	for i := range *p {
		all[i] = (*p)[i].AbortedTxn
	}
	slices.SortFunc(all, func(a, b storage.AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return all
}

// lastStableOffset is the offset below which no transaction is open, and at
// most the high watermark.
func (p *partition) lastStableOffset(highWatermark int64) int64 {
	first := p.txns.firstOpen.Load() - 1
	if first < 0 || first >= highWatermark {
		return highWatermark
	}
	// The beginning of the transaction may have been deleted.
	return max(first, min(p.log.StartOffset(), highWatermark))
}

// marker ends a producer's transaction on a partition.
type marker struct {
	commit           bool
	producer         txn.Producer
	coordinatorEpoch int32
	// strict is KIP-890: the marker has a newer epoch than the transaction, so
	// that it ends no transaction that began after it was sent.
	strict bool
	now    int64
	batch  record.Batch // made once for all partitions
}

func newMarker(commit bool, by txn.Producer, coordinatorEpoch int32, strict bool, now int64) *marker {
	kind := record.Abort
	if commit {
		kind = record.Commit
	}
	return &marker{
		commit: commit, producer: by, coordinatorEpoch: coordinatorEpoch, strict: strict, now: now,
		batch: record.EndTxnMarker(kind, by.ID, by.Epoch, coordinatorEpoch, now),
	}
}

// endTransaction writes a marker to p, and makes readable for all what it ends.
func (b *Broker) endTransaction(p *partition, m *marker) *apiError {
	p.mu.Lock()
	if p.leadership.Load().leader < 0 && !p.deleted {
		p.owed = append(p.owed, m) // Kafka's coordinator tries until there is one
		p.mu.Unlock()
		return nil
	}
	at, err := p.end(m, b.producerExpiry())
	if err != nil {
		p.mu.Unlock()
		return err
	}
	b.replicate(p, at, m.now)
	waiting := p.waiters.take()
	b.janitor.at(p, b.janitor.dueAfterAppend(p, &p.settings.Load().log, m.now))
	p.mu.Unlock()
	waiting.wakeAll()
	return nil
}

// end appends a marker and returns its offset. It needs mu.
func (p *partition) end(m *marker, expireAfter int64) (at int64, err *apiError) {
	if p.deleted {
		return 0, errUnknownTopicOrPartition
	}
	if err := p.producers.get(m.producer.ID, m.now, expireAfter).checkMarker(m); err != nil {
		return 0, err
	}
	at = p.log.Append(m.batch, p.leadership.Load().leaderEpoch, &p.settings.Load().log, m.now)
	if m.producer.ID < 0 {
		return at, nil // nobody's: kept as a record alone (RecordBatch.hasProducerId)
	}
	var first int64
	p.producers, first = p.producers.ended(m, expireAfter)
	if first >= 0 {
		p.txns.end(m.producer.ID, first, at, !m.commit, p.log.StartOffset())
	}
	return at, nil
}

// checkMarker says whether m may end what s knows; s is nil where that is
// nothing.
func (s *producerState) checkMarker(m *marker) *apiError {
	switch {
	case s == nil:
		return nil
	case m.producer.Epoch < s.epoch, m.strict && m.producer.Epoch == s.epoch && s.txnFirst >= 0:
		return fail(kerr.InvalidProducerEpoch, "Epoch of producer %d is %d, which is smaller than the last seen epoch %d", m.producer.ID, m.producer.Epoch, s.epoch)
	case m.coordinatorEpoch < s.coordinatorEpoch:
		return fail(kerr.TransactionCoordinatorFenced, "Invalid coordinator epoch for producerId %d: %d (zombie), %d (current)", m.producer.ID, m.coordinatorEpoch, s.coordinatorEpoch)
	}
	return nil
}
