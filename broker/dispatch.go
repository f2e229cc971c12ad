package broker

import (
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
	"minibroker/protocol"
)

// maxDecoded bounds requests that are lists of small things: decoded, they take
// many times the memory of their frame. Produce's records are not decoded.
const maxDecoded = 16 << 20

// request is one request in work. It and what it points to are gone when its
// answer is encoded.
type request struct {
	*conn
	key, version int16
	body         kmsg.Request
	size         int      // in bytes, as received
	scratch      *scratch // see memory

	// For quotas, see throttle.go.
	began     time.Time     // zero where time is not measured
	parked    time.Duration // since then: waiting, not working
	throttled int64         // in ms

	slow *Injected // that slows the answer down; else nil

	lacking []permission // that were looked for in vain
}

// handlerFunc answers one request. A nil answer sends nothing (acks=0). An
// error closes the connection: wrap errHangUp to have it logged.
type handlerFunc func(*Broker, *request) (kmsg.Response, error)

// on adapts the handler of one API to handlerFunc.
func on[R kmsg.Request](f func(*Broker, *request, R) (kmsg.Response, error)) handlerFunc {
	return func(b *Broker, r *request) (kmsg.Response, error) { return f(b, r, r.body.(R)) }
}

// modeled is an answer with an encoding of its own. model is the same as kmsg has
// it, for those who look at it.
type modeled interface {
	kmsg.Response
	model() kmsg.Response
}

// asModel is an answer as kmsg has it.
func asModel(resp kmsg.Response) kmsg.Response {
	if m, ok := resp.(modeled); ok {
		return m.model()
	}
	return resp
}

// spliced is an answer that encodes itself around slices of logs.
type spliced interface {
	modeled
	// encode writes the answer's body. The answer is gone afterwards.
	encode(*answerWriter)
}

