package broker_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"minibroker/broker"
)

// pings says whether a client that logs in so reaches the broker.
func pings(address string, opts ...kgo.Opt) bool {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address))...)
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return client.Ping(ctx) == nil
}

func ExampleWithUser() {
	b := start(broker.WithUser("anna", "secret"))
	defer b.Close()
	login := func(password string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: "anna", Pass: password}.AsMechanism())
	}
	fmt.Println(pings(b.Addr(), kgo.Dialer(b.Dialer()), login("secret")))
	fmt.Println(pings(b.Addr(), kgo.Dialer(b.Dialer()), login("wrong")))
	// Output:
	// true
	// false
}

func ExampleWithSuperUser() {
	b := start(broker.WithSuperUser("admin", "secret"))
	defer b.Close()
	login := scram.Auth{User: "admin", Pass: "secret"}.AsSha256Mechanism()
	fmt.Println(pings(b.Addr(), kgo.Dialer(b.Dialer()), kgo.SASL(login)))
	// Output: true
}

// Users are there, and the port does not demand that anybody is one.
func ExampleWithSecurityProtocol() {
	b := start(broker.WithUser("anna", "secret"), broker.WithSecurityProtocol("PLAINTEXT"))
	defer b.Close()
	fmt.Println(pings(b.Addr(), kgo.Dialer(b.Dialer())))
	// Output: true
}

// One port for everybody, and one for users.
func ExampleWithExtraPort() {
	b, err := broker.New(broker.WithPort(0), broker.WithUser("anna", "secret"), broker.WithExtraPort("SASL_PLAINTEXT", 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	fmt.Println(pings(b.Addr()))
	fmt.Println(pings(b.AddrOf("SASL_PLAINTEXT"), kgo.SASL(plain.Auth{User: "anna", Pass: "secret"}.AsMechanism())))
	// Output:
	// true
	// true
}

// Anna may write to orders, and to nothing else.
func ExampleWithACL() {
	b := start(broker.WithUser("anna", "secret"), broker.WithACL("anna write topic:orders"), broker.WithTopic("orders", 1, nil), broker.WithTopic("prices", 1, nil))
	defer b.Close()
	anna := kgo.SASL(plain.Auth{User: "anna", Pass: "secret"}.AsMechanism())
	client := connect(b, anna)
	defer client.Close()
	for _, topic := range []string{"orders", "prices"} {
		err := client.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
		fmt.Println(topic, errors.Is(err, kerr.TopicAuthorizationFailed))
	}
	// Output:
	// orders false
	// prices true
}

func ExampleWithTLS() {
	b, err := broker.New(broker.WithPort(0), broker.WithTLS())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	fmt.Println(pings(b.Addr(), kgo.DialTLSConfig(b.TLSConfig())))
	// Output: true
}

// Clients show certificates of an authority of your own.
func ExampleWithClientCA() {
	pool := x509.NewCertPool() // AppendCertsFromPEM fills it
	b, err := broker.New(broker.WithPort(0), broker.WithTLS(), broker.WithClientCA(pool), broker.WithConfig("ssl.client.auth", "required"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	stranger, _ := b.ClientTLSConfig("stranger") // of the broker's authority, which is not asked now
	fmt.Println(pings(b.Addr(), kgo.DialTLSConfig(stranger), kgo.RequestRetries(0)))
	// Output: false
}
