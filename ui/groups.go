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
	From   int        `json:"from"`
	Sort   string     `json:"sort"`
	Rows   []groupRow `json:"groups"`

	Columns  []column `json:"-"`
	Previous string   `json:"-"` // page, as a query; empty: none
	Next     string   `json:"-"`
}

type groupRow struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"` // Classic, Consumer, Share or Streams
	State       string `json:"state"`
	Protocol    string `json:"protocol"` // the assignor, of a group that has one
	Type        string `json:"protocol_type"`
	Coordinator int32  `json:"coordinator"`
	Members     int    `json:"members"`
	Topics      int    `json:"topics"` // with committed offsets
	Lag         int64  `json:"lag"`

	lagOf map[string]int64 // by topic
}

// groupRows are groups with their members and their lag, by name.
func (s *site) groupRows(ctx context.Context, listed map[string]listedGroup) ([]groupRow, error) {
	all := slices.SortedFunc(maps.Values(listed), func(a, b listedGroup) int { return strings.Compare(a.id, b.id) })
	found, err := s.describe(ctx, all...)
	if err != nil {
		return nil, err
	}
	rows, err := s.lagRows(ctx, all)
	for i := range rows {
		if d, ok := found[rows[i].ID]; ok {
			row := &rows[i]
			row.Kind, row.State, row.Protocol, row.Type, row.Coordinator, row.Members = d.kind, d.state, d.assignor, d.protocol, d.coordinator, len(d.members)
		}
	}
	return rows, err
}

// lagRows are groups with their lag and what the list of groups tells of them.
func (s *site) lagRows(ctx context.Context, all []listedGroup) ([]groupRow, error) {
	committed := s.positions(ctx, all)
	end, err := s.ends(ctx, committed)
	if err != nil {
		return nil, err
	}
	rows := make([]groupRow, 0, len(all))
	for _, l := range all {
		row := groupRow{ID: l.id, Kind: l.kind, State: l.state, Type: l.protocol, Coordinator: l.coordinator, lagOf: map[string]int64{}}
		for topic, ps := range committed[l.id] {
			for p, o := range ps {
				lag := o.behind(end(topic, p))
				row.lagOf[topic] += lag
				row.Lag += lag
			}
		}
		row.Topics = len(row.lagOf)
		rows = append(rows, row)
	}
	return rows, nil
}

// sortedGroups is how many groups are asked for all that they have, to be sorted
// by it.
const sortedGroups = 1000

// groupColumns are what a list of groups can be sorted by, and groupDetails
// those of them that the list of groups does not tell.
var (
	groupColumns = []sortable[groupRow]{
		byWords("group", func(g groupRow) string { return g.ID }),
		byWords("kind", func(g groupRow) string { return g.Kind }).called("group.kind"),
		byWords("state", func(g groupRow) string { return g.State }),
		byWords("assignor", func(g groupRow) string { return g.Protocol }),
		by("members", func(g groupRow) int { return g.Members }),
		by("topics", func(g groupRow) int { return g.Topics }).called("nav.topics"),
		by("coordinator", func(g groupRow) int32 { return g.Coordinator }),
		by("lag", func(g groupRow) int64 { return g.Lag }),
	}
	groupDetails = []string{"assignor", "members", "topics", "lag"}
)

