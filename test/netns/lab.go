// Package netns makes small networks out of Linux network namespaces: a container host with a bridge, containers on
// it, and another machine on the LAN. A test starts real programs in them, so that a broker sees the addresses that it
// would see in a classroom, and no container engine is needed.
//
// The layout is a container engine's own: containers have a veth end named eth0 and a default route to the bridge;
// the host forwards, publishes ports by destination NAT, and masquerades what leaves the bridge.
package netns

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"minibroker/test/harness"
)

// Addresses of every lab; labs don't see each other, so all may have the same.
const (
	GatewayIP = "172.28.0.1"   // the container host, on the bridge
	BrokerIP  = "172.28.0.2"   // the container named broker
	ClientIP  = "172.28.0.3"   // the container named client
	HostLANIP = "192.168.77.1" // the container host, on the LAN
	LANIP     = "192.168.77.2" // the other machine on the LAN
)

// Lab is one network. Its namespaces are removed when the test ends.
type Lab struct {
	t   testing.TB
	id  string
	dir string

	Host   *Machine // runs the bridge; where a student's own shell would be
	Broker *Machine // a container, reached by the others under the name broker
	Client *Machine // another container on the same bridge
	LAN    *Machine // another computer on the host's LAN
}

// Machine is one network namespace, with an /etc/hosts of its own.
type Machine struct {
	lab   *Lab
	ns    string
	proxy string // path of the unix socket that Dial uses, "" until then
}

var (
	labs  atomic.Int64
	sweep sync.Once
)

// removeLeftOvers removes the namespaces of test processes that were killed before they could.
func removeLeftOvers() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for _, m := range regexp.MustCompile(`(?m)^mb(\d+)-\d+-\w+`).FindAllSubmatch(out, -1) {
		if _, err := os.Stat("/proc/" + string(m[1])); err != nil {
			_ = exec.Command("ip", "netns", "del", string(m[0])).Run()
			_ = os.RemoveAll("/etc/netns/" + string(m[0]))
		}
	}
}

// New makes a lab. Where namespaces are not permitted the test is skipped, or fails under CI=true.
func New(t testing.TB) *Lab {
	t.Helper()
	harness.Need(t, runtime.GOOS == "linux", "network namespaces are Linux's")
	harness.Need(t, os.Geteuid() == 0, "network namespaces need root")
	harness.NeedTool(t, "ip", "iproute2")
	harness.NeedTool(t, "nft", "nftables")
	sweep.Do(removeLeftOvers)
	// The name has the process's id: it is unique on the machine, and tells whose it is if a killed test leaves it.
	l := &Lab{t: t, id: fmt.Sprintf("mb%d-%d", os.Getpid(), labs.Add(1)), dir: t.TempDir()}
	first := l.machine("host")
	if out, err := exec.Command("ip", "netns", "add", first.ns).CombinedOutput(); err != nil {
		harness.Need(t, false, "network namespaces are not permitted here: %s", bytes.TrimSpace(out))
	}
	l.Host = first
	l.cleanup(first)
	l.Broker, l.Client, l.LAN = l.add("broker"), l.add("client"), l.add("lan")
	for _, m := range []*Machine{l.Host, l.Broker, l.Client, l.LAN} {
		m.ip("link set lo up")
		m.Hosts("127.0.0.1 localhost", "::1 localhost", BrokerIP+" broker", ClientIP+" client")
	}
	// The name broker is for containers, as an engine's DNS has it: the host and the LAN don't know it.
	l.Host.Hosts("127.0.0.1 localhost", "::1 localhost")
	l.LAN.Hosts("127.0.0.1 localhost", "::1 localhost")

	l.Host.ip("link add br0 type bridge")
	l.Host.ip("addr add " + GatewayIP + "/16 dev br0")
	l.Host.ip("link set br0 up")
	l.plug(l.Broker, "veth0", BrokerIP)
	l.plug(l.Client, "veth1", ClientIP)
	l.Host.ip("link add eth0 type veth peer name eth0 netns " + l.LAN.ns)
	for m, ip := range map[*Machine]string{l.Host: HostLANIP, l.LAN: LANIP} {
		m.ip("addr add " + ip + "/24 dev eth0")
		m.ip("link set eth0 up")
	}
	// route_localnet lets 127.0.0.1 of the host be forwarded to a container, as an engine without its proxy does.
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/br0/route_localnet", "net/ipv4/conf/all/route_localnet"} {
		l.Host.Run("sh", "-c", "echo 1 > /proc/sys/"+key)
	}
	return l
}

func (l *Lab) machine(name string) *Machine { return &Machine{lab: l, ns: l.id + "-" + name} }

func (l *Lab) add(name string) *Machine {
	l.t.Helper()
	m := l.machine(name)
	run(l.t, exec.Command("ip", "netns", "add", m.ns))
	l.cleanup(m)
	return m
}

