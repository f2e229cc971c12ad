package broker

import (
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"minibroker/internal/clock"
)

// Option changes how a broker starts.
type Option func(*options)

type options struct {
	host      string
	port      int
	listeners []net.Listener
	memory    bool // listen on no port
	brokers   int
	racks     []string

	protocol   string // of the port; empty: by users and TLS
	extraPorts []extraPort
	users      []user
	acls       []string
	tls        *tlsOptions    // nil: not asked for
	clients    *x509.CertPool // whose certificates clients show; nil: the broker's own authority's

	transcript int // how many requests to remember
	topics     []topicSpec
	fixtures   []fixtureFile
	configs    map[string]string
	advertise  string
	published  string
	webPort    int
	log        *slog.Logger
	clock      clock.Clock
	seed       [32]byte
	observers  []Observer
}

// discarded is a log that nobody reads.
var discarded = slog.New(slog.DiscardHandler)

func defaults() options {
	return options{
		port:    9092,
		brokers: 1,
		configs: map[string]string{},
		log:     discarded,
		clock:   clock.Real{},
		seed:    entropy(),
	}
}

// WithHost sets the address to listen on. "localhost" is the loopback addresses
// of IPv4 and IPv6. Empty, the default, is the same, but 127.0.0.1 alone with a
// free port. 0.0.0.0 or ::: all addresses of the machine.
func WithHost(host string) Option { return func(o *options) { o.host = host } }

// WithPort sets the port to listen on; 0 picks a free one. Of several brokers,
// each has the next port.
func WithPort(port int) Option { return func(o *options) { o.port = port } }

// WithBrokers makes a cluster of n logical brokers, which share this process's
// memory: partitions have replicas on them, and leaders move when one is
// stopped, see [Broker.StopBroker]. Their ids count up from node.id, 1 by
// default. With WithPort(9092) they listen on 9092, 9093 and so on. Topics have
// default.replication.factor replicas, 1 as in Apache Kafka; the topics of the
// coordinators have up to 3.
func WithBrokers(n int) Option { return func(o *options) { o.brokers = n } }

// WithRacks says in which rack each broker is (broker.rack), in order; with
// fewer racks than brokers they come round again. Replicas are spread over
// racks, and consumers may read from the replica in their own (KIP-392).
func WithRacks(racks ...string) Option { return func(o *options) { o.racks = racks } }

// WithListener makes the broker serve l and open no port of its own. It may be
// given several times: with several brokers, once for each, in order. The
// broker closes l.
func WithListener(l net.Listener) Option {
	return func(o *options) { o.listeners = append(o.listeners, l) }
}

// WithTopic creates a topic at start. partitions 0 means num.partitions.
// configs are topic configs by Kafka's names; nil for the defaults.
func WithTopic(name string, partitions int, configs map[string]string) Option {
	return func(o *options) {
		o.topics = append(o.topics, topicSpec{name, partitions, configs})
	}
}

// WithConfig sets a broker config, by Kafka's name. New fails on a name that
// Kafka does not know and on a value that it would refuse.
func WithConfig(name, value string) Option {
	return func(o *options) { o.configs[name] = value }
}

// WithAdvertise sets what clients are told the broker's address is.
//
//   - "auto", the default: the address at which the client reached the broker;
//     "localhost" where it came through a container's published port.
//   - "host:port" for all clients, or "host" with the port that they dialled.
//   - Rules for networks or single addresses of clients, of which the first
//     that matches counts: "10.0.0.0/8=broker:9092,*=localhost:19092". Clients
//     that no rule matches, and those sent to "auto", get the default.
func WithAdvertise(rules string) Option { return func(o *options) { o.advertise = rules } }

// WithPublished names the host:port at which a container's port is published,
// for clients that come through the container's gateway.
func WithPublished(address string) Option { return func(o *options) { o.published = address } }

// WithWebPort names the port of a web page about this broker, for the answer
// to browsers that dial the Kafka port by mistake. By default there is none.
func WithWebPort(port int) Option { return func(o *options) { o.webPort = port } }

// WithLogger sets where the broker logs; by default nowhere.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// Clock is a source of time for a broker.
type Clock = clock.Clock

// Timer is a pending call of a Clock.
type Timer = clock.Timer

// VirtualClock is a Clock that moves only when its Advance is called.
type VirtualClock = clock.Virtual

// NewVirtualClock returns a clock that stands at start.
func NewVirtualClock(start time.Time) *VirtualClock { return clock.NewVirtual(start) }

// WithClock sets the broker's clock: every time-out, timestamp and deadline
// comes from it.
func WithClock(c Clock) Option { return func(o *options) { o.clock = c } }

// WithSeed makes the broker's ids (cluster, topics, members) repeatable.
func WithSeed(seed uint64) Option {
	return func(o *options) {
		o.seed = [32]byte{}
		for i := range 8 {
			o.seed[i] = byte(seed >> (8 * i))
		}
	}
}

// WithObserver calls f for every request answered, see Observer.
func WithObserver(f Observer) Option {
	return func(o *options) { o.observers = append(o.observers, f) }
}
