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

// producerStates is the idempotent producers of one partition, by producer id.
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
	lastSeen int64 // when the newest batch came, on the broker's clock, in ms
	batches  [rememberedBatches]producerBatch
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
	return now-s.lastSeen >= expireAfter
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
	if epoch == s.epoch {
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
	case epoch > s.epoch:
		if first != 0 {
			return nil, fail(kerr.OutOfOrderSequenceNumber, "Invalid sequence number for new epoch of producer %d: %d (request epoch), %d (seq. number), %d (current producer epoch)", id, epoch, first, s.epoch)
		}
	default:
		if end := s.newest().lastSeq; !follows(end, first) {
			return nil, fail(kerr.OutOfOrderSequenceNumber, "Out of order sequence number for producer %d: %d (incoming seq. number), %d (current end sequence number)", id, first, end)
		}
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
// returns the states, which it makes for a partition's first producer.
func (ps *producerStates) appended(b record.Batch, base, now, expireAfter int64) *producerStates {
	if ps == nil {
		ps = &producerStates{byID: make(map[int64]*producerState, 1), sweepAt: 64}
	}
	id := b.ProducerID()
	s := ps.byID[id]
	if s == nil {
		if len(ps.byID) >= ps.sweepAt {
			ps.sweep(now, expireAfter)
		}
		s = &producerState{epoch: record.NoProducerEpoch}
		ps.byID[id] = s
	}
	if epoch := b.ProducerEpoch(); epoch != s.epoch || s.expired(now, expireAfter) {
		*s = producerState{epoch: epoch}
	}
	s.batches[s.next] = producerBatch{firstSeq: b.BaseSequence(), lastSeq: b.LastSequence(), baseOffset: base, timestamp: b.MaxTimestamp()}
	s.next = (s.next + 1) % rememberedBatches
	s.count = min(s.count+1, rememberedBatches)
	s.lastSeen = now
	return ps
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
		if b := s.newest(); b != nil && !s.expired(now, expireAfter) {
			records := int64((b.lastSeq - b.firstSeq) & math.MaxInt32)
			last[id] = storage.LastRecord{Offset: b.baseOffset + records, Epoch: s.epoch}
		}
	}
	return last
}
