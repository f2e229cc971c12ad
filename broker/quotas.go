package broker

import (
	"cmp"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
)

// This file owns client quotas: who has which, and what was used of them. The
// APIs are in clientquotas.go, what follows from a quota in throttle.go.

// quotaKind is one of the quotas that are enforced.
type quotaKind int8

const (
	quotaProduce     quotaKind = iota // bytes of Produce requests per second
	quotaFetch                        // bytes of records fetched per second
	quotaRequest                      // percent of one second spent on requests
	quotaMutations                    // partitions created and deleted per second (KIP-599)
	quotaConnections                  // connections made by an address per second (KIP-612)
	quotaKinds
)

// quotaKeys are the names of the quotas, by kind.
var quotaKeys = [quotaKinds]string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate", connectionRate}

// quotaName is one part of a quota's entity: absent, the default of all names,
// or one name.
type quotaName struct {
	is   int8
	name string
}

const (
	nameAbsent int8 = iota
	nameDefault
	nameExact
)

func exactly(name string) quotaName { return quotaName{nameExact, name} }

var byDefault = quotaName{is: nameDefault}

// quotaEntity is whom a quota is for: a user, a client id, both, or an IP
// address.
type quotaEntity struct{ client, user, ip quotaName }

// quotaTable is all quotas that are set. It never changes.
type quotaTable struct {
	limits map[quotaEntity]map[string]float64
	ips    map[netip.Addr]float64 // connectionRate of those that have one of their own
	used   [quotaKinds]bool       // whether anybody has one
}

// quotas is the state of all client quotas. The table's writers hold
// controller.mu.
type quotas struct {
	table atomic.Pointer[quotaTable]

	mu      sync.Mutex // a leaf: to find and to add a meter
	meters  map[meterKey]*meter
	sweepAt int // number of meters at which idle ones are looked for
}

// set gives an entity other quotas; none: it has no more. It needs
// controller.mu.
func (q *quotas) set(e quotaEntity, values map[string]float64) {
	next := &quotaTable{limits: make(map[quotaEntity]map[string]float64), ips: make(map[netip.Addr]float64)}
	if old := q.table.Load(); old != nil {
		maps.Copy(next.limits, old.limits)
	}
	if len(values) == 0 {
		delete(next.limits, e)
	} else {
		next.limits[e] = values
	}
	for e, values := range next.limits {
		if limit, ok := values[connectionRate]; ok && e.ip.is == nameExact {
			for _, ip := range addressesOf(e.ip.name) {
				next.ips[ip] = limit
			}
		}
		for kind, key := range quotaKeys {
			if _, ok := values[key]; ok {
				next.used[kind] = true
			}
		}
	}
	q.table.Store(next)
}

// of are the quotas that an entity has. Do not change them.
func (q *quotas) of(e quotaEntity) map[string]float64 {
	if t := q.table.Load(); t != nil {
		return t.limits[e]
	}
	return nil
}

// reset takes all quotas away, and forgets what was used. It needs
// controller.mu.
func (q *quotas) reset() {
	q.table.Store(nil)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.meters = nil
}

// enforced says whether anybody has a quota of a kind: without, nothing is
// measured.
func (q *quotas) enforced(kind quotaKind) bool {
	t := q.table.Load()
	return t != nil && t.used[kind]
}

// meterKey is who shares a quota: a quota of a user is one for all the user's
// clients, that of a client id one for all users. An address has its own.
type meterKey struct {
	kind         quotaKind
	user, client string
	ip           netip.Addr
}

// connections finds the quota of an address.
func (t *quotaTable) connections(ip netip.Addr) (limit float64, ok bool) {
	if limit, ok = t.ips[ip]; !ok {
		limit, ok = t.limits[quotaEntity{ip: byDefault}][connectionRate]
	}
	return limit, ok
}

// limit finds the quota for a user's client, and who shares it. The order is
// org.apache.kafka.server.ClientQuotaManager's, most specific first.
func (t *quotaTable) limit(kind quotaKind, user, client string) (limit float64, shared meterKey, ok bool) {
	key := quotaKeys[kind]
	find := func(u, c quotaName) bool {
		limit, ok = t.limits[quotaEntity{user: u, client: c}][key]
		if ok {
			shared = meterKey{kind: kind}
			if u.is != nameAbsent {
				shared.user = user
			}
			if c.is != nameAbsent {
				shared.client = client
			}
		}
		return ok
	}
	none, u, c := quotaName{}, exactly(user), exactly(client)
	if client == "" { // such clients have their user's quota alone
		_ = find(u, none) || find(byDefault, none)
		return limit, shared, ok
	}
	_ = find(u, c) || find(u, byDefault) || find(u, none) ||
		find(byDefault, c) || find(byDefault, byDefault) || find(byDefault, none) ||
		find(none, c) || find(none, byDefault)
	return limit, shared, ok
}

