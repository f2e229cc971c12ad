// Package churn lets the members of a group come and go for a minute, while
// connections are cut, and looks whether the group keeps its promises.
package churn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
	"minibroker/internal/clock"
)

const (
	topic      = "in"
	group      = "workers"
	partitions = 12
	members    = 6 // at most
	session    = 6 * time.Second
)

var lasts = flag.Duration("lasts", time.Minute, "how long members come and go; what follows takes some seconds more")

// For a minute, members join, leave, crash, stall past their session, and come
// back as the static member that they were. The clients hold locks while they
// wait, so this is no minute of a virtual clock.
func TestAGroupKeepsItsPromisesWhileMembersComeAndGo(t *testing.T) {
	// All at once: they mostly wait, and t.Parallel would let as many run as there are cores.
	var kinds sync.WaitGroup
	for name, churn := range map[string]func(t *testing.T){
		"eager":       func(t *testing.T) { readersChurn(t, kgo.Balancers(kgo.RangeBalancer())) },
		"cooperative": func(t *testing.T) { readersChurn(t, kgo.Balancers(kgo.CooperativeStickyBalancer())) },
		"consumer":    func(t *testing.T) { readersChurn(t, kgo.ServerSideBalancer()) },
		"share":       shareChurn,
	} {
		kinds.Go(func() { t.Run(name, churn) })
	}
	kinds.Wait()
}

// wall is the time that the clients live in.
var wall clock.Clock = clock.Real{}

// pause waits as the driver of a test does: it is the test's subject that time
// passes.
func pause(d time.Duration) {
	due := make(chan struct{})
	wall.AfterFunc(d, func() { close(due) })
	<-due
}

// world is a broker, those who write to its topic, and a group that reads it.
type world struct {
	t      *testing.T
	b      *broker.Broker
	random *rand.Rand // of the goroutine that makes members come and go
	start  func(slot int) *member

	mu        sync.Mutex
	started   int
	committed map[int32]int64
	commits   int
	seen      map[string]int // by value: how often it was read
}

func newWorld(t *testing.T) *world {
	b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic(topic, partitions, nil),
		broker.WithConfig("group.consumer.session.timeout.ms", "6000"), broker.WithConfig("group.consumer.min.session.timeout.ms", "6000"),
		broker.WithConfig("group.consumer.heartbeat.interval.ms", "1000"), broker.WithConfig("group.consumer.min.heartbeat.interval.ms", "1000"),
		broker.WithConfig("group.share.session.timeout.ms", "6000"), broker.WithConfig("group.share.min.session.timeout.ms", "6000"))
	return &world{t: t, b: b, random: rand.New(rand.NewSource(1)), committed: make(map[int32]int64), seen: make(map[string]int)}
}

// churn lets members come and go while producers write, then lets one read to the end. It returns how many records each
// producer knows to be written.
func (w *world) churn() (sent []int) {
	t, b := w.t, w.b
	ctx, stop := context.WithCancel(t.Context())
	var producers sync.WaitGroup
	sent = make([]int, 2)
	networks := make([]*network, len(sent))
	for i := range sent {
		networks[i] = &network{dial: b.Dialer()}
		producers.Go(func() { sent[i] = w.produce(ctx, networks[i], i) })
	}
	slots := make([]*member, members)
	began := wall.Now()
	for wall.Now().Sub(began) < *lasts {
		pause(time.Duration(100+w.random.Intn(600)) * time.Millisecond)
		i := w.random.Intn(members)
		m := slots[i]
		switch what := w.random.Intn(6); {
		case m == nil:
			slots[i] = w.start(i)
		case what == 0: // leaves
			m.close()
			slots[i] = nil
		case what == 1: // crashes: nobody hears of it
			m.network.fail()
			m.close()
			slots[i] = nil
		case what == 2: // crashes and is back at once
			m.network.fail()
			m.close()
			slots[i] = w.start(i)
		case what == 3: // stalls past its session
			m.network.stall(session + 2*time.Second)
		default: // loses its connections
			m.network.cut()
		}
		networks[w.random.Intn(len(networks))].cut()
	}
	stop()
	producers.Wait()
	for i, m := range slots {
		if m != nil {
			m.close()
			slots[i] = nil
		}
	}
	last := w.start(members)
	defer last.close()
	wait, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := b.Group(group).WaitForLagZero(wait, topic); err != nil {
		t.Fatal(err)
	}
	return sent
}