func (s *site) groups(r *http.Request) (any, error) {
	listed, err := s.cluster.listGroups(r.Context())
	if err != nil {
		return nil, err
	}
	v := groupsView{Search: strings.TrimSpace(r.Form.Get("q"))}
	needle := strings.ToLower(v.Search)
	maps.DeleteFunc(listed, func(id string, _ listedGroup) bool { return !strings.Contains(strings.ToLower(id), needle) })
	v.Total = len(listed)
	all := make([]groupRow, 0, len(listed))
	for _, l := range listed {
		all = append(all, groupRow{ID: l.id, Kind: l.kind, State: l.state, Coordinator: l.coordinator})
	}
	columns := slices.Clone(groupColumns)
	whole := false // all is in all rows
	switch name, _ := asked(r, ""); {
	case len(listed) > sortedGroups:
		for i := range columns {
			if slices.Contains(groupDetails, columns[i].name) {
				columns[i].compare = nil
			}
		}
	case name == "lag" || name == "topics":
		if all, err = s.lagRows(r.Context(), slices.Collect(maps.Values(listed))); err != nil {
			return nil, err
		}
	case slices.Contains(groupDetails, name):
		if all, err = s.groupRows(r.Context(), listed); err != nil {
			return nil, err
		}
		whole = true
	}
	v.Sort, v.Columns = sortBy(r, "", all, columns)
	v.From, v.Previous, v.Next = paged(r, len(all))
	v.Rows = all[v.From:min(len(all), v.From+pageRows)]
	if whole {
		return v, nil
	}
	// Members and lag are asked for the groups that are shown only.
	shown := map[string]listedGroup{}
	for _, row := range v.Rows {
		shown[row.ID] = listed[row.ID]
	}
	rows, err := s.groupRows(r.Context(), shown)
	for _, row := range rows {
		v.Rows[slices.IndexFunc(v.Rows, func(g groupRow) bool { return g.ID == row.ID })] = row
	}
	return v, err
}

type groupView struct {
	ID          string      `json:"id"`
	Kind        string      `json:"kind"`
	State       string      `json:"state"`
	Protocol    string      `json:"protocol"`
	Type        string      `json:"protocol_type"`
	Coordinator int32       `json:"coordinator"`
	Epoch       int32       `json:"epoch"` // -1: a classic group
	Members     []memberRow `json:"members"`
	Offsets     []offsetRow `json:"offsets"`
	Lag         int64       `json:"lag"`
	Shares      []shareRow  `json:"shares"` // of a share group; null: it is another kind
	Topics      []string    `json:"topics"`
	History     *graph      `json:"lag_history"` // by topic
	Findings    []finding   `json:"explained"`
	Steps       []step      `json:"steps"` // newest first; null: the cluster does not tell

	MemberColumns []column `json:"-"`
	OffsetColumns []column `json:"-"`
	ShareColumns  []column `json:"-"`
}

// memberColumns and offsetColumns are what the tables of a group can be sorted by.
var (
	memberColumns = []sortable[memberRow]{
		byWords("client", func(m memberRow) string { return m.Client }),
		byWords("host", func(m memberRow) string { return m.Host }),
		byWords("id", func(m memberRow) string { return m.ID }).called("member.id"),
		by("heartbeat", func(m memberRow) float64 { return m.Heard }),
		by("assigned", func(m memberRow) (n int) {
			for _, a := range m.Assigned {
				n += len(a.Partitions)
			}
			return n
		}).set(),
	}
	offsetColumns = []sortable[offsetRow]{
		byWords("topic", func(o offsetRow) string { return o.Topic }),
		by("partition", func(o offsetRow) int32 { return o.Partition }),
		by("committed", func(o offsetRow) int64 { return o.Committed }),
		by("end", func(o offsetRow) int64 { return o.End }).called("offset.end"),
		by("lag", func(o offsetRow) int64 { return o.Lag }),
		by("progress", func(o offsetRow) float64 { return float64(o.Read()) / float64(o.Span()) }).set(),
		byWords("member", func(o offsetRow) string { return o.Member }),
	}
)

// Share says whether the group is one of KIP-932: its offsets have APIs of their own.
func (g groupView) Share() bool { return g.Kind == shareKind }

// Active says whether members are there, so that offsets are theirs to move.
func (g groupView) Active() bool { return len(g.Members) > 0 }

