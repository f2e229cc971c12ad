package storage

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"minibroker/protocol/record"
)

func compactConfig() *Config {
	cfg := testConfig()
	cfg.Delete, cfg.Compact = false, true
	cfg.SegmentBytes = 400
	cfg.MinCleanableDirtyRatio = 0
	cfg.DeleteRetentionMs = 1000
	return cfg
}

// keyedBatch is a batch with a record per "key=value"; "key" alone is a
// tombstone, "=value" has no key.
func keyedBatch(codec record.Codec, ts int64, records ...string) record.Batch {
	return fill(record.NewBuilder(codec, 0), ts, records...)
}

// producerBatch is one that an idempotent or transactional producer wrote.
func producerBatch(id int64, epoch int16, seq int32, transactional bool, ts int64, records ...string) record.Batch {
	b := record.NewBuilder(record.None, 0)
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = id, epoch, seq, transactional
	return fill(b, ts, records...)
}

func fill(b *record.Builder, ts int64, records ...string) record.Batch {
	for i, s := range records {
		r := record.Record{Offset: int64(i), Timestamp: ts, Headers: []record.Header{{Key: "n", Value: []byte(s)}}}
		key, value, hasValue := strings.Cut(s, "=")
		if key != "" {
			r.Key = []byte(key)
		}
		if hasValue {
			r.Value = []byte(value)
		}
		b.Add(r)
	}
	out, err := b.Build(nil)
	if err != nil {
		panic(err)
	}
	return out
}

// keyed appends a keyedBatch.
func keyed(l *Log, cfg *Config, ts int64, records ...string) {
	l.Append(keyedBatch(record.None, ts, records...), 0, cfg, ts)
}

// roll closes the active segment.
func roll(l *Log, cfg *Config, ts int64) {
	small := *cfg
	small.SegmentBytes = 1
	l.Append(keyedBatch(record.None, ts, "end=of segment"), 0, &small, ts)
}

// contents is what a consumer gets, as "offset:key=value".
func contents(t testing.TB, l *Log) (out []string) {
	for b := range l.Batches(l.StartOffset(), l.EndOffset()) {
		if b.Attributes().Control() {
			out = append(out, fmt.Sprintf("%d:marker", b.BaseOffset()))
			continue
		}
		for r, err := range b.Records(nil) {
			if err != nil {
				t.Fatal(err)
			}
			s := fmt.Sprintf("%d:%s", r.Offset, r.Key)
			if r.Value != nil {
				s += "=" + string(r.Value)
			}
			out = append(out, s)
		}
	}
	return out
}

func compact(t testing.TB, l *Log, cfg *Config, now int64, p Producers) bool {
	t.Helper()
	plan := l.PlanCompaction(cfg, now, l.EndOffset(), p)
	if plan == nil {
		return false
	}
	size, end := l.Size(), l.EndOffset()
	if !l.Swap(plan) {
		t.Fatal("the plan is stale although nothing happened")
	}
	if l.EndOffset() != end || l.Size() != size-plan.Stats.BytesRead+plan.Stats.BytesKept {
		t.Errorf("after compaction: end %d, size %d, stats %+v; before: end %d, size %d", l.EndOffset(), l.Size(), plan.Stats, end, size)
	}
	return true
}

func expect(t *testing.T, l *Log, want ...string) {
	t.Helper()
	if got := contents(t, l); !slices.Equal(got, want) {
		t.Errorf("the log has\n%q, want\n%q", got, want)
	}
}

func TestCompactionKeepsTheNewestValueOfEachKey(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		cfg, l := compactConfig(), New(0)
		l.Append(keyedBatch(codec, 1, "a=1", "b=1", "=keyless", "c=1"), 3, cfg, 1)
		l.Append(keyedBatch(codec, 2, "a=2", "d=1"), 3, cfg, 1)
		l.Append(keyedBatch(codec, 3, "a=3", "b=2"), 4, cfg, 1)
		roll(l, cfg, 4)
		keyed(l, cfg, 5, "a=4") // active: neither compacted nor counted
		compact(t, l, cfg, 10, Producers{})
		expect(t, l, "3:c=1", "5:d=1", "6:a=3", "7:b=2", "8:end=of segment", "9:a=4")
		if e, end := l.EndOffsetForEpoch(3, 4); e != 3 || end != 6 {
			t.Errorf("epoch 3 ends at %d", end)
		}
		for b := range l.Batches(0, 6) {
			if b.LeaderEpoch() != 3 || b.Attributes().Codec() != codec {
				t.Errorf("the batch at %d has epoch %d and codec %d", b.BaseOffset(), b.LeaderEpoch(), b.Attributes().Codec())
			}
		}
		// A batch keeps its span of offsets, whatever was removed of it.
		out, _ := l.Read(nil, 0, 10, 1, true)
		if first, last := span(t, out); first != 0 || last != 3 {
			t.Errorf("the first batch goes from %d to %d, want 0 to 3", first, last)
		}
	}
}

