package broker

import (
	"errors"

	"minibroker/broker/config"
)

// node is one logical broker of the cluster.
type node struct {
	// id is 1 or more: kafka-python up to 2.3 takes node 0 for "any node".
	id   int32
	rack *string
	// directory is the id of the log directory (KIP-858).
	directory [16]byte
}

// newNode reads node.id and broker.rack.
func newNode(c *config.Broker) (*node, error) {
	n := &node{id: int32(c.Int("node.id"))}
	if n.id < 1 {
		return nil, errors.New("node.id is 0: use 1 or more, since some clients take node 0 for any node")
	}
	if rack := c.String("broker.rack"); rack != "" {
		n.rack = &rack
	}
	return n, nil
}
