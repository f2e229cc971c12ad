package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Moved is called when another broker has become the group's coordinator and
// has read the group from its records. Requests that wait at the old one are
// answered with NOT_COORDINATOR: their clients look for the new one and come
// again.
func (g *Group) Moved(now time.Time) Effects {
	if c, ok := g.is().(*Classic); ok {
		return c.moved(now)
	}
	return Effects{} // nothing of other groups waits, and their sessions are long
}

// moved gives each member a new session, as a coordinator does that has just
// loaded the group. Members whose first join was not answered were never stored,
// and are not known to the new one.
func (g *Classic) moved(now time.Time) Effects {
	g.now = now
	var unknown []*member
	for _, m := range g.order {
		g.answerJoin(m, refusedJoin(m.id, kerr.NotCoordinator))
		g.answerSync(m, refusedSync(kerr.NotCoordinator))
		if m.isNew {
			unknown = append(unknown, m)
			continue
		}
		g.expectHeartbeat(m, m.sessionTimeout)
	}
	for _, m := range unknown {
		g.remove(m)
		g.event(Event{Member: m.id, Why: "the coordinator moved before the member had joined"})
	}
	return g.effects()
}
