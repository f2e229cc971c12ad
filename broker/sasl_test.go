package broker

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"minibroker/internal/clock"
)

func handshake(mechanism string, version int16) *kmsg.SASLHandshakeRequest {
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Version, req.Mechanism = version, mechanism
	return req
}

func token(text string, version int16) *kmsg.SASLAuthenticateRequest {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.Version, req.SASLAuthBytes = version, []byte(text)
	return req
}

// login authenticates by PLAIN.
func login(c *rawClient, user, password string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	if resp := ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 1)); resp.ErrorCode != 0 {
		c.t.Fatalf("SaslHandshake: [%d]", resp.ErrorCode)
	}
	return ask[*kmsg.SASLAuthenticateResponse](c, token("\x00"+user+"\x00"+password, 2))
}

// dialLogin is a connection of a user.
func dialLogin(t testing.TB, b *Broker, user string) *rawClient {
	t.Helper()
	c := dial(t, b)
	if resp := login(c, user, user+"-secret"); resp.ErrorCode != 0 {
		t.Fatalf("%s is not let in: [%d] %s", user, resp.ErrorCode, text(resp.ErrorMessage))
	}
	return c
}

func TestBeforeAuthentication(t *testing.T) {
	var log syncBuffer
	b := Start(t, WithUser("alice", "alice-secret"), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	versions, metadata := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrMetadataRequest()

	// behaviour 239
	c := dial(t, b)
	if resp := ask[*kmsg.ApiVersionsResponse](c, versions); resp.ErrorCode != 0 || len(resp.ApiKeys) == 0 {
		t.Errorf("ApiVersions before authentication: [%d]", resp.ErrorCode)
	}
	c.send(metadata)
	c.ended()
	if said := log.take(); !strings.Contains(said, "Metadata came before authentication: set security.protocol=SASL_PLAINTEXT") {
		t.Errorf("the log does not say what to do: %s", said)
	}
	c = dial(t, b)
	ask[*kmsg.ApiVersionsResponse](c, versions)
	c.send(versions)
	c.ended()

	// behaviour 240
	c = dial(t, b)
	if resp := ask[*kmsg.SASLHandshakeResponse](c, handshake("FOO", 1)); resp.ErrorCode != 33 || fmt.Sprint(resp.SupportedMechanisms) != "[PLAIN SCRAM-SHA-256 SCRAM-SHA-512]" {
		t.Errorf("SaslHandshake FOO: [%d] %v", resp.ErrorCode, resp.SupportedMechanisms)
	}
	c.ended()

	// behaviour 241
	c = dial(t, b)
	if resp := login(c, "alice", "wrong"); resp.ErrorCode != 58 || text(resp.ErrorMessage) != "Authentication failed: Invalid username or password" {
		t.Errorf("a wrong password: [%d] %s", resp.ErrorCode, text(resp.ErrorMessage))
	}
	c.ended()

	// behaviour 242
	c = dial(t, b)
	ask[*kmsg.SASLHandshakeResponse](c, handshake("SCRAM-SHA-256", 1))
	if resp := ask[*kmsg.SASLAuthenticateResponse](c, token("n,,n=nobody,r=abc", 2)); resp.ErrorCode != 58 ||
		text(resp.ErrorMessage) != "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256" {
		t.Errorf("an unknown user: [%d] %s", resp.ErrorCode, text(resp.ErrorMessage))
	}
	c.ended()

	c = dial(t, b)
	ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 1))
	create := kmsg.NewPtrDeleteTopicsRequest()
	create.TopicNames = []string{"t"}
	if resp := ask[*kmsg.DeleteTopicsResponse](c, create); len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 34 {
		t.Errorf("another request instead of SaslAuthenticate: %+v", resp)
	}
	c.ended()

	c = dial(t, b)
	c.sendRaw([]byte("\x00\x00\x00\x04abcd"))
	c.ended()
	c = dial(t, b)
	c.sendRaw([]byte{0, 9, 0, 0}) // over sasl.server.max.receive.size
	c.ended()
	if said := log.take(); strings.Contains(said, "secret") || strings.Contains(said, "wrong") {
		t.Errorf("a password is in the log: %s", said)
	}
}

