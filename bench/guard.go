package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// margin is how much worse than recorded a ratio may be. Runs of unchanged code
// on a noisy machine stay within it; see docs/performance.md.
const margin = 1.35

// recorded is the file that holds the guarded ratios: by work, of minibroker to
// the limit.
type recorded map[string]float64

func guarded(rows []*row) recorded {
	all := make(recorded)
	for _, r := range rows {
		if ratio, ok := r.Best["minibroker"]; ok && r.guarded {
			all[r.Work] = ratio
		}
	}
	return all
}

func keep(file string, rows []*row) error {
	b, err := json.MarshalIndent(guarded(rows), "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// guard fails when a ratio is clearly worse than the recorded one.
func guard(file string, rows []*row) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var before recorded
	if err := json.Unmarshal(b, &before); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var worse []string
	for work, now := range guarded(rows) {
		if was, ok := before[work]; ok && now > was*margin {
			worse = append(worse, fmt.Sprintf("%s: %.2f times the limit, was %.2f", work, now, was))
		}
	}
	if len(worse) > 0 {
		return fmt.Errorf("slower than recorded in %s:\n  %s", file, strings.Join(worse, "\n  "))
	}
	return nil
}
