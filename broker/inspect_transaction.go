package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
	"minibroker/storage"
)

// This file owns how a program looks at transactions without a client.

// Transaction looks at one transactional id of a broker; it need not exist yet.
type Transaction struct {
	b  *Broker
	id string
}

// Transaction returns a view of a transactional id and its newest transaction.
// It is always of the present.
func (b *Broker) Transaction(id string) Transaction { return Transaction{b, id} }

// Transactions returns all transactional ids in order.
func (b *Broker) Transactions() []string {
	var ids []string
	for _, x := range b.transactions.all() {
		ids = append(ids, x.id)
	}
	slices.Sort(ids)
	return ids
}

// ID is the transactional id.
func (x Transaction) ID() string { return x.id }

func (x Transaction) describe() kmsg.DescribeTransactionsResponseTransactionState {
	d := kmsg.NewDescribeTransactionsResponseTransactionState()
	d.State, d.StartTimestamp, d.ProducerID, d.ProducerEpoch = txn.Dead.String(), -1, -1, -1
	x.b.transactions.with(x.id, false, func(x *transaction, _ int64) { d = x.m.Describe() })
	return d
}

// State is the transaction's state as Kafka's tools print it: Empty, Ongoing,
// PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, or Dead where
// there is no such id.
func (x Transaction) State() string { return x.describe().State }

// Open says whether a transaction is under way: records of it are in the log,
// or offsets were sent to it, and it is neither committed nor aborted.
func (x Transaction) Open() bool { return x.State() == txn.Ongoing.String() }

// Producer is the producer id that has the transactional id, and its epoch;
// -1 where there is none.
func (x Transaction) Producer() (id int64, epoch int16) {
	d := x.describe()
	return d.ProducerID, d.ProducerEpoch
}

// Partitions are those that the open transaction covers, by topic. The offsets
// of groups are in those of __consumer_offsets.
func (x Transaction) Partitions() map[string][]int32 {
	partitions := make(map[string][]int32)
	for _, t := range x.describe().Topics {
		partitions[t.Topic] = t.Partitions
	}
	return partitions
}

// Started is when the open transaction began, on the broker's clock; zero where
// none is open.
func (x Transaction) Started() time.Time {
	if d := x.describe(); d.State == txn.Ongoing.String() {
		return time.UnixMilli(d.StartTimestamp)
	}
	return time.Time{}
}

// Timeout is how long its transactions may be open: the producer's
// transaction.timeout.ms.
func (x Transaction) Timeout() time.Duration { return durationMs(int64(x.describe().TimeoutMillis)) }

// WaitForState waits until the transaction is in a state, see
// [Transaction.State]. The error, when ctx ends first, says which it is in.
func (x Transaction) WaitForState(ctx context.Context, state string) error {
	err := x.b.WaitFor(ctx, fmt.Sprintf("transaction %q to be %s", x.id, state), func() bool { return x.State() == state })
	if err != nil {
		return fmt.Errorf("%w (it is %s)", err, x)
	}
	return nil
}

// String says what the transaction is at, for people.
func (x Transaction) String() string {
	d := x.describe()
	if len(d.Topics) == 0 {
		return d.State
	}
	var parts []string
	for _, t := range d.Topics {
		for _, p := range t.Partitions {
			parts = append(parts, fmt.Sprintf("%s-%d", t.Topic, p))
		}
	}
	return d.State + " on " + strings.Join(parts, ", ")
}

// LastStableOffsets returns, for each partition, the offset below which no
// transaction is open: what consumers with isolation.level=read_committed read
// up to. It is empty where there is no such topic.
func (t Topic) LastStableOffsets() []int64 {
	var offsets []int64
	for _, p := range t.partitions() {
		offsets = append(offsets, p.lastStableOffset(p.highWatermark.Load()))
	}
	return offsets
}

// CommittedRecords returns what a consumer with isolation.level=read_committed
// gets: Records without those of aborted transactions, and, in each partition,
// without all that comes after the beginning of an open one.
func (t Topic) CommittedRecords() []Record {
	var all []Record
	for i := range t.partitions() {
		records, _ := t.ReadCommitted(int32(i), 0, math.MaxInt)
		all = append(all, records...)
	}
	return all
}

// isAborted says whether a batch belongs to one of the aborted transactions,
// which are sorted by their first offsets.
func isAborted(aborted []storage.AbortedTxn, batch record.Batch) bool {
	if len(aborted) == 0 || !batch.Attributes().Transactional() {
		return false
	}
	id, offset := batch.ProducerID(), batch.BaseOffset()
	begun := sort.Search(len(aborted), func(i int) bool { return aborted[i].FirstOffset > offset })
	return slices.ContainsFunc(aborted[:begun], func(a storage.AbortedTxn) bool { return a.ProducerID == id && offset <= a.LastOffset })
}
