package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// testSarama is sarama, told that the broker is of some version: it speaks that version's protocol.
func testSarama(t *testing.T, bootstrap string) {
	for _, version := range []sarama.KafkaVersion{sarama.V0_10_0_0, sarama.V0_10_2_0, sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.MaxVersion} {
		t.Run("as "+version.String(), func(t *testing.T) {
			t.Parallel()
			s := saramaClient{t: t, addrs: []string{bootstrap}, version: version, topic: topicOf(t), codecs: codecs}
			if !version.IsAtLeast(sarama.V2_1_0_0) {
				s.codecs = codecs[:4]
			}
			prepare(t, bootstrap, s.topic)
			s.produce()
			s.consume()
			if version.IsAtLeast(sarama.V0_10_2_0) { // sarama's groups need what came with it
				s.rebalance()
			}
			if version.IsAtLeast(sarama.V2_1_0_0) {
				s.administer()
			}
			if version.IsAtLeast(sarama.V2_8_0_0) {
				s.crash()
				s.static()
			}
			if s.headers() {
				s.transactions()
			}
			check(t, bootstrap, s.topic, s.codecs, s.headers())
		})
	}
}

type saramaClient struct {
	t       *testing.T
	addrs   []string
	version sarama.KafkaVersion
	topic   string
	codecs  []string

	isolation sarama.IsolationLevel
}

func (s saramaClient) headers() bool { return s.version.IsAtLeast(sarama.V0_11_0_0) }

func (s saramaClient) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = s.version
	c.Consumer.IsolationLevel = s.isolation
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Return.Errors = true
	c.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	return c
}

