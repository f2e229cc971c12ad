package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"minibroker/broker/config"
	"minibroker/protocol/record"
)

// This file owns the metrics that clients pushed: it reads OTLP and gives them
// on to Prometheus, as kafka_client_ and the metric's name.

const (
	// maxPushed is how large a push may be when uncompressed, in bytes.
	maxPushed = 16 << 20
	// maxSeries is how many series all clients may have together.
	maxSeries = 100_000
)

// series is one metric of one client with one set of labels.
type series struct {
	name   string
	help   string
	labels prometheus.Labels
	kind   seriesKind

	value     float64 // of gauges and counters
	count     uint64  // of the rest
	sum       float64
	buckets   map[float64]uint64  // of histograms: cumulative, by upper bound
	quantiles map[float64]float64 // of summaries
}

type seriesKind int8

const (
	gaugeSeries seriesKind = iota
	counterSeries
	histogramSeries
	summarySeries
)

// take reads what a client pushed. It needs mu.
func (t *telemetry) take(c *clientInstance, codec record.Codec, pushed []byte) error {
	raw, err := record.Decompress(nil, codec, pushed, maxPushed)
	if err != nil {
		return err
	}
	var data otlp.MetricsData
	if err := proto.Unmarshal(raw, &data); err != nil {
		return err
	}
	for _, resource := range data.ResourceMetrics {
		base := make(prometheus.Labels)
		addLabels(base, resource.GetResource().GetAttributes())
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				t.takeMetric(c, base, m)
			}
		}
	}
	return nil
}

func (t *telemetry) takeMetric(c *clientInstance, base prometheus.Labels, m *otlp.Metric) {
	numbers := func(points []*otlp.NumberDataPoint, kind seriesKind, delta bool) {
		for _, p := range points {
			value := p.GetAsDouble()
			if i, ok := p.Value.(*otlp.NumberDataPoint_AsInt); ok {
				value = float64(i.AsInt)
			}
			if s := t.series(c, base, m, p.Attributes, kind); s != nil {
				if delta {
					value += s.value
				}
				s.value = value
			}
		}
	}
	switch d := m.Data.(type) {
	case *otlp.Metric_Gauge:
		numbers(d.Gauge.DataPoints, gaugeSeries, false)
	case *otlp.Metric_Sum:
		kind := gaugeSeries
		if d.Sum.IsMonotonic {
			kind = counterSeries
		}
		numbers(d.Sum.DataPoints, kind, isDelta(d.Sum.AggregationTemporality))
	case *otlp.Metric_Histogram:
		for _, p := range d.Histogram.DataPoints {
			if s := t.series(c, base, m, p.Attributes, histogramSeries); s != nil {
				s.addHistogram(p, isDelta(d.Histogram.AggregationTemporality))
			}
		}
	case *otlp.Metric_ExponentialHistogram: // without its buckets
		for _, p := range d.ExponentialHistogram.DataPoints {
			if s := t.series(c, base, m, p.Attributes, summarySeries); s != nil {
				if !isDelta(d.ExponentialHistogram.AggregationTemporality) {
					s.count, s.sum = 0, 0
				}
				s.count += p.Count
				s.sum += p.GetSum()
			}
		}
	case *otlp.Metric_Summary:
		for _, p := range d.Summary.DataPoints {
			if s := t.series(c, base, m, p.Attributes, summarySeries); s != nil {
				s.count, s.sum = p.Count, p.Sum
				s.quantiles = make(map[float64]float64, len(p.QuantileValues))
				for _, q := range p.QuantileValues {
					s.quantiles[q.Quantile] = q.Value
				}
			}
		}
	}
}

func isDelta(t otlp.AggregationTemporality) bool {
	return t == otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
}

