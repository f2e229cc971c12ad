package storage

import (
	"iter"
	"slices"

	"minibroker/protocol/record"
)

// This file owns what compaction does to records
// (org.apache.kafka.storage.internals.log.Cleaner, MemoryRecords.filterTo).

// cleaner compacts one log once: first it notes each key's newest offset in the
// part that was never compacted, then it writes all segments anew.
type cleaner struct {
	cfg       *Config
	now, end  int64 // end: the offset behind the last batch to be cleaned
	producers Producers
	txns      *txnTracker

	// newest[keys[k]] is the newest offset of the key k. The indirection
	// spares a copy of a key each time it turns up again.
	keys   map[string]int
	newest []int64

	buf     record.Buffer  // decompression
	builder record.Builder // of batches that lost records
	out     []byte         // what it built last
	kept    []bool         // which records of the batch at hand stay
	chunks  []*chunk
	stats   CompactionStats
}

func newCleaner(cfg *Config, now, end int64, producers Producers) *cleaner {
	return &cleaner{cfg: cfg, now: now, end: end, producers: producers, keys: map[string]int{}}
}

// indexSegment notes the newest offset of each key at or behind from. Aborted
// records must not: they would shadow the committed ones before them.
func (c *cleaner) indexSegment(chunks []*chunk, from int64) {
	for b := range batches(chunks) {
		if b.Attributes().Control() {
			c.txns.marker(b)
			continue
		}
		if c.txns.data(b) {
			continue
		}
		for r, err := range b.Records(&c.buf) {
			if err != nil {
				break
			}
			if r.Key == nil || r.Offset < from {
				continue
			}
			if i, ok := c.keys[string(r.Key)]; ok {
				c.newest[i] = r.Offset
			} else {
				c.keys[string(r.Key)] = len(c.newest)
				c.newest = append(c.newest, r.Offset)
			}
		}
	}
}

// cleanGroup writes the segments [first, first+n) as one. It is not ok where
// nothing is left.
func (c *cleaner) cleanGroup(v *view, first, n int) (s segment, ok bool) {
	group := v.closed[first : first+n]
	s = segment{
		base:     group[0].base,
		next:     group[n-1].next,
		maxTs:    record.NoTimestamp,
		created:  group[0].created,
		modified: group[n-1].modified,
		jitter:   group[0].jitter,
	}
	var left int64 // an upper bound of what is still to be written
	for i := range group {
		left += group[i].size
	}
	from := len(c.chunks)
	for i := range group {
		for b := range batches(v.segmentChunks(first + i)) {
			c.stats.BytesRead += int64(len(b))
			if out := c.clean(b); out != nil {
				c.write(out, from, left)
				s.add(out, s.modified)
			}
			left -= int64(len(b))
		}
	}
	c.stats.BytesKept += s.size
	if s.size > 0 {
		c.trimTail()
	}
	return s, s.size > 0
}

// write puts a batch into the group's last chunk, or a new one.
func (c *cleaner) write(b record.Batch, from int, left int64) {
	n := len(c.chunks)
	if n == from || !c.chunks[n-1].fits(len(b), b.LastOffset()+1) {
		want := int(min(max(left, int64(len(b))), maxChunk))
		c.chunks = append(c.chunks, newChunk(b.BaseOffset(), len(b), want, c.cfg.IndexIntervalBytes))
		n++
	}
	c.chunks[n-1].append(b, b.BaseOffset(), b.LeaderEpoch())
}

// trimTail gives back what is free in the last chunk: nothing is appended to a
// compacted segment.
func (c *cleaner) trimTail() {
	last := c.chunks[len(c.chunks)-1]
	_, size := last.published()
	if len(last.buf)-size <= size/16 {
		return
	}
	buf := make([]byte, size)
	copy(buf, last.buf)
	last.buf = buf
	last.idx = slices.Clone(last.entries())
}

// clean is what is left of a batch: the batch itself, a new one, or nil.
func (c *cleaner) clean(b record.Batch) record.Batch {
	control := b.Attributes().Control()
	var idle bool // its records may go: they were aborted, or mark the end of no data
	if control {
		idle = c.txns.marker(b)
	} else {
		idle = c.txns.data(b)
	}
	// Once compaction has seen a tombstone or an idle marker, its batch has a
	// delete horizon in place of the base timestamp, and both stay until then:
	// a consumer that is behind by less than delete.retention.ms misses neither
	// a deletion nor the end of a transaction (KIP-534).
	hasHorizon := b.Attributes().DeleteHorizon()
	expired := hasHorizon && b.BaseTimestamp() <= c.now
	dropAll := idle && (!control || expired)

	n, tombstones := 0, false
	c.kept = c.kept[:0]
	for r, err := range b.Records(&c.buf) {
		if err != nil {
			return b // unreadable: better kept than lost
		}
		keep := !dropAll && (control || c.keep(r, expired))
		if keep {
			n++
			tombstones = tombstones || r.Value == nil
		}
		c.kept = append(c.kept, keep)
	}
	c.stats.RecordsRead += int64(len(c.kept))
	c.stats.RecordsKept += int64(n)

	if n == 0 {
		// The last batch of all stays as well, so that the log does not
		// forget how far it went.
		if c.isLastOfProducer(b) || b.LastOffset()+1 == c.end {
			return c.rebuild(b, record.NoTimestamp)
		}
		return nil
	}
	switch {
	case (tombstones || control && idle) && !hasHorizon:
		return c.rebuild(b, addTime(c.now, c.cfg.DeleteRetentionMs))
	case n == len(c.kept):
		return b
	case hasHorizon:
		return c.rebuild(b, b.BaseTimestamp())
	}
	return c.rebuild(b, record.NoTimestamp)
}

// rebuild is b with the records that c.kept says. It spans the same offsets and
// sequence numbers as before.
func (c *cleaner) rebuild(b record.Batch, horizon int64) record.Batch {
	c.builder.Like(b, 0)
	c.builder.DeleteHorizon = horizon
	i := 0
	for r, err := range b.Records(&c.buf) {
		if err != nil {
			return b
		}
		if c.kept[i] {
			c.builder.Add(r)
		}
		i++
	}
	out, err := c.builder.Build(c.out[:0])
	if err != nil {
		return b
	}
	c.out = out
	return out
}

// keep reports whether a record of a data batch stays: the newest of its key,
// and no tombstone whose time is over.
func (c *cleaner) keep(r record.Record, tombstonesGo bool) bool {
	if r.Key == nil {
		c.stats.InvalidRecords++
		return false
	}
	if i, ok := c.keys[string(r.Key)]; ok && r.Offset < c.newest[i] {
		return false
	}
	return r.Value != nil || !tombstonesGo
}

// isLastOfProducer reports whether an active producer's next batch will be
// checked against b.
func (c *cleaner) isLastOfProducer(b record.Batch) bool {
	last, ok := c.producers.Last[b.ProducerID()]
	switch {
	case !ok || !b.HasProducer():
		return false
	case last.Offset >= 0:
		return b.LastOffset() == last.Offset
	}
	return b.Attributes().Control() && b.ProducerEpoch() == last.Epoch
}

// batches yields the batches of chunks that are written no more.
func batches(chunks []*chunk) iter.Seq[record.Batch] {
	return func(yield func(record.Batch) bool) {
		for _, c := range chunks {
			_, size := c.published()
			for pos := 0; pos < size; {
				b := c.batch(pos)
				if !yield(b) {
					return
				}
				pos += len(b)
			}
		}
	}
}
