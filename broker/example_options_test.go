package broker_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

func ExampleWithPort() {
	b, err := broker.New(broker.WithPort(0)) // a free one; broker.Start does that by itself
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	conn, err := net.Dial("tcp", b.Addr())
	if err == nil {
		defer conn.Close()
	}
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithHost() {
	b, err := broker.New(broker.WithHost("127.0.0.1"), broker.WithPort(0)) // no IPv6, and no other machine
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	host, _, _ := net.SplitHostPort(b.Addr())
	fmt.Println(host)
	// Output: 127.0.0.1
}

// A listener of your own: one that counts, limits or delays connections, say, or
// one that systemd has opened.
func ExampleWithListener() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := broker.New(broker.WithListener(l))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close() // and l with it
	fmt.Println(b.Addr() == l.Addr().String())
	// Output: true
}

// A port of the broker is forwarded under another number: clients must be told
// that one.
func ExampleWithAdvertise() {
	b := start(broker.WithAdvertise("kafka.example:19092"))
	defer b.Close()
	fmt.Println(told(b))
	// Output: kafka.example:19092
}

// Clients that come through a container's gateway cannot use the address inside.
// All others, as here, are told the address at which they came.
func ExampleWithPublished() {
	b := start(broker.WithPublished("localhost:19092"))
	defer b.Close()
	fmt.Println(told(b))
	// Output: minibroker:9092
}

// told is the address that a client is told.
func told(b *broker.Broker) string {
	client := connect(b)
	defer client.Close()
	list, err := kadm.NewClient(client).ListBrokers(context.Background())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s:%d", list[0].Host, list[0].Port)
}

func ExampleWithRacks() {
	b := start(broker.WithBrokers(3), broker.WithRacks("east", "west"))
	defer b.Close()
	for _, n := range b.Brokers() {
		fmt.Println(n.ID, n.Rack)
	}
	// Output:
	// 1 east
	// 2 west
	// 3 east
}

func ExampleWithFixture() {
	files := fstest.MapFS{"shop.yaml": {Data: []byte(`
topics:
  orders:
    partitions: 2
    records:
      - {key: anna, value: {drink: tea}, partition: 0}
groups:
  billing:
    orders: {0: 1}
`)}} // os.DirFS("testdata") in your tests
	b := start(broker.WithFixture(files, "shop.yaml"))
	defer b.Close()
	fmt.Printf("%s %v\n", b.Topic("orders").Records()[0].Value, b.Committed("billing"))
	// Output: {"drink":"tea"} map[orders:map[0:1]]
}

func ExampleWithTranscript() {
	b := start(broker.WithTranscript(100)) // broker.Start keeps one by itself
	defer b.Close()
	client := connect(b, kgo.ClientID("billing"))
	defer client.Close()
	_ = client.Ping(context.Background())
	lines := b.Transcript()
	fmt.Println(strings.Contains(lines[len(lines)-1], `kgo "billing" #1 Metadata v`))
	// Output: true
}

// Time passes when the test says so. See [Broker.Advance].
func ExampleWithVirtualClock() {
	b := start(broker.WithVirtualClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)))
	defer b.Close()
	b.Advance(time.Hour)
	_ = b.Produce("orders", broker.Record{})
	fmt.Println(b.Topic("orders").Records()[0].Timestamp.UTC())
	// Output: 2030-01-01 13:00:00 +0000 UTC
}

// Clients in other processes wait on clocks of their own: the broker's runs like
// theirs, and jumps when the test says so.
func ExampleWithMovableClock() {
	b := start(broker.WithMovableClock())
	defer b.Close()
	before := b.Now()
	b.Advance(24 * time.Hour)
	fmt.Println(b.Now().Sub(before).Truncate(time.Hour))
	// Output: 24h0m0s
}

// Two brokers with one clock.
func ExampleWithClock() {
	clock := broker.NewVirtualClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	one, other := start(broker.WithClock(clock)), start(broker.WithClock(clock))
	defer one.Close()
	defer other.Close()
	clock.Advance(time.Minute)
	fmt.Println(one.Now().Equal(other.Now()))
	// Output: true
}

// Whoever opens the Kafka port in a browser is told where the page is.
func ExampleWithWebPort() {
	b, err := broker.New(broker.WithPort(0), broker.WithWebPort(7080))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	resp, err := http.Get("http://" + b.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	page := make([]byte, 4096)
	n, _ := resp.Body.Read(page)
	fmt.Println(strings.Contains(string(page[:n]), ":7080"))
	// Output: true
}

// What bounds the data of a broker is Kafka's configs: each partition keeps its
// newest megabytes here, and no record is large.
func ExampleWithConfig_limits() {
	b := start(
		broker.WithConfig("log.retention.bytes", "2097152"),
		broker.WithConfig("log.segment.bytes", "1048576"),
		broker.WithConfig("message.max.bytes", "65536"),
		broker.WithVirtualClock(time.Unix(0, 0)),
	)
	defer b.Close()
	for range 100 {
		if err := b.Produce("logs", broker.Record{Value: make([]byte, 60_000)}); err != nil {
			fmt.Println(err)
		}
	}
	b.Advance(0) // what falls due is done
	fmt.Println(b.Topic("logs").Bytes()[0] <= 2097152+1048576)
	fmt.Println(b.Produce("logs", broker.Record{Value: make([]byte, 70_000)}) != nil)
	// Output:
	// true
	// true
}
