package broker

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func TestDelegationTokensNeedAuthentication(t *testing.T) {
	c := dial(t, Start(t))
	for version := int16(0); version <= 3; version++ { // behaviour 234
		create := kmsg.NewPtrCreateDelegationTokenRequest()
		create.Version = version
		got := ask[*kmsg.CreateDelegationTokenResponse](c, create)
		if got.ErrorCode != 64 || got.PrincipalType != "User" || got.PrincipalName != "ANONYMOUS" || got.IssueTimestamp != -1 || got.MaxTimestamp != -1 {
			t.Errorf("create v%d: %+v", version, got)
		}
		describe := kmsg.NewPtrDescribeDelegationTokenRequest()
		describe.Version = version
		if got := ask[*kmsg.DescribeDelegationTokenResponse](c, describe); got.ErrorCode != 64 {
			t.Errorf("describe v%d: %+v", version, got)
		}
		if version == 3 {
			break
		}
		renew := kmsg.NewPtrRenewDelegationTokenRequest()
		renew.Version = version
		if got := ask[*kmsg.RenewDelegationTokenResponse](c, renew); got.ErrorCode != 64 || got.ExpiryTimestamp != -1 {
			t.Errorf("renew v%d: %+v", version, got)
		}
		expire := kmsg.NewPtrExpireDelegationTokenRequest()
		expire.Version = version
		if got := ask[*kmsg.ExpireDelegationTokenResponse](c, expire); got.ErrorCode != 64 || got.ExpiryTimestamp != -1 {
			t.Errorf("expire v%d: %+v", version, got)
		}
	}
}

// tokenBroker gives tokens to admin, alice and bob.
func tokenBroker(t *testing.T, opts ...Option) *Broker {
	return Start(t, append(opts, WithSuperUser("admin", "admin-secret"), WithUser("alice", "alice-secret"), WithUser("bob", "bob-secret"),
		WithConfig("delegation.token.secret.key", "key"), WithVirtualClock(start2030))...)
}

func createToken(c *rawClient, owner string, renewers ...string) *kmsg.CreateDelegationTokenResponse {
	req := kmsg.NewPtrCreateDelegationTokenRequest()
	req.Version, req.MaxLifetimeMillis = 3, -1
	if owner != "" {
		req.OwnerPrincipalType, req.OwnerPrincipalName = new("User"), &owner
	}
	for _, name := range renewers {
		req.Renewers = append(req.Renewers, kmsg.CreateDelegationTokenRequestRenewer{PrincipalType: "User", PrincipalName: name})
	}
	return ask[*kmsg.CreateDelegationTokenResponse](c, req)
}

func renewToken(c *rawClient, hmac []byte) (code int16, expires int64) {
	req := kmsg.NewPtrRenewDelegationTokenRequest()
	req.Version, req.HMAC, req.RenewTimeMillis = 2, hmac, -1
	got := ask[*kmsg.RenewDelegationTokenResponse](c, req)
	return got.ErrorCode, got.ExpiryTimestamp
}

func expireToken(c *rawClient, hmac []byte, period time.Duration) (code int16, expires int64) {
	req := kmsg.NewPtrExpireDelegationTokenRequest()
	req.Version, req.HMAC, req.ExpiryPeriodMillis = 2, hmac, period.Milliseconds()
	got := ask[*kmsg.ExpireDelegationTokenResponse](c, req)
	return got.ErrorCode, got.ExpiryTimestamp
}

func describeTokens(c *rawClient, owners ...string) *kmsg.DescribeDelegationTokenResponse {
	req := kmsg.NewPtrDescribeDelegationTokenRequest()
	req.Version = 3
	for _, name := range owners {
		req.Owners = append(req.Owners, kmsg.DescribeDelegationTokenRequestOwner{PrincipalType: "User", PrincipalName: name})
	}
	return ask[*kmsg.DescribeDelegationTokenResponse](c, req)
}

