package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"minibroker/broker"
)

// into calls, and decodes the answer into a value of its own type.
func (c *caller) into(v any, method, path, body string, status int) {
	c.t.Helper()
	text, err := json.Marshal(c.call(method, path, body, status))
	if err != nil {
		c.t.Fatal(err)
	}
	reflect.ValueOf(v).Elem().SetZero()
	if err := json.Unmarshal(text, v); err != nil {
		c.t.Fatal(err)
	}
}

func TestUsersAreMadeAndLetIn(t *testing.T) {
	c := newCaller(t, broker.WithUser("anna", "secret"), broker.WithSuperUser("admin", "topsecret"))
	var users UserList
	c.into(&users, "GET", "/users", "", 200)
	if len(users.Users) != 2 || users.Users[0].Name != "admin" || !users.Users[0].Super || users.Users[1].Super || len(users.Users[1].Mechanisms) != 2 {
		t.Errorf("there are %+v", users)
	}
	login := func(password string) error {
		k, err := kgo.NewClient(kgo.SeedBrokers(c.b.Addr()), kgo.SASL(scram.Auth{User: "bob", Pass: password}.AsSha512Mechanism()))
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		return k.Ping(t.Context())
	}
	c.call("PUT", "/users/bob", `{"password": "p"}`, 204)
	if err := login("p"); err != nil {
		t.Errorf("bob may not log in: %v", err)
	}
	if err := login("q"); err == nil {
		t.Error("a wrong password is let in")
	}
	var denials DenialList
	c.into(&denials, "GET", "/denials", "", 200)
	if len(denials.Denials) != 1 || denials.Denials[0].Cause != "wrong_password" || denials.Denials[0].Kind != "login" {
		t.Errorf("the login that failed is told as %+v", denials)
	}
	c.call("PUT", "/users/bob", `{}`, 422)
	c.call("DELETE", "/users/bob", "", 204)
	c.call("DELETE", "/users/bob", "", 404)
	if err := login("p"); err == nil {
		t.Error("a user that was deleted is let in")
	}
}

func TestACLsAreMadeExplainedAndDeleted(t *testing.T) {
	c := newCaller(t, broker.WithUser("anna", "secret"), broker.WithSuperUser("admin", "topsecret"), broker.WithTopic("orders", 1, nil))
	var list ACLList
	c.into(&list, "POST", "/acls", `{"acls": ["anna read,describe topic:ord*", "deny anna write topic:orders"]}`, 201)
	if len(list.ACLs) != 3 || list.ACLs[0].Pattern != "PREFIXED" {
		t.Errorf("there were made %+v", list)
	}
	c.into(&list, "GET", "/acls?principal=anna", "", 200)
	if len(list.ACLs) != 3 {
		t.Errorf("there are %+v", list)
	}
	for query, want := range map[string]Decision{
		"principal=anna&operation=read&resource=topic:orders":         {Allowed: true, Rule: "allow"},
		"principal=User:anna&operation=write&resource=topic:orders":   {Rule: "deny"},
		"principal=bob&operation=read&resource=topic:orders":          {Rule: "none", Remedy: "bob read topic:orders"},
		"principal=admin&operation=alter&resource=cluster":            {Allowed: true, Rule: "super_user"},
		"principal=bob&operation=read&resource=group:g&host=10.0.0.3": {Rule: "none", Remedy: "bob read group:g"},
	} {
		var got Decision
		c.into(&got, "GET", "/acls/decision?"+query, "", 200)
		if got.Allowed != want.Allowed || got.Rule != want.Rule || got.Remedy != want.Remedy || (got.ACL != nil) != (want.Rule == "allow" || want.Rule == "deny") {
			t.Errorf("%s is answered %+v, want %+v", query, got, want)
		}
	}
	anna, err := kgo.NewClient(kgo.SeedBrokers(c.b.Addr()), kgo.SASL(scram.Auth{User: "anna", Pass: "secret"}.AsSha256Mechanism()), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer anna.Close()
	if err := anna.ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}).FirstErr(); err == nil {
		t.Error("a DENY did not keep anna from writing")
	}
	var denials DenialList
	c.into(&denials, "GET", "/denials", "", 200)
	if n := len(denials.Denials); n != 1 || denials.Denials[0].Resource != "TOPIC:orders" || denials.Denials[0].Decision.Rule != "deny" || !strings.Contains(denials.Denials[0].Text, "remove that one") {
		t.Errorf("what was denied is told as %+v", denials)
	}
	c.into(&list, "DELETE", "/acls?acl=deny+anna+write+topic:orders", "", 200)
	if len(list.ACLs) != 1 {
		t.Errorf("there went %+v", list)
	}
	c.call("DELETE", "/acls", "", 422)
	c.call("POST", "/acls", `{"acls": ["anna fly topic:orders"]}`, 422)
	c.call("GET", "/acls/decision?principal=anna&operation=read,write&resource=topic:t", "", 422)
	c.call("GET", "/acls/decision?principal=anna&operation=read", "", 400)
	c.call("GET", "/acls/decision?principal=anna&operation=read&resource=group:g&host=here", "", 422)
	c.into(&list, "DELETE", "/acls?principal=User:anna", "", 200)
	if c.into(&list, "GET", "/acls", "", 200); len(list.ACLs) != 0 {
		t.Errorf("there stay %+v", list)
	}
	open := newCaller(t)
	open.call("GET", "/acls", "", 409)
	open.call("POST", "/acls", `{"acls": ["anna read topic:orders"]}`, 409)
}
