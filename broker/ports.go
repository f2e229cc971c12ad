package broker

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"

	"minibroker/internal/listen"
)

// This file owns the ports of the logical brokers, and what clients must speak
// at each: plaintext or TLS, with SASL or without. Each client is told the
// brokers' addresses at the port of the kind that it came in by.

// securityProtocol is what a port speaks
// (org.apache.kafka.common.security.auth.SecurityProtocol).
type securityProtocol int8

const (
	plaintextPort securityProtocol = iota
	sslPort
	saslPlaintextPort
	saslSSLPort
)

// SecurityProtocols are the names that [WithSecurityProtocol] and
// [WithExtraPort] know: what a client sets as security.protocol.
var SecurityProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

func parseSecurityProtocol(name string) (securityProtocol, error) {
	if i := slices.Index(SecurityProtocols, strings.ToUpper(name)); i >= 0 {
		return securityProtocol(i), nil
	}
	return 0, fmt.Errorf("%q is no security protocol: use %s", name, strings.Join(SecurityProtocols, ", "))
}

func (p securityProtocol) String() string { return SecurityProtocols[p] }
func (p securityProtocol) tls() bool      { return p == sslPort || p == saslSSLPort }
func (p securityProtocol) sasl() bool     { return p >= saslPlaintextPort }

// port is one way into a broker. The ports of all brokers are alike: the one of
// the same index has the same protocol.
type port struct {
	index    int // 0: the one that Addr names
	protocol securityProtocol
	// inner: the way of the program that the broker is in. Who comes by it may
	// do everything, and need not say who they are.
	inner bool

	memory *memoryNetwork // its place on the network inside the process
	at     []net.Listener // as they were opened: their addresses stay when the broker stops
	open   []net.Listener // open now; under Broker.doors

	asked  sync.Once // for an address that is not known otherwise
	accept func()    // what is to be done then
}

// unasked is a listener at a free port. Nobody can come before Addr has told
// which it is, so the goroutine that accepts is not started before: waking a
// thread for it and waiting for its end would be a third of what a broker costs
// that nobody connects to.
type unasked struct {
	net.Listener
	of *port
}

func (l *unasked) Addr() net.Addr {
	l.of.asked.Do(l.of.accept)
	return l.Listener.Addr()
}

// Close leaves nothing to start: who asks afterwards is told the address only.
func (l *unasked) Close() error {
	l.of.asked.Do(func() {})
	return l.Listener.Close()
}

// extraPort is a port that WithExtraPort asks for.
type extraPort struct {
	protocol string
	number   int
}

// plan is the ports that a broker is to have: protocol by protocol, what number
// the first broker's has.
func (o *options) plan() (protocols []securityProtocol, numbers []int, err error) {
	name := o.protocol
	if name == "" {
		name = SecurityProtocols[o.defaultProtocol()]
	}
	for i, p := range append([]extraPort{{name, o.port}}, o.extraPorts...) {
		protocol, err := parseSecurityProtocol(p.protocol)
		if err != nil {
			return nil, nil, err
		}
		for j := range numbers {
			if d := p.number - numbers[j]; p.number != 0 && numbers[j] != 0 && max(d, -d) < o.brokers {
				return nil, nil, fmt.Errorf("ports %d (%s) and %d (%s) are too near: each of %d brokers has the next port", numbers[j], protocols[j], p.number, protocol, o.brokers)
			}
		}
		if i > 0 && len(o.listeners) > 0 {
			return nil, nil, errors.New("listeners of your own have one protocol: no extra ports with WithListener")
		}
		protocols, numbers = append(protocols, protocol), append(numbers, p.number)
	}
	return protocols, numbers, nil
}

// defaultProtocol is what the first port speaks if nobody says: who sets up
// users or TLS wants them asked for.
func (o *options) defaultProtocol() securityProtocol {
	switch {
	case len(o.extraPorts) > 0:
		return plaintextPort
	case o.tls != nil && len(o.users) > 0:
		return saslSSLPort
	case o.tls != nil:
		return sslPort
	case len(o.users) > 0:
		return saslPlaintextPort
	}
	return plaintextPort
}

// open gives each broker its listeners. On an error those that were opened are
// closed again.
func (b *Broker) open(o *options) error {
	first := b.nodes[0].ports[0]
	switch {
	case len(b.nodes) == 1 && o.memory:
		first.at = append(o.listeners, first.memory)
		for _, p := range b.nodes[0].ports[1:] {
			p.at = []net.Listener{p.memory}
		}
	case len(b.nodes) == 1 && len(o.listeners) > 0:
		first.at = o.listeners
	case len(o.listeners) > 0 && (o.memory || len(o.listeners) != len(b.nodes)):
		return fmt.Errorf("%d listeners for %d brokers: give each broker one, and no memory network", len(o.listeners), len(b.nodes))
	default:
		for _, n := range b.nodes {
			for _, p := range n.ports {
				if err := n.openPort(p, o); err != nil {
					for _, other := range b.nodes {
						for _, p := range other.ports {
							_ = closeAll(p.at)
						}
					}
					return err
				}
			}
		}
	}
	for _, n := range b.nodes {
		for _, p := range n.ports {
			p.open = p.at
		}
	}
	return nil
}

