package broker

import (
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"minibroker/broker/config"
	"minibroker/broker/group"
)

// image is the cluster's metadata at one moment. It never changes: handlers
// load it once and see one state of the cluster throughout. Its trees share
// what did not change with the image before (copy on write).
type image struct {
	topics *btree.Map[string, *topic] // by name
	ids    *btree.Map[string, *topic] // by the id's 16 bytes
	// live is the brokers that run, registered those that belong to the
	// cluster, running or not; both by id.
	live, registered []*node
	// version grows with each image.
	version uint64
	// lookup finds topics for groups, made once for all their requests.
	lookup group.Lookup
}

// newImage is a cluster of brokers that all run, without topics.
func newImage(nodes []*node) *image {
	m := &image{topics: new(btree.Map[string, *topic]), ids: new(btree.Map[string, *topic]), live: nodes, registered: nodes, version: 1}
	m.lookup = m.find
	return m
}

// next is the image after m, to be changed before anybody sees it.
func (m *image) next() *image {
	next := &image{topics: m.topics.Copy(), ids: m.ids.Copy(), live: m.live, registered: m.registered, version: m.version + 1}
	next.lookup = next.find
	return next
}

// alive says whether the broker of an id runs.
func (m *image) alive(id int32) bool { return nodeOf(m.live, id) != nil }

// nodeOf finds the broker of an id; nil if it is not among nodes.
func nodeOf(nodes []*node, id int32) *node {
	for _, n := range nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// topic is a topic in an image. It never changes either: another config or
// more partitions make another topic value with the same partitions in it.
type topic struct {
	name       string
	id         [16]byte
	internal   bool
	partitions []*partition
	config     *config.Topic
	settings   *topicSettings // config, as the partitions use it
}

// topic finds a topic by name.
func (m *image) topic(name string) *topic {
	t, _ := m.topics.Get(name)
	return t
}

// topicByID finds a topic by id.
func (m *image) topicByID(id [16]byte) *topic {
	t, _ := m.ids.Get(string(id[:]))
	return t
}

// partition finds one partition; nil where there is none.
func (t *topic) partition(index int32) *partition {
	if t == nil || index < 0 || int(index) >= len(t.partitions) {
		return nil
	}
	return t.partitions[index]
}

// controller is the only writer of the image.
type controller struct {
	mu sync.Mutex
	// configs are those of groups and client metrics subscriptions, by
	// resourceKey.
	configs map[string]map[string]string
	// moved is the partitions of coordinators that another broker leads now:
	// control tells the coordinators.
	moved []*partition
	// offset is that of the newest record that a metadata log would have.
	offset atomic.Int64
}

// written counts one change of the cluster's metadata. It needs mu.
func (c *controller) written() { c.offset.Add(1) }

// put publishes an image in which t stands, new or in place of the topic of
// its name. It needs controller.mu.
func (b *Broker) put(t *topic) {
	m := b.image.Load().next()
	m.topics.Set(t.name, t)
	m.ids.Set(string(t.id[:]), t)
	b.image.Store(m)
	b.changes.happened()
	b.controller.written()
}

// drop publishes an image without t. It needs controller.mu.
func (b *Broker) drop(t *topic) {
	m := b.image.Load().next()
	m.topics.Delete(t.name)
	m.ids.Delete(string(t.id[:]))
	b.image.Store(m)
	b.changes.happened()
	b.controller.written()
}
