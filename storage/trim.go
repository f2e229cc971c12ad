package storage

import (
	"slices"
	"sort"

	"minibroker/protocol/record"
)

// DeleteRecords moves the log start offset up to before (KIP-107); the caller
// has checked it against the high watermark, and an offset behind the end is
// taken as the end. Chunks that are wholly below the new start are let go of at
// once, in the active segment too: memory comes back before the segment rolls.
// It returns their bytes.
func (l *Log) DeleteRecords(before int64) (freed int64) {
	return l.dropBefore(min(before, l.EndOffset()))
}

// Truncate drops everything from the offset to on, for a follower that must
// forget what the new leader never had. A batch with records on both sides goes
// wholly, as batches are never cut; the end offset is then to all the same
// (UnifiedLog.truncateTo). Truncating below the start empties the log and
// starts it anew there.
func (l *Log) Truncate(to int64) {
	v := l.view.Load()
	if to >= v.endOffset() {
		return
	}
	next := *v
	next.gen++
	next.end = to
	next.start = min(v.start, to)
	next.cleaned = min(v.cleaned, to)
	next.epochs = truncateEpochsFromEnd(v.epochs, to)

	i := v.find(to)
	if to <= v.start {
		i = 0
	}
	var dropped int64
	for _, c := range v.chunks[i:] {
		_, size := c.published()
		dropped += int64(size)
	}
	next.chunks = slices.Clone(v.chunks[:i])
	if i < len(v.chunks) && to > v.start {
		_, size := v.chunks[i].published()
		if pos := v.chunks[i].seek(to, size); pos > 0 {
			next.chunks = append(next.chunks, v.chunks[i].cut(pos))
			dropped -= int64(pos)
		}
	}
	if i < len(v.chunks) {
		l.tail = nil // gone, or cut and so full
	}
	next.setTotal(v.total() - dropped)
	l.reopen(&next)
	l.view.Store(&next)
}

// reopen makes the segment that has a truncated view's last chunk the active
// one, and counts anew what is left of it.
func (l *Log) reopen(v *view) {
	segments := v.closed
	if l.active != nil {
		segments = append(slices.Clip(segments), *l.active)
	}
	l.active = nil
	var last *segment
	var first int // its first chunk
	for i := len(segments) - 1; i >= 0 && last == nil; i-- {
		first = sort.Search(len(v.chunks), func(k int) bool { return v.chunks[k].base >= segments[i].base })
		if first < len(v.chunks) {
			s := segments[i]
			last = &s
			segments = segments[:i]
		}
	}
	v.closed = slices.Clone(segments)
	if last == nil {
		v.closed = nil
		return
	}
	last.size, last.maxTs, last.next = 0, record.NoTimestamp, 0
	for _, c := range v.chunks[first:] {
		_, size := c.published()
		last.size += int64(size)
		last.maxTs = max(last.maxTs, c.maxTs.Load())
	}
	l.active = last
}
