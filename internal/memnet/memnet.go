// Package memnet is a network inside the process: connections without ports or
// sockets. Each direction has a buffer, as a socket has, so that two sides may
// write at the same time. Everything that waits does so in a way that
// testing/synctest takes for idle.
package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"minibroker/internal/clock"
)

// bufferSize is how many bytes one direction holds before writers wait. It is
// taken as it is needed, and let go of when a lot of it was read.
const (
	bufferSize = 256 << 10
	keep       = 16 << 10
)

// Addr is an address of the network: whatever text names the place.
type Addr string

// Network is "memory".
func (Addr) Network() string  { return "memory" }
func (a Addr) String() string { return string(a) }

func opError(op string, c *conn, err error) error {
	return &net.OpError{Op: op, Net: "memory", Source: c.local, Addr: c.remote, Err: err}
}

// Pipe connects two addresses. What one side writes, the other reads; closing
// a side lets the other read what was written before, then io.EOF.
// Deadlines are of the wall clock, or of the bubble of testing/synctest.
func Pipe(a, b Addr) (atA, atB net.Conn) {
	aToB, bToA := newHalf(), newHalf()
	return &conn{in: bToA, out: aToB, local: a, remote: b}, &conn{in: aToB, out: bToA, local: b, remote: a}
}

// conn is one side.
type conn struct {
	in, out       *half
	local, remote Addr
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	if err != nil && err != io.EOF {
		err = opError("read", c, err)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if err != nil {
		err = opError("write", c, err)
	}
	return n, err
}

// Close ends both directions. Closing twice is an error, as with a socket.
func (c *conn) Close() error {
	c.out.end(false)
	if !c.in.end(true) {
		return opError("close", c, net.ErrClosed)
	}
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.in.setDeadline(&c.in.reading, t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.out.setDeadline(&c.out.writing, t)
}

// half is one direction.
type half struct {
	mu      sync.Mutex
	changed sync.Cond // wakes whoever reads or writes
	buf     []byte    // buf[from:] was written and not read
	from    int
	// The writing side has closed; the reading side has.
	noMore, unwanted bool
	reading, writing deadline
}

// deadline is when one side's calls give up.
type deadline struct {
	at    time.Time // zero: none
	timer clock.Timer
}

func (d *deadline) over() bool { return !d.at.IsZero() && !clock.Real{}.Now().Before(d.at) }

func newHalf() *half {
	h := new(half)
	h.changed.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.unwanted:
			return 0, net.ErrClosed
		case h.reading.over():
			return 0, os.ErrDeadlineExceeded
		case h.from < len(h.buf):
			n := copy(p, h.buf[h.from:])
			h.from += n
			if h.from == len(h.buf) {
				h.buf, h.from = h.buf[:0], 0
				if cap(h.buf) > keep {
					h.buf = nil
				}
			}
			h.changed.Broadcast()
			return n, nil
		case h.noMore:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.noMore:
			return n, net.ErrClosed
		case h.unwanted:
			return n, io.ErrClosedPipe
		case h.writing.over():
			return n, os.ErrDeadlineExceeded
		}
		if room := min(bufferSize-(len(h.buf)-h.from), len(p)-n); room > 0 {
			h.add(p[n : n+room])
			n += room
			h.changed.Broadcast()
		}
		if n == len(p) {
			return n, nil
		}
		h.changed.Wait()
	}
}

// add appends p, moving what is unread to the front rather than growing.
func (h *half) add(p []byte) {
	if h.from > 0 && len(h.buf)+len(p) > cap(h.buf) {
		h.buf = h.buf[:copy(h.buf, h.buf[h.from:])]
		h.from = 0
	}
	h.buf = append(h.buf, p...)
}

// end closes the direction from one side; false if that was done before.
func (h *half) end(byReader bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	closed, d := &h.noMore, &h.writing
	if byReader {
		closed, d = &h.unwanted, &h.reading
	}
	if *closed {
		return false
	}
	*closed = true
	d.stop()
	if byReader {
		h.buf, h.from = nil, 0
	}
	h.changed.Broadcast()
	return true
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (h *half) setDeadline(d *deadline, t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.stop()
	d.at = t
	if !t.IsZero() && !d.over() {
		d.timer = clock.Real{}.AfterFunc(t.Sub(clock.Real{}.Now()), func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.changed.Broadcast()
		})
	}
	h.changed.Broadcast()
	return nil
}
