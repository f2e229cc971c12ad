package broker

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file owns what a program does to the logical brokers, and sees of them:
// it stops and starts them, moves leaders and coordinators, and holds followers
// up.

// Errors of the methods that act on brokers; test with errors.Is.
var (
	ErrNoSuchBroker    = errors.New("there is no such broker")
	ErrNoSuchPartition = errors.New("there is no such partition")
	ErrBrokerStopped   = errors.New("the broker is stopped")
	ErrNotInSync       = errors.New("the replica is not in sync")
)

// Node is one logical broker, as [Broker.Brokers] lists it.
type Node struct {
	ID      int32
	Rack    string // empty: none
	Running bool
	Addrs   []string // where it listens when it runs, as host:port
	// Controller: clients that ask are told that this one is the controller.
	Controller bool
	Leads      int           // partitions, those of internal topics included
	Replicas   int           // the same
	OutOfSync  int           // of the replicas
	Lag        time.Duration // of its followers; negative: they stand still
}

// Brokers returns the logical brokers by id, running or not.
func (b *Broker) Brokers() []Node {
	m := b.image.Load()
	all := make([]Node, len(b.nodes))
	for i, n := range b.nodes {
		all[i] = Node{ID: n.id, Running: m.alive(n.id), Addrs: n.addrs(), Lag: b.replication.lagOf(n.id)}
		all[i].Controller = all[i].Running && n == m.live[0]
		if n.rack != nil {
			all[i].Rack = *n.rack
		}
	}
	m.topics.Scan(func(_ string, t *topic) bool {
		for _, p := range t.partitions {
			l := p.leadership.Load()
			for i := range all {
				if l.leader == all[i].ID {
					all[i].Leads++
				}
				if slices.Contains(l.replicas, all[i].ID) {
					all[i].Replicas++
					if !slices.Contains(l.isr, all[i].ID) {
						all[i].OutOfSync++
					}
				}
			}
		}
		return true
	})
	return all
}

func (b *Broker) mustExist(id int32) (*node, error) {
	n := b.nodeByID(id)
	if n == nil {
		return nil, fmt.Errorf("broker %d: %w: they are %d to %d", id, ErrNoSuchBroker, b.nodes[0].id, b.nodes[len(b.nodes)-1].id)
	}
	return n, nil
}

// StopBroker stops one logical broker, as a controlled shutdown does: what it
// leads is led by another replica in sync, in a new leader epoch, and it leaves
// the ISRs. Then its connections are cut and its port is closed. A partition
// that has no other replica in sync has no leader until a replica returns, or
// gets one out of sync if unclean.leader.election.enable says so: the log is
// then cut back to what that one has. Stopping a stopped broker does nothing.
// The error is [ErrNoSuchBroker].
func (b *Broker) StopBroker(id int32) error {
	n, err := b.mustExist(id)
	if err != nil {
		return err
	}
	b.doors.Lock()
	defer b.doors.Unlock()
	if !b.image.Load().alive(id) || b.closed() {
		return nil
	}
	b.control(func() { b.fence(n) })
	_ = n.shut() // it is gone, whatever the system says
	b.conns.stop(n)
	n.fetchSessions.Store(newFetchSessions())
	b.changes.happened()
	b.powered(id, false)
	return nil
}

// fence takes a broker out of the cluster's work. It needs controller.mu.
func (b *Broker) fence(n *node) {
	m := b.image.Load().next()
	m.live = slices.DeleteFunc(slices.Clone(m.live), func(o *node) bool { return o == n })
	b.image.Store(m)
	b.controller.written()
	now := b.nowMs()
	m.eachReplica(n.id, func(p *partition) {
		p.freeze(n.id, now)
		next := *p.leadership.Load()
		next.isr = without(next.isr, n.id)
		b.change(p, next, electOnline)
	})
}

