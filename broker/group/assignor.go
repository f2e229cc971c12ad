package group

import (
	"cmp"
	"slices"
)

// This file owns the server-side assignors of consumer groups: range and
// uniform (org.apache.kafka.coordinator.group.assignor). They are the same
// every time: members and topics come in an order.

// assignee is a member to an assignor.
type assignee struct {
	id       string
	instance *string
	topics   []int      // what it subscribes to: indexes into the topics, in order
	held     partitions // its target so far
	target   partitions // what the assignor decides
}

// assignor sets the targets of all members.
type assignor func(topics []Topic, members []assignee)

// The names of assignors, as ConsumerGroupHeartbeat has them.
const (
	uniformAssignor = "uniform"
	rangeAssignor   = "range"
)

var assignors = map[string]assignor{uniformAssignor: assignUniform, rangeAssignor: assignRange}

// assignRange gives each topic's partitions to its subscribers in runs of
// nearly the same length, in the order of instance ids, then of member ids: the
// same partitions of two topics go to the same member, so that it can join
// them.
func assignRange(topics []Topic, members []assignee) {
	order := make([]int, len(members))
	subscribers := make([]int32, len(topics))
	for i := range members {
		order[i] = i
		for _, t := range members[i].topics {
			subscribers[t]++
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &members[a], &members[b]
		switch {
		case x.instance != nil && y.instance != nil:
			return cmp.Compare(*x.instance, *y.instance)
		case x.instance != nil:
			return -1
		case y.instance != nil:
			return 1
		}
		return cmp.Compare(x.id, y.id)
	})
	next := make([]int32, len(topics))   // the first partition not given out
	before := make([]int32, len(topics)) // how many subscribers had their turn
	for _, i := range order {
		m := &members[i]
		var b setBuilder
		for _, t := range m.topics {
			quota := topics[t].Partitions / subscribers[t]
			if before[t] < topics[t].Partitions%subscribers[t] {
				quota++
			}
			before[t]++
			for range quota {
				b.add(topics[t].ID, next[t])
				next[t]++
			}
		}
		m.target = b.done()
	}
}

// assignUniform gives all members nearly the same number of partitions and
// moves as few as it can.
func assignUniform(topics []Topic, members []assignee) {
	u := newUniform(topics, members)
	same := true
	for i := range members {
		same = same && slices.Equal(members[i].topics, members[0].topics)
	}
	if same {
		u.levelAll()
	} else {
		u.fill()
		u.balance()
	}
	u.write()
}

// uniform is the work of one uniform assignment.
type uniform struct {
	topics  []Topic
	members []assignee
	owner   [][]int32 // topic -> partition -> index of a member; -1: nobody
	load    []int     // member -> how many partitions it has
}

// newUniform starts with what members hold and may keep.
func newUniform(topics []Topic, members []assignee) *uniform {
	u := &uniform{topics: topics, members: members, owner: make([][]int32, len(topics)), load: make([]int, len(members))}
	total := 0
	for i := range topics {
		total += int(topics[i].Partitions)
	}
	all := make([]int32, total)
	for i := range all {
		all[i] = -1
	}
	for i := range topics {
		u.owner[i], all = all[:topics[i].Partitions], all[topics[i].Partitions:]
	}
	for i := range members {
		for _, t := range members[i].topics {
			for _, p := range members[i].held.of(topics[t].ID) {
				if int(p) < len(u.owner[t]) && u.owner[t][p] < 0 {
					u.owner[t][p] = int32(i)
					u.load[i]++
				}
			}
		}
	}
	return u
}

// levelAll is for members that all subscribe alike: each has the same quota,
// some one more.
func (u *uniform) levelAll() {
	total := 0
	for _, t := range u.members[0].topics {
		total += len(u.owner[t])
	}
	quota := make([]int, len(u.members))
	low, extra := total/len(u.members), total%len(u.members)
	for i := range quota {
		quota[i] = low
		if u.load[i] > low && extra > 0 { // who has one more already keeps it
			quota[i]++
			extra--
		}
	}
	for i := range quota {
		if quota[i] == low && extra > 0 {
			quota[i]++
			extra--
		}
	}
	next := 0
	for _, t := range u.members[0].topics {
		for p, owner := range u.owner[t] {
			if owner < 0 {
				continue
			}
			// The first ones stay.
			if quota[owner]--; quota[owner] < 0 {
				u.owner[t][p] = -1
			}
		}
	}
	for _, t := range u.members[0].topics {
		for p, owner := range u.owner[t] {
			if owner >= 0 {
				continue
			}
			for quota[next] <= 0 {
				next++
			}
			quota[next]--
			u.owner[t][p] = int32(next)
		}
	}
}

// fill gives what nobody has to the subscribers that have least. Topics with
// many partitions for each subscriber come first: they leave least choice.
func (u *uniform) fill() {
	subscribers := u.subscribers()
	for _, t := range u.byWeight(subscribers) {
		for p, owner := range u.owner[t] {
			if owner < 0 {
				u.give(t, p, u.least(subscribers[t]))
			}
		}
	}
}

// maxBalanceRounds bounds how often balance goes over all topics.
const maxBalanceRounds = 16

// balance moves partitions from subscribers with many to such with few, topic
// by topic, until nothing gets better.
func (u *uniform) balance() {
	subscribers := u.subscribers()
	order := u.byWeight(subscribers)
	for range maxBalanceRounds {
		moved := false
		for _, t := range order {
			for p := len(u.owner[t]) - 1; p >= 0; p-- {
				from, to := u.owner[t][p], u.least(subscribers[t])
				if u.load[from]-u.load[to] > 1 {
					u.give(t, p, to)
					moved = true
				}
			}
		}
		if !moved {
			return
		}
	}
}

func (u *uniform) subscribers() [][]int32 {
	s := make([][]int32, len(u.topics))
	for i := range u.members {
		for _, t := range u.members[i].topics {
			s[t] = append(s[t], int32(i))
		}
	}
	return s
}

func (u *uniform) byWeight(subscribers [][]int32) []int {
	var order []int
	for t := range u.topics {
		if len(subscribers[t]) > 0 {
			order = append(order, t)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := len(u.owner[a])*len(subscribers[b]), len(u.owner[b])*len(subscribers[a])
		if x != y {
			return cmp.Compare(y, x)
		}
		return cmp.Compare(len(subscribers[a]), len(subscribers[b]))
	})
	return order
}

func (u *uniform) least(of []int32) int32 {
	return slices.MinFunc(of, func(a, b int32) int { return cmp.Compare(u.load[a], u.load[b]) })
}

func (u *uniform) give(topic, partition int, to int32) {
	if from := u.owner[topic][partition]; from >= 0 {
		u.load[from]--
	}
	u.owner[topic][partition] = to
	u.load[to]++
}

// write turns owners into targets. A target that did not change stays the same
// memory.
func (u *uniform) write() {
	built := make([]setBuilder, len(u.members))
	for t := range u.owner {
		for p, owner := range u.owner[t] {
			if owner >= 0 {
				built[owner].add(u.topics[t].ID, int32(p))
			}
		}
	}
	for i := range u.members {
		u.members[i].target = built[i].done()
	}
}
