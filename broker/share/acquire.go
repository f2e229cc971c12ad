package share

import (
	"math"
	"slices"
	"time"
)

// This file owns how records are handed out.

// Fetch is what a member asks for, and what was read for it.
type Fetch struct {
	Member string
	// MaxRecords is how many records it wants. In batch mode there may be
	// more, up to the end of a record batch; with ExactLimit there are not
	// (KIP-1206).
	MaxRecords int
	ExactLimit bool
	// BatchSize is the size of the runs in which records are handed out, where
	// record batches allow it.
	BatchSize int
	// From is the offset that was read from.
	From int64
	// Batches are the offsets of the record batches that were read, Aborted of
	// those that belong to aborted transactions and that the member must not
	// see.
	Batches, Aborted []Range
}

// Acquire lends records to a member until their locks end, and returns which.
func (p *Partition) Acquire(now time.Time, f *Fetch, l *Limits) []Records {
	if f.MaxRecords <= 0 || len(f.Batches) == 0 {
		return nil
	}
	a := acquisition{p: p, f: f, l: l, now: now, read: Range{f.Batches[0].First, f.Batches[len(f.Batches)-1].Last}}
	if a.read.Last < p.start || !a.room() {
		return nil
	}
	if len(p.batches) > 0 && f.From < a.read.First && p.archive(Range{f.From, a.read.First - 1}, Available, true) {
		p.again = true // compaction took what was there
	}
	a.acquire()
	if len(a.out) == 0 {
		return nil
	}
	p.gapBefore(a.out[len(a.out)-1].Last + 1)
	if len(f.Aborted) > 0 {
		for _, r := range f.Aborted {
			p.archive(r, Acquired, true)
		}
		a.out = without(a.out, f.Aborted)
		p.advance()
	}
	return a.out
}

// acquisition is one call of Acquire.
type acquisition struct {
	p    *Partition
	f    *Fetch
	l    *Limits
	now  time.Time
	read Range // the offsets that were read, as far as they may be handed out
	most int   // records that may be handed out

	out   []Records
	count int // records in out
}

// room finds how many records may be handed out. With as many in flight as
// there may be, only records among them are.
func (a *acquisition) room() bool {
	p := a.p
	a.most = min(a.f.MaxRecords, a.l.MaxInFlight-p.inFlight())
	if a.most <= 0 && a.f.From <= p.end {
		a.most = min(a.f.MaxRecords, int(p.end-a.f.From+1))
		a.read.Last = min(a.read.Last, p.end)
	}
	return a.most > 0
}

func (a *acquisition) acquire() {
	p, first, last := a.p, a.read.First, a.read.Last
	base := max(first, p.start)
	if i := p.floor(first); i >= 0 && p.batches[i].Last >= first {
		base = p.batches[i].First
	}
	from, upTo := p.from(min(first, base)), p.floor(last)+1
	if from >= upTo {
		a.fresh(Range{base, last})
		return
	}
	// A copy: new batches may come in between.
	known := slices.Clone(p.batches[from:upTo])
	gap := base
	for _, b := range known {
		if p.hasGap() {
			if gap < b.First {
				a.fresh(Range{gap, b.First - 1})
			}
			gap = b.Last + 1
		}
		if a.count >= a.most {
			return
		}
		throttled := a.throttled(b)
		if throttled && a.count > 0 {
			return // it comes with no others
		}
		whole := b.First >= first && b.Last <= last
		if !whole || b.each != nil || throttled || a.f.ExactLimit && b.size() > a.most-a.count {
			if b.each == nil && b.whole.state != Available {
				continue
			}
			b.split()
			if n := a.some(b); throttled && n > 0 {
				return
			}
			continue
		}
		if b.whole.state == Available {
			a.lend(&b.whole)
			a.add(Records{b.Range, b.whole.count})
		}
	}
	if end := known[len(known)-1].Last; a.count < a.most && end < last {
		a.fresh(Range{end + 1, last})
	}
}

// lend gives an available record, or batch of them, to the member.
func (a *acquisition) lend(s *slot) {
	s.state, s.member, s.until = Acquired, a.f.Member, a.p.lock(a.now, a.l)
	s.count++
}

func (a *acquisition) add(r Records) {
	a.out = append(a.out, r)
	a.count += r.size()
}