type memberRow struct {
	ID       string     `json:"id"`
	Instance string     `json:"instance_id"`
	Client   string     `json:"client_id"`
	Host     string     `json:"host"`
	Assigned []assigned `json:"assigned"`
	Heard    float64    `json:"heartbeat_age"` // in seconds; -1: not told
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
	if s.broker != nil {
		g.Steps = s.past.steps.told(func(of step) bool { return of.Group == visible(g.ID) }, stepsShown, languageOf(r))
	}
	members := memberColumns
	if s.broker == nil {
		members = slices.Delete(slices.Clone(members), 3, 4) // nobody tells of heartbeats
	}
	_, g.MemberColumns = sortBy(r, "members", g.Members, members)
	_, g.OffsetColumns = sortBy(r, "offsets", g.Offsets, offsetColumns)
	_, g.ShareColumns = sortBy(r, "shares", g.Shares, shareColumns)
	return g, nil
}

func (s *site) groupOf(ctx context.Context, id string) (*groupView, error) {
	listed, err := s.cluster.listGroups(ctx)
	if err != nil {
		return nil, err
	}
	l, ok := listed[id]
	if !ok {
		return nil, kerr.GroupIDNotFound
	}
	found, err := s.describe(ctx, l)
	if err != nil {
		return nil, err
	}
	d, ok := found[id]
	if !ok {
		return nil, kerr.GroupIDNotFound
	}
	v := &groupView{ID: id, Kind: d.kind, State: d.state, Protocol: d.assignor, Type: d.protocol, Coordinator: d.coordinator, Epoch: d.epoch,
		Members: d.members, Offsets: []offsetRow{}}
	committed := s.committed(ctx, l)[id]
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
	for topic, ps := range committed {
		for p := range ps {
			ask(topic, p)
		}
	}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return nil, err
	}
	lags := map[string]float64{}
	for topic, ps := range asked {
		v.Topics = append(v.Topics, topic)
		for _, p := range ps {
			row := offsetRow{Topic: topic, Partition: p, Committed: -1, Start: starts[topic][p], End: ends[topic][p], Lag: -1, Member: reader[topic][p]}
			if o, ok := committed[topic][p]; ok {
				row.Committed, row.Metadata = o.at, o.metadata
				row.Lag = o.behind(row.End)
				v.Lag += row.Lag
				lags[topic] += float64(row.Lag)
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
	if v.Share() {
		v.Shares, v.Lag = s.shares(ctx, v, committed), 0
		clear(lags)
		for i, row := range v.Shares {
			v.Offsets[i].Committed, v.Offsets[i].Lag = row.Start, row.Lag
			v.Lag += max(0, row.Lag)
			lags[row.Topic] += float64(max(0, row.Lag))
		}
	}
	v.History = s.history.note("lag "+id, s.now(), lags)
	if s.broker != nil {
		now, heard := s.broker.Now(), s.broker.Group(id).Heard()
		for i := range v.Members {
			if at, ok := heard[v.Members[i].ID]; ok {
				v.Members[i].Heard = max(0, now.Sub(at).Seconds())
			}
		}
		if v.Epoch < 0 {
			v.Epoch = s.broker.Group(id).Epoch()
		}
	}
	v.Findings = v.explain()
	return v, nil
}

// forget deletes a group's offsets of a topic: as if it had never read it.
func (s *site) forget(r *http.Request) (string, error) {
	ctx, id, topic := r.Context(), r.PathValue("group"), r.Form.Get("topic")
	if r.Form.Get("name") != topic || topic == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", visible(topic))
	}
	g, err := s.groupOf(ctx, id)
	if err != nil {
		return "", err
	}
	if g.Share() {
		deleted, err := s.cluster.admin.DeleteShareGroupOffsets(ctx, id, topic)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			return "", refused(err, "")
		}
		return groupPath(id) + "?done=group.forgot", nil
	}
	set := kadm.TopicsSet{}
	for _, o := range g.Offsets {
		if o.Topic == topic && o.Committed >= 0 {
			set.Add(topic, o.Partition)
		}
	}
	if len(set) == 0 {
		return "", say(http.StatusUnprocessableEntity, "problem.offsets.none")
	}
	deleted, err := s.cluster.admin.DeleteOffsets(ctx, id, set)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return "", refused(err, "")
	}
	return groupPath(id) + "?done=group.forgot", nil
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
