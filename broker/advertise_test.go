package broker

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"minibroker/internal/clock"
)

// container is a broker in a container at 172.18.0.3, as Docker makes it.
func dockerContainer() surroundings {
	return surroundings{
		container: true,
		gateways:  []netip.Addr{netip.MustParseAddr("172.18.0.1"), netip.MustParseAddr("fd18::1")},
		onLink:    []netip.Prefix{netip.MustParsePrefix("172.18.0.0/16"), netip.MustParsePrefix("fd18::/64"), netip.MustParsePrefix("fe80::/64")},
	}
}

func onTheMachine() surroundings {
	return surroundings{
		gateways: []netip.Addr{netip.MustParseAddr("192.168.1.1")},
		onLink:   []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")},
	}
}

func peerAt(local, remote string) peer {
	at := netip.MustParseAddrPort(local)
	return peer{local: at, remote: netip.MustParseAddrPort(remote), localHost: at.Addr().String()}
}

func TestEachClientIsToldTheAddressThatItCanReach(t *testing.T) {
	slirp := func() surroundings {
		return surroundings{container: true, relayed: true, gateways: []netip.Addr{netip.MustParseAddr("10.0.2.2")}, onLink: []netip.Prefix{netip.MustParsePrefix("10.0.2.0/24")}}
	}
	for _, c := range []struct {
		name             string
		around           func() surroundings
		rules, published string
		peer             peer
		host             string
		port             int32
	}{
		{name: "A: the same machine by 127.0.0.1 gets the literal",
			peer: peerAt("127.0.0.1:9092", "127.0.0.1:50000"), host: "127.0.0.1", port: 9092},
		{name: "another loopback address gets that one",
			peer: peerAt("127.0.0.2:9092", "127.0.0.1:50000"), host: "127.0.0.2", port: 9092},
		{name: "B: localhost that resolved to ::1 gets the literal",
			peer: peerAt("[::1]:9092", "[::1]:50000"), host: "::1", port: 9092},
		{name: "C: a container on the same network gets the container's address",
			around: dockerContainer, peer: peerAt("172.18.0.3:9092", "172.18.0.4:50000"), host: "172.18.0.3", port: 9092},
		{name: "D: the host by a published port gets localhost",
			around: dockerContainer, peer: peerAt("172.18.0.3:9092", "172.18.0.1:50000"), host: "localhost", port: 9092},
		{name: "D: the host by a published port, IPv6",
			around: dockerContainer, peer: peerAt("[fd18::3]:9092", "[fd18::1]:50000"), host: "localhost", port: 9092},
		{name: "D: Docker Desktop showing a public address for the host",
			around: dockerContainer, peer: peerAt("172.18.0.3:9092", "151.101.2.132:50000"), host: "localhost", port: 9092},
		{name: "D: rootless Podman delivers from the container's own address",
			around: slirp, peer: peerAt("10.0.2.100:9092", "10.0.2.100:50000"), host: "localhost", port: 9092},
		{name: "E: published under another number",
			around: dockerContainer, published: "localhost:19092", peer: peerAt("172.18.0.3:9092", "172.18.0.1:50000"), host: "localhost", port: 19092},
		{name: "F: published does not touch clients of the container's network",
			around: dockerContainer, published: "localhost:19092", peer: peerAt("172.18.0.3:9092", "172.18.0.4:50000"), host: "172.18.0.3", port: 9092},
		{name: "published does not touch a client in the container",
			around: dockerContainer, published: "localhost:19092", peer: peerAt("127.0.0.1:9092", "127.0.0.1:50000"), host: "127.0.0.1", port: 9092},
		{name: "published without a port keeps the port dialled",
			around: dockerContainer, published: "lab7.example", peer: peerAt("172.18.0.3:9093", "172.18.0.1:50000"), host: "lab7.example", port: 9093},
		{name: "G: a container by host.docker.internal looks like the host",
			around: dockerContainer, peer: peerAt("172.18.0.3:9092", "172.18.0.1:50001"), host: "localhost", port: 9092},
		{name: "H: another machine gets the address that it dialled",
			around: onTheMachine, peer: peerAt("192.168.1.10:9092", "192.168.1.77:50000"), host: "192.168.1.10", port: 9092},
		{name: "H: the router of a machine that is no container is nothing special",
			around: onTheMachine, peer: peerAt("192.168.1.10:9092", "192.168.1.1:50000"), host: "192.168.1.10", port: 9092},
		{name: "published means nothing outside a container",
			around: onTheMachine, published: "localhost:19092", peer: peerAt("192.168.1.10:9092", "10.9.9.9:50000"), host: "192.168.1.10", port: 9092},
		{name: "I: the LAN by a published port, named by --published",
			around: dockerContainer, published: "192.168.1.10:9092", peer: peerAt("172.18.0.3:9092", "192.168.1.77:50000"), host: "192.168.1.10", port: 9092},
		{name: "I: the LAN by a published port, named by a rule",
			around: dockerContainer, rules: "192.168.0.0/16=lab7:9092", peer: peerAt("172.18.0.3:9092", "192.168.1.77:50000"), host: "lab7", port: 9092},
		{name: "J: WSL2 by the relay on localhost",
			around: onTheMachine, peer: peerAt("127.0.0.1:9092", "127.0.0.1:50000"), host: "127.0.0.1", port: 9092},
		{name: "J: WSL2 by its own address; its gateway is the Windows host",
			around: func() surroundings {
				return surroundings{gateways: []netip.Addr{netip.MustParseAddr("172.29.0.1")}, onLink: []netip.Prefix{netip.MustParsePrefix("172.29.0.0/20")}}
			},
			peer: peerAt("172.29.3.4:9092", "172.29.0.1:50000"), host: "172.29.3.4", port: 9092},
		{name: "K: a forwarded port with the same number",
			around: dockerContainer, peer: peerAt("127.0.0.1:9092", "127.0.0.1:50000"), host: "127.0.0.1", port: 9092},
		{name: "K: a forwarded port with another number, by a fixed address",
			around: dockerContainer, rules: "localhost:19092", peer: peerAt("127.0.0.1:9092", "127.0.0.1:50000"), host: "localhost", port: 19092},
		{name: "L: a pod of another node gets the pod's address",
			around: dockerContainer, peer: peerAt("172.18.0.3:9092", "10.244.2.9:50000"), host: "172.18.0.3", port: 9092},
		{name: "M: the name asked for by TLS, with the port dialled",
			around: dockerContainer, peer: named(peerAt("172.18.0.3:9093", "172.18.0.1:50000"), "kafka.example"), host: "kafka.example", port: 9093},
		{name: "M: explicit rules come before the name",
			rules: "*=broker:9092", peer: named(peerAt("172.18.0.3:9093", "172.18.0.1:50000"), "kafka.example"), host: "broker", port: 9092},
		{name: "an IPv6 address goes without brackets",
			around: onTheMachine, peer: peerAt("[2001:db8::10]:9092", "[2001:db8::77]:50000"), host: "2001:db8::10", port: 9092},
		{name: "a link-local address keeps the zone without which nobody can dial it",
			around: onTheMachine, peer: peerAt("[fe80::1%eth0]:9092", "[fe80::2%eth0]:50000"), host: "fe80::1%eth0", port: 9092},
		{name: "the first rule that matches counts",
			rules: "10.1.0.0/16=one:1,10.0.0.0/8=two:2,*=three:3", peer: peerAt("10.0.0.9:9092", "10.1.2.3:50000"), host: "one", port: 1},
		{name: "rules look at the client's address, not at the broker's",
			rules: "10.1.0.0/16=one:1,10.0.0.0/8=two:2,*=three:3", peer: peerAt("10.1.0.9:9092", "10.2.2.3:50000"), host: "two", port: 2},
		{name: "no rule matches: auto",
			around: onTheMachine, rules: "10.0.0.0/8=broker:9092", peer: peerAt("192.168.1.10:9092", "192.168.1.77:50000"), host: "192.168.1.10", port: 9092},
		{name: "a rule may say auto",
			around: onTheMachine, rules: "192.168.1.77=auto,*=broker:9092", peer: peerAt("192.168.1.10:9092", "192.168.1.77:50000"), host: "192.168.1.10", port: 9092},
		{name: "a rule without a port keeps the port dialled",
			rules: "broker", peer: peerAt("192.168.1.10:9094", "192.168.1.77:50000"), host: "broker", port: 9094},
		{name: "a rule with an IPv6 address tells it without brackets",
			rules: "[2001:db8::1]:19092", peer: peerAt("192.168.1.10:9094", "192.168.1.77:50000"), host: "2001:db8::1", port: 19092},
		{name: "a rule for a link-local client matches whatever the zone",
			rules: "fe80::/64=broker:1", peer: peerAt("[fe80::1%eth0]:9092", "[fe80::2%eth0]:50000"), host: "broker", port: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := newAdvertiser(c.rules, c.published, 1)
			if err != nil {
				t.Fatal(err)
			}
			a.look = func() surroundings {
				if c.around == nil {
					t.Error("looked at the machine's routes for nothing")
					return surroundings{}
				}
				return c.around()
			}
			host, port := a.addressFor(c.peer, &node{id: 1})
			if host != c.host || port != c.port {
				t.Fatalf("told %s port %d, want %s port %d", host, port, c.host, c.port)
			}
		})
	}
}

