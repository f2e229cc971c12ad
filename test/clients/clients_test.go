// Package clients_test runs clients of every language against one broker: each is a small program in this directory, or
// a test in this package where the client is a Go module, and checks what it gets to the byte.
//
// A program is given an address and a topic, here T. It
//   - writes to T, partition 0, ten messages per codec that the client has: key "CODEC-i", value "CODEC i " twenty times,
//     timestamp 1600000000000 + i, and a header n = i where the client has headers;
//   - reads them in the group T-group, commits the end, and seeks about;
//   - reads T-in, which franz-go wrote: values "0" to "9", header new = header;
//   - has two members share the four partitions of T-shared, or of a topic that it makes itself;
//   - creates, describes, alters and deletes topics and groups, where the client can;
//   - commits and aborts transactions, where it has them.
//
// What it wrote and committed is then read by franz-go.
package clients_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// patience bounds a client's whole run; none takes this long unless it fails.
const patience = 5 * time.Minute

// slow says whether the clients run that need a JVM or Node: they take minutes, so a developer asks for them with
// MINIBROKER_SLOW=1, and CI always does.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" && os.Getenv("MINIBROKER_SLOW") != "1" {
		t.Skip("slow: runs with MINIBROKER_SLOW=1 and in CI")
	}
}

// client is one run of a client program.
type client struct {
	name    string
	codecs  []string // in the order in which it writes; all five when nil
	headers bool
	slow    bool
	jvm     bool // it is slow, and takes one of jvms
	// command is the program without the address and the topic.
	command func(t *testing.T) []string
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// impatient has members of KIP-848 groups report every second and be given up after six, and not five and 45.
var impatient = []string{
	"--set", "group.consumer.min.heartbeat.interval.ms=1000", "--set", "group.consumer.heartbeat.interval.ms=1000",
	"--set", "group.consumer.min.session.timeout.ms=6000", "--set", "group.consumer.session.timeout.ms=6000",
}

func TestEveryClientGetsBackWhatWasSent(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Args: impatient})
	warm(t, s.Bootstrap)
	for _, c := range append([]client{
		{name: "confluent-kafka", headers: true, command: python("librdkafka.py", "confluent-kafka")},
		{name: "librdkafka in C", headers: true, command: c},
		{name: "aiokafka", headers: true, command: python("aio.py", "aiokafka", "cramjam")},
		{name: "kafka-python 2.0.2", headers: true, command: kafkaPython("2.0.2")},
		{name: "kafka-python 2.2", headers: true, command: kafkaPython("2.2.*")},
		{name: "kafka-python 2.3", headers: true, command: kafkaPython("2.3.*")},
		{name: "kafka-python 3.0", headers: true, command: kafkaPython("3.0.*")},
		{name: "kafka-python 1.4.7", codecs: codecs[:4], headers: true, command: oldKafkaPython},
		{name: "kafkajs", codecs: codecs[:3], headers: true, slow: true, command: node("kafkajs.js", kafkajs...)},
		{name: "kafka-node", codecs: codecs[:2], slow: true, command: node("kafkanode.js", "kafka-node@5.0.0")},
	}, javaClients()...) {
		t.Run(c.name, func(t *testing.T) { t.Parallel(); c.test(t, s.Bootstrap) })
	}
	t.Run("tools", func(t *testing.T) { t.Parallel(); testTools(t, s.Bootstrap) })
	for _, c := range streams {
		t.Run("streams "+c.version, func(t *testing.T) { t.Parallel(); testStreams(t, s.Bootstrap, c.version, c.guarantee) })
	}
	for _, version := range streamsGroups {
		t.Run("streams groups "+version, func(t *testing.T) { t.Parallel(); testStreamsGroup(t, s.Bootstrap, version) })
	}
	for _, c := range sparks {
		t.Run("spark "+c.version, func(t *testing.T) { t.Parallel(); testSpark(t, s.Bootstrap, c.version, c.scala) })
	}
	t.Run("connect", func(t *testing.T) { t.Parallel(); testConnect(t, s.Bootstrap) })
	t.Run("mirrormaker", func(t *testing.T) { t.Parallel(); testMirror(t) })
	t.Run("sarama", func(t *testing.T) { t.Parallel(); testSarama(t, s.Bootstrap) })
	t.Run("kafka-go", func(t *testing.T) { t.Parallel(); testSegmentio(t, s.Bootstrap) })
}

// warm makes the broker's internal offsets topic exist. Apache Kafka makes it at the first use of a group, and clients
// take their time to try again.
func warm(t *testing.T, bootstrap string) {
	t.Helper()
	cl, ctx := kgoClient(t, bootstrap), timeout(t)
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "warm"); err != nil {
		t.Fatal(err)
	}
	var o kadm.Offsets
	o.AddOffset("warm", 0, 0, -1)
	if err := admin.CommitAllOffsets(ctx, "warm", o); err != nil {
		t.Fatal(err)
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func kgoClient(t *testing.T, bootstrap string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// topicOf returns a topic name that no other test has.
func topicOf(t *testing.T) string {
	_, name, _ := strings.Cut(t.Name(), "/")
	return strings.Trim(regexp.MustCompile(`[^A-Za-z0-9.]+`).ReplaceAllString(name, "-"), "-")
}

// python returns a command that runs a script of this directory with the newest of the packages.
func python(script string, packages ...string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		return []string{venv.Make(t, venv.Find(t, 0), venv.Venv{}, packages...).Python, script}
	}
}

func kafkaPython(version string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		env, _ := venv.KafkaPython(t, version)
		return []string{env.Python, "kpython.py"}
	}
}

