package broker

import (
	"math"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/internal/clock"
	"minibroker/protocol/record"
)

// This file owns the transaction coordinator: it finds transactional ids, holds
// each one's lock, writes its records and markers and keeps its deadlines. What
// transactions do is in package txn.

// transactions is all transactional ids.
type transactions struct {
	b *Broker
	// since is when the broker started, in ms: the moments at which Apache
	// Kafka looks for what has timed out are counted from there.
	since int64

	mu   sync.Mutex // to find, add and remove; a leaf
	byID map[string]*transaction
}

// transaction is one transactional id with its lock and its timer.
type transaction struct {
	id   string
	mu   sync.Mutex
	m    *txn.Transaction
	gone bool // dropped from transactions.byID: look again

	timer   clock.Timer // nil until there is a deadline
	timerAt int64       // in ms; never: the timer is not set
}

const never int64 = math.MaxInt64

// with runs f on a transactional id under its lock; false if nobody ever had it
// and it is not to be created.
func (s *transactions) with(id string, create bool, f func(x *transaction, now int64)) bool {
	for {
		x := s.find(id, create)
		if x == nil {
			return false
		}
		x.mu.Lock()
		if x.gone {
			x.mu.Unlock()
			continue
		}
		now := s.b.nowMs()
		f(x, now)
		s.arm(x, now)
		x.mu.Unlock()
		return true
	}
}

func (s *transactions) find(id string, create bool) *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byID[id]
	if x == nil && create {
		x = &transaction{id: id, m: txn.New(id), timerAt: never}
		s.byID[id] = x
	}
	return x
}

// init gives a transactional id to the producer that asks for it.
func (s *transactions) init(id string, timeout int32, has txn.Producer) (got txn.Producer, code int16) {
	s.b.internalTopic(transactionStateTopic)
	s.with(id, true, func(x *transaction, now int64) {
		var end *txn.End
		var err *kerr.Error
		got, end, err = x.m.Init(now, timeout, has, s.b.newProducerID)
		code = codeOf(err)
		switch {
		case end != nil:
			s.finish(x, end, now)
		case err == nil:
			s.store(x, now)
		}
	})
	return got, code
}

// add makes partitions part of a producer's transaction.
func (s *transactions) add(id string, by txn.Producer, v txn.Version, partitions ...txn.Partition) (err *kerr.Error) {
	if id == "" {
		return kerr.InvalidRequest
	}
	if !s.with(id, false, func(x *transaction, now int64) {
		err = s.addTo(x, now, by, v, partitions...)
	}) {
		return kerr.InvalidProducerIDMapping
	}
	return err
}

func (s *transactions) addTo(x *transaction, now int64, by txn.Producer, v txn.Version, partitions ...txn.Partition) *kerr.Error {
	changed, err := x.m.Add(now, by, v, partitions...)
	if changed {
		s.store(x, now)
	}
	return err
}

// verify says whether partitions are part of a producer's transaction, each by
// its own error.
func (s *transactions) verify(id string, by txn.Producer, partition txn.Partition) (err *kerr.Error) {
	if id == "" {
		return kerr.InvalidRequest
	}
	if !s.with(id, false, func(x *transaction, now int64) { err = x.m.Verify(by, partition) }) {
		return kerr.InvalidProducerIDMapping
	}
	return err
}

// within runs f if a partition is part of a producer's transaction, which cannot
// end meanwhile: so nothing is written that no marker would follow. Clients of
// V2 leave it to the broker to add the partition. In V1 the error is
// TRANSACTION_ABORTABLE if it was not added.
func (s *transactions) within(id string, by txn.Producer, v txn.Version, partition txn.Partition, f func()) (err *kerr.Error) {
	if id == "" {
		return kerr.InvalidRequest
	}
	if v == txn.V2 && !s.b.transactionsV2() {
		return kerr.UnsupportedVersion
	}
	if !s.with(id, false, func(x *transaction, now int64) {
		if v == txn.V2 {
			err = s.addTo(x, now, by, v, partition)
		} else {
			err = x.m.Verify(by, partition)
		}
		if err == nil {
			f()
		}
	}) {
		return kerr.InvalidProducerIDMapping
	}
	return err
}

// end commits or aborts a producer's transaction. next is what the producer must
// use from then on.
func (s *transactions) end(id string, by txn.Producer, commit bool, v txn.Version) (next txn.Producer, err *kerr.Error) {
	if id == "" {
		return txn.Nobody, kerr.InvalidRequest
	}
	if !s.with(id, false, func(x *transaction, now int64) {
		var e *txn.End
		e, err = x.m.End(now, by, commit, v, s.b.newProducerID)
		if e != nil {
			s.finish(x, e, now)
		}
		next = x.m.Current()
	}) {
		err = kerr.InvalidProducerIDMapping
	}
	if err != nil {
		return txn.Nobody, err
	}
	return next, nil
}

