// Command bench measures minibroker side by side with other brokers, and with
// limit: a program that does no more than move the same bytes. Ratios to that
// are what counts; they hold on any machine.
//
//	go run ./bench --quick
//	go run ./bench --servers "minibroker,limit,kfake,kafka=path/to/start-kafka --port 0"
//
// CPU time and memory come from /proc: it runs on Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.servers, "servers", "minibroker,limit,kfake", "what to measure, by commas: minibroker, limit, kfake, NAME=COMMAND that prints 'ready HOST:PORT pid N', NAME=HOST:PORT@PID; a broker before limit")
	flag.IntVar(&o.rounds, "rounds", 5, "how often to do each work")
	flag.BoolVar(&o.quick, "quick", false, "less of everything, and only the works that are steady then")
	flag.StringVar(&o.only, "run", "", "only works whose name matches this regular expression")
	flag.StringVar(&o.json, "json", "", "write all figures to this file")
	flag.StringVar(&o.guard, "guard", "", "compare with the ratios in this file; exit with 1 when one is clearly worse")
	flag.StringVar(&o.record, "record", "", "write the ratios for --guard to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	servers, only, json, guard, record string
	rounds                             int
	quick                              bool
}

func run(ctx context.Context, o options) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "minibroker-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, err := build(dir)
	if err != nil {
		return err
	}
	var servers []*server
	var names []string
	for arg := range strings.SplitSeq(o.servers, ",") {
		s, err := find(strings.TrimSpace(arg), ours)
		if err != nil {
			return err
		}
		servers, names = append(servers, s), append(names, s.name)
	}
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	b := &bench{ctx: ctx, quick: o.quick, taken: make(map[question][]byte)}
	var rows []*row
	for _, w := range works() {
		if !only.MatchString(w.name) || o.quick && !w.quick {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(os.Stderr, "%s\n", w.name)
		rows = append(rows, b.measure(&w, servers, o.rounds)...)
	}
	if err := writeTable(os.Stdout, rows, names); err != nil {
		return err
	}
	if o.json != "" {
		f, err := os.Create(o.json)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := writeJSON(f, machine(), rows); err != nil {
			return err
		}
	}
	if o.record != "" {
		if err := keep(o.record, rows); err != nil {
			return err
		}
	}
	if o.guard != "" {
		return guard(o.guard, rows)
	}
	return nil
}

// measure does one work on each server in turn, round after round.
func (b *bench) measure(w *work, servers []*server, rounds int) []*row {
	rows := make([]*row, len(w.measures))
	for i, m := range w.measures {
		rows[i] = &row{Work: w.name, Measure: m.name, Unit: m.unit, Goal: m.goal, Figures: make(map[string][]float64), guarded: m.guarded}
	}
	if w.once {
		rounds = 1
	}
	out := make(map[*server]bool) // failed: not asked again
	for range rounds {
		for _, s := range servers {
			if out[s] || b.ctx.Err() != nil {
				continue
			}
			figures, err := b.once(w, s)
			if err != nil {
				out[s] = true
				if !errors.Is(err, errNothing) {
					fmt.Fprintf(os.Stderr, "  %s: %v\n", s.name, err)
				}
				continue
			}
			for i := range figures {
				rows[i].Figures[s.name] = append(rows[i].Figures[s.name], figures[i])
			}
		}
	}
	for _, r := range rows {
		r.finish()
	}
	return rows
}

// once does a work on one server: on one that is started for it, or on the one
// that all works share.
func (b *bench) once(w *work, s *server) ([]float64, error) {
	if w.fresh {
		if s.command == nil {
			return nil, errNothing // it can't be started
		}
		return w.run(b, &server{name: s.name, command: s.command})
	}
	if s.process == nil {
		if err := s.start(b.ctx); err != nil {
			return nil, err
		}
		// Once for nothing: what is compiled or grown at first use is there afterwards.
		if _, err := w.run(b, s); err != nil {
			return nil, err
		}
	}
	return w.run(b, s)
}

// machine names what the figures are of.
func machine() string {
	name := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.+)`).FindSubmatch(info); m != nil {
			name = string(m[1])
		}
	}
	return fmt.Sprintf("%s, %d cores, %s %s, %s", name, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
