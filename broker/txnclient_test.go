package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// This file tests transactions with a real client, in both versions of the
// protocol: clients of Kafka 3.8 add partitions themselves, those of 4.0 leave it
// to the broker (KIP-890).

func eachTxnVersion(t *testing.T, f func(t *testing.T, version kgo.Opt)) {
	t.Run("V1", func(t *testing.T) { f(t, kgo.MaxVersions(kversion.V3_8_0())) })
	t.Run("V2", func(t *testing.T) { f(t, kgo.MaxVersions(nil)) })
}

func txnContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func kgoClient(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestAClientReadsProcessesAndWritesExactlyOnce(t *testing.T) {
	const records = 300
	eachTxnVersion(t, func(t *testing.T, version kgo.Opt) {
		b := Start(t, WithTopic("in", 3, nil), WithTopic("out", 2, nil))
		ctx := txnContext(t)
		source := kgoClient(t, b, version, kgo.DefaultProduceTopic("in"))
		for i := range records {
			if err := source.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		session, err := kgo.NewGroupTransactSession(version, kgo.SeedBrokers(b.Addr()), kgo.TransactionalID("etl"), kgo.DefaultProduceTopic("out"),
			kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		for done, round := 0, 0; done < records; round++ {
			fetches := session.PollRecords(ctx, 20)
			if errs := fetches.Errors(); len(errs) > 0 {
				t.Fatal(errs)
			}
			if err := session.Begin(); err != nil {
				t.Fatal(err)
			}
			n := 0
			fetches.EachRecord(func(r *kgo.Record) {
				n++
				session.Produce(ctx, kgo.StringRecord("did "+string(r.Value)), nil)
			})
			commit := kgo.TransactionEndTry(round%3 != 1) // each third time it fails
			committed, err := session.End(ctx, commit)
			if err != nil || committed != bool(commit) {
				t.Fatalf("round %d: committed is %v, %v", round, committed, err)
			}
			if committed {
				done += n
			}
		}
		reader := kgoClient(t, b, version, kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
		seen := map[string]int{}
		for len(seen) < records {
			reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
			if ctx.Err() != nil {
				t.Fatalf("only %d records came", len(seen))
			}
		}
		for value, n := range seen {
			if n != 1 {
				t.Errorf("%q came %d times", value, n)
			}
		}
	})
}

func TestAClientThatWasReplacedIsFenced(t *testing.T) {
	eachTxnVersion(t, func(t *testing.T, version kgo.Opt) {
		b := Start(t, WithTopic("t", 1, nil))
		ctx := txnContext(t)
		write := func(client *kgo.Client, value string) error {
			if err := client.BeginTransaction(); err != nil {
				return err
			}
			return client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr()
		}
		opts := []kgo.Opt{version, kgo.TransactionalID("id"), kgo.DefaultProduceTopic("t")}
		first, second := kgoClient(t, b, opts...), kgoClient(t, b, opts...)
		if err := write(first, "first"); err != nil {
			t.Fatal(err)
		}
		if err := write(second, "second"); err != nil {
			t.Fatal(err)
		}
		if err := first.EndTransaction(ctx, kgo.TryCommit); !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
			t.Errorf("the first client got %v", err)
		}
		if err := second.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if got, _ := committed(t, dial(t, b), b, 0); !slices.Equal(got, []string{"second"}) {
			t.Errorf("committed is %q", got)
		}
	})
}

func TestAClientCannotCommitWhatHasTimedOut(t *testing.T) {
	eachTxnVersion(t, func(t *testing.T, version kgo.Opt) {
		b, clock := atRest(t)
		ctx := txnContext(t)
		opts := []kgo.Opt{version, kgo.TransactionalID("id"), kgo.DefaultProduceTopic("t"), kgo.TransactionTimeout(30 * time.Second)}
		client := kgoClient(t, b, opts...)
		round := func(value string, wait time.Duration) error {
			t.Helper()
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
				t.Fatal(err)
			}
			clock.Advance(wait)
			return client.EndTransaction(ctx, kgo.TryCommit)
		}
		if err := round("in time", 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := round("late", time.Minute); err == nil {
			t.Fatal("a transaction was committed that has timed out")
		}
		client = kgoClient(t, b, opts...) // as an application does that restarts
		if err := round("again", 0); err != nil {
			t.Fatal(err)
		}
		if got, _ := committed(t, dial(t, b), b, 0); !slices.Equal(got, []string{"in time", "again"}) {
			t.Errorf("committed is %q", got)
		}
	})
}
