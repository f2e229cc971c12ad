package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what transactions do to a classic group's offsets:
// TxnOffsetCommit v0-v6 and the end of the transaction.

// CommitInTransaction notes offsets that take effect when the producer's
// transaction is committed. topics says which exist; the others get its error
// and do not touch the group. store keeps the records, which are part of the
// transaction; its error is everybody's.
func (g *Classic) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	g.now = now
	asked := false
	var records []Record
	var pend []func() // when they are stored
	var refused *kerr.Error
	resp := TxnCommitAnswer(req, topics, func(topic Topic, rp *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error {
		if !asked {
			asked = true
			refused = g.validateTxnCommit(req)
		}
		switch {
		case refused != nil:
			return refused
		case g.tooLong(rp.Metadata):
			return kerr.OffsetMetadataTooLarge
		case g.state == Dead:
			g.create("first commit")
		}
		c := Committed{
			Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, Metadata: reason(rp.Metadata),
			CommitMillis: now.UnixMilli(), ExpireMillis: -1,
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
	return resp, g.effects()
}

// validateTxnCommit tells whether the group takes a transaction's commit from
// this sender. Clients before v3 do not say which member they are (KIP-447). The
// group may be in a rebalance: the generation alone decides.
func (g *Classic) validateTxnCommit(req *kmsg.TxnOffsetCommitRequest) *kerr.Error {
	switch {
	case req.Generation < 0 && (g.state == Dead || g.state == Empty):
		return nil
	case g.state == Dead:
		return kerr.IllegalGeneration
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil:
		return nil
	}
	if _, err := g.validate(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	return nil
}

// EndTransaction commits the offsets of a producer's transaction, or forgets
// them.
func (g *Classic) EndTransaction(now time.Time, producerID int64, commit bool) Effects {
	g.now = now
	if g.state != Dead {
		g.offsets.EndTransaction(producerID, commit)
		g.cleanupSoon()
	}
	return g.effects()
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