// StartBroker starts a stopped broker again: it listens at its address, its
// replicas catch up and join the ISRs, and partitions without a leader get one.
// What it led before is led by others until an election of preferred leaders.
// Starting a broker that runs does nothing. The error is [ErrNoSuchBroker], or
// that its port was taken meanwhile.
func (b *Broker) StartBroker(id int32) error {
	n, err := b.mustExist(id)
	if err != nil {
		return err
	}
	b.doors.Lock()
	defer b.doors.Unlock()
	if b.closed() {
		return errClosing
	}
	if b.image.Load().alive(id) {
		return nil
	}
	if err := n.reopen(); err != nil {
		return err
	}
	b.conns.start(n)
	b.control(func() { b.unfence(n) })
	b.accepting(n)
	b.powered(id, true)
	return nil
}

// ObserveBrokers calls f when a logical broker was started or stopped, from now
// on and until stop is called. f must not start or stop one itself.
func (b *Broker) ObserveBrokers(f func(id int32, runs bool)) (stop func()) {
	mine := &f
	b.doors.Lock()
	defer b.doors.Unlock()
	b.powerWatchers = append(b.powerWatchers, mine)
	return func() {
		b.doors.Lock()
		defer b.doors.Unlock()
		b.powerWatchers = slices.DeleteFunc(b.powerWatchers, func(g *func(int32, bool)) bool { return g == mine })
	}
}

// powered tells that a broker was started or stopped. It needs Broker.doors.
func (b *Broker) powered(id int32, runs bool) {
	for _, f := range b.powerWatchers {
		(*f)(id, runs)
	}
}

// unfence brings a broker back to the cluster's work. It needs controller.mu.
func (b *Broker) unfence(n *node) {
	m := b.image.Load().next()
	join := func(nodes []*node) []*node {
		if slices.Contains(nodes, n) {
			return nodes
		}
		nodes = append(slices.Clone(nodes), n)
		slices.SortFunc(nodes, func(a, b *node) int { return a.place - b.place })
		return nodes
	}
	m.live, m.registered = join(m.live), join(m.registered)
	b.image.Store(m)
	b.controller.written()
	m.eachReplica(n.id, func(p *partition) {
		if p.leadership.Load().leader < 0 {
			b.change(p, *p.leadership.Load(), electOnline)
		}
		b.chase(p)
	})
}

// MoveLeader makes a broker the leader of a partition, in a new leader epoch. A
// broker that has no replica gets the old leader's, so that this works on topics
// with one replica, too. The errors are [ErrNoSuchPartition], [ErrNoSuchBroker],
// [ErrBrokerStopped] and [ErrNotInSync]. What only the old leader has, because
// the new one lags, is lost.
func (b *Broker) MoveLeader(topic string, partition, id int32) error {
	if _, err := b.mustExist(id); err != nil {
		return err
	}
	var err error
	b.control(func() {
		m := b.image.Load()
		p := m.topic(topic).partition(partition)
		switch {
		case p == nil:
			err = fmt.Errorf("%s-%d: %w", topic, partition, ErrNoSuchPartition)
			return
		case !m.alive(id):
			err = fmt.Errorf("broker %d cannot lead %s-%d: %w", id, topic, partition, ErrBrokerStopped)
			return
		}
		next := *p.leadership.Load()
		switch {
		case next.leader == id:
			return
		case !slices.Contains(next.replicas, id):
			old := next.leader
			if old < 0 {
				old = next.replicas[0]
			}
			swap := func(ids []int32) []int32 {
				ids = slices.Clone(ids)
				if i := slices.Index(ids, old); i >= 0 {
					ids[i] = id
				}
				return ids
			}
			next.replicas, next.isr, next.elr = swap(next.replicas), swap(next.isr), without(next.elr, old)
			if !slices.Contains(next.isr, id) {
				next.isr = append(next.isr, id)
			}
		case !slices.Contains(next.isr, id):
			err = fmt.Errorf("broker %d cannot lead %s-%d: %w", id, topic, partition, ErrNotInSync)
			return
		}
		next.leader, next.leaderEpoch, next.lastKnown = id, next.leaderEpoch+1, 0
		b.lead(p, &next)
	})
	return err
}

// Coordinator is the id of the broker that coordinates a group; -1 while there
// is none.
func (b *Broker) Coordinator(group string) int32 {
	return b.coordinatorOf(groupMetadataTopic, group)
}

