package broker

import (
	"container/list"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/protocol/record"
)

// This file owns client telemetry (KIP-714): which client is to push which
// metrics how often. What it pushed is in telemetry_series.go. The rules are
// org.apache.kafka.server.ClientMetricsManager's.

const (
	// maxClientInstances is how many clients are remembered.
	maxClientInstances = 16384
	// leastInstanceExpiry is how long, in ms, a silent client is remembered at
	// least; else for three of its intervals.
	leastInstanceExpiry = 60_000
)

// telemetryCodecs are the compressions accepted, the preferred first.
var telemetryCodecs = []int8{int8(record.Zstd), int8(record.LZ4), int8(record.Gzip), int8(record.Snappy)}

// clientInstance is one client that asked what to push.
type clientInstance struct {
	id    [16]byte
	asked map[string]string      // what a subscription can match, by the names of package config
	known *[]config.Subscription // the subscriptions that were looked at

	subscription int32
	metrics      []string
	interval     int64 // between pushes, in ms

	lastGet, lastPush int64 // in ms; 0: never
	used              int64 // when last, in ms
	terminating       bool  // it pushed for the last time
	failed            int16 // the newest push's error code, until it asks again

	series map[string]*series
	place  *list.Element
}

// telemetry is what is known of clients that push metrics.
type telemetry struct {
	// subscriptions are all there are. It is replaced whole, by the controller.
	subscriptions atomic.Pointer[[]config.Subscription]

	mu        sync.Mutex // a leaf
	instances map[[16]byte]*clientInstance
	recent    list.List // of *clientInstance, the one used last in front
	count     int       // of series
}

// handleGetTelemetrySubscriptions serves GetTelemetrySubscriptions v0.
func (b *Broker) handleGetTelemetrySubscriptions(r *request, req *kmsg.GetTelemetrySubscriptionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
	id := req.ClientInstanceID
	if id == [16]byte{} {
		id = b.random.newUUID()
	}
	t, now := &b.telemetry, b.nowMs()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := b.clientInstance(r, id, now)
	switch {
	case now-max(c.lastGet, c.lastPush) >= c.interval:
		c.lastGet = now
	case c.failed == kerr.UnknownSubscriptionID.Code || c.failed == kerr.UnsupportedCompressionType.Code:
		// It was told to ask again.
	default:
		resp.ErrorCode = kerr.ThrottlingQuotaExceeded.Code
		return resp, nil
	}
	c.failed = 0
	resp.ClientInstanceID, resp.SubscriptionID = id, c.subscription
	resp.AcceptedCompressionTypes = telemetryCodecs
	resp.PushIntervalMillis, resp.DeltaTemporality = int32(c.interval), true
	resp.TelemetryMaxBytes = int32(b.config.Load().Int("telemetry.max.bytes"))
	resp.RequestedMetrics = c.metrics
	return resp, nil
}

// handlePushTelemetry serves PushTelemetry v0.
func (b *Broker) handlePushTelemetry(r *request, req *kmsg.PushTelemetryRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.PushTelemetryResponse)
	if id := req.ClientInstanceID; id == [16]byte{} || id == [16]byte{15: 1} { // Kafka's reserved ids
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp, nil
	}
	t, now := &b.telemetry, b.nowMs()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := b.clientInstance(r, req.ClientInstanceID, now)
	resp.ErrorCode = c.checkPush(req, b.config.Load(), now)
	c.failed, c.terminating = resp.ErrorCode, req.Terminating
	if resp.ErrorCode != 0 || len(req.Metrics) == 0 {
		return resp, nil
	}
	if err := t.take(c, record.Codec(req.CompressionType), req.Metrics); err != nil {
		b.loggers.apis.Debug("a client pushed metrics that cannot be read", "client", r.String(), "error", err)
		resp.ErrorCode = kerr.InvalidRecord.Code
		c.failed = resp.ErrorCode
	}
	return resp, nil
}

// checkPush returns an error code.
func (c *clientInstance) checkPush(req *kmsg.PushTelemetryRequest, cfg *config.Broker, now int64) int16 {
	if c.terminating {
		return kerr.InvalidRequest.Code
	}
	// The first push after a Get comes at a random time within the interval.
	if c.lastGet > c.lastPush || now-c.lastPush >= c.interval {
		c.lastPush = now
	} else if !req.Terminating {
		return kerr.ThrottlingQuotaExceeded.Code
	}
	switch {
	case req.SubscriptionID != c.subscription:
		return kerr.UnknownSubscriptionID.Code
	case req.CompressionType != 0 && !slices.Contains(telemetryCodecs, req.CompressionType):
		return kerr.UnsupportedCompressionType.Code
	case len(req.Metrics) > cfg.Int("telemetry.max.bytes"):
		return kerr.TelemetryTooLarge.Code
	}
	return 0
}

