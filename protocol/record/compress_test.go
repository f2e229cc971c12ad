package record

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"math/rand"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

func samples() map[string][]byte {
	r := rand.New(rand.NewSource(7))
	noise := make([]byte, 200_000)
	r.Read(noise)
	return map[string][]byte{
		"nothing": {}, "a byte": {7}, "text": []byte("minibroker, minibroker, minibroker"),
		"zeros": make([]byte, 300_000), "noise": noise,
		"both": append(bytes.Repeat([]byte("abcd"), 50_000), noise...),
	}
}

func TestCodecsGiveBackWhatTheyGot(t *testing.T) {
	prefix := []byte("before")
	for c := None; c <= Zstd; c++ {
		for _, level := range []int{0, 1, 5, 9, 17, 22, -5} {
			for name, in := range samples() {
				if level != 0 && name != "both" {
					continue
				}
				z, err := Compress(bytes.Clone(prefix), c, level, in)
				if err != nil || !bytes.HasPrefix(z, prefix) {
					t.Fatalf("%s level %d, %s: %v", c, level, name, err)
				}
				z = z[len(prefix):]
				out, err := Decompress(bytes.Clone(prefix), c, z, len(in))
				if err != nil || string(out) != string(prefix)+string(in) {
					t.Errorf("%s level %d, %s: %d bytes, %v; want the %d bytes after the prefix", c, level, name, len(out)-len(prefix), err, len(in))
				}
				if len(in) == 0 {
					continue
				}
				if _, err = Decompress(nil, c, z, len(in)-1); err != ErrTooLarge {
					t.Errorf("%s level %d, %s: one byte above the limit gives %v", c, level, name, err)
				}
			}
		}
	}
}

func TestHigherLevelsCompressMore(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	in := make([]byte, 100_000)
	for i := range in {
		in[i] = "etaoin shrdlu"[r.Intn(13)]
		if i > 40 && r.Intn(3) > 0 {
			in[i] = in[i-37]
		}
	}
	for c, levels := range map[Codec][2]int{Gzip: {1, 9}, LZ4: {9, 12}, Zstd: {1, 19}} {
		low, _ := Compress(nil, c, levels[0], in)
		high, _ := Compress(nil, c, levels[1], in)
		if len(high) >= len(low) {
			t.Errorf("%s: level %d gives %d bytes, level %d %d", c, levels[0], len(low), levels[1], len(high))
		}
	}
}

// What other implementations write must be read, and the other way round.
func TestCodecsSpeakWithOtherImplementations(t *testing.T) {
	for name, in := range samples() {
		var gz bytes.Buffer
		w := gzip.NewWriter(&gz)
		w.Write(in)
		w.Close()
		enc, _ := zstd.NewWriter(nil)
		frames := map[string][]byte{"raw snappy": snappy.Encode(nil, in), "gzip": gz.Bytes(), "zstd": enc.EncodeAll(in, nil)}
		var stream bytes.Buffer
		zw, _ := zstd.NewWriter(&stream) // writes no content size
		zw.Write(in)
		zw.Close()
		frames["zstd stream"] = stream.Bytes()
		for label, options := range map[string][]lz4.Option{
			"lz4 as sarama and kgo write it": nil,
			"lz4 with block checksums":       {lz4.BlockChecksumOption(true), lz4.BlockSizeOption(lz4.Block64Kb)},
			"lz4 with a content size":        {lz4.SizeOption(uint64(len(in))), lz4.ChecksumOption(false)},
		} {
			var f bytes.Buffer
			w := lz4.NewWriter(&f)
			if err := w.Apply(options...); err != nil {
				t.Fatal(err)
			}
			w.Write(in)
			w.Close()
			frames[label] = f.Bytes()
		}
		codecs := map[byte]Codec{'r': Snappy, 'g': Gzip, 'z': Zstd, 'l': LZ4}
		for label, z := range frames {
			out, err := Decompress(nil, codecs[label[0]], z, len(in))
			if err != nil || !bytes.Equal(out, in) {
				t.Errorf("%s of %s: %d bytes, %v", label, name, len(out), err)
			}
		}

		z, _ := Compress(nil, LZ4, 0, in)
		if out, err := io.ReadAll(lz4.NewReader(bytes.NewReader(z))); err != nil || !bytes.Equal(out, in) {
			t.Errorf("the lz4 library reads our frame of %s as %d bytes, %v", name, len(out), err)
		}
		z, _ = Compress(nil, Gzip, 0, in)
		r, err := gzip.NewReader(bytes.NewReader(z))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := io.ReadAll(r); err != nil || !bytes.Equal(out, in) {
			t.Errorf("the standard library reads our gzip of %s as %d bytes, %v", name, len(out), err)
		}
	}
}

