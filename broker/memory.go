package broker

import (
	"context"
	"net"
	"strconv"
	"syscall"

	"minibroker/internal/memnet"
)

// This file owns the network inside the process: how clients in the same
// program reach the broker without ports.

// WithMemoryNetwork makes the broker open no port at all: clients in the same
// process connect through [Broker.Dialer]. Nothing leaves the process, brokers
// can't get in each other's way, and tests can run in a bubble of
// testing/synctest, where minutes of session time-outs and retention pass at
// once. Start the broker inside the bubble then.
//
// Addr and Bootstrap are minibroker:9092, and so is what clients are told,
// unless WithAdvertise says otherwise. Several brokers are minibroker-1:9092,
// minibroker-2:9093 and so on.
func WithMemoryNetwork() Option { return func(o *options) { o.memory = true } }

// Dialer returns a function that connects to this broker inside the process,
// whatever the address: what a program under test has in its configuration
// leads here, too. Of several brokers, it connects to the one whose name or port
// is in the address, and to the first that runs where it is nobody's. It fits
// where clients take a dial function or a dialer: franz-go's kgo.Dialer, the
// DialFunc of segmentio's kafka.Dialer and the Dial of its kafka.Transport, and
// sarama's Config.Net.Proxy.Dialer.
//
// It works beside ports; use [WithMemoryNetwork] to have none. Dialing fails
// with a refused connection once the broker is closed, and with ctx's error
// when ctx has ended.
func (b *Broker) Dialer() DialFunc { return b.dialMemory }

// DialFunc opens a connection, as net.Dialer's DialContext does. It has the
// methods of the interfaces that clients know dialers by.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// DialContext calls f.
func (f DialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// Dial calls f without a context: what golang.org/x/net/proxy calls a dialer.
func (f DialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// AdminDialer is a Dialer for the program that the broker is in: by it a client
// is neither asked who it is nor encrypted, and may do everything, whatever
// clients from outside must do.
func (b *Broker) AdminDialer() DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n, _ := b.portAt(address)
		return b.dialPort(ctx, n, n.inner, network, address)
	}
}

// memoryNetwork is one broker's place on the network inside the process. As a
// net.Listener it has an address and nothing to accept: dialing starts to serve
// a connection by itself.
type memoryNetwork struct{ addr memnet.Addr }

func (b *Broker) dialMemory(ctx context.Context, network, address string) (net.Conn, error) {
	n, p := b.portAt(address)
	return b.dialPort(ctx, n, p, network, address)
}

func (b *Broker) dialPort(ctx context.Context, n *node, p *port, network, address string) (net.Conn, error) {
	refused := func(err error) error {
		return &net.OpError{Op: "dial", Net: network, Addr: memnet.Addr(address), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, refused(err)
	}
	client := memnet.Addr("memory-" + strconv.FormatUint(b.dialed.Add(1), 10))
	near, far := memnet.Pipe(client, p.memory.addr)
	if !b.connect(n, p, far, p.memory) {
		return nil, refused(syscall.ECONNREFUSED)
	}
	return near, nil
}

// portAt is the broker and the port that an address means: by the broker's name
// in memory, else by the port's number. Any other address means the first port
// of the first broker that runs, as a bootstrap address does.
func (b *Broker) portAt(address string) (*node, *port) {
	host, number, _ := net.SplitHostPort(address)
	if len(b.nodes) > 1 {
		for _, n := range b.nodes {
			if name, _, _ := net.SplitHostPort(string(n.ports[0].memory.addr)); name == host {
				return n, n.portOf(number)
			}
		}
	}
	for _, n := range b.nodes {
		for _, p := range n.ports {
			if p.has(number) {
				return n, p
			}
		}
	}
	if live := b.image.Load().live; len(live) > 0 {
		return live[0], live[0].ports[0]
	}
	return b.nodes[0], b.nodes[0].ports[0]
}

// portOf is the port of a number; the first, if none has it.
func (n *node) portOf(number string) *port {
	for _, p := range n.ports {
		if p.has(number) {
			return p
		}
	}
	return n.ports[0]
}

// has says whether one of the port's addresses has a number.
func (p *port) has(number string) bool {
	is := func(address string) bool {
		_, own, _ := net.SplitHostPort(address)
		return own != "" && own == number
	}
	return is(string(p.memory.addr)) || len(p.at) > 0 && is(p.at[0].Addr().String())
}

// Accept, Close and Addr make it a net.Listener.
func (m *memoryNetwork) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (m *memoryNetwork) Close() error              { return nil }
func (m *memoryNetwork) Addr() net.Addr            { return m.addr }