func (l *Lab) cleanup(m *Machine) {
	l.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", m.ns).CombinedOutput(); err != nil {
			l.t.Errorf("ip netns del %s: %v\n%s", m.ns, err, out)
		}
		_ = os.RemoveAll(filepath.Join("/etc/netns", m.ns))
		_ = os.Remove("/etc/netns") // only when it is empty
	})
}

// plug connects a container to the bridge.
func (l *Lab) plug(m *Machine, veth, ip string) {
	l.t.Helper()
	l.Host.ip("link add " + veth + " master br0 type veth peer name eth0 netns " + m.ns)
	l.Host.ip("link set " + veth + " up")
	m.ip("addr add " + ip + "/16 dev eth0")
	m.ip("link set eth0 up")
	m.ip("route add default via " + GatewayIP)
}

// Publish forwards a port of the host to a port of the broker's container, for connections from the host itself, from
// the LAN, and from containers that dial the host (the broker then sees the host, as behind an engine's proxy).
func (l *Lab) Publish(hostPort, brokerPort string) {
	l.t.Helper()
	l.nft(fmt.Sprintf(`
table ip publish%[1]s {
	chain prerouting { type nat hook prerouting priority -100; fib daddr type local tcp dport %[1]s dnat to %[2]s:%[3]s; }
	chain output { type nat hook output priority -100; fib daddr type local tcp dport %[1]s dnat to %[2]s:%[3]s; }
	chain postrouting {
		type nat hook postrouting priority 100;
		ip saddr 127.0.0.0/8 oifname "br0" masquerade;
		ip saddr %[4]s ct status dnat masquerade;
	}
}
`, hostPort, BrokerIP, brokerPort, GatewayIP+"/16"))
}

// Service gives the broker a second address for the machine on the LAN, which then also has a route to the containers:
// a cluster's service address, and a node of that cluster.
func (l *Lab) Service(ip string) {
	l.t.Helper()
	for _, to := range []string{ip, BrokerIP} {
		l.LAN.ip("route add " + to + " via " + HostLANIP)
	}
	l.nft(fmt.Sprintf(`
table ip service {
	chain prerouting { type nat hook prerouting priority -100; ip daddr %s dnat to %s; }
}
`, ip, BrokerIP))
}

func (l *Lab) nft(rules string) {
	l.t.Helper()
	cmd := l.Host.Command(l.t.Context(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	run(l.t, cmd)
}

// Hosts replaces the machine's /etc/hosts.
func (m *Machine) Hosts(lines ...string) {
	m.lab.t.Helper()
	dir := filepath.Join("/etc/netns", m.ns)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.lab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		m.lab.t.Fatal(err)
	}
}

// Prefix is what to put before a command so that it runs on the machine.
func (m *Machine) Prefix() []string { return []string{"ip", "netns", "exec", m.ns} }

// Command returns a command that runs on the machine.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	argv := append(m.Prefix(), name)
	return exec.CommandContext(ctx, argv[0], append(argv[1:], args...)...)
}

// Run runs a command on the machine and returns what it printed; a failure ends the test.
func (m *Machine) Run(name string, args ...string) string {
	m.lab.t.Helper()
	return run(m.lab.t, m.Command(m.lab.t.Context(), name, args...))
}

func (m *Machine) ip(args string) {
	m.lab.t.Helper()
	run(m.lab.t, exec.Command("ip", append([]string{"-n", m.ns}, strings.Fields(args)...)...))
}

// Start starts a broker on the machine.
func (m *Machine) Start(args ...string) *harness.Server {
	m.lab.t.Helper()
	return m.StartWith(harness.Options{Args: args})
}

// StartWith starts a broker on the machine.
func (m *Machine) StartWith(o harness.Options) *harness.Server {
	m.lab.t.Helper()
	o.Wrap = m.Prefix()
	return harness.Start(m.lab.t, o)
}

// Dial connects from the machine to address, which is resolved there. It fits kgo.Dialer: a Go client in the test is
// then on the machine's network.
func (m *Machine) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", m.proxy)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "%s\n", address); err != nil {
		conn.Close()
		return nil, err
	}
	// One byte tells whether the connection stands; the reason of a refusal follows.
	status := make([]byte, 1)
	if _, err := conn.Read(status); err != nil {
		conn.Close()
		return nil, fmt.Errorf("dial %s from %s: %w", address, m.ns, err)
	}
	if status[0] != relayConnected {
		conn.Close()
		return nil, fmt.Errorf("dial %s from %s: refused", address, m.ns)
	}
	return conn, nil
}

// Open makes Dial usable: it starts a helper process on the machine.
func (m *Machine) Open() *Machine {
	m.lab.t.Helper()
	if m.proxy == "" {
		m.proxy = filepath.Join(m.lab.dir, m.ns+".sock")
		m.relay("unix", m.proxy, "tcp", "")
	}
	return m
}

// Forward makes the machine listen on address and carry each connection to target as seen from the machine to, as
// kubectl port-forward and ssh -L do.
func (m *Machine) Forward(address string, to *Machine, target string) {
	m.lab.t.Helper()
	to.Open()
	m.relay("tcp", address, to.proxy, target)
}

func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out.String())
	}
	return out.String()
}
