package broker

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

var start2030 = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// atRest starts a broker whose clock stands, with a topic "t".
func atRest(t testing.TB, opts ...Option) (*Broker, *VirtualClock) {
	t.Helper()
	clock := NewVirtualClock(start2030)
	return Start(t, append([]Option{WithClock(clock), WithTopic("t", 1, nil)}, opts...)...), clock
}

func TestProduceIsAnsweredInEveryVersion(t *testing.T) { // behaviours 43, 9
	b, _ := atRest(t)
	c := dial(t, b)
	now := start2030.UnixMilli()
	for v := int16(0); v <= 13; v++ {
		records := batchOf(t, now, []string{fmt.Sprint(v)})
		if v < 3 {
			records = messageSet(v, now, fmt.Sprint(v))
		}
		resp := ask[*kmsg.ProduceResponse](c, produceRequest(t, b, v, "t", 0, records))
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			t.Fatalf("v%d: %+v", v, resp)
		}
		p := resp.Topics[0].Partitions[0]
		wantStart := int64(0)
		if v < 5 {
			wantStart = -1
		}
		if p.ErrorCode != 0 || p.BaseOffset != int64(v) || p.LogAppendTime != -1 || p.LogStartOffset != wantStart {
			t.Errorf("v%d: %+v", v, p)
		}
	}
	var want []string
	for v := range 14 {
		want = append(want, fmt.Sprint(v))
	}
	wantValues(t, c.fetch(b, "t", 0).RecordBatches, want...)
}

// messageSet is one message of magic 0 (Produce v0, v1) or 1 (v2).
func messageSet(version int16, ts int64, value string) []byte {
	magic := byte(0)
	if version >= 2 {
		magic = 1
	}
	set, err := record.DownConvert(nil, mustBatch(ts, value), int8(magic), 0)
	if err != nil {
		panic(err)
	}
	return set
}

func mustBatch(ts int64, value string) []byte {
	b := record.NewBuilder(record.None, 0)
	b.Add(record.Record{Timestamp: ts, Key: []byte("k"), Value: []byte(value)})
	out, err := b.Build(nil)
	if err != nil {
		panic(err)
	}
	return out
}

// patch changes a batch and, unless the CRC itself is meant, makes the CRC right
// again.
func patch(batch []byte, change func(b []byte)) []byte {
	b := append([]byte(nil), batch...)
	change(b)
	binary.BigEndian.PutUint32(b[17:], record.Batch(b).ComputeCRC())
	return b
}

