package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file has the tests of clusters of several brokers.

// three starts three brokers with one topic, "t", of so many partitions with
// three replicas each.
func three(t testing.TB, partitions int, opts ...Option) *Broker {
	t.Helper()
	return Start(t, append([]Option{WithBrokers(3), WithTopic("t", partitions, nil), WithConfig("default.replication.factor", "3")}, opts...)...)
}

// dialBroker connects to the broker of an id.
func dialBroker(t testing.TB, b *Broker, id int32) *rawClient {
	t.Helper()
	return dialAt(t, b.nodeByID(id).addrs()[0], "test")
}

func clusterClient(t testing.TB, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(b.Addrs()...), kgo.MetadataMinAge(10 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestEachBrokerHasAnAddressAndNamesAllOthers(t *testing.T) {
	b := three(t, 1, WithRacks("a", "b"))
	for id := int32(1); id <= 3; id++ {
		c := dialBroker(t, b, id)
		for version := int16(0); version <= 13; version++ {
			got := ask[*kmsg.MetadataResponse](c, metadata(version, false, "t"))
			if len(got.Brokers) != 3 || version > 0 && got.ControllerID != 1 { // behaviour 20: any broker that runs
				t.Fatalf("broker %d, v%d: %+v", id, version, got)
			}
			for i, n := range got.Brokers {
				if at := net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))); n.NodeID != int32(i+1) || at != b.nodes[i].addrs()[0] {
					t.Errorf("broker %d, v%d: broker %d is at %s, want %s", id, version, n.NodeID, at, b.nodes[i].addrs()[0])
				}
				if want := []string{"a", "b", "a"}[i]; version > 0 && text(n.Rack) != want {
					t.Errorf("broker %d is in rack %q, want %q", n.NodeID, text(n.Rack), want)
				}
			}
			if p := got.Topics[0].Partitions[0]; len(p.Replicas) != 3 || len(p.ISR) != 3 || p.Leader != p.Replicas[0] {
				t.Errorf("v%d: %+v", version, p)
			}
		}
		cluster := kmsg.NewPtrDescribeClusterRequest()
		if got := ask[*kmsg.DescribeClusterResponse](c, cluster); len(got.Brokers) != 3 || got.ControllerID != 1 {
			t.Errorf("broker %d: %+v", id, got)
		}
	}
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.Version = 2
	c := dialBroker(t, b, 1)
	if got := ask[*kmsg.DescribeClusterResponse](c, cluster); len(got.Brokers) != 2 {
		t.Errorf("with a broker stopped: %+v", got.Brokers)
	}
	cluster.IncludeFencedBrokers = true
	if got := ask[*kmsg.DescribeClusterResponse](c, cluster); len(got.Brokers) != 3 || !got.Brokers[1].IsFenced || got.Brokers[0].IsFenced {
		t.Errorf("with fenced brokers: %+v", got.Brokers)
	}
}

