package diff

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A produceCase is one batch, sent to a partition of its own of the topic t.
type produceCase struct {
	name  string
	acks  int16 // 0: -1
	b     batch
	edit  func(x *actor, r *kmsg.ProduceRequest) // changes the request
	not   []exclusion
	count int // times to send it; 0: once
}

// produceCases makes a script's steps of cases: the topic, the requests, and
// a look at what they left in the log.
func produceCases(configs map[string]string, cases []produceCase) []step {
	steps := topics(spec{"t", int32(len(cases)), configs})
	for i, c := range cases {
		if c.acks == 0 {
			c.acks = -1
		}
		one := step{name: c.name, not: c.not, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			r.Acks, r.TimeoutMillis = c.acks, 10000
			addBatch(x, r, "t", int32(i), c.b.bytes())
			if c.edit != nil {
				c.edit(x, r)
			}
		})}
		steps = append(steps, one)
		for range c.count - 1 {
			one.name += ", again"
			steps = append(steps, one)
		}
	}
	return append(steps, logHolds("t", len(cases)))
}

// cutRecords takes n bytes away at the end, with a length that fits.
func cutRecords(n int) func([]byte) []byte {
	return func(raw []byte) []byte {
		raw = raw[:len(raw)-n]
		binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
		return raw
	}
}

// records replaces the bytes of the case's partition.
func records(f func(raw []byte) []byte) func(*actor, *kmsg.ProduceRequest) {
	return func(_ *actor, r *kmsg.ProduceRequest) {
		p := &r.Topics[0].Partitions[0]
		p.Records = f(p.Records)
	}
}

