// Package minibroker_test holds the black-box tests: the minibroker binary as a process, and real clients.
package minibroker_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	"minibroker/test/markdown"
	"minibroker/test/netns"
	"minibroker/test/venv"
)

// patience bounds every wait for something that must come; no test waits this long unless it fails.
const patience = 60 * time.Second

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newClient(t *testing.T, bootstrap string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// readPartitions returns what is in the topic's log, from offset 0 to the end offsets, by partition.
func readPartitions(t *testing.T, topic string, partitions int, end kadm.ListedOffsets, client func(...kgo.Opt) *kgo.Client) map[int32][]*kgo.Record {
	t.Helper()
	from := map[int32]kgo.Offset{}
	total := 0
	for p := range int32(partitions) {
		o, ok := end.Lookup(topic, p)
		if !ok || o.Err != nil {
			t.Fatalf("%s-%d has no end offset: %v", topic, p, o.Err)
		}
		total += int(o.Offset)
		from[p] = kgo.NewOffset().At(0)
	}
	cl := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	got := map[int32][]*kgo.Record{}
	for ctx, n := timeout(t), 0; n < total; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v after %d of %d records", topic, err, n, total)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[r.Partition] = append(got[r.Partition], r); n++ })
	}
	return got
}

// notebookVersions are the kafka-pythons that the course's machines have; a wildcard is the newest patch.
var notebookVersions = []string{"2.0.2", "2.2.*", "2.3.*", "3.0.*"}

func TestTheCourseNotebookRunsFromTopToBottom(t *testing.T) {
	for _, version := range notebookVersions {
		t.Run("kafka-python "+version, func(t *testing.T) {
			t.Parallel()
			testNotebook(t, version)
		})
	}
}

func testNotebook(t *testing.T, version string) {
	env, python := venv.KafkaPython(t, version)
	installed := env.Version(t, "kafka-python")

	// The course's layout: the broker and Jupyter are two containers, and Jupyter knows the broker as "broker".
	lab := netns.New(t)
	jupyter := lab.Client
	if harness.Reference() != "" { // Apache Kafka needs an advertised address that is right for one place only
		jupyter = lab.Broker
		jupyter.Hosts("127.0.0.1 localhost broker")
	}
	lab.Broker.Start("--host", "0.0.0.0", "--port", "9092", "--http-port", "7080")

	dir := t.TempDir()
	executed := filepath.Join(dir, "executed.ipynb")
	args := []string{"test/notebook/run.py", "test/notebook/exercice-15-introduction-kafka.ipynb", executed,
		"KAFKA_BROKER =", "test/notebook/creer_topic.py"}
	for i, line := range repairs(t, installed, python.Minor) {
		path := filepath.Join(dir, fmt.Sprintf("repair%d.py", i))
		if err := os.WriteFile(path, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "pip install", path)
	}
	cmd := jupyter.Command(t.Context(), env.Python, args...)
	cmd.Env = append(os.Environ(), "PATH="+env.Bin()+string(os.PathListSeparator)+os.Getenv("PATH"),
		"VIRTUAL_ENV="+env.Dir, "JUPYTER_DATA_DIR="+dir, "IPYTHONDIR="+dir, "JUPYTER_RUNTIME_DIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("execute the notebook: %v\n%s", err, out)
	}
	printed := outputs(t, executed)

	if now := env.Version(t, "kafka-python"); now != installed {
		t.Errorf("the notebook's pip install changed kafka-python from %s to %s", installed, now)
	}
	for _, bad := range []string{"Erreur", "Impossible", "NodeNotReady", "Traceback", "KafkaTimeoutError"} {
		if strings.Contains(printed, bad) {
			t.Errorf("a cell printed %q", bad)
		}
	}
	for _, good := range []string{"Connexion Kafka OK", "Total messages recus: 5\n", "Terminé. 10 messages reçus.",
		"Topic 'commandes' cree (3 partitions)", "Topic 'logs' existe deja", "'exercice-topic' créé avec succès (2 partitions)"} {
		if !strings.Contains(printed, good) {
			t.Errorf("no cell printed %q", good)
		}
	}
	checkOutcome(t, printed, lab.Broker.Open())
	if t.Failed() {
		t.Logf("the cells printed:\n%s", printed)
	}
}

