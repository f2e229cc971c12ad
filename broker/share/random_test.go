package share

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// fate is what a test knows of one record.
type fate struct {
	exists         bool
	count          int16
	accepted, dead bool // dead: rejected, or delivered too often
	holder         string
	until          time.Time
}

// world is a log, a group's partition of it, and what must be true.
type world struct {
	t       *testing.T
	r       *rand.Rand
	s       *subject
	log     []Range // record batches
	fates   []fate
	logFrom int64
	start   int64
	trail   []string
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, l := range w.trail[max(0, len(w.trail)-25):] {
		w.t.Log(l)
	}
	w.t.Fatalf(format+"; in flight: %s; start %d, end %d", append(args, w.s.flight(), w.s.p.Start(), w.s.p.End())...)
}

func (w *world) note(format string, args ...any) {
	w.trail = append(w.trail, fmt.Sprintf(format, args...))
}

func TestRandomSequencesNeverLoseNorRepeatARecord(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), s: newSubject(t)}
			w.s.limits = Limits{MaxInFlight: 20 + w.r.IntN(60), MaxDeliveries: 2 + w.r.IntN(5), LockFor: 10 * time.Second, MayRenew: true}
			for range 300 {
				w.step()
				w.check()
			}
			w.drain()
		})
	}
}

func (w *world) step() {
	member := string(rune('a' + w.r.IntN(3)))
	switch n := w.r.IntN(100); {
	case n < 15:
		w.produce()
	case n < 50:
		w.fetch(member)
	case n < 85:
		w.acknowledge(member)
	case n < 92:
		w.s.now = w.s.now.Add(time.Duration(w.r.IntN(8)) * time.Second)
		w.note("time passes: %v", w.s.now.Sub(start))
		w.expire()
	case n < 95:
		w.note("session of %s ends", member)
		if err := w.s.p.ReleaseMember(member, &w.s.limits, w.s.store); err != nil {
			w.fail("release: %s", err.Message)
		}
		w.letGo(func(f *fate) bool { return f.holder == member })
	case n < 97:
		w.trim()
	case n < 98:
		w.note("another leader")
		w.s.p = Load(w.s.stored, w.s.stored.Start)
		if lag := w.s.p.Start(); lag < w.start {
			w.start = lag // what was not stored begins anew, as in Kafka
		}
		w.s.p.LogStart(w.logFrom)
		// The stored counts may be older: a delivery alone is not stored.
		for i := range w.fates {
			f := &w.fates[i]
			f.holder = ""
			if !f.accepted && !f.dead {
				f.count = -1
			}
		}
	default:
		w.limit()
	}
}

func (w *world) limit() {
	w.s.limits.MaxInFlight = 20 + w.r.IntN(60)
	w.note("at most %d in flight", w.s.limits.MaxInFlight)
}

func (w *world) produce() {
	at := int64(len(w.fates))
	gap := int64(0)
	if w.r.IntN(6) == 0 {
		gap = int64(1 + w.r.IntN(3)) // compaction took a batch
	}
	n := int64(1 + w.r.IntN(9))
	for range gap {
		w.fates = append(w.fates, fate{})
	}
	for range n {
		w.fates = append(w.fates, fate{exists: true})
	}
	w.log = append(w.log, Range{at + gap, at + gap + n - 1})
	w.note("batch %v", w.log[len(w.log)-1])
}

func (w *world) fetch(member string) {
	if !w.s.p.CanAcquire(&w.s.limits) {
		return
	}
	from := w.s.p.NextFetch()
	if from < w.logFrom {
		w.s.p.LogStart(w.logFrom)
		from = w.s.p.NextFetch()
	}
	f := Fetch{Member: member, From: from, MaxRecords: 1 + w.r.IntN(30), BatchSize: 1 + w.r.IntN(20), ExactLimit: w.r.IntN(3) == 0}
	most := 1 + w.r.IntN(4)
	for _, b := range w.log {
		if b.Last >= from && len(f.Batches) < most {
			f.Batches = append(f.Batches, b)
		}
	}
	got := w.s.p.Acquire(w.s.now, &f, &w.s.limits)
	w.note("%s fetches %d (exact %v, batch %d) from %d, of %v: %s", member, f.MaxRecords, f.ExactLimit, f.BatchSize, from, f.Batches, text(got))
	n := 0
	for _, r := range got {
		n += r.size()
		if r.First < w.start {
			w.fail("%d was given out behind the start", r.First)
		}
		for at := r.First; at <= r.Last; at++ {
			f := &w.fates[at]
			switch {
			case f.accepted || f.dead:
				w.fail("%d was given out although it is done", at)
			case f.holder != "":
				w.fail("%d was given to %s and %s", at, f.holder, member)
			case f.count >= 0 && r.DeliveryCount != f.count+1:
				w.fail("%d has delivery count %d after %d", at, r.DeliveryCount, f.count)
			case int(r.DeliveryCount) > w.s.limits.MaxDeliveries:
				w.fail("%d was delivered %d times", at, r.DeliveryCount)
			}
			f.count, f.holder, f.until = r.DeliveryCount, member, w.s.now.Add(w.s.limits.LockFor)
		}
	}
	if f.ExactLimit && n > f.MaxRecords {
		w.fail("%d records, wanted %d", n, f.MaxRecords)
	}
}

