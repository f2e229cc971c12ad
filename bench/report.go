package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// row is the outcome of one measure.
type row struct {
	Work    string               `json:"work"`
	Measure string               `json:"measure"`
	Unit    string               `json:"unit"`
	Goal    float64              `json:"goal,omitempty"`
	Base    string               `json:"base,omitempty"`   // the server that ratios are to
	Figures map[string][]float64 `json:"figures"`          // server -> one for each round
	Ratios  map[string]float64   `json:"ratios,omitempty"` // server -> median of the rounds' ratios to the base
	margin  float64
}

// finish computes the ratios.
func (r *row) finish() {
	base := r.Figures[r.Base]
	if len(base) == 0 {
		return
	}
	r.Ratios = make(map[string]float64)
	for name, figures := range r.Figures {
		var ratios []float64
		for i := range min(len(figures), len(base)) {
			if base[i] > 0 {
				ratios = append(ratios, figures[i]/base[i])
			}
		}
		if len(ratios) > 0 {
			r.Ratios[name] = median(ratios)
		}
	}
}

// add takes the figures of another row of the same measure.
func (r *row) add(other *row) {
	for name, figures := range other.Figures {
		r.Figures[name] = append(r.Figures[name], figures...)
	}
	r.finish()
}

// best is the ratio of the best figures of two servers; 0 where one has none.
// What disturbs a round makes its figures worse and never better.
func (r *row) best(server, base string) float64 {
	if len(r.Figures[server]) == 0 || len(r.Figures[base]) == 0 {
		return 0
	}
	return slices.Min(r.Figures[server]) / slices.Min(r.Figures[base])
}

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// writeTable writes the rows as a Markdown table: ratios are in bold, figures
// are medians, in brackets where there is a ratio.
func writeTable(w io.Writer, rows []*row, servers []string) error {
	var b strings.Builder
	b.WriteString("| work | measure | goal |")
	for _, s := range servers {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(servers)) + "\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s, %s | %s |", r.Work, r.Measure, r.Unit, goal(r))
		for _, s := range servers {
			figures := r.Figures[s]
			switch {
			case len(figures) == 0:
				b.WriteString(" – |")
			case s == r.Base || r.Ratios == nil:
				fmt.Fprintf(&b, " %s |", short(median(figures)))
			default:
				fmt.Fprintf(&b, " **%s** (%s) |", short(r.Ratios[s]), short(median(figures)))
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func goal(r *row) string {
	switch {
	case r.Goal == 0:
		return ""
	case r.Base == "":
		return short(r.Goal) + " " + r.Unit
	case r.Base == limitName:
		return short(r.Goal)
	}
	return short(r.Goal) + " of " + r.Base
}

// short is v with two or three digits that count.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func writeJSON(w io.Writer, machine string, rows []*row) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(struct {
		Machine string `json:"machine"`
		Rows    []*row `json:"rows"`
	}{machine, rows})
}
