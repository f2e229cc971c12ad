package group

import (
	"math"
	"slices"
	"strings"
)

// This file owns the committed offsets of one group, of whatever kind.

// Committed is one committed offset (Kafka's OffsetAndMetadata). Times are
// milliseconds since 1970, as in the records that store them.
type Committed struct {
	Offset       int64 // any number is taken, as Apache Kafka does
	LeaderEpoch  int32 // of the last consumed record; -1: unknown
	Metadata     string
	CommitMillis int64
	ExpireMillis int64 // when OffsetCommit v2-v4 wants it gone; -1: by the broker's retention
}

// PartitionOffset is a partition and what is committed for it.
type PartitionOffset struct {
	Partition int32
	Committed
}

// Offsets holds the committed offsets of one group of any kind. The zero
// value is empty and ready.
type Offsets struct {
	// Sorted by name, and by partition: few bytes for a group of one, and in
	// order for whoever lists them.
	topics  []topicOffsets
	pending pendingOffsets
}

// topicOffsets is what is committed for a topic: for one partition at least.
type topicOffsets struct {
	name       string
	partitions []PartitionOffset
}

// topic finds a topic, or where it belongs.
func (o *Offsets) topic(name string) (at int, found bool) {
	return slices.BinarySearchFunc(o.topics, name, func(t topicOffsets, want string) int { return strings.Compare(t.name, want) })
}

// Commit stores c, over what was there and over what is pending.
func (o *Offsets) Commit(topic string, partition int32, c Committed) {
	o.outdate(topicPartition{topic, partition}, math.MaxUint64)
	o.put(topic, partition, c)
}

func (o *Offsets) put(topic string, partition int32, c Committed) {
	at, known := o.topic(topic)
	if !known {
		o.topics = slices.Insert(o.topics, at, topicOffsets{name: topic})
	}
	ps := o.topics[at].partitions
	i, found := find(ps, partition)
	if found {
		ps[i].Committed = c
		return
	}
	o.topics[at].partitions = slices.Insert(ps, i, PartitionOffset{partition, c})
}

// Get returns what is committed for a partition.
func (o *Offsets) Get(topic string, partition int32) (Committed, bool) {
	ps := o.Partitions(topic)
	if i, found := find(ps, partition); found {
		return ps[i].Committed, true
	}
	return Committed{}, false
}

// Delete forgets a partition's offset and tells whether there was one.
func (o *Offsets) Delete(topic string, partition int32) bool {
	o.forgetPending(func(at topicPartition) bool { return at == topicPartition{topic, partition} })
	at, known := o.topic(topic)
	if !known {
		return false
	}
	ps := o.topics[at].partitions
	i, found := find(ps, partition)
	if !found {
		return false
	}
	if len(ps) == 1 {
		o.topics = slices.Delete(o.topics, at, at+1)
	} else {
		o.topics[at].partitions = slices.Delete(ps, i, i+1)
	}
	return true
}

// DeleteTopic forgets all offsets of a topic and tells whether there were
// any.
func (o *Offsets) DeleteTopic(topic string) bool {
	o.forgetPending(func(at topicPartition) bool { return at.topic == topic })
	at, found := o.topic(topic)
	if found {
		o.topics = slices.Delete(o.topics, at, at+1)
	}
	return found
}

// Clear forgets everything.
func (o *Offsets) Clear() { o.topics, o.pending = nil, pendingOffsets{} }

// None tells whether nothing is committed or pending.
func (o *Offsets) None() bool { return len(o.topics) == 0 && len(o.pending.byProducer) == 0 }

// Topics returns the names of the topics with committed offsets, in order.
func (o *Offsets) Topics() []string {
	names := make([]string, len(o.topics))
	for i := range o.topics {
		names[i] = o.topics[i].name
	}
	return names
}

// Partitions returns the committed offsets of a topic, in order of their
// partitions. The slice is the group's own: to be read, until the next call.
func (o *Offsets) Partitions(topic string) []PartitionOffset {
	if at, found := o.topic(topic); found {
		return o.topics[at].partitions
	}
	return nil
}

// Expire forgets the offsets that nobody wants any more at the moment now, and
// that no open transaction may yet change.
// Retention counts from since or, where since is negative, from each commit.
// Topics that keep holds back stay; gone is told of the others. It returns the earliest moment at which
// one of the others will expire, or math.MaxInt64. All are in milliseconds.
func (o *Offsets) Expire(now, retention, since int64, keep func(topic string) bool, gone func(topic string, partition int32)) (next int64) {
	next = math.MaxInt64
	for i := range o.topics {
		topic := o.topics[i].name
		if keep(topic) {
			continue
		}
		o.topics[i].partitions = slices.DeleteFunc(o.topics[i].partitions, func(p PartitionOffset) bool {
			at := p.ExpireMillis
			if at < 0 {
				at = p.CommitMillis
				if since >= 0 {
					at = since
				}
				at = saturatingAdd(at, retention)
			}
			if at <= now && !o.Unstable(topic, p.Partition) {
				gone(topic, p.Partition)
				return true
			}
			next = min(next, max(at, now+1)) // an open transaction keeps it
			return false
		})
	}
	o.topics = slices.DeleteFunc(o.topics, func(t topicOffsets) bool { return len(t.partitions) == 0 })
	return next
}

func find(ps []PartitionOffset, partition int32) (int, bool) {
	return slices.BinarySearchFunc(ps, partition, func(p PartitionOffset, want int32) int {
		return int(p.Partition) - int(want)
	})
}

// saturatingAdd keeps a huge retention from wrapping into the past.
func saturatingAdd(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
