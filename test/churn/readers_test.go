package churn

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// This file owns groups that commit offsets, of the classic protocol and of KIP-848. They commit after they have seen
// to records: so a record may be read twice, but not once it was committed, and none is left out.

func readersChurn(t *testing.T, protocol kgo.Opt) {
	w := newWorld(t)
	w.b.Observe(w.watchCommits)
	w.start = func(slot int) *member { return w.startReader(slot, protocol) }
	sent := w.churn()
	w.check(sent)
	if least := int(lasts.Seconds()); w.commits < least {
		t.Errorf("that was no churn: %d commits", w.commits)
	}
}

// watchCommits holds that committed offsets never go back.
func (w *world) watchCommits(o broker.Observation) {
	if o.Key != int16(kmsg.OffsetCommit) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits++
	for p, offset := range w.b.Committed(group)[topic] {
		if offset < w.committed[p] {
			w.t.Errorf("the offset of partition %d went back from %d to %d", p, w.committed[p], offset)
		}
		w.committed[p] = offset
	}
}

func (w *world) startReader(slot int, protocol kgo.Opt) *member {
	var m *member
	made := make(chan struct{})
	assigned := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		<-made
		committed := w.b.Committed(group)[topic]
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range topics[topic] {
			m.next[p] = committed[p]
		}
	}
	opts := []kgo.Opt{
		protocol, kgo.ConsumerGroup(group), kgo.OnPartitionsAssigned(assigned), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(session), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(session),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
	}
	if slot%3 == 0 {
		opts = append(opts, kgo.InstanceID(fmt.Sprint("static-", slot)))
	}
	m = w.join(opts...)
	close(made)
	go w.read(m)
	return m
}

func (w *world) read(m *member) {
	defer close(m.done)
	for {
		fetches := m.client.PollRecords(context.Background(), 50)
		if fetches.IsClientClosed() {
			return
		}
		w.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			w.seen[string(r.Value)]++
			if next, ok := m.next[r.Partition]; ok && r.Offset < next {
				w.t.Errorf("a member reads offset %d of partition %d again: %d was due, %d is committed", r.Offset, r.Partition, next, w.committed[r.Partition])
			} else if ok && r.Offset > next {
				w.t.Errorf("a member skips from offset %d of partition %d to %d", next, r.Partition, r.Offset)
			}
			m.next[r.Partition] = r.Offset + 1
		})
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), session)
		_ = m.client.CommitUncommittedOffsets(ctx) // who is out of the group may not, and reads on where others left off
		cancel()
		m.client.AllowRebalance()
	}
}
