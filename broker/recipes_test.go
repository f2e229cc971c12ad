package broker_test

import (
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
		worker := func(id string) *kgo.Client {
			return client(t, b, kgo.ClientID(id), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		}
		slow := worker("slow")
		if n := slow.PollFetches(t.Context()).NumRecords(); n != 1 {
			t.Fatalf("the slow worker got %d records", n)
		}
		// It works on the record while its machine is cut off: the group takes
		// its partition away and gives it to another.
		cut := b.Inject(fault.Drop(fault.Any).FromClient("slow").Always())
		other := worker("other")
		if n := other.PollFetches(t.Context()).NumRecords(); n != 1 {
			t.Fatalf("the other worker got %d records", n)
		}
		if m := b.Group("billing").Members(); len(m) != 1 || m[0].ClientID != "other" {
			t.Errorf("the members are %+v", m)
		}
		// Now the slow one is back, and its commit must not count: both have
		// worked on the record.
		cut.Remove()
		_ = slow.CommitUncommittedOffsets(t.Context())
		if got := b.Committed("billing"); len(got["orders"]) != 0 {
			t.Errorf("a member that is out has committed %v", got)
		}
		if err := other.CommitUncommittedOffsets(t.Context()); err != nil || b.Committed("billing")["orders"][0] != 1 {
			t.Errorf("the new owner's commit: %v, committed is %v", err, b.Committed("billing"))
		}
	})
}

func TestRecipeASlowConsumerDoesNotHoldUpTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("reports", 1, nil))
		_ = b.Produce("reports", broker.Record{Value: make([]byte, 10_000)})
		b.Inject(fault.SlowAnswer(kmsg.Fetch, 1000).FromClient("phone").Always()) // 1 kB/s
		read := func(id string) time.Duration {
			before := time.Now()
			if n := client(t, b, kgo.ClientID(id), kgo.ConsumeTopics("reports")).PollFetches(t.Context()).NumRecords(); n != 1 {
				t.Errorf("%s got %d records", id, n)
			}
			return time.Since(before)
		}
		if took := read("desk"); took > time.Second {
			t.Errorf("the desk waited %v", took)
		}
		if took := read("phone"); took < 10*time.Second {
			t.Errorf("10 kB at 1 kB/s took %v", took)
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
