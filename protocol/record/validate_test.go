package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The codes in this file were seen from Apache Kafka 4.3.1; "behaviour N" is
// the row of that list.

// rawRecord is a record as kmsg, an encoder of its own, writes it.
func rawRecord(offsetDelta int32, key []byte, value string) []byte {
	r := kmsg.Record{OffsetDelta: offsetDelta, Key: key, Value: []byte(value)}
	body := r.AppendTo(nil)[1:] // without the length 0
	return append(kbin.AppendVarint(nil, int32(len(body))), body...)
}

// rawBatch is a batch of n records around a payload, written by kmsg; edit may
// change it before its CRC is worked out.
func rawBatch(c Codec, n int32, payload []byte, edit func(*kmsg.RecordBatch)) []byte {
	rb := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(c), LastOffsetDelta: n - 1,
		FirstTimestamp: goldenTime, MaxTimestamp: goldenTime,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, Records: payload,
	}
	if edit != nil {
		edit(&rb)
	}
	rb.Length = int32(len(rb.AppendTo(nil)) - LogOverhead)
	raw := rb.AppendTo(nil)
	Batch(raw).setCRC()
	return raw
}

func three() []byte {
	return slices.Concat(rawRecord(0, []byte("k"), "abc"), rawRecord(1, []byte("k"), "abc"), rawRecord(2, []byte("k"), "abc"))
}

func compressed(t testing.TB, c Codec, payload []byte) []byte {
	t.Helper()
	out, err := Compress(nil, c, 0, payload)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// produce is Split and Validate in one.
func produce(raw []byte, l *Limits) (Batch, *Rejection) {
	b, err := Split(raw)
	var rej *Rejection
	if errors.As(err, &rej) {
		return nil, rej
	}
	return Validate(b, l)
}

// kafkaLimits are those of a topic with Kafka's defaults.
func kafkaLimits() *Limits {
	return &Limits{Topic: "T", MaxMessageBytes: 1048588, Codec: ProducerCodec, ProduceVersion: 9,
		TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: 3600e3, Now: goldenTime}
}

func TestAGoodBatchIsStoredUntouched(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		raw := rawBatch(c, 3, compressed(t, c, three()), nil)
		before := bytes.Clone(raw)
		b, rej := produce(raw, kafkaLimits())
		if rej != nil {
			t.Errorf("%s: %v", c, rej)
			continue
		}
		if &b[0] != &raw[0] || len(b) != len(raw) || !bytes.Equal(raw, before) {
			t.Errorf("%s: not the same bytes in the same place", c)
		}
	}
}

