package record

import (
	"bytes"
	"testing"
)

// The fuzz targets start from the golden batches and from testdata/fuzz.

func fuzzLimits() *Limits {
	l := generous()
	l.MaxDecompressed = 1 << 20
	return l
}

// checkStored holds what every batch that is accepted must be.
func checkStored(t *testing.T, b Batch) {
	if len(b) != b.Size() || b.CRC() != b.ComputeCRC() || b.BaseOffset() != 0 || b.Attributes().Control() {
		t.Fatalf("accepted: %x", []byte(b))
	}
	n, top := int32(0), NoTimestamp
	for r, err := range b.Records(nil) {
		if err != nil {
			t.Fatalf("accepted, but record %d: %v", n, err)
		}
		if r.OffsetDelta != n {
			t.Fatalf("accepted, but record %d has offset %d", n, r.OffsetDelta)
		}
		top = max(top, r.Timestamp)
		n++
	}
	if n == 0 || n != b.NumRecords() || b.LastOffsetDelta() != n-1 || b.MaxTimestamp() != top {
		t.Fatalf("accepted: %d records, header says %d to %d, max timestamp %d, want %d", n, b.NumRecords(), b.LastOffsetDelta(), b.MaxTimestamp(), top)
	}
}

// checkQuick holds that the quick walk over the records sees what the other sees.
func checkQuick(t interface{ Fatalf(string, ...any) }, l *Limits, b Batch) {
	if l.checkHeader(b) != nil || b.Attributes().Codec() != None {
		return
	}
	data := []byte(b[HeaderSize:])
	got, fine := l.quick(b, data)
	if !fine {
		return
	}
	if want, rej := l.walk(b, data, None, None); rej != nil || got != want {
		t.Fatalf("the quick walk sees %+v, the other %+v and %v, of %x", got, want, rej, []byte(b))
	}
}

// FuzzValidate mends the CRC, so that the fuzzer comes past it. Config's bits
// are the topic's settings.
func FuzzValidate(f *testing.F) {
	for _, raw := range golden(f) {
		f.Add(raw, uint8(0))
		f.Add(raw, uint8(0x35))
	}
	f.Fuzz(func(t *testing.T, raw []byte, config uint8) {
		_, _ = Split(raw)
		raw = bytes.Clone(raw)
		if len(raw) >= HeaderSize && Batch(raw).Size() >= HeaderSize && Batch(raw).Size() <= len(raw) {
			Batch(raw).setCRC()
		}
		l := fuzzLimits()
		l.Codec = Codec(config&7) - 1
		if l.Codec > Zstd {
			l.Codec = ProducerCodec
		}
		l.Compacted = config&8 != 0
		l.LogAppendTime = config&16 != 0
		if config&32 != 0 {
			l.TimestampBeforeMaxMs, l.TimestampAfterMaxMs = 1000, 1000
		}
		if b, err := Split(raw); err == nil {
			checkQuick(t, l, b)
		}
		before := bytes.Clone(raw)
		b, rej := produce(raw, l)
		if !bytes.Equal(raw, before) {
			t.Fatal("the request's bytes were changed")
		}
		if (b == nil) == (rej == nil) {
			t.Fatalf("both or neither of batch and rejection: %v", rej)
		}
		if rej == nil {
			checkStored(t, b)
		} else if rej.Reason == "" || rej.Code == 0 {
			t.Fatalf("%+v", rej)
		}
	})
}

func FuzzUpConvert(f *testing.F) {
	for _, raw := range golden(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		set = bytes.Clone(set)
		// Mend the first CRC, so that the fuzzer comes past it.
		if size, rej := nextSize(set); rej == nil && size != 0 && set[offMagic] < 2 {
			finishMessage(set[:size])
		}
		b, rej := UpConvert(set, fuzzLimits())
		if b != nil && rej != nil {
			t.Fatal("both batch and rejection")
		}
		if b == nil {
			return
		}
		checkStored(t, b)
		for magic := range int8(2) {
			down, err := DownConvert(nil, b, magic, 0)
			if b.Attributes().Codec() == Zstd {
				continue // from a batch of magic 2
			}
			if err != nil {
				t.Fatal(err)
			}
			again, rej := UpConvert(down, generous())
			if rej != nil || again.NumRecords() != b.NumRecords() {
				t.Fatalf("down to magic %d and up again: %v", magic, rej)
			}
		}
	})
}

// FuzzDownConvert reads anything as stored bytes, and what it makes must be
// whole messages.
func FuzzDownConvert(f *testing.F) {
	for _, raw := range golden(f) {
		f.Add(raw, int64(0))
		f.Add(raw, int64(102))
	}
	f.Fuzz(func(t *testing.T, stored []byte, from int64) {
		for magic := range int8(2) {
			set, err := DownConvert(nil, stored, magic, from)
			if err != nil {
				continue
			}
			for len(set) > 0 {
				size, rej := nextSize(set)
				if rej != nil || size == 0 {
					t.Fatalf("not a whole message: %v", rej)
				}
				if m, ok := parseMessage(0, set[LogOverhead:size]); !ok || !m.validCRC() || m.magic() != magic {
					t.Fatalf("bad message %x", set[:size])
				}
				set = set[size:]
			}
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, in := range [][]byte{nil, []byte("minibroker minibroker minibroker")} {
		for c := None; c <= Zstd; c++ {
			z, err := Compress(nil, c, 0, in)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(int8(c), z, 100)
		}
	}
	f.Fuzz(func(t *testing.T, codec int8, src []byte, limit int) {
		limit &= 1<<20 - 1
		prefix := []byte("before")
		out, err := Decompress(prefix[:len(prefix):len(prefix)], Codec(codec), src, limit)
		if !bytes.HasPrefix(out, prefix) {
			t.Fatalf("the prefix is lost: %x", out)
		}
		if err == nil && len(out)-len(prefix) > limit {
			t.Fatalf("%d bytes, limit %d", len(out)-len(prefix), limit)
		}
		// The same again with room to spare, into used memory.
		room := bytes.Repeat([]byte{0xaa}, 300_000)
		again, err2 := Decompress(room[:0], Codec(codec), src, limit)
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(again, out[len(prefix):]) {
			t.Fatalf("with more room: %v, %v", err, err2)
		}
	})
}

func FuzzRecords(f *testing.F) {
	for _, raw := range golden(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		buf := &Buffer{Max: 1 << 20}
		for b := range Batches(raw) {
			n := 0
			for r, err := range b.Records(buf) {
				if err != nil {
					break
				}
				n++
				_ = content(r)
			}
			if n > max(0, int(b.NumRecords())) {
				t.Fatalf("%d records of %d", n, b.NumRecords())
			}
		}
	})
}
