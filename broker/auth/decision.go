package auth

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Rule is what decided whether somebody may do something.
type Rule string

// All rules, in the order in which they count.
const (
	BySuperUser Rule = "super_user" // the principal is among super.users
	ByDeny      Rule = "deny"       // an ACL denies it
	ByAllow     Rule = "allow"      // an ACL allows it
	ByDefault   Rule = "default"    // no ACL is about the resource, and allow.everyone.if.no.acl.found is true
	ByNothing   Rule = "none"       // nothing allows it
)

// RuleNames are all rules.
var RuleNames = []Rule{BySuperUser, ByDeny, ByAllow, ByDefault, ByNothing}

// Decision is whether somebody may do something, and why.
type Decision struct {
	Allowed bool
	Rule    Rule
	ACL     *ACL  // that decided, of ByDeny and ByAllow; it never changes
	Seen    []ACL // all that are about the resource, for whomever
}

// Decide is [Rules.May] with the reason. Of a PREFIXED resource it says what
// holds for all names with the prefix, however they go on.
func (r *Rules) Decide(c Client, op kmsg.ACLOperation, res Resource) Decision {
	var seen []ACL
	d := r.decide(c, op, res, &seen)
	d.Seen = seen
	return d
}

// decide is Decide; it notes what it sees, if somebody wants that.
func (r *Rules) decide(c Client, op kmsg.ACLOperation, res Resource, seen *[]ACL) Decision {
	if r.Super[c.Principal] {
		return Decision{Allowed: true, Rule: BySuperUser}
	}
	any := false
	var allow, deny *ACL
	look := func(of resourceACLs) {
		any = any || len(of.acls) > 0
		if seen != nil {
			*seen = append(*seen, of.acls...)
		}
		for i := range of.acls {
			switch a := &of.acls[i]; {
			case !a.about(c) || !a.implies(op):
			case a.Permission == kmsg.ACLPermissionTypeDeny:
				if deny == nil {
					deny = a
				}
			case allow == nil:
				allow = a
			}
		}
	}
	literal := func(name string) {
		if of, ok := r.acls.Get(resourceACLs{Resource: Resource{res.Type, kmsg.ACLResourcePatternTypeLiteral, name}}); ok {
			look(of)
		}
	}
	if res.Pattern != kmsg.ACLResourcePatternTypePrefixed && res.Name != Wildcard {
		literal(res.Name)
	}
	literal(Wildcard)
	r.prefixes(res.Type, res.Name, look)
	switch {
	case deny != nil:
		return Decision{Rule: ByDeny, ACL: deny}
	case allow != nil:
		return Decision{Allowed: true, Rule: ByAllow, ACL: allow}
	case r.Open && !any:
		return Decision{Allowed: true, Rule: ByDefault}
	}
	return Decision{Rule: ByNothing}
}

// SuperUsers are the principals that may do everything, in order.
func (r *Rules) SuperUsers() []string { return texts(maps.Keys(r.Super)) }

// Principals are those that ACLs and super.users name, in order, but not
// everybody.
func (r *Rules) Principals() []string {
	all := maps.Clone(r.Super)
	if all == nil {
		all = map[Principal]bool{}
	}
	for _, a := range r.Find(new(Every())) {
		if p, ok := ParsePrincipal(a.Principal); ok && p != Anybody {
			all[p] = true
		}
	}
	return texts(maps.Keys(all))
}

func texts(all iter.Seq[Principal]) []string {
	names := []string{}
	for p := range all {
		names = append(names, p.String())
	}
	slices.Sort(names)
	return names
}

// Verdict is a decision about one principal, at one place, for one operation on
// one resource or prefix.
type Verdict struct {
	Principal Principal
	Host      string // an address; Wildcard: all that no ACL names
	Resource  Resource
	Operation kmsg.ACLOperation
	Decision
}

// client is who asks from a host as ACLs have it: one that matches no address
// stands for all others.
func client(p Principal, host string) Client {
	addr, _ := netip.ParseAddr(host)
	return Client{p, addr.Unmap()}
}

