package storage

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"minibroker/protocol/record"
)

const day = 24 * 3600 * 1000

func testConfig() *Config {
	return &Config{
		SegmentBytes: 1 << 20, SegmentMs: 7 * day,
		RetentionBytes: -1, RetentionMs: -1, Delete: true,
		MaxCompactionLagMs: math.MaxInt64, DeleteRetentionMs: day,
		MinCleanableDirtyRatio: 0.5, IndexIntervalBytes: 4096,
	}
}

func TestAppendCopiesTheBatchAndPatchesOnlyOffsetAndEpoch(t *testing.T) {
	l, cfg := New(7), testConfig()
	for i := range 3 {
		in := sized(100, 5, 1)
		for k := record.HeaderSize; k < len(in); k++ {
			in[k] = byte(k * (i + 1))
		}
		orig := slices.Clone(in)
		want := int64(7 + 5*i)
		if base := l.Append(in, 3, cfg, 1); base != want {
			t.Fatalf("batch %d got base offset %d, want %d", i, base, want)
		}
		if !bytes.Equal(in, orig) {
			t.Fatal("the caller's bytes changed")
		}
		clear(in)
		for b := range l.Batches(want, want+1) {
			if b.BaseOffset() != want || b.LeaderEpoch() != 3 {
				t.Errorf("stored with offset %d, epoch %d", b.BaseOffset(), b.LeaderEpoch())
			}
			if !bytes.Equal(b[16:], orig[16:]) || !bytes.Equal(b[8:12], orig[8:12]) {
				t.Error("more than base offset and leader epoch differs")
			}
		}
	}
	if l.StartOffset() != 7 || l.EndOffset() != 22 || l.Size() != 300 {
		t.Errorf("start %d, end %d, size %d", l.StartOffset(), l.EndOffset(), l.Size())
	}
}

// filled is a log of n batches of 10 records and 1000 bytes each.
func filled(n int, cfg *Config) *Log {
	l := New(0)
	for i := range n {
		l.Append(sized(1000, 10, int64(i)), 0, cfg, int64(i))
	}
	return l
}

// span is the base offset of the first batch and the last offset of the last
// one in what a read returned; it fails the test if they are not whole and
// adjacent.
func span(t *testing.T, slices [][]byte) (first, last int64) {
	t.Helper()
	first, last = -1, -1
	for _, s := range slices {
		for len(s) > 0 {
			b := record.Batch(s)
			if len(s) < record.HeaderSize || len(s) < b.Size() {
				t.Fatalf("part of a batch: %d bytes", len(s))
			}
			if first < 0 {
				first = b.BaseOffset()
			} else if b.BaseOffset() <= last {
				t.Fatalf("offset %d after %d", b.BaseOffset(), last)
			}
			last = b.LastOffset()
			s = s[b.Size():]
		}
	}
	return first, last
}

func TestReadReturnsWholeBatches(t *testing.T) {
	l := filled(5000, testConfig()) // five segments, many chunks
	for _, c := range []struct {
		name        string
		from, upTo  int64
		max         int
		wholeFirst  bool
		first, last int64
	}{
		{"from the start", 0, 50000, 2500, true, 0, 19},
		{"an offset in the middle of a batch gets the whole batch", 25, 50000, 1000, true, 20, 29}, // behaviour 88
		{"max_bytes 0 gets the first batch all the same", 20, 50000, 0, true, 20, 29},              // behaviour 93
		{"max_bytes 1 gets the first batch all the same", 20, 50000, 1, true, 20, 29},              // behaviour 93
		{"max_bytes 1 without the exception gets nothing", 20, 50000, 1, false, -1, -1},
		{"negative max_bytes gets nothing", 20, 50000, -5, false, -1, -1},
		{"up to the high watermark", 100, 130, 1 << 20, true, 100, 129},
		{"a bound inside a batch excludes it", 100, 125, 1 << 20, true, 100, 119},
		{"nothing at the bound", 130, 130, 1 << 20, true, -1, -1},
		{"nothing at the end", 50000, 60000, 1 << 20, true, -1, -1},
		{"nothing behind the end", 50001, 60000, 1 << 20, true, -1, -1},
		{"the last batch", 49999, 60000, 1 << 20, true, 49990, 49999},
		{"exactly so many bytes", 31230, 50000, 700_000, true, 31230, 38229},
		{"one byte less", 31230, 50000, 699_999, true, 31230, 38219},
		{"everything", 0, 50000, 1 << 30, true, 0, 49999},
	} {
		out, n := l.Read(nil, c.from, c.upTo, c.max, c.wholeFirst)
		first, last := span(t, out)
		if first != c.first || last != c.last {
			t.Errorf("%s: got offsets %d to %d, want %d to %d", c.name, first, last, c.first, c.last)
		}
		if want := int((c.last - c.first + 1) / 10 * 1000); c.first >= 0 && n != want || c.first < 0 && n != 0 {
			t.Errorf("%s: says %d bytes, want %d", c.name, n, want)
		}
	}
	l.DeleteRecords(105)
	if _, n := l.Read(nil, 104, 50000, 1<<20, true); n != 0 {
		t.Errorf("a read below the start returned %d bytes", n)
	}
	out, _ := l.Read(nil, 105, 50000, 1, true)
	if first, last := span(t, out); first != 100 || last != 109 {
		t.Errorf("the start in the middle of a batch got offsets %d to %d, want its whole batch", first, last)
	}
}

