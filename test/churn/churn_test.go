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
	"github.com/twmb/franz-go/pkg/kmsg"

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

var lasts = flag.Duration("lasts", 42*time.Second, "how long members come and go; what follows takes some seconds more")

// For most of a minute, members join, leave, crash, stall past their session, and come
// back as the static member that they were. The clients hold locks while they
// wait, so this is no minute of a virtual clock.
func TestAGroupKeepsItsPromisesWhileMembersComeAndGo(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			churn(t, protocol)
		})
	}
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

func churn(t *testing.T, protocol string) {
	b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic(topic, partitions, nil),
		broker.WithConfig("group.consumer.session.timeout.ms", "6000"), broker.WithConfig("group.consumer.min.session.timeout.ms", "6000"),
		broker.WithConfig("group.consumer.heartbeat.interval.ms", "1000"), broker.WithConfig("group.consumer.min.heartbeat.interval.ms", "1000"))
	w := &world{t: t, b: b, protocol: protocol, random: rand.New(rand.NewSource(1)), committed: make(map[int32]int64), seen: make(map[string]int)}
	b.Observe(w.watchCommits)

	ctx, stop := context.WithCancel(t.Context())
	var producers sync.WaitGroup
	sent := make([]int, 2)
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

	// Each record that a producer was told is written is there, once.
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
	t.Logf("%s: %d records, %d of them read again; %d members, %d commits", protocol, total, again, w.started, w.commits)
	if least := int(lasts.Seconds()); total < 20*least || w.started < least/5 || w.commits < least {
		t.Errorf("that was no churn: %d records, %d members, %d commits", total, w.started, w.commits)
	}
}

// world is what the test knows.
type world struct {
	t        *testing.T
	b        *broker.Broker
	protocol string
	random   *rand.Rand // of the goroutine that makes members come and go

	mu        sync.Mutex
	committed map[int32]int64
	commits   int
	started   int
	seen      map[string]int // by value: how often it was read
}

// watchCommits holds that committed offsets never go back.
func (w *world) watchCommits(o broker.Observation) {
	if o.Key != int16(kmsg.OffsetCommit) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits++
	for p, offset := range w.b.Committed(group)[topic] {
		if offset < w.committed[p] {
			w.t.Errorf("the offset of partition %d went back from %d to %d", p, w.committed[p], offset)
		}
		w.committed[p] = offset
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

// member is one consumer of the group. It commits after it has seen to records.
type member struct {
	client  *kgo.Client
	network *network
	done    chan struct{}
	next    map[int32]int64 // what it must get next; absent: what is committed, or earlier
}

func (w *world) start(slot int) *member {
	w.mu.Lock()
	w.started++
	w.mu.Unlock()
	m := &member{network: &network{dial: w.b.Dialer()}, done: make(chan struct{}), next: make(map[int32]int64)}
	assigned := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		committed := w.b.Committed(group)[topic]
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range topics[topic] {
			m.next[p] = committed[p]
		}
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(w.b.Addr()), kgo.Dialer(m.network.Dial), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(session), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(session),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.OnPartitionsAssigned(assigned),
	}
	if slot%3 == 0 {
		opts = append(opts, kgo.InstanceID(fmt.Sprint("static-", slot)))
	}
	if w.protocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	m.client = client
	go w.consume(m)
	return m
}

func (w *world) consume(m *member) {
	defer close(m.done)
	for {
		fetches := m.client.PollRecords(context.Background(), 50)
		if fetches.IsClientClosed() {
			return
		}
		w.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			w.seen[string(r.Value)]++
			if next, ok := m.next[r.Partition]; ok && r.Offset < next {
				w.t.Errorf("a member reads offset %d of partition %d again: %d was due, %d is committed", r.Offset, r.Partition, next, w.committed[r.Partition])
			} else if ok && r.Offset > next {
				w.t.Errorf("a member skips from offset %d of partition %d to %d", next, r.Partition, r.Offset)
			}
			m.next[r.Partition] = r.Offset + 1
		})
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), session)
		_ = m.client.CommitUncommittedOffsets(ctx) // who is out of the group may not, and reads on where others left off
		cancel()
		m.client.AllowRebalance()
	}
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
