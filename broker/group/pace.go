package group

import "time"

// This file owns how long members are told to wait between heartbeats. By them
// alone they learn what became of the group: which partitions to give up, and
// which they may have.

// shortestInterval is the least time between a member's heartbeats, and
// perMember what each member of a group makes of that at least: no group is to
// send more than five thousand a second.
const (
	shortestInterval = 25 * time.Millisecond
	perMember        = 200 * time.Microsecond
)

// pace is how often the members of a group are to ask.
type pace struct {
	changed time.Time // when the group's newest epoch began
}

// interval is how long a member is to wait. Changes come in bursts: where there
// was one lately the next may be near. So members wait an eighth of the time
// that the group has been quiet, and at most what its configs say; those that
// wait for partitions of others, an eighth of that.
func (p *pace) interval(now time.Time, members int, waits bool, configured time.Duration) int32 {
	quiet := now.Sub(p.changed) / 8
	if waits {
		quiet /= 8
	}
	d := max(shortestInterval, time.Duration(members)*perMember, quiet)
	return int32(min(d, configured).Milliseconds())
}
