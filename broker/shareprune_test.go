package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// stateLog is the log that has the state of group "g" in a partition of "t".
func stateLog(t testing.TB, b *Broker, index int32) *partition {
	t.Helper()
	for _, p := range b.shares.ofGroup("g") {
		if p.key.Partition == index {
			return b.image.Load().topic(shareStateTopic).partitionOf(coordinatorKey(p.key))
		}
	}
	t.Fatalf("the group has no state of partition %d", index)
	return nil
}

// work has the group go through n records of a partition one by one.
func (s *sharer) work(n int) {
	s.t.Helper()
	at := onlyPartition(s.t, s.b, "t").highWatermark.Load()
	for i := range int64(n) {
		s.mustProduce(s.b, "t", plain(s.t, "x"))
		s.get()
		want(s.t, "accepted", s.ack(at+i, at+i, 1), "")
	}
}

func TestShareStatesArePrunedFromTimeToTime(t *testing.T) {
	b, clock := atRest(t)
	a := joinShare(t, b, "a", 2)
	a.work(1)
	clock.Advance(4 * time.Minute)
	a.work(600) // 500 changes, then all that is, then more changes
	log := stateLog(t, b, 0).log
	if start := log.StartOffset(); start != 0 {
		t.Fatalf("the log begins at %d before the time", start)
	}
	end := log.EndOffset()
	clock.Advance(time.Minute)
	if start := log.StartOffset(); start < 500 || start >= end {
		t.Errorf("the log begins at %d of %d, want the only snapshot", start, end)
	}
	// Nothing happens any more: what is left is one snapshot, and then no timer.
	clock.Advance(time.Hour)
	if start, end := log.StartOffset(), log.EndOffset(); end-start != 1 {
		t.Errorf("the log has records %d to %d, want one", start, end)
	}
	if at, pending := clock.Next(); pending {
		t.Errorf("with nothing to prune the broker waits for %v", at)
	}
	a = joinShare(t, b, "a2", 2)
	a.work(1)
}

func TestAStateThatNobodyChangesKeepsNoOthersRecords(t *testing.T) {
	// Both states are in one log.
	b, clock := atRest(t, WithConfig("share.coordinator.state.topic.num.partitions", "1"))
	if _, err := b.createTopic(newTopic{name: "idle", partitions: 1, replicas: 1}); err != nil {
		t.Fatal(err.message)
	}
	c := dial(t, b)
	if resp := ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(1, "i", 0, "idle")); resp.ErrorCode != 0 {
		t.Fatalf("cannot join: %+v", resp)
	}
	a := joinShare(t, b, "a", 2)
	log := stateLog(t, b, 0).log
	for range 5 {
		clock.Advance(time.Minute + 1)
		a.work(120)
		ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(1, "i", 0, "idle"))
		ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(1, "a", 0, "t"))
	}
	clock.Advance(time.Hour)
	if start, end := log.StartOffset(), log.EndOffset(); end-start != 2 {
		t.Errorf("the log has records %d to %d, want one of each state", start, end)
	}
}

func TestManyChangesArePrunedWithoutWaitingForTheTime(t *testing.T) {
	b, _ := atRest(t)
	a := joinShare(t, b, "a", 2)
	a.get()
	p := b.shares.ofGroup("g")[0]
	for range 3 * pruneAfter {
		p.mu.Lock()
		b.shares.store(p.key, p.state.SnapshotAgain(p.key, b.nowMs()))
		p.mu.Unlock()
	}
	log := stateLog(t, b, 0).log
	if kept := log.EndOffset() - log.StartOffset(); kept > pruneAfter {
		t.Errorf("%d records are kept", kept)
	}
}

func TestADeletedStateNeedsNothingBeforeItsTombstone(t *testing.T) {
	b, clock := atRest(t)
	a := joinShare(t, b, "a", 2)
	a.work(3)
	log := stateLog(t, b, 0).log
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err.message)
	}
	clock.Advance(5 * time.Minute)
	if start, end := log.StartOffset(), log.EndOffset(); end-start != 1 {
		t.Errorf("the log has records %d to %d, want the tombstone alone", start, end)
	}
	if n := len(b.shares.logs.all()[0].states); n != 0 {
		t.Errorf("%d states are remembered", n)
	}
}
