package storage

import (
	"math"
	"slices"
	"sort"
)

// This file owns cleanup.policy=compact as a whole: which segments are cleaned
// and when, and how the result takes their place. clean.go owns what happens to
// a segment's records.

// Producers is what compaction must know of a partition's producers, so that it
// drops nothing they are still judged by. The zero value says that there are
// none.
type Producers struct {
	// Last holds, per active producer id, the last thing it wrote: that
	// batch stays, empty if need be, because its sequence number and epoch
	// are what the next batch is checked against.
	Last map[int64]LastRecord
	// Aborted are the aborted transactions that touch the log, ordered by
	// first offset. Their records go at once.
	Aborted []AbortedTxn
}

// LastRecord is the last record of a producer.
type LastRecord struct {
	Offset int64 // of its last data; -1 where only a marker is left
	Epoch  int16 // its newest epoch
}

// AbortedTxn is an aborted transaction of one producer.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
	LastOffset  int64 // of the abort marker
}

// CompactionStats counts what a compaction read and kept.
type CompactionStats struct {
	RecordsRead, RecordsKept int64
	BytesRead, BytesKept     int64
	// InvalidRecords had no key and were dropped.
	InvalidRecords int64
}

// Plan is the finished result of a compaction that has not taken effect.
type Plan struct {
	Stats CompactionStats

	gen      int64 // of the view it was made from
	chunks   []*chunk
	segments []segment
	// The first so many chunks and closed segments of the log are replaced,
	// which is everything below end.
	replacedChunks, replacedSegments int
	end                              int64
}

// PlanCompaction compacts the closed segments that may be and are worth it, and
// returns nil if there are none. It holds no lock and changes nothing: give the
// result to Swap. Segments are left alone from the first one on that ends behind
// upTo (the last stable offset), or has a record younger than
// min.compaction.lag.ms, and the active segment always. They are worth it when
// the part that was never compacted is above min.cleanable.dirty.ratio, or has
// waited for max.compaction.lag.ms (LogCleanerManager, KIP-354).
func (l *Log) PlanCompaction(cfg *Config, now, upTo int64, producers Producers) *Plan {
	v := l.view.Load()
	n, _ := v.cleanable(cfg, now, upTo)
	if n == 0 {
		return nil
	}
	end := v.closed[n-1].next
	p := &Plan{
		gen:              v.gen,
		replacedChunks:   v.chunkAt(end),
		replacedSegments: n,
		end:              end,
	}
	c := newCleaner(cfg, now, end, producers)
	c.txns = newTxnTracker(producers.Aborted)
	for i := v.dirtyFrom(); i < n; i++ {
		c.indexSegment(v.segmentChunks(i), v.cleaned)
	}
	c.txns = newTxnTracker(producers.Aborted) // a second walk, from the start
	for i := 0; i < n; {
		group := groupSegments(v.closed[i:n], cfg)
		if s, ok := c.cleanGroup(v, i, group); ok {
			p.segments = append(p.segments, s)
		}
		i += group
	}
	p.chunks, p.Stats = c.chunks, c.stats
	return p
}

// Swap puts a plan in place of what it was made from: one atomic step for
// readers, who keep what they hold. It reports false, and does nothing, where
// segments were deleted or truncated since; the compaction is then to be planned
// anew.
func (l *Log) Swap(p *Plan) bool {
	v := l.view.Load()
	if p == nil || p.gen != v.gen {
		return false
	}
	next := *v
	next.gen++
	next.end = v.endOffset()
	next.cleaned = p.end
	next.chunks = slices.Concat(p.chunks, v.chunks[p.replacedChunks:])
	next.closed = slices.Concat(p.segments, v.closed[p.replacedSegments:])
	next.setTotal(v.total() - p.Stats.BytesRead + p.Stats.BytesKept)
	l.view.Store(&next)
	return true
}

// cleanable is the number of closed segments, from the first on, that are to be
// compacted at the time now, and the earliest time at which there will be some.
func (v *view) cleanable(cfg *Config, now, upTo int64) (n int, due int64) {
	if !cfg.Compact {
		return 0, Never
	}
	first := v.dirtyFrom()
	var clean, dirty int64
	for i := range v.closed[:first] {
		clean += v.closed[i].size
	}
	overdue := Never // when max.compaction.lag.ms forces it
	for _, s := range v.closed[first:] {
		if s.firstTs > 0 {
			overdue = min(overdue, addTime(addTime(s.firstTs, max(cfg.MaxCompactionLagMs, 0)), 1))
		}
	}
	due = Never
	ready := int64(math.MinInt64) // when all up to here are past min.compaction.lag.ms
	for i := first; i < len(v.closed) && v.closed[i].next <= upTo; i++ {
		s := &v.closed[i]
		if cfg.MinCompactionLagMs > 0 {
			ready = max(ready, addTime(s.largestTimestamp(), cfg.MinCompactionLagMs))
		}
		dirty += s.size
		at := ready
		if ratio := float64(dirty) / float64(clean+dirty); ratio <= cfg.MinCleanableDirtyRatio {
			at = max(at, overdue)
		}
		due = min(due, at)
		if at <= now {
			n = i + 1
		}
	}
	return n, due
}

// dirtyFrom is the first closed segment that has what was never compacted.
func (v *view) dirtyFrom() int {
	return sort.Search(len(v.closed), func(i int) bool { return v.closed[i].next > v.cleaned })
}

// chunkAt is the first chunk that begins at or behind offset.
func (v *view) chunkAt(offset int64) int {
	return sort.Search(len(v.chunks), func(i int) bool { return v.chunks[i].base >= offset })
}

// segmentChunks are the chunks of the i-th closed segment.
func (v *view) segmentChunks(i int) []*chunk {
	s := &v.closed[i]
	return v.chunks[v.chunkAt(s.base):v.chunkAt(s.next)]
}

// groupSegments is how many of the segments, from the first on, become one, so
// that they do not get smaller and smaller: as many as fit segment.bytes as they
// are (Cleaner.groupSegmentsBySize).
func groupSegments(segments []segment, cfg *Config) int {
	n, size := 1, segments[0].size
	for n < len(segments) {
		s := &segments[n]
		size += s.size
		if size > int64(cfg.SegmentBytes) || s.next-1-segments[0].base > math.MaxInt32 {
			break
		}
		n++
	}
	return n
}
