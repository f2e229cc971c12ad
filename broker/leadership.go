package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file owns who leads a partition: its replicas, those in sync, and the
// rules of elections (org.apache.kafka.controller.PartitionChangeBuilder). What
// replicas have of the log is in replication.go.

// leadership says who has a partition. It never changes; partitions with the
// same replicas share one.
type leadership struct {
	leader      int32 // -1: none
	leaderEpoch int32
	replicas    []int32
	isr         []int32
	// elr is the replicas that have all committed records although they left
	// the ISR: it has fewer members than min.insync.replicas, so nothing was
	// committed since (KIP-966).
	elr []int32
	// lastKnown led last, before the ISR was empty; 0: nobody.
	lastKnown int32
	// adding and removing are the part of replicas that a reassignment under way
	// brings and takes away (KIP-455).
	adding, removing []int32
}

// check says whether node may answer for a partition to a client that takes
// epoch for the current leader epoch; -1 is a client that does not say
// (KIP-320). It returns an error code.
func (l *leadership) check(n *node, epoch int32) int16 {
	switch {
	case epoch != -1 && epoch < l.leaderEpoch:
		return kerr.FencedLeaderEpoch.Code
	case epoch != -1 && epoch > l.leaderEpoch:
		return kerr.UnknownLeaderEpoch.Code
	case l.leader != n.id:
		return kerr.NotLeaderForPartition.Code
	}
	return 0
}

// Ways to elect (KIP-460; the first two are a client's to ask for).
const (
	electPreferred int8 = 0
	electUnclean   int8 = 1
	electOnline    int8 = 2 // only if there must be another leader
)

// settle brings the changes that next has over l to their end: a reassignment
// whose new replicas are in sync is complete, replicas that leave an ISR that is
// too small stay eligible, and there is a leader if there can be one. It returns
// l itself if nothing has changed. A minISR of 0 is that of a cluster without
// eligible leaders: the last of an ISR stays in it.
func (l *leadership) settle(next leadership, how int8, minISR int, alive func(int32) bool) *leadership {
	if minISR == 0 && len(next.isr) == 0 {
		next.isr = l.isr
	}
	if len(next.adding)+len(next.removing) > 0 {
		if isr := without(next.isr, next.removing...); len(isr) > 0 && containsAll(isr, next.adding) {
			next.isr, next.replicas = isr, without(next.replicas, next.removing...)
			next.adding, next.removing = nil, nil
		}
	}
	if len(next.isr) >= min(minISR, len(next.replicas)) {
		next.elr = nil
	} else {
		eligible := slices.Clone(next.elr)
		for _, id := range l.isr {
			if !slices.Contains(eligible, id) {
				eligible = append(eligible, id)
			}
		}
		next.elr = without(eligible, next.isr...)
	}
	leader, unclean := l.elect(&next, how, alive)
	next.leader, next.leaderEpoch = leader, l.leaderEpoch
	switch {
	case leader != l.leader:
		next.leaderEpoch++
		if unclean {
			next.isr, next.elr = []int32{leader}, nil
		} else if slices.Contains(next.elr, leader) {
			next.isr, next.elr = []int32{leader}, without(next.elr, leader)
		}
	case !containsAll(next.replicas, l.replicas):
		next.leaderEpoch++ // who is no replica any more must notice
	}
	switch {
	case leader >= 0:
		next.lastKnown = 0
	case len(next.isr) == 0 && l.leader >= 0:
		next.lastKnown = l.leader
	}
	if l.same(&next) {
		return l
	}
	return &next
}

