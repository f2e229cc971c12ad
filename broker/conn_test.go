package broker

import (
	rtm "runtime/metrics"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestOthersAreLetInBeforeLongWork holds what makes another thread look, a
// goroutine that is started, and that a thread without a core gets this one's.
func TestOthersAreLetInBeforeLongWork(t *testing.T) {
	var yields atomic.Int32
	yield := yieldCore
	yieldCore = func() { yields.Add(1) }
	t.Cleanup(func() { yieldCore = yield }) // after the broker's end
	c := dial(t, Start(t))
	join := joinRequest("g", "nobody")
	join.Protocols[0].Metadata = nil
	frame := len(requestFrame(join)) - 4 // without its size
	for size, want := range map[int]uint64{frame: 0, longWork: 0, longWork + 1: 1, 2 * longWork: 1} {
		join.Protocols[0].Metadata = make([]byte, size-frame)
		fewest := ^uint64(0) // now and then a timer or the collector starts one, too
		for range 20 {
			yields.Store(0)
			before := goroutinesStarted()
			ask[*kmsg.JoinGroupResponse](c, join)
			fewest = min(fewest, goroutinesStarted()-before)
			if n := yields.Load(); n != int32(want) {
				t.Fatalf("before a request of %d bytes the core is offered %d times, want %d", size, n, want)
			}
		}
		if fewest != want {
			t.Errorf("a request of %d bytes starts %d goroutines, want %d", size, fewest, want)
		}
	}
}

// goroutinesStarted is how many there ever were.
func goroutinesStarted() uint64 {
	sample := []rtm.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	rtm.Read(sample)
	return sample[0].Value.Uint64()
}
