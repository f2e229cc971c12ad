package broker

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"

	"minibroker/broker/config"
	"minibroker/internal/listen"
	"minibroker/internal/memnet"
)

// This file owns the logical brokers: who they are, where they listen, and how
// they open and close their doors. All of them serve the same cluster memory;
// what becomes of partitions when one stops or returns is in leadership.go.

// node is one logical broker of the cluster.
type node struct {
	// id is 1 or more: kafka-python up to 2.3 takes node 0 for "any node".
	id int32
	// place counts the brokers from 0. A broker's port is that many above the
	// first one's, where ports are given.
	place int
	rack  *string
	// directory is the id of the log directory (KIP-858).
	directory [16]byte

	started *config.Broker // as it started, for Reset
	config  atomic.Pointer[config.Broker]

	fetchSessions atomic.Pointer[fetchSessions] // gone when it stops
	shareSessions *shareSessions                // gone with their connections

	memory *memoryNetwork
	at     []net.Listener // as they were opened: their addresses stay when the broker stops

	listeners []net.Listener // open now; under Broker.doors
	// Under connSet.mu.
	down    bool
	closing chan struct{} // closed when the broker stops: ends what waits for its clients
}

// newNodes reads node.id, broker.rack and the options that are about brokers.
func newNodes(o *options) ([]*node, error) {
	if o.brokers < 1 || o.brokers > 1000 {
		return nil, fmt.Errorf("--brokers %d: use 1 to 1000", o.brokers)
	}
	if o.brokers > 1 {
		replicateInternalTopics(o.configs, o.brokers)
	}
	nodes := make([]*node, o.brokers)
	for i := range nodes {
		given := o.configs
		if len(o.racks) > 0 {
			given = maps.Clone(o.configs)
			given["broker.rack"] = o.racks[i%len(o.racks)]
		}
		c, err := config.NewBroker(given)
		if err != nil {
			return nil, err
		}
		id := c.Int("node.id")
		if id < 1 {
			return nil, errors.New("node.id is 0: use 1 or more, since some clients take node 0 for any node")
		}
		if i > 0 {
			given = maps.Clone(given)
			delete(given, "broker.id")
			given["node.id"] = strconv.Itoa(id + i)
			if c, err = config.NewBroker(given); err != nil {
				return nil, err
			}
		}
		n := &node{id: int32(id + i), place: i, started: c, closing: make(chan struct{})}
		n.config.Store(c)
		n.fetchSessions.Store(newFetchSessions())
		n.shareSessions = newShareSessions()
		if rack := c.String("broker.rack"); rack != "" {
			n.rack = &rack
		}
		nodes[i] = n
	}
	return nodes, nil
}

// replicateInternalTopics gives the coordinators' topics what Apache Kafka's
// defaults ask for, as far as there are brokers: else the first broker that
// stops takes groups with it.
func replicateInternalTopics(configs map[string]string, brokers int) {
	set := func(name string, value int) {
		if _, given := configs[name]; !given {
			configs[name] = strconv.Itoa(value)
		}
	}
	replicas, least := min(brokers, 3), min(brokers-1, 2)
	set("offsets.topic.replication.factor", replicas)
	set("transaction.state.log.replication.factor", replicas)
	set("transaction.state.log.min.isr", least)
	set("share.coordinator.state.topic.replication.factor", replicas)
	set("share.coordinator.state.topic.min.isr", least)
}

// open gives each broker its listeners. On an error those that were opened are
// closed again.
func (b *Broker) open(o *options) error {
	switch {
	case len(b.nodes) == 1 && o.memory:
		b.nodes[0].at = append(o.listeners, b.nodes[0].memory)
	case len(b.nodes) == 1 && len(o.listeners) > 0:
		b.nodes[0].at = o.listeners
	case len(o.listeners) > 0 && (o.memory || len(o.listeners) != len(b.nodes)):
		return fmt.Errorf("%d listeners for %d brokers: give each broker one, and no memory network", len(o.listeners), len(b.nodes))
	default:
		for _, n := range b.nodes {
			if err := n.open(o); err != nil {
				for _, other := range b.nodes[:n.place] {
					closeAll(other.at)
				}
				return err
			}
		}
	}
	for _, n := range b.nodes {
		n.listeners = n.at
	}
	return nil
}

func (n *node) open(o *options) (err error) {
	switch {
	case o.memory:
		n.at = []net.Listener{n.memory}
	case len(o.listeners) > 0:
		n.at = o.listeners[n.place : n.place+1]
	case o.port == 0 && o.host == "":
		// Clients ask Addr for a free port; none tries ::1 first, as for
		// "localhost". A second listener costs as much as the rest of New.
		n.at, err = listen.Open("127.0.0.1", 0, "--port")
	case o.port == 0:
		n.at, err = listen.Open(o.host, 0, "--port")
	default:
		n.at, err = listen.Open(o.host, o.port+n.place, "--port")
	}
	return err
}

// reopen listens anew where the broker listened before it stopped.
func (n *node) reopen() error {
	var again []net.Listener
	for _, l := range n.at {
		if l == n.memory {
			again = append(again, l)
			continue
		}
		opened, err := net.Listen(l.Addr().Network(), l.Addr().String())
		if err != nil {
			closeAll(again)
			if errors.Is(err, syscall.EADDRINUSE) {
				err = errors.New("the address is in use meanwhile")
			}
			return fmt.Errorf("broker %d cannot listen on %s again: %w", n.id, l.Addr(), err)
		}
		again = append(again, opened)
	}
	n.listeners = again
	return nil
}

// accepting starts to accept connections.
func (b *Broker) accepting(n *node) {
	for _, l := range n.listeners {
		if l != n.memory { // nobody has to accept there
			b.running.Go(func() { b.accept(n, l) })
		}
	}
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// address is what a listener of n calls itself to those who came in at p.
func (n *node) address(p peer) endpoint {
	if n == nil || p.node == nil || p.node == n {
		return listenerAddress(p.listener)
	}
	if _, ok := p.listener.(*memoryNetwork); ok || len(n.at) == 0 {
		return listenerAddress(n.memory)
	}
	return listenerAddress(n.at[0])
}

// memoryAddressOf is where a broker is on the network inside the process.
func memoryAddressOf(n *node, brokers int) memnet.Addr {
	if brokers == 1 {
		return "minibroker:9092"
	}
	return memnet.Addr(fmt.Sprintf("minibroker-%d:%d", n.id, defaultPort+n.place))
}

// nodeByID is the broker of an id, running or not; nil if there is none.
func (b *Broker) nodeByID(id int32) *node {
	if i := int(id - b.nodes[0].id); i >= 0 && i < len(b.nodes) {
		return b.nodes[i]
	}
	return nil
}

// addrs are the addresses of n's listeners.
func (n *node) addrs() []string {
	addrs := make([]string, len(n.at))
	for i, l := range n.at {
		addrs[i] = l.Addr().String()
	}
	return addrs
}
