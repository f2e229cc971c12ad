package netns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/test/harness"
	"minibroker/test/netns"
	"minibroker/test/venv"
)

// The letters are those of the table in docs/networking.md.

const patience = 60 * time.Second

// anywhere is how a container image starts the broker.
var anywhere = []string{"--host", "0.0.0.0", "--port", "9092"}

// python runs test/clients/roundtrip.py on the machine with kafka-python 2.2, the version of the notebook's error: it
// lists topics, produces and consumes in a group.
func python(t *testing.T, m *netns.Machine, bootstrap, topic string) error {
	t.Helper()
	env, _ := venv.KafkaPython(t, "2.2.*")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := m.Command(ctx, env.Python, harness.Root()+"/test/clients/roundtrip.py", "--bootstrap", bootstrap, "--topic", topic, "--admin", "--count", "3")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("%s", lines[len(lines)-1])
}

// mustWork fails the test unless kafka-python works from the machine.
func mustWork(t *testing.T, m *netns.Machine, bootstrap, topic string) {
	t.Helper()
	if err := python(t, m, bootstrap, topic); err != nil {
		t.Errorf("kafka-python at %s: %v", bootstrap, err)
	}
}

// mustBeNotReady fails the test unless kafka-python fails as it does in the course's notebook.
func mustBeNotReady(t *testing.T, m *netns.Machine, bootstrap string) {
	t.Helper()
	const want = "NodeNotReadyError: 1"
	if err := python(t, m, bootstrap, "unreachable"); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("kafka-python at %s ended with %v, want the notebook's %s", bootstrap, err, want)
	}
}

// told fails the test unless a Go client on the machine is told the address, and can use it.
func told(t *testing.T, m *netns.Machine, bootstrap, want string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.Dialer(m.Open().Dial))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	meta, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		t.Errorf("metadata from %s: %v", bootstrap, err)
		return
	}
	b := meta.Brokers[0]
	if got := net.JoinHostPort(b.Host, fmt.Sprint(b.Port)); got != want || b.NodeID != 1 {
		t.Errorf("a client that reached the broker at %s was told node %d at %s, want node 1 at %s", bootstrap, b.NodeID, got, want)
	}
}

func TestAFixedAddressThatIsRefusedGivesTheNotebooksError(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Broker.Start(append(anywhere, "--advertise", "127.0.0.1:9092")...)
	mustBeNotReady(t, lab.Client, "broker:9092")
}

func TestCaseA_TheSameMachineByIPv4(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	s := lab.Host.Start("--port", "9092")
	told(t, lab.Host, "127.0.0.1:9092", "127.0.0.1:9092")
	mustWork(t, lab.Host, "127.0.0.1:9092", "a")
	if s.Port() != "9092" {
		t.Errorf("the bootstrap line says %s, want port 9092", s.Bootstrap)
	}
}

func TestCaseA_AnotherLoopbackAddress(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Host.Start("--host", "0.0.0.0", "--port", "9092")
	told(t, lab.Host, "127.0.0.9:9092", "127.0.0.9:9092")
	mustWork(t, lab.Host, "127.0.0.9:9092", "alias")
}

func TestCaseB_LocalhostIsIPv6First(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Host.Hosts("::1 localhost", "127.0.0.1 localhost")
	lab.Host.Start("--port", "9092")
	mustWork(t, lab.Host, "localhost:9092", "b")
	mustWork(t, lab.Host, "[::1]:9092", "b6")
	lab.Host.Hosts("::1 localhost")
	mustWork(t, lab.Host, "localhost:9092", "b-only-6")
}

func TestCaseC_AClientContainerOnTheSameNetwork(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Broker.Start(anywhere...)
	told(t, lab.Client, "broker:9092", netns.BrokerIP+":9092")
	mustWork(t, lab.Client, "broker:9092", "c-name")
	mustWork(t, lab.Client, netns.BrokerIP+":9092", "c-address")
}

func TestCaseD_TheHostThroughAPublishedPort(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("9092", "9092")
	lab.Broker.Start(anywhere...)
	told(t, lab.Host, "127.0.0.1:9092", "localhost:9092")
	mustWork(t, lab.Host, "localhost:9092", "d")
}

func TestCaseE_APortPublishedUnderAnotherNumber(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("19092", "9092")
	s := lab.Broker.Start(anywhere...)
	mustBeNotReady(t, lab.Host, "localhost:19092")
	s.Await(t, `kafka-python.*`+netns.GatewayIP+`.*localhost:9092.*--published`)
	s.Stop(t)

	lab.Broker.Start(append(anywhere, "--published", "localhost:19092")...)
	told(t, lab.Host, "127.0.0.1:19092", "localhost:19092")
	mustWork(t, lab.Host, "localhost:19092", "e")
	mustWork(t, lab.Client, "broker:9092", "e-inside")
}

func TestCaseF_TheHostAndAContainerAtOnce(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("9092", "9092")
	lab.Broker.Start(anywhere...)
	var both sync.WaitGroup
	both.Go(func() { mustWork(t, lab.Client, "broker:9092", "f-inside") })
	both.Go(func() { mustWork(t, lab.Host, "localhost:9092", "f-outside") })
	both.Wait()
	told(t, lab.Client, "broker:9092", netns.BrokerIP+":9092")
	told(t, lab.Host, "127.0.0.1:9092", "localhost:9092")
}

