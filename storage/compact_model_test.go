package storage

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"testing"

	"minibroker/protocol/record"

	"pgregory.net/rapid"
)

// Compaction is planned beside a writer and readers, and nobody waits for it.
func TestCompactionBesideAWriterAndAReader(t *testing.T) {
	cfg, l := compactConfig(), New(0)
	var (
		mu   sync.Mutex // the partition's
		wg   sync.WaitGroup
		done = make(chan struct{})
	)
	beside := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	swapped := make(chan struct{}, 1)
	beside(func() {
		if p := l.PlanCompaction(cfg, 1, l.EndOffset(), Producers{}); p != nil {
			mu.Lock()
			ok := l.Swap(p)
			mu.Unlock()
			if ok {
				select {
				case swapped <- struct{}{}:
				default:
				}
			}
		}
	})
	beside(func() {
		last := int64(-1)
		for b := range l.Batches(0, math.MaxInt64) {
			if b.BaseOffset() <= last || b.CRC() != b.ComputeCRC() {
				t.Errorf("a reader saw a batch at %d after %d", b.BaseOffset(), last)
			}
			last = b.LastOffset()
		}
		l.OffsetForTimestamp(1)
	})
	write := func(i int) {
		mu.Lock()
		keyed(l, cfg, 1, fmt.Sprintf("key %d=%d", i%7, i))
		mu.Unlock()
	}
	for i := range 3000 {
		write(i)
	}
	<-swapped
	close(done)
	wg.Wait()
	roll(l, cfg, 1)
	compact(t, l, cfg, 1, Producers{})
	if got := contents(t, l); len(got) != 8 {
		t.Errorf("of 7 keys and one record in the active segment these are left: %q", got)
	}
}

