package config

// This file owns the table of topic configs: LogConfig in Apache Kafka.

import (
	"slices"
	"strings"
)

const (
	minute = 60 * 1000
	hour   = 60 * minute
)

// topicTable is in the order in which Kafka checks them: of several bad values
// the first is the one reported. Texts are our own.
var topicTable = []struct {
	name      string
	kind      Type
	byDefault string
	rule      string
	synonyms  []Synonym
	doc       string
}{
	{"segment.bytes", TypeInt, "1073741824", ">= 1048576", same("log.segment.bytes"),
		"A partition's log is cut into segments of this many bytes. Retention and compaction work on whole segments, never on the one being written."},
	{"segment.ms", TypeLong, "604800000", ">= 1", []Synonym{{"log.roll.ms", 1}, {"log.roll.hours", hour}},
		"A new segment begins when the current one is this old, even if it is not full, so that retention and compaction get at it."},
	{"segment.jitter.ms", TypeLong, "0", ">= 0", []Synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hour}},
		"Up to this much, chosen at random, is taken off segment.ms, so that many partitions do not all roll at once."},
	{"segment.index.bytes", TypeInt, "10485760", ">= 4", same("log.index.size.max.bytes"),
		"Size of the index file of a segment. Accepted; the index is in memory and grows as needed."},
	{"flush.messages", TypeLong, "9223372036854775807", ">= 1", same("log.flush.interval.messages"),
		"Forces data to disk after this many messages. Accepted; nothing is written to disk."},
	{"flush.ms", TypeLong, "9223372036854775807", ">= 0", []Synonym{{"log.flush.interval.ms", 1}, {"log.flush.scheduler.interval.ms", 1}},
		"Forces data to disk after this time. Accepted; nothing is written to disk."},
	{"retention.bytes", TypeLong, "-1", "", same("log.retention.bytes"),
		"With cleanup.policy delete, a partition's oldest segments are dropped while it is larger than this. -1: no limit. It counts per partition, not per topic."},
	{"retention.ms", TypeLong, "604800000", ">= -1", []Synonym{{"log.retention.ms", 1}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}},
		"With cleanup.policy delete, a segment is dropped when its newest record is older than this. -1: records are kept for ever."},
	{"max.message.bytes", TypeInt, "1048588", ">= 0", same("message.max.bytes"),
		"The largest record batch, compressed, that a producer may send. A larger one is refused with RECORD_TOO_LARGE."},
	{"index.interval.bytes", TypeInt, "4096", ">= 0", same("log.index.interval.bytes"),
		"An index entry is made for every so many bytes of log. Less finds offsets faster and takes more memory."},
	{"delete.retention.ms", TypeLong, "86400000", ">= 0", same("log.cleaner.delete.retention.ms"),
		"With cleanup.policy compact, how long a tombstone (a record with a null value) stays readable after compaction, so that a slow consumer still sees the deletion."},
	{"min.compaction.lag.ms", TypeLong, "0", ">= 0", same("log.cleaner.min.compaction.lag.ms"),
		"With cleanup.policy compact, a record is left alone for at least this long."},
	{"max.compaction.lag.ms", TypeLong, "9223372036854775807", ">= 1", same("log.cleaner.max.compaction.lag.ms"),
		"With cleanup.policy compact, a record becomes ready for compaction after at most this long, however little of the log is dirty."},
	{"file.delete.delay.ms", TypeLong, "60000", ">= 0", same("log.segment.delete.delay.ms"),
		"How long a dropped segment's file stays on disk. Accepted; there are no files, memory is given back at once."},
	{"min.cleanable.dirty.ratio", TypeDouble, "0.5", "0 .. 1", same("log.cleaner.min.cleanable.ratio"),
		"With cleanup.policy compact, a log is compacted when at least this part of it has not been compacted yet. Lower compacts more often."},
	{"cleanup.policy", TypeList, "delete", "list compact|delete", same("log.cleanup.policy"),
		"What happens to old records: delete drops whole segments by age and size, compact keeps the last record of each key, both may be given. Empty: all is kept."},
	{"unclean.leader.election.enable", TypeBoolean, "false", "", same("unclean.leader.election.enable"),
		"Whether a replica that misses records may become leader when no other is left; those records are then lost."},
	{"min.insync.replicas", TypeInt, "1", ">= 1", same("min.insync.replicas"),
		"A producer with acks=all is refused with NOT_ENOUGH_REPLICAS while fewer replicas than this are in sync."},
	{"compression.type", TypeString, "producer", "in uncompressed|zstd|lz4|snappy|gzip|producer", same("compression.type"),
		"How batches are stored: producer leaves them as they came, any other value re-compresses them at the broker."},
	{"compression.gzip.level", TypeInt, "-1", "gzip", same("compression.gzip.level"),
		"Effort when compression.type is gzip: 1 (fast) to 9 (small), -1 for gzip's own default."},
	{"compression.lz4.level", TypeInt, "9", "1 .. 17", same("compression.lz4.level"),
		"Effort when compression.type is lz4: 1 (fast) to 17 (small)."},
	{"compression.zstd.level", TypeInt, "3", "-131072 .. 22", same("compression.zstd.level"),
		"Effort when compression.type is zstd: -131072 (fast) to 22 (small)."},
	{"preallocate", TypeBoolean, "false", "", same("log.preallocate"),
		"Whether a segment's file is allocated in full when it begins. Accepted; there are no files."},
	{"message.timestamp.type", TypeString, "CreateTime", "in CreateTime|LogAppendTime", same("log.message.timestamp.type"),
		"Which time a record bears: CreateTime, set by the producer, or LogAppendTime, set by the broker when it stores the record."},
	{"message.timestamp.before.max.ms", TypeLong, "9223372036854775807", ">= 0", same("log.message.timestamp.before.max.ms"),
		"With CreateTime, a record whose time lies further in the past than this is refused with INVALID_TIMESTAMP."},
	{"message.timestamp.after.max.ms", TypeLong, "3600000", ">= 0", same("log.message.timestamp.after.max.ms"),
		"With CreateTime, a record whose time lies further in the future than this is refused with INVALID_TIMESTAMP."},
	{"leader.replication.throttled.replicas", TypeList, "", "replicas", nil,
		"Replicas whose replication is throttled at the leader, as partition:broker pairs, or * for all. Accepted; replication moves no bytes here."},
	{"follower.replication.throttled.replicas", TypeList, "", "replicas", nil,
		"Replicas whose replication is throttled at the follower, as partition:broker pairs, or * for all. Accepted; replication moves no bytes here."},
	{"remote.storage.enable", TypeBoolean, "false", "", nil,
		"Tiered storage. It is switched off in the broker, so true is refused."},
	{"local.retention.ms", TypeLong, "-2", ">= -2", same("log.local.retention.ms"),
		"With tiered storage, how long a segment is also kept locally; -2 means retention.ms. Accepted; there is no tiered storage."},
	{"local.retention.bytes", TypeLong, "-2", ">= -2", same("log.local.retention.bytes"),
		"With tiered storage, how much of a partition is also kept locally; -2 means retention.bytes. Accepted; there is no tiered storage."},
	{"remote.log.copy.disable", TypeBoolean, "false", "", nil,
		"With tiered storage, makes the remote part read-only. Accepted; there is no tiered storage."},
	{"remote.log.delete.on.disable", TypeBoolean, "false", "", nil,
		"With tiered storage, deletes the remote part when tiering is switched off. Accepted; there is no tiered storage."},
}

