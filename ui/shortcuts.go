package ui

// This file owns what the pages know sooner when the cluster is in this
// process: what clients have to ask for, the broker can be asked directly. The
// answers are the same; for another cluster the pages ask as every client does.

import (
	"context"
	"strings"

	"minibroker/broker"
)

// topicName is a topic of a list, before anything is asked about it.
type topicName struct {
	name       string
	internal   bool
	partitions int
}

// topicNames are all topics in order, the partitions that have no leader, and
// who the brokers are.
func (s *site) topicNames(ctx context.Context) (all []topicName, offline int, err error) {
	if s.broker != nil {
		for _, name := range s.broker.Topics() {
			n := len(s.broker.Topic(name).HighWatermarks())
			all = append(all, topicName{name, strings.HasPrefix(name, "__") && internalTopics[name], n})
			offline += n
		}
		for _, b := range s.broker.Brokers() {
			offline -= b.Leads
		}
		return all, max(0, offline), nil
	}
	m, err := s.cluster.metadata(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range m.Topics {
		if t.Topic == nil {
			continue
		}
		all = append(all, topicName{*t.Topic, t.IsInternal, len(t.Partitions)})
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				offline++
			}
		}
	}
	return all, offline, nil
}

// internalTopics are those that brokers keep their own state in.
var internalTopics = map[string]bool{"__consumer_offsets": true, "__transaction_state": true, "__share_group_state": true}

// direct are the offsets at an end of partitions, of a broker in this process.
func direct(b *broker.Broker, at int64, partitions map[string][]int32) map[string]map[int32]int64 {
	found := make(map[string]map[int32]int64, len(partitions))
	for topic, ps := range partitions {
		offsets := b.Topic(topic).HighWatermarks
		if at == atStart {
			offsets = b.Topic(topic).StartOffsets
		}
		all := offsets()
		found[topic] = make(map[int32]int64, len(ps))
		for _, p := range ps {
			if int(p) < len(all) {
				found[topic][p] = all[p]
			}
		}
	}
	return found
}

// concerned are the groups that may have to do with a topic: all of them, unless
// the broker is here to tell.
func (s *site) concerned(topic string, groups map[string]listedGroup) map[string]listedGroup {
	if s.broker == nil {
		return groups
	}
	some := map[string]listedGroup{}
	for id, g := range groups {
		if g.kind == shareKind || len(s.broker.Group(id).Committed()[topic]) > 0 {
			some[id] = g
		}
	}
	return some
}
