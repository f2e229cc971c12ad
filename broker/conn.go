package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"minibroker/broker/auth"
	"minibroker/protocol"
)

// conn is one client connection. All of it belongs to the goroutine that runs
// serve: requests are worked on one at a time and answered in order, as Kafka
// does.
type conn struct {
	id     uint64
	broker *Broker
	node   *node
	nc     net.Conn
	wire   net.Conn // what requests and answers go through: nc, or TLS on it
	peer   peer
	// closing ends what waits for the client: its broker stops.
	closing <-chan struct{}
	in      *protocol.FrameReader
	out     answerWriter

	principal auth.Principal // who sends the requests
	super     bool           // may do everything, whatever ACLs say: it is from inside
	byToken   bool           // authenticated by a delegation token
	sasl      *saslSession   // nil: its port asks nobody who they are
	last      error          // after the answer in work the connection ends, for this reason

	newest   repeated
	clientID string // of the newest request
	// Named by the client in ApiVersions (KIP-511); empty if it did not.
	softwareName, softwareVersion string
	known                         atomic.Pointer[Client] // the same for others to read

	visit visit

	telemetry *clientInstance // of the newest request about telemetry

	shareSessions []*shareSession // begun here

	muted      time.Duration // how long not to read, after the answer
	unanswered int           // bytes of requests since answers were sent, or somewhat more
}

// peer is what a broker can know of who connected and how.
type peer struct {
	local, remote netip.AddrPort // IPv4-mapped addresses are unmapped; invalid when the network has no IP
	node          *node          // whom it reached
	port          *port          // by which way
	listener      net.Listener
	serverName    string // that the client asked for in its TLS handshake (SNI)
	localHost     string // the address of local as text
}

func (c *conn) String() string {
	if c.softwareName != "" {
		return fmt.Sprintf("%s %s (client id %q) from %s", c.softwareName, c.softwareVersion, c.clientID, c.nc.RemoteAddr())
	}
	return fmt.Sprintf("client %q from %s", c.clientID, c.nc.RemoteAddr())
}

// accept serves each connection of one listener of n on a goroutine of its own.
func (b *Broker) accept(n *node, p *port, l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			select {
			case <-b.closing:
				return
			default:
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			if errors.Is(err, net.ErrClosed) || b.conns.stopped(n) {
				return
			}
			// Out of file descriptors, most likely: others may free some.
			b.loggers.socket.Error("cannot accept a connection", "error", err)
			if !b.pause(acceptRetry) {
				return
			}
			continue
		}
		if !b.connect(n, p, nc, l) {
			_ = nc.Close()
			return
		}
	}
}

// connect serves nc, which came to n by l of p, on a goroutine of its own; false
// when n is stopped.
func (b *Broker) connect(n *node, p *port, nc net.Conn, l net.Listener) bool {
	c := &conn{
		broker: b,
		node:   n,
		nc:     nc,
		wire:   nc,
		peer:   newPeer(n, p, nc, l),

		principal: auth.Anonymous,
		super:     p.inner,
	}
	s := asSocket(nc, c.out.flush)
	c.in, c.out.w = protocol.NewFrameReader(s), s
	if p.protocol.sasl() && !p.inner {
		c.sasl = new(saslSession)
	}
	if wait := b.tooManyConnections(c.peer.remote); wait > 0 {
		return b.conns.refuse(c, wait)
	}
	return b.conns.add(c)
}