func TestLinkedLZ4BlocksAreRead(t *testing.T) {
	first := bytes.Repeat([]byte("a block that the next one refers to; "), 20)
	block := make([]byte, lz4.CompressBlockBound(len(first)))
	var c lz4.Compressor
	n, err := c.CompressBlock(first, block)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	// The second block copies 37 bytes from 37 bytes back, and ends with "end!!".
	second := []byte{0x0f, 37, 0, 37 - 19, 0x50, 'e', 'n', 'd', '!', '!'}
	head := []byte{0x04, 0x22, 0x4d, 0x18, 0x40, 0x40}
	frame := append(head, byte(xxh32(head[4:6])>>8))
	frame = append(frame, byte(n), byte(n>>8), 0, 0)
	frame = append(frame, block[:n]...)
	frame = append(frame, byte(len(second)), 0, 0, 0)
	frame = append(frame, second...)
	frame = append(frame, 0, 0, 0, 0)
	want := string(first) + string(first[len(first)-37:]) + "end!!"
	if out, err := Decompress(nil, LZ4, frame, 1<<20); err != nil || string(out) != want {
		t.Errorf("got %q, %v", out, err)
	}
	if out, err := io.ReadAll(lz4.NewReader(bytes.NewReader(frame))); err != nil || string(out) != want {
		t.Errorf("the frame of this test is wrong: %q, %v", out, err)
	}
}

func TestBrokenChecksumOfOldLZ4Clients(t *testing.T) { // KAFKA-3160
	in := []byte("hello hello hello hello")
	for magic, hc := range map[int8]byte{0: 0x1a, 1: 0x82, 2: 0x82} {
		z, err := CompressLegacy(nil, magic, LZ4, 0, in)
		if err != nil || z[6] != hc {
			t.Errorf("magic %d: header checksum %#x, %v; want %#x", magic, z[6], err, hc)
		}
		if out, err := Decompress(nil, LZ4, z, 100); err != nil || string(out) != string(in) {
			t.Errorf("magic %d: reads as %q, %v", magic, out, err)
		}
		z[6]++
		if _, err := Decompress(nil, LZ4, z, 100); err == nil {
			t.Errorf("magic %d: any header checksum is taken", magic)
		}
	}
	if z, _ := CompressLegacy(nil, 0, Gzip, 0, in); z[0] != 0x1f || z[1] != 0x8b {
		t.Errorf("gzip in a message set: %x", z)
	}
}

func TestSnappyFraming(t *testing.T) {
	want := "82534e415050590000000001000000010000000403086162" + "63"
	z, _ := Compress(nil, Snappy, 0, []byte("abc"))
	if hex.EncodeToString(z) != "82534e4150505900"+"00000001"+"00000001"+"00000005"+"0308616263" {
		t.Errorf("got %x, want the framing of snappy-java, such as %s", z, want)
	}
	z2, _ := Compress(nil, Snappy, 0, []byte("def"))
	if out, err := Decompress(nil, Snappy, append(z, z2...), 6); err != nil || string(out) != "abcdef" {
		t.Errorf("two streams, one after the other: %q, %v", out, err)
	}
	if _, err := Decompress(nil, Snappy, []byte{0xff, 0xff, 0xff, 0x7f, 0, 0}, 1<<30); err == nil {
		t.Error("a block that claims 256 MiB from two bytes is believed")
	}
	for _, cut := range []int{len(z) - 1, 17, 12} {
		if _, err := Decompress(nil, Snappy, z[:cut], 100); err == nil {
			t.Errorf("%d of %d bytes are taken for whole", cut, len(z))
		}
	}
}

func TestGzipMembersAreReadOneAfterTheOther(t *testing.T) {
	a, _ := Compress(nil, Gzip, 0, []byte("one "))
	b, _ := Compress(nil, Gzip, 0, []byte("two"))
	if out, err := Decompress(nil, Gzip, append(a, b...), 7); err != nil || string(out) != "one two" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Decompress(nil, Gzip, append(a, b...), 6); err != ErrTooLarge {
		t.Errorf("the limit counts over all members: %v", err)
	}
}

func TestUnknownCodecs(t *testing.T) {
	for c := Codec(5); c <= 7; c++ {
		_, err := Decompress(nil, c, []byte("abc"), 10)
		_, err2 := Compress(nil, c, 0, []byte("abc"))
		var unknown UnknownCodecError
		if !errors.As(err, &unknown) || Codec(unknown) != c || err2 != err {
			t.Errorf("codec %d: %v, %v", c, err, err2)
		}
	}
	if got := UnknownCodecError(5).Error(); got != "Unknown compression type id: 5" {
		t.Error(got)
	}
}

func TestCodecNames(t *testing.T) {
	for name, c := range map[string]Codec{"none": None, "gzip": Gzip, "snappy": Snappy, "lz4": LZ4, "zstd": Zstd} {
		if got, ok := ParseCodec(name); !ok || got != c || c.String() != name {
			t.Errorf("%s: %v, %v; its name is %s", name, got, ok, c)
		}
	}
	if c, ok := ParseCodec("uncompressed"); !ok || c != None {
		t.Error("uncompressed is not none")
	}
	for _, name := range []string{"", "GZIP", "brotli", "producer"} {
		if c, ok := ParseCodec(name); ok {
			t.Errorf("%q is a codec: %v", name, c)
		}
	}
	if ProducerCodec.String() != "producer" || Codec(6).String() != "codec(6)" {
		t.Error(ProducerCodec, Codec(6))
	}
}
