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

// memoryNetwork is one broker's place on the network inside the process. As a
// net.Listener it has an address and nothing to accept: dialing starts to serve
// a connection by itself.
type memoryNetwork struct{ addr memnet.Addr }

func (b *Broker) dialMemory(ctx context.Context, network, address string) (net.Conn, error) {
	refused := func(err error) error {
		return &net.OpError{Op: "dial", Net: network, Addr: memnet.Addr(address), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, refused(err)
	}
	n := b.nodeAt(address)
	client := memnet.Addr("memory-" + strconv.FormatUint(b.dialed.Add(1), 10))
	near, far := memnet.Pipe(client, n.memory.addr)
	if !b.connect(n, far, n.memory) {
		return nil, refused(syscall.ECONNREFUSED)
	}
	return near, nil
}

// nodeAt is the broker that an address means: by its name in memory, else by
// its port. Any other address means the first broker that runs, as a bootstrap
// address does.
func (b *Broker) nodeAt(address string) *node {
	if len(b.nodes) == 1 {
		return b.nodes[0]
	}
	host, port, _ := net.SplitHostPort(address)
	for _, n := range b.nodes {
		if name, _, _ := net.SplitHostPort(string(n.memory.addr)); name == host {
			return n
		}
	}
	for _, n := range b.nodes {
		if _, own, _ := net.SplitHostPort(n.at[0].Addr().String()); own == port && own != "" {
			return n
		}
	}
	if live := b.image.Load().live; len(live) > 0 {
		return live[0]
	}
	return b.nodes[0]
}

// Accept, Close and Addr make it a net.Listener.
func (m *memoryNetwork) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (m *memoryNetwork) Close() error              { return nil }
func (m *memoryNetwork) Addr() net.Addr            { return m.addr }
