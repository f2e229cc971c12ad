package broker

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"minibroker/broker/auth"
)

// refused are the denials in one line each.
func refused(b *Broker) (lines []string) {
	for _, d := range b.Denials() {
		lines = append(lines, d.String())
	}
	return lines
}

func TestDenialsSayWhatWouldHaveLetARequestThrough(t *testing.T) {
	b := guarded(t, "alice describe topic:t", "deny alice write topic:t", "alice write topic:*")
	c := dialLogin(t, b, "alice")
	if got := refused(b); got != nil {
		t.Errorf("before anything was refused there is %q", got)
	}
	// A list of all topics, and one that may be seen, refuse nothing.
	ask[*kmsg.MetadataResponse](c, metadataOf())
	ask[*kmsg.MetadataResponse](c, metadataOf("t"))
	if got := refused(b); got != nil {
		t.Errorf("after what was allowed there is %q", got)
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "g"
	for range 3 {
		if resp := ask[*kmsg.FindCoordinatorResponse](c, find); resp.ErrorCode != 30 {
			t.Fatalf("FindCoordinator: [%d], want GROUP_AUTHORIZATION_FAILED", resp.ErrorCode)
		}
	}
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = new("tx"), 1000
	ask[*kmsg.InitProducerIDResponse](c, init)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 7, 1000
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}
	ask[*kmsg.CreateTopicsResponse](c, create)
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism()), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t"}).FirstErr(); err == nil {
		t.Error("a DENY did not keep her from writing")
	}
	want := []string{
		"User:alice from 127.0.0.1 may not DESCRIBE GROUP g (FindCoordinator): no ACL allows it; add alice describe group:g",
		"User:alice from 127.0.0.1 may not WRITE TRANSACTIONAL_ID tx (InitProducerId): no ACL allows it; add alice write transactional_id:tx",
		"User:alice from 127.0.0.1 may not CREATE TOPIC new (CreateTopics): no ACL allows it; add alice create topic:new",
		"User:alice from 127.0.0.1 may not WRITE TOPIC t (Produce): the ACL deny alice write topic:t denies it; remove that one",
	}
	if got := refused(b); !slices.Equal(got, want) {
		t.Errorf("the denials are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all := b.Denials()
	if d := all[0]; d.Times != 3 || d.Number != 1 || d.Decision.Rule != auth.ByNothing || d.First.After(d.Last) {
		t.Errorf("what happened three times is %+v", d)
	}
	if d := all[3]; d.Decision.Rule != auth.ByDeny || len(d.Decision.Seen) != 3 {
		t.Errorf("of the DENY %+v is remembered, want the three ACLs that were seen", d)
	}
	// Each remedy is one.
	for _, d := range all[:3] {
		acl, _ := d.Decision.Remedy(d.Principal, d.Operation, d.Resource)
		if !b.Rules().With(acl).May(auth.Client{Principal: d.Principal}, d.Operation, d.Resource.Type, d.Resource.Name) {
			t.Errorf("with %s it would still be refused", acl)
		}
	}
	b.Reset()
	if got := refused(b); got != nil {
		t.Errorf("after a reset there is %q", got)
	}
}

func TestOnlySoManyDenialsAreKept(t *testing.T) {
	b := guarded(t, "alice read topic:u")
	c := dialLogin(t, b, "alice")
	for i := range mostDenials + 5 {
		ask[*kmsg.MetadataResponse](c, metadataOf(fmt.Sprint("t", i)))
	}
	if all := b.Denials(); len(all) != mostDenials || all[0].Resource.Name != "t5" || all[0].Number != 6 {
		t.Errorf("%d are kept, the first of %s, want %d from t5 on", len(all), all[0].Resource.Name, mostDenials)
	}
}

func TestALoginThatIsRefusedSaysWhatToDo(t *testing.T) {
	var log syncBuffer
	b := Start(t, WithUser("alice", "alice-secret"), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	set := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	set.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "bob", Mechanism: 2, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: []byte("x")}}
	if _, err := set.RequestWith(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mechanism, first, want string
	}{
		{"PLAIN", "\x00alice\x00wrong", `"alice" from 127.0.0.1 may not log in by PLAIN: Authentication failed: Invalid username or password: the user exists, so the password is another`},
		{"PLAIN", "\x00carol\x00x", "there is no such user: start the broker with --user name:password"},
		{"PLAIN", "\x00bob\x00x", "this user has a password for SCRAM-SHA-512 only: set sasl.mechanism=SCRAM-SHA-512 in the client"},
		{"SCRAM-SHA-256", "n,,n=bob,r=abc", "a password for SCRAM-SHA-512 only: set sasl.mechanism=SCRAM-SHA-512"},
		{"SCRAM-SHA-256", "n,,n=nobody,r=abc", "there is no such user"},
		{"SCRAM-SHA-256", "p=tls-unique,,n=alice,r=abc", "only the GS2 flag n is supported"},
		{"GSSAPI", "", `"" from 127.0.0.1 may not log in by GSSAPI: the mechanism is not enabled: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
	} {
		log.take()
		conn := dial(t, b)
		if resp := ask[*kmsg.SASLHandshakeResponse](conn, handshake(c.mechanism, 1)); resp.ErrorCode == 0 {
			ask[*kmsg.SASLAuthenticateResponse](conn, token(c.first, 2))
		}
		conn.ended()
		all := b.Denials()
		if got := all[len(all)-1].String(); !all[len(all)-1].Login() || !strings.Contains(got, c.want) {
			t.Errorf("%s %q is told %s, want %s", c.mechanism, c.first, got, c.want)
		}
		if said := log.take(); strings.Count(said, "closing the connection") != 1 || !strings.Contains(said, strings.ReplaceAll(all[len(all)-1].String(), `"`, `\"`)) {
			t.Errorf("%s %q is logged as %s", c.mechanism, c.first, said)
		}
	}
	// As librdkafka did for years: its own nonce once more.
	conn := dial(t, b)
	ask[*kmsg.SASLHandshakeResponse](conn, handshake("SCRAM-SHA-256", 1))
	first := string(ask[*kmsg.SASLAuthenticateResponse](conn, token("n,,n=alice,r=abc", 2)).SASLAuthBytes)
	nonce, _, _ := strings.Cut(first, ",")
	ask[*kmsg.SASLAuthenticateResponse](conn, token("c=biws,"+strings.Replace(nonce, "r=", "r=abc", 1)+",p=AAAA", 2))
	conn.ended()
	if all := b.Denials(); all[len(all)-1].Cause != OldClient {
		t.Errorf("an old librdkafka is told %v", all[len(all)-1])
	}
	none := Start(t, WithSecurityProtocol("SASL_PLAINTEXT"), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if said := log.take(); !strings.Contains(said, "speaks SASL_PLAINTEXT, and there are no users: start with --user") {
		t.Errorf("at the start it is logged %q", said)
	}
	conn = dial(t, none)
	login(conn, "alice", "x")
	if all := none.Denials(); len(all) != 1 || !strings.Contains(all[0].String(), "the broker has no users") {
		t.Errorf("without users it tells %v", all)
	}
}
