package auth

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func rules(t testing.TB, open bool, texts ...string) *Rules {
	t.Helper()
	r := NewRules(map[Principal]bool{User("root"): true}, open)
	for _, text := range texts {
		acls, err := ParseACL(text)
		if err != nil {
			t.Fatal(err)
		}
		r = r.With(acls...)
	}
	return r
}

var here = netip.MustParseAddr("10.0.0.1")

// may reads "alice read topic:orders".
func may(t testing.TB, r *Rules, question string) bool {
	t.Helper()
	acls, err := ParseACL(question)
	if err != nil || acls[0].Resource.Pattern != kmsg.ACLResourcePatternTypeLiteral {
		t.Fatalf("%q: %v", question, err)
	}
	who, _ := ParsePrincipal(acls[0].Principal)
	return r.May(Client{who, here}, acls[0].Operation, acls[0].Resource.Type, acls[0].Resource.Name)
}

func TestWhoMayWhat(t *testing.T) {
	for _, c := range []struct {
		acls string // separated by ;
		open bool
		yes  string
		no   string
	}{
		{yes: "root read topic:t;root alter cluster", no: "alice read topic:t;alice describe cluster"},
		{open: true, yes: "alice read topic:t;alice alter cluster"},
		{
			acls: "alice read topic:orders",
			yes:  "alice read topic:orders;alice describe topic:orders",
			no:   "alice write topic:orders;alice read topic:order;alice read topic:orders2;bob read topic:orders;alice read group:orders;alice describe_configs topic:orders",
		},
		{acls: "alice read topic:orders", open: true, yes: "bob read topic:other", no: "bob read topic:orders;alice write topic:orders"},
		{acls: "alice alter_configs topic:t", yes: "alice describe_configs topic:t", no: "alice describe topic:t"},
		{acls: "alice all topic:t", yes: "alice read topic:t;alice alter_configs topic:t"},
		{acls: "alice read topic:*;deny alice read topic:secret", yes: "alice read topic:t;alice describe topic:secret", no: "alice read topic:secret"},
		{acls: "alice read topic:t;deny * read topic:*", no: "alice read topic:t", yes: "root read topic:t"},
		{acls: "* read topic:t", yes: "alice read topic:t;bob read topic:t"},
		{acls: "alice read topic:t from 10.0.0.1;bob read topic:t from 10.0.0.2", yes: "alice read topic:t", no: "bob read topic:t"},
		{
			acls: "alice read topic:team-*;alice read topic:te*;deny alice read topic:team-x*;alice read topic:tz*",
			yes:  "alice read topic:team-a;alice read topic:team-;alice read topic:test;alice read topic:te",
			no:   "alice read topic:t;alice read topic:team-x;alice read topic:team-xyz;alice read topic:u",
		},
	} {
		var texts []string
		if c.acls != "" {
			texts = strings.Split(c.acls, ";")
		}
		r := rules(t, c.open, texts...)
		for want, list := range map[bool]string{true: c.yes, false: c.no} {
			for q := range strings.SplitSeq(list, ";") {
				if q != "" && may(t, r, q) != want {
					t.Errorf("%q, open %v: may %s? %v, want %v", c.acls, c.open, q, !want, want)
				}
			}
		}
	}
}

