package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what transactions do to a classic group's offsets:
// TxnOffsetCommit v0-v6 and the end of the transaction.

// CommitInTransaction notes offsets that take effect when the producer's
// transaction is committed; see commitInTransaction.
func (g *Classic) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	g.now = now
	asked := false
	var refused *kerr.Error
	resp := g.commitInTransaction(req, topics, func(Topic, int32) *kerr.Error {
		if !asked {
			asked = true
			refused = g.validateTxnCommit(req)
		}
		return refused
	}, func() {
		if g.state == Dead {
			g.create("first commit")
		}
	}, store)
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
		g.endTransaction(producerID, commit)
	}
	return g.effects()
}
