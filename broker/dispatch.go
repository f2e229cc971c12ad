package broker

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// maxDecoded bounds requests that are lists of small things: decoded, they take
// many times the memory of their frame. Produce's records are not decoded.
const maxDecoded = 16 << 20

// request is one request in work. It and what it points to are gone when its
// handler has returned.
type request struct {
	*conn
	key, version int16
	body         kmsg.Request
	size         int // in bytes, as received

	// For quotas, see throttle.go.
	began     time.Time     // zero where time is not measured
	parked    time.Duration // since then: waiting, not working
	throttled int64         // in ms

	slow *Injected // that slows the answer down; else nil
}

// handlerFunc answers one request. A nil answer sends nothing (acks=0). An
// error closes the connection: wrap errHangUp to have it logged.
type handlerFunc func(*Broker, *request) (kmsg.Response, error)

// on adapts the handler of one API to handlerFunc.
func on[R kmsg.Request](f func(*Broker, *request, R) (kmsg.Response, error)) handlerFunc {
	return func(b *Broker, r *request) (kmsg.Response, error) { return f(b, r, r.body.(R)) }
}

// spliced is an answer that encodes itself around slices of logs.
type spliced interface {
	kmsg.Response
	// encode writes the answer's body. The answer is gone afterwards.
	encode(*answerWriter)
	// model is the answer in one piece, for those who look at it.
	model() kmsg.Response
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
	req := kmsg.RequestForKey(h.Key)
	req.SetVersion(h.Version)
	if err := req.ReadFrom(body); err != nil {
		return fmt.Errorf("%w: %s version %d cannot be decoded: %w", errHangUp, api.Name, h.Version, err)
	}
	r := &request{conn: c, key: h.Key, version: h.Version, body: req, size: len(frame)}
	if b.quotas.enforced(quotaRequest) {
		r.began = b.clock.Now()
	}
	b.advertiser.saw(r)
	watch := b.observers.begin(r, h.CorrelationID)
	began := b.transcript.began(r)
	resp, err := b.work(r, h, flexible)
	r.settle(resp)
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
		first := len(out.parts)
		out.setBytes(protocol.AppendResponseHeader(out.bytes(), h.Key, h.CorrelationID, flexible))
		s.encode(out)
		out.cut()
		protocol.PutSize(out.parts[first], 0, out.pending()-before-4)
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
