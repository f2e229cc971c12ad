package group

import (
	"encoding/binary"
	"hash/fnv"
)

// This file owns what is stored of share groups in __consumer_offsets
// (GroupCoordinatorRecordHelpers): kmsg has none of it.

// The types of keys (CoordinatorRecordType of the group coordinator).
const (
	shareMemberRecord       = 10
	shareGroupRecord        = 11
	shareTargetRecord       = 12 // the epoch of the target assignment
	shareTargetMemberRecord = 13
	shareAssignedRecord     = 14
	sharePartitionsRecord   = 15 // which partitions have a state
)

// recordKey is a record's key: its type and, as Kafka's old encoding has them,
// strings.
func recordKey(kind uint16, parts ...string) []byte {
	k := binary.BigEndian.AppendUint16(nil, kind)
	for _, p := range parts {
		k = binary.BigEndian.AppendUint16(k, uint16(len(p)))
		k = append(k, p...)
	}
	return k
}

// recordValue builds a record's value in version 0, with the compact encoding.
type recordValue []byte

func newRecordValue() recordValue { return recordValue{0, 0} }

func (v *recordValue) number(n int) { *v = binary.AppendUvarint(*v, uint64(n)+1) }

func (v *recordValue) text(s string) {
	v.number(len(s))
	*v = append(*v, s...)
}

func (v *recordValue) nullableText(s *string) {
	if s == nil {
		*v = append(*v, 0)
		return
	}
	v.text(*s)
}

func (v *recordValue) int32(n int32) { *v = binary.BigEndian.AppendUint32(*v, uint32(n)) }
func (v *recordValue) int64(n int64) { *v = binary.BigEndian.AppendUint64(*v, uint64(n)) }
func (v *recordValue) noTags()       { *v = append(*v, 0) }

func (v *recordValue) ints(ns []int32) {
	v.number(len(ns))
	for _, n := range ns {
		v.int32(n)
	}
}

func (v *recordValue) partitions(ps partitions) {
	v.number(len(ps))
	for i := range ps {
		*v = append(*v, ps[i].topic[:]...)
		v.ints(ps[i].partitions)
		v.noTags()
	}
}

func (g *Share) storeValue(key []byte, v recordValue) { g.store(Record{Key: key, Value: v}) }

func (g *Share) storeMember(m *sharer) {
	v := newRecordValue()
	v.nullableText(m.rack)
	v.text(m.client.ID)
	v.text(m.client.Host)
	v.number(len(m.names))
	for _, n := range m.names {
		v.text(n)
	}
	v.noTags()
	g.storeValue(recordKey(shareMemberRecord, g.id, m.id), v)
}

func (g *Share) storeEpoch() {
	v := newRecordValue()
	v.int32(g.epoch)
	v.int64(g.topicsHash())
	v.noTags()
	g.storeValue(recordKey(shareGroupRecord, g.id), v)
}

// topicsHash tells one set of topics from another; 0: there are none.
func (g *Share) topicsHash() int64 {
	if len(g.topics) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, t := range g.topics {
		_, _ = h.Write(t.ID[:]) // never fails
		_, _ = h.Write(binary.BigEndian.AppendUint32([]byte(t.Name), uint32(t.Partitions)))
	}
	return int64(h.Sum64())
}

func (g *Share) storeTarget(m *sharer) {
	v := newRecordValue()
	v.partitions(m.target)
	v.noTags()
	g.storeValue(recordKey(shareTargetMemberRecord, g.id, m.id), v)
}

func (g *Share) storeTargetEpoch() {
	v := newRecordValue()
	v.int32(g.assignmentEpoch)
	v = append(v, 1, 0, 8) // a tag: when
	v.int64(g.assignedAt.UnixMilli())
	g.storeValue(recordKey(shareTargetRecord, g.id), v)
}

func (g *Share) storeAssigned(m *sharer) {
	v := newRecordValue()
	v.int32(m.epoch)
	v.int32(m.previous)
	v = append(v, 0) // MemberState.STABLE
	v.partitions(m.assigned)
	v.noTags()
	g.storeValue(recordKey(shareAssignedRecord, g.id, m.id), v)
}

func (g *Share) storeMemberGone(id string) {
	g.store(Record{Key: recordKey(shareAssignedRecord, g.id, id)})
	g.store(Record{Key: recordKey(shareTargetMemberRecord, g.id, id)})
	g.store(Record{Key: recordKey(shareMemberRecord, g.id, id)})
}

// storeBegun stores which partitions have a state. None is ever on its way to
// have one, or to lose it: that happens at once.
func (g *Share) storeBegun() {
	v := newRecordValue()
	v.number(0) // initializing
	v.number(len(g.begun))
	for _, t := range g.begun {
		v = append(v, t.id[:]...)
		v.text(t.name)
		v.ints(t.partitions)
		v.noTags()
	}
	v.number(0) // deleting
	v.noTags()
	g.storeValue(recordKey(sharePartitionsRecord, g.id), v)
}

// storeGone stores that the group, which has no members, does not exist any
// more.
func (g *Share) storeGone() {
	g.store(Record{Key: recordKey(shareTargetRecord, g.id)})
	g.store(Record{Key: recordKey(sharePartitionsRecord, g.id)})
	g.store(Record{Key: recordKey(shareGroupRecord, g.id)})
}
