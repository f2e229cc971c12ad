package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file owns the rebalance: from the first reason for one to the next
// generation, and everything that time alone brings about.

// rebalance starts a rebalance, or takes the running one a step further.
func (g *Classic) rebalance(e Event) {
	if g.state == PreparingRebalance {
		g.event(e)
		g.completeJoinIfAll()
	} else {
		g.prepareRebalance(e)
	}
}

// prepareRebalance makes the group wait for all its members to join. They
// learn of it by their heartbeats or, if they wait for an assignment, at
// once.
func (g *Classic) prepareRebalance(e Event) {
	if g.state == CompletingRebalance {
		for _, m := range g.order {
			m.assignment = noAssignment
			if m.sync.waits { // its session may have run out while it waited
				g.answerSync(m, refusedSync(kerr.RebalanceInProgress))
				g.expectHeartbeat(m, m.sessionTimeout)
			}
		}
	}
	g.forgetSyncs()
	initial := g.state == Empty
	g.transition(PreparingRebalance, e)
	switch {
	case initial && g.cfg.InitialRebalanceDelay > 0:
		// More members probably start at the same moment: wait for them
		// rather than rebalance for each (KIP-134).
		g.delay = g.cfg.InitialRebalanceDelay
		g.delayLeft = max(g.rebalanceTimeout()-g.delay, 0)
		g.memberAdded = false
		g.joinDeadline = g.now.Add(g.delay)
	case initial || g.allJoined():
		g.completeJoin()
	default:
		g.joinDeadline = g.now.Add(g.rebalanceTimeout())
	}
}

// completeJoinIfAll ends the wait for joins if nobody is missing. The initial
// delay runs its full time.
func (g *Classic) completeJoinIfAll() {
	if g.state == PreparingRebalance && g.previous != Empty && g.allJoined() {
		g.completeJoin()
	}
}

// joinTimeUp ends the wait for joins, unless the initial delay is extended
// because more members came.
func (g *Classic) joinTimeUp() {
	if g.previous == Empty && g.memberAdded && g.delayLeft > 0 {
		g.memberAdded = false
		last := g.delay
		g.delay = min(g.cfg.InitialRebalanceDelay, g.delayLeft)
		g.delayLeft = max(g.delayLeft-last, 0)
		g.joinDeadline = g.now.Add(g.delay)
		return
	}
	g.completeJoin()
}

// completeJoin starts the next generation with those that joined.
func (g *Classic) completeJoin() {
	g.joinDeadline = time.Time{}
	// Who did not join in time is out. A static member keeps its place until
	// its session ends: it may be restarting (KIP-345).
	if g.awaitingJoin < len(g.order) {
		var late []*member
		for _, m := range g.order {
			if !m.join.waits && m.instance == nil {
				late = append(late, m)
			}
		}
		for _, m := range late {
			g.remove(m)
			g.event(Event{Member: m.id, Why: "member did not rejoin within the rebalance timeout"})
		}
	}
	if len(g.order) > 0 && !g.electJoinedLeader() {
		// Only static members, all away. Wait for one, or for the ends of
		// their sessions. At least a second, should their timeout be nothing.
		g.joinDeadline = g.now.Add(max(g.rebalanceTimeout(), time.Second))
		return
	}
	g.generation++
	g.forgetSyncs()
	if len(g.order) == 0 {
		g.protocol = ""
		g.readSubscription()
		g.transition(Empty, Event{Why: "all members left"})
		g.storeGeneration()
		g.cleanupSoon()
		return
	}
	g.protocol = g.selectProtocol()
	g.readSubscription()
	g.transition(CompletingRebalance, Event{Member: g.leader.id, Why: "next generation"})
	protocolType, protocol := g.protocolType, g.protocol
	for _, m := range g.order {
		if m.join.waits {
			g.answerJoin(m, g.joined(m, &protocolType, &protocol))
		}
		m.isNew = false
		m.unsynced = true
		g.expectHeartbeat(m, m.sessionTimeout)
	}
	g.awaitingSync = len(g.order)
	g.syncDeadline = g.now.Add(g.rebalanceTimeout())
}

// electJoinedLeader makes sure that the leader is a member that joined: it
// must do the assignment. False if nobody did.
func (g *Classic) electJoinedLeader() bool {
	if g.leader.join.waits {
		return true
	}
	for _, m := range g.order {
		if m.join.waits {
			g.leader = m
			return true
		}
	}
	return false
}