func TestCompactionKeepsTombstonesUntilTheirDeleteHorizon(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a=1", "b=1")
	keyed(l, cfg, 2, "a")
	roll(l, cfg, 3)
	keyed(l, cfg, 4, "x=1")
	compact(t, l, cfg, 5000, Producers{})
	expect(t, l, "1:b=1", "2:a", "3:end=of segment", "4:x=1")
	for b := range l.Batches(2, 3) {
		if horizon, ok := b.BaseTimestamp(), b.Attributes().DeleteHorizon(); !ok || horizon != 6000 { // KIP-534
			t.Errorf("the tombstone's delete horizon is %d, %v, want 6000", horizon, ok)
		}
		for r := range b.Records(nil) {
			if r.Timestamp != 2 || b.MaxTimestamp() != 2 {
				t.Errorf("the tombstone's timestamp became %d, its batch's %d", r.Timestamp, b.MaxTimestamp())
			}
		}
	}
	// Compaction happens for the sake of new data only, as in Kafka.
	if l.PlanCompaction(cfg, 9999, l.EndOffset(), Producers{}) != nil {
		t.Error("there is a plan although all is compacted")
	}
	roll(l, cfg, 5)
	compact(t, l, cfg, 5999, Producers{})
	expect(t, l, "1:b=1", "2:a", "3:end=of segment", "4:x=1", "5:end=of segment")
	roll(l, cfg, 6)
	roll(l, cfg, 7)
	compact(t, l, cfg, 6000, Producers{})
	expect(t, l, "1:b=1", "4:x=1", "6:end=of segment", "7:end=of segment")
}

func TestABatchKeepsItsDeleteHorizonWhenItLosesARecord(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a", "b")
	roll(l, cfg, 1)
	compact(t, l, cfg, 5000, Producers{})
	keyed(l, cfg, 1, "b=1")
	roll(l, cfg, 1)
	compact(t, l, cfg, 5500, Producers{})
	expect(t, l, "0:a", "2:end=of segment", "3:b=1", "4:end=of segment")
	for b := range l.Batches(0, 1) {
		if !b.Attributes().DeleteHorizon() || b.BaseTimestamp() != 6000 {
			t.Errorf("the delete horizon became %d", b.BaseTimestamp())
		}
	}
}

func TestCompactionTakesWhatWasWrittenAfterATruncationAsNew(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a=1")
	keyed(l, cfg, 1, "b=1")
	keyed(l, cfg, 1, "c=1")
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	l.Truncate(1)
	keyed(l, cfg, 1, "a=2")
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	expect(t, l, "1:a=2", "2:end=of segment")
}

func TestCompactionLeavesAlone(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		now    int64
		upTo   int64
		due    int64 // NextDeadline
		want   int   // segments compacted
	}{
		{"the active segment", func(c *Config) {}, 5000, 100, 5000, 3},
		{"a log without cleanup.policy=compact", func(c *Config) { c.Compact = false }, 5000, 100, Never, 0},
		{"what lies behind the last stable offset", func(c *Config) {}, 5000, 2, 5000, 2},
		{"what is not wholly below it", func(c *Config) {}, 5000, 0, Never, 0},
		{"what is younger than min.compaction.lag.ms", func(c *Config) { c.MinCompactionLagMs = 1000 }, 2001, 100, 2001, 2},
		{"what is too young as yet", func(c *Config) { c.MinCompactionLagMs = 1000 }, 1999, 100, 2000, 0},
		{"a log that is not dirty enough", func(c *Config) { c.MinCleanableDirtyRatio = 1 }, 5000, 100, Never, 0},
		{"no such log for longer than max.compaction.lag.ms", func(c *Config) {
			c.MinCleanableDirtyRatio, c.MaxCompactionLagMs = 1, 3000
		}, 4001, 100, 4001, 3},
		{"it until then", func(c *Config) {
			c.MinCleanableDirtyRatio, c.MaxCompactionLagMs = 1, 3000
		}, 4000, 100, 4001, 0},
	} {
		cfg, l := compactConfig(), New(0)
		cfg.SegmentBytes = 1 // a segment per batch, at 1000, 1001, 1002 and 9000
		for i := range int64(3) {
			keyed(l, cfg, 1000+i, "a=1")
		}
		keyed(l, cfg, 9000, "a=1")
		c.change(cfg)
		got := 0
		if p := l.PlanCompaction(cfg, c.now, c.upTo, Producers{}); p != nil {
			got = p.replacedSegments
		}
		if got != c.want {
			t.Errorf("compaction leaves alone %s: %d segments compacted, want %d", c.name, got, c.want)
		}
		if due := l.NextDeadline(cfg, c.now, c.upTo); due != c.due {
			t.Errorf("compaction leaves alone %s: next deadline %d, want %d", c.name, due, c.due)
		}
	}
}

