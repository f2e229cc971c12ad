package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"minibroker/protocol/record"
)

func getSubscription(c *rawClient, id [16]byte) *kmsg.GetTelemetrySubscriptionsResponse {
	c.t.Helper()
	req := kmsg.NewPtrGetTelemetrySubscriptionsRequest()
	req.ClientInstanceID = id
	return ask[*kmsg.GetTelemetrySubscriptionsResponse](c, req)
}

// push sends metrics under a subscription and returns the error code.
func push(c *rawClient, of *kmsg.GetTelemetrySubscriptionsResponse, metrics []byte, change ...func(*kmsg.PushTelemetryRequest)) int16 {
	c.t.Helper()
	req := kmsg.NewPtrPushTelemetryRequest()
	req.ClientInstanceID, req.SubscriptionID, req.Metrics = of.ClientInstanceID, of.SubscriptionID, metrics
	for _, f := range change {
		f(req)
	}
	return ask[*kmsg.PushTelemetryResponse](c, req).ErrorCode
}

func TestGetTelemetrySubscriptions(t *testing.T) {
	b, v := throttledBroker(t)
	c := dialAs(t, b, "producer-1")
	got := getSubscription(c, [16]byte{}) // behaviour 236
	if got.ErrorCode != 0 || got.ClientInstanceID == [16]byte{} || got.PushIntervalMillis != 300_000 || !slices.Equal(got.AcceptedCompressionTypes, []int8{4, 3, 1, 2}) ||
		got.TelemetryMaxBytes != 1048576 || !got.DeltaTemporality || len(got.RequestedMetrics) != 0 {
		t.Fatalf("without a subscription: %+v", got)
	}
	id := got.ClientInstanceID
	if again := getSubscription(c, id); again.ErrorCode != 89 || again.ClientInstanceID != [16]byte{} {
		t.Errorf("again at once: %+v", again)
	}
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "mine", "match", "client_id=prod.*")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "mine", "metrics", "org.b,org.a")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "mine", "interval.ms", "1000")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "other", "match", "client_id=prod") // the whole name must match
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "other", "metrics", "org.c")
	// Changed subscriptions are told at once.
	changed := getSubscription(c, id)
	if changed.ErrorCode != 0 || changed.ClientInstanceID != id || changed.PushIntervalMillis != 1000 || !slices.Equal(changed.RequestedMetrics, []string{"org.a", "org.b"}) || changed.SubscriptionID == got.SubscriptionID {
		t.Errorf("a subscription that matches: %+v", changed)
	}
	if other := getSubscription(dialAs(t, b, "consumer"), [16]byte{1, 2, 3}); other.PushIntervalMillis != 300_000 || other.ClientInstanceID != [16]byte{1, 2, 3} {
		t.Errorf("a client that nothing matches: %+v", other)
	}
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "all", "metrics", "*")
	if all := getSubscription(c, id); !slices.Equal(all.RequestedMetrics, []string{"*"}) {
		t.Errorf("all metrics: %+v", all)
	}
	v.Advance(999 * time.Millisecond)
	if soon := getSubscription(c, id); soon.ErrorCode != 89 {
		t.Errorf("before the interval is over: [%d]", soon.ErrorCode)
	}
	v.Advance(time.Millisecond)
	if late := getSubscription(c, id); late.ErrorCode != 0 {
		t.Errorf("after the interval: [%d]", late.ErrorCode)
	}
}