func (s saramaClient) produce() {
	s.t.Helper()
	for n, codec := range s.codecs {
		c := s.config()
		c.Producer.Return.Successes = true
		c.Producer.RequiredAcks = sarama.WaitForAll
		if err := c.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
			s.t.Fatal(err)
		}
		c.Producer.Partitioner = sarama.NewManualPartitioner
		if s.headers() {
			c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
		}
		p, err := sarama.NewSyncProducer(s.addrs, c)
		if err != nil {
			s.t.Fatal(err)
		}
		var messages []*sarama.ProducerMessage
		for i := range 10 {
			m := &sarama.ProducerMessage{Topic: s.topic, Key: sarama.StringEncoder(fmt.Sprintf("%s-%d", codec, i)), Timestamp: time.UnixMilli(1600000000000 + int64(i)),
				Value: sarama.StringEncoder(strings.Repeat(fmt.Sprintf("%s %d ", codec, i), 20))}
			if s.headers() {
				m.Headers = []sarama.RecordHeader{{Key: []byte("n"), Value: fmt.Append(nil, i)}}
			}
			messages = append(messages, m)
		}
		if err := p.SendMessages(messages); err != nil {
			s.t.Fatal(err)
		}
		for i, m := range messages {
			if m.Offset != int64(10*n+i) {
				s.t.Errorf("message %d of codec %s was given offset %d", i, codec, m.Offset)
			}
		}
		if err := p.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

// take consumes n messages of a partition from an offset on.
func (s saramaClient) take(topic string, offset int64, n int) []*sarama.ConsumerMessage {
	s.t.Helper()
	c, err := sarama.NewConsumer(s.addrs, s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	p, err := c.ConsumePartition(topic, 0, offset)
	if err != nil {
		s.t.Fatal(err)
	}
	defer p.Close()
	var got []*sarama.ConsumerMessage
	for ctx := timeout(s.t); len(got) < n; {
		select {
		case m := <-p.Messages():
			got = append(got, m)
		case err := <-p.Errors():
			s.t.Fatal(err)
		case <-ctx.Done():
			s.t.Fatalf("%d of %d messages came", len(got), n)
		}
	}
	return got
}

func (s saramaClient) consume() {
	s.t.Helper()
	for i, m := range s.take(s.topic, sarama.OffsetOldest, 10*len(s.codecs)) {
		if key := fmt.Sprintf("%s-%d", s.codecs[i/10], i%10); m.Offset != int64(i) || string(m.Key) != key || m.Timestamp.UnixMilli() != 1600000000000+int64(i%10) {
			s.t.Errorf("message %d is %q at offset %d of %v, want %q", i, m.Key, m.Offset, m.Timestamp, key)
		}
		if s.headers() && (len(m.Headers) != 1 || string(m.Headers[0].Value) != fmt.Sprint(i%10)) {
			s.t.Errorf("message %d has the headers %v", i, m.Headers)
		}
	}
	if m := s.take(s.topic, 25, 1)[0]; m.Offset != 25 {
		s.t.Errorf("from offset 25 on, the first message is %d", m.Offset)
	}
	for i, m := range s.take(s.topic+"-in", 0, 10) {
		if m.Offset != int64(i) || string(m.Value) != fmt.Sprint(i) {
			s.t.Errorf("message %d of franz-go is %q at %d", i, m.Value, m.Offset)
		}
	}
	cl, err := sarama.NewClient(s.addrs, s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	for at, want := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: int64(10 * len(s.codecs))} {
		if got, err := cl.GetOffset(s.topic, 0, at); err != nil || got != want {
			s.t.Errorf("offset of time %d is %d (%v), want %d", at, got, err, want)
		}
	}
	if s.headers() { // ListOffsets v1 gives the offset of a time; v0 only where a segment begins
		if got, err := cl.GetOffset(s.topic, 0, 1600000000005); err != nil || got != 5 {
			s.t.Errorf("offset of the fifth timestamp is %d (%v)", got, err)
		}
	}
	m, err := sarama.NewOffsetManagerFromClient(s.topic+"-group", cl)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := m.ManagePartition(s.topic, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	p.MarkOffset(int64(10*len(s.codecs)), "a note")
	m.Commit()
	p.AsyncClose()
	if err := m.Close(); err != nil {
		s.t.Error(err)
	}
}

// saramaMember tells how many partitions each session gives it.
type saramaMember struct{ assigned chan int }

func (m saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	n := 0
	for _, partitions := range session.Claims() {
		n += len(partitions)
	}
	m.assigned <- n
	return nil
}
func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

// rebalance has two members share four partitions; the one that stays gets them all.
func (s saramaClient) rebalance() {
	s.t.Helper()
	first, _ := s.join("-members", nil)
	first(4)
	second, leave := s.join("-members", nil)
	second(2)
	first(2)
	leave()
	first(4)
}

// join adds a member to a group. await waits until a session gives it so many partitions.
func (s saramaClient) join(group string, change func(*sarama.Config)) (await func(int), leave func()) {
	s.t.Helper()
	c := s.config()
	c.Consumer.Return.Errors = false
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	if change != nil {
		change(c)
	}
	g, err := sarama.NewConsumerGroup(s.addrs, s.topic+group, c)
	if err != nil {
		s.t.Fatal(err)
	}
	m := saramaMember{make(chan int, 100)}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && g.Consume(ctx, []string{s.topic + "-shared"}, m) == nil {
		}
	}()
	leave = func() { cancel(); <-done; g.Close() }
	s.t.Cleanup(leave)
	return func(want int) {
		s.t.Helper()
		for limit := timeout(s.t); ; {
			select {
			case n := <-m.assigned:
				if n == want {
					return
				}
			case <-limit.Done():
				s.t.Fatalf("a member does not get %d partitions", want)
			}
		}
	}, leave
}

// crash has a member's machine cut off: the other gets its partitions when the session is over.
func (s saramaClient) crash() {
	s.t.Helper()
	first, _ := s.join("-crash", nil)
	first(4)
	var network cutNetwork
	second, _ := s.join("-crash", func(c *sarama.Config) {
		c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, &network
		c.Metadata.Retry.Max, c.Consumer.Group.Rebalance.Retry.Max = 0, 0
	})
	second(2)
	first(2)
	at := time.Now()
	network.cut()
	first(4)
	if took := time.Since(at); took < 3*time.Second {
		s.t.Errorf("the dead member's partitions were given away after %v", took)
	}
}

// static has a static member go and come back to its two partitions.
func (s saramaClient) static() {
	s.t.Helper()
	as := func(instance string) func(*sarama.Config) {
		return func(c *sarama.Config) { c.Consumer.Group.InstanceId = instance }
	}
	first, _ := s.join("-static", as("first"))
	first(4)
	second, leave := s.join("-static", as("second"))
	second(2)
	first(2)
	leave()
	second, _ = s.join("-static", as("second"))
	second(2)
	a, err := sarama.NewClusterAdmin(s.addrs, s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Close()
	groups, err := a.DescribeConsumerGroups([]string{s.topic + "-static"})
	if err != nil || len(groups) != 1 || len(groups[0].Members) != 2 || groups[0].State != "Stable" {
		s.t.Errorf("the group is %+v (%v)", groups[0], err)
	}
}

// transactions commits, aborts and fences.
func (s saramaClient) transactions() {
	s.t.Helper()
	topic := s.topic + "-txn"
	producer := func() sarama.SyncProducer {
		c := s.config()
		c.Producer.Return.Successes, c.Producer.RequiredAcks, c.Producer.Idempotent, c.Net.MaxOpenRequests = true, sarama.WaitForAll, true, 1
		c.Producer.Transaction.ID = topic
		c.Producer.Partitioner = sarama.NewManualPartitioner
		p, err := sarama.NewSyncProducer(s.addrs, c)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = p.Close() })
		return p
	}
	send := func(p sarama.SyncProducer, value string) error {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
		return err
	}
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	a, err := sarama.NewClusterAdmin(s.addrs, s.config())
	must(err)
	defer a.Close()
	must(a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	old := producer()
	must(send(old, "aborted"))
	must(old.AbortTxn())
	must(send(old, "committed"))
	must(old.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{s.topic + "-in": {{Partition: 0, Offset: 7}}}, topic+"-group"))
	must(old.CommitTxn())
	offsets, err := a.ListConsumerGroupOffsets(topic+"-group", map[string][]int32{s.topic + "-in": {0}})
	must(err)
	if b := offsets.GetBlock(s.topic+"-in", 0); b == nil || b.Offset != 7 {
		s.t.Errorf("the transaction's offset is %+v", b)
	}
	newer := producer()
	if err := send(old, "fenced"); err == nil {
		s.t.Error("a producer of an older epoch writes")
	}
	must(send(newer, "last"))
	must(newer.CommitTxn())
	for level, want := range map[sarama.IsolationLevel][]string{sarama.ReadCommitted: {"committed", "last"}, sarama.ReadUncommitted: {"aborted", "committed", "last"}} {
		c := s
		c.isolation = level
		for i, m := range c.take(topic, sarama.OffsetOldest, len(want)) {
			if string(m.Value) != want[i] {
				s.t.Errorf("isolation level %d: message %d is %q, want %q", level, i, m.Value, want[i])
			}
		}
	}
}

// cutNetwork dials until it is cut; then its connections are gone and no new one is made.
type cutNetwork struct {
	mu    sync.Mutex
	conns []net.Conn
	isCut bool
}

func (n *cutNetwork) Dial(network, address string) (net.Conn, error) {
	return n.dial(context.Background(), network, address)
}

func (n *cutNetwork) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isCut {
		return nil, syscall.ECONNREFUSED
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	n.conns = append(n.conns, c)
	return c, err
}

func (n *cutNetwork) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isCut = true
	for _, c := range n.conns {
		if c != nil {
			_ = c.Close()
		}
	}
}

