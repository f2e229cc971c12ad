package group

import (
	"math"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what groups of all kinds have: an id, configs, effects, and
// committed offsets with their requests and their expiry.

// base is the part of a group that does not depend on its kind, and stays when
// the kind changes.
type base struct {
	id  string
	cfg *Config

	now time.Time // of the call in work
	out Effects   // of the call in work

	offsets   Offsets
	cleanupAt time.Time // next look for expired offsets
}

// Offsets returns the group's committed offsets.
func (g *base) Offsets() *Offsets { return &g.offsets }

// emit puts an event among the effects of the call in work.
func (g *base) emit(kind string, state State, epoch int32, e Event) {
	e.Group, e.Kind, e.From, e.To, e.Generation = g.id, kind, state, state, epoch
	g.out.Events = append(g.out.Events, e)
}

// watched tells whether it is worth an event for each member.
func (g *base) watched() bool { return g.cfg.Watched == nil || g.cfg.Watched() }

func (g *base) config() *Config { return g.cfg }

func (g *base) answer(p parked, r kmsg.Response) {
	if p.ticket == nil {
		return
	}
	r.SetVersion(p.version)
	g.out.Answers = append(g.out.Answers, Answer{p.ticket, r})
}

// cleanupSoon looks for expired offsets after the check interval.
func (g *base) cleanupSoon() {
	g.cleanupAt = earlier(g.cleanupAt, g.now.Add(g.cfg.OffsetsCheckInterval))
}

// expireOffsets forgets the offsets whose retention is over, and notes when to
// look again. It counts from since, in milliseconds, or from each commit where
// since is negative. What is subscribed to stays.
func (g *base) expireOffsets(since int64, subscribed func(topic string) bool) {
	next := g.offsets.Expire(g.now.UnixMilli(), g.cfg.OffsetsRetention.Milliseconds(), since, subscribed, func(topic string, partition int32) {
		g.store(OffsetTombstone(g.id, topic, partition))
	})
	if next < math.MaxInt64 {
		g.cleanupAt = g.now.Add(g.cfg.OffsetsCheckInterval)
		if at := time.UnixMilli(next); at.After(g.cleanupAt) {
			g.cleanupAt = at
		}
	}
}

// commitOffsets stores the offsets that may be stored. topics says which topics
// exist; the others get its error, and nobody is asked about them. may says why
// the group does not take a partition's offset, if it does not; first is called
// before one is stored.
//
// As in Apache Kafka, what does not exist stands first in the answer, and then
// each topic has one entry there; a topic that exists and is named without
// partitions has none (OffsetCommitResponse.Builder).
func (g *base) commitOffsets(req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory, may func(Topic, int32) *kerr.Error, first func()) *kmsg.OffsetCommitResponse {
	resp := &in.resp
	*resp = kmsg.OffsetCommitResponse{Version: req.Version}
	in.partitions, in.bytes, g.out.Records = in.partitions[:0], in.bytes[:0], append(in.records[:0], g.out.Records...)
	stored := in.topics[:0]
	answer := commitAnswer{resp: resp}
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, rt.TopicID)
		before := len(in.partitions)
		var missing []kmsg.OffsetCommitResponseTopicPartition
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			p := kmsg.OffsetCommitResponseTopicPartition{Partition: rp.Partition}
			if p.ErrorCode = topic.Err; p.ErrorCode == 0 && (rp.Partition < 0 || rp.Partition >= topic.Partitions) {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			if p.ErrorCode != 0 {
				missing = append(missing, p)
				continue
			}
			switch err := may(topic, rp.Partition); {
			case err != nil:
				p.ErrorCode = err.Code
			case g.tooLong(rp.Metadata):
				p.ErrorCode = kerr.OffsetMetadataTooLarge.Code
			default:
				first()
				g.commit(&topic, req.RetentionTimeMillis, rp, in)
			}
			in.partitions = append(in.partitions, p)
		}
		if topic.Err != 0 || len(missing) > 0 {
			answer.add(rt.Topic, rt.TopicID, missing)
		}
		if ps := slices.Clip(in.partitions[before:]); len(ps) > 0 {
			stored = append(stored, kmsg.OffsetCommitResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID, Partitions: ps})
		}
	}
	in.topics, in.records = stored, g.out.Records
	if len(resp.Topics) == 0 {
		resp.Topics = stored
		return resp
	}
	for i := range stored {
		answer.add(stored[i].Topic, stored[i].TopicID, stored[i].Partitions)
	}
	return resp
}

// CommitMemory is the memory of one commit's records and answer, to be used again
// for the next. The zero value is ready.
type CommitMemory struct {
	resp       kmsg.OffsetCommitResponse
	topics     []kmsg.OffsetCommitResponseTopic
	partitions []kmsg.OffsetCommitResponseTopicPartition // of all topics
	records    []Record
	bytes      []byte // of records
}

// Forget lets go of what only a rare commit needs.
func (m *CommitMemory) Forget() {
	if cap(m.partitions) > 1024 || cap(m.bytes) > 64<<10 {
		*m = CommitMemory{}
	}
}

// commitAnswer is an answer in which each topic has one entry.
type commitAnswer struct {
	resp *kmsg.OffsetCommitResponse
	at   map[commitTopic]int
}

type commitTopic struct {
	name string
	id   [16]byte
}

func (a *commitAnswer) add(name string, id [16]byte, ps []kmsg.OffsetCommitResponseTopicPartition) {
	if a.at == nil {
		a.at = make(map[commitTopic]int)
	}
	i, known := a.at[commitTopic{name, id}]
	if !known {
		i = len(a.resp.Topics)
		a.at[commitTopic{name, id}] = i
		a.resp.Topics = append(a.resp.Topics, kmsg.OffsetCommitResponseTopic{Topic: name, TopicID: id})
	}
	a.resp.Topics[i].Partitions = append(a.resp.Topics[i].Partitions, ps...)
}

