package broker

import (
	"math"
	"net/netip"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a quota does to a request: its answer says how long the
// client is to wait, and its connection is not read for that long (KIP-219). A
// connection above its address's quota is never read (KIP-612).

// window is over how long quotas of a kind are measured.
func (b *Broker) window(kind quotaKind) quotaWindow {
	cfg := b.config.Load()
	samples, length := "quota.window.num", "quota.window.size.seconds"
	if kind == quotaMutations {
		samples, length = "controller.quota.window.num", "controller.quota.window.size.seconds"
	}
	return quotaWindow{samples: cfg.Int(samples), ms: cfg.Duration(length).Milliseconds()}
}

// quota finds the limit for the request's client; false: there is none.
func (r *request) quota(kind quotaKind) (float64, meterKey, bool) {
	q := &r.broker.quotas
	if !q.enforced(kind) {
		return 0, meterKey{}, false
	}
	return q.table.Load().limit(kind, r.user(), r.clientID)
}

// charge counts what a request used, and says for how many ms it is throttled.
func (r *request) charge(kind quotaKind, value float64) int64 {
	limit, shared, ok := r.quota(kind)
	if !ok {
		return 0
	}
	b := r.broker
	w, now := b.window(kind), b.nowMs()
	wait := b.quotas.meter(shared, now).add(value, limit, w, now)
	if kind == quotaRequest {
		wait = min(wait, w.ms)
	}
	r.throttle(wait)
	return wait
}

// throttle makes the client wait at least ms.
func (r *request) throttle(ms int64) { r.throttled = max(r.throttled, min(ms, math.MaxInt32)) }

// chargeTime counts the time that the request took, without that in which it
// only waited, and says for how many ms it is throttled. Only its first call
// counts.
func (r *request) chargeTime() int64 {
	if r.began.IsZero() {
		return 0
	}
	took := r.broker.clock.Now().Sub(r.began) - r.parked
	r.began = time.Time{}
	return r.charge(quotaRequest, took.Seconds()*100)
}

// settle ends a request's accounts: it tells the answer how long the client is
// throttled, and mutes the connection.
func (r *request) settle(resp kmsg.Response) {
	if resp != nil {
		// Produce with acks=0 has nobody to tell (KafkaApis.handleProduceRequest).
		r.chargeTime()
	}
	if r.throttled == 0 {
		return
	}
	if t, ok := resp.(kmsg.SetThrottleResponse); ok {
		t.SetThrottle(int32(r.throttled))
	}
	r.muted = time.Duration(r.throttled) * time.Millisecond
}

// fetchable is how many bytes one fetch of the client may have at most, so that
// a single answer does not use up more than its quota's window
// (ClientQuotaManager.getMaxValueInQuotaWindow).
func (r *request) fetchable() int {
	limit, _, ok := r.quota(quotaFetch)
	if !ok {
		return math.MaxInt
	}
	w := r.broker.window(quotaFetch)
	most := limit * float64(w.samples-1) * float64(w.ms) / 1000
	if most > math.MaxInt32 {
		return math.MaxInt
	}
	return int(most)
}

// tooManyConnections says for how long a connection that came just now is to
// be kept unread, and then closed, because its address made too many; 0: it is
// welcome. It does not count then (kafka.network.ConnectionQuotas).
func (b *Broker) tooManyConnections(from netip.AddrPort) time.Duration {
	q := &b.quotas
	if !q.enforced(quotaConnections) || !from.IsValid() {
		return 0
	}
	limit, ok := q.table.Load().connections(from.Addr())
	if !ok {
		return 0
	}
	w, now := b.window(quotaConnections), b.nowMs()
	m := q.meter(meterKey{kind: quotaConnections, ip: from.Addr()}, now)
	wait := min(m.add(1, limit, w, now), w.ms)
	if wait > 0 {
		m.add(-1, limit, w, now)
	}
	return time.Duration(wait) * time.Millisecond
}

// mutations is the quota of partitions that one request creates or deletes.
type mutations struct {
	r *request
	// strict: a client without quota left is refused. Older clients do not
	// know that error; they are throttled afterwards.
	strict bool
}

var errThrottled = &apiError{code: kerr.ThrottlingQuotaExceeded.Code}

// take counts n partitions. Without a request, as for topics made at start,
// there is no quota.
func (m *mutations) take(n int) *apiError {
	if m == nil {
		return nil
	}
	limit, shared, ok := m.r.quota(quotaMutations)
	if !ok {
		return nil
	}
	b := m.r.broker
	now := b.nowMs()
	given, wait := b.quotas.meter(shared, now).take(float64(n), limit, b.window(quotaMutations), m.strict, now)
	m.r.throttle(wait)
	if !given {
		return errThrottled
	}
	return nil
}
