package broker

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// metrics counts what can't be read from the cluster's state when asked.
type metrics struct {
	requests [kmsg.MaxKey + 1]atomic.Uint64 // by API key
	in, out  atomic.Uint64                  // bytes, size fields included
}

func (m *metrics) received(key int16, frame int) {
	m.requests[key].Add(1)
	m.in.Add(uint64(frame) + 4)
}

func (m *metrics) sent(bytes int) { m.out.Add(uint64(bytes)) }

// collector reads a broker's metrics when Prometheus asks.
type collector struct {
	b      *Broker
	totals bool // only
}

// Metrics returns the broker's metrics, to register with Prometheus.
func (b *Broker) Metrics() prometheus.Collector { return collector{b: b} }

// Totals are [Broker.Metrics] without those of single topics, groups and
// clients.
func (b *Broker) Totals() prometheus.Collector { return collector{b, true} }

var (
	descRequests    = desc("requests_total", "Requests received, by API.", "api")
	descIn          = desc("received_bytes_total", "Bytes received from clients.")
	descOut         = desc("sent_bytes_total", "Bytes sent to clients.")
	descConnections = desc("connections", "Open client connections.")
	descTopics      = desc("topics", "Topics, internal ones included.")
	descPartitions  = desc("partitions", "Partitions of all topics.")
	descLogBytes    = desc("log_bytes", "Bytes of record batches stored, by topic.", "topic")
	descLogRecords  = desc("log_offsets_total", "Offsets given out since the topic was created, by topic.", "topic")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("minibroker_"+name, help, labels, nil)
}

// Describe says nothing: what clients will push is not known before.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	b := c.b
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, api := range protocol.APIs() {
		counter(descRequests, float64(b.metrics.requests[api.Key].Load()), api.Name)
	}
	counter(descIn, float64(b.metrics.in.Load()))
	counter(descOut, float64(b.metrics.out.Load()))
	gauge(descConnections, float64(b.conns.len()))
	m := b.image.Load()
	gauge(descTopics, float64(m.topics.Len()))
	partitions := 0
	m.topics.Scan(func(name string, t *topic) bool {
		partitions += len(t.partitions)
		if c.totals {
			return true
		}
		var size, records int64
		for _, p := range t.partitions {
			size += p.log.Size()
			records += p.log.EndOffset()
		}
		gauge(descLogBytes, float64(size), name)
		counter(descLogRecords, float64(records), name)
		return true
	})
	gauge(descPartitions, float64(partitions))
	if c.totals {
		return
	}
	b.groups.collect(ch)
	for _, pushed := range b.telemetry.collect(b.nowMs()) {
		ch <- pushed
	}
}
