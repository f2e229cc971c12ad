package group

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"unicode/utf16"
)

// This file owns who is to have which tasks
// (org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor).
// Where several members would do, Apache Kafka takes the one that its hash
// tables and heaps come up with; they are repeated here, so that the assignment
// is the same.

// taskAssignee is a member as the assignor sees it.
type taskAssignee struct {
	id, process string
	held        roles // its last target
	target      roles // the result
}

// taskSource is a subtopology as the assignor sees it.
type taskSource struct {
	id       string
	tasks    int32
	stateful bool
}

// taskID numbers the tasks of all subtopologies.
type taskID int

// workload is what one process gets: its members share its machine.
type workload struct {
	members []*assigneeLoad
	tasks   int
	got     []uint64      // a bit for each task that it has; nil: nobody asks
	light   *lightMembers // nil: not in order
}

type assigneeLoad struct {
	*taskAssignee
	of              *workload
	count           int
	active, standby []taskID
}

func (w *workload) load() float64 { return float64(w.tasks) / float64(len(w.members)) }

func (w *workload) has(t taskID) bool { return w.got[t/64]&(1<<(t%64)) != 0 }

func (w *workload) give(m *assigneeLoad, t taskID, active bool) int {
	w.tasks++
	if w.got != nil {
		w.got[t/64] |= 1 << (t % 64)
	}
	if active {
		m.active = append(m.active, t)
	} else {
		m.standby = append(m.standby, t)
	}
	m.count++
	return m.count
}

// giveTo gives a task to one member, wherever it stands in the order.
func (w *workload) giveTo(m *assigneeLoad, t taskID, active bool) int {
	w.light = nil
	return w.give(m, t, active)
}

// giveToLightest gives a task to the member that has the fewest.
func (w *workload) giveToLightest(t taskID, active bool) int {
	if len(w.members) == 1 {
		return w.give(w.members[0], t, active)
	}
	if w.light == nil {
		w.light = new(lightMembers)
		for _, m := range inJavaOrder(w.members, 16, func(m *assigneeLoad) string { return m.id }) {
			heap.Push(w.light, m)
		}
	}
	m := heap.Pop(w.light).(*assigneeLoad)
	n := w.give(m, t, active)
	heap.Push(w.light, m)
	return n
}

// lightMembers and lightProcesses are heaps: who has the least is first.
type lightMembers []*assigneeLoad

func (h lightMembers) Len() int           { return len(h) }
func (h lightMembers) Less(i, j int) bool { return h[i].count < h[j].count }
func (h lightMembers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lightMembers) Push(x any)        { *h = append(*h, x.(*assigneeLoad)) }
func (h *lightMembers) Pop() any          { return popLast((*[]*assigneeLoad)(h)) }

type lightProcesses []*workload

func (h lightProcesses) Len() int           { return len(h) }
func (h lightProcesses) Less(i, j int) bool { return h[i].load() < h[j].load() }
func (h lightProcesses) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lightProcesses) Push(x any)        { *h = append(*h, x.(*workload)) }
func (h *lightProcesses) Pop() any          { return popLast((*[]*workload)(h)) }

func popLast[T any](s *[]T) T {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}

// taskAssignment is one assignment in the making.
type taskAssignment struct {
	sources    []taskSource
	first      []taskID // of each source
	index      map[string]int
	processes  []*workload       // in the order of Java's hash table
	wasActive  []*assigneeLoad   // by task
	wasStandby [][]*assigneeLoad // by task; nil: there are none
	standbys   int

	active, all share
}

// share is how many tasks a member may get until all have their part.
type share struct{ tasks, members, each int }

func (s *share) compute() {
	s.each = 0
	if s.members > 0 {
		s.each = (s.tasks + s.members - 1) / s.members
	}
}

// gave counts a member that has its part now.
func (s *share) gave(n int) {
	if n == s.each {
		s.members--
		s.tasks -= n
		s.compute()
	}
}