var produceScripts = []script{
	{name: "produce", key: kmsg.Produce, from: 3, steps: produceCases(nil, []produceCase{
		// behaviour 43
		{name: "one record", b: batch{records: some(1)}},
		{name: "three records", b: batch{records: some(3)}},
		{name: "acks 1", acks: 1, b: batch{records: some(1)}},
		{name: "two batches after each other", b: batch{records: some(2)}, count: 2},
		{name: "headers and null key", b: batch{records: []record{{nullKey: true, value: "v", headers: []kmsg.Header{{Key: "h", Value: []byte("x")}, {Key: "n"}}}}}},
		// behaviour 45
		{name: "acks 2", acks: 2, b: batch{records: some(1)}},
		{name: "acks -2", acks: -2, b: batch{records: some(1)}},
		// behaviours 44 and 48
		{name: "unknown partition", b: batch{records: some(1)}, edit: func(_ *actor, r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Partition = 9999 }},
		{name: "negative partition", b: batch{records: some(1)}, edit: func(_ *actor, r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Partition = -1 }},
		{name: "unknown topic", b: batch{records: some(1)}, edit: func(x *actor, r *kmsg.ProduceRequest) {
			r.Topics[0].Topic, r.Topics[0].TopicID = x.name("nope"), x.topicID("nope")
		}},
		{name: "zero topic id or empty name", b: batch{records: some(1)}, edit: func(_ *actor, r *kmsg.ProduceRequest) {
			r.Topics[0].Topic, r.Topics[0].TopicID = "", [16]byte{}
		}},
		// behaviour 50
		{name: "empty records", edit: records(func([]byte) []byte { return []byte{} })},
		// behaviour 51
		{name: "wrong CRC", b: batch{records: some(1), spoil: func(raw []byte) []byte { raw[17] ^= 1; return raw }}},
		{name: "a flipped bit in a value", b: batch{records: some(1), spoil: func(raw []byte) []byte { raw[len(raw)-2] ^= 1; return raw }}},
		// behaviour 52
		{name: "magic 3", b: batch{records: some(1), magic: 3}},
		// behaviour 53
		{name: "message set of magic 0", edit: records(func([]byte) []byte { return messageSet(0, "k", "v") })},
		{name: "message set of magic 1", edit: records(func([]byte) []byte { return messageSet(1, "k", "v") })},
		// behaviour 54
		{name: "two batches in one partition", edit: records(func([]byte) []byte {
			return append(batch{records: some(1)}.bytes(), batch{records: some(1)}.bytes()...)
		})},
		// behaviour 55
		{name: "batch cut by 3 bytes", b: batch{records: some(1), spoil: func(raw []byte) []byte { return raw[:len(raw)-3] }}},
		{name: "5 bytes of rubbish after the batch", b: batch{records: some(1), spoil: func(raw []byte) []byte { return append(raw, "xxxxx"...) }}},
		{name: "20 bytes of rubbish after the batch", b: batch{records: some(1), spoil: func(raw []byte) []byte { return append(raw, strings.Repeat("x", 20)...) }}},
		{name: "batch of 3 bytes", edit: records(func([]byte) []byte { return []byte("abc") })},
		// behaviour 56
		{name: "last offset delta 9 with 3 records", b: batch{records: some(3), lastDelta: val[int32](9)}},
		{name: "count 2 with 3 records", b: batch{records: some(3), count: val[int32](2)}},
		{name: "count 5 with 3 records", b: batch{records: some(3), count: val[int32](5)}},
		{name: "count 2 and delta 1 with 3 records", b: batch{records: some(3), count: val[int32](2), lastDelta: val[int32](1)}},
		{name: "count 5 and delta 4 with 3 records", b: batch{records: some(3), count: val[int32](5), lastDelta: val[int32](4)}},
		{name: "count -1", b: batch{records: some(1), count: val[int32](-1)}},
		{name: "0 records", b: batch{}},
		// behaviour 57
		{name: "record offset deltas 0,5,2", b: batch{records: some(3), deltas: []int32{0, 5, 2}}},
		{name: "record offset deltas 0,0", b: batch{records: some(2), deltas: []int32{0, 0}}},
		// behaviour 58
		{name: "base offset 500", b: batch{records: some(1), base: 500}},
		{name: "base offset -5", b: batch{records: some(1), base: -5}},
		// behaviour 59
		{name: "timestamp -1", b: batch{records: []record{{key: "k", at: -1}}}},
		// behaviours 60 and 61
		{name: "timestamp in two hours", b: batch{records: []record{{key: "k", at: base + 5*3600*1000 + 1800*1000}}}},
		// behaviour 62
		{name: "log append time bit", b: batch{records: some(1), attributes: 8}},
		// behaviour 63
		{name: "control bit", b: batch{records: some(1), attributes: 32}},
		// behaviour 64
		{name: "transactional bit without ids", b: batch{records: some(1), attributes: 16}},
		// behaviour 65
		{name: "compression code 5", b: batch{records: some(1), attributes: 5}},
		{name: "gzip bit over plain bytes", b: batch{records: some(1), attributes: 1}},
		{name: "zstd bit over plain bytes", b: batch{records: some(1), attributes: 4}},
		// behaviour 66
		{name: "transactional id and a plain batch", b: batch{records: some(1)}, edit: func(x *actor, r *kmsg.ProduceRequest) { r.TransactionID = x.ptr("txn") }},
		// behaviour 67
		{name: "record of 1.1 MB", b: batch{records: []record{{key: "k", value: strings.Repeat("x", 1100000)}}}},
		// behaviour 71
		{name: "same partition twice in one request", edit: func(x *actor, r *kmsg.ProduceRequest) {
			r.Topics[0].Partitions[0].Records = batch{records: some(1)}.bytes()
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
		}},
		// behaviour 72
		{name: "no topics", edit: func(_ *actor, r *kmsg.ProduceRequest) { r.Topics = nil }},
		{name: "a topic without partitions", edit: func(_ *actor, r *kmsg.ProduceRequest) { r.Topics[0].Partitions = nil }},
		// behaviour 49
		{name: "the offsets topic", b: batch{records: some(1)}, edit: func(x *actor, r *kmsg.ProduceRequest) { r.Topics[0].Topic = "__consumer_offsets" }},
		{name: "gzip", b: batch{records: some(3), codec: kgo.GzipCompression}},
		{name: "snappy", b: batch{records: some(3), codec: kgo.SnappyCompression}},
		{name: "lz4", b: batch{records: some(3), codec: kgo.Lz4Compression}},
		{name: "zstd", b: batch{records: some(3), codec: kgo.ZstdCompression}},
		{name: "gzip, count 2 with 3 records", b: batch{records: some(3), codec: kgo.GzipCompression, count: val[int32](2), lastDelta: val[int32](1)}},
		{name: "gzip, count 5 with 3 records", b: batch{records: some(3), codec: kgo.GzipCompression, count: val[int32](5), lastDelta: val[int32](4)}},
		{name: "gzip, offset deltas 0,5,2", b: batch{records: some(3), codec: kgo.GzipCompression, deltas: []int32{0, 5, 2}}},
		{name: "gzip cut inside", b: batch{records: some(3), codec: kgo.GzipCompression, spoil: cutRecords(8), recrc: true}},
		{name: "lz4 cut inside", b: batch{records: some(3), codec: kgo.Lz4Compression, spoil: cutRecords(8), recrc: true}},
		{name: "one good and one bad partition", edit: func(x *actor, r *kmsg.ProduceRequest) {
			r.Topics[0].Partitions[0].Records = batch{records: some(1)}.bytes()
			addBatch(x, r, "t", 5000, batch{records: some(1)}.bytes())
		}},
	})},
	{name: "produce null records", key: kmsg.Produce, from: 3, steps: join(
		topics(spec{"t", 1, nil}),
		[]step{
			// behaviour 50: Kafka stays silent, and does not close.
			{name: "null records", silent: true, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
				r.Acks, r.TimeoutMillis = -1, 1000
				addBatch(x, r, "t", 0, nil)
			})},
		},
	)},
	{name: "produce without answer", key: kmsg.Produce, from: 3, steps: join(
		topics(spec{"t", 1, nil}),
		[]step{
			// behaviour 46
			{name: "acks 0", silent: true, ask: produce(0, part{"t", 0, batch{records: some(2)}})},
			{name: "and the next request", ask: produce(1, part{"t", 0, batch{records: some(1)}})},
			// behaviour 47
			{name: "acks 0 to an unknown partition", silent: true, ask: produce(0, part{"t", 7, batch{records: some(1)}})},
			logHolds("t", 1),
		},
	)},
	{name: "produce small maximum", key: kmsg.Produce, from: 3, steps: produceCases(map[string]string{"max.message.bytes": "200"}, []produceCase{
		// behaviour 68: 70 bytes are not the value
		{name: "batch of 200 bytes", b: batch{records: []record{{key: "k", value: strings.Repeat("x", 200-61-9)}}}},
		{name: "batch of 201 bytes", b: batch{records: []record{{key: "k", value: strings.Repeat("x", 201-61-9)}}}},
		{name: "batch of 202 bytes", b: batch{records: []record{{key: "k", value: strings.Repeat("x", 202-61-9)}}}},
		{name: "a good batch after a refused one", b: batch{records: some(1)}},
	})},
	{name: "produce log append time", key: kmsg.Produce, from: 3, steps: produceCases(map[string]string{"message.timestamp.type": "LogAppendTime"}, []produceCase{
		// behaviour 69
		{name: "three records", b: batch{records: some(3)}},
		{name: "timestamp in two hours", b: batch{records: []record{{key: "k", at: base + 5*3600*1000 + 1800*1000}}}},
	})},
	{name: "produce old timestamps refused", key: kmsg.Produce, from: 3, steps: produceCases(map[string]string{"message.timestamp.before.max.ms": "3600000"}, []produceCase{
		// behaviour 61
		{name: "three hours old", b: batch{records: some(2)}},
		{name: "two of three too old", b: batch{records: []record{{key: "a", at: time.Now().UnixMilli()}, {key: "b"}, {key: "c"}}}},
	})},
	{name: "produce compacted", key: kmsg.Produce, from: 3, steps: produceCases(map[string]string{"cleanup.policy": "compact"}, []produceCase{
		// behaviour 70
		{name: "null key", b: batch{records: []record{{nullKey: true, value: "v"}}}},
		{name: "a key, then null", b: batch{records: []record{{key: "k"}, {nullKey: true, value: "v"}}}},
		{name: "four null keys", b: batch{records: []record{{nullKey: true}, {nullKey: true}, {nullKey: true}, {nullKey: true}}}},
		{name: "with key", b: batch{records: some(1)}},
		{name: "empty key", b: batch{records: []record{{key: "", value: "v"}}}},
	})},
	{name: "produce recompressed", key: kmsg.Produce, from: 7, steps: produceCases(map[string]string{"compression.type": "gzip"}, []produceCase{
		{name: "plain batch", b: batch{records: some(3)}},
	})},
	{name: "produce more in sync than replicas", key: kmsg.Produce, from: 3, steps: produceCases(map[string]string{"min.insync.replicas": "2"}, []produceCase{
		// behaviour 74
		{name: "acks -1", b: batch{records: some(1)}},
	})},
	{name: "produce idempotent", key: kmsg.Produce, from: 3, steps: join(
		topics(spec{"t", 10, nil}),
		[]step{{name: "producer", hidden: true, ask: req(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 60000 })}},
		sequences(),
		[]step{logHolds("t", 10)},
	)},
}

