package diff

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns client quotas and the credentials of SCRAM users.

// entity is who a quota is for: type, then name. A name that begins with "<" is
// the default one, one that begins with "=" is taken as it is.
type entity [][2]string

func (x *actor) entityName(name string) *string {
	switch {
	case name == "<default>":
		return nil
	case name != "" && name[0] == '=':
		return val(name[1:])
	}
	return x.ptr(name)
}

func quotaOps(e entity, ops ...kmsg.AlterClientQuotasRequestEntryOp) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterClientQuotasRequest) {
		entry := kmsg.NewAlterClientQuotasRequestEntry()
		for _, one := range e {
			entry.Entity = append(entry.Entity, kmsg.AlterClientQuotasRequestEntryEntity{Type: one[0], Name: x.entityName(one[1])})
		}
		entry.Ops = ops
		r.Entries = append(r.Entries, entry)
	})
}

func quota(key string, value float64) kmsg.AlterClientQuotasRequestEntryOp {
	return kmsg.AlterClientQuotasRequestEntryOp{Key: key, Value: value}
}

func noQuota(key string) kmsg.AlterClientQuotasRequestEntryOp {
	return kmsg.AlterClientQuotasRequestEntryOp{Key: key, Remove: true}
}

// component is one part of a filter: type, how it is matched, and the name.
type component struct {
	kind  string
	match kmsg.QuotasMatchType
	name  string
}

func quotasOf(strict bool, all ...component) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeClientQuotasRequest) {
		r.Strict = strict
		for _, c := range all {
			one := kmsg.DescribeClientQuotasRequestComponent{EntityType: c.kind, MatchType: c.match}
			if c.name != "" {
				one.Match = x.entityName(c.name)
			}
			r.Components = append(r.Components, one)
		}
	})
}

const (
	exactly   = kmsg.QuotasMatchTypeExact
	byDefault = kmsg.QuotasMatchTypeDefault
	anyName   = kmsg.QuotasMatchTypeAny
)

// quotasThere waits until a description has so many entries.
func quotasThere(n int) func(kmsg.Response) bool {
	return func(resp kmsg.Response) bool { return len(resp.(*kmsg.DescribeClientQuotasResponse).Entries) == n }
}

const scram256, scram512 = 1, 2

func scramUsers(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeUserSCRAMCredentialsRequest) {
		r.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{}
		for _, n := range names {
			r.Users = append(r.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: *x.entityName(n)})
		}
	})
}

func scramSet(name string, mechanism int8, iterations int32, edit func(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterUserSCRAMCredentialsRequest) {
		u := kmsg.AlterUserSCRAMCredentialsRequestUpsertion{Name: *x.entityName(name), Mechanism: mechanism, Iterations: iterations, Salt: []byte("salt"), SaltedPassword: make([]byte, 32)}
		if mechanism == scram512 {
			u.SaltedPassword = make([]byte, 64)
		}
		if edit != nil {
			edit(&u)
		}
		r.Upsertions = append(r.Upsertions, u)
	})
}

func scramDelete(name string, mechanism int8) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterUserSCRAMCredentialsRequest) {
		r.Deletions = append(r.Deletions, kmsg.AlterUserSCRAMCredentialsRequestDeletion{Name: *x.entityName(name), Mechanism: mechanism})
	})
}

// both makes one request of two that alter credentials.
func both(a, b func(*actor) kmsg.Request) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterUserSCRAMCredentialsRequest) {
		*r = *a(x).(*kmsg.AlterUserSCRAMCredentialsRequest)
		other := b(x).(*kmsg.AlterUserSCRAMCredentialsRequest)
		r.Deletions, r.Upsertions = append(r.Deletions, other.Deletions...), append(r.Upsertions, other.Upsertions...)
	})
}

func scramThere(n int) func(kmsg.Response) bool {
	return func(resp kmsg.Response) bool {
		r := resp.(*kmsg.DescribeUserSCRAMCredentialsResponse)
		return len(r.Results) > 0 && len(r.Results[0].CredentialInfos) == n
	}
}