// checkOutcome compares what the cells printed with what an independent client finds in the broker.
func checkOutcome(t *testing.T, printed string, broker *netns.Machine) {
	client := func(opts ...kgo.Opt) *kgo.Client {
		return newClient(t, "127.0.0.1:9092", append(opts, kgo.Dialer(broker.Dial))...)
	}
	admin := kadm.NewClient(client())
	ctx := timeout(t)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"test-topic": 3, "commandes": 3, "logs": 1, "exercice-topic": 2}
	for name, n := range want {
		if got := len(topics[name].Partitions); got != n {
			t.Errorf("topic %s has %d partitions, want %d", name, got, n)
		}
	}
	for _, name := range topics.Names() {
		if _, ok := want[name]; !ok && !strings.HasPrefix(name, "_") {
			t.Errorf("there is a topic %s that no cell creates", name)
		}
	}
	end, err := admin.ListEndOffsets(ctx, "test-topic", "commandes", "logs", "exercice-topic")
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		topic, group string
		count        int
		line         string // matches a line that tells a message's place; order are the submatches with value, partition, offset
		order        [3]int
	}{
		{"test-topic", "test-group", 5, `Envoye: (.*) -> Partition (\d+), Offset (\d+)`, [3]int{1, 2, 3}},
		{"test-topic", "test-group", 5, `Partition: (\d+)\nOffset: (\d+)\nValeur: (.*)\n`, [3]int{3, 1, 2}},
		{"exercice-topic", "groupe-exercice", 10, `Partition (\d+) \| Offset (\d+) \| Contenu : (.*)`, [3]int{3, 1, 2}},
	} {
		records := readPartitions(t, check.topic, want[check.topic], end, client)
		lines := regexp.MustCompile(check.line).FindAllStringSubmatch(printed, -1)
		if len(lines) != check.count {
			t.Errorf("%s: the cells printed the place of %d messages, want %d", check.topic, len(lines), check.count)
		}
		for _, m := range lines {
			value := m[check.order[0]]
			partition, _ := strconv.Atoi(m[check.order[1]])
			offset, _ := strconv.Atoi(m[check.order[2]])
			if log := records[int32(partition)]; offset >= len(log) || string(log[offset].Value) != value {
				t.Errorf("%s-%d at offset %d is not %q as the cells printed", check.topic, partition, offset, value)
			}
		}
		committed, err := admin.FetchOffsets(ctx, check.group)
		if err != nil {
			t.Fatalf("offsets of group %s: %v", check.group, err)
		}
		stored := 0
		for p := range int32(want[check.topic]) {
			o, _ := end.Lookup(check.topic, p)
			stored += int(o.Offset)
			if c, ok := committed.Lookup(check.topic, p); o.Offset > 0 && (!ok || c.At != o.Offset) {
				t.Errorf("group %s committed %d of %s-%d (found: %v), want the log's end %d", check.group, c.At, check.topic, p, ok, o.Offset)
			}
		}
		if stored != check.count {
			t.Errorf("%s holds %d messages, want %d", check.topic, stored, check.count)
		}
	}
}

// repairs returns the cells that docs/notebook.md tells a student to add for these versions.
func repairs(t *testing.T, kafkaPython string, pythonMinor int) []string {
	t.Helper()
	blocks, err := markdown.Blocks("docs/notebook.md")
	if err != nil {
		t.Fatal(err)
	}
	mark := regexp.MustCompile(`^repair kafka-python (\d+\.\d+)(?: on Python 3\.(\d+))?$`)
	var lines []string
	for _, b := range blocks {
		m := mark.FindStringSubmatch(b.Mark)
		if m == nil || !strings.HasPrefix(kafkaPython, m[1]+".") {
			continue
		}
		if since, _ := strconv.Atoi(m[2]); pythonMinor >= since {
			lines = append(lines, b.Text)
		}
	}
	return lines
}

// outputs returns all that the cells of an executed notebook printed; a cell that raised is an error of the test.
func outputs(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Cells []struct {
			Source  any
			Outputs []struct {
				Type      string `json:"output_type"`
				Text      any    // a string, or its lines
				Name      string `json:"ename"`
				Value     string `json:"evalue"`
				Traceback []string
			}
		}
	}
	if err := json.Unmarshal(data, &nb); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for i, c := range nb.Cells {
		for _, o := range c.Outputs {
			if o.Type == "error" {
				t.Errorf("cell %d raised %s: %s\n%v", i, o.Name, o.Value, joined(c.Source))
			}
			all.WriteString(joined(o.Text))
		}
	}
	return all.String()
}

func joined(text any) string {
	switch v := text.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, line := range v {
			b.WriteString(fmt.Sprint(line))
		}
		return b.String()
	}
	return ""
}

// TestClients runs every other client against one broker, each with topics and groups of its own.
func TestClients(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	warm(t, s.Bootstrap)
	t.Run("kafka-python speaks the protocol of old brokers", func(t *testing.T) { t.Parallel(); testOldProtocols(t, s) })
	t.Run("franz-go", func(t *testing.T) { t.Parallel(); testFranz(t, s) })
	t.Run("case Q: not a Kafka client", func(t *testing.T) { t.Parallel(); testStrangers(t, s) })
	t.Run("kcat", func(t *testing.T) { t.Parallel(); testKcat(t, s) })
}

