package clients_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// testSegmentio is segmentio/kafka-go.
func testSegmentio(t *testing.T, bootstrap string) {
	topic := topicOf(t)
	prepare(t, bootstrap, topic)
	ctx := timeout(t)
	for i, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		w := &kafka.Writer{Addr: kafka.TCP(bootstrap), Topic: topic, Compression: codec, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
		var messages []kafka.Message
		for n := range 10 {
			messages = append(messages, kafka.Message{Key: fmt.Appendf(nil, "%s-%d", codecs[i], n), Value: []byte(strings.Repeat(fmt.Sprintf("%s %d ", codecs[i], n), 20)),
				Time: time.UnixMilli(1600000000000 + int64(n)), Headers: []kafka.Header{{Key: "n", Value: fmt.Append(nil, n)}}})
		}
		if err := errors.Join(w.WriteMessages(ctx, messages...), w.Close()); err != nil {
			t.Fatalf("%s: %v", codecs[i], err)
		}
	}
	reader := func(c kafka.ReaderConfig) *kafka.Reader {
		c.Brokers, c.MaxWait, c.StartOffset, c.HeartbeatInterval = []string{bootstrap}, 100*time.Millisecond, kafka.FirstOffset, 100*time.Millisecond
		c.JoinGroupBackoff, c.ReadBackoffMin, c.WatchPartitionChanges = 100*time.Millisecond, 10*time.Millisecond, false
		r := kafka.NewReader(c)
		t.Cleanup(func() { r.Close() })
		return r
	}
	r := reader(kafka.ReaderConfig{Topic: topic, GroupID: topic + "-group"})
	for i := range 50 {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if key := fmt.Sprintf("%s-%d", codecs[i/10], i%10); m.Offset != int64(i) || string(m.Key) != key || m.Time.UnixMilli() != 1600000000000+int64(i%10) {
			t.Errorf("message %d is %q at offset %d of %v, want %q", i, m.Key, m.Offset, m.Time, key)
		}
		if len(m.Headers) != 1 || string(m.Headers[0].Value) != fmt.Sprint(i%10) {
			t.Errorf("message %d has the headers %v", i, m.Headers)
		}
		if i == 49 {
			if err := r.CommitMessages(ctx, m); err != nil {
				t.Error(err)
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	in := reader(kafka.ReaderConfig{Topic: topic + "-in"})
	if err := in.SetOffset(4); err != nil {
		t.Fatal(err)
	}
	if m, err := in.ReadMessage(ctx); err != nil || m.Offset != 4 || string(m.Value) != "4" {
		t.Errorf("after a seek to 4, the message is %q at %d (%v)", m.Value, m.Offset, err)
	}
	testSegmentioGroup(t, bootstrap, topic)
	testSegmentioAdmin(t, bootstrap, topic)
	check(t, bootstrap, topic, codecs, true)
}

// testSegmentioGroup has two members share four partitions; the one that stays gets them all.
func testSegmentioGroup(t *testing.T, bootstrap, topic string) {
	t.Helper()
	ctx := timeout(t)
	join := func(dialer *kafka.Dialer) *kafka.ConsumerGroup {
		g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: topic + "-members", Brokers: []string{bootstrap}, Topics: []string{topic + "-shared"},
			HeartbeatInterval: 100 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond, Dialer: dialer})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		return g
	}
	await := func(g *kafka.ConsumerGroup, want int) {
		for {
			next, err := g.Next(ctx)
			if err != nil {
				t.Errorf("a member does not get %d partitions: %v", want, err)
				return
			}
			if len(next.Assignments[topic+"-shared"]) == want {
				return
			}
		}
	}
	first := join(kafka.DefaultDialer)
	await(first, 4)
	second := join(kafka.DefaultDialer)
	done := make(chan struct{})
	go func() { defer close(done); await(second, 2) }()
	await(first, 2)
	<-done
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	await(first, 4)

	// A third is cut off: its partitions are given away when its session is over.
	var network cutNetwork
	third := join(&kafka.Dialer{DialFunc: network.dial})
	done = make(chan struct{})
	go func() { defer close(done); await(third, 2) }()
	await(first, 2)
	<-done
	at := time.Now()
	network.cut()
	await(first, 4)
	if took := time.Since(at); took < 3*time.Second {
		t.Errorf("the dead member's partitions were given away after %v", took)
	}
}

func testSegmentioAdmin(t *testing.T, bootstrap, topic string) {
	t.Helper()
	ctx := timeout(t)
	c := &kafka.Client{Addr: kafka.TCP(bootstrap)}
	name := topic + "-admin"
	create := func() error {
		r, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: 2, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "123456789"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Errors[name]
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	if err := create(); !errors.Is(err, kafka.TopicAlreadyExists) {
		t.Errorf("a second topic of the same name: %v", err)
	}
	if r, err := c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: 3}}}); err != nil || r.Errors[name] != nil {
		t.Errorf("create partitions: %v, %v", err, r.Errors[name])
	}
	fresh := &kafka.Client{Addr: c.Addr, Transport: &kafka.Transport{}} // a transport remembers metadata
	if m, err := fresh.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}}); err != nil || len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 3 || m.Topics[0].Partitions[2].Leader.ID != 1 {
		t.Errorf("the metadata are %+v (%v)", m, err)
	}
	configs, err := c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: []string{"retention.ms"}}}})
	if err != nil || len(configs.Resources) != 1 || len(configs.Resources[0].ConfigEntries) != 1 || configs.Resources[0].ConfigEntries[0].ConfigValue != "123456789" {
		t.Errorf("the configs are %+v (%v)", configs, err)
	}
	if r, err := c.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: name,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "54321", ConfigOperation: kafka.ConfigOperationSet}}}}}); err != nil || r.Resources[0].Error != nil {
		t.Errorf("alter the configs: %+v, %v", r, err)
	}
	if r, err := c.ListGroups(ctx, &kafka.ListGroupsRequest{}); err != nil || !slices.ContainsFunc(r.Groups, func(g kafka.ListGroupsResponseGroup) bool { return g.GroupID == topic+"-members" }) {
		t.Errorf("the groups are %+v (%v)", r, err)
	}
	if r, err := c.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic + "-group", Topics: map[string][]int{topic: {0}}}); err != nil || r.Topics[topic][0].CommittedOffset != 50 {
		t.Errorf("the group's offsets are %+v (%v)", r, err)
	}
	// kafka-go's writers know no transactions; its client sends the requests.
	begun, err := c.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: name, TransactionTimeoutMs: 60000})
	if err != nil || begun.Error != nil {
		t.Fatalf("begin a transaction: %+v, %v", begun, err)
	}
	added, err := c.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{TransactionalID: name, ProducerID: begun.Producer.ProducerID, ProducerEpoch: begun.Producer.ProducerEpoch,
		Topics: map[string][]kafka.AddPartitionToTxn{name: {{Partition: 0}}}})
	if err != nil || added.Topics[name][0].Error != nil {
		t.Errorf("add a partition to the transaction: %+v, %v", added, err)
	}
	for _, want := range []error{nil, kafka.InvalidTransactionState} { // committed, and then it is too late to abort
		r, err := c.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: name, ProducerID: begun.Producer.ProducerID, ProducerEpoch: begun.Producer.ProducerEpoch, Committed: want == nil})
		if err != nil || !errors.Is(r.Error, want) {
			t.Errorf("end the transaction: %+v, %v, want %v", r, err, want)
		}
	}
	offsets, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0), kafka.TimeOffsetOf(0, time.UnixMilli(1600000000005))}}})
	if err != nil || len(offsets.Topics[topic]) != 1 {
		t.Fatalf("the offsets are %+v (%v)", offsets, err)
	}
	p := offsets.Topics[topic][0]
	if _, five := p.Offsets[5]; p.FirstOffset != 0 || p.LastOffset != 50 || !five {
		t.Errorf("the offsets are %+v", p)
	}
	g, err := c.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{topic + "-members"}})
	if err != nil || len(g.Groups) != 1 || g.Groups[0].GroupState != "Stable" || len(g.Groups[0].Members) != 1 || len(g.Groups[0].Members[0].MemberAssignments.Topics[0].Partitions) != 4 {
		t.Errorf("the group is %+v (%v)", g, err)
	}
	if r, err := c.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{topic + "-members"}}); err != nil || !errors.Is(r.Errors[topic+"-members"], kafka.NonEmptyGroup) {
		t.Errorf("deleting a group that has a member: %v, %v", err, r)
	}
	for _, want := range []error{nil, kafka.UnknownTopicOrPartition} {
		if r, err := c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}}); err != nil || !errors.Is(r.Errors[name], want) {
			t.Errorf("deleting the topic: %v, %v, want %v", err, r.Errors[name], want)
		}
	}
}