// tooLong measures as Java does, in UTF-16 units, which are never more than
// the bytes of UTF-8.
func (g *base) tooLong(metadata *string) bool {
	limit := g.cfg.OffsetMetadataMaxBytes
	if metadata == nil || len(*metadata) <= limit {
		return false
	}
	n := 0
	for _, r := range *metadata {
		n += max(utf16.RuneLen(r), 1)
	}
	return n > limit
}

func (g *base) commit(topic *Topic, retention int64, rp *kmsg.OffsetCommitRequestTopicPartition, in *CommitMemory) {
	c := Committed{
		Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, Metadata: reason(rp.Metadata),
		CommitMillis: g.now.UnixMilli(), ExpireMillis: -1,
	}
	if retention != -1 {
		c.ExpireMillis = max(saturatingAdd(c.CommitMillis, retention), 0)
	}
	if rp.Timestamp != -1 { // v1 only
		c.CommitMillis = rp.Timestamp
	}
	g.offsets.Commit(topic.Name, rp.Partition, c)
	var stored Record
	in.bytes, stored = appendOffsetRecord(in.bytes, g.id, topic, rp.Partition, &c)
	g.store(stored)
	if g.cleanupAt.IsZero() || retention != -1 || rp.Timestamp != -1 {
		g.cleanupSoon()
	}
}

// FetchOffsets returns committed offsets: of the partitions in req, or of all
// where its topics are null. version is that of the request; before v8 a
// request is for one group, which the caller writes as this form. What is not
// committed, or does not exist, has offset -1 and no error.
func (g *base) FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.OffsetFetchResponseGroup{Group: req.Group}
	if req.Topics == nil {
		for _, name := range g.offsets.Topics() {
			t := topics(name, [16]byte{})
			if t.Err == kerr.TopicAuthorizationFailed.Code || version >= 10 && t.Err != 0 {
				continue // not to be seen, or without an id to name it by
			}
			ps := g.offsets.Partitions(name)
			out := make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(ps))
			for i := range ps {
				out[i] = fetched(ps[i].Partition, ps[i].Committed)
			}
			resp.Topics = append(resp.Topics, kmsg.OffsetFetchResponseGroupTopic{Topic: name, TopicID: t.ID, Partitions: out})
		}
		return resp
	}
	resp.Topics = make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(req.Topics))
	var unknown []kmsg.OffsetFetchResponseGroupTopic // v10 tells them last
	for i := range req.Topics {
		rt := &req.Topics[i]
		t := topics(rt.Topic, rt.TopicID)
		name, code := t.Name, t.Err
		if version >= 10 && rt.TopicID == [16]byte{} {
			code = kerr.UnknownTopicID.Code
		}
		if version < 10 && code == kerr.UnknownTopicOrPartition.Code {
			name, code = rt.Topic, 0
		}
		out := make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(rt.Partitions))
		for j, partition := range rt.Partitions {
			c, ok := Committed{}, false
			if code == 0 {
				c, ok = g.offsets.Get(name, partition)
			}
			if !ok {
				c = Committed{Offset: -1, LeaderEpoch: -1}
			}
			out[j] = fetched(partition, c)
			out[j].ErrorCode = code
		}
		answer := kmsg.OffsetFetchResponseGroupTopic{Topic: rt.Topic, TopicID: rt.TopicID, Partitions: out}
		if version >= 10 && code != 0 {
			unknown = append(unknown, answer)
		} else {
			resp.Topics = append(resp.Topics, answer)
		}
	}
	resp.Topics = append(resp.Topics, unknown...)
	return resp
}

func fetched(partition int32, c Committed) kmsg.OffsetFetchResponseGroupTopicPartition {
	metadata := &noMetadata
	if c.Metadata != "" {
		metadata = kmsg.StringPtr(c.Metadata)
	}
	return kmsg.OffsetFetchResponseGroupTopicPartition{
		Partition: partition, Offset: c.Offset, LeaderEpoch: c.LeaderEpoch, Metadata: metadata,
	}
}

// noMetadata is shared by all answers without a text.
var noMetadata string

// deleteOffsets forgets the offsets that req names, but for those of topics that
// members consume. Its answer goes into resp.
func (g *base) deleteOffsets(req *kmsg.OffsetDeleteRequest, resp *kmsg.OffsetDeleteResponse, topics Lookup, subscribed func(topic string) bool) {
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, [16]byte{})
		out := make([]kmsg.OffsetDeleteResponseTopicPartition, len(rt.Partitions))
		for j, rp := range rt.Partitions {
			out[j].Partition = rp.Partition
			switch {
			case topic.Err != 0:
				out[j].ErrorCode = topic.Err
			case rp.Partition < 0 || rp.Partition >= topic.Partitions:
				out[j].ErrorCode = kerr.UnknownTopicOrPartition.Code
			case subscribed(rt.Topic):
				out[j].ErrorCode = kerr.GroupSubscribedToTopic.Code
			default:
				if g.offsets.Delete(rt.Topic, rp.Partition) {
					g.store(OffsetTombstone(g.id, rt.Topic, rp.Partition))
				}
			}
		}
		resp.Topics = append(resp.Topics, kmsg.OffsetDeleteResponseTopic{Topic: rt.Topic, Partitions: out})
	}
	g.cleanupSoon() // the group goes if that was all it had
}

// deleteTopics forgets the offsets of topics that do not exist any more.
func (g *base) deleteTopics(names []string) {
	for _, name := range names {
		g.storeNoOffsets(name)
		if g.offsets.DeleteTopic(name) {
			g.cleanupSoon()
		}
	}
}

// earlier returns the earlier of two moments of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
