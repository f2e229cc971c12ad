package minibroker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/test/harness"
)

// testFranz is franz-go, the Go client: kgo produces and consumes, kadm administers.
func testFranz(t *testing.T, s *harness.Server) {
	t.Run("every codec brings back what was sent", func(t *testing.T) { t.Parallel(); testCodecs(t, s) })
	t.Run("a group shares partitions as members come and go", func(t *testing.T) { t.Parallel(); testRebalance(t, s) })
	t.Run("a repeated batch is stored once", func(t *testing.T) { t.Parallel(); testIdempotence(t, s) })
	t.Run("a consumer that waits gets a record when it comes", func(t *testing.T) { t.Parallel(); testLongPoll(t, s) })
	t.Run("topics", func(t *testing.T) { t.Parallel(); testAdminTopics(t, s) })
	t.Run("records are deleted up to an offset", func(t *testing.T) { t.Parallel(); testDeleteRecords(t, s) })
	t.Run("offsets and groups", func(t *testing.T) { t.Parallel(); testAdminGroups(t, s) })
	t.Run("the cluster", func(t *testing.T) { t.Parallel(); testAdminCluster(t, s) })
}

func createTopic(t *testing.T, bootstrap string, partitions int32, configs map[string]*string) string {
	t.Helper()
	topic := freeTopic(t)
	r, err := kadm.NewClient(newClient(t, bootstrap)).CreateTopic(timeout(t), partitions, 1, configs, topic)
	if err != nil || r.Err != nil {
		t.Fatalf("create topic %s: %v, %v", topic, err, r.Err)
	}
	return topic
}

func testCodecs(t *testing.T, s *harness.Server) {
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
		attr  uint8 // as it stands in the stored batch
	}{
		{"none", kgo.NoCompression(), 0}, {"gzip", kgo.GzipCompression(), 1}, {"snappy", kgo.SnappyCompression(), 2},
		{"lz4", kgo.Lz4Compression(), 3}, {"zstd", kgo.ZstdCompression(), 4},
	}
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			topic := createTopic(t, s.Bootstrap, 1, nil)
			long := []byte(strings.Repeat("repeated ", 2000))
			at := time.UnixMilli(1700000000123)
			sent := []*kgo.Record{
				{Key: []byte("k"), Value: long, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "h", Value: []byte{}}, {Key: "", Value: nil}}},
				{Key: nil, Value: long},
				{Key: []byte{}, Value: long},
				{Key: []byte("tombstone"), Value: nil},
				{Key: []byte("empty"), Value: []byte{}},
			}
			for _, r := range sent {
				r.Topic, r.Timestamp = topic, at
			}
			ctx := timeout(t)
			producer := newClient(t, s.Bootstrap, kgo.ProducerBatchCompression(c.codec), kgo.ProducerLinger(50*time.Millisecond))
			if err := producer.ProduceSync(ctx, sent...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			end, err := kadm.NewClient(producer).ListEndOffsets(ctx, topic)
			if err != nil {
				t.Fatal(err)
			}
			got := readPartitions(t, topic, 1, end, func(o ...kgo.Opt) *kgo.Client { return newClient(t, s.Bootstrap, o...) })[0]
			if len(got) != len(sent) {
				t.Fatalf("got %d records, want %d", len(got), len(sent))
			}
			for i, r := range got {
				w := sent[i]
				if r.Offset != int64(i) || !same(r.Key, w.Key) || !same(r.Value, w.Value) || !r.Timestamp.Equal(at) {
					t.Errorf("record %d came back as key %q value %.20q at %v", i, r.Key, r.Value, r.Timestamp)
				}
				if !slices.EqualFunc(r.Headers, w.Headers, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
					t.Errorf("headers of record %d came back as %v, want %v", i, r.Headers, w.Headers)
				}
				if got := r.Attrs.CompressionType(); got != c.attr {
					t.Errorf("record %d is stored with codec %d, want %d", i, got, c.attr)
				}
			}
		})
	}
}

// same tells null from empty, as Kafka does.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && string(a) == string(b) }

