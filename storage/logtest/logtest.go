// Package logtest is what every implementation of a partition's log must pass.
package logtest

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"minibroker/protocol/record"
	"minibroker/storage"

	"pgregory.net/rapid"
)

// Log is a partition's log as the broker uses it. storage.Log documents what
// the methods promise.
type Log interface {
	Append(b record.Batch, leaderEpoch int32, cfg *storage.Config, now int64) (base int64)
	StartOffset() int64
	EndOffset() int64
	Size() int64
	Read(dst [][]byte, from, upTo int64, maxBytes int, wholeFirst bool) (out [][]byte, n int)
	OffsetForTimestamp(ts int64) (offset, timestamp int64, leaderEpoch int32, ok bool)
	MaxTimestamp() (offset, timestamp int64, leaderEpoch int32, ok bool)
	EndOffsetForEpoch(epoch, currentEpoch int32) (foundEpoch int32, end int64)
	LatestEpoch() int32
	DeleteRecords(before int64) (freed int64)
	Truncate(to int64)
}

// Run holds the logs that newLog makes against a simple model: a list of
// batches and their records.
func Run(t *testing.T, newLog func(startOffset int64) Log) {
	t.Run("list offsets", func(t *testing.T) { listOffsets(t, newLog) })
	t.Run("against a model", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			start := rapid.SampledFrom([]int64{0, 100}).Draw(t, "start offset")
			m := &model{log: newLog(start), start: start, end: start}
			m.cfg = storage.Config{
				SegmentBytes:       rapid.SampledFrom([]int{500, 5000, 1 << 20}).Draw(t, "segment.bytes"),
				SegmentMs:          rapid.SampledFrom([]int64{50, 1 << 40}).Draw(t, "segment.ms"),
				IndexIntervalBytes: rapid.SampledFrom([]int{0, 1024, 4096}).Draw(t, "index.interval.bytes"),
			}
			t.Repeat(map[string]func(*rapid.T){
				"":              m.check,
				"append":        m.append,
				"append many":   m.appendMany,
				"read":          m.read,
				"timestamp":     m.timestamp,
				"epoch":         m.epoch,
				"deleteRecords": m.deleteRecords,
				"truncate":      m.truncate,
			})
		})
	})
}

// listOffsets is the example that the real broker was asked.
func listOffsets(t *testing.T, newLog func(int64) Log) {
	cfg := &storage.Config{SegmentBytes: 1 << 20, SegmentMs: 1 << 40}
	l := newLog(0)
	if _, _, _, ok := l.MaxTimestamp(); ok { // behaviour 108
		t.Error("an empty log has a record with the largest timestamp")
	}
	const t0 = 1_700_000_000_000
	for _, codec := range Codecs {
		first := l.EndOffset()
		if first > 0 {
			l.DeleteRecords(first)
		}
		l.Append(Batch(codec, t0, t0+2000, t0+1000), 4, cfg, t0)
		for _, c := range []struct{ ask, offset, timestamp int64 }{ // behaviour 112
			{0, 0, t0}, {t0, 0, t0}, {t0 + 1, 1, t0 + 2000}, {t0 + 1000, 1, t0 + 2000}, {t0 + 2000, 1, t0 + 2000},
		} {
			o, ts, epoch, ok := l.OffsetForTimestamp(c.ask)
			if !ok || o != first+c.offset || ts != c.timestamp || epoch != 4 {
				t.Errorf("codec %d: asked for +%d, got offset %d, +%d, epoch %d, %v", codec, c.ask-t0, o-first, ts-t0, epoch, ok)
			}
		}
		if o, ts, epoch, ok := l.OffsetForTimestamp(t0 + 2001); ok || o != -1 || ts != -1 || epoch != -1 {
			t.Errorf("codec %d: there is no later record, got %d, %d, %d", codec, o, ts, epoch)
		}
		if o, ts, epoch, ok := l.MaxTimestamp(); !ok || o != first+1 || ts != t0+2000 || epoch != 4 { // behaviour 108
			t.Errorf("codec %d: the largest timestamp: got offset %d, +%d, epoch %d, %v", codec, o-first, ts-t0, epoch, ok)
		}
		l.DeleteRecords(first + 2) // the record with the largest timestamp is gone
		if o, ts, _, ok := l.MaxTimestamp(); !ok || o != first+2 || ts != t0+1000 {
			t.Errorf("codec %d: the largest timestamp from the start on: got offset %d, +%d, %v", codec, o-first, ts-t0, ok)
		}
	}
}

// Codecs are all that a batch may be compressed with.
var Codecs = []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}

type batch struct {
	bytes      []byte
	base, last int64
	timestamps []int64
	epoch      int32
}

type model struct {
	log        Log
	cfg        storage.Config
	now        int64
	start, end int64
	batches    []batch
	leader     int32
}

func (m *model) check(t *rapid.T) {
	if s, e := m.log.StartOffset(), m.log.EndOffset(); s != m.start || e != m.end {
		t.Fatalf("the log goes from %d to %d, want %d to %d", s, e, m.start, m.end)
	}
	// How soon deleted bytes go is the log's own business.
	var size, all int64
	for _, b := range m.batches {
		all += int64(len(b.bytes))
		if b.last >= m.start {
			size += int64(len(b.bytes))
		}
	}
	if s := m.log.Size(); s < size || s > all {
		t.Fatalf("size %d, want %d to %d", s, size, all)
	}
	if n := len(m.batches); n > 0 && m.batches[n-1].last >= m.start {
		if got, want := m.log.LatestEpoch(), m.batches[n-1].epoch; got != want {
			t.Fatalf("latest epoch %d, want %d", got, want)
		}
	}
}

func (m *model) append(t *rapid.T) {
	m.add(t, rapid.SampledFrom(Codecs).Draw(t, "codec"))
}