// TransactionCoordinator is the id of the broker that coordinates a
// transactional id; -1 while there is none.
func (b *Broker) TransactionCoordinator(transactionalID string) int32 {
	return b.coordinatorOf(transactionStateTopic, transactionalID)
}

// MoveCoordinator makes a broker the coordinator of a group: the leader of the
// partition of __consumer_offsets that has its offsets, and so of all groups
// there. Requests that wait at the old one are answered with NOT_COORDINATOR;
// the group keeps its members and offsets. The errors are those of
// [Broker.MoveLeader]. With one broker there is nowhere to go: inject
// fault.Fail(kmsg.Heartbeat, kerr.NotCoordinator), or
// kerr.CoordinatorLoadInProgress, in its place.
func (b *Broker) MoveCoordinator(group string, id int32) error {
	return b.moveCoordinator(groupMetadataTopic, group, id)
}

// MoveTransactionCoordinator makes a broker the coordinator of a transactional
// id, and of all others whose state is in the same partition of
// __transaction_state. Open transactions go on. The errors are those of
// [Broker.MoveLeader].
func (b *Broker) MoveTransactionCoordinator(transactionalID string, id int32) error {
	return b.moveCoordinator(transactionStateTopic, transactionalID, id)
}

func (b *Broker) moveCoordinator(topic, key string, id int32) error {
	t := b.internalTopic(topic)
	if t == nil {
		return fmt.Errorf("%s: %w", topic, ErrNoSuchPartition)
	}
	return b.MoveLeader(topic, t.partitionOf(key).index, id)
}

// SetFollowerLag sets how long after the leader a broker's followers get
// records: 0, the default, at once; negative: not at all, until it is set again.
// Followers that are behind for longer than replica.lag.time.max.ms leave the
// ISR, and join it again when they have caught up. The error is
// [ErrNoSuchBroker].
func (b *Broker) SetFollowerLag(id int32, lag time.Duration) error {
	if _, err := b.mustExist(id); err != nil {
		return err
	}
	b.control(func() {
		lags := make(map[int32]time.Duration)
		if old := b.replication.lags.Load(); old != nil {
			for k, v := range *old {
				lags[k] = v
			}
		}
		lags[id] = lag
		if lag == 0 {
			delete(lags, id)
		}
		b.replication.lags.Store(&lags)
		if len(lags) == 0 {
			b.replication.lags.Store(nil)
		}
		b.image.Load().eachReplica(id, b.chase)
	})
	return nil
}

// Replica is one replica of a partition.
type Replica struct {
	Broker  int32
	End     int64 // its log end offset: what it has is below
	InSync  bool
	Running bool // its broker runs
}

// Partition is one partition of a topic, as [Topic.Partitions] lists it.
type Partition struct {
	Index         int32
	Leader        int32 // -1: none
	LeaderEpoch   int32
	Replicas      []Replica // the preferred leader first
	StartOffset   int64
	HighWatermark int64 // consumers read what is below
	EndOffset     int64 // the leader's log ends here
}

// Partitions returns the topic's partitions with their leaders and replicas. It
// is empty where there is no such topic.
func (t Topic) Partitions() []Partition {
	m := t.b.image.Load()
	var all []Partition
	for _, p := range t.partitions() {
		l := p.leadership.Load()
		as := Partition{
			Index: p.index, Leader: l.leader, LeaderEpoch: l.leaderEpoch,
			StartOffset: p.log.StartOffset(), HighWatermark: p.highWatermark.Load(), EndOffset: p.log.EndOffset(),
		}
		for _, id := range l.replicas {
			as.Replicas = append(as.Replicas, Replica{Broker: id, End: p.endOf(id), InSync: slices.Contains(l.isr, id), Running: m.alive(id)})
		}
		all = append(all, as)
	}
	return all
}

// allRunning starts the brokers that are stopped and ends all lags, for Reset.
func (b *Broker) allRunning() {
	for _, n := range b.nodes {
		if err := b.StartBroker(n.id); err != nil {
			b.log.Error("a stopped broker cannot be started again", "broker", n.id, "error", err)
		}
	}
	b.replication.lags.Store(nil)
}
