// Package broker is a Kafka broker in memory: a whole cluster in one process,
// to start in a test with one line or to serve from a program.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"minibroker/broker/auth"
	"minibroker/broker/config"
	"minibroker/broker/group"
	"minibroker/internal/clock"
)

// Broker is a running cluster: of one broker, or of several with [WithBrokers].
// Its methods may be called from any goroutine.
type Broker struct {
	clock     clock.Clock
	log       *slog.Logger // of what belongs to no part; the parts have theirs in loggers
	loggers   *loggers
	random    *random
	clusterID string
	nodes     []*node // the logical brokers, by id

	config      atomic.Pointer[config.Broker]
	groupConfig atomic.Pointer[group.Config] // read from config; nil before its first use
	image       atomic.Pointer[image]
	features    atomic.Pointer[featureLevels]
	apiVersions [6]atomic.Pointer[versions] // by version of ApiVersions
	controller  controller
	groups      groups
	shares      shares
	advertiser  *advertiser
	webPort     int // to name to browsers; 0: none

	replication   replication
	balance       balance
	janitor       janitor
	transactions  transactions
	quotas        quotas
	passwords     map[string]string          // of the users given at the start, by name
	rules         atomic.Pointer[auth.Rules] // who may do what; nil: everybody everything. Its writers hold controller.mu
	denials       denials                    // what was refused
	authority     *authority                 // makes certificates; nil without TLS
	tls           *tls.Config                // of ports that speak it; nil: none does
	loginTLS      *tls.Config                // the same, where clients log in
	firstRules    *auth.Rules                // as they were at the start
	scram         scramUsers
	tokens        delegationTokens
	telemetry     telemetry
	producerIDs   atomic.Int64 // given out so far
	producerNames producerNames
	observers     observers
	powerWatchers []*func(id int32, runs bool) // under doors
	changes       changes
	faults        faults
	transcript    *transcript // nil: not kept
	test          TB          // that Start was called by; else nil

	// What Reset goes back to.
	seeds   []topicSpec
	started *config.Broker
	loaded  *Snapshot // with the fixtures; nil: there are none
	metrics metrics

	doors     sync.Mutex    // held to start and stop brokers; the first of all locks
	dialed    atomic.Uint64 // by Dialer
	conns     connSet
	closing   chan struct{} // closed by Close, before anything else stops
	closeOnce sync.Once
	running   sync.WaitGroup // accept loops and connections
}

// TB is the part of testing.TB that Start needs.
//
// Where it has Errorf, as testing.TB has, the test fails if a fault that it
// injected never happened. Where it has Failed and Logf, too, the last requests
// are logged when the test fails.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start starts a broker on a free port of 127.0.0.1 and closes it when the test
// ends. What New would return as an error fails the test.
func Start(t TB, opts ...Option) *Broker {
	t.Helper()
	b, err := New(append([]Option{WithPort(0), WithTranscript(transcriptLines)}, opts...)...)
	if err != nil {
		t.Fatalf("broker.Start: %v", err)
		return nil
	}
	b.test = t
	t.Cleanup(func() {
		t.Helper()
		b.report()
		_ = b.Close()
	})
	return b
}

