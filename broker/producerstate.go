package broker

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/protocol/record"
	"minibroker/storage"
)

// This file owns what a partition remembers of idempotent producers (KIP-98,
// org.apache.kafka.storage.internals.log.ProducerStateManager and
// ProducerAppendInfo). It is pure: the caller has the lock and tells the time.

// rememberedBatches is how many batches of a producer are known again when
// they are sent twice; clients keep at most this many requests in flight.
const rememberedBatches = 5

// producerStates is the idempotent and transactional producers of one partition, by producer id.
type producerStates struct {
	byID map[int64]*producerState
	// sweepAt is the number of producers at which expired ones are looked
	// for; what has expired counts as gone even before.
	sweepAt int
}

// producerState is one producer's newest batches.
type producerState struct {
	epoch    int16 // record.NoProducerEpoch until the first batch
	count    uint8 // of batches remembered
	next     uint8 // where in batches the next one goes
	lastSeen int64 // when the newest batch or marker came, on the broker's clock, in ms
	batches  [rememberedBatches]producerBatch

	txnFirst         int64 // where its open transaction begins; -1: none is open
	coordinatorEpoch int32 // of its newest marker; -1: there was none
	lastTimestamp    int64 // of the newest batch or marker
}

func newProducerState(epoch int16) producerState {
	return producerState{epoch: epoch, txnFirst: -1, coordinatorEpoch: -1, lastTimestamp: record.NoTimestamp}
}

// renewed is the state at the beginning of another epoch.
func (s *producerState) renewed(epoch int16) producerState {
	next := newProducerState(epoch)
	next.txnFirst, next.coordinatorEpoch = s.txnFirst, s.coordinatorEpoch
	return next
}

// inTransaction says whether the producer has a transaction open in its current
// epoch; s is nil where nothing is known of it.
func (s *producerState) inTransaction(epoch int16) bool {
	return s != nil && s.txnFirst >= 0 && s.epoch == epoch
}

// producerBatch is one batch that was appended.
type producerBatch struct {
	firstSeq, lastSeq int32
	baseOffset        int64
	timestamp         int64 // its max timestamp
}

// newest is the batch appended last; nil in a new epoch without batches.
func (s *producerState) newest() *producerBatch {
	if s.count == 0 {
		return nil
	}
	return &s.batches[(s.next+rememberedBatches-1)%rememberedBatches]
}

// get finds a producer that has not expired; nil where nothing is known of it.
func (ps *producerStates) get(id, now, expireAfter int64) *producerState {
	if ps == nil {
		return nil
	}
	s := ps.byID[id]
	if s == nil || s.expired(now, expireAfter) {
		return nil
	}
	return s
}

func (s *producerState) expired(now, expireAfter int64) bool {
	return s.txnFirst < 0 && now-s.lastSeen >= expireAfter
}

// check says whether b may be appended after what is known of its producer: s
// is nil where that is nothing. If b is one of the remembered batches, sent
// again, that one is returned.
func (s *producerState) check(b record.Batch) (duplicate *producerBatch, err *apiError) {
	epoch, first := b.ProducerEpoch(), b.BaseSequence()
	if s == nil {
		// Any first sequence: the records before may have been deleted,
		// and the producer forgotten with them (KIP-360).
		return nil, nil
	}
	// What the group coordinator writes for a producer has no sequence numbers.
	numbered := first != record.NoSequence
	if epoch == s.epoch && numbered {
		last := b.LastSequence()
		for i := range s.batches[:s.count] {
			if d := &s.batches[i]; d.firstSeq == first && d.lastSeq == last {
				return d, nil
			}
		}
	}
	id := b.ProducerID()
	switch {
	case epoch < s.epoch:
		return nil, fail(kerr.InvalidProducerEpoch, "Epoch of producer %d is %d, which is smaller than the last seen epoch %d", id, epoch, s.epoch)
	case !numbered:
	case epoch > s.epoch:
		if first != 0 {
			return nil, fail(kerr.OutOfOrderSequenceNumber, "Invalid sequence number for new epoch of producer %d: %d (request epoch), %d (seq. number), %d (current producer epoch)", id, epoch, first, s.epoch)
		}
	default:
		end := record.NoSequence // in an epoch that began with a marker
		if newest := s.newest(); newest != nil {
			end = newest.lastSeq
		}
		if !follows(end, first) {
			return nil, fail(kerr.OutOfOrderSequenceNumber, "Out of order sequence number for producer %d: %d (incoming seq. number), %d (current end sequence number)", id, first, end)
		}
	}
	if s.txnFirst >= 0 && !b.Attributes().Transactional() {
		return nil, fail(kerr.InvalidTxnState, "Expected transactional write from producer %d", id)
	}
	return nil, nil
}