// check holds that each record that a producer was told is written is there, once, and was read.
func (w *world) check(sent []int) {
	t, b := w.t, w.b
	stored := make(map[string]int)
	for _, r := range b.Topic(topic).Records() {
		stored[string(r.Value)]++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	total, again := 0, 0
	for producer, n := range sent {
		for i := range n {
			total++
			value := fmt.Sprintf("%d-%d", producer, i)
			if stored[value] != 1 {
				t.Errorf("the topic has record %s %d times", value, stored[value])
			}
			switch n := w.seen[value]; {
			case n == 0:
				t.Errorf("nobody has read record %s", value)
			case n > 1:
				again++
			}
		}
	}
	t.Logf("%d records, %d of them read again; %d members, %d commits", total, again, w.started, w.commits)
	if least := int(lasts.Seconds()); total < 20*least || w.started < least/5 {
		t.Errorf("that was no churn: %d records, %d members", total, w.started)
	}
}

// produce writes records until ctx ends, and returns how many were confirmed:
// it waits for each before the next.
func (w *world) produce(ctx context.Context, n *network, id int) (sent int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.b.Addr()), kgo.Dialer(n.Dial), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		w.t.Error(err)
		return 0
	}
	defer client.Close()
	for ctx.Err() == nil {
		// Without ctx: a record that was given up might be there all the same.
		r := kgo.StringRecord(fmt.Sprintf("%d-%d", id, sent))
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			w.t.Errorf("record %s: %v", r.Value, err)
			return sent
		}
		sent++
		pause(10 * time.Millisecond)
	}
	return sent
}

// member is one client in the group.
type member struct {
	client  *kgo.Client
	network *network
	done    chan struct{}   // closed when it reads no more
	next    map[int32]int64 // of readers: what it must get next; absent: what is committed, or earlier
}

// join makes a client with a network of its own.
func (w *world) join(opts ...kgo.Opt) *member {
	w.mu.Lock()
	w.started++
	w.mu.Unlock()
	m := &member{network: &network{dial: w.b.Dialer()}, done: make(chan struct{}), next: make(map[int32]int64)}
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.b.Addr()), kgo.Dialer(m.network.Dial), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(250*time.Millisecond))...)
	if err != nil {
		w.t.Fatal(err)
	}
	m.client = client
	return m
}

func (m *member) close() {
	m.client.CloseAllowingRebalance()
	<-m.done
	m.network.cut()
}

// network is a client's way to the broker. It can be cut.
type network struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	open   []net.Conn
	failed bool
	until  time.Time // nobody is reached before
}

var errNoNetwork = errors.New("the machine is gone")

func (n *network) Dial(ctx context.Context, kind, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed || wall.Now().Before(n.until) {
		return nil, errNoNetwork
	}
	nc, err := n.dial(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	n.open = append(n.open, nc)
	return nc, nil
}

// cut ends all connections; the client may make new ones.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.open {
		_ = c.Close()
	}
	n.open = nil
}

// fail ends all connections, for good.
func (n *network) fail() {
	n.mu.Lock()
	n.failed = true
	n.mu.Unlock()
	n.cut()
}

// stall lets nothing through for a while.
func (n *network) stall(d time.Duration) {
	n.mu.Lock()
	n.until = wall.Now().Add(d)
	n.mu.Unlock()
	n.cut()
}
