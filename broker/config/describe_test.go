package config

// These tests hold what minibroker describes against what Apache Kafka 4.3.1
// was seen to describe (testdata/kafka-*.tsv).

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// meant are the differences that are meant, with their reasons. The row is
// ours.
var meant = map[string]string{
	// The broker observed was started with these settings; here they are unset.
	"broker.rack":                                  "broker.rack null STRING DEFAULT_CONFIG true false",
	"listener.security.protocol.map":               "listener.security.protocol.map SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT STRING DEFAULT_CONFIG false false DEFAULT_CONFIG:listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
	"listeners":                                    "listeners PLAINTEXT://:9092 LIST DEFAULT_CONFIG false false DEFAULT_CONFIG:listeners=PLAINTEXT://:9092",
	"log.dirs":                                     "log.dirs null LIST DEFAULT_CONFIG true false",
	"controller.quorum.bootstrap.servers":          "controller.quorum.bootstrap.servers  LIST DEFAULT_CONFIG true false DEFAULT_CONFIG:controller.quorum.bootstrap.servers=",
	"auto.create.topics.enable":                    "auto.create.topics.enable true BOOLEAN DEFAULT_CONFIG true false DEFAULT_CONFIG:auto.create.topics.enable=true",
	"default.replication.factor":                   "default.replication.factor 1 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:default.replication.factor=1",
	"offsets.topic.num.partitions":                 "offsets.topic.num.partitions 50 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:offsets.topic.num.partitions=50",
	"transaction.state.log.num.partitions":         "transaction.state.log.num.partitions 50 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:transaction.state.log.num.partitions=50",
	"share.coordinator.state.topic.num.partitions": "share.coordinator.state.topic.num.partitions 50 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:share.coordinator.state.topic.num.partitions=50",
	// Kafka sets this as a cluster-wide default when ELR (KIP-966) is on; ELR
	// does not exist here.
	"min.insync.replicas": "min.insync.replicas 1 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:min.insync.replicas=1",
	// Defaults of our own, see ownDefaults.
	"process.roles":                                    "process.roles broker,controller LIST DEFAULT_CONFIG true false DEFAULT_CONFIG:process.roles=broker,controller",
	"controller.listener.names":                        "controller.listener.names CONTROLLER LIST DEFAULT_CONFIG true false DEFAULT_CONFIG:controller.listener.names=CONTROLLER",
	"node.id":                                          "node.id 1 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:node.id=1",
	"broker.id":                                        "broker.id 1 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:broker.id=1",
	"offsets.topic.replication.factor":                 "offsets.topic.replication.factor 1 SHORT DEFAULT_CONFIG true false DEFAULT_CONFIG:offsets.topic.replication.factor=1",
	"transaction.state.log.replication.factor":         "transaction.state.log.replication.factor 1 SHORT DEFAULT_CONFIG true false DEFAULT_CONFIG:transaction.state.log.replication.factor=1",
	"transaction.state.log.min.isr":                    "transaction.state.log.min.isr 1 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:transaction.state.log.min.isr=1",
	"share.coordinator.state.topic.replication.factor": "share.coordinator.state.topic.replication.factor 1 SHORT DEFAULT_CONFIG true false DEFAULT_CONFIG:share.coordinator.state.topic.replication.factor=1",
	"share.coordinator.state.topic.min.isr":            "share.coordinator.state.topic.min.isr 1 SHORT DEFAULT_CONFIG true false DEFAULT_CONFIG:share.coordinator.state.topic.min.isr=1",
	"group.initial.rebalance.delay.ms":                 "group.initial.rebalance.delay.ms 0 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:group.initial.rebalance.delay.ms=0",
	"group.consumer.assignment.interval.ms":            "group.consumer.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.consumer.assignment.interval.ms=0",
	"group.share.assignment.interval.ms":               "group.share.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.share.assignment.interval.ms=0",
	"group.streams.assignment.interval.ms":             "group.streams.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.streams.assignment.interval.ms=0",
	"streams.assignment.interval.ms":                   "streams.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.streams.assignment.interval.ms=0",
	"group.streams.initial.rebalance.delay.ms":         "group.streams.initial.rebalance.delay.ms 0 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=0",
	"streams.initial.rebalance.delay.ms":               "streams.initial.rebalance.delay.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=0",
	"consumer.assignment.interval.ms":                  "consumer.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.consumer.assignment.interval.ms=0",
	"share.assignment.interval.ms":                     "share.assignment.interval.ms 0 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.share.assignment.interval.ms=0",
	"connection.failed.authentication.delay.ms":        "connection.failed.authentication.delay.ms 0 INT DEFAULT_CONFIG true false DEFAULT_CONFIG:connection.failed.authentication.delay.ms=0",
	"sasl.enabled.mechanisms":                          "sasl.enabled.mechanisms PLAIN,SCRAM-SHA-256,SCRAM-SHA-512 LIST DEFAULT_CONFIG false false DEFAULT_CONFIG:sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
	// The group observed had this one set, to its default.
	"consumer.session.timeout.ms": "consumer.session.timeout.ms 45000 INT DEFAULT_CONFIG false false DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000",
}