func TestCompactionWaitsForEnoughThatIsDirty(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	cfg.MinCleanableDirtyRatio = 0.5
	for i := range 8 {
		roll(l, cfg, 1)
		keyed(l, cfg, 1, fmt.Sprintf("key %d=%0200d", i, i))
	}
	roll(l, cfg, 1)
	if !compact(t, l, cfg, 1, Producers{}) {
		t.Fatal("a log that was never compacted is not compacted")
	}
	clean := l.Size()
	for i := 0; ; i++ {
		dirty := l.Size() - clean
		if compact(t, l, cfg, 1, Producers{}) {
			if dirty < clean {
				t.Errorf("compacted with %d dirty bytes to %d clean ones", dirty, clean)
			}
			return
		}
		if dirty > 2*clean {
			t.Fatalf("not compacted with %d dirty bytes to %d clean ones", dirty, clean)
		}
		keyed(l, cfg, 1, fmt.Sprintf("other %d=%0100d", i, i))
	}
}

func TestCompactionJoinsSmallSegments(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	for i := range 50 {
		keyed(l, cfg, 1, fmt.Sprintf("key %d=%0100d", i%5, i))
	}
	roll(l, cfg, 1)
	before := len(l.view.Load().closed)
	compact(t, l, cfg, 1, Producers{})
	keyed(l, cfg, 1, "a=1")
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	if after := len(l.view.Load().closed); after > before/5 {
		t.Errorf("%d segments became %d", before, after)
	}
	for i := range 20 {
		keyed(l, cfg, 1, fmt.Sprintf("other key %d=%0100d", i, i))
	}
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	for _, s := range l.view.Load().closed {
		if s.size > int64(cfg.SegmentBytes) {
			t.Errorf("a segment has %d bytes, segment.bytes is %d", s.size, cfg.SegmentBytes)
		}
	}
}

func TestCompactionKeepsTheBatchThatAProducerIsCheckedAgainst(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	put := func(id int64, seq int32, s ...string) {
		l.Append(producerBatch(id, 7, seq, false, 1, s...), 0, cfg, 1)
	}
	put(1, 0, "a=1", "b=1")
	put(1, 2, "a=2", "b=2") // last of producer 1
	put(2, 0, "a=3")        // last of producer 2, which is no longer active
	put(-1, -1, "a=4", "b=4")
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{Last: map[int64]LastRecord{1: {Offset: 3, Epoch: 7}}})
	expect(t, l, "5:a=4", "6:b=4", "7:end=of segment")
	var ids []int64
	for b := range l.Batches(0, 5) {
		ids = append(ids, b.ProducerID())
		if b.NumRecords() != 0 || b.BaseOffset() != 2 || b.LastOffset() != 3 || b.LastSequence() != 3 || b.ProducerEpoch() != 7 {
			t.Errorf("kept a batch from %d to %d with %d records, last sequence %d, epoch %d",
				b.BaseOffset(), b.LastOffset(), b.NumRecords(), b.LastSequence(), b.ProducerEpoch())
		}
		if b.CRC() != b.ComputeCRC() {
			t.Error("the empty batch has a wrong CRC")
		}
	}
	if !slices.Equal(ids, []int64{1}) {
		t.Errorf("kept batches of the producers %v, want 1", ids)
	}
	// No record of that time is left.
	if o, _, _, ok := l.OffsetForTimestamp(0); !ok || o != 5 {
		t.Errorf("the first record is found at %d", o)
	}
}

func TestTheLastBatchStaysEvenEmpty(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a=1")
	l.Append(keyedBatch(record.None, 1, "=keyless"), 0, cfg, 1)
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	expect(t, l, "0:a=1", "2:end=of segment")
	out, _ := l.Read(nil, 1, 2, 1, true)
	if first, last := span(t, out); first != 1 || last != 1 {
		t.Errorf("behind the kept record comes a batch from %d to %d, want an empty one at 1", first, last)
	}
}

