package storage

import (
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"minibroker/protocol/record"
)

// This file owns the chunk: bytes that fill up once, and their sparse index.

const (
	minChunk = 512
	maxChunk = 1 << 20
	// page is the step in which the Go allocator serves more than 32 KiB;
	// asking for less than a whole step would waste the rest of it.
	page       = 8 << 10
	smallAlloc = 32 << 10
	// minIndexInterval keeps the index below 1/64 of the bytes whatever
	// index.interval.bytes is: closer entries save nothing in memory.
	minIndexInterval = 1 << 10
	// populateFrom is the size from which a chunk's pages are made ahead, in
	// steps; see populateTo.
	populateFrom = 256 << 10
	populateStep = 128 << 10
)

// chunk is a run of whole batches. One writer appends; readers look at no more
// than what pub says, so they need no lock.
type chunk struct {
	base int64 // base offset of the first batch
	// pub is (end offset - base) << 32 | bytes written. It is stored after
	// the bytes, the index and maxTs, in one piece: a reader that sees an end
	// offset sees all bytes up to it, and never half a batch.
	pub   atomic.Uint64
	maxTs atomic.Int64 // largest timestamp of a record in it
	buf   []byte       // len(buf) == cap(buf)
	// idx[:idxLen] is the index. Its capacity is fixed with the chunk, so it
	// never moves. Entries newer than the pub a reader loaded do it no harm:
	// they lie at or behind the end it looks for.
	idx    []indexEntry
	idxLen atomic.Uint32
	every  uint32 // bytes between two index entries

	populated int // buf[:populated] has its pages; only the writer looks
}

// indexEntry says what a batch at pos begins with. It holds no pointer, so the
// garbage collector does not read it.
type indexEntry struct {
	rel   uint32 // base offset of the batch, relative to the chunk's
	pos   uint32
	maxTs int64 // largest timestamp of a record before pos
}

// newChunk makes a chunk with room for at least n bytes, beginning at the
// offset base. Its size is near the wanted one; every is index.interval.bytes.
func newChunk(base int64, n, want, every int) *chunk {
	size := min(max(want, minChunk), maxChunk)
	c := &chunk{base: base, every: uint32(min(max(every, minIndexInterval), math.MaxInt32))}
	if n > size/8 {
		// A few large batches: a whole number of them, so that no part
		// of one is left over.
		size = max(1, size/n) * n
	}
	switch {
	case size <= maxChunk && size >= maxChunk-maxChunk/16:
		c.buf, c.populated = newBlock()
	case size > smallAlloc:
		c.buf = make([]byte, (size+page-1)/page*page)
	default:
		c.buf = slices.Grow([]byte(nil), size)
		c.buf = c.buf[:cap(c.buf)]
	}
	if entries := len(c.buf) / int(c.every); entries > 0 {
		c.idx = make([]indexEntry, entries)
	}
	c.maxTs.Store(record.NoTimestamp)
	return c
}

// published is the offset behind the chunk's last batch and the bytes written.
func (c *chunk) published() (end int64, size int) {
	p := c.pub.Load()
	return c.base + int64(p>>32), int(uint32(p))
}

// fits reports whether n more bytes that end before the offset end have room.
func (c *chunk) fits(n int, end int64) bool {
	_, size := c.published()
	return n <= len(c.buf)-size && end-c.base <= math.MaxUint32
}

