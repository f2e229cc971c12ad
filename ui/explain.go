package ui

// This file owns why a group is as it is: rules over what the page shows, each
// of which names what it sees and what to do.

import (
	"fmt"
	"slices"
)

// finding is one thing that explains a group's state.
type finding struct {
	Key  string `json:"about"` // of the text, after explain.
	Args []any  `json:"values"`
	Bad  bool   `json:"bad"` // something to change; else something to know
}

// findings are all that findings are about.
var findings = []string{"rebalance", "empty", "idle", "unread", "uncommitted", "lost", "behind", "growing", "redelivered", "archived", "caught.up", "silent"}

// explain says what there is to know of a group, the gravest first.
func (v *groupView) explain() []finding {
	all := []finding{}
	found := func(bad bool, key string, args ...any) { all = append(all, finding{key, args, bad}) }
	switch {
	case v.State == "Dead":
	case v.State != "Stable" && v.State != "Empty":
		found(true, "rebalance", v.State)
	case len(v.Members) == 0 && v.Lag > 0:
		found(true, "empty", v.Lag)
	}
	idle, read := 0, 0
	for _, m := range v.Members {
		if len(m.Assigned) == 0 {
			idle++
		}
		for _, a := range m.Assigned {
			read += len(a.Partitions)
		}
		if m.Heard > 0 && m.Heard > 30 {
			found(true, "silent", m.Client, fmt.Sprintf("%.0f", m.Heard))
		}
	}
	if v.State == "Stable" && idle > 0 && !v.Share() {
		found(true, "idle", idle, len(v.Members), read)
	}
	unread, uncommitted, lost := 0, 0, 0
	worst := -1
	for i, o := range v.Offsets {
		switch {
		case o.Member == "" && len(v.Members) > 0 && o.Lag > 0 && v.State == "Stable" && !v.Share():
			unread++
		case o.Committed < 0 && o.Member != "" && o.End > o.Start && !v.Share():
			uncommitted++
		case o.Committed >= 0 && o.Committed < o.Start:
			lost++
		}
		if o.Lag > 0 && (worst < 0 || o.Lag > v.Offsets[worst].Lag) {
			worst = i
		}
	}
	if unread > 0 {
		found(true, "unread", unread)
	}
	if uncommitted > 0 {
		found(false, "uncommitted", uncommitted)
	}
	if lost > 0 {
		found(true, "lost", lost)
	}
	redelivered, archived := int64(0), int64(0)
	for _, s := range v.Shares {
		for _, r := range s.Runs {
			switch {
			case r.State == shareArchived:
				archived += r.Count()
			case r.Deliveries > 1:
				redelivered += r.Count()
			}
		}
	}
	if redelivered > 0 {
		found(false, "redelivered", redelivered)
	}
	if archived > 0 {
		found(true, "archived", archived)
	}
	if len(v.Members) > 0 && v.State == "Stable" {
		switch grows := v.History.slope(); {
		case worst >= 0 && grows > 0.5:
			found(true, "growing", fmt.Sprintf("%.1f", grows))
		case worst >= 0 && len(v.Offsets) > 1 && v.Offsets[worst].Lag > 10 && 2*v.Offsets[worst].Lag > v.Lag:
			found(false, "behind", v.Offsets[worst].Topic, v.Offsets[worst].Partition, v.Offsets[worst].Lag, v.Lag)
		case v.Lag == 0 && len(v.Offsets) > 0 && uncommitted == 0:
			found(false, "caught.up")
		}
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		switch {
		case a.Bad == b.Bad:
			return 0
		case a.Bad:
			return -1
		}
		return 1
	})
	return all
}

// slope is how much the sum of a graph's lines grows a second over the newest
// minute; 0 where that is not known.
func (g *graph) slope() float64 {
	if g == nil || len(g.Times) < 3 {
		return 0
	}
	last := len(g.Times) - 1
	first := 0
	for g.Times[last]-g.Times[first] > 60 {
		first++
	}
	passed := g.Times[last] - g.Times[first]
	if passed < 4 {
		return 0
	}
	sum := func(i int) (total float64) {
		for _, line := range g.Values {
			if line[i] != nil {
				total += *line[i]
			}
		}
		return total
	}
	return (sum(last) - sum(first)) / passed
}