func (s *series) addHistogram(p *otlp.HistogramDataPoint, delta bool) {
	if !delta || s.buckets == nil {
		s.count, s.sum, s.buckets = 0, 0, make(map[float64]uint64)
	}
	s.count += p.Count
	s.sum += p.GetSum()
	below := uint64(0)
	for i, bound := range p.ExplicitBounds {
		if i < len(p.BucketCounts) {
			below += p.BucketCounts[i]
		}
		s.buckets[bound] += below
	}
}

// series finds or makes the client's series of a metric; nil when there are
// too many.
func (t *telemetry) series(c *clientInstance, base prometheus.Labels, m *otlp.Metric, attributes []*common.KeyValue, kind seriesKind) *series {
	labels := maps.Clone(base)
	addLabels(labels, attributes)
	for _, name := range []string{config.MatchInstanceID, config.MatchClientID, config.MatchSoftwareName, config.MatchSoftwareVersion} {
		labels[name] = strings.ToValidUTF8(c.asked[name], "?")
	}
	name := "kafka_client_" + promName(m.Name)
	if kind == counterSeries && !strings.HasSuffix(name, "_total") {
		name += "_total"
	}
	var key strings.Builder
	key.WriteString(name)
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&key, " %s=%q", l, labels[l])
	}
	s := c.series[key.String()]
	if s != nil && s.kind == kind {
		return s
	}
	if s == nil {
		if t.count >= maxSeries {
			return nil
		}
		t.count++
	}
	s = &series{name: name, help: strings.ToValidUTF8(m.Description, "?"), labels: labels, kind: kind}
	c.series[key.String()] = s
	return s
}

// addLabels adds attributes as labels.
func addLabels(labels prometheus.Labels, attributes []*common.KeyValue) {
	for _, a := range attributes {
		value := ""
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			value = v.StringValue
		case *common.AnyValue_BoolValue:
			value = fmt.Sprint(v.BoolValue)
		case *common.AnyValue_IntValue:
			value = fmt.Sprint(v.IntValue)
		case *common.AnyValue_DoubleValue:
			value = fmt.Sprint(v.DoubleValue)
		}
		// A leading underscore twice is Prometheus's own.
		if name := strings.TrimLeft(promName(a.Key), "_"); name != "" {
			if name[0] >= '0' && name[0] <= '9' {
				name = "n" + name
			}
			labels[name] = strings.ToValidUTF8(value, "?")
		}
	}
}

// promName makes a name of what Prometheus allows in names.
func promName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// collect returns the pushed metrics of clients that are not silent for too
// long. Where two clients disagree on what a metric is, the first counts:
// Prometheus refuses all metrics else.
func (t *telemetry) collect(now int64) (found []prometheus.Metric) {
	type family struct {
		kind seriesKind
		help string
	}
	families := make(map[string]family)
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.recent.Front(); e != nil; e = e.Next() {
		c := e.Value.(*clientInstance)
		if c.expired(now) {
			continue
		}
		for _, s := range c.series {
			f, known := families[s.name]
			if !known {
				f = family{s.kind, s.help}
				families[s.name] = f
			}
			if f.kind != s.kind || hidesBuckets(s.labels) {
				continue
			}
			if m, err := s.metric(f.help); err == nil {
				found = append(found, m)
			}
		}
	}
	return found
}

// hidesBuckets says whether a label has a name that histograms and summaries
// need.
func hidesBuckets(l prometheus.Labels) bool {
	_, le := l["le"]
	_, quantile := l["quantile"]
	return le || quantile
}

func (s *series) metric(help string) (prometheus.Metric, error) {
	d := prometheus.NewDesc(s.name, help, nil, s.labels)
	switch s.kind {
	case counterSeries:
		return prometheus.NewConstMetric(d, prometheus.CounterValue, s.value)
	case histogramSeries:
		return prometheus.NewConstHistogram(d, s.count, s.sum, maps.Clone(s.buckets))
	case summarySeries:
		return prometheus.NewConstSummary(d, s.count, s.sum, maps.Clone(s.quantiles))
	}
	return prometheus.NewConstMetric(d, prometheus.GaugeValue, s.value)
}