// The prefixes are found as if each ACL had been looked at.
func TestPrefixesAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(least, most int) string {
		b := make([]byte, least+random.IntN(most-least+1))
		for i := range b {
			b[i] = "ab-"[random.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		var texts []string
		want := map[string]bool{}
		for range random.IntN(8) {
			p := word(1, 4)
			texts, want[p] = append(texts, "alice read topic:"+p+"*"), true
		}
		r := rules(t, false, texts...)
		name := word(1, 6)
		found := ""
		r.prefixes(kmsg.ACLResourceTypeTopic, name, func(of resourceACLs) { found += of.Name + " " })
		expected := ""
		for n := len(name); n > 0; n-- {
			if want[name[:n]] {
				expected += name[:n] + " "
			}
		}
		if found != expected {
			t.Fatalf("of %v, %q has %q, want %q", texts, name, found, expected)
		}
	}
}

func TestMayAnything(t *testing.T) {
	for acls, want := range map[string]bool{
		"alice write topic:t":                                                      true,
		"alice write topic:t*":                                                     true,
		"alice write topic:*":                                                      true,
		"alice all topic:t":                                                        true,
		"alice read topic:t":                                                       false,
		"bob write topic:t":                                                        false,
		"alice write topic:t from 10.0.0.2":                                        false,
		"alice write group:t":                                                      false,
		"alice write topic:t;deny alice write topic:t":                             false,
		"alice write topic:t;deny alice write topic:u":                             true,
		"alice write topic:team-1;deny alice write topic:team-*":                   false,
		"alice write topic:t*;deny alice write topic:team-*":                       true,
		"alice write topic:t;deny alice all topic:*":                               false,
		"alice write topic:*;deny alice write topic:t*":                            true,
		"alice write topic:team-1*;deny alice write topic:team-*;bob read topic:x": false,
	} {
		if got := rules(t, false, strings.Split(acls, ";")...).MayAny(Client{User("alice"), here}, kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic); got != want {
			t.Errorf("%s: %v", acls, got)
		}
	}
	if !rules(t, false).MayAny(Client{User("root"), here}, kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic) {
		t.Error("a super user may not")
	}
}

func TestRulesNeverChange(t *testing.T) {
	before := rules(t, false, "alice read topic:t", "alice read topic:t")
	all := &Filter{Type: kmsg.ACLResourceTypeAny, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
	if n := len(before.Find(all)); n != 1 {
		t.Errorf("the same ACL twice is %d", n)
	}
	more, _ := ParseACL("bob read,write topic:t")
	after := before.With(more...)
	bob := *all
	bob.Principal = new("User:bob")
	last, gone := after.Without(&bob)
	if len(before.Find(all)) != 1 || len(after.Find(all)) != 3 || len(last.Find(all)) != 1 || len(gone) != 2 {
		t.Errorf("%d, %d, %d, %d", len(before.Find(all)), len(after.Find(all)), len(last.Find(all)), len(gone))
	}
	last, _ = last.Without(all)
	if last.acls.Len() != 0 {
		t.Error("a resource without ACLs stays")
	}
}

func TestFilters(t *testing.T) {
	r := rules(t, false, "alice read topic:foo", "alice read topic:fo*", "alice read topic:*", "alice read group:foo", "deny bob write topic:foo from 10.0.0.1")
	topic, foo := kmsg.ACLResourceTypeTopic, new("foo")
	for name, c := range map[string]struct {
		f    Filter
		want int
	}{
		"all":       {Filter{}, 5},
		"topics":    {Filter{Type: topic}, 4},
		"literal":   {Filter{Type: topic, Pattern: kmsg.ACLResourcePatternTypeLiteral, Name: foo}, 2},
		"prefixed":  {Filter{Pattern: kmsg.ACLResourcePatternTypePrefixed}, 1},
		"by name":   {Filter{Name: foo}, 3},
		"match":     {Filter{Type: topic, Pattern: kmsg.ACLResourcePatternTypeMatch, Name: foo}, 4},
		"match any": {Filter{Pattern: kmsg.ACLResourcePatternTypeMatch}, 5},
		"principal": {Filter{Principal: new("User:bob")}, 1},
		"host":      {Filter{Host: new("*")}, 4},
		"operation": {Filter{Operation: kmsg.ACLOperationWrite}, 1},
		"deny":      {Filter{Permission: kmsg.ACLPermissionTypeDeny}, 1},
	} {
		f := c.f
		if f.Type == 0 {
			f.Type = kmsg.ACLResourceTypeAny
		}
		if f.Pattern == 0 {
			f.Pattern = kmsg.ACLResourcePatternTypeAny
		}
		if f.Operation == 0 {
			f.Operation = kmsg.ACLOperationAny
		}
		if f.Permission == 0 {
			f.Permission = kmsg.ACLPermissionTypeAny
		}
		if got := len(r.Find(&f)); got != c.want || f.Check() != "" {
			t.Errorf("%s: %d ACLs, want %d; %s", name, got, c.want, f.Check())
		}
	}
	if got := (&Filter{}).Check(); got != "Unknown patternFilter." {
		t.Error(got)
	}
}

func TestParseACL(t *testing.T) {
	acls, err := ParseACL("deny User:carol read,alter-configs transactional_id:tx-* from 10.0.0.2")
	if err != nil || len(acls) != 2 || acls[1] != (ACL{Resource{kmsg.ACLResourceTypeTransactionalId, kmsg.ACLResourcePatternTypePrefixed, "tx-"}, "User:carol", "10.0.0.2", kmsg.ACLOperationAlterConfigs, kmsg.ACLPermissionTypeDeny}) {
		t.Errorf("%+v, %v", acls, err)
	}
	for text, want := range map[string]string{
		"alice read":                  "such as",
		"alice fly topic:t":           "no operation",
		"alice read house:t":          "no type of resource",
		"alice read topic:":           "empty",
		"alice read cluster:other":    "kafka-cluster",
		"alice any topic:t":           "Invalid operation ANY",
		"alice read any:t":            "Invalid resourceType ANY",
		"alice: read topic:t":         "Could not parse principal",
		"alice read topic:t from":     "such as",
		"alice read topic:t at 1.2.3": "such as",
	} {
		if _, err := ParseACL(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func BenchmarkMay(b *testing.B) {
	r := rules(b, false)
	for i := range 10000 {
		acls, _ := ParseACL(fmt.Sprintf("user-%d read topic:team-%d-*", i, i))
		r = r.With(acls...)
	}
	c := Client{User("user-5000"), here}
	for b.Loop() {
		if !r.May(c, kmsg.ACLOperationRead, kmsg.ACLResourceTypeTopic, "team-5000-orders") {
			b.Fatal("may not")
		}
	}
}

func TestAnACLIsWrittenAsItIsRead(t *testing.T) {
	for _, text := range []string{"alice read topic:orders", "deny alice write topic:team-* from 10.0.0.1", "* describe cluster", "Group:devs all group:*", "alice describe_configs transactional_id:t"} {
		acls, err := ParseACL(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseACL(acls[0].String())
		if err != nil || len(acls) != 1 || again[0] != acls[0] {
			t.Errorf("%q is written %q (%v)", text, acls[0], err)
		}
	}
}
