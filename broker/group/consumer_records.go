package group

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// This file owns what is stored of consumer groups and their members (KIP-848)
// in __consumer_offsets, in the form that Kafka's own tools read. The schemas are
// those of Kafka's group coordinator: a key is not flexible, a value is.

// What a record is about (CoordinatorRecordType); it is the version of the key.
const (
	aboutGroup int16 = 3 + iota
	aboutPartitions
	aboutMember
	aboutTarget
	aboutMembersTarget
	aboutCurrent
	aboutPattern int16 = 16
)

// modernKey is the key of a record about a group, or of a member or pattern
// of it. There is room for a value behind it.
func modernKey(about int16, group string, of *string, room int) []byte {
	size := 2 + 2 + len(group)
	if of != nil {
		size += 2 + len(*of)
	}
	key := kbin.AppendInt16(make([]byte, 0, size+room), about)
	key = kbin.AppendString(key, group)
	if of != nil {
		key = kbin.AppendString(key, *of)
	}
	return key
}

// storeModern stores a value of version 0.
func (g *Consumer) storeModern(about int16, of *string, room int, value func([]byte) []byte) {
	key := modernKey(about, g.id, of, room+2)
	buf := value(kbin.AppendInt16(key, 0))
	g.store(Record{Key: buf[:len(key):len(key)], Value: buf[len(key):]})
}

func (g *Consumer) storeNothing(about int16, of *string) {
	g.store(Record{Key: modernKey(about, g.id, of, 0)})
}

// storeEpoch stores the group's epoch, and a hash of the topics that it
// subscribes to: by it Kafka sees changes.
func (g *Consumer) storeEpoch(topics []Topic) {
	g.storeModern(aboutGroup, nil, 16, func(b []byte) []byte {
		b = kbin.AppendInt32(b, g.epoch)
		if len(topics) == 0 {
			return append(b, 0)
		}
		h := fnv.New64a()
		for i := range topics {
			t := &topics[i]
			h.Write(t.ID[:])
			var n [4]byte
			binary.BigEndian.PutUint32(n[:], uint32(t.Partitions))
			h.Write(n[:])
		}
		b = append(b, 1, 0, 8) // one tag: number 0, 8 bytes
		return kbin.AppendInt64(b, int64(h.Sum64()))
	})
}

// storeMember stores who a member is and what it subscribes to.
func (g *Consumer) storeMember(m *consumer) {
	g.storeModern(aboutMember, &m.id, 128, func(b []byte) []byte {
		b = kbin.AppendCompactNullableString(b, m.instance)
		b = kbin.AppendCompactNullableString(b, m.rack)
		b = kbin.AppendCompactString(b, m.client.ID)
		b = kbin.AppendCompactString(b, m.client.Host)
		b = kbin.AppendCompactArrayLen(b, len(m.names))
		for _, name := range m.names {
			b = kbin.AppendCompactString(b, name)
		}
		b = kbin.AppendCompactString(b, m.regex)
		b = kbin.AppendInt32(b, int32(m.rebalanceTimeout.Milliseconds()))
		var assignor *string
		if m.assignor != "" {
			assignor = &m.assignor
		}
		b = kbin.AppendCompactNullableString(b, assignor)
		b = append(b, 1, 0) // one tag, number 0: the classic member's part, or none
		if m.classic == nil {
			return append(b, 1, 0)
		}
		c := kbin.AppendInt32([]byte{1}, int32(m.classic.sessionTimeout.Milliseconds()))
		c = kbin.AppendCompactArrayLen(c, len(m.classic.protocols))
		for _, p := range m.classic.protocols {
			c = kbin.AppendCompactString(c, p.name)
			c = append(kbin.AppendCompactBytes(c, p.metadata), 0)
		}
		c = append(c, 0)
		return append(kbin.AppendUvarint(b, uint32(len(c))), c...)
	})
}

// storeAssigned stores that there are targets of the group's epoch.
func (g *Consumer) storeAssigned() {
	g.storeModern(aboutTarget, nil, 16, func(b []byte) []byte {
		b = kbin.AppendInt32(b, g.assignmentEpoch)
		if g.assignedAt.IsZero() {
			return append(b, 0)
		}
		b = append(b, 1, 0, 8) // one tag: number 0, 8 bytes
		return kbin.AppendInt64(b, g.assignedAt.UnixMilli())
	})
}

// storeTarget stores what a member is to have.
func (g *Consumer) storeTarget(m *consumer) {
	m.targeted = true
	g.storeModern(aboutMembersTarget, &m.id, 8+m.target.size(), func(b []byte) []byte {
		return append(m.target.append(b, nil), 0)
	})
}