func TestReadReturnsAllThatFits(t *testing.T) {
	l, cfg := New(0), testConfig()
	for range 5000 {
		l.Append(sized(100, 1, 1), 0, cfg, 1)
	}
	for limit := range 10_000 {
		if _, n := l.Read(nil, int64(limit%4000), 5000, limit, false); n != limit/100*100 {
			t.Fatalf("a read from %d of at most %d bytes returned %d", limit%4000, limit, n)
		}
	}
}

func TestReadAppendsToItsArgumentWithoutAllocation(t *testing.T) {
	l := filled(3000, testConfig())
	dst := make([][]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		dst, _ = l.Read(dst[:0], 5003, 30000, 1<<20, true)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if out, _ := l.Read([][]byte{{1}}, 0, 30000, 1, true); len(out) != 2 || out[0][0] != 1 {
		t.Error("what was in dst is gone")
	}
}

func TestABatchLargerThanAChunkHasOneToItself(t *testing.T) {
	l, cfg := New(0), testConfig()
	cfg.SegmentBytes = 1 << 30
	l.Append(sized(100, 1, 1), 0, cfg, 1)
	l.Append(sized(3<<20+1, 1, 1), 0, cfg, 1)
	l.Append(sized(100, 1, 1), 0, cfg, 1)
	out, n := l.Read(nil, 1, 2, 1, true)
	if n != 3<<20+1 || len(out) != 1 {
		t.Errorf("%d bytes in %d slices", n, len(out))
	}
	var room int
	for _, c := range l.view.Load().chunks {
		room += len(c.buf)
	}
	if over := room - int(l.Size()); over > page+2*maxChunk/4 && over > 1<<20 {
		t.Errorf("%d bytes are kept free", over)
	}
}

func TestSlicesStayValidWhateverHappensToTheLog(t *testing.T) {
	cfg := testConfig()
	l := filled(3000, cfg)
	out, _ := l.Read(nil, 0, 30000, 1<<30, true)
	var held, copies [][]byte
	for _, s := range out {
		held, copies = append(held, s), append(copies, slices.Clone(s))
	}
	l.Truncate(29005)
	l.Append(sized(900, 3, 1), 1, cfg, 1)
	l.DeleteRecords(20000)
	l.Truncate(25000)
	for range 100 {
		l.Append(sized(900, 3, 1), 2, cfg, 1)
	}
	Retain(l, &Config{Delete: true, RetentionBytes: 0, RetentionMs: -1}, 1, l.EndOffset())
	for i := range held {
		if !bytes.Equal(held[i], copies[i]) {
			t.Fatalf("slice %d changed", i)
		}
	}
}

func TestSegmentsRoll(t *testing.T) {
	bases := func(l *Log) (out []int64) {
		for s := range l.segments() {
			out = append(out, s.base)
		}
		return out
	}
	type step struct {
		size    int
		ts, now int64
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		steps  []step
		want   []int64
	}{
		{"when the batch would make it larger than segment.bytes", func(c *Config) { c.SegmentBytes = 1000 },
			[]step{{500, 1, 1}, {500, 1, 1}, {100, 1, 1}, {2000, 1, 1}, {100, 1, 1}}, []int64{0, 2, 3, 4}},
		{"when a batch is more than segment.ms younger than the first", func(c *Config) { c.SegmentMs = 1000 },
			[]step{{100, 5000, 1}, {100, 6000, 1}, {100, 6001, 1}, {100, 4000, 1}, {100, 7002, 1}}, []int64{0, 2, 4}},
		{"by the time of its creation where batches have no timestamp", func(c *Config) { c.SegmentMs = 1000 },
			[]step{{100, -1, 5000}, {100, -1, 6000}, {100, -1, 6001}}, []int64{0, 2}},
		{"earlier by segment.jitter.ms", func(c *Config) {
			c.SegmentMs, c.SegmentJitterMs = 1000, 300
			c.Jitter = func(n int64) int64 { return n - 1 }
		}, []step{{100, 5000, 1}, {100, 5701, 1}, {100, 5702, 1}}, []int64{0, 2}},
		{"at max.compaction.lag.ms in a compacted topic", func(c *Config) {
			c.Compact, c.MaxCompactionLagMs = true, 50
		}, []step{{100, 5000, 1}, {100, 5050, 1}, {100, 5051, 1}}, []int64{0, 2}},
	} {
		cfg, l := testConfig(), New(0)
		c.change(cfg)
		for _, s := range c.steps {
			l.Append(sized(s.size, 1, s.ts), 0, cfg, s.now)
		}
		if got := bases(l); !slices.Equal(got, c.want) {
			t.Errorf("a segment rolls %s: segments begin at %v, want %v", c.name, got, c.want)
		}
	}
	// LogSegment.canConvertToRelativeOffset
	l, cfg := New(0), testConfig()
	l.Append(sized(100, math.MaxInt32, 1), 0, cfg, 1)
	l.Append(sized(100, 1, 1), 0, cfg, 1)
	l.Append(sized(100, 1, 1), 0, cfg, 1)
	if got := bases(l); !slices.Equal(got, []int64{0, math.MaxInt32 + 1}) {
		t.Errorf("a segment holds no more offsets than 2^31: segments begin at %v", got)
	}
}

func TestOffsetsForLeaderEpochs(t *testing.T) {
	l, cfg := New(0), testConfig()
	check := func(when string, epoch, current, wantEpoch int32, wantEnd int64) {
		t.Helper()
		if e, end := l.EndOffsetForEpoch(epoch, current); e != wantEpoch || end != wantEnd {
			t.Errorf("%s: epoch %d at leader epoch %d: got %d, %d, want %d, %d", when, epoch, current, e, end, wantEpoch, wantEnd)
		}
	}
	check("empty", 0, 0, 0, 0)
	check("empty", 1, 0, -1, -1)
	for i, epoch := range []int32{2, 2, 4, 5} {
		l.Append(sized(100, 10, int64(i)), epoch, cfg, 1)
	}
	if l.LatestEpoch() != 5 {
		t.Errorf("latest epoch %d", l.LatestEpoch())
	}
	check("known", 4, 5, 4, 30)       // behaviour 115
	check("newest", 5, 5, 5, 40)      // behaviour 115
	check("larger", 6, 5, -1, -1)     // behaviour 115
	check("-1", -1, 5, -1, -1)        // behaviour 115
	check("between two", 3, 5, 2, 20) // KIP-279
	check("before all", 1, 5, 1, 0)   // the first known one's start
	check("nothing written yet", 7, 7, 7, 40)
	check("the one before it", 5, 7, 5, 40)
	check("skipped by a later leader", 6, 7, 5, 40)

	l.DeleteRecords(25)
	check("start in epoch 4", 2, 5, 2, 25)
	check("start in epoch 4", 4, 5, 4, 30)
	l.Truncate(30)
	if l.LatestEpoch() != 4 {
		t.Errorf("after truncation the latest epoch is %d, want 4", l.LatestEpoch())
	}
	l.DeleteRecords(30)
	l.Append(sized(100, 10, 1), 6, cfg, 1)
	check("all of epoch 4 is deleted", 4, 6, 4, 30)
	check("nothing was written in it", 5, 6, 5, 30)
	check("newest", 6, 6, 6, 40)
}

func TestDeleteRecordsFreesWholeChunks(t *testing.T) {
	cfg := testConfig()
	l := filled(5000, cfg)
	size := l.Size()
	freed := l.DeleteRecords(25005)
	if l.StartOffset() != 25005 || l.EndOffset() != 50000 {
		t.Errorf("start %d, end %d", l.StartOffset(), l.EndOffset())
	}
	if left := size - freed; l.Size() != left || left < 2_500_000 || left > 2_500_000+maxChunk {
		t.Errorf("freed %d of %d, size is now %d", freed, size, l.Size())
	}
	var segments int64
	for s := range l.segments() {
		segments += s.size
	}
	if segments != l.Size() {
		t.Errorf("the segments have %d bytes, Size says %d", segments, l.Size())
	}
	if l.DeleteRecords(25005) != 0 || l.DeleteRecords(3) != 0 || l.StartOffset() != 25005 {
		t.Error("deleting below the start did something") // behaviour 116
	}
	l.DeleteRecords(50000) // behaviour 116: all gone
	if l.Size() != 0 || l.StartOffset() != 50000 || l.EndOffset() != 50000 || len(l.view.Load().chunks) != 0 {
		t.Errorf("after all was deleted: size %d, start %d, end %d", l.Size(), l.StartOffset(), l.EndOffset())
	}
	if base := l.Append(sized(100, 1, 1), 0, cfg, 1); base != 50000 {
		t.Errorf("the next record got offset %d", base)
	}
}

func TestTruncate(t *testing.T) {
	cfg := testConfig()
	for _, c := range []struct {
		name                   string
		start, to              int64
		wantStart, end, stored int64
	}{
		{"at the end does nothing", 0, 50000, 0, 50000, 5_000_000},
		{"behind the end does nothing", 0, 60000, 0, 50000, 5_000_000},
		{"between batches", 0, 30000, 0, 30000, 3_000_000},
		{"inside a batch drops it", 0, 30005, 0, 30005, 3_000_000},
		{"to the start", 0, 0, 0, 0, 0},
		{"below the start", 20000, 10000, 10000, 10000, 0},
	} {
		l := filled(5000, cfg)
		l.DeleteRecords(c.start)
		l.Truncate(c.to)
		if l.StartOffset() != c.wantStart || l.EndOffset() != c.end || l.Size() != c.stored {
			t.Errorf("%s: start %d, end %d, size %d, want %d, %d, %d", c.name,
				l.StartOffset(), l.EndOffset(), l.Size(), c.wantStart, c.end, c.stored)
		}
		var bytes int64
		for b := range l.Batches(0, math.MaxInt64) {
			bytes += int64(len(b))
		}
		if base := l.Append(sized(100, 1, 1), 1, cfg, 1); bytes != c.stored || base != c.end {
			t.Errorf("%s: %d bytes are left, the next record got offset %d", c.name, bytes, base)
		}
	}
}

func TestAnEmptyLogIsTiny(t *testing.T) {
	if n := unsafe.Sizeof(Log{}) + unsafe.Sizeof(view{}); n >= 200 {
		t.Errorf("an empty log has %d bytes, want less than 200", n)
	}
	if n := testing.AllocsPerRun(100, func() { New(0) }); n > 1 {
		t.Errorf("an empty log that starts at 0 takes %v allocations, want 1", n)
	}
}

// Readers see a growing prefix of whole batches, whatever the writer is at.
func TestReadersBesideOneWriter(t *testing.T) {
	cfg := testConfig()
	cfg.SegmentBytes = 64 << 10
	l := New(0)
	var stop sync.WaitGroup
	done := make(chan struct{})
	for r := range 3 {
		stop.Go(func() {
			var dst [][]byte
			var seen int64
			for {
				select {
				case <-done:
					return
				default:
				}
				end := l.EndOffset()
				if end < seen {
					t.Errorf("the end went back from %d to %d", seen, end)
					return
				}
				seen = end
				from := max(l.StartOffset(), end-int64(100*r))
				dst, _ = l.Read(dst[:0], from, end, 1<<20, true)
				for _, s := range dst {
					for len(s) > 0 {
						b := record.Batch(s)
						if len(s) < b.Size() || binary.BigEndian.Uint64(s[b.Size()-8:]) != uint64(b.Size()) {
							t.Error("a reader saw half a batch")
							return
						}
						from = b.LastOffset() + 1
						s = s[b.Size():]
					}
				}
				if from != end && l.StartOffset() <= end-int64(100*r) {
					t.Errorf("read up to %d, the end was %d", from, end)
					return
				}
				l.EndOffsetForEpoch(1, 3)
				l.Size()
			}
		})
	}
	for i := range 20_000 {
		b := sized(100+i%7*100, 1+i%3, int64(i))
		binary.BigEndian.PutUint64(b[len(b)-8:], uint64(len(b)))
		l.Append(b, int32(i/5000), cfg, int64(i))
		if i%1000 == 999 {
			l.DeleteRecords(l.EndOffset() - 2000)
		}
	}
	close(done)
	stop.Wait()
}
