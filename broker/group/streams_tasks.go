package group

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns sets of a Streams application's tasks: a task is a
// subtopology and a partition.

// subtopologyTasks is tasks of one subtopology, in order.
type subtopologyTasks struct {
	subtopology string
	partitions  []int32
	// since says from which of its epochs on the member has each of them; nil
	// where nobody asks.
	since []int32
}

// tasks is a set of tasks: subtopologies in the order of their ids, none of
// them without tasks. It is never changed in place, so members and answers may
// share it.
type tasks []subtopologyTasks

// roles is what a member has or is to have: tasks that it runs, copies of
// others' state, and copies that will replace the original (Kafka's TasksTuple).
type roles struct{ active, standby, warmup tasks }

func (ts tasks) find(subtopology string) (*subtopologyTasks, bool) {
	i, found := slices.BinarySearchFunc(ts, subtopology, func(a subtopologyTasks, id string) int { return strings.Compare(a.subtopology, id) })
	if !found {
		return nil, false
	}
	return &ts[i], true
}

func (ts tasks) has(subtopology string, partition int32) bool {
	of, found := ts.find(subtopology)
	if !found {
		return false
	}
	_, found = slices.BinarySearch(of.partitions, partition)
	return found
}

// sinceEpoch tells from which epoch on the member has a task.
func (ts tasks) sinceEpoch(subtopology string, partition int32) (int32, bool) {
	of, found := ts.find(subtopology)
	if !found {
		return 0, false
	}
	i, found := slices.BinarySearch(of.partitions, partition)
	if !found {
		return 0, false
	}
	return of.since[i], true
}

func (ts tasks) equal(other tasks) bool {
	return slices.EqualFunc(ts, other, func(a, b subtopologyTasks) bool {
		return a.subtopology == b.subtopology && slices.Equal(a.partitions, b.partitions) && slices.Equal(a.since, b.since)
	})
}

// each calls f with every task, and the epoch since when it is there, or 0.
func (ts tasks) each(f func(subtopology string, partition, since int32)) {
	for i := range ts {
		for j, p := range ts[i].partitions {
			since := int32(0)
			if ts[i].since != nil {
				since = ts[i].since[j]
			}
			f(ts[i].subtopology, p, since)
		}
	}
}

// any tells whether f is true for one of the tasks.
func (ts tasks) any(f func(subtopology string, partition int32) bool) bool {
	for i := range ts {
		for _, p := range ts[i].partitions {
			if f(ts[i].subtopology, p) {
				return true
			}
		}
	}
	return false
}

func (a roles) equal(b roles) bool {
	return a.active.equal(b.active) && a.standby.equal(b.standby) && a.warmup.equal(b.warmup)
}

func (a roles) none() bool { return len(a.active)+len(a.standby)+len(a.warmup) == 0 }

// shares tells whether both have a task in the same role.
func (a roles) shares(b roles) bool {
	return b.active.any(a.active.has) || b.standby.any(a.standby.has) || b.warmup.any(a.warmup.has)
}

// taskBuilder makes a set from tasks in any order.
type taskBuilder struct {
	all    []task
	epochs bool // keep since
}

// task is one task, and the epoch since when a member has it.
type task struct {
	subtopology      string
	partition, since int32
}

func (b *taskBuilder) add(subtopology string, partition, since int32) {
	b.all = append(b.all, task{subtopology, partition, since})
}

func (b *taskBuilder) done() tasks {
	slices.SortFunc(b.all, func(a, c task) int {
		return cmp.Or(strings.Compare(a.subtopology, c.subtopology), cmp.Compare(a.partition, c.partition))
	})
	var set tasks
	for i, t := range b.all {
		switch {
		case i == 0 || t.subtopology != b.all[i-1].subtopology:
			set = append(set, subtopologyTasks{subtopology: t.subtopology})
		case t.partition == b.all[i-1].partition:
			continue
		}
		of := &set[len(set)-1]
		of.partitions = append(of.partitions, t.partition)
		if b.epochs {
			of.since = append(of.since, t.since)
		}
	}
	return set
}

// readTasks is the tasks that a request names; nil where it says nothing.
func readTasks(ids []kmsg.TaskIDs) tasks {
	var b taskBuilder
	for i := range ids {
		for _, p := range ids[i].Partitions {
			b.add(ids[i].SubtopologyID, p, 0)
		}
	}
	return b.done()
}

// writeTasks is ts as answers have it; never nil.
func writeTasks(ts tasks) []kmsg.TaskIDs {
	ids := make([]kmsg.TaskIDs, len(ts))
	for i := range ts {
		ids[i].SubtopologyID, ids[i].Partitions = ts[i].subtopology, ts[i].partitions
	}
	return ids
}
