package share

import (
	"slices"
	"sort"
	"time"
)

// Partition is one partition as one share group sees it: the start offset
// (SPSO), before which everything is done, the end offset (SPEO), up to which
// records were handed out, and the state of each record between. This file owns
// what it keeps, and how the start moves on.
//
// Records that were fetched together are one batch with one state for as long
// as they have the same; then each has its own.
type Partition struct {
	start, end int64
	stateEpoch int32
	batches    []*batch // in flight, by offset; they do not overlap
	complete   int32    // records from start on that are done
	// again: some record before end may be available.
	again bool
	// gap is the first offset that may not be known: between batches that
	// were stored there may be records that nobody was given yet. It counts
	// while end is gapEnd; -1: there is none.
	gap, gapEnd int64
	// No lock ends before; 0: nothing is locked. In ns since 1970, like all
	// moments here.
	locksFrom int64
}

// slot is the state of a record, or of all records of a batch.
type slot struct {
	state  RecordState
	count  int16  // deliveries
	member string // who has it; empty: nobody
	until  int64  // when its lock ends; 0: it has none
}

// batch is records that were fetched together.
type batch struct {
	Range
	whole slot
	each  []slot // if they differ: one for each offset
}

// split gives each record of a batch a state of its own.
func (b *batch) split() {
	if b.each != nil {
		return
	}
	b.each = make([]slot, b.size())
	for i := range b.each {
		b.each[i] = b.whole
	}
}

// within gives the records of a batch that has states for each.
func (b *batch) within(r Range) []slot {
	from, to := max(r.First, b.First)-b.First, min(r.Last, b.Last)-b.First+1
	if from >= to {
		return nil
	}
	return b.each[from:to]
}

// Load makes a partition of what is stored of it. start is where it begins.
func Load(s *State, start int64) *Partition {
	p := &Partition{start: start, end: start, stateEpoch: s.StateEpoch, gap: -1}
	next := start
	for _, stored := range s.Batches {
		if stored.Last < start {
			continue
		}
		b := &batch{Range: Range{max(stored.First, start), stored.Last}, whole: slot{state: stored.State, count: stored.DeliveryCount}}
		if p.gap < 0 && b.First > next {
			p.gap = next
		}
		next = b.Last + 1
		p.batches = append(p.batches, b)
		if b.whole.state.terminal() {
			p.complete += int32(b.size())
		}
	}
	if len(p.batches) > 0 {
		p.again, p.end = true, next-1
		p.gapEnd = p.end
		p.advance()
	}
	return p
}

// Start returns the share-partition start offset.
func (p *Partition) Start() int64 { return p.start }

// End returns the share-partition end offset: the last that was handed out, or
// Start where nothing is in flight.
func (p *Partition) End() int64 { return p.end }

// Complete returns how many records from Start on are done.
func (p *Partition) Complete() int32 { return p.complete }

// Each goes over the records in flight in runs of equal states; member is who
// has them, and until when their lock ends.
func (p *Partition) Each(f func(r StateBatch, member string, until time.Time)) {
	tell := func(r Range, s *slot) {
		var until time.Time
		if s.until != 0 {
			until = time.Unix(0, s.until)
		}
		f(StateBatch{r, s.state, s.count}, s.member, until)
	}
	for _, b := range p.batches {
		if b.each == nil {
			tell(b.Range, &b.whole)
			continue
		}
		for i := 0; i < len(b.each); {
			j := i + 1
			for j < len(b.each) && b.each[j] == b.each[i] {
				j++
			}
			tell(Range{b.First + int64(i), b.First + int64(j-1)}, &b.each[i])
			i = j
		}
	}
}

// Deadline is when Expire must be called next, or earlier; zero: never.
func (p *Partition) Deadline() time.Time {
	if p.locksFrom == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.locksFrom)
}

// lock returns when a lock that is taken now ends.
func (p *Partition) lock(now time.Time, l *Limits) int64 {
	until := now.Add(l.LockFor).UnixNano()
	if p.locksFrom == 0 || until < p.locksFrom {
		p.locksFrom = until
	}
	return until
}

// floor is the index of the last batch that begins at offset or before; -1:
// none does.
func (p *Partition) floor(offset int64) int {
	return sort.Search(len(p.batches), func(i int) bool { return p.batches[i].First > offset }) - 1
}

// from is the index of the first batch that begins at offset or behind.
func (p *Partition) from(offset int64) int {
	return sort.Search(len(p.batches), func(i int) bool { return p.batches[i].First >= offset })
}

func (p *Partition) insert(b *batch) {
	p.batches = slices.Insert(p.batches, p.from(b.First), b)
}

// lastInFlight is the last offset in flight; -1: none is.
func (p *Partition) lastInFlight() int64 {
	if len(p.batches) == 0 {
		return -1
	}
	return p.batches[len(p.batches)-1].Last
}

