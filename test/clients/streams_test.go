package clients_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// streams are the releases of Kafka Streams: exactly_once has a producer for each task (KIP-129), exactly_once_v2 one for
// each thread, which hands its group's metadata to the broker (KIP-447).
var streams = []struct{ version, guarantee string }{
	{"4.3.1", "exactly_once_v2"}, {"3.9.1", "exactly_once_v2"}, {"2.8.2", "exactly_once"},
}

// testStreams has a word count killed in the middle of its work and started again: each word must be counted once.
func testStreams(t *testing.T, bootstrap, version, guarantee string) {
	slow(t)
	topic := topicOf(t)
	jars := jars(t, "org.apache.kafka:kafka-streams:"+version, simpleLogger)
	command := append(jvm(t, 256, "WordCount", compile(t, version, jars, "WordCount.java"), jars),
		"--bootstrap", bootstrap, "--topic", topic, "--dir", t.TempDir(), "--guarantee", guarantee)
	takeJVM(t)

	cl, ctx := kgoClient(t, bootstrap, kgo.DefaultProduceTopic(topic+"-in")), timeout(t)
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopics(ctx, 3, 1, nil, topic+"-in", topic+"-out"); err != nil {
		t.Fatal(err)
	}
	counts := countsOf{t: t, want: map[string]int{}, got: map[string]int{}, random: rand.New(rand.NewPCG(4, 447))}
	counts.reader = kgoClient(t, bootstrap, kgo.ConsumeTopics(topic+"-out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))

	first := launch(t, command...)
	counts.write(cl, 1000)
	counts.await(first, 200) // it works, and has more to do
	first.kill()
	counts.write(cl, 500)
	second := launch(t, command...)
	counts.await(second, counts.total)
	second.stop(t)

	// All lines are committed as read, and nothing more was counted.
	end, err := admin.ListEndOffsets(ctx, topic+"-in")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := admin.FetchOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	end.Each(func(o kadm.ListedOffset) {
		if c, ok := committed.Lookup(o.Topic, o.Partition); !ok || c.At != o.Offset {
			t.Errorf("the application has committed %d of %s-%d (found: %v), want %d", c.At, o.Topic, o.Partition, ok, o.Offset)
		}
	})
	for _, internal := range []string{"-counts-changelog", "-counts-repartition"} {
		if d, err := admin.ListTopics(ctx, topic+internal); err != nil || len(d[topic+internal].Partitions) != 3 {
			t.Errorf("the internal topic %s%s: %v, %v, want 3 partitions", topic, internal, d, err)
		}
	}
	counts.same()
}

// countsOf holds what a word count must have written, and what it wrote.
type countsOf struct {
	t         *testing.T
	random    *rand.Rand
	reader    *kgo.Client
	want, got map[string]int
	total     int // words written
	read      int // counts read
}

// write produces lines of words.
func (c *countsOf) write(cl *kgo.Client, lines int) {
	c.t.Helper()
	var records []*kgo.Record
	for i := range lines {
		var words []string
		for range 1 + c.random.IntN(5) {
			word := fmt.Sprint("word", c.random.IntN(20))
			words = append(words, word)
			c.want[word]++
			c.total++
		}
		records = append(records, &kgo.Record{Value: []byte(strings.Join(words, " ")), Key: strconv.AppendInt(nil, int64(i), 10)})
	}
	if err := cl.ProduceSync(timeout(c.t), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// await reads committed counts until there are n: those of a word are 1, 2, 3, ..., for each word is counted once.
func (c *countsOf) await(p *process, n int) {
	c.t.Helper()
	for ctx := timeout(c.t); c.read < n; {
		f := c.reader.PollFetches(ctx)
		p.running(c.t)
		if err := f.Err(); err != nil {
			c.t.Fatalf("%v, with %d of %d counts", err, c.read, n)
		}
		c.take(f)
	}
}

func (c *countsOf) take(f kgo.Fetches) {
	f.EachRecord(func(r *kgo.Record) {
		c.read++
		word := string(r.Key)
		c.got[word]++
		if n := string(r.Value); n != strconv.Itoa(c.got[word]) {
			c.t.Errorf("%s is counted to %s at offset %d of partition %d, want %d", word, n, r.Offset, r.Partition, c.got[word])
		}
	})
}

// same compares the final counts.
func (c *countsOf) same() {
	c.t.Helper()
	for word, n := range c.want {
		if c.got[word] != n {
			c.t.Errorf("%s is counted %d times, want %d", word, c.got[word], n)
		}
	}
}
