package broker_test

import (
	"context"
	"fmt"
	"time"

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
