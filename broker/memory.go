package broker

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"

	"minibroker/internal/memnet"
)

// This file owns the network inside the process: how clients in the same
// program reach the broker without ports.

// memoryAddress is where a broker says that it is on its in-memory network.
const memoryAddress = memnet.Addr("minibroker:9092")

// WithMemoryNetwork makes the broker open no port at all: clients in the same
// process connect through [Broker.Dialer]. Nothing leaves the process, brokers
// can't get in each other's way, and tests can run in a bubble of
// testing/synctest, where minutes of session time-outs and retention pass at
// once. Start the broker inside the bubble then.
//
// Addr and Bootstrap are minibroker:9092, and so is what clients are told,
// unless WithAdvertise says otherwise.
func WithMemoryNetwork() Option { return func(o *options) { o.memory = true } }

// Dialer returns a function that connects to this broker inside the process,
// whatever the address: what a program under test has in its configuration
// leads here, too. It fits where clients take a dial function or a dialer:
// franz-go's kgo.Dialer, the DialFunc of segmentio's kafka.Dialer and the Dial of
// its kafka.Transport, and sarama's Config.Net.Proxy.Dialer.
//
// It works beside ports; use [WithMemoryNetwork] to have none. Dialing fails
// with a refused connection once the broker is closed, and with ctx's error
// when ctx has ended.
func (b *Broker) Dialer() DialFunc { return b.memory.dial }

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

// memoryNetwork is a broker's own network. As a net.Listener it has an address
// and nothing to accept: dialing starts to serve a connection by itself.
type memoryNetwork struct {
	b      *Broker
	dialed atomic.Uint64
}

func newMemoryNetwork(b *Broker) *memoryNetwork { return &memoryNetwork{b: b} }

func (m *memoryNetwork) dial(ctx context.Context, network, address string) (net.Conn, error) {
	refused := func(err error) error {
		return &net.OpError{Op: "dial", Net: network, Addr: memnet.Addr(address), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, refused(err)
	}
	client := memnet.Addr("memory-" + strconv.FormatUint(m.dialed.Add(1), 10))
	near, far := memnet.Pipe(client, memoryAddress)
	if !m.b.connect(far, m) {
		return nil, refused(syscall.ECONNREFUSED)
	}
	return near, nil
}

// Accept, Close and Addr make it a net.Listener.
func (m *memoryNetwork) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (m *memoryNetwork) Close() error              { return nil }
func (m *memoryNetwork) Addr() net.Addr            { return memoryAddress }
