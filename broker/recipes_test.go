package broker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// These are the recipes of docs/testing.md. Each runs in a bubble of
// testing/synctest, where the waits of clients cost nothing.

func bubble(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

func client(t *testing.T, b *broker.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRecipeRetryWhenTheLeaderChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).OnTopic("orders").Times(2))
		err := client(t, b).ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("tea")}).FirstErr()
		if err != nil || b.Topic("orders").Len() != 1 {
			t.Errorf("the producer gave up: %v", err)
		}
	})
}

func TestRecipeALostAnswerWritesTwiceWithoutIdempotence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			opts []kgo.Opt
			want int
		}{
			{"idempotent", nil, 1},
			{"not idempotent", []kgo.Opt{kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)}, 2},
		} {
			b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
			b.Inject(fault.LoseAnswer(kmsg.Produce))
			if err := client(t, b, c.opts...).ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if n := b.Topic("orders").Len(); n != c.want {
				t.Errorf("%s: %d records, want %d", c.name, n, c.want)
			}
		}
	})
}

func TestRecipeASlowBrokerHoldsUpTheProducer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		b.Inject(fault.Delay(kmsg.Produce, 4*time.Second))
		before := time.Now()
		if err := client(t, b).ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}).FirstErr(); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRecipeAnOffsetIsGoneAfterRetention(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("clicks", 1, map[string]string{"retention.ms": "60000"}))
		_ = b.Produce("clicks", broker.Record{Value: []byte("old")})
		time.Sleep(2 * time.Minute) // the consumer was down
		_ = b.Produce("clicks", broker.Record{Value: []byte("new")})
		from := map[string]map[int32]kgo.Offset{"clicks": {0: kgo.NewOffset().At(0)}}
		// The consumer asks for offset 0 and is reset to what is left.
		fetches := client(t, b, kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())).PollFetches(t.Context())
		if r := fetches.Records(); len(r) != 1 || string(r[0].Value) != "new" || r[0].Offset != 1 {
			t.Errorf("the consumer got %v", r)
		}
	})
}

func TestRecipeARebalanceInTheMiddleOfABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		_ = b.Produce("orders", broker.Record{Value: []byte("tea")})
		worker := client(t, b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		if n := worker.PollFetches(t.Context()).NumRecords(); n != 1 {
			t.Fatalf("the worker got %d records", n)
		}
		// It works on the record while the group rebalances without it.
		b.Inject(fault.Fail(kmsg.OffsetCommit, kerr.IllegalGeneration).OnGroup("billing"))
		if err := worker.CommitUncommittedOffsets(t.Context()); !errors.Is(err, kerr.IllegalGeneration) {
			t.Errorf("the commit ends with %v", err)
		}
		if got := b.Committed("billing"); len(got["orders"]) != 0 {
			t.Errorf("committed is %v: the record would be lost", got)
		}
	})
}

func TestRecipeAConsumerLagAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		gate := b.Inject(fault.Hold(kmsg.Fetch).Always())
		worker := client(t, b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err := b.Group("billing").WaitForStable(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		_ = b.Produce("orders", broker.Record{}, broker.Record{}, broker.Record{})
		if err := gate.WaitForHits(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if lag := b.Group("billing").Lag("orders"); lag != 3 {
			t.Errorf("the lag is %d while the consumer is stuck", lag)
		}
		gate.Release()
		for got := 0; got < 3; {
			got += worker.PollFetches(t.Context()).NumRecords()
		}
		_ = worker.CommitUncommittedOffsets(t.Context())
		if err := b.Group("billing").WaitForLagZero(t.Context(), "orders"); err != nil {
			t.Error(err)
		}
	})
}

func TestRecipeACorruptBatchIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		_ = b.Produce("orders", broker.Record{Value: []byte("tea")})
		b.Inject(fault.Corrupt().OnTopic("orders"))
		c := client(t, b, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		fetches := c.PollFetches(t.Context())
		if fetches.NumRecords() != 0 || fetches.Err() == nil {
			t.Errorf("the client takes corrupt records: %v", fetches.Records())
		}
	})
}
