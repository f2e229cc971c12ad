package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// encode makes a request's frame.
func encode(clientID string, req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, 1)
}

// client is one connection whose requests are made beforehand, so that it costs
// next to nothing.
type client struct {
	nc   net.Conn
	head [4]byte
	buf  []byte
}

func connect(s *server) (*client, error) {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc}, nil
}

func (c *client) close() { _ = c.nc.Close() }

// receive reads one answer and returns it without its size. It is gone with the
// next call.
func (c *client) receive() ([]byte, error) {
	if _, err := io.ReadFull(c.nc, c.head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(c.head[:]))
	c.buf = slices.Grow(c.buf[:0], n)[:n]
	_, err := io.ReadFull(c.nc, c.buf)
	return c.buf, err
}

// exchange sends one frame and returns its answer without the size.
func (c *client) exchange(frame []byte) ([]byte, error) {
	if _, err := c.nc.Write(frame); err != nil {
		return nil, err
	}
	return c.receive()
}

// ask sends a request and decodes its answer.
func ask[R kmsg.Response](c *client, clientID string, req kmsg.Request) (R, error) {
	var none R
	b, err := c.exchange(encode(clientID, req))
	if err != nil {
		return none, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	resp := req.ResponseKind()
	at := 4
	if req.Key() != 18 && resp.IsFlexible() {
		at++ // tags of the header
	}
	if err := resp.ReadFrom(b[at:]); err != nil {
		return none, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(R), nil
}

// work is what one connection sends over and over.
type load struct {
	frames []byte // whole requests behind each other
	n      int    // how many
	times  int    // how often to send them
	depth  int    // how many such runs may be on their way; at least 1
}

// pump sends the load and reads its answers. It returns the bytes of answers.
func (c *client) pump(l load) (int64, error) {
	tokens := make(chan struct{}, max(l.depth, 1))
	failed, stop := make(chan error, 1), make(chan struct{})
	go func() {
		for range l.times {
			select {
			case tokens <- struct{}{}:
			case <-stop:
				failed <- nil
				return
			}
			if _, err := c.nc.Write(l.frames); err != nil {
				failed <- err
				_ = c.nc.Close()
				return
			}
		}
		failed <- nil
	}()
	var total int64
	// end gives up after a failed read; what made a write fail before says more.
	end := func(err error) (int64, error) {
		close(stop)
		_ = c.nc.Close()
		if e := <-failed; e != nil && !errors.Is(e, net.ErrClosed) {
			err = e
		}
		return total, err
	}
	buf := make([]byte, 1<<20)
	have, used := 0, 0
	for range l.times {
		for range l.n {
			for have-used < 4 {
				used, have = 0, copy(buf, buf[used:have])
				n, err := c.nc.Read(buf[have:])
				if have += n; err != nil {
					return end(err)
				}
			}
			size := 4 + int(binary.BigEndian.Uint32(buf[used:]))
			total += int64(size)
			for size > have-used { // more than is here: skip
				size -= have - used
				used, have = 0, 0
				n, err := c.nc.Read(buf)
				if have = n; err != nil {
					return end(err)
				}
			}
			used += size
		}
		<-tokens
	}
	return total, <-failed
}

// pumpAll pumps each connection's load at once.
func pumpAll(clients []*client, l load) (bytes int64, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, c := range clients {
		wg.Go(func() {
			n, e := c.pump(l)
			mu.Lock()
			defer mu.Unlock()
			if bytes += n; e != nil {
				err = e
			}
		})
	}
	wg.Wait()
	return bytes, err
}

// repeat is frame n times.
func repeat(frame []byte, n int) []byte {
	b := make([]byte, 0, n*len(frame))
	for range n {
		b = append(b, frame...)
	}
	return b
}

// percentile of sorted durations.
func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*p))]
}
