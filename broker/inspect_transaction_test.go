package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func valuesOf(records []Record) (values []string) {
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

func TestAnOpenTransactionIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("orders", 2, nil))
		ctx := t.Context()
		x := b.Transaction("shop")
		if x.State() != "Dead" || x.Open() || len(b.Transactions()) != 0 || !x.Started().IsZero() {
			t.Errorf("before it begins the transaction is %s", x)
		}
		client := memoryClient(t, b, kgo.TransactionalID("shop"), kgo.TransactionTimeout(time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("orders"))
		put := func(value string) {
			t.Helper()
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := client.ProduceSync(ctx, &kgo.Record{Partition: 1, Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		end := func(how kgo.TransactionEndTry) {
			t.Helper()
			if err := client.EndTransaction(ctx, how); err != nil {
				t.Fatal(err)
			}
		}
		put("committed")
		end(kgo.TryCommit)
		put("aborted")
		end(kgo.TryAbort)
		if x.State() != "CompleteAbort" || x.Open() {
			t.Errorf("the aborted transaction is %s", x)
		}
		put("open")
		if err := x.WaitForState(ctx, "Ongoing"); err != nil {
			t.Error(err)
		}
		id, _ := x.Producer()
		if x.String() != "Ongoing on orders-1" || !x.Open() || id < 0 || x.Timeout() != time.Minute || time.Since(x.Started()) > time.Second ||
			!maps.EqualFunc(x.Partitions(), map[string][]int32{"orders": {1}}, slices.Equal) {
			t.Errorf("the open transaction is %s with producer %d, time-out %v, begun %v ago, on %v", x, id, x.Timeout(), time.Since(x.Started()), x.Partitions())
		}
		if err := b.Produce("orders", Record{Partition: 1, Value: []byte("behind it")}, Record{Value: []byte("elsewhere")}); err != nil {
			t.Fatal(err)
		}
		orders := b.Topic("orders")
		if got := orders.LastStableOffsets(); !slices.Equal(got, []int64{1, 4}) {
			t.Errorf("the last stable offsets are %v", got)
		}
		if got := valuesOf(orders.CommittedRecords()); !slices.Equal(got, []string{"elsewhere", "committed"}) {
			t.Errorf("read_committed sees %q", got)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := x.WaitForState(short, "CompleteCommit"); err == nil || !strings.Contains(err.Error(), "it is Ongoing on orders-1") {
			t.Errorf("waiting in vain ends with %v", err)
		}
		// Its time-out passes: the broker aborts it.
		if err := x.WaitForState(ctx, "CompleteAbort"); err != nil {
			t.Error(err)
		}
		if got := valuesOf(orders.CommittedRecords()); !slices.Equal(got, []string{"elsewhere", "committed", "behind it"}) {
			t.Errorf("after its time-out read_committed sees %q", got)
		}
	})
}

func TestAFailedTestShowsOpenTransactionsAndFewTopics(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithTopic("t", 1, nil))
	for i := range summaryLines + 1 {
		_ = b.Produce(fmt.Sprintf("t%02d", i), Record{})
	}
	c := newTxnClient(t, b, "id")
	c.commit(5, "g", 5, 0, nil)
	r.failed = true
	r.end()
	if want := `group "g": Empty without members`; !strings.Contains(r.logs[0], "\nand 2 more\n") || !strings.Contains(r.logs[0], want) || !strings.Contains(r.logs[0], `transaction "id": Ongoing on __consumer_offsets-`) {
		t.Errorf("it logs %s", r.logs[0])
	}
}