func TestOnlyTheLeaderServesAPartition(t *testing.T) {
	b := three(t, 1)
	p := onlyPartition(t, b, "t")
	if err := b.MoveLeader("t", 0, 2); err != nil {
		t.Fatal(err)
	}
	l := p.leadership.Load()
	dialBroker(t, b, 2).mustProduce(b, "t", batchOf(t, 1, []string{"a"}))
	c := dialBroker(t, b, 3)
	for version := int16(3); version <= 13; version++ { // behaviour 76
		req := produceRequest(t, b, version, "t", 0, batchOf(t, 1, []string{"b"}))
		got := ask[*kmsg.ProduceResponse](c, req)
		answer := got.Topics[0].Partitions[0]
		if answer.ErrorCode != 6 {
			t.Errorf("Produce v%d to a follower: [%d]", version, answer.ErrorCode)
		}
		if version >= 10 && (answer.CurrentLeader.LeaderID != 2 || answer.CurrentLeader.LeaderEpoch != l.leaderEpoch || len(got.Brokers) != 1 || got.Brokers[0].NodeID != 2 || int(got.Brokers[0].Port) != portOf(t, b, 2)) {
			t.Errorf("Produce v%d: %+v, brokers %+v", version, answer, got.Brokers)
		}
	}
	for _, version := range []int16{4, 10, 15, 16, 18} {
		req := fetchRequest(t, b, version, "t", 0, 0)
		got := ask[*kmsg.FetchResponse](c, req)
		answer := got.Topics[0].Partitions[0]
		if want := int16(6); version < 11 && answer.ErrorCode != want {
			t.Errorf("Fetch v%d from a follower: [%d]", version, answer.ErrorCode)
		} else if version >= 11 && (answer.ErrorCode != 0 || len(answer.RecordBatches) == 0) {
			t.Errorf("Fetch v%d from a follower: [%d], %d bytes", version, answer.ErrorCode, len(answer.RecordBatches))
		}
	}
	// A broker without a replica is none to read from.
	if _, err := b.createTopic(newTopic{name: "one", partitions: -1, replicas: -1, assignment: map[int32][]int32{0: {1}}}); err != nil {
		t.Fatal(err)
	}
	for version := int16(4); version <= 18; version++ {
		got := ask[*kmsg.FetchResponse](c, fetchRequest(t, b, version, "one", 0, 0))
		answer := got.Topics[0].Partitions[0]
		if answer.ErrorCode != 6 {
			t.Errorf("Fetch v%d where no replica is: [%d]", version, answer.ErrorCode)
		}
		if version >= 16 && (answer.CurrentLeader.LeaderID != 1 || len(got.Brokers) != 1 || got.Brokers[0].NodeID != 1 || int(got.Brokers[0].Port) != portOf(t, b, 1)) {
			t.Errorf("Fetch v%d: %+v, brokers %+v", version, answer, got.Brokers)
		}
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 7, -1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	if got := ask[*kmsg.ListOffsetsResponse](c, list); got.Topics[0].Partitions[0].ErrorCode != 6 {
		t.Errorf("ListOffsets at a follower: %+v", got)
	}
	epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
	epochs.Version, epochs.ReplicaID = 3, -1
	epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	if got := ask[*kmsg.OffsetForLeaderEpochResponse](c, epochs); got.Topics[0].Partitions[0].ErrorCode != 6 {
		t.Errorf("OffsetForLeaderEpoch at a follower: %+v", got)
	}
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 1}}}}
	if got := ask[*kmsg.DeleteRecordsResponse](c, del); got.Topics[0].Partitions[0].ErrorCode != 6 {
		t.Errorf("DeleteRecords at a follower: %+v", got)
	}
}

func portOf(t testing.TB, b *Broker, id int32) int {
	t.Helper()
	_, port, err := net.SplitHostPort(b.nodeByID(id).addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return n
}

func TestAStoppedBrokerRefusesAndItsPartitionsHaveOtherLeaders(t *testing.T) {
	b := three(t, 6)
	c := dialBroker(t, b, 2)
	ask[*kmsg.MetadataResponse](c, metadata(1, false))
	address := b.nodeByID(2).addrs()[0]
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	c.ended()
	if nc, err := net.Dial("tcp", address); err == nil {
		_ = nc.Close()
		t.Error("the stopped broker's port takes connections")
	}
	for _, p := range b.Topic("t").Partitions() {
		if p.Leader == 2 || p.Leader < 0 {
			t.Errorf("partition %d is led by %d", p.Index, p.Leader)
		}
		for _, r := range p.Replicas {
			if want := r.Broker != 2; r.InSync != want || r.Running != want {
				t.Errorf("partition %d: %+v", p.Index, r)
			}
		}
	}
	if got := ask[*kmsg.MetadataResponse](dialBroker(t, b, 1), metadata(9, false, "t")); len(got.Brokers) != 2 {
		t.Errorf("Metadata names %+v", got.Brokers)
	}
	if err := b.StartBroker(2); err != nil {
		t.Fatal(err)
	}
	if got := ask[*kmsg.MetadataResponse](dialBroker(t, b, 2), metadata(9, false, "t")); len(got.Brokers) != 3 {
		t.Errorf("Metadata names %+v", got.Brokers)
	}
	for _, p := range b.Topic("t").Partitions() {
		if p.Leader == 2 {
			t.Errorf("partition %d went back to its old leader by itself", p.Index)
		}
		for _, r := range p.Replicas {
			if !r.InSync {
				t.Errorf("partition %d: %+v", p.Index, r)
			}
		}
	}
	for version := int16(0); version <= 2; version++ { // preferred leaders
		electLeaders(dialBroker(t, b, 1), version, 0, nil)
	}
	for _, p := range b.Topic("t").Partitions() {
		if p.Leader != p.Replicas[0].Broker {
			t.Errorf("partition %d is led by %d, and %d is preferred", p.Index, p.Leader, p.Replicas[0].Broker)
		}
	}
	if err := b.StopBroker(9); !errors.Is(err, ErrNoSuchBroker) {
		t.Errorf("StopBroker(9): %v", err)
	}
}

func TestWithOneReplicaAStoppedBrokerLeavesPartitionsWithoutLeader(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil)) // the one broker of a cluster can be stopped, too
	dial(t, b).mustProduce(b, "t", batchOf(t, 1, []string{"a"}))
	if err := b.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	if p := b.Topic("t").Partitions()[0]; p.Leader != -1 || p.LeaderEpoch != 1 {
		t.Errorf("after the stop: %+v", p)
	}
	if err := b.Produce("t", Record{Value: []byte("b")}); err == nil {
		t.Error("a partition without leader takes records")
	}
	if err := b.StartBroker(1); err != nil {
		t.Fatal(err)
	}
	if p := b.Topic("t").Partitions()[0]; p.Leader != 1 || p.LeaderEpoch != 2 || p.EndOffset != 1 {
		t.Errorf("after the start: %+v", p)
	}
	dial(t, b).mustProduce(b, "t", batchOf(t, 1, []string{"b"}))
}