// inFlight is how many offsets are between start and end.
func (p *Partition) inFlight() int {
	if len(p.batches) == 0 {
		return 0
	}
	return int(p.end - p.start + 1)
}

// hasGap tells whether there may be records that nobody was given between those
// in flight.
func (p *Partition) hasGap() bool { return p.gap >= 0 && p.gapEnd == p.end }

// gapBefore notes that there is no gap before offset.
func (p *Partition) gapBefore(offset int64) {
	switch {
	case p.gap < 0:
	case p.hasGap() && offset <= p.gapEnd:
		p.gap = offset
	default:
		p.gap = -1
	}
}

// NextFetch is the offset from which records are to be read next: that of the
// first available one, or behind all that were handed out.
func (p *Partition) NextFetch() int64 {
	if p.start > p.lastInFlight() {
		p.again = false
		return p.end
	}
	if !p.again {
		return p.end + 1
	}
	gap := p.gap
	for _, b := range p.batches {
		if p.hasGap() {
			if b.First > gap {
				return gap
			}
			gap = max(gap, b.Last+1)
		}
		if b.each == nil {
			if b.whole.state == Available {
				return b.First
			}
			continue
		}
		for i := range b.each {
			if b.each[i].state == Available {
				return b.First + int64(i)
			}
		}
	}
	p.again = false
	return p.end + 1
}

// CanAcquire tells whether a member may be given records, if there are any.
func (p *Partition) CanAcquire(l *Limits) bool {
	return p.NextFetch() != p.end+1 || p.inFlight() < l.MaxInFlight
}

// advance moves the start behind the records that are done.
func (p *Partition) advance() {
	if len(p.batches) == 0 {
		return
	}
	if p.floor(p.start) < 0 {
		if p.hasGap() && p.gap <= p.start {
			return // there may be records at the start that nobody was given
		}
		p.start = p.batches[0].First // there are none
	}
	last, done := p.done()
	if last < 0 {
		return
	}
	if last == p.lastInFlight() {
		p.start = max(p.start, last+1)
		p.end, p.batches, p.complete = p.start, nil, 0
		return
	}
	i := p.floor(last)
	next := last + 1
	if last == p.batches[i].Last {
		i++
		next = p.batches[i].First
		if p.hasGap() {
			next = min(next, p.gap)
		}
	}
	p.start = max(p.start, next)
	p.complete -= done
	clear(p.batches[:i])
	p.batches = p.batches[i:]
}

// done finds up to where all records are done, and how many of these are at the
// start or behind; -1: the first is not.
func (p *Partition) done() (last int64, n int32) {
	last = -1
	for _, b := range p.batches {
		if p.hasGap() && b.Last >= p.gap {
			break
		}
		if b.each == nil {
			if !b.whole.state.terminal() {
				break
			}
			last = b.Last
			n += p.counted(b.Range)
			continue
		}
		for i := range b.each {
			if !b.each[i].state.terminal() {
				return last, n
			}
			last = b.First + int64(i)
			if last >= p.start {
				n++
			}
		}
	}
	return last, n
}

// counted is how many of some offsets are at the start or behind.
func (p *Partition) counted(r Range) int32 {
	return int32(max(0, r.Last-max(r.First, p.start)+1))
}

// LogStart notes that the log begins at an offset: what was before is gone. Who
// has such records keeps them until it acknowledges them or its lock ends.
func (p *Partition) LogStart(offset int64) {
	if offset <= p.start {
		return
	}
	for _, b := range p.batches {
		if b.First >= offset {
			break
		}
		gone := Range{max(b.First, p.start), min(b.Last, offset-1)}
		if b.each == nil {
			if b.whole.state.terminal() {
				p.complete -= int32(max(0, gone.Last-gone.First+1))
			}
			continue
		}
		for _, s := range b.within(gone) {
			if s.state.terminal() {
				p.complete--
			}
		}
	}
	if p.archive(Range{p.start, offset - 1}, Available, false) {
		p.again = true
	}
	p.start = offset
	p.end = max(p.end, offset)
	if len(p.batches) == 0 {
		p.end, p.complete = offset, 0
	}
}

// archive gives up the records of a range that are in a state, and tells
// whether there were any. count says whether they count as complete.
func (p *Partition) archive(r Range, in RecordState, count bool) (any bool) {
	give := func(s *slot) {
		s.state, s.member, s.until = Archived, "", 0
	}
	for i := max(0, p.floor(r.First)); i < len(p.batches) && p.batches[i].First <= r.Last; i++ {
		b := p.batches[i]
		if b.Last < r.First || b.each == nil && b.whole.state != in {
			continue
		}
		if b.each == nil && b.First >= r.First && b.Last <= r.Last {
			give(&b.whole)
			any = true
			if count {
				p.complete += int32(b.size())
			}
			continue
		}
		b.split()
		each := b.within(r)
		for j := range each {
			if each[j].state == in {
				give(&each[j])
				any = true
				if count {
					p.complete++
				}
			}
		}
	}
	return any
}