func TestProduceRefusesWhatKafkaRefuses(t *testing.T) {
	now := start2030.UnixMilli()
	good := batchOf(t, now, []string{"a", "b", "c"})
	attributes := func(bits uint16) []byte {
		return patch(good, func(b []byte) { binary.BigEndian.PutUint16(b[21:], bits) })
	}
	with := func(at int, v uint32) []byte {
		return patch(good, func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) })
	}
	keyless := record.NewBuilder(record.None, 0)
	keyless.Add(record.Record{Timestamp: now, Value: []byte("v")})
	noKey, _ := keyless.Build(nil)
	badCRC := append([]byte(nil), good...)
	badCRC[20]++
	magic3 := append([]byte(nil), good...)
	magic3[16] = 3
	nonzero := append([]byte(nil), good...)
	binary.BigEndian.PutUint64(nonzero, 500)

	for _, c := range []struct {
		name    string
		records []byte
		topic   string
		change  func(*kmsg.ProduceRequest)
		code    int16
		start   int64 // log_start_offset: behaviour 73
		message string
		errors  string // the first of record_errors
	}{
		{name: "behaviour 45: acks 2", records: good, change: func(r *kmsg.ProduceRequest) { r.Acks = 2 }, code: 21, start: -1},
		{name: "behaviour 45: acks -2", records: good, change: func(r *kmsg.ProduceRequest) { r.Acks = -2 }, code: 21, start: -1},
		{name: "behaviour 48: an unknown partition", records: good, change: func(r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Partition = 9 }, code: 3, start: -1},
		{name: "behaviour 48: an unknown topic", records: good, change: func(r *kmsg.ProduceRequest) { r.Topics[0].Topic = "nope" }, code: 3, start: -1},
		{name: "behaviour 48: an invalid topic name", records: good, change: func(r *kmsg.ProduceRequest) { r.Topics[0].Topic = "a b" }, code: 3, start: -1},
		{name: "behaviour 49: an internal topic", records: good, topic: "__consumer_offsets", code: 17, start: -1},
		{name: "behaviour 50: null records get what empty ones get", code: 87, start: -1},
		{name: "behaviour 50: empty records", records: []byte{}, code: 87, start: -1},
		{name: "behaviour 51: a wrong CRC", records: badCRC, code: 2, start: -1},
		{name: "behaviour 52: magic 3", records: magic3, code: 2, start: -1, message: "Invalid magic found in record: 3"},
		{name: "behaviour 53: a message set in v12", records: messageSet(2, now, "v"), code: 87, start: -1},
		{name: "behaviour 54: two batches", records: append(append([]byte(nil), good...), good...), code: 87, start: -1},
		{name: "behaviour 55: a batch that is cut short", records: good[:len(good)-3], code: 87, start: -1},
		{name: "behaviour 56: a last offset delta of 9 with 3 records", records: with(23, 9), code: 87},
		{name: "behaviour 56: a count of 2 with 3 records", records: with(57, 2), code: 87},
		{name: "behaviour 56: a count of 5 with 3 records", records: with(57, 5), code: 87},
		{name: "behaviour 56: a count of 0", records: with(57, 0), code: 87},
		{name: "behaviour 58: base offset 500", records: nonzero, code: 87},
		{name: "behaviour 60: two hours ahead", records: batchOf(t, now+2*60*60*1000, []string{"a"}), code: 32,
			message: "One or more records have been rejected due to invalid timestamp",
			errors:  fmt.Sprintf("Timestamp %d of message with offset 0 is out of range. The timestamp should be within [%d, %d]", now+7200_000, now-9223372036854775807, now+3600_000)},
		{name: "behaviour 61: too old for the topic", records: batchOf(t, now-2000, []string{"a"}), topic: "young", code: 32,
			message: "One or more records have been rejected due to invalid timestamp",
			errors:  fmt.Sprintf("Timestamp %d of message with offset 0 is out of range. The timestamp should be within [%d, %d]", now-2000, now-1000, now+3600_000)},
		{name: "behaviour 63: a control batch", records: attributes(32), code: 87},
		{name: "behaviour 64: a transactional batch without transactional id", records: attributes(16), code: 53, start: -1},
		{name: "behaviour 65: compression code 5", records: attributes(5), code: -1},
		{name: "behaviour 65: gzip in name only", records: attributes(1), code: -1},
		{name: "behaviour 67: a batch above max.message.bytes", records: batchOf(t, now, []string{strings.Repeat("x", 1_100_000)}), code: 10, start: -1},
		{name: "behaviour 68: a batch of one byte more than max.message.bytes", records: good, topic: "tight", code: 10, start: -1},
		{name: "behaviour 70: no key in a compacted topic", records: noKey, topic: "compacted", code: 87,
			message: "One or more records have been rejected due to 1 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='Compacted topic cannot accept message without key in topic partition compacted-0')]",
			errors:  "Compacted topic cannot accept message without key in topic partition compacted-0"},
		{name: "behaviour 86: a producer id with sequence -1", records: batchOf(t, now, []string{"a"}, producedBy(5, 0, -1)), code: 87},
		{name: "zstd before v7", records: batchOf(t, now, []string{"a"}, compressedBy(record.Zstd)), change: func(r *kmsg.ProduceRequest) { r.Version = 6 }, code: 76, start: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := atRest(t, WithTopic("compacted", 1, map[string]string{"cleanup.policy": "compact"}),
				WithTopic("tight", 1, map[string]string{"max.message.bytes": fmt.Sprint(len(good) - 1)}),
				WithTopic("young", 1, map[string]string{"message.timestamp.before.max.ms": "1000"}),
				WithTopic("__consumer_offsets", 1, nil))
			client := dial(t, b)
			topic := c.topic
			if topic == "" {
				topic = "t"
			}
			req := produceRequest(t, b, 12, topic, 0, c.records)
			if c.change != nil {
				c.change(req)
			}
			p := ask[*kmsg.ProduceResponse](client, req).Topics[0].Partitions[0]
			if p.ErrorCode != c.code || p.BaseOffset != -1 || p.LogAppendTime != -1 {
				t.Fatalf("got %+v, want error [%d]", p, c.code)
			}
			if req.Version >= 5 && p.LogStartOffset != c.start {
				t.Errorf("log_start_offset is %d, want %d", p.LogStartOffset, c.start)
			}
			if req.Version >= 8 {
				if got := text(p.ErrorMessage); got != c.message {
					t.Errorf("error_message is %q, want %q", got, c.message)
				}
				if c.errors != "" && (len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 0 || text(p.ErrorRecords[0].ErrorMessage) != c.errors) {
					t.Errorf("record_errors are %+v, want %q", p.ErrorRecords, c.errors)
				}
			}
			if end := onlyPartition(t, b, topic).log.EndOffset(); end != 0 {
				t.Errorf("the log has %d records of a refused batch", end)
			}
			if b.image.Load().topic("nope") != nil {
				t.Error("produce created a topic")
			}
			// The connection goes on.
			client.mustProduce(b, "t", good)
		})
	}
}

