package broker

// This file owns who waits on partitions: fetches that found too little, until
// something is appended, an offset moves or the partition is gone.

// waitList is the requests parked on one partition. Joining and leaving cost
// the same however many wait. It is guarded by the partition's mu.
type waitList struct {
	first *waitNode
	// taken counts how often the list was taken: a node that joined before
	// is in a chain that a waker walks without a lock.
	taken uint64
}

// waitNode is one waiter's place in one partition's list. It is used once.
type waitNode struct {
	next, prev *waitNode
	joined     uint64 // the list's taken when the node joined
	wake       chan<- struct{}
	on         *partition
}

// join adds n, which must be new.
func (l *waitList) join(n *waitNode) {
	n.joined = l.taken
	n.next = l.first
	if n.next != nil {
		n.next.prev = n
	}
	l.first = n
}

// leave removes n if the list was not taken since it joined.
func (l *waitList) leave(n *waitNode) {
	if n.joined != l.taken {
		return
	}
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		l.first = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
}

// take empties the list. The caller wakes what it returns after unlocking.
func (l *waitList) take() *waitNode {
	n := l.first
	if n != nil {
		l.first = nil
		l.taken++
	}
	return n
}

// wakeAll wakes a chain that take returned. It never blocks.
func (n *waitNode) wakeAll() {
	for ; n != nil; n = n.next {
		select {
		case n.wake <- struct{}{}:
		default: // another partition woke it already
		}
	}
}

// parked is one request that waits on partitions.
type parked struct {
	wake  chan struct{} // holds one wake-up
	nodes []waitNode
}

// park makes room to wait on n partitions. All nodes come in one piece of
// memory, which is new each time: a waker may still walk the old one.
func park(n int) *parked {
	return &parked{wake: make(chan struct{}, 1), nodes: make([]waitNode, 0, n)}
}

// on joins p's waiters, unless p has changed since seen was read: then waiting
// is pointless and on says false.
func (w *parked) on(p *partition, seen moment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted || p.moment() != seen {
		return false
	}
	w.nodes = append(w.nodes, waitNode{wake: w.wake, on: p})
	p.waiters.join(&w.nodes[len(w.nodes)-1])
	return true
}

// leave takes the request out of all lists it is still in.
func (w *parked) leave() {
	for i := range w.nodes {
		n := &w.nodes[i]
		n.on.mu.Lock()
		n.on.waiters.leave(n)
		n.on.mu.Unlock()
	}
}
