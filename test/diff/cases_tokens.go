package diff

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the scripts about delegation tokens. A token of a script is
// found by one of its renewers, whom no other script names.

func createToken(edit func(x *actor, r *kmsg.CreateDelegationTokenRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.CreateDelegationTokenRequest) {
		r.MaxLifetimeMillis = -1
		r.Renewers = []kmsg.CreateDelegationTokenRequestRenewer{{PrincipalType: "User", PrincipalName: x.name("r")}, {PrincipalType: "User", PrincipalName: "bob"}}
		if edit != nil {
			edit(x, r)
		}
	})
}

// hmacOf is the HMAC of the token that the script made first.
func hmacOf(x *actor) []byte { return answer[kmsg.CreateDelegationTokenResponse](x, "make").HMAC }

func renewToken(ms int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.RenewDelegationTokenRequest) { r.HMAC, r.RenewTimeMillis = hmacOf(x), ms })
}

func expireToken(ms int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ExpireDelegationTokenRequest) { r.HMAC, r.ExpiryPeriodMillis = hmacOf(x), ms })
}

func describeTokens(owners ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeDelegationTokenRequest) {
		r.Owners = []kmsg.DescribeDelegationTokenRequestOwner{}
		for _, name := range owners {
			r.Owners = append(r.Owners, kmsg.DescribeDelegationTokenRequestOwner{PrincipalType: "User", PrincipalName: x.name(name)})
		}
	})
}

// aToken makes one of alice, and waits for it.
var aToken = []step{
	{name: "make", on: "alice", ask: createToken(nil)},
	{name: "wait", hidden: true, ask: describeTokens("r"), until: func(resp kmsg.Response) bool {
		return len(resp.(*kmsg.DescribeDelegationTokenResponse).TokenDetails) > 0
	}},
}

// refused waits for a token to be expired or gone everywhere.
func refused(code int16) func(kmsg.Response) bool {
	return func(resp kmsg.Response) bool {
		switch r := resp.(type) {
		case *kmsg.RenewDelegationTokenResponse:
			return r.ErrorCode == code
		case *kmsg.ExpireDelegationTokenResponse:
			return r.ErrorCode == code
		}
		return false
	}
}

const twoDays = int64(48 * time.Hour / time.Millisecond)

var tokenScripts = []script{
	{name: "create tokens", key: kmsg.CreateDelegationToken, steps: []step{
		{name: "for two days", on: "alice", ask: createToken(func(_ *actor, r *kmsg.CreateDelegationTokenRequest) { r.MaxLifetimeMillis = twoDays })},
		{name: "for a minute", on: "alice", ask: createToken(func(_ *actor, r *kmsg.CreateDelegationTokenRequest) { r.MaxLifetimeMillis = 60000 })},
		{name: "for as long as may be", ask: createToken(func(_ *actor, r *kmsg.CreateDelegationTokenRequest) { r.MaxLifetimeMillis, r.Renewers = 0, nil })},
		{name: "for somebody", ask: createToken(func(x *actor, r *kmsg.CreateDelegationTokenRequest) {
			r.OwnerPrincipalType, r.OwnerPrincipalName = kmsg.StringPtr("User"), x.ptr("o")
		})},
		{name: "for somebody, without permission", on: "alice", ask: createToken(func(x *actor, r *kmsg.CreateDelegationTokenRequest) {
			r.OwnerPrincipalType, r.OwnerPrincipalName = kmsg.StringPtr("User"), x.ptr("o")
		})},
		{name: "for an owner without a type", ask: createToken(func(x *actor, r *kmsg.CreateDelegationTokenRequest) { r.OwnerPrincipalName = x.ptr("o") })},
		{name: "with a renewer that is no user", ask: createToken(func(_ *actor, r *kmsg.CreateDelegationTokenRequest) { r.Renewers[0].PrincipalType = "Group" })},
	}},
	{name: "renew tokens", key: kmsg.RenewDelegationToken, steps: join(aToken, []step{
		{name: "by its owner", on: "alice", ask: renewToken(-1)},
		{name: "by a renewer, for a minute", on: "bob", ask: renewToken(60000)},
		{name: "for too long", on: "alice", ask: renewToken(twoDays)},
		{name: "by somebody else", ask: renewToken(-1)},
		{name: "an unknown one", ask: req(func(_ *actor, r *kmsg.RenewDelegationTokenRequest) { r.HMAC = []byte("x") })},
	})},
	{name: "expire tokens", key: kmsg.ExpireDelegationToken, steps: join(aToken, []step{
		{name: "in two days", on: "alice", ask: expireToken(twoDays)},
		{name: "by somebody else", ask: expireToken(-1)},
		{name: "an unknown one", ask: req(func(_ *actor, r *kmsg.ExpireDelegationTokenRequest) { r.HMAC = []byte("x") })},
		{name: "now", on: "bob", ask: expireToken(0)},
		// Who may not renew it cannot make it live on, while it is not over yet.
		{name: "renewed too late", ask: renewToken(-1), until: refused(66)},
		{name: "expired again", on: "alice", ask: expireToken(0)},
		{name: "at once", on: "alice", ask: expireToken(-1)},
		{name: "when it is gone", on: "alice", ask: expireToken(-1), until: refused(62)},
		{name: "described", ask: describeTokens("r")},
	})},
	{name: "describe tokens", key: kmsg.DescribeDelegationToken, steps: join(aToken, []step{
		{name: "by its owner", on: "alice", ask: describeTokens("r")},
		{name: "by a super user", ask: describeTokens("nobody", "r")},
		{name: "of nobody", ask: describeTokens()},
		{name: "of somebody else", ask: describeTokens("nobody")},
	})},
}
