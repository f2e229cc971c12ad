package broker

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file has the tests of followers that lag, elections that lose records,
// and reads from followers.

// still is a cluster whose clock stands still, with "t" led by broker 1.
func still(t *testing.T, opts ...Option) *Broker {
	t.Helper()
	b := three(t, 1, append([]Option{WithVirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}, opts...)...)
	if err := b.MoveLeader("t", 0, 1); err != nil {
		t.Fatal(err)
	}
	return b
}

func lag(t *testing.T, b *Broker, id int32, d time.Duration) {
	t.Helper()
	if err := b.SetFollowerLag(id, d); err != nil {
		t.Fatal(err)
	}
}

func (c *rawClient) produceAcks(b *Broker, acks int16, timeout time.Duration, value string) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	req := produceRequest(c.t, b, 13, "t", 0, batchOf(c.t, 1, []string{value}))
	req.Acks, req.TimeoutMillis = acks, int32(timeout.Milliseconds())
	return ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]
}

func inSync(p Partition) (ids []int32) {
	for _, r := range p.Replicas {
		if r.InSync {
			ids = append(ids, r.Broker)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestAcksAllWaitsForTheSlowestReplicaInSync(t *testing.T) {
	b := still(t)
	c := dialBroker(t, b, 1)
	lag(t, b, 2, 2*time.Second)
	lag(t, b, 3, time.Second)
	if got := c.produceAcks(b, 1, time.Minute, "a"); got.ErrorCode != 0 || got.BaseOffset != 0 {
		t.Fatalf("acks=1: %+v", got)
	}
	if p := b.Topic("t").Partitions()[0]; p.HighWatermark != 0 || p.EndOffset != 1 {
		t.Errorf("before the followers have it: %+v", p)
	}
	answered := make(chan kmsg.ProduceResponseTopicPartition, 1)
	go func() { answered <- c.produceAcks(b, -1, time.Minute, "b") }()
	untilWaiting(t, b, "t", 1)
	b.Advance(time.Second)
	if p := b.Topic("t").Partitions()[0]; p.HighWatermark != 0 {
		t.Errorf("after a second: %+v", p)
	}
	select {
	case got := <-answered:
		t.Fatalf("acks=all was answered before all replicas have the record: %+v", got)
	default:
	}
	b.Advance(time.Second)
	if got := <-answered; got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Errorf("acks=all: %+v", got)
	}
	if p := b.Topic("t").Partitions()[0]; p.HighWatermark != 2 {
		t.Errorf("after two seconds: %+v", p)
	}
}

func TestAcksAllGivesUpWhenItsTimeIsOver(t *testing.T) {
	b := still(t)
	c := dialBroker(t, b, 1)
	lag(t, b, 3, -1)
	answered := make(chan kmsg.ProduceResponseTopicPartition, 1)
	go func() { answered <- c.produceAcks(b, -1, 5*time.Second, "a") }()
	untilWaiting(t, b, "t", 1)
	b.Advance(5 * time.Second)
	if got := <-answered; got.ErrorCode != 7 || got.BaseOffset != -1 {
		t.Errorf("after its time: %+v", got)
	}
}

func TestAFollowerThatStandsStillLeavesTheISRAndReturns(t *testing.T) {
	b := still(t, WithConfig("replica.lag.time.max.ms", "10000"))
	c := dialBroker(t, b, 1)
	lag(t, b, 3, -1)
	c.produceAcks(b, 1, time.Minute, "a")
	b.Advance(9 * time.Second)
	if p := b.Topic("t").Partitions()[0]; p.HighWatermark != 0 || !slices.Equal(inSync(p), []int32{1, 2, 3}) {
		t.Errorf("after 9 s: %+v", p)
	}
	epoch := b.Topic("t").Partitions()[0].LeaderEpoch
	b.Advance(2 * time.Second)
	if p := b.Topic("t").Partitions()[0]; p.HighWatermark != 1 || !slices.Equal(inSync(p), []int32{1, 2}) || p.LeaderEpoch != epoch {
		t.Errorf("after 11 s: %+v", p)
	}
	lag(t, b, 3, 0)
	if p := b.Topic("t").Partitions()[0]; !slices.Equal(inSync(p), []int32{1, 2, 3}) {
		t.Errorf("after it caught up: %+v", p)
	}
}

func TestTooFewReplicasInSync(t *testing.T) { // behaviours 75 and 238
	b := still(t, WithConfig("min.insync.replicas", "2"))
	c := dialBroker(t, b, 1)
	for _, id := range []int32{3, 2} {
		if err := b.StopBroker(id); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.produceAcks(b, -1, time.Second, "a"); got.ErrorCode != 19 {
		t.Errorf("acks=all: %+v", got)
	}
	if p := b.Topic("t").Partitions()[0]; p.EndOffset != 0 {
		t.Errorf("the refused record is stored: %+v", p)
	}
	if got := c.produceAcks(b, 1, time.Second, "b"); got.ErrorCode != 0 {
		t.Errorf("acks=1: %+v", got)
	}
	if p := b.Topic("t").Partitions()[0]; p.EndOffset != 1 || p.HighWatermark != 0 {
		t.Errorf("a record that too few replicas have is committed: %+v", p)
	}
	describe := kmsg.NewPtrDescribeTopicPartitionsRequest()
	describe.ResponsePartitionLimit = 10
	describe.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "t"}}
	got := ask[*kmsg.DescribeTopicPartitionsResponse](c, describe).Topics[0].Partitions[0]
	if !slices.Equal(got.ISR, []int32{1}) || !slices.Equal(got.EligibleLeaderReplicas, []int32{2}) {
		t.Errorf("ISR %v, eligible %v", got.ISR, got.EligibleLeaderReplicas)
	}
	// The eligible one has all that is committed: it may lead.
	if err := b.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	if err := b.StartBroker(3); err != nil {
		t.Fatal(err)
	}
	if p := b.Topic("t").Partitions()[0]; p.Leader != -1 {
		t.Errorf("a replica that is not eligible leads: %+v", p)
	}
	if err := b.StartBroker(2); err != nil {
		t.Fatal(err)
	}
	if p := b.Topic("t").Partitions()[0]; p.Leader != 2 || p.EndOffset != 0 || !slices.Equal(inSync(p), []int32{2, 3}) {
		t.Errorf("with the eligible one back: %+v", p)
	}
	if err := b.StartBroker(1); err != nil {
		t.Fatal(err)
	}
	dialBroker(t, b, 2).mustProduce(b, "t", batchOf(t, 1, []string{"c"}))
	if p := b.Topic("t").Partitions()[0]; !slices.Equal(inSync(p), []int32{1, 2, 3}) || p.HighWatermark != 1 {
		t.Errorf("with all back: %+v", p)
	}
}

func TestAnUncleanElectionLosesWhatOnlyTheOldLeaderHad(t *testing.T) {
	for _, byRequest := range []bool{false, true} {
		b := still(t, WithConfig("replica.lag.time.max.ms", "1000"))
		c := dialBroker(t, b, 1)
		c.mustProduce(b, "t", batchOf(t, 1, []string{"kept"}))
		lag(t, b, 2, -1)
		lag(t, b, 3, -1)
		c.produceAcks(b, 1, time.Second, "lost")
		b.Advance(2 * time.Second)
		if p := b.Topic("t").Partitions()[0]; !slices.Equal(inSync(p), []int32{1}) || p.HighWatermark != 2 {
			t.Fatalf("before the leader stops: %+v", p)
		}
		epoch := b.Topic("t").Partitions()[0].LeaderEpoch
		if !byRequest {
			alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
			alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "unclean.leader.election.enable", Value: kmsg.StringPtr("true")}}}}
			if got := ask[*kmsg.IncrementalAlterConfigsResponse](c, alter); got.Resources[0].ErrorCode != 0 {
				t.Fatal(got)
			}
		}
		if err := b.StopBroker(1); err != nil {
			t.Fatal(err)
		}
		two := dialBroker(t, b, 2)
		if byRequest {
			if p := b.Topic("t").Partitions()[0]; p.Leader != -1 {
				t.Fatalf("a replica out of sync leads: %+v", p)
			}
			if got := ask[*kmsg.MetadataResponse](two, metadata(9, false, "t")).Topics[0].Partitions[0]; got.ErrorCode != 5 || got.Leader != -1 {
				t.Errorf("Metadata without a leader: %+v", got)
			}
			if got := electLeaders(two, 2, 0, map[string][]int32{"t": {0}}).Topics[0].Partitions[0]; got.ErrorCode != 80 {
				t.Errorf("a preferred election: %+v", got)
			}
			if got := electLeaders(two, 2, 1, map[string][]int32{"t": {0}}).Topics[0].Partitions[0]; got.ErrorCode != 0 {
				t.Errorf("an unclean election: %+v", got)
			}
		}
		p := b.Topic("t").Partitions()[0]
		if p.Leader != 2 && p.Leader != 3 || p.EndOffset != 1 || p.HighWatermark != 1 || p.LeaderEpoch <= epoch || len(inSync(p)) != 1 {
			t.Fatalf("after the election: %+v", p)
		}
		lag(t, b, 2, 0)
		lag(t, b, 3, 0)
		lead := dialBroker(t, b, p.Leader)
		lead.mustProduce(b, "t", batchOf(t, 1, []string{"other"}))
		// A client that has read the lost record can tell (KIP-320).
		epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
		epochs.Version, epochs.ReplicaID = 3, -1
		epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: p.LeaderEpoch, LeaderEpoch: epoch}}}}
		if got := ask[*kmsg.OffsetForLeaderEpochResponse](lead, epochs).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.EndOffset != 1 || got.LeaderEpoch != epoch {
			t.Errorf("OffsetForLeaderEpoch: %+v", got)
		}
		fetch := fetchRequest(t, b, 12, "t", 0, 2)
		fetch.Topics[0].Partitions[0].CurrentLeaderEpoch, fetch.Topics[0].Partitions[0].LastFetchedEpoch = p.LeaderEpoch, epoch
		if got := ask[*kmsg.FetchResponse](lead, fetch).Topics[0].Partitions[0]; got.DivergingEpoch.Epoch != epoch || got.DivergingEpoch.EndOffset != 1 {
			t.Errorf("Fetch behind the lost record: %+v", got)
		}
		if err := b.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		var values []string
		for _, r := range b.Topic("t").Records() {
			values = append(values, string(r.Value))
		}
		if !slices.Equal(values, []string{"kept", "other"}) {
			t.Errorf("in the end there is %v", values)
		}
		if p := b.Topic("t").Partitions()[0]; len(inSync(p)) != 3 {
			t.Errorf("in the end: %+v", p)
		}
	}
}