func TestATokenFromItsBirthToItsEnd(t *testing.T) {
	const day = 24 * time.Hour
	b := tokenBroker(t)
	alice, bob := dialLogin(t, b, "alice"), dialLogin(t, b, "bob")
	made := createToken(alice, "", "bob")
	now := start2030.UnixMilli()
	if made.ErrorCode != 0 || made.PrincipalName != "alice" || made.TokenRequesterPrincipalName != "alice" || len(made.TokenID) != 22 || len(made.HMAC) != 64 ||
		made.IssueTimestamp != now || made.ExpiryTimestamp != now+day.Milliseconds() || made.MaxTimestamp != now+7*day.Milliseconds() {
		t.Fatalf("%+v", made)
	}
	if got := describeTokens(alice).TokenDetails; len(got) != 1 || got[0].TokenID != made.TokenID || string(got[0].HMAC) != string(made.HMAC) || len(got[0].Renewers) != 1 {
		t.Errorf("described: %+v", got)
	}
	b.Advance(day)
	if code, expires := renewToken(bob, made.HMAC); code != 0 || expires != now+2*day.Milliseconds() {
		t.Errorf("renewed: [%d] %d", code, expires-now)
	}
	if code, expires := expireToken(bob, made.HMAC, time.Minute); code != 0 || expires != now+(day+time.Minute).Milliseconds() {
		t.Errorf("to expire: [%d] %d", code, expires-now)
	}
	b.Advance(2 * time.Minute)
	if code, _ := renewToken(bob, made.HMAC); code != 66 {
		t.Errorf("expired: [%d]", code)
	}
	b.Advance(time.Hour)
	if got := describeTokens(alice).TokenDetails; len(got) != 0 {
		t.Errorf("an expired token is described: %+v", got)
	}
	for _, hmac := range [][]byte{made.HMAC, []byte("unknown")} { // behaviour 251
		if code, expires := renewToken(alice, hmac); code != 62 || expires != 0 {
			t.Errorf("renew an unknown one: [%d] %d", code, expires)
		}
		if code, expires := expireToken(alice, hmac, -time.Millisecond); code != 62 || expires != 0 {
			t.Errorf("expire an unknown one: [%d] %d", code, expires)
		}
	}
}

func TestTokensNeedASecretKey(t *testing.T) {
	b := Start(t, WithUser("alice", "alice-secret"))
	c := dialLogin(t, b, "alice")
	renewed, _ := renewToken(c, nil)
	expired, _ := expireToken(c, nil, 0)
	if got := []int16{createToken(c, "").ErrorCode, renewed, expired, describeTokens(c).ErrorCode}; fmt.Sprint(got) != "[61 61 61 61]" {
		t.Errorf("%v", got)
	}
}

func TestWhoMayHaveATokenAndSeeIt(t *testing.T) {
	b := tokenBroker(t, WithUser("carol", "carol-secret"), WithUser("dave", "dave-secret"), WithACL("alice create_tokens user:User:bob", "carol describe_tokens user:User:bob"))
	alice, bob, carol, dave := dialLogin(t, b, "alice"), dialLogin(t, b, "bob"), dialLogin(t, b, "carol"), dialLogin(t, b, "dave")
	if got := createToken(bob, "alice"); got.ErrorCode != 65 || got.PrincipalName != "alice" || got.TokenRequesterPrincipalName != "bob" || got.IssueTimestamp != -1 {
		t.Errorf("for another user: %+v", got)
	}
	made := createToken(alice, "bob")
	if made.ErrorCode != 0 || made.PrincipalName != "bob" || made.TokenRequesterPrincipalName != "alice" {
		t.Fatalf("for another user, with an ACL: %+v", made)
	}
	if code, _ := renewToken(alice, made.HMAC); code != 63 {
		t.Errorf("who asked for it renews it: [%d]", code)
	}
	if code, _ := expireToken(carol, made.HMAC, 0); code != 63 {
		t.Errorf("somebody lets it expire: [%d]", code)
	}
	see := func(who string, c *rawClient, want int, owners ...string) {
		t.Helper()
		if got := describeTokens(c, owners...).TokenDetails; len(got) != want {
			t.Errorf("%s sees %d tokens, want %d", who, len(got), want)
		}
	}
	see("alice", alice, 1)
	see("bob", bob, 1, "nobody", "bob")
	see("bob", bob, 0, "carol")
	see("carol", carol, 1)
	see("dave", dave, 0)
	acls := kmsg.NewPtrCreateACLsRequest()
	acls.Version = 3
	acls.Creations = []kmsg.CreateACLsRequestCreation{{ResourceType: kmsg.ACLResourceTypeDelegationToken, ResourcePatternType: kmsg.ACLResourcePatternTypeLiteral,
		ResourceName: made.TokenID, Principal: "User:dave", Host: "*", Operation: kmsg.ACLOperationDescribe, PermissionType: kmsg.ACLPermissionTypeAllow}}
	ask[*kmsg.CreateACLsResponse](dialLogin(t, b, "admin"), acls)
	see("dave, with an ACL,", dave, 1)

	none := kmsg.NewPtrDescribeDelegationTokenRequest()
	none.Version, none.Owners = 3, []kmsg.DescribeDelegationTokenRequestOwner{}
	if got := ask[*kmsg.DescribeDelegationTokenResponse](bob, none); got.ErrorCode != 0 || len(got.TokenDetails) != 0 {
		t.Errorf("of nobody: %+v", got)
	}
	odd := kmsg.NewPtrCreateDelegationTokenRequest()
	odd.Version, odd.Renewers = 3, []kmsg.CreateDelegationTokenRequestRenewer{{PrincipalType: "Group", PrincipalName: "g"}}
	if got := ask[*kmsg.CreateDelegationTokenResponse](bob, odd); got.ErrorCode != 67 || got.IssueTimestamp != -1 {
		t.Errorf("a group renews: %+v", got)
	}
	odd.Renewers, odd.OwnerPrincipalName = nil, new("bob")
	if got := ask[*kmsg.CreateDelegationTokenResponse](bob, odd); got.ErrorCode != -1 || got.PrincipalName != "ANONYMOUS" {
		t.Errorf("an owner without a type: %+v", got)
	}
}

