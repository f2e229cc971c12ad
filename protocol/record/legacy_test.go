package record

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// v0 and v1 write a message by kmsg, an encoder of its own.
func v0(offset int64, attributes int8, key, value []byte) []byte {
	m := kmsg.MessageV0{Offset: offset, Attributes: attributes, Key: key, Value: value}
	raw := m.AppendTo(nil)
	m.MessageSize = int32(len(raw) - 12)
	m.CRC = int32(crc32.ChecksumIEEE(raw[16:]))
	return m.AppendTo(nil)
}

func v1(offset int64, attributes int8, ts int64, key, value []byte) []byte {
	m := kmsg.MessageV1{Offset: offset, Magic: 1, Attributes: attributes, Timestamp: ts, Key: key, Value: value}
	raw := m.AppendTo(nil)
	m.MessageSize = int32(len(raw) - 12)
	m.CRC = int32(crc32.ChecksumIEEE(raw[16:]))
	return m.AppendTo(nil)
}

func TestPlainMessageSetsBecomeOneBatch(t *testing.T) {
	k, v := []byte("k"), []byte("v")
	cases := []struct {
		name string
		set  []byte
		want []Record
	}{
		{"magic 0, offsets all 0", slices.Concat(v0(0, 0, k, v), v0(0, 0, nil, v), v0(0, 0, k, nil)),
			[]Record{{Timestamp: -1, Key: k, Value: v}, {Offset: 1, Timestamp: -1, Value: v}, {Offset: 2, Timestamp: -1, Key: k}}},
		{"magic 1, any offsets", slices.Concat(v1(7, 0, 1000, k, v), v1(3, 0, -1, []byte{}, []byte{})),
			[]Record{{Timestamp: 1000, Key: k, Value: v}, {Offset: 1, Timestamp: -1, Key: []byte{}, Value: []byte{}}}},
		{"a last message cut short is dropped", slices.Concat(v1(0, 0, 5, k, v), v1(1, 0, 6, k, v)[:20]),
			[]Record{{Timestamp: 5, Key: k, Value: v}}},
	}
	for _, c := range cases {
		b, rej := UpConvert(c.set, kafkaLimits())
		if rej != nil {
			t.Errorf("%s: %v", c.name, rej)
			continue
		}
		diff(t, c.name, contents(t, b), wantContents(c.want))
		if _, rej := produce(b, kafkaLimits()); rej != nil {
			t.Errorf("%s: %v", c.name, rej)
		}
	}
}

func TestCompressedMessageSetsBecomeOneBatch(t *testing.T) {
	k, v := []byte("k"), []byte("v")
	for codec := Gzip; codec <= LZ4; codec++ {
		wrap := func(magic int8, offset int64, inner []byte) []byte {
			z, err := CompressLegacy(nil, magic, codec, 0, inner)
			if err != nil {
				t.Fatal(err)
			}
			if magic == 0 {
				return v0(offset, int8(codec), nil, z)
			}
			return v1(offset, int8(codec), 2000, nil, z)
		}
		cases := []struct {
			name string
			set  []byte
		}{
			{"magic 0, absolute offsets", wrap(0, 1, slices.Concat(v0(0, 0, k, v), v0(1, 0, k, v)))},
			{"magic 0, offsets all 0", wrap(0, 0, slices.Concat(v0(0, 0, k, v), v0(0, 0, k, v)))},
			{"magic 1, relative offsets", wrap(1, 1, slices.Concat(v1(0, 0, 2000, k, v), v1(1, 0, 2000, k, v)))},
			{"magic 1, wrapper offset 0", wrap(1, 0, slices.Concat(v1(0, 0, 2000, k, v), v1(1, 0, 2000, k, v)))},
			{"an inner message cut short", wrap(1, 1, slices.Concat(v1(0, 0, 2000, k, v), v1(1, 0, 2000, k, v), v1(2, 0, 2000, k, v)[:30]))},
		}
		for _, c := range cases {
			b, rej := UpConvert(c.set, kafkaLimits())
			if rej != nil {
				t.Errorf("%s, %s: %v", codec, c.name, rej)
				continue
			}
			ts := int64(2000)
			if c.set[16] == 0 {
				ts = NoTimestamp
			}
			diff(t, codec.String()+", "+c.name, contents(t, b), wantContents([]Record{
				{Timestamp: ts, Key: k, Value: v}, {Offset: 1, Timestamp: ts, Key: k, Value: v}}))
			if b.Attributes().Codec() != codec {
				t.Errorf("%s, %s: the batch's codec is %s", codec, c.name, b.Attributes().Codec())
			}
		}
	}
}

