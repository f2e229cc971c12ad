// Package listen opens TCP ports the way minibroker's flags say it. Its errors
// are one line for people, that names the flag to change.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Open opens port on host; port 0 is any free one. With no host it takes both
// loopback addresses, since "localhost" is ::1 to some clients and 127.0.0.1 to
// others. 0.0.0.0 and :: are all addresses of both families. flag is the one
// that chose the port.
func Open(host string, port int, flag string) ([]net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("%s %d is not a port: use 1 to 65535, or 0 for any free one", flag, port)
	}
	if host == "" || host == "localhost" {
		return loopback(port, flag)
	}
	bind := host
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		bind = "" // both families
	}
	l, err := open("tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	if err != nil {
		return nil, explain(err, host, port, flag)
	}
	return []net.Listener{l}, nil
}

// loopback opens the same port on 127.0.0.1 and, where the machine has
// IPv6, on ::1.
func loopback(port int, flag string) ([]net.Listener, error) {
	for try := 0; ; try++ {
		l4, err := open("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, explain(err, "127.0.0.1", port, flag)
		}
		got := l4.Addr().(*net.TCPAddr).Port
		l6, err := open("tcp6", net.JoinHostPort("::1", strconv.Itoa(got)))
		switch {
		case err == nil:
			return []net.Listener{l4, l6}, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return []net.Listener{l4}, nil // no IPv6 here
		case port != 0 || try == 20:
			_ = l4.Close()
			return nil, explain(err, "::1", got, flag)
		}
		_ = l4.Close() // the free IPv4 port is taken in IPv6: try another
	}
}

// Again listens where a listener, closed since, was opened.
func Again(at net.Addr) (net.Listener, error) { return open(at.Network(), at.String()) }

// open listens with plain TCP: a socket that could speak Multipath TCP, Go's
// default, costs the kernel twice as much, and Kafka's clients never ask for it.
func open(network, address string) (net.Listener, error) {
	c := net.ListenConfig{KeepAlive: keptAliveByNet}
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return keepAlive(l), nil
}

func explain(err error, host string, port int, flag string) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d on %s is in use: stop what listens there, or choose another %s (0 picks a free one)", port, host, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d on %s is not allowed: choose a %s above 1023", port, host, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("this machine has no address %s: use --host 0.0.0.0 for all its addresses", host)
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return fmt.Errorf("--host %s is not a name or address of this machine: use 0.0.0.0 for all its addresses", host)
	}
	return fmt.Errorf("cannot listen on %s: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
}

// Local is the address of listeners opened together, as a program on this
// machine writes it: "localhost" where each meaning of it leads here.
func Local(listeners []net.Listener) string {
	addr := listeners[0].Addr()
	if a, ok := addr.(*net.TCPAddr); ok && (a.IP.IsUnspecified() || len(listeners) > 1) {
		return net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return addr.String()
}
