package broker

// This file owns what a broker tells the test that it was started for.

// report is called when the test ends, before the broker closes.
func (b *Broker) report(t TB) {
	t.Helper()
	if e, ok := t.(interface{ Errorf(string, ...any) }); ok {
		for _, f := range b.MissedFaults() {
			e.Errorf("a fault never happened: %s", f)
		}
	}
}
