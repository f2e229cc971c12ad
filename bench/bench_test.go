package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ratios are rows as a run gives them.
func ratios(of map[string]float64) []*row {
	var rows []*row
	for work, ratio := range of {
		r := &row{Work: work, Measure: "CPU", Figures: map[string][]float64{limitName: {2, 1, 3}, "minibroker": {2 * ratio, ratio, 4 * ratio}}, guarded: true}
		r.finish()
		rows = append(rows, r)
	}
	return rows
}

func TestRatiosAreMediansWithinRoundsAndOfTheBest(t *testing.T) {
	r := ratios(map[string]float64{"produce": 6})[0]
	if r.Ratios["minibroker"] != 6 || r.Best["minibroker"] != 6 || r.Ratios[limitName] != 1 {
		t.Errorf("the ratios are %v, of the best %v", r.Ratios, r.Best)
	}
}

func TestTheGuardFailsOnlyForWhatIsClearlySlower(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ratios.json")
	if err := keep(file, ratios(map[string]float64{"produce": 3, "fetch": 2})); err != nil {
		t.Fatal(err)
	}
	if err := guard(file, ratios(map[string]float64{"produce": 3.3, "fetch": 1, "new": 9})); err != nil {
		t.Errorf("within the margin: %v", err)
	}
	err := guard(file, ratios(map[string]float64{"produce": 3 * margin * 1.1, "fetch": 2}))
	if err == nil || !strings.Contains(err.Error(), "produce") || strings.Contains(err.Error(), "fetch") {
		t.Errorf("produce is clearly slower: %v", err)
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
	err := run(t.Context(), options{servers: "minibroker,limit", quick: true, rounds: 1, only: "^(Heartbeat|OffsetCommit|fetch, 16 KiB|exec)", json: file})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Heartbeat", "OffsetCommit", "fetch, 16 KiB", "exec to first answer", `"limit"`, `"minibroker"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the figures lack %s:\n%s", want, text)
		}
	}
}
