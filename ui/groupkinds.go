package ui

// This file owns what groups of all kinds have in common: classic groups,
// consumer groups (KIP-848), share groups (KIP-932) and streams groups
// (KIP-1071), each of which is described by an API of its own.

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The kinds of groups, as ListGroups names them.
const (
	classicKind  = "Classic"
	consumerKind = "Consumer"
	shareKind    = "Share"
	streamsKind  = "Streams"
)

// listedGroup is a group as ListGroups tells it.
type listedGroup struct {
	id, state, protocol, kind string
	coordinator               int32
}

// listGroups asks every broker for its groups.
func (c *cluster) listGroups(ctx context.Context) (map[string]listedGroup, error) {
	all := map[string]listedGroup{}
	var failed error
	for _, shard := range c.client.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		if shard.Err != nil {
			failed = shard.Err
			continue
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			failed = err
			continue
		}
		for _, g := range resp.Groups {
			l := listedGroup{g.Group, g.GroupState, g.ProtocolType, title(g.GroupType), shard.Meta.NodeID}
			if l.kind == "" {
				l.kind = classicKind // a broker that knows no other
			}
			all[g.Group] = l
		}
	}
	if len(all) == 0 && failed != nil {
		return nil, failed
	}
	return all, nil
}

// title is a kind as it is shown; brokers write it in their own way.
func title(kind string) string {
	if kind == "" {
		return ""
	}
	return strings.ToUpper(kind[:1]) + strings.ToLower(kind[1:])
}

// described is a group of any kind, in the words of the classic one.
type described struct {
	kind, state, assignor, protocol string
	coordinator                     int32
	epoch                           int32 // -1: the kind has none to tell
	members                         []memberRow
}

// describe asks for groups. One that is gone meanwhile is not in the result.
func (s *site) describe(ctx context.Context, listed ...listedGroup) (map[string]described, error) {
	found := make(map[string]described, len(listed))
	of := map[string][]string{}
	for _, l := range listed {
		of[l.kind] = append(of[l.kind], l.id)
	}
	if ids := of[classicKind]; len(ids) > 0 {
		if err := s.describeClassic(ctx, ids, found); err != nil {
			return nil, err
		}
	}
	if ids := of[consumerKind]; len(ids) > 0 {
		s.describeConsumer(ctx, ids, found)
	}
	if ids := of[shareKind]; len(ids) > 0 {
		s.describeShare(ctx, ids, found)
	}
	for _, l := range listed {
		if l.kind == streamsKind {
			s.describeStreams(ctx, l, found)
		}
	}
	return found, nil
}

func member(id, client, host string) memberRow {
	return memberRow{ID: id, Client: client, Host: strings.TrimPrefix(host, "/"), Heard: unknown}
}

func assignment(set kadm.TopicsSet) []assigned {
	var all []assigned
	for _, topic := range slices.Sorted(maps.Keys(set)) {
		all = append(all, assigned{topic, slices.Sorted(maps.Keys(set[topic]))})
	}
	return all
}

func (s *site) describeClassic(ctx context.Context, ids []string, found map[string]described) error {
	groups, err := s.cluster.admin.DescribeGroups(ctx, ids...)
	if err != nil && len(groups) == 0 {
		return err
	}
	for _, g := range groups {
		if g.Err != nil || g.State == "Dead" {
			continue
		}
		d := described{kind: classicKind, state: g.State, assignor: g.Protocol, protocol: g.ProtocolType, coordinator: g.Coordinator.NodeID, epoch: -1}
		for _, m := range g.Members {
			row := member(m.MemberID, m.ClientID, m.ClientHost)
			row.Instance = text(m.InstanceID)
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					row.Assigned = append(row.Assigned, assigned{t.Topic, slices.Sorted(slices.Values(t.Partitions))})
				}
			}
			d.members = append(d.members, row)
		}
		found[g.Group] = d
	}
	return nil
}

func (s *site) describeConsumer(ctx context.Context, ids []string, found map[string]described) {
	groups, _ := s.cluster.admin.DescribeConsumerGroups(ctx, ids...) // each has its own error
	for _, g := range groups {
		if g.Err != nil {
			continue
		}
		d := described{kind: consumerKind, state: g.State, assignor: g.AssignorName, protocol: "consumer", coordinator: g.Coordinator.NodeID, epoch: g.Epoch}
		for _, m := range g.Members {
			row := member(m.MemberID, m.ClientID, m.ClientHost)
			row.Instance, row.Assigned = text(m.InstanceID), assignment(m.Assignment)
			d.members = append(d.members, row)
		}
		found[g.Group] = d
	}
}