func TestAClientLogsInByAToken(t *testing.T) {
	b := tokenBroker(t, WithACL("bob all topic:t"))
	made := createToken(dialLogin(t, b, "admin"), "bob")
	as := scram.Auth{User: made.TokenID, Pass: base64.StdEncoding.EncodeToString(made.HMAC), IsToken: true}
	wrong := as
	wrong.Pass = "wrong"
	client := func(m sasl.Mechanism) *kgo.Client {
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()), kgo.SASL(m), kgo.RequestRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	for _, m := range []sasl.Mechanism{as.AsSha256Mechanism(), as.AsSha512Mechanism()} {
		c := client(m)
		topic := kmsg.NewPtrCreateTopicsRequest()
		topic.ValidateOnly, topic.TimeoutMillis = true, 1000
		topic.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "t", NumPartitions: 1, ReplicationFactor: 1}, {Topic: "u", NumPartitions: 1, ReplicationFactor: 1}}
		got, err := topic.RequestWith(t.Context(), c)
		if err != nil || got.Topics[0].ErrorCode != 0 || got.Topics[1].ErrorCode != 29 {
			t.Errorf("%s: it may not do what bob may: %+v, %v", m.Name(), got, err)
		}
		// behaviour 234, for the other reason.
		if got, err := kmsg.NewPtrCreateDelegationTokenRequest().RequestWith(t.Context(), c); err != nil || got.ErrorCode != 64 {
			t.Errorf("%s: a token gives a token: %+v, %v", m.Name(), got, err)
		}
	}
	if err := client(wrong.AsSha256Mechanism()).Ping(t.Context()); err == nil {
		t.Error("a wrong HMAC lets a client in")
	}
	b.Advance(24*time.Hour + time.Millisecond)
	if err := client(as.AsSha256Mechanism()).Ping(t.Context()); err == nil {
		t.Error("an expired token lets a client go on")
	}
	b.Advance(time.Hour)
	if err := client(as.AsSha256Mechanism()).Ping(t.Context()); err == nil {
		t.Error("a forgotten token lets a client in")
	}
}

func TestACertificateIsEnoughForAToken(t *testing.T) {
	b := Start(t, WithTLS(), WithConfig("ssl.client.auth", "requested"), WithConfig("delegation.token.secret.key", "key"))
	shown, err := b.ClientTLSConfig("alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		opt  kgo.Opt
		code int16
	}{{"alice", kgo.DialTLSConfig(shown), 0}, {"nobody", kgo.DialTLSConfig(b.TLSConfig()), 64}} {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), c.opt)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := kmsg.NewPtrCreateDelegationTokenRequest().RequestWith(t.Context(), client); err != nil || got.ErrorCode != c.code {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		client.Close()
	}
}

func TestTokensAndACLsComeBackWithASnapshot(t *testing.T) {
	b := tokenBroker(t, WithTopic("t", 1, nil))
	admin, alice := dialLogin(t, b, "admin"), dialLogin(t, b, "alice")
	sees := func() int { return len(ask[*kmsg.MetadataResponse](alice, metadataOf()).Topics) }
	createToken(alice, "")
	acls := kmsg.NewPtrCreateACLsRequest()
	acls.Version = 3
	acls.Creations = []kmsg.CreateACLsRequestCreation{{ResourceType: kmsg.ACLResourceTypeTopic, ResourcePatternType: kmsg.ACLResourcePatternTypeLiteral,
		ResourceName: "t", Principal: "User:alice", Host: "*", Operation: kmsg.ACLOperationDescribe, PermissionType: kmsg.ACLPermissionTypeAllow}}
	ask[*kmsg.CreateACLsResponse](admin, acls)
	s := b.Snapshot()
	b.Reset()
	if n, m := len(describeTokens(alice).TokenDetails), sees(); n != 0 || m != 0 {
		t.Errorf("after Reset: %d tokens, alice sees %d topics", n, m)
	}
	b.Restore(s)
	if n, m := len(describeTokens(alice).TokenDetails), sees(); n != 1 || m != 1 {
		t.Errorf("after Restore: %d tokens, alice sees %d topics", n, m)
	}
	createToken(alice, "")
	b.Restore(s)
	if n := len(describeTokens(alice).TokenDetails); n != 1 {
		t.Errorf("after Restore again: %d tokens", n)
	}
}
