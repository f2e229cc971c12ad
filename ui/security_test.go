package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"minibroker/broker"
	"minibroker/broker/auth"
)

func TestUsersAndQuotasAreSetAndRemoved(t *testing.T) {
	w := open(t)
	admin := kadm.NewClient(w.client())
	w.see("/security", 200, "No user has a password")
	w.submit("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "password": {"p<1>"}}, "/security?done=user.set")
	users, err := admin.DescribeUserSCRAMs(t.Context())
	if err != nil || len(users["ann"].CredInfos) != 1 || users["ann"].CredInfos[0].Mechanism != kadm.ScramSha512 || users["ann"].CredInfos[0].Iterations != 4096 {
		t.Errorf("the broker has %v (%v), want ann with one password", users, err)
	}
	w.see("/security", 200, "ann", "SCRAM-SHA-512")
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"PLAIN"}, "password": {"p"}}, 422)
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "password": {"p"}, "iterations": {"1"}}, 422, "between 4096 and 16384")
	w.refuse("/security/users", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}}, 422, "Give a password")
	w.see("/security/users/delete?user=ann&mechanism=SCRAM-SHA-512", 200, "Remove ann (SCRAM-SHA-512)")
	w.refuse("/security/users/delete", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "name": {"an"}}, 422, "Nothing was deleted")
	w.submit("/security/users/delete", url.Values{"user": {"ann"}, "mechanism": {"SCRAM-SHA-512"}, "name": {"ann"}}, "/security?done=user.deleted")
	if users, err := admin.DescribeUserSCRAMs(t.Context()); err != nil || len(users["ann"].CredInfos) != 0 {
		t.Errorf("the broker still has %v (%v)", users, err)
	}

	w.see("/security/quotas", 200, "Nobody is limited")
	w.submit("/security/quotas", url.Values{"user": {"ann"}, "client": {byDefault}, "key": {"producer_byte_rate"}, "value": {"1024"}}, "/security/quotas?done=quota.set")
	quotas, err := admin.DescribeClientQuotas(t.Context(), false, nil)
	if err != nil || len(quotas) != 1 || len(quotas[0].Entity) != 2 || quotas[0].Values[0].Value != 1024 {
		t.Errorf("the broker has the quotas %v (%v)", quotas, err)
	}
	w.see("/security/quotas", 200, "producer_byte_rate", "1,024", "&lt;default&gt;")
	w.refuse("/security/quotas", url.Values{"key": {"producer_byte_rate"}, "value": {"1"}}, 422, "whom the quota is for")
	w.refuse("/security/quotas", url.Values{"user": {"ann"}, "key": {"producer_byte_rate"}, "value": {"-1"}}, 422, "above 0")
	w.refuse("/security/quotas", url.Values{"user": {"ann"}, "key": {"nonsense"}, "value": {"1"}}, 422)
	w.submit("/security/quotas", url.Values{"user": {"ann"}, "client": {byDefault}, "key": {"producer_byte_rate"}, "delete": {"1"}}, "/security/quotas?done=quota.removed")
	if quotas, err := admin.DescribeClientQuotas(t.Context(), false, nil); err != nil || len(quotas) != 0 {
		t.Errorf("the broker still has the quotas %v (%v)", quotas, err)
	}
}

func TestABrokerWithoutAuthorizerSaysSo(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/security/acls", 200, "has no authorizer", "SECURITY_DISABLED")
	w.see("/security/who", 200, "has no authorizer", "SECURITY_DISABLED")
	w.see("/security/denied", 200, "Nothing was refused yet")
	w.see("/security/tokens", 200, "DELEGATION_TOKEN_AUTH_DISABLED", "--set delegation.token.secret.key")
	w.refuse("/security/acls/new", url.Values{"principal": {"User:ann"}, "kind": {"custom"}, "resource": {"TOPIC"}, "operation": {"READ"}, "name": {"log"}}, 409, "keeps no ACLs")
	w.refuse("/security/acls/new", url.Values{"principal": {":ann"}, "kind": {"consumer"}, "topic": {"log"}, "group": {"g"}}, 422, "Give a principal")
}

// ruled has an authorizer, and nobody logs in.
var ruled = []broker.Option{broker.WithTopic("log", 1, nil), broker.WithConfig("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"), broker.WithConfig("super.users", "User:admin")}

