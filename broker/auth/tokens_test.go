package auth

import (
	"bytes"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

const issued = 1_000_000

var limits = TokenLimits{Secret: "key", Lifetime: 1000, Renewal: 100, Sweep: 500}

// one is tokens of which alice has one, asked for by admin, that carol may renew.
func one(t *testing.T, l TokenLimits) (*Tokens, *Token) {
	t.Helper()
	all := NewTokens(l, issued)
	made, err := all.Create(Token{ID: "id", Owner: User("alice"), Requester: User("admin"), Renewers: []Principal{User("carol")}}, -1, issued, func() []byte { return []byte("salt") })
	if err != nil {
		t.Fatal(err)
	}
	return all, made
}

func TestHowLongATokenLives(t *testing.T) {
	const never = math.MaxInt64
	for _, c := range []struct {
		longest, renewal, wanted int64
		expires, max             int64 // after issued
	}{
		{1000, 100, -1, 100, 1000},
		{1000, 100, 0, 100, 1000},
		{1000, 100, 500, 100, 500},
		{1000, 100, 50, 50, 50},
		{1000, 100, 2000, 100, 1000},
		{100, 1000, -1, 100, 100},
		{never, never, -1, never - issued, never - issued},
	} {
		all := NewTokens(TokenLimits{Secret: "key", Lifetime: c.longest, Renewal: c.renewal, Sweep: 500}, issued)
		made, err := all.Create(Token{ID: "id"}, c.wanted, issued, func() []byte { return nil })
		if err != nil || made.Issued != issued || made.Expires-issued != c.expires || made.Max-issued != c.max {
			t.Errorf("%+v: %+v, %v", c, made, err)
		}
	}
}

func TestATokenIsSigned(t *testing.T) {
	_, a := one(t, limits)
	_, b := one(t, limits)
	other := limits
	other.Secret = "another key"
	_, c := one(t, other)
	if len(a.HMAC) != 64 || !bytes.Equal(a.HMAC, b.HMAC) || bytes.Equal(a.HMAC, c.HMAC) {
		t.Errorf("%x, %x, %x", a.HMAC, b.HMAC, c.HMAC)
	}
}

func TestRenewAndExpire(t *testing.T) {
	const renew, expire = true, false
	disabled := limits
	disabled.Secret = ""
	for _, c := range []struct {
		name     string
		renews   bool
		who      string
		unknown  bool
		period   int64
		after    int64 // issued
		expires  int64 // after issued
		err      *kerr.Error
		disabled bool
	}{
		{name: "renewed for as long as may be", renews: renew, who: "alice", period: -1, after: 50, expires: 150},
		{name: "renewed for less", renews: renew, who: "alice", period: 20, after: 50, expires: 70},
		{name: "renewed for too long", renews: renew, who: "alice", period: 200, after: 50, expires: 150},
		{name: "renewed by a renewer", renews: renew, who: "carol", period: -1, after: 100, expires: 200},
		{name: "renewed by who asked for it", renews: renew, who: "admin", err: kerr.DelegationTokenOwnerMismatch},
		{name: "renewed too late", renews: renew, who: "alice", after: 101, err: kerr.DelegationTokenExpired},
		{name: "renewed too late by somebody else", renews: renew, who: "bob", after: 101, err: kerr.DelegationTokenExpired},
		{name: "renewed when it is swept", renews: renew, who: "alice", after: 500, err: kerr.DelegationTokenNotFound},
		{name: "renewed by a wrong HMAC", renews: renew, who: "alice", unknown: true, err: kerr.DelegationTokenNotFound},
		{name: "renewed where there are none", renews: renew, who: "alice", disabled: true, err: kerr.DelegationTokenAuthDisabled},
		{name: "expires at once", renews: expire, who: "alice", period: -1, after: 50, expires: 50},
		{name: "expires now", renews: expire, who: "alice", period: 0, after: 50, expires: 50},
		{name: "expires soon", renews: expire, who: "carol", period: 20, after: 50, expires: 70},
		{name: "expires at the end of time", renews: expire, who: "alice", period: math.MaxInt64, after: 50, expires: 1000},
		{name: "expires by somebody else", renews: expire, who: "bob", period: -1, err: kerr.DelegationTokenOwnerMismatch},
		{name: "expires twice", renews: expire, who: "alice", period: 20, after: 101, err: kerr.DelegationTokenExpired},
		{name: "expires twice, at once", renews: expire, who: "alice", period: -1, after: 101, expires: 101},
		{name: "expires twice by somebody else", renews: expire, who: "bob", period: 20, after: 101, err: kerr.DelegationTokenOwnerMismatch},
		{name: "expires when it is swept", renews: expire, who: "alice", period: -1, after: 500, err: kerr.DelegationTokenNotFound},
		{name: "expires where there are none", renews: expire, who: "alice", disabled: true, err: kerr.DelegationTokenAuthDisabled},
	} {
		all, made := one(t, limits)
		if c.disabled {
			all = NewTokens(disabled, issued)
		}
		hmac := made.HMAC
		if c.unknown {
			hmac = []byte("hmac")
		}
		do := all.Expire
		if c.renews {
			do = all.Renew
		}
		expires, err := do(hmac, User(c.who), c.period, issued+c.after)
		if err != c.err || err == nil && expires-issued != c.expires {
			t.Errorf("%s: %d, %v", c.name, expires-issued, err)
		}
		if err != nil {
			continue
		}
		_, err = all.Renew(hmac, User("alice"), -1, expires)
		if gone := !c.renews && c.period < 0; gone != (err == kerr.DelegationTokenNotFound) || !gone && err != nil {
			t.Errorf("%s: at the end: %v", c.name, err)
		}
		if made.Expires != issued+100 {
			t.Errorf("%s: a token that was handed out changed", c.name)
		}
	}
}

func TestWhoKnowsAToken(t *testing.T) {
	_, made := one(t, limits)
	for p, want := range map[Principal]bool{User("alice"): true, User("admin"): true, User("carol"): true, User("bob"): false, {"Group", "alice"}: false} {
		if made.Knows(p) != want {
			t.Errorf("%s knows it: %v", p, !want)
		}
	}
	if !made.RenewedByUsers() {
		t.Error("carol is no user")
	}
	if (&Token{Renewers: []Principal{User("carol"), {"Group", "g"}}}).RenewedByUsers() {
		t.Error("a group is a user")
	}
}

func TestTokensAreCopied(t *testing.T) {
	all, made := one(t, limits)
	saved := all.Clone()
	if _, err := all.Expire(made.HMAC, User("alice"), -1, issued); err != nil {
		t.Fatal(err)
	}
	if n, m := len(all.All(issued)), len(saved.All(issued)); n != 0 || m != 1 {
		t.Errorf("%d tokens, and %d in the copy", n, m)
	}
	if owner, c, expires, ok := saved.Credential("id", ScramSHA512, issued); owner != User("alice") || c == nil || expires != made.Expires || !ok {
		t.Errorf("%v, %v, %d, %v", owner, c, expires, ok)
	}
	if _, _, _, ok := all.Credential("id", ScramSHA512, issued); ok {
		t.Error("a token that is gone lets somebody in")
	}
}
