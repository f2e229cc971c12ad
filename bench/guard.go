package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
)

// This file owns what keeps minibroker from getting slower unnoticed: ratios of
// processor time that were recorded once, and the rule for what is clearly worse.
//
// A ratio is that of the best rounds: what disturbs a round makes it dearer. Two
// ratios must be worse, to the limit and to kfake, or the limit's own bad luck
// would look like minibroker's, and so would another kernel: where system calls
// are cheap, minibroker does worse beside the limit and better beside kfake. What
// still looks worse is measured again before anybody is told.

// How much worse than recorded both ratios may be. Runs of unchanged code differ
// by up to 1.2 in most works, and more where a few large transfers are all there
// is; docs/performance.md says how that was found.
const (
	steady   = 1.3
	restless = 1.5
)

const (
	// again is how often what looks worse is measured anew.
	again = 2
	// recordings is how often what is recorded is measured: the middle one
	// counts, so that neither luck nor its opposite becomes the rule.
	recordings = 5
)

// ratios of minibroker's processor time to that of others, by their name.
type ratios map[string]float64

// recorded is the file of ratios, by work.
type recorded map[string]ratios

var bases = []string{limitName, "kfake"}

// guarded are the ratios that CI holds, and their margin; nil if there is none.
func guarded(rows []*row) (now ratios, margin float64) {
	for _, r := range rows {
		if r.margin > 0 {
			now = make(ratios)
			for _, base := range bases {
				if ratio := r.best("minibroker", base); ratio > 0 {
					now[base] = ratio
				}
			}
			return now, r.margin
		}
	}
	return nil, 0
}

// record measures works and writes their ratios to a file. It returns the rows.
func (b *bench) record(file string, todo []work, rounds int) (rows [][]*row, err error) {
	all := make(recorded)
	for i := range todo {
		w := &todo[i]
		fmt.Fprintf(os.Stderr, "%s\n", w.name)
		together, each := w.rows(), make(map[string][]float64)
		for range recordings {
			once := w.rows()
			b.measure(w, once, rounds)
			now, _ := guarded(once)
			for base, ratio := range now {
				each[base] = append(each[base], ratio)
			}
			for i, r := range once {
				together[i].add(r)
			}
		}
		all[w.name] = make(ratios)
		for base, of := range each {
			all[w.name][base] = math.Round(median(of)*1000) / 1000
		}
		rows = append(rows, together)
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil || b.ctx.Err() != nil {
		return rows, errors.Join(err, b.ctx.Err())
	}
	return rows, os.WriteFile(file, append(text, '\n'), 0o644)
}

// worse says what is clearly worse now than it was; "" if nothing is.
func (was ratios) worse(now ratios, margin float64) string {
	var all []string
	for _, base := range bases {
		switch {
		case was[base] == 0:
		case now[base] == 0:
			return "it was not measured"
		case now[base] <= was[base]*margin:
			return ""
		default:
			all = append(all, fmt.Sprintf("%.2f times %s, recorded is %.2f", now[base], base, was[base]))
		}
	}
	return strings.Join(all, "; ")
}

// guard measures works and fails when one is clearly worse than recorded in a
// file, after it has measured that one again. It returns the rows.
func (b *bench) guard(file string, todo []work, rounds int) (rows [][]*row, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var before recorded
	if err := json.Unmarshal(text, &before); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var bad []string
	for i := range todo {
		w := &todo[i]
		was := before[w.name]
		if len(was) == 0 {
			bad = append(bad, w.name+": not recorded; go run ./bench --record "+file+" does that")
			continue
		}
		fmt.Fprintf(os.Stderr, "%s\n", w.name)
		r := w.rows()
		rows = append(rows, r)
		why := "x"
		for n := 0; why != "" && n <= again; n++ {
			if n > 0 {
				fmt.Fprintf(os.Stderr, "  once more, as it looks slower: %s\n", why)
			}
			b.measure(w, r, rounds)
			now, margin := guarded(r)
			why = was.worse(now, margin)
		}
		if why != "" {
			bad = append(bad, w.name+": "+why)
		}
	}
	if len(bad) > 0 {
		err = fmt.Errorf("not as recorded in %s:\n  %s", file, strings.Join(bad, "\n  "))
	}
	return rows, err
}