// acls are those that the broker keeps, in one line each, in order.
func acls(t *testing.T, w *browser) (lines []string) {
	t.Helper()
	found := w.b.Rules().Find(new(auth.Every()))
	for _, a := range found {
		lines = append(lines, a.String())
	}
	slices.Sort(lines)
	return lines
}

func TestACLsAreShownBeforeTheyAreCreated(t *testing.T) {
	for _, c := range []struct {
		form string
		want []string
	}{
		{"kind=producer&topic=log", []string{"ann create topic:log", "ann describe topic:log", "ann write topic:log"}},
		{"kind=consumer&topic=lo&group=g&pattern=PREFIXED", []string{"ann describe topic:lo*", "ann read group:g*", "ann read topic:lo*"}},
		{"kind=transactional&topic=log&transaction=tx&host=10.0.0.1", []string{"ann create topic:log from 10.0.0.1", "ann describe topic:log from 10.0.0.1", "ann describe transactional_id:tx from 10.0.0.1",
			"ann write topic:log from 10.0.0.1", "ann write transactional_id:tx from 10.0.0.1"}},
		{"kind=custom&resource=CLUSTER&operation=ALTER&permission=DENY", []string{"deny ann alter cluster"}},
		{"kind=admin", []string{"ann all cluster", "ann all group:*", "ann all topic:*", "ann all transactional_id:*"}},
		{"kind=transform&topic=log&to=out&group=g&transaction=tx", []string{"ann create topic:out", "ann describe topic:log", "ann describe topic:out", "ann describe transactional_id:tx",
			"ann read group:g", "ann read topic:log", "ann write topic:out", "ann write transactional_id:tx"}},
		{"kind=streams&topic=log&to=out&group=app", []string{"ann create topic:app*", "ann delete group:app*", "ann delete topic:app*", "ann describe topic:app*", "ann describe topic:log", "ann describe topic:out", "ann describe transactional_id:app*",
			"ann describe_configs topic:app*", "ann read group:app*", "ann read topic:app*", "ann read topic:log", "ann write topic:app*", "ann write topic:out", "ann write transactional_id:app*"}},
	} {
		w := open(t, ruled...)
		w.see("/security/acls", 200, "There are no ACLs")
		form, _ := url.ParseQuery(c.form + "&principal=ann")
		w.see("/security/acls/new?plan=1&"+form.Encode(), 200, "would be created", "kafka-acls.sh --bootstrap-server", "minibroker --acl")
		if got := acls(t, w); got != nil {
			t.Errorf("%s: looking made %q", c.form, got)
		}
		w.submit("/security/acls/new", form, "/security/acls?done=acl.created")
		if got := acls(t, w); !slices.Equal(got, c.want) {
			t.Errorf("%s made %q, want %q", c.form, got, c.want)
		}
	}
	w := open(t, ruled...)
	for form, want := range map[string]string{
		"kind=consumer&topic=log&principal=ann":                                            "Fill in all names",
		"kind=custom&resource=TOPIC&operation=CLUSTER_ACTION&name=log&principal=ann":       "With a resource of type TOPIC one can do READ",
		"kind=custom&resource=TOPIC&operation=READ&name=log&principal=ann&host=some.where": "A host is an IP address",
		"kind=nonsense&principal=ann":                                                      "could not be read",
	} {
		form, _ := url.ParseQuery(form)
		w.refuse("/security/acls/new", form, 422, want)
		w.see("/security/acls/new?plan=1&"+form.Encode(), 422, want)
	}
}

