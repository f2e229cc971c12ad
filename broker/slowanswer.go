package broker

import (
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// This file owns how an answer is sent slowly, because a fault says so.

// bytesTake is how long n bytes take at so many per second.
func bytesTake(n, perSecond int) time.Duration {
	return time.Duration(float64(n) / float64(perSecond) * float64(time.Second))
}

// answerSlowly is answer at the fault's speed.
func (c *conn) answerSlowly(f *Injected, h protocol.Header, flexible bool, resp kmsg.Response) error {
	if err := c.out.flush(); err != nil { // earlier answers
		return err
	}
	fast := c.out.w
	c.out.w = &slowWriter{c: c, f: f, to: fast, since: c.broker.clock.Now()}
	defer func() { c.out.w = fast }()
	if err := c.answer(h, flexible, resp); err != nil {
		return err
	}
	return c.out.flush()
}

// slowWriter writes one answer to a connection, in up to ten pieces a second.
type slowWriter struct {
	c     *conn
	f     *Injected
	to    io.Writer
	since time.Time
	sent  int
}

func (w *slowWriter) Write(p []byte) (n int, err error) {
	rate := w.f.fault.Rate
	piece := max(rate/10, 1)
	for n < len(p) {
		next := min(piece, len(p)-n)
		now := w.c.broker.clock.Now()
		if w.f.Released() {
			next = len(p) - n
		} else if wait := bytesTake(w.sent+next, rate) - now.Sub(w.since); wait > 0 {
			if err := w.wait(wait); err != nil {
				return n, err
			}
			continue
		}
		k, err := w.to.Write(p[n : n+next])
		n += k
		w.sent += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (w *slowWriter) wait(d time.Duration) error {
	due := make(chan struct{})
	timer := w.c.broker.clock.AfterFunc(d, func() { close(due) })
	defer timer.Stop()
	select {
	case <-due:
	case <-w.f.released:
	case <-w.c.closing:
		return errClosing
	case <-w.c.broker.closing:
		return errClosing
	}
	return nil
}
