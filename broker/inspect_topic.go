package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/protocol/record"
	"minibroker/storage"
)

// This file owns how a program looks into topics, and puts records in, without
// a client.

// Header is a header of a [Record]. A nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record of a topic, as [Topic.Records] returns it and
// [Broker.Produce] takes it. All bytes are the caller's own.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time // to the millisecond; zero in Produce: now
	Key       []byte    // nil is Kafka's null
	Value     []byte    // nil is Kafka's null: a tombstone
	Headers   []Header

	// Who wrote it: -1 where the producer is not idempotent. Produce does not
	// look at these.
	ProducerID    int64
	ProducerEpoch int16
	Transactional bool
}

// Topic looks at one topic of a broker, by name; the topic need not exist yet.
type Topic struct {
	b    *Broker
	name string
}

// Topic returns a view of the topic called name. It is always of the present:
// the same value may be used again after the topic has changed.
func (b *Broker) Topic(name string) Topic { return Topic{b, name} }

// Topics returns the names of all topics in order, without internal ones such
// as __consumer_offsets.
func (b *Broker) Topics() []string {
	var names []string
	b.image.Load().topics.Scan(func(name string, t *topic) bool {
		if !t.internal {
			names = append(names, name)
		}
		return true
	})
	return names
}

// TopicSum is one topic in figures, as [Broker.EachTopic] tells it.
type TopicSum struct {
	Name            string
	Internal        bool // such as __consumer_offsets
	Partitions      int
	Replicas        int   // of the partition that has most
	Offline         int   // partitions without a leader
	UnderReplicated int   // partitions with a replica out of sync
	Records         int64 // offsets from the start to the high watermark
	Bytes           int64 // of record batches
	Written         int64 // offsets given out since the topic was created
}

// EachTopic calls f for all topics in order, internal ones included, until it
// returns false. All come from one moment, and nothing is kept.
func (b *Broker) EachTopic(f func(TopicSum) bool) {
	b.image.Load().topics.Scan(func(name string, t *topic) bool {
		sum := TopicSum{Name: name, Internal: t.internal, Partitions: len(t.partitions)}
		for _, p := range t.partitions {
			l, end := p.leadership.Load(), p.highWatermark.Load()
			sum.Replicas = max(sum.Replicas, len(l.replicas))
			if l.leader < 0 {
				sum.Offline++
			}
			if len(l.isr) < len(l.replicas) {
				sum.UnderReplicated++
			}
			sum.Records += end - p.log.StartOffset()
			sum.Bytes += p.log.Size()
			sum.Written += end
		}
		return f(sum)
	})
}

// Name is the topic's name.
func (t Topic) Name() string { return t.name }

// partitions is none where there is no such topic.
func (t Topic) partitions() []*partition {
	if found := t.b.image.Load().topic(t.name); found != nil {
		return found.partitions
	}
	return nil
}

// Exists says whether there is such a topic now.
func (t Topic) Exists() bool { return t.b.image.Load().topic(t.name) != nil }

// HighWatermarks returns, for each partition, the offset that the next record
// will get. It is empty where there is no such topic.
func (t Topic) HighWatermarks() []int64 {
	var offsets []int64
	for _, p := range t.partitions() {
		offsets = append(offsets, p.highWatermark.Load())
	}
	return offsets
}

// StartOffsets returns, for each partition, the offset of the first record that
// can be read. It is empty where there is no such topic.
func (t Topic) StartOffsets() []int64 {
	var offsets []int64
	for _, p := range t.partitions() {
		offsets = append(offsets, p.log.StartOffset())
	}
	return offsets
}

// Bytes returns the size of each partition's log, in bytes of record batches.
func (t Topic) Bytes() []int64 {
	parts := t.partitions()
	all := make([]int64, len(parts))
	for i, p := range parts {
		all[i] = p.log.Size()
	}
	return all
}

// Records returns all records of the topic, decoded: partition by partition, in
// order of their offsets. Control records, which end transactions, are left
// out; records of open and aborted transactions are not. It is empty where
// there is no such topic.
func (t Topic) Records() []Record {
	var all []Record
	for _, p := range t.partitions() {
		all = p.records(all)
	}
	return all
}

// Len is the number of records that Records returns.
func (t Topic) Len() (n int) {
	for _, p := range t.partitions() {
		start := p.log.StartOffset()
		for batch := range p.log.Batches(start, p.highWatermark.Load()) {
			switch {
			case batch.Attributes().Control():
			case batch.BaseOffset() >= start:
				n += int(batch.NumRecords())
			default: // records were deleted up to its middle
				for r, err := range batch.Records(nil) {
					if err == nil && r.Offset >= start {
						n++
					}
				}
			}
		}
	}
	return n
}

// Read returns up to most records of a partition from an offset on, as Records
// does, and the offset to go on from. It is empty where there is no such
// partition.
func (t Topic) Read(partition int32, from int64, most int) (records []Record, next int64) {
	return t.read(partition, from, most, false)
}

// ReadCommitted is Read as CommittedRecords does.
func (t Topic) ReadCommitted(partition int32, from int64, most int) (records []Record, next int64) {
	return t.read(partition, from, most, true)
}

func (t Topic) read(partition int32, from int64, most int, committed bool) (records []Record, next int64) {
	all := t.partitions()
	if partition < 0 || int(partition) >= len(all) {
		return nil, from
	}
	p := all[partition]
	from = max(from, p.log.StartOffset())
	end := p.highWatermark.Load()
	var aborted []storage.AbortedTxn
	if committed {
		aborted, end = p.txns.allAborted(), p.lastStableOffset(end)
	}
	for next = from; next < end && len(records) < most; {
		before := next
		for batch := range p.log.Batches(next, end) {
			if !isAborted(aborted, batch) {
				records = p.decode(records, batch, next, most)
			}
			next = batch.LastOffset() + 1
			if len(records) >= most {
				break
			}
		}
		if next == before {
			break // a gap up to the end
		}
	}
	if len(records) == most && most > 0 {
		next = records[most-1].Offset + 1
	}
	return records, max(from, min(next, end))
}