// follows says whether next is the sequence number after last; they wrap to 0.
func follows(last, next int32) bool {
	if last == math.MaxInt32 {
		return next == 0
	}
	return next == last+1
}

// appended remembers b, which check let pass and which got the offset base. It
// returns the states, which it makes for a partition's first producer, and
// whether a transaction began with b.
func (ps *producerStates) appended(b record.Batch, base, now, expireAfter int64) (_ *producerStates, began bool) {
	ps, s := ps.at(b.ProducerID(), b.ProducerEpoch(), now, expireAfter)
	s.batches[s.next] = producerBatch{firstSeq: b.BaseSequence(), lastSeq: b.LastSequence(), baseOffset: base, timestamp: b.MaxTimestamp()}
	s.next = (s.next + 1) % rememberedBatches
	s.count = min(s.count+1, rememberedBatches)
	s.lastSeen, s.lastTimestamp = now, b.MaxTimestamp()
	if s.txnFirst < 0 && b.Attributes().Transactional() {
		s.txnFirst = base
		return ps, true
	}
	return ps, false
}

// ended remembers a marker, which checkMarker let pass. It returns the states,
// as appended does, and where the transaction began that it ended; -1 where none
// was open.
func (ps *producerStates) ended(m *marker, expireAfter int64) (_ *producerStates, first int64) {
	ps, s := ps.at(m.producer.ID, m.producer.Epoch, m.now, expireAfter)
	first, s.txnFirst = s.txnFirst, -1
	s.coordinatorEpoch = m.coordinatorEpoch
	s.lastSeen, s.lastTimestamp = m.now, m.now
	return ps, first
}

// at is the state of a producer that writes in an epoch, which begins anew if it
// is another one.
func (ps *producerStates) at(id int64, epoch int16, now, expireAfter int64) (*producerStates, *producerState) {
	if ps == nil {
		ps = &producerStates{byID: make(map[int64]*producerState, 1), sweepAt: 64}
	}
	s := ps.byID[id]
	switch {
	case s == nil:
		if len(ps.byID) >= ps.sweepAt {
			ps.sweep(now, expireAfter)
		}
		s = new(producerState)
		*s = newProducerState(epoch)
		ps.byID[id] = s
	case s.expired(now, expireAfter):
		*s = newProducerState(epoch)
	case epoch != s.epoch:
		*s = s.renewed(epoch)
	}
	return ps, s
}

// sweep forgets expired producers. It runs when their number has doubled, so
// its cost per new producer is constant.
func (ps *producerStates) sweep(now, expireAfter int64) {
	for id, s := range ps.byID {
		if s.expired(now, expireAfter) {
			delete(ps.byID, id)
		}
	}
	ps.sweepAt = max(64, 2*len(ps.byID))
}

// last is what compaction must keep for the producers' sake; nil without any.
func (ps *producerStates) last(now, expireAfter int64) map[int64]storage.LastRecord {
	if ps == nil {
		return nil
	}
	last := make(map[int64]storage.LastRecord, len(ps.byID))
	for id, s := range ps.byID {
		if s.expired(now, expireAfter) {
			continue
		}
		last[id] = storage.LastRecord{Offset: -1, Epoch: s.epoch}
		if b := s.newest(); b != nil {
			records := int64((b.lastSeq - b.firstSeq) & math.MaxInt32)
			last[id] = storage.LastRecord{Offset: b.baseOffset + records, Epoch: s.epoch}
		}
	}
	return last
}