func TestABadBatchGetsTheCodeOfKafka(t *testing.T) {
	good := func() []byte { return rawBatch(None, 3, three(), nil) }
	edit := func(f func(*kmsg.RecordBatch)) []byte { return rawBatch(None, 3, three(), f) }
	patch := func(at int, v ...byte) []byte {
		b := good()
		copy(b[at:], v)
		return b
	}
	damaged := func(at int, v byte) []byte {
		p := three()
		p[at] = v
		return rawBatch(None, 3, p, nil)
	}
	short := func(n int) []byte {
		b := good()[:n]
		binary.BigEndian.PutUint32(b[offLength:], uint32(n-LogOverhead))
		return b
	}
	const early = true
	cases := []struct {
		name  string
		raw   []byte
		code  int16
		early bool
		msg   string
	}{
		{"nothing (behaviour 50)", nil, 87, early, ""},
		{"11 bytes", make([]byte, 11), 87, early, ""},
		{"13 zero bytes", make([]byte, 13), 2, early, "Record size 0 is less than the minimum record overhead (14)"},
		{"length 13", patch(offLength, 0, 0, 0, 13), 2, early, "Record size 13 is less than the minimum record overhead (14)"},
		{"length -1", patch(offLength, 255, 255, 255, 255), 2, early, "Record size -1 is less than the minimum record overhead (14)"},
		{"length 2^31-1", patch(offLength, 127, 255, 255, 255), 87, early, ""},
		{"wrong CRC (behaviour 51)", patch(offCRC, 1, 2, 3, 4), 2, early, ""},
		{"magic 3 (behaviour 52)", patch(offMagic, 3), 2, early, "Invalid magic found in record: 3"},
		{"magic -1", patch(offMagic, 255), 2, early, "Invalid magic found in record: -1"},
		{"magic 0 (behaviour 53)", patch(offMagic, 0), 87, early, ""},
		{"magic 1 (behaviour 53)", patch(offMagic, 1), 87, early, ""},
		{"two batches (behaviour 54)", append(good(), good()...), 87, early, ""},
		{"cut by 3 bytes (behaviour 55)", good()[:len(good())-3], 87, early, ""},
		{"5 bytes after it (behaviour 55)", append(good(), 1, 2, 3, 4, 5), 0, false, ""},
		{"20 zero bytes after it", append(good(), make([]byte, 20)...), 2, early, ""},
		{"the start of another after it", append(good(), good()[:40]...), 0, false, ""},
		{"the start of one of magic 9 after it", append(good(), patch(offMagic, 9)[:40]...), 2, early, ""},
		{"header of 40 bytes", short(40), -1, early, ""},
		{"header of 26 bytes", short(26), -1, early, ""},
		{"last offset delta 9 (behaviour 56)", edit(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 9 }), 87, false, ""},
		{"last offset delta -1", edit(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = -1 }), 87, false, ""},
		{"count 2 with 3 inside (behaviour 56)", rawBatch(None, 2, three(), nil), 87, false, ""},
		{"count 5 with 3 inside (behaviour 56)", rawBatch(None, 5, three(), nil), 87, false, ""},
		{"0 records (behaviour 56)", rawBatch(None, 0, nil, nil), 87, false, ""},
		{"count -1", edit(func(b *kmsg.RecordBatch) { b.NumRecords = -1 }), 87, false, ""},
		{"count 2^31-1 and nothing inside", rawBatch(None, math.MaxInt32, nil, nil), 87, false, ""},
		{"base offset 500 (behaviour 58)", edit(func(b *kmsg.RecordBatch) { b.FirstOffset = 500 }), 87, false, ""},
		{"base offset -5 (behaviour 58)", edit(func(b *kmsg.RecordBatch) { b.FirstOffset = -5 }), 87, false, ""},
		{"control bit (behaviour 63)", edit(func(b *kmsg.RecordBatch) { b.Attributes |= 32 }), 87, false, ""},
		{"codec 5 (behaviour 65)", rawBatch(5, 3, three(), nil), -1, false, ""},
		{"codec 7 (behaviour 65)", rawBatch(7, 3, three(), nil), -1, false, ""},
		{"producer id with sequence -1 (behaviour 86)", edit(func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch = 9, 0 }), 87, false, ""},
		{"record longer than it says", damaged(0, 18), 87, false, ""},
		{"record shorter than it says", damaged(0, 22), 87, false, ""},
		{"record with a negative length", damaged(0, 19), 87, false, ""},
		{"key longer than the record", damaged(4, 0x7e), 87, false, ""},
		{"header count 1 and no header", damaged(10, 2), 87, false, ""},
		{"header count -1", damaged(10, 1), 87, false, ""},
		{"timestamp of 11 bytes", rawBatch(None, 1, append([]byte{30}, bytes.Repeat([]byte{0xff}, 15)...), nil), 87, false, ""},
	}
	for _, c := range cases {
		b, rej := produce(c.raw, kafkaLimits())
		if rej == nil {
			if c.code != 0 {
				t.Errorf("%s: accepted, want code %d", c.name, c.code)
			} else if len(b) != len(good()) {
				t.Errorf("%s: %d bytes to store, want the batch's %d", c.name, len(b), len(good()))
			}
			continue
		}
		if rej.Code != c.code || rej.Message != c.msg || rej.BeforeAppend != c.early {
			t.Errorf("%s: code %d, message %q, before the append %v; want %d, %q, %v", c.name, rej.Code, rej.Message, rej.BeforeAppend, c.code, c.msg, c.early)
		}
		if rej.Reason == "" || rej.Error() != rej.Reason {
			t.Errorf("%s: no reason for the log", c.name)
		}
	}
}

