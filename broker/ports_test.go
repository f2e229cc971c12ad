package broker

import (
	"net"
	"runtime"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// answers says whether a broker takes connections at an address and answers.
func answers(t *testing.T, address string) {
	t.Helper()
	if got := ask[*kmsg.ApiVersionsResponse](dialAt(t, address, "test"), kmsg.NewPtrApiVersionsRequest()); len(got.ApiKeys) == 0 {
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

// Of 100 brokers, as goroutines of tests before may come to their end meanwhile.
func TestABrokerNobodyAsksForHasNoGoroutine(t *testing.T) {
	open, closed := make([]*Broker, 100), make([]*Broker, 100)
	for i := range closed {
		closed[i] = Start(t)
		if err := closed[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	before := runtime.NumGoroutine()
	for i := range open {
		open[i] = Start(t)
	}
	if more := runtime.NumGoroutine() - before; more > 20 {
		t.Errorf("%d brokers have %d goroutines", len(open), more)
	}
	for _, b := range closed {
		if addrs := b.Addrs(); len(addrs) != 1 || addrs[0] == "" {
			t.Fatalf("a closed broker was at %q", addrs)
		}
	}
	if more := runtime.NumGoroutine() - before; more > 20 {
		t.Errorf("%d closed brokers have %d goroutines", len(closed), more)
	}
	for _, b := range open {
		b.Addr()
	}
	if more := runtime.NumGoroutine() - before; more < 80 {
		t.Errorf("%d brokers whose address is known have %d goroutines", len(open), more)
	}
}

func TestAClosedBrokerTellsItsAddress(t *testing.T) {
	b := Start(t)
	if addr := b.Addr(); b.Close() != nil || b.Addr() != addr {
		t.Errorf("%s was %s before Close", b.Addr(), addr)
	}
}
