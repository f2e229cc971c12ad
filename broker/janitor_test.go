package broker

import (
	"fmt"
	"runtime/debug"
	rtm "runtime/metrics"
	"strings"
	"testing"
	"time"

	"minibroker/broker/config"
	"minibroker/protocol/record"
	"minibroker/storage"
)

func startOf(t testing.TB, b *Broker, topic string) int64 {
	return onlyPartition(t, b, topic).log.StartOffset()
}

func TestRetentionHappensWhenItIsDue(t *testing.T) {
	b, clock := atRest(t, WithTopic("short", 1, map[string]string{"retention.ms": "1000"}))
	c := dial(t, b)
	c.mustProduce(b, "short", batchOf(t, start2030.UnixMilli(), []string{"a"}))
	clock.Advance(1000 * time.Millisecond)
	if start := startOf(t, b, "short"); start != 0 {
		t.Fatalf("the record is gone at retention.ms: it has to be older")
	}
	clock.Advance(time.Millisecond)
	if start := startOf(t, b, "short"); start != 1 {
		t.Fatalf("the log starts at %d after retention.ms, want 1", start)
	}
	// And again, for what comes later.
	c.mustProduce(b, "short", batchOf(t, clock.Now().UnixMilli(), []string{"b"}))
	clock.Advance(time.Hour)
	if start := startOf(t, b, "short"); start != 2 {
		t.Fatalf("the log starts at %d after retention.ms, want 2", start)
	}
}

func TestAnIdleBrokerSetsNoTimer(t *testing.T) {
	b, clock := atRest(t, WithTopic("short", 1, map[string]string{"retention.ms": "1000"}))
	if at, pending := clock.Next(); pending {
		t.Fatalf("with nothing to do the broker waits for %v", at)
	}
	dial(t, b).mustProduce(b, "short", batchOf(t, start2030.UnixMilli(), []string{"a"}))
	if _, pending := clock.Next(); !pending {
		t.Fatal("with a record to delete the broker waits for nothing")
	}
	clock.Advance(time.Hour)
	if at, pending := clock.Next(); pending {
		t.Fatalf("after the last record is deleted the broker waits for %v", at)
	}
}

// A test that replays old data would be surprised to lose it at once; Kafka
// looks at it after log.retention.check.interval.ms, too.
func TestRecordsThatAreTooOldOnArrivalStayForOneCheckInterval(t *testing.T) {
	b, clock := atRest(t)
	dial(t, b).mustProduce(b, "t", batchOf(t, 1000, []string{"from 1970"}))
	clock.Advance(5*time.Minute - time.Millisecond)
	if startOf(t, b, "t") != 0 {
		t.Fatal("the record is gone before log.retention.check.interval.ms")
	}
	clock.Advance(time.Millisecond)
	if startOf(t, b, "t") != 1 {
		t.Fatal("the record is still there after log.retention.check.interval.ms")
	}
}