func TestABadCompressedPayloadGetsTheCodeOfKafka(t *testing.T) {
	oddOffsets := slices.Concat(rawRecord(0, []byte("k"), "abc"), rawRecord(5, []byte("k"), "abc"), rawRecord(2, []byte("k"), "abc"))
	longer := three()
	longer[0] += 2
	for c := Gzip; c <= Zstd; c++ {
		z := compressed(t, c, three())
		rubbish := map[Codec]int16{Gzip: 0, Snappy: -1, LZ4: 0, Zstd: -1}
		cases := []struct {
			name string
			raw  []byte
			code int16
		}{
			{"count 5 with 3 inside", rawBatch(c, 5, z, nil), 87},
			{"count 2 with 3 inside", rawBatch(c, 2, z, nil), 87},
			{"cut by 3 bytes", rawBatch(c, 3, z[:len(z)-3], nil), -1},
			{"cut by 15 bytes", rawBatch(c, 3, z[:len(z)-15], nil), -1},
			{"plain bytes (behaviour 65)", rawBatch(c, 3, three(), nil), -1},
			{"no bytes", rawBatch(c, 3, nil, nil), -1},
			{"rubbish after it", rawBatch(c, 3, append(z[:len(z):len(z)], 1, 2, 3, 4, 5, 6, 7), nil), rubbish[c]},
			{"offsets 0, 5, 2", rawBatch(c, 3, compressed(t, c, oddOffsets), nil), -1},
			// Kafka stores this one, and its consumers cannot read it.
			{"wrong record length", rawBatch(c, 3, compressed(t, c, longer), nil), 87},
		}
		for _, tc := range cases {
			_, rej := produce(tc.raw, kafkaLimits())
			var code int16
			if rej != nil {
				code = rej.Code
			}
			// Nothing at all is what each codec makes of it.
			if tc.name == "no bytes" && code == 87 {
				code = -1
			}
			if code != tc.code {
				t.Errorf("%s, %s: code %d, want %d (%v)", c, tc.name, code, tc.code, rej)
			}
			if rej != nil && rej.Message != "" {
				t.Errorf("%s, %s: message %q, want null", c, tc.name, rej.Message)
			}
		}
	}
}

func TestZstdNeedsProduceVersion7(t *testing.T) {
	raw := rawBatch(Zstd, 3, compressed(t, Zstd, three()), nil)
	for version, code := range map[int16]int16{3: 76, 6: 76, 7: 0, 13: 0} {
		l := kafkaLimits()
		l.ProduceVersion = version
		_, rej := produce(raw, l)
		var got int16
		if rej != nil {
			got = rej.Code
		}
		if got != code {
			t.Errorf("version %d: code %d, want %d", version, got, code)
		}
	}
}

func TestTheWholeBatchCountsAgainstMaxMessageBytes(t *testing.T) { // behaviours 67, 68
	raw := rawBatch(None, 3, three(), nil)
	l := kafkaLimits()
	l.MaxMessageBytes = len(raw)
	if _, rej := produce(raw, l); rej != nil {
		t.Errorf("a batch of the very limit: %v", rej)
	}
	l.MaxMessageBytes--
	if _, rej := produce(raw, l); rej == nil || rej.Code != 10 || !rej.BeforeAppend || rej.Message != "" {
		t.Errorf("a byte more than the limit: %+v, want code 10, message null", rej)
	}
}

func TestADecompressionBombIsRefused(t *testing.T) {
	b := NewBuilder(Gzip, 0)
	b.Add(Record{Timestamp: goldenTime, Value: make([]byte, 1<<20)})
	for codec := Gzip; codec <= Zstd; codec++ {
		b.Codec = codec
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := kafkaLimits()
		l.MaxDecompressed = 1 << 20
		if _, rej := produce(raw, l); rej == nil || rej.Code != 10 {
			t.Errorf("%s: %v, want code 10", codec, rej)
		}
		l.MaxDecompressed += 100
		if _, rej := produce(raw, l); rej != nil {
			t.Errorf("%s: just within the limit: %v", codec, rej)
		}
	}
}

func TestUncompressedRecordsAreRenumbered(t *testing.T) { // behaviour 57
	for _, deltas := range [][]int32{{0, 5, 2}, {0, 0}, {1, 2, 3}, {-1, 0}} {
		var payload []byte
		for _, d := range deltas {
			payload = append(payload, rawRecord(d, []byte("k"), fmt.Sprint(d))...)
		}
		b, rej := produce(rawBatch(None, int32(len(deltas)), payload, nil), kafkaLimits())
		if rej != nil {
			t.Errorf("%v: %v", deltas, rej)
			continue
		}
		var want []string
		for i, d := range deltas {
			want = append(want, content(Record{Offset: int64(i), Timestamp: goldenTime, Key: []byte("k"), Value: []byte(fmt.Sprint(d))}))
		}
		diff(t, fmt.Sprint(deltas), contents(t, b), want)
		if b.CRC() != b.ComputeCRC() {
			t.Errorf("%v: CRC does not match", deltas)
		}
	}
}

func stamped(t testing.TB, c Codec, stamps ...int64) []byte {
	b := NewBuilder(c, 0)
	for i, ts := range stamps {
		b.Add(Record{Offset: int64(i), Timestamp: ts, Key: []byte("k"), Value: []byte("abc")})
	}
	return build(t, b, nil)
}

