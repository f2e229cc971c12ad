package broker

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memoryClient is a kgo client on b's in-memory network. It ends with the test.
func memoryClient(t testing.TB, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// dialMemory is dial over the in-memory network.
func dialMemory(t testing.TB, b *Broker, clientID string) *rawClient {
	t.Helper()
	nc, err := b.Dialer()(t.Context(), "tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return newRawClient(t, nc, clientID)
}

func TestClientsAreToldTheAddressOfTheMemoryNetwork(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	if b.Addr() != "minibroker:9092" || b.Bootstrap() != b.Addr() || len(b.Addrs()) != 1 {
		t.Errorf("the address is %q, the bootstrap %q of %q", b.Addr(), b.Bootstrap(), b.Addrs())
	}
	c := dialMemory(t, b, "test")
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	if m := ask[*kmsg.MetadataResponse](c, metadata); len(m.Brokers) != 1 || m.Brokers[0].Host != "minibroker" || m.Brokers[0].Port != 9092 {
		t.Errorf("Metadata tells %+v", m.Brokers)
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "g"
	if f := ask[*kmsg.FindCoordinatorResponse](c, find); f.Host != "minibroker" || f.Port != 9092 {
		t.Errorf("FindCoordinator tells %s:%d", f.Host, f.Port)
	}
}

func TestTheDialerWorksBesidePortsToo(t *testing.T) {
	b := Start(t)
	for _, c := range []*rawClient{dial(t, b), dialMemory(t, b, "memory")} {
		ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
	}
}

func TestDialingAClosedBrokerIsRefused(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	c := dialMemory(t, b, "test")
	_ = b.Close()
	c.ended()
	if _, err := b.Dialer()(t.Context(), "tcp", b.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialing a closed broker: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(t).Dialer()(ctx, "tcp", "anywhere:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("dialing with an ended context: %v", err)
	}
}

func TestAThousandBrokersLiveInOneProcess(t *testing.T) {
	const n = 1000
	brokers := make([]*Broker, n)
	before := runtime.NumGoroutine()
	for i := range brokers {
		brokers[i] = Start(t, WithMemoryNetwork(), WithTopic("only-"+strconv.Itoa(i), 1, nil))
	}
	if more := runtime.NumGoroutine() - before; more > 0 {
		t.Errorf("%d idle brokers have %d goroutines", n, more)
	}
	var wg sync.WaitGroup
	for i, b := range brokers {
		wg.Go(func() {
			c := dialMemory(t, b, "test")
			req := kmsg.NewPtrMetadataRequest()
			req.Version = 9
			req.Topics = nil
			resp := ask[*kmsg.MetadataResponse](c, req)
			if len(resp.Topics) != 1 || *resp.Topics[0].Topic != "only-"+strconv.Itoa(i) {
				t.Errorf("broker %d has the topics %+v", i, resp.Topics)
			}
		})
	}
	wg.Wait()
}

// A consumer whose machine is cut off stays in its group for the session
// time-out, and no longer.
func TestASessionTimeoutPassesAtOnceInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("orders", 2, nil))
		var cut atomic.Bool
		consumer := memoryClient(t, b, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"), kgo.SessionTimeout(5*time.Minute),
			kgo.HeartbeatInterval(time.Minute), kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
				if cut.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return b.Dialer()(ctx, network, address)
			}))
		admin := kadm.NewClient(memoryClient(t, b))
		members := func() int {
			groups, err := admin.DescribeGroups(t.Context(), "workers")
			if err != nil {
				t.Fatal(err)
			}
			return len(groups["workers"].Members)
		}
		time.Sleep(10 * time.Second)
		if n := members(); n != 1 {
			t.Fatalf("the group has %d members after the consumer joined", n)
		}
		cut.Store(true)
		b.conns.mu.Lock()
		for _, c := range b.conns.open {
			_ = c.nc.Close() // the admin client dials anew
		}
		b.conns.mu.Unlock()
		time.Sleep(4 * time.Minute)
		if n := members(); n != 1 {
			t.Errorf("the group has %d members before the session time-out", n)
		}
		time.Sleep(time.Minute)
		if n := members(); n != 0 {
			t.Errorf("the group has %d members after the session time-out", n)
		}
		consumer.CloseAllowingRebalance()
	})
}

func TestRetentionOfAnHourPassesAtOnceInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("clicks", 1, map[string]string{"retention.ms": "3600000"}))
		client := memoryClient(t, b)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "clicks", Value: []byte("old")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		start := func() int64 {
			offsets, err := kadm.NewClient(client).ListStartOffsets(t.Context(), "clicks")
			if err != nil {
				t.Fatal(err)
			}
			o, _ := offsets.Lookup("clicks", 0)
			return o.Offset
		}
		time.Sleep(59 * time.Minute)
		if got := start(); got != 0 {
			t.Fatalf("the log starts at %d before an hour is over", got)
		}
		time.Sleep(2 * time.Minute)
		if got := start(); got != 1 {
			t.Fatalf("the log starts at %d after an hour", got)
		}
	})
}
