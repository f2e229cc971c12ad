package broker

import "strings"

// This file owns what a broker tells the test that it was started for.

// report is called when the test ends, before the broker closes.
func (b *Broker) report(t TB) {
	t.Helper()
	missed := b.MissedFaults()
	if e, ok := t.(interface{ Errorf(string, ...any) }); ok {
		for _, f := range missed {
			e.Errorf("a fault never happened: %s", f)
		}
	}
	test, ok := t.(interface {
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

// withTranscript makes the broker remember its newest requests.
func withTranscript(o *options) { o.transcript = true }
