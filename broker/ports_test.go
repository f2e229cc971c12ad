package broker

import (
	"net"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// answers says whether a broker takes connections at an address and answers.
func answers(t *testing.T, address string) {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if got := ask[*kmsg.ApiVersionsResponse](newRawClient(t, nc, "test"), kmsg.NewPtrApiVersionsRequest()); len(got.ApiKeys) == 0 {
		t.Errorf("%s: %+v", address, got)
	}
}

func TestABrokerIsReachedHoweverItsAddressIsLearned(t *testing.T) {
	for name, learn := range map[string]func(b *Broker) []string{
		"Addr":        func(b *Broker) []string { return []string{b.Addr()} },
		"Addrs":       (*Broker).Addrs,
		"AddrOf":      func(b *Broker) []string { return []string{b.AddrOf("PLAINTEXT")} },
		"Bootstrap":   func(b *Broker) []string { return []string{b.Bootstrap()} },
		"BootstrapOf": func(b *Broker) []string { return []string{b.BootstrapOf("PLAINTEXT")} },
		"Brokers":     func(b *Broker) []string { return b.Brokers()[0].Addrs },
	} {
		t.Run(name, func(t *testing.T) {
			for _, host := range []string{"", "localhost", "0.0.0.0"} {
				for _, address := range learn(Start(t, WithHost(host))) {
					answers(t, address)
				}
			}
		})
	}
}

// A name may be either of the two loopback addresses.
func TestBothLoopbackAddressesAnswerWhenOneIsAsked(t *testing.T) {
	b := Start(t, WithHost("localhost"))
	_, port, err := net.SplitHostPort(b.nodes[0].ports[0].at[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.nodes[0].ports[0].at {
		host, _, err := net.SplitHostPort(l.(*unasked).Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		answers(t, net.JoinHostPort(host, port))
	}
}

func TestBrokersAreReachedByWhatAnotherSays(t *testing.T) {
	b := Start(t, WithBrokers(3))
	resp := ask[*kmsg.MetadataResponse](dialBroker(t, b, 1), kmsg.NewPtrMetadataRequest())
	if len(resp.Brokers) != 3 {
		t.Fatalf("got %+v", resp.Brokers)
	}
	for _, n := range resp.Brokers {
		answers(t, net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))))
	}
}

func TestABrokerNobodyAsksForHasNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	brokers := make([]*Broker, 100)
	for i := range brokers {
		brokers[i] = Start(t)
	}
	if more := runtime.NumGoroutine() - before; more > 0 {
		t.Errorf("%d brokers have %d goroutines", len(brokers), more)
	}
	for _, b := range brokers {
		b.Addr()
	}
	if more := runtime.NumGoroutine() - before; more < len(brokers) {
		t.Errorf("%d brokers whose address is known have %d goroutines", len(brokers), more)
	}
}

func TestAClosedBrokerTellsItsAddressAndAcceptsNobody(t *testing.T) {
	asked, unasked := Start(t), Start(t)
	if addr := asked.Addr(); asked.Close() != nil || asked.Addr() != addr {
		t.Errorf("%s was %s before Close", asked.Addr(), addr)
	}
	if err := unasked.Close(); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	if addrs := unasked.Addrs(); len(addrs) != 1 || slices.Contains(addrs, "") {
		t.Errorf("got %q", addrs)
	}
	if more := runtime.NumGoroutine() - before; more > 0 {
		t.Errorf("%d goroutines were started", more)
	}
}
