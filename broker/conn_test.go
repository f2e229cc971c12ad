package broker

import (
	rtm "runtime/metrics"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestOthersAreLetInBeforeLongWork holds what makes another thread look: a goroutine that is started.
func TestOthersAreLetInBeforeLongWork(t *testing.T) {
	c := dial(t, Start(t))
	join := joinRequest("g", "nobody")
	join.Protocols[0].Metadata = nil
	frame := len(requestFrame(join)) - 4 // without its size
	for size, want := range map[int]uint64{frame: 0, longWork: 0, longWork + 1: 1, 2 * longWork: 1} {
		join.Protocols[0].Metadata = make([]byte, size-frame)
		fewest := ^uint64(0) // now and then a timer or the collector starts one, too
		for range 20 {
			before := goroutinesStarted()
			ask[*kmsg.JoinGroupResponse](c, join)
			fewest = min(fewest, goroutinesStarted()-before)
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
