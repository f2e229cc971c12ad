package broker

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/internal/clock"
)

func consumerHeartbeat(version int16, member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = version, "g", member, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis = 30_000
		req.SubscribedTopicNames = []string{"t"}
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return req
}

func assignedTo(resp *kmsg.ConsumerGroupHeartbeatResponse) string {
	if resp.Assignment == nil {
		return "null"
	}
	var all []int32
	for _, t := range resp.Assignment.Topics {
		all = append(all, t.Partitions...)
	}
	return fmt.Sprint(all)
}

func TestAConsumerGroupIsServedInEachVersion(t *testing.T) {
	for version := range int16(2) {
		b := Start(t, WithTopic("t", 3, nil))
		c := dial(t, b)
		member := ""
		if version > 0 {
			member = "m"
		}
		// behaviour 191
		resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(version, member, 0))
		if resp.ErrorCode != 0 || resp.MemberEpoch != 2 || resp.HeartbeatIntervalMillis != 25 || assignedTo(resp) != "[0 1 2]" {
			t.Fatalf("v%d: a join is answered %+v with %s", version, resp, assignedTo(resp))
		}
		if version == 0 && len(*resp.MemberID) != 22 { // behaviour 190
			t.Errorf("the broker made the member id %q, want 22 characters", *resp.MemberID)
		}
		member = *resp.MemberID
		// behaviour 192
		resp = ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(version, member, 2))
		if resp.ErrorCode != 0 || resp.Assignment != nil {
			t.Errorf("v%d: a heartbeat with nothing new is answered %+v", version, resp)
		}

		if all := b.Group("g").Members(); len(all) != 1 || all[0].ID != member || !slices.Equal(all[0].Partitions["t"], []int32{0, 1, 2}) || b.Group("g").State() != "Stable" {
			t.Errorf("v%d: the group's members are %+v", version, all)
		}

		describe := kmsg.NewPtrConsumerGroupDescribeRequest()
		describe.Version, describe.Groups, describe.IncludeAuthorizedOperations = version, []string{"g", "", "none"}, true
		d := ask[*kmsg.ConsumerGroupDescribeResponse](c, describe)
		g := d.Groups[0]
		if g.State != "Stable" || g.Epoch != 2 || g.AssignorName != "uniform" || g.AuthorizedOperations != groupOperations || len(g.Members) != 1 {
			t.Fatalf("v%d: the group is described as %+v", version, g)
		}
		m := g.Members[0]
		wantType := int8(-1)
		if version == 1 {
			wantType = 1
		}
		if m.MemberID != member || m.MemberEpoch != 2 || m.ClientID != "test" || m.MemberType != wantType ||
			len(m.Assignment.TopicPartitions) != 1 || m.Assignment.TopicPartitions[0].Topic != "t" || len(m.TargetAssignment.TopicPartitions[0].Partitions) != 3 {
			t.Errorf("v%d: the member is described as %+v", version, m)
		}
		// behaviour 200
		if d.Groups[1].ErrorCode != 24 || d.Groups[2].ErrorCode != 69 {
			t.Errorf("v%d: groups \"\" and none have errors %d and %d, want 24 and 69", version, d.Groups[1].ErrorCode, d.Groups[2].ErrorCode)
		}

		list := kmsg.NewPtrListGroupsRequest()
		list.Version, list.TypesFilter = 5, []string{"Consumer"}
		l := ask[*kmsg.ListGroupsResponse](c, list)
		if len(l.Groups) != 1 || l.Groups[0].GroupType != "consumer" || l.Groups[0].GroupState != "Stable" || l.Groups[0].ProtocolType != "consumer" {
			t.Errorf("the group is listed as %+v", l.Groups)
		}

		// behaviour 199
		old := kmsg.NewPtrDescribeGroupsRequest()
		old.Version, old.Groups = 6, []string{"g"}
		if o := ask[*kmsg.DescribeGroupsResponse](c, old).Groups[0]; o.ErrorCode != 69 || *o.ErrorMessage != "Group g is not a classic group." {
			t.Errorf("DescribeGroups answers %+v", o)
		}

		leave := consumerHeartbeat(version, member, -1)
		if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, leave); resp.ErrorCode != 0 || resp.MemberEpoch != -1 { // behaviour 197
			t.Errorf("v%d: leaving is answered %+v", version, resp)
		}
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{"g"}
		if code := ask[*kmsg.DeleteGroupsResponse](c, del).Groups[0].ErrorCode; code != 0 {
			t.Errorf("the empty group is deleted with error %d", code)
		}
		if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(version, member, 2)); resp.ErrorCode != 69 {
			t.Errorf("a heartbeat to the deleted group has error %d", resp.ErrorCode)
		}
	}
}