// testRebalance has two members join a group one after the other, then one leave.
func testRebalance(t *testing.T, s *harness.Server) {
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()} {
		t.Run(balancer.ProtocolName(), func(t *testing.T) {
			t.Parallel()
			topic := createTopic(t, s.Bootstrap, 4, nil)
			first := join(t, s.Bootstrap, topic, balancer)
			first.await(4)
			second := join(t, s.Bootstrap, topic, balancer)
			first.await(2)
			second.await(2)
			second.client.Close() // leaves the group
			first.await(4)
		})
	}
}

// member is a consumer in a group that tells how many partitions it has.
type member struct {
	t      *testing.T
	client *kgo.Client
	counts chan int
}

func join(t *testing.T, bootstrap, topic string, balancer kgo.GroupBalancer) *member {
	t.Helper()
	m := &member{t: t, counts: make(chan int, 100)}
	have := map[int32]bool{}
	lost := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
		for _, p := range parts[topic] {
			delete(have, p)
		}
		m.counts <- len(have)
	}
	m.client = newClient(t, bootstrap, kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.Balancers(balancer),
		kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(10*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			for _, p := range parts[topic] {
				have[p] = true
			}
			m.counts <- len(have)
		}),
		kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost))
	return m
}

// await waits until the member has n partitions.
func (m *member) await(n int) {
	m.t.Helper()
	ctx := timeout(m.t)
	var seen []int
	for {
		select {
		case got := <-m.counts:
			if seen = append(seen, got); got == n {
				return
			}
		case <-ctx.Done():
			m.t.Fatalf("the member never got %d partitions; it had %v", n, seen)
		}
	}
}

func testIdempotence(t *testing.T, s *harness.Server) {
	topic := createTopic(t, s.Bootstrap, 1, nil)
	ctx := timeout(t)
	cut := &cutDialer{armed: make(chan struct{}, 1)}
	producer := newClient(t, s.Bootstrap, kgo.Dialer(cut.dial), kgo.DefaultProduceTopic(topic))
	for i := range 4 {
		if i > 0 {
			cut.armed <- struct{}{}
		}
		r := kgo.StringRecord(fmt.Sprint(i))
		if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if r.Offset != int64(i) {
			t.Errorf("record %d was acknowledged at offset %d", i, r.Offset)
		}
		if len(cut.armed) != 0 {
			t.Fatal("no connection was cut: the test proves nothing")
		}
	}
	end, err := kadm.NewClient(producer).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := end.Lookup(topic, 0); o.Offset != 4 {
		t.Errorf("the log ends at %d, want 4: a repeated batch was stored twice", o.Offset)
	}
}

func testLongPoll(t *testing.T, s *harness.Server) {
	topic := createTopic(t, s.Bootstrap, 1, nil)
	ctx := timeout(t)
	consumer := newClient(t, s.Bootstrap, kgo.ConsumeTopics(topic), kgo.FetchMaxWait(30*time.Second))
	producer := newClient(t, s.Bootstrap, kgo.DefaultProduceTopic(topic))
	for i := range 5 {
		go producer.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), nil)
		for got := false; !got; {
			fetches := consumer.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			fetches.EachRecord(func(r *kgo.Record) { got = string(r.Value) == fmt.Sprint(i) })
		}
	}
}