// OffsetAt is the offset of a partition's first record that is at least as new
// as at, or the high watermark if there is none; -1 if there is no such
// partition.
func (t Topic) OffsetAt(partition int32, at time.Time) int64 {
	all := t.partitions()
	if partition < 0 || int(partition) >= len(all) {
		return -1
	}
	if offset, _, _, ok := all[partition].log.OffsetForTimestamp(at.UnixMilli()); ok {
		return offset
	}
	return all[partition].highWatermark.Load()
}

// records appends p's records to all.
func (p *partition) records(all []Record) []Record {
	start := p.log.StartOffset()
	for batch := range p.log.Batches(start, p.highWatermark.Load()) {
		all = p.decode(all, batch, start, math.MaxInt)
	}
	return all
}

// decode appends a batch's records from an offset on to all, until it has most.
func (p *partition) decode(all []Record, batch record.Batch, from int64, most int) []Record {
	if batch.Attributes().Control() {
		return all
	}
	var buf record.Buffer
	buf.Max = math.MaxInt32
	for r, err := range batch.Records(&buf) {
		if err != nil || len(all) == most {
			break // the log has no batch that it did not check
		}
		if r.Offset < from {
			continue
		}
		mine := Record{
			Topic: p.topicName, Partition: p.index, Offset: r.Offset, Timestamp: time.UnixMilli(r.Timestamp),
			Key: slices.Clone(r.Key), Value: slices.Clone(r.Value),
			ProducerID: batch.ProducerID(), ProducerEpoch: batch.ProducerEpoch(), Transactional: batch.Attributes().Transactional(),
		}
		for _, h := range r.Headers {
			mine.Headers = append(mine.Headers, Header{h.Key, slices.Clone(h.Value)})
		}
		all = append(all, mine)
	}
	return all
}

// WaitForRecords waits until the topic has at least n records. The error, when
// ctx ends first, says how many there are.
func (t Topic) WaitForRecords(ctx context.Context, n int) error {
	err := t.b.WaitFor(ctx, fmt.Sprintf("%d records in topic %q", n, t.name), func() bool { return t.Len() >= n })
	if err != nil {
		return fmt.Errorf("%w (it has %d)", err, t.Len())
	}
	return nil
}

// Produce puts records into a topic without a client, in the order given, and
// makes the topic with the broker's defaults if there is none. Of each record,
// Partition, Timestamp, Key, Value and Headers count. It fails where a producer
// would: for an unknown partition, a bad topic name, or a record that the
// topic's configs refuse. Nothing is stored for the partitions that come after
// the failing one, in order of their first record.
func (b *Broker) Produce(topicName string, records ...Record) error {
	_, err := b.Append(topicName, records...)
	return err
}

// Append is Produce, and returns the offset of each record in the order given;
// -1 for what was not stored.
func (b *Broker) Append(topicName string, records ...Record) (offsets []int64, err error) {
	offsets = make([]int64, len(records))
	for i := range offsets {
		offsets[i] = -1
	}
	t := b.image.Load().topic(topicName)
	if t == nil {
		var refused *apiError
		if t, refused = b.createTopic(newTopic{name: topicName, partitions: -1, replicas: -1}); refused != nil {
			if t = b.image.Load().topic(topicName); t == nil {
				return offsets, fmt.Errorf("produce to topic %q: %w", topicName, refused)
			}
		}
	}
	now := b.nowMs()
	var order []int32
	batches := make(map[int32]*record.Builder)
	for _, r := range records {
		if t.partition(r.Partition) == nil {
			return offsets, fmt.Errorf("produce to topic %q: there is no partition %d, it has %d", topicName, r.Partition, len(t.partitions))
		}
		builder := batches[r.Partition]
		if builder == nil {
			builder = record.NewBuilder(record.None, 0)
			batches[r.Partition] = builder
			order = append(order, r.Partition)
		}
		raw := record.Record{Offset: int64(builder.Count()), Timestamp: now, Key: r.Key, Value: r.Value}
		if !r.Timestamp.IsZero() {
			raw.Timestamp = r.Timestamp.UnixMilli()
		}
		for _, h := range r.Headers {
			raw.Headers = append(raw.Headers, record.Header{Key: h.Key, Value: h.Value})
		}
		builder.Add(raw)
	}
	for _, index := range order {
		var base int64
		raw, err := batches[index].Build(nil)
		if err == nil {
			base, err = b.produceBatch(t.partition(index), raw, now)
		}
		if err != nil {
			return offsets, fmt.Errorf("produce to partition %d of topic %q: %w", index, topicName, err)
		}
		for i := range records {
			if records[i].Partition == index {
				offsets[i] = base
				base++
			}
		}
	}
	return offsets, nil
}

// produceBatch appends one batch under the topic's limits.
func (b *Broker) produceBatch(p *partition, raw record.Batch, now int64) (base int64, err error) {
	s := p.settings.Load()
	limits := s.limits
	limits.Partition, limits.Now = p.index, now
	batch, rejected := record.Validate(raw, &limits)
	if rejected != nil {
		return 0, &apiError{rejected.Code, rejected.Reason}
	}
	if len(batch) > s.log.SegmentBytes {
		return 0, kerr.RecordListTooLarge
	}
	a, failed := b.append(p, batch, now)
	if failed != nil {
		return 0, failed
	}
	return a.base, nil
}
