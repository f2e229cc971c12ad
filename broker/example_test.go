package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// start is broker.Start for examples, which have no test.
func start(opts ...broker.Option) *broker.Broker {
	b, err := broker.New(append(opts, broker.WithMemoryNetwork())...)
	if err != nil {
		panic(err)
	}
	return b
}

// connect is a franz-go client on b's in-memory network.
func connect(b *broker.Broker, opts ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer())}, opts...)...)
	if err != nil {
		panic(err)
	}
	return client
}

// A broker in a test is one line, and nothing is left of it when the test ends:
//
//	func TestOrders(t *testing.T) {
//		b := broker.Start(t, broker.WithTopic("orders", 3, nil))
//		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
//		...
//	}
func ExampleStart() {
	var t exampleTest // a *testing.T in your tests
	b := broker.Start(&t, broker.WithTopic("orders", 3, nil))
	fmt.Println(b.Topics())
	t.end()
	// Output: [orders]
}

// exampleTest is the least that Start needs.
type exampleTest struct{ cleanups []func() }

func (t *exampleTest) Helper()                        {}
func (t *exampleTest) Cleanup(f func())               { t.cleanups = append(t.cleanups, f) }
func (t *exampleTest) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }
func (t *exampleTest) end() {
	for _, f := range t.cleanups {
		f()
	}
}

func ExampleNew() {
	b, err := broker.New(broker.WithPort(0), broker.WithTopic("orders", 1, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	err = client.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Value: []byte("tea")}).FirstErr()
	fmt.Println(err, b.Topic("orders").Len())
	// Output: <nil> 1
}

func ExampleRun() {
	ctx, stop := context.WithCancel(context.Background())
	b, err := broker.Run(ctx, broker.WithPort(0))
	fmt.Println(err)
	stop()                 // closes the broker
	fmt.Println(b.Close()) // waits until it is closed
	// Output:
	// <nil>
	// <nil>
}

func ExampleWithMemoryNetwork() {
	b, _ := broker.New(broker.WithMemoryNetwork())
	defer b.Close()
	client, _ := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()))
	defer client.Close()
	fmt.Println(b.Addr(), client.Ping(context.Background()))
	// Output: minibroker:9092 <nil>
}

func ExampleWithTopic() {
	b := start(broker.WithTopic("events", 2, map[string]string{"cleanup.policy": "compact"}))
	defer b.Close()
	fmt.Println(b.Topics(), b.Topic("events").HighWatermarks())
	// Output: [events] [0 0]
}

func ExampleWithConfig() {
	b := start(broker.WithConfig("num.partitions", "4"))
	defer b.Close()
	_ = b.Produce("made-on-first-use", broker.Record{Value: []byte("v")})
	fmt.Println(b.Topic("made-on-first-use").HighWatermarks())
	_, err := broker.New(broker.WithConfig("num.partition", "4"))
	fmt.Println(err != nil)
	// Output:
	// [1 0 0 0]
	// true
}

func ExampleWithSeed() {
	one, other := start(broker.WithSeed(1)), start(broker.WithSeed(1))
	defer one.Close()
	defer other.Close()
	fmt.Println(one.ClusterID() == other.ClusterID())
	// Output: true
}

func ExampleWithLogger() {
	b := start(broker.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	_ = b.Close()
	// Output:
}

func ExampleWithObserver() {
	b := start(broker.WithObserver(func(o broker.Observation) {
		if o.Key == kmsg.ListGroups.Int16() {
			fmt.Println(o.ClientID, "asked for", kmsg.NameForKey(o.Key))
		}
	}))
	defer b.Close()
	client := connect(b, kgo.ClientID("curious"))
	defer client.Close()
	_, _ = kmsg.NewPtrListGroupsRequest().RequestWith(context.Background(), client)
	// Output: curious asked for ListGroups
}

// Records older than retention.ms are gone as soon as their time is over.
func ExampleBroker_Advance() {
	b := start(
		broker.WithVirtualClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
		broker.WithTopic("clicks", 1, map[string]string{"retention.ms": "3600000"}),
	)
	defer b.Close()
	_ = b.Produce("clicks", broker.Record{Value: []byte("click")})
	b.Advance(59 * time.Minute)
	fmt.Println(b.Topic("clicks").Len())
	b.Advance(2 * time.Minute)
	fmt.Println(b.Topic("clicks").Len())
	// Output:
	// 1
	// 0
}

func ExampleBroker_Produce() {
	b := start(broker.WithTopic("orders", 2, nil))
	defer b.Close()
	err := b.Produce("orders",
		broker.Record{Partition: 0, Key: []byte("alice"), Value: []byte("tea")},
		broker.Record{Partition: 1, Key: []byte("bob"), Value: []byte("coffee")})
	fmt.Println(err, b.Topic("orders").HighWatermarks())
	// Output: <nil> [1 1]
}

func ExampleTopic_Records() {
	b := start(broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client := connect(b)
	defer client.Close()
	client.ProduceSync(context.Background(), &kgo.Record{
		Topic: "orders", Key: []byte("alice"), Value: []byte("tea"),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("7")}},
	})
	for _, r := range b.Topic("orders").Records() {
		fmt.Printf("%d: %s=%s %s=%s\n", r.Offset, r.Key, r.Value, r.Headers[0].Key, r.Headers[0].Value)
	}
	// Output: 0: alice=tea trace=7
}

