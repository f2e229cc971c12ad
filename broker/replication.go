package broker

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// This file owns what each replica has of a partition's log. There is one log
// in memory; a replica is the offset up to which it has it. All have all of it,
// but those of stopped brokers and those that were told to lag: a partition
// lists only these, so that nothing is to do as long as there are none.

// replication is how followers lag.
type replication struct {
	// lags is by broker id; negative: the broker's followers stand still.
	// nil: nobody lags.
	lags atomic.Pointer[map[int32]time.Duration]
}

// follower is a replica that may have less than the log.
type follower struct {
	id    int32
	end   int64 // its log end offset
	since int64 // when the first record came that it does not have, in ms
}

// lagOf is how far a broker's followers are behind.
func (r *replication) lagOf(id int32) time.Duration {
	if lags := r.lags.Load(); lags != nil {
		return (*lags)[id]
	}
	return 0
}

// behind is the replicas that may have less than the log.
func (p *partition) behind() []follower {
	if f := p.followers.Load(); f != nil {
		return *f
	}
	return nil
}

// endOf is a replica's log end offset.
func (p *partition) endOf(id int32) int64 {
	end := p.log.EndOffset()
	for _, f := range p.behind() {
		if f.id == id {
			return min(f.end, end)
		}
	}
	return end
}

// put notes what a replica has; one that has all is not listed. It needs mu.
func (p *partition) put(f follower) {
	all := slices.DeleteFunc(slices.Clone(p.behind()), func(o follower) bool { return o.id == f.id })
	if f.end < math.MaxInt64 {
		all = append(all, f)
	}
	if len(all) == 0 {
		p.followers.Store(nil)
		return
	}
	p.followers.Store(&all)
}

// freeze keeps a replica where it is: its broker stops.
func (p *partition) freeze(id int32, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.behind(), func(f follower) bool { return f.id == id }) {
		p.put(follower{id: id, end: p.log.EndOffset(), since: now})
	}
}

// succeed makes the log that of the leader, as its followers do. It needs mu.
func (p *partition) succeed(l *leadership) {
	if l.leader >= 0 {
		if end := p.endOf(l.leader); end < p.log.EndOffset() {
			p.truncate(end)
		}
	}
	if all := p.behind(); all != nil {
		end := p.log.EndOffset()
		var left []follower
		for _, f := range all {
			if f.id != l.leader && slices.Contains(l.replicas, f.id) {
				f.end = min(f.end, end)
				left = append(left, f)
			}
		}
		p.followers.Store(&left)
		if len(left) == 0 {
			p.followers.Store(nil)
		}
	}
	p.raise()
}

// raise moves the high watermark up to what all in-sync replicas have. While
// there are fewer of them than min.insync.replicas nothing is committed
// (KIP-966). It needs mu.
func (p *partition) raise() {
	end := p.log.EndOffset()
	l := p.leadership.Load()
	all := p.behind()
	if len(all) > 0 || len(l.isr) < len(l.replicas) {
		if high := p.highWatermark.Load(); high > end {
			p.highWatermark.Store(end) // an unclean election took it back
		}
		if len(l.isr) < min(int(p.settings.Load().MinInsyncReplicas), len(l.replicas)) {
			return
		}
		for _, f := range all {
			if slices.Contains(l.isr, f.id) {
				end = min(end, f.end)
			}
		}
		if end <= p.highWatermark.Load() {
			return // followers that were behind at an election catch up first
		}
	}
	p.highWatermark.Store(end)
}

// reconfigured is called when min.insync.replicas may have changed.
func (p *partition) reconfigured() {
	l := p.leadership.Load()
	if len(l.isr) == len(l.replicas) {
		return
	}
	p.mu.Lock()
	p.raise()
	waiting := p.waiters.take()
	p.mu.Unlock()
	waiting.wakeAll()
}

// replicate is called when the log has grown from an offset on: followers that
// lag get it later. It needs p.mu.
func (b *Broker) replicate(p *partition, from, now int64) {
	if lags := b.replication.lags.Load(); lags != nil {
		l, m := p.leadership.Load(), b.image.Load()
		for _, id := range l.replicas {
			lag := (*lags)[id]
			if lag == 0 || id == l.leader || !m.alive(id) {
				continue
			}
			if p.endOf(id) == p.log.EndOffset() {
				p.put(follower{id: id, end: from, since: now})
				b.watch(p, id, now)
			}
			if lag > 0 {
				b.follow(p, id, p.log.EndOffset(), lag)
			}
		}
	}
	p.raise()
}

