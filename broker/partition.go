package broker

import (
	"sync"
	"sync/atomic"

	"minibroker/broker/config"
	"minibroker/storage"
)

// partition is one partition's live state: it stays the same object while
// images come and go, until its topic is deleted.
type partition struct {
	topicName string
	topicID   [16]byte
	index     int32

	// leadership and config are replaced whole, by the controller.
	leadership atomic.Pointer[leadership]
	config     atomic.Pointer[config.Topic]

	// mu is held to append, to move offsets and to collect waiters, never
	// while anything waits. Readers of the log take no lock.
	mu      sync.Mutex
	log     *storage.Log
	deleted bool // the topic is gone: appends and waits fail
}

// leadership says who has a partition. It never changes; partitions with the
// same replicas share one.
type leadership struct {
	leader      int32 // -1: none
	leaderEpoch int32
	replicas    []int32
	isr         []int32
}

// newPartition makes an empty partition of t. Nobody sees it until an image
// has it.
func (b *Broker) newPartition(t *topic, index int32, l *leadership) *partition {
	p := &partition{topicName: t.name, topicID: t.id, index: index, log: storage.New(0)}
	p.leadership.Store(l)
	p.config.Store(t.config)
	return p
}

// configure gives the partition its topic's new configs.
func (p *partition) configure(c *config.Topic) { p.config.Store(c) }

// delete ends the partition: its topic is gone.
func (p *partition) delete() {
	p.mu.Lock()
	p.deleted = true
	p.mu.Unlock()
}
