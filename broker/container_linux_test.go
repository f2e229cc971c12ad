package broker

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// inNamespace runs f on a thread in a network namespace of its own, after ip
// has run the commands in it. The thread is thrown away afterwards.
func inNamespace(t *testing.T, commands []string, f func()) {
	t.Helper()
	cannot := ""
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with us
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			cannot = "making a network namespace: " + err.Error()
			return
		}
		for _, c := range commands {
			// A child of this thread is in its namespace.
			if out, err := exec.Command("sh", "-c", c).CombinedOutput(); err != nil {
				cannot = c + ": " + err.Error() + " " + string(out)
				return
			}
		}
		f()
	}()
	<-done
	if cannot != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(cannot)
		}
		t.Skip("needs root and the ip tool: ", cannot)
	}
}

func TestAVethDefaultRouteIsAContainer(t *testing.T) {
	inNamespace(t, []string{
		"ip link add eth0 type veth peer name host0",
		"ip addr add 10.77.0.2/24 dev eth0",
		"ip addr add fd77::2/64 dev eth0 nodad",
		"ip link set eth0 up", "ip link set host0 up",
	}, func() {
		if s := lookAroundUnmarked(); s.container || len(s.gateways) != 0 {
			t.Errorf("without a default route: %+v", s)
		}
		for _, c := range []string{"ip route add default via 10.77.0.1", "ip -6 route add default via fd77::1"} {
			if out, err := exec.Command("sh", "-c", c).CombinedOutput(); err != nil {
				t.Errorf("%s: %v %s", c, err, out)
				return
			}
		}
		s := lookAroundUnmarked()
		if !s.container || s.relayed {
			t.Errorf("a veth end as the way out is not taken for a container: %+v", s)
		}
		for _, want := range []string{"10.77.0.1", "fd77::1"} {
			if !slices.Contains(s.gateways, netip.MustParseAddr(want)) {
				t.Errorf("gateways %v lack %s", s.gateways, want)
			}
		}
		for _, on := range []string{"10.77.0.9", "fd77::9"} {
			if !s.reachesDirectly(netip.MustParseAddr(on)) {
				t.Errorf("%s is not seen as on the link: %v", on, s.onLink)
			}
		}
		for _, off := range []string{"10.78.0.9", "fd78::9"} {
			if s.reachesDirectly(netip.MustParseAddr(off)) {
				t.Errorf("%s is seen as on the link: %v", off, s.onLink)
			}
		}
	})
}

func TestAMachineWithAnotherKindOfInterfaceIsNoContainer(t *testing.T) {
	inNamespace(t, []string{
		"ip link add eth0 type bridge",
		"ip addr add 10.77.0.2/24 dev eth0",
		"ip link set eth0 up",
		"ip route add default via 10.77.0.1",
		// A machine that runs containers has veth ends too.
		"ip link add docker1 type veth peer name docker2",
		"ip addr add 10.78.0.1/24 dev docker1", "ip link set docker1 up",
	}, func() {
		s := lookAroundUnmarked()
		if s.container || s.relayed {
			t.Errorf("taken for a container: %+v", s)
		}
		if len(s.gateways) != 1 || s.gateways[0] != netip.MustParseAddr("10.77.0.1") {
			t.Errorf("gateways %v", s.gateways)
		}
	})
}

func TestATapDeviceIsARootlessContainer(t *testing.T) {
	if _, err := os.Stat("/dev/net/tun"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs /dev/net/tun: ", err)
	}
	inNamespace(t, []string{
		"ip tuntap add tap0 mode tap",
		"ip addr add 10.0.2.100/24 dev tap0",
		"ip link set tap0 up",
		"ip route add default via 10.0.2.2",
	}, func() {
		if s := lookAroundUnmarked(); !s.relayed {
			t.Errorf("a tap device as the way out is not seen: %+v", s)
		}
	})
}

// lookAroundUnmarked is lookAround without the marks of the machine that runs
// the test.
func lookAroundUnmarked() surroundings {
	was := markedAsContainer
	markedAsContainer = func() bool { return false }
	defer func() { markedAsContainer = was }()
	return lookAround()
}

func BenchmarkLookAround(b *testing.B) {
	for b.Loop() {
		lookAround()
	}
}
