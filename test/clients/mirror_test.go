package clients_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/test/harness"
)

// testMirror has MirrorMaker 2 copy a topic, its configs and a group's offsets from one broker to another, be stopped,
// and go on.
func testMirror(t *testing.T) {
	slow(t)
	source, target := harness.Start(t, harness.Options{}), harness.Start(t, harness.Options{})
	warm(t, source.Bootstrap)
	warm(t, target.Bootstrap)
	properties := filepath.Join(t.TempDir(), "mm2.properties")
	writeFile(t, properties, `clusters=source,target
source.bootstrap.servers=`+source.Bootstrap+`
target.bootstrap.servers=`+target.Bootstrap+`
source->target.enabled=true
target->source.enabled=false
source->target.topics=orders.*
source->target.groups=billing
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
config.storage.replication.factor=1
refresh.topics.interval.seconds=1
refresh.groups.interval.seconds=1
sync.topic.configs.interval.seconds=1
sync.group.offsets.enabled=true
sync.group.offsets.interval.seconds=1
emit.checkpoints.interval.seconds=1
emit.heartbeats.interval.seconds=1
offset.lag.max=0
sync.topic.acls.enabled=false
`)
	command := append(jvm(t, 384, "org.apache.kafka.connect.mirror.MirrorMaker", connectJars(t)), properties)

	from := kgoClient(t, source.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("orders"))
	to := kadm.NewClient(kgoClient(t, target.Bootstrap))
	retention := "7654321"
	if _, err := kadm.NewClient(from).CreateTopic(timeout(t), 2, 1, map[string]*string{"retention.ms": &retention}, "orders"); err != nil {
		t.Fatal(err)
	}
	m := &mirrored{t: t, from: from, read: kgoClient(t, target.Bootstrap, kgo.ConsumeTopics("source.orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))}
	m.write(100)
	m.commit(50)

	takeJVM(t)
	mirror := launch(t, command...)
	mirror.until(t, func() bool {
		d, err := to.ListTopics(t.Context(), "source.orders")
		return err == nil && d.Has("source.orders")
	}, func() string { return "source.orders is not there" })
	m.await(mirror)
	configs, err := to.DescribeTopicConfigs(timeout(t), "source.orders")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" && c.MaybeValue() != retention {
			t.Errorf("source.orders has retention.ms %s, want %s", c.MaybeValue(), retention)
		}
	}
	m.awaitCommit(mirror, to, 50)

	// What is written while it is away comes when it is back, and nothing comes twice.
	mirror.stop(t)
	m.write(50)
	m.commit(75)
	mirror = launch(t, command...)
	m.await(mirror)
	m.awaitCommit(mirror, to, 75)
	if more, err := kadm.NewClient(from).CreatePartitions(timeout(t), 1, "orders"); err != nil || more.Error() != nil {
		t.Fatal(err, more.Error())
	}
	mirror.until(t, func() bool {
		d, err := to.ListTopics(t.Context(), "source.orders")
		return err == nil && len(d["source.orders"].Partitions) == 3
	}, func() string { return "source.orders has not got the new partition" })
	mirror.stop(t)

	end, err := to.ListEndOffsets(timeout(t), "source.orders", "source.checkpoints.internal", "heartbeats")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []int32{0, 1} {
		if o, _ := end.Lookup("source.orders", p); o.Offset != 75 {
			t.Errorf("source.orders-%d ends at %d, want 75", p, o.Offset)
		}
	}
	for _, topic := range []string{"source.checkpoints.internal", "heartbeats"} {
		if o, ok := end.Lookup(topic, 0); !ok || o.Offset == 0 {
			t.Errorf("%s ends at %d (found: %v), want records in it", topic, o.Offset, ok)
		}
	}
}

// mirrored holds what was written at the source and what came at the target.
type mirrored struct {
	t          *testing.T
	from, read *kgo.Client
	want, got  []string
}

// write produces n records, in turn to both partitions.
func (m *mirrored) write(n int) {
	m.t.Helper()
	var records []*kgo.Record
	for range n {
		i := len(m.want)
		r := &kgo.Record{Partition: int32(i % 2), Offset: int64(i / 2), Key: fmt.Append(nil, "key ", i), Value: fmt.Append(nil, "order ", i),
			Timestamp: time.UnixMilli(time.Now().UnixMilli()), Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}}}
		m.want = append(m.want, told(r))
		records = append(records, r)
	}
	if err := m.from.ProduceSync(timeout(m.t), records...).FirstErr(); err != nil {
		m.t.Fatal(err)
	}
}

// told writes a record's place and all that a client gave it.
func told(r *kgo.Record) string {
	return fmt.Sprintf("%d@%d %s=%s %v %d", r.Partition, r.Offset, r.Key, r.Value, r.Headers, r.Timestamp.UnixMilli())
}

// await reads the target until all has come that was written at the source, and compares.
func (m *mirrored) await(mirror *process) {
	m.t.Helper()
	for ctx := timeout(m.t); len(m.got) < len(m.want); {
		f := m.read.PollFetches(ctx)
		mirror.running(m.t)
		if ctx.Err() != nil {
			m.t.Fatalf("%d of %d records came", len(m.got), len(m.want))
		}
		f.EachRecord(func(r *kgo.Record) { m.got = append(m.got, told(r)) })
	}
	slices.Sort(m.got)
	slices.Sort(m.want)
	if !slices.Equal(m.got, m.want) {
		m.t.Fatalf("at the target there is\n%s\nwant\n%s", strings.Join(m.got, "\n"), strings.Join(m.want, "\n"))
	}
}

// commit sets the offset of the group billing at the source, in both partitions.
func (m *mirrored) commit(at int64) {
	m.t.Helper()
	var o kadm.Offsets
	o.AddOffset("orders", 0, at, -1)
	o.AddOffset("orders", 1, at, -1)
	if err := kadm.NewClient(m.from).CommitAllOffsets(timeout(m.t), "billing", o); err != nil {
		m.t.Fatal(err)
	}
}

// awaitCommit waits until the group's offsets have come to the target. MirrorMaker knows only some pairs of offsets, and
// translates others to one before them; of the log's end it is sure.
func (m *mirrored) awaitCommit(mirror *process, to *kadm.Client, at int64) {
	m.t.Helper()
	var offsets [2]int64
	mirror.until(m.t, func() bool {
		committed, err := to.FetchOffsets(m.t.Context(), "billing")
		for p := range offsets {
			c, ok := committed.Lookup("source.orders", int32(p))
			if err != nil || !ok {
				return false
			}
			offsets[p] = c.At
		}
		return offsets[0] == at && offsets[1] == at
	}, func() string { return fmt.Sprintf("billing is at %v of source.orders, want %d", offsets, at) })
}