func named(p peer, serverName string) peer {
	p.serverName = serverName
	return p
}

// fakeListener has an address of any form.
type fakeListener struct {
	net.Listener
	addr string
}

func (l fakeListener) Addr() net.Addr { return fakeAddr(l.addr) }

type fakeAddr string

func (fakeAddr) Network() string  { return "memory" }
func (a fakeAddr) String() string { return string(a) }

func TestOnANetworkWithoutIPTheListenersNameIsTold(t *testing.T) {
	a, err := newAdvertiser("", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]endpoint{
		"broker:1234":  {"broker", 1234},
		"bufconn":      {"bufconn", 9092},
		"pipe:0":       {"pipe", 9092},
		"":             {"localhost", 9092},
		":7":           {"localhost", 7},
		"0.0.0.0:9094": {"localhost", 9094},
		"[::]:9094":    {"localhost", 9094},
		"[::1]:9094":   {"::1", 9094},
	} {
		host, port := a.addressFor(peer{listener: fakeListener{addr: addr}}, &node{id: 1})
		if host != want.host || port != int32(want.port) {
			t.Errorf("listener %q: told %s port %d, want %v", addr, host, port, want)
		}
	}
	if host, port := a.addressFor(peer{}, nil); host != "localhost" || port != 9092 {
		t.Errorf("with no listener: told %s port %d", host, port)
	}
	a, err = newAdvertiser("10.0.0.0/8=broker:1,*=other", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if host, port := a.addressFor(peer{listener: fakeListener{addr: "pipe:77"}}, nil); host != "other" || port != 77 {
		t.Errorf("with rules: told %s port %d", host, port)
	}
}

func TestRoutesAreReadAgainAfterASecond(t *testing.T) {
	c := clock.NewVirtual(time.Unix(1000, 0))
	a, err := newAdvertiser("", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	a.clock = c
	reads, now := 0, surroundings{}
	a.look = func() surroundings { reads++; return now }
	tell := func() string {
		host, _ := a.addressFor(peerAt("172.18.0.3:9092", "172.18.0.1:50000"), nil)
		return host
	}
	if got := tell(); got != "172.18.0.3" {
		t.Fatalf("without a default route: told %s", got)
	}
	now = dockerContainer() // docker network connect
	c.Advance(routesStay - 1)
	if tell(); reads != 1 {
		t.Fatalf("read the routes %d times within a second", reads)
	}
	c.Advance(1)
	if got := tell(); got != "localhost" || reads != 2 {
		t.Fatalf("after a network was connected: told %s, %d reads", got, reads)
	}
}

func TestAdvertiseErrorsNameTheFix(t *testing.T) {
	for rules, want := range map[string]string{
		"0.0.0.0:9092":                    "name an address of this machine, or use auto",
		"[::]:9092":                       "name an address of this machine, or use auto",
		"*=0.0.0.0":                       "name an address of this machine, or use auto",
		"224.0.0.1:9092":                  "clients cannot connect to 224.0.0.1",
		":9092":                           "for example localhost:9092",
		"9092":                            "for example localhost:9092",
		"10.0.0.0/8=":                     "names no host",
		"broker:":                         "has no port after ':': write broker:9092",
		"broker:0":                        `"0" is not a port: use 1 to 65535`,
		"broker:65536":                    `"65536" is not a port: use 1 to 65535`,
		"broker:http":                     `"http" is not a port: use 1 to 65535`,
		"PLAINTEXT://broker:9092":         "write broker:9092 instead of PLAINTEXT://broker:9092",
		"2001:db8::1:9092:x":              "IPv6 like [2001:db8::1]:9092",
		"[2001:db8::1:9092":               "IPv6 like [2001:db8::1]:9092",
		"[broker]:9092":                   "IPv6 like [2001:db8::1]:9092",
		"300.1.2.3:9092":                  "write four numbers from 0 to 255",
		"my broker:9092":                  "' ' cannot be in a host name",
		"broker/9092":                     "'/' cannot be in a host name",
		strings.Repeat("a", 254):          "the longest possible has 253",
		"10.0.0.0/33=broker":              "write it like 10.0.0.0/8, 192.168.1.7 or *",
		"lan=broker:9092":                 "write it like 10.0.0.0/8, 192.168.1.7 or *",
		"::ffff:10.0.0.0/104=broker":      "write IPv4 networks like 10.0.0.0/8",
		"10.0.0.0/8=a:1,":                 "remove the comma too many",
		"*=a:1,10.0.0.0/8=b:2":            `"10.0.0.0/8=b:2" is never used, since "*=a:1" comes first`,
		"a:1,*=b:2":                       `"*=b:2" is never used, since "a:1" comes first`,
		"10.0.0.0/8=a:1,10.1.0.0/16=b:2":  "put it before that one, or leave it out",
		"10.0.0.1=a:1,10.0.0.1/32=b:2":    "is never used",
		"10.0.0.0/8=a=b:1":                "'=' cannot be in a host name",
		"::/0=a:1,fe80::1%eth0=localhost": "is never used",
	} {
		_, err := newAdvertiser(rules, "", 1)
		switch {
		case err == nil:
			t.Errorf("--advertise %s was accepted", rules)
		case !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "--advertise ") || strings.Contains(err.Error(), "\n"):
			t.Errorf("--advertise %s: the error is %q, want %q in it", rules, err, want)
		}
	}
	for _, rules := range []string{
		"", "auto", " auto ", "*=auto", "broker", "broker:9092", "10.0.0.0/8=broker:9092,*=localhost:19092",
		"::1", "[::1]", "[::1]:9092", "fd00::/8=[fd00::1]:9092, 10.0.0.0/8 = auto", "192.168.1.7=a:1,192.168.1.0/24=b:2,*=auto",
		"0.0.0.0/0=a:1,::/0=b:1,*=c:1", "host_1.example-2.org:1", "[fd00::7]=a:1",
	} {
		if _, err := newAdvertiser(rules, "", 1); err != nil {
			t.Errorf("--advertise %s was refused: %v", rules, err)
		}
	}
	for _, published := range []string{"0.0.0.0:19092", "19092", ":19092", "localhost:x", "10.0.0.0/8=a:1"} {
		if _, err := newAdvertiser("", published, 1); err == nil || !strings.HasPrefix(err.Error(), "--published ") {
			t.Errorf("--published %s: the error is %v", published, err)
		}
	}
}

func FuzzAdvertise(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8=broker:9092,*=localhost:19092", "[::1]:9092", "auto", "a=b", "[", "]:", "*="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := newAdvertiser(text, "", 1)
		if err != nil {
			return
		}
		a.look = onTheMachine
		host, port := a.addressFor(peerAt("192.168.1.10:9092", "192.168.1.77:50000"), nil)
		if host == "" || port < 1 || port > 65535 || host == "0.0.0.0" || host == "::" {
			t.Fatalf("--advertise %q was accepted and tells %q port %d", text, host, port)
		}
	})
}

