package broker

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"minibroker/broker/group"
)

// This file owns the metrics of groups. All but the number of rebalances is
// looked up when Prometheus asks.

// maxLagSeries bounds how many partitions' lag is told: each is a time series
// that Prometheus keeps. The groups that come first by their ids are in.
const maxLagSeries = 10_000

var (
	descGroups     = desc("groups", "Groups, by kind and state.", "kind", "state")
	descMembers    = desc("group_members", "Members of groups, by kind.", "kind")
	descRebalances = desc("group_rebalances_total", "Rebalances: generations and epochs that groups began, by kind.", "kind")
	descLag        = desc("group_lag", "Offsets that a group has yet to commit, by partition that it has committed; records that a share group is not done with, by partition that it has begun.", "group", "topic", "partition")
	descLagLeftOut = desc("group_lag_left_out", "Partitions whose lag is not told because there are too many.")
)

// groupKinds are all kinds, so that each has a metric from the start.
var groupKinds = [...]string{group.KindClassic, group.KindConsumer, group.KindShare, "streams"}

// rebalances counts what groups went through, in groupKinds' order.
type rebalances [len(groupKinds)]atomic.Uint64

// count needs the group's lock.
func (r *rebalances) count(gs *groupState) {
	epoch := gs.g.Epoch()
	if epoch > gs.epoch {
		r[slices.Index(groupKinds[:], gs.g.Kind())].Add(1)
	}
	gs.epoch = epoch
}

// lagging is how far a group is behind on one partition.
type lagging struct {
	topic     string
	partition int32
	lag       int64
}

func (s *groups) collect(ch chan<- prometheus.Metric) {
	type kindAndState struct{ kind, state string }
	groups := make(map[kindAndState]int)
	members := make(map[string]int)
	left, out := maxLagSeries, 0
	ids := s.all()
	slices.Sort(ids)
	for _, id := range ids {
		var behind []lagging
		shared := false
		s.peek(id, func(g *group.Group) {
			groups[kindAndState{g.Kind(), string(g.State())}]++
			members[g.Kind()] += g.Members()
			shared = g.IsShare()
			behind = s.behind(g)
		})
		if shared {
			behind = s.b.Group(id).behind()
		}
		n := min(left, len(behind))
		left, out = left-n, out+len(behind)-n
		for _, l := range behind[:n] {
			ch <- prometheus.MustNewConstMetric(descLag, prometheus.GaugeValue, float64(l.lag), id, l.topic, strconv.Itoa(int(l.partition)))
		}
	}
	for i, kind := range groupKinds {
		ch <- prometheus.MustNewConstMetric(descMembers, prometheus.GaugeValue, float64(members[kind]), kind)
		ch <- prometheus.MustNewConstMetric(descRebalances, prometheus.CounterValue, float64(s.rebalances[i].Load()), kind)
	}
	byName := func(a, b kindAndState) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.state, b.state)) }
	for _, k := range slices.SortedFunc(maps.Keys(groups), byName) {
		ch <- prometheus.MustNewConstMetric(descGroups, prometheus.GaugeValue, float64(groups[k]), k.kind, k.state)
	}
	ch <- prometheus.MustNewConstMetric(descLagLeftOut, prometheus.GaugeValue, float64(out))
}

// behind is how far a group is behind on the partitions that it has committed
// and that still exist.
func (s *groups) behind(g *group.Group) (all []lagging) {
	m := s.b.image.Load()
	for _, name := range g.Offsets().Topics() {
		t := m.topic(name)
		if t == nil {
			continue
		}
		for _, p := range g.Offsets().Partitions(name) {
			if log := t.partition(p.Partition); log != nil {
				all = append(all, lagging{name, p.Partition, max(0, log.highWatermark.Load()-p.Offset)})
			}
		}
	}
	return all
}

// behind is how far a share group is behind.
func (g Group) behind() (all []lagging) {
	for _, topic := range g.ShareTopics() {
		at := g.Shares(topic)
		for _, p := range slices.Sorted(maps.Keys(at)) {
			all = append(all, lagging{topic, p, at[p].Lag})
		}
	}
	return all
}
