package broker

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Observation is one request and its answer, as an Observer sees them. Request
// and Response alias the broker's memory: they may be read until the Observer
// returns, and never be changed.
type Observation struct {
	Connection      uint64 // counts up from 1
	RemoteAddr      string
	ClientID        string
	SoftwareName    string // from ApiVersions v3+ (KIP-511), else empty
	SoftwareVersion string
	Node            int32
	Key, Version    int16
	CorrelationID   int32
	Request         kmsg.Request
	Response        kmsg.Response // nil when nothing was answered
	Err             error         // why the connection was closed instead of an answer
	Received        time.Time     // on the broker's clock
	Took            time.Duration // from decoded to answered, waiting included

	b *Broker
}

// Outcome says in a few words what the request was about and what came of it,
// as the transcript of a test does.
func (o *Observation) Outcome() string { return outcome(o.b, o.Request, o.Response, o.Err) }

// Failed says whether the answer has an error in it, or there was none because
// the connection was closed.
func (o *Observation) Failed() bool {
	if o.Err != nil {
		return true
	}
	if o.Response == nil {
		return false
	}
	for _, code := range errorCodes(reflect.ValueOf(o.Response).Elem(), nil) {
		if code != 0 {
			return true
		}
	}
	return false
}

// Observer is called on the connection's goroutine, before the answer is sent:
// what it takes long for, the client waits for.
type Observer func(Observation)

// observers are those who look. Nobody costs one atomic load, and so does a
// request that nobody looks at.
type observers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*observer] // nil: nobody
}

// observer is one of them, and what it looks at.
type observer struct {
	f    Observer
	all  bool
	some [2]uint64 // if not all: a bit for each API key
}

func (o *observer) wants(key int16) bool { return o.all || o.some[key>>6]>>(key&63)&1 == 1 }

// Observe calls f for each request from now on, until stop is called; or for
// those of some APIs only, and the others cost next to nothing.
func (b *Broker) Observe(f Observer, only ...kmsg.Key) (stop func()) {
	o := &b.observers
	mine := &observer{f: f, all: len(only) == 0}
	for _, key := range only {
		mine.some[key>>6] |= 1 << (key & 63)
	}
	o.change(func(list []*observer) []*observer { return append(list, mine) })
	return func() {
		o.change(func(list []*observer) []*observer {
			return slices.DeleteFunc(list, func(other *observer) bool { return other == mine })
		})
	}
}

func (o *observers) change(f func([]*observer) []*observer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*observer
	if old := o.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = f(list); len(list) == 0 {
		o.list.Store(nil)
		return
	}
	o.list.Store(&list)
}

// watch is the observation of one request; nil when nobody looks.
type watch struct {
	list []*observer
	r    *request
	seen Observation
}

// begin is called when a request was decoded.
func (o *observers) begin(r *request, correlationID int32) *watch {
	list := o.list.Load()
	if list == nil || !slices.ContainsFunc(*list, func(w *observer) bool { return w.wants(r.key) }) {
		return nil
	}
	return &watch{list: *list, r: r, seen: Observation{
		Connection:    r.id,
		RemoteAddr:    r.nc.RemoteAddr().String(),
		ClientID:      r.clientID,
		Node:          r.node.id,
		Key:           r.key,
		Version:       r.version,
		CorrelationID: correlationID,
		Request:       withoutSecrets(r.body),
		Received:      r.broker.clock.Now(),
		b:             r.broker,
	}}
}

// end is called when the handler has returned.
func (w *watch) end(resp kmsg.Response, err error) {
	if w == nil {
		return
	}
	w.seen.SoftwareName, w.seen.SoftwareVersion = w.r.softwareName, w.r.softwareVersion
	resp = asModel(resp)
	w.seen.Response, w.seen.Err = resp, err
	w.seen.Took = w.r.broker.clock.Now().Sub(w.seen.Received)
	for _, o := range w.list {
		if o.wants(w.r.key) {
			o.f(w.seen)
		}
	}
}

// withoutSecrets is a request as others may see it: passwords stay between the
// client and the broker.
func withoutSecrets(req kmsg.Request) kmsg.Request {
	hidden := []byte("(hidden)")
	switch req := req.(type) {
	case *kmsg.SASLAuthenticateRequest:
		c := *req
		c.SASLAuthBytes = hidden
		return &c
	case *kmsg.AlterUserSCRAMCredentialsRequest:
		c := *req
		c.Upsertions = slices.Clone(req.Upsertions)
		for i := range c.Upsertions {
			c.Upsertions[i].SaltedPassword = hidden
		}
		return &c
	}
	return req
}
