package storage

import (
	"math"

	"minibroker/protocol/record"
)

// segment is Kafka's unit of rolling, retention and compaction. Its bytes are
// the chunks from base on, up to the next segment's. It has no empty ones: a
// segment begins with its first batch and goes with its last chunk.
type segment struct {
	base int64
	next int64 // the next segment's base; known when the segment is closed
	size int64
	// maxTs is the largest timestamp of its batches, those included that
	// compaction emptied.
	maxTs int64
	// firstTs is the first batch's largest timestamp, from which segment.ms
	// and max.compaction.lag.ms count (LogSegment.rollingBasedTimestamp).
	firstTs  int64
	created  int64
	modified int64
	jitter   int64
}

// largestTimestamp is what retention.ms and min.compaction.lag.ms count from:
// the last append's time where no batch has a timestamp.
func (s *segment) largestTimestamp() int64 {
	if s.maxTs >= 0 {
		return s.maxTs
	}
	return s.modified
}

// shouldRoll reports whether b, with its last record at lastOffset, belongs to
// a new segment (LogSegment.shouldRoll). Age is measured by the batches' own
// timestamps, so that replayed old data rolls as it did when it was new.
func (s *segment) shouldRoll(b record.Batch, lastOffset int64, cfg *Config, now int64) bool {
	if s.size+int64(len(b)) > int64(cfg.SegmentBytes) || lastOffset-s.base > math.MaxInt32 {
		return true
	}
	waited := now - s.created
	if s.firstTs >= 0 {
		waited = b.MaxTimestamp() - s.firstTs
	}
	return waited > cfg.maxSegmentMs()-s.jitter
}

// add counts a batch that was appended at the time now.
func (s *segment) add(b record.Batch, now int64) {
	if s.size == 0 {
		s.firstTs = b.MaxTimestamp()
	}
	s.size += int64(len(b))
	s.maxTs = max(s.maxTs, b.MaxTimestamp())
	s.modified = now
}