func TestTopicConfigsApplyToMessageSets(t *testing.T) {
	l := kafkaLimits()
	l.Codec, l.LogAppendTime = Zstd, true
	b, rej := UpConvert(slices.Concat(v0(0, 0, nil, []byte("a")), v0(0, 0, nil, []byte("b"))), l)
	if rej != nil {
		t.Fatal(rej)
	}
	if a := b.Attributes(); a.Codec() != Zstd || !a.LogAppendTime() || b.MaxTimestamp() != goldenTime {
		t.Errorf("attributes %#x, max timestamp %d", a, b.MaxTimestamp())
	}
	// A wrapper's append time is that of its messages.
	inner, _ := Compress(nil, Gzip, 0, v1(0, 0, 1, nil, []byte("a")))
	b, rej = UpConvert(v1(0, int8(Gzip)|8, 777, nil, inner), kafkaLimits())
	if rej != nil || b.BaseTimestamp() != 777 || b.Attributes().LogAppendTime() {
		t.Errorf("timestamp %d, %v; want the wrapper's 777", b.BaseTimestamp(), rej)
	}
}

func TestNothingComesOfAnEmptyMessageSet(t *testing.T) {
	for _, set := range [][]byte{nil, make([]byte, 11), v1(0, 0, 1, nil, nil)[:30]} {
		if b, rej := UpConvert(set, kafkaLimits()); b != nil || rej != nil {
			t.Errorf("%x: %x, %v", set, []byte(b), rej)
		}
	}
}

func TestABatchInAnOldProduceIsTaken(t *testing.T) {
	raw := rawBatch(None, 3, three(), nil)
	if b, rej := UpConvert(raw, kafkaLimits()); rej != nil || !bytes.Equal(b, raw) {
		t.Errorf("%x, %v", []byte(b), rej)
	}
	raw[20]++
	if _, rej := UpConvert(raw, kafkaLimits()); rej == nil || rej.Code != 2 {
		t.Errorf("wrong CRC: %v", rej)
	}
}

func TestABadMessageSetGetsTheCodeOfKafka(t *testing.T) {
	k, v := []byte("k"), []byte("v")
	patch := func(set []byte, at int, b byte) []byte {
		set = bytes.Clone(set)
		set[at] = b
		return set
	}
	gz := func(b []byte) []byte { return compressed(t, Gzip, b) }
	one := v1(0, 0, 1, k, v)
	short := v1(0, 0, 1, k, v)[:12+14]
	finishMessage(short)
	overlong := v0(0, 0, k, v)
	overlong[21] = 9
	finishMessage(overlong)
	compacted := kafkaLimits()
	compacted.Compacted = true
	small := kafkaLimits()
	small.MaxMessageBytes = 96 // the batch has 97 bytes
	tiny := kafkaLimits()
	tiny.MaxMessageBytes = len(one) - 1
	appendTime := kafkaLimits()
	appendTime.LogAppendTime = true
	capped := kafkaLimits()
	capped.MaxDecompressed = 1000
	cases := []struct {
		name string
		set  []byte
		l    *Limits
		code int16
	}{
		{"wrong CRC", patch(one, 12, 1), nil, 2},
		{"size 13", patch(one, 11, 13), nil, 2},
		{"magic 9", patch(one, 16, 9), nil, 2},
		{"magic 1 without room for a key", short, nil, 2},
		{"key longer than the message", overlong, nil, 2},
		{"magic 0 after magic 1", slices.Concat(one, v0(0, 0, k, v)), nil, 87},
		{"a batch after magic 1", slices.Concat(one, rawBatch(None, 3, three(), nil)), nil, 87},
		{"larger than max.message.bytes", one, tiny, 10},
		{"larger than max.message.bytes as a batch", slices.Concat(one, one, one, one), small, 10},
		{"two compressed messages", slices.Concat(v1(0, 1, 1, nil, gz(one)), v1(1, 1, 1, nil, gz(one))), nil, 87},
		{"zstd", v1(0, 4, 1, nil, compressed(t, Zstd, one)), nil, 87},
		{"codec 5", v1(0, 5, 1, nil, one), nil, -1},
		{"plain bytes with the gzip bit", v1(0, 1, 1, nil, one), nil, -1},
		{"compressed null", v1(0, 1, 1, nil, nil), nil, 87},
		{"compressed nothing", v1(0, 1, 1, nil, gz(nil)), nil, 87},
		{"compressed inside compressed", v1(0, 1, 1, nil, gz(v1(0, 1, 1, nil, gz(one)))), nil, 87},
		{"magic 0 inside magic 1", v1(0, 1, 1, nil, gz(v0(0, 0, k, v))), nil, 87},
		{"wrong CRC inside", v1(0, 1, 1, nil, gz(patch(one, 12, 1))), nil, 2},
		{"size 13 inside", v1(0, 1, 1, nil, gz(patch(one, 11, 13))), nil, 2},
		{"magic 1 without room inside", v1(0, 1, 1, nil, gz(short)), nil, 2},
		{"wrapper offset below the last inner one", v1(1, 1, 1, nil, gz(slices.Concat(one, v1(5, 0, 1, k, v)))), nil, 87},
		{"no key for a compacted topic", v1(0, 0, 1, nil, v), compacted, 87},
		{"no key for a compacted topic, compressed", v1(0, 1, 1, nil, gz(v1(0, 0, 1, nil, v))), compacted, 87},
		{"two hours ahead", v1(0, 0, goldenTime+7200e3, k, v), nil, 32},
		{"two hours ahead, compressed", v1(0, 1, 1, nil, gz(v1(0, 0, goldenTime+7200e3, k, v))), nil, 32},
		{"append time bit for a LogAppendTime topic", v1(0, 8, 1, k, v), appendTime, 32},
		{"negative timestamp", v1(0, 0, -2, k, v), nil, -1},
		{"decompression bomb", v1(0, 1, 1, nil, gz(v1(0, 0, 1, k, make([]byte, 2000)))), capped, 10},
	}
	for _, c := range cases {
		l := c.l
		if l == nil {
			l = kafkaLimits()
		}
		_, rej := UpConvert(c.set, l)
		if rej == nil || rej.Code != c.code || rej.Reason == "" {
			t.Errorf("%s: %+v, want code %d", c.name, rej, c.code)
		}
	}

	_, rej := UpConvert(v1(0, 1, 1, nil, gz(v0(3, 0, k, v))), kafkaLimits())
	want := fmt.Sprintf("Record LegacyRecordBatch(offset=3, Record(magic=0, attributes=0, compression=none, crc=%d, key=1 bytes, value=1 bytes))'s magic does not match outer magic 1 in topic partition T-0",
		crc32.ChecksumIEEE(v0(3, 0, k, v)[16:]))
	if len(rej.Records) != 1 || rej.Records[0].Message != want {
		t.Errorf("got %q, want %q", rej.Records, want)
	}
}