func TestAnotherRetentionTakesEffectAtOnce(t *testing.T) {
	b, clock := atRest(t)
	dial(t, b).mustProduce(b, "t", batchOf(t, start2030.UnixMilli(), []string{"a"}))
	clock.Advance(time.Hour)
	err := b.setTopicConfigs("t", false, func(map[string]string) (map[string]string, *config.Error) {
		return map[string]string{"retention.ms": "1000"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(0)
	if startOf(t, b, "t") != 1 {
		t.Fatal("the record is still there with retention.ms lowered below its age")
	}
}

func TestRetentionBytesHappensAtOnce(t *testing.T) {
	b, clock := atRest(t, WithTopic("small", 1, map[string]string{"retention.bytes": "2000000", "segment.bytes": "1048576"}))
	c := dial(t, b)
	for range 5 {
		c.mustProduce(b, "small", batchOf(t, start2030.UnixMilli(), []string{strings.Repeat("x", 1<<20-1000)}))
	}
	clock.Advance(0)
	if size := onlyPartition(t, b, "small").log.Size(); size > 3<<20 {
		t.Fatalf("%d bytes are kept with retention.bytes=2000000 and segments of 1 MiB", size)
	}
	if start := startOf(t, b, "small"); start == 0 {
		t.Fatal("nothing was deleted")
	}
}

func TestCompactionKeepsTheLastRecordOfEachKey(t *testing.T) {
	b, clock := atRest(t, WithTopic("table", 1, map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0"}))
	c := dial(t, b)
	add := func(key, value string) {
		builder := record.NewBuilder(record.None, 0)
		r := record.Record{Timestamp: clock.Now().UnixMilli(), Key: []byte(key), Value: []byte(value)}
		if value == "" {
			r.Value = nil
		}
		builder.Add(r)
		batch, err := builder.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.mustProduce(b, "table", batch)
	}
	for i := range 3 {
		add("a", fmt.Sprint("a", i))
		add("b", fmt.Sprint("b", i))
	}
	add("b", "") // a tombstone
	// The next batch needs another segment: what is before can be compacted.
	add("filler", strings.Repeat("x", 1<<20-500))
	clock.Advance(0)
	got := values(t, c.fetch(b, "table", 0).RecordBatches)
	if len(got) == 0 || got[0] != "a2" {
		t.Fatalf("after compaction the log begins with %.40q, want a2 alone of the a's", got)
	}
	for _, v := range got[1:] {
		if v == "b0" || v == "b1" || v == "b2" {
			t.Fatalf("%q is still there, its key was deleted", v)
		}
	}
	// The tombstone goes one pass after delete.retention.ms.
	add("other", strings.Repeat("y", 1<<20-500))
	clock.Advance(time.Minute)
	for batch := range onlyPartition(t, b, "table").log.Batches(0, 100) {
		for r, err := range batch.Records(nil) {
			if err == nil && string(r.Key) == "b" {
				t.Fatal("the tombstone is still there after delete.retention.ms")
			}
		}
	}
}

func TestDeletedTopicsAreForgotten(t *testing.T) {
	b, clock := atRest(t)
	dial(t, b).mustProduce(b, "t", batchOf(t, start2030.UnixMilli(), []string{"a"}))
	if len(b.janitor.due) != 1 {
		t.Fatalf("%d partitions are due, want 1", len(b.janitor.due))
	}
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if len(b.janitor.due) != 0 {
		t.Fatal("the janitor keeps the deleted topic's log")
	}
	clock.Advance(30 * 24 * time.Hour)
}

func TestJanitorKeepsTheEarliestOfManyDeadlines(t *testing.T) {
	b, clock := atRest(t)
	var parts []*partition
	for i := range int64(100) {
		p := b.newPartition(b.image.Load().topic("t"), int32(i), b.onlyReplica())
		p.mu.Lock()
		b.janitor.at(p, start2030.UnixMilli()+(i*37)%100+1)
		p.mu.Unlock()
		parts = append(parts, p)
	}
	for ms := range int64(100) {
		clock.Advance(time.Millisecond)
		left := 0
		for _, p := range parts {
			if p.cleanAt.Load() != storage.Never {
				left++
			}
		}
		if want := 99 - int(ms); left != want {
			t.Fatalf("after %d ms %d partitions are still to be cleaned, want %d", ms+1, left, want)
		}
	}
}

// resident is the memory that the runtime has from the machine.
func resident() uint64 {
	s := []rtm.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	rtm.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

func TestMemoryIsGivenBackAfterADeletion(t *testing.T) {
	const size = 256 << 20
	b, clock := atRest(t)
	c := dial(t, b)
	debug.FreeOSMemory()
	before := resident()
	for range size / (1 << 20) {
		c.mustProduce(b, "t", batchOf(t, start2030.UnixMilli(), []string{strings.Repeat("x", 1<<20-200)}))
	}
	full := resident()
	if full < before+size {
		t.Fatalf("only %d bytes more are in use after %d were stored", full-before, size)
	}
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(5 * time.Second)
	if after := resident(); after > before+(full-before)/20 {
		t.Fatalf("%d of %d bytes were given back 5 s after the deletion, want 95%%", full-after, full-before)
	}
}
