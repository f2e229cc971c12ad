package config

import (
	"strings"
	"testing"
	"time"
)

// errorCase is configs and the refusal that they must get: a code and Kafka's
// whole text.
type errorCase struct {
	set  string // name=value, more separated by " & "
	want string
}

func settings(t *testing.T, text string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for pair := range strings.SplitSeq(text, " & ") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("%q is not name=value", pair)
		}
		m[name] = value
	}
	return m
}

func message(err *Error) string {
	if err == nil {
		return "accepted"
	}
	return err.Message
}

func TestTopicConfigsAreRefusedInKafkasWords(t *testing.T) {
	const throttled = "leader.replication.throttled.replicas"
	for _, c := range []errorCase{
		// behaviour 131
		{"no.such=1", "Unknown topic config name: no.such"},
		{"no.such=1 & retention.ms=abc", "Unknown topic config name: no.such"},
		{"retention.ms=abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms=-5", "Invalid value -5 for configuration retention.ms: Value must be at least -1"},
		{"cleanup.policy=nope", "Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete"},
		// behaviour 132
		{"cleanup.policy=", "accepted"},
		// behaviour 133
		{"remote.storage.enable=true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		// behaviour 157
		{"segment.bytes=1", "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576"},
		{"internal.segment.bytes=1", "accepted"},
		// Observed on Apache Kafka 4.3.1 beyond the numbered rows.
		{"retention.ms=abc & segment.ms=0", "Invalid value 0 for configuration segment.ms: Value must be at least 1"},
		{"min.compaction.lag.ms=10 & max.compaction.lag.ms=5", "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		{"cleanup.policy=delete,", "Configuration 'cleanup.policy' values must not be empty."},
		{"cleanup.policy=delete,delete", "accepted"},
		{"retention.ms= +7000 ", "accepted"},
		{"retention.ms=1_0", "Invalid value 1_0 for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms=", "Invalid value  for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms=9223372036854775808", "Invalid value 9223372036854775808 for configuration retention.ms: Not a number of type LONG"},
		{"max.message.bytes=3000000000", "Invalid value 3000000000 for configuration max.message.bytes: Not a number of type INT"},
		{"retention.bytes=-9", "accepted"},
		{"preallocate= 7 ", "Invalid value  7  for configuration preallocate: Expected value to be either true or false"},
		{"compression.type=LZ4", "Invalid value LZ4 for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.gzip.level=0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level=-1", "accepted"},
		{"compression.zstd.level=100", "Invalid value 100 for configuration compression.zstd.level: Value must be no more than 22"},
		{"min.cleanable.dirty.ratio=1.5", "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio=-1", "Invalid value -1.0 for configuration min.cleanable.dirty.ratio: Value must be at least 0"},
		{"min.cleanable.dirty.ratio=3000000000", "Invalid value 3.0E9 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio=9223372036854775808", "Invalid value 9.223372036854776E18 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio=5f", "Invalid value 5.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio=0x10", "Invalid value 0x10 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"message.timestamp.type=createtime", "Invalid value createtime for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"},
		{throttled + "=a:b", "Invalid value [a:b] for configuration " + throttled + ": " + throttled + " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{throttled + "=1:2,3:4", "accepted"},
		{throttled + "=*", "accepted"},
	} {
		_, err := ResolveTopic(settings(t, c.set), broker(t, nil))
		if got := message(asError(err)); got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.set, got, c.want)
		}
		if e := asError(err); e != nil && e.Code != 40 {
			t.Errorf("%s: error code %d, want INVALID_CONFIG", c.set, e.Code)
		}
	}
}

func TestATopicHasTheValuesThatHold(t *testing.T) {
	b := broker(t, map[string]string{"log.retention.minutes": "3", "log.retention.hours": "1", "log.message.timestamp.type": "LogAppendTime", "message.max.bytes": "77"})
	top := topic(t, map[string]string{"cleanup.policy": "compact", "compression.type": "lz4", "segment.ms": "5"}, b)
	if top.RetentionMs != 180000 {
		t.Errorf("retention is %d ms, want the 3 minutes of log.retention.minutes, which goes before the hours", top.RetentionMs)
	}
	if !top.Compact || top.Delete || !top.LogAppendTime || top.MaxMessageBytes != 77 || top.CompressionType != "lz4" || top.SegmentMs != 5 {
		t.Errorf("wrong values: %+v", top)
	}
	if top = topic(t, nil, broker(t, map[string]string{"log.retention.ms": "-5"})); top.RetentionMs != -1 {
		t.Errorf("a negative log.retention.ms gives retention.ms %d, want -1", top.RetentionMs)
	}
	if top = topic(t, nil, broker(t, map[string]string{"log.roll.hours": "2147483647"})); top.SegmentMs != 2147483647*3600000 {
		t.Errorf("segment.ms is %d, want 2147483647 hours", top.SegmentMs)
	}
}

func TestBadStartConfigsAreExplained(t *testing.T) {
	for _, c := range []errorCase{
		{"num.partition=3", `unknown broker config "num.partition": did you mean "num.partitions"?`},
		{"auto.create.topic.enabled=1", `unknown broker config "auto.create.topic.enabled": did you mean "auto.create.topics.enable"?`},
		{"retention.ms=3", `unknown broker config "retention.ms": did you mean "log.retention.ms"?`},
		{"wibble=3", `unknown broker config "wibble": names are Apache Kafka's, such as "num.partitions"`},
		{"num.partitions=x", "Invalid value x for configuration num.partitions: Not a number of type INT"},
		{"num.partitions=0", "Invalid value 0 for configuration num.partitions: Value must be at least 1"},
		{"log.retention.hours=0", "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"log.roll.ms=0", "requirement failed: log.roll.ms must be greater than or equal to 1"},
		{"listeners=", "Configuration 'listeners' must not be empty. Valid values include: any non-empty value"},
		{"process.roles=", "Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]"},
		{"node.id=2 & broker.id=3", "node.id is 2 and broker.id 3: they are two names of one config, set one"},
		{"group.consumer.migration.policy=x", "Invalid value x for configuration group.consumer.migration.policy: String must be one of (case insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL"},
		{"group.consumer.heartbeat.interval.ms=1000", "group.consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{"group.consumer.session.timeout.ms=70000", "group.consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"},
		{"group.share.max.session.timeout.ms=40000", "group.share.max.session.timeout.ms must be greater than or equal to group.share.min.session.timeout.ms"},
		{"group.streams.heartbeat.interval.ms=50000 & group.streams.max.heartbeat.interval.ms=50000", "group.streams.heartbeat.interval.ms must be less than group.streams.session.timeout.ms"},
		{"group.streams.num.standby.replicas=3", "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"},
		{"group.share.delivery.count.limit=2 & group.share.min.delivery.count.limit=3", "group.share.delivery.count.limit must be greater than or equal to group.share.min.delivery.count.limit"},
		{"group.share.assignors=simple,simple2", "group.share.assignors must contain exactly one assignor, but found 2"},
		{"group.share.max.share.sessions=100", "group.share.max.share.sessions must be greater than or equal to group.share.max.size"},
	} {
		_, err := NewBroker(settings(t, c.set))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got  %v\n want %s", c.set, err, c.want)
		}
	}
}

func TestSettingsOfOlderKafkasAndPluginsAreAccepted(t *testing.T) {
	b := broker(t, map[string]string{"zookeeper.connect": "zk:2181", "log.dirs": "/var/lib/kafka", "inter.broker.protocol.version": "2.8", "num.partitions": "3", "broker.id": "0"})
	if got := strings.Join(b.Ignored(), " "); got != "inter.broker.protocol.version log.dirs zookeeper.connect" {
		t.Errorf("ignored are %s", got)
	}
	if b.Int("num.partitions") != 3 || b.Int("node.id") != 0 {
		t.Errorf("num.partitions is %d, node.id %d; want 3 and 0", b.Int("num.partitions"), b.Int("node.id"))
	}
}

func TestGettersHaveTheTypesOfTheConfigs(t *testing.T) {
	b := broker(t, map[string]string{"log.retention.hours": "2", "sasl.enabled.mechanisms": "PLAIN, SCRAM-SHA-256"})
	for name, want := range map[string]time.Duration{
		"log.retention.hours": 2 * time.Hour, "offsets.retention.minutes": 7 * 24 * time.Hour, "leader.imbalance.check.interval.seconds": 5 * time.Minute,
		"connections.max.idle.ms": 10 * time.Minute, "log.flush.scheduler.interval.ms": 1<<63 - 1,
	} {
		if got := b.Duration(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if !b.Bool("auto.create.topics.enable") || b.String("compression.type") != "producer" || b.Double("log.cleaner.min.cleanable.ratio") != 0.5 {
		t.Error("a getter gives another value than the default")
	}
	if l := b.List("sasl.enabled.mechanisms"); len(l) != 2 || l[1] != "SCRAM-SHA-256" {
		t.Errorf("the list is %q", l)
	}
	if s := b.String("broker.rack"); s != "" {
		t.Errorf("a null string is %q, want empty", s)
	}
}

func TestNearNamesAreSuggested(t *testing.T) {
	for name, want := range map[string]string{"retention.m": "retention.ms", "retentionms": "retention.ms", "log.retention.ms": "retention.ms", "cleanup.policies": "cleanup.policy", "zzz": ""} {
		if got := SuggestTopic(name); got != want {
			t.Errorf("for topic config %q %q is suggested, want %q", name, got, want)
		}
	}
}

func TestDefaultsAreInOrder(t *testing.T) { // nothing checks them when a broker starts with them
	b, err := NewBroker(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
	for _, defs := range [][]*Def{brokerDefs, topicDefs, groupDefs, metricsDefs} {
		for _, d := range defs {
			if d.rule.text != "" {
				d.rule.compiled() // panics when the table is wrong
			}
			if _, ok := d.defaultValue(); ok != (d.Default != nil) {
				t.Errorf("%s: its default is not read", d.Name)
			}
		}
	}
}
