package broker

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"

	"minibroker/broker/config"
	"minibroker/internal/memnet"
)

// This file owns the logical brokers: who they are. Their ports are in
// ports.go. All of them serve the same cluster memory; what becomes of
// partitions when one stops or returns is in leadership.go.

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
	shareSessions shareSessions                 // gone with their connections

	ports []*port // the ways in, the one that Addr names first
	inner *port   // the way of the program that the broker is in

	// Under connSet.mu.
	down    bool
	closing chan struct{} // closed when the broker stops: ends what waits for its clients
}

// newNodes reads node.id, broker.rack and the options that are about brokers.
func newNodes(o *options) ([]*node, error) {
	if o.brokers < 1 || o.brokers > 1000 {
		return nil, fmt.Errorf("--brokers %d: use 1 to 1000", o.brokers)
	}
	protocols, _, err := o.plan()
	if err != nil {
		return nil, err
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
		if rack := c.String("broker.rack"); rack != "" {
			n.rack = &rack
		}
		for index, protocol := range protocols {
			n.ports = append(n.ports, &port{index: index, protocol: protocol, memory: &memoryNetwork{memoryAddressOf(n, index, o.brokers)}})
		}
		n.inner = &port{inner: true, memory: n.ports[0].memory}
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

// memoryAddressOf is where a port of a broker is on the network inside the
// process.
func memoryAddressOf(n *node, index, brokers int) memnet.Addr {
	number := defaultPort + 1000*index
	if brokers == 1 {
		return memnet.Addr("minibroker:" + strconv.Itoa(number))
	}
	return memnet.Addr(fmt.Sprintf("minibroker-%d:%d", n.id, number+n.place))
}

// nodeByID is the broker of an id, running or not; nil if there is none.
func (b *Broker) nodeByID(id int32) *node {
	if i := int(id - b.nodes[0].id); i >= 0 && i < len(b.nodes) {
		return b.nodes[i]
	}
	return nil
}