// sequence sends n records as the script's producer.
func sequence(name string, p int32, epoch, seq int32, n int) step {
	return step{name: name, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
		r.Acks, r.TimeoutMillis = -1, 10000
		pid := answer[kmsg.InitProducerIDResponse](x, "producer").ProducerID
		addBatch(x, r, "t", p, batch{records: some(n), pid: &pid, epoch: epoch, seq: seq}.bytes())
	})}
}

func sequences() []step {
	return []step{
		sequence("first batch, sequence 0", 0, 0, 0, 2),
		sequence("sequence 2", 0, 0, 2, 1),
		sequence("sequence 3", 0, 0, 3, 1),
		sequence("sequence 4", 0, 0, 4, 1),
		sequence("sequence 5", 0, 0, 5, 1),
		// behaviour 80
		sequence("duplicate of the newest", 0, 0, 5, 1),
		sequence("duplicate of the fifth newest", 0, 0, 0, 2),
		// behaviour 81
		sequence("same first sequence, other count", 0, 0, 5, 2),
		sequence("a gap", 0, 0, 9, 1),
		sequence("sequence 6", 0, 0, 6, 1),
		sequence("older than the last five", 0, 0, 0, 2),
		// behaviour 82
		sequence("new partition, sequence 5", 1, 0, 5, 1),
		sequence("and the next", 1, 0, 6, 1),
		// behaviour 84
		sequence("epoch 1 from 0", 1, 1, 0, 1),
		sequence("epoch 3 from 4", 1, 3, 4, 1),
		sequence("epoch 3 from 0", 1, 3, 0, 1),
		// behaviour 85
		sequence("older epoch", 1, 0, 7, 1),
		// behaviour 86
		sequence("sequence -1 with an id", 2, 0, -1, 1),
		sequence("epoch -1 with an id", 3, -1, 0, 1),
		// behaviour 87
		sequence("last sequence", 4, 0, 2147483647, 1),
		sequence("wraps to 0", 4, 0, 0, 1),
		sequence("wraps inside a batch", 5, 0, 2147483646, 4),
		sequence("and goes on at 2", 5, 0, 2, 1),
		// behaviour 83
		{name: "a producer id never given out", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			r.Acks, r.TimeoutMillis = -1, 10000
			addBatch(x, r, "t", 6, batch{records: some(1), pid: val[int64](987654321), seq: 7}.bytes())
		})},
	}
}
