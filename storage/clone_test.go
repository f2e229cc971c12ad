package storage

import (
	"slices"
	"testing"
)

func TestAClonedLogGoesItsOwnWay(t *testing.T) {
	cfg := testConfig()
	l := filled(30, cfg)
	c := l.Clone()
	same := func(a, b *Log) bool {
		var x, y [][]byte
		for batch := range a.Batches(0, 1<<40) {
			x = append(x, batch)
		}
		for batch := range b.Batches(0, 1<<40) {
			y = append(y, batch)
		}
		return slices.EqualFunc(x, y, slices.Equal) && a.StartOffset() == b.StartOffset() && a.EndOffset() == b.EndOffset() && a.Size() == b.Size()
	}
	if !same(l, c) {
		t.Fatal("the clone has something else")
	}
	for range 30 {
		l.Append(sized(1000, 10, 1), 0, cfg, 1)
		c.Append(sized(500, 1, 2), 0, cfg, 2)
	}
	if l.EndOffset() != 600 || c.EndOffset() != 330 || l.Size() != 60_000 || c.Size() != 45_000 {
		t.Errorf("the logs end at %d and %d with %d and %d bytes", l.EndOffset(), c.EndOffset(), l.Size(), c.Size())
	}
	for b := range c.Batches(300, 1<<40) {
		if b.Size() != 500 {
			t.Fatalf("the clone has a batch of %d bytes at %d", b.Size(), b.BaseOffset())
		}
	}
	again := c.Clone()
	c.DeleteRecords(c.EndOffset())
	if again.StartOffset() != 0 || again.EndOffset() != 330 {
		t.Error("deleting in one log shows in the other")
	}
	if empty := New(7).Clone(); empty.StartOffset() != 7 || empty.Append(sized(100, 1, 1), 0, cfg, 1) != 7 {
		t.Error("the clone of an empty log begins elsewhere")
	}
}