func TestAfterAuthentication(t *testing.T) {
	observed := ""
	b := Start(t, WithUser("alice", "alice-secret"), WithObserver(func(o Observation) {
		if req, ok := o.Request.(*kmsg.SASLAuthenticateRequest); ok {
			observed += string(req.SASLAuthBytes)
		}
	}))
	c := dialLogin(t, b, "alice")
	// behaviour 243
	if resp := ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 1)); resp.ErrorCode != 34 || len(resp.SupportedMechanisms) != 0 {
		t.Errorf("SaslHandshake: [%d] %v", resp.ErrorCode, resp.SupportedMechanisms)
	}
	if resp := ask[*kmsg.SASLAuthenticateResponse](c, token("\x00alice\x00alice-secret", 2)); resp.ErrorCode != 34 || text(resp.ErrorMessage) != "SaslAuthenticate request received after successful authentication" {
		t.Errorf("SaslAuthenticate: [%d] %s", resp.ErrorCode, text(resp.ErrorMessage))
	}
	if resp := ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest()); len(resp.Brokers) != 1 {
		t.Errorf("Metadata: %+v", resp)
	}
	if got := b.Clients()[0].User; got != "alice" {
		t.Errorf("the connection's user is %q", got)
	}
	if observed == "" || strings.Contains(observed, "secret") {
		t.Errorf("an observer sees %q", observed)
	}
}

// After SaslHandshake v0 the mechanism's messages have no request around them.
func TestBareTokens(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"))
	c := dial(t, b)
	ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 0))
	c.sendRaw(append([]byte{0, 0, 0, 19}, "\x00alice\x00alice-secret"...))
	var head [4]byte
	if _, err := c.in.Read(head[:]); err != nil || binary.BigEndian.Uint32(head[:]) != 0 {
		t.Fatalf("the answer is %v, %v", head, err)
	}
	ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())

	c = dial(t, b)
	ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 0))
	c.sendRaw(append([]byte{0, 0, 0, 12}, "\x00alice\x00wrong"...))
	c.ended()
}

func TestSessionsEnd(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"), WithUser("bob", "bob-secret"), WithConfig("connections.max.reauth.ms", "60000"), WithVirtualClock(start2030))
	c := dial(t, b)
	if got := login(c, "alice", "alice-secret").SessionLifetimeMillis; got != 60000 {
		t.Errorf("the session's length is %d ms", got)
	}
	metadata := kmsg.NewPtrMetadataRequest()
	b.Advance(59 * time.Second)
	ask[*kmsg.MetadataResponse](c, metadata)
	if resp := login(c, "alice", "alice-secret"); resp.ErrorCode != 0 || resp.SessionLifetimeMillis != 60000 {
		t.Errorf("again: [%d] %d ms", resp.ErrorCode, resp.SessionLifetimeMillis)
	}
	if resp := ask[*kmsg.SASLHandshakeResponse](c, handshake("PLAIN", 1)); resp.ErrorCode != 34 {
		t.Errorf("again within a second: [%d]", resp.ErrorCode)
	}
	b.Advance(59 * time.Second)
	ask[*kmsg.MetadataResponse](c, metadata)
	b.Advance(2 * time.Second)
	c.send(metadata)
	c.ended()

	c = dialLogin(t, b, "alice")
	if resp := login(c, "bob", "bob-secret"); resp.ErrorCode != 58 || text(resp.ErrorMessage) != "Cannot change principals during re-authentication from User.alice: User.bob" {
		t.Errorf("another user: [%d] %s", resp.ErrorCode, text(resp.ErrorMessage))
	}
	c.ended()
	c = dialLogin(t, b, "alice")
	if resp := login(c, "alice", "wrong"); resp.ErrorCode != 58 {
		t.Errorf("a wrong password: [%d]", resp.ErrorCode)
	}
	c.ended()
	c = dialLogin(t, b, "alice")
	if resp := ask[*kmsg.SASLHandshakeResponse](c, handshake("SCRAM-SHA-256", 1)); resp.ErrorCode != 0 {
		t.Errorf("another mechanism: [%d]", resp.ErrorCode)
	}
	c.send(token("n,,n=alice,r=abc", 2))
	c.ended()
}

// eagerClock lets every wait be over at once, and notes how long it was to be.
type eagerClock struct {
	clock.Real
	waits chan time.Duration
}

func (c eagerClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	select {
	case c.waits <- d:
	default:
	}
	return c.Real.AfterFunc(0, f)
}

