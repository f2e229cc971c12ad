package ui

// This file owns the steps that groups went through lately: a page shows what was
// before it was opened.

import (
	"maps"
	"slices"
	"strings"
	"time"

	"minibroker/broker"
)

// stepsShown is how many steps one page tells.
const stepsShown = 40

// step is something that happened to a group.
type step struct {
	At       time.Time `json:"at"`
	Group    string    `json:"group"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Epoch    int32     `json:"epoch"`
	Member   string    `json:"member"`
	Assigned []string  `json:"assigned"` // what the member has from now on, as "orders 0, 1"; null: told nothing new
	Why      string    `json:"why"`
	Text     string    `json:"text"` // why, in the reader's language
	Reason   string    `json:"reason,omitempty"`
}

// about says whether the step gave a member partitions of a topic.
func (s step) about(topic string) bool {
	return slices.ContainsFunc(s.Assigned, func(a string) bool { return strings.HasPrefix(a, topic+" ") })
}

// Moved says whether the group came into another state.
func (s step) Moved() bool { return s.From != s.To }

// steps are the newest steps of all groups.
type steps struct{ recent[step] }

func (s *steps) happened(e broker.GroupEvent) { s.note(stepOf(e)) }

func stepOf(e broker.GroupEvent) step {
	s := step{At: e.Time.UTC(), Group: visible(e.Group), From: e.From, To: e.To, Epoch: e.Epoch, Member: visible(e.Member), Why: e.Why, Reason: visible(e.Reason)}
	for _, topic := range slices.Sorted(maps.Keys(e.Assignment)) {
		s.Assigned = append(s.Assigned, topic+" "+spans(slices.Sorted(slices.Values(e.Assignment[topic]))))
	}
	return s
}

// told are the latest steps that are wanted, newest first, in the words of a
// language.
func (s *steps) told(wanted func(step) bool, most int, l *language) []step {
	found := s.newest(wanted, most)
	for i := range found {
		found[i] = found[i].in(l)
	}
	return found
}

// in is the step in the words of a language. The broker's own are English, and
// always the same.
func (s step) in(l *language) step {
	s.Text = s.Why
	if assignor, ok := strings.CutPrefix(s.Why, "assigned by "); ok {
		s.Text = l.text("why.assigned.by", assignor)
	} else if text := l.textOr("why."+strings.NewReplacer(" ", ".", "'s", "s", ",", "").Replace(s.Why), ""); text != "" {
		s.Text = text
	}
	return s
}
