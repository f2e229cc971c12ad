package ui

// This file owns the faults that teachers show, each with one button.

import (
	"net/url"
	"strconv"
	"strings"
	"sync"

	"minibroker/broker/fault"
)

// presetNames are the presets in the order of the page; their texts are
// preset.NAME and preset.NAME.see, what clients will do.
var presetNames = []string{"slow.leader", "tenth.fails", "answer.lost", "leader.moved", "replicas.missing", "flaky", "no.coordinator", "member.out", "rebalance.held", "slow.reader", "corrupt", "quota", "fenced", "txn.stuck"}

var presets = map[string][]fault.Spec{
	"slow.leader":      {{Kind: "delay", API: "Produce", Wait: "2000ms", Always: true}},
	"tenth.fails":      {{Kind: "fail", API: "Produce", Error: "REQUEST_TIMED_OUT", Every: 10, Always: true}},
	"answer.lost":      {{Kind: "lose-answer", API: "Produce"}},
	"leader.moved":     {{Kind: "fail", API: "Produce", Error: "NOT_LEADER_FOR_PARTITION", Times: 3}},
	"replicas.missing": {{Kind: "fail", API: "Produce", Error: "NOT_ENOUGH_REPLICAS", Always: true}},
	"flaky":            {{Kind: "drop", API: "any", Every: 20, Always: true}},
	"no.coordinator": {
		{Kind: "fail", API: "FindCoordinator", Error: "COORDINATOR_NOT_AVAILABLE", Always: true},
		{Kind: "fail", API: "Heartbeat", Error: "NOT_COORDINATOR", Always: true},
		{Kind: "fail", API: "ConsumerGroupHeartbeat", Error: "NOT_COORDINATOR", Always: true},
		{Kind: "fail", API: "OffsetCommit", Error: "NOT_COORDINATOR", Always: true},
	},
	"member.out": {
		{Kind: "fail", API: "Heartbeat", Error: "UNKNOWN_MEMBER_ID"},
		{Kind: "fail", API: "ConsumerGroupHeartbeat", Error: "UNKNOWN_MEMBER_ID"},
	},
	"rebalance.held": {{Kind: "hold", API: "SyncGroup", Always: true}},
	"slow.reader":    {{Kind: "slow-answer", API: "Fetch", Rate: 1000, Always: true}},
	"corrupt":        {{Kind: "corrupt"}},
	"quota":          {{Kind: "throttle", API: "Produce", Wait: "3000ms", Always: true}},
	"fenced":         {{Kind: "fail", API: "EndTxn", Error: "PRODUCER_FENCED"}},
	"txn.stuck":      {{Kind: "hold", API: "EndTxn", Always: true}},
}

// presetView is a preset as the page offers it.
type presetView struct {
	Name   string   `json:"name"`
	Does   []string `json:"does"` // in English
	Adjust string   `json:"-"`    // query that fills the form in; empty: it is several faults
}

var presetViews = sync.OnceValue(func() []presetView {
	var all []presetView
	for _, name := range presetNames {
		v := presetView{Name: name}
		for _, spec := range presets[name] {
			f, _ := spec.Fault() // a test sees an error first
			v.Does = append(v.Does, f.String())
		}
		if len(presets[name]) == 1 {
			v.Adjust = queryOfSpec(presets[name][0])
		}
		all = append(all, v)
	}
	return all
})

// queryOfSpec is the form of a fault as a query.
func queryOfSpec(s fault.Spec) string {
	q := url.Values{"kind": {s.Kind}, "times": {strconv.Itoa(max(1, s.Times))}}
	if s.Always {
		q.Set("times", "0")
	}
	for name, value := range map[string]string{"api": s.API, "error": s.Error, "wait": strings.TrimSuffix(s.Wait, "ms")} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, n := range map[string]int{"rate": s.Rate, "every": s.Every} {
		if n > 0 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	return "?" + q.Encode()
}