func TestPushTelemetryRefusals(t *testing.T) {
	b, v := throttledBroker(t)
	c := dial(t, b)
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "s", "interval.ms", "1000")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "s", "metrics", "*")
	s := getSubscription(c, [16]byte{})
	if code := push(c, s, nil); code != 0 {
		t.Errorf("the first push: [%d]", code)
	}
	if code := push(c, s, nil); code != 89 {
		t.Errorf("the next at once: [%d]", code)
	}
	for _, k := range []struct {
		name   string
		code   int16
		change func(*kmsg.PushTelemetryRequest)
	}{
		{"another subscription", 117, func(r *kmsg.PushTelemetryRequest) { r.SubscriptionID++ }},
		{"codec 9", 76, func(r *kmsg.PushTelemetryRequest) { r.CompressionType = 9 }},
		{"no OTLP", 87, func(r *kmsg.PushTelemetryRequest) { r.Metrics = []byte("no OTLP\xff") }},
		{"broken zstd", 87, func(r *kmsg.PushTelemetryRequest) { r.CompressionType, r.Metrics = 4, []byte("x") }},
		{"too large", 118, func(r *kmsg.PushTelemetryRequest) { r.Metrics = make([]byte, 1048577) }},
		{"id 0", 42, func(r *kmsg.PushTelemetryRequest) { r.ClientInstanceID = [16]byte{} }},
		{"id 1", 42, func(r *kmsg.PushTelemetryRequest) { r.ClientInstanceID = [16]byte{15: 1} }},
		{"an id that never asked", 117, func(r *kmsg.PushTelemetryRequest) { r.ClientInstanceID = [16]byte{9, 9} }},
		{"the last push, early", 0, func(r *kmsg.PushTelemetryRequest) { r.Terminating = true }},
		{"after the last push", 42, func(*kmsg.PushTelemetryRequest) {}},
	} {
		v.Advance(time.Second)
		if code := push(c, s, nil, k.change); code != k.code {
			t.Errorf("%s: [%d], want [%d]", k.name, code, k.code)
		}
	}
}

func TestAClientThatPushedWhatNobodyAskedForMayAskAgainAtOnce(t *testing.T) {
	for name, wrong := range map[string]func(*kmsg.PushTelemetryRequest){
		"another subscription": func(r *kmsg.PushTelemetryRequest) { r.SubscriptionID++ },
		"codec 9":              func(r *kmsg.PushTelemetryRequest) { r.CompressionType = 9 },
	} {
		b, _ := throttledBroker(t)
		c := dial(t, b)
		s := getSubscription(c, [16]byte{})
		if code := push(c, s, nil, wrong); code == 0 {
			t.Errorf("%s was taken", name)
		}
		if again := getSubscription(c, s.ClientInstanceID); again.ErrorCode != 0 || again.SubscriptionID != s.SubscriptionID {
			t.Errorf("%s, then asked again: %+v", name, again)
		}
		if twice := getSubscription(c, s.ClientInstanceID); twice.ErrorCode != 89 {
			t.Errorf("%s, then asked a second time: [%d], want [89]", name, twice.ErrorCode)
		}
	}
}

// point is a data point with one attribute.
func point(value any, attribute string) *otlp.NumberDataPoint {
	p := &otlp.NumberDataPoint{}
	switch v := value.(type) {
	case int:
		p.Value = &otlp.NumberDataPoint_AsInt{AsInt: int64(v)}
	case float64:
		p.Value = &otlp.NumberDataPoint_AsDouble{AsDouble: v}
	}
	if attribute != "" {
		name, value, _ := strings.Cut(attribute, "=")
		p.Attributes = append(p.Attributes, attributeOf(name, value))
	}
	return p
}

