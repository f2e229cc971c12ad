package broker

import "testing"

func nodesOn(l *waitList, n int) []*waitNode {
	nodes := make([]*waitNode, n)
	for i := range nodes {
		nodes[i] = &waitNode{wake: make(chan struct{}, 1)}
		l.join(nodes[i])
	}
	return nodes
}

func count(n *waitNode) (c int) {
	for ; n != nil; n = n.next {
		c++
	}
	return c
}

func TestWaitersLeaveAList(t *testing.T) {
	for _, leaving := range [][]int{{0}, {2}, {1}, {0, 1, 2}, {2, 0, 1}} {
		var l waitList
		nodes := nodesOn(&l, 3)
		for _, i := range leaving {
			l.leave(nodes[i])
		}
		if got, want := count(l.take()), 3-len(leaving); got != want {
			t.Errorf("after %v left, %d wait, want %d", leaving, got, want)
		}
	}
}

func TestLeavingATakenListChangesNothing(t *testing.T) {
	var l waitList
	old := nodesOn(&l, 3)
	taken := l.take()
	newer := nodesOn(&l, 2)
	for _, n := range old {
		l.leave(n)
	}
	if count(taken) != 3 || count(l.first) != 2 {
		t.Fatalf("%d were taken and %d wait, want 3 and 2", count(taken), count(l.first))
	}
	taken.wakeAll()
	taken.wakeAll() // waking twice is waking once
	for i, n := range old {
		if len(n.wake) != 1 {
			t.Errorf("waiter %d has %d wake-ups, want 1", i, len(n.wake))
		}
	}
	for i, n := range newer {
		if len(n.wake) != 0 {
			t.Errorf("waiter %d was woken, which came after the list was taken", i)
		}
	}
}
