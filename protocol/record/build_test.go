package record

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestABuiltBatchIsReadByAnotherDecoder(t *testing.T) {
	nb := NewBuilder(None, 0)
	nb.BaseOffset, nb.LeaderEpoch = 1000, 7
	nb.ProducerID, nb.ProducerEpoch, nb.BaseSequence = 42, 2, math.MaxInt32-1
	nb.Transactional = true
	b := build(t, nb, goldenRecords(1000, true))
	var rb kmsg.RecordBatch
	if err := rb.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if rb.FirstOffset != 1000 || rb.PartitionLeaderEpoch != 7 || rb.Magic != 2 || rb.Attributes != 16 || rb.LastOffsetDelta != 4 ||
		rb.FirstTimestamp != goldenTime || rb.MaxTimestamp != goldenTime+70000 || rb.ProducerID != 42 || rb.ProducerEpoch != 2 ||
		rb.FirstSequence != math.MaxInt32-1 || rb.NumRecords != 5 || int(rb.Length) != len(b)-12 {
		t.Errorf("header: %+v", rb)
	}
	if b.LastSequence() != 2 || b.LastOffset() != 1004 || !b.HasProducer() || b.Size() != len(b) {
		t.Errorf("last sequence %d, last offset %d; want the sequence to wrap to 2, and 1004", b.LastSequence(), b.LastOffset())
	}
	var r kmsg.Record
	if err := r.ReadFrom(rb.Records); err != nil {
		t.Fatal(err)
	}
	if string(r.Key) != "k1" || len(r.Headers) != 3 || r.Headers[1].Value != nil || r.Headers[2].Value == nil {
		t.Errorf("first record: %+v", r)
	}
}

func TestWhatCompactionLeavesKeepsItsPlace(t *testing.T) {
	nb := NewBuilder(Gzip, 0)
	nb.BaseOffset, nb.LeaderEpoch, nb.ProducerID, nb.ProducerEpoch, nb.BaseSequence = 10, 3, 8, 1, 100
	nb.AppendTime = goldenTime + 5
	old := build(t, nb, goldenRecords(10, true))

	var b Builder
	b.Like(old, 0)
	b.DeleteHorizon = goldenTime + 86400e3
	kept := build(t, &b, goldenRecords(10, true)[1:3])
	a := kept.Attributes()
	if !a.DeleteHorizon() || kept.BaseTimestamp() != goldenTime+86400e3 || !a.LogAppendTime() || a.Codec() != Gzip ||
		kept.BaseOffset() != 10 || kept.LastOffset() != 14 || kept.NumRecords() != 2 || kept.BaseSequence() != 100 || kept.LastSequence() != 104 {
		t.Errorf("two of five left: %x", []byte(kept[:HeaderSize]))
	}
	for r, err := range kept.Records(nil) {
		if err != nil || r.Timestamp != goldenTime+5 || r.Offset < 11 || r.Offset > 12 {
			t.Errorf("%+v, %v", r, err)
		}
	}

	b.Like(kept, 0)
	if c := build(t, &b, goldenRecords(10, true)[2:3]); c.BaseTimestamp() != kept.BaseTimestamp() || !c.Attributes().DeleteHorizon() {
		t.Error("the delete horizon is lost on the next compaction")
	}

	b.Like(old, 0)
	empty := build(t, &b, nil)
	if len(empty) != HeaderSize || empty.NumRecords() != 0 || empty.LastOffset() != 14 || empty.BaseSequence() != 100 ||
		empty.MaxTimestamp() != goldenTime+5 || empty.Attributes().Codec() != None || empty.CRC() != empty.ComputeCRC() {
		t.Errorf("nothing left: %x", []byte(empty))
	}
	if got := contents(t, empty); got != nil {
		t.Errorf("an empty batch has records %v", got)
	}
}

func TestOffsetsOfABatchMustRise(t *testing.T) {
	for _, offsets := range [][]int64{{5, 5}, {5, 4}, {-1}, {0, math.MaxInt32 + 1}} {
		b := NewBuilder(None, 0)
		for _, o := range offsets {
			b.Add(Record{Offset: o})
		}
		if out, err := b.Build([]byte("x")); err == nil || string(out) != "x" {
			t.Errorf("%v: built %x", offsets, out)
		}
	}
	b := NewBuilder(6, 0)
	b.Add(Record{})
	if out, err := b.Build([]byte("x")); err != UnknownCodecError(6) || string(out) != "x" {
		t.Errorf("codec 6: %x, %v", out, err)
	}
}