func TestCompactionKeepsTransactionMarkersAsLongAsTheirData(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	data := func(id int64, s ...string) { l.Append(producerBatch(id, 0, 0, true, 1, s...), 0, cfg, 1) }
	marker := func(id int64, c record.ControlType) { l.Append(record.EndTxnMarker(c, id, 0, 0, 1), 0, cfg, 1) }
	data(1, "a=1")           // 0
	marker(1, record.Commit) // 1
	data(2, "b=bad")         // 2, aborted
	data(1, "c=1")           // 3
	marker(2, record.Abort)  // 4
	marker(1, record.Commit) // 5
	data(2, "d=1")           // 6
	marker(2, record.Commit) // 7
	roll(l, cfg, 1)          // 8
	aborted := Producers{Aborted: []AbortedTxn{{ProducerID: 2, FirstOffset: 2, LastOffset: 4}}}
	compact(t, l, cfg, 100, aborted)
	// The aborted record goes at once and its marker stays for now.
	expect(t, l, "0:a=1", "1:marker", "3:c=1", "4:marker", "5:marker", "6:d=1", "7:marker", "8:end=of segment")

	keyed(l, cfg, 1, "a=2", "c=2") // 9, 10: the committed ones are replaced
	roll(l, cfg, 1)                // 11
	compact(t, l, cfg, 200, aborted)
	expect(t, l, "1:marker", "4:marker", "5:marker", "6:d=1", "7:marker",
		"8:end=of segment", "9:a=2", "10:c=2", "11:end=of segment")
	// Marker 4 had no data left in this round: its horizon is 200+1000.
	// Those of producer 1 had, and get theirs in the next.
	roll(l, cfg, 1) // 12
	compact(t, l, cfg, 1200, aborted)
	expect(t, l, "1:marker", "5:marker", "6:d=1", "7:marker",
		"9:a=2", "10:c=2", "11:end=of segment", "12:end=of segment")
	roll(l, cfg, 1) // 13
	compact(t, l, cfg, 2200, aborted)
	expect(t, l, "6:d=1", "7:marker", "9:a=2", "10:c=2", "12:end=of segment", "13:end=of segment")
}

func TestAbortedRecordsDoNotShadowCommittedOnes(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a=good")
	l.Append(producerBatch(2, 0, 0, true, 1, "a=bad"), 0, cfg, 1)
	l.Append(record.EndTxnMarker(record.Abort, 2, 0, 0, 1), 0, cfg, 1)
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{Aborted: []AbortedTxn{{2, 1, 2}}})
	expect(t, l, "0:a=good", "2:marker", "3:end=of segment")
}

func TestAnAbortMarkerStaysWithDataThatNobodySaidIsAborted(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	l.Append(producerBatch(2, 0, 0, true, 1, "a=1"), 0, cfg, 1)
	l.Append(record.EndTxnMarker(record.Abort, 2, 0, 0, 1), 0, cfg, 1)
	for i := range int64(3) {
		roll(l, cfg, 1)
		compact(t, l, cfg, 10_000*i, Producers{})
	}
	expect(t, l, "0:a=1", "1:marker", "3:end=of segment", "4:end=of segment")
}

func TestAStalePlanIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Log){
		"deletion":   func(l *Log) { l.DeleteRecords(3) },
		"truncation": func(l *Log) { l.Truncate(2) },
		"compaction": func(l *Log) { l.Swap(l.PlanCompaction(compactConfig(), 1, 100, Producers{})) },
	} {
		cfg, l := compactConfig(), New(0)
		for range 10 {
			roll(l, cfg, 1)
		}
		plan := l.PlanCompaction(cfg, 1, 100, Producers{})
		change(l)
		if l.Swap(plan) {
			t.Errorf("a plan from before a %s took effect", name)
		}
	}
	cfg, l := compactConfig(), New(0)
	keyed(l, cfg, 1, "a=1")
	keyed(l, cfg, 1, "a=2")
	roll(l, cfg, 1)
	plan := l.PlanCompaction(cfg, 1, 100, Producers{})
	keyed(l, cfg, 1, "a=3")
	roll(l, cfg, 1)
	if !l.Swap(plan) {
		t.Error("a plan from before an append was refused")
	}
	expect(t, l, "1:a=2", "2:end=of segment", "3:a=3", "4:end=of segment")
}

func TestCompactionLeavesSlicesValid(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	for i := range 100 {
		keyed(l, cfg, 1, fmt.Sprintf("key %d=%d", i%3, i))
	}
	held, _ := l.Read(nil, 0, 100, 1<<20, true)
	before := bytes.Clone(bytes.Join(held, nil))
	compact(t, l, cfg, 1, Producers{})
	for i := range 100 {
		keyed(l, cfg, 1, fmt.Sprintf("key %d=%d", i%3, i))
	}
	if !bytes.Equal(bytes.Join(held, nil), before) {
		t.Error("a slice changed")
	}
}
