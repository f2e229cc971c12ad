package record

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawRecords draws records with rising offsets from base, without gaps if
// dense.
func drawRecords(t *rapid.T, base int64, dense, headers bool) []Record {
	nullable := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	})
	var rs []Record
	offset := base
	for range rapid.IntRange(1, 40).Draw(t, "records") {
		if !dense {
			offset += rapid.Int64Range(0, 1000).Draw(t, "gap")
		}
		r := Record{
			Offset:    offset,
			Timestamp: rapid.OneOf(rapid.Just(NoTimestamp), rapid.Int64Range(0, 2*goldenTime), rapid.Int64Range(goldenTime, goldenTime+1000)).Draw(t, "timestamp"),
			Key:       nullable.Draw(t, "key"), Value: nullable.Draw(t, "value"),
		}
		if headers {
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				r.Headers = append(r.Headers, Header{Key: rapid.String().Draw(t, "name"), Value: nullable.Draw(t, "header")})
			}
		}
		rs = append(rs, r)
		offset++
	}
	return rs
}

func drawBuilder(t *rapid.T, last Codec, base int64) *Builder {
	b := NewBuilder(Codec(rapid.Int8Range(0, int8(last)).Draw(t, "codec")), rapid.IntRange(0, 9).Draw(t, "level"))
	b.BaseOffset = base
	return b
}

func readAll(t *rapid.T, b Batch) (out []Record) {
	for r, err := range b.Records(nil) {
		if err != nil {
			t.Fatal(err)
		}
		r.Headers = slices.Clone(r.Headers)
		out = append(out, r)
	}
	return out
}

func same(t *rapid.T, got, want []Record) {
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if content(got[i]) != content(want[i]) {
			t.Fatalf("record %d:\n got %s\nwant %s", i, content(got[i]), content(want[i]))
		}
	}
}

func TestWhatIsBuiltIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 1<<40).Draw(t, "base")
		want := drawRecords(t, base, false, true)
		b := drawBuilder(t, Zstd, base)
		for _, r := range want {
			b.Add(r)
		}
		out, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, readAll(t, out), want)
	})
}

func TestWhatIsBuiltIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecords(t, 0, true, true)
		b := drawBuilder(t, Zstd, 0)
		for _, r := range want {
			b.Add(r)
		}
		out, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := generous()
		l.Codec = Codec(rapid.Int8Range(-1, 4).Draw(t, "topic's codec"))
		stored, rej := produce(out, l)
		if rej != nil {
			t.Fatal(rej)
		}
		if l.Codec != ProducerCodec && stored.Attributes().Codec() != l.Codec {
			t.Fatalf("codec %s, want %s", stored.Attributes().Codec(), l.Codec)
		}
		same(t, readAll(t, stored), want)
		// A bit flipped anywhere under the CRC is found.
		flipped := bytes.Clone(out)
		flipped[rapid.IntRange(offCRC, len(out)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := Split(flipped); err == nil {
			t.Fatal("a flipped bit goes unseen")
		}
	})
}

func TestDownAndUpAgainGivesTheSameRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 1<<40).Draw(t, "base")
		want := drawRecords(t, base, rapid.Bool().Draw(t, "dense"), true)
		magic := rapid.Int8Range(0, 1).Draw(t, "magic")
		b := drawBuilder(t, LZ4, base)
		for _, r := range want {
			b.Add(r)
		}
		out, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		set, err := DownConvert(nil, out, magic, base)
		if err != nil {
			t.Fatal(err)
		}
		back, rej := UpConvert(set, generous())
		if rej != nil {
			t.Fatal(rej)
		}
		// Lost on the way: headers, gaps between offsets, timestamps in magic 0.
		for i := range want {
			want[i].Offset, want[i].Headers = int64(i), nil
			if magic == 0 {
				want[i].Timestamp = NoTimestamp
			}
		}
		same(t, readAll(t, back), want)
		if back.Attributes().Codec() != b.Codec {
			t.Fatalf("codec %s, want %s", back.Attributes().Codec(), b.Codec)
		}
	})
}

func TestCompressedDataIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Codec(rapid.Int8Range(0, 4).Draw(t, "codec"))
		in := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "piece")
		in = bytes.Repeat(in, rapid.IntRange(0, 2000).Draw(t, "times"))
		z, err := Compress(nil, c, rapid.IntRange(0, 9).Draw(t, "level"), in)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 0, rapid.IntRange(0, 10_000).Draw(t, "room"))
		out, err := Decompress(dst, c, z, len(in))
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%d bytes, %v; want %d", len(out), err, len(in))
		}
	})
}
