package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
)

// over produces one record and returns the address that the client was told.
func over(t *testing.T, opts ...kgo.Opt) (string, error) {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.AllowAutoTopicCreation(), kgo.RecordRetries(1), kgo.RequestRetries(1))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(m.Brokers[0].Host, ":", m.Brokers[0].Port), client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr()
}

func TestTLS(t *testing.T) {
	var log syncBuffer
	b := Start(t, WithTLS(), WithBrokers(2), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if told, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.DialTLSConfig(b.TLSConfig())); err != nil || told != b.Addr() {
		t.Errorf("told %s, %v", told, err)
	}
	// By whatever name it is called, it has a certificate, and tells that name.
	named := b.TLSConfig()
	named.ServerName = "kafka.example.org"
	byName := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return (&tls.Dialer{Config: named}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	if told, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.Dialer(byName)); err != nil || !strings.HasPrefix(told, "kafka.example.org:") {
		t.Errorf("told %s, %v", told, err)
	}
	if _, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.DialTLSConfig(new(tls.Config))); err == nil {
		t.Error("a client that does not trust the broker gets through")
	}
	log.take()
	c := dial(t, b)
	c.send(kmsg.NewPtrApiVersionsRequest())
	c.ended()
	if said := log.take(); !strings.Contains(said, "set security.protocol=SSL") {
		t.Errorf("to a client in plaintext the log says %q", said)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(b.CA()) {
		t.Error("the CA is no certificate in PEM")
	}
}

func TestTLSWithUsersAndClientCertificates(t *testing.T) {
	b := Start(t, WithTLS(), WithUser("alice", "alice-secret"), WithExtraPort("PLAINTEXT", 0), WithSecurityProtocol("SASL_SSL"), WithExtraPort("SSL", 0),
		WithConfig("ssl.client.auth", "required"), WithConfig("super.users", "User:CN=carol"), WithACL("alice all topic:*", "* create cluster"))
	carol, err := b.ClientTLSConfig("carol")
	if err != nil {
		t.Fatal(err)
	}
	dave, _ := b.ClientTLSConfig("dave")
	alice := kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism())
	if _, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.DialTLSConfig(carol), alice, kgo.DisableIdempotentWrite()); err != nil {
		t.Errorf("SASL_SSL: %v", err)
	}
	if _, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.DialTLSConfig(b.TLSConfig()), alice, kgo.DisableIdempotentWrite()); err != nil {
		t.Errorf("SASL_SSL without a certificate: %v", err)
	}
	if _, err := over(t, kgo.SeedBrokers(b.AddrOf("SSL")), kgo.DialTLSConfig(carol)); err != nil {
		t.Errorf("the super user by certificate: %v", err)
	}
	if _, err := over(t, kgo.SeedBrokers(b.AddrOf("SSL")), kgo.DialTLSConfig(dave), kgo.DisableIdempotentWrite()); err == nil {
		t.Error("another certificate may do everything")
	}
	if _, err := over(t, kgo.SeedBrokers(b.AddrOf("SSL")), kgo.DialTLSConfig(b.TLSConfig())); err == nil {
		t.Error("nobody asked for a certificate")
	}
}

func TestAFixedPortIsToldToThoseOfTheFirstKindOnly(t *testing.T) {
	b := Start(t, WithAdvertise("localhost:19092"), WithBrokers(2), WithUser("alice", "alice-secret"), WithExtraPort("SASL_PLAINTEXT", 0))
	told := func(address string, login bool) (at []string) {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c := newRawClient(t, nc, "test")
		if login {
			ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 1))
			ask[*kmsg.SASLAuthenticateResponse](c, token("\x00alice\x00alice-secret", 2))
		}
		for _, n := range ask[*kmsg.MetadataResponse](c, metadataOf()).Brokers {
			at = append(at, net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))))
		}
		return at
	}
	if got := told(b.Addr(), false); !slices.Equal(got, []string{"localhost:19092", "localhost:19093"}) {
		t.Errorf("a client of the first port is told %v", got)
	}
	want := strings.Split(strings.ReplaceAll(b.BootstrapOf("SASL_PLAINTEXT"), "127.0.0.1", "localhost"), ",")
	if got := told(b.AddrOf("SASL_PLAINTEXT"), true); !slices.Equal(got, want) {
		t.Errorf("a client of the extra port is told %v, want %v", got, want)
	}
}

func TestTLSInMemoryAndInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTLS(), WithUser("alice", "alice-secret"))
		dialer := func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := b.Dialer()(ctx, network, address)
			if err != nil {
				return nil, err
			}
			c := b.TLSConfig()
			c.ServerName = "minibroker"
			return tls.Client(nc, c), nil
		}
		if _, err := over(t, kgo.SeedBrokers(b.Addr()), kgo.Dialer(dialer), kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism())); err != nil {
			t.Error(err)
		}
	})
}

func TestASubjectIsWrittenAsJavaDoes(t *testing.T) {
	got := distinguished(pkix.Name{CommonName: "Duke, the", OrganizationalUnit: []string{"JavaSoft"}, Organization: []string{"Sun"}, Country: []string{"US"}})
	if want := `CN=Duke\, the,OU=JavaSoft,O=Sun,C=US`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