func (n *node) openPort(p *port, o *options) (err error) {
	number, flag := o.port, "--port"
	if p.index > 0 {
		number, flag = o.extraPorts[p.index-1].number, "--extra-port"
	}
	switch {
	case o.memory:
		p.at = []net.Listener{p.memory}
	case len(o.listeners) > 0:
		p.at = o.listeners[n.place : n.place+1]
	case number == 0:
		// Clients ask Addr for a free port; none tries ::1 first, as for
		// "localhost". A second listener costs as much as the rest of New.
		p.at, err = listen.Open(cmp.Or(o.host, "127.0.0.1"), 0, flag)
		for i, l := range p.at {
			p.at[i] = &unasked{Listener: l, of: p}
		}
	default:
		p.at, err = listen.Open(o.host, number+n.place, flag)
	}
	return err
}

// reopen listens anew where the broker listened before it stopped.
func (n *node) reopen() error {
	for _, p := range n.ports {
		for _, l := range p.at {
			if l == p.memory {
				p.open = append(p.open, l)
				continue
			}
			opened, err := listen.Again(l.Addr())
			if err != nil {
				_ = n.shut()
				if errors.Is(err, syscall.EADDRINUSE) {
					err = errors.New("the address is in use meanwhile")
				}
				return fmt.Errorf("broker %d cannot listen on %s again: %w", n.id, l.Addr(), err)
			}
			p.open = append(p.open, opened)
		}
	}
	return nil
}

// shut closes all of a broker's listeners. It needs Broker.doors.
func (n *node) shut() error {
	var err error
	for _, p := range n.ports {
		err = errors.Join(err, closeAll(p.open))
		p.open = nil
	}
	return err
}

// accepting starts to accept connections.
func (b *Broker) accepting(n *node) {
	for _, p := range n.ports {
		accept := func() {
			for _, l := range p.open {
				if l != p.memory { // nobody has to accept there
					b.running.Go(func() { b.accept(n, p, l) })
				}
			}
		}
		if _, ok := p.open[0].(*unasked); ok {
			p.accept = accept
		} else {
			accept()
		}
	}
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// address is what a listener of n calls itself to those who came in at p.
func (n *node) address(p peer) endpoint {
	if n == nil || p.node == nil || p.node == n {
		return listenerAddress(p.listener)
	}
	to := n.ports[0]
	if p.port != nil && !p.port.inner {
		to = n.ports[p.port.index]
	}
	if _, ok := p.listener.(*memoryNetwork); ok || len(to.at) == 0 {
		return listenerAddress(to.memory)
	}
	return listenerAddress(to.at[0])
}

// addrs are the addresses of n's listeners, the first port's first.
func (n *node) addrs() []string {
	var addrs []string
	for _, p := range n.ports {
		addrs = append(addrs, p.addrs()...)
	}
	return addrs
}

func (p *port) addrs() []string {
	addrs := make([]string, len(p.at))
	for i, l := range p.at {
		addrs[i] = l.Addr().String()
	}
	return addrs
}

// WithSecurityProtocol sets what clients must speak at the broker's port: one of
// [SecurityProtocols]. By default that follows from [WithTLS] and [WithUser]; with
// [WithExtraPort] it is PLAINTEXT.
func WithSecurityProtocol(name string) Option { return func(o *options) { o.protocol = name } }

// WithExtraPort makes the broker listen on a further port, where clients must
// speak one of [SecurityProtocols]; number 0 picks a free one, and of several
// brokers each has the next. Clients are told the addresses at the port of the
// kind that they came in by. [Broker.AddrOf] is its address.
func WithExtraPort(protocol string, number int) Option {
	return func(o *options) { o.extraPorts = append(o.extraPorts, extraPort{protocol, number}) }
}

// AddrOf is the first address of the first broker at which clients must speak
// one of [SecurityProtocols], as host:port; empty if there is none.
func (b *Broker) AddrOf(protocol string) string {
	for _, p := range b.nodes[0].ports {
		if strings.EqualFold(p.protocol.String(), protocol) {
			return p.addrs()[0]
		}
	}
	return ""
}

// BootstrapOf is [Broker.Bootstrap] for clients that speak one of
// [SecurityProtocols]; empty if no port does.
func (b *Broker) BootstrapOf(protocol string) string {
	for i, p := range b.nodes[0].ports {
		if strings.EqualFold(p.protocol.String(), protocol) {
			return b.bootstrap(i)
		}
	}
	return ""
}

// bootstrap is the addresses of the brokers' ports of an index.
func (b *Broker) bootstrap(index int) string {
	local := make([]string, len(b.nodes))
	for i, n := range b.nodes {
		local[i] = listen.Local(n.ports[index].at)
	}
	return strings.Join(local, ",")
}

// SecurityProtocols is what clients must speak at a broker's ports, each name
// once; the first is that of [Broker.Addr].
func (b *Broker) SecurityProtocols() []string {
	var names []string
	for _, p := range b.nodes[0].ports {
		if name := p.protocol.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