// oldKafkaPython is the last kafka-python before 2.0; Python 3.12 can't import it.
func oldKafkaPython(t *testing.T) []string {
	env := venv.Make(t, venv.Find(t, 11), venv.Venv{}, "kafka-python==1.4.7", "python-snappy", "lz4", "xxhash")
	command := []string{env.Python, "roundtrip.py", "--group", topicOf(t) + "-group", "--read", topicOf(t) + "-in"}
	for _, codec := range codecs[:4] {
		command = append(command, "--codec", codec)
	}
	return command
}

// node returns a command that runs a script of this directory with packages of npm's.
func node(script string, packages ...string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		node := harness.NeedTool(t, "node", "nodejs")
		env := harness.NeedTool(t, "env", "coreutils")
		return []string{env, "NODE_PATH=" + nodeModules(t, packages...), node, script}
	}
}

// nodeModules is a directory of the cache in which npm has put packages, without those that they can do without: these
// are compiled.
func nodeModules(t *testing.T, packages ...string) string {
	t.Helper()
	return filepath.Join(once(t, func(dir string) {
		npm := harness.NeedTool(t, "npm", "npm")
		run(t, npm, append([]string{"install", "--silent", "--no-audit", "--no-fund", "--omit=optional", "--prefix", dir}, packages...)...)
	}, "node", strings.ReplaceAll(packages[0], "@", "-")), "node_modules")
}

func (c client) test(t *testing.T, bootstrap string) {
	if c.slow || c.jvm {
		slow(t)
	}
	command := c.command(t)
	if c.jvm {
		takeJVM(t)
	}
	topic := topicOf(t)
	prepare(t, bootstrap, topic)
	cmd := exec.CommandContext(timeout(t), command[0], append(command[1:], "--bootstrap", bootstrap, "--topic", topic)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1]) // it names its version
	if c.codecs == nil {
		c.codecs = codecs
	}
	check(t, bootstrap, topic, c.codecs, c.headers)
}

// forever are the configs of topics whose records have timestamps of 2020: retention would remove them during the test.
var forever = map[string]*string{"retention.ms": kadm.StringPtr("-1")}

// prepare makes the topic, the one that the client is to read, and the one that two members share.
func prepare(t *testing.T, bootstrap, topic string) {
	t.Helper()
	cl, ctx := kgoClient(t, bootstrap, kgo.DefaultProduceTopic(topic+"-in"), kgo.ProducerBatchCompression(kgo.GzipCompression())), timeout(t)
	for name, partitions := range map[string]int32{topic: 1, topic + "-in": 1, topic + "-shared": 4} {
		if r, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, forever, name); err != nil || r.Err != nil {
			t.Fatalf("create %s: %v, %v", name, err, r.Err)
		}
	}
	var in []*kgo.Record
	for i := range 10 {
		in = append(in, &kgo.Record{Value: strconv.AppendInt(nil, int64(i), 10), Headers: []kgo.RecordHeader{{Key: "new", Value: []byte("header")}}})
	}
	if err := cl.ProduceSync(ctx, in...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// check reads what the client wrote and committed.
func check(t *testing.T, bootstrap, topic string, codecs []string, headers bool) {
	t.Helper()
	ctx := timeout(t)
	cl := kgoClient(t, bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}))
	admin := kadm.NewClient(cl)
	total := 10 * len(codecs)
	end, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := end.Lookup(topic, 0); !ok || o.Err != nil || o.Offset != int64(total) {
		t.Fatalf("the log of %s ends at %d (%v), want %d", topic, o.Offset, o.Err, total)
	}
	var got []*kgo.Record
	for len(got) < total {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Records()...)
	}
	for i, r := range got {
		codec, n := codecs[i/10], i%10
		if key, value := fmt.Sprintf("%s-%d", codec, n), strings.Repeat(fmt.Sprintf("%s %d ", codec, n), 20); string(r.Key) != key || string(r.Value) != value {
			t.Errorf("at offset %d there is key %q, value %.30q, want %q, %.30q", i, r.Key, r.Value, key, value)
		}
		if want := 1600000000000 + int64(n); r.Timestamp.UnixMilli() != want {
			t.Errorf("the record at offset %d has timestamp %d, want %d", i, r.Timestamp.UnixMilli(), want)
		}
		if has := len(r.Headers) > 0 && r.Headers[0].Key == "n" && string(r.Headers[0].Value) == strconv.Itoa(n); has != headers {
			t.Errorf("the record at offset %d has the headers %v", i, r.Headers)
		}
		if got, want := stored[r.Attrs.CompressionType()], codec; got != want {
			t.Errorf("the record at offset %d is stored as %s, want %s", i, got, want)
		}
	}
	committed, err := admin.FetchOffsets(ctx, topic+"-group")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := committed.Lookup(topic, 0); !ok || o.At != int64(total) {
		t.Errorf("group %s-group committed %d (found: %v), want %d", topic, o.At, ok, total)
	}
}

// stored names the codecs by the number that stands in a batch.
var stored = map[uint8]string{0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
