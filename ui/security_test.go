package ui

import (
	"net/url"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/broker"
)

func TestUsersAndQuotasAreSetAndRemoved(t *testing.T) {
	w := open(t)
	admin := kadm.NewClient(w.client())
	w.see("/security", 200, "No user has a password", "Nobody is limited")
	w.submit("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "password": {"p<1>"}}, "/security?done=user.set")
	users, err := admin.DescribeUserSCRAMs(t.Context())
	if err != nil || len(users["ann"].CredInfos) != 1 || users["ann"].CredInfos[0].Mechanism != kadm.ScramSha512 || users["ann"].CredInfos[0].Iterations != 4096 {
		t.Errorf("the broker has %v (%v), want ann with one password", users, err)
	}
	w.see("/security", 200, "ann", "SCRAM-SHA-512")
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"PLAIN"}, "password": {"p"}}, 422)
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "password": {"p"}, "iterations": {"1"}}, 422, "between 4096 and 16384")
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}}, 422, "Give a password")
	w.submit("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "delete": {"1"}}, "/security?done=user.deleted")
	if users, err := admin.DescribeUserSCRAMs(t.Context()); err != nil || len(users["ann"].CredInfos) != 0 {
		t.Errorf("the broker still has %v (%v)", users, err)
	}

	w.submit("/security/quotas", url.Values{"user": {"ann"}, "client": {byDefault}, "key": {"producer_byte_rate"}, "value": {"1024"}}, "/security?done=quota.set")
	quotas, err := admin.DescribeClientQuotas(t.Context(), false, nil)
	if err != nil || len(quotas) != 1 || len(quotas[0].Entity) != 2 || quotas[0].Values[0].Value != 1024 {
		t.Errorf("the broker has the quotas %v (%v)", quotas, err)
	}
	w.see("/security", 200, "producer_byte_rate", "1,024", "&lt;default&gt;")
	w.refuse("/security/quotas", url.Values{"key": {"producer_byte_rate"}, "value": {"1"}}, 422, "whom the quota is for")
	w.refuse("/security/quotas", url.Values{"user": {"ann"}, "key": {"producer_byte_rate"}, "value": {"-1"}}, 422, "above 0")
	w.refuse("/security/quotas", url.Values{"user": {"ann"}, "key": {"nonsense"}, "value": {"1"}}, 422)
	w.submit("/security/quotas", url.Values{"user": {"ann"}, "client": {byDefault}, "key": {"producer_byte_rate"}, "delete": {"1"}}, "/security?done=quota.removed")
	if quotas, err := admin.DescribeClientQuotas(t.Context(), false, nil); err != nil || len(quotas) != 0 {
		t.Errorf("the broker still has the quotas %v (%v)", quotas, err)
	}
}

func TestABrokerWithoutAuthorizerSaysSo(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/security", 200, "has no authorizer", "SECURITY_DISABLED")
	w.refuse("/security/acls", url.Values{"principal": {"User:ann"}, "name": {"log"}}, 409, "keeps no ACLs")
	w.refuse("/security/acls", url.Values{"principal": {"ann"}, "name": {"log"}}, 422, "Give a principal")
}