func newPeer(n *node, p *port, nc net.Conn, l net.Listener) peer {
	at := peer{node: n, port: p, local: addrPort(nc.LocalAddr()), remote: addrPort(nc.RemoteAddr()), listener: l}
	if at.local.IsValid() {
		at.localHost = at.local.Addr().String()
	}
	return at
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap = tcp.AddrPort()
	} else if a != nil {
		ap, _ = netip.ParseAddrPort(a.String()) // an injected network may look like IP
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// errHangUp is returned by a handler whose only answer is to close the
// connection; the text, wrapped around it, is logged.
var errHangUp = errors.New("closing the connection")

// reasonOf is why a connection is closed, without saying that it is.
func reasonOf(err error) string { return strings.TrimPrefix(err.Error(), errHangUp.Error()+": ") }

// serve reads requests and answers them until the connection ends.
func (c *conn) serve() {
	b := c.broker
	defer b.changes.happened()
	defer b.conns.remove(c)
	defer b.connectionEnded(c)
	defer func() { _ = c.wire.Close() }()
	defer func() {
		// A request must never take the other connections down with it.
		if r := recover(); r != nil {
			b.loggers.apis.Error("a request made the broker panic; its connection is closed", "client", c.String(), "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if c.peer.port.protocol.tls() && !c.peer.port.inner && !c.shakeHands() {
		return
	}
	for {
		frame, err := c.in.Next(c.maxFrame())
		if err == nil {
			if len(frame) > longWork {
				letOthersIn()
			}
			err = c.handle(frame)
		}
		if err == nil && c.owesNow(len(frame)) {
			c.in.Release() // the client may take its time to read
			err = c.out.flush()
		}
		if err != nil {
			c.end(err)
			return
		}
		if c.muted > 0 {
			if !b.pause(c.muted) {
				return
			}
			c.muted = 0
		}
	}
}

// longWork is from which size of a request on, in bytes, others are let in
// before it is worked on.
const longWork = 256 << 10

// letOthersIn has another thread look for what other clients send. Go's
// scheduler wakes none when it goes on with the only goroutine that has
// something to do, and then nobody would look until that one waits again. The
// other thread, or the client whose answer has just been sent, may be in need of
// this one's core.
func letOthersIn() {
	go func() {}()
	yieldCore()
}

// muchRead is how much a client may send without a break before it gets its
// first answer: what it has on its way, most times.
const muchRead = 512 << 10

// owesNow says, after a request of a size, whether answers are to be sent before
// the next one is read. A socket may have more of them, so that one write sends
// all answers; it sends them when there is nothing to read.
func (c *conn) owesNow(size int) bool {
	c.unanswered += size
	if c.muted > 0 || !c.in.Buffered() && !c.in.Lazy() || c.unanswered > muchRead {
		c.unanswered = 0
		return true
	}
	return false
}

// end logs why a connection was given up, where that tells somebody something.
func (c *conn) end(err error) {
	_ = c.out.flush() // answers to requests before the bad one
	log := c.broker.loggers.socket
	if size, ok := errors.AsType[*protocol.FrameSizeError](err); ok {
		switch protocol.Sniff(size.Head) {
		case protocol.HTTP:
			c.answerHTTP()
		case protocol.TLS:
			c.answerTLS()
		default:
			log.Warn("not a Kafka request, closing the connection", "client", c.String(), "error", err)
		}
		return
	}
	if errors.Is(err, errHangUp) {
		log.Warn("closing the connection", "client", c.String(), "reason", reasonOf(err))
		return
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		log.Debug("the connection ended inside a request", "client", c.String())
	}
}

// connSet is the set of open connections.
type connSet struct {
	mu     sync.Mutex
	next   uint64
	open   map[uint64]*conn
	closed bool
}

// add gives c its id and starts to serve it; false while its broker is stopped,
// and once closeAll was called.
func (s *connSet) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || c.node.down {
		return false
	}
	c.closing = c.node.closing
	if s.open == nil {
		s.open = make(map[uint64]*conn)
	}
	s.next++
	c.id = s.next
	s.open[c.id] = c
	c.broker.running.Go(c.serve) // under the lock: Close waits for what it finds
	return true
}

// refuse closes c after a while without reading it; false once closeAll was
// called.
func (s *connSet) refuse(c *conn, after time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	c.broker.running.Go(func() {
		c.broker.pause(after)
		_ = c.nc.Close()
	})
	return true
}

func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c.id)
}

func (s *connSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *connSet) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.open {
		_ = c.nc.Close()
	}
}

// stop ends a broker's connections and lets no more of them begin.
func (s *connSet) stop(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.down = true
	close(n.closing)
	for _, c := range s.open {
		if c.node == n {
			_ = c.nc.Close()
		}
	}
}

func (s *connSet) stopped(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return n.down
}

// start lets a stopped broker's connections begin again.
func (s *connSet) start(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.down, n.closing = false, make(chan struct{})
}
