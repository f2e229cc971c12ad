package listen

import (
	"net"
	"syscall"
	"testing"
)

func TestConnectionsLookForPeersThatWentAway(t *testing.T) {
	first := listening(t, "127.0.0.1")[0]
	_ = first.Close()
	again, err := Again(first.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	for _, l := range []net.Listener{listening(t, "127.0.0.1")[0], again} {
		// Two wait before the first is taken, and cannot have inherited anything.
		dialTo(t, l)
		dialTo(t, l)
		looksForPeers(t, accept(t, l))
		looksForPeers(t, accept(t, l))
		dialTo(t, l)
		looksForPeers(t, accept(t, l))
		if !l.(*keepingAlive).inherits.Load() {
			t.Error("the third connection did not inherit its options")
		}
		dialTo(t, l)
		looksForPeers(t, accept(t, l))
	}
}

func dialTo(t *testing.T, l net.Listener) {
	t.Helper()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
}

func accept(t *testing.T, l net.Listener) syscall.RawConn {
	t.Helper()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func looksForPeers(t *testing.T, connection syscall.RawConn) {
	t.Helper()
	for _, o := range []struct {
		name                string
		level, option, want int
	}{
		{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},
		{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
		{"TCP_KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
	} {
		if err := connection.Control(func(fd uintptr) {
			if got, err := syscall.GetsockoptInt(int(fd), o.level, o.option); err != nil || got != o.want {
				t.Errorf("%s of a connection is %d (%v), want %d", o.name, got, err, o.want)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOtherNetworksThanTCPCanBeOpenedAgain(t *testing.T) {
	l, err := Again(&net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
