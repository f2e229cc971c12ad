package ui

// This file owns what happened lately: the steps of groups, and clients that
// came. It is kept from the first page on, so that a page shows what was before
// it was opened.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"minibroker/broker"
)

const (
	// stepsKept is how many steps of groups are remembered, stepsShown how many
	// one page tells.
	stepsKept  = 1000
	stepsShown = 40
)

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

// Moved says whether the group came into another state.
func (s step) Moved() bool { return s.From != s.To }

// steps are the newest steps of all groups.
type steps struct {
	mu  sync.Mutex
	all []step // oldest first
}

func (s *steps) happened(e broker.GroupEvent) {
	next := stepOf(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= 2*stepsKept {
		s.all = append(s.all[:0], s.all[len(s.all)-stepsKept:]...)
	}
	s.all = append(s.all, next)
}

func stepOf(e broker.GroupEvent) step {
	s := step{At: e.Time.UTC(), Group: visible(e.Group), From: e.From, To: e.To, Epoch: e.Epoch, Member: visible(e.Member), Why: e.Why, Reason: visible(e.Reason)}
	for _, topic := range slices.Sorted(maps.Keys(e.Assignment)) {
		s.Assigned = append(s.Assigned, topic+" "+ids(slices.Sorted(slices.Values(e.Assignment[topic]))))
	}
	return s
}

// newest are the latest steps, of one group or of all, newest first.
func (s *steps) newest(group string, most int, l *language) []step {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []step{}
	for i := len(s.all) - 1; i >= 0 && len(found) < most; i-- {
		if group == "" || s.all[i].Group == group {
			found = append(found, s.all[i].in(l))
		}
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

// happening is a line of the first page.
type happening struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // group, topic or client
	Who   string    `json:"who"`
	Text  string    `json:"text"`
	State string    `json:"state"` // of the group from then on, or of the client
	Moved bool      `json:"moved"` // it is another than before
}

// news are the newest topics to come or go, found by looking at their names
// whenever totals are noted.
type news struct {
	mu    sync.Mutex
	known map[string]bool // nil: not looked yet
	all   []topicNews     // oldest first
}

type topicNews struct {
	at    time.Time
	topic string
	gone  bool
}

const (
	// newsKept is how many topics that came or went are remembered.
	newsKept = 50
	// newsTopics is with how many topics their names are still looked at.
	newsTopics = 2000
)

// look compares the topics that there are with those of the time before.
func (n *news) look(at time.Time, names map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(names) > newsTopics {
		n.known = nil
		return
	}
	if n.known != nil {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !n.known[name] {
				n.all = append(n.all, topicNews{at, name, false})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(n.known)) {
			if !names[name] {
				n.all = append(n.all, topicNews{at, name, true})
			}
		}
		n.all = n.all[max(0, len(n.all)-newsKept):]
	}
	n.known = names
}

// newest are the latest, newest first.
func (n *news) newest(most int, l *language) []happening {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := []happening{}
	for i := len(n.all) - 1; i >= 0 && len(found) < most; i-- {
		text := l.text("overview.topic.came")
		if n.all[i].gone {
			text = l.text("overview.topic.went")
		}
		found = append(found, happening{At: n.all[i].at.UTC(), Kind: "topic", Who: n.all[i].topic, Text: text})
	}
	return found
}

// counted are the pages that counts has a number for.
var counted = []string{"doctor", "faults"}

// counts are what the menu says beside a page: clients that did not come back,
// and faults in place, which are easily forgotten.
func (s *site) counts() map[string]int {
	if s.broker == nil {
		return nil
	}
	lost := 0
	for _, v := range s.broker.Visitors() {
		if v.State == broker.VisitorLost {
			lost++
		}
	}
	return map[string]int{"doctor": lost, "faults": len(s.broker.Faults())}
}

// happenings are the newest steps, topics and clients together.
func (s *site) happenings(l *language, most int) []happening {
	found := []happening{}
	if s.broker == nil {
		return found
	}
	for _, e := range s.steps.newest("", most, l) {
		text := e.Text
		if len(e.Assigned) > 0 {
			text += ": " + strings.Join(e.Assigned, "; ")
		}
		found = append(found, happening{e.At, "group", e.Group, text, e.To, e.Moved()})
	}
	found = append(found, s.news.newest(most, l)...)
	visitors := s.broker.Visitors()
	slices.SortFunc(visitors, func(a, b broker.Visitor) int { return b.At.Compare(a.At) })
	for _, v := range visitors[:min(most, len(visitors))] {
		if v.ClientID == clientID {
			continue
		}
		found = append(found, happening{v.At.UTC(), "client", cmp.Or(v.ClientID, v.Name, v.IP.String()), l.text("overview.told", fmt.Sprintf("%s @ %s", cmp.Or(v.Name, "?"), v.IP), v.Told), v.State, true})
	}
	slices.SortStableFunc(found, func(a, b happening) int { return b.At.Compare(a.At) })
	return found[:min(most, len(found))]
}