// assignTasks gives each task to one member, and copies of its state to others.
// Members keep what they have, as long as nobody has more than its share.
func assignTasks(sources []taskSource, members []*taskAssignee, standbys int) {
	if len(members) == 0 {
		return
	}
	a := &taskAssignment{
		sources: sources, first: make([]taskID, len(sources)), index: make(map[string]int, len(sources)), standbys: standbys,
	}
	next := taskID(0)
	for i, s := range sources {
		a.first[i], a.index[s.id] = next, i
		next += taskID(s.tasks)
		a.active.tasks += int(s.tasks)
		a.all.tasks += int(s.tasks)
		if s.stateful {
			a.all.tasks += int(s.tasks) * standbys
		}
	}
	a.wasActive = make([]*assigneeLoad, next)
	if standbys > 0 || slices.ContainsFunc(members, func(m *taskAssignee) bool { return len(m.held.standby) > 0 }) {
		a.wasStandby = make([][]*assigneeLoad, next)
	}
	a.active.members, a.all.members = len(members), len(members)
	a.active.compute()
	a.all.compute()
	loads := a.addMembers(members)
	a.assignActive()
	if standbys > 0 {
		a.assignStandby()
	}
	for _, m := range loads {
		m.target = roles{active: a.set(m.active), standby: a.set(m.standby)}
	}
}

func (a *taskAssignment) addMembers(members []*taskAssignee) []*assigneeLoad {
	loads := make([]*assigneeLoad, 0, len(members))
	byProcess := make(map[string]*workload)
	var names []string
	for _, m := range inJavaOrder(members, 16, func(m *taskAssignee) string { return m.id }) {
		w := byProcess[m.process]
		if w == nil {
			w = new(workload)
			if a.standbys > 0 {
				w.got = make([]uint64, len(a.wasActive)/64+1)
			}
			byProcess[m.process] = w
			names = append(names, m.process)
		}
		load := &assigneeLoad{taskAssignee: m, of: w}
		w.members = append(w.members, load)
		loads = append(loads, load)
		m.held.active.each(func(subtopology string, partition, _ int32) {
			if t, ok := a.id(subtopology, partition); ok {
				a.wasActive[t] = load
			}
		})
		m.held.standby.each(func(subtopology string, partition, _ int32) {
			if t, ok := a.id(subtopology, partition); ok {
				a.wasStandby[t] = append(a.wasStandby[t], load)
			}
		})
	}
	for _, name := range inJavaOrder(names, len(members), func(name string) string { return name }) {
		a.processes = append(a.processes, byProcess[name])
	}
	return loads
}

// id numbers a task; false: the topology does not have it any more.
func (a *taskAssignment) id(subtopology string, partition int32) (taskID, bool) {
	i, ok := a.index[subtopology]
	if !ok || partition >= a.sources[i].tasks {
		return 0, false
	}
	return a.first[i] + taskID(partition), true
}

// at is the subtopology of a task.
func (a *taskAssignment) at(t taskID) int {
	i, found := slices.BinarySearch(a.first, t)
	if !found {
		i--
	}
	return i
}

// set is tasks by their ids, which are in the order that a set has.
func (a *taskAssignment) set(ids []taskID) tasks {
	slices.Sort(ids)
	var set tasks
	for len(ids) > 0 {
		i := a.at(ids[0])
		end := a.first[i] + taskID(a.sources[i].tasks)
		n, _ := slices.BinarySearch(ids, end)
		of := subtopologyTasks{subtopology: a.sources[i].id, partitions: make([]int32, n)}
		for k, t := range ids[:n] {
			of.partitions[k] = int32(t - a.first[i])
		}
		set, ids = append(set, of), ids[n:]
	}
	return set
}

// byPartition is all tasks, or those with state, by partition and then by subtopology.
func (a *taskAssignment) byPartition(stateful bool) []taskID {
	var ids []taskID
	most := int32(0)
	for _, s := range a.sources {
		most = max(most, s.tasks)
	}
	for p := range most {
		for i, s := range a.sources {
			if p < s.tasks && (s.stateful || !stateful) {
				ids = append(ids, a.first[i]+taskID(p))
			}
		}
	}
	return ids
}

func (a *taskAssignment) gave(n int, active bool) {
	if active {
		a.active.gave(n)
	}
	a.all.gave(n)
}

