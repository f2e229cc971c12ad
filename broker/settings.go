package broker

import (
	"minibroker/broker/config"
	"minibroker/protocol/record"
	"minibroker/storage"
)

// topicSettings is a topic's configs in the form in which produce and the logs
// need them. All partitions of a topic share one; it never changes.
type topicSettings struct {
	*config.Topic
	log    storage.Config
	limits record.Limits // without what differs from request to request
}

// internalSegmentBytes is the most that a segment of an internal topic takes.
// Compaction leaves the active segment alone, and the 100 MiB that Apache Kafka
// gives it are much in memory.
const internalSegmentBytes = 1 << 20

// topicSettings works them out for a topic.
func (b *Broker) topicSettings(name string, t *config.Topic) *topicSettings {
	s := &topicSettings{
		Topic: t,
		log: storage.Config{
			SegmentBytes:           int(t.SegmentBytes),
			SegmentMs:              t.SegmentMs,
			SegmentJitterMs:        t.SegmentJitterMs,
			Jitter:                 func(n int64) int64 { return int64(b.random.uint64() % uint64(n)) },
			Delete:                 t.Delete,
			RetentionBytes:         t.RetentionBytes,
			RetentionMs:            t.RetentionMs,
			Compact:                t.Compact && b.config.Load().Bool("log.cleaner.enable"),
			MinCompactionLagMs:     t.MinCompactionLagMs,
			MaxCompactionLagMs:     t.MaxCompactionLagMs,
			DeleteRetentionMs:      t.DeleteRetentionMs,
			MinCleanableDirtyRatio: t.MinCleanableDirtyRatio,
			IndexIntervalBytes:     int(t.IndexIntervalBytes),
		},
		limits: record.Limits{
			Topic:                name,
			MaxMessageBytes:      int(t.MaxMessageBytes),
			Codec:                record.ProducerCodec,
			Compacted:            t.Compact,
			LogAppendTime:        t.LogAppendTime,
			TimestampBeforeMaxMs: t.TimestampBeforeMax,
			TimestampAfterMaxMs:  t.TimestampAfterMax,
		},
	}
	if codec, named := record.ParseCodec(t.CompressionType); named {
		s.limits.Codec = codec
	}
	if isInternal(name) {
		s.log.SegmentBytes = min(s.log.SegmentBytes, internalSegmentBytes)
	}
	switch s.limits.Codec {
	case record.Gzip:
		s.limits.Level = t.GzipLevel
	case record.LZ4:
		s.limits.Level = t.LZ4Level
	case record.Zstd:
		s.limits.Level = t.ZstdLevel
	}
	return s
}
