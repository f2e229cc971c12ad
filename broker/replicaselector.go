package broker

import (
	"slices"
)

// rackAware is the one replica selector that Apache Kafka brings besides none.
const rackAware = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

// preferredReplica is the follower from which a consumer should rather read, the
// one in its rack that has most of the log; -1 where there is none, or the
// leader is in the rack too (KIP-392, ReplicaManager.findPreferredReadReplica).
func (f *fetch) preferredReplica(p *partition, l *leadership, offset int64) int32 {
	if f.req.Version < 11 || f.req.Rack == "" || f.replica >= 0 || l.leader != f.node.id ||
		f.broker.config.Load().Hot().ReplicaSelectorClass != rackAware {
		return -1
	}
	in := func(n *node) bool { return n != nil && n.rack != nil && *n.rack == f.req.Rack }
	if in(f.node) {
		return -1
	}
	live := f.broker.image.Load().live
	best, most := int32(-1), int64(-1)
	for _, id := range l.replicas {
		// A follower out of the ISR may never catch up.
		if !in(nodeOf(live, id)) || !slices.Contains(l.isr, id) {
			continue
		}
		if end := p.endOf(id); end >= offset && (end > most || end == most && id > best) {
			best, most = id, end
		}
	}
	return best
}