func (s saramaClient) administer() {
	s.t.Helper()
	a, err := sarama.NewClusterAdmin(s.addrs, s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Close()
	topic, retention := s.topic+"-admin", "123456789"
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false))
	if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		s.t.Errorf("a second topic of the same name: %v", err)
	}
	must(a.CreatePartitions(topic, 3, nil, false))
	topics, err := a.ListTopics()
	must(err)
	if d := topics[topic]; d.NumPartitions != 3 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != retention {
		s.t.Errorf("the topic is listed as %+v", d)
	}
	compact := "compact"
	must(a.AlterConfig(sarama.TopicResource, topic, map[string]*string{"cleanup.policy": &compact}, false))
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"cleanup.policy", "retention.ms"}})
	must(err)
	for _, e := range entries {
		if want := map[string]string{"cleanup.policy": "compact", "retention.ms": "604800000"}[e.Name]; e.Value != want {
			s.t.Errorf("%s is %q, want %q", e.Name, e.Value, want)
		}
	}
	brokers, controller, err := a.DescribeCluster()
	must(err)
	if len(brokers) != 1 || controller != 1 {
		s.t.Errorf("the cluster is %d brokers with controller %d", len(brokers), controller)
	}
	must(a.DeleteRecords(s.topic+"-in", map[int32]int64{0: 4}))
	if m := s.take(s.topic+"-in", sarama.OffsetOldest, 1)[0]; m.Offset != 4 {
		s.t.Errorf("after records before 4 are deleted, the first is %d", m.Offset)
	}
	groups, err := a.DescribeConsumerGroups([]string{s.topic + "-members"})
	must(err)
	if len(groups) != 1 || groups[0].State != "Stable" || len(groups[0].Members) != 1 || groups[0].Protocol != "range" {
		s.t.Errorf("the group is %+v", groups[0])
	}
	if err := a.DeleteConsumerGroup(s.topic + "-members"); !errors.Is(err, sarama.ErrNonEmptyGroup) {
		s.t.Errorf("deleting a group that has a member: %v", err)
	}
	listed, err := a.ListConsumerGroups()
	must(err)
	if listed[s.topic+"-members"] != "consumer" {
		s.t.Errorf("the groups are %v", listed)
	}
	logs, err := a.DescribeLogDirs([]int32{1})
	must(err)
	if len(logs[1]) != 1 {
		s.t.Errorf("the log directories are %v", logs)
	}
	must(a.DeleteTopic(topic))
	if err := a.DeleteTopic(topic); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		s.t.Errorf("deleting a topic twice: %v", err)
	}
}
