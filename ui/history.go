package ui

// This file owns what graphs show: numbers as they were each time that a page
// looked at them.

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
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

// note adds numbers to a graph and returns what it shows now.
func (h *history) note(key string, at time.Time, values map[string]float64) *graph {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.past(key)
	// Several pages that look at once make one point.
	if n := len(p.points); n == 0 || at.Sub(p.points[n-1].at) >= time.Second {
		p.points = append(p.points, point{at, values})
	}
	if len(p.points) > historyPoints {
		p.points = slices.Delete(p.points, 0, len(p.points)-historyPoints)
	}
	return draw(p.points)
}

// rate adds counters to a graph of how fast they grow, in units a second.
func (h *history) rate(key string, at time.Time, counters map[string]float64) *graph {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.past(key)
	if n := len(p.points); n == 0 || at.Sub(p.points[n-1].at) >= time.Second {
		p.points = append(p.points, point{at, counters})
	}
	if len(p.points) > historyPoints {
		p.points = slices.Delete(p.points, 0, len(p.points)-historyPoints)
	}
	var rates []point
	for i := 1; i < len(p.points); i++ {
		before, now := p.points[i-1], p.points[i]
		values := make(map[string]float64, len(now.values))
		for name, v := range now.values {
			values[name] = max(0, v-before.values[name]) / now.at.Sub(before.at).Seconds()
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
