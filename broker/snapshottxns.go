package broker

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
)

// This file owns the part of a snapshot that is about transactions: who has the
// transactional ids, what is open, and the offsets that groups hold for it.

type txnSnapshot struct {
	taken   int64 // when, in ms
	byID    map[string]*txn.Transaction
	offsets []*kmsg.TxnOffsetCommitRequest // of open transactions, in order
	nextID  int64                          // the next producer id is at least that
}

// still runs f while no transaction begins or ends, and nothing is added to one.
func (s *transactions) still(f func(all []*transaction)) {
	for {
		all := s.all()
		// Nobody else holds two at a time.
		slices.SortFunc(all, func(x, y *transaction) int { return cmp.Compare(x.id, y.id) })
		for _, x := range all {
			x.mu.Lock()
		}
		f(all)
		for _, x := range all {
			x.mu.Unlock()
		}
		if !s.begunSince(all) {
			return
		}
	}
}

// begunSince says whether a transactional id that is not among all has an open
// transaction.
func (s *transactions) begunSince(all []*transaction) bool {
	known := make(map[*transaction]bool, len(all))
	for _, x := range all {
		known[x] = true
	}
	return slices.ContainsFunc(s.all(), func(x *transaction) bool {
		if known[x] {
			return false
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.m.State() == txn.Ongoing
	})
}

// snapshot needs the lock of each of all.
func (s *transactions) snapshot(all []*transaction) txnSnapshot {
	taken := txnSnapshot{taken: s.b.nowMs(), byID: make(map[string]*txn.Transaction), nextID: s.b.producerIDs.Load()}
	for _, x := range all {
		if !x.gone {
			taken.byID[x.id] = x.m.Clone(0)
		}
	}
	return taken
}

// restore brings transactional ids back, those with an open transaction with as
// much of its time-out as they had left. The partitions are there already.
func (s *transactions) restore(from *txnSnapshot) {
	for {
		last := s.b.producerIDs.Load()
		if last >= from.nextID || s.b.producerIDs.CompareAndSwap(last, from.nextID) {
			break
		}
	}
	if len(from.byID) == 0 {
		return
	}
	s.b.internalTopic(transactionStateTopic)
	epochs := make(map[int64]int16)
	for id, m := range from.byID {
		s.with(id, true, func(x *transaction, now int64) {
			x.m = m.Clone(now - from.taken)
			s.store(x, now)
		})
		if m.State() == txn.Ongoing {
			epochs[m.Current().ID] = m.Current().Epoch
		}
	}
	for _, req := range from.offsets {
		if epoch, open := epochs[req.ProducerID]; open {
			s.b.internalTopic(groupMetadataTopic)
			s.b.pendOffsets(req, txn.Producer{ID: req.ProducerID, Epoch: epoch}, s.b.lookupTopic())
		}
	}
}