func TestNothingIsLostWhileBrokersStopInTurn(t *testing.T) {
	const records = 600
	b := three(t, 3, WithConfig("min.insync.replicas", "2"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	producer := clusterClient(t, b, kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	consumer := clusterClient(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	done := make(chan error, 1)
	go func() {
		for i := range records {
			if err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := range 6 {
		id := int32(n%3 + 1)
		if err := b.Topic("t").WaitForRecords(ctx, records/8*(n+1)); err != nil {
			t.Fatal(err)
		}
		if err := b.StopBroker(id); err != nil {
			t.Fatal(err)
		}
		if err := b.Topic("t").WaitForRecords(ctx, records/8*(n+1)+20); err != nil {
			t.Fatal(err)
		}
		if err := b.StartBroker(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for n := 0; n < records; {
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records came", n, records)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++; n++ })
	}
	if len(seen) != records || b.Topic("t").Len() != records {
		t.Errorf("%d different records of %d came, %d are stored", len(seen), records, b.Topic("t").Len())
	}
}

func TestAGroupSurvivesTheMoveOfItsCoordinator(t *testing.T) {
	b := three(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	consumer := clusterClient(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(20*time.Millisecond))
	produce := func(n int) {
		t.Helper()
		if err := b.Produce("t", Record{Value: fmt.Append(nil, n)}); err != nil {
			t.Fatal(err)
		}
	}
	consume := func() {
		t.Helper()
		for {
			fetches := consumer.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("nothing came: the group is %s", b.Group("g").State())
			}
			if len(fetches.Records()) > 0 {
				break
			}
		}
		// The client does not try again by itself when the port is refused.
		for err := consumer.CommitUncommittedOffsets(ctx); err != nil; err = consumer.CommitUncommittedOffsets(ctx) {
			if ctx.Err() != nil {
				t.Fatalf("cannot commit: %v", err)
			}
		}
	}
	produce(0)
	consume()
	generation := b.Group("g").Members()
	for n := range 6 {
		was := b.Coordinator("g")
		if n%2 == 0 {
			if err := b.MoveCoordinator("g", was%3+1); err != nil {
				t.Fatal(err)
			}
		} else if err := b.StopBroker(was); err != nil {
			t.Fatal(err)
		}
		if is := b.Coordinator("g"); is == was || is < 0 {
			t.Fatalf("the coordinator was %d and is %d", was, is)
		}
		produce(n + 1)
		consume()
		if err := b.StartBroker(was); err != nil {
			t.Fatal(err)
		}
	}
	if now := b.Group("g").Members(); len(now) != 1 || now[0].ID != generation[0].ID {
		t.Errorf("the member was %v and is %v", generation, now)
	}
	if got := b.Committed("g")["t"][0]; got != 7 {
		t.Errorf("committed is %d, want 7", got)
	}
}

func TestAnotherBrokerThanTheCoordinatorIsNone(t *testing.T) { // behaviour 41
	b := three(t, 1)
	at := b.Coordinator("g")
	other := dialBroker(t, b, at%3+1)
	for version := int16(0); version <= 9; version++ {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = version, "g", 10000, 10000, "consumer"
		if got := ask[*kmsg.JoinGroupResponse](other, join); got.ErrorCode != 16 {
			t.Errorf("JoinGroup v%d: [%d]", version, got.ErrorCode)
		}
	}
	for version := int16(0); version <= 5; version++ {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = version, "g", "m"
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "m"}}
		if got := ask[*kmsg.LeaveGroupResponse](other, leave); got.ErrorCode != 16 || len(got.Members) > 0 {
			t.Errorf("LeaveGroup v%d: %+v", version, got)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group = version, "g"
		if got := ask[*kmsg.SyncGroupResponse](other, sync); got.ErrorCode != 16 {
			t.Errorf("SyncGroup v%d: %+v", version, got)
		}
	}
	for version := int16(0); version <= 9; version++ {
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Version, commit.Group = version, "g"
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 0}, {Partition: 1}}}}
		got := ask[*kmsg.OffsetCommitResponse](other, commit)
		if len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 2 || got.Topics[0].Partitions[1].ErrorCode != 16 || got.Topics[0].Partitions[1].Partition != 1 {
			t.Errorf("OffsetCommit v%d: %+v", version, got)
		}
	}
	forget := kmsg.NewPtrOffsetDeleteRequest()
	forget.Group, forget.Topics = "g", []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
	if got := ask[*kmsg.OffsetDeleteResponse](other, forget); got.ErrorCode != 16 || len(got.Topics) > 0 {
		t.Errorf("OffsetDelete: %+v", got)
	}
	for version := int16(0); version <= 10; version++ {
		offsets := kmsg.NewPtrOffsetFetchRequest()
		offsets.Version, offsets.Group = version, "g"
		offsets.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		offsets.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
		got := ask[*kmsg.OffsetFetchResponse](other, offsets)
		code := got.ErrorCode
		switch {
		case version >= 8:
			code = got.Groups[0].ErrorCode
		case version < 2:
			code = got.Topics[0].Partitions[0].ErrorCode
		}
		if code != 16 {
			t.Errorf("OffsetFetch v%d: %+v", version, got)
		}
	}
	for version := int16(0); version <= 6; version++ {
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Version, describe.Groups = version, []string{"g"}
		if got := ask[*kmsg.DescribeGroupsResponse](other, describe); got.Groups[0].ErrorCode != 16 {
			t.Errorf("DescribeGroups v%d: %+v", version, got)
		}
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.Version, find.CoordinatorKey, find.CoordinatorKeys = version, "g", []string{"g"}
		got := ask[*kmsg.FindCoordinatorResponse](other, find)
		id, port := got.NodeID, got.Port
		if version >= 4 {
			id, port = got.Coordinators[0].NodeID, got.Coordinators[0].Port
		}
		if id != at || int(port) != portOf(t, b, at) {
			t.Errorf("FindCoordinator v%d: %+v", version, got)
		}
	}
	txnAt := b.TransactionCoordinator("x")
	elsewhere := dialBroker(t, b, txnAt%3+1)
	id := "x"
	for version := int16(0); version <= 5; version++ {
		init := kmsg.NewPtrInitProducerIDRequest()
		init.Version, init.TransactionalID, init.TransactionTimeoutMillis = version, &id, 1000
		if got := ask[*kmsg.InitProducerIDResponse](elsewhere, init); got.ErrorCode != 16 {
			t.Errorf("InitProducerId v%d: [%d]", version, got.ErrorCode)
		}
		end := kmsg.NewPtrEndTxnRequest()
		end.Version, end.TransactionalID = version, "x"
		if got := ask[*kmsg.EndTxnResponse](elsewhere, end); got.ErrorCode != 16 {
			t.Errorf("EndTxn v%d: [%d]", version, got.ErrorCode)
		}
		add := kmsg.NewPtrAddPartitionsToTxnRequest()
		add.Version, add.TransactionalID = version, "x"
		add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		add.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: "x", Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: []int32{0}}}}}
		got := ask[*kmsg.AddPartitionsToTxnResponse](elsewhere, add)
		if version < 4 && got.Topics[0].Partitions[0].ErrorCode != 16 || version >= 4 && got.Transactions[0].Topics[0].Partitions[0].ErrorCode != 16 {
			t.Errorf("AddPartitionsToTxn v%d: %+v", version, got)
		}
	}
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{"x"}
	if got := ask[*kmsg.DescribeTransactionsResponse](elsewhere, describe); got.TransactionStates[0].ErrorCode != 16 {
		t.Errorf("DescribeTransactions: %+v", got)
	}
}

