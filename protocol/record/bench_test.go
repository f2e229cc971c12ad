package record

import (
	"math/rand"
	"testing"
)

// batchOf makes a batch of about total bytes from records with values of size
// bytes, text-like so that codecs have something to do.
func batchOf(tb testing.TB, c Codec, total, size int) Batch {
	r := rand.New(rand.NewSource(1))
	b := NewBuilder(c, 0)
	for i := 0; b.Len() < total; i++ {
		v := make([]byte, size)
		for j := range v {
			v[j] = "etaoin shrdlu"[r.Intn(13)]
		}
		b.Add(Record{Offset: int64(i), Timestamp: goldenTime + int64(i), Key: []byte("key-0001"), Value: v})
	}
	out, err := b.Build(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func BenchmarkValidate(b *testing.B) {
	for _, c := range []struct {
		name string
		Codec
		size int
	}{
		{"none-100B", None, 100}, {"none-1KiB", None, 1 << 10},
		{"gzip-100B", Gzip, 100}, {"snappy-100B", Snappy, 100}, {"lz4-100B", LZ4, 100}, {"zstd-100B", Zstd, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			raw := batchOf(b, c.Codec, 16<<10, c.size)
			l := generous()
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				batch, err := Split(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, rej := Validate(batch, l); rej != nil {
					b.Fatal(rej)
				}
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	raw := batchOf(b, None, 16<<10, 100)
	buf := new(Buffer)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range raw.Records(buf) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != int(raw.NumRecords()) {
			b.Fatal(n)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	raw := batchOf(b, None, 16<<10, 100)
	set, err := DownConvert(nil, raw, 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("up", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, rej := UpConvert(set, generous()); rej != nil {
				b.Fatal(rej)
			}
		}
	})
	b.Run("down", func(b *testing.B) {
		b.ReportAllocs()
		dst := make([]byte, 0, 64<<10)
		for b.Loop() {
			if _, err := DownConvert(dst, raw, 1, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