func attributeOf(name, value string) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func metricsOf(t *testing.T, metrics ...*otlp.Metric) []byte {
	t.Helper()
	raw, err := proto.Marshal(&otlp.MetricsData{ResourceMetrics: []*otlp.ResourceMetrics{{
		Resource:     &resource.Resource{Attributes: []*common.KeyValue{attributeOf("client_rack", "r1")}},
		ScopeMetrics: []*otlp.ScopeMetrics{{Metrics: metrics}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// exported reads the client metrics as Prometheus would, "name{labels}" ->
// value; ids are left out.
func exported(t *testing.T, b *Broker) map[string]float64 {
	t.Helper()
	return exportedWith(t, b, "kafka_client_")
}

func exportedWith(t *testing.T, b *Broker, prefix string) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				if l.GetName() != "client_instance_id" && l.GetValue() != "" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			key := fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))
			switch {
			case m.Gauge != nil:
				found[key] = m.Gauge.GetValue()
			case m.Counter != nil:
				found[key] = m.Counter.GetValue()
			case m.Histogram != nil:
				found[key] = m.Histogram.GetSampleSum()
				for _, bucket := range m.Histogram.Bucket {
					found[fmt.Sprintf("%s<=%v", key, bucket.GetUpperBound())] = float64(bucket.GetCumulativeCount())
				}
			case m.Summary != nil:
				found[key] = m.Summary.GetSampleSum()
			}
		}
	}
	return found
}

func TestPushedMetricsAreExported(t *testing.T) {
	b, v := throttledBroker(t)
	c := dialAs(t, b, "app")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "s", "interval.ms", "1000")
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "s", "metrics", "*")
	s := getSubscription(c, [16]byte{})
	delta, cumulative := otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA, otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	sum := func(name string, how otlp.AggregationTemporality, points ...*otlp.NumberDataPoint) *otlp.Metric {
		return &otlp.Metric{Name: name, Data: &otlp.Metric_Sum{Sum: &otlp.Sum{IsMonotonic: true, AggregationTemporality: how, DataPoints: points}}}
	}
	data := metricsOf(t,
		&otlp.Metric{Name: "org.apache.kafka.producer.rate", Data: &otlp.Metric_Gauge{Gauge: &otlp.Gauge{DataPoints: []*otlp.NumberDataPoint{point(2.5, "node-id=1")}}}},
		sum("org.apache.kafka.sent.total", delta, point(10, "")),
		sum("org.apache.kafka.seen", cumulative, point(7, "")),
		&otlp.Metric{Name: "h", Data: &otlp.Metric_Histogram{Histogram: &otlp.Histogram{AggregationTemporality: delta, DataPoints: []*otlp.HistogramDataPoint{
			{Count: 3, Sum: proto.Float64(6), ExplicitBounds: []float64{1, 2}, BucketCounts: []uint64{1, 1, 1}},
		}}}},
		&otlp.Metric{Name: "q", Data: &otlp.Metric_Summary{Summary: &otlp.Summary{DataPoints: []*otlp.SummaryDataPoint{
			{Count: 2, Sum: 9, QuantileValues: []*otlp.SummaryDataPoint_ValueAtQuantile{{Quantile: 0.5, Value: 4}}},
		}}}},
	)
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		packed, err := record.Compress(nil, codec, 0, data)
		if codec == record.None {
			packed, err = data, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if code := push(c, s, packed, func(r *kmsg.PushTelemetryRequest) { r.CompressionType = int8(codec) }); code != 0 {
			t.Fatalf("%v: [%d]", codec, code)
		}
		v.Advance(time.Second)
	}
	got := exported(t, b)
	const of = "{client_id=app,client_rack=r1}"
	for name, want := range map[string]float64{
		"kafka_client_org_apache_kafka_producer_rate{client_id=app,client_rack=r1,node_id=1}": 2.5,
		"kafka_client_org_apache_kafka_sent_total" + of:                                       50, // five times 10
		"kafka_client_org_apache_kafka_seen_total" + of:                                       7,
		"kafka_client_h" + of:         30,
		"kafka_client_h" + of + "<=1": 5,
		"kafka_client_h" + of + "<=2": 10,
		"kafka_client_q" + of:         9,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 7 {
		t.Errorf("exported: %v", got)
	}
	// Another client with another idea of the same metric does no harm.
	other := dialAs(t, b, "other")
	odd := metricsOf(t, sum("h", delta, point(1, "client_id=forged")), sum("", delta, point(1, "le=1")), sum("ok", delta, point(1, "client_id=forged")))
	if code := push(other, getSubscription(other, [16]byte{7}), odd); code != 0 {
		t.Fatalf("[%d]", code)
	}
	if got := exported(t, b); got["kafka_client_ok_total{client_id=other,client_rack=r1}"] != 1 {
		t.Errorf("exported: %v", got)
	}
	// Silent clients are forgotten.
	v.Advance(2 * time.Minute)
	if got := exported(t, b); len(got) != 0 {
		t.Errorf("two minutes later: %v", got)
	}
	getSubscription(other, [16]byte{8})
	if n := len(b.telemetry.instances); n != 1 || b.telemetry.count != 0 {
		t.Errorf("%d clients are kept, %d series", n, b.telemetry.count)
	}
}
