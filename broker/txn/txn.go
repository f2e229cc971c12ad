// Package txn holds the state machine of one transactional id: who has it, what
// its transaction covers and how it ends (KIP-98, KIP-360, KIP-890;
// org.apache.kafka.coordinator.transaction.TransactionMetadata and
// TransactionCoordinator). It is pure: no goroutine, lock, clock or network.
// The time, in ms since 1970, is an argument; what must happen outside (markers
// to write, the next moment to be called) is returned. An owner with a lock
// around one machine does it.
package txn

import (
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is a transaction's state; its number is what the coordinator's records
// hold, its String what DescribeTransactions shows.
type State int8

// The states (org.apache.kafka.coordinator.transaction.TransactionState).
const (
	Empty State = iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
	Dead
	PrepareEpochFence
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

func (s State) String() string { return stateNames[s] }

// ParseState reads a state's name, spelled as String does.
func ParseState(name string) (State, bool) {
	i := slices.Index(stateNames[:], name)
	return State(max(i, 0)), i >= 0
}

// Producer is a producer id with its epoch.
type Producer struct {
	ID    int64
	Epoch int16
}

// Nobody is the producer that has no id yet.
var Nobody = Producer{ID: -1, Epoch: -1}

// exhausted says that no producer can get a higher epoch: the highest is kept
// for fencing by the coordinator itself.
func (p Producer) exhausted() bool { return p.Epoch >= math.MaxInt16-1 }

// Partition is a partition that a transaction covers.
type Partition struct {
	Topic string
	Index int32
}

// Version is the version of the transaction protocol that a client speaks
// (the feature transaction.version).
type Version int8

const (
	// V1 is transactions as KIP-98 made them: the producer adds each
	// partition, and keeps its epoch.
	V1 Version = 0
	// V2 is KIP-890: the broker adds partitions as they are written to, and
	// each end gives the producer a new epoch, so that nothing that is late
	// gets into the next transaction.
	V2 Version = 2
)

// End is what ends a transaction: markers to be written to its partitions,
// after which Complete is called.
type End struct {
	Commit     bool
	Producer   Producer // whose markers they are
	Partitions []Partition
}

// Transaction is the state machine of one transactional id.
type Transaction struct {
	id         string
	current    Producer
	lastEpoch  int16 // what the producer had before current's, to know a repeated request; -1: nothing
	previousID int64 // the producer id before the last change of any kind
	nextID     int64 // the producer id after the transaction, where its epochs are used up; -1
	version    Version
	timeout    int32 // ms
	state      State
	partitions map[Partition]struct{}
	started    int64 // -1 before the first transaction
	updated    int64
}

// New is a transactional id that nobody has yet: Init gives it to a producer.
func New(id string) *Transaction {
	return &Transaction{id: id, current: Nobody, lastEpoch: -1, previousID: -1, nextID: -1, started: -1}
}

// Clone is a copy of the transaction whose moments are so many ms later.
func (t *Transaction) Clone(later int64) *Transaction {
	c := *t
	c.partitions = maps.Clone(t.partitions)
	c.updated += later
	if c.started >= 0 {
		c.started += later
	}
	return &c
}

// Init gives the id to a producer, for transactions of at most timeout ms, and
// fences who had it. has is the id and epoch that the producer says it has;
// Nobody for a new one. An open transaction is aborted first: then the error is
// CONCURRENT_TRANSACTIONS, and the producer asks again.
func (t *Transaction) Init(now int64, timeout int32, has Producer, newID func() int64) (Producer, *End, *kerr.Error) {
	fresh := t.current.Epoch == -1
	known := has == Nobody || fresh || has.ID == t.current.ID || has.ID == t.previousID && has.exhausted()
	switch {
	case !known:
		return Nobody, nil, kerr.ProducerFenced
	case t.ending():
		return Nobody, nil, kerr.ConcurrentTransactions
	case t.state == Ongoing:
		return Nobody, t.fence(now), kerr.ConcurrentTransactions
	}
	if fresh {
		t.current.ID = newID()
	}
	next, last := Producer{t.current.ID, t.current.Epoch + 1}, int16(-1)
	if has != Nobody {
		last = t.current.Epoch
	}
	switch {
	case fresh:
	case has == Nobody || has.Epoch == t.current.Epoch || has.Epoch == t.lastEpoch && t.current.Epoch == math.MaxInt16:
		if t.current.exhausted() {
			next = Producer{newID(), 0}
		}
	case has.Epoch == t.lastEpoch:
		// It asks again, as the answer got lost. Had another producer
		// asked meanwhile, there would be no last epoch.
		next, last = t.current, t.lastEpoch
	default:
		return Nobody, nil, kerr.ProducerFenced
	}
	t.moved(Empty, next, now)
	t.lastEpoch, t.timeout, t.started = last, timeout, -1
	return next, nil, nil
}

// moved goes to another state.
func (t *Transaction) moved(to State, p Producer, now int64) {
	t.previousID, t.current = t.current.ID, p
	t.state, t.updated = to, now
}

// ending says that markers are being written.
func (t *Transaction) ending() bool { return t.state == PrepareCommit || t.state == PrepareAbort }

// admit says whether p may do something for the current transaction.
func (t *Transaction) admit(p Producer) *kerr.Error {
	switch {
	case p.ID != t.current.ID:
		return kerr.InvalidProducerIDMapping
	case p.Epoch != t.current.Epoch:
		return kerr.ProducerFenced
	case t.ending():
		return kerr.ConcurrentTransactions
	}
	return nil
}

// Add makes partitions part of the transaction, which begins with the first.
// changed is false where they were part of it.
func (t *Transaction) Add(now int64, p Producer, v Version, partitions ...Partition) (changed bool, err *kerr.Error) {
	if err := t.admit(p); err != nil {
		return false, err
	}
	if t.state != Ongoing {
		t.started, t.partitions, changed = now, make(map[Partition]struct{}, len(partitions)), true
	}
	for _, p := range partitions {
		if _, has := t.partitions[p]; !has {
			t.partitions[p] = struct{}{}
			changed = true
		}
	}
	if changed {
		t.moved(Ongoing, t.current, now)
		t.version = v
	}
	return changed, nil
}

// Verify says whether a partition is part of p's transaction: nothing may be
// written that nobody would end. The error is TRANSACTION_ABORTABLE if it is
// not.
func (t *Transaction) Verify(p Producer, partition Partition) *kerr.Error {
	if err := t.admit(p); err != nil {
		return err
	}
	if _, has := t.partitions[partition]; !has {
		return kerr.TransactionAbortable
	}
	return nil
}

// End commits or aborts the transaction of p. With an End, the caller writes
// its markers and calls Complete. Without one and without an error, all is done
// already: the request came twice. Next tells what the producer must use from
// then on.
func (t *Transaction) End(now int64, p Producer, commit bool, v Version, newID func() int64) (*End, *kerr.Error) {
	if v == V2 {
		return t.end2(now, p, commit, newID)
	}
	switch {
	case p.ID != t.current.ID:
		return nil, kerr.InvalidProducerIDMapping
	case p.Epoch != t.current.Epoch:
		return nil, kerr.ProducerFenced
	}
	switch t.state {
	case Ongoing:
		return t.prepare(now, commit, V1, t.current), nil
	case CompleteCommit, CompleteAbort:
		if commit == (t.state == CompleteCommit) {
			return nil, nil
		}
	case PrepareCommit, PrepareAbort:
		if commit == (t.state == PrepareCommit) {
			return nil, kerr.ConcurrentTransactions
		}
	}
	return nil, kerr.InvalidTxnState
}

// end2 is End as KIP-890 has it: an epoch ends one transaction only, so a
// request that comes twice is known by its epoch, and an abort is fine where
// nothing was written, as the producer cannot always know.
func (t *Transaction) end2(now int64, p Producer, commit bool, newID func() int64) (*End, *kerr.Error) {
	bumped := t.version == V2 && t.current.ID == p.ID && t.current.Epoch == p.Epoch+1
	renamed := t.previousID == p.ID && p.Epoch == math.MaxInt16-1 && t.current.Epoch == 0
	same := p.Epoch == t.current.Epoch
	var valid bool
	switch t.state {
	case Empty, Ongoing:
		valid = same
	case PrepareCommit, PrepareAbort:
		valid = bumped
	case CompleteCommit, CompleteAbort:
		valid = bumped || renamed || same
	}
	switch {
	case p.ID != t.current.ID && !renamed:
		return nil, kerr.InvalidProducerIDMapping
	case !valid:
		return nil, kerr.ProducerFenced
	}
	again := bumped || renamed
	switch t.state {
	case PrepareCommit, PrepareAbort:
		if commit == (t.state == PrepareCommit) {
			return nil, kerr.ConcurrentTransactions
		}
		return nil, kerr.InvalidTxnState
	case CompleteCommit, CompleteAbort:
		if again && commit == (t.state == CompleteCommit) {
			return nil, nil
		}
		if again || commit {
			return nil, kerr.InvalidTxnState
		}
	case Empty:
		if commit {
			return nil, kerr.InvalidTxnState
		}
	}
	if t.state != Ongoing {
		t.started = now
	}
	next := Producer{t.current.ID, t.current.Epoch + 1}
	var nextID int64 = -1
	if t.current.exhausted() {
		nextID = newID()
	}
	t.lastEpoch = t.current.Epoch
	e := t.prepare(now, commit, V2, next)
	t.nextID = nextID
	return e, nil
}

// prepare begins to end the transaction. Its markers name the producer p.
func (t *Transaction) prepare(now int64, commit bool, v Version, p Producer) *End {
	state := PrepareAbort
	if commit {
		state = PrepareCommit
	}
	t.moved(state, p, now)
	t.version = v
	return &End{Commit: commit, Producer: p, Partitions: t.Partitions()}
}

// fence aborts the open transaction with an epoch that its producer does not
// have, so that nothing of it can follow the markers. That producer can go on
// after its own time-out, though: the abort is as one of its own (KIP-890).
func (t *Transaction) fence(now int64) *End {
	p := t.current
	t.lastEpoch = p.Epoch
	if p.Epoch < math.MaxInt16 {
		p.Epoch++
	}
	return t.prepare(now, false, V2, p)
}

// Complete notes that all markers are written.
func (t *Transaction) Complete(now int64) {
	state := CompleteAbort
	if t.state == PrepareCommit {
		state = CompleteCommit
	}
	next := t.current
	if t.nextID != -1 {
		next = Producer{t.nextID, 0}
	}
	t.moved(state, next, now)
	t.nextID, t.partitions = -1, nil
}

// Current is the producer that has the id.
func (t *Transaction) Current() Producer { return t.current }

// State is what the transaction is at.
func (t *Transaction) State() State { return t.state }

// Deadline is when Expire has something to do, in ms: the open transaction's
// time-out, or the end of an id that nobody has used for expireAfter ms.
func (t *Transaction) Deadline(expireAfter int64) int64 {
	if t.state == Ongoing {
		return t.started + int64(t.timeout) + 1
	}
	return t.updated + expireAfter
}

// Expire does what is due: it aborts the open transaction, which is then to be
// ended as End says, or reports that the id is to be forgotten.
func (t *Transaction) Expire(now, expireAfter int64) (e *End, forget bool) {
	switch {
	case now < t.Deadline(expireAfter) || t.ending():
		return nil, false
	case t.state == Ongoing:
		return t.fence(now), false
	}
	t.state = Dead
	return nil, true
}

// Partitions are those that the open transaction covers, sorted.
func (t *Transaction) Partitions() []Partition {
	ps := make([]Partition, 0, len(t.partitions))
	for p := range t.partitions {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b Partition) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Index) - int(b.Index)
	})
	return ps
}