func TestAnElectionForgetsTransactionsThatItCutsOff(t *testing.T) {
	b := still(t)
	c := dialBroker(t, b, 1)
	c.mustProduce(b, "t", batchOf(t, 1, []string{"a"}, producedBy(7, 0, 0)))
	for _, id := range []int32{2, 3} {
		lag(t, b, id, -1)
	}
	req := produceRequest(t, b, 13, "t", 0, batchOf(t, 1, []string{"b"}, producedBy(7, 0, 1)))
	req.Acks = 1
	if got := ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Fatalf("%+v", got)
	}
	if err := b.MoveLeader("t", 0, 2); err != nil { // in sync still, and behind
		t.Fatal(err)
	}
	lag(t, b, 3, 0)
	// Sent again, the record is not taken for one that is there.
	two := dialBroker(t, b, 2)
	if got := ask[*kmsg.ProduceResponse](two, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Errorf("the record that was cut off, sent again: %+v", got)
	}
	if got := b.Topic("t").Len(); got != 2 {
		t.Errorf("%d records", got)
	}
}

func TestAConsumerReadsFromTheReplicaInItsRack(t *testing.T) {
	b := still(t, WithRacks("a", "b", "c"), WithConfig("replica.selector.class", rackAware))
	c, follower := dialBroker(t, b, 1), dialBroker(t, b, 2)
	c.mustProduce(b, "t", batchOf(t, 1, []string{"a"}))
	for version := int16(4); version <= 18; version++ {
		for rack, want := range map[string]int32{"": -1, "a": -1, "b": 2, "c": 3, "z": -1} {
			req := fetchRequest(t, b, version, "t", 0, 0)
			req.Rack = rack
			got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]
			if version < 11 {
				want = -1
			}
			if got.ErrorCode != 0 || got.PreferredReadReplica != want || (len(got.RecordBatches) == 0) != (want >= 0) || got.HighWatermark != 1 {
				t.Errorf("v%d from rack %q: replica %d and %d bytes", version, rack, got.PreferredReadReplica, len(got.RecordBatches))
			}
		}
	}
	// In the replica's rack there is what the replica has, and no more.
	lag(t, b, 2, 5*time.Second)
	c.produceAcks(b, 1, time.Second, "b")
	req := fetchRequest(t, b, 12, "t", 0, 1)
	req.Rack, req.MaxWaitMillis = "b", 60_000
	answered := make(chan *kmsg.FetchResponse, 1)
	go func() { answered <- ask[*kmsg.FetchResponse](follower, req) }()
	untilWaiting(t, b, "t", 1)
	b.Advance(5 * time.Second)
	if got := (<-answered).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) == 0 || got.HighWatermark != 2 {
		t.Errorf("from the follower: %+v", got)
	}
	lag(t, b, 2, -1)
	c.produceAcks(b, 1, time.Second, "c")
	if got := ask[*kmsg.FetchResponse](follower, fetchRequest(t, b, 12, "t", 0, 3)).Topics[0].Partitions[0]; got.ErrorCode != 1 {
		t.Errorf("behind what the follower has: %+v", got)
	}
	lag(t, b, 2, 0)
	// A replica that is behind the consumer, or out of sync, is no choice.
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	req = fetchRequest(t, b, 12, "t", 0, 0)
	req.Rack = "b"
	if got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]; got.PreferredReadReplica != -1 || len(got.RecordBatches) == 0 {
		t.Errorf("with the replica's broker stopped: %+v", got)
	}
}