// assignActive gives out the tasks: to who had them, then to who has a copy of
// their state, then to who has the least to do.
func (a *taskAssignment) assignActive() {
	left := slices.DeleteFunc(a.byPartition(false), func(t taskID) bool {
		m := a.wasActive[t]
		if m == nil || m.count >= a.active.each {
			return false
		}
		a.gave(m.of.giveTo(m, t, true), true)
		return true
	})
	left = slices.DeleteFunc(left, func(t taskID) bool {
		if a.wasStandby == nil {
			return false
		}
		m := lightestOf(a.wasStandby[t], -1)
		if m == nil || m.count >= a.active.each {
			return false
		}
		a.gave(m.of.giveTo(m, t, true), true)
		return true
	})
	slices.Sort(left)
	h := a.processHeap()
	for _, t := range left {
		w := heap.Pop(h).(*workload)
		a.gave(w.giveToLightest(t, true), true)
		heap.Push(h, w)
	}
}

func (a *taskAssignment) processHeap() *lightProcesses {
	h := new(lightProcesses)
	for _, w := range a.processes {
		heap.Push(h, w)
	}
	return h
}

// assignStandby gives out copies of state: to who ran the task, then to who had
// a copy, then to the process that has the least to do and none yet.
func (a *taskAssignment) assignStandby() {
	type rest struct {
		t    taskID
		left int
	}
	var rests []rest
	stateful := a.byPartition(true)
	slices.Reverse(stateful)
	for _, t := range stateful {
		given := 0
		for given < a.standbys {
			m := a.wasActive[t]
			if m == nil || m.of.has(t) || m.count >= a.all.each {
				m = lightestOf(a.wasStandby[t], t)
				if m == nil || m.count >= a.all.each {
					break
				}
			}
			a.gave(m.of.giveTo(m, t, false), false)
			given++
		}
		rests = append(rests, rest{t, a.standbys - given})
	}
	slices.SortFunc(rests, func(a, b rest) int { return cmp.Compare(b.t, a.t) })
	h := a.processHeap()
	for _, r := range rests {
		for range r.left {
			if !a.standbyToLightest(h, r.t) {
				break // fewer processes than copies
			}
		}
	}
}

// standbyToLightest gives a copy to the first process that has none.
func (a *taskAssignment) standbyToLightest(h *lightProcesses, t taskID) bool {
	var passed []*workload
	given := false
	for h.Len() > 0 && !given {
		w := heap.Pop(h).(*workload)
		if !w.has(t) {
			a.gave(w.giveToLightest(t, false), false)
			given = true
		}
		passed = append(passed, w)
	}
	for _, w := range slices.Backward(passed) {
		heap.Push(h, w)
	}
	return given
}

// lightestOf finds who of those that had a copy has the least to do. Those
// that have the task but for the first are passed over; if the first has it,
// there is nobody. t is -1 where that does not matter.
func lightestOf(members []*assigneeLoad, t taskID) *assigneeLoad {
	if len(members) == 0 {
		return nil
	}
	best, load, count := members[0], members[0].of.load(), members[0].count
	for _, m := range members[1:] {
		if l := m.of.load(); l < load && (t < 0 || !m.of.has(t)) && m.count < count {
			best, load, count = m, l, m.count
		}
	}
	if t >= 0 && members[0].of.has(t) {
		return nil
	}
	return best
}

// inJavaOrder is what a java.util.HashMap with such a capacity goes over when
// these were put into it.
func inJavaOrder[T any](all []T, capacity int, key func(T) string) []T {
	size := 1
	for size < capacity {
		size *= 2
	}
	for float64(len(all)) > math.Floor(float64(size)*0.75) && len(all) > 1 {
		size *= 2
	}
	buckets := make([]uint64, len(all)) // and the place in it
	for i := range all {
		h := javaHash(key(all[i]))
		buckets[i] = uint64((h^h>>16)&uint32(size-1))<<32 | uint64(i)
	}
	slices.Sort(buckets)
	ordered := make([]T, len(all))
	for i, b := range buckets {
		ordered[i] = all[uint32(b)]
	}
	return ordered
}

// javaHash is java.lang.String.hashCode.
func javaHash(s string) uint32 {
	h := uint32(0)
	for _, r := range s {
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			h = 31*h + uint32(high)
			r = low
		}
		h = 31*h + uint32(r)
	}
	return h
}
