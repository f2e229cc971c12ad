package group

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestPendingOffsetsTakeEffectInTheOrderInWhichTheyCame(t *testing.T) {
	const a, b = 1, 2 // producers
	at := func(offset int64) Committed { return Committed{Offset: offset} }
	for name, c := range map[string]struct {
		steps    func(*Offsets)
		want     int64
		unstable bool
	}{
		"pending":                        {func(o *Offsets) { o.Pend(a, "t", 0, at(1)) }, -1, true},
		"committed":                      {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.EndTransaction(a, true) }, 1, false},
		"aborted":                        {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.EndTransaction(a, false) }, -1, false},
		"twice in one transaction":       {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.Pend(a, "t", 0, at(2)); o.EndTransaction(a, true) }, 2, false},
		"a plain commit in between wins": {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.Commit("t", 0, at(9)); o.EndTransaction(a, true) }, 9, false},
		"the transaction wins over a plain commit before it": {func(o *Offsets) { o.Commit("t", 0, at(9)); o.Pend(a, "t", 0, at(1)); o.EndTransaction(a, true) }, 1, false},
		"the later of two transactions wins, ended first": {func(o *Offsets) {
			o.Pend(a, "t", 0, at(1))
			o.Pend(b, "t", 0, at(2))
			o.EndTransaction(b, true)
			o.EndTransaction(a, true)
		}, 2, false},
		"the later of two transactions wins, ended last": {func(o *Offsets) {
			o.Pend(a, "t", 0, at(1))
			o.Pend(b, "t", 0, at(2))
			o.EndTransaction(a, true)
			o.EndTransaction(b, true)
		}, 2, false},
		"an aborted one stands in nobody's way": {func(o *Offsets) {
			o.Pend(a, "t", 0, at(1))
			o.Pend(b, "t", 0, at(2))
			o.EndTransaction(b, false)
			o.EndTransaction(a, true)
		}, 1, false},
		"two are open":          {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.Pend(b, "t", 0, at(2)); o.EndTransaction(b, true) }, 2, true},
		"deleted":               {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.Delete("t", 0); o.EndTransaction(a, true) }, -1, false},
		"the topic was deleted": {func(o *Offsets) { o.Pend(a, "t", 0, at(1)); o.DeleteTopic("t"); o.EndTransaction(a, true) }, -1, false},
	} {
		var o Offsets
		c.steps(&o)
		got, found := o.Get("t", 0)
		if !found {
			got.Offset = -1
		}
		if got.Offset != c.want || o.Unstable("t", 0) != c.unstable {
			t.Errorf("%s: the offset is %d, unstable %v", name, got.Offset, o.Unstable("t", 0))
		}
		if o.None() != (c.want < 0 && !c.unstable) {
			t.Errorf("%s: none is %v", name, o.None())
		}
	}
}

func TestUnstableOffsetsAreHidden(t *testing.T) {
	var o Offsets
	o.Commit("t", 0, Committed{Offset: 5})
	o.Commit("t", 1, Committed{Offset: 6})
	o.Pend(1, "t", 0, Committed{Offset: 7})
	answer := kmsg.OffsetFetchResponseGroup{Topics: []kmsg.OffsetFetchResponseGroupTopic{{TopicID: [16]byte{1}, Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{
		{Partition: 0, Offset: 5}, {Partition: 1, Offset: 6}}}}}
	o.HideUnstable(&answer, func(string, [16]byte) Topic { return Topic{Name: "t"} })
	ps := answer.Topics[0].Partitions
	if ps[0].ErrorCode != 88 || ps[0].Offset != -1 || ps[1].ErrorCode != 0 || ps[1].Offset != 6 {
		t.Errorf("got %+v", ps)
	}
}

func TestAnOffsetThatATransactionMayChangeDoesNotExpire(t *testing.T) {
	var o Offsets
	o.Commit("t", 0, Committed{Offset: 5, CommitMillis: 0, ExpireMillis: -1})
	o.Pend(1, "t", 0, Committed{Offset: 7, ExpireMillis: -1})
	expire := func(now int64) int64 {
		return o.Expire(now, 100, -1, func(string) bool { return false }, func(string, int32) {})
	}
	if next := expire(200); next != 201 {
		t.Errorf("the next look is at %d", next)
	}
	if _, there := o.Get("t", 0); !there {
		t.Fatal("it expired")
	}
	o.EndTransaction(1, false)
	expire(201)
	if _, there := o.Get("t", 0); there {
		t.Error("it did not expire")
	}
}