func TestABuilderIsUsedAgain(t *testing.T) {
	b := NewBuilder(Zstd, 0)
	b.ProducerID, b.Control = 5, true
	b.Add(Record{Offset: 3, Timestamp: 9})
	if b.Count() != 1 || b.Len() <= HeaderSize {
		t.Error(b.Count(), b.Len())
	}
	b.Reset(None, 0)
	got := build(t, b, goldenRecords(0, true))
	if want := build(t, NewBuilder(None, 0), goldenRecords(0, true)); !bytes.Equal(got, want) {
		t.Errorf("after Reset\n got %x\nwant %x", []byte(got), []byte(want))
	}
	both, err := b.Build(slices.Clone(got))
	if err != nil || !bytes.Equal(both, append(slices.Clone(got), got...)) {
		t.Errorf("Build appends: %d bytes, %v; want %d", len(both), err, 2*len(got))
	}
}

func TestBatchesStopsBeforeWhatIsNotABatch(t *testing.T) {
	one := func(base int64) []byte {
		b := NewBuilder(None, 0)
		b.BaseOffset = base
		return build(t, b, []Record{{Offset: base, Value: []byte("v")}})
	}
	old := one(3)
	old[offMagic] = 1
	short := one(4)
	copy(short[offLength:], []byte{0, 0, 0, 40})
	for name, end := range map[string][]byte{"nothing": nil, "a part": one(2)[:65], "a few bytes": {1, 2, 3}, "magic 1": old,
		"a length too small": short, "zeros": make([]byte, 100)} {
		var got []int64
		for b := range Batches(slices.Concat(one(0), one(1), end)) {
			if len(b) != b.Size() || cap(b) != len(b) {
				t.Errorf("%s: view of %d bytes, room for %d, of a batch of %d", name, len(b), cap(b), b.Size())
			}
			got = append(got, b.BaseOffset())
		}
		if !slices.Equal(got, []int64{0, 1}) {
			t.Errorf("%s at the end: batches at %v", name, got)
		}
	}
	for range Batches(slices.Concat(one(0), one(1))) {
		break // must not go on
	}
}

func TestRecordsEndWithTheFirstError(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		good int
		text string
	}{
		"too few":     {rawBatch(None, 5, three(), nil), 3, "premature EOF"},
		"too many":    {rawBatch(None, 2, three(), nil), 2, "still remaining"},
		"negative":    {rawBatch(None, -1, three(), nil), 0, "record count -1"},
		"bad gzip":    {rawBatch(Gzip, 3, three(), nil), 0, "gzip"},
		"codec 7":     {rawBatch(7, 3, three(), nil), 0, "Unknown compression type id: 7"},
		"half record": {rawBatch(None, 3, three()[:20], nil), 1, "invalid record size"},
	} {
		good, bad := 0, ""
		for _, err := range Batch(c.raw).Records(nil) {
			if bad != "" {
				t.Errorf("%s: goes on after an error", name)
			}
			if err != nil {
				bad = err.Error()
			} else {
				good++
			}
		}
		if good != c.good || !strings.Contains(bad, c.text) {
			t.Errorf("%s: %d records, then %q; want %d, %q", name, good, bad, c.good, c.text)
		}
	}
	for range Batch(rawBatch(None, 3, three(), nil)).Records(nil) {
		break // must not go on
	}
}

func TestABufferIsBoundedAndTrimmed(t *testing.T) {
	big := build(t, NewBuilder(Zstd, 0), []Record{{Value: make([]byte, 5<<20)}})
	buf := &Buffer{Max: 1 << 20}
	for _, err := range big.Records(buf) {
		if err != ErrTooLarge {
			t.Errorf("above the limit: %v", err)
		}
	}
	buf.Max = 0
	for _, err := range big.Records(buf) {
		if err != nil {
			t.Error(err)
		}
	}
	for range build(t, NewBuilder(Zstd, 0), []Record{{}}).Records(buf) {
	}
	if cap(buf.data) > maxKeptBuffer {
		t.Errorf("%d bytes kept", cap(buf.data))
	}
}

func TestControlKeysOfBadShapeAreRefused(t *testing.T) {
	for _, key := range [][]byte{nil, {0, 0, 0}, {255, 255, 0, 0}} {
		if _, ok := ParseControlKey(key); ok {
			t.Errorf("key %x is taken", key)
		}
	}
	for _, v := range [][]byte{nil, {0, 0, 0, 0, 0}, {255, 255, 0, 0, 0, 0}} {
		if _, ok := ParseEndTxnValue(v); ok {
			t.Errorf("value %x is taken", v)
		}
	}
	if typ, ok := ParseControlKey([]byte{0, 1, 0, 5, 9}); !ok || typ != 5 {
		t.Error("a key of a later version is refused")
	}
}
