package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// cycleWorks are brokers that a Go test starts in its own process.
func cycleWorks() []work {
	row := func(name, cycle string, full, quick int, goal, margin float64) work {
		return work{name: name, quick: true, fresh: true, measures: []measure{{name: "CPU", unit: "µs/cycle", base: "kfake", goal: goal, margin: margin}},
			run: func(b *bench, s *server) ([]float64, error) { return b.cycles(s, cycle, b.scaled(full, quick)) }}
	}
	asked := row("one broker per test: start, ask for the address, close", "ask", 10_000, 2_000, 0, 0)
	asked.quick = false
	return []work{
		row("one broker per test: start and close", "open", 10_000, 2_000, 0.7, restless),
		asked,
		row("one broker per test: with create, produce, consume by kgo", "use", 500, 100, 0.6, steady),
	}
}

// cycles lets a program do so many cycles of its own; see package cycle.
func (b *bench) cycles(s *server, cycle string, n int) ([]float64, error) {
	if s.name != "minibroker" && s.name != "kfake" {
		return nil, errNothing
	}
	cmd := exec.CommandContext(b.ctx, b.cycle[0], s.name, cycle, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cycle: %w", err)
	}
	per, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return []float64{per}, err
}
