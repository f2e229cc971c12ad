package record

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// This file holds the package against bytes that Apache Kafka's own code wrote.

const goldenTime = 1700000000000

// goldenRecords are the records of every golden batch, at offsets from base.
func goldenRecords(base int64, headers bool) []Record {
	rs := []Record{
		{Timestamp: goldenTime, Key: []byte("k1"), Value: []byte("value one")},
		{Timestamp: goldenTime + 5, Value: []byte("no key")},
		{Timestamp: goldenTime - 7, Key: []byte("k2")},
		{Timestamp: goldenTime + 70000, Key: []byte{}, Value: []byte{}},
		{Timestamp: goldenTime + 3, Key: []byte("k3"), Value: bytes.Repeat([]byte("x"), 300)},
	}
	if headers {
		rs[0].Headers = []Header{{Key: "trace", Value: []byte("abc")}, {Key: "nil"}, {Key: "é", Value: []byte{}}}
	}
	for i := range rs {
		rs[i].Offset = base + int64(i)
	}
	return rs
}

// golden reads testdata; each name is its batch's.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, h, ok := strings.Cut(s.Text(), " "); ok && name != "#" {
			if all[name], err = hex.DecodeString(h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(all) != 42 {
		t.Fatalf("%d golden batches, want 42", len(all))
	}
	return all
}

// content is what a record says, without how it is written; null and empty differ.
func content(r Record) string {
	return fmt.Sprintf("%d@%d %#v=%#v %#v", r.Offset, r.Timestamp, r.Key, r.Value, r.Headers)
}

func contents(t testing.TB, b Batch) []string {
	t.Helper()
	var out []string
	for r, err := range b.Records(nil) {
		if err != nil {
			t.Fatalf("after %d records: %v", len(out), err)
		}
		out = append(out, content(r))
	}
	return out
}

func wantContents(rs []Record) []string {
	var out []string
	for _, r := range rs {
		out = append(out, content(r))
	}
	return out
}