func TestTimestampsOutOfRangeAreRefused(t *testing.T) { // behaviours 59 to 61
	const text = "One or more records have been rejected due to invalid timestamp"
	l := kafkaLimits()
	for _, ts := range []int64{-1, 1000, goldenTime, goldenTime + 1800e3, goldenTime + 3600e3, -1000} {
		if _, rej := produce(stamped(t, None, ts), l); rej != nil {
			t.Errorf("timestamp %d: %v", ts, rej)
		}
	}
	_, rej := produce(stamped(t, None, goldenTime, goldenTime+7200e3, goldenTime+3600e3+1), l)
	want := []RecordError{
		{1, "Timestamp 1700007200000 of message with offset 1 is out of range. The timestamp should be within [-9223370336854775807, 1700003600000]"},
		{2, "Timestamp 1700003600001 of message with offset 2 is out of range. The timestamp should be within [-9223370336854775807, 1700003600000]"},
	}
	if rej == nil || rej.Code != 32 || rej.Message != text || !slices.Equal(rej.Records, want) || rej.BeforeAppend {
		t.Errorf("two hours ahead: %+v, want code 32, %q, %v", rej, text, want)
	}
	l.TimestampBeforeMaxMs = 1000
	if _, rej = produce(stamped(t, Gzip, goldenTime-1001), l); rej == nil || rej.Code != 32 || rej.Message != text ||
		rej.Records[0].Message != "Timestamp 1699999998999 of message with offset 0 is out of range. The timestamp should be within [1699999999000, 1700003600000]" {
		t.Errorf("too old: %+v", rej)
	}
	l.LogAppendTime = true
	if _, rej = produce(stamped(t, None, goldenTime-1001), l); rej != nil {
		t.Errorf("LogAppendTime takes any timestamp: %v", rej)
	}
}

func TestRecordsWithoutKeyAreRefusedByCompactedTopics(t *testing.T) { // behaviour 70
	b := NewBuilder(None, 0)
	for i := range 5 {
		r := Record{Offset: int64(i), Timestamp: goldenTime, Value: []byte("v")}
		if i == 1 {
			r.Key = []byte{} // empty is a key
		}
		b.Add(r)
	}
	raw := build(t, b, nil)
	if _, rej := produce(raw, kafkaLimits()); rej != nil {
		t.Errorf("not compacted: %v", rej)
	}
	l := kafkaLimits()
	l.Compacted, l.Partition = true, 7
	_, rej := produce(raw, l)
	if rej == nil {
		t.Fatal("accepted")
	}
	text := "Compacted topic cannot accept message without key in topic partition T-7"
	want := []RecordError{{0, text}, {2, text}, {3, text}, {4, text}}
	message := "One or more records have been rejected due to 4 record errors in total, and only showing the first three errors at most: [" +
		"RecordError(batchIndex=0, message='" + text + "'), RecordError(batchIndex=2, message='" + text + "'), RecordError(batchIndex=3, message='" + text + "')]"
	if rej.Code != 87 || rej.Message != message || !slices.Equal(rej.Records, want) {
		t.Errorf("got %+v\nwant 87 %s %v", rej, message, want)
	}

	// One wrong timestamp makes the whole a matter of timestamps.
	b.Add(Record{Offset: 5, Timestamp: goldenTime + 7200e3, Key: []byte("k")})
	if _, rej = produce(build(t, b, nil), l); rej == nil || rej.Code != 32 || len(rej.Records) != 5 {
		t.Errorf("with a wrong timestamp: %+v, want code 32 and 5 record errors", rej)
	}
}

func TestRecordErrorsAreCapped(t *testing.T) {
	b := NewBuilder(Gzip, 0)
	for i := range maxRecordErrors + 5 {
		b.Add(Record{Offset: int64(i), Timestamp: goldenTime})
	}
	l := kafkaLimits()
	l.Compacted = true
	_, rej := produce(build(t, b, nil), l)
	if rej == nil || len(rej.Records) != maxRecordErrors || !bytes.Contains([]byte(rej.Message), []byte("due to 10005 record errors")) {
		t.Errorf("got %.200v", rej)
	}
}