// New starts a broker and returns when it accepts connections. Without options
// it listens on port 9092 of the loopback addresses, IPv4 and IPv6. Errors are
// meant for people: they name what to change.
func New(opts ...Option) (*Broker, error) {
	o := defaults()
	for _, opt := range opts {
		opt(&o)
	}
	nodes, err := newNodes(&o)
	if err != nil {
		return nil, err
	}
	cfg := nodes[0].started
	adv, err := newAdvertiser(o.advertise, o.published, len(nodes))
	if err != nil {
		return nil, err
	}
	b := &Broker{
		clock:      o.clock,
		random:     newRandom(o.seed),
		nodes:      nodes,
		advertiser: adv,
		webPort:    o.webPort,
		closing:    make(chan struct{}),
	}
	b.loggers = newLoggers(o.log)
	b.log = b.loggers.named(rootLogger)
	b.seeds, b.started = o.topics, cfg
	for _, f := range o.observers {
		b.Observe(f)
	}
	b.transcript = newTranscript(o.transcript)
	b.clusterID = b.random.clusterID()
	b.config.Store(cfg)
	b.image.Store(newImage(nodes))
	b.init()
	b.tokens.reset(cfg, b.nowMillis())
	if err := errors.Join(b.addUsers(o.users), b.authorize(&o), b.secure(&o)); err != nil {
		return nil, err
	}
	for _, t := range o.topics {
		if err := b.createSeed(t); err != nil {
			return nil, err
		}
	}
	if err := b.loadFixtures(o.fixtures); err != nil {
		b.janitor.stop()
		b.stop()
		return nil, err
	}
	if err := b.open(&o); err != nil {
		return nil, err
	}
	for _, n := range b.nodes {
		b.accepting(n)
	}
	b.hintUsers()
	return b, nil
}

// Run starts a broker and closes it when ctx ends.
func Run(ctx context.Context, opts ...Option) (*Broker, error) {
	b, err := New(opts...)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = b.Close() })
	return b, nil
}

// Close stops the broker: its ports are free and its goroutines gone when it
// returns. Data is lost. Closing twice is fine.
func (b *Broker) Close() error {
	var errs []error
	b.closeOnce.Do(func() {
		b.doors.Lock() // whoever starts a broker now finds the cluster closed
		close(b.closing)
		for _, n := range b.nodes {
			if err := n.shut(); err != nil {
				errs = append(errs, err)
			}
		}
		b.doors.Unlock()
		b.conns.closeAll()
		b.janitor.stop() // it may be cleaning: that is waited for too
		b.running.Wait()
		// No request is in work any more: groups and transactions that are
		// stopped would not answer it.
		b.stop()
		b.image.Load().topics.Scan(func(_ string, t *topic) bool {
			for _, p := range t.partitions {
				p.log.Close()
			}
			return true
		})
	})
	return errors.Join(errs...)
}

// Addr is the first address that the first broker listens on, as host:port. At a
// free port, clients are answered from the first time on that an address of the
// broker is asked for, here or by another method.
func (b *Broker) Addr() string { return b.Addrs()[0] }

// Addrs are the addresses that the brokers listen on, as host:port, the first
// broker's first: those of the first kind of port, see [WithExtraPort]. Those of
// a stopped broker are among them: it listens there again when it is started.
func (b *Broker) Addrs() []string {
	var addrs []string
	for _, n := range b.nodes {
		addrs = append(addrs, n.ports[0].addrs()...)
	}
	return addrs
}

// Bootstrap is what a client on this machine sets as bootstrap.servers: an
// address of each broker.
func (b *Broker) Bootstrap() string { return b.bootstrap(0) }

// ClusterID is the cluster's id: 22 characters, new for each broker.
func (b *Broker) ClusterID() string { return b.clusterID }

// topicSpec describes a topic to create.
type topicSpec struct {
	name       string
	partitions int               // 0: num.partitions
	configs    map[string]string // topic configs, Kafka's names
}

func (b *Broker) createSeed(t topicSpec) error {
	if _, err := b.createTopic(*seedTopic(t)); err != nil {
		return fmt.Errorf("topic %q: %s", t.name, strings.TrimSuffix(err.message, "."))
	}
	return nil
}

func seedTopic(t topicSpec) *newTopic {
	partitions := t.partitions
	if partitions == 0 {
		partitions = -1
	}
	return &newTopic{name: t.name, partitions: int32(partitions), replicas: -1, configs: t.configs}
}

// entropy is the seed of brokers that were given none.
func entropy() (seed [32]byte) {
	_, _ = rand.Read(seed[:])
	return seed
}
