package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
	"minibroker/broker/txn"
)

// This file owns TxnOffsetCommit v0-v6 and what becomes of the offsets.

// handleTxnOffsetCommit serves TxnOffsetCommit v0-v6 (v3: members, KIP-447; v5:
// transactions V2, the broker adds the group's partition itself, KIP-890; v6:
// topic ids).
func (b *Broker) handleTxnOffsetCommit(r *request, req *kmsg.TxnOffsetCommitRequest) (kmsg.Response, error) {
	by := txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	topics := r.lookupTopic(kmsg.ACLOperationRead)
	var resp *kmsg.TxnOffsetCommitResponse
	err := b.commitInTransaction(req, by, func() { resp = b.pendOffsets(req, by, topics) })
	if err != nil {
		resp = group.TxnCommitAnswer(req, topics, func(group.Topic, *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error { return err })
	}
	return resp, nil
}

// pendOffsets notes offsets for when the producer's transaction ends.
func (b *Broker) pendOffsets(req *kmsg.TxnOffsetCommitRequest, by txn.Producer, topics group.Lookup) (resp *kmsg.TxnOffsetCommitResponse) {
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		b.groups.pend(req.Group, req.ProducerID)
		resp, eff = g.CommitInTransaction(now, req, topics, func(records []group.Record) *kerr.Error {
			if err := b.storeGroupRecords(req.Group, by, records, now); err != nil {
				return kerr.TypedErrorForCode(err.code)
			}
			return nil
		})
		return eff
	})
	return resp
}

// commitInTransaction runs commit if the producer's transaction covers the
// group's offsets. The transaction cannot end meanwhile.
func (b *Broker) commitInTransaction(req *kmsg.TxnOffsetCommitRequest, by txn.Producer, commit func()) *kerr.Error {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	p, err := b.offsetsPartition(req.Group)
	if err != nil {
		return err
	}
	v := txn.V1
	if req.Version >= 5 {
		v = txn.V2
	} else if !b.config.Load().Bool("transaction.partition.verification.enable") {
		commit()
		return nil
	}
	switch err = b.transactions.within(req.TransactionalID, by, v, p, commit); err {
	case kerr.TransactionAbortable:
		if req.Version < 4 {
			return kerr.InvalidTxnState
		}
	case kerr.ProducerFenced:
		return kerr.InvalidProducerEpoch
	}
	return err
}

// pend notes that a producer's transaction commits offsets of a group. It needs
// the group's lock.
func (s *groups) pend(id string, producerID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = make(map[int64]map[string]struct{})
	}
	of := s.pending[producerID]
	if of == nil {
		of = make(map[string]struct{}, 1)
		s.pending[producerID] = of
	}
	of[id] = struct{}{}
}

// endTransaction commits or forgets the offsets that a producer's transaction
// has in the groups of one partition of __consumer_offsets.
func (s *groups) endTransaction(p *partition, producerID int64, commit bool) {
	t := s.b.image.Load().topic(groupMetadataTopic)
	if t == nil {
		return
	}
	var ids []string
	s.mu.Lock()
	of := s.pending[producerID]
	for id := range of {
		if t.partitionOf(id) == p {
			ids = append(ids, id)
			delete(of, id)
		}
	}
	if len(of) == 0 {
		delete(s.pending, producerID)
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.with(id, func(g *group.Group, now time.Time) group.Effects {
			return g.EndTransaction(now, producerID, commit)
		})
	}
}
