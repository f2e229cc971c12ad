package broker

import (
	"math"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/protocol/record"
)

// This file owns who has a transactional id: the producer id that stays with
// it, and the epoch that grows with each producer that takes it over, so that
// the one before is fenced (KIP-98, KIP-360,
// org.apache.kafka.coordinator.transaction.TransactionMetadata).

// producerName is a producer id with its epoch; -1 and -1 is none.
type producerName struct {
	id    int64
	epoch int16
}

// exhausted says that no producer can get a higher epoch: the highest is kept
// for fencing by the coordinator itself.
func (n producerName) exhausted() bool { return n.epoch >= math.MaxInt16-1 }

// transactions is all transactional ids.
type transactions struct {
	mu   sync.Mutex
	byID map[string]*transactionalID
}

type transactionalID struct {
	current producerName
	// before is what the producer had that asked for current, so that it
	// gets the same again when it asks twice; -1 where it named nothing.
	before producerName
}

// init gives a transactional id to the producer that asks for it. has is the id
// and epoch that the producer says it has.
func (t *transactions) init(id string, has producerName, newID func() int64) (producerName, int16) {
	none := producerName{record.NoProducerID, record.NoProducerEpoch}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byID[id]
	if x == nil {
		if t.byID == nil {
			t.byID = make(map[string]*transactionalID)
		}
		x = &transactionalID{current: producerName{newID(), 0}, before: has}
		t.byID[id] = x
		return x.current, 0
	}
	before := none
	switch has {
	case none: // a new producer: whoever had the id is fenced
	case x.current:
		before = has
	case x.before:
		return x.current, 0 // it asks again: the answer got lost
	default:
		return none, kerr.ProducerFenced.Code
	}
	next := producerName{x.current.id, x.current.epoch + 1}
	if x.current.exhausted() {
		next = producerName{newID(), 0}
	}
	*x = transactionalID{current: next, before: before}
	return next, 0
}
