package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns acks=all: a producer is answered when all replicas in sync have
// its records (org.apache.kafka.server DelayedProduce).

// uncommittedBatch is one partition's records that are stored, and that not all
// replicas in sync have yet.
type uncommittedBatch struct {
	on               *partition
	end              int64 // the offset behind the last record
	topic, partition int   // where the answer is
}

type uncommitted []uncommittedBatch

// commit waits until all batches are committed, or cannot be any more, or the
// request's time is up, and says so in the answer.
func (b *Broker) commit(r *request, req *kmsg.ProduceRequest, resp *kmsg.ProduceResponse, batches uncommitted) error {
	due := make(chan struct{})
	timer := b.clock.AfterFunc(time.Duration(req.TimeoutMillis)*time.Millisecond, func() { close(due) })
	defer timer.Stop()
	for {
		w := park(len(batches))
		left := batches[:0]
		changed := false
		for _, u := range batches {
			seen := u.on.moment()
			code, done := u.outcome(seen, r.node)
			if done {
				u.answer(b, r, resp, code)
				continue
			}
			left = append(left, u)
			changed = changed || !w.on(u.on, seen)
		}
		if batches = left; len(batches) == 0 {
			w.leave()
			return nil
		}
		woken, err := true, error(nil)
		if !changed {
			woken, err = r.await(w.wake, due)
		}
		w.leave()
		if err != nil {
			return err
		}
		if !woken {
			for _, u := range batches {
				u.answer(b, r, resp, kerr.RequestTimedOut.Code)
			}
			return nil
		}
	}
}

// outcome says whether a batch is committed, or what became of it instead
// (Partition.checkEnoughReplicasReachOffset).
func (u *uncommittedBatch) outcome(seen moment, n *node) (code int16, done bool) {
	l := seen.leadership
	switch {
	case l.leader != n.id || u.on.log.EndOffset() < u.end:
		return kerr.NotLeaderForPartition.Code, true
	case seen.highWatermark < u.end:
		return 0, false
	case len(l.isr) < min(int(u.on.settings.Load().MinInsyncReplicas), len(l.replicas)):
		return kerr.NotEnoughReplicasAfterAppend.Code, true
	}
	return 0, true
}

func (u *uncommittedBatch) answer(b *Broker, r *request, resp *kmsg.ProduceResponse, code int16) {
	if code == 0 {
		return
	}
	p := &resp.Topics[u.topic].Partitions[u.partition]
	p.LogAppendTime = -1
	b.refuse(r, resp, p, u.on, refusal(kerr.TypedErrorForCode(code)))
}
