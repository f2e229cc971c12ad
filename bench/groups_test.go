package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// This file measures groups, in this process: how soon a member is ready or replaced, and what time and memory members
// and groups take. go test ./bench -run '^$' -bench Groups -benchtime 3x

const groupTopic = "t"

// groupServers are the brokers that are measured. start returns an address.
var groupServers = []struct {
	name  string
	start func(tb testing.TB) string
}{
	{"minibroker", func(tb testing.TB) string {
		return broker.Start(tb, broker.WithTopic(groupTopic, 200, nil), broker.WithTopic("one", 1, nil)).Addr()
	}},
	{"kfake", func(tb testing.TB) string {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(200, groupTopic), kfake.SeedTopics(1, "one"),
			kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(c.Close)
		return c.ListenAddrs()[0]
	}},
}

// groupProtocols are how kgo consumes in a group.
var groupProtocols = []struct {
	name string
	opts []kgo.Opt
}{
	{"classic", []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}},
	{"consumer", []kgo.Opt{kgo.ServerSideBalancer()}},
}

// eachGroupServer runs f with each protocol on each server.
func eachGroupServer(b *testing.B, f func(b *testing.B, address, protocol string, opts []kgo.Opt)) {
	for _, p := range groupProtocols {
		for _, s := range groupServers {
			b.Run(p.name+"/"+s.name, func(b *testing.B) { f(b, s.start(b), p.name, p.opts) })
		}
	}
}

// requests counts what a client sends for its group.
type requests struct{ n atomic.Int64 }

func (r *requests) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err == nil && slices.Contains([]int16{10, 11, 12, 14, 68, 9}, key) {
		r.n.Add(1)
	}
}

// member starts a consumer. has gets how many partitions it has, each time that changes.
func member(b *testing.B, address, group string, opts ...kgo.Opt) (cl *kgo.Client, has chan int) {
	b.Helper()
	has = make(chan int, 1000)
	n := 0
	count := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, of map[string][]int32) {
			n += sign * len(of[groupTopic])
			has <- n
		}
	}
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(groupTopic),
		kgo.OnPartitionsAssigned(count(1)), kgo.OnPartitionsRevoked(count(-1)), kgo.OnPartitionsLost(count(-1)))...)
	if err != nil {
		b.Fatal(err)
	}
	return cl, has
}

func await(b *testing.B, has chan int, want int) {
	b.Helper()
	for {
		select {
		case n := <-has:
			if n == want {
				return
			}
		case <-time.After(time.Minute):
			b.Fatalf("no member has %d partitions after a minute", want)
		}
	}
}

// A group of one: from making the client until it has its partitions.
func BenchmarkGroupsOneMemberReady(b *testing.B) {
	eachGroupServer(b, func(b *testing.B, address, _ string, opts []kgo.Opt) {
		var sent requests
		for i := 0; b.Loop(); i++ {
			cl, has := member(b, address, fmt.Sprint("group-", i), append(slices.Clone(opts), kgo.WithHooks(&sent))...)
			await(b, has, 200)
			b.StopTimer()
			b.ReportMetric(float64(sent.n.Swap(0)), "requests")
			cl.Close()
			b.StartTimer()
		}
	})
}

// One of two members leaves a second after they settled: until the other has all partitions.
func BenchmarkGroupsLeavingMemberReplaced(b *testing.B) {
	eachGroupServer(b, func(b *testing.B, address, _ string, opts []kgo.Opt) {
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			group := fmt.Sprint("group-", i)
			stays, has := member(b, address, group, opts...)
			await(b, has, 200)
			leaves, half := member(b, address, group, opts...)
			await(b, half, 100)
			time.Sleep(time.Second)
			for len(has) > 0 {
				<-has
			}
			b.StartTimer()
			leaves.Close()
			await(b, has, 200)
			b.StopTimer()
			stays.Close()
			b.StartTimer()
		}
	})
}

