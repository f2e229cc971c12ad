package ui

// This file owns what graphs show: numbers as they were each time that a page
// looked at them.

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"minibroker/broker"
)

const (
	// historyPoints is how far a graph goes back.
	historyPoints = 300
	// historyKeys is how many graphs are remembered.
	historyKeys = 200
	// historyLines is how many lines a graph has.
	historyLines = 8
)

// history remembers the newest numbers of each graph.
type history struct {
	mu   sync.Mutex
	all  map[string]*past
	tick int64
}

type past struct {
	used   int64 // newest graph to be looked at has the highest
	points []point
}

type point struct {
	at     time.Time
	values map[string]float64
}

// sampleEvery is how often totals are noted, as long as that costs less than a
// hundredth of the time.
const sampleEvery = 2 * time.Second

// sample notes the totals of the broker in this process until the server stops,
// so that a graph shows what was before its page was opened.
func (s *site) sample() {
	for {
		from := s.now()
		_, _, _ = s.totals() // the next one tells
		if pause(s.stop, max(sampleEvery, 100*s.now().Sub(from))) != nil {
			return
		}
	}
}

// totals are the broker's metrics that are about no single topic, group or
// client. They are noted in the graphs of bytes, requests and records.
func (s *site) totals() (traffic, requests []metricRow, err error) {
	families, err := s.metrics.Gather()
	if err != nil {
		return nil, nil, err
	}
	for _, f := range families {
		name := f.GetName()
		if !strings.HasPrefix(name, "minibroker_") && name != "go_goroutines" && name != "process_resident_memory_bytes" && name != "process_cpu_seconds_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			row := metricRow{Name: name, Help: f.GetHelp(), Bytes: strings.Contains(name, "_bytes")}
			row.Value = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			switch labels := m.GetLabel(); {
			case len(labels) == 0:
				traffic = append(traffic, row)
			case labels[0].GetName() == "api" && row.Value > 0:
				row.Label = labels[0].GetValue()
				requests = append(requests, row)
			}
		}
	}
	slices.SortStableFunc(requests, func(a, b metricRow) int { return cmp.Compare(b.Value, a.Value) })
	bytes, busiest := map[string]float64{}, map[string]float64{}
	for _, m := range traffic {
		switch m.Name {
		case "minibroker_received_bytes_total":
			bytes["in"] = m.Value
		case "minibroker_sent_bytes_total":
			bytes["out"] = m.Value
		}
	}
	for _, m := range requests[:min(len(requests), historyLines)] {
		busiest[m.Label] = m.Value
	}
	written, names := int64(0), map[string]bool{}
	s.broker.EachTopic(func(t broker.TopicSum) bool {
		if !t.Internal {
			written += t.Written
			if len(names) <= newsTopics {
				names[t.Name] = true
			}
		}
		return true
	})
	now := s.now()
	s.news.look(s.broker.Now(), names)
	s.history.add(bytesGraph, now, bytes)
	s.history.add(requestsGraph, now, busiest)
	s.history.add(recordsGraph, now, map[string]float64{"records": float64(written)})
	return traffic, requests, nil
}

// The graphs of totals.
const (
	bytesGraph    = "total bytes"
	requestsGraph = "total requests"
	recordsGraph  = "total records"
)

// graph is a graph in the columns that uPlot takes: times in seconds, then a
// line of values for each name.
type graph struct {
	Names  []string     `json:"names"`
	Times  []float64    `json:"times"`
	Values [][]*float64 `json:"values"`
}

// JSON is the graph for the page.
func (g *graph) JSON() (string, error) {
	raw, err := json.Marshal(g)
	return string(raw), err
}

// newest is the last point of a graph's first line.
func (g *graph) newest() float64 {
	if len(g.Values) == 0 || len(g.Times) == 0 || g.Values[0][len(g.Times)-1] == nil {
		return 0
	}
	return *g.Values[0][len(g.Times)-1]
}

// note adds numbers to a graph and returns what it shows now.
func (h *history) note(key string, at time.Time, values map[string]float64) *graph {
	h.add(key, at, values)
	h.mu.Lock()
	defer h.mu.Unlock()
	return draw(h.past(key).points)
}

// add adds numbers to a graph. Several pages that look at once make one point.
func (h *history) add(key string, at time.Time, values map[string]float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.past(key)
	if n := len(p.points); n == 0 || at.Sub(p.points[n-1].at) >= time.Second {
		p.points = append(p.points, point{at, values})
	}
	if len(p.points) > historyPoints {
		p.points = slices.Delete(p.points, 0, len(p.points)-historyPoints)
	}
}

// rate is how fast the counters of a graph grow, in units a second.
func (h *history) rate(key string) *graph {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.past(key)
	var rates []point
	for i := 1; i < len(p.points); i++ {
		before, now := p.points[i-1], p.points[i]
		values := make(map[string]float64, len(now.values))
		for name, v := range now.values {
			if was, ok := before.values[name]; ok { // else it was not among those noted
				values[name] = max(0, v-was) / now.at.Sub(before.at).Seconds()
			}
		}
		rates = append(rates, point{now.at, values})
	}
	return draw(rates)
}

func (h *history) past(key string) *past {
	if h.all == nil {
		h.all = map[string]*past{}
	}
	h.tick++
	p := h.all[key]
	if p == nil {
		if len(h.all) >= historyKeys {
			oldest := ""
			for k, other := range h.all {
				if oldest == "" || other.used < h.all[oldest].used {
					oldest = k
				}
			}
			delete(h.all, oldest)
		}
		p = &past{}
		h.all[key] = p
	}
	p.used = h.tick
	return p
}

func draw(points []point) *graph {
	g := &graph{Names: []string{}, Times: []float64{}, Values: [][]*float64{}}
	names := map[string]bool{}
	for _, p := range points {
		for name := range p.values {
			names[name] = true
		}
	}
	g.Names = append(g.Names, slices.Sorted(maps.Keys(names))...)
	g.Names = g.Names[:min(len(g.Names), historyLines)]
	for range g.Names {
		g.Values = append(g.Values, make([]*float64, len(points)))
	}
	for i, p := range points {
		g.Times = append(g.Times, float64(p.at.UnixMilli())/1000)
		for j, name := range g.Names {
			if v, ok := p.values[name]; ok {
				g.Values[j][i] = &v
			}
		}
	}
	return g
}
