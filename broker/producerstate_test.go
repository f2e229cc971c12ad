package broker

import (
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/protocol/record"
)

const day = 24 * 60 * 60 * 1000

// sentBatch is one batch of a producer with what comes of it: an error code, or the
// offset it has, which for a duplicate is the first one's.
type sentBatch struct {
	epoch int16
	seq   int32
	count int
	code  int16
	base  int64
	dup   bool
}

func TestProducerBatchesAreCheckedAgainstWhatTheyFollow(t *testing.T) {
	outOfOrder, fenced := kerr.OutOfOrderSequenceNumber.Code, kerr.InvalidProducerEpoch.Code
	var six []sentBatch // batches of two records, sequence numbers 0 to 11
	for i := range int32(6) {
		six = append(six, sentBatch{seq: 2 * i, count: 2, base: int64(2 * i)})
	}
	for _, c := range []struct {
		name  string
		sends []sentBatch
	}{
		{"behaviour 80: a duplicate of one of the last five is answered with its offset", append(six[:6:6],
			sentBatch{seq: 2, count: 2, base: 2, dup: true},
			sentBatch{seq: 10, count: 2, base: 10, dup: true},
			sentBatch{seq: 12, count: 1, base: 12})},
		{"behaviour 81: one older than the last five is out of order", append(six[:6:6], sentBatch{seq: 0, count: 2, code: outOfOrder})},
		{"behaviour 81: the same first sequence with another count is out of order", append(six[:1:1], sentBatch{seq: 0, count: 1, code: outOfOrder})},
		{"behaviour 81: a gap is out of order, and the next right one goes on", append(six[:1:1],
			sentBatch{seq: 3, count: 1, code: outOfOrder}, sentBatch{seq: 2, count: 1, base: 2})},
		{"behaviour 82, 83: any first sequence is taken from an unknown producer", []sentBatch{{seq: 7, count: 1, base: 0}, {seq: 8, count: 1, base: 1}}},
		{"behaviour 84: a new epoch starts at 0", []sentBatch{{seq: 0, count: 2, base: 0}, {epoch: 1, seq: 0, count: 1, base: 2}, {epoch: 1, seq: 1, count: 1, base: 3}}},
		{"behaviour 84: a new epoch that does not start at 0 is out of order", []sentBatch{{seq: 0, count: 2, base: 0}, {epoch: 2, seq: 4, count: 1, code: outOfOrder}}},
		{"behaviour 85: an older epoch is fenced, even with a batch sent before", []sentBatch{{epoch: 3, seq: 0, count: 1, base: 0},
			{epoch: 4, seq: 0, count: 1, base: 1}, {epoch: 3, seq: 0, count: 1, code: fenced}, {epoch: 3, seq: 1, count: 1, code: fenced}}},
		{"a new epoch's first batch is no duplicate of the old epoch's", []sentBatch{{seq: 0, count: 1, base: 0}, {epoch: 1, seq: 0, count: 1, base: 1}}},
		{"behaviour 87: sequence numbers wrap to 0 between batches", []sentBatch{{seq: math.MaxInt32, count: 1, base: 0}, {seq: 0, count: 1, base: 1},
			{seq: math.MaxInt32, count: 1, base: 0, dup: true}}},
		{"behaviour 87: sequence numbers wrap to 0 inside a batch", []sentBatch{{seq: math.MaxInt32 - 1, count: 4, base: 0}, {seq: 2, count: 1, base: 4}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var states *producerStates
			end := int64(0)
			for i, s := range c.sends {
				b := record.Batch(batchOf(t, 1000, make([]string, s.count), producedBy(9, s.epoch, s.seq)))
				same, err := states.get(9, 0, day).check(b)
				code, _ := codeAndText(err)
				if code != s.code {
					t.Fatalf("send %d got error [%d], want [%d]", i, code, s.code)
				}
				if (same != nil) != s.dup {
					t.Fatalf("send %d is a duplicate: %v, want %v", i, same != nil, s.dup)
				}
				if err != nil {
					continue
				}
				base := end
				if same != nil {
					base = same.baseOffset
				} else {
					states, _ = states.appended(b, base, 0, day)
					end += int64(s.count)
				}
				if base != s.base {
					t.Fatalf("send %d has offset %d, want %d", i, base, s.base)
				}
			}
		})
	}
}

func TestProducersExpire(t *testing.T) {
	first := record.Batch(batchOf(t, 1000, []string{"a"}, producedBy(1, 0, 0)))
	var states *producerStates
	states, _ = states.appended(first, 0, 0, day)
	if states.get(1, day-1, day) == nil {
		t.Fatal("the producer is forgotten too early")
	}
	if states.get(1, day, day) != nil {
		t.Fatal("the producer is remembered after producer.id.expiration.ms")
	}
	// What comes after is its first batch again: the old ones are forgotten.
	states, _ = states.appended(record.Batch(batchOf(t, 1000, []string{"a"}, producedBy(1, 0, 5))), 1, day, day)
	if same, _ := states.get(1, day, day).check(first); same != nil {
		t.Fatal("a batch from before the expiry is still known")
	}
}

func TestExpiredProducersGiveTheirMemoryBack(t *testing.T) {
	var states *producerStates
	for id := range int64(5_000) {
		b := record.Batch(batchOf(t, 1000, []string{"a"}, producedBy(id, 0, 0)))
		states, _ = states.appended(b, id, id*day/100, day) // 100 are alive at a time
	}
	if n := len(states.byID); n > 400 {
		t.Fatalf("%d producers are kept, of which some 100 are alive", n)
	}
	if kept := states.last(4_999*day/100, day); len(kept) > 101 {
		t.Fatalf("compaction is told of %d producers, of which some 100 are alive", len(kept))
	}
}

func TestCompactionIsToldEachProducersLastRecord(t *testing.T) {
	var states *producerStates
	states, _ = states.appended(record.Batch(batchOf(t, 0, []string{"a", "b", "c"}, producedBy(4, 2, math.MaxInt32))), 10, 0, day)
	if got := states.last(0, day)[4]; got.Offset != 12 || got.Epoch != 2 {
		t.Fatalf("got %+v, want offset 12 and epoch 2", got)
	}
}
