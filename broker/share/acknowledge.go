package share

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file owns how records come back: acknowledged by their member, released
// when its session ends, or taken back when their lock ends.

// Ack is what a member says of some records: one type for all, or one for each
// offset.
type Ack struct {
	Range
	Types []AckType
}

// Refusals that Kafka's clients know by their texts.
var (
	refusedNotFound = refuse(kerr.InvalidRecordState, "Batch record not found. The request batch offsets are not found in the cache.")
	refusedFirst    = refuse(kerr.InvalidRequest, "Batch record not found. The first offset in request is past acquired records.")
	refusedLast     = refuse(kerr.InvalidRequest, "Batch record not found. The last offset in request is past acquired records.")
	refusedBatch    = refuse(kerr.InvalidRecordState, "The batch cannot be acknowledged. The batch is not in the acquired state.")
	refusedSubset   = refuse(kerr.InvalidRecordState, "The batch cannot be acknowledged. The subset batch is not in the acquired state.")
	refusedOffset   = refuse(kerr.InvalidRecordState, "The offset cannot be acknowledged. The offset is not acquired.")
	refusedOwner    = refuse(kerr.InvalidRecordState, "Member is not the owner of batch record")
	refusedHolder   = refuse(kerr.InvalidRecordState, "Member is not the owner of offset")
	refusedRenew    = refuse(kerr.InvalidRecordState, "Renewing acquisition locks is not enabled for the group.")
)

// change is records coming back, which may fail and is undone then.
type change struct {
	p    *Partition
	l    *Limits
	done []undo
	out  []StateBatch
	// The counts before.
	complete int32
	again    bool
}

type undo struct {
	at  *slot
	was slot
}

func (p *Partition) change(l *Limits) *change {
	return &change{p: p, l: l, complete: p.complete, again: p.again}
}

// to gives records another state. Those that were delivered too often are given
// up instead of becoming available.
func (c *change) to(s *slot, r Range, state RecordState) {
	c.done = append(c.done, undo{s, *s})
	if state == Available && int(s.count) >= c.l.MaxDeliveries {
		state = Archived
	}
	s.state, s.member, s.until = state, "", 0
	if state.terminal() {
		c.p.complete += c.p.counted(r)
	} else {
		c.p.again = true
	}
	next := StateBatch{r, state, s.count}
	if n := len(c.out); n > 0 && c.out[n-1].Last+1 == r.First && c.out[n-1].same(next) {
		c.out[n-1].Last = r.Last
		return
	}
	c.out = append(c.out, next)
}

// abandon undoes it all.
func (c *change) abandon() {
	for i := len(c.done) - 1; i >= 0; i-- {
		*c.done[i].at = c.done[i].was
	}
	c.p.complete, c.p.again = c.complete, c.again
}

// finish stores it, and moves the start on.
func (c *change) finish(store Store) *Refusal {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.store(store); err != nil {
		c.abandon()
		return err
	}
	c.p.advance()
	return nil
}

func (c *change) store(store Store) *Refusal {
	return store(Write{StateEpoch: c.p.stateEpoch, Start: c.p.start, Complete: c.p.complete, Batches: c.out})
}

// Acknowledge takes what a member says of its records: all of it or, with an
// error, nothing.
func (p *Partition) Acknowledge(now time.Time, member string, acks []Ack, l *Limits, store Store) *Refusal {
	c := p.change(l)
	for i := range acks {
		if err := c.acknowledge(now, member, &acks[i]); err != nil {
			c.abandon()
			return err
		}
	}
	return c.finish(store)
}

