package broker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// What clients need to be told, and then all that works as with a port.
// confluent-kafka-go opens its connections itself and needs a port: see
// examples/confluent.

func ExampleBroker_Dialer_franz() {
	b, _ := broker.New(broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client, _ := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()),
		kgo.DefaultProduceTopic("orders"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()

	ctx := context.Background()
	fmt.Println(client.ProduceSync(ctx, kgo.StringRecord("tea")).FirstErr())
	client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { fmt.Printf("%s\n", r.Value) })
	// Output:
	// <nil>
	// tea
}

// saramaConfig leads sarama to b's in-memory network.
func saramaConfig(b *broker.Broker) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, b.Dialer()
	c.Producer.Return.Successes = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	return c
}

func ExampleBroker_Dialer_sarama() {
	b, _ := broker.New(broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	c := sarama.NewConfig()
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, b.Dialer()
	c.Producer.Return.Successes = true

	producer, err := sarama.NewSyncProducer([]string{b.Addr()}, c)
	if err != nil {
		panic(err)
	}
	defer producer.Close()
	partition, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("tea")})
	fmt.Println(partition, offset, err)

	consumer, err := sarama.NewConsumer([]string{b.Addr()}, c)
	if err != nil {
		panic(err)
	}
	defer consumer.Close()
	orders, err := consumer.ConsumePartition("orders", 0, sarama.OffsetOldest)
	if err != nil {
		panic(err)
	}
	defer orders.Close()
	fmt.Printf("%s\n", (<-orders.Messages()).Value)
	// Output:
	// 0 0 <nil>
	// tea
}

func ExampleBroker_Dialer_segmentio() {
	b, _ := broker.New(broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	ctx := context.Background()

	transport := &kafka.Transport{Dial: b.Dialer()}
	defer transport.CloseIdleConnections()
	writer := &kafka.Writer{Addr: kafka.TCP(b.Addr()), Topic: "orders", RequiredAcks: kafka.RequireAll, Transport: transport, BatchTimeout: time.Millisecond}
	defer writer.Close()
	fmt.Println(writer.WriteMessages(ctx, kafka.Message{Value: []byte("tea")}))

	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{b.Addr()}, Topic: "orders", GroupID: "billing",
		Dialer: &kafka.Dialer{DialFunc: b.Dialer()}, MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	m, err := reader.ReadMessage(ctx)
	fmt.Printf("%s %v\n", m.Value, err)
	// Output:
	// <nil>
	// tea <nil>
}

// Each client in a bubble of testing/synctest: the broker answers nothing for
// a while, the client waits and tries again, and no time passes.

func TestSaramaWaitsInABubble(t *testing.T) {
	metrics.UseNilMetrics = true // its meters keep a goroutine, which no bubble may have
	defer func() { metrics.UseNilMetrics = false }()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		c := saramaConfig(b)
		c.Producer.Retry.Backoff, c.Producer.Retry.Max = time.Minute, 5
		b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).Times(3))
		// A SyncProducer would put channels of the bubble into a pool of the
		// whole process.
		producer, err := sarama.NewAsyncProducer([]string{b.Addr()}, c)
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		producer.Input() <- &sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("tea")}
		select {
		case <-producer.Successes():
		case err := <-producer.Errors():
			t.Fatal(err)
		}
		if took := time.Since(before); took < 3*time.Minute || b.Topic("orders").Len() != 1 {
			t.Errorf("three retries a minute apart took %v, and %d records are there", took, b.Topic("orders").Len())
		}
		if err := producer.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // goroutines that Close does not wait for end
	})
}

// member is a sarama group member that tells how many partitions it has.
type member struct{ joined chan int32 }

func (m member) Setup(s sarama.ConsumerGroupSession) error {
	m.joined <- int32(len(s.Claims()["orders"]))
	return nil
}
func (member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (member) ConsumeClaim(s sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

func TestSaramasGroupTakesOverFromADeadMemberInABubble(t *testing.T) {
	metrics.UseNilMetrics = true
	defer func() { metrics.UseNilMetrics = false }()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 2, nil))
		// A member that joins, and then its machine is cut off.
		client(t, b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.Balancers(kgo.RangeBalancer()), kgo.SessionTimeout(10*time.Minute), kgo.ClientID("dead"))
		if err := b.Group("billing").WaitForStable(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		b.Inject(fault.Drop(kmsg.Heartbeat).FromClient("dead").Always())
		b.Inject(fault.Drop(kmsg.JoinGroup).FromClient("dead").Always())

		c := saramaConfig(b)
		c.Consumer.Group.Rebalance.Timeout = 20 * time.Minute
		c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
		c.Net.ReadTimeout = time.Hour
		group, err := sarama.NewConsumerGroup([]string{b.Addr()}, "billing", c)
		if err != nil {
			t.Fatal(err)
		}
		m := member{make(chan int32, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- group.Consume(ctx, []string{"orders"}, m) }()
		before := time.Now()
		if n := <-m.joined; n != 2 {
			t.Errorf("the member has %d partitions", n)
		}
		if took := time.Since(before); took < time.Minute {
			t.Errorf("it took over after %v", took)
		}
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // goroutines that Close does not wait for end
	})
}

func TestSegmentiosWriterWaitsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 1, nil))
		b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).Times(3))
		transport := &kafka.Transport{Dial: b.Dialer()}
		writer := &kafka.Writer{Addr: kafka.TCP(b.Addr()), Topic: "orders", RequiredAcks: kafka.RequireAll, Transport: transport, MaxAttempts: 10,
			WriteBackoffMin: time.Minute, WriteBackoffMax: time.Minute}
		before := time.Now()
		if err := writer.WriteMessages(t.Context(), kafka.Message{Value: []byte("tea")}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took < 3*time.Minute || b.Topic("orders").Len() != 1 {
			t.Errorf("three retries a minute apart took %v, and %d records are there", took, b.Topic("orders").Len())
		}
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		time.Sleep(time.Minute) // goroutines that nothing waits for end
	})
}
