// Package confluent_test shows how a program that uses confluent-kafka-go is tested. It is a module of its own because
// that client needs a C compiler, and minibroker does not.
package confluent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// librdkafka opens its connections itself, so it needs a port; all else is as for other clients.
func Example() {
	b, err := broker.New(broker.WithPort(0), broker.WithTopic("orders", 1, nil))
	if err != nil {
		panic(err)
	}
	defer b.Close()

	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": b.Addr()})
	if err != nil {
		panic(err)
	}
	defer producer.Close()
	topic := "orders"
	told := make(chan kafka.Event, 1)
	if err := producer.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Value: []byte("tea")}, told); err != nil {
		panic(err)
	}
	fmt.Println("stored at", (<-told).(*kafka.Message).TopicPartition.Offset)

	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": b.Addr(), "group.id": "billing", "auto.offset.reset": "earliest"})
	if err != nil {
		panic(err)
	}
	defer consumer.Close()
	if err := consumer.Subscribe("orders", nil); err != nil {
		panic(err)
	}
	m, err := consumer.ReadMessage(30 * time.Second)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", m.Value)
	// Output:
	// stored at 0
	// tea
}

func TestTheProducerTriesAgainWhenTheLeaderChanges(t *testing.T) {
	t.Parallel()
	b := broker.Start(t, broker.WithTopic("orders", 1, nil))
	b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).OnTopic("orders"))
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": b.Addr(), "retry.backoff.ms": 10})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	topic := "orders"
	told := make(chan kafka.Event, 1)
	if err := producer.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}, Value: []byte("tea")}, told); err != nil {
		t.Fatal(err)
	}
	if m := (<-told).(*kafka.Message); m.TopicPartition.Error != nil {
		t.Error(m.TopicPartition.Error)
	}
	if n := b.Topic("orders").Len(); n != 1 {
		t.Errorf("the topic has %d records", n)
	}
}

// TestATransactionThatIsAbortedIsNotRead is the promise of "exactly once".
func TestATransactionThatIsAbortedIsNotRead(t *testing.T) {
	t.Parallel()
	b := broker.Start(t, broker.WithTopic("orders", 1, nil))
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": b.Addr(), "transactional.id": "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.InitTransactions(t.Context()); err != nil {
		t.Fatal(err)
	}
	topic := "orders"
	told := make(chan kafka.Event, 1)
	for _, transaction := range []struct {
		value string
		end   func(context.Context) error
	}{{"aborted", producer.AbortTransaction}, {"committed", producer.CommitTransaction}} {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}, Value: []byte(transaction.value)}, told); err != nil {
			t.Fatal(err)
		}
		if m := (<-told).(*kafka.Message); m.TopicPartition.Error != nil {
			t.Fatal(m.TopicPartition.Error)
		}
		if err := transaction.end(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": b.Addr(), "group.id": "billing", "auto.offset.reset": "earliest"})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	if err := consumer.Subscribe("orders", nil); err != nil {
		t.Fatal(err)
	}
	if m, err := consumer.ReadMessage(30 * time.Second); err != nil || string(m.Value) != "committed" {
		t.Errorf("the consumer got %v (%v)", m, err)
	}
}
