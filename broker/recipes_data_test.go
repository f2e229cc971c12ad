package broker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"minibroker/broker"
)

// The recipes of docs/testing.md in which the data, not the network, goes wrong.

// A record that the program can't handle goes to a dead-letter topic with the
// reason and where it came from, and does not hold up those behind it.
func TestRecipeAPoisonMessageGoesToTheDeadLetterTopic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil), broker.WithTopic("orders-dead", 1, nil))
		_ = b.Produce("orders", broker.Record{Value: []byte(`{"item":"tea"}`)}, broker.Record{Value: []byte(`{"item":`)}, broker.Record{Value: []byte(`{"item":"coffee"}`)})
		worker := client(t, b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		var billed []string
		worker.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { // the program under test
			var order struct{ Item string }
			if err := json.Unmarshal(r.Value, &order); err != nil {
				dead := &kgo.Record{Topic: "orders-dead", Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{
					{Key: "error", Value: []byte(err.Error())}, {Key: "from", Value: fmt.Appendf(nil, "%s-%d@%d", r.Topic, r.Partition, r.Offset)}}}
				if err := worker.ProduceSync(t.Context(), dead).FirstErr(); err != nil {
					t.Error(err) // not committed: it will come again
				}
				return
			}
			billed = append(billed, order.Item)
		})
		if err := worker.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(billed) != "[tea coffee]" {
			t.Errorf("billed: %v", billed)
		}
		if dead := b.Topic("orders-dead").Records(); len(dead) != 1 || string(dead[0].Value) != `{"item":` || string(dead[0].Headers[1].Value) != "orders-0@1" {
			t.Errorf("the dead-letter topic has %v", dead)
		}
		if lag := b.Group("billing").Lag("orders"); lag != 0 {
			t.Errorf("the lag is %d: the poison message would come again", lag)
		}
	})
}

// What an aborted transaction wrote is not read, its offsets do not count, and
// the second try has the effect once.
func TestRecipeAnAbortedTransactionLeavesNoTrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil), broker.WithTopic("invoices", 1, nil))
		_ = b.Produce("orders", broker.Record{Value: []byte("tea")})
		worker, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()), kgo.TransactionalID("billing-1"), kgo.ConsumerGroup("billing"),
			kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		if err != nil {
			t.Fatal(err)
		}
		defer worker.Close()
		for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} { // the first try fails half-way
			orders := worker.PollFetches(t.Context()).Records()
			if len(orders) != 1 || string(orders[0].Value) != "tea" {
				t.Fatalf("the worker got %v", orders)
			}
			if err := worker.Begin(); err != nil {
				t.Fatal(err)
			}
			if err := worker.ProduceSync(t.Context(), &kgo.Record{Topic: "invoices", Value: []byte("tea: 3.50")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if committed, err := worker.End(t.Context(), end); err != nil || committed != bool(end) {
				t.Fatalf("committed: %v, %v", committed, err)
			}
			if n := b.Committed("billing")["orders"][0]; n != 0 && end == kgo.TryAbort {
				t.Errorf("the aborted transaction committed offset %d", n)
			}
		}
		if b.Committed("billing")["orders"][0] != 1 {
			t.Errorf("committed is %v", b.Committed("billing"))
		}
		reader := client(t, b, kgo.ConsumeTopics("invoices"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		if invoices := reader.PollFetches(t.Context()).Records(); len(invoices) != 1 || invoices[0].Offset == 0 {
			t.Errorf("the reader got %v, want the invoice of the second try", invoices)
		}
	})
}

// Retrying does not help against a missing right: the program has to be told at
// once, and nothing may be lost on the way.
func TestRecipeAnAuthorisationFailureIsToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil), broker.WithUser("anna", "secret"), broker.WithACL("anna read topic:prices"))
		anna := kgo.SASL(plain.Auth{User: "anna", Pass: "secret"}.AsMechanism())
		if err := client(t, b, anna).ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("the producer is told %v", err)
		}
		if n := b.Topic("orders").Len(); n != 0 {
			t.Errorf("%d records were written without the right to", n)
		}
		consumer := client(t, b, anna, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err := consumer.PollFetches(t.Context()).Err(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("the consumer is told %v", err)
		}
	})
}

// A consumer that meets a schema which it does not know stops in front of the
// record. Its successor, which knows it, goes on there: nothing is skipped.
func TestRecipeAConsumerStopsAtASchemaThatItDoesNotKnow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		schema := func(v string) []broker.Header { return []broker.Header{{Key: "schema", Value: []byte(v)}} }
		_ = b.Produce("orders",
			broker.Record{Headers: schema("1"), Value: []byte(`{"item":"tea"}`)},
			broker.Record{Headers: schema("2"), Value: []byte(`{"lines":["tea","coffee"]}`)})
		work := func(knows string) (read []string) { // the program under test, in two releases
			c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, r := range c.PollFetches(t.Context()).Records() {
				if v := string(r.Headers[0].Value); v > knows {
					break
				}
				read = append(read, string(r.Value))
				if err := c.CommitRecords(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
			return read
		}
		if read := work("1"); len(read) != 1 || b.Group("billing").Lag("orders") != 1 {
			t.Errorf("the old release read %v and left a lag of %d", read, b.Group("billing").Lag("orders"))
		}
		if read := work("2"); len(read) != 1 || read[0] != `{"lines":["tea","coffee"]}` || b.Group("billing").Lag("orders") != 0 {
			t.Errorf("the new release read %v and left a lag of %d", read, b.Group("billing").Lag("orders"))
		}
	})
}
