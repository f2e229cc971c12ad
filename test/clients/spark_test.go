package clients_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// sparks are releases of PySpark, and the Scala that each is made with.
var sparks = []struct{ version, scala string }{{"3.5.7", "2.12"}, {"4.2.0", "2.13"}}

// sparkPatience bounds one run of Spark: half a minute on an idle machine.
const sparkPatience = 10 * time.Minute

// testSpark has Spark read what franz-go wrote, in batches and as streams, and write.
func testSpark(t *testing.T, bootstrap, version, scala string) {
	slow(t)
	harness.NeedTool(t, "java", "default-jdk-headless")
	env, jars := pySpark(t, version, scala)
	takeJVM(t)
	topic := topicOf(t)
	fillForSpark(t, bootstrap, topic)
	out := finish(t, sparkPatience, env.Python, "spark.py", "--bootstrap", bootstrap, "--topic", topic, "--dir", t.TempDir(), "--jars", jars)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	t.Log(lines[len(lines)-1])

	cl := kgoClient(t, bootstrap, kgo.ConsumeTopics(topic+"-out"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	seen := map[string]bool{}
	for ctx := timeout(t); len(seen) < 90; {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%v, after %d of the 90 rows that Spark wrote", err, len(seen))
		}
		f.EachRecord(func(r *kgo.Record) {
			n := 3*int(r.Offset) + int(r.Partition)
			if key, value := fmt.Sprint("key ", n), fmt.Sprint("value ", n); string(r.Key) != key || string(r.Value) != value {
				t.Errorf("Spark wrote %q: %q at offset %d of partition %d, want %q: %q", r.Key, r.Value, r.Offset, r.Partition, key, value)
			}
			if len(r.Headers) != 1 || r.Headers[0].Key != "n" || string(r.Headers[0].Value) != fmt.Sprint(n) {
				t.Errorf("Spark wrote row %d with the headers %v", n, r.Headers)
			}
			if codec := stored[r.Attrs.CompressionType()]; codec != "zstd" {
				t.Errorf("Spark's row %d is stored as %s, want zstd", n, codec)
			}
			seen[string(r.Key)] = true
		})
	}
}

// pySpark is a release of PySpark, and the jars of spark-sql-kafka and what it needs, separated by commas.
func pySpark(t *testing.T, version, scala string) (venv.Venv, string) {
	t.Helper()
	env := venv.Make(t, venv.Find(t, sparkPython(version)), venv.Venv{}, "pyspark=="+version)
	found, err := filepath.Glob(filepath.Join(jars(t, "org.apache.spark:spark-sql-kafka-0-10_"+scala+":"+version), "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	return env, strings.Join(found, ",")
}

// sparkPython returns the newest Python 3.x that a release of Spark runs with; 0 for any.
func sparkPython(version string) int {
	if strings.HasPrefix(version, "3.5") {
		return 11
	}
	return 0
}

// fillForSpark makes the topics that spark.py uses, and writes the rows that it reads.
func fillForSpark(t *testing.T, bootstrap, topic string) {
	t.Helper()
	ctx := timeout(t)
	cl := kgoClient(t, bootstrap, kgo.DefaultProduceTopic(topic+"-in"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(cl).CreateTopics(ctx, 3, 1, forever, topic+"-in", topic+"-txn", topic+"-out", topic+"-commandes"); err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(cl).CreateTopics(ctx, 1, 1, nil, topic+"-totaux"); err != nil {
		t.Fatal(err)
	}
	var in []*kgo.Record
	for n := range 300 {
		in = append(in, &kgo.Record{Partition: int32(n % 3), Key: fmt.Append(nil, "key ", n), Value: fmt.Append(nil, "value ", n),
			Timestamp: time.Unix(1600000000+int64(n), 0), Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, n)}}})
	}
	if err := cl.ProduceSync(ctx, in...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	txn := kgoClient(t, bootstrap, kgo.DefaultProduceTopic(topic+"-txn"), kgo.TransactionalID(topic))
	for n := range 20 {
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := txn.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(n))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := txn.EndTransaction(ctx, kgo.TransactionEndTry(n%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
}
