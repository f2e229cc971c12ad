package clients_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaVersion is the newest release of Kafka whose jars are all published.
const kafkaVersion = "4.3.1"

// connectJars returns the jars of Kafka Connect, its file connectors and MirrorMaker 2.
func connectJars(t *testing.T) string {
	return jars(t, "org.apache.kafka:connect-runtime:"+kafkaVersion, "org.apache.kafka:connect-file:"+kafkaVersion,
		"org.apache.kafka:connect-mirror:"+kafkaVersion, simpleLogger)
}

// testConnect has a distributed worker of Kafka Connect carry the lines of a file to a topic, in transactions, and from
// there to another file. It is stopped on the way and started again: each line must arrive once.
func testConnect(t *testing.T, bootstrap string) {
	slow(t)
	topic, dir := topicOf(t), t.TempDir()
	port := freePort(t)
	properties := filepath.Join(dir, "worker.properties")
	writeFile(t, properties, strings.ReplaceAll(strings.ReplaceAll(`bootstrap.servers=BOOTSTRAP
group.id=TOPIC
config.storage.topic=TOPIC-configs
offset.storage.topic=TOPIC-offsets
status.storage.topic=TOPIC-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=5
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
exactly.once.source.support=enabled
consumer.isolation.level=read_committed
consumer.auto.offset.reset=earliest
offset.flush.interval.ms=200
plugin.discovery=service_load
listeners=http://127.0.0.1:`+port+"\n", "TOPIC", topic), "BOOTSTRAP", bootstrap))
	command := append(jvm(t, 256, "org.apache.kafka.connect.cli.ConnectDistributed", connectJars(t)), properties)
	connect := rest{t: t, url: "http://127.0.0.1:" + port}
	source, sink := filepath.Join(dir, "source.txt"), filepath.Join(dir, "sink.txt")
	want := appendLines(t, source, nil, 0, 500)

	takeJVM(t)
	worker := launch(t, command...)
	connect.await(worker, "/connectors", func(string) bool { return true })
	connect.put("/connectors/"+topic+"-source/config", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "file": source, "topic": topic})
	connect.put("/connectors/"+topic+"-sink/config", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "file": sink, "topics": topic})
	awaitLines(t, worker, sink, want)
	want = appendLines(t, source, want, 500, 200)
	awaitLines(t, worker, sink, want)
	worker.stop(t)

	want = appendLines(t, source, want, 700, 100)
	worker = launch(t, command...)
	awaitLines(t, worker, sink, want)
	for _, connector := range []string{"-source", "-sink"} {
		connect.await(worker, "/connectors/"+topic+connector+"/status", func(body string) bool { return strings.Count(body, "RUNNING") == 2 })
	}
	worker.stop(t)

	cl, ctx := kgoClient(t, bootstrap, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), timeout(t)
	var got []string
	for len(got) < len(want) {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%v, after %d of %d lines in the topic", err, len(got), len(want))
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if !slices.Equal(got, want) {
		t.Errorf("the topic has the lines %.200q, want %.200q", got, want)
	}
	admin := kadm.NewClient(cl)
	for name, partitions := range map[string]int{"-configs": 1, "-offsets": 5, "-status": 5} {
		topics, err := admin.ListTopics(ctx, topic+name)
		if err != nil || len(topics[topic+name].Partitions) != partitions {
			t.Errorf("Connect's topic %s%s has %d partitions (%v), want %d", topic, name, len(topics[topic+name].Partitions), err, partitions)
			continue
		}
		configs, err := admin.DescribeTopicConfigs(ctx, topic+name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" {
				t.Errorf("Connect's topic %s%s has cleanup.policy %s, want compact", topic, name, c.MaybeValue())
			}
		}
	}
	committed, err := admin.FetchOffsets(ctx, "connect-"+topic+"-sink")
	if err != nil {
		t.Fatal(err)
	}
	end, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	// Behind the last line there is only the marker of its transaction.
	if c, ok := committed.Lookup(topic, 0); !ok || c.At < end[topic][0].Offset-1 {
		t.Errorf("the sink has committed %d (found: %v), and the topic ends at %d", c.At, ok, end[topic][0].Offset)
	}
}

// rest is a worker's HTTP API.
type rest struct {
	t   *testing.T
	url string
}

func (r rest) put(path string, config map[string]string) {
	r.t.Helper()
	body, err := json.Marshal(config)
	if err != nil {
		r.t.Fatal(err)
	}
	// 409 says that the worker is rebalancing: try again.
	for ctx := timeout(r.t); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.url+path, bytes.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusConflict {
			continue
		}
		if resp.StatusCode >= 300 {
			r.t.Fatalf("PUT %s: %s\n%s", path, resp.Status, text)
		}
		return
	}
}

// await gets a path until its answer is as it should be.
func (r rest) await(worker *process, path string, good func(body string) bool) {
	r.t.Helper()
	last := ""
	worker.until(r.t, func() bool {
		resp, err := http.Get(r.url + path)
		if err != nil {
			last = err.Error()
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		last = string(text)
		return err == nil && resp.StatusCode == http.StatusOK && good(last)
	}, func() string { return "GET " + path + " gives " + last })
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// appendLines adds n lines to a file and to those that are in it.
func appendLines(t *testing.T, path string, lines []string, from, n int) []string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		line := fmt.Sprint("line ", from+i)
		lines = append(lines, line)
		b.WriteString(line + "\n")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(b.String()); err != nil {
		t.Fatal(err)
	}
	return lines
}

// awaitLines waits until a file has these lines, and fails when it has others.
func awaitLines(t *testing.T, writer *process, path string, want []string) {
	t.Helper()
	var got []string
	writer.until(t, func() bool {
		text, _ := os.ReadFile(path)
		got = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return len(got) >= len(want) && strings.HasSuffix(string(text), "\n")
	}, func() string { return fmt.Sprintf("%s has %d lines, want %d", path, len(got), len(want)) })
	if !slices.Equal(got, want) {
		t.Fatalf("%s has %d lines that are not the %d of the source: %.300q", path, len(got), len(want), got)
	}
}

// freePort returns a port that nobody listens on. Connect must be told one, for it does not print what it gets.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
