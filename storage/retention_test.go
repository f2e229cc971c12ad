package storage

import "testing"

func TestRetention(t *testing.T) {
	// Three segments of ten batches: 1000 bytes and one second per batch.
	build := func() *Log {
		cfg, l := testConfig(), New(0)
		cfg.SegmentBytes = 10_000
		for i := range int64(30) {
			l.Append(sized(1000, 10, i*1000), 0, cfg, i*1000)
		}
		return l
	}
	for _, c := range []struct {
		name      string
		change    func(*Config)
		now, hw   int64
		wantStart int64
	}{
		{"no limit keeps all", func(c *Config) {}, 1e12, 300, 0},
		{"retention.ms counts from a segment's largest timestamp", func(c *Config) { c.RetentionMs = 5000 }, 14_000, 300, 0},
		{"retention.ms has passed", func(c *Config) { c.RetentionMs = 5000 }, 14_001, 300, 100},
		{"two segments at once", func(c *Config) { c.RetentionMs = 5000 }, 24_001, 300, 200},
		{"the active segment too", func(c *Config) { c.RetentionMs = 5000 }, 34_001, 300, 300},
		{"not beyond the high watermark", func(c *Config) { c.RetentionMs = 5000 }, 34_001, 250, 200},
		{"retention.ms 0", func(c *Config) { c.RetentionMs = 0 }, 29_000, 300, 200},
		{"cleanup.policy=compact keeps all", func(c *Config) { c.RetentionMs, c.Delete = 0, false }, 1e12, 300, 0},
		{"retention.bytes keeps at least as much", func(c *Config) { c.RetentionBytes = 20_001 }, 0, 300, 0},
		{"retention.bytes deletes a segment", func(c *Config) { c.RetentionBytes = 20_000 }, 0, 300, 100},
		{"retention.bytes 0 deletes all", func(c *Config) { c.RetentionBytes = 0 }, 0, 300, 300},
		{"retention.bytes below the high watermark", func(c *Config) { c.RetentionBytes = 0 }, 0, 199, 100},
	} {
		cfg, l := testConfig(), build()
		c.change(cfg)
		size := l.Size()
		freed := Retain(l, cfg, c.now, c.hw)
		if l.StartOffset() != c.wantStart || l.EndOffset() != 300 {
			t.Errorf("%s: the log goes from %d to %d, want %d to 300", c.name, l.StartOffset(), l.EndOffset(), c.wantStart)
		}
		if want := c.wantStart / 10 * 1000; freed != want || l.Size() != size-want {
			t.Errorf("%s: freed %d bytes, %d are left, want %d and %d", c.name, freed, l.Size(), want, size-want)
		}
		if base := l.Append(sized(100, 1, 1), 0, cfg, 1); base != 300 {
			t.Errorf("%s: the next record got offset %d", c.name, base)
		}
	}
}

func TestRetentionOfBatchesWithoutTimestampCountsFromTheLastAppend(t *testing.T) {
	cfg, l := testConfig(), New(0)
	cfg.RetentionMs = 1000
	l.Append(sized(100, 1, -1), 0, cfg, 5000)
	l.Append(sized(100, 1, -1), 0, cfg, 6000)
	if Retain(l, cfg, 7000, 2) != 0 {
		t.Error("deleted too early")
	}
	if Retain(l, cfg, 7001, 2) == 0 {
		t.Error("not deleted")
	}
}

func TestNextDeadlineOfRetention(t *testing.T) {
	cfg, l := testConfig(), New(0)
	cfg.SegmentBytes = 1000
	check := func(when string, now, hw, want int64) {
		t.Helper()
		if got := l.NextDeadline(cfg, now, hw); got != want {
			t.Errorf("%s: next deadline %d, want %d", when, got, want)
		}
	}
	check("empty", 5, 0, Never)
	for i := range int64(3) {
		l.Append(sized(1000, 1, 10_000+i*1000), 0, cfg, 0)
	}
	check("no limit", 5, 3, Never)
	cfg.RetentionMs = 500
	check("retention.ms", 5, 3, 10_501)
	check("overdue is now", 20_000, 3, 20_000)
	check("the high watermark forbids it", 20_000, 0, Never)
	if Retain(l, cfg, 10_500, 3) != 0 || Retain(l, cfg, 10_501, 3) != 1000 {
		t.Error("the deadline is not when retention begins")
	}
	check("the next segment", 10_501, 3, 11_501)
	cfg.RetentionMs = 1<<63 - 1
	check("retention.ms of forever", 5, 3, Never)
	cfg.RetentionBytes = 1000
	check("too large already", 5, 3, 5)
}