func TestLogAppendTimeBit(t *testing.T) { // behaviours 62, 69
	for _, c := range []Codec{None, Gzip} {
		raw := rawBatch(c, 3, compressed(t, c, three()), func(b *kmsg.RecordBatch) { b.Attributes |= 8 })
		before := bytes.Clone(raw)
		b, rej := produce(raw, kafkaLimits())
		if rej != nil || b.Attributes() != Attributes(c) || b.CRC() != b.ComputeCRC() {
			t.Errorf("%s, CreateTime topic: %v; want the bit removed", c, rej)
		}
		if !bytes.Equal(raw, before) {
			t.Errorf("%s: the request's bytes were changed", c)
		}

		l := kafkaLimits()
		l.LogAppendTime, l.Now = true, goldenTime+42
		name := map[Codec]string{None: "DefaultRecord", Gzip: "PartialDefaultRecord"}[c]
		_, rej = produce(raw, l)
		want := RecordError{2, "Invalid timestamp type in message " + name + "(offset=2, timestamp=1700000000000, key=1 bytes, value=3 bytes). Producer should not set timestamp type to LogAppendTime."}
		if rej == nil || rej.Code != 32 || len(rej.Records) != 3 || rej.Records[2] != want {
			t.Errorf("%s, LogAppendTime topic: %+v, want code 32 and %v", c, rej, want)
		}

		plain := rawBatch(c, 3, compressed(t, c, three()), nil)
		b, rej = produce(plain, l)
		if rej != nil {
			t.Errorf("%s: %v", c, rej)
			continue
		}
		if !b.Attributes().LogAppendTime() || b.MaxTimestamp() != goldenTime+42 || b.CRC() != b.ComputeCRC() ||
			!bytes.Equal(b[HeaderSize:], plain[HeaderSize:]) {
			t.Errorf("%s: LogAppendTime batch is %x, want the time in its header and the records as they were", c, []byte(b))
		}
		for r, err := range b.Records(nil) {
			if err != nil || r.Timestamp != goldenTime+42 {
				t.Errorf("%s: record at %d, %v", c, r.Timestamp, err)
			}
		}
	}
}

func TestAWrongMaxTimestampIsPutRight(t *testing.T) {
	raw := rawBatch(None, 3, three(), func(b *kmsg.RecordBatch) { b.MaxTimestamp += 777; b.Attributes |= 64 })
	b, rej := produce(raw, kafkaLimits())
	if rej != nil || b.MaxTimestamp() != goldenTime || b.CRC() != b.ComputeCRC() || b.Attributes() != 64 {
		t.Errorf("got %v, max timestamp %d, attributes %#x", rej, b.MaxTimestamp(), b.Attributes())
	}
}

func TestTheTopicsCodecWins(t *testing.T) {
	for from := None; from <= Zstd; from++ {
		for to := None; to <= Zstd; to++ {
			for _, appendTime := range []bool{false, true} {
				nb := NewBuilder(from, 0)
				nb.ProducerID, nb.ProducerEpoch, nb.BaseSequence, nb.Transactional, nb.LeaderEpoch = 4000, 3, 17, true, 5
				raw := build(t, nb, goldenRecords(0, true))
				l := kafkaLimits()
				l.Codec, l.LogAppendTime, l.Now = to, appendTime, goldenTime+99
				b, rej := produce(raw, l)
				if rej != nil {
					t.Errorf("%s to %s: %v", from, to, rej)
					continue
				}
				want := goldenRecords(0, true)
				if appendTime {
					for i := range want {
						want[i].Timestamp = goldenTime + 99
					}
				}
				diff(t, fmt.Sprintf("%s to %s", from, to), contents(t, b), wantContents(want))
				a := b.Attributes()
				if a.Codec() != to || !a.Transactional() || a.LogAppendTime() != appendTime || b.CRC() != b.ComputeCRC() ||
					b.ProducerID() != 4000 || b.ProducerEpoch() != 3 || b.BaseSequence() != 17 {
					t.Errorf("%s to %s: header is %x", from, to, []byte(b[:HeaderSize]))
				}
				if same := &b[0] == &raw[0]; same != (from == to && !appendTime) {
					t.Errorf("%s to %s: stored as it came: %v", from, to, same)
				}
			}
		}
	}
	l := kafkaLimits()
	l.Codec = Gzip
	if _, rej := produce(stamped(t, None, -5), l); rej == nil || rej.Code != -1 {
		t.Errorf("a negative timestamp cannot be rebuilt: %v, want code -1", rej)
	}
	raw := rawBatch(Gzip, 3, compressed(t, Gzip, bytes.Repeat(three(), 1)), nil)
	l.Codec, l.MaxMessageBytes = None, len(raw)
	raw = build(t, NewBuilder(Gzip, 0), []Record{{Timestamp: goldenTime, Value: make([]byte, 1000)}})
	if _, rej := produce(raw, l); rej == nil || rej.Code != 10 {
		t.Errorf("too large once decompressed for the topic: %v, want code 10", rej)
	}
}

func TestValidateOfAPlainBatchAllocatesNothing(t *testing.T) {
	raw := batchOf(t, None, 16<<10, 100)
	l := kafkaLimits()
	if n := testing.AllocsPerRun(100, func() {
		b, err := Split(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, rej := Validate(b, l); rej != nil {
			t.Fatal(rej)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