// finish ends a transaction everywhere. It needs the transaction's lock, and
// takes those of groups and partitions below it.
func (s *transactions) finish(x *transaction, e *txn.End, now int64) {
	s.store(x, now) // from here on it is decided
	m := s.b.image.Load()
	marker := newMarker(e.Commit, e.Producer, s.epochOf(x), false, now)
	for _, at := range e.Partitions {
		p := m.topic(at.Topic).partition(at.Index)
		if p == nil {
			continue // deleted meanwhile, and its records with it
		}
		if err := s.b.endTransaction(p, marker); err != nil {
			s.b.log.Debug("transaction marker refused", "transactional id", x.id, "topic", at.Topic, "partition", at.Index, "reason", err.message)
		}
		if at.Topic == groupMetadataTopic {
			s.b.groups.endTransaction(p, e.Producer.ID, e.Commit)
		}
	}
	x.m.Complete(now)
	s.store(x, now)
}

// epochOf is the coordinator's epoch: the leader epoch of the partition that has
// the id's records.
func (s *transactions) epochOf(x *transaction) int32 {
	if t := s.b.image.Load().topic(transactionStateTopic); t != nil {
		return t.partitionOf(x.id).leadership.Load().leaderEpoch
	}
	return 0
}

// store writes the id's state to __transaction_state. If somebody has deleted
// the topic, the coordinator goes on without it.
func (s *transactions) store(x *transaction, now int64) {
	v := x.m.Value()
	if (*s.b.features.Load())[transactionVersion] == 0 {
		v.Version = 0 // without what KIP-890 added
	}
	s.write(x, v.AppendTo(nil), now)
}

func (s *transactions) write(x *transaction, value []byte, now int64) {
	t := s.b.image.Load().topic(transactionStateTopic)
	if t == nil {
		return
	}
	key := kmsg.TxnMetadataKey{TransactionalID: x.id}
	builder := record.NewBuilder(record.None, 0)
	builder.Add(record.Record{Timestamp: now, Key: key.AppendTo(nil), Value: value})
	batch, _ := builder.Build(nil) // one record cannot fail
	_, _ = s.b.append(t.partitionOf(x.id), batch, now)
}

// arm sets the timer for the id's deadline. An earlier one is left alone: it
// finds out when it fires. It needs the transaction's lock.
func (s *transactions) arm(x *transaction, now int64) {
	if x.gone {
		return
	}
	cfg := s.b.config.Load()
	interval := "transaction.remove.expired.transaction.cleanup.interval.ms"
	if x.m.State() == txn.Ongoing {
		interval = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
	}
	// Kafka looks for what is due at intervals.
	step := int64(cfg.Int(interval))
	at := x.m.Deadline(s.idExpiry())
	at = s.since + max((at-s.since+step-1)/step, 1)*step
	if at >= x.timerAt {
		return
	}
	x.timerAt = at
	if x.timer == nil {
		x.timer = s.b.clock.AfterFunc(durationMs(at-now), func() { s.expire(x) })
	} else {
		x.timer.Reset(durationMs(at - now))
	}
}

// idExpiry is how long an unused transactional id is remembered, in ms.
func (s *transactions) idExpiry() int64 {
	return int64(s.b.config.Load().Int("transactional.id.expiration.ms"))
}

// expire is called when an id's timer fires.
func (s *transactions) expire(x *transaction) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return
	}
	now := s.b.nowMs()
	x.timerAt = never
	who := x.m.Current()
	end, forget := x.m.Expire(now, s.idExpiry())
	switch {
	case forget:
		x.gone = true
		s.mu.Lock()
		delete(s.byID, x.id)
		s.mu.Unlock()
		s.write(x, nil, now)
		return
	case end != nil:
		s.b.log.Info("transaction timed out and is aborted", "transactional id", x.id, "producer id", who.ID, "epoch", who.Epoch)
		s.finish(x, end, now)
	}
	s.arm(x, now)
}

// all returns the transactional ids that exist now.
func (s *transactions) all() []*transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*transaction, 0, len(s.byID))
	for _, x := range s.byID {
		all = append(all, x)
	}
	return all
}

// stop ends the timers.
func (s *transactions) stop() {
	for _, x := range s.all() {
		x.mu.Lock()
		x.gone = true
		if x.timer != nil {
			x.timer.Stop()
		}
		x.mu.Unlock()
	}
}

// codeOf is an error's code; none is 0.
func codeOf(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// olderFencing replaces PRODUCER_FENCED for clients from before KIP-588, which
// know only INVALID_PRODUCER_EPOCH.
func olderFencing(err *kerr.Error, knows bool) *kerr.Error {
	if err == kerr.ProducerFenced && !knows {
		return kerr.InvalidProducerEpoch
	}
	return err
}
