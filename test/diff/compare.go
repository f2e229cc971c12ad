package diff

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file owns comparing: what differs, which of it is meant, and how the
// rest is reported.

// difference is one field that two servers answered differently to.
type difference struct {
	script, step string
	version      int16
	path         string
	ref, sub     string // values; absent where the field is not there
}

const (
	absent   = "(absent)"
	answered = "(answer)"
)

// compare returns the differences of one run of a script. Where an answer or
// an element of a list is missing on one side, that is the whole difference.
func compare(script string, version int16, ref, sub []seen) []difference {
	var out []difference
	steps := make(map[string][]line)
	for _, s := range ref {
		steps[s.step] = s.lines
	}
	for i := range sub {
		lines, ok := steps[sub[i].step]
		if !ok {
			lines = []line{{answered, "not recorded"}}
		}
		var paths []string
		values := make(map[string][2]string)
		for side, lines := range [2][]line{lines, sub[i].lines} {
			for _, l := range lines {
				v, ok := values[l.path]
				if !ok {
					paths = append(paths, l.path)
					v = [2]string{absent, absent}
				}
				v[side] = l.value
				values[l.path] = v
			}
		}
		var missing []string // prefixes of paths that are told of already
		told := func(path string) bool {
			return slices.ContainsFunc(missing, func(m string) bool { return strings.HasPrefix(path, m) })
		}
		slices.SortFunc(paths, byDepth)
		for _, p := range paths {
			v := values[p]
			if v[0] == v[1] || told(p) {
				continue
			}
			switch {
			case p == answered:
				missing = append(missing, "")
			case v[0] == there || v[1] == there:
				list := p[:strings.LastIndex(p, "[")]
				missing = append(missing, p+".", list+elements)
			}
			out = append(out, difference{script, sub[i].step, version, p, v[0], v[1]})
		}
	}
	return out
}

// byDepth puts the answer first, and an element before what is in it and
// before its list's order.
func byDepth(a, b string) int {
	depth := func(p string) int {
		switch {
		case p == answered:
			return -1
		case strings.HasSuffix(p, elements):
			return 2*strings.Count(p, ".") + 1
		}
		return 2 * strings.Count(p, ".")
	}
	if d := depth(a) - depth(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// meant is a row of the table of differences that are meant. In script, step,
// path and the values a * stands for anything; an empty value too.
type meant struct {
	script, step, path string
	from, to           int16 // versions; to 0 means the newest
	ref, sub           string
	// why says who is right and by what; for Apache Kafka it is the first
	// cell of a row of docs/differences.md.
	why string
}

func (m *meant) covers(d *difference) bool {
	return like(m.script, d.script) && like(m.step, d.step) && like(m.path, d.path) &&
		like(m.ref, d.ref) && like(m.sub, d.sub) &&
		d.version >= m.from && (m.to == 0 || d.version <= m.to)
}

func like(pattern, s string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	if !strings.Contains(pattern, "*") {
		return pattern == s
	}
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(s)
}

// judge takes the differences that are meant away, and returns the rows that
// none was covered by.
func judge(all []difference, table []meant) (left []difference, unused []meant) {
	used := make([]bool, len(table))
	for i := range all {
		covered := false
		for j := range table {
			if table[j].covers(&all[i]) {
				used[j], covered = true, true
			}
		}
		if !covered {
			left = append(left, all[i])
		}
	}
	for j, u := range used {
		if !u {
			unused = append(unused, table[j])
		}
	}
	return left, unused
}

// report tells of differences, those of several versions in one line.
func report(p *pair, all []difference) string {
	type group struct {
		d        difference
		versions []int16
	}
	var groups []*group
	index := make(map[difference]*group)
	for _, d := range all {
		k := d
		k.version = 0
		g := index[k]
		if g == nil {
			g = &group{d: d}
			index[k] = g
			groups = append(groups, g)
		}
		g.versions = append(g.versions, d.version)
	}
	// The scripts' order, steps together; versions run side by side.
	slices.SortStableFunc(groups, func(a, b *group) int {
		if c := strings.Compare(a.d.script, b.d.script); c != 0 {
			return c
		}
		return 0
	})
	var sb strings.Builder
	last := ""
	for _, g := range groups {
		if head := g.d.script + " / " + g.d.step; head != last {
			fmt.Fprintf(&sb, "\n%s\n", head)
			last = head
		}
		fmt.Fprintf(&sb, "  %-7s %s\n          %s: %s\n          %s: %s\n", versionsText(g.versions), g.d.path, p.ref.name, g.d.ref, p.sub.name, g.d.sub)
	}
	return sb.String()
}

func versionsText(vs []int16) string {
	slices.Sort(vs)
	var parts []string
	for i := 0; i < len(vs); {
		j := i
		for j+1 < len(vs) && vs[j+1] <= vs[j]+1 {
			j++
		}
		if vs[i] == vs[j] {
			parts = append(parts, fmt.Sprintf("v%d", vs[i]))
		} else {
			parts = append(parts, fmt.Sprintf("v%d-%d", vs[i], vs[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