// Under random appends, compactions, retention and deletions, what a consumer
// can get is what Kafka promises.
func TestCompactionAgainstAModel(t *testing.T) {
	type original struct {
		key, value []byte
		ts         int64
		base, last int64 // of its batch
		cleaned    int64 // when compaction first saw it; 0: never
	}
	rapid.Check(t, func(t *rapid.T) {
		cfg, l := compactConfig(), New(0)
		cfg.Delete = rapid.Bool().Draw(t, "compact,delete")
		cfg.SegmentBytes = rapid.SampledFrom([]int{400, 3000}).Draw(t, "segment.bytes")
		cfg.RetentionMs = 2000
		cfg.MinCleanableDirtyRatio = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "min.cleanable.dirty.ratio")
		cfg.MinCompactionLagMs = rapid.SampledFrom([]int64{0, 200}).Draw(t, "min.compaction.lag.ms")
		now := int64(1000)
		var all []original // by offset
		compacted := int64(0)

		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				codec := rapid.SampledFrom([]record.Codec{record.None, record.None, record.LZ4, record.Zstd}).Draw(t, "codec")
				var specs []string
				for range rapid.IntRange(1, 4).Draw(t, "records") {
					k := rapid.SampledFrom([]string{"a", "b", "c", "d", ""}).Draw(t, "key")
					v := "=" + rapid.StringMatching(`[a-z]{0,20}`).Draw(t, "value")
					if k != "" && rapid.IntRange(0, 3).Draw(t, "tombstone") == 0 {
						v = ""
					}
					specs = append(specs, k+v)
				}
				b := keyedBatch(codec, now, specs...)
				base := l.Append(b, 0, cfg, now)
				if base != int64(len(all)) {
					t.Fatalf("base offset %d, want %d", base, len(all))
				}
				for r, err := range b.Records(nil) {
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, original{key: bytes.Clone(r.Key), value: bytes.Clone(r.Value), ts: r.Timestamp,
						base: base, last: base + int64(b.LastOffsetDelta())})
				}
			},
			"wait": func(t *rapid.T) { now += rapid.Int64Range(1, 800).Draw(t, "ms") },
			"compact": func(t *rapid.T) {
				plan := l.PlanCompaction(cfg, now, l.EndOffset(), Producers{})
				if plan == nil {
					if due := l.NextDeadline(&Config{Compact: true, MinCleanableDirtyRatio: cfg.MinCleanableDirtyRatio,
						MinCompactionLagMs: cfg.MinCompactionLagMs, MaxCompactionLagMs: math.MaxInt64}, now, l.EndOffset()); due <= now {
						t.Fatalf("nothing to compact at %d, although due at %d", now, due)
					}
					return
				}
				if !l.Swap(plan) {
					t.Fatal("stale")
				}
				compacted = plan.end
				newest := map[string]int64{}
				for o := range all[:plan.end] {
					newest[string(all[o].key)] = int64(o)
				}
				stored := map[int64]bool{}
				for b := range l.Batches(0, plan.end) {
					for r := range b.Records(nil) {
						stored[r.Offset] = true
					}
				}
				for o := l.StartOffset(); o < plan.end; o++ {
					r := &all[o]
					want := r.key != nil && newest[string(r.key)] == o
					if want && r.value == nil && r.cleaned > 0 && now >= r.cleaned+cfg.DeleteRetentionMs {
						want = false
					}
					if stored[o] != want {
						t.Fatalf("offset %d: stored %v, want %v", o, stored[o], want)
					}
					if r.cleaned == 0 {
						r.cleaned = now
					}
				}
			},
			"retain": func(t *rapid.T) { Retain(l, cfg, now, l.EndOffset()) },
			"deleteRecords": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "rarely") == 0 {
					l.DeleteRecords(rapid.Int64Range(0, l.EndOffset()).Draw(t, "before"))
				}
			},
			"": func(t *rapid.T) {
				if l.EndOffset() != int64(len(all)) {
					t.Fatalf("end %d, want %d", l.EndOffset(), len(all))
				}
				last, size := int64(-1), int64(0)
				seen := map[int64]bool{}
				for b := range l.Batches(0, math.MaxInt64) {
					o := all[b.BaseOffset()]
					if b.BaseOffset() <= last || o.base != b.BaseOffset() || o.last != b.LastOffset() {
						t.Fatalf("a batch from %d to %d after %d", b.BaseOffset(), b.LastOffset(), last)
					}
					last = b.LastOffset()
					if b.CRC() != b.ComputeCRC() {
						t.Fatalf("the batch at %d has a wrong CRC", b.BaseOffset())
					}
					for r, err := range b.Records(nil) {
						if err != nil {
							t.Fatal(err)
						}
						o := all[r.Offset]
						if seen[r.Offset] || !bytes.Equal(r.Key, o.key) || !bytes.Equal(r.Value, o.value) ||
							(r.Value == nil) != (o.value == nil) || r.Timestamp != o.ts {
							t.Fatalf("the record at %d changed", r.Offset)
						}
						seen[r.Offset] = true
					}
				}
				for o := max(compacted, l.StartOffset()); o < l.EndOffset(); o++ {
					if !seen[o] {
						t.Fatalf("offset %d is gone, compaction ended at %d", o, compacted)
					}
				}
				v := l.view.Load()
				for _, c := range v.chunks {
					_, n := c.published()
					size += int64(n)
				}
				var segments int64
				for s := range l.segments() {
					segments += s.size
				}
				if l.Size() != size || segments != size {
					t.Fatalf("the chunks have %d bytes, the segments %d, Size says %d", size, segments, l.Size())
				}
				from := rapid.Int64Range(l.StartOffset(), l.EndOffset()).Draw(t, "from")
				out, _ := l.Read(nil, from, l.EndOffset(), 1, true)
				for _, s := range out {
					if b := record.Batch(s); b.LastOffset() < from {
						t.Fatalf("a read from %d returned a batch up to %d", from, b.LastOffset())
					}
				}
			},
		})
	})
}