func diff(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func build(t testing.TB, b *Builder, rs []Record) Batch {
	t.Helper()
	for _, r := range rs {
		b.Add(r)
	}
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// generous are limits that refuse nothing.
func generous() *Limits {
	return &Limits{Topic: "t", MaxMessageBytes: math.MaxInt32, Codec: ProducerCodec,
		TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: math.MaxInt64, Now: goldenTime}
}

func TestBatchesOfKafkaAreReadAndBuiltTheSame(t *testing.T) {
	all := golden(t)
	for codec := None; codec <= Zstd; codec++ {
		for _, kind := range []string{"create-0", "create-100", "append-100", "txn-0"} {
			name := fmt.Sprintf("v2-%s-%s", codec, kind)
			raw := all[name]
			if raw == nil {
				t.Fatalf("no %s", name)
			}
			b := Batch(raw)
			if b.CRC() != b.ComputeCRC() {
				t.Errorf("%s: CRC does not match", name)
			}
			want := goldenRecords(b.BaseOffset(), true)
			if strings.HasPrefix(kind, "append") {
				for i := range want {
					want[i].Timestamp = goldenTime + 999999
				}
			}
			diff(t, name, contents(t, b), wantContents(want))

			nb := NewBuilder(None, 0)
			nb.Like(b, 0)
			got := build(t, nb, goldenRecords(b.BaseOffset(), true))
			if codec == None {
				if !bytes.Equal(got, b) {
					t.Errorf("%s: built otherwise:\n got %x\nwant %x", name, []byte(got), raw)
				}
				continue
			}
			// The compressors differ, so compare what is around and inside.
			header := slices.Clone(got[:HeaderSize])
			copy(header[offLength:], raw[offLength:offLength+4])
			copy(header[offCRC:], raw[offCRC:offCRC+4])
			if !bytes.Equal(header, raw[:HeaderSize]) {
				t.Errorf("%s: header\n got %x\nwant %x", name, []byte(header), raw[:HeaderSize])
			}
			var in [2][]byte
			for i, b := range []Batch{got, b} {
				var err error
				if in[i], err = b.payload(new(Buffer)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if !bytes.Equal(in[0], in[1]) {
				t.Errorf("%s: records\n got %x\nwant %x", name, in[0], in[1])
			}
		}
	}
}

func TestMarkersAreThoseOfKafka(t *testing.T) {
	all := golden(t)
	for kind, name := range map[ControlType]string{Commit: "v2-marker-commit-0", Abort: "v2-marker-abort-0"} {
		b := EndTxnMarker(kind, 4000, 3, 9, goldenTime)
		b.SetLeaderEpoch(5)
		if !bytes.Equal(b, all[name]) {
			t.Errorf("%s:\n got %x\nwant %x", name, []byte(b), all[name])
		}
		for r, err := range b.Records(nil) {
			got, ok := ParseControlKey(r.Key)
			epoch, ok2 := ParseEndTxnValue(r.Value)
			if err != nil || !ok || !ok2 || got != kind || epoch != 9 {
				t.Errorf("%s: reads as %v, epoch %d (%v %v), %v", name, got, epoch, ok, ok2, err)
			}
		}
	}
}

func TestMessageSetsOfKafkaAreConvertedUp(t *testing.T) {
	all := golden(t)
	for magic := range int8(2) {
		for codec := None; codec <= LZ4; codec++ {
			for _, base := range []int{0, 100} {
				name := fmt.Sprintf("v%d-%s-create-%d", magic, codec, base)
				b, rej := UpConvert(all[name], generous())
				if rej != nil {
					t.Errorf("%s: %v", name, rej)
					continue
				}
				want := goldenRecords(0, false)
				if magic == 0 {
					for i := range want {
						want[i].Timestamp = NoTimestamp
					}
				}
				diff(t, name, contents(t, b), wantContents(want))
				if b.Attributes() != Attributes(codec) {
					t.Errorf("%s: attributes %#x", name, b.Attributes())
				}
				if again, rej := Validate(b, generous()); rej != nil || &again[0] != &b[0] {
					t.Errorf("%s: the result is not a batch to store as it is: %v", name, rej)
				}
			}
		}
	}
}

// inner is the decompressed set of a wrapper message, and the message with
// everything blanked that depends on the compressor.
func inner(t *testing.T, set []byte) (outside, inside []byte) {
	t.Helper()
	m, ok := parseMessage(0, set[LogOverhead:])
	if !ok || !m.validCRC() || Batch(set).Size() != len(set) {
		t.Fatalf("not one whole message: %x", set)
	}
	inside, err := Decompress(nil, m.codec(), m.value, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	outside = slices.Clone(set[:len(set)-len(m.value)])
	clear(outside[offLength : LogOverhead+4]) // size and CRC
	clear(outside[len(outside)-4:])           // the value's size
	return outside, inside
}

func TestBatchesAreConvertedDownToTheMessageSetsOfKafka(t *testing.T) {
	all := golden(t)
	for magic := range int8(2) {
		for codec := None; codec <= LZ4; codec++ {
			for _, kind := range []string{"create-0", "create-100", "append-100"} {
				name := fmt.Sprintf("v%d-%s-%s", magic, codec, kind)
				want := all[name]
				if want == nil {
					continue // magic 0 has no timestamps
				}
				got, err := DownConvert(nil, all[fmt.Sprintf("v2-%s-%s", codec, kind)], magic, 0)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if codec != None {
					if codec == LZ4 && magic == 0 && !bytes.Contains(got, []byte{0x60, 0x40, 0x1a}) {
						t.Errorf("%s: the LZ4 header has not the checksum of old clients (KAFKA-3160)", name)
					}
					gotOut, gotIn := inner(t, got)
					wantOut, wantIn := inner(t, want)
					if !bytes.Equal(gotOut, wantOut) {
						t.Errorf("%s: wrapper\n got %x\nwant %x", name, gotOut, wantOut)
					}
					got, want = gotIn, wantIn
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s:\n got %x\nwant %x", name, got, want)
				}
			}
		}
	}
}

// The batch of Sarama's record_test.go, as an independent client writes it.
func TestABatchOfSaramaIsRead(t *testing.T) {
	raw := []byte{
		0, 0, 0, 0, 0, 0, 0, 0, // base offset
		0, 0, 0, 70, // length
		0, 0, 0, 0, // leader epoch
		2,                // magic
		84, 121, 97, 253, // CRC
		0, 0, // attributes
		0, 0, 0, 0, // last offset delta
		0, 0, 1, 88, 141, 205, 89, 56, // base timestamp
		0, 0, 0, 0, 0, 0, 0, 0, // max timestamp
		0, 0, 0, 0, 0, 0, 0, 0, // producer id
		0, 0, // producer epoch
		0, 0, 0, 0, // base sequence
		0, 0, 0, 1, // number of records
		40, 0, 10, 0, 8, 1, 2, 3, 4, 6, 5, 6, 7, 2, 6, 8, 9, 10, 4, 11, 12,
	}
	b, err := Split(raw)
	if err != nil {
		t.Fatal(err)
	}
	ts := int64(binary.BigEndian.Uint64(raw[27:])) + 5
	diff(t, "records", contents(t, b), wantContents([]Record{{Timestamp: ts, Key: []byte{1, 2, 3, 4}, Value: []byte{5, 6, 7},
		Headers: []Header{{Key: "\x08\x09\x0a", Value: []byte{11, 12}}}}}))
	out, rej := Validate(b, generous())
	if rej != nil {
		t.Fatal(rej)
	}
	if out.MaxTimestamp() != ts {
		t.Errorf("the wrong max timestamp 0 became %d, want %d", out.MaxTimestamp(), ts)
	}
}
