package churn

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// This file owns share groups (KIP-932). What their members are given and what they acknowledge is seen in the requests:
// each record is accepted once, and each delivery has the next number.

// deliveries is the most that a record may have here. One that has had them is given up.
const deliveries = 10

// loans is what the answers to members say, by partition and offset.
type loans struct {
	t        *testing.T
	b        *broker.Broker
	mu       sync.Mutex
	counts   map[place][]int16 // the delivery counts, in the order in which the answers were seen
	accepted map[place]int     // how often it was accepted
}

type place struct {
	partition int32
	offset    int64
}

func shareChurn(t *testing.T) {
	w := newWorld(t)
	l := &loans{t: t, b: w.b, counts: make(map[place][]int16), accepted: make(map[place]int)}
	w.b.Observe(l.watch)
	w.start = w.startSharer
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	of := kmsg.NewIncrementalAlterConfigsRequestResource()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for name, value := range map[string]string{"share.auto.offset.reset": "earliest", "share.delivery.count.limit": fmt.Sprint(deliveries), "share.record.lock.duration.ms": "15000"} {
		of.Configs = append(of.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: &value})
	}
	alter.Resources = append(alter.Resources, of)
	if resp, err := alter.RequestWith(t.Context(), w.b); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("the group's configs: %+v, %v", resp, err)
	}
	// One member stays: with the last, what was not stored would be forgotten.
	stays := w.startSharer(-1)
	defer stays.close()
	sent := w.churn()
	w.check(sent)
	l.check()
}

// startSharer starts a member that accepts most records, and gives some back.
func (w *world) startSharer(int) *member {
	m := w.join(kgo.ShareGroup(group), kgo.ShareMaxRecords(50))
	go func() {
		defer close(m.done)
		n := 0
		for {
			fetches := m.client.PollRecords(context.Background(), 50)
			if fetches.IsClientClosed() {
				return
			}
			w.mu.Lock()
			fetches.EachRecord(func(r *kgo.Record) {
				if n++; n%10 == 0 {
					r.Ack(kgo.AckRelease)
					return
				}
				r.Ack(kgo.AckAccept)
				w.seen[string(r.Value)]++
			})
			w.mu.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), session)
			_ = m.client.FlushAcks(ctx) // who lost its session may not, and the records come again
			cancel()
		}
	}()
	return m
}

// watch takes note of what was given and of what was accepted.
func (l *loans) watch(o broker.Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch resp := o.Response.(type) {
	case *kmsg.ShareFetchResponse:
		failed := make(map[int32]bool)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				failed[p.Partition] = p.AcknowledgeErrorCode != 0
				for _, a := range p.AcquiredRecords {
					for offset := a.FirstOffset; offset <= a.LastOffset; offset++ {
						at := place{p.Partition, offset}
						l.counts[at] = append(l.counts[at], a.DeliveryCount)
					}
				}
			}
		}
		if resp.ErrorCode != 0 {
			return
		}
		for _, t := range o.Request.(*kmsg.ShareFetchRequest).Topics {
			for _, p := range t.Partitions {
				for _, b := range p.AcknowledgementBatches {
					l.accept(p.Partition, b.FirstOffset, b.LastOffset, b.AcknowledgeTypes, failed[p.Partition])
				}
			}
		}
	case *kmsg.ShareAcknowledgeResponse:
		failed := make(map[int32]bool)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				failed[p.Partition] = p.ErrorCode != 0
			}
		}
		if resp.ErrorCode != 0 {
			return
		}
		for _, t := range o.Request.(*kmsg.ShareAcknowledgeRequest).Topics {
			for _, p := range t.Partitions {
				for _, b := range p.AcknowledgementBatches {
					l.accept(p.Partition, b.FirstOffset, b.LastOffset, b.AcknowledgeTypes, failed[p.Partition])
				}
			}
		}
	}
}

func (l *loans) accept(partition int32, first, last int64, types []int8, failed bool) {
	for offset := first; offset <= last && !failed; offset++ {
		how := types[0]
		if len(types) > 1 {
			how = types[offset-first]
		}
		if how == int8(kgo.AckAccept) {
			l.accepted[place{partition, offset}]++
		}
	}
}

// check holds each record's deliveries and acknowledgements against the rules.
func (l *loans) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	again, givenUp := 0, 0
	for p, end := range l.b.Topic(topic).HighWatermarks() {
		for offset := range end {
			at := place{int32(p), offset}
			counts := slices.Clone(l.counts[at])
			slices.Sort(counts) // answers may be seen in another order than they were made
			for i, n := range counts {
				if int(n) != i+1 {
					l.t.Errorf("the deliveries of %v are numbered %v", at, l.counts[at])
					break
				}
			}
			switch n := l.accepted[at]; {
			case n > 1:
				l.t.Errorf("%v was accepted %d times", at, n)
			case n == 0 && len(counts) < deliveries:
				l.t.Errorf("%v was never accepted in %d deliveries", at, len(counts))
			case n == 0:
				givenUp++
			}
			if len(counts) > 1 {
				again++
			}
		}
	}
	l.t.Logf("%d records were delivered more than once, %d given up after %d deliveries", again, givenUp, deliveries)
	if again == 0 {
		l.t.Error("that was no churn: each record was delivered once")
	}
}