// A test waits for what its program does in the background, without a poll or
// a sleep.
func ExampleGroup_WaitForLagZero() {
	b := start(broker.WithTopic("orders", 1, nil), broker.WithConfig("group.initial.rebalance.delay.ms", "0"))
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = b.Produce("orders", broker.Record{Value: []byte("tea")}, broker.Record{Value: []byte("coffee")})

	consumer := connect(b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	defer consumer.Close()
	go func() { // the program under test
		for consumer.PollFetches(ctx).NumRecords() > 0 {
			_ = consumer.CommitUncommittedOffsets(ctx)
		}
	}()
	fmt.Println(b.Group("billing").WaitForLagZero(ctx, "orders"))
	fmt.Println(b.Committed("billing"))
	// Output:
	// <nil>
	// map[orders:map[0:2]]
}

func ExampleBroker_Inject() {
	b := start(broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client := connect(b, kgo.DefaultProduceTopic("orders"), kgo.RecordRetries(0), kgo.MetadataMinAge(10*time.Millisecond))
	defer client.Close()

	f := b.Inject(fault.Fail(kmsg.Produce, kerr.MessageTooLarge).OnTopic("orders"))
	err := client.ProduceSync(context.Background(), kgo.StringRecord("tea")).FirstErr()
	fmt.Println(errors.Is(err, kerr.MessageTooLarge), f.Hits(), b.Topic("orders").Len())
	// Output: true 1 0
}

// A gate keeps requests until the test lets them go.
func ExampleInjected_Release() {
	b := start(broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client := connect(b, kgo.DefaultProduceTopic("orders"))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	gate := b.Inject(fault.Hold(kmsg.Produce).Always())
	client.Produce(ctx, kgo.StringRecord("tea"), nil)
	fmt.Println(gate.WaitForHits(ctx, 1), b.Topic("orders").Len())
	gate.Release()
	fmt.Println(b.Topic("orders").WaitForRecords(ctx, 1))
	// Output:
	// <nil> 0
	// <nil>
}

func ExampleBroker_Control() {
	b := start()
	defer b.Close()
	b.Control(func(r broker.Request) (kmsg.Response, error, bool) {
		if r.Key != kmsg.ListGroups {
			return nil, nil, false
		}
		resp := r.Body.ResponseKind().(*kmsg.ListGroupsResponse)
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return resp, nil, true
	})
	client := connect(b)
	defer client.Close()
	resp, err := client.Broker(1).Request(context.Background(), kmsg.NewPtrListGroupsRequest())
	fmt.Println(kerr.ErrorForCode(resp.(*kmsg.ListGroupsResponse).ErrorCode) == kerr.CoordinatorLoadInProgress, err)
	// Output: true <nil>
}

func ExampleBroker_Reset() {
	b := start(broker.WithTopic("orders", 1, nil))
	defer b.Close()
	for range 2 { // as subtests would
		_ = b.Produce("orders", broker.Record{Value: []byte("tea")})
		_ = b.Produce("other", broker.Record{Value: []byte("v")})
		fmt.Println(b.Topics(), b.Topic("orders").Len())
		b.Reset()
	}
	fmt.Println(b.Topics(), b.Topic("orders").Len())
	// Output:
	// [orders other] 1
	// [orders other] 1
	// [orders] 0
}

func ExampleBroker_Snapshot() {
	b := start()
	defer b.Close()
	_ = b.Produce("orders", broker.Record{Value: []byte("tea")})
	prepared := b.Snapshot()
	_ = b.Produce("orders", broker.Record{Value: []byte("coffee")})
	b.Restore(prepared)
	fmt.Println(b.Topic("orders").Len())
	// Output: 1
}

func ExampleBroker_Clients() {
	b := start()
	defer b.Close()
	client := connect(b, kgo.ClientID("billing"))
	defer client.Close()
	_ = client.Ping(context.Background())
	for _, c := range b.Clients() {
		fmt.Println(c.ClientID, c.SoftwareName)
	}
	// Output: billing kgo
}