// warm makes the broker's internal offsets topic exist. Apache Kafka makes it at the first use of a group, and old
// clients take their time to try again.
func warm(t *testing.T, bootstrap string) {
	t.Helper()
	ctx := timeout(t)
	admin := kadm.NewClient(newClient(t, bootstrap))
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "warm"); err != nil {
		t.Fatal(err)
	}
	var o kadm.Offsets
	o.AddOffset("warm", 0, 0, -1)
	if err := admin.CommitAllOffsets(ctx, "warm", o); err != nil {
		t.Fatal(err)
	}
}

// testOldProtocols pins kafka-python to the requests that it sent to old brokers: message sets v0 and v1, Produce from
// v0, Fetch from v0, groups without and with the later fields. 2.0.2 is the release that speaks the oldest ones best.
func testOldProtocols(t *testing.T, s *harness.Server) {
	for _, c := range []struct{ kafkaPython, api string }{
		{"2.0.2", "0.8.2"}, {"2.0.2", "0.9"}, {"2.0.2", "0.10"}, {"2.0.2", "0.11"}, {"2.0.2", "1.0"}, {"2.0.2", "2.6"},
		{"2.2.*", "0.8.2"}, {"2.2.*", "0.9"}, {"2.2.*", "0.10"}, {"2.2.*", "0.11"}, {"2.2.*", "1.0"}, {"2.2.*", "2.6"},
		{"3.0.*", "0.10"}, {"3.0.*", "2.6"}, {"3.0.*", ""},
	} {
		t.Run(fmt.Sprintf("%s as %s", c.kafkaPython, c.api), func(t *testing.T) {
			t.Parallel()
			if harness.Reference() != "" && (strings.HasPrefix(c.api, "0.8") || c.api == "0.9" || c.api == "0.10" || c.api == "0.11") {
				t.Skip("Apache Kafka 4 has dropped Produce v0-v2 and Fetch v0-v3 (KIP-896)")
			}
			env, _ := venv.KafkaPython(t, c.kafkaPython)
			ctx := timeout(t)
			// What a new client wrote is read by the old one, and the other way round.
			topic, written := freeTopic(t), freeTopic(t)+"-new"
			producer := newClient(t, s.Bootstrap, kgo.DefaultProduceTopic(written), kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
			for i := range 10 {
				r := &kgo.Record{Value: strconv.AppendInt(nil, int64(i), 10), Headers: []kgo.RecordHeader{{Key: "new", Value: []byte("header")}}}
				if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			codecs := []string{"none", "gzip", "snappy", "lz4"}
			args := []string{"test/clients/roundtrip.py", "--bootstrap", s.Bootstrap, "--topic", topic, "--read", written}
			if c.api != "" {
				args = append(args, "--api-version", c.api)
			} else {
				codecs = append(codecs, "zstd")
			}
			for _, codec := range codecs {
				args = append(args, "--codec", codec)
			}
			out, err := exec.CommandContext(ctx, env.Python, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			end, err := kadm.NewClient(producer).ListEndOffsets(ctx, topic)
			if err != nil {
				t.Fatal(err)
			}
			records := readPartitions(t, topic, 1, end, func(o ...kgo.Opt) *kgo.Client { return newClient(t, s.Bootstrap, o...) })[0]
			if len(records) != 10*len(codecs) {
				t.Fatalf("franz-go reads %d records, want %d", len(records), 10*len(codecs))
			}
			for i, r := range records {
				if key, want := string(r.Key), fmt.Sprintf("%s-%d", codecs[i/10], i%10); key != want {
					t.Errorf("franz-go reads %q at offset %d, want %q", key, i, want)
				}
			}
			t.Logf("%s", out)
		})
	}
}

// freeTopic returns a topic name that no other test uses.
func freeTopic(t *testing.T) string {
	return strings.Trim(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(t.Name(), "-"), "-")
}

// testStrangers has a browser and a TLS client call at the Kafka port.
func testStrangers(t *testing.T, s *harness.Server) {
	if harness.Reference() != "" {
		t.Skip("Apache Kafka answers them with silence")
	}
	resp, err := http.Get("http://" + s.Bootstrap + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(page), "Kafka") || !strings.Contains(string(page), "bootstrap.servers") {
		t.Errorf("a browser gets %s (%v):\n%s", resp.Status, err, page)
	}
	if conn, err := tls.Dial("tcp", s.Bootstrap, &tls.Config{InsecureSkipVerify: true}); err == nil {
		conn.Close()
		t.Error("a TLS handshake succeeds on a plaintext port")
	}
	s.Await(t, `TLS.*plaintext`)
}
