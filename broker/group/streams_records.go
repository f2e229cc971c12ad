package group

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what is stored of streams groups in __consumer_offsets, in the
// form that Apache Kafka 4.3 writes (StreamsCoordinatorRecordHelpers). kmsg does
// not know these records.

// The types of streams groups' records: the versions of their keys.
const (
	streamsGroupKey      int16 = 17
	streamsMemberKey     int16 = 19
	streamsTargetMetaKey int16 = 20
	streamsTargetKey     int16 = 21
	streamsCurrentKey    int16 = 22
	streamsTopologyKey   int16 = 23
)

// recordWriter appends the fields of a record. Values are of version 0, which
// has compact strings and arrays, and tags.
type recordWriter []byte

func (w *recordWriter) int8(v int8)   { *w = append(*w, byte(v)) }
func (w *recordWriter) int16(v int16) { *w = binary.BigEndian.AppendUint16(*w, uint16(v)) }
func (w *recordWriter) int32(v int32) { *w = binary.BigEndian.AppendUint32(*w, uint32(v)) }
func (w *recordWriter) int64(v int64) { *w = binary.BigEndian.AppendUint64(*w, uint64(v)) }
func (w *recordWriter) uvarint(v int) { *w = binary.AppendUvarint(*w, uint64(v)) }
func (w *recordWriter) len(n int)     { w.uvarint(n + 1) }
func (w *recordWriter) noTags()       { w.uvarint(0) }

func (w *recordWriter) string(s string) {
	w.len(len(s))
	*w = append(*w, s...)
}

func (w *recordWriter) nullable(s *string) {
	if s == nil {
		w.uvarint(0)
		return
	}
	w.string(*s)
}

func (w *recordWriter) strings(list []string) {
	w.len(len(list))
	for _, s := range list {
		w.string(s)
	}
}

func (w *recordWriter) int32s(list []int32) {
	w.len(len(list))
	for _, n := range list {
		w.int32(n)
	}
}

func (w *recordWriter) int16s(list []int16) {
	w.len(len(list))
	for _, n := range list {
		w.int16(n)
	}
}

func (w *recordWriter) tasks(ts tasks) {
	w.len(len(ts))
	for i := range ts {
		w.string(ts[i].subtopology)
		w.int32s(ts[i].partitions)
		if ts[i].since == nil {
			w.noTags()
			continue
		}
		var since recordWriter
		since.int32s(ts[i].since)
		w.tag(1, 0, since)
	}
}

// tag writes one of count tagged fields; the count goes before the first.
func (w *recordWriter) tag(count, number int, value recordWriter) {
	if number == 0 {
		w.uvarint(count)
	}
	w.uvarint(number)
	w.uvarint(len(value))
	*w = append(*w, value...)
}

// streamsKey is a record's key: the group, and a member where it is about one.
func streamsKey(kind int16, group string, member ...string) []byte {
	w := make(recordWriter, 0, 2+2+len(group)+24)
	w.int16(kind)
	for _, s := range append([]string{group}, member...) {
		w.int16(int16(len(s)))
		w = append(w, s...)
	}
	return w
}

func (g *Streams) storeGroup() {
	var w, epoch, configs recordWriter
	w.int16(0)
	w.int32(g.epoch)
	w.int64(g.hash)
	epoch.int32(g.validated)
	configs.len(len(g.configs()))
	for _, c := range g.configs() {
		configs.string(c.key)
		configs.string(c.value)
		configs.noTags()
	}
	if g.validated == -1 { // the default is not written
		w.uvarint(1)
		w.tag(1, 1, configs)
	} else {
		w.tag(2, 0, epoch)
		w.tag(2, 1, configs)
	}
	g.store(Record{streamsKey(streamsGroupKey, g.id), w})
}