// Each broker is told at the host at which the client reached one of them.
func TestSeveralBrokersAreToldWithTheirPorts(t *testing.T) {
	nodes := []*node{{id: 1, place: 0}, {id: 2, place: 1}, {id: 3, place: 2}}
	for i, n := range nodes {
		n.ports = []*port{{
			at:     []net.Listener{fakeListener{addr: "0.0.0.0:" + strconv.Itoa(9092+10*i)}},
			memory: &memoryNetwork{memoryAddressOf(n, 0, len(nodes))},
		}}
	}
	inMemory := peer{node: nodes[1], listener: nodes[1].ports[0].memory}
	for _, c := range []struct {
		name, rules, published string
		container              bool
		peer                   peer
		want                   string
	}{
		{name: "over loopback", peer: peerAt("127.0.0.1:9102", "127.0.0.1:50000"), want: "127.0.0.1:9092 127.0.0.1:9102 127.0.0.1:9112"},
		{name: "over ::1", peer: peerAt("[::1]:9102", "[::1]:50000"), want: "[::1]:9092 [::1]:9102 [::1]:9112"},
		{name: "from another machine", peer: peerAt("192.168.1.10:9102", "192.168.1.77:50000"), want: "192.168.1.10:9092 192.168.1.10:9102 192.168.1.10:9112"},
		{name: "by a rule with a port", rules: "*=broker:19092", peer: peerAt("10.0.0.2:9102", "10.0.0.3:50000"), want: "broker:19092 broker:19093 broker:19094"},
		{name: "by a rule without one", rules: "*=broker", peer: peerAt("10.0.0.2:9102", "10.0.0.3:50000"), want: "broker:9092 broker:9102 broker:9112"},
		{name: "through published ports", published: "localhost:19092", container: true, peer: peerAt("172.17.0.2:9102", "172.17.0.1:50000"), want: "localhost:19092 localhost:19093 localhost:19094"},
		{name: "in memory", peer: inMemory, want: "minibroker-1:9092 minibroker-2:9093 minibroker-3:9094"},
		{name: "in memory, by a rule", rules: "broker", peer: inMemory, want: "broker:9092 broker:9093 broker:9094"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := newAdvertiser(c.rules, c.published, len(nodes))
			if err != nil {
				t.Fatal(err)
			}
			a.look = func() surroundings {
				return surroundings{container: c.container, gateways: []netip.Addr{netip.MustParseAddr("172.17.0.1")}}
			}
			c.peer.node = nodes[1]
			var told []string
			for _, n := range nodes {
				host, port := a.addressFor(c.peer, n)
				told = append(told, net.JoinHostPort(host, strconv.Itoa(int(port))))
			}
			if got := strings.Join(told, " "); got != c.want {
				t.Errorf("told %s, want %s", got, c.want)
			}
		})
	}
	for rules, published := range map[string]string{"broker:65534": "", "": "localhost:65534"} {
		if _, err := newAdvertiser(rules, published, 3); err == nil || !strings.Contains(err.Error(), "65535") {
			t.Errorf("%q %q: %v", rules, published, err)
		}
	}
}