// storeCurrent stores where a member is on its way to its target.
func (g *Consumer) storeCurrent(m *consumer) {
	since := func(topic [16]byte, partition int32) int32 { return g.ownerOf(topic, partition).since }
	g.storeModern(aboutCurrent, &m.id, 16+2*(m.assigned.size()+m.revoking.size()), func(b []byte) []byte {
		b = kbin.AppendInt32(b, m.epoch)
		b = kbin.AppendInt32(b, m.previous)
		b = kbin.AppendInt8(b, int8(m.phase))
		b = m.assigned.append(b, since)
		b = m.revoking.append(b, since)
		return append(b, 0)
	})
}

// storeMemberGone stores that a member is not in the group any more.
func (g *Consumer) storeMemberGone(m *consumer) {
	g.storeNothing(aboutCurrent, &m.id)
	g.storeNothing(aboutMembersTarget, &m.id)
	g.storeNothing(aboutMember, &m.id)
}

// storePattern stores the topics that a pattern finds.
func (g *Consumer) storePattern(pattern string, topics []string) {
	g.storeModern(aboutPattern, &pattern, 64, func(b []byte) []byte {
		b = kbin.AppendCompactArrayLen(b, len(topics))
		for _, name := range topics {
			b = kbin.AppendCompactString(b, name)
		}
		b = kbin.AppendInt64(b, int64(g.seen)) // the version of the cluster
		b = kbin.AppendInt64(b, g.now.UnixMilli())
		return append(b, 0)
	})
}

// storeGroupGone stores that there is no such group of consumers any more.
func (g *Consumer) storeGroupGone() {
	g.storeNothing(aboutTarget, nil)
	g.storeNothing(aboutPartitions, nil) // as Kafka does; only Kafka before 4.1 wrote any
	g.storeNothing(aboutGroup, nil)
}

// storeAllGone stores that neither the group nor its members are there any
// more: they go over to the classic protocol.
func (g *Consumer) storeAllGone() {
	for _, m := range g.order {
		g.storeNothing(aboutCurrent, &m.id)
	}
	for _, m := range g.order {
		g.storeNothing(aboutMembersTarget, &m.id)
	}
	g.storeNothing(aboutTarget, nil)
	for _, m := range g.order {
		g.storeNothing(aboutMember, &m.id)
	}
	g.storeNothing(aboutPartitions, nil)
	g.storeNothing(aboutGroup, nil)
}

// storeAll stores the group with its members, which were of the classic
// protocol until now.
func (g *Consumer) storeAll(topics Lookup) {
	for _, m := range g.order {
		g.storeMember(m)
		m.stored = true
	}
	g.storeEpoch(g.existing(topics))
	for _, m := range g.order {
		g.storeTarget(m)
	}
	g.storeAssigned()
	for _, m := range g.order {
		g.storeCurrent(m)
	}
}

// size is about how many bytes append takes.
func (ps partitions) size() int {
	n := 4
	for i := range ps {
		n += 16 + 4 + 4*len(ps[i].partitions)
	}
	return n
}

// append writes a set as Kafka's TopicPartitions; since, if there is one, is
// added for each partition (KIP-1251).
func (ps partitions) append(b []byte, since func(topic [16]byte, partition int32) int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(ps))
	for i := range ps {
		b = kbin.AppendUuid(b, ps[i].topic)
		list := len(b)
		b = kbin.AppendCompactArrayLen(b, len(ps[i].partitions))
		for _, p := range ps[i].partitions {
			b = kbin.AppendInt32(b, p)
		}
		if since == nil {
			b = append(b, 0)
			continue
		}
		size := len(b) - list
		b = append(b, 1, 0) // one tag, number 0
		b = kbin.AppendUvarint(b, uint32(size))
		b = kbin.AppendCompactArrayLen(b, len(ps[i].partitions))
		for _, p := range ps[i].partitions {
			b = kbin.AppendInt32(b, since(ps[i].topic, p))
		}
	}
	return b
}

// description is what of a member's record can change beside its topics.
type description struct {
	instance, rack   string
	client           Client
	rebalanceTimeout time.Duration
	assignor         string
	classic          *classicSide
}

func (m *consumer) described() description {
	return description{reason(m.instance), reason(m.rack), m.client, m.rebalanceTimeout, m.assignor, m.classic}
}

// storeUpdated stores a member after its request, if it is new or another one
// than it was; subscribed says that it has other topics or another pattern. A
// static member that came back takes over what is stored of its former self.
func (g *Consumer) storeUpdated(m *consumer, was description, subscribed bool) {
	is := m.described()
	if is.classic.same(was.classic) {
		is.classic = was.classic
	}
	if m.stored && !subscribed && is == was {
		return
	}
	g.storeMember(m)
	if !m.stored && m.targeted {
		g.storeTarget(m)
		g.storeCurrent(m)
	}
	m.stored = true
}

func (c *classicSide) same(other *classicSide) bool {
	if c == nil || other == nil {
		return c == other
	}
	return c.sessionTimeout == other.sessionTimeout && slices.EqualFunc(c.protocols, other.protocols, func(a, b protocol) bool {
		return a.name == b.name && bytes.Equal(a.metadata, b.metadata)
	})
}