func TestAFailedAuthenticationWaitsIfTheBrokerIsToldSo(t *testing.T) {
	waits := make(chan time.Duration, 100)
	b := Start(t, WithUser("alice", "alice-secret"), WithConfig("connection.failed.authentication.delay.ms", "321"), WithClock(eagerClock{waits: waits}))
	if resp := login(dial(t, b), "alice", "wrong"); resp.ErrorCode != 58 {
		t.Errorf("[%d]", resp.ErrorCode)
	}
	for {
		select {
		case d := <-waits:
			if d == 321*time.Millisecond {
				return
			}
		default:
			t.Fatal("it did not wait")
		}
	}
}

func unsecured(user string, now time.Time) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"none"}`)) + "." + b(fmt.Appendf(nil, `{"sub":%q,"iat":%d,"exp":%d}`, user, now.Unix()-1, now.Unix()+60)) + "."
}

func TestEveryMechanismLetsAClientIn(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"), WithConfig("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"), WithBrokers(3))
	password := func(word string) []sasl.Mechanism {
		s := scram.Auth{User: "alice", Pass: word}
		return []sasl.Mechanism{saslplain.Auth{User: "alice", Pass: word}.AsMechanism(), s.AsSha256Mechanism(), s.AsSha512Mechanism()}
	}
	try := func(m sasl.Mechanism) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.SASL(m), kgo.AllowAutoTopicCreation(), kgo.RequestRetries(0), kgo.RecordRetries(1))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := client.Ping(ctx); err != nil {
			return err
		}
		return client.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr()
	}
	for _, m := range append(password("alice-secret"), oauth.Auth{Token: unsecured("alice", b.clock.Now())}.AsMechanism()) {
		if err := try(m); err != nil {
			t.Errorf("%s: %v", m.Name(), err)
		}
	}
	for _, m := range append(password("wrong"), oauth.Auth{Token: unsecured("alice", b.clock.Now().Add(-time.Hour))}.AsMechanism()) {
		// kgo takes the challenge of OAUTHBEARER, which says why, for an error of its own.
		if err := try(m); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") && m.Name() != "OAUTHBEARER" {
			t.Errorf("%s with a wrong password: %v", m.Name(), err)
		}
	}
}

// A SCRAM credential that is changed counts from the next connection on.
func TestScramUsersChangeWhileTheBrokerRuns(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"))
	admin := dialLogin(t, b, "alice")
	change := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	change.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "alice", Mechanism: 1}}
	for _, r := range ask[*kmsg.AlterUserSCRAMCredentialsResponse](admin, change).Results {
		if r.ErrorCode != 0 {
			t.Fatalf("[%d] %s", r.ErrorCode, text(r.ErrorMessage))
		}
	}
	ping := func(m sasl.Mechanism) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.SASL(m))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		return client.Ping(t.Context())
	}
	alice := scram.Auth{User: "alice", Pass: "alice-secret"}
	if err := ping(alice.AsSha256Mechanism()); err == nil {
		t.Error("a deleted credential still counts")
	}
	if err := ping(alice.AsSha512Mechanism()); err != nil {
		t.Errorf("the other credential: %v", err)
	}
	b.Reset()
	if err := ping(alice.AsSha256Mechanism()); err != nil {
		t.Errorf("after Reset: %v", err)
	}
}

func TestThePortsOfABrokerDifferInWhatTheyAsk(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"), WithExtraPort("SASL_PLAINTEXT", 0), WithBrokers(2))
	open, guarded := b.Addr(), b.AddrOf("SASL_PLAINTEXT")
	if open == guarded || b.AddrOf("SSL") != "" {
		t.Fatalf("the addresses are %v", b.Addrs())
	}
	told := func(opts ...kgo.Opt) string {
		client, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		m, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(m.Brokers[0].Host, ":", m.Brokers[0].Port)
	}
	if got := told(kgo.SeedBrokers(open)); got != open {
		t.Errorf("at %s a client is told %s", open, got)
	}
	alice := kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism())
	if got := told(kgo.SeedBrokers(guarded), alice); got != guarded {
		t.Errorf("at %s a client is told %s", guarded, got)
	}
	// In memory, too, and the program itself gets in by either.
	if got := told(kgo.SeedBrokers(guarded), kgo.Dialer(b.Dialer()), alice); !strings.HasPrefix(got, "minibroker-1:10092") {
		t.Errorf("in memory it is told %s", got)
	}
	if got := told(kgo.SeedBrokers(guarded), kgo.Dialer(b.AdminDialer())); !strings.HasPrefix(got, "minibroker-1:") {
		t.Errorf("from inside it is told %s", got)
	}
}
