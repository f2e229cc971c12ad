package broker

import (
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"minibroker/broker/config"
)

// image is the cluster's metadata at one moment. It never changes: handlers
// load it once and see one state of the cluster throughout. Its trees share
// what did not change with the image before (copy on write).
type image struct {
	topics *btree.Map[string, *topic] // by name
	ids    *btree.Map[string, *topic] // by the id's 16 bytes
	// version grows with each image.
	version uint64
}

func newImage() *image {
	return &image{topics: new(btree.Map[string, *topic]), ids: new(btree.Map[string, *topic]), version: 1}
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
	// offset is that of the newest record that a metadata log would have.
	offset atomic.Int64
}

// written counts one change of the cluster's metadata. It needs mu.
func (c *controller) written() { c.offset.Add(1) }

// put publishes an image in which t stands, new or in place of the topic of
// its name. It needs controller.mu.
func (b *Broker) put(t *topic) {
	old := b.image.Load()
	m := &image{topics: old.topics.Copy(), ids: old.ids.Copy(), version: old.version + 1}
	m.topics.Set(t.name, t)
	m.ids.Set(string(t.id[:]), t)
	b.image.Store(m)
	b.changes.happened()
	b.controller.written()
}

// drop publishes an image without t. It needs controller.mu.
func (b *Broker) drop(t *topic) {
	old := b.image.Load()
	m := &image{topics: old.topics.Copy(), ids: old.ids.Copy(), version: old.version + 1}
	m.topics.Delete(t.name)
	m.ids.Delete(string(t.id[:]))
	b.image.Store(m)
	b.changes.happened()
	b.controller.written()
}
