package broker

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file owns where the replicas of new partitions go
// (org.apache.kafka.metadata.placement.StripedReplicaPlacer): over the racks in
// turn, and in a rack over its brokers in turn; each partition begins one
// further on. Stopped brokers get replicas only when the others do not suffice,
// and none leads.

// placer hands out replicas for one topic's new partitions.
type placer struct {
	random     func(n int) int
	racks      []*rack
	live       int // brokers that run
	registered int
	begun      int // partitions since the last shuffle
	first      int // the rack of the next leader
}

type rack struct {
	name             string
	running, stopped turn
}

// turn is brokers of which each is next in turn.
type turn struct {
	ids        []int32
	from, used int
	round      int
}

// newPlacer places partitions behind those that the topic has already.
func (b *Broker) newPlacer(have []*partition) *placer {
	m := b.image.Load()
	s := &placer{random: func(n int) int { return int(b.random.uint64() % uint64(n)) }, live: len(m.live), registered: len(m.registered)}
	rackOf := make(map[int32]*rack)
	for _, n := range m.registered {
		name := ""
		if n.rack != nil {
			name = *n.rack
		}
		i := slices.IndexFunc(s.racks, func(r *rack) bool { return r.name == name })
		if i < 0 {
			i = len(s.racks)
			s.racks = append(s.racks, &rack{name: name})
		}
		r := s.racks[i]
		rackOf[n.id] = r
		if m.alive(n.id) {
			r.running.ids = append(r.running.ids, n.id)
		} else {
			r.stopped.ids = append(r.stopped.ids, n.id)
		}
	}
	slices.SortFunc(s.racks, func(a, b *rack) int { return strings.Compare(a.name, b.name) })
	for _, r := range s.racks {
		for _, t := range []*turn{&r.running, &r.stopped} {
			if len(t.ids) > 0 {
				t.from = s.random(len(t.ids))
			}
		}
		r.goOn(have, rackOf)
	}
	if len(s.racks) > 0 {
		s.first = s.random(len(s.racks))
	}
	if n := len(have); n > 0 {
		if i := slices.Index(s.racks, rackOf[have[n-1].leadership.Load().replicas[0]]); i >= 0 {
			s.first = i + 1
		}
	}
	return s
}

// goOn begins behind the broker of the rack that got a replica last.
func (r *rack) goOn(have []*partition, rackOf map[int32]*rack) {
	for _, p := range slices.Backward(have) {
		for _, id := range p.leadership.Load().replicas {
			if rackOf[id] == r {
				if at := slices.Index(r.running.ids, id); at >= 0 {
					r.running.from = (at + 1) % len(r.running.ids)
				}
				return
			}
		}
	}
}

// next is the next broker of a round; -1 when all had their turn.
func (t *turn) next(round int) int32 {
	if len(t.ids) == 0 {
		return -1
	}
	if t.round != round {
		t.round, t.used = round, 0
		t.from = (t.from + 1) % len(t.ids)
	}
	if t.used == len(t.ids) {
		return -1
	}
	t.used++
	return t.ids[(t.from+t.used-1)%len(t.ids)]
}

// check says whether so many replicas can be had at all.
func (s *placer) check(replicas int) *apiError {
	switch {
	case s.live == 0:
		return fail(kerr.InvalidReplicationFactor, "All brokers are currently fenced or have all their log directories cordoned.")
	case replicas > s.registered:
		return fail(kerr.InvalidReplicationFactor, "The target replication factor of %d cannot be reached because only %d broker(s) are registered or some brokers have all their log directories cordoned.", replicas, s.registered)
	}
	return nil
}

// place is the brokers of the next partition, the leader first.
func (s *placer) place(replicas int) []int32 {
	if s.begun == s.live && s.live > 1 {
		s.shuffle() // so that the same sets of brokers do not come again
	}
	s.first %= len(s.racks)
	ids := make([]int32, 0, replicas)
	lead := s.first
	for {
		if id := s.racks[lead].running.next(s.begun); id >= 0 {
			ids = append(ids, id)
			break
		}
		lead = (lead + 1) % len(s.racks)
	}
	for at := s.first; len(ids) < replicas; at = (at + 1) % len(s.racks) {
		if at == lead {
			lead = -1 // the leader's rack had its turn
			continue
		}
		id := s.racks[at].running.next(s.begun)
		if id < 0 {
			id = s.racks[at].stopped.next(s.begun)
		}
		if id >= 0 {
			ids = append(ids, id)
		}
	}
	s.begun++
	s.first++
	return ids
}

func (s *placer) shuffle() {
	s.begun = 0
	for i := len(s.racks) - 1; i > 0; i-- {
		j := s.random(i + 1)
		s.racks[i], s.racks[j] = s.racks[j], s.racks[i]
	}
	for _, r := range s.racks {
		for _, t := range []*turn{&r.running, &r.stopped} {
			for i := len(t.ids) - 1; i > 0; i-- {
				j := s.random(i + 1)
				t.ids[i], t.ids[j] = t.ids[j], t.ids[i]
			}
		}
	}
}

// placed is the leadership of a new partition with these replicas; nil if none
// of their brokers runs.
func (m *image) placed(replicas []int32) *leadership {
	l := &leadership{replicas: replicas, isr: replicas}
	if slices.ContainsFunc(replicas, func(id int32) bool { return !m.alive(id) }) {
		l.isr = slices.DeleteFunc(slices.Clone(replicas), func(id int32) bool { return !m.alive(id) })
	}
	if len(l.isr) == 0 {
		return nil
	}
	l.leader = l.isr[0]
	return l
}
