package storage

import (
	"testing"

	"minibroker/protocol/record"
)

func TestSkippedOffsetsAreLikeCompactedOnes(t *testing.T) {
	cfg := Config{SegmentBytes: 1 << 20, IndexIntervalBytes: 4096}
	one := func() record.Batch {
		b := record.NewBuilder(record.None, 0)
		b.Add(record.Record{Value: []byte("v")})
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	l := New(0)
	l.SkipTo(3)
	if base := l.Append(one(), 0, &cfg, 0); base != 3 {
		t.Errorf("the first record got offset %d", base)
	}
	l.SkipTo(2) // behind the end: nothing happens
	l.SkipTo(9)
	if l.EndOffset() != 9 || l.StartOffset() != 0 {
		t.Errorf("the log goes from %d to %d", l.StartOffset(), l.EndOffset())
	}
	if base := l.Append(one(), 0, &cfg, 0); base != 9 {
		t.Errorf("the second record got offset %d", base)
	}
	for from, want := range map[int64]int64{0: 3, 3: 3, 4: 9, 9: 9} {
		parts, _ := l.Read(nil, from, l.EndOffset(), 1, true)
		if len(parts) != 1 || record.Batch(parts[0]).BaseOffset() != want {
			t.Errorf("a read from %d does not begin with the batch at %d", from, want)
		}
	}
	l.SkipTo(20)
	l.Truncate(12)
	if l.EndOffset() != 12 {
		t.Errorf("truncated to 12, the log ends at %d", l.EndOffset())
	}
}