// elect chooses the leader of next, which follows l.
func (l *leadership) elect(next *leadership, how int8, alive func(int32) bool) (leader int32, unclean bool) {
	may := func(id int32) bool {
		return alive(id) && (slices.Contains(next.isr, id) || len(next.isr) == 0 && slices.Contains(next.elr, id))
	}
	switch {
	case how == electPreferred && may(next.replicas[0]):
		return next.replicas[0], false
	case l.leader >= 0 && may(l.leader):
		return l.leader, false
	}
	if i := slices.IndexFunc(next.replicas, may); i >= 0 {
		return next.replicas[i], false
	}
	if len(next.isr)+len(next.elr) == 0 && l.lastKnown > 0 && alive(l.lastKnown) {
		return l.lastKnown, true
	}
	if how == electUnclean {
		if i := slices.IndexFunc(next.replicas, alive); i >= 0 {
			return next.replicas[i], true
		}
	}
	return -1, false
}

func (l *leadership) same(o *leadership) bool {
	return l.leader == o.leader && l.leaderEpoch == o.leaderEpoch && l.lastKnown == o.lastKnown &&
		slices.Equal(l.replicas, o.replicas) && slices.Equal(l.isr, o.isr) && slices.Equal(l.elr, o.elr) &&
		slices.Equal(l.adding, o.adding) && slices.Equal(l.removing, o.removing)
}

func without(ids []int32, gone ...int32) []int32 {
	left := make([]int32, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(gone, id) {
			left = append(left, id)
		}
	}
	return left
}

func containsAll(ids, wanted []int32) bool {
	for _, id := range wanted {
		if !slices.Contains(ids, id) {
			return false
		}
	}
	return true
}

// change makes next of a partition's leadership, as far as that goes, and elects
// a leader if there must be another; false if nothing has changed. It needs
// controller.mu.
func (b *Broker) change(p *partition, next leadership, how int8) bool {
	l := p.leadership.Load()
	s := p.settings.Load()
	if how == electOnline && s.UncleanElection {
		how = electUnclean
	}
	minISR := int(s.MinInsyncReplicas)
	if (*b.features.Load())[eligibleLeaders] == 0 {
		minISR = 0
	}
	settled := l.settle(next, how, minISR, b.image.Load().alive)
	if settled == l {
		return false
	}
	b.lead(p, settled)
	return true
}

// lead gives a partition another leadership. It needs controller.mu.
func (b *Broker) lead(p *partition, l *leadership) {
	was := p.leadership.Load()
	owed := p.lead(l)
	b.controller.written()
	for _, m := range owed {
		_ = b.endTransaction(p, m) // refused: it ended otherwise meanwhile
	}
	b.chase(p)
	b.tipped(l)
	if was.leader != l.leader && p.topicName == groupMetadataTopic {
		b.controller.moved = append(b.controller.moved, p)
	}
}

// control runs f with controller.mu held, and afterwards tells the groups whose
// coordinator has moved.
func (b *Broker) control(f func()) {
	b.controller.mu.Lock()
	f()
	moved := b.controller.moved
	b.controller.moved = nil
	b.controller.mu.Unlock()
	b.changes.happened()
	for _, p := range moved {
		b.groups.moved(p)
	}
}

// lead gives the partition another leader, or the same one in a new epoch, and
// other replicas. What the new leader does not have is gone. Those who wait are
// woken, to be told. It returns the markers that nobody was there to take.
func (p *partition) lead(l *leadership) (owed []*marker) {
	p.mu.Lock()
	began := p.leadership.Load().leaderEpoch != l.leaderEpoch
	p.leadership.Store(l)
	p.succeed(l)
	if began {
		p.epochStart.Store(p.log.EndOffset())
	}
	if l.leader >= 0 {
		owed, p.owed = p.owed, nil
	}
	waiting := p.waiters.take()
	p.mu.Unlock()
	waiting.wakeAll()
	return owed
}

// eachReplica runs f for each partition that has a replica on a broker.
func (m *image) eachReplica(id int32, f func(p *partition)) {
	m.topics.Scan(func(_ string, t *topic) bool {
		for _, p := range t.partitions {
			if slices.Contains(p.leadership.Load().replicas, id) {
				f(p)
			}
		}
		return true
	})
}
