package group

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// This file owns sets of partitions, by topic id.

// topicPartitions is partitions of one topic, in order.
type topicPartitions struct {
	topic      [16]byte
	partitions []int32
}

// partitions is a set of partitions: topics in the order of their ids, none of
// them without partitions. It is never changed in place, so members and
// answers may share it.
type partitions []topicPartitions

func (ps partitions) of(topic [16]byte) []int32 {
	i, found := slices.BinarySearchFunc(ps, topic, func(a topicPartitions, id [16]byte) int { return bytes.Compare(a.topic[:], id[:]) })
	if !found {
		return nil
	}
	return ps[i].partitions
}

func (ps partitions) has(topic [16]byte, partition int32) bool {
	_, found := slices.BinarySearch(ps.of(topic), partition)
	return found
}

// ByTopic is for observers; see Assignment.
func (ps partitions) ByTopic(topics Lookup) map[string][]int32 {
	named := make(map[string][]int32, len(ps))
	for i := range ps {
		name := topicName(topics, ps[i].topic)
		named[name] = slices.Clone(ps[i].partitions)
	}
	return named
}

// topicName is a topic's name, or its id as Kafka writes it.
func topicName(topics Lookup, id [16]byte) string {
	if t := topics("", id); t.Err == 0 {
		return t.Name
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func (ps partitions) equal(other partitions) bool {
	return slices.EqualFunc(ps, other, func(a, b topicPartitions) bool {
		return a.topic == b.topic && slices.Equal(a.partitions, b.partitions)
	})
}

// each calls f with every partition.
func (ps partitions) each(f func(topic [16]byte, partition int32)) {
	for i := range ps {
		for _, p := range ps[i].partitions {
			f(ps[i].topic, p)
		}
	}
}

// split divides the set in those partitions for which keep is true and the
// others. A side that gets all is ps itself.
func (ps partitions) split(keep func(topic [16]byte, partition int32) bool) (kept, others partitions) {
	var k, o setBuilder
	ps.each(func(topic [16]byte, partition int32) {
		if keep(topic, partition) {
			k.add(topic, partition)
		} else {
			o.add(topic, partition)
		}
	})
	switch {
	case len(o.set) == 0:
		return ps, nil
	case len(k.set) == 0:
		return nil, ps
	}
	return k.set, o.set
}

// plus is the union of two sets.
func (ps partitions) plus(other partitions) partitions {
	switch {
	case len(other) == 0:
		return ps
	case len(ps) == 0:
		return other
	}
	var b setBuilder
	ps.each(b.add)
	other.each(b.add)
	return b.done()
}

// setBuilder makes a set from partitions in any order.
type setBuilder struct{ set partitions }

func (b *setBuilder) add(topic [16]byte, partition int32) {
	// Mostly, partitions of one topic come together.
	for i := len(b.set) - 1; i >= 0; i-- {
		if b.set[i].topic == topic {
			b.set[i].partitions = append(b.set[i].partitions, partition)
			return
		}
	}
	b.set = append(b.set, topicPartitions{topic, []int32{partition}})
}

func (b *setBuilder) done() partitions {
	slices.SortFunc(b.set, func(a, c topicPartitions) int { return bytes.Compare(a.topic[:], c.topic[:]) })
	for i := range b.set {
		slices.Sort(b.set[i].partitions)
		b.set[i].partitions = slices.Compact(b.set[i].partitions)
	}
	return b.set
}