func TestDownConvertLeavesOutWhatMessageSetsCannotHold(t *testing.T) {
	plain := func(base int64) []byte {
		b := NewBuilder(None, 0)
		b.BaseOffset = base
		return build(t, b, goldenRecords(base, true)[:2])
	}
	zstd := func() []byte {
		b := NewBuilder(Zstd, 0)
		b.BaseOffset = 50
		return build(t, b, goldenRecords(50, false))
	}
	marker := []byte(EndTxnMarker(Commit, 1, 0, 0, goldenTime))
	empty := build(t, NewBuilder(None, 0), nil)
	offsets := func(set []byte) (out []int64) {
		for len(set) > 0 {
			m, ok := parseMessage(Batch(set).BaseOffset(), set[12:Batch(set).Size()])
			if !ok || !m.validCRC() {
				t.Fatalf("bad message in %x", set)
			}
			out = append(out, m.offset)
			set = set[Batch(set).Size():]
		}
		return out
	}
	cases := []struct {
		name string
		in   []byte
		from int64
		want []int64
		err  error
	}{
		{"two batches", slices.Concat(plain(10), plain(20)), 0, []int64{10, 11, 20, 21}, nil},
		{"from the middle of a plain batch", slices.Concat(plain(10), plain(20)), 11, []int64{11, 20, 21}, nil},
		{"control batches", slices.Concat(marker, plain(10), marker), 0, []int64{10, 11}, nil},
		{"nothing but a control batch", marker, 0, nil, nil},
		{"an empty batch", slices.Concat(empty, plain(10)), 0, []int64{10, 11}, nil},
		{"a last batch cut short", slices.Concat(plain(10), plain(20)[:70]), 0, []int64{10, 11}, nil},
		{"zstd after another", slices.Concat(plain(10), zstd(), plain(60)), 0, []int64{10, 11}, nil},
		{"zstd first", slices.Concat(marker, zstd(), plain(60)), 0, nil, ErrDownConvertZstd},
	}
	for _, c := range cases {
		for magic := range int8(2) {
			prefix := []byte("before")
			out, err := DownConvert(bytes.Clone(prefix), c.in, magic, c.from)
			if err != c.err || !bytes.HasPrefix(out, prefix) || !slices.Equal(offsets(out[len(prefix):]), c.want) {
				t.Errorf("%s, magic %d: %v, %v; want %v, %v", c.name, magic, offsets(out[len(prefix):]), err, c.want, c.err)
			}
		}
	}
	broken := rawBatch(None, 5, three(), nil)
	if out, err := DownConvert(nil, broken, 1, 0); err == nil || len(out) != 0 {
		t.Errorf("a broken batch: %x, %v", out, err)
	}
}