func TestReplicasArePlacedInTurn(t *testing.T) {
	b := Start(t, WithBrokers(6), WithRacks("x", "y", "z"), WithMemoryNetwork())
	tp, err := b.createTopic(newTopic{name: "t", partitions: 12, replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	leads := make(map[int32]int)
	for _, p := range tp.partitions {
		l := p.leadership.Load()
		leads[l.leader]++
		racks := make(map[string]bool)
		for _, id := range l.replicas {
			racks[*b.nodeByID(id).rack] = true
		}
		if len(l.replicas) != 3 || len(racks) != 3 {
			t.Errorf("partition %d has %v in racks %v", p.index, l.replicas, racks)
		}
	}
	for id, n := range leads {
		if n != 2 {
			t.Errorf("broker %d leads %d of 12 partitions", id, n)
		}
	}
	if len(leads) != 6 {
		t.Errorf("leaders: %v", leads)
	}
	if err := b.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	if tp, err = b.createTopic(newTopic{name: "u", partitions: 10, replicas: 6}); err != nil {
		t.Fatal(err)
	}
	for _, p := range tp.partitions {
		if l := p.leadership.Load(); l.leader == 1 || slices.Contains(l.isr, 1) || len(l.isr) != 5 || len(l.replicas) != 6 {
			t.Errorf("with broker 1 stopped: %+v", *l)
		}
	}
	if err := b.StartBroker(1); err != nil {
		t.Fatal(err)
	}
	if l := tp.partitions[0].leadership.Load(); len(l.isr) != 6 {
		t.Errorf("after its start: %+v", *l)
	}
	for _, k := range []struct {
		n    newTopic
		want string
	}{
		{newTopic{name: "v", partitions: 1, replicas: 7}, "Unable to replicate the partition 7 time(s): The target replication factor of 7 cannot be reached because only 6 broker(s) are registered or some brokers have all their log directories cordoned."},
		{newTopic{name: "v", partitions: -1, replicas: -1, assignment: map[int32][]int32{0: {1, 9}}}, "The manual partition assignment includes broker 9, but no such broker is registered."},
	} {
		if _, err := b.createTopic(k.n); err == nil || err.message != k.want {
			t.Errorf("%+v: %v", k.n, err)
		}
	}
}

func TestAdminsSeeAndMoveReplicas(t *testing.T) {
	b := Start(t, WithBrokers(3), WithTopic("t", 1, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin := kadm.NewClient(clusterClient(t, b))
	if _, err := admin.CreateTopic(ctx, 2, 4, nil, "u"); !errors.Is(err, kerr.InvalidReplicationFactor) {
		t.Errorf("four replicas on three brokers: %v", err)
	}
	if _, err := admin.CreateTopic(ctx, 3, 3, nil, "u"); err != nil {
		t.Fatal(err)
	}
	was := b.Topic("t").Partitions()[0].Leader
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign("t", 0, []int32{was%3 + 1, (was+1)%3 + 1})
	if got, err := admin.AlterPartitionAssignments(ctx, req); err != nil || got.Error() != nil {
		t.Fatal(err, got.Error())
	}
	if p := b.Topic("t").Partitions()[0]; p.Leader != was%3+1 || len(p.Replicas) != 2 || !p.Replicas[1].InSync {
		t.Errorf("after the move: %+v", p)
	}
	// A replica on a stopped broker is awaited.
	if err := b.StopBroker(was); err != nil {
		t.Fatal(err)
	}
	req = kadm.AlterPartitionAssignmentsReq{}
	req.Assign("t", 0, []int32{was, was%3 + 1})
	if _, err := admin.AlterPartitionAssignments(ctx, req); err != nil {
		t.Fatal(err)
	}
	var which kadm.TopicsSet
	which.Add("t", 0)
	all, err := admin.ListPartitionReassignments(ctx, which)
	if err != nil {
		t.Fatal(err)
	}
	if r := all["t"][0]; !slices.Equal(r.AddingReplicas, []int32{was}) || !slices.Equal(r.RemovingReplicas, []int32{(was+1)%3 + 1}) || len(r.Replicas) != 3 {
		t.Errorf("under way: %+v", r)
	}
	if err := b.StartBroker(was); err != nil {
		t.Fatal(err)
	}
	if all, err = admin.ListPartitionReassignments(ctx, which); err != nil || len(all) != 0 {
		t.Errorf("under way after the start: %v %v", all, err)
	}
	if l := onlyPartition(t, b, "t").leadership.Load(); !slices.Equal(l.replicas, []int32{was, was%3 + 1}) || len(l.isr) != 2 {
		t.Errorf("in the end: %+v", *l)
	}
}

func TestPreferredLeadersComeBackByThemselves(t *testing.T) {
	b := still(t)
	preferred := b.Topic("t").Partitions()[0].Replicas[0].Broker
	if err := b.MoveLeader("t", 0, preferred%3+1); err != nil {
		t.Fatal(err)
	}
	b.Advance(299 * time.Second)
	if p := b.Topic("t").Partitions()[0]; p.Leader == preferred {
		t.Errorf("the preferred leader is back after 299 s: %+v", p)
	}
	b.Advance(time.Second)
	if p := b.Topic("t").Partitions()[0]; p.Leader != preferred {
		t.Errorf("after 300 s: %+v", p)
	}
}

func TestATransactionOutlivesItsCoordinatorAndItsLeaders(t *testing.T) {
	b := three(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	producer := clusterClient(t, b, kgo.DefaultProduceTopic("t"), kgo.TransactionalID("x"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	for n := range 8 {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(n, i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if i == 3 {
				switch at := b.TransactionCoordinator("x"); n % 4 {
				case 0:
					if err := b.MoveTransactionCoordinator("x", at%3+1); err != nil {
						t.Fatal(err)
					}
				case 1:
					if err := b.StopBroker(at); err != nil {
						t.Fatal(err)
					}
				case 2:
					for _, one := range b.Brokers() {
						if err := b.StartBroker(one.ID); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		end := func() error { return producer.EndTransaction(ctx, kgo.TransactionEndTry(n%2 == 0)) }
		for err := end(); err != nil; err = end() { // as with commits: a port may be refused
			if ctx.Err() != nil {
				t.Fatalf("transaction %d: %v", n, err)
			}
		}
	}
	consumer := clusterClient(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	seen := make(map[string]int)
	for n := 0; n < 24; {
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of 24 records came", n)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++; n++ })
	}
	for v, times := range seen {
		if times != 1 || (v[0]-'0')%2 != 0 {
			t.Errorf("%q came %d times", v, times)
		}
	}
}

// A marker for a partition that has no leader is written when it has one.
func TestATransactionEndsOnAPartitionWithoutLeader(t *testing.T) {
	b := Start(t, WithBrokers(2), WithTopic("t", 1, nil))
	if err := b.MoveLeader("t", 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := b.MoveTransactionCoordinator("x", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	producer := clusterClient(t, b, kgo.DefaultProduceTopic("t"), kgo.TransactionalID("x"))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	if err := producer.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := b.StartBroker(2); err != nil {
		t.Fatal(err)
	}
	p := onlyPartition(t, b, "t")
	if seen := p.moment(); seen.lastStable != 2 || seen.highWatermark != 2 {
		t.Errorf("after the leader is back: %+v", seen)
	}
}

func TestResetAndRestoreStartAllBrokers(t *testing.T) {
	b := three(t, 2)
	if err := b.Produce("t", Record{Value: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if err := b.MoveLeader("t", 0, 3); err != nil {
		t.Fatal(err)
	}
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	snapshot := b.Snapshot()
	if err := b.SetFollowerLag(1, -1); err != nil {
		t.Fatal(err)
	}
	whole := func(when string, records int) {
		t.Helper()
		for _, n := range b.Brokers() {
			if !n.Running || n.Lag != 0 {
				t.Errorf("%s: %+v", when, n)
			}
			ask[*kmsg.MetadataResponse](dialBroker(t, b, n.ID), metadata(1, false))
		}
		for _, p := range b.Topic("t").Partitions() {
			if len(inSync(p)) != 3 || p.HighWatermark != p.EndOffset {
				t.Errorf("%s: %+v", when, p)
			}
		}
		if n := b.Topic("t").Len(); n != records {
			t.Errorf("%s: %d records", when, n)
		}
	}
	b.Reset()
	whole("after Reset", 0)
	if err := b.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	b.Restore(snapshot)
	whole("after Restore", 1)
	if p := b.Topic("t").Partitions()[0]; p.Leader != 3 {
		t.Errorf("after Restore: %+v", p)
	}
	one := Start(t)
	one.Restore(snapshot) // a cluster with fewer brokers
	for _, p := range one.Topic("t").Partitions() {
		if p.Leader != 1 || len(p.Replicas) != 1 {
			t.Errorf("on one broker: %+v", p)
		}
	}
	ask[*kmsg.ProduceResponse](dial(t, one), produceRequest(t, one, 13, "t", 1, batchOf(t, 1, []string{"b"})))
}

func TestTheNetworkInMemoryHasAnAddressForEachBroker(t *testing.T) {
	b := three(t, 6, WithMemoryNetwork())
	if got, want := b.Bootstrap(), "minibroker-1:9092,minibroker-2:9093,minibroker-3:9094"; got != want {
		t.Errorf("bootstrap servers are %s, want %s", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := clusterClient(t, b, kgo.SeedBrokers("whatever:1"), kgo.Dialer(b.Dialer()), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	for range 12 {
		if err := client.ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	reached := make(map[int32]bool)
	for _, c := range b.Clients() {
		reached[c.Broker] = true
	}
	if len(reached) != 3 {
		t.Errorf("the client reached %v", reached)
	}
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Dialer()(ctx, "tcp", "minibroker-2:9093"); err == nil {
		t.Error("a stopped broker lets clients in")
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Error(err)
	}
}

func TestEachBrokerHasItsConfigs(t *testing.T) {
	b := three(t, 1, WithRacks("a", "b", "c"))
	value := func(c *rawClient, resource, name string) (string, int16) {
		t.Helper()
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version = 4
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: resource, ConfigNames: []string{name}}}
		got := ask[*kmsg.DescribeConfigsResponse](c, req).Resources[0]
		if got.ErrorCode != 0 || len(got.Configs) == 0 {
			return "", got.ErrorCode
		}
		return text(got.Configs[0].Value), 0
	}
	set := func(c *rawClient, resource, name, to string) int16 {
		t.Helper()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: resource, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &to}}}}
		return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0].ErrorCode
	}
	two, three := dialBroker(t, b, 2), dialBroker(t, b, 3)
	for name, want := range map[string]string{"node.id": "2", "broker.id": "2", "broker.rack": "b"} {
		if got, code := value(two, "2", name); got != want {
			t.Errorf("%s of broker 2 is %q [%d], want %q", name, got, code, want)
		}
	}
	if _, code := value(two, "3", "node.id"); code != 42 {
		t.Errorf("broker 2 describes broker 3: [%d]", code)
	}
	if code := set(two, "2", "log.retention.ms", "1000"); code != 0 {
		t.Errorf("a config of broker 2: [%d]", code)
	}
	if got, _ := value(two, "2", "log.retention.ms"); got != "1000" {
		t.Errorf("broker 2 has %q", got)
	}
	if got, _ := value(three, "3", "log.retention.ms"); got == "1000" {
		t.Error("broker 3 has what was set for broker 2")
	}
	if code := set(three, "", "message.max.bytes", "5000"); code != 0 {
		t.Errorf("a config of all: [%d]", code)
	}
	for id, c := range map[string]*rawClient{"2": two, "3": three} {
		if got, _ := value(c, id, "message.max.bytes"); got != "5000" {
			t.Errorf("broker %s has %q", id, got)
		}
	}
	if got := b.image.Load().topic("t").settings.limits.MaxMessageBytes; got != 5000 {
		t.Errorf("topics go by %d", got)
	}
}

func TestEachBrokerDescribesItsReplicas(t *testing.T) {
	b := Start(t, WithBrokers(2), WithTopic("t", 4, nil))
	of := make(map[int32]int)
	for id := int32(1); id <= 2; id++ {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		for _, topic := range ask[*kmsg.DescribeLogDirsResponse](dialBroker(t, b, id), req).Dirs[0].Topics {
			of[id] += len(topic.Partitions)
		}
		quorum := kmsg.NewPtrDescribeQuorumRequest()
		quorum.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: clusterMetadataTopic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		got := ask[*kmsg.DescribeQuorumResponse](dialBroker(t, b, id), quorum).Topics[0].Partitions[0] // behaviour 42
		if got.LeaderID != 1 || len(got.CurrentVoters) != 1 || len(got.Observers) != 1 || got.Observers[0].ReplicaID != 2 {
			t.Errorf("the quorum at broker %d: %+v", id, got)
		}
	}
	if of[1] != 2 || of[2] != 2 {
		t.Errorf("the brokers have %v of 4 partitions with one replica", of)
	}
}

func TestAnUnregisteredBrokerIsNoPlaceForReplicas(t *testing.T) {
	b := Start(t, WithBrokers(3))
	c := dialBroker(t, b, 1)
	if err := b.StopBroker(3); err != nil {
		t.Fatal(err)
	}
	if _, err := b.createTopic(newTopic{name: "a", partitions: 1, replicas: 3}); err != nil { // behaviour 127
		t.Errorf("three replicas with one broker stopped: %v", err)
	}
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = 3
	if got := ask[*kmsg.UnregisterBrokerResponse](c, req); got.ErrorCode != 0 {
		t.Fatal(got)
	}
	if got := ask[*kmsg.UnregisterBrokerResponse](c, req); got.ErrorCode != 102 {
		t.Errorf("again: %+v", got)
	}
	if _, err := b.createTopic(newTopic{name: "b", partitions: 1, replicas: 3}); err == nil {
		t.Error("an unregistered broker got a replica")
	}
	if err := b.StartBroker(3); err != nil {
		t.Fatal(err)
	}
	if _, err := b.createTopic(newTopic{name: "b", partitions: 1, replicas: 3}); err != nil {
		t.Error(err)
	}
}

func TestWithoutEligibleLeadersTheLastReplicaStaysInTheISR(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.Version = 1
	req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: eligibleLeaders, MaxVersionLevel: 0, UpgradeType: safeDowngrade}}
	if got := ask[*kmsg.UpdateFeaturesResponse](c, req); got.ErrorCode != 0 {
		t.Fatalf("%+v", got)
	}
	if err := b.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	if l := onlyPartition(t, b, "t").leadership.Load(); l.leader != -1 || !slices.Equal(l.isr, []int32{1}) || len(l.elr) != 0 {
		t.Errorf("after the stop: %+v", *l)
	}
	if err := b.StartBroker(1); err != nil {
		t.Fatal(err)
	}
	if l := onlyPartition(t, b, "t").leadership.Load(); l.leader != 1 || !slices.Equal(l.isr, []int32{1}) {
		t.Errorf("after the start: %+v", *l)
	}
}

func TestAShareGroupReadsFromTheLeadersOfAllBrokers(t *testing.T) {
	b := three(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for partition := range int32(3) {
		if err := b.MoveLeader("t", partition, partition+1); err != nil {
			t.Fatal(err)
		}
	}
	at := b.Coordinator("g")
	elsewhere := dialBroker(t, b, at%3+1)
	beat := kmsg.NewPtrShareGroupHeartbeatRequest()
	beat.Version, beat.GroupID, beat.MemberID = 1, "g", "AAAAAAAAAAAAAAAAAAAAAQ"
	if got := ask[*kmsg.ShareGroupHeartbeatResponse](elsewhere, beat); got.ErrorCode != 16 {
		t.Errorf("ShareGroupHeartbeat elsewhere: [%d]", got.ErrorCode)
	}
	describe := kmsg.NewPtrShareGroupDescribeRequest()
	describe.Version, describe.GroupIDs = 1, []string{"g"}
	if got := ask[*kmsg.ShareGroupDescribeResponse](elsewhere, describe); got.Groups[0].ErrorCode != 16 {
		t.Errorf("ShareGroupDescribe elsewhere: %+v", got)
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: "g", Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "share.auto.offset.reset", Value: kmsg.StringPtr("earliest")}}}}
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](elsewhere, alter); got.Resources[0].ErrorCode != 0 {
		t.Fatalf("%+v", got)
	}
	for partition := range int32(3) {
		if err := b.Produce("t", Record{Partition: partition, Value: fmt.Append(nil, partition)}); err != nil {
			t.Fatal(err)
		}
	}
	consumer := clusterClient(t, b, kgo.ShareGroup("g"), kgo.ConsumeTopics("t"), kgo.FetchMaxWait(50*time.Millisecond))
	seen := make(map[int32]int)
	for len(seen) < 3 {
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("records of partitions %v came", seen)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[r.Partition]++; r.Ack(kgo.AckAccept) })
	}
}