// misnumbered is a batch whose header is right and whose records have these
// offset deltas.
func misnumbered(t testing.TB, ts int64, deltas ...byte) []byte {
	t.Helper()
	values := make([]string, len(deltas))
	batch := batchOf(t, ts, values)
	return patch(batch, func(b []byte) {
		at := record.HeaderSize
		for _, d := range deltas {
			b[at+3] = d << 1 // after length, attributes and timestamp delta, of one byte each
			at += 1 + int(b[at]>>1)
		}
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestProduceTakesWhatKafkaTakes(t *testing.T) {
	now := start2030.UnixMilli()
	good := batchOf(t, now, []string{"a", "b", "c"})
	for _, c := range []struct {
		name    string
		records []byte
		topic   string
		count   int64
	}{
		{"behaviour 55: rubbish after a batch", append(append([]byte(nil), good...), 1, 2, 3, 4, 5), "t", 3},
		{"behaviour 59: a time in 1970", batchOf(t, 1000, []string{"a"}), "t", 1},
		{"behaviour 59: timestamp -1", batchOf(t, -1, []string{"a"}), "t", 1},
		{"behaviour 60: half an hour ahead", batchOf(t, now+1800_000, []string{"a"}), "t", 1},
		{"behaviour 57: offset deltas 0, 5, 2", misnumbered(t, now, 0, 5, 2), "t", 3},
		{"behaviour 57: offset deltas 0, 0", misnumbered(t, now, 0, 0), "t", 2},
		{"behaviour 62: the log-append-time bit", patch(good, func(b []byte) { b[22] |= 8 }), "t", 3},
		{"behaviour 68: a batch of exactly max.message.bytes", good, "exact", 3},
		{"behaviour 83: a producer id that nobody was given", batchOf(t, now, []string{"a"}, producedBy(777, 0, 7)), "t", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := atRest(t, WithTopic("exact", 1, map[string]string{"max.message.bytes": fmt.Sprint(len(good))}))
			client := dial(t, b)
			if base := client.mustProduce(b, c.topic, c.records); base != 0 {
				t.Fatalf("base offset is %d", base)
			}
			if end := onlyPartition(t, b, c.topic).log.EndOffset(); end != c.count {
				t.Fatalf("the log has %d records, want %d", end, c.count)
			}
		})
	}
}

// Records get offsets that follow each other, whatever they say themselves.
func TestMisnumberedRecordsAreStoredInOrder(t *testing.T) { // behaviour 57
	b, _ := atRest(t)
	c := dial(t, b)
	c.mustProduce(b, "t", misnumbered(t, start2030.UnixMilli(), 0, 5, 2))
	c.mustProduce(b, "t", misnumbered(t, start2030.UnixMilli(), 0, 0))
	wantContents(c, b, "t", 0, "two batches", "k0=@0", "k1=@1", "k2=@2", "k0=@3", "k1=@4")
}

func TestATransactionalIDDoesNotMakeABatchTransactional(t *testing.T) { // behaviour 66
	b, _ := atRest(t)
	c := dial(t, b)
	req := produceRequest(t, b, 13, "t", 0, batchOf(t, start2030.UnixMilli(), []string{"plain"}))
	req.TransactionID = kmsg.StringPtr("x")
	if p := ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Fatalf("got %+v", p)
	}
	wantValues(t, c.fetch(b, "t", 0).RecordBatches, "plain")
}

func TestAProducerWithoutAnEpochIsFenced(t *testing.T) { // behaviour 86
	b, _ := atRest(t)
	c := dial(t, b)
	c.mustProduce(b, "t", batchOf(t, start2030.UnixMilli(), []string{"a"}, producedBy(5, 0, 0)))
	if p := c.produce(b, "t", batchOf(t, start2030.UnixMilli(), []string{"b"}, producedBy(5, -1, 1))); p.ErrorCode != 47 {
		t.Errorf("epoch -1: %+v, want [47]", p)
	}
}

func TestProduceByUnknownTopicIDIsRefused(t *testing.T) { // behaviour 44
	b, _ := atRest(t)
	c := dial(t, b)
	for _, id := range [][16]byte{{}, {1, 2, 3}} {
		req := produceRequest(t, b, 13, "t", 0, batchOf(t, 0, []string{"a"}))
		req.Topics[0].TopicID = id
		resp := ask[*kmsg.ProduceResponse](c, req)
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 100 || resp.Topics[0].TopicID != id {
			t.Errorf("id %x: %+v", id, resp.Topics[0])
		}
	}
}

func TestProduceWithoutAcksIsNotAnswered(t *testing.T) { // behaviour 46
	b, _ := atRest(t)
	c := dial(t, b)
	req := produceRequest(t, b, 12, "t", 0, batchOf(t, 0, []string{"a"}))
	req.Acks = 0
	c.send(req)
	if base := c.mustProduce(b, "t", batchOf(t, 0, []string{"b"})); base != 1 {
		t.Fatalf("the second batch is at offset %d, want 1", base)
	}
}

func TestFailedProduceWithoutAcksClosesTheConnection(t *testing.T) { // behaviour 47
	b, _ := atRest(t)
	c := dial(t, b)
	req := produceRequest(t, b, 12, "nope", 0, batchOf(t, 0, []string{"a"}))
	req.Acks = 0
	c.send(req)
	c.ended()
}

func TestPartitionNamedTwiceIsWrittenOnce(t *testing.T) { // behaviour 71
	b, _ := atRest(t)
	c := dial(t, b)
	req := produceRequest(t, b, 12, "t", 0, batchOf(t, 0, []string{"first"}))
	again := req.Topics[0].Partitions[0]
	again.Records = batchOf(t, 0, []string{"second"})
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, again)
	resp := ask[*kmsg.ProduceResponse](c, req)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("answered %+v, want one entry", resp.Topics)
	}
	wantValues(t, c.fetch(b, "t", 0).RecordBatches, "second")
}