func (g *Streams) storeMember(m *streamer) {
	var w recordWriter
	w.int16(0)
	w.nullable(nil) // no static members
	w.nullable(m.rack)
	w.string(m.client.ID)
	w.string(m.client.Host)
	w.int32(m.rebalanceMillis)
	w.int32(m.topologyEpoch)
	w.string(m.process)
	if m.endpoint == nil {
		w.int8(-1)
	} else {
		w.int8(1)
		w.string(m.endpoint.Host)
		w.int16(int16(m.endpoint.Port))
		w.noTags()
	}
	w.len(len(m.tags))
	for _, tag := range m.tags {
		w.string(tag.key)
		w.string(tag.value)
		w.noTags()
	}
	w.noTags()
	g.store(Record{streamsKey(streamsMemberKey, g.id, m.id), w})
}

func (g *Streams) storeTarget(m *streamer) {
	var w recordWriter
	w.int16(0)
	w.tasks(m.target.active)
	w.tasks(m.target.standby)
	w.tasks(m.target.warmup)
	w.noTags()
	g.store(Record{streamsKey(streamsTargetKey, g.id, m.id), w})
}

func (g *Streams) storeTargetEpoch() {
	var w, at recordWriter
	w.int16(0)
	w.int32(g.assignmentEpoch)
	at.int64(g.assignedAt.UnixMilli())
	w.tag(1, 0, at)
	g.store(Record{streamsKey(streamsTargetMetaKey, g.id), w})
}

func (g *Streams) storeCurrent(m *streamer) {
	var w recordWriter
	w.int16(0)
	w.int32(m.epoch)
	w.int32(m.previous)
	w.int8(int8(m.phase) + 1) // as Kafka's MemberState counts
	for _, r := range []roles{m.assigned, m.revoking} {
		w.tasks(r.active)
		w.tasks(r.standby)
		w.tasks(r.warmup)
	}
	w.noTags()
	g.store(Record{streamsKey(streamsCurrentKey, g.id, m.id), w})
}

func (g *Streams) storeTopology() {
	g.store(Record{streamsKey(streamsTopologyKey, g.id), g.topology.value})
}

// topologyValue is a topology's record. It is also what topologies are compared
// by.
func topologyValue(t *topology) []byte {
	var w recordWriter
	w.int16(0)
	w.int32(t.epoch)
	w.len(len(t.subtopologies))
	for i := range t.subtopologies {
		s := &t.subtopologies[i]
		w.string(s.SubtopologyID)
		w.strings(s.SourceTopics)
		w.strings(s.SourceTopicRegex)
		w.topics(s.StateChangelogTopics)
		w.strings(s.RepartitionSinkTopics)
		w.topics(s.RepartitionSourceTopics)
		w.len(len(s.CopartitionGroups))
		for _, g := range s.CopartitionGroups {
			w.int16s(g.SourceTopics)
			w.int16s(g.SourceTopicRegex)
			w.int16s(g.RepartitionSourceTopics)
			w.noTags()
		}
		w.noTags()
	}
	w.noTags()
	return w
}

func (w *recordWriter) topics(list []kmsg.TopicInfo) {
	w.len(len(list))
	for i := range list {
		w.string(list[i].Topic)
		w.int32(list[i].NumPartitions)
		w.int16(list[i].ReplicationFactor)
		w.len(len(list[i].Configs))
		for _, c := range list[i].Configs {
			w.string(c.Key)
			w.string(c.Value)
			w.noTags()
		}
		w.noTags()
	}
}

// storeMemberGone stores that a member left.
func (g *Streams) storeMemberGone(id string) {
	for _, kind := range []int16{streamsCurrentKey, streamsTargetKey, streamsMemberKey} {
		g.store(Record{Key: streamsKey(kind, g.id, id)})
	}
}

// storeGone stores that the group, which has no members, does not exist any
// more.
func (g *Streams) storeGone() {
	for _, kind := range []int16{streamsTargetMetaKey, streamsGroupKey, streamsTopologyKey} {
		g.store(Record{Key: streamsKey(kind, g.id)})
	}
}