func (s *site) describeShare(ctx context.Context, ids []string, found map[string]described) {
	groups, _ := s.cluster.admin.DescribeShareGroups(ctx, ids...) // each has its own error
	for id, g := range groups {
		if g.Err != nil {
			continue
		}
		d := described{kind: shareKind, state: g.GroupState, assignor: g.Assignor, protocol: "share", coordinator: g.Coordinator.NodeID, epoch: g.GroupEpoch}
		for _, m := range g.Members {
			row := member(m.MemberID, m.ClientID, m.ClientHost)
			row.Assigned = assignment(m.Assignment)
			d.members = append(d.members, row)
		}
		found[id] = d
	}
}

func (s *site) describeStreams(ctx context.Context, l listedGroup, found map[string]described) {
	req := kmsg.NewPtrStreamsGroupDescribeRequest()
	req.Groups = []string{l.id}
	resp, err := req.RequestWith(ctx, s.cluster.client)
	if err != nil || len(resp.Groups) != 1 || resp.Groups[0].ErrorCode != 0 {
		return
	}
	g := &resp.Groups[0]
	d := described{kind: streamsKind, state: g.State, protocol: "streams", coordinator: l.coordinator, epoch: g.Epoch}
	sources := map[string][]string{} // topics of each subtopology
	if g.Topology != nil {
		for _, sub := range g.Topology.Subtopologies {
			sources[sub.SubtopologyID] = sub.SourceTopics
			for _, t := range sub.RepartitionSourceTopics {
				sources[sub.SubtopologyID] = append(sources[sub.SubtopologyID], t.Topic)
			}
		}
	}
	for _, m := range g.Members {
		row := member(m.MemberID, m.ClientID, m.ClientHost)
		row.Instance = text(m.InstanceID)
		set := kadm.TopicsSet{}
		for _, task := range m.Assignment.ActiveTasks {
			for _, topic := range sources[task.SubtopologyID] {
				set.Add(topic, task.Partitions...)
			}
		}
		row.Assigned = assignment(set)
		d.members = append(d.members, row)
	}
	found[l.id] = d
}

// committed are groups' offsets by topic and partition: where each goes on. A
// share group has the start of what its members still have to acknowledge.
func (s *site) committed(ctx context.Context, listed ...listedGroup) map[string]map[string]map[int32]committedOffset {
	all := make(map[string]map[string]map[int32]committedOffset, len(listed))
	note := func(group, topic string, p int32, at, lag int64, metadata string) {
		if at < 0 {
			return
		}
		if all[group] == nil {
			all[group] = map[string]map[int32]committedOffset{}
		}
		if all[group][topic] == nil {
			all[group][topic] = map[int32]committedOffset{}
		}
		all[group][topic][p] = committedOffset{at, lag, metadata}
	}
	var ids, shares []string
	for _, l := range listed {
		if l.kind == shareKind {
			shares = append(shares, l.id)
		} else {
			ids = append(ids, l.id)
		}
	}
	if len(ids) > 0 {
		for id, g := range s.cluster.admin.FetchManyOffsets(ctx, ids...) {
			for topic, ps := range g.Fetched {
				for p, o := range ps {
					if o.Err == nil {
						note(id, topic, p, o.At, unknown, o.Metadata)
					}
				}
			}
		}
	}
	if len(shares) > 0 {
		groups, _ := s.cluster.admin.DescribeShareGroupOffsets(ctx, shares...) // each has its own error
		for id, g := range groups {
			g.Offsets.Each(func(o kadm.ShareOffset) {
				if o.Err == nil {
					note(id, o.Topic, o.Partition, o.StartOffset, o.Lag, "")
				}
			})
		}
	}
	return all
}

type committedOffset struct {
	at       int64
	lag      int64 // as the cluster tells it; unknown: it is what is behind at
	metadata string
}

// behind is how much there is to read up to end.
func (o committedOffset) behind(end int64) int64 {
	if o.lag >= 0 {
		return o.lag
	}
	return max(0, end-o.at)
}
