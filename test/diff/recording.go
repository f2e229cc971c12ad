package diff

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// This file owns recordings: a server's answers as a text file, to compare
// with where the server itself is not at hand.

// recording is what a server answered, by script, version and step.
type recording struct {
	serves  map[int16][2]int16
	answers map[string]map[int16][]seen
}

func newRecording(serves map[int16][2]int16) *recording {
	return &recording{serves: serves, answers: make(map[string]map[int16][]seen)}
}

func (r *recording) script(name string, version int16) []seen { return r.answers[name][version] }

// value is one line of the answer to the difference's version, or to the
// nearest one that was recorded; absent if there is none.
func (r *recording) value(d *difference) string {
	versions := r.answers[d.script]
	nearest, best := int16(0), int16(-1)
	for v := range versions {
		if gap := max(v-d.version, d.version-v); best < 0 || gap < best {
			nearest, best = v, gap
		}
	}
	for _, s := range versions[nearest] {
		if s.step != d.step {
			continue
		}
		for _, l := range s.lines {
			if l.path == d.path {
				return l.value
			}
		}
		return absent
	}
	return "not recorded"
}

func (r *recording) add(script string, version int16, all []seen) {
	if r.answers[script] == nil {
		r.answers[script] = make(map[int16][]seen)
	}
	for i := range all {
		all[i].lines = slices.DeleteFunc(all[i].lines, func(l line) bool {
			d := difference{script: script, step: all[i].step, version: version, path: l.path}
			return slices.ContainsFunc(changing, func(m meant) bool { return m.covers(&d) })
		})
	}
	r.answers[script][version] = all
}

// The file: "serves KEY MIN MAX" lines, then "# SCRIPT / STEP" before the
// step's lines "VERSIONS TAB PATH TAB VALUE".
const between = " / "

func (r *recording) write(file string, scripts []script) error {
	var sb strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r.serves)) {
		fmt.Fprintf(&sb, "serves %d %d %d\n", key, r.serves[key][0], r.serves[key][1])
	}
	for i := range scripts {
		sc := &scripts[i]
		versions := slices.Sorted(maps.Keys(r.answers[sc.name]))
		for j := range sc.steps {
			var order []line
			in := make(map[line][]int16)
			for _, v := range versions {
				for _, s := range r.answers[sc.name][v] {
					if s.step != sc.steps[j].name {
						continue
					}
					for _, l := range s.lines {
						if in[l] == nil {
							order = append(order, l)
						}
						in[l] = append(in[l], v)
					}
				}
			}
			if len(order) == 0 {
				continue
			}
			fmt.Fprintf(&sb, "\n# %s%s%s\n", sc.name, between, sc.steps[j].name)
			for _, l := range order {
				fmt.Fprintf(&sb, "%s\t%s\t%s\n", versionsText(in[l]), l.path, l.value)
			}
		}
	}
	return os.WriteFile(file, []byte(sb.String()), 0o644)
}

func readRecording(file string) (*recording, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := newRecording(make(map[int16][2]int16))
	var script, step string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		switch {
		case text == "":
		case strings.HasPrefix(text, "serves "):
			var key, oldest, newest int16
			if _, err := fmt.Sscanf(text, "serves %d %d %d", &key, &oldest, &newest); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
			r.serves[key] = [2]int16{oldest, newest}
		case strings.HasPrefix(text, "# "):
			script, step, _ = strings.Cut(text[2:], between)
		default:
			parts := strings.SplitN(text, "\t", 3)
			if len(parts) != 3 {
				return nil, fmt.Errorf("%s:%d: not a line of versions, path and value", file, n)
			}
			versions, err := parseVersions(parts[0])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
			for _, v := range versions {
				r.addLine(script, step, v, line{parts[1], parts[2]})
			}
		}
	}
	return r, lines.Err()
}

func (r *recording) addLine(script, step string, version int16, l line) {
	if r.answers[script] == nil {
		r.answers[script] = make(map[int16][]seen)
	}
	all := r.answers[script][version]
	if n := len(all); n == 0 || all[n-1].step != step {
		all = append(all, seen{step: step})
	}
	last := &all[len(all)-1]
	last.lines = append(last.lines, l)
	r.answers[script][version] = all
}

// parseVersions is versionsText's inverse.
func parseVersions(text string) ([]int16, error) {
	var all []int16
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimPrefix(part, "v"), "-")
		if !isRange {
			last = first
		}
		a, err := strconv.Atoi(first)
		if err != nil {
			return nil, err
		}
		b, err := strconv.Atoi(last)
		if err != nil {
			return nil, err
		}
		for v := a; v <= b; v++ {
			all = append(all, int16(v))
		}
	}
	return all, nil
}
