package broker

import (
	"maps"
	"slices"
	"time"

	"minibroker/broker/group"
	"minibroker/broker/share"
)

// This file owns how a program sees how far share groups are (KIP-932): their
// positions, and the records that are with members.

// SharePosition is how far a share group is in one partition. All before Start
// is done.
type SharePosition struct {
	Start   int64          // the share-partition start offset; -1: the group has not begun here
	End     int64          // behind the last record that was handed out; Start where none is in flight
	Lag     int64          // how many records from Start to the high watermark are not done
	Records []ShareRecords // those from Start to End that were handed out, in order
}

// ShareRecords is a run of records that are in one state.
type ShareRecords struct {
	First, Last int64     // offsets
	State       string    // Available, Acquired, Acknowledged or Archived
	Deliveries  int       // how often they were delivered
	Member      string    // who has them; empty unless they are Acquired
	Until       time.Time // when that member's lock ends, on the broker's clock; zero unless they are Acquired
}

// Shares returns how far a share group is in the partitions of a topic that it
// has a state of. A group of another kind has none.
func (g Group) Shares(topic string) map[int32]SharePosition {
	t := g.b.image.Load().topic(topic)
	if t == nil {
		return nil
	}
	all := make(map[int32]SharePosition)
	for _, p := range g.b.shares.ofGroup(g.id) {
		log := t.partition(p.key.Partition)
		if p.key.Topic != t.id || log == nil {
			continue
		}
		if at, ok := g.b.shares.position(p, log); ok {
			all[p.key.Partition] = at
		}
	}
	return all
}

// ShareTopics returns the names of the topics in which a share group has
// positions, in order.
func (g Group) ShareTopics() []string {
	m, names := g.b.image.Load(), make(map[string]bool)
	for _, p := range g.b.shares.ofGroup(g.id) {
		if t := m.topicByID(p.key.Topic); t != nil {
			names[t.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// position is how far the group is; false: it has no state of the partition.
func (s *shares) position(p *sharePartition, log *partition) (at SharePosition, ok bool) {
	reset := s.b.shareSettings(p.key.Group).reset
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.state == nil {
		return at, false
	}
	live := p.live
	if live == nil { // nobody fetches: what is stored is what there is
		start := p.state.Start
		if start == -1 {
			at.Start, at.End = -1, -1
			at.Lag = max(0, log.highWatermark.Load()-s.begin(log, reset))
			return at, true
		}
		live = share.Load(p.state, max(start, log.log.StartOffset()))
	}
	at.Start, at.End = live.Start(), live.Start()
	at.Lag = max(0, log.highWatermark.Load()-at.Start-int64(live.Complete()))
	live.Each(func(r share.StateBatch, member string, until time.Time) {
		if r.Last < at.Start {
			return
		}
		at.End = r.Last + 1
		at.Records = append(at.Records, ShareRecords{max(r.First, at.Start), r.Last, r.State.String(), int(r.DeliveryCount), member, until})
	})
	return at, true
}

// shareSnapshot is what a snapshot has of one share group.
type shareSnapshot struct {
	epoch  int32
	begun  []group.BegunTopic
	states map[share.PartitionKey]*share.State
}

// snapshot copies the stored states of a share group's partitions. What is on
// loan is not among them, as when all members lose their connections.
func (s *shares) snapshot(id string) map[share.PartitionKey]*share.State {
	states := make(map[share.PartitionKey]*share.State)
	for _, p := range s.ofGroup(id) {
		p.mu.Lock()
		if !p.gone && p.state != nil {
			states[p.key] = p.state.Clone()
		}
		p.mu.Unlock()
	}
	return states
}

// restore brings states back, and stores them.
func (s *shares) restore(states map[share.PartitionKey]*share.State) {
	for key, state := range states {
		s.with(key, func(p *sharePartition) {
			p.state = state.Clone()
			s.store(key, p.state.SnapshotAgain(key, s.b.nowMs()))
		})
	}
}
