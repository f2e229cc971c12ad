package group

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// crowd drives members the way clients do: they join, learn from a heartbeat
// or a refused sync that they must join again, and sync.
type crowd struct {
	g     *Classic
	joins []*kmsg.JoinGroupRequest
	gen   []int32
}

func newCrowd(n int) *crowd {
	s := newScript(nil, "group-1")
	c := &crowd{g: s.g, joins: make([]*kmsg.JoinGroupRequest, n), gen: make([]int32, n)}
	s.cfg.NewUUID, s.cfg.MaxSize = uuids(), math.MaxInt32
	md := consumerMetadata(3, "orders", "payments")
	for i := range c.joins {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.ProtocolType = 9, "group-1", "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 45000, 300000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: md}, {Name: "cooperative-sticky", Metadata: md}}
		c.joins[i] = r
	}
	return c
}

func uuids() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", n) }
}

var assignment = make([]byte, 60)

// take hands out answers; led is what the leader has to assign, if it was
// among them.
func (c *crowd) take(b testing.TB, e Effects) (led *kmsg.SyncGroupRequest) {
	for _, a := range e.Answers {
		i := a.Ticket.(int)
		switch r := a.Response.(type) {
		case *kmsg.JoinGroupResponse:
			c.joins[i].MemberID = r.MemberID
			c.gen[i] = r.Generation
			if r.ErrorCode == 0 && r.LeaderID == r.MemberID {
				led = c.sync(i)
				for _, m := range r.Members {
					led.GroupAssignment = append(led.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: assignment})
				}
			}
		case *kmsg.SyncGroupResponse:
			if r.ErrorCode != 0 {
				b.Fatalf("sync: %d", r.ErrorCode)
			}
		}
	}
	return led
}

func (c *crowd) sync(i int) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.MemberID, r.Generation = 5, c.joins[i].MemberID, c.gen[i]
	r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	return r
}

// settle has all members join and sync, in two rounds: the first member is
// alone in generation 1 and learns of the others.
func (c *crowd) settle(b testing.TB) {
	client := Client{"client", "/127.0.0.1"}
	for i, r := range c.joins { // each learns its id
		c.take(b, c.g.Join(start, client, r, i))
	}
	for i, r := range c.joins {
		c.take(b, c.g.Join(start, client, r, i))
	}
	var lead *kmsg.SyncGroupRequest
	if len(c.joins) == 1 {
		lead = c.sync(0)
		lead.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: lead.MemberID, MemberAssignment: assignment}}
	} else {
		hb := kmsg.HeartbeatRequest{MemberID: c.joins[0].MemberID, Generation: 1}
		if code, _ := c.g.Heartbeat(start, &hb); code != 27 {
			b.Fatalf("heartbeat: %d", code)
		}
		lead = c.take(b, c.g.Join(start, client, c.joins[0], 0))
	}
	for i := 1; i < len(c.joins); i++ {
		c.take(b, c.g.Sync(start, c.sync(i), i))
	}
	c.take(b, c.g.Sync(start, lead, 0))
	if c.g.State() != Stable || c.g.Members() != len(c.joins) {
		b.Fatalf("%s with %d members", c.g.State(), c.g.Members())
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, n := range []int{1, 20, 200, 2000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newCrowd(n).settle(b)
			}
		})
	}
}

// One after the other arrives in a settled group, the worst order there is:
// each brings everybody back.
func BenchmarkArriveOneByOne(b *testing.B) {
	const n = 200
	for b.Loop() {
		c := newCrowd(n)
		all := c.joins
		for k := 1; k <= n; k++ {
			c.joins = all[:k]
			var lead *kmsg.SyncGroupRequest
			join := func(i int) {
				if l := c.take(b, c.g.Join(start, Client{"client", "/127.0.0.1"}, c.joins[i], i)); l != nil {
					lead = l
				}
			}
			join(k - 1) // learns its id
			for i := k - 1; i >= 0; i-- {
				join(i)
			}
			for i := 1; i < k; i++ {
				c.take(b, c.g.Sync(start, c.sync(i), i))
			}
			c.take(b, c.g.Sync(start, lead, 0))
		}
		if c.g.State() != Stable || c.g.Members() != n {
			b.Fatalf("%s with %d members", c.g.State(), c.g.Members())
		}
	}
}

// Groups of one member that join, sync and commit; reports what each keeps.
func BenchmarkGroupsOfOne(b *testing.B) {
	const n = 1000
	var before, after runtime.MemStats
	for b.Loop() {
		groups := make([]*Classic, n)
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		for i := range groups {
			groups[i] = groupOfOne(b)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(groups)
		b.StartTimer()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/group")
}

func groupOfOne(b testing.TB) *Classic {
	c := newCrowd(1)
	c.settle(b)
	if resp, _ := c.g.CommitOffsets(start, commitOf(c), topics, new(CommitMemory)); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		b.Fatal("the commit failed")
	}
	return c.g
}

func commitOf(c *crowd) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.MemberID, r.Generation = 9, c.joins[0].MemberID, c.gen[0]
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = "t1"
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = 42
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func BenchmarkHeartbeat(b *testing.B) {
	c := newCrowd(200)
	c.settle(b)
	hb := kmsg.HeartbeatRequest{MemberID: c.joins[7].MemberID, Generation: c.gen[7]}
	b.ReportAllocs()
	for b.Loop() {
		if code, _ := c.g.Heartbeat(start, &hb); code != 0 {
			b.Fatal(code)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	c := newCrowd(1)
	c.settle(b)
	r := commitOf(c)
	b.ReportAllocs()
	for b.Loop() {
		c.g.CommitOffsets(start, r, topics, new(CommitMemory))
	}
}
