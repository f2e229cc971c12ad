package group

import "time"

// This file owns when members were last heard of, for people who look.

// Heard is when each member's session began anew: its latest heartbeat, or what
// counts as one. A member whose session does not run now is not in it.
func (g *Group) Heard() map[string]time.Time {
	heard := make(map[string]time.Time)
	note := func(id string, ends time.Time, session time.Duration) {
		if !ends.IsZero() {
			heard[id] = ends.Add(-session)
		}
	}
	switch k := g.is().(type) {
	case *Classic:
		for _, m := range k.order {
			note(m.id, m.deadline, m.sessionTimeout)
		}
	case *Consumer:
		for id, m := range k.members {
			session := k.timing.SessionTimeout
			if m.classic != nil {
				session = m.classic.sessionTimeout
			}
			note(id, m.session, session)
		}
	case *Share:
		for id, m := range k.members {
			note(id, m.session, k.timing.SessionTimeout)
		}
	case *Streams:
		for id, m := range k.members {
			note(id, m.session, k.settings.SessionTimeout)
		}
	}
	return heard
}
