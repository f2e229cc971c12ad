package group

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// streamsSwarm drives the threads of an application the way Kafka Streams does.
// Two of them share a process.
type streamsSwarm struct {
	*streamsSim
	threads []*thread
}

func newStreamsSwarm(b testing.TB, n, tasks int) *streamsSwarm {
	w := &streamsSwarm{streamsSim: newStreamsSim(b)}
	w.cfg.Streams.MaxSize = math.MaxInt32
	w.setTopics([]string{"t1:" + strconv.Itoa(tasks)})
	for i := range n {
		w.threads = append(w.threads, &thread{id: fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", i), process: fmt.Sprintf("process-%d", i/2)})
	}
	return w
}

// beat sends one thread's heartbeat, and tells whether anything moved.
func (w *streamsSwarm) beat(b testing.TB, th *thread) bool {
	r := w.first(th)
	if th.in {
		r = w.later(th, !sameTasks(th.holds, th.told))
		th.holds = th.told
		if r.ActiveTasks != nil {
			r = w.later(th, true)
		}
	}
	resp := w.send(r)
	if resp.ErrorCode != 0 {
		b.Fatalf("heartbeat: %d %s", resp.ErrorCode, reason(resp.ErrorMessage))
	}
	moved := !th.in || resp.ActiveTasks != nil || resp.MemberEpoch != th.epoch
	th.in, th.epoch = true, resp.MemberEpoch
	if resp.ActiveTasks != nil {
		th.told = roles{readTasks(resp.ActiveTasks), readTasks(resp.StandbyTasks), readTasks(resp.WarmupTasks)}
	}
	return moved
}

// settle has all join, and goes on until nothing moves. It returns how many
// heartbeats it took.
func (w *streamsSwarm) settleAll(b testing.TB) (beats int) {
	for quiet := 0; quiet < 2; quiet++ {
		for _, th := range w.threads {
			if w.beat(b, th) {
				quiet = -1
			}
			beats++
		}
	}
	if w.g.State() != Stable || w.g.Members() != len(w.threads) {
		b.Fatalf("%s with %d members", w.g.State(), w.g.Members())
	}
	return beats
}

func BenchmarkStreamsSettle(b *testing.B) {
	for _, n := range []int{1, 20, 200} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			beats := 0
			for b.Loop() {
				beats = newStreamsSwarm(b, n, n).settleAll(b)
			}
			b.ReportMetric(float64(beats)/float64(n), "beats/member")
		})
	}
}

func BenchmarkStreamsHeartbeat(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := newStreamsSwarm(b, n, 100)
			w.settleAll(b)
			r, cluster := w.later(w.threads[0], false), w.cluster()
			b.ReportAllocs()
			for b.Loop() {
				w.g.StreamsHeartbeat(start, Client{"client", "/127.0.0.1"}, r, cluster, w.settings, nil)
			}
		})
	}
}

// A group of one thread with four tasks costs few bytes, its topology included.
func TestAStreamsGroupOfOneIsSmall(t *testing.T) {
	const groups, limit = 500, 10 << 10
	all := make([]*Group, groups)
	base := newStreamsSwarm(t, 1, 2)
	base.settleAll(t)
	cluster := base.cluster()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		all[i] = NewGroup("group-"+strconv.Itoa(i), base.cfg)
		r := base.first(base.threads[0])
		r.Topology = streamsApp()
		resp, _, _ := all[i].StreamsHeartbeat(start, Client{"client", "/127.0.0.1"}, r, cluster, base.settings, nil)
		if resp == nil || resp.ErrorCode != 0 || len(resp.ActiveTasks) != 2 {
			t.Fatalf("a join is answered %+v", resp)
		}
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

// The topics of an application are found by name, however many there are.
func TestStreamsHeartbeatsLookAtTopicsOnlyWhenTheyChange(t *testing.T) {
	w := newStreamsSwarm(t, 1, 2)
	w.settleAll(t)
	cluster, asked := w.cluster(), 0
	lookup := cluster.Lookup
	cluster.Lookup = func(name string, id [16]byte) Topic { asked++; return lookup(name, id) }
	beat := func() *kmsg.StreamsGroupHeartbeatResponse {
		resp, _, _ := w.g.StreamsHeartbeat(w.now, Client{"client", "/127.0.0.1"}, w.later(w.threads[0], false), cluster, w.settings, nil)
		return resp
	}
	if beat(); asked != 0 {
		t.Errorf("a heartbeat looked up %d topics, though none had changed", asked)
	}
	cluster.Version++
	if beat(); asked != 3 {
		t.Errorf("a heartbeat after a change looked up %d topics, want the application's 3", asked)
	}
}
