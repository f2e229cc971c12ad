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

func TestACLsAreCreatedAndDeleted(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil), broker.WithConfig("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		broker.WithConfig("super.users", "User:ANONYMOUS"))
	admin := kadm.NewClient(w.client())
	kept := func() []kadm.DescribedACL {
		t.Helper()
		all, err := admin.DescribeACLs(t.Context(), kadm.NewACLs().AnyResource().Allow().AllowHosts().Deny().DenyHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
		if err != nil {
			t.Fatal(err)
		}
		var found []kadm.DescribedACL
		for _, r := range all {
			found = append(found, r.Described...)
		}
		return found
	}
	w.see("/security", 200, "There are no ACLs")
	lo := url.Values{"principal": {"User:<ann>"}, "host": {"*"}, "permission": {"DENY"}, "operation": {"WRITE"}, "resource": {"TOPIC"}, "name": {"lo"}, "pattern": {"PREFIXED"}}
	w.submit("/security/acls", lo, "/security?done=acl.created")
	w.submit("/security/acls", url.Values{"principal": {"User:bob"}, "operation": {"ALTER"}, "resource": {"CLUSTER"}}, "/security?done=acl.created")
	all := kept()
	if len(all) != 2 {
		t.Fatalf("the broker keeps %v, want the two that were added", all)
	}
	w.see("/security", 200, "User:&lt;ann&gt;", "DENY", "PREFIXED", "User:bob", "kafka-cluster")
	w.refuse("/security/acls", url.Values{"principal": {"User:bob"}, "operation": {"NONSENSE"}, "name": {"log"}}, 422)
	lo.Set("delete", "1")
	w.submit("/security/acls", lo, "/security?done=acl.deleted")
	if all := kept(); len(all) != 1 || all[0].Principal != "User:bob" || all[0].Operation != kadm.OpAlter {
		t.Errorf("the broker keeps %v, want bob's only", all)
	}
	w.refuse("/security/acls", lo, 404)
}

func TestBrokersAreStoppedStartedAndElected(t *testing.T) {
	w := open(t, broker.WithBrokers(3), broker.WithConfig("default.replication.factor", "3"), broker.WithTopic("log", 3, nil))
	running := func() (n int) {
		for _, b := range w.b.Brokers() {
			if b.Running {
				n++
			}
		}
		return n
	}
	w.see("/brokers", 200, `action="/brokers/2/stop"`, "Elect preferred leaders")
	w.submit("/brokers/2/stop", nil, "/brokers?done=broker.stopped")
	if n := running(); n != 2 {
		t.Errorf("%d brokers run after one was stopped, want 2", n)
	}
	w.see("/brokers", 200, `action="/brokers/2/start"`, "stopped")
	w.see("/topics/log", 200)
	w.see("/lab?topic=log", 200, `&#34;id&#34;:2,&#34;running&#34;:false`)
	w.submit("/brokers/2/start", nil, "/brokers?done=broker.started")
	if n := running(); n != 3 {
		t.Errorf("%d brokers run after all were started, want 3", n)
	}
	w.refuse("/brokers/9/stop", nil, 404, "There is no such broker")
	w.submit("/brokers/elect", nil, "/brokers?done=broker.elected")
	for _, b := range w.b.Brokers() {
		if b.Leads == 0 {
			t.Errorf("after the election broker %d leads nothing", b.ID)
		}
	}
}