func TestACLsAreShownBeforeTheyAreDeleted(t *testing.T) {
	w := open(t, append(ruled, broker.WithACL("ann read topic:log", "deny ann write topic:lo*", "bob read topic:log", "User:<b> read topic:log"))...)
	w.see("/security/acls", 200, "User:&lt;b&gt;", "DENY", "4 ACLs")
	w.see("/security/acls?q=BOB", 200, "User:bob", "1 ACL")
	if page := w.see("/security/acls?sort=-principal", 200, `aria-sort="descending"`); strings.LastIndex(page, "User:bob") > strings.LastIndex(page, "User:&lt;b&gt;") {
		t.Error("sorted by principals, turned round, bob comes after <b>")
	}
	w.see("/security/acls?principal=User:ann", 200, "2 ACLs", "Delete all of this principal")
	w.see("/security/acls?principal=User:eve", 200, "No ACL fits")
	w.see("/security/acls/delete?principal=User:ann", 200, "2 ACLs would be deleted", "Nothing is deleted yet")
	w.see("/security/acls/delete?principal=User:eve", 404, "no such ACL any more")
	w.see("/security/acls/delete", 422, "which ACLs")
	w.refuse("/security/acls/delete", url.Values{"principal": {"User:ann"}, "acl": {"ann read topic:log"}}, 409, "no longer the same ACLs")
	if got := acls(t, w); len(got) != 4 {
		t.Errorf("what was refused left %q", got)
	}
	w.submit("/security/acls/delete", url.Values{"principal": {"User:ann"}, "acl": {"ann read topic:log", "deny ann write topic:lo*"}}, "/security/acls?done=acl.deleted")
	w.submit("/security/acls/delete", url.Values{"principal": {"User:bob"}, "operation": {"READ"}, "resource": {"TOPIC"}, "name": {"log"}, "pattern": {"LITERAL"}}, "/security/acls?done=acl.deleted")
	if got := acls(t, w); !slices.Equal(got, []string{"<b> read topic:log"}) {
		t.Errorf("the broker keeps %q, want the last only", got)
	}
}

func TestWhoMay(t *testing.T) {
	w := open(t, append(ruled, broker.WithACL("ann write topic:log", "deny bob all topic:*", "ann describe topic:te*", "eve read topic:log from 10.0.0.1"))...)
	w.see("/security/who", 200, "Who may do this?", "User:admin", "allow.everyone.if.no.acl.found=false")
	w.see("/security/who?operation=WRITE&resource=TOPIC&name=log", 200, "ann write topic:log", "deny bob all topic:*", "A super user may do everything", "Everybody else")
	w.see("/security/who?operation=READ&resource=TOPIC&name=log", 200, "eve read topic:log from 10.0.0.1")
	w.see("/security/who?principal=ann", 200, "te*", "DESCRIBE", "WRITE")
	w.see("/security/who?principal=User:admin", 200, "A super user may do everything")
	w.see("/security/who?principal=zoe", 200, "it may do nothing")
	w.see("/security/who?operation=WRITE&resource=TOPIC", 422, "name a resource")
	w.see("/security/who?principal=ann&host=here", 422, "A host is an IP address")
	var told struct {
		Whole    bool
		Verdicts []struct {
			Principal, Host, Rule string
			Allowed               bool
			ACL                   *struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/security/who?operation=READ&resource=TOPIC&name=log", 200)), &told); err != nil {
		t.Fatal(err)
	}
	if len(told.Verdicts) != 6 || !told.Whole || told.Verdicts[0].Principal != "User:admin" || told.Verdicts[2].ACL.Text != "deny bob all topic:*" || told.Verdicts[4].Host != "10.0.0.1" || !told.Verdicts[4].Allowed {
		t.Errorf("as JSON it is %+v", told)
	}
}

func TestWhyDenied(t *testing.T) {
	w := open(t, broker.WithUser("ann", "secret"), broker.WithSuperUser("admin", "topsecret"), broker.WithTopic("log", 1, nil), broker.WithACL("bob write topic:log", "deny ann read topic:log"))
	ann := func(password string) *kgo.Client {
		return w.client(kgo.SASL(saslplain.Auth{User: "ann", Pass: password}.AsMechanism()))
	}
	if err := ann("wrong").Ping(t.Context()); err == nil {
		t.Fatal("a wrong password is let in")
	}
	write := func() error {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("log")}}
		resp, err := req.RequestWith(t.Context(), ann("secret"))
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		return err
	}
	if err := write(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Fatalf("ann was told %v", err)
	}
	page := w.see("/security/denied", 200, "ann could not log in by PLAIN", "The user is known and the password is another", "User:ann may not <code>DESCRIBE</code>", "No ACL allows it", "2 ACLs were looked at", "bob write topic:log", "ann describe topic:log")
	// The button leads to the ACL that lets her in.
	link := regexp.MustCompile(`href="(/security/acls/new\?[^"]*)"`).FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("there is no way to allow it: %s", page)
	}
	at, err := url.Parse(html.UnescapeString(link[1]))
	if err != nil {
		t.Fatal(err)
	}
	w.see(at.String(), 200, "1 ACL would be created", "ann describe topic:log")
	w.submit("/security/acls/new", at.Query(), "/security/acls?done=acl.created")
	if err := write(); err != nil {
		t.Errorf("after the ACL was added ann is told %v", err)
	}
}