// scratch is what a request in work needs, and is used again and again: the
// requests that come most often allocate nothing.
type scratch struct {
	request request
	produce protocol.ProduceDecoder
	fetch   protocol.FetchDecoder
	commit  protocol.CommitDecoder

	produced    produced
	versions    versionsAnswer
	metadata    metadataAnswer
	coordinator kmsg.FindCoordinatorResponse
	beat        kmsg.HeartbeatResponse
	committed   group.CommitMemory
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives the memory back, and holds on to nothing of the request.
func (s *scratch) release() {
	s.request = request{}
	s.produce.Forget()
	s.fetch.Forget()
	s.commit.Forget()
	s.produced.forget()
	s.versions = versionsAnswer{}
	s.metadata.forget()
	if cap(s.coordinator.Coordinators) > 64 {
		s.coordinator.Coordinators = nil
	}
	s.committed.Forget()
	scratches.Put(s)
}

// memory is what the request's answer may be made in: requests from inside the
// process have their own.
func (r *request) memory() *scratch {
	if r.scratch == nil {
		r.scratch = new(scratch)
	}
	return r.scratch
}

// decode reads the body of a request of c. What it returns is gone with release.
func (s *scratch) decode(c *conn, key, version int16, body []byte) (kmsg.Request, error) {
	if repeats(key, body) {
		return c.newest.decode(key, version, body)
	}
	switch key {
	case protocol.KeyProduce:
		if req := s.produce.Decode(version, body); req != nil {
			return req, nil
		}
	case protocol.KeyFetch:
		if req := s.fetch.Decode(version, body); req != nil {
			return req, nil
		}
	case protocol.KeyOffsetCommit:
		if req := s.commit.Decode(version, body); req != nil {
			return req, nil
		}
	}
	return decode(key, version, body)
}

// handle works on one request and encodes its answer.
func (c *conn) handle(frame []byte) error {
	b := c.broker
	if c.sasl != nil {
		if taken, err := c.admit(frame); taken || err != nil {
			return err
		}
	}
	h, err := protocol.ParsePrefix(frame)
	if err != nil {
		return fmt.Errorf("%w: %w", errHangUp, err)
	}
	api := protocol.APIFor(h.Key)
	if api == nil {
		return fmt.Errorf("%w: there is no API with key %d (version %d)", errHangUp, h.Key, h.Version)
	}
	b.metrics.received(h.Key, len(frame))
	if len(frame) > maxDecoded && h.Key != protocol.KeyProduce {
		return fmt.Errorf("%w: %s of %d bytes: only Produce may have more than %d", errHangUp, api.Name, len(frame), maxDecoded)
	}
	if !api.Serves(h.Version) {
		if h.Key == protocol.KeyApiVersions {
			return c.answer(h, false, unsupportedApiVersions())
		}
		return fmt.Errorf("%w: %s version %d is not among %d to %d", errHangUp, api.Name, h.Version, api.Min, api.Max)
	}
	flexible := api.Flexible(h.Version)
	h, body, err := protocol.ParseHeader(frame, flexible)
	if err != nil {
		return fmt.Errorf("%w: %s version %d: %w", errHangUp, api.Name, h.Version, err)
	}
	if string(h.ClientID) != c.clientID {
		c.clientID = string(h.ClientID)
		c.introduce()
	}
	work := scratches.Get().(*scratch)
	defer work.release()
	req, err := work.decode(c, h.Key, h.Version, body)
	if err != nil {
		return fmt.Errorf("%w: %s version %d cannot be decoded: %w", errHangUp, api.Name, h.Version, err)
	}
	r := &work.request
	*r = request{conn: c, key: h.Key, version: h.Version, body: req, size: len(frame), scratch: work}
	if b.quotas.enforced(quotaRequest) {
		r.began = b.clock.Now()
	}
	b.advertiser.saw(r)
	watch := b.observers.begin(r, h.CorrelationID)
	began := b.transcript.began(r)
	resp, err := b.work(r, h, flexible)
	r.settle(resp)
	r.noteDenials(resp)
	b.transcript.add(r, began, resp, err)
	watch.end(resp, err)
	if err != nil || resp == nil {
		return err
	}
	if r.slow != nil {
		err = c.answerSlowly(r.slow, h, flexible, resp)
	} else {
		err = c.answer(h, flexible, resp)
	}
	if err != nil {
		return err
	}
	return c.last
}

// answer encodes resp behind its header.
func (c *conn) answer(h protocol.Header, flexible bool, resp kmsg.Response) error {
	out := &c.out
	before := out.pending()
	if s, ok := resp.(spliced); ok {
		out.cut()
		first := len(out.held.parts)
		out.setBytes(protocol.AppendResponseHeader(out.bytes(), h.Key, h.CorrelationID, flexible))
		s.encode(out)
		out.cut()
		protocol.PutSize(out.held.parts[first], 0, out.pending()-before-4)
	} else {
		dst := out.bytes()
		at := len(dst)
		dst = protocol.AppendResponseHeader(dst, h.Key, h.CorrelationID, flexible)
		dst = resp.AppendTo(dst)
		protocol.PutSize(dst, at, len(dst)-at-4)
		out.setBytes(dst)
	}
	c.broker.metrics.sent(out.pending() - before)
	if out.pending() > flushAbove {
		return out.flush()
	}
	return nil
}

// pause parks the request for d.
func (r *request) pause(d time.Duration) error { return r.pauseUnless(nil, d) }

// pauseUnless parks the request for d, or until released is closed.
func (r *request) pauseUnless(released <-chan struct{}, d time.Duration) error {
	due := make(chan struct{})
	timer := r.broker.clock.AfterFunc(d, func() { close(due) })
	defer timer.Stop()
	_, err := r.await(released, due)
	return err
}

// await parks the request until wake is closed or sent to, or due is closed:
// woken says which. Answers to earlier requests are sent first. The error, when
// the broker stops, ends the connection.
func (r *request) await(wake, due <-chan struct{}) (woken bool, err error) {
	if err := r.out.flush(); err != nil {
		return false, err
	}
	if !r.began.IsZero() {
		from := r.broker.clock.Now()
		defer func() { r.parked += r.broker.clock.Now().Sub(from) }()
	}
	select {
	case <-wake:
		return true, nil
	case <-due:
		return false, nil
	case <-r.closing:
		return false, errClosing
	case <-r.broker.closing:
		return false, errClosing
	}
}
