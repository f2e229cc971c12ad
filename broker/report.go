package broker

import (
	"fmt"
	"strings"

	"minibroker/broker/fault"
)

// This file owns what a broker tells the test that it was started for.

// report is called when the test ends, before the broker closes.
func (b *Broker) report() {
	b.test.Helper()
	b.reportMissed()
	test, ok := b.test.(interface {
		Failed() bool
		Logf(string, ...any)
	})
	if !ok || !test.Failed() {
		return
	}
	if state := b.summary(); len(state) > 0 {
		test.Logf("the broker has\n%s", strings.Join(state, "\n"))
	}
	if all := b.Denials(); len(all) > 0 {
		var lines []string
		for _, d := range all {
			lines = append(lines, d.String())
		}
		test.Logf("it refused\n%s", strings.Join(lines, "\n"))
	}
	if lines := b.TranscriptAfter(0); len(lines) > 0 {
		n := 0
		for i := range lines {
			n += max(1, lines[i].Times)
		}
		test.Logf("the last %d requests to the broker:\n%s", n, strings.Join(folded(lines), "\n"))
	}
}

// reportMissed fails the test for each fault that never happened.
func (b *Broker) reportMissed() {
	t, ok := b.test.(interface{ Errorf(string, ...any) })
	if !ok {
		return
	}
	b.test.Helper()
	for _, in := range b.missed() {
		t.Errorf("a fault never happened: %s%s", in.fault, in.whyNot())
	}
}

// whyNot says where a fault was put in place and what came in its way instead.
func (in *Injected) whyNot() string {
	in.mu.Lock()
	seen := in.seen
	in.mu.Unlock()
	api := "requests"
	if in.fault.API != fault.Any {
		api = in.fault.API.Name() + " requests"
	}
	var came string
	switch other := in.other.Load(); {
	case in.fault.Kind == fault.KindCorrupt && seen == 0:
		came = "no Fetch was answered with records of it"
	case seen > 0:
		came = fmt.Sprintf("it let %d %s pass first, and no more came", seen, api)
	case other > 0:
		came = fmt.Sprintf("%d %s came, about something else", other, api)
	default:
		came = "no " + api + " came"
	}
	if in.at != "" {
		return fmt.Sprintf(" (injected at %s; %s)", in.at, came)
	}
	return " (" + came + ")"
}

// summaryLines is how many topics and groups a failed test is shown.
const summaryLines = 10

// summary is what the broker has, in one line for each topic, group and
// transaction under way.
func (b *Broker) summary() (lines []string) {
	add := func(names []string, line func(name string) string) {
		for i, name := range names {
			if i == summaryLines {
				lines = append(lines, fmt.Sprintf("and %d more", len(names)-i))
				break
			}
			if text := line(name); text != "" {
				lines = append(lines, text)
			}
		}
	}
	add(b.Topics(), func(name string) string {
		return fmt.Sprintf("topic %q: high watermarks %v", name, b.Topic(name).HighWatermarks())
	})
	add(b.Groups(), func(id string) string { return fmt.Sprintf("group %q: %s", id, b.Group(id)) })
	add(b.Transactions(), func(id string) string {
		if x := b.Transaction(id); x.Open() {
			return fmt.Sprintf("transaction %q: %s", id, x)
		}
		return ""
	})
	for _, in := range b.Faults() {
		if n := in.Hits(); n > 0 {
			lines = append(lines, fmt.Sprintf("fault: %s: %s", in.fault, times(n)))
		}
	}
	return lines
}

func times(n int) string {
	if n == 1 {
		return "happened once"
	}
	return fmt.Sprintf("happened %d times", n)
}

// folded is a transcript with like requests of one connection, one after the
// other, in one line: heartbeats and fetches of nothing would fill it.
func folded(all []TranscriptLine) (lines []string) {
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && alike(&all[i], &all[j]) {
			j++
		}
		line := all[j-1]
		if n := j - i; n > 1 {
			line.Times, line.Since = n, all[i].Answered
		}
		lines = append(lines, line.String())
		i = j
	}
	return lines
}

func alike(a, b *TranscriptLine) bool {
	return a.Connection == b.Connection && a.API == b.API && a.Version == b.Version && a.Outcome == b.Outcome
}
