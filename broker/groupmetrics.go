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
	descLag        = desc("group_lag", "Offsets that a group has yet to commit, by partition that it has committed.", "group", "topic", "partition")
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

// committedPartition is one partition that a group has committed.
type committedPartition struct {
	topic     string
	partition int32
	offset    int64
}

func (s *groups) collect(ch chan<- prometheus.Metric) {
	type kindAndState struct{ kind, state string }
	groups := make(map[kindAndState]int)
	members := make(map[string]int)
	left, out := maxLagSeries, 0
	ids := s.all()
	slices.Sort(ids)
	for _, id := range ids {
		var committed []committedPartition
		s.peek(id, func(g *group.Group) {
			groups[kindAndState{g.Kind(), string(g.State())}]++
			members[g.Kind()] += g.Members()
			for _, topic := range g.Offsets().Topics() {
				for _, p := range g.Offsets().Partitions(topic) {
					committed = append(committed, committedPartition{topic, p.Partition, p.Offset})
				}
			}
		})
		n := min(left, len(committed))
		left, out = left-n, out+len(committed)-n
		for _, c := range committed[:n] {
			s.collectLag(ch, id, c)
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

// collectLag tells how far a group is behind on a partition that still exists.
func (s *groups) collectLag(ch chan<- prometheus.Metric, id string, c committedPartition) {
	t := s.b.image.Load().topic(c.topic)
	if t == nil || int(c.partition) >= len(t.partitions) {
		return
	}
	lag := max(0, t.partitions[c.partition].highWatermark.Load()-c.offset)
	ch <- prometheus.MustNewConstMetric(descLag, prometheus.GaugeValue, float64(lag), id, c.topic, strconv.Itoa(int(c.partition)))
}