// some hands out available records of a batch whose records differ. Those that
// were delivered often come in smaller and smaller company, and alone for the
// last time: one of them may be what makes its consumers fail.
func (a *acquisition) some(b *batch) (n int) {
	limit, most, remaining := throttleLimit(a.l.MaxDeliveries), -1, a.most-a.count
	each := b.within(a.read)
	first := max(a.read.First, b.First)
	for i := range each {
		s := &each[i]
		if s.state != Available {
			continue
		}
		count := int(s.count)
		if a.l.MaxDeliveries > 2 && count == a.l.MaxDeliveries-1 && n > 0 {
			break
		}
		if count >= limit && most < 0 {
			most = max(1, len(b.each)>>(count-limit+1))
		}
		a.lend(s)
		n++
		at := first + int64(i)
		if last := len(a.out) - 1; n > 1 && a.out[last].Last+1 == at && a.out[last].DeliveryCount == s.count {
			a.out[last].Last = at
		} else {
			a.out = append(a.out, Records{Range{at, at}, s.count})
		}
		if int(s.count) == a.l.MaxDeliveries && a.l.MaxDeliveries > 2 || a.f.ExactLimit && n == remaining || n == most {
			break
		}
	}
	a.count += n
	return n
}

// throttleLimit is the number of deliveries from which on records come in
// smaller company.
func throttleLimit(maxDeliveries int) int { return max(2, (maxDeliveries+1)/2) }

// throttled tells whether records of a batch were delivered so often that they
// come in smaller company.
func (a *acquisition) throttled(b *batch) bool {
	limit := throttleLimit(a.l.MaxDeliveries)
	if b.each == nil {
		return b.whole.state == Available && int(b.whole.count) >= limit
	}
	for _, s := range b.within(a.read) {
		if s.state == Available && int(s.count) >= limit {
			return true
		}
	}
	return false
}

// fresh hands out records that nobody was given yet.
func (a *acquisition) fresh(r Range) {
	p, remaining := a.p, a.most-a.count
	if len(p.batches) == 0 {
		r.First = max(r.First, p.end)
	}
	if remaining <= 0 || r.First > r.Last {
		return
	}
	if remaining < r.size() {
		cut := a.batchEnd(r.First + int64(remaining) - 1)
		if p.hasGap() {
			cut = min(cut, r.Last)
		}
		r.Last = cut
	}
	before := len(a.out)
	a.lay(r, remaining)
	if p.batches[0].First == r.First {
		p.start = max(p.start, r.First)
	}
	p.end = max(p.end, r.Last)
	lent := r.Last
	if a.f.ExactLimit {
		lent = a.out[before].Last
	}
	p.gapBefore(lent + 1)
}

// lay puts new batches in, and hands out their records.
func (a *acquisition) lay(r Range, remaining int) {
	p := a.p
	if a.f.ExactLimit && r.size() > remaining {
		b := &batch{Range: r, whole: slot{state: Available}}
		b.split()
		for i := range b.each {
			if i < remaining {
				a.lend(&b.each[i])
			}
		}
		p.again = true
		p.insert(b)
		a.add(Records{Range{r.First, r.First + int64(remaining) - 1}, 1})
		return
	}
	put := func(r Range) {
		b := &batch{Range: r, whole: slot{state: Available}}
		a.lend(&b.whole)
		p.insert(b)
		a.add(Records{r, 1})
	}
	size := int64(a.f.BatchSize)
	if !a.f.ExactLimit && int64(r.size()) > size {
		for _, b := range a.f.Batches {
			if b.First > r.Last {
				break
			}
			if b.First-r.First >= size {
				put(Range{r.First, b.First - 1})
				r.First = b.First
			}
		}
	}
	put(r)
}

// batchEnd is the last offset of the record batch that has an offset.
func (a *acquisition) batchEnd(offset int64) int64 {
	for i := len(a.f.Batches) - 1; i >= 0; i-- {
		if b := a.f.Batches[i]; b.First <= offset {
			return max(b.Last, offset)
		}
	}
	return offset
}

// without takes offsets out of runs of records. Both are in order.
func without(all []Records, out []Range) []Records {
	left := make([]Records, 0, len(all))
	i := 0
	for _, r := range all {
		for i > 0 && out[i-1].Last >= r.First {
			i-- // it may reach into several runs
		}
		for ; i < len(out) && out[i].First <= r.Last; i++ {
			if out[i].Last < r.First {
				continue
			}
			if r.First < out[i].First {
				left = append(left, Records{Range{r.First, out[i].First - 1}, r.DeliveryCount})
			}
			r.First = out[i].Last + 1
		}
		if r.First <= r.Last {
			left = append(left, r)
		}
	}
	return left
}

// NoLimit is the MaxRecords and BatchSize of clients that know none.
const NoLimit = math.MaxInt32