func TestMemberEpochsGuardOffsets(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	id := b.image.Load().topic("t").id
	for _, test := range []struct {
		version int16
		member  string
		epoch   int32
		want    int16
	}{
		{9, "m", 2, 0}, {10, "m", 2, 0}, {9, "m", 1, 113}, {9, "m", 3, 113}, {9, "x", 2, 25}, {9, "", -1, 25}, {8, "m", 2, 35}, // behaviour 201
	} {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.MemberID, req.Generation = test.version, "g", test.member, test.epoch
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID = "t", id
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Offset = 7
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		if got := ask[*kmsg.OffsetCommitResponse](c, req).Topics[0].Partitions[0].ErrorCode; got != test.want {
			t.Errorf("OffsetCommit v%d by %q at epoch %d: error %d, want %d", test.version, test.member, test.epoch, got, test.want)
		}
	}
	for _, test := range []struct {
		member *string
		epoch  int32
		want   int16
	}{
		{nil, -1, 0}, {kmsg.StringPtr("m"), 2, 0}, {kmsg.StringPtr("m"), 1, 113}, {kmsg.StringPtr("x"), 2, 25}, // behaviour 202
	} {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Version = 9
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberID, g.MemberEpoch = "g", test.member, test.epoch
		req.Groups = append(req.Groups, g)
		got := ask[*kmsg.OffsetFetchResponse](c, req).Groups[0]
		if got.ErrorCode != test.want || test.want == 0 && got.Topics[0].Partitions[0].Offset != 7 {
			t.Errorf("OffsetFetch at epoch %d: %+v, want error %d", test.epoch, got, test.want)
		}
	}
}

func TestAConsumerGroupHasConfigsOfItsOwn(t *testing.T) {
	v := clock.NewVirtual(start2030)
	b := Start(t, WithTopic("t", 2, nil), WithClock(v))
	c := dial(t, b)
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
	for name, value := range map[string]string{"consumer.session.timeout.ms": "50000", "consumer.heartbeat.interval.ms": "6000", "consumer.assignment.interval.ms": "1000"} {
		cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		cfg.Name, cfg.Value = name, &value
		r.Configs = append(r.Configs, cfg)
	}
	alter.Resources = append(alter.Resources, r)
	if resp := ask[*kmsg.IncrementalAlterConfigsResponse](c, alter); resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("the group's configs cannot be set: %s", *resp.Resources[0].ErrorMessage)
	}
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "a", 0))
	// behaviour 196: a second assignment within the interval has to wait.
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "b", 0)); resp.MemberEpoch != 2 || assignedTo(resp) != "[]" {
		t.Errorf("a second member gets epoch %d and %s, want 2 and []", resp.MemberEpoch, assignedTo(resp))
	}
	v.Advance(time.Second)
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "a", 2)); resp.MemberEpoch != 2 || assignedTo(resp) != "[0]" {
		t.Errorf("the first member keeps epoch %d with %s, want 2 and [0]", resp.MemberEpoch, assignedTo(resp))
	}
	v.Advance(49 * time.Second)
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "a", 2))
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "b", 2)); resp.ErrorCode != 25 {
		t.Errorf("a member silent for 50 s has error %d, want 25", resp.ErrorCode)
	}
	epoch := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "a", 0)).MemberEpoch
	v.Advance(49 * time.Second)
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "a", epoch)); resp.HeartbeatIntervalMillis != 6000 {
		t.Errorf("the heartbeat interval of a group that is quiet is %d ms, want the group's 6000", resp.HeartbeatIntervalMillis)
	}
}

// A member learns by its heartbeats what others do: the less has happened lately,
// the fewer there are.
func TestMembersAskOftenAfterAChange(t *testing.T) { // behaviours 191, 196
	v := clock.NewVirtual(start2030)
	b := Start(t, WithTopic("t", 2, nil), WithClock(v))
	c := dial(t, b)
	beat := func(member string, epoch int32, want int32, has ...int32) *kmsg.ConsumerGroupHeartbeatResponse {
		t.Helper()
		req := consumerHeartbeat(1, member, epoch)
		if epoch > 0 {
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: topicIDOf(t, b, "t"), Partitions: has}}
		}
		resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, req)
		if resp.ErrorCode != 0 || resp.HeartbeatIntervalMillis != want {
			t.Errorf("%s at epoch %d: [%d], the next heartbeat in %d ms, want %d", member, epoch, resp.ErrorCode, resp.HeartbeatIntervalMillis, want)
		}
		return resp
	}
	beat("a", 0, 25)
	v.Advance(8 * time.Second)
	beat("a", 2, 1000, 0, 1)
	v.Advance(40 * time.Second)
	beat("a", 2, 5000, 0, 1) // as configured
	beat("b", 0, 25)
	v.Advance(4 * time.Second)
	beat("a", 2, 500, 0, 1) // must give one up
	beat("b", 3, 62)        // waits for it
	beat("a", 2, 500, 0)
	if got := assignedTo(beat("b", 3, 500)); got != "[1]" {
		t.Errorf("the second member got %s, want [1]", got)
	}
}

func TestConsumerGroupsCanBeSwitchedOff(t *testing.T) {
	b := Start(t, WithConfig("group.coordinator.rebalance.protocols", "classic"))
	if resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](dial(t, b), consumerHeartbeat(1, "m", 0)); resp.ErrorCode != 35 {
		t.Errorf("ConsumerGroupHeartbeat has error %d, want 35", resp.ErrorCode)
	}
}

