package group

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// swarm drives members of a consumer group the way clients do: they send a
// heartbeat when it is their turn, and give up what they are told to.
type swarm struct {
	*consumerScript
	g    *Group
	reqs []*kmsg.ConsumerGroupHeartbeatRequest
}

func newSwarm(id string, n, partitions int) *swarm {
	w := &swarm{consumerScript: newConsumerScript(nil)}
	w.setTopics([]string{"orders:" + strconv.Itoa(partitions), "payments:" + strconv.Itoa(partitions)})
	w.cfg.Consumer.MaxSize = math.MaxInt32
	w.g = NewGroup(id, w.cfg)
	for i := range n {
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		r.Version, r.MemberID = 1, fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", i)
		r.RebalanceTimeoutMillis = 300_000
		r.SubscribedTopicNames = []string{"orders", "payments"}
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		w.reqs = append(w.reqs, r)
	}
	return w
}

// beat sends one member's heartbeat, and tells whether anything moved.
func (w *swarm) beat(b testing.TB, i int, cluster Cluster) bool {
	r := w.reqs[i]
	joins := r.MemberEpoch == 0
	resp, _ := w.g.ConsumerHeartbeat(start, Client{"client", "/127.0.0.1"}, r, cluster, w.timing)
	if resp.ErrorCode != 0 {
		b.Fatalf("heartbeat: %d %s", resp.ErrorCode, reason(resp.ErrorMessage))
	}
	moved := joins || resp.Assignment != nil || resp.MemberEpoch != r.MemberEpoch
	r.MemberEpoch, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = resp.MemberEpoch, -1, nil
	r.Topics = nil
	if resp.Assignment != nil {
		r.Topics = make([]kmsg.ConsumerGroupHeartbeatRequestTopic, len(resp.Assignment.Topics))
		for k, t := range resp.Assignment.Topics {
			r.Topics[k] = kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions}
		}
	}
	return moved
}

// settle has all join, and goes on until nothing moves. It returns how many
// heartbeats it took.
func (w *swarm) settle(b testing.TB) (beats int) {
	cluster := w.cluster()
	for moved := true; moved; {
		moved = false
		for i := range w.reqs {
			moved = w.beat(b, i, cluster) || moved
			beats++
		}
	}
	if w.g.State() != Stable || w.g.Members() != len(w.reqs) {
		b.Fatalf("%s with %d members", w.g.State(), w.g.Members())
	}
	return beats
}

func BenchmarkConsumersSettle(b *testing.B) {
	for _, n := range []int{1, 20, 200, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			beats := 0
			for b.Loop() {
				beats = newSwarm("group-1", n, n).settle(b)
			}
			b.ReportMetric(float64(beats)/float64(n), "beats/member")
		})
	}
}

func BenchmarkConsumerHeartbeat(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := newSwarm("group-1", n, 100)
			w.settle(b)
			cluster := w.cluster()
			b.ReportAllocs()
			for b.Loop() {
				w.beat(b, 0, cluster)
			}
		})
	}
}

// A group of one costs few bytes.
func TestAConsumerGroupOfOneIsSmall(t *testing.T) {
	const groups, limit = 1000, 10 << 10
	base := newSwarm("", 1, 4)
	var before, after runtime.MemStats
	all := make([]*Group, groups)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		w := newSwarm("group-"+strconv.Itoa(i), 1, 4)
		w.g = NewGroup("group-"+strconv.Itoa(i), base.cfg)
		w.settle(t)
		w.g.CommitOffsets(start, commitOne(w.reqs[0]), base.cluster().Lookup, new(CommitMemory))
		all[i] = w.g
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / groups
	t.Logf("%d bytes per group of one", each)
	if each > limit {
		t.Errorf("a group of one has %d bytes, want at most %d", each, limit)
	}
	runtime.KeepAlive(all)
}

func commitOne(m *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.MemberID, req.Generation = 9, m.MemberID, m.MemberEpoch
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "orders"
	rt.Partitions = append(rt.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	req.Topics = append(req.Topics, rt)
	return req
}