func (c *change) acknowledge(now time.Time, member string, a *Ack) *Refusal {
	p := c.p
	for _, t := range a.Types {
		if t < Gap || t > Renew {
			return refuse(kerr.InvalidRequest, "Invalid acknowledge type: "+types(a.Types))
		}
	}
	if a.Last < p.start {
		return nil // all of it is gone
	}
	known, err := p.covering(a.Range)
	if err != nil {
		return err
	}
	for _, b := range known {
		if b.Last < p.start {
			continue
		}
		if b.each == nil {
			switch b.whole.member {
			case "":
				return refusedBatch
			case member:
			default:
				return refusedOwner
			}
		}
		whole := b.First >= a.First && b.Last <= a.Last && b.First >= p.start
		if whole && b.each == nil && len(a.Types) == 1 {
			err = c.batch(now, b, a.Types[0])
		} else {
			if b.each == nil && b.whole.state != Acquired {
				return refusedSubset
			}
			b.split()
			err = c.offsets(now, member, b, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func types(ts []AckType) string {
	texts := make([]string, len(ts))
	for i, t := range ts {
		texts[i] = fmt.Sprint(int8(t))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// covering finds the batches that have the offsets of a range.
func (p *Partition) covering(r Range) ([]*batch, *Refusal) {
	i := p.floor(r.First)
	if i < 0 && r.First < p.start && r.Last >= p.start {
		i = p.floor(p.start)
	}
	if i < 0 {
		return nil, refusedNotFound
	}
	known := p.batches[i : p.floor(r.Last)+1]
	switch last := known[len(known)-1].Last; {
	case last < r.First:
		return nil, refusedFirst
	case last < r.Last:
		return nil, refusedLast
	}
	return known, nil
}

// batch acknowledges all of a batch.
func (c *change) batch(now time.Time, b *batch, t AckType) *Refusal {
	switch {
	case b.whole.state != Acquired:
		return refusedBatch
	case t != Renew:
		c.to(&b.whole, b.Range, becomes[t])
	case !c.l.MayRenew:
		return refusedRenew
	default:
		c.done = append(c.done, undo{&b.whole, b.whole})
		b.whole.until = c.p.lock(now, c.l)
	}
	return nil
}

// offsets acknowledges those of a batch's records that are meant.
func (c *change) offsets(now time.Time, member string, b *batch, a *Ack) *Refusal {
	meant := Range{max(a.First, b.First, c.p.start), min(a.Last, b.Last)}
	each := b.within(meant)
	for i := range each {
		s, at := &each[i], meant.First+int64(i)
		switch {
		case s.state != Acquired:
			return refusedOffset
		case s.member != member:
			return refusedHolder
		}
		t := a.Types[0]
		if len(a.Types) > 1 {
			t = a.Types[at-a.First]
		}
		switch {
		case t != Renew:
			c.to(s, Range{at, at}, becomes[t])
		case !c.l.MayRenew:
			return refusedRenew
		default:
			c.done = append(c.done, undo{s, *s})
			s.until = c.p.lock(now, c.l)
		}
	}
	return nil
}

// ReleaseMember makes the records that a member has available to others.
func (p *Partition) ReleaseMember(member string, l *Limits, store Store) *Refusal {
	c := p.change(l)
	p.takeBack(c, func(s *slot) bool { return s.member == member })
	return c.finish(store)
}

// Expire takes back the records whose locks ended by now, and tells whether
// there were any. It may be called too early. They are taken back even if that
// cannot be stored.
func (p *Partition) Expire(now time.Time, l *Limits, store Store) bool {
	ns := now.UnixNano()
	if p.locksFrom == 0 || p.locksFrom > ns {
		return false
	}
	p.locksFrom = 0
	c := p.change(l)
	p.takeBack(c, func(s *slot) bool {
		if s.until <= ns {
			return true
		}
		if p.locksFrom == 0 || s.until < p.locksFrom {
			p.locksFrom = s.until
		}
		return false
	})
	if len(c.out) == 0 {
		return false
	}
	_ = c.store(store)
	p.advance()
	return true
}

// takeBack makes those acquired records available for which take says so. What
// the log does not have any more is given up.
func (p *Partition) takeBack(c *change, take func(*slot) bool) {
	next := func(last int64) RecordState {
		if last < p.start {
			return Archived
		}
		return Available
	}
	for _, b := range p.batches {
		if b.each == nil {
			if b.whole.state != Acquired || !take(&b.whole) {
				continue
			}
			if b.First >= p.start || b.Last < p.start {
				c.to(&b.whole, b.Range, next(b.Last))
				continue
			}
			b.split()
			for i := range b.each {
				at := b.First + int64(i)
				c.to(&b.each[i], Range{at, at}, next(at))
			}
			continue
		}
		for i := range b.each {
			if s := &b.each[i]; s.state == Acquired && take(s) {
				at := b.First + int64(i)
				c.to(s, Range{at, at}, next(at))
			}
		}
	}
}