func TestDefaultsAreDescribedAsKafkaDescribesThem(t *testing.T) {
	b := broker(t, nil)
	used := map[string]bool{}
	for file, entries := range map[string][]Entry{
		"topic":  topic(t, nil, b).Describe(),
		"broker": b.Describe(),
		"group":  DescribeGroup(nil, b),
	} {
		want := observed(t, "testdata/kafka-"+file+".tsv")
		got := map[string]string{}
		for _, e := range entries {
			got[e.Name] = row(e)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if m, ok := meant[name]; ok {
				used[name] = true
				if strings.TrimSpace(m) == strings.TrimSpace(want[name]) {
					t.Errorf("%s %s: the difference that is listed as meant does not exist", file, name)
				}
				want[name] = m
			}
			if strings.TrimSpace(got[name]) != strings.TrimSpace(want[name]) {
				t.Errorf("%s config\n got  %s\n want %s", file, got[name], want[name])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d %s configs are described, Kafka describes %d", len(got), file, len(want))
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s configs are not sorted by name", file)
		}
	}
	if len(used) != len(meant) {
		t.Errorf("of %d differences that are meant only %d were met", len(meant), len(used))
	}
}

// observed reads name -> row from a file of what Kafka answered.
func observed(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		rows[name] = strings.ReplaceAll(line, "\t", " ")
	}
	return rows
}