func TestCaseG_AContainerThroughTheHostsAddress(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("9092", "9092")
	s := lab.Broker.Start(anywhere...)
	mustBeNotReady(t, lab.Client, netns.GatewayIP+":9092")
	s.Await(t, `kafka-python.*`+netns.GatewayIP+`.*localhost:9092.*this container's name`)
	mustWork(t, lab.Client, "broker:9092", "g")
}

func TestCaseH_AnotherMachineOnTheLAN(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Host.Start("--host", "0.0.0.0", "--port", "9092")
	told(t, lab.LAN, netns.HostLANIP+":9092", netns.HostLANIP+":9092")
	mustWork(t, lab.LAN, netns.HostLANIP+":9092", "h-lan")
	mustWork(t, lab.Host, "localhost:9092", "h-local")
}

func TestCaseI_TheLANThroughAPublishedPort(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("9092", "9092")
	s := lab.Broker.Start(anywhere...)
	if err := python(t, lab.LAN, netns.HostLANIP+":9092", "i"); err == nil {
		t.Error("a container cannot know its host's LAN address, yet the client got through: docs/networking.md says otherwise")
	}
	s.Await(t, `kafka-python.*`+netns.LANIP+`.*--published`)
	s.Stop(t)

	lab.Broker.Start(append(anywhere, "--published", netns.HostLANIP+":9092")...)
	mustWork(t, lab.LAN, netns.HostLANIP+":9092", "i")
	mustWork(t, lab.Client, "broker:9092", "i-inside")
	mustWork(t, lab.Host, "localhost:9092", "i-outside")
}

func TestCaseK_APortForward(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	s := lab.Broker.Start(anywhere...)
	lab.Host.Forward("127.0.0.1:9092", lab.Broker, "127.0.0.1:9092")
	told(t, lab.Host, "127.0.0.1:9092", "127.0.0.1:9092")
	mustWork(t, lab.Host, "127.0.0.1:9092", "k")
	s.Stop(t)
}

func TestCaseK_APortForwardFromAnotherNumber(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	s := lab.Broker.Start(anywhere...)
	lab.Host.Forward("127.0.0.1:19092", lab.Broker, "127.0.0.1:9092")
	mustBeNotReady(t, lab.Host, "127.0.0.1:19092")
	s.Await(t, `kafka-python.*127\.0\.0\.1:9092.*--advertise`)
	s.Stop(t)

	lab.Broker.Start(append(anywhere, "--advertise", "127.0.0.0/8=localhost:19092")...)
	told(t, lab.Host, "127.0.0.1:19092", "localhost:19092")
	mustWork(t, lab.Host, "127.0.0.1:19092", "k-other")
	mustWork(t, lab.Client, "broker:9092", "k-inside")
}

func TestCaseL_AServiceAddressInACluster(t *testing.T) {
	t.Parallel()
	const service = "10.96.0.10"
	lab := netns.New(t)
	lab.Service(service)
	lab.Broker.Start(anywhere...)
	told(t, lab.LAN, service+":9092", netns.BrokerIP+":9092")
	mustWork(t, lab.LAN, service+":9092", "l")
}

func TestAdvertiseRulesAreTriedInOrder(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("19092", "9092")
	lab.Broker.Start(append(anywhere, "--advertise", netns.ClientIP+"/32=broker:9092,*=localhost:19092")...)
	told(t, lab.Client, netns.BrokerIP+":9092", "broker:9092")
	told(t, lab.Host, "127.0.0.1:19092", "localhost:19092")
	mustWork(t, lab.Client, "broker:9092", "rules-inside")
	mustWork(t, lab.Host, "localhost:19092", "rules-outside")
}

// TestALabIsWhatItSays holds the ground of the tests above: who reaches whom, and what address a server sees.
func TestALabIsWhatItSays(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	lab.Publish("19092", "9092")
	// A server that answers each connection with the peer's address.
	const server = `
import json, socket, sys
s = socket.create_server(("0.0.0.0", 9092))
print("listening", flush=True)
while True:
    c, peer = s.accept()
    c.sendall(json.dumps(peer[0]).encode() + b"\n")
    c.close()
`
	cmd := lab.Broker.Command(t.Context(), "python3", "-c", server)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	lab.LAN.Forward("127.0.0.1:7000", lab.Broker, "127.0.0.1:9092")
	for _, c := range []struct {
		name    string
		from    *netns.Machine
		address string
		peer    string // "" when the connection must fail
	}{
		{"a container by name", lab.Client, "broker:9092", netns.ClientIP},
		{"the host by its loopback", lab.Host, "127.0.0.1:19092", netns.GatewayIP},
		{"the host by the container's address", lab.Host, netns.BrokerIP + ":9092", netns.GatewayIP},
		{"a container through the host", lab.Client, netns.GatewayIP + ":19092", netns.GatewayIP},
		{"the host knows no name broker", lab.Host, "broker:9092", ""},
		{"nothing is published at 9092", lab.Host, "127.0.0.1:9092", ""},
		{"the LAN through the published port", lab.LAN, netns.HostLANIP + ":19092", netns.LANIP},
		{"a port forward", lab.LAN, "127.0.0.1:7000", "127.0.0.1"},
	} {
		conn, err := c.from.Open().Dial(t.Context(), "tcp", c.address)
		if err != nil {
			if c.peer != "" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var peer string
		if err := json.NewDecoder(conn).Decode(&peer); err != nil || peer != c.peer {
			t.Errorf("%s: the server sees %q (%v), want %q", c.name, peer, err, c.peer)
		}
		conn.Close()
	}
}
