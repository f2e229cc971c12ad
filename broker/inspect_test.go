package broker

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAdvanceDoesAllThatFellDue(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := Start(t, WithMemoryNetwork(), WithVirtualClock(start), WithConfig("group.initial.rebalance.delay.ms", "0"), WithTopic("t", 1, map[string]string{"retention.ms": "3600000"}))
	if err := b.Produce("t", Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if r := b.Topic("t").Records(); len(r) != 1 || !r[0].Timestamp.Equal(start) {
		t.Fatalf("the records are %+v, want one of %v", r, start)
	}
	c := dialMemory(t, b, "test")
	ask[*kmsg.JoinGroupResponse](c, joinRequest("g", "")) // its session takes 30 s
	b.Advance(29 * time.Second)
	if n := len(b.Group("g").Members()); n != 1 {
		t.Errorf("the group has %d members a second before the session is over", n)
	}
	b.Advance(time.Second)
	if n := len(b.Group("g").Members()); n != 0 {
		t.Errorf("the group has %d members when the session is over", n)
	}
	b.Advance(time.Hour)
	if n := b.Topic("t").Len(); n != 0 {
		t.Errorf("the topic has %d records when their time is over", n)
	}
	if got := b.Now().Sub(start); got != time.Hour+30*time.Second {
		t.Errorf("the clock went %v", got)
	}
}

func TestAdvanceOfARealClockSaysWhatToDo(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "WithVirtualClock") {
			t.Errorf("it panics with %q", text)
		}
	}()
	Start(t, WithMemoryNetwork()).Advance(time.Second)
}

func TestRecordsArePutInAndReadBackWithoutAClient(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 2, nil))
	at := time.UnixMilli(1_700_000_000_123)
	err := b.Produce("orders",
		Record{Partition: 1, Key: []byte("k"), Value: []byte("first"), Timestamp: at, Headers: []Header{{"trace", []byte{1}}, {"none", nil}}},
		Record{Partition: 0, Value: []byte("other")},
		Record{Partition: 1, Key: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	topic := b.Topic("orders")
	got := topic.Records()
	if len(got) != 3 || topic.Len() != 3 {
		t.Fatalf("the topic has %+v", got)
	}
	first, tombstone := got[1], got[2]
	if string(first.Value) != "first" || !first.Timestamp.Equal(at) || first.Offset != 0 || first.Partition != 1 || first.Topic != "orders" || first.ProducerID != -1 {
		t.Errorf("the first record is %+v", first)
	}
	if len(first.Headers) != 2 || first.Headers[0].Key != "trace" || first.Headers[1].Value != nil {
		t.Errorf("its headers are %+v", first.Headers)
	}
	if tombstone.Value != nil || string(tombstone.Key) != "k" || tombstone.Offset != 1 {
		t.Errorf("the tombstone is %+v", tombstone)
	}
	if w := topic.HighWatermarks(); len(w) != 2 || w[0] != 1 || w[1] != 2 {
		t.Errorf("the high watermarks are %v", w)
	}
	// A client sees the same.
	c := dialMemory(t, b, "test")
	wantValues(t, c.fetch(b, "orders", 0).RecordBatches, "other")
	for _, bad := range []struct {
		topic  string
		record Record
		want   string
	}{
		{"orders", Record{Partition: 2}, "there is no partition 2, it has 2"},
		{"a b", Record{}, "a b"},
		{"orders", Record{Value: make([]byte, 2<<20)}, "1048588"},
	} {
		if err := b.Produce(bad.topic, bad.record); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("produce fails with %v, want %q in it", err, bad.want)
		}
	}
	if gone := b.Topic("nowhere"); gone.Exists() || gone.Len() != 0 || gone.Records() != nil || gone.HighWatermarks() != nil {
		t.Error("a topic that does not exist has something")
	}
}

func TestWaitingWakesOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("orders", 2, nil))
		ctx := t.Context()
		consumer := memoryClient(t, b, kgo.ClientID("billing"), kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
		if err := b.Group("workers").WaitForStable(ctx, 1); err != nil {
			t.Fatal(err)
		}
		m := b.Group("workers").Members()
		if len(m) != 1 || m[0].ClientID != "billing" || len(m[0].Partitions["orders"]) != 2 {
			t.Errorf("the members are %+v", m)
		}
		found := false
		for _, c := range b.Clients() {
			found = found || c.ClientID == "billing" && c.SoftwareName == "kgo" && c.SoftwareVersion != ""
		}
		if !found {
			t.Errorf("the clients are %+v", b.Clients())
		}
		go func() {
			time.Sleep(time.Minute)
			_ = b.Produce("orders", Record{Value: []byte("1")}, Record{Partition: 1, Value: []byte("2")})
		}()
		before := time.Now()
		if err := b.Topic("orders").WaitForRecords(ctx, 2); err != nil || time.Since(before) != time.Minute {
			t.Fatalf("waited %v for the records: %v", time.Since(before), err)
		}
		if lag := b.Group("workers").Lag("orders"); lag != 2 {
			t.Errorf("the lag is %d", lag)
		}
		go func() {
			for got := 0; got < 2; {
				got += consumer.PollFetches(ctx).NumRecords()
			}
			_ = consumer.CommitUncommittedOffsets(ctx)
		}()
		if err := b.Group("workers").WaitForLagZero(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		if got := b.Committed("workers")["orders"]; !maps.Equal(got, map[int32]int64{0: 1, 1: 1}) {
			t.Errorf("committed is %v", got)
		}
		if err := b.Group("workers").WaitForCommitted(ctx, "orders", 1, 1); err != nil {
			t.Error(err)
		}
		consumer.Close()
		if err := b.Group("workers").WaitForState(ctx, "Empty"); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingInVainSaysForWhat(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Topic("orders").WaitForRecords(ctx, 3)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `3 records in topic "orders"`) || !strings.Contains(err.Error(), "it has 0") {
		t.Errorf("the error is %v", err)
	}
	err = b.Group("g").WaitForStable(ctx, 2)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it is not there") {
		t.Errorf("the error is %v", err)
	}
	_ = b.Close()
	if err := b.Topic("orders").WaitForRecords(t.Context(), 3); err == nil {
		t.Error("waiting on a closed broker ends without an error")
	}
}

func TestMembersOfAConsumerGroupAreSeenToo(t *testing.T) { // KIP-848
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 2, nil))
	c := dialMemory(t, b, "billing")
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID = 1, "workers", "member-1"
	beat.RebalanceTimeoutMillis = 60_000
	beat.SubscribedTopicNames = []string{"orders"}
	beat.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, beat); resp.ErrorCode != 0 {
		t.Fatalf("the heartbeat is answered %+v", resp)
	}
	if err := b.Group("workers").WaitForStable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	m := b.Group("workers").Members()
	if len(m) != 1 || m[0].ID != "member-1" || m[0].ClientID != "billing" || len(m[0].Partitions["orders"]) != 2 {
		t.Errorf("the members are %+v", m)
	}
}
