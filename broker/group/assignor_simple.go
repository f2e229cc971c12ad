package group

import (
	"bytes"
	"slices"
)

// This file owns the assignor of share groups: simple
// (org.apache.kafka.coordinator.group.assignor.SimpleAssignor). Every partition
// has at least one member and every member, if it can be, a partition; those
// that a member has stay with it where the balance allows. It is the same every
// time: members and topics come in an order.

// simpleAssignor is its name, as ShareGroupDescribe has it.
const simpleAssignor = "simple"

// shareable is the partitions of a topic that may be assigned.
type shareable struct {
	topic      [16]byte
	partitions []int32 // in order
}

// assignSimple sets the targets of all members. The topics of each are indexes
// into topics.
func assignSimple(topics []shareable, members []assignee) {
	all := make([]int, len(members))
	alike := true
	for i := range members {
		all[i] = i
		alike = alike && slices.Equal(members[i].topics, members[0].topics)
	}
	sets := make([]setBuilder, len(members))
	if alike && len(members) > 0 {
		mine := make([]shareable, len(members[0].topics))
		for i, t := range members[0].topics {
			mine[i] = topics[t]
		}
		spread(mine, members, all, sets)
	} else {
		for t := range topics {
			subscribers := slices.DeleteFunc(slices.Clone(all), func(i int) bool { return !slices.Contains(members[i].topics, t) })
			spread(topics[t:t+1], members, subscribers, sets)
		}
	}
	for i := range members {
		members[i].target = sets[i].done()
	}
}

// spread divides the partitions of some topics among some members: each
// partition goes to the same number of them, each member gets the same number.
func spread(topics []shareable, members []assignee, among []int, sets []setBuilder) {
	type place struct {
		topic     [16]byte
		partition int32
		members   []int
	}
	var places []place
	for _, t := range topics {
		for _, p := range t.partitions {
			places = append(places, place{topic: t.topic, partition: p})
		}
	}
	if len(places) == 0 || len(among) == 0 {
		return
	}
	sharing := (len(among) + len(places) - 1) / len(places)
	room := make([]int, len(among)) // what each may still get
	slots := sharing * len(places)
	ceil := func(i int) int { return (slots*i + len(among) - 1) / len(among) }
	for i := range among {
		room[i] = ceil(i+1) - ceil(i)
	}
	find := func(topic [16]byte, partition int32) *place {
		i, found := slices.BinarySearchFunc(places, place{topic: topic, partition: partition}, func(a, b place) int {
			if c := bytes.Compare(a.topic[:], b.topic[:]); c != 0 {
				return c
			}
			return int(a.partition) - int(b.partition)
		})
		if !found {
			return nil
		}
		return &places[i]
	}
	slices.SortStableFunc(places, func(a, b place) int { return bytes.Compare(a.topic[:], b.topic[:]) })
	give := func(p *place, i int) {
		p.members = append(p.members, i)
		room[i]--
		sets[among[i]].add(p.topic, p.partition)
	}
	for i, m := range among {
		members[m].held.each(func(topic [16]byte, partition int32) {
			if p := find(topic, partition); p != nil && room[i] > 0 && len(p.members) < sharing {
				give(p, i)
			}
		})
	}
	next := 0
	for k := range places {
		p := &places[k]
		for tried := 0; len(p.members) < sharing && tried < len(among); tried++ {
			if i := next % len(among); room[i] > 0 && !slices.Contains(p.members, i) {
				give(p, i)
				tried = -1
			}
			next++
		}
	}
}
