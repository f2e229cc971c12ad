package broker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// listen opens the ports of host. With no host it takes both loopback
// addresses, since "localhost" is ::1 to some clients and 127.0.0.1 to others.
func listen(host string, port int) ([]net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("port %d is not a port: use 1 to 65535, or 0 for any free one", port)
	}
	if host == "" || host == "localhost" {
		return listenLoopback(port)
	}
	bind := host
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		bind = "" // both families
	}
	l, err := net.Listen("tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	if err != nil {
		return nil, explainListen(err, host, port)
	}
	return []net.Listener{l}, nil
}

// listenLoopback opens the same port on 127.0.0.1 and, where the machine has
// IPv6, on ::1.
func listenLoopback(port int) ([]net.Listener, error) {
	for try := 0; ; try++ {
		l4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, explainListen(err, "127.0.0.1", port)
		}
		got := l4.Addr().(*net.TCPAddr).Port
		l6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(got)))
		switch {
		case err == nil:
			return []net.Listener{l4, l6}, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return []net.Listener{l4}, nil // no IPv6 here
		case port != 0 || try == 20:
			_ = l4.Close()
			return nil, explainListen(err, "::1", got)
		}
		_ = l4.Close() // the free IPv4 port is taken in IPv6: try another
	}
}

func explainListen(err error, host string, port int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d on %s is in use: stop what listens there, or choose another --port (0 picks a free one)", port, host)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d on %s is not allowed: choose a --port above 1023", port, host)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("this machine has no address %s: use --host 0.0.0.0 for all its addresses", host)
	}
	return fmt.Errorf("cannot listen on %s: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
}
