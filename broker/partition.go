package broker

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/protocol/record"
	"minibroker/storage"
)

// partition is one partition's live state: it stays the same object while
// images come and go, until its topic is deleted.
type partition struct {
	topicName string
	topicID   [16]byte
	index     int32

	// leadership and settings are replaced whole, by the controller.
	leadership atomic.Pointer[leadership]
	settings   atomic.Pointer[topicSettings]
	// logDir is where AlterReplicaLogDirs put it; nil: where it was made.
	logDir atomic.Pointer[string]

	// mu is held to append, to move offsets and to collect waiters, never
	// while anything waits. Readers of the log take no lock.
	mu        sync.Mutex
	deleted   bool // the topic is gone: appends and waits fail
	log       *storage.Log
	producers *producerStates // nil until an idempotent producer writes
	txns      partitionTxns
	waiters   waitList
	owed      []*marker // for transactions that ended while there was no leader
	watched   []int32   // followers on which a timer looks
	// followers is replaced whole, with mu held: see behind.
	followers atomic.Pointer[[]follower]

	// highWatermark is the offset up to which consumers may read: all
	// in-sync replicas have the records below. It is stored after the log
	// has them, so a reader that loads it first finds all of them.
	highWatermark atomic.Int64

	// epochStart is where the log ended when the leader epoch began.
	epochStart atomic.Int64

	// cleanAt is when the janitor looks at the log, in ms; storage.Never: not
	// before something happens. It is written under janitor.mu.
	cleanAt atomic.Int64
	heapAt  int // place in the janitor's heap, from 1; under janitor.mu
}

// newPartition makes an empty partition of t. Nobody sees it until an image
// has it.
func (b *Broker) newPartition(t *topic, index int32, l *leadership) *partition {
	p := &partition{topicName: t.name, topicID: t.id, index: index, log: storage.New(0)}
	p.leadership.Store(l)
	for _, id := range l.replicas {
		if len(l.isr) < len(l.replicas) && !slices.Contains(l.isr, id) {
			p.put(follower{id: id, since: b.nowMs()}) // its broker is stopped
		}
	}
	p.settings.Store(t.settings)
	p.cleanAt.Store(storage.Never)
	return p
}

// moment is what readers see of a partition, and what those wait for that found
// too little.
type moment struct {
	leadership    *leadership
	highWatermark int64
	lastStable    int64
	followers     *[]follower
}

// moment reads the partition's offsets. It takes no lock.
func (p *partition) moment() moment {
	l, followers := p.leadership.Load(), p.followers.Load()
	high := p.highWatermark.Load()
	return moment{leadership: l, highWatermark: high, lastStable: p.lastStableOffset(high), followers: followers}
}

// appended is what became of a batch.
type appended struct {
	base      int64
	duplicate bool // of a batch that is stored already, at base
	timestamp int64
}

// errNotInTransaction refuses records of a transaction that is not open on the
// partition: its coordinator must be asked whether it should be.
var errNotInTransaction = fail(kerr.InvalidTxnState, "Record was not part of an ongoing transaction")

// errNotLeader refuses what only the leader may write.
var errNotLeader = &apiError{code: kerr.NotLeaderForPartition.Code, message: kerr.NotLeaderForPartition.Message}

// append adds one checked batch to p's log, makes it readable and wakes who
// waits for it. now is in ms. Records of a transaction may open it on p.
func (b *Broker) append(p *partition, batch record.Batch, now int64) (appended, *apiError) {
	return b.appendTo(p, batch, now, checked, nil)
}

// opening says what a batch of a transaction may open.
type opening uint8

const (
	checked       opening = iota // anything: the coordinator has been asked, or need not be
	openOnly                     // nothing: its transaction is open already, or errNotInTransaction
	opensFromZero                // a transaction, by a record with sequence number 0 of a producer without batches (KIP-890)
)

// appendTo is append, which fails with errNotLeader if at names a broker that
// does not lead.
func (b *Broker) appendTo(p *partition, batch record.Batch, now int64, may opening, at *node) (appended, *apiError) {
	var expireAfter int64
	if batch.HasProducer() {
		expireAfter = b.producerExpiry()
	}
	p.mu.Lock()
	if l := p.leadership.Load(); l.leader < 0 || at != nil && l.leader != at.id {
		p.mu.Unlock()
		return appended{}, errNotLeader
	}
	a, err := p.append(batch, now, expireAfter, may)
	if err != nil || a.duplicate {
		p.mu.Unlock()
		return a, err
	}
	b.replicate(p, a.base, now)
	waiting := p.waiters.take()
	b.janitor.at(p, b.janitor.dueAfterAppend(p, &p.settings.Load().log, now))
	p.mu.Unlock()
	waiting.wakeAll()
	b.changes.happened()
	return a, nil
}

// append needs mu. expireAfter is for producers, in ms.
func (p *partition) append(batch record.Batch, now, expireAfter int64, may opening) (appended, *apiError) {
	if p.deleted {
		return appended{}, errUnknownTopicOrPartition
	}
	producer := batch.HasProducer()
	if producer {
		known := p.producers.get(batch.ProducerID(), now, expireAfter)
		if may == openOnly && batch.Attributes().Transactional() && !known.inTransaction(batch.ProducerEpoch()) {
			return appended{}, errNotInTransaction
		}
		if first := batch.BaseSequence(); may == opensFromZero && first != 0 && (known == nil || known.newest() == nil) {
			return appended{}, fail(kerr.OutOfOrderSequenceNumber, "Invalid sequence number for producer %d: %d (incoming seq. number), expected 0", batch.ProducerID(), first)
		}
		same, err := known.check(batch)
		if err != nil {
			return appended{}, err
		}
		if same != nil {
			return appended{base: same.baseOffset, timestamp: same.timestamp, duplicate: true}, nil
		}
	}
	base := p.log.Append(batch, p.leadership.Load().leaderEpoch, &p.settings.Load().log, now)
	if producer {
		var began bool
		if p.producers, began = p.producers.appended(batch, base, now, expireAfter); began {
			p.txns.begin(batch.ProducerID(), base)
		}
	}
	return appended{base: base, timestamp: batch.MaxTimestamp()}, nil
}

// delete ends the partition: its topic is gone. Its log is left to those who
// still read it.
func (p *partition) delete() {
	p.mu.Lock()
	p.deleted = true
	waiting := p.waiters.take()
	p.mu.Unlock()
	waiting.wakeAll()
}
