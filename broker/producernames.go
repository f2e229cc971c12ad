package broker

import "sync"

// This file owns who got a producer id. Records only have the id; people know a
// producer by its client id and host.

// ProducerName is who asked for a producer id last.
type ProducerName struct {
	ClientID        string
	Host            string // as DescribeGroups shows hosts, such as "/127.0.0.1"
	TransactionalID string // empty: idempotent only
}

// namedProducers is how many of the newest are remembered.
const namedProducers = 10_000

// producerNames remembers who the newest producers are. Its mu is a leaf.
type producerNames struct {
	mu    sync.Mutex
	of    map[int64]ProducerName
	order []int64 // oldest first
}

func (n *producerNames) note(id int64, name ProducerName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = make(map[int64]ProducerName)
	}
	if _, known := n.of[id]; !known {
		if n.order = append(n.order, id); len(n.order) > namedProducers {
			delete(n.of, n.order[0])
			n.order = n.order[1:]
		}
	}
	n.of[id] = name
}

// ProducerName says who has a producer id, as far as that is remembered.
func (b *Broker) ProducerName(id int64) (name ProducerName, ok bool) {
	b.producerNames.mu.Lock()
	defer b.producerNames.mu.Unlock()
	name, ok = b.producerNames.of[id]
	return name, ok
}
