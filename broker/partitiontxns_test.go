package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// modelTxn is what a simple model knows of one transaction.
type modelTxn struct {
	producer    int64
	first, last int64 // last: of the marker; -1 while it is open
	aborted     bool
}

// Many producers write, commit and abort; after each step the last stable offset
// and the lists of aborted transactions are those that a simple model gives.
func TestStableOffsetAndAbortedTransactionsAgreeWithASimpleModel(t *testing.T) {
	b, _ := atRest(t)
	p := onlyPartition(t, b, "t")
	rnd := rand.New(rand.NewPCG(1, 2))
	var txns []modelTxn
	seqs := map[int64]int32{}
	openOf := func(id int64) *modelTxn {
		for i := range txns {
			if txns[i].producer == id && txns[i].last < 0 {
				return &txns[i]
			}
		}
		return nil
	}
	for step := range 2000 {
		id := rnd.Int64N(8)
		now := b.nowMs()
		end := p.log.EndOffset()
		switch rnd.IntN(4) {
		case 0, 1:
			batch := record.Batch(batchOf(t, now, make([]string, 1+rnd.IntN(3)), producedBy(id, 0, seqs[id]), func(b *record.Builder) { b.Transactional = true }))
			if _, err := b.append(p, batch, now); err != nil {
				t.Fatal(err)
			}
			seqs[id] += batch.NumRecords()
			if openOf(id) == nil {
				txns = append(txns, modelTxn{producer: id, first: end, last: -1})
			}
		case 2:
			commit := rnd.IntN(2) == 0
			if err := b.endTransaction(p, newMarker(commit, by(id, 0), 0, false, now)); err != nil {
				t.Fatal(err)
			}
			if x := openOf(id); x != nil {
				x.last, x.aborted = end, !commit
			}
		case 3:
			if rnd.IntN(20) == 0 {
				p.mu.Lock()
				p.log.DeleteRecords(p.log.StartOffset() + rnd.Int64N(20))
				p.mu.Unlock()
			}
		}
		high, start := p.log.EndOffset(), p.log.StartOffset()
		stable := high
		for i := range txns {
			if txns[i].last < 0 {
				stable = min(stable, max(txns[i].first, start))
			}
		}
		if m := p.moment(); m.lastStable != stable || m.highWatermark != high {
			t.Fatalf("step %d: stable is %d of %d, want %d of %d", step, m.lastStable, m.highWatermark, stable, high)
		}
		if stable <= start {
			continue
		}
		from := start + rnd.Int64N(stable-start)
		upTo := from + 1 + rnd.Int64N(stable-from)
		var want, got []string
		for i := range txns {
			if x := &txns[i]; x.aborted && x.last >= from && x.first < upTo {
				want = append(want, fmt.Sprint(x.producer, "@", x.first))
			}
		}
		for _, a := range p.txns.abortedBetween(from, upTo) {
			got = append(got, fmt.Sprint(a.ProducerID, "@", a.FirstOffset))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: aborted from %d to %d is %v, want %v", step, from, upTo, got, want)
		}
	}
}

func TestDeletingTheBeginningOfAnOpenTransactionMovesTheStableOffset(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.write(12, c.me, 0, "a", 0)
	c.write(12, c.me, 1, "b", 0)
	if resp := ask[*kmsg.DeleteRecordsResponse](c.rawClient, deleteRequest(1, "t", 1)); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("%+v", resp)
	}
	if _, answer := committed(t, dial(t, b), b, 1); answer.ErrorCode != 0 || answer.LastStableOffset != 1 {
		t.Errorf("%+v", answer)
	}
	c.end(5, c.me, false, 0)
	if got, answer := committed(t, dial(t, b), b, 1); answer.LastStableOffset != 3 || len(got) > 1 {
		t.Errorf("%q, %+v", got, answer)
	}
}

func TestCompactionDropsWhatWasAborted(t *testing.T) {
	clock := NewVirtualClock(start2030)
	b := Start(t, WithClock(clock), WithTopic("t", 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "60000", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000",
	}))
	c := newTxnClient(t, b, "id")
	c.write(12, c.me, 0, "committed", 0) // all have the same key
	c.me = c.end(5, c.me, true, 0)
	c.write(12, c.me, 0, "aborted", 0)
	c.me = c.end(5, c.me, false, 0)
	clock.Advance(2 * time.Minute)
	c.write(12, c.me, 0, "open", 0)
	clock.Advance(30 * time.Second)
	got := values(t, c.fetch(b, "t", 0).RecordBatches)
	if slices.Contains(got, "aborted") || !slices.Contains(got, "committed") || !slices.Contains(got, "open") {
		t.Errorf("the log has %q", got)
	}
	if got, _ := committed(t, dial(t, b), b, 0); !slices.Equal(got, []string{"committed"}) {
		t.Errorf("committed is %q", got)
	}
}

func TestAProducerWithAnOpenTransactionIsNotForgotten(t *testing.T) {
	b, clock := atRest(t, WithConfig("producer.id.expiration.ms", "1000"))
	c := newTxnClient(t, b, "id")
	c.write(12, c.me, 0, "a", 0)
	clock.Advance(30 * time.Second)
	c.write(12, c.me, 1, "b", 0)
	if p := producerOf(c.rawClient, c.me.ID); p.CurrentTxnStartOffset != 0 || p.LastSequence != 1 {
		t.Errorf("%+v", p)
	}
	c.end(5, c.me, true, 0)
	if got, _ := committed(t, dial(t, b), b, 0); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("committed is %q", got)
	}
}

// A marker may name a producer that there can't be: it is stored, and nobody is
// remembered for it.
func TestAMarkerOfNobodyIsARecordAlone(t *testing.T) {
	b, _ := atRest(t)
	p := onlyPartition(t, b, "t")
	if err := b.endTransaction(p, newMarker(true, by(-7, 0), 0, false, b.nowMs())); err != nil {
		t.Fatal(err)
	}
	if end, active := p.log.EndOffset(), p.activeProducers(b.nowMs(), b.producerExpiry()); end != 1 || len(active) != 0 {
		t.Errorf("the log ends at %d, and the producers are %v", end, active)
	}
}
