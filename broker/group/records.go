package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what is stored of groups in __consumer_offsets, in the form
// that Kafka's own tools read (GroupCoordinatorRecordHelpers).

// Record is a record to store. Both slices are the caller's to keep.
type Record struct {
	Key   []byte
	Value []byte // nil: a tombstone
}

// The versions of keys and values that Apache Kafka 4.3 writes.
const (
	offsetKeyVersion   = 1
	offsetValueVersion = 4
	// A commit that says when it expires (OffsetCommit v2-v4) needs the field
	// that only this version has.
	expiringOffsetValueVersion = 1
	groupKeyVersion            = 2
	groupValueVersion          = 3
)

// OffsetRecord is what is stored for a committed offset. Of topic, its name and
// id count.
func OffsetRecord(group string, topic *Topic, partition int32, c *Committed) Record {
	const numbers = 2 + 2 + 2 + 4 + 64
	_, r := appendOffsetRecord(make([]byte, 0, numbers+len(group)+len(topic.Name)+len(c.Metadata)), group, topic, partition, c)
	return r
}

// appendOffsetRecord makes an OffsetRecord behind what is in buf.
func appendOffsetRecord(buf []byte, group string, topic *Topic, partition int32, c *Committed) ([]byte, Record) {
	value := kmsg.OffsetCommitValue{
		Version: offsetValueVersion,
		Offset:  c.Offset, LeaderEpoch: c.LeaderEpoch, Metadata: c.Metadata,
		CommitTimestamp: c.CommitMillis, ExpireTimestamp: c.ExpireMillis, TopicID: topic.ID,
	}
	if c.ExpireMillis >= 0 {
		value.Version = expiringOffsetValueVersion
	}
	start := len(buf)
	buf = appendOffsetKey(buf, group, topic.Name, partition)
	n := len(buf)
	buf = value.AppendTo(buf)
	return buf, Record{Key: buf[start:n:n], Value: buf[n:len(buf):len(buf)]}
}

// OffsetTombstone says that nothing is committed for a partition any more.
func OffsetTombstone(group, topic string, partition int32) Record {
	return Record{Key: appendOffsetKey(make([]byte, 0, 2+2+len(group)+2+len(topic)+4), group, topic, partition)}
}

func appendOffsetKey(buf []byte, group, topic string, partition int32) []byte {
	key := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: topic, Partition: partition}
	return key.AppendTo(buf)
}

// groupKey is the key of a classic group's record.
func groupKey(group string, room int) []byte {
	key := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return key.AppendTo(make([]byte, 0, 2+2+len(group)+room))
}

// store puts a record among the effects of the call in work.
func (g *base) store(r Record) { g.out.Records = append(g.out.Records, r) }

// storeNew stores a group that nobody has joined yet.
func (g *Classic) storeNew() {
	g.storeValue(&kmsg.GroupMetadataValue{Version: groupValueVersion, CurrentStateTimestamp: g.stateSince.UnixMilli()}, 0)
}

// storeGeneration stores the group's current generation with its members and
// what is assigned to them.
func (g *Classic) storeGeneration() {
	value := kmsg.GroupMetadataValue{
		Version:               groupValueVersion,
		ProtocolType:          g.protocolType,
		Generation:            g.generation,
		CurrentStateTimestamp: g.stateSince.UnixMilli(),
		Members:               make([]kmsg.GroupMetadataValueMember, len(g.order)),
	}
	if g.leader != nil {
		value.Protocol, value.Leader = &g.protocol, &g.leader.id
	}
	size := 0
	for i, m := range g.order {
		value.Members[i] = kmsg.GroupMetadataValueMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host,
			RebalanceTimeoutMillis: int32(m.rebalanceTimeout.Milliseconds()),
			SessionTimeoutMillis:   int32(m.sessionTimeout.Milliseconds()),
			Subscription:           m.metadata(g.protocol), Assignment: m.assignment,
		}
		o := &value.Members[i]
		size += 64 + len(m.id) + len(m.client.ID) + len(m.client.Host) + len(o.Subscription) + len(o.Assignment)
		if m.instance != nil {
			size += len(*m.instance)
		}
	}
	g.storeValue(&value, size)
}

func (g *Classic) storeValue(v *kmsg.GroupMetadataValue, members int) {
	key := groupKey(g.id, 128+members)
	buf := v.AppendTo(key)
	g.store(Record{Key: buf[:len(key):len(key)], Value: buf[len(key):]})
}

// storeNoOffsets stores that all offsets of a topic are gone.
func (g *base) storeNoOffsets(topic string) {
	for _, p := range g.offsets.Partitions(topic) {
		g.store(OffsetTombstone(g.id, topic, p.Partition))
	}
}

// storeGone stores that the group does not exist any more, with its offsets.
func (g *Classic) storeGone() {
	g.storeOffsetsGone()
	g.store(Record{Key: groupKey(g.id, 0)})
}

// storeOffsetsGone stores that all offsets are gone.
func (g *base) storeOffsetsGone() {
	for _, topic := range g.offsets.Topics() {
		g.storeNoOffsets(topic)
	}
}