// append copies b behind the last batch, with this base offset and leader
// epoch, and publishes it. The caller knows that it fits.
func (c *chunk) append(b record.Batch, base int64, leaderEpoch int32) {
	_, pos := c.published()
	n := c.idxLen.Load()
	last := 0
	if n > 0 {
		last = int(c.idx[n-1].pos)
	}
	maxTs := c.maxTs.Load()
	if pos-last >= int(c.every) && int(n) < len(c.idx) {
		c.idx[n] = indexEntry{rel: uint32(base - c.base), pos: uint32(pos), maxTs: maxTs}
		c.idxLen.Store(n + 1)
	}

	if len(c.buf) >= populateFrom && pos+len(b) > c.populated {
		c.populateTo(pos + len(b))
	}
	dst := record.Batch(c.buf[pos : pos+len(b)])
	copy(dst, b)
	dst.SetBaseOffset(base)
	dst.SetLeaderEpoch(leaderEpoch)
	// An empty batch that compaction left behind has a timestamp, but no
	// record of that time: a lookup must not stop at it.
	if ts := b.MaxTimestamp(); ts > maxTs && b.NumRecords() > 0 {
		c.maxTs.Store(ts)
	}
	rel := uint64(base - c.base + int64(b.LastOffsetDelta()) + 1)
	c.pub.Store(rel<<32 | uint64(pos+len(b)))
}

// populateTo gives pages to buf up to the end of the step that pos is in: not to
// all of it, as an idle partition should not hold what it may never use.
func (c *chunk) populateTo(pos int) {
	to := min((pos+populateStep-1)/populateStep*populateStep, len(c.buf))
	populate(c.buf[c.populated:to])
	c.populated = to
}

// cut is a chunk that has the same first batches, up to the position pos, and
// takes no more: what readers may hold of the rest is left as it is.
func (c *chunk) cut(pos int) *chunk {
	n := &chunk{base: c.base, buf: c.buf[:pos:pos], every: c.every}
	k := sort.Search(int(c.idxLen.Load()), func(i int) bool { return int(c.idx[i].pos) >= pos })
	n.idx = c.idx[:k:k]
	n.idxLen.Store(uint32(k))
	maxTs, end, at := record.NoTimestamp, c.base, 0
	if k > 0 {
		maxTs, at = c.idx[k-1].maxTs, int(c.idx[k-1].pos)
	}
	for at < pos {
		b := c.batch(at)
		if b.NumRecords() > 0 {
			maxTs = max(maxTs, b.MaxTimestamp())
		}
		end = b.LastOffset() + 1
		at += len(b)
	}
	n.maxTs.Store(maxTs)
	n.pub.Store(uint64(end-c.base)<<32 | uint64(pos))
	return n
}

// batch is the whole batch at pos.
func (c *chunk) batch(pos int) record.Batch {
	n := record.Batch(c.buf[pos:]).Size()
	return record.Batch(c.buf[pos : pos+n : pos+n])
}

// entries is the index that goes with what published returned before.
func (c *chunk) entries() []indexEntry { return c.idx[:c.idxLen.Load()] }

// seek is the position of the first batch with a record at or behind offset,
// counting records that compaction removed; size if there is none.
func (c *chunk) seek(offset int64, size int) int {
	pos := 0
	idx := c.entries()
	i := sort.Search(len(idx), func(i int) bool { return c.base+int64(idx[i].rel) > offset })
	if i > 0 {
		pos = int(idx[i-1].pos)
	}
	for pos < size {
		b := c.batch(pos)
		if b.LastOffset() >= offset {
			return pos
		}
		pos += len(b)
	}
	return size
}

// floor is the largest position of a batch, or size, that is at most limit.
// From is the position of a batch at or before limit.
func (c *chunk) floor(from, limit, size int) int {
	if limit >= size {
		return size
	}
	pos := from
	idx := c.entries()
	i := sort.Search(len(idx), func(i int) bool { return int(idx[i].pos) > limit })
	if i > 0 {
		pos = max(pos, int(idx[i-1].pos))
	}
	for pos < size {
		n := len(c.batch(pos))
		if pos+n > limit {
			break
		}
		pos += n
	}
	return pos
}

// seekTime is a position at or before the first batch with a timestamp of at
// least ts, and near it.
func (c *chunk) seekTime(ts int64) int {
	idx := c.entries()
	i := sort.Search(len(idx), func(i int) bool { return idx[i].maxTs >= ts })
	if i > 0 {
		return int(idx[i-1].pos)
	}
	return 0
}
