package group

import (
	"slices"
	"time"
)

// This file owns how one member of a streams group gets from what it has to its
// target (org.apache.kafka.coordinator.group.streams.CurrentAssignmentBuilder).

// reconcile takes a member as far towards its target as it can go now. has is
// what it says it has; nil says nothing.
func (g *Streams) reconcile(m *streamer, has *roles) {
	epoch, previous, phase := m.epoch, m.previous, m.phase
	assigned, revoking := m.assigned, m.revoking
	switch {
	case m.phase == stable && m.epoch == g.assignmentEpoch:
		return
	case m.phase != unrevoked:
		g.advance(m, m.epoch, has)
	case has == nil || has.shares(m.revoking):
		return
	default:
		// It has left what it had at its epoch: whoever sends that epoch now
		// is late.
		g.advance(m, m.epoch+1, has)
	}
	if epoch == m.epoch && previous == m.previous && phase == m.phase && assigned.equal(m.assigned) && revoking.equal(m.revoking) {
		return
	}
	g.note(m)
	g.storeCurrent(m)
	if epoch != m.epoch || phase != m.phase || !assigned.equal(m.assigned) {
		g.event(Event{Member: m.id, Why: m.where()})
	}
	m.rebalance = time.Time{}
	if m.phase == unrevoked {
		g.within(&m.rebalance, millis(m.rebalanceMillis))
	}
}

func (m *streamer) where() string {
	switch m.phase {
	case unrevoked:
		return "member must give up tasks"
	case unreleased:
		return "member waits for tasks of others"
	}
	return "member reached its target"
}

// advance computes what the member has next. epoch is its own until it has
// given up what it must.
func (g *Streams) advance(m *streamer, epoch int32, has *roles) {
	// A task must be let go by whoever runs it, and by its copy in the same
	// process: state is one directory there.
	mine := func(h taskHolders) bool {
		return slices.ContainsFunc(h.copies, func(other *streamer) bool { return other.process == m.process })
	}
	active := g.diff(m.assigned.active, m.target.active, true, func(h taskHolders) bool { return h.active != nil || mine(h) })
	copies := func(h taskHolders) bool { return h.active != nil && h.active.process == m.process || mine(h) }
	standby := g.diff(m.assigned.standby, m.target.standby, false, copies)
	warmup := g.diff(m.assigned.warmup, m.target.warmup, false, copies)
	revoke := roles{active.revoke, standby.revoke, warmup.revoke}
	if !revoke.none() && (has == nil || has.shares(revoke)) {
		m.phase = unrevoked
		m.previous, m.epoch = m.epoch, epoch
		g.setTasks(m, roles{active.keep, standby.keep, warmup.keep}, revoke)
		return
	}
	m.phase = stable
	if active.waits || standby.waits || warmup.waits {
		m.phase = unreleased
	}
	m.previous, m.epoch = m.epoch, g.assignmentEpoch
	g.setTasks(m, roles{active.next, standby.next, warmup.next}, roles{})
}

// taskDiff is the way from some tasks to others.
type taskDiff struct {
	keep, revoke tasks
	next         tasks // what it keeps, and what is free
	waits        bool  // some that it is to have are not free
}

func (g *Streams) diff(from, to tasks, epochs bool, taken func(taskHolders) bool) taskDiff {
	if len(from) == 0 && len(to) == 0 {
		return taskDiff{}
	}
	keep, revoke, next := taskBuilder{epochs: epochs}, taskBuilder{epochs: epochs}, taskBuilder{epochs: epochs}
	from.each(func(subtopology string, partition, since int32) {
		if to.has(subtopology, partition) {
			keep.add(subtopology, partition, since)
			next.add(subtopology, partition, since)
		} else {
			revoke.add(subtopology, partition, since)
		}
	})
	waits := false
	to.each(func(subtopology string, partition, _ int32) {
		switch {
		case from.has(subtopology, partition):
		case taken(g.holdersOf(subtopology, partition)):
			waits = true
		default:
			next.add(subtopology, partition, g.assignmentEpoch)
		}
	})
	return taskDiff{keep.done(), revoke.done(), next.done(), waits}
}
