package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func resource(t testing.TB, text string) (kmsg.ACLOperation, Resource) {
	t.Helper()
	acls, err := ParseACL("x " + text)
	if err != nil {
		t.Fatal(err)
	}
	return acls[0].Operation, acls[0].Resource
}

func TestADecisionSaysWhatDecided(t *testing.T) {
	for _, c := range []struct {
		acls, who, what string
		open            bool
		rule            Rule
		by              string // the ACL
		seen            int
	}{
		{"", "root", "read topic:t", false, BySuperUser, "", 0},
		{"", "alice", "read topic:t", false, ByNothing, "", 0},
		{"", "alice", "read topic:t", true, ByDefault, "", 0},
		{"bob read topic:t", "alice", "read topic:t", true, ByNothing, "", 1},
		{"alice write topic:t", "alice", "describe topic:t", false, ByAllow, "WRITE", 1},
		{"alice read topic:t;deny alice read topic:*", "alice", "read topic:t", false, ByDeny, "READ", 2},
		{"alice read topic:or*;bob read topic:orders;alice read topic:prices", "alice", "read topic:orders", false, ByAllow, "READ", 2},
		// Of a prefix: what one name with it has does not count, what a shorter one has does.
		{"alice read topic:team-a", "alice", "read topic:team-a*", false, ByNothing, "", 0},
		{"alice read topic:te*", "alice", "read topic:team-a*", false, ByAllow, "READ", 1},
	} {
		r := rules(t, c.open, strings.FieldsFunc(c.acls, func(r rune) bool { return r == ';' })...)
		op, res := resource(t, c.what)
		d := r.Decide(Client{User(c.who), here}, op, res)
		by := ""
		if d.ACL != nil {
			by = d.ACL.Operation.String()
		}
		if d.Rule != c.rule || by != c.by || len(d.Seen) != c.seen {
			t.Errorf("with %q, %s %s is decided by %s %s with %d ACLs seen, want %s %s with %d", c.acls, c.who, c.what, d.Rule, by, len(d.Seen), c.rule, c.by, c.seen)
		}
		if res.Pattern == kmsg.ACLResourcePatternTypeLiteral && r.May(Client{User(c.who), here}, op, res.Type, res.Name) != d.Allowed {
			t.Errorf("May and Decide differ for %q %s %s", c.acls, c.who, c.what)
		}
	}
}

// told writes verdicts as "alice@* READ TOPIC t allow".
func told(all []Verdict) (lines []string) {
	for _, v := range all {
		lines = append(lines, fmt.Sprintf("%s@%s %s %s %s %s", v.Principal.Name, v.Host, v.Operation, v.Resource.Type, v.Resource.Name, v.Rule))
	}
	return lines
}

func TestWhoMayDoSomething(t *testing.T) {
	r := rules(t, false, "alice write topic:or*", "bob read topic:orders", "deny carl all topic:*", "dave write topic:orders from 10.0.0.1", "* write topic:orders from 10.0.0.9", "erin read group:g")
	op, res := resource(t, "write topic:orders")
	want := []string{
		"alice@* WRITE TOPIC orders allow", "bob@* WRITE TOPIC orders none", "bob@10.0.0.9 WRITE TOPIC orders allow",
		"carl@* WRITE TOPIC orders deny",
		"dave@* WRITE TOPIC orders none", "dave@10.0.0.1 WRITE TOPIC orders allow", "dave@10.0.0.9 WRITE TOPIC orders allow",
		"root@* WRITE TOPIC orders super_user", "*@* WRITE TOPIC orders none", "*@10.0.0.9 WRITE TOPIC orders allow",
	}
	if got := told(r.WhoMay(op, res, "")); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	want = []string{
		"alice@10.0.0.1 WRITE TOPIC orders allow", "bob@10.0.0.1 WRITE TOPIC orders none", "carl@10.0.0.1 WRITE TOPIC orders deny",
		"dave@10.0.0.1 WRITE TOPIC orders allow", "root@10.0.0.1 WRITE TOPIC orders super_user", "*@10.0.0.1 WRITE TOPIC orders none",
	}
	if got := told(r.WhoMay(op, res, "10.0.0.1")); !slices.Equal(got, want) {
		t.Errorf("from one host told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatAPrincipalMayDo(t *testing.T) {
	r := rules(t, false, "alice read topic:team-*", "deny alice read topic:team-secret", "* describe cluster", "alice delete group:g from 10.0.0.1", "bob all topic:*")
	want := []string{
		"alice@* READ TOPIC team-secret deny", "alice@* DESCRIBE TOPIC team-secret allow",
		"alice@* READ TOPIC team- allow", "alice@* DESCRIBE TOPIC team- allow",
		"alice@10.0.0.1 DESCRIBE GROUP g allow", "alice@10.0.0.1 DELETE GROUP g allow",
		"alice@* DESCRIBE CLUSTER kafka-cluster allow",
	}
	if got := told(r.WhatMay(User("alice"), "")); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := told(r.WhatMay(User("alice"), "10.0.0.2")); len(got) != 5 {
		t.Errorf("from another host she is told %q, want nothing of the group", got)
	}
	if got := r.WhatMay(User("root"), ""); got != nil {
		t.Errorf("of a super user it tells %v", got)
	}
}
