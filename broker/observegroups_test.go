package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (e GroupEvent) line() string {
	return fmt.Sprintf("%s %s>%s %d %q %v: %s", e.Kind, e.From, e.To, e.Epoch, e.Member, e.Assignment, e.Why)
}

func TestEachStepOfAGroupIsAnEvent(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	c := dial(t, b)
	var seen []string
	stop := b.ObserveGroups(func(e GroupEvent) {
		if e.Time.IsZero() || e.Group != "g" {
			t.Errorf("an event of group %q at %s", e.Group, e.Time)
		}
		if e.To == b.Group("g").State() { // no lock is held
			seen = append(seen, e.line())
		}
	})
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 2)) // nothing new
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", -1))
	want := []string{
		`consumer Empty>Stable 2 "m" map[t:[0 1]]: member reached its target`,
		`consumer Stable>Empty 3 "m" map[]: member left`,
	}
	if seen = slices.DeleteFunc(seen, func(s string) bool { return strings.HasPrefix(s, "consumer Empty>Empty") }); !slices.Equal(seen, want) {
		t.Errorf("the events of a consumer group are\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	stop()
	seen = nil
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	if len(seen) != 0 || b.groups.watchers.any() || len(b.groups.watchers.queue) != 0 {
		t.Errorf("events are told to who stopped: %q", seen)
	}
}

func TestAClassicMembersPartitionsAreSeen(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	var mu sync.Mutex
	var seen []GroupEvent
	b.ObserveGroups(func(e GroupEvent) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, e)
	})
	client := kgoClient(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit())
	if err := b.Group("g").WaitForStable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	client.Close() // leaves
	if err := b.Group("g").WaitForState(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	if err := b.WaitFor(t.Context(), "the last event", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen[len(seen)-1].To == "Empty"
	}); err != nil {
		t.Fatal(err)
	}
	var states []string
	var got map[string][]int32
	for i, e := range seen {
		if e.Kind != "classic" || i > 0 && e.From != seen[i-1].To {
			t.Errorf("after %s comes %s", seen[max(i-1, 0)].line(), e.line())
		}
		if e.From != e.To {
			states = append(states, e.To)
		}
		if e.Assignment != nil {
			got = e.Assignment
		}
	}
	if want := []string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "PreparingRebalance", "Empty"}; !slices.Equal(states, want) {
		t.Errorf("the group's states are %q, want %q", states, want)
	}
	if !slices.Equal(got["t"], []int32{0, 1}) {
		t.Errorf("the member's partitions are %v, want both", got)
	}
}

func TestAnObserverOfGroupsMayChangeThem(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	c, other := dial(t, b), dial(t, b)
	events := 0
	b.ObserveGroups(func(e GroupEvent) {
		if events++; e.Group == "g" && e.To == "Empty" && e.From == "Stable" {
			del := kmsg.NewPtrDeleteGroupsRequest()
			del.Groups = []string{"g"}
			if code := ask[*kmsg.DeleteGroupsResponse](other, del).Groups[0].ErrorCode; code != 0 {
				t.Errorf("deleting the group is answered [%d]", code)
			}
		}
	})
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", -1))
	if len(b.Groups()) != 0 {
		t.Errorf("the groups are %q after %d events, want none", b.Groups(), events)
	}
}

func TestGroupsHaveMetrics(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	if err := b.Produce("t", Record{}, Record{}, Record{}); err != nil {
		t.Fatal(err)
	}
	ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	commitOffset(t, c, "simple", "t", 1)
	groupOfOne(t, c, "classic")
	got := exportedWith(t, b, "minibroker_group")
	want := map[string]float64{
		"minibroker_groups{kind=classic,state=Empty}":             1,
		"minibroker_groups{kind=classic,state=Stable}":            1,
		"minibroker_groups{kind=consumer,state=Stable}":           1,
		"minibroker_group_members{kind=classic}":                  1,
		"minibroker_group_members{kind=consumer}":                 1,
		"minibroker_group_rebalances_total{kind=classic}":         1,
		"minibroker_group_rebalances_total{kind=consumer}":        1,
		"minibroker_group_lag{group=simple,partition=0,topic=t}":  2,
		"minibroker_group_lag{group=classic,partition=0,topic=t}": 0, // it committed more than there is
		"minibroker_group_lag_left_out{}":                         0,
		"minibroker_group_members{kind=share}":                    0,
		"minibroker_group_rebalances_total{kind=streams}":         0,
	}
	for name, v := range want {
		if has, ok := got[name]; !ok || has != v {
			t.Errorf("%s is %v (there: %v), want %v", name, has, ok, v)
		}
	}
}