// synced notes that a member need not call SyncGroup any more.
func (g *Classic) synced(m *member) {
	if !m.unsynced {
		return
	}
	m.unsynced = false
	g.awaitingSync--
	if g.awaitingSync == 0 {
		g.syncDeadline = time.Time{}
	}
}

func (g *Classic) forgetSyncs() {
	for _, m := range g.order {
		m.unsynced = false
	}
	g.awaitingSync = 0
	g.syncDeadline = time.Time{}
}

func (g *Classic) readSubscription() {
	g.subscribed = subscription{}
	if g.protocolType != consumerProtocol {
		return
	}
	metadata := make([][]byte, len(g.order))
	for i, m := range g.order {
		metadata[i] = m.metadata(g.protocol)
	}
	g.subscribed = readSubscription(metadata)
}

// Expire does what is due at now: sessions, rebalances and offsets that ran
// out. It may be called too early.
func (g *Classic) Expire(now time.Time) Effects {
	g.now = now
	for {
		at := g.deadline()
		if at.IsZero() || at.After(now) {
			return g.effects()
		}
		switch at {
		case g.joinDeadline:
			g.joinTimeUp()
		case g.syncDeadline:
			g.syncTimeUp()
		case g.sessionsFrom:
			g.expireSessions()
		default:
			g.cleanup()
		}
	}
}

// syncTimeUp removes the members that joined and never asked for their
// assignment.
func (g *Classic) syncTimeUp() {
	var late []*member
	for _, m := range g.order {
		if m.unsynced {
			late = append(late, m)
		}
	}
	for _, m := range late {
		g.remove(m)
		g.event(Event{Member: m.id, Why: "member did not sync within the rebalance timeout"})
	}
	g.prepareRebalance(Event{Why: "members did not sync"})
}

// expireSessions removes the members that fell silent and the handed-out ids
// that never joined. It is the only place that looks at all of them, once per
// session timeout.
func (g *Classic) expireSessions() {
	var next time.Time
	var silent []*member
	for _, m := range g.order {
		switch {
		case m.deadline.IsZero():
		case m.deadline.After(g.now):
			next = earlier(next, m.deadline)
		default:
			m.deadline = time.Time{}
			// Who waits for an answer cannot send heartbeats, and gets a new
			// session with it.
			if m.isNew || !m.join.waits && !m.sync.waits {
				silent = append(silent, m)
			}
		}
	}
	dropped := false
	for id, deadline := range g.pending {
		if deadline.After(g.now) {
			next = earlier(next, deadline)
		} else {
			g.noLongerPending(id)
			dropped = true
		}
	}
	g.sessionsFrom = next
	if dropped && g.state == PreparingRebalance && g.allJoined() {
		g.completeJoin()
	}
	for _, m := range silent {
		// The one before may have ended the rebalance that this one waited
		// for: then it has a new session.
		if g.member(m.id) != m || !m.deadline.IsZero() {
			continue
		}
		g.remove(m)
		e := Event{Member: m.id, Why: "member's session timed out"}
		switch g.state {
		case Stable, CompletingRebalance:
			g.prepareRebalance(e)
		default:
			g.event(e)
			if g.state == PreparingRebalance && g.allJoined() {
				g.completeJoin()
			}
		}
	}
}

// cleanup forgets expired offsets, and the group with its last one.
func (g *Classic) cleanup() {
	g.cleanupAt = time.Time{}
	if since, ok := g.retentionStart(); ok {
		g.expireOffsets(since, g.isSubscribed)
	}
	if g.state == Empty && g.offsets.None() {
		g.storeGone()
		g.die("empty, and nothing committed")
	}
}

// retentionStart says from when retention counts: a moment in milliseconds,
// or -1 for each offset's commit (KIP-211). False: nothing expires now.
func (g *Classic) retentionStart() (since int64, ok bool) {
	switch {
	case g.protocolType == "": // commits only, no members ever
		return -1, true
	case g.state == Empty:
		return g.stateSince.UnixMilli(), true
	case g.state == Stable && g.subscribed.known:
		return -1, true
	}
	return 0, false
}

// isSubscribed tells whether members consume the topic. Where the broker
// cannot read what consumers subscribe to, all topics count.
func (g *Classic) isSubscribed(topic string) bool {
	if !g.subscribed.known {
		return g.protocolType == consumerProtocol
	}
	_, ok := slices.BinarySearch(g.subscribed.topics, topic)
	return ok
}