var user = entity{{"user", "u"}}

var quotaScripts = []script{
	{name: "alter client quotas", key: kmsg.AlterClientQuotas, steps: []step{
		{name: "of a user", ask: quotaOps(user, quota("producer_byte_rate", 1e9), quota("consumer_byte_rate", 2e9))},
		{name: "of a client id", ask: quotaOps(entity{{"client-id", "c"}}, quota("request_percentage", 500))},
		{name: "of a user's client id", ask: quotaOps(entity{{"user", "u"}, {"client-id", "c"}}, quota("producer_byte_rate", 1e9))},
		{name: "of an address", ask: quotaOps(entity{{"ip", "=127.1.2.3"}}, quota("connection_creation_rate", 1e6))},
		{name: "what there is then", until: quotasThere(1), ask: quotasOf(true, component{"user", exactly, "u"})},
		{name: "no entries", ask: req(func(*actor, *kmsg.AlterClientQuotasRequest) {})},
		{name: "no changes", ask: quotaOps(user)},
		{name: "an unknown quota", ask: quotaOps(user, quota("no_such", 1))},
		{name: "an empty quota", ask: quotaOps(user, quota("", 1))},
		{name: "of nobody", ask: quotaOps(nil, quota("producer_byte_rate", 1))},
		{name: "of an unknown type", ask: quotaOps(entity{{"no-such", "u"}}, quota("producer_byte_rate", 1))},
		{name: "of an empty type", ask: quotaOps(entity{{"", "u"}}, quota("producer_byte_rate", 1))},
		{name: "of an empty name", ask: quotaOps(entity{{"user", "="}}, quota("producer_byte_rate", 1e9))},
		{name: "of a type twice", ask: quotaOps(entity{{"user", "u"}, {"user", "v"}}, quota("producer_byte_rate", 1))},
		{name: "of a user and an address", ask: quotaOps(entity{{"user", "u"}, {"ip", "=127.0.0.1"}}, quota("connection_creation_rate", 1))},
		{name: "a producer's of an address", ask: quotaOps(entity{{"ip", "=127.0.0.1"}}, quota("producer_byte_rate", 1))},
		{name: "connections of a user", ask: quotaOps(user, quota("connection_creation_rate", 1))},
		{name: "of what is no address", ask: quotaOps(entity{{"ip", "=not an address"}}, quota("connection_creation_rate", 1))},
		{name: "value 0", ask: quotaOps(user, quota("producer_byte_rate", 0))},
		{name: "value -1", ask: quotaOps(user, quota("producer_byte_rate", -1))},
		{name: "value 1.5", ask: quotaOps(user, quota("producer_byte_rate", 1.5))},
		{name: "value 1.0000001", ask: quotaOps(user, quota("producer_byte_rate", 1.0000001))},
		{name: "percentage 1.5", ask: quotaOps(user, quota("request_percentage", 1.5))},
		{name: "percentage 0", ask: quotaOps(user, quota("request_percentage", 0))},
		{name: "mutations 0.5", ask: quotaOps(user, quota("controller_mutation_rate", 0.5))},
		{name: "connections 1.5", ask: quotaOps(entity{{"ip", "=127.1.2.3"}}, quota("connection_creation_rate", 1.5))},
		{name: "connections 3e9", ask: quotaOps(entity{{"ip", "=127.1.2.3"}}, quota("connection_creation_rate", 3e9))},
		{name: "value 1e19", ask: quotaOps(user, quota("producer_byte_rate", 1e19))},
		{name: "value NaN", ask: quotaOps(user, quota("request_percentage", math.NaN()))},
		{name: "a quota twice", ask: quotaOps(user, quota("producer_byte_rate", 5e9), quota("producer_byte_rate", 6e9))},
		{name: "set and taken away", ask: quotaOps(user, quota("producer_byte_rate", 7e9), noQuota("producer_byte_rate"))},
		{name: "an entity twice", ask: req(func(x *actor, r *kmsg.AlterClientQuotasRequest) {
			*r = *quotaOps(user, quota("producer_byte_rate", 1e9))(x).(*kmsg.AlterClientQuotasRequest)
			r.Entries = append(r.Entries, quotaOps(user, quota("consumer_byte_rate", 3e9))(x).(*kmsg.AlterClientQuotasRequest).Entries...)
		})},
		{name: "one good and one bad", ask: req(func(x *actor, r *kmsg.AlterClientQuotasRequest) {
			*r = *quotaOps(entity{{"user", "v"}}, quota("producer_byte_rate", 1e9))(x).(*kmsg.AlterClientQuotasRequest)
			r.Entries = append(r.Entries, quotaOps(user, quota("no_such", 3e9))(x).(*kmsg.AlterClientQuotasRequest).Entries...)
		})},
		{name: "validate only", ask: req(func(x *actor, r *kmsg.AlterClientQuotasRequest) {
			*r = *quotaOps(entity{{"user", "w"}}, quota("producer_byte_rate", 1e9))(x).(*kmsg.AlterClientQuotasRequest)
			r.ValidateOnly = true
		})},
		{name: "of the one that was only checked", ask: quotasOf(true, component{"user", exactly, "w"})},
		{name: "one that is not there is taken away", ask: quotaOps(user, noQuota("controller_mutation_rate"))},
		{name: "an unknown one is taken away", ask: quotaOps(user, noQuota("no_such"))},
		{name: "all are taken away", ask: quotaOps(user, noQuota("producer_byte_rate"), noQuota("consumer_byte_rate"), noQuota("request_percentage"))},
		{name: "none is left", until: quotasThere(0), ask: quotasOf(true, component{"user", exactly, "u"})},
		{name: "no address's is left", hidden: true, ask: quotaOps(entity{{"ip", "=127.1.2.3"}}, noQuota("connection_creation_rate"))},
		{name: "no empty name's is left", hidden: true, ask: quotaOps(entity{{"user", "="}}, noQuota("producer_byte_rate"))},
	}},
	{name: "describe client quotas", key: kmsg.DescribeClientQuotas, steps: []step{
		{name: "of a user", hidden: true, ask: quotaOps(user, quota("producer_byte_rate", 1e9), quota("request_percentage", 250.5))},
		{name: "of another user", hidden: true, ask: quotaOps(entity{{"user", "v"}}, quota("controller_mutation_rate", 1e6))},
		{name: "of a user's client id", hidden: true, ask: quotaOps(entity{{"user", "u"}, {"client-id", "c"}}, quota("consumer_byte_rate", 1e9))},
		{name: "of a client id", hidden: true, ask: quotaOps(entity{{"client-id", "c"}}, quota("producer_byte_rate", 2e9))},
		{name: "of a user's default client id", hidden: true, ask: quotaOps(entity{{"user", "u"}, {"client-id", "<default>"}}, quota("consumer_byte_rate", 3e9))},
		{name: "a user, strictly", until: quotasThere(1), ask: quotasOf(true, component{"user", exactly, "u"})},
		{name: "a user", until: quotasThere(3), ask: quotasOf(false, component{"user", exactly, "u"})},
		{name: "a user's client id", ask: quotasOf(true, component{"user", exactly, "u"}, component{"client-id", exactly, "c"})},
		{name: "a user's default client id", ask: quotasOf(true, component{"user", exactly, "u"}, component{"client-id", byDefault, ""})},
		{name: "a user's client ids", ask: quotasOf(true, component{"user", exactly, "u"}, component{"client-id", anyName, ""})},
		{name: "a client id, strictly", ask: quotasOf(true, component{"client-id", exactly, "c"})},
		{name: "a client id", ask: quotasOf(false, component{"client-id", exactly, "c"})},
		{name: "a client id of any user", ask: quotasOf(false, component{"client-id", exactly, "c"}, component{"user", anyName, ""})},
		{name: "an unknown user", ask: quotasOf(true, component{"user", exactly, "nope"})},
		{name: "an unknown type", ask: quotasOf(true, component{"no-such", exactly, "u"})},
		{name: "an empty type", ask: quotasOf(true, component{"", exactly, "u"})},
		{name: "a type twice", ask: quotasOf(true, component{"user", exactly, "u"}, component{"user", exactly, "v"})},
		{name: "match type 3", ask: quotasOf(true, component{"user", 3, "u"})},
		{name: "match type -1", ask: quotasOf(true, component{"user", -1, "u"})},
		{name: "exactly, and no name", ask: quotasOf(true, component{"user", exactly, ""})},
		{name: "the default, and a name", ask: quotasOf(true, component{"user", byDefault, "u"})},
		{name: "any, and a name", ask: quotasOf(true, component{"user", anyName, "u"}, component{"client-id", exactly, "c"})},
		{name: "an address and a user", ask: quotasOf(true, component{"ip", anyName, ""}, component{"user", exactly, "u"})},
		{name: "no components, strictly", ask: quotasOf(true)},
		{name: "one is taken away", hidden: true, ask: quotaOps(user, noQuota("producer_byte_rate"), noQuota("request_percentage"))},
		{name: "a user's then", until: quotasThere(0), ask: quotasOf(true, component{"user", exactly, "u"})},
	}},
	{name: "SCRAM credentials", key: kmsg.AlterUserSCRAMCredentials, steps: []step{
		{name: "a user of both mechanisms", ask: both(scramSet("u", scram256, 4096, nil), scramSet("u", scram512, 8192, nil))},
		{name: "described", until: scramThere(2), ask: scramUsers("u")},
		{name: "an unknown user described", ask: scramUsers("nope")},
		{name: "two, one unknown", ask: scramUsers("nope", "u")},
		{name: "a user twice", ask: scramUsers("u", "u")},
		{name: "an empty name described", ask: scramUsers("=")},
		{name: "nothing", ask: req(func(*actor, *kmsg.AlterUserSCRAMCredentialsRequest) {})},
		{name: "too few iterations", ask: scramSet("u", scram256, 4095, nil)},
		{name: "too many iterations", ask: scramSet("u", scram256, 16385, nil)},
		{name: "iterations -1", ask: scramSet("u", scram256, -1, nil)},
		{name: "mechanism 0", ask: scramSet("u", 0, 4096, nil)},
		{name: "mechanism 7", ask: scramSet("u", 7, 4096, nil)},
		{name: "mechanism 7 is deleted", ask: scramDelete("u", 7)},
		{name: "an empty name", ask: scramSet("=", scram256, 4096, nil)},
		{name: "an empty salt", ask: scramSet("u", scram256, 4096, func(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion) { u.Salt = []byte{} })},
		{name: "an empty password", ask: scramSet("u", scram256, 4096, func(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion) { u.SaltedPassword = []byte{} })},
		{name: "a short password", ask: scramSet("u", scram512, 4096, func(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion) { u.SaltedPassword = []byte("x") })},
		{name: "a mechanism twice", ask: both(scramSet("u", scram256, 4096, nil), scramSet("u", scram256, 5000, nil))},
		{name: "set and deleted", ask: both(scramSet("u", scram256, 4096, nil), scramDelete("u", scram256))},
		{name: "one good and one bad", ask: both(scramSet("v", scram256, 4096, nil), scramSet("u", scram256, 1, nil))},
		{name: "one good and one bad mechanism of a user", ask: both(scramSet("u", scram256, 4096, nil), scramSet("u", scram512, 1, nil))},
		{name: "an unknown one is deleted", ask: scramDelete("nope", scram256)},
		{name: "an unknown one is deleted, and another set", ask: both(scramDelete("nope", scram256), scramSet("w", scram256, 4096, nil))},
		{name: "one is deleted", ask: scramDelete("u", scram512)},
		{name: "the other is left", until: scramThere(1), ask: scramUsers("u")},
		{name: "and deleted", ask: scramDelete("u", scram256)},
		{name: "nobody is left", until: scramThere(0), ask: scramUsers("u")},
		{name: "those that were set", ask: scramUsers("v", "w")},
	}},
}