// Describe answers DescribeTransactions v0.
func (t *Transaction) Describe() kmsg.DescribeTransactionsResponseTransactionState {
	d := kmsg.NewDescribeTransactionsResponseTransactionState()
	d.TransactionalID, d.State = t.id, t.state.String()
	d.TimeoutMillis, d.StartTimestamp = t.timeout, t.started
	d.ProducerID, d.ProducerEpoch = t.current.ID, t.current.Epoch
	for _, p := range t.Partitions() {
		if n := len(d.Topics); n == 0 || d.Topics[n-1].Topic != p.Topic {
			d.Topics = append(d.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: p.Topic})
		}
		last := &d.Topics[len(d.Topics)-1]
		last.Partitions = append(last.Partitions, p.Index)
	}
	return d
}

// Value is the state as the coordinator's log has it (TransactionLogValue v1).
func (t *Transaction) Value() kmsg.TxnMetadataValue {
	v := kmsg.NewTxnMetadataValue()
	v.Version = 1
	v.ProducerID, v.ProducerEpoch = t.current.ID, t.current.Epoch
	v.PreviousProducerID, v.NextProducerID = t.previousID, t.nextID
	v.ClientTransactionVersion = int16(t.version)
	v.TimeoutMillis = t.timeout
	v.State = kmsg.TransactionState(t.state)
	v.LastUpdateTimestamp, v.StartTimestamp = t.updated, t.started
	if t.state == Empty {
		return v // null: there are no partitions to know of
	}
	v.Topics = []kmsg.TxnMetadataValueTopic{}
	for _, p := range t.Partitions() {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: p.Topic})
		}
		last := &v.Topics[len(v.Topics)-1]
		last.Partitions = append(last.Partitions, p.Index)
	}
	return v
}

// Filter is what a ListTransactions request asks for.
type Filter struct {
	States      []State // nil: any
	ProducerIDs []int64 // empty: any
	// LongerThan leaves transactions out that began at most so many ms ago;
	// negative: none (v1, KIP-994).
	LongerThan int64
	// Match says which ids are wanted; nil: all (v2, KIP-1152).
	Match func(id string) bool
}

// List is the transaction's line in ListTransactions, if the filter wants it.
func (t *Transaction) List(now int64, f *Filter) (line kmsg.ListTransactionsResponseTransactionState, wanted bool) {
	switch {
	case f.ProducerIDs != nil && !slices.Contains(f.ProducerIDs, t.current.ID):
	case f.States != nil && !slices.Contains(f.States, t.state):
	case f.LongerThan >= 0 && now-t.started <= f.LongerThan:
	case f.Match != nil && !f.Match(t.id):
	default:
		return kmsg.ListTransactionsResponseTransactionState{
			TransactionalID: t.id, ProducerID: t.current.ID, TransactionState: t.state.String(),
		}, true
	}
	return line, false
}