// meter measures what is used of one quota.
type meter struct {
	mu      sync.Mutex
	used    int64 // when last, in ms
	samples []sample
	current int
	tokens  float64 // of quotaMutations
}

// sample is what was used in one window (org.apache.kafka.common.metrics.stats.SampledStat).
type sample struct {
	start, last int64 // in ms
	value       float64
}

// meterIdle is after how long, in ms, an unused meter is forgotten.
const meterIdle = 3600_000

// meter finds the meter of those who share a quota.
func (q *quotas) meter(key meterKey, now int64) *meter {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.meters[key]
	if m != nil {
		return m
	}
	if q.meters == nil {
		q.meters = make(map[meterKey]*meter)
	}
	if len(q.meters) >= max(q.sweepAt, 1000) {
		maps.DeleteFunc(q.meters, func(_ meterKey, m *meter) bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return now-m.used > meterIdle
		})
		q.sweepAt = 2 * len(q.meters)
	}
	m = &meter{used: now}
	q.meters[key] = m
	return m
}

// quotaWindow is over how long a rate is measured.
type quotaWindow struct {
	samples int
	ms      int64 // of one sample
}

// add counts value and returns by how many ms the client must slow down to come
// back to limit, per second (org.apache.kafka.server.quota.QuotaUtils).
func (m *meter) add(value, limit float64, w quotaWindow, now int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = now
	if len(m.samples) == 0 {
		m.samples = append(m.samples, sample{start: now, last: now})
	}
	if now-m.samples[m.current].start >= w.ms {
		// One more than the window has, for the one that it cuts.
		m.current = (m.current + 1) % (w.samples + 1)
		if m.current >= len(m.samples) {
			m.samples = append(m.samples, sample{})
		}
		m.samples[m.current] = sample{start: now, last: now}
	}
	s := &m.samples[m.current]
	s.value += value
	s.last = now

	sum, oldest := 0.0, now
	for i := range m.samples {
		s := &m.samples[i]
		if now-s.last >= int64(w.samples)*w.ms {
			*s = sample{start: now, last: now}
		}
		sum += s.value
		oldest = min(oldest, s.start)
	}
	// A window that just began counts as full, but for its last sample: a
	// burst at the start is no high rate.
	elapsed := now - oldest
	if full := elapsed / w.ms; full < int64(w.samples-1) {
		elapsed += (int64(w.samples-1) - full) * w.ms
	}
	elapsed = max(elapsed, 1)
	rate := sum / float64(elapsed) * 1000
	if rate <= limit {
		return 0
	}
	return round((rate - limit) / limit * float64(elapsed))
}

// take draws n tokens from a bucket that gets limit tokens a second, and
// returns how long, in ms, it stays overdrawn. A strict bucket that is
// overdrawn already gives none (org.apache.kafka.common.metrics.stats.TokenBucket).
func (m *meter) take(n, limit float64, w quotaWindow, strict bool, now int64) (given bool, wait int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := limit * float64(w.samples) * float64(w.ms) / 1000
	if len(m.samples) == 0 {
		m.samples = append(m.samples, sample{start: now, last: now})
		m.tokens = most
	}
	m.tokens = min(most, m.tokens+limit*float64(now-m.used)/1000)
	m.used = now
	given = !strict || m.tokens >= 0
	if given {
		m.tokens -= n
	}
	if m.tokens >= 0 || given && strict {
		return given, 0
	}
	return given, round(-m.tokens / limit * 1000)
}

func round(f float64) int64 { return int64(f + 0.5) }

func compareNames(a, b quotaName) int {
	return cmp.Or(cmp.Compare(a.is, b.is), cmp.Compare(a.name, b.name))
}

func compareEntities(a, b quotaEntity) int {
	return cmp.Or(compareNames(a.user, b.user), compareNames(a.client, b.client), compareNames(a.ip, b.ip))
}