// clientInstance finds or makes a client, and works out its subscription if
// subscriptions changed. It needs telemetry.mu.
func (b *Broker) clientInstance(r *request, id [16]byte, now int64) *clientInstance {
	t := &b.telemetry
	c := t.instances[id]
	if c == nil {
		if t.instances == nil {
			t.instances = make(map[[16]byte]*clientInstance)
		}
		for oldest := t.recent.Back(); oldest != nil; oldest = t.recent.Back() {
			o := oldest.Value.(*clientInstance)
			if len(t.instances) < maxClientInstances && !o.expired(now) {
				break
			}
			t.forget(o)
		}
		c = &clientInstance{id: id, series: make(map[string]*series), asked: map[string]string{
			config.MatchInstanceID:      base64.RawURLEncoding.EncodeToString(id[:]),
			config.MatchClientID:        r.clientID,
			config.MatchSoftwareName:    r.softwareName,
			config.MatchSoftwareVersion: r.softwareVersion,
		}}
		if from := r.peer.remote; from.IsValid() {
			c.asked[config.MatchSourceAddress] = from.Addr().String()
			c.asked[config.MatchSourcePort] = strconv.Itoa(int(from.Port()))
		}
		c.place = t.recent.PushFront(c)
		t.instances[id] = c
		c.subscribe(t.subscriptions.Load())
	}
	t.recent.MoveToFront(c.place)
	c.used = now
	r.conn.telemetry = c
	if now := t.subscriptions.Load(); c.known != now {
		c.subscribe(now)
		c.startOver()
	}
	return c
}

// expired says whether the client was silent for too long.
func (c *clientInstance) expired(now int64) bool {
	return now-c.used > max(leastInstanceExpiry, 3*c.interval)
}

// startOver lets the client ask and push at once.
func (c *clientInstance) startOver() {
	c.lastGet, c.lastPush, c.terminating, c.failed = 0, 0, false, 0
}

// forget drops a client and its metrics. It needs mu.
func (t *telemetry) forget(c *clientInstance) {
	t.recent.Remove(c.place)
	delete(t.instances, c.id)
	t.count -= len(c.series)
}

// reset forgets all subscriptions, clients and metrics. It needs controller.mu,
// above mu.
func (t *telemetry) reset() {
	t.subscriptions.Store(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instances, t.count = nil, 0
	t.recent.Init()
}

// disconnected lets the client of a connection that ended begin anew when it
// is back. Its metrics stay until it is forgotten, to be read after its end.
func (t *telemetry) disconnected(c *conn) {
	if c.telemetry == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.telemetry.startOver() // it may be forgotten by now
}

// subscribe works out what the client is to push.
func (c *clientInstance) subscribe(all *[]config.Subscription) {
	c.known = all
	c.interval = config.DefaultPushInterval
	names := make(map[string]bool)
	if all != nil {
		for _, s := range *all {
			if !matchesAll(s.Match, c.asked) {
				continue
			}
			c.interval = min(c.interval, s.IntervalMs)
			for _, name := range s.Metrics {
				names[name] = true
			}
		}
	}
	c.metrics = slices.Sorted(maps.Keys(names))
	if names["*"] {
		c.metrics = []string{"*"}
	}
	text := strings.Join(c.metrics, ", ") + strconv.FormatInt(c.interval, 10)
	mixed := binary.BigEndian.Uint64(c.id[:8]) ^ binary.BigEndian.Uint64(c.id[8:])
	c.subscription = int32(crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)) ^ uint32(mixed>>32) ^ uint32(mixed))
}

// readSubscriptions reads the subscriptions anew, after a change.
func (b *Broker) readSubscriptions() {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	prefix := resourceKey(kmsg.ConfigResourceTypeClientMetrics, "")
	var all []config.Subscription
	for key, overrides := range b.controller.configs {
		if strings.HasPrefix(key, prefix) {
			all = append(all, config.ReadSubscription(overrides))
		}
	}
	b.telemetry.subscriptions.Store(&all)
}

func matchesAll(patterns map[string]string, attributes map[string]string) bool {
	for name, pattern := range patterns {
		value, known := attributes[name]
		// It was compiled when it was set.
		whole, err := regexp.Compile("^(?:" + pattern + ")$")
		if !known || err != nil || !whole.MatchString(value) {
			return false
		}
	}
	return true
}