func TestANewLeaderDoesNotKnowAtOnceWhatIsCommitted(t *testing.T) {
	b := still(t)
	c := dialBroker(t, b, 1)
	lag(t, b, 3, 10*time.Second)
	c.produceAcks(b, 1, time.Second, "a")
	if err := b.MoveLeader("t", 0, 2); err != nil { // which has the record
		t.Fatal(err)
	}
	offset := func(version int16, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
		req := kmsg.NewPtrListOffsetsRequest()
		req.Version, req.ReplicaID = version, -1
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: timestamp, CurrentLeaderEpoch: -1}}}}
		return ask[*kmsg.ListOffsetsResponse](dialBroker(t, b, 2), req).Topics[0].Partitions[0]
	}
	for version := int16(1); version <= 11; version++ {
		want := int16(78)
		if version < 5 {
			want = 5
		}
		if got := offset(version, latestTimestamp); got.ErrorCode != want {
			t.Errorf("v%d, the end: %+v", version, got)
		}
		if got := offset(version, earliestTimestamp); got.ErrorCode != 0 || got.Offset != 0 {
			t.Errorf("v%d, the start: %+v", version, got)
		}
	}
	b.Advance(10 * time.Second)
	if got := offset(7, latestTimestamp); got.ErrorCode != 0 || got.Offset != 1 {
		t.Errorf("when the other replica has it: %+v", got)
	}
}
