package broker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rawClient speaks the protocol over one connection, request by request, in
// any version.
type rawClient struct {
	t    testing.TB
	nc   net.Conn
	in   *bufio.Reader
	next int32
	form *kmsg.RequestFormatter
	buf  []byte
}

// dial connects to b; the connection ends with the test.
func dial(t testing.TB, b *Broker) *rawClient { return dialAs(t, b, "test") }

func dialAs(t testing.TB, b *Broker, clientID string) *rawClient {
	t.Helper()
	return dialAt(t, b.Addr(), clientID)
}

func dialAt(t testing.TB, address, clientID string) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return newRawClient(t, nc, clientID)
}

func newRawClient(t testing.TB, nc net.Conn, clientID string) *rawClient {
	return &rawClient{t: t, nc: nc, in: bufio.NewReaderSize(nc, 64<<10), form: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}
}

// send writes a request in the version that it says it has.
func (c *rawClient) send(req kmsg.Request) {
	c.t.Helper()
	c.next++
	c.buf = c.form.AppendRequest(c.buf[:0], req, c.next)
	c.sendRaw(c.buf)
}

func (c *rawClient) sendRaw(frame []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(frame); err != nil {
		c.t.Fatalf("cannot send: %v", err)
	}
}

// frame reads one answer: its correlation id and what follows.
func (c *rawClient) frame() (int32, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	_, err := io.ReadFull(c.in, body)
	return int32(binary.BigEndian.Uint32(head[4:])), body, err
}

// read decodes the answer to req, the last request sent.
func (c *rawClient) read(req kmsg.Request) (kmsg.Response, error) {
	id, body, err := c.frame()
	if err != nil {
		return nil, err
	}
	if id != c.next {
		return nil, fmt.Errorf("correlation id is %d, want %d", id, c.next)
	}
	if req.IsFlexible() && req.Key() != 18 {
		body = body[1:] // the header's tags, of which there are none
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	return resp, resp.ReadFrom(body)
}

// ask sends a request and reads its answer.
func ask[R kmsg.Response](c *rawClient, req kmsg.Request) R {
	c.t.Helper()
	c.send(req)
	return received[R](c, req)
}

func received[R kmsg.Response](c *rawClient, req kmsg.Request) R {
	c.t.Helper()
	resp, err := c.read(req)
	if err != nil {
		c.t.Fatalf("%T v%d: %v", req, req.GetVersion(), err)
	}
	return resp.(R)
}

// ended fails the test unless the broker closed the connection without another
// answer.
func (c *rawClient) ended() {
	c.t.Helper()
	if _, _, err := c.frame(); err == nil {
		c.t.Fatal("the broker answered, it should have closed the connection")
	}
}

// discard reads one answer and allocates nothing.
func (c *rawClient) discard(buf []byte) error {
	if _, err := io.ReadFull(c.in, buf[:4]); err != nil {
		return err
	}
	_, err := io.ReadFull(c.in, buf[:binary.BigEndian.Uint32(buf)])
	return err
}