func TestProduceOfNothingIsAnsweredWithNothing(t *testing.T) { // behaviour 72
	b, _ := atRest(t)
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks = 9, -1
	if resp := ask[*kmsg.ProduceResponse](dial(t, b), req); len(resp.Topics) != 0 {
		t.Fatalf("answered %+v", resp)
	}
}

func TestLogAppendTimeIsTheBrokersClock(t *testing.T) { // behaviour 69
	b, clock := atRest(t, WithTopic("appended", 1, map[string]string{"message.timestamp.type": "LogAppendTime"}))
	clock.Advance(5 * time.Second)
	c := dial(t, b)
	want := start2030.Add(5 * time.Second).UnixMilli()
	if p := c.produce(b, "appended", batchOf(t, 1000, []string{"a"})); p.ErrorCode != 0 || p.LogAppendTime != want {
		t.Fatalf("got %+v, want log_append_time %d", p, want)
	}
	batch := record.Batch(c.fetch(b, "appended", 0).RecordBatches)
	if !batch.Attributes().LogAppendTime() || batch.MaxTimestamp() != want || batch.ComputeCRC() != batch.CRC() {
		t.Fatalf("stored with attributes %b and time %d", batch.Attributes(), batch.MaxTimestamp())
	}
}

func TestCompressionTypeOfATopicRecompresses(t *testing.T) {
	for _, codec := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		b, _ := atRest(t, WithTopic("c", 1, map[string]string{"compression.type": codec.String()}))
		c := dial(t, b)
		c.mustProduce(b, "c", batchOf(t, 0, []string{"one", "two"}))
		got := c.fetch(b, "c", 0).RecordBatches
		if record.Batch(got).Attributes().Codec() != codec {
			t.Errorf("stored with codec %v, want %v", record.Batch(got).Attributes().Codec(), codec)
		}
		wantValues(t, got, "one", "two")
	}
}

