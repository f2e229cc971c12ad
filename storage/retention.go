package storage

import (
	"iter"
	"math"
)

// This file owns cleanup.policy=delete, and when there will be work to do.

// Never is the deadline of a log in which nothing will become due by itself.
const Never int64 = math.MaxInt64

// Retain deletes old segments as UnifiedLog.deleteOldSegments does: first from
// the oldest on while what is left is at least retention.bytes, then while they
// are older than retention.ms by their largest timestamp. Only segments wholly
// below the high watermark go, so the log start offset never passes it. The
// active segment goes too when it is due: the next record starts a new one. It
// returns the freed bytes. What lies below the log start offset is gone before:
// DeleteRecords frees it at once.
func Retain(l *Log, cfg *Config, now, highWatermark int64) (freedBytes int64) {
	if !cfg.Delete {
		return 0
	}
	if cfg.RetentionBytes >= 0 {
		over := l.Size() - cfg.RetentionBytes
		freedBytes += l.deleteWhile(highWatermark, func(s *segment) bool {
			over -= s.size
			return over >= 0
		})
	}
	if cfg.RetentionMs >= 0 {
		freedBytes += l.deleteWhile(highWatermark, func(s *segment) bool {
			return now > addTime(s.largestTimestamp(), cfg.RetentionMs)
		})
	}
	return freedBytes
}

// deleteWhile deletes the oldest segments below the high watermark for as long
// as due says so.
func (l *Log) deleteWhile(highWatermark int64, due func(*segment) bool) (freed int64) {
	start := int64(-1)
	for s, next := range l.segments() {
		if next > highWatermark || !due(s) {
			break
		}
		start = next
	}
	return l.dropBefore(start)
}

// segments yields each segment, the active one last, and the offset it ends
// before. They are not to be changed.
func (l *Log) segments() iter.Seq2[*segment, int64] {
	return func(yield func(*segment, int64) bool) {
		v := l.view.Load()
		for i := range v.closed {
			if !yield(&v.closed[i], v.closed[i].next) {
				return
			}
		}
		if l.active != nil {
			yield(l.active, v.endOffset())
		}
	}
}

// oldest is the first segment and the offset it ends before; nil if the log is
// empty.
func (l *Log) oldest() (*segment, int64) {
	for s, next := range l.segments() {
		return s, next
	}
	return nil, 0
}

// NextDeadline is the earliest time, in ms and not before now, at which Retain
// or PlanCompaction could find something to do if nothing else happens to the
// log; Never if there is no such time. It costs a step per closed segment where
// the topic is compacted, and next to nothing else. Appending, a new high watermark or a new
// Config can make it earlier, so ask again after those. It is what lets an idle
// broker sleep, and a virtual clock jump.
func (l *Log) NextDeadline(cfg *Config, now, highWatermark int64) int64 {
	at := Never
	if cfg.Delete {
		// The oldest segment goes first: no other can be due before it.
		if s, next := l.oldest(); s != nil && next <= highWatermark {
			if cfg.RetentionBytes >= 0 && l.Size()-s.size >= cfg.RetentionBytes {
				return now
			}
			if cfg.RetentionMs >= 0 {
				at = addTime(addTime(s.largestTimestamp(), cfg.RetentionMs), 1)
			}
		}
	}
	if cfg.Compact {
		_, due := l.view.Load().cleanable(cfg, now, highWatermark)
		at = min(at, due)
	}
	return max(at, now)
}
