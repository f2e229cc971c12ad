package broker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file holds what groups may cost, with the records that are stored of them.

// groupOfOne joins, syncs and commits, as a client's only consumer does.
func groupOfOne(t testing.TB, c *rawClient, group string) {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType = 9, group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 45_000, 300_000
	subscription := []byte{0, 3, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription}, {Name: "cooperative-sticky", Metadata: subscription}}
	join.MemberID = ask[*kmsg.JoinGroupResponse](c, join).MemberID
	joined := ask[*kmsg.JoinGroupResponse](c, join)

	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation = 5, group, join.MemberID, joined.Generation
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: join.MemberID, MemberAssignment: make([]byte, 60)}}
	ask[*kmsg.SyncGroupResponse](c, sync)

	if code := ask[*kmsg.OffsetCommitResponse](c, commitRequest(group, join.MemberID, joined.Generation, 42)).Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("the commit of %s failed with [%d]", group, code)
	}
}

// commitRequest commits an offset for partition 0 of the topic t.
func commitRequest(group, member string, generation int32, offset int64) *kmsg.OffsetCommitRequest {
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.MemberID, commit.Generation = 9, group, member, generation
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = "t"
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	topic.Partitions = append(topic.Partitions, p)
	commit.Topics = append(commit.Topics, topic)
	return commit
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools keep what they have for one more
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAGroupOfOneTakesLessThan3KiB(t *testing.T) {
	const n = 1000
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	groupOfOne(t, c, "first")
	before := heapInUse()
	for i := range n {
		groupOfOne(t, c, fmt.Sprintf("group-%d", i))
	}
	if each := (heapInUse() - before) / n; each > 3<<10 {
		t.Errorf("%d bytes are kept per group", each)
	}
	runtime.KeepAlive(b)
}

// BenchmarkGroupsOfOneOverTheNetwork is to take less than 0.3 s for each 1,000.
func BenchmarkGroupsOfOneOverTheNetwork(b *testing.B) {
	broker := Start(b, WithTopic("t", 1, nil))
	c := dial(b, broker)
	before := heapInUse()
	for i := 0; b.Loop(); i++ {
		groupOfOne(b, c, fmt.Sprintf("group-%d", i))
	}
	b.ReportMetric(float64(heapInUse()-before)/float64(b.N), "bytes/group")
	runtime.KeepAlive(broker)
}

func BenchmarkOffsetCommit(b *testing.B) {
	broker := Start(b, WithTopic("t", 1, nil))
	req := commitRequest("g", "", -1, 42)
	r := &request{conn: &conn{broker: broker}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = broker.handleOffsetCommit(r, req)
	}
}

func TestCompactionKeepsTheGroupsTopicSmall(t *testing.T) {
	b, clock := atRest(t)
	r := &request{conn: &conn{broker: b}}
	commit := func(offset int64) {
		if _, err := b.handleOffsetCommit(r, commitRequest("g", "", -1, offset)); err != nil {
			t.Fatal(err)
		}
	}
	p := b.internalTopic(groupMetadataTopic).partitionOf("g")
	const commits = 50_000 // some 6 MB
	for i := range int64(commits) {
		commit(i)
		clock.Advance(time.Millisecond)
	}
	if size := p.log.Size(); size > 2*internalSegmentBytes {
		t.Errorf("%d bytes are kept of %d commits for one partition", size, commits)
	}
	if end := p.log.EndOffset(); end != commits {
		t.Errorf("the log ends at %d, want %d", end, commits)
	}
}
