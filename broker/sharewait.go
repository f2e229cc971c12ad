package broker

// This file owns who waits on partitions of share groups: for records in the
// log, and for records that others give back.

// shareNode is one waiter's place in one share partition's list. It is used
// once.
type shareNode struct {
	waitNode
	p *sharePartition
}

// parkedShares is one ShareFetch that waits.
type parkedShares struct {
	*parked
	nodes []shareNode
}

// parkShares makes room to wait on n partitions.
func parkShares(n int) *parkedShares {
	return &parkedShares{parked: park(n), nodes: make([]shareNode, 0, n)}
}

// onAll joins the waiters of all that was read, unless something has changed
// since: then waiting is pointless and onAll says false.
func (w *parkedShares) onAll(results []shareResult) bool {
	for i := range results {
		r := &results[i]
		if r.p == nil || r.on == nil {
			continue
		}
		if !w.on(r.on, r.seen) || !w.onShare(r.p, r.version) {
			return false
		}
	}
	return true
}

func (w *parkedShares) onShare(p *sharePartition, version uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.version != version {
		return false
	}
	w.nodes = append(w.nodes, shareNode{waitNode: waitNode{wake: w.wake}, p: p})
	p.waiters.join(&w.nodes[len(w.nodes)-1].waitNode)
	return true
}

// leave takes the request out of all lists it is still in.
func (w *parkedShares) leave() {
	w.parked.leave()
	for i := range w.nodes {
		n := &w.nodes[i]
		n.p.mu.Lock()
		n.p.waiters.leave(&n.waitNode)
		n.p.mu.Unlock()
	}
}
