package storage

import "math"

// Config holds the topic configs that matter to a log, under Kafka's names
// (org.apache.kafka.storage.internals.log.LogConfig). Times are in ms, sizes in
// bytes. A Config is never kept: each call may bring another one, as configs
// change while a topic lives.
type Config struct {
	SegmentBytes    int   // segment.bytes
	SegmentMs       int64 // segment.ms
	SegmentJitterMs int64 // segment.jitter.ms
	// Jitter draws from [0, n). It is asked once per segment, and only when
	// SegmentJitterMs is above 0; nil means no jitter.
	Jitter func(n int64) int64

	Delete         bool  // cleanup.policy has delete
	RetentionBytes int64 // retention.bytes; below 0: no limit
	RetentionMs    int64 // retention.ms; below 0: no limit

	Compact                bool    // cleanup.policy has compact
	MinCompactionLagMs     int64   // min.compaction.lag.ms
	MaxCompactionLagMs     int64   // max.compaction.lag.ms
	DeleteRetentionMs      int64   // delete.retention.ms
	MinCleanableDirtyRatio float64 // min.cleanable.dirty.ratio

	IndexIntervalBytes int // index.interval.bytes
}

// maxSegmentMs is the age at which a segment rolls. A compacted topic rolls at
// max.compaction.lag.ms if that is sooner, because the active segment is never
// compacted (LogConfig.maxSegmentMs, KIP-354).
func (c *Config) maxSegmentMs() int64 {
	if c.Compact && c.MaxCompactionLagMs > 0 {
		return min(c.MaxCompactionLagMs, c.SegmentMs)
	}
	return c.SegmentMs
}

// jitterMs draws how much earlier than segment.ms a new segment rolls, so that
// partitions created together do not all roll together.
func (c *Config) jitterMs() int64 {
	if n := min(c.SegmentJitterMs, c.SegmentMs); n > 0 && c.Jitter != nil {
		return c.Jitter(n)
	}
	return 0
}

// addTime is a+b for times in ms, where either may be as large as Kafka's
// "never", 2^63-1.
func addTime(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
