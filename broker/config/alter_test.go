package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// ops reads changes: "=k=v" sets, "-k" deletes, "+k=v" appends, "/k=v"
// subtracts, "!k=v" is operation 9, "=k" sets null; more are separated by " & ".
func ops(text string) []Op {
	var list []Op
	for s := range strings.SplitSeq(text, " & ") {
		op := Op{Type: map[byte]OpType{'=': OpSet, '-': OpDelete, '+': OpAppend, '/': OpSubtract, '!': 9}[s[0]]}
		name, value, ok := strings.Cut(s[1:], "=")
		if op.Name = name; ok {
			op.Value = &value
		}
		list = append(list, op)
	}
	return list
}

func outcome(code int16, m string) string { return fmt.Sprintf("[%d] %s", code, m) }

func errorOutcome(err *Error, accepted string) string {
	if err != nil {
		return outcome(err.Code, err.Message)
	}
	return accepted
}

type alterCase struct{ before, change, want string }

func TestTopicConfigsChangeAsInKafka(t *testing.T) {
	for _, c := range []alterCase{
		{"cleanup.policy=compact", "+cleanup.policy=compact", "compact"}, // behaviour 153
		{"cleanup.policy=compact", "/cleanup.policy=compact", ""},        // behaviour 153
		{"", "+cleanup.policy=compact", "delete,compact"},                // the default is what is appended to
		{"cleanup.policy= compact , delete", "/cleanup.policy=delete", " compact , delete"},
		{"cleanup.policy=compact,delete", "/cleanup.policy=delete,nope", "compact"},
		{"cleanup.policy=compact", "-cleanup.policy", "unset"},
		{"", "-no.such", "unset"},
		{"", "+cleanup.policy=nope,compact", "[40] Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete"},
		{"", "+cleanup.policy=", "[40] Configuration 'cleanup.policy' values must not be empty."},
		{"", "+retention.ms=1", "[40] Can't APPEND to key retention.ms because its type is not LIST."},   // behaviour 154
		{"", "/retention.ms=1", "[40] Can't SUBTRACT to key retention.ms because its type is not LIST."}, // behaviour 154
		{"", "+no.such=1", "[40] Can't APPEND to key no.such because its type is not LIST."},
		{"", "=no.such=1", "[40] Unknown topic config name: no.such"},                                                    // behaviour 154
		{"", "=retention.ms", "[42] Null value not supported for : retention.ms"},                                        // behaviour 154
		{"", "=a & +b", "[42] Null value not supported for : a, b"},                                                      // behaviour 154
		{"", "=retention.ms=1 & -retention.ms", "[42] Error due to duplicate config keys"},                               // behaviour 154
		{"", "!retention.ms=1", "[42] Unknown operations type 9"},                                                        // behaviour 155: Kafka's controller fails
		{"", "=segment.bytes=1", "[40] Invalid value 1 for configuration segment.bytes: Value must be at least 1048576"}, // behaviour 157
	} {
		before := map[string]string{}
		if c.before != "" {
			before = settings(t, c.before)
		}
		next, err := AlterTopic(before, ops(c.change), broker(t, nil))
		policy, ok := next["cleanup.policy"]
		if !ok {
			policy = "unset"
		}
		if got := errorOutcome(err, policy); got != c.want {
			t.Errorf("%q then %q\n got  %s\n want %s", c.before, c.change, got, c.want)
		}
		if c.before != "" && before["cleanup.policy"] != strings.TrimPrefix(c.before, "cleanup.policy=") {
			t.Errorf("%q changed the overrides that it was given", c.change)
		}
	}
}

func TestAlterConfigsReplacesAll(t *testing.T) { // behaviour 162
	b := broker(t, nil)
	next, err := ReplaceTopic(ops("=retention.ms=77"), b)
	if err != nil || len(next) != 1 || next["retention.ms"] != "77" {
		t.Errorf("a topic has %v (%v), want retention.ms alone", next, err)
	}
	if _, err := ReplaceTopic(ops("=retention.ms"), b); message(err) != "Null value not supported for : retention.ms" {
		t.Errorf("null: %s", message(err))
	}
	if _, err := ReplaceTopic(ops("=retention.ms=1 & =retention.ms=2"), b); message(err) != "Error due to duplicate config keys" {
		t.Errorf("twice: %s", message(err))
	}
	b, _ = b.Alter(false, ops("=log.retention.ms=5 & =compression.type=lz4"))
	if b, err = b.Replace(false, ops("=log.retention.ms=6")); err != nil || b.Int("log.retention.ms") != 6 || b.String("compression.type") != "producer" {
		t.Errorf("a broker keeps what AlterConfigs did not name: %v", err)
	}
}