func (w *world) acknowledge(member string) {
	from := w.start + int64(w.r.IntN(20))
	a := Ack{Range: Range{from, from + int64(w.r.IntN(8))}}
	types := 1
	if w.r.IntN(2) == 0 {
		types = a.size()
	}
	for range types {
		a.Types = append(a.Types, AckType(w.r.IntN(5)))
	}
	err := w.s.p.Acknowledge(w.s.now, member, []Ack{a}, &w.s.limits, w.s.store)
	w.note("%s acknowledges %v %v: %v", member, a.Range, a.Types, err)
	mine := true
	for at := max(a.First, w.start); at <= a.Last; at++ {
		if at >= int64(len(w.fates)) || w.fates[at].exists && w.fates[at].holder != member {
			mine = false
		}
	}
	if err != nil {
		all := mine // and no offset that no record has
		for at := max(a.First, w.start); all && at <= a.Last; at++ {
			all = w.fates[at].holder == member
		}
		if all && a.Last >= w.start {
			w.fail("refused: %s", err.Message)
		}
		return
	}
	if !mine {
		w.fail("%s acknowledged what it does not have", member)
	}
	for at := max(a.First, w.start); at <= a.Last; at++ {
		f := &w.fates[at]
		if f.holder == "" {
			continue // no record has this offset
		}
		t := a.Types[0]
		if len(a.Types) > 1 {
			t = a.Types[at-a.First]
		}
		switch t {
		case Accept:
			f.accepted, f.holder = true, ""
		case Reject, Gap:
			f.dead, f.holder = true, ""
		case Release:
			w.release(f)
		case Renew:
			f.until = w.s.now.Add(w.s.limits.LockFor)
		}
	}
}

func (w *world) release(f *fate) {
	f.holder = ""
	f.dead = int(f.count) >= w.s.limits.MaxDeliveries
}

func (w *world) letGo(which func(*fate) bool) {
	for i := range w.fates {
		if f := &w.fates[i]; f.holder != "" && which(f) {
			w.release(f)
			f.dead = f.dead || int64(i) < w.start
		}
	}
}

func (w *world) expire() {
	w.s.p.Expire(w.s.now, &w.s.limits, w.s.store)
	w.letGo(func(f *fate) bool { return !f.until.After(w.s.now) })
}

// trim drops the beginning of the log.
func (w *world) trim() {
	if len(w.log) < 3 {
		return
	}
	w.log = w.log[1:]
	w.logFrom = w.log[0].First
	w.note("the log begins at %d", w.logFrom)
	w.s.p.LogStart(w.logFrom)
	for i := range w.fates[:w.logFrom] {
		if w.fates[i].holder == "" {
			w.fates[i].dead = true
		}
	}
}

// check holds what the partition says against what is known.
func (w *world) check() {
	w.t.Helper()
	p := w.s.p
	if p.Start() < w.start {
		w.fail("the start went back from %d", w.start)
	}
	for at := w.start; at < p.Start() && at < int64(len(w.fates)); at++ {
		if f := &w.fates[at]; f.exists && !f.accepted && !f.dead && at >= w.logFrom {
			w.fail("%d is lost: the start moved past it", at)
		}
	}
	w.start = p.Start()
	done, last := int32(0), int64(-1)
	p.Each(func(b StateBatch, member string, _ time.Time) {
		if b.First <= last || b.Last < b.First {
			w.fail("%v overlaps %d", b.Range, last)
		}
		last = b.Last
		for at := b.First; at <= b.Last; at++ {
			f := &w.fates[at]
			switch {
			case b.State == Acquired && f.holder != member:
				w.fail("%d is with %s, should be with %q", at, member, f.holder)
			case b.State == Acknowledged && !f.accepted:
				w.fail("%d is acknowledged, nobody did", at)
			case b.State == Available && (f.accepted || f.dead || f.holder != ""):
				w.fail("%d is available: %+v", at, *f)
			}
			if b.State.terminal() && at >= p.Start() {
				done++
			}
		}
	})
	if last >= p.Start() && last != p.End() {
		w.fail("the end is not the last in flight")
	}
	if done != p.complete {
		w.fail("%d records are complete, it says %d", done, p.complete)
	}
	for i := 1; i < len(w.s.stored.Batches); i++ {
		if a, b := w.s.stored.Batches[i-1], w.s.stored.Batches[i]; a.Last >= b.First {
			w.fail("stored batches %v and %v overlap", a, b)
		}
	}
}

// drain accepts whatever is left; then everything must be done.
func (w *world) drain() {
	w.s.now = w.s.now.Add(time.Hour)
	w.expire()
	w.s.limits.MaxInFlight = 2000
	for range 3 * len(w.fates) {
		p := w.s.p
		from := p.NextFetch()
		if from < w.logFrom {
			p.LogStart(w.logFrom)
			from = p.NextFetch()
		}
		f := Fetch{Member: "z", From: from, MaxRecords: NoLimit, BatchSize: NoLimit}
		for _, b := range w.log {
			if b.Last >= from {
				f.Batches = append(f.Batches, b)
			}
		}
		got := p.Acquire(w.s.now, &f, &w.s.limits)
		for _, r := range got {
			w.note("drained %v", r)
			if err := p.Acknowledge(w.s.now, "z", []Ack{{r.Range, []AckType{Accept}}}, &w.s.limits, w.s.store); err != nil {
				w.fail("accepting %v: %s", r, err.Message)
			}
			for at := r.First; at <= r.Last; at++ {
				if w.fates[at].accepted {
					w.fail("%d is given out again", at)
				}
				w.fates[at].accepted = true
			}
		}
		w.check()
		if len(got) == 0 {
			break
		}
	}
	if n := len(w.log); n > 0 && w.s.p.Start() != w.log[n-1].Last+1 {
		w.fail("the log ends at %d, the group is at %d", w.log[n-1].Last+1, w.s.p.Start())
	}
	for at := w.logFrom; at < int64(len(w.fates)); at++ {
		if f := &w.fates[at]; f.exists && !f.accepted && !f.dead {
			w.fail("%d was lost", at)
		}
	}
}
