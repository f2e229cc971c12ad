package broker

import "strings"

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
	if lines := b.Transcript(); len(lines) > 0 {
		test.Logf("the last %d requests to the broker:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// reportMissed fails the test for each fault that never happened.
func (b *Broker) reportMissed() {
	t, ok := b.test.(interface{ Errorf(string, ...any) })
	if !ok {
		return
	}
	b.test.Helper()
	for _, f := range b.MissedFaults() {
		t.Errorf("a fault never happened: %s", f)
	}
}