func TestDelegationTokensAreMadeRenewedAndEnded(t *testing.T) {
	w := open(t, broker.WithUser("ann", "secret"), broker.WithConfig("delegation.token.secret.key", "key"))
	w.see("/security/tokens", 200, "There are no tokens")
	w.refuse("/security/tokens", url.Values{}, 422, "a token needs an owner")
	w.refuse("/security/tokens", url.Values{"owner": {"ann"}, "lifetime": {"soon"}}, 422, "Write how long")
	made := w.do("POST", "/security/tokens", url.Values{"owner": {"ann"}, "renewers": {"bob, User:eve"}, "lifetime": {"2h"}})
	page := w.see(made.Header().Get("Location"), 200, "The token was made", "User:ann", "User:bob User:eve", "tokenauth")
	login := regexp.MustCompile(`username="([^"]+)" password="([^"]+)"`).FindStringSubmatch(page)
	if login == nil {
		t.Fatalf("the page does not say how to log in: %s", page)
	}
	id, hmac := login[1], html.UnescapeString(login[2])
	if err := w.client(kgo.SASL(scram.Auth{User: id, Pass: hmac, IsToken: true}.AsSha256Mechanism())).Ping(t.Context()); err != nil {
		t.Errorf("nobody can log in with the token: %v", err)
	}
	w.submit("/security/tokens/"+id+"/renew", url.Values{"by": {"30m"}}, "/security/tokens?done=token.renewed")
	w.refuse("/security/tokens/"+id+"/renew", url.Values{"by": {"-1h"}}, 422, "Write how long")
	w.refuse("/security/tokens/nope/renew", nil, 404, "no such token")
	w.refuse("/security/tokens/"+id+"/expire", url.Values{"name": {"x"}}, 422, "type it exactly")
	w.submit("/security/tokens/"+id+"/expire", url.Values{"name": {id}}, "/security/tokens?done=token.expired")
	w.see("/security/tokens", 200, "There are no tokens")
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

	leader := func() int32 { return w.b.Topic("log").Partitions()[0].Leader }
	w.see("/topics/log/manage", 200, "Move a leader")
	for _, id := range []string{"3", "1"} {
		w.submit("/topics/log/leader", url.Values{"partition": {"0"}, "broker": {id}}, "/topics/log?done=leader.moved")
		if got := fmt.Sprint(leader()); got != id {
			t.Errorf("broker %s leads after the leader was moved to %s", got, id)
		}
	}
	w.refuse("/topics/log/leader", url.Values{"partition": {"7"}, "broker": {"1"}}, 422, "has no partition")
	w.refuse("/topics/log/leader", url.Values{"partition": {"0"}, "broker": {"7"}}, 422, "There is no such broker")
	w.refuse("/topics/log/leader", url.Values{"partition": {"0"}, "broker": {"x"}}, 422)
	w.see("/brokers", 200, "Let a broker lag behind")
	w.submit("/brokers/3/lag", url.Values{"lag": {"-1"}}, "/brokers?done=broker.lag")
	if err := w.b.Produce("log", broker.Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	behind := func() bool {
		for _, r := range w.b.Topic("log").Partitions()[0].Replicas {
			if r.Broker == 3 {
				return r.End == 0
			}
		}
		return false
	}
	if !behind() {
		t.Error("broker 3 follows at once")
	}
	w.submit("/brokers/3/lag", url.Values{"lag": {"0"}}, "/brokers?done=broker.lag")
	if behind() {
		t.Error("broker 3 does not catch up")
	}
	w.refuse("/brokers/3/lag", url.Values{"lag": {"soon"}}, 422, "Give a number of milliseconds")
	w.refuse("/brokers/9/lag", url.Values{"lag": {"1"}}, 404, "There is no such broker")
	w.submit("/brokers/elect", nil, "/brokers?done=broker.elected")
	for _, b := range w.b.Brokers() {
		if b.Leads == 0 {
			t.Errorf("after the election broker %d leads nothing", b.ID)
		}
	}
}
