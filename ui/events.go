package ui

// This file owns what happened lately, of all kinds: steps of groups, clients
// that came, what was changed, brokers that stopped and started.

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// eventKinds are the kinds of what happens.
var eventKinds = []string{"group", "topic", "client", "change", "broker"}

// changing are the APIs that change what all clients see. What clients do all the
// time is on /wire.
var changing = []kmsg.Key{kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions, kmsg.DeleteRecords, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs, kmsg.ElectLeaders,
	kmsg.AlterPartitionAssignments, kmsg.DeleteGroups, kmsg.OffsetDelete, kmsg.AlterShareGroupOffsets, kmsg.DeleteShareGroupOffsets, kmsg.AlterClientQuotas, kmsg.CreateACLs, kmsg.DeleteACLs,
	kmsg.AlterUserSCRAMCredentials, kmsg.UpdateFeatures}

// happening is something that happened.
type happening struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // group, topic, client, change or broker
	Who   string    `json:"who"`
	Text  string    `json:"text"`
	State string    `json:"state"`  // of the group, client or broker from then on
	Moved bool      `json:"moved"`  // it is another than before
	Bad   bool      `json:"failed"` // the change was refused
}

// memory is what is remembered of what happens to a broker.
type memory struct {
	since   time.Time
	steps   steps
	changes recent[happening] // and brokers that stopped and started
}

// remember begins, and ends with stop.
func remember(b *broker.Broker, stop context.Context) *memory {
	m := &memory{since: b.Now().UTC()}
	for _, end := range []func(){
		b.ObserveGroups(m.steps.happened),
		b.Observe(func(o broker.Observation) {
			m.changes.note(happening{At: o.Received.UTC(), Kind: "change", Who: visible(strings.Clone(o.ClientID)), Text: kmsg.NameForKey(o.Key) + ": " + visible(o.Outcome()), Bad: o.Failed()})
		}, changing...),
		b.ObserveBrokers(func(id int32, runs bool) {
			state := map[bool]string{true: "up", false: "down"}[runs]
			m.changes.note(happening{At: b.Now().UTC(), Kind: "broker", Who: strconv.Itoa(int(id)), State: state, Moved: true})
		}),
	} {
		context.AfterFunc(stop, end)
	}
	return m
}

// happenings are the newest of what happened: to a topic or to anything, of some
// kinds or of all.
func (s *site) happenings(l *language, most int, topic string, kinds ...string) []happening {
	found := []happening{}
	wanted := func(kind string) bool { return len(kinds) == 0 || slices.Contains(kinds, kind) }
	if s.broker == nil {
		return found
	}
	if wanted("group") {
		for _, e := range s.past.steps.told(func(e step) bool { return topic == "" || e.about(topic) }, most, l) {
			text := e.Text
			if len(e.Assigned) > 0 {
				text += ": " + strings.Join(e.Assigned, "; ")
			}
			found = append(found, happening{At: e.At, Kind: "group", Who: e.Group, Text: text, State: e.To, Moved: e.Moved()})
		}
	}
	if wanted("topic") {
		found = append(found, s.news.newest(func(n topicNews) bool { return topic == "" || n.topic == topic }, most, l)...)
	}
	if wanted("client") && topic == "" {
		visitors := s.broker.Visitors()
		slices.SortFunc(visitors, func(a, b broker.Visitor) int { return b.At.Compare(a.At) })
		for _, v := range visitors[:min(most, len(visitors))] {
			if v.ClientID == clientID {
				continue
			}
			found = append(found, happening{At: v.At.UTC(), Kind: "client", Who: visible(cmp.Or(v.ClientID, v.Name, v.IP.String())), Text: l.text("overview.told", fmt.Sprintf("%s @ %s", cmp.Or(v.Name, "?"), v.IP), v.Told), State: v.State, Moved: true})
		}
	}
	for _, h := range s.past.changes.newest(func(h happening) bool { return wanted(h.Kind) && (topic == "" || h.names(topic)) }, most) {
		if h.Kind == "broker" {
			h.Text = l.text("event.broker."+h.State, h.Who)
		}
		found = append(found, h)
	}
	slices.SortStableFunc(found, func(a, b happening) int { return b.At.Compare(a.At) })
	return found[:min(most, len(found))]
}

type eventsView struct {
	Search   string      `json:"search"`
	Kind     string      `json:"kind"` // empty: all
	Kinds    []string    `json:"kinds"`
	Total    int         `json:"total"`
	From     int         `json:"from"`
	Rows     []happening `json:"events"` // newest first
	Since    time.Time   `json:"since"`
	Previous string      `json:"-"` // page, as a query; empty: none
	Next     string      `json:"-"`
}

func (s *site) events(r *http.Request) (any, error) {
	v := eventsView{Search: strings.TrimSpace(r.Form.Get("q")), Kind: r.Form.Get("kind"), Kinds: eventKinds, Since: s.past.since}
	var kinds []string
	if slices.Contains(eventKinds, v.Kind) {
		kinds = []string{v.Kind}
	} else {
		v.Kind = ""
	}
	all := slices.DeleteFunc(s.happenings(languageOf(r), 3*recentKept, "", kinds...), func(h happening) bool { return !h.has(v.Search) })
	v.Total = len(all)
	v.From, v.Previous, v.Next = paged(r, len(all))
	v.Rows = all[v.From:min(len(all), v.From+pageRows)]
	return v, nil
}

// has says whether a text is in what happened.
func (h happening) has(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(strings.ToLower(h.Who), text) || strings.Contains(strings.ToLower(h.Text), text)
}

// names says whether a topic is named in what happened.
func (h happening) names(topic string) bool {
	return slices.ContainsFunc(strings.Fields(h.Text), func(word string) bool { return strings.Trim(word, ",;:") == topic })
}

// Link leads to what it happened to; empty: to nothing.
func (h happening) Link() string {
	switch h.Kind {
	case "group":
		return "/groups/" + url.PathEscape(h.Who)
	case "topic":
		return "/topics/" + url.PathEscape(h.Who)
	case "client":
		return "/doctor"
	case "broker":
		return "/brokers"
	}
	return "/wire?client=" + url.QueryEscape(h.Who)
}
