package broker

import (
	"fmt"
	"testing"
	"time"
)

// timeless is a position as it reads without the ends of locks, which must be
// there where a member has records, and nowhere else.
func timeless(t *testing.T, b *Broker, at SharePosition) string {
	t.Helper()
	text := fmt.Sprintf("{%d %d %d [", at.Start, at.End, at.Lag)
	for i, r := range at.Records {
		if left := r.Until.Sub(b.Now()); r.Until.IsZero() == (r.State == "Acquired") || left > 30*time.Second {
			t.Errorf("the lock on %d to %d, %s, ends in %v", r.First, r.Last, r.State, left)
		}
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("{%d %d %s %d %s}", r.First, r.Last, r.State, r.Deliveries, r.Member)
	}
	return text + "]}"
}

func TestWhereAShareGroupIsIsSeen(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil), WithTopic("other", 1, nil))
	a := joinShare(t, b, "a", 2)
	look := func() string {
		at := b.Group("g").Shares("t")
		return timeless(t, b, at[0]) + " " + timeless(t, b, at[1])
	}
	want(t, "joined", look(), "{-1 -1 0 []} {-1 -1 0 []}")
	a.mustProduce(b, "t", plain(t, "v", "w", "x", "y", "z"))
	want(t, "not begun", look(), "{-1 -1 5 []} {-1 -1 0 []}") // it would begin with the first
	a.get()
	want(t, "on loan", look(), "{0 5 5 [{0 4 Acquired 1 a}]} {-1 -1 0 []}")
	a.ack(0, 0, 1)
	a.ack(1, 1, 2)
	a.ack(3, 3, 3)
	want(t, "acknowledged", look(), "{1 5 3 [{1 1 Available 1 } {2 2 Acquired 1 a} {3 3 Archived 1 } {4 4 Acquired 1 a}]} {-1 -1 0 []}")
	if lag := b.Group("g").Lag("t"); lag != 3 {
		t.Errorf("the lag is %d", lag)
	}
	if m := b.Group("g").Members(); len(m) != 1 || m[0].ID != "a" || len(m[0].Partitions["t"]) != 2 || b.Group("g").Kind() != "share" {
		t.Errorf("the members of a %s group are %v", b.Group("g").Kind(), m)
	}
	if topics := b.Group("g").ShareTopics(); fmt.Sprint(topics) != "[t]" {
		t.Errorf("the group is in %v", topics)
	}
	if got := exportedWith(t, b, "minibroker_group")["minibroker_group_lag{group=g,partition=0,topic=t}"]; got != 3 {
		t.Errorf("the metric of the lag is %v", got)
	}
	// When nobody is connected, what was not stored is forgotten.
	_ = a.nc.Close()
	if err := b.WaitFor(t.Context(), "the loans to end", func() bool {
		at := b.Group("g").Shares("t")[0]
		got := timeless(t, b, at)
		return got == "{1 4 3 [{1 1 Available 1 } {2 2 Available 1 } {3 3 Archived 1 } {4 4 Available 1 }]}" || got == "{1 5 3 [{1 2 Available 1 } {3 3 Archived 1 } {4 4 Available 1 }]}"
	}); err != nil {
		t.Fatal(err, look())
	}
}

func TestASnapshotHasWhereShareGroupsAre(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	a := joinShare(t, b, "a", 2)
	a.mustProduce(b, "t", plain(t, "v", "w", "x"))
	a.get()
	a.ack(0, 0, 1)
	a.ack(2, 2, 2)
	epoch := func(b *Broker) int32 { return b.groups.find("g").g.Epoch() }
	before := epoch(b)
	s := b.Snapshot()
	a.ack(1, 1, 1)
	for _, to := range []*Broker{b, b, Start(t)} {
		to.Restore(s)
		if to.Group("g").State() != "Empty" || epoch(to) != before {
			t.Errorf("the group is %s at epoch %d", to.Group("g").State(), epoch(to))
		}
		want(t, "restored", timeless(t, to, to.Group("g").Shares("t")[0]), "{1 3 2 [{2 2 Available 1 }]}")
		again := joinShare(t, to, "b", 2)
		want(t, "delivered then", acquired(again.get()), "1-1:1 2-2:2") // its count was stored; the other was with a member
		want(t, "acknowledged then", again.ack(1, 1, 1), "")
		want(t, "started at", fmt.Sprint(to.Group("g").Shares("t")[0].Start), "2")
	}
	b.Reset()
	if b.Group("g").State() != "Dead" || len(b.Group("g").Shares("t")) != 0 {
		t.Error("after Reset the group is still there")
	}
}
