package ui

// This file owns moving a group's offsets: first a plan that changes nothing,
// then the commit of exactly what the plan said.

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

var resetModes = []string{"earliest", "latest", "time", "offset", "shift"}

type resetView struct {
	Group  *groupView `json:"group"`
	Modes  []string   `json:"modes"`
	Topics []string   `json:"topics"` // that may be chosen
	More   bool       `json:"-"`      // others may be, too
	Plan   []move     `json:"plan"`   // null: none was asked for
	Moves  int        `json:"moves"`  // of the plan that change something
}

// move is what a reset would do to a partition.
type move struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // -1: nothing committed
	To        int64  `json:"to"`
	Bounded   bool   `json:"bounded"` // the log has no such offset, so its nearest end was taken
}

// Change is how many records are read again (below zero) or skipped.
func (m move) Change() int64 {
	if m.From < 0 {
		return 0
	}
	return m.To - m.From
}

// Target is the move as the form that confirms it holds it.
func (m move) Target() string {
	return strconv.Itoa(int(m.Partition)) + ":" + strconv.FormatInt(m.To, 10)
}

// resetForm shows the form, and the plan once a topic was chosen.
func (s *site) resetForm(r *http.Request) (any, error) {
	g, err := s.groupOf(r.Context(), r.PathValue("group"))
	if err != nil {
		return nil, err
	}
	v := resetView{Group: g, Modes: resetModes}
	// The group's own topics come first: they are what one resets.
	if v.Topics, v.More, err = s.someTopics(r.Context(), g.Topics...); err != nil {
		return nil, err
	}
	if r.Method != http.MethodGet || r.Form.Get("topic") == "" {
		return v, nil
	}
	if v.Plan, err = s.plan(r, g); err != nil {
		return nil, err
	}
	for _, m := range v.Plan {
		if m.From != m.To {
			v.Moves++
		}
	}
	return v, nil
}

func (s *site) plan(r *http.Request, g *groupView) ([]move, error) {
	ctx, topic := r.Context(), r.Form.Get("topic")
	t, err := s.cluster.one(ctx, topic)
	if err != nil {
		return nil, err
	}
	mode, number := cmp.Or(r.Form.Get("mode"), resetModes[0]), strings.ReplaceAll(r.Form.Get("offset"), " ", "")
	which := r.Form.Get("partition")
	var each map[int32]int64 // an offset for each partition
	if mode == "offset" && strings.Contains(number, ":") {
		if each = readCursor(number); len(each) != strings.Count(number, ":") {
			return nil, say(http.StatusUnprocessableEntity, "problem.offset")
		}
		which = strings.ReplaceAll(ids(slices.Sorted(maps.Keys(each))), " ", "")
	}
	parts, err := pick(numbers(t), which)
	if err != nil {
		return nil, err
	}
	asked := map[string][]int32{topic: parts}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return nil, err
	}
	var target func(p int32, from int64) int64
	switch mode {
	case "earliest":
		target = func(p int32, _ int64) int64 { return starts[topic][p] }
	case "latest":
		target = func(p int32, _ int64) int64 { return ends[topic][p] }
	case "time":
		at, err := readTime(r.Form.Get("time"), r.Form.Get("zone"))
		if err != nil {
			return nil, err
		}
		found, err := s.cluster.offsets(ctx, at.UnixMilli(), asked)
		if err != nil {
			return nil, err
		}
		target = func(p int32, _ int64) int64 {
			if o, ok := found[topic][p]; ok {
				return o
			}
			return ends[topic][p] // nothing is as young
		}
	case "offset", "shift":
		if each != nil {
			target = func(p int32, _ int64) int64 { return each[p] }
			break
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, say(http.StatusUnprocessableEntity, "problem."+mode)
		}
		target = func(p int32, from int64) int64 {
			if mode == "offset" {
				return n
			}
			if from < 0 {
				from = starts[topic][p]
			}
			return from + n
		}
	default:
		return nil, say(http.StatusUnprocessableEntity, "problem.form")
	}
	var all []move
	for _, p := range parts {
		from := int64(-1)
		if i := slices.IndexFunc(g.Offsets, func(o offsetRow) bool { return o.Topic == topic && o.Partition == p }); i >= 0 {
			from = g.Offsets[i].Committed
		}
		want := target(p, from)
		to := max(starts[topic][p], min(want, ends[topic][p]))
		all = append(all, move{topic, p, from, to, to != want})
	}
	return all, nil
}

// reset commits the targets of a plan, given as partition:offset.
func (s *site) reset(r *http.Request) (string, error) {
	id, topic := r.PathValue("group"), r.Form.Get("topic")
	g, err := s.groupOf(r.Context(), id)
	if err != nil {
		return "", err
	}
	if g.Active() {
		// The broker would refuse, too; here it is said in plain words.
		return "", say(http.StatusConflict, "problem.group.members")
	}
	targets := r.Form["target"]
	if topic == "" || len(targets) == 0 {
		return "", say(http.StatusUnprocessableEntity, "problem.plan")
	}
	offsets := kadm.Offsets{}
	for _, text := range targets {
		places := readCursor(text)
		if len(places) != 1 {
			return "", say(http.StatusUnprocessableEntity, "problem.plan")
		}
		for p, o := range places {
			offsets.AddOffset(topic, p, o, -1)
		}
	}
	if g.Share() {
		altered, err := s.cluster.admin.AlterShareGroupOffsets(r.Context(), id, offsets)
		if err == nil {
			err = altered.Error()
		}
		if err != nil {
			return "", refused(err, "")
		}
		return groupPath(id) + "?done=group.reset", nil
	}
	committed, err := s.cluster.admin.CommitOffsets(r.Context(), id, offsets)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return "", refused(err, "")
	}
	return groupPath(id) + "?" + url.Values{"done": {"group.reset"}}.Encode(), nil
}
