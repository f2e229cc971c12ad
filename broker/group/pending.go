package group

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns offsets that transactions commit (KIP-98, KIP-447): they are
// pending until the transaction ends, for whatever kind of group.

// pendingOffsets is the offsets of open transactions. The zero value is empty
// and ready.
type pendingOffsets struct {
	byProducer map[int64]map[topicPartition]pendingOffset
	// unstable is how many transactions want to commit a partition.
	unstable map[topicPartition]int
	count    uint64 // pending offsets so far, to order them
}

type topicPartition struct {
	topic     string
	partition int32
}

type pendingOffset struct {
	Committed
	seq uint64
	// outdated: a later commit has taken effect, so this one must not.
	outdated bool
}

// Pend notes an offset that a producer's transaction commits when it ends.
func (o *Offsets) Pend(producerID int64, topic string, partition int32, c Committed) {
	p := &o.pending
	if p.byProducer == nil {
		p.byProducer = make(map[int64]map[topicPartition]pendingOffset)
		p.unstable = make(map[topicPartition]int)
	}
	mine := p.byProducer[producerID]
	if mine == nil {
		mine = make(map[topicPartition]pendingOffset)
		p.byProducer[producerID] = mine
	}
	at := topicPartition{topic, partition}
	if _, again := mine[at]; !again {
		p.unstable[at]++
	}
	p.count++
	mine[at] = pendingOffset{Committed: c, seq: p.count}
}

// Pending is the offsets that open transactions commit when they end, in the
// order in which they came, as requests for them: TxnOffsetCommit v0.
func (o *Offsets) Pending() []*kmsg.TxnOffsetCommitRequest {
	type one struct {
		producer int64
		at       topicPartition
		c        pendingOffset
	}
	var all []one
	for producer, mine := range o.pending.byProducer {
		for at, c := range mine {
			if !c.outdated {
				all = append(all, one{producer, at, c})
			}
		}
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.c.seq, b.c.seq) })
	requests := make([]*kmsg.TxnOffsetCommitRequest, len(all))
	for i, a := range all {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.ProducerID, req.Generation = a.producer, -1
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = a.at.topic
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = a.at.partition, a.c.Offset, a.c.LeaderEpoch, &a.c.Metadata
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
		requests[i] = req
	}
	return requests
}

// Unstable says whether an open transaction may yet change a partition's
// offset.
func (o *Offsets) Unstable(topic string, partition int32) bool {
	return o.pending.unstable[topicPartition{topic, partition}] > 0
}

// EndTransaction commits a producer's pending offsets, or forgets them. Those
// that somebody has committed meanwhile stay as they are.
func (o *Offsets) EndTransaction(producerID int64, commit bool) {
	mine := o.pending.byProducer[producerID]
	delete(o.pending.byProducer, producerID)
	for at, c := range mine {
		o.pending.settle(at)
		if commit && !c.outdated {
			o.outdate(at, c.seq)
			o.put(at.topic, at.partition, c.Committed)
		}
	}
}

func (p *pendingOffsets) settle(at topicPartition) {
	if p.unstable[at]--; p.unstable[at] <= 0 {
		delete(p.unstable, at)
	}
}

// outdate keeps what was pended before seq from taking effect.
func (o *Offsets) outdate(at topicPartition, seq uint64) {
	if o.pending.unstable[at] == 0 {
		return
	}
	for _, mine := range o.pending.byProducer {
		if c, has := mine[at]; has && c.seq <= seq {
			c.outdated = true
			mine[at] = c
		}
	}
}

// forgetPending drops the pending offsets of a topic.
func (o *Offsets) forgetPending(gone func(topicPartition) bool) {
	for id, mine := range o.pending.byProducer {
		for at := range mine {
			if gone(at) {
				delete(mine, at)
				o.pending.settle(at)
			}
		}
		if len(mine) == 0 {
			delete(o.pending.byProducer, id)
		}
	}
}

// HideUnstable puts UNSTABLE_OFFSET_COMMIT in the place of offsets that an open
// transaction may yet change, for consumers that ask for stable ones (KIP-447).
func (o *Offsets) HideUnstable(answer *kmsg.OffsetFetchResponseGroup, topics Lookup) {
	if len(o.pending.unstable) == 0 {
		return
	}
	for i := range answer.Topics {
		t := &answer.Topics[i]
		name := t.Topic
		if name == "" {
			name = topics("", t.TopicID).Name
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if p.ErrorCode != 0 || !o.Unstable(name, p.Partition) {
				continue
			}
			p.ErrorCode = kerr.UnstableOffsetCommit.Code
			p.Offset, p.LeaderEpoch, p.Metadata = -1, -1, &noMetadata
		}
	}
}

// commitInTransaction notes offsets that take effect when the producer's
// transaction is committed. topics says which exist; the others get its error
// and do not touch the group. may says why the group does not take a partition's
// offset, if it does not; first is called before one is noted. store keeps the
// records, which are part of the transaction; its error is everybody's.
func (g *base) commitInTransaction(req *kmsg.TxnOffsetCommitRequest, topics Lookup, may func(Topic, int32) *kerr.Error, first func(), store func([]Record) *kerr.Error) *kmsg.TxnOffsetCommitResponse {
	var records []Record
	var pend []func() // when they are stored
	resp := TxnCommitAnswer(req, topics, func(topic Topic, rp *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error {
		if err := may(topic, rp.Partition); err != nil {
			return err
		}
		if g.tooLong(rp.Metadata) {
			return kerr.OffsetMetadataTooLarge
		}
		first()
		c := Committed{
			Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, Metadata: reason(rp.Metadata),
			CommitMillis: g.now.UnixMilli(), ExpireMillis: -1,
		}
		records = append(records, OffsetRecord(g.id, &topic, rp.Partition, &c))
		pend = append(pend, func() { g.offsets.Pend(req.ProducerID, topic.Name, rp.Partition, c) })
		return nil
	})
	if err := store(records); err != nil {
		pend = nil
		resp = TxnCommitAnswer(req, topics, func(Topic, *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error { return err })
	}
	for _, f := range pend {
		f()
	}
	return resp
}

func (g *base) endTransaction(producerID int64, commit bool) {
	g.offsets.EndTransaction(producerID, commit)
	g.cleanupSoon()
}

// TxnCommitAnswer answers a TxnOffsetCommit: commit is asked for each partition
// that exists.
func TxnCommitAnswer(req *kmsg.TxnOffsetCommitRequest, topics Lookup, commit func(Topic, *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error) *kmsg.TxnOffsetCommitResponse {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	resp.Version = req.Version
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := topics(rt.Topic, rt.TopicID)
		done := kmsg.TxnOffsetCommitResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID}
		done.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(rt.Partitions))
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			p := &done.Partitions[j]
			p.Partition = rp.Partition
			switch {
			case topic.Err != 0:
				p.ErrorCode = topic.Err
			case rp.Partition < 0 || rp.Partition >= topic.Partitions:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			default:
				if err := commit(topic, rp); err != nil {
					p.ErrorCode = err.Code
				}
			}
		}
		resp.Topics = append(resp.Topics, done)
	}
	return resp
}