// follow lets a follower reach an offset after a time, unless there was an
// election meanwhile.
func (b *Broker) follow(p *partition, id int32, upTo int64, after time.Duration) {
	epoch := p.leadership.Load().leaderEpoch
	b.clock.AfterFunc(after, func() {
		if b.closed() {
			return
		}
		b.control(func() {
			if p.leadership.Load().leaderEpoch == epoch && b.image.Load().alive(id) {
				b.reach(p, id, upTo)
			}
		})
	})
}

// reach lets a follower have the log up to an offset, and be in sync if that is
// enough. It needs controller.mu.
func (b *Broker) reach(p *partition, id int32, upTo int64) {
	if p.reach(id, upTo, b.nowMs()-b.replication.lagOf(id).Milliseconds()) {
		l := p.leadership.Load()
		if l.leader >= 0 && slices.Contains(l.replicas, id) && !slices.Contains(l.isr, id) {
			next := *l
			next.isr = append(slices.Clone(l.isr), id)
			b.change(p, next, electOnline)
		}
	}
}

// reach says whether the follower has all that is committed.
func (p *partition) reach(id int32, upTo, since int64) bool {
	p.mu.Lock()
	end := p.log.EndOffset()
	for _, f := range p.behind() {
		if f.id == id {
			f.end, f.since = max(f.end, min(upTo, end)), since
			if f.end == end {
				f.end = math.MaxInt64
			}
			p.put(f)
			break
		}
	}
	p.raise()
	enough := p.endOf(id) >= p.highWatermark.Load()
	waiting := p.waiters.take()
	p.mu.Unlock()
	waiting.wakeAll()
	return enough
}

// chase sets the followers that are behind on their way to the log's end, those
// of running brokers. It needs controller.mu.
func (b *Broker) chase(p *partition) {
	m, l := b.image.Load(), p.leadership.Load()
	if l.leader < 0 {
		return
	}
	for _, f := range p.behind() {
		if !m.alive(f.id) {
			continue
		}
		switch lag := b.replication.lagOf(f.id); {
		case lag == 0:
			b.reach(p, f.id, math.MaxInt64)
		case lag > 0:
			b.follow(p, f.id, p.log.EndOffset(), lag)
		}
	}
}

// watch takes a follower out of the ISR when it is behind for longer than
// replica.lag.time.max.ms. It needs p.mu.
func (b *Broker) watch(p *partition, id int32, since int64) {
	if slices.Contains(p.watched, id) {
		return
	}
	p.watched = append(p.watched, id)
	most := b.config.Load().Duration("replica.lag.time.max.ms")
	b.clock.AfterFunc(durationMs(since-b.nowMs())+most, func() {
		if !b.closed() {
			b.control(func() { b.judge(p, id, most) })
		}
	})
}

// judge needs controller.mu.
func (b *Broker) judge(p *partition, id int32, most time.Duration) {
	p.mu.Lock()
	p.watched = slices.DeleteFunc(p.watched, func(o int32) bool { return o == id })
	l := p.leadership.Load()
	late := false
	if i := slices.IndexFunc(p.behind(), func(f follower) bool { return f.id == id }); i >= 0 && slices.Contains(l.isr, id) && id != l.leader {
		since := p.behind()[i].since
		if late = b.nowMs()-since >= most.Milliseconds(); !late {
			b.watch(p, id, since)
		}
	}
	p.mu.Unlock()
	if late {
		next := *l
		next.isr = without(l.isr, id)
		b.change(p, next, electOnline)
	}
}

// truncate takes the log back to an offset, and with it what is known of its
// producers and their transactions. It needs mu.
func (p *partition) truncate(to int64) {
	p.log.Truncate(to)
	if p.producers != nil {
		p.relearn()
	}
}

// closed says whether Close was called.
func (b *Broker) closed() bool {
	select {
	case <-b.closing:
		return true
	default:
		return false
	}
}
