package clients_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testTools runs Apache Kafka's own command-line tools.
func testTools(t *testing.T, bootstrap string) {
	slow(t)
	tools := startKafkaTools(t, bootstrap)
	t.Run("a topic", func(t *testing.T) { testToolsOnATopic(t, tools) })
	t.Run("transactions", func(t *testing.T) { testTransactionsTool(t, bootstrap, tools) })
}

// testToolsOnATopic runs the tools one after the other on one topic.
func testToolsOnATopic(t *testing.T, tools *kafkaTools) {
	topic := topicOf(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, step := range []struct {
		args  string   // {T} stands for the topic
		stdin string   // what it reads
		want  []string // patterns of what it prints, {T} for the topic
	}{
		{args: "topics --create --topic {T} --partitions 2 --config retention.ms=12345", want: []string{`Created topic {T}\.`}},
		{args: "topics --describe --topic {T}", want: []string{`Topic: {T}\tTopicId: \S{22}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention.ms=12345`,
			`Topic: {T}\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1`}},
		{args: "configs --alter --entity-type topics --entity-name {T} --add-config max.message.bytes=4321 --delete-config retention.ms", want: []string{`Completed updating config for topic {T}\.`}},
		{args: "configs --describe --entity-type topics --entity-name {T}", want: []string{`max.message.bytes=4321 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max.message.bytes=4321, DEFAULT_CONFIG:message.max.bytes=1048588\}`}},
		{args: "console-producer --topic {T} --reader-property parse.key=true --reader-property key.separator=: --compression-codec zstd", stdin: "a:1\na:2\na:3\n"},
		{args: "console-consumer --topic {T} --from-beginning --max-messages 3 --timeout-ms 20000 --group {T}-group --formatter-property print.key=true", want: []string{`(?m)^a\t1\na\t2\na\t3$`, `Processed a total of 3 messages`}},
		{args: "consumer-groups --describe --group {T}-group", want: []string{`{T}-group +{T} +\d +3 +3 +0 +- +- +-`}},
		{args: "consumer-groups --reset-offsets --group {T}-group --topic {T} --to-earliest --execute", want: []string{`{T}-group +{T} +\d +0\s`}},
		{args: "consumer-groups --delete --group {T}-group", want: []string{`Deletion of requested consumer groups \('{T}-group'\) was successful\.`}},
		{args: "producer-perf-test --topic {T} --num-records 10000 --record-size 100 --throughput -1", want: []string{`10000 records sent`}},
		{args: "get-offsets --topic {T} --time latest", want: []string{`{T}:0:\d+\n{T}:1:\d+`}},
		{args: "delete-records --offset-json-file " + file("delete.json", `{"partitions":[{"topic":"`+topic+`","partition":0,"offset":-1}],"version":1}`), want: []string{`partition: {T}-0\tlow_watermark: \d+`}},
		{args: "broker-api-versions", want: []string{`\(id: 1 rack: \S+ isFenced: false\) -> \(`, `Produce\(0\): 0 to 13`}},
		{args: "log-dirs --describe --topic-list {T}", want: []string{`"partition":"{T}-1","size":[1-9]\d*,"offsetLag":0,"isFuture":false`}},
		{args: "leader-election --election-type preferred --topic {T} --partition 0", want: []string{`Valid replica already elected for partitions {T}-0`}},
		{args: "reassign-partitions --execute --reassignment-json-file " + file("move.json", `{"version":1,"partitions":[{"topic":"`+topic+`","partition":0,"replicas":[1]}]}`), want: []string{`Successfully started partition reassignment for {T}-0`}},
		{args: "metadata-quorum describe --status", want: []string{`LeaderId: +1`}},
		{args: "topics --delete --topic {T}"},
		{args: "topics --list"},
	} {
		args := strings.ReplaceAll(step.args, "{T}", topic)
		out, status := tools.run(t, step.stdin, strings.Fields(args)...)
		if status != 0 {
			t.Errorf("%s ended with %d and printed\n%s", args, status, out)
		}
		for _, want := range step.want {
			if !regexp.MustCompile(strings.ReplaceAll(want, "{T}", topic)).MatchString(out) {
				t.Errorf("%s printed\n%s\nwant a match of %s", args, out, want)
			}
		}
		if step.args == "topics --list" && strings.Contains(out, topic+"\n") {
			t.Errorf("a deleted topic is listed:\n%s", out)
		}
	}
}