func (m *model) appendMany(t *rapid.T) {
	for range rapid.IntRange(10, 60).Draw(t, "batches") {
		m.add(t, record.None)
	}
}

func (m *model) add(t *rapid.T, codec record.Codec) {
	if rapid.IntRange(0, 9).Draw(t, "new leader") == 0 {
		m.leader += rapid.Int32Range(1, 3).Draw(t, "epochs later")
	}
	m.now += rapid.Int64Range(0, 20).Draw(t, "ms later")
	timestamps := rapid.SliceOfN(rapid.Int64Range(m.now, m.now+100), 1, 5).Draw(t, "timestamps")
	b := Batch(codec, timestamps...)
	in := slices.Clone(b)
	if base := m.log.Append(in, m.leader, &m.cfg, m.now); base != m.end {
		t.Fatalf("append got base offset %d, want %d", base, m.end)
	}
	clear(in) // the log has its own copy
	b.SetBaseOffset(m.end)
	b.SetLeaderEpoch(m.leader)
	m.batches = append(m.batches, batch{b, b.BaseOffset(), b.LastOffset(), timestamps, m.leader})
	m.end = b.LastOffset() + 1
}

func (m *model) read(t *rapid.T) {
	from := rapid.Int64Range(m.start-2, m.end+2).Draw(t, "from")
	upTo := rapid.Int64Range(m.start, m.end+2).Draw(t, "up to")
	maxBytes := rapid.IntRange(0, 10_000).Draw(t, "max bytes")
	wholeFirst := rapid.Bool().Draw(t, "whole first")
	var want []byte
	for _, b := range m.batches {
		if from < m.start || b.last < from {
			continue
		}
		first := len(want) == 0 && wholeFirst
		if b.last >= upTo || len(want)+len(b.bytes) > maxBytes && !first {
			break
		}
		want = append(want, b.bytes...)
	}
	out, n := m.log.Read(nil, from, upTo, maxBytes, wholeFirst)
	if got := bytes.Join(out, nil); n != len(got) || !bytes.Equal(got, want) {
		t.Fatalf("read returned %d bytes in %d slices and says %d, want %d bytes", len(got), len(out), n, len(want))
	}
}

func (m *model) timestamp(t *rapid.T) {
	want, wantTs, wantEpoch, wantOK := int64(-1), int64(-1), int32(-1), false
	find := func(ts int64) {
		for _, b := range m.batches {
			for i, have := range b.timestamps {
				if o := b.base + int64(i); o >= m.start && have >= ts && !wantOK {
					want, wantTs, wantEpoch, wantOK = o, have, b.epoch, true
				}
			}
		}
	}
	ts := rapid.Int64Range(0, m.now+110).Draw(t, "timestamp")
	find(ts)
	if o, got, epoch, ok := m.log.OffsetForTimestamp(ts); o != want || got != wantTs || epoch != wantEpoch || ok != wantOK {
		t.Fatalf("timestamp %d is at %d (%d, epoch %d, %v), want %d (%d, epoch %d, %v)",
			ts, o, got, epoch, ok, want, wantTs, wantEpoch, wantOK)
	}

	largest := int64(math.MinInt64)
	for _, b := range m.batches {
		for i, have := range b.timestamps {
			if b.base+int64(i) >= m.start {
				largest = max(largest, have)
			}
		}
	}
	want, wantTs, wantEpoch, wantOK = -1, -1, -1, false
	if largest >= 0 {
		find(largest)
	}
	if o, got, epoch, ok := m.log.MaxTimestamp(); o != want || got != wantTs || epoch != wantEpoch || ok != wantOK {
		t.Fatalf("the largest timestamp is at %d (%d, epoch %d, %v), want %d (%d, epoch %d, %v)",
			o, got, epoch, ok, want, wantTs, wantEpoch, wantOK)
	}
}

// epoch asks for an epoch of which there is a record left: what is remembered
// of others depends on what was deleted, and when.
func (m *model) epoch(t *rapid.T) {
	if len(m.batches) == 0 || m.batches[len(m.batches)-1].last < m.start {
		return
	}
	b := m.batches[rapid.IntRange(0, len(m.batches)-1).Draw(t, "batch")]
	if b.last < m.start {
		return
	}
	end := m.end
	for _, o := range m.batches {
		if o.epoch > b.epoch {
			end = o.base
			break
		}
	}
	if e, got := m.log.EndOffsetForEpoch(b.epoch, m.leader); e != b.epoch || got != end {
		t.Fatalf("epoch %d ends at %d (epoch %d), want %d", b.epoch, got, e, end)
	}
	if e, got := m.log.EndOffsetForEpoch(m.leader+1, m.leader); e != -1 || got != -1 {
		t.Fatalf("an epoch to come ends at %d (epoch %d), want -1", got, e)
	}
}

func (m *model) deleteRecords(t *rapid.T) {
	before := rapid.Int64Range(0, m.end+1).Draw(t, "before")
	m.log.DeleteRecords(before)
	m.start = max(m.start, min(before, m.end))
}

// truncate happens where some leader's batch begins, or does nothing.
func (m *model) truncate(t *rapid.T) {
	to := m.end + 1
	if n := len(m.batches); n > 0 && rapid.IntRange(0, 9).Draw(t, "behind the end") > 0 {
		to = m.batches[rapid.IntRange(max(0, n-20), n-1).Draw(t, "batch")].base
	}
	m.log.Truncate(to)
	if to >= m.end {
		return
	}
	if to <= m.start {
		m.start, m.batches = to, nil
	}
	m.end = to
	m.batches = slices.DeleteFunc(m.batches, func(b batch) bool { return b.last >= to })
	m.leader++ // a new leader had it truncated
}