// internalSegmentBytes is Kafka's back door for its tests: a segment smaller
// than segment.bytes allows. It is handy for showing retention and compaction
// with a few records.
const internalSegmentBytes = "internal.segment.bytes"

func same(broker string) []Synonym { return []Synonym{{broker, 1}} }

var (
	topicDefs   = newTopicDefs() // in the order of the checks
	topicByName = index(topicDefs)
	topicSorted = shown(topicDefs)
)

func newTopicDefs() []*Def {
	defs := make([]*Def, 0, len(topicTable)+1)
	for i := range topicTable {
		t := &topicTable[i]
		defs = append(defs, &Def{Name: t.name, Type: t.kind, Default: &t.byDefault, Synonyms: t.synonyms, Doc: t.doc, rule: lazyRule{text: t.rule}})
	}
	return append(defs, &Def{Name: internalSegmentBytes, Type: TypeInt, Internal: true,
		Doc: "Overrides segment.bytes, without its minimum of 1 MiB: small segments show retention and compaction with few records."})
}

// index maps definitions by name.
func index(defs []*Def) map[string]*Def {
	byName := make(map[string]*Def, len(defs))
	for _, d := range defs {
		byName[d.Name] = d
	}
	return byName
}

// shown are the definitions that are always shown, by name.
func shown(defs []*Def) []*Def {
	sorted := make([]*Def, 0, len(defs))
	for _, d := range defs {
		if !d.Internal {
			sorted = append(sorted, d)
		}
	}
	slices.SortFunc(sorted, func(a, b *Def) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

// TopicDef finds a topic config by name.
func TopicDef(name string) (*Def, bool) {
	d, ok := topicByName[name]
	return d, ok
}

// TopicDefs lists the topic configs that DescribeConfigs shows, by name. The
// definitions are shared: do not change them.
func TopicDefs() []*Def { return slices.Clone(topicSorted) }
