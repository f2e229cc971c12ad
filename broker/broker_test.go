package broker

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"minibroker/broker/group"
)

func TestMain(m *testing.M) {
	// The meters of sarama, a client, have one goroutine for all of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func TestCloseFreesPortsAndEndsWhatWaits(t *testing.T) {
	b, err := New(WithPort(0), WithTopic("t", 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	addrs := b.Addrs()
	// A join that waits for its group: a second member that nobody rejoins.
	first, second := dialAs(t, b, "first"), dialAs(t, b, "second")
	join := joinRequest("g", "")
	ask[*kmsg.JoinGroupResponse](first, join)
	second.send(join)
	waitUntil(t, b, func() bool { return groupMembers(b, "g") == 2 })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := second.frame(); err == nil {
		t.Error("a waiting request was answered by a closed broker")
	}
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("%s is still taken: %v", addr, err)
			continue
		}
		_ = l.Close()
	}
	if err := b.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestCloseEndsWithGroupRequestsInWork(t *testing.T) {
	for range 20 {
		b, err := New(WithPort(0))
		if err != nil {
			t.Fatal(err)
		}
		ask[*kmsg.JoinGroupResponse](dial(t, b), joinRequest("g", ""))
		var wg sync.WaitGroup
		started := make(chan struct{}, 4)
		for range 4 {
			c := dial(t, b)
			wg.Go(func() {
				beat := kmsg.NewPtrHeartbeatRequest()
				beat.Group = "g"
				for i := 0; ; i++ {
					c.next++
					if _, err := c.nc.Write(c.form.AppendRequest(nil, beat, c.next)); err != nil {
						return
					}
					if _, _, err := c.frame(); err != nil {
						return
					}
					if i == 0 {
						started <- struct{}{}
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		if err := b.Close(); err != nil { // hangs if a request can't end
			t.Fatal(err)
		}
		wg.Wait()
	}
}

func joinRequest(groupID, member string) *kmsg.JoinGroupRequest {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version = 3
	join.Group, join.MemberID, join.ProtocolType = groupID, member, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 30_000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{1}
	join.Protocols = append(join.Protocols, p)
	return join
}

func TestManyBrokersShareNothing(t *testing.T) {
	const n = 100
	var wg sync.WaitGroup
	ids := make([]string, n)
	for i := range n {
		wg.Go(func() {
			b := Start(t, WithTopic("only-"+strconv.Itoa(i), 1, nil))
			ids[i] = b.ClusterID()
			c := dial(t, b)
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
	seen := make(map[string]bool)
	for _, id := range ids {
		if len(id) != 22 || seen[id] { // behaviour 19
			t.Errorf("cluster id %q is not 22 characters of its own", id)
		}
		seen[id] = true
	}
}

func TestErrorsAtStartNameTheFix(t *testing.T) {
	taken := Start(t)
	_, portText, _ := net.SplitHostPort(taken.Addr())
	port, _ := strconv.Atoi(portText)
	for _, c := range []struct {
		name string
		opts []Option
		want string
	}{
		{"a taken port", []Option{WithPort(port)}, "in use: stop what listens there, or choose another --port"},
		{"no port", []Option{WithPort(70000)}, "port 70000 is not a port"},
		{"another machine's address", []Option{WithHost("203.0.113.7"), WithPort(0)}, "this machine has no address 203.0.113.7"},
		{"an unknown config", []Option{WithPort(0), WithConfig("num.partition", "3")}, "num.partitions"},
		{"a bad value", []Option{WithPort(0), WithConfig("num.partitions", "many")}, "Not a number of type INT"},
		{"a bad topic", []Option{WithPort(0), WithTopic("a b", 1, nil)}, "a b"},
		{"a topic twice", []Option{WithPort(0), WithTopic("t", 1, nil), WithTopic("t", 1, nil)}, "already exists"},
	} {
		b, err := New(c.opts...)
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: the broker starts", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q in one line", c.name, err, c.want)
		}
	}
}

func TestRunClosesWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b, err := Run(ctx, WithPort(0))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, b)
	cancel()
	c.ended()
	_ = b.Close() // waits until it is over
}

func TestOneSeedGivesTheSameIds(t *testing.T) {
	ids := func() string {
		b := Start(t, WithSeed(7), WithTopic("t", 1, nil))
		id := b.image.Load().topic("t").id
		return b.ClusterID() + string(id[:])
	}
	first, second := ids(), ids()
	if first != second {
		t.Error("two brokers of one seed have different ids")
	}
}

func TestObserversSeeRequestAndAnswerUntilTheyStop(t *testing.T) {
	seen := make(chan Observation, 10)
	b := Start(t)
	stop := b.Observe(func(o Observation) { seen <- o })
	c := dialAs(t, b, "watched")
	hello := kmsg.NewPtrApiVersionsRequest()
	hello.Version, hello.ClientSoftwareName, hello.ClientSoftwareVersion = 3, "some-client", "1.2"
	ask[*kmsg.ApiVersionsResponse](c, hello)
	o := <-seen
	if o.Key != 18 || o.Version != 3 || o.ClientID != "watched" || o.SoftwareName != "some-client" || o.Node != 1 || o.Connection == 0 || o.Response == nil {
		t.Errorf("the observation is %+v", o)
	}
	stop()
	ask[*kmsg.ApiVersionsResponse](c, hello)
	select {
	case o := <-seen:
		t.Errorf("seen after stop: %+v", o)
	default:
	}
}

// waitUntil waits for a condition that a request on another connection brings
// about; the broker has no event for it.
func waitUntil(t *testing.T, b *Broker, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 10 s")
		}
		// A round trip of its own gives the other connection its turn.
		ask[*kmsg.ApiVersionsResponse](dial(t, b), kmsg.NewPtrApiVersionsRequest())
	}
}

func groupMembers(b *Broker, id string) (n int) {
	b.groups.peek(id, func(g *group.Group) { n = g.Members() })
	return n
}

func TestAnObserverSeesTheAPIsItAskedFor(t *testing.T) {
	b := Start(t, WithBrokers(2))
	var seen, powered []string
	stop := b.Observe(func(o Observation) { seen = append(seen, kmsg.NameForKey(o.Key)) }, kmsg.Metadata)
	stopPower := b.ObserveBrokers(func(id int32, runs bool) { powered = append(powered, fmt.Sprint(id, runs)) })
	c := dialAs(t, b, "watched")
	for range 2 {
		ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
		ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
		stop()
	}
	if !slices.Equal(seen, []string{"Metadata"}) {
		t.Errorf("seen is %v, want one Metadata", seen)
	}
	for range 2 {
		for _, turn := range []func(int32) error{b.StopBroker, b.StopBroker, b.StartBroker} { // stopping twice is once
			if err := turn(2); err != nil {
				t.Fatal(err)
			}
		}
		stopPower()
	}
	if !slices.Equal(powered, []string{"2 false", "2 true"}) {
		t.Errorf("brokers were seen as %v", powered)
	}
}
