package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// figures are a work's row as a run gives it.
func figures(work string, minibroker, limit, kfake []float64) []*row {
	r := &row{Work: work, Measure: "CPU", Base: limitName, margin: steady,
		Figures: map[string][]float64{limitName: limit, "minibroker": minibroker, "kfake": kfake}}
	r.finish()
	return []*row{r}
}

func TestRatiosAreMediansWithinRoundsAndOfTheBest(t *testing.T) {
	r := figures("produce", []float64{12, 6, 40}, []float64{2, 1, 4}, []float64{9, 12, 8})[0]
	if r.Ratios["minibroker"] != 6 || r.Ratios[limitName] != 1 || r.Ratios["kfake"] != 4.5 {
		t.Errorf("the ratios are %v", r.Ratios)
	}
	if got := r.best("minibroker", "kfake"); got != 0.75 {
		t.Errorf("the best are as 6 to 8, not %v", got)
	}
}

func TestAFigureOfNothingMakesNoRatio(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.json")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeJSON(f, "here", figures("idle", []float64{0, 2}, []float64{0, 1}, nil)); err != nil {
		t.Error(err)
	}
}

func TestTheGuardFailsOnlyForWhatIsClearlySlower(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ratios.json")
	if err := os.WriteFile(file, []byte(`{"produce": {"limit": 3, "kfake": 0.5}, "start": {"kfake": 0.5}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	type measured struct{ minibroker, limit, kfake float64 }
	for _, c := range []struct {
		what, work string
		times      []measured // it is measured
		want       string     // "": all is well
	}{
		{"as it was", "produce", []measured{{3, 1, 6}}, ""},
		{"within the margin", "produce", []measured{{3 * steady * .99, 1, 6}}, ""},
		{"the limit is lucky", "produce", []measured{{3, .5, 6}}, ""},
		{"another kernel", "produce", []measured{{5, 1, 10}}, ""},
		{"slower, but only at first", "produce", []measured{{6, 1, 6}, {3, 1, 6}}, ""},
		{"slower", "produce", []measured{{6, 1, 6}, {5, 1, 6}, {5.5, 1, 6}}, "produce: 5.00 times limit, recorded is 3.00; 0.83 times kfake, recorded is 0.50"},
		{"without a limit", "start", []measured{{9, 0, 10}, {9, 0, 10}, {9, 0, 10}}, "start: 0.90 times kfake, recorded is 0.50"},
		{"nothing to be had", "produce", []measured{{}, {}, {}}, "produce: it was not measured"},
		{"new", "fetch", nil, "fetch: not recorded"},
	} {
		at := 0
		w := work{name: c.work, fresh: true, measures: []measure{{margin: steady}}}
		w.run = func(_ *bench, s *server) ([]float64, error) {
			if at/3 == len(c.times) {
				t.Fatalf("%s: it is measured %d times", c.what, at/3+1)
			}
			now := c.times[at/3]
			at++
			if figure := map[string]float64{"minibroker": now.minibroker, limitName: now.limit, "kfake": now.kfake}[s.name]; figure > 0 {
				return []float64{figure}, nil
			}
			return nil, errNothing
		}
		b := &bench{ctx: t.Context()}
		for _, name := range []string{"minibroker", limitName, "kfake"} {
			b.servers = append(b.servers, &server{name: name, command: []string{name}})
		}
		_, err := b.guard(file, []work{w}, 1)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
		if at != 3*len(c.times) {
			t.Errorf("%s: servers were measured %d times, not %d", c.what, at, 3*len(c.times))
		}
	}
}

// The margin is for what differs by itself from run to run; a broker that takes
// twice the time is beyond it on any machine, whatever else that has to do.
func TestTheGuardCatchesABrokerThatTakesTwiceTheTime(t *testing.T) {
	t.Chdir("..")
	slowed := filepath.Join(t.TempDir(), "slowed")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", slowed, "./bench/slowed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "ratios.json")
	o := options{servers: "minibroker,limit,kfake", rounds: 1, only: "^Heartbeat", record: file}
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.record, o.guard, o.servers = "", file, "minibroker="+slowed+" 100,limit,kfake"
	err := run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "Heartbeat, 64 connections pipelined: ") {
		t.Errorf("Heartbeat takes twice the time, and the guard says %v", err)
	}
}

func TestAServerIsGivenByNameCommandOrAddress(t *testing.T) {
	ours := map[string][]string{"minibroker": {"/bin/minibroker"}}
	for arg, want := range map[string]string{
		"minibroker":                   "minibroker /bin/minibroker  0",
		"kafka=start-kafka --port 0":   "kafka start-kafka --port 0  0",
		"other=127.0.0.1:9092@4711":    "other  127.0.0.1:9092 4711",
		"elsewhere=kafka.example:9092": "elsewhere  kafka.example:9092 0",
	} {
		s, err := find(arg, ours)
		if err != nil {
			t.Errorf("%s: %v", arg, err)
			continue
		}
		if got := strings.Join([]string{s.name, strings.Join(s.command, " "), s.addr, strconv.Itoa(s.pid)}, " "); got != want {
			t.Errorf("%s is %q, want %q", arg, got, want)
		}
	}
	if _, err := find("redpanda", ours); err == nil || !strings.Contains(err.Error(), "NAME=HOST:PORT") {
		t.Errorf("an unknown name: %v", err)
	}
}

// The works run against minibroker and the limit, and each gives its figures.
func TestWorksGiveFigures(t *testing.T) {
	t.Chdir("..")
	file := filepath.Join(t.TempDir(), "figures.json")
	err := run(t.Context(), options{servers: "minibroker,limit", quick: true, rounds: 1, only: "^(OffsetCommit|fetch, 16 KiB|exec|one broker per test: start)", json: file})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"OffsetCommit", "fetch, 16 KiB", "exec to first answer", "one broker per test", `"limit"`, `"minibroker"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the figures lack %s:\n%s", want, text)
		}
	}
}
