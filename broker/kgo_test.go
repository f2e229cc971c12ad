package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A real client, with idempotence, sessions and all codecs, gets back what it
// sent, in each partition's order.
func TestAClientGetsBackWhatItSent(t *testing.T) {
	const records = 1000
	b := Start(t, WithTopic("t", 3, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("t"),
			kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			client.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, i%7), Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("cannot produce: %v", err)
				}
			})
		}
		if err := client.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		last := map[string]int{}
		for got := 0; got < records; {
			fetches := client.PollFetches(ctx)
			if errs := fetches.Errors(); len(errs) > 0 {
				t.Fatalf("cannot consume: %v", errs)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				var n int
				_, _ = fmt.Sscan(string(r.Value), &n)
				if before, ok := last[string(r.Key)]; ok && n != before+7 {
					t.Errorf("%d comes after %d", n, before)
				}
				last[string(r.Key)] = n
				got++
			})
		}
		client.Close()
		if _, err := b.deleteTopic("t"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.createTopic(newTopic{name: "t", partitions: 3, replicas: -1}); err != nil {
			t.Fatal(err)
		}
	}
}
