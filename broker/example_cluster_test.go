package broker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// Three brokers in one process, each topic with three replicas.
func ExampleWithBrokers() {
	b := start(broker.WithBrokers(3), broker.WithRacks("paris", "lyon"), broker.WithConfig("default.replication.factor", "3"), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	for _, n := range b.Brokers() {
		fmt.Println(n.ID, n.Rack, n.Addrs, n.Running)
	}
	fmt.Println(len(b.Topic("orders").Partitions()[0].Replicas), "replicas")
	// Output:
	// 1 paris [minibroker-1:9092] true
	// 2 lyon [minibroker-2:9093] true
	// 3 paris [minibroker-3:9094] true
	// 3 replicas
}

// A producer goes on when the broker stops that it writes to, and loses nothing.
func ExampleBroker_StopBroker() {
	b := start(broker.WithBrokers(3), broker.WithConfig("default.replication.factor", "3"), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client := connect(b, kgo.DefaultProduceTopic("orders"))
	defer client.Close()
	ctx := context.Background()

	fmt.Println(client.ProduceSync(ctx, kgo.StringRecord("tea")).FirstErr())
	leader := b.Topic("orders").Partitions()[0].Leader
	fmt.Println(b.StopBroker(leader))
	fmt.Println(client.ProduceSync(ctx, kgo.StringRecord("coffee")).FirstErr())
	fmt.Println(b.Topic("orders").Len(), "records, another leader:", b.Topic("orders").Partitions()[0].Leader != leader)
	fmt.Println(b.StartBroker(leader))
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// 2 records, another leader: true
	// <nil>
}

// What happens to a client when the leader moves under it.
func ExampleBroker_MoveLeader() {
	b := start(broker.WithBrokers(2), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	client := connect(b, kgo.DefaultProduceTopic("orders"))
	defer client.Close()
	for n := range 4 {
		if err := b.MoveLeader("orders", 0, int32(n%2+1)); err != nil {
			fmt.Println(err)
		}
		if err := client.ProduceSync(context.Background(), kgo.StringRecord(fmt.Sprint(n))).FirstErr(); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(b.Topic("orders").Len(), "records, led by broker", b.Topic("orders").Partitions()[0].Leader)
	// Output: 4 records, led by broker 2
}

// A group finds its new coordinator, and keeps its offsets. With one broker, a
// fault shows what the client sees meanwhile.
func ExampleBroker_MoveCoordinator() {
	b := start(broker.WithBrokers(2), broker.WithTopic("orders", 1, nil))
	defer b.Close()
	if err := b.Produce("orders", broker.Record{Value: []byte("tea")}); err != nil {
		panic(err)
	}
	client := connect(b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
	defer client.Close()
	ctx := context.Background()
	client.PollFetches(ctx)

	was := b.Coordinator("billing")
	if err := b.MoveCoordinator("billing", 3-was); err != nil {
		panic(err)
	}
	b.Inject(fault.Fail(kmsg.OffsetCommit, kerr.CoordinatorLoadInProgress).OnGroup("billing")) // the new one reads its topic
	fmt.Println(client.CommitUncommittedOffsets(ctx), b.Committed("billing"))
	// Output: <nil> map[orders:map[0:1]]
}

// Records that only the old leader has are lost by an unclean election: acks=1
// does not wait for the followers.
func ExampleBroker_SetFollowerLag() {
	b := start(broker.WithBrokers(2), broker.WithConfig("default.replication.factor", "2"), broker.WithTopic("orders", 1, nil),
		broker.WithVirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	defer b.Close()
	leader := b.Topic("orders").Partitions()[0].Leader
	follower := 3 - leader
	if err := b.SetFollowerLag(follower, -1); err != nil { // it gets nothing from now on
		panic(err)
	}
	if err := b.Produce("orders", broker.Record{Value: []byte("tea")}); err != nil {
		panic(err)
	}
	for _, r := range b.Topic("orders").Partitions()[0].Replicas {
		fmt.Println(r.Broker == leader, r.End)
	}
	if err := b.MoveLeader("orders", 0, follower); err != nil { // still in the ISR
		panic(err)
	}
	fmt.Println(b.Topic("orders").Partitions()[0].EndOffset)
	// Output:
	// true 1
	// false 0
	// 0
}