// Members that join an empty group at once, each on a connection of its own: until each has its share. Processor time is that of
// clients and server.
func BenchmarkGroupsSettle(b *testing.B) {
	for _, members := range []int{10, 50, 200} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			eachGroupServer(b, func(b *testing.B, address, protocol string, _ []kgo.Opt) {
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					clients := make([]*client, members)
					for j := range clients {
						var err error
						if clients[j], err = connect(&server{addr: address}); err != nil {
							b.Fatal(err)
						}
					}
					group := fmt.Sprint("group-", i)
					if err := coordinator(clients[0], group); err != nil {
						b.Fatal(err)
					}
					cpu := cpuNow(b)
					b.StartTimer()
					var wg sync.WaitGroup
					all := &settling{missing: members, done: make(chan struct{})}
					errs := make([]error, members)
					for j, c := range clients {
						wg.Go(func() {
							if protocol == "classic" {
								errs[j] = settle(c, group, members)
							} else {
								_, errs[j] = settleConsumer(c, group, fmt.Sprint("member-", j), groupTopic, 200/members, all)
							}
						})
					}
					wg.Wait()
					b.StopTimer()
					for _, err := range errs {
						if err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64((cpuNow(b)-cpu).Microseconds())/1000, "cpu-ms")
					closeAll(clients)
					b.StartTimer()
				}
			})
		})
	}
}

// settling is members that do not have their share of the partitions yet.
type settling struct {
	mu      sync.Mutex
	missing int
	done    chan struct{} // closed when all have
}

func (s *settling) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.missing += n; s.missing == 0 {
		close(s.done)
	}
}

// settleConsumer sends heartbeats as it is told to, until all members have their share.
func settleConsumer(c *client, group, id, topic string, share int, all *settling) (epoch int32, err error) {
	had := false
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, group, id, 60_000
	beat.SubscribedTopicNames = []string{topic}
	beat.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for {
		resp, err := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, "bench", beat)
		if err != nil {
			return 0, err
		}
		if resp.ErrorCode != 0 {
			return 0, fmt.Errorf("a heartbeat is answered [%d]", resp.ErrorCode)
		}
		beat.MemberEpoch, beat.RebalanceTimeoutMillis, beat.SubscribedTopicNames = resp.MemberEpoch, -1, nil
		if a := resp.Assignment; a != nil {
			beat.Topics = beat.Topics[:0]
			n := 0
			for _, t := range a.Topics {
				beat.Topics = append(beat.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
				n += len(t.Partitions)
			}
			switch has := n == share; {
			case has && !had:
				all.add(-1)
			case had && !has:
				all.add(1)
			}
			had = n == share
			continue // it says at once what it has
		}
		select {
		case <-all.done:
			return resp.MemberEpoch, nil
		case <-time.After(time.Duration(resp.HeartbeatIntervalMillis) * time.Millisecond):
		}
	}
}

// Groups of one that join, sync and commit, one after the other. The bytes are those of the whole process.
func BenchmarkGroupsOfOne(b *testing.B) {
	for _, groups := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			eachGroupServer(b, func(b *testing.B, address, protocol string, _ []kgo.Opt) {
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					c, err := connect(&server{addr: address})
					if err != nil {
						b.Fatal(err)
					}
					if err := coordinator(c, "group"); err != nil {
						b.Fatal(err)
					}
					before, cpu := heapNow(), cpuNow(b)
					b.StartTimer()
					for j := range groups {
						if err := oneOf(c, protocol, fmt.Sprintf("group-%d-%d", i, j)); err != nil {
							b.Fatal(err)
						}
					}
					b.StopTimer()
					b.ReportMetric(float64((cpuNow(b)-cpu).Microseconds())/1000, "cpu-ms")
					b.ReportMetric((float64(heapNow())-float64(before))/float64(groups), "B/group")
					c.close()
					b.StartTimer()
				}
			})
		})
	}
}

// oneOf makes a group of one member that commits.
func oneOf(c *client, protocol, group string) error {
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group = 9, group
	if protocol == "classic" {
		joined, err := joinAlone(c, group)
		if err != nil {
			return err
		}
		commit.MemberID, commit.Generation = joined.MemberID, joined.Generation
	} else {
		epoch, err := settleConsumer(c, group, "member", "one", 1, &settling{missing: 1, done: make(chan struct{})})
		if err != nil {
			return err
		}
		commit.MemberID, commit.Generation = "member", epoch
	}
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = "one"
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = 1
	t.Partitions = append(t.Partitions, p)
	commit.Topics = append(commit.Topics, t)
	resp, err := ask[*kmsg.OffsetCommitResponse](c, "bench", commit)
	if err == nil && resp.Topics[0].Partitions[0].ErrorCode != 0 {
		err = fmt.Errorf("a commit of %s is answered [%d]", group, resp.Topics[0].Partitions[0].ErrorCode)
	}
	return err
}

// cpuNow is the processor time of this process, client and server.
func cpuNow(b *testing.B) time.Duration {
	d, err := (&server{pid: os.Getpid()}).cpu()
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
