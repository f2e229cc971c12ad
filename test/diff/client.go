package diff

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the wire: one raw connection, one request, one answer.

const (
	clientID = "diff"
	// patience is how long an answer may take before it counts as missing.
	patience = 20 * time.Second
)

// What a server does instead of answering.
var (
	errClosed = errors.New("closed")
	errSilent = errors.New("no answer")
	// errStrange is text or a TLS record, say.
	errStrange = errors.New("something that is no answer")
)

// conn is a connection to a server. Its answers may be read later than its
// requests were sent, and an answer that came too late is passed over.
type conn struct {
	net.Conn
	r    *bufio.Reader
	last int32 // correlation id of the newest request
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReader(c)}, nil
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))

// send writes a request at the version that it carries and returns the
// correlation id to read the answer with.
func (c *conn) send(req kmsg.Request) (int32, error) {
	c.last++
	return c.last, c.write(formatter.AppendRequest(nil, req, c.last))
}

func (c *conn) write(frame []byte) error {
	if _, err := c.Write(frame); err != nil {
		return errClosed
	}
	return nil
}

// read waits for the answer to a request and returns what follows its
// correlation id.
func (c *conn) read(id int32, within time.Duration) ([]byte, error) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	for {
		var head [8]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, errSilent
			}
			return nil, errClosed
		}
		size := int32(binary.BigEndian.Uint32(head[:]))
		if size < 4 || size > 1<<28 {
			return nil, errStrange
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(c.r, body); err != nil {
			return nil, errClosed
		}
		if int32(binary.BigEndian.Uint32(head[4:])) == id {
			return body, nil
		}
	}
}

// decode reads an answer's header and body. It says, beside the answer, how
// many bytes the server sent that are not part of it.
func decode(req kmsg.Request, body []byte) (resp kmsg.Response, extra int, err error) {
	resp = req.ResponseKind()
	if req.IsFlexible() && req.Key() != keyApiVersions {
		if len(body) == 0 || body[0] != 0 {
			return nil, 0, errors.New("the answer's header has unknown tags or is cut short")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, 0, fmt.Errorf("the answer can't be read: %w", err)
	}
	return resp, len(body) - len(resp.AppendTo(nil)), nil
}

// dial opens a connection. Where users log in, it is that of the user named: the
// super user's for "", and nobody's for a name that is no user's.
func (t *target) dial(user string) (*conn, error) {
	c, err := dial(t.addr)
	if err != nil || !t.secure {
		return c, err
	}
	switch user {
	case "":
		user = "admin"
	case "alice", "bob":
	default:
		return c, nil
	}
	handshake := kmsg.NewPtrSASLHandshakeRequest()
	handshake.Version, handshake.Mechanism = 1, "PLAIN"
	login := kmsg.NewPtrSASLAuthenticateRequest()
	login.Version, login.SASLAuthBytes = 2, []byte("\x00"+user+"\x00"+user+"-secret")
	for _, req := range []kmsg.Request{handshake, login} {
		id, err := c.send(req)
		if err != nil {
			return nil, err
		}
		body, err := c.read(id, patience)
		if err != nil {
			return nil, err
		}
		resp, _, err := decode(req, body)
		if err != nil {
			return nil, err
		}
		if a, ok := resp.(*kmsg.SASLAuthenticateResponse); ok && a.ErrorCode != 0 {
			return nil, fmt.Errorf("%s is not let in: error %d", user, a.ErrorCode)
		}
	}
	return c, nil
}