// row writes an entry as the observed files do.
func row(e Entry) string {
	var s []string
	for _, syn := range e.Synonyms {
		s = append(s, fmt.Sprintf("%v:%s=%s", syn.Source, syn.Name, orNull(syn.Value)))
	}
	return fmt.Sprintf("%s %s %v %v %v %v %s", e.Name, orNull(e.Value), e.Type, e.Source, e.ReadOnly, e.Sensitive, strings.Join(s, "; "))
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func broker(t *testing.T, static map[string]string) *Broker {
	t.Helper()
	b, err := NewBroker(static)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func topic(t *testing.T, overrides map[string]string, b *Broker) *Topic {
	t.Helper()
	top, err := ResolveTopic(overrides, b)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func find(t *testing.T, entries []Entry, name string) Entry {
	t.Helper()
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		t.Fatalf("%s is not described", name)
	}
	return entries[i]
}

func TestATopicDescribesWhereItsValuesComeFrom(t *testing.T) {
	b := broker(t, map[string]string{"log.segment.bytes": "2000000", "log.roll.hours": "2"})
	b, _ = b.Alter(true, []Op{{"log.retention.ms", OpSet, new("2000")}})
	b, _ = b.Alter(false, []Op{{"log.retention.ms", OpSet, new("1000")}})
	top := topic(t, map[string]string{
		"cleanup.policy": " compact , delete", "preallocate": "TRUE", "min.cleanable.dirty.ratio": "1", "max.message.bytes": " +7000 ",
	}, b)
	for _, want := range []string{
		// behaviour 144: set on the topic, then the broker's name for it.
		"cleanup.policy compact,delete LIST DYNAMIC_TOPIC_CONFIG false false DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete; DEFAULT_CONFIG:log.cleanup.policy=delete",
		"max.message.bytes 7000 INT DYNAMIC_TOPIC_CONFIG false false DYNAMIC_TOPIC_CONFIG:max.message.bytes=7000; DEFAULT_CONFIG:message.max.bytes=1048588",
		"min.cleanable.dirty.ratio 1.0 DOUBLE DYNAMIC_TOPIC_CONFIG false false DYNAMIC_TOPIC_CONFIG:min.cleanable.dirty.ratio=1.0; DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5",
		"preallocate true BOOLEAN DYNAMIC_TOPIC_CONFIG false false DYNAMIC_TOPIC_CONFIG:preallocate=true; DEFAULT_CONFIG:log.preallocate=false",
		"segment.bytes 2000000 INT STATIC_BROKER_CONFIG false false STATIC_BROKER_CONFIG:log.segment.bytes=2000000; DEFAULT_CONFIG:log.segment.bytes=1073741824",
		// behaviour 145: broker 1, then the cluster-wide default, then the hours.
		"retention.ms 1000 LONG DYNAMIC_BROKER_CONFIG false false DYNAMIC_BROKER_CONFIG:log.retention.ms=1000; DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2000; DEFAULT_CONFIG:log.retention.hours=168",
		// Only the hours are set: Kafka shows the value and no synonym.
		"segment.ms 7200000 LONG DEFAULT_CONFIG false false ",
	} {
		name, _, _ := strings.Cut(want, " ")
		if got := row(find(t, top.Describe(), name)); got != want {
			t.Errorf("described\n got  %s\n want %s", got, want)
		}
	}
	// behaviour 118: CreateTopics answers values as written, and any synonym's
	// source.
	for name, want := range map[string]string{
		"cleanup.policy": " compact , delete 1", "preallocate": "TRUE 1", "segment.bytes": "2000000 4", "segment.ms": "7200000 4", "retention.ms": "1000 2", "flush.ms": "9223372036854775807 5",
	} {
		e := find(t, top.Created(), name)
		if got := fmt.Sprintf("%s %d", orNull(e.Value), e.Source); got != want {
			t.Errorf("CreateTopics answers %s with %q, want %q", name, got, want)
		}
	}
	if n := len(top.Created()); n != 33 { // behaviour 118
		t.Errorf("CreateTopics answers %d configs, want 33", n)
	}
}

func TestTheInternalSegmentSizeIsShownOnlyWhereItIsSet(t *testing.T) {
	b := broker(t, nil)
	top := topic(t, map[string]string{"internal.segment.bytes": "500"}, b)
	if top.SegmentBytes != 500 {
		t.Errorf("segments have %d bytes, want 500", top.SegmentBytes)
	}
	want := "internal.segment.bytes 500 INT DYNAMIC_TOPIC_CONFIG false false DYNAMIC_TOPIC_CONFIG:internal.segment.bytes=500"
	if got := row(find(t, top.Describe(), "internal.segment.bytes")); got != want {
		t.Errorf("described as %s, want %s", got, want)
	}
}

func TestEveryTopicConfigHasAText(t *testing.T) {
	for _, d := range append(TopicDefs(), GroupDefs()...) {
		if d.Doc == "" {
			t.Errorf("%s has no text", d.Name)
		}
	}
	for i := range brokerDocs {
		name := brokerDocs[i].name
		if d, ok := BrokerDef(name); !ok || d.Doc == "" {
			t.Errorf("broker config %s has a text and does not exist", name)
		}
	}
}

// sources are those of package broker, without its tests.
func sources(t *testing.T) string {
	t.Helper()
	var source strings.Builder
	files, _ := filepath.Glob("../*.go")
	for _, file := range append(files, "hot.go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	return source.String()
}

func TestABrokerConfigWithATextIsRead(t *testing.T) {
	source := sources(t)
	for i := range brokerDocs {
		name := brokerDocs[i].name
		if name != "broker.id" && !strings.Contains(source, strconv.Quote(name)) {
			t.Errorf("broker config %s is said to have an effect, and package broker does not read it", name)
		}
	}
}

// Those without a text are said to be ignored.
func TestABrokerConfigThatIsReadHasAText(t *testing.T) {
	source, onlyShown := sources(t), []string{"log.dir", "log.dirs"}
	for _, d := range brokerDefs {
		if d.Doc == "" && !slices.Contains(onlyShown, d.Name) && strings.Contains(source, strconv.Quote(d.Name)) {
			t.Errorf("package broker reads the broker config %s, which has no text", d.Name)
		}
	}
}

func TestSensitiveValuesAreNotTold(t *testing.T) { // behaviour 150
	b := broker(t, map[string]string{"ssl.key.password": "hunter2", "sasl.jaas.config": "secret"})
	for _, name := range []string{"ssl.key.password", "sasl.jaas.config"} {
		want := name + " null PASSWORD STATIC_BROKER_CONFIG false true STATIC_BROKER_CONFIG:" + name + "=null"
		if got := row(find(t, b.Describe(), name)); got != want {
			t.Errorf("described as %s, want %s", got, want)
		}
	}
}
