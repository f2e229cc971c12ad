package broker

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"minibroker/internal/clock"
)

// advertiser decides which address a client is told, and watches whether the
// client comes back to it (comeback.go).
//
// A client asks the broker that it bootstrapped from where the cluster's nodes
// are, and from then on believes the answer: kafka-python asks once per object.
// So the first answer must be one that this very client can reach.
type advertiser struct {
	rules     []rule
	published endpoint // where a container's port is published; no host: not said

	// look reads what the machine's routes say; a test puts its own here.
	look   func() surroundings
	clock  clock.Clock
	log    *slog.Logger
	routes struct {
		mu   sync.Mutex
		read time.Time // zero: never
		last surroundings
	}

	comeback comeback
}

// endpoint is where clients are sent. The port 0 stands for the port that the
// client dialled; no host stands for auto.
type endpoint struct {
	host string
	port uint16
}

// surroundings is what a broker can know of the network that it runs in.
type surroundings struct {
	container bool
	gateways  []netip.Addr   // next hops of the default routes
	onLink    []netip.Prefix // networks reached without a gateway
	// relayed: the default route leaves by a tap device. slirp4netns (rootless
	// Podman) delivers published ports from the container's own address.
	relayed bool
}

// newAdvertiser reads --advertise and --published, for so many brokers; both may
// be empty. Its errors are one line for people, that names the fix.
func newAdvertiser(rules, published string, brokers int) (*advertiser, error) {
	a := &advertiser{look: lookAround, clock: clock.Real{}, log: discarded}
	var err error
	if a.rules, err = parseRules(rules); err != nil {
		return nil, err
	}
	if a.published, err = parsePublished(published); err != nil {
		return nil, err
	}
	for _, r := range a.rules {
		if err := r.to.roomFor(brokers, "--advertise"); err != nil {
			return nil, err
		}
	}
	if err := a.published.roomFor(brokers, "--published"); err != nil {
		return nil, err
	}
	return a, nil
}

// roomFor says whether the ports from e on are enough for so many brokers.
func (e endpoint) roomFor(brokers int, flag string) error {
	if e.port != 0 && int(e.port)+brokers-1 > 65535 {
		return fmt.Errorf("%s %s: %d brokers have the ports from %d on, and the last is 65535: use a lower one", flag, e, brokers, e.port)
	}
	return nil
}

// at is where p is told that n is, if the first broker is at e: each broker has
// the next port. The port is that of the first kind: who came in by an extra one
// is told the host, with the port that it dialled.
func (e endpoint) at(p peer, n *node) endpoint {
	switch {
	case p.port != nil && p.port.index > 0:
		e.port = 0
	case e.port != 0 && n != nil:
		e.port += uint16(n.place)
	}
	return e
}

// begin gives a its broker's clock and log. It is called before the first
// connection.
func (a *advertiser) begin(c clock.Clock, log *slog.Logger) { a.clock, a.log = c, log }

// addressFor is the address under which the client p is told that it reaches
// node n. Each answer that carries an address gets it here.
func (a *advertiser) addressFor(p peer, n *node) (host string, port int32) {
	to, _ := a.decide(p, n)
	return to.host, int32(to.port)
}

// because says why an address was told, so that the advice to a client that
// cannot reach it fits.
type because int

const (
	byRule      because = iota // --advertise says so
	byName                     // the name in the client's TLS handshake
	byLoopback                 // it came in over loopback
	byGateway                  // it came in through a container's published port
	byPublished                // the same, and --published says where that is
	bySocket                   // the address that it reached
	byListener                 // a network without IP
)

// decide is addressFor with the reason. All brokers are told at the host at which
// the client reached one of them, each with its own port: the one dialled, for
// the broker that was reached.
func (a *advertiser) decide(p peer, n *node) (endpoint, because) {
	to, why := endpoint{}, byRule
	if r := match(a.rules, p.remote.Addr()); r != nil {
		to = r.to.at(p, n)
	}
	if to.host == "" && p.serverName != "" {
		to, why = endpoint{host: p.serverName}, byName
	}
	if to.host == "" {
		to, why = a.auto(p, n)
	}
	if to.port == 0 && (n == nil || p.node == nil || p.node == n) {
		to.port = p.local.Port()
	}
	if to.port == 0 {
		to.port = n.address(p).port
	}
	return to, why
}

// auto is the address that the client is known to reach: the one that it used.
func (a *advertiser) auto(p peer, n *node) (endpoint, because) {
	local, remote := p.local.Addr(), p.remote.Addr()
	switch {
	case !local.IsValid():
		return n.address(p), byListener
	case local.IsLoopback():
		// The literal, ::1 as well: what "localhost" means is up to each
		// resolver, and every client takes a bare ::1 as a host.
		return endpoint{host: p.localHost}, byLoopback
	}
	if s := a.around(); s.container {
		through := s.throughPublishedPort(local, remote)
		switch {
		case a.published.host != "" && (through || !s.reachesDirectly(remote)):
			return a.published.at(p, n), byPublished
		case through:
			return endpoint{host: "localhost"}, byGateway
		}
	}
	// Without brackets: host and port are separate fields. The zone of a
	// link-local address stays: it is this machine's name for the link, but
	// without any zone such an address cannot be dialled at all, and between
	// containers and Macs both ends mostly use the same name.
	return endpoint{host: p.localHost}, bySocket
}

// throughPublishedPort says whether a connection came from outside through a
// port that a container engine publishes. Its client is then, as a rule, on
// the machine that runs the container, where "localhost" leads back here.
func (s *surroundings) throughPublishedPort(local, remote netip.Addr) bool {
	for _, g := range s.gateways {
		if g.WithZone("") == remote.WithZone("") {
			return true
		}
	}
	if s.relayed && remote == local {
		return true
	}
	// Docker Desktop for Mac sometimes shows the host as a public address that
	// it last talked to (docker/desktop-feedback#255). A client out there
	// could not use our private address anyway.
	return local.IsPrivate() && !remote.IsPrivate() && remote.IsGlobalUnicast() && !s.reachesDirectly(remote)
}

func (s *surroundings) reachesDirectly(a netip.Addr) bool {
	for _, n := range s.onLink {
		if n.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// routesStay is how long the routes read are believed. They change when a
// running container is connected to a further network.
const routesStay = time.Second

// around returns the machine's surroundings, read at most once a second.
func (a *advertiser) around() surroundings {
	a.routes.mu.Lock()
	defer a.routes.mu.Unlock()
	now := a.clock.Now()
	if r := a.routes.read; r.IsZero() || now.Before(r) || now.Sub(r) >= routesStay {
		a.routes.read, a.routes.last = now, a.look()
	}
	return a.routes.last
}

// defaultPort is Kafka's own.
const defaultPort = 9092

// listenerAddress is the address to tell where the network has no IP
// addresses, as in memory: what the listener calls itself.
func listenerAddress(l net.Listener) endpoint {
	to := endpoint{host: "localhost", port: defaultPort}
	if l == nil || l.Addr() == nil {
		return to
	}
	text := l.Addr().String()
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = text
	} else if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		to.port = uint16(n)
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		to.host = host
	}
	return to
}
