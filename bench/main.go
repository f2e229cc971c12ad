// Command bench measures minibroker side by side with other brokers, and with
// limit: a program that does no more than move the same bytes. Ratios to that
// are what counts; they hold on any machine.
//
//	go run ./bench --quick
//	go run ./bench --servers minibroker,limit,kfake,kafka --kafka ~/kafka_2.13-4.3.1
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
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.servers, "servers", "minibroker,limit,kfake", "what to measure, by commas: minibroker, limit, kfake, kafka (see --kafka), NAME=COMMAND that prints 'ready HOST:PORT pid N', NAME=HOST:PORT@PID; a broker before limit")
	flag.StringVar(&o.kafka, "kafka", "", "where Apache Kafka is: the directory of an installation, or a command that prints 'ready HOST:PORT pid N'")
	flag.IntVar(&o.rounds, "rounds", 5, "how often to do each work")
	flag.BoolVar(&o.quick, "quick", false, "less of everything, and without the works that take long")
	flag.StringVar(&o.only, "run", "", "only works whose name matches this regular expression; with --quick, of the long ones too")
	flag.StringVar(&o.json, "json", "", "write all figures to this file")
	flag.StringVar(&o.guard, "guard", "", "measure what this file holds ratios of; exit with 1 when one is clearly worse now")
	flag.StringVar(&o.record, "record", "", "measure the same, several times, and write the ratios to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	servers, kafka, only, json, guard, record string
	rounds                                    int
	quick                                     bool
}

// wants says whether a work is to be done.
func (o *options) wants(w *work, only *regexp.Regexp) bool {
	if !only.MatchString(w.name) {
		return false
	}
	if o.guard != "" || o.record != "" {
		return w.guarded()
	}
	return w.quick || !o.quick || o.only != ""
}

func run(ctx context.Context, o options) error {
	o.quick = o.quick || o.guard != "" || o.record != ""
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
	if o.kafka != "" {
		if ours["kafka"], err = kafkaCommand(o.kafka, dir); err != nil {
			return err
		}
	}
	b := &bench{ctx: ctx, quick: o.quick, taken: make(map[question][]byte), cycle: ours["cycle"]}
	for arg := range strings.SplitSeq(o.servers, ",") {
		s, err := find(strings.TrimSpace(arg), ours)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
	}
	defer func() {
		for _, s := range b.servers {
			s.stop()
		}
	}()
	todo := slices.DeleteFunc(works(o.quick), func(w work) bool { return !o.wants(&w, only) })
	warmMemory(b.scaled(3<<30, 1<<30))
	var rows [][]*row // of each work
	switch {
	case o.record != "":
		rows, err = b.record(o.record, todo, o.rounds)
	case o.guard != "":
		rows, err = b.guard(o.guard, todo, o.rounds)
	default:
		for _, w := range todo {
			fmt.Fprintf(os.Stderr, "%s\n", w.name)
			r := w.rows()
			b.measure(&w, r, o.rounds)
			rows = append(rows, r)
		}
	}
	return errors.Join(ctx.Err(), b.report(&o, rows), err)
}

// report writes what was measured.
func (b *bench) report(o *options, of [][]*row) error {
	var rows []*row
	for _, r := range of {
		rows = append(rows, r...)
	}
	var names []string
	for _, s := range b.servers {
		names = append(names, s.name)
	}
	if err := writeTable(os.Stdout, rows, names); err != nil {
		return err
	}
	if _, err := fmt.Printf("\n%s\n", machine()); err != nil {
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
	return nil
}

// measure does one work on each server in turn, round after round.
func (b *bench) measure(w *work, rows []*row, rounds int) {
	if w.most > 0 {
		rounds = min(rounds, w.most)
	}
	out := make(map[*server]bool) // failed: not asked again
	for range rounds {
		for _, s := range b.servers {
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
}

// once does a work on one server: on one that is started for it, or on the one
// that all works share.
func (b *bench) once(w *work, s *server) ([]float64, error) {
	if w.fresh {
		if s.command == nil {
			return nil, errNothing // it can't be started
		}
		s.stop() // or the two would share memory, and half of it count for each
		alone := &server{name: s.name, command: s.command, big: s.big}
		defer alone.stop()
		return w.run(b, alone)
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

// warmMemory touches memory and lets it go again. A virtual machine gets its
// memory from its host at the first touch, and again when it was free for some
// seconds, which is slow, and should not count for the server that comes first, or
// that has given its own back.
func warmMemory(size int) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return
	}
	if m := regexp.MustCompile(`MemAvailable: +(\d+) kB`).FindSubmatch(info); m != nil {
		kb, _ := strconv.Atoi(string(m[1]))
		size = min(size, kb<<10/4)
	}
	b := make([]byte, size)
	for i := 0; i < size; i += 4 << 10 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	b = nil
	debug.FreeOSMemory()
}

// machine names what the figures are of, and how busy it was.
func machine() string {
	name := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.+)`).FindSubmatch(info); m != nil {
			name = string(m[1])
		}
	}
	load := "unknown"
	if avg, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(avg))[:3], " ")
	}
	return fmt.Sprintf("%s, %d cores, %s %s, %s; load averages at the end %s", name, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
}
