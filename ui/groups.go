package ui

// This file owns the pages of consumer groups.

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type groupsView struct {
	Search string     `json:"search"`
	Total  int        `json:"total"`
	Rows   []groupRow `json:"groups"`
}

type groupRow struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Protocol    string `json:"protocol"` // the assignor, of a group that has one
	Type        string `json:"protocol_type"`
	Coordinator int32  `json:"coordinator"`
	Members     int    `json:"members"`
	Topics      int    `json:"topics"` // with committed offsets
	Lag         int64  `json:"lag"`

	lagOf map[string]int64 // by topic
}

// described is a group of any protocol, in the words of the classic one.
type described struct {
	state, protocol, kind string
	coordinator           int32
	epoch                 int32 // -1: the protocol has none to tell
	members               []memberRow
}

// describe asks for groups. Those of the consumer protocol (KIP-848) answer
// DescribeGroups with GROUP_ID_NOT_FOUND or as Dead, and have an API of their
// own.
func (s *site) describe(ctx context.Context, ids ...string) (map[string]described, error) {
	found := make(map[string]described, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	classic, err := s.cluster.admin.DescribeGroups(ctx, ids...)
	if err != nil && len(classic) == 0 {
		return nil, err
	}
	var others []string
	for _, g := range classic {
		if g.Err != nil || g.State == "Dead" {
			others = append(others, g.Group)
			continue
		}
		d := described{state: g.State, protocol: g.Protocol, kind: g.ProtocolType, coordinator: g.Coordinator.NodeID, epoch: -1}
		for _, m := range g.Members {
			row := memberRow{ID: m.MemberID, Instance: text(m.InstanceID), Client: m.ClientID, Host: strings.TrimPrefix(m.ClientHost, "/")}
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					row.Assigned = append(row.Assigned, assigned{t.Topic, slices.Sorted(slices.Values(t.Partitions))})
				}
			}
			d.members = append(d.members, row)
		}
		found[g.Group] = d
	}
	if len(others) == 0 {
		return found, nil
	}
	newer, err := s.cluster.admin.DescribeConsumerGroups(ctx, others...)
	if err != nil {
		return found, nil // a cluster without that protocol: they are gone
	}
	for _, g := range newer {
		if g.Err != nil {
			continue
		}
		d := described{state: g.State, protocol: g.AssignorName, kind: "consumer", coordinator: g.Coordinator.NodeID, epoch: g.Epoch}
		for _, m := range g.Members {
			row := memberRow{ID: m.MemberID, Instance: text(m.InstanceID), Client: m.ClientID, Host: strings.TrimPrefix(m.ClientHost, "/")}
			for topic, ps := range m.Assignment {
				row.Assigned = append(row.Assigned, assigned{topic, slices.Sorted(maps.Keys(ps))})
			}
			d.members = append(d.members, row)
		}
		found[g.Group] = d
	}
	return found, nil
}

// groupRows are all groups with their lag, by name.
func (s *site) groupRows(ctx context.Context) ([]groupRow, error) {
	listed, err := s.cluster.admin.ListGroups(ctx)
	if err != nil && len(listed) == 0 {
		return nil, err
	}
	ids := listed.Groups()
	found, err := s.describe(ctx, ids...)
	if err != nil {
		return nil, err
	}
	committed := s.cluster.admin.FetchManyOffsets(ctx, ids...)
	asked := map[string][]int32{}
	for _, g := range committed {
		for topic, ps := range g.Fetched {
			for p := range ps {
				if !slices.Contains(asked[topic], p) {
					asked[topic] = append(asked[topic], p)
				}
			}
		}
	}
	ends, err := s.cluster.offsets(ctx, atEnd, asked)
	if err != nil {
		return nil, err
	}
	rows := make([]groupRow, 0, len(ids))
	for _, id := range ids {
		d, ok := found[id]
		if !ok {
			l := listed[id]
			d = described{state: l.State, kind: l.ProtocolType, coordinator: l.Coordinator}
		}
		row := groupRow{ID: id, State: d.state, Protocol: d.protocol, Type: d.kind, Coordinator: d.coordinator, Members: len(d.members), lagOf: map[string]int64{}}
		for topic, ps := range committed[id].Fetched {
			for p, o := range ps {
				if o.Err == nil && o.At >= 0 {
					lag := max(0, ends[topic][p]-o.At)
					row.lagOf[topic] += lag
					row.Lag += lag
				}
			}
		}
		row.Topics = len(row.lagOf)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b groupRow) int { return strings.Compare(a.ID, b.ID) })
	return rows, nil
}