// WhoMay says of each principal that an ACL or super.users names, and of
// everybody else (User:*), whether it may do something with a resource. A host
// that ACLs name has a verdict of its own where that is another; host not empty:
// the verdicts are for that one.
func (r *Rules) WhoMay(op kmsg.ACLOperation, res Resource, host string) []Verdict {
	hosts := map[Principal]map[string]bool{Anybody: {}}
	for p := range r.Super {
		hosts[p] = map[string]bool{}
	}
	everywhere := map[string]bool{}
	for _, a := range r.Find(&Filter{Type: res.Type, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}) {
		p, _ := ParsePrincipal(a.Principal)
		if hosts[p] == nil {
			hosts[p] = map[string]bool{}
		}
		if a.Host != Wildcard && a.implies(op) && a.covers(res) {
			if p == Anybody {
				everywhere[a.Host] = true
			}
			hosts[p][a.Host] = true
		}
	}
	var all []Verdict
	for p, of := range hosts {
		at := []string{Wildcard}
		if host != "" {
			at[0] = host
		} else if !r.Super[p] {
			maps.Copy(of, everywhere)
			at = append(at, slices.Sorted(maps.Keys(of))...)
		}
		elsewhere := r.Decide(client(p, at[0]), op, res)
		for i, h := range at {
			if d := r.Decide(client(p, h), op, res); i == 0 || d.Allowed != elsewhere.Allowed {
				all = append(all, Verdict{p, h, res, op, d})
			}
		}
	}
	slices.SortFunc(all, Verdict.compare)
	return all
}

// WhatMay says what a principal may do and may not: with each resource and
// prefix that an ACL about it, or about everybody, names, for each operation
// that an ACL decides. Hosts are as in [Rules.WhoMay]. A super user may do everything, and has no verdicts.
func (r *Rules) WhatMay(p Principal, host string) []Verdict {
	if r.Super[p] {
		return nil
	}
	var resources []Resource
	hosts := map[string]bool{}
	for _, a := range r.Find(new(Every())) {
		if !a.names(p) {
			continue
		}
		if len(resources) == 0 || resources[len(resources)-1] != a.Resource {
			resources = append(resources, a.Resource) // those of one are together
		}
		if a.Host != Wildcard {
			hosts[a.Host] = true
		}
	}
	at := append([]string{Wildcard}, slices.Sorted(maps.Keys(hosts))...)
	if host != "" {
		at = []string{host}
	}
	var all []Verdict
	for _, res := range resources {
		for _, op := range operations[res.Type] {
			elsewhere := r.Decide(client(p, at[0]), op, res)
			for i, h := range at {
				d := r.Decide(client(p, h), op, res)
				if d.ACL != nil && (i == 0 || d.Allowed != elsewhere.Allowed) {
					all = append(all, Verdict{p, h, res, op, d})
				}
			}
		}
	}
	return all
}

// covers says whether an ACL is about a resource or a whole prefix.
func (a *ACL) covers(res Resource) bool {
	if res.Pattern == kmsg.ACLResourcePatternTypePrefixed && a.Resource.Pattern != kmsg.ACLResourcePatternTypePrefixed {
		return a.Resource.Name == Wildcard
	}
	f := Filter{Type: res.Type, Pattern: kmsg.ACLResourcePatternTypeMatch, Name: &res.Name}
	return f.names(&a.Resource)
}

// compare is by principal, everybody last, then by host, those that no ACL names
// first.
func (v Verdict) compare(o Verdict) int {
	if v.Principal != o.Principal {
		if v.Principal == Anybody || o.Principal == Anybody {
			return cmp.Compare(btoi(v.Principal == Anybody), btoi(o.Principal == Anybody))
		}
		return cmp.Compare(v.Principal.String(), o.Principal.String())
	}
	return cmp.Or(cmp.Compare(btoi(v.Host != Wildcard), btoi(o.Host != Wildcard)), cmp.Compare(v.Host, o.Host))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Remedy is the ACL that would have let a client do something; of what a DENY
// keeps it from there is none: that one has to go.
func (d *Decision) Remedy(p Principal, op kmsg.ACLOperation, res Resource) (a ACL, ok bool) {
	if d.Allowed || d.Rule == ByDeny {
		return ACL{}, false
	}
	return ACL{Resource: res, Principal: p.String(), Host: Wildcard, Operation: op, Permission: kmsg.ACLPermissionTypeAllow}, true
}
