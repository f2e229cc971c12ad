package storage

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"minibroker/protocol/record"
)

// sized is a batch of n records and this many bytes in all; its records are
// not looked at.
func sized(bytes, n int, ts int64) record.Batch {
	b := make(record.Batch, bytes)
	binary.BigEndian.PutUint32(b[8:], uint32(bytes-record.LogOverhead))
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(n-1))
	binary.BigEndian.PutUint64(b[27:], uint64(ts))
	binary.BigEndian.PutUint64(b[35:], uint64(ts))
	binary.BigEndian.PutUint32(b[57:], uint32(n))
	return b
}

func benchConfig() *Config {
	return &Config{
		SegmentBytes: 1 << 30, SegmentMs: 7 * 24 * 3600 * 1000,
		RetentionBytes: -1, RetentionMs: -1, Delete: true, IndexIntervalBytes: 4096,
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{170, 16 << 10} {
		b.Run(fmt.Sprintf("batch of %d bytes", size), func(b *testing.B) {
			batch, cfg, l := sized(size, 1, 1), benchConfig(), New(0)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Append(batch, 0, cfg, 1)
				if i%1024 == 0 && l.Size() > 64<<20 {
					l = New(0)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{170, 16 << 10} {
		b.Run(fmt.Sprintf("1 MiB of batches of %d bytes", size), func(b *testing.B) {
			batch, cfg, l := sized(size, 1, 1), benchConfig(), New(0)
			for l.Size() < 16<<20 {
				l.Append(batch, 0, cfg, 1)
			}
			end := l.EndOffset()
			span := int64(1<<20) / int64(size)
			var dst [][]byte
			// Behind the first, small chunks.
			first := end / 4
			from := first
			b.ReportAllocs()
			for b.Loop() {
				var n int
				dst, n = l.Read(dst[:0], from, end, 1<<20, true)
				if n == 0 || n > 1<<20 || len(dst) > 3 {
					b.Fatalf("%d bytes in %d slices", n, len(dst))
				}
				from = first + (from+7777)%(end-span-first)
			}
		})
	}
}

// BenchmarkMemory reports what a log takes per byte of payload, and empty.
func BenchmarkMemory(b *testing.B) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, c := range []struct {
		name                    string
		batch, records, payload int
	}{
		// A record of v bytes costs v and about 8; its batch 61.
		{"1 KiB records in 16 KiB batches", record.HeaderSize + 16*(1024+9), 16, 16 * 1024},
		{"single-record 100 B batches", record.HeaderSize + 100 + 8, 1, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			batch, cfg := sized(c.batch, c.records, 1), benchConfig()
			for b.Loop() {
				before := heap()
				l := New(0)
				n := 64 << 20 / c.payload
				for range n {
					l.Append(batch, 0, cfg, 1)
				}
				after := heap()
				b.ReportMetric(float64(after-before)/float64(n*c.payload), "heap/payload")
				runtime.KeepAlive(l)
			}
		})
	}
	b.Run("empty logs", func(b *testing.B) {
		for b.Loop() {
			logs := make([]*Log, 100_000)
			before := heap()
			for i := range logs {
				logs[i] = New(int64(i % 2)) // half of them with records deleted
			}
			b.ReportMetric(float64(heap()-before)/float64(len(logs)), "B/log")
			runtime.KeepAlive(logs)
		}
	})
}