func TestAClassicMemberMayJoinAConsumerGroup(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	md := kmsg.NewConsumerMemberMetadata()
	md.Topics = []string{"t"}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType, join.SessionTimeoutMillis = 4, "g", "consumer", 10_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: md.AppendTo(nil)}}
	resp := ask[*kmsg.JoinGroupResponse](c, join)
	if resp.ErrorCode != 79 || len(resp.MemberID) != 22 { // behaviour 203
		t.Fatalf("JoinGroup v4 is answered %+v", resp)
	}
	join.MemberID = resp.MemberID
	if resp := ask[*kmsg.JoinGroupResponse](c, join); resp.ErrorCode != 0 || resp.Generation != 3 || *resp.Protocol != "range" {
		t.Errorf("joining with it is answered %+v", resp)
	}
}

// readers are real clients that consume one topic as a group.
type readers struct {
	t     *testing.T
	b     *Broker
	mu    sync.Mutex
	has   map[string]map[int32]bool // client -> partitions
	moved chan struct{}
}

func newReaders(t *testing.T, b *Broker) *readers {
	return &readers{t: t, b: b, has: map[string]map[int32]bool{}, moved: make(chan struct{}, 1000)}
}

func (r *readers) start(name string, opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	change := func(assigned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, ps := range topics {
				for _, p := range ps {
					if r.has[name] == nil {
						r.has[name] = map[int32]bool{}
					}
					for other, has := range r.has {
						if assigned && other != name && has[p] {
							r.t.Errorf("%s gets partition %d, which %s has", name, p, other)
						}
					}
					if assigned {
						r.has[name][p] = true
					} else {
						delete(r.has[name], p)
					}
				}
			}
			r.moved <- struct{}{}
		}
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.b.Addr()), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.Balancers(kgo.RangeBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(client.Close)
	return client
}

// some is any number of partitions but none.
const some = -1

// await waits until each client has so many partitions.
func (r *readers) await(ctx context.Context, want map[string]int) {
	r.t.Helper()
	for {
		r.mu.Lock()
		done := true
		for name, n := range want {
			has := len(r.has[name])
			done = done && (has == n || n == some && has > 0)
		}
		text := fmt.Sprint(r.has)
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-r.moved:
		case <-ctx.Done():
			r.t.Fatalf("the clients have %s, want %v", text, want)
		}
	}
}

// A real client speaks the new protocol, takes turns with others, commits,
// and hands a group over from the classic protocol and back.
func TestAClientConsumesAsAConsumerGroup(t *testing.T) {
	b := Start(t, WithTopic("t", 4, nil),
		WithConfig("group.consumer.min.heartbeat.interval.ms", "50"), WithConfig("group.consumer.heartbeat.interval.ms", "50"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var kinds []string // of groups that heartbeats found
	stop := b.Observe(func(o Observation) {
		if o.Key == 68 || o.Key == 12 {
			mu.Lock()
			defer mu.Unlock()
			if k := fmt.Sprint(o.Key); !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	})
	defer stop()
	r := newReaders(t, b)
	a := r.start("a", kgo.ServerSideBalancer(), kgo.DisableAutoCommit())
	r.await(ctx, map[string]int{"a": 4})
	for i := range 8 {
		if err := a.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: int32(i % 4), Value: []byte{byte(i)}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	for len(got) < 8 {
		a.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { got = append(got, rec.Value...) })
	}
	slices.Sort(got)
	if !bytes.Equal(got, []byte{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("got records %v", got)
	}
	if err := a.CommitUncommittedOffsets(ctx); err != nil {
		t.Errorf("cannot commit: %v", err)
	}
	second := r.start("b", kgo.ServerSideBalancer())
	r.await(ctx, map[string]int{"a": 2, "b": 2})
	mu.Lock()
	if !slices.Equal(kinds, []string{"68"}) {
		t.Errorf("the clients sent heartbeats of kinds %v, want the new ones alone", kinds)
	}
	mu.Unlock()
	// A member of the classic protocol joins, and stays when the others go.
	r.start("old", kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.HeartbeatInterval(50*time.Millisecond))
	r.await(ctx, map[string]int{"a": some, "b": some, "old": some})
	second.Close()
	a.Close()
	r.await(ctx, map[string]int{"a": 0, "b": 0, "old": 4})
	// And back.
	r.start("c", kgo.ServerSideBalancer())
	r.await(ctx, map[string]int{"old": 2, "c": 2})
}

func TestAClientFollowsTopicsByPattern(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil),
		WithConfig("group.consumer.min.heartbeat.interval.ms", "50"), WithConfig("group.consumer.heartbeat.interval.ms", "50"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := newReaders(t, b)
	client := r.start("a", kgo.ServerSideBalancer(), kgo.ConsumeRegex(), kgo.ConsumeTopics("t[0-9]*"))
	r.await(ctx, map[string]int{"a": 1})
	if _, err := b.createTopic(newTopic{name: "t2", partitions: 3, replicas: -1}); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, map[string]int{"a": 3}) // partition 0 of both is one here
	_ = client
}
