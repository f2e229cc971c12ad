package broker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/protocol/record"
)

// This file tests retention and compaction as clients see them: all that is
// done and looked at goes through requests. janitor_test.go has the rest.

// keyed builds a batch of one record; an empty value is a tombstone.
func keyed(t testing.TB, at time.Time, key, value string) []byte {
	t.Helper()
	b := record.NewBuilder(record.None, 0)
	r := record.Record{Timestamp: at.UnixMilli(), Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	b.Add(r)
	batch, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// contents reads a topic from an offset on, a word per record: key=value@offset.
func contents(c *rawClient, b *Broker, topic string, from int64) (words []string) {
	c.t.Helper()
	for {
		p := c.fetch(b, topic, from)
		if p.ErrorCode != 0 {
			c.t.Fatalf("fetch of %s from %d: [%d]", topic, from, p.ErrorCode)
		}
		if len(p.RecordBatches) == 0 {
			return words
		}
		for batch := range record.Batches(p.RecordBatches) {
			for r, err := range batch.Records(nil) {
				if err != nil {
					c.t.Fatal(err)
				}
				words = append(words, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Offset))
			}
			from = batch.LastOffset() + 1
		}
	}
}

func wantContents(c *rawClient, b *Broker, topic string, from int64, why string, want ...string) {
	c.t.Helper()
	if got := contents(c, b, topic, from); !slices.Equal(got, want) {
		c.t.Fatalf("%s: %s has %q, want %q", why, topic, got, want)
	}
}

// earliest and latest are what ListOffsets says.
func earliest(c *rawClient, topic string) int64 { return listed(c, listRequest(11, topic, -2)).Offset }
func latest(c *rawClient, topic string) int64   { return listed(c, listRequest(11, topic, -1)).Offset }

// createWith creates a topic of one partition by request.
func createWith(c *rawClient, name string, configs ...string) {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 1000
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, 1, 1
	for i := 0; i < len(configs); i += 2 {
		rt.Configs = append(rt.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	req.Topics = append(req.Topics, rt)
	if got := ask[*kmsg.CreateTopicsResponse](c, req).Topics[0]; got.ErrorCode != 0 {
		c.t.Fatalf("cannot create %s: [%d] %s", name, got.ErrorCode, text(got.ErrorMessage))
	}
}

func TestClientsSeeRetentionByTime(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	createWith(c, "log", "retention.ms", "60000", "segment.ms", "10000")
	for _, v := range []string{"0s", "20s", "40s"} {
		c.mustProduce(b, "log", keyed(t, clock.Now(), "k", v))
		clock.Advance(20 * time.Second)
	}
	wantContents(c, b, "log", 0, "after one minute", "k=0s@0", "k=20s@1", "k=40s@2")
	clock.Advance(time.Millisecond)
	if at := earliest(c, "log"); at != 1 {
		t.Fatalf("the log starts at %d when the first record is older than retention.ms, want 1", at)
	}
	if p := c.fetch(b, "log", 0); p.ErrorCode != kerr.OffsetOutOfRange.Code {
		t.Errorf("a fetch of the deleted record: [%d], want [1]", p.ErrorCode)
	}
	if p := c.fetch(b, "log", 1); p.LogStartOffset != 1 || p.HighWatermark != 3 {
		t.Errorf("a fetch says the log is from %d to %d, want 1 to 3", p.LogStartOffset, p.HighWatermark)
	}
	wantContents(c, b, "log", 1, "after retention", "k=20s@1", "k=40s@2")
	clock.Advance(time.Minute)
	if from, to := earliest(c, "log"), latest(c, "log"); from != 3 || to != 3 {
		t.Fatalf("the emptied log is from %d to %d, want 3 to 3", from, to)
	}
	if p := c.produce(b, "log", keyed(t, clock.Now(), "k", "new")); p.BaseOffset != 3 || p.LogStartOffset != 3 {
		t.Errorf("the next record is at %d in a log from %d, want 3 and 3", p.BaseOffset, p.LogStartOffset)
	}
}

func TestClientsSeeRetentionBySize(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	batch := keyed(t, clock.Now(), "k", string(make([]byte, 400<<10)))
	createWith(c, "log", "retention.bytes", fmt.Sprint(4*len(batch)), "segment.bytes", "1048576", "retention.ms", "-1")
	for range 20 { // two to a segment
		c.mustProduce(b, "log", batch)
		clock.Advance(0)
		if from, to := earliest(c, "log"), latest(c, "log"); to-from > 6 || to >= 6 && to-from < 4 {
			t.Fatalf("the log is from %d to %d with retention.bytes for 4 records and 2 to a segment", from, to)
		}
	}
	clock.Advance(1000 * time.Hour)
	if from, to := earliest(c, "log"), latest(c, "log"); from != 16 || to != 20 {
		t.Errorf("in the end the log is from %d to %d, want 16 to 20", from, to)
	}
}

func TestClientsSeeCompaction(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	// Each record is a segment of its own.
	createWith(c, "table", "cleanup.policy", "compact", "segment.ms", "1", "min.cleanable.dirty.ratio", "0",
		"min.compaction.lag.ms", "60000", "delete.retention.ms", "600000")
	put := func(key, value string) {
		t.Helper()
		c.mustProduce(b, "table", keyed(t, clock.Now(), key, value))
		clock.Advance(10 * time.Second)
	}
	put("a", "1") // at 0 s
	put("a", "2") // at 10 s
	put("b", "1") // at 20 s
	put("b", "")  // at 30 s
	put("c", "1") // at 40 s: the active segment
	clock.Advance(10 * time.Second)
	wantContents(c, b, "table", 0, "a minute after the first record", "a=1@0", "a=2@1", "b=1@2", "b=@3", "c=1@4")
	clock.Advance(10*time.Second + time.Millisecond)
	wantContents(c, b, "table", 0, "once a=2 is older than min.compaction.lag.ms", "a=2@1", "b=1@2", "b=@3", "c=1@4")
	clock.Advance(20 * time.Second)
	wantContents(c, b, "table", 0, "once b's tombstone is, too", "a=2@1", "b=@3", "c=1@4")
	if from := earliest(c, "table"); from != 0 {
		t.Errorf("compaction moved the log start offset to %d", from)
	}
	// The tombstone has its delete horizon now, and is there until then.
	clock.Advance(9 * time.Minute)
	put("d", "1")
	clock.Advance(50 * time.Second)
	wantContents(c, b, "table", 0, "before delete.retention.ms", "a=2@1", "b=@3", "c=1@4", "d=1@5")
	clock.Advance(time.Minute)
	put("e", "1") // d is dirty now: the log is worth another pass
	clock.Advance(2 * time.Minute)
	wantContents(c, b, "table", 0, "after delete.retention.ms", "a=2@1", "c=1@4", "d=1@5", "e=1@6")
	// Who asks for an offset that was compacted away gets the next one.
	wantContents(c, b, "table", 2, "from a gap", "c=1@4", "d=1@5", "e=1@6")
}

func TestACompactedLogThatIsDeletedToo(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	createWith(c, "both", "cleanup.policy", "compact,delete", "segment.ms", "1", "min.cleanable.dirty.ratio", "0", "retention.ms", "60000")
	for _, v := range []string{"1", "2", "3"} {
		c.mustProduce(b, "both", keyed(t, clock.Now(), "a", v))
		clock.Advance(time.Second)
	}
	wantContents(c, b, "both", 0, "after compaction", "a=2@1", "a=3@2")
	clock.Advance(59 * time.Second)
	if from := earliest(c, "both"); from != 2 {
		t.Errorf("the log starts at %d when a=2 is older than retention.ms, want 2", from)
	}
	clock.Advance(time.Minute)
	if from := earliest(c, "both"); from != 3 {
		t.Errorf("the log starts at %d when all is older than retention.ms, want 3", from)
	}
}

func TestMaxCompactionLagOverrulesTheDirtyRatio(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	createWith(c, "table", "cleanup.policy", "compact", "segment.ms", "1", "min.cleanable.dirty.ratio", "1", "max.compaction.lag.ms", "60000")
	for _, v := range []string{"1", "2", "3"} {
		c.mustProduce(b, "table", keyed(t, clock.Now(), "a", v))
		clock.Advance(10 * time.Second)
	}
	wantContents(c, b, "table", 0, "with a dirty ratio that is never above 1", "a=1@0", "a=2@1", "a=3@2")
	clock.Advance(31 * time.Second)
	wantContents(c, b, "table", 0, "after max.compaction.lag.ms", "a=2@1", "a=3@2")
}

func TestRetentionCanBeAlteredByRequest(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	c.mustProduce(b, "t", keyed(t, clock.Now(), "k", "v"))
	clock.Advance(time.Hour)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
	value := "1800000"
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}
	req.Resources = append(req.Resources, r)
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0]; got.ErrorCode != 0 {
		t.Fatalf("[%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	clock.Advance(0)
	if from := earliest(c, "t"); from != 1 {
		t.Errorf("the log starts at %d, want 1", from)
	}
}

// everything is contents with the markers of transactions.
func everything(c *rawClient, b *Broker, topic string) (words []string) {
	c.t.Helper()
	for batch := range record.Batches(c.fetch(b, topic, 0).RecordBatches) {
		for r, err := range batch.Records(nil) {
			if err != nil {
				c.t.Fatal(err)
			}
			word := string(r.Value)
			if batch.Attributes().Control() {
				word = "commit"
				if kind, _ := record.ParseControlKey(r.Key); kind == record.Abort {
					word = "abort"
				}
			}
			words = append(words, fmt.Sprintf("%s@%d", word, r.Offset))
		}
	}
	return words
}

func TestCompactionOfTransactions(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	err := b.setTopicConfigs("t", false, func(map[string]string) (map[string]string, *config.Error) {
		return map[string]string{"cleanup.policy": "compact", "segment.ms": "1", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "60000"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := func(why string, words ...string) {
		t.Helper()
		if got := everything(c, b, "t"); !slices.Equal(got, words) {
			t.Fatalf("%s: the log is %q, want %q", why, got, words)
		}
	}
	plain := func(value string) { // all records have the same key
		t.Helper()
		c.mustProduce(b, "t", batchOf(t, clock.Now().UnixMilli(), []string{value}))
		clock.Advance(time.Second)
	}
	within := func(p *txnClient, value string) {
		t.Helper()
		p.add(3, p.me, "t", 0)
		p.write(9, p.me, 0, value, 0)
		clock.Advance(time.Second)
	}
	aborts, commits := newTxnClient(t, b, "aborts"), newTxnClient(t, b, "commits")
	plain("first")
	within(aborts, "aborted")
	aborts.end(3, aborts.me, false, 0)
	clock.Advance(time.Second)
	within(commits, "open")
	plain("second")
	plain("third")
	// The aborted record replaces nothing, and is gone. Its marker is there for
	// consumers that have read the record. What is behind the last stable offset
	// is left alone.
	want("while a transaction is open", "first@0", "abort@2", "open@3", "second@4", "third@5")
	commits.end(3, commits.me, true, 0)
	clock.Advance(time.Second)
	plain("fourth")
	want("when it is committed", "abort@2", "third@5", "commit@6", "fourth@7")
	// A producer's newest batch stays, empty if need be, for as long as the
	// producer is remembered, and the markers with it.
	clock.Advance(time.Hour)
	plain("fifth")
	want("an hour later", "abort@2", "commit@6", "fourth@7", "fifth@8")
	clock.Advance(25 * time.Hour)
	plain("sixth")   // this pass drops the empty batches,
	plain("seventh") // this one sees that the markers mark the end of nothing,
	clock.Advance(50 * time.Second)
	plain("eighth")
	want("before delete.retention.ms", "abort@2", "commit@6", "seventh@10", "eighth@11")
	clock.Advance(time.Minute)
	plain("ninth") // and this one drops them
	want("after it", "eighth@11", "ninth@12")
}