func TestBatchesAreStoredAsTheyCame(t *testing.T) {
	b, _ := atRest(t)
	c := dial(t, b)
	c.mustProduce(b, "t", batchOf(t, 0, []string{"a", "b"}))
	sent := batchOf(t, 1000, []string{"c"}, compressedBy(record.LZ4))
	c.mustProduce(b, "t", sent)
	got := record.Batch(c.fetch(b, "t", 2).RecordBatches)
	if got.BaseOffset() != 2 || got.LeaderEpoch() != 0 {
		t.Fatalf("base offset %d, leader epoch %d, want 2 and 0", got.BaseOffset(), got.LeaderEpoch())
	}
	got.SetBaseOffset(0)
	got.SetLeaderEpoch(record.Batch(sent).LeaderEpoch())
	if string(got) != string(sent) {
		t.Fatalf("stored\n%x\nwas sent\n%x", []byte(got), sent)
	}
}

func TestMinInsyncReplicasCountsNoMoreThanThereAre(t *testing.T) { // behaviour 74
	b, _ := atRest(t, WithTopic("two", 1, map[string]string{"min.insync.replicas": "2"}))
	dial(t, b).mustProduce(b, "two", batchOf(t, 0, []string{"a"}))
}

func TestTooFewReplicasRefuseAcksAllOnly(t *testing.T) { // behaviour 75
	b, _ := atRest(t, WithTopic("two", 1, map[string]string{"min.insync.replicas": "2"}))
	p := onlyPartition(t, b, "two")
	p.lead(&leadership{leader: 1, replicas: []int32{1, 2, 3}, isr: []int32{1}})
	c := dial(t, b)
	req := produceRequest(t, b, 12, "two", 0, batchOf(t, 0, []string{"a"}))
	if got := ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]; got.ErrorCode != 19 || got.LogStartOffset != 0 {
		t.Fatalf("acks=all got %+v, want [19]", got)
	}
	req.Acks = 1
	if got := ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != 0 {
		t.Fatalf("acks=1 got %+v, want [0]", got)
	}
}

func TestProduceToAFollowerNamesTheLeader(t *testing.T) { // behaviour 76
	b, _ := atRest(t)
	onlyPartition(t, b, "t").lead(&leadership{leader: 2, leaderEpoch: 4, replicas: []int32{1, 2}, isr: []int32{1, 2}})
	c := dial(t, b)
	for _, v := range []int16{9, 10} {
		p := ask[*kmsg.ProduceResponse](c, produceRequest(t, b, v, "t", 0, batchOf(t, 0, []string{"a"}))).Topics[0].Partitions[0]
		leader, epoch := int32(-1), int32(-1)
		if v >= 10 {
			leader, epoch = 2, 4
		}
		if p.ErrorCode != 6 || p.CurrentLeader.LeaderID != leader || p.CurrentLeader.LeaderEpoch != epoch {
			t.Errorf("v%d: %+v", v, p)
		}
	}
}

func TestDuplicatesAreAnsweredAndNotStored(t *testing.T) { // behaviours 80, 81, 85
	b, _ := atRest(t)
	c := dial(t, b)
	first := batchOf(t, 5000, []string{"a", "b"}, producedBy(3, 1, 0))
	c.mustProduce(b, "t", first)
	c.mustProduce(b, "t", batchOf(t, 5000, []string{"c"}, producedBy(3, 1, 2)))
	if p := c.produce(b, "t", first); p.ErrorCode != 0 || p.BaseOffset != 0 || p.LogAppendTime != 5001 {
		t.Fatalf("a duplicate got %+v, want offset 0 and the time of the first", p)
	}
	if p := c.produce(b, "t", batchOf(t, 5000, []string{"e"}, producedBy(3, 1, 5))); p.ErrorCode != 45 || p.LogStartOffset != 0 {
		t.Fatalf("a gap got %+v, want [45]", p)
	}
	if p := c.produce(b, "t", batchOf(t, 5000, []string{"e"}, producedBy(3, 0, 0))); p.ErrorCode != 47 || p.LogStartOffset != 0 {
		t.Fatalf("an older epoch got %+v, want [47]", p)
	}
	wantValues(t, c.fetch(b, "t", 0).RecordBatches, "a", "b", "c")
}

func TestAdminClientMayWriteToInternalTopics(t *testing.T) {
	b, _ := atRest(t, WithTopic("__consumer_offsets", 1, nil))
	dialAs(t, b, adminClient).mustProduce(b, "__consumer_offsets", batchOf(t, 0, []string{"a"}))
}