func testAdminTopics(t *testing.T, s *harness.Server) {
	ctx := timeout(t)
	admin := kadm.NewClient(newClient(t, s.Bootstrap))
	topic := createTopic(t, s.Bootstrap, 2, map[string]*string{"retention.ms": kadm.StringPtr("60000"), "cleanup.policy": kadm.StringPtr("compact")})

	r, err := admin.CreateTopic(ctx, 1, 1, nil, topic)
	if !errors.Is(err, kerr.TopicAlreadyExists) && !errors.Is(r.Err, kerr.TopicAlreadyExists) {
		t.Errorf("creating it again gives %v, want TOPIC_ALREADY_EXISTS", err)
	}
	if _, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}, topic+"-bad"); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("a bad retention.ms gives %v, want INVALID_CONFIG", err)
	}
	config := func(key string) string {
		t.Helper()
		all, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		rc, err := all.On(topic, nil)
		if err != nil || rc.Err != nil {
			t.Fatal(err, rc.Err)
		}
		for _, c := range rc.Configs {
			if c.Key == key {
				return c.MaybeValue()
			}
		}
		return "(absent)"
	}
	for key, want := range map[string]string{"retention.ms": "60000", "cleanup.policy": "compact", "segment.bytes": "1073741824"} {
		if got := config(key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	changes := []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "retention.ms"}, {Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("delete")}}
	if rs, err := admin.AlterTopicConfigs(ctx, changes, topic); err != nil || rs[0].Err != nil {
		t.Fatal(err, rs)
	}
	for key, want := range map[string]string{"retention.ms": "604800000", "cleanup.policy": "compact,delete"} {
		if got := config(key); got != want {
			t.Errorf("after the change %s is %s, want %s", key, got, want)
		}
	}
	if ps, err := admin.CreatePartitions(ctx, 3, topic); err != nil || ps.Error() != nil {
		t.Fatal(err, ps.Error())
	}
	if ps, err := admin.UpdatePartitions(ctx, 2, topic); err == nil && !errors.Is(ps.Error(), kerr.InvalidPartitions) {
		t.Errorf("fewer partitions gives %v, want INVALID_PARTITIONS", ps.Error())
	}
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil || len(topics[topic].Partitions) != 5 {
		t.Fatalf("the topic has %d partitions, want 5 (%v)", len(topics[topic].Partitions), err)
	}
	if topics[topic].ID == (kadm.TopicID{}) {
		t.Error("the topic has no id")
	}
	if ds, err := admin.DeleteTopics(ctx, topic); err != nil || ds.Error() != nil {
		t.Fatal(err, ds.Error())
	}
	ds, err := admin.DeleteTopics(ctx, topic)
	if err != nil || !errors.Is(ds.Error(), kerr.UnknownTopicOrPartition) {
		t.Errorf("deleting it again gives %v, %v, want UNKNOWN_TOPIC_OR_PARTITION", err, ds.Error())
	}
}

func testDeleteRecords(t *testing.T, s *harness.Server) {
	topic := createTopic(t, s.Bootstrap, 1, nil)
	ctx := timeout(t)
	cl := newClient(t, s.Bootstrap, kgo.DefaultProduceTopic(topic))
	admin := kadm.NewClient(cl)
	for i := range 5 {
		r := kgo.StringRecord(fmt.Sprint(i))
		r.Timestamp = time.UnixMilli(1700000000000 + int64(i)*1000)
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var upTo kadm.Offsets
	upTo.AddOffset(topic, 0, 3, -1)
	if rs, err := admin.DeleteRecords(ctx, upTo); err != nil || rs.Error() != nil {
		t.Fatal(err, rs.Error())
	}
	for _, c := range []struct {
		name string
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		want int64
	}{
		{"start", admin.ListStartOffsets, 3},
		{"end", admin.ListEndOffsets, 5},
		{"of a time", func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, 1700000003500, topics...)
		}, 4},
		{"of the largest time", admin.ListMaxTimestampOffsets, 4},
	} {
		os, err := c.list(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := os.Lookup(topic, 0); o.Err != nil || o.Offset != c.want {
			t.Errorf("offset %s is %d (%v), want %d", c.name, o.Offset, o.Err, c.want)
		}
	}
	// A reader whose place is gone is told so, and starts where the log does.
	consumer := newClient(t, s.Bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(1)}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		if rs := fetches.Records(); len(rs) > 0 {
			if string(rs[0].Value) != "3" || rs[0].Offset != 3 {
				t.Errorf("the first record is %q at %d, want 3 at 3", rs[0].Value, rs[0].Offset)
			}
			return
		}
	}
}

