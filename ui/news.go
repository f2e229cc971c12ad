package ui

// This file owns which topics came or went, whoever made them, and what the menu
// counts.

import (
	"maps"
	"slices"
	"sync"
	"time"

	"minibroker/broker"
)

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

// newest are the latest that are wanted, newest first.
func (n *news) newest(wanted func(topicNews) bool, most int, l *language) []happening {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := []happening{}
	for _, one := range newestOf(n.all, wanted, most) {
		text := l.text("overview.topic.came")
		if one.gone {
			text = l.text("overview.topic.went")
		}
		found = append(found, happening{At: one.at.UTC(), Kind: "topic", Who: one.topic, Text: text})
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
	faults := 0
	for _, in := range s.broker.Faults() {
		if most := in.Fault().Count; most == 0 || in.Hits() < most {
			faults++
		}
	}
	return map[string]int{"doctor": lost, "faults": faults}
}
