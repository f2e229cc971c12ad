package storage

import (
	"slices"
	"sort"
	"sync/atomic"

	"minibroker/protocol/record"
)

// Log is one partition's log. See the package comment for who may call what,
// and for the life of the slices it hands out.
type Log struct {
	view   atomic.Pointer[view]
	active *segment // nil while no chunk belongs to an open segment
	tail   *chunk   // the active segment's last chunk, if it takes more
}

// view is a snapshot of the log: everything but what the last chunk publishes
// by itself. It is immutable once stored; a new one is made per chunk, not per
// append. Slices grow by append into room that no older view looks at; where
// one gets shorter or changes, it is copied first.
type view struct {
	start   int64 // log start offset
	end     int64 // end offset, unless the last chunk ends behind it
	cleaned int64 // first offset that was never compacted
	size    int64 // bytes of all chunks but the last
	gen     int64 // counts what removed or replaced chunks
	chunks  []*chunk
	closed  []segment // all but the active one
	epochs  []epochStart
}

// emptyView is shared by all logs that start at 0 and have no record yet.
var emptyView view

// New makes an empty log whose first record will get this offset.
func New(startOffset int64) *Log {
	l := &Log{}
	if startOffset == 0 {
		l.view.Store(&emptyView)
	} else {
		l.view.Store(&view{start: startOffset, end: startOffset, cleaned: startOffset})
	}
	return l
}

// StartOffset is the offset of the first record that may be read.
func (l *Log) StartOffset() int64 { return l.view.Load().start }

// EndOffset is the offset that the next record will get.
func (l *Log) EndOffset() int64 { return l.view.Load().endOffset() }

// Size is the bytes of all batches that are stored.
func (l *Log) Size() int64 { return l.view.Load().total() }

func (v *view) endOffset() int64 {
	if n := len(v.chunks); n > 0 {
		end, _ := v.chunks[n-1].published()
		return max(end, v.end)
	}
	return v.end
}

func (v *view) total() int64 {
	if n := len(v.chunks); n > 0 {
		_, size := v.chunks[n-1].published()
		return v.size + int64(size)
	}
	return 0
}

// find is the first chunk that ends behind offset.
func (v *view) find(offset int64) int {
	// Reads are mostly at the end.
	if n := len(v.chunks); n > 0 && v.chunks[n-1].base <= offset {
		if end, _ := v.chunks[n-1].published(); end > offset {
			return n - 1
		}
		return n
	}
	return sort.Search(len(v.chunks), func(i int) bool {
		end, _ := v.chunks[i].published()
		return end > offset
	})
}

// Append copies a whole, validated batch of magic 2 to the end of the log. The
// copy gets the next offset and this leader epoch (-1 for none); neither is
// under the CRC. It returns the batch's base offset. Now, in ms, is the time
// that segments are rolled by where batches have no timestamp.
func (l *Log) Append(b record.Batch, leaderEpoch int32, cfg *Config, now int64) (base int64) {
	v := l.view.Load()
	base = v.endOffset()
	last := base + int64(b.LastOffsetDelta())

	var next *view // what to publish after the bytes, if anything
	change := func() *view {
		if next == nil {
			c := *v
			next = &c
		}
		return next
	}

	if l.active != nil && l.active.shouldRoll(b, last, cfg, now) {
		l.active.next = base
		change().closed = append(v.closed, *l.active)
		l.active, l.tail = nil, nil
	}
	if l.active == nil {
		l.active = &segment{base: base, maxTs: record.NoTimestamp, created: now, jitter: cfg.jitterMs()}
	}
	if l.tail == nil || !l.tail.fits(len(b), last+1) {
		// No more than the segment still takes, and never more than it
		// has: a small log stays small.
		room := cfg.SegmentBytes - int(l.active.size)
		l.tail = newChunk(base, len(b), min(int(l.active.size), room), cfg.IndexIntervalBytes)
		change().size = v.total()
		next.chunks = append(v.chunks, l.tail)
	}
	if n := len(v.epochs); leaderEpoch >= 0 && (n == 0 || v.epochs[n-1].epoch < leaderEpoch) {
		change().epochs = assignEpoch(v.epochs, leaderEpoch, base)
	}

	l.tail.append(b, base, leaderEpoch)
	l.active.add(b, now)
	if next != nil {
		l.view.Store(next)
	}
	return base
}

// dropBefore moves the log start offset to start, which is not behind the end,
// and lets go of the chunks that are wholly below it.
func (l *Log) dropBefore(start int64) (freed int64) {
	v := l.view.Load()
	if start <= v.start {
		return 0
	}
	next := *v
	next.start = start
	next.end = v.endOffset()
	next.epochs = truncateEpochsFromStart(v.epochs, start)
	if n := v.find(start); n > 0 {
		for _, c := range v.chunks[:n] {
			_, size := c.published()
			freed += int64(size)
		}
		next.gen++
		// Copied, or the array would keep the dropped chunks alive.
		next.chunks = slices.Clone(v.chunks[n:])
		next.setTotal(v.total() - freed)
		next.closed = l.dropSegments(v.closed, freed, len(next.chunks) == 0)
	}
	l.view.Store(&next)
	return freed
}

// dropSegments takes freed bytes off the first segments. A segment that has no
// byte left is gone, the active one too: the next append begins a new one.
func (l *Log) dropSegments(closed []segment, freed int64, all bool) []segment {
	n := 0
	for n < len(closed) && closed[n].size <= freed {
		freed -= closed[n].size
		n++
	}
	closed = slices.Clone(closed[n:])
	if len(closed) > 0 {
		closed[0].size -= freed
	} else if l.active != nil {
		l.active.size -= freed
	}
	if all {
		l.active, l.tail = nil, nil
	}
	return closed
}

// setTotal sets the size of a view whose chunks changed.
func (v *view) setTotal(total int64) {
	v.size = 0
	if n := len(v.chunks); n > 0 {
		_, size := v.chunks[n-1].published()
		v.size = total - int64(size)
	}
}