func (s *site) groups(r *http.Request) (any, error) {
	rows, err := s.groupRows(r.Context())
	if err != nil {
		return nil, err
	}
	v := groupsView{Search: strings.TrimSpace(r.Form.Get("q")), Total: len(rows)}
	needle := strings.ToLower(v.Search)
	v.Rows = slices.DeleteFunc(rows, func(g groupRow) bool { return !strings.Contains(strings.ToLower(g.ID), needle) })
	return v, nil
}

type groupView struct {
	ID          string      `json:"id"`
	State       string      `json:"state"`
	Protocol    string      `json:"protocol"`
	Type        string      `json:"protocol_type"`
	Coordinator int32       `json:"coordinator"`
	Epoch       int32       `json:"epoch"` // -1: a classic group
	Members     []memberRow `json:"members"`
	Offsets     []offsetRow `json:"offsets"`
	Lag         int64       `json:"lag"`
	Topics      []string    `json:"topics"`
}

// Active says whether members are there, so that offsets are theirs to move.
func (g groupView) Active() bool { return len(g.Members) > 0 }

type memberRow struct {
	ID       string     `json:"id"`
	Instance string     `json:"instance_id"`
	Client   string     `json:"client_id"`
	Host     string     `json:"host"`
	Assigned []assigned `json:"assigned"`
}

type assigned struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

type offsetRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1: none
	Start     int64  `json:"start_offset"`
	End       int64  `json:"end_offset"`
	Lag       int64  `json:"lag"` // -1: nothing committed
	Metadata  string `json:"metadata"`
	Member    string `json:"member"` // client id of its reader
}

// Span and Read say how far the group is through what the log holds.
func (o offsetRow) Span() int64 { return max(1, o.End-o.Start) }
func (o offsetRow) Read() int64 {
	if o.End == o.Start {
		return 1
	}
	return max(0, o.Committed-o.Start)
}

func (s *site) group(r *http.Request) (any, error) {
	g, err := s.groupOf(r.Context(), r.PathValue("group"))
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (s *site) groupOf(ctx context.Context, id string) (*groupView, error) {
	listed, err := s.cluster.admin.ListGroups(ctx)
	if err != nil && len(listed) == 0 {
		return nil, err
	}
	if _, ok := listed[id]; !ok {
		return nil, kerr.GroupIDNotFound
	}
	found, err := s.describe(ctx, id)
	if err != nil {
		return nil, err
	}
	d, ok := found[id]
	if !ok {
		return nil, kerr.GroupIDNotFound
	}
	v := &groupView{ID: id, State: d.state, Protocol: d.protocol, Type: d.kind, Coordinator: d.coordinator, Epoch: d.epoch,
		Members: d.members, Offsets: []offsetRow{}}
	committed, err := s.cluster.admin.FetchOffsets(ctx, id)
	if err != nil {
		return nil, err
	}
	reader := map[string]map[int32]string{}
	asked := map[string][]int32{}
	ask := func(topic string, p int32) {
		if !slices.Contains(asked[topic], p) {
			asked[topic] = append(asked[topic], p)
		}
	}
	for _, m := range d.members {
		for _, a := range m.Assigned {
			if reader[a.Topic] == nil {
				reader[a.Topic] = map[int32]string{}
			}
			for _, p := range a.Partitions {
				reader[a.Topic][p] = m.Client
				ask(a.Topic, p)
			}
		}
	}
	committed.Each(func(o kadm.OffsetResponse) { ask(o.Topic, o.Partition) })
	starts, err := s.cluster.offsets(ctx, atStart, asked)
	if err != nil {
		return nil, err
	}
	ends, err := s.cluster.offsets(ctx, atEnd, asked)
	if err != nil {
		return nil, err
	}
	for topic, ps := range asked {
		v.Topics = append(v.Topics, topic)
		for _, p := range ps {
			row := offsetRow{Topic: topic, Partition: p, Committed: -1, Start: starts[topic][p], End: ends[topic][p], Lag: -1, Member: reader[topic][p]}
			if o, ok := committed.Lookup(topic, p); ok && o.Err == nil && o.At >= 0 {
				row.Committed, row.Metadata = o.At, o.Metadata
				row.Lag = max(0, row.End-row.Committed)
				v.Lag += row.Lag
			}
			v.Offsets = append(v.Offsets, row)
		}
	}
	slices.Sort(v.Topics)
	slices.SortFunc(v.Offsets, func(a, b offsetRow) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return v, nil
}

func (s *site) deleteGroup(r *http.Request) (string, error) {
	id := r.PathValue("group")
	if typed := r.Form.Get("name"); typed != id && typed != visible(id) {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", visible(id))
	}
	d, err := s.cluster.admin.DeleteGroup(r.Context(), id)
	if err == nil {
		err = d.Err
	}
	if err != nil {
		return "", refused(err, "")
	}
	return "/groups?done=group.deleted", nil
}

func groupPath(id string) string { return "/groups/" + url.PathEscape(id) }
