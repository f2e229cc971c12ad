package listen

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func listening(t *testing.T, host string) []net.Listener {
	t.Helper()
	listeners, err := Open(host, 0, "--port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	})
	return listeners
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func TestLoopbackIsBothFamiliesOnOnePort(t *testing.T) {
	listeners := listening(t, "")
	if len(listeners) == 1 {
		t.Skip("this machine has no IPv6")
	}
	if port(listeners[0]) != port(listeners[1]) {
		t.Errorf("the ports differ: %v and %v", listeners[0].Addr(), listeners[1].Addr())
	}
	for _, l := range listeners {
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%v is not a loopback address", l.Addr())
		}
	}
	if got, want := Local(listeners), "localhost:"+strconv.Itoa(port(listeners[0])); got != want {
		t.Errorf("a client here uses %s, want %s", got, want)
	}
}

func TestTheUnspecifiedAddressIsReachedOverBothFamilies(t *testing.T) {
	listeners := listening(t, "0.0.0.0")
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port(listeners[0]))))
		if err != nil {
			if host == "::1" {
				t.Skip("this machine has no IPv6")
			}
			t.Fatal(err)
		}
		_ = c.Close()
	}
}

func TestOneAddressIsNamedAsItIs(t *testing.T) {
	listeners := listening(t, "127.0.0.1")
	if got := Local(listeners); got != listeners[0].Addr().String() {
		t.Errorf("a client here uses %s, want %v", got, listeners[0].Addr())
	}
}

func TestFailuresNameTheFlag(t *testing.T) {
	taken := port(listening(t, "127.0.0.1")[0])
	for _, c := range []struct {
		host string
		port int
		want string
	}{
		{"127.0.0.1", taken, "port " + strconv.Itoa(taken) + " on 127.0.0.1 is in use: stop what listens there, or choose another --port (0 picks a free one)"},
		{"", 70000, "--port 70000 is not a port: use 1 to 65535, or 0 for any free one"},
		{"192.0.2.1", 0, "this machine has no address 192.0.2.1: use --host 0.0.0.0 for all its addresses"},
		{"no.such.host.invalid", 0, "--host no.such.host.invalid is not a name or address of this machine: use 0.0.0.0 for all its addresses"},
	} {
		_, err := Open(c.host, c.port, "--port")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s port %d: %v, want %s", c.host, c.port, err, c.want)
		}
	}
}
