package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Many producers commit and abort on the same partitions at once, others take a
// transactional id from each other, and a consumer reads along. It gets each
// committed record once, and nothing stays open.
func TestManyTransactionsAtOnceLeaveNothingOpen(t *testing.T) {
	const producers, rounds = 6, 25
	b := Start(t, WithTopic("t", 3, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var want []string
	var work sync.WaitGroup
	for i := range producers {
		work.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			client := kgoClient(t, b, kgo.TransactionalID(fmt.Sprint("own-", i)), kgo.DefaultProduceTopic("t"))
			for round := range rounds {
				if err := client.BeginTransaction(); err != nil {
					t.Error(err)
					return
				}
				var values []string
				for n := range 1 + rnd.IntN(5) {
					value := fmt.Sprint(i, " ", round, " ", n)
					values = append(values, value)
					client.Produce(ctx, kgo.StringRecord(value), nil)
				}
				if err := client.Flush(ctx); err != nil {
					t.Error(err)
					return
				}
				commit := rnd.IntN(2) == 0
				if err := client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
					t.Error(err)
					return
				}
				if commit {
					mu.Lock()
					want = append(want, values...)
					mu.Unlock()
				}
			}
		})
	}
	for range 2 {
		work.Go(func() {
			for range rounds {
				client := kgoClient(t, b, kgo.TransactionalID("shared"), kgo.DefaultProduceTopic("t"))
				if client.BeginTransaction() == nil {
					_ = client.ProduceSync(ctx, kgo.StringRecord("never committed")) // it may be fenced at any time
				}
				client.Close()
			}
		})
	}
	work.Wait()
	if _, code := b.transactions.init("shared", 60_000, nobody); code != 0 && code != 51 {
		t.Fatalf("InitProducerId: [%d]", code)
	}
	topic := b.image.Load().topic("t")
	for _, p := range topic.partitions {
		if m := p.moment(); m.lastStable != m.highWatermark {
			t.Errorf("partition %d is stable up to %d of %d", p.index, m.lastStable, m.highWatermark)
		}
	}
	reader := kgoClient(t, b, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(20*time.Millisecond))
	var got []string
	for len(got) < len(want) && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d records came, %d were committed", len(got), len(want))
	}
}