func TestBrokerConfigsChangeAsInKafka(t *testing.T) {
	for _, c := range []struct {
		clusterWide bool
		change      string
		want        string
	}{
		{false, "=node.id=3", "[42] Cannot update these configs dynamically: [node.id]"}, // behaviour 158
		{false, "=node.id=3 & =process.roles=broker", "[42] Cannot update these configs dynamically: [node.id, process.roles]"},
		{true, "=listeners=PLAINTEXT://:1", "[42] Cannot update these configs at default cluster level, broker id must be specified: [listeners]"}, // behaviour 158
		{false, "=listeners=PLAINTEXT://:1", "[42] The listeners of this broker are set when it starts."},
		{false, "=no.such=1", "ok"},
		{false, "-num.partitions", "ok"},
		{false, "=log.retention.ms=abc", "[42] Invalid value abc for configuration log.retention.ms: Not a number of type LONG"},
		{false, "=log.retention.ms=0", "[42] requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{false, "=log.retention.ms=-5", "ok"},
		{false, "=log.retention.hours=1", "[42] Cannot update these configs dynamically: [log.retention.hours]"},
		{true, "=message.max.bytes=-1", "[42] Invalid value -1 for configuration message.max.bytes: Value must be at least 0"},
		{true, "=message.max.bytes", "[42] Null value not supported for : message.max.bytes"},
		{false, "=log.cleanup.policy=delete,", "[42] Configuration 'log.cleanup.policy' values must not be empty."},
		{false, "+log.cleanup.policy=compact", "ok"},
		{false, "+num.io.threads=9", "[40] Config value append is not allowed for config key: num.io.threads"},
		{false, "=ssl.keystore.type=PKCS12", "[42] These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.type]"},
		{false, "=num.io.threads=100", "[42] Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 8 for configuration Invalid dynamic configuration"},
		{true, "=num.io.threads=1", "[42] Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=1, value should be at least half the current value 8 for configuration Invalid dynamic configuration"},
		{true, "!log.retention.ms=5", "[42] Unknown operations type 9"},
	} {
		b, err := broker(t, nil).Alter(c.clusterWide, ops(c.change))
		if got := errorOutcome(err, "ok"); got != c.want {
			t.Errorf("%q\n got  %s\n want %s", c.change, got, c.want)
		}
		if (b == nil) != (err != nil) {
			t.Errorf("%q: a broker and an error, or neither", c.change)
		}
	}
}

func TestClusterWideDefaultsAreDescribedAlone(t *testing.T) { // behaviour 148
	b := broker(t, map[string]string{"num.partitions": "4"})
	if got := b.DescribeClusterDefaults(); len(got) != 0 {
		t.Errorf("nothing was set and %v is described", got)
	}
	b, _ = b.Alter(true, ops("=log.retention.ms=1000 & =no.such=1 & =leader.replication.throttled.rate=100"))
	b, _ = b.Alter(false, ops("=log.retention.ms=5"))
	var rows []string
	for _, e := range b.DescribeClusterDefaults() {
		rows = append(rows, row(e))
	}
	want := `leader.replication.throttled.rate 100 LONG DYNAMIC_DEFAULT_BROKER_CONFIG false false DYNAMIC_DEFAULT_BROKER_CONFIG:leader.replication.throttled.rate=100
log.retention.ms 1000 LONG DYNAMIC_DEFAULT_BROKER_CONFIG false false DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=1000
no.such null UNKNOWN DYNAMIC_DEFAULT_BROKER_CONFIG true true DYNAMIC_DEFAULT_BROKER_CONFIG:no.such=null`
	if got := strings.Join(rows, "\n"); got != want {
		t.Errorf("described\n%s\nwant\n%s", got, want)
	}
	if got, want := row(find(t, b.Describe(), "no.such")), "no.such null UNKNOWN DYNAMIC_DEFAULT_BROKER_CONFIG true true DYNAMIC_DEFAULT_BROKER_CONFIG:no.such=null"; got != want {
		t.Errorf("the broker itself describes %s, want %s", got, want)
	}
}

func TestGroupConfigsChangeAsInKafka(t *testing.T) {
	for _, c := range []struct{ change, want string }{
		{"=consumer.session.timeout.ms=5", "[40] consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"}, // behaviour 160
		{"=consumer.session.timeout.ms=600000", "[40] consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"},
		{"=consumer.session.timeout.ms=50000", "ok"},
		{"=consumer.session.timeout.ms=5 & =consumer.heartbeat.interval.ms=5", "[40] consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{"=nope=1", "[40] Unknown group config name: nope"}, // behaviour 160
		{"=share.record.lock.duration.ms=1", "[40] Invalid value 1 for configuration share.record.lock.duration.ms: Value must be at least 1000"},
		{"=share.record.lock.duration.ms=1000", "[40] share.record.lock.duration.ms must be greater than or equal to group.share.min.record.lock.duration.ms"},
		{"=streams.num.standby.replicas=9", "[40] streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"},
		{"=share.auto.offset.reset=by_duration:PT1H", "ok"},
		{"=share.auto.offset.reset=by_duration:PT", "[40] Invalid value by_duration:PT for configuration share.auto.offset.reset: Invalid value `by_duration:PT` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."},
		{"=share.isolation.level=x", "[40] Invalid value x for configuration share.isolation.level: String must be one of: read_committed, read_uncommitted"},
		{"+consumer.session.timeout.ms=1", "[40] Can't APPEND to key consumer.session.timeout.ms because its type is not LIST."},
		{"=consumer.session.timeout.ms", "[42] Null value not supported for : consumer.session.timeout.ms"},
	} {
		_, err := AlterGroup(nil, ops(c.change), broker(t, nil))
		if got := errorOutcome(err, "ok"); got != c.want {
			t.Errorf("%q\n got  %s\n want %s", c.change, got, c.want)
		}
	}
	e := find(t, DescribeGroup(map[string]string{"share.auto.offset.reset": "earliest"}, broker(t, nil)), "share.auto.offset.reset")
	if got, want := row(e), "share.auto.offset.reset earliest STRING GROUP_CONFIG false false GROUP_CONFIG:share.auto.offset.reset=earliest; DEFAULT_CONFIG:share.auto.offset.reset=latest"; got != want {
		t.Errorf("described as %s, want %s", got, want)
	}
}

// A snapshot may be restored into a broker with other bounds.
func TestAGroupConfigOutOfBoundsCountsAsTheNearestThatIsAllowed(t *testing.T) {
	b := broker(t, map[string]string{"group.consumer.max.session.timeout.ms": "50000", "group.streams.max.standby.replicas": "1"})
	own := map[string]string{"consumer.session.timeout.ms": "55000", "consumer.heartbeat.interval.ms": "10", "streams.num.standby.replicas": "2", "share.delivery.count.limit": "7"}
	for name, want := range map[string]int{
		"group.consumer.session.timeout.ms": 50000, "group.consumer.heartbeat.interval.ms": 5000,
		"group.streams.num.standby.replicas": 1, "group.share.delivery.count.limit": 7, "group.streams.session.timeout.ms": 45000,
	} {
		if got := GroupInt(name, own, b); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if got := GroupDuration("group.consumer.session.timeout.ms", own, b); got != 50*time.Second {
		t.Errorf("the session timeout is %s, want 50s", got)
	}
}

func TestClientMetricsConfigsChangeAsInKafka(t *testing.T) {
	for _, c := range []struct{ change, want string }{
		{"=interval.ms=1", "[42] Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)"}, // behaviour 161
		{"=nope=1", "[42] Unknown client metrics configuration: nope"},                                                // behaviour 161
		{"=match=x", "[40] Illegal client matching pattern: x"},
		{"=match=client_id=(", "[40] Illegal client matching pattern: client_id=("},
		{"+metrics=a", "[40] Can't APPEND to key metrics because its type is not LIST."},
		{"=match=client_id=.* & =interval.ms=500", "ok"},
	} {
		_, err := AlterClientMetrics(nil, ops(c.change))
		if got := errorOutcome(err, "ok"); got != c.want {
			t.Errorf("%q\n got  %s\n want %s", c.change, got, c.want)
		}
	}
	if got := DescribeClientMetrics(nil); len(got) != 3 || row(got[0]) != "interval.ms 300000 INT DEFAULT_CONFIG false false " { // behaviour 151
		t.Errorf("an unknown subscription is described as %v", got)
	}
}
