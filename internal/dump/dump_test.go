package dump

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

func dumped(t *testing.T, b *broker.Broker, topics ...string) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out bytes.Buffer
	if err := Write(t.Context(), client, topics, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatIsDumpedAndLoadedIsDumpedTheSame(t *testing.T) {
	b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("orders", 3, map[string]string{"max.message.bytes": "2000000"}), broker.WithTopic("log", 1, nil))
	txn, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Partition: int32(i % 2), Key: []byte{0xff, byte(i)}, Value: []byte(`{"n":1}`), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "h"}}}
		if err := txn.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := txn.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	for range 300 {
		if err := b.Produce("log", broker.Record{Value: bytes.Repeat([]byte("x"), 1000)}, broker.Record{Key: []byte{}}); err != nil {
			t.Fatal(err)
		}
	}
	member, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("log"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	if member.PollRecords(t.Context(), 10).Empty() {
		t.Fatal("nothing was consumed")
	}
	if err := member.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	member.Close()

	first := dumped(t, b)
	if n := strings.Count(first, "\n"); n != 2+600+2+1 {
		t.Errorf("the dump has %d lines, want those of 2 topics, 602 records and 1 offset:\n%.500s", n, first)
	}
	for _, want := range []string{`{"topic":"orders","partitions":3,"configs":{"max.message.bytes":"2000000"},"end":{"0":4,"1":4}}`, `"key_base64":"/wA="`, `"value":{"n":1}`, `"headers":[{"key":"h","value":"v"},{"key":"h"}]`, `{"group":"billing","topic":"log","partition":0,"offset":10,"leader_epoch":0,`} {
		if !strings.Contains(first, want) {
			t.Errorf("the dump has no %s:\n%s", want, first[strings.Index(first, `{"topic":"orders`):])
		}
	}
	other := broker.Start(t, broker.WithMemoryNetwork(), broker.WithFixture(fstest.MapFS{"d.jsonl": {Data: []byte(first)}}, "d.jsonl"))
	if second := dumped(t, other); second != first {
		t.Errorf("the second dump is\n%.2000s\nnot\n%.2000s", second, first)
	}
	if only := dumped(t, b, "orders"); strings.Contains(only, "billing") || strings.Contains(only, `"log"`) || strings.Count(only, "\n") != 3 {
		t.Errorf("the dump of one topic is\n%s", only)
	}
}
