package config

// This file owns a topic's configs: its overrides, resolved against the
// broker's.

import (
	"maps"
	"slices"
	"strconv"
)

// Topic is the configs of one topic. It never changes. The fields are what the
// broker and its logs read; Describe has all.
type Topic struct {
	Delete  bool // cleanup.policy has delete
	Compact bool // cleanup.policy has compact

	SegmentBytes       int64 // segment.bytes, or internal.segment.bytes where set
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	IndexIntervalBytes int64 // index.interval.bytes

	RetentionMs    int64 // retention.ms; -1: no limit
	RetentionBytes int64 // retention.bytes; negative: no limit

	MinCompactionLagMs     int64   // min.compaction.lag.ms
	MaxCompactionLagMs     int64   // max.compaction.lag.ms
	DeleteRetentionMs      int64   // delete.retention.ms
	MinCleanableDirtyRatio float64 // min.cleanable.dirty.ratio

	MaxMessageBytes    int64 // max.message.bytes
	MinInsyncReplicas  int64 // min.insync.replicas
	UncleanElection    bool  // unclean.leader.election.enable
	LogAppendTime      bool  // message.timestamp.type is LogAppendTime
	TimestampBeforeMax int64 // message.timestamp.before.max.ms
	TimestampAfterMax  int64 // message.timestamp.after.max.ms

	CompressionType string // producer, uncompressed, gzip, snappy, lz4, zstd
	GzipLevel       int    // compression.gzip.level; -1: gzip's default
	LZ4Level        int    // compression.lz4.level
	ZstdLevel       int    // compression.zstd.level

	overrides map[string]string
	broker    *Broker
}

// ResolveTopic checks a topic's overrides and works out all its configs. An
// error is an *Error with Kafka's code and text.
func ResolveTopic(overrides map[string]string, b *Broker) (*Topic, error) {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if topicByName[name] == nil {
			return nil, invalidConfig("Unknown topic config name: " + name)
		}
	}
	t := &Topic{overrides: maps.Clone(overrides), broker: b}
	for _, d := range topicDefs {
		v, err := t.value(d)
		if err != nil {
			return nil, err
		}
		t.set(d.Name, v)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check holds what Kafka demands of values together (LogConfig.validate).
func (t *Topic) check() *Error {
	if t.MinCompactionLagMs > t.MaxCompactionLagMs {
		return invalidConfig("conflict topic config setting min.compaction.lag.ms (" + strconv.FormatInt(t.MinCompactionLagMs, 10) +
			") > max.compaction.lag.ms (" + strconv.FormatInt(t.MaxCompactionLagMs, 10) + ")")
	}
	if tiered, _ := parseType("", TypeBoolean, t.overrides["remote.storage.enable"]); tiered == true {
		return invalidConfig("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}

// value is the value of one config, nil for none.
func (t *Topic) value(d *Def) (any, *Error) {
	if text, ok := t.overrides[d.Name]; ok {
		return d.parse(text)
	}
	return t.broker.topicDefault(d), nil
}

func (t *Topic) set(name string, v any) {
	n, _ := v.(int64)
	switch name {
	case "segment.bytes":
		t.SegmentBytes = n
	case internalSegmentBytes: // after segment.bytes, see newTopicDefs
		if v != nil {
			t.SegmentBytes = n
		}
	case "segment.ms":
		t.SegmentMs = n
	case "segment.jitter.ms":
		t.SegmentJitterMs = n
	case "index.interval.bytes":
		t.IndexIntervalBytes = n
	case "retention.ms":
		t.RetentionMs = n
	case "retention.bytes":
		t.RetentionBytes = n
	case "min.compaction.lag.ms":
		t.MinCompactionLagMs = n
	case "max.compaction.lag.ms":
		t.MaxCompactionLagMs = n
	case "delete.retention.ms":
		t.DeleteRetentionMs = n
	case "min.cleanable.dirty.ratio":
		t.MinCleanableDirtyRatio, _ = v.(float64)
	case "cleanup.policy":
		policies, _ := v.([]string)
		t.Delete = slices.Contains(policies, "delete")
		t.Compact = slices.Contains(policies, "compact")
	case "max.message.bytes":
		t.MaxMessageBytes = n
	case "min.insync.replicas":
		t.MinInsyncReplicas = n
	case "unclean.leader.election.enable":
		t.UncleanElection, _ = v.(bool)
	case "message.timestamp.type":
		t.LogAppendTime = v == "LogAppendTime"
	case "message.timestamp.before.max.ms":
		t.TimestampBeforeMax = n
	case "message.timestamp.after.max.ms":
		t.TimestampAfterMax = n
	case "compression.type":
		t.CompressionType, _ = v.(string)
	case "compression.gzip.level":
		t.GzipLevel = int(n)
	case "compression.lz4.level":
		t.LZ4Level = int(n)
	case "compression.zstd.level":
		t.ZstdLevel = int(n)
	}
}

// Overrides are the configs that were set on the topic, as they were written.
// Do not change them.
func (t *Topic) Overrides() map[string]string { return t.overrides }

// Describe lists the topic's configs as DescribeConfigs answers them, by name.
func (t *Topic) Describe() []Entry {
	return t.entries(func(d *Def) Entry {
		e := newEntry(d)
		if v, _ := t.value(d); v != nil {
			text := format(v)
			e.Value = &text
		}
		if _, ok := t.overrides[d.Name]; ok {
			e.Synonyms = []SynonymEntry{{d.Name, e.Value, DynamicTopicConfig}}
		}
		if len(d.Synonyms) > 0 {
			e.Synonyms = append(e.Synonyms, synonyms(d.Synonyms[0].Name, t.broker.layers[:], true)...)
		}
		if len(e.Synonyms) > 0 {
			e.Source = e.Synonyms[0].Source
		}
		return e
	})
}

// Created lists the topic's configs as CreateTopics v5+ answers them, by name.
// Unlike Describe, values are as they were written and the source is that of
// any synonym (KafkaConfigSchema.resolveEffectiveTopicConfig).
func (t *Topic) Created() []Entry {
	return t.entries(func(d *Def) Entry {
		e := newEntry(d)
		if text, ok := t.overrides[d.Name]; ok {
			e.Value, e.Source = &text, DynamicTopicConfig
			return e
		}
		e.Value = d.Default
		for _, l := range t.broker.layers {
			for _, s := range d.Synonyms {
				text, ok := l.values[s.Name]
				if !ok {
					continue
				}
				if n, err := strconv.ParseInt(text, 10, 64); err == nil && s.Times > 1 {
					text = strconv.FormatInt(saturate(n, s.Times), 10)
				}
				e.Value, e.Source = &text, l.source
				return e
			}
		}
		return e
	})
}

// entries makes an entry of every config that is shown: internal ones only
// where they are set.
func (t *Topic) entries(entry func(*Def) Entry) []Entry {
	entries := make([]Entry, 0, len(topicDefs))
	for _, d := range topicSorted {
		entries = append(entries, entry(d))
	}
	if _, ok := t.overrides[internalSegmentBytes]; ok {
		entries = sortEntries(append(entries, entry(topicByName[internalSegmentBytes])))
	}
	return entries
}

func newEntry(d *Def) Entry {
	return Entry{Name: d.Name, Source: DefaultConfig, Type: d.Type, Sensitive: d.Sensitive, Doc: d.Doc}
}