func testAdminGroups(t *testing.T, s *harness.Server) {
	topic := createTopic(t, s.Bootstrap, 2, nil)
	group := topic
	ctx := timeout(t)
	admin := kadm.NewClient(newClient(t, s.Bootstrap))

	m := join(t, s.Bootstrap, topic, kgo.RangeBalancer())
	m.await(2)
	described, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	g := described[group]
	if g.State != "Stable" || g.ProtocolType != "consumer" || g.Protocol != "range" || len(g.Members) != 1 {
		t.Errorf("the group is described as %s %s %s with %d members", g.State, g.ProtocolType, g.Protocol, len(g.Members))
	}
	if assigned := g.AssignedPartitions(); len(assigned[topic]) != 2 {
		t.Errorf("the member's partitions are described as %v", assigned)
	}
	deleted, err := admin.DeleteGroups(ctx, group)
	if err != nil || !errors.Is(deleted[group].Err, kerr.NonEmptyGroup) {
		t.Errorf("deleting a group with a member gives %v, %v, want NON_EMPTY_GROUP", err, deleted[group].Err)
	}
	m.client.Close()

	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, 7, -1)
	offsets.Add(kadm.Offset{Topic: topic, Partition: 1, At: 8, LeaderEpoch: 0, Metadata: "note"})
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		t.Fatal(err)
	}
	committed, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := committed.Lookup(topic, 0); c.At != 7 {
		t.Errorf("partition 0 has %d committed, want 7", c.At)
	}
	if c, _ := committed.Lookup(topic, 1); c.At != 8 || c.Metadata != "note" {
		t.Errorf("partition 1 has %d %q committed, want 8 with its note", c.At, c.Metadata)
	}
	var some kadm.TopicsSet
	some.Add(topic, 0)
	if rs, err := admin.DeleteOffsets(ctx, group, some); err != nil || rs.Error() != nil {
		t.Fatal(err, rs.Error())
	}
	if committed, err = admin.FetchOffsets(ctx, group); err != nil {
		t.Fatal(err)
	}
	if c, ok := committed.Lookup(topic, 0); ok && c.At >= 0 {
		t.Errorf("the deleted offset is still %d", c.At)
	}
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := listed[group]; !ok || g.State != "Empty" {
		t.Errorf("the group is listed as %+v (found: %v), want Empty", g, ok)
	}
	if deleted, err = admin.DeleteGroups(ctx, group); err != nil || deleted[group].Err != nil {
		t.Fatal(err, deleted[group].Err)
	}
	if described, err = admin.DescribeGroups(ctx, group); err != nil {
		t.Fatal(err)
	}
	if g := described[group]; g.State != "Dead" {
		t.Errorf("after its deletion the group is %s, want Dead", g.State)
	}
}

func testAdminCluster(t *testing.T, s *harness.Server) {
	ctx := timeout(t)
	admin := kadm.NewClient(newClient(t, s.Bootstrap))
	meta, err := admin.BrokerMetadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(meta.Brokers) != 1 || meta.Brokers[0].NodeID != 1 || meta.Controller != 1 || meta.Cluster == "" {
		t.Errorf("metadata has %d brokers, the first %+v, controller %d, cluster %q", len(meta.Brokers), meta.Brokers, meta.Controller, meta.Cluster)
	}
	if got := net.JoinHostPort(meta.Brokers[0].Host, fmt.Sprint(meta.Brokers[0].Port)); !s.Is(got) {
		t.Errorf("the broker says it is at %s, and was reached at %s", got, s.Bootstrap)
	}
	configs, err := admin.DescribeBrokerConfigs(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, rc := range configs {
		for _, c := range rc.Configs {
			all[c.Key] = c.MaybeValue()
		}
	}
	for key, want := range map[string]string{"num.partitions": "1", "auto.create.topics.enable": "true", "message.max.bytes": "1048588"} {
		if all[key] != want {
			t.Errorf("broker config %s is %q, want %q", key, all[key], want)
		}
	}
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range slices.Collect(maps.Values(versions)) {
		if v.Err != nil {
			t.Error(v.Err)
		}
		if _, max, ok := v.KeyVersions(1); !ok || max < 12 {
			t.Errorf("Fetch is served to version %d, want 12 at least", max)
		}
	}
}

// cutDialer makes connections of which one, once armed, is cut after its request was answered but before the client
// sees the answer: what a client must repeat without knowing whether it was carried out.
type cutDialer struct{ armed chan struct{} }

func (d *cutDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, armed: d.armed}, nil
}

type cutConn struct {
	net.Conn
	armed   chan struct{}
	produce bool // the request on its way is a Produce
}

func (c *cutConn) Write(p []byte) (int, error) {
	if len(p) >= 6 && p[4] == 0 && p[5] == 0 { // after the size comes the API key; 0 is Produce
		c.produce = true
	}
	return c.Conn.Write(p)
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.produce {
		select {
		case <-c.armed:
			c.Conn.Close()
			return 0, net.ErrClosed
		default:
		}
	}
	return n, err
}
