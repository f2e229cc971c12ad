package main

import (
	"encoding/json"
	"fmt"
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

const (
	// margin is how much worse than recorded both ratios may be.
	margin = 1.25
	// again is how often what looks worse is measured anew.
	again = 2
)

// ratios of minibroker's processor time to that of others, by their name.
type ratios map[string]float64

// recorded is the file of ratios, by work.
type recorded map[string]ratios

// guarded are the ratios to hold that rows have.
func guarded(rows []*row) recorded {
	all := make(recorded)
	for _, r := range rows {
		for _, base := range []string{limitName, "kfake"} {
			if ratio := r.best("minibroker", base); ratio > 0 && r.guarded {
				if all[r.Work] == nil {
					all[r.Work] = make(ratios)
				}
				all[r.Work][base] = ratio
			}
		}
	}
	return all
}

// keep records the ratios of rows.
func keep(file string, rows []*row) error {
	all := guarded(rows)
	for _, of := range all {
		for base, ratio := range of {
			of[base] = float64(int(ratio*1000+0.5)) / 1000
		}
	}
	b, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// worse says what is clearly worse now than it was; "" if nothing is.
func (was ratios) worse(now ratios) string {
	var all []string
	for _, base := range []string{limitName, "kfake"} {
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

// guard fails when a work is clearly worse than recorded in a file, after it
// has measured that work again.
func (b *bench) guard(file string, did []work, of [][]*row, rounds int) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var before recorded
	if err := json.Unmarshal(text, &before); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var bad []string
	for i := range did {
		name := did[i].name
		if before[name] == nil {
			bad = append(bad, name+": not recorded; go run ./bench --record "+file+" does")
			continue
		}
		why := before[name].worse(guarded(of[i])[name])
		for range again {
			if why == "" {
				break
			}
			fmt.Fprintf(os.Stderr, "once more, as it looks slower (%s): %s\n", why, name)
			b.measure(&did[i], of[i], rounds)
			why = before[name].worse(guarded(of[i])[name])
		}
		if why != "" {
			bad = append(bad, name+": "+why)
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("not as recorded in %s:\n  %s", file, strings.Join(bad, "\n  "))
	}
	return nil
}
