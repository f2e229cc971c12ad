package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// This file has what the tests of produce and fetch share.

// batchOption changes a batch that a test builds.
type batchOption func(*record.Builder)

func producedBy(id int64, epoch int16, seq int32) batchOption {
	return func(b *record.Builder) { b.ProducerID, b.ProducerEpoch, b.BaseSequence = id, epoch, seq }
}

func compressedBy(c record.Codec) batchOption { return func(b *record.Builder) { b.Codec = c } }

// batchOf builds a batch of records with these values, keys "k0", "k1", ... and
// the timestamps ts, ts+1, ...
func batchOf(t testing.TB, ts int64, values []string, opts ...batchOption) []byte {
	t.Helper()
	b := record.NewBuilder(record.None, 0)
	for _, o := range opts {
		o(b)
	}
	for i, v := range values {
		b.Add(record.Record{Offset: int64(i), Timestamp: ts + int64(i), Key: []byte("k" + string(rune('0'+i%10))), Value: []byte(v)})
	}
	out, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// values reads the values of a fetch's records.
func values(t testing.TB, records []byte) (got []string) {
	t.Helper()
	for b := range record.Batches(records) {
		for r, err := range b.Records(nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(r.Value))
		}
	}
	return got
}

func topicIDOf(t testing.TB, b *Broker, name string) [16]byte {
	t.Helper()
	topic := b.image.Load().topic(name)
	if topic == nil {
		t.Fatalf("there is no topic %q", name)
	}
	return topic.id
}

// produceRequest names a topic by id from v13 on.
func produceRequest(t testing.TB, b *Broker, version int16, topic string, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, -1, 1000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	if version >= 13 {
		rt.TopicID = topicIDOf(t, b, topic)
	}
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, records
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// produce sends records to partition 0 of a topic, in the newest version, and
// returns the answer for it.
func (c *rawClient) produce(b *Broker, topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.ProduceResponse](c, produceRequest(c.t, b, 13, topic, 0, records))
	return resp.Topics[0].Partitions[0]
}

// mustProduce is produce that succeeds, and returns the base offset.
func (c *rawClient) mustProduce(b *Broker, topic string, records []byte) int64 {
	c.t.Helper()
	p := c.produce(b, topic, records)
	if p.ErrorCode != 0 {
		c.t.Fatalf("produce to %s failed with [%d]", topic, p.ErrorCode)
	}
	return p.BaseOffset
}

// fetchRequest fetches one partition from an offset on, without a session and
// without waiting.
func fetchRequest(t testing.TB, b *Broker, version int16, topic string, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = version
	req.ReplicaID = -1
	req.SessionEpoch = -1
	req.MinBytes, req.MaxBytes = 1, 50<<20
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = topic
	if version >= 13 {
		rt.TopicID = topicIDOf(t, b, topic)
	}
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, offset, 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// fetch fetches partition 0 of a topic in the newest version.
func (c *rawClient) fetch(b *Broker, topic string, offset int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.FetchResponse](c, fetchRequest(c.t, b, 18, topic, 0, offset))
	return resp.Topics[0].Partitions[0]
}

func wantValues(t testing.TB, records []byte, want ...string) {
	t.Helper()
	if got := values(t, records); !slices.Equal(got, want) {
		t.Fatalf("fetched %q, want %q", got, want)
	}
}

// onlyPartition is partition 0 of a topic, inside the broker.
func onlyPartition(t testing.TB, b *Broker, topic string) *partition {
	t.Helper()
	p := b.image.Load().topic(topic).partition(0)
	if p == nil {
		t.Fatalf("there is no topic %q", topic)
	}
	return p
}
