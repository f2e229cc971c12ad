package auth

import (
	"net/netip"
	"strings"

	"github.com/tidwall/btree"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Rules are all ACLs, and what holds where none is. They never change: With and
// Without return others, which share what is the same. They decide as
// org.apache.kafka.metadata.authorizer.StandardAuthorizer does.
type Rules struct {
	// Super are the principals that may do everything.
	Super map[Principal]bool
	// Open: what no ACL is about, everybody may do
	// (allow.everyone.if.no.acl.found).
	Open bool

	acls *btree.BTreeG[resourceACLs] // by Resource.compare
}

// resourceACLs are the ACLs of one resource or pattern. They never change.
type resourceACLs struct {
	Resource
	acls []ACL
}

// NewRules is rules without ACLs.
func NewRules(super map[Principal]bool, open bool) *Rules {
	return &Rules{Super: super, Open: open, acls: btree.NewBTreeGOptions(
		func(a, b resourceACLs) bool { return a.compare(b.Resource) < 0 }, btree.Options{NoLocks: true})}
}

func (r *Rules) next() *Rules {
	return &Rules{Super: r.Super, Open: r.Open, acls: r.acls.Copy()}
}

// WithACLsOf is the rules with the ACLs of others instead of their own.
func (r *Rules) WithACLsOf(o *Rules) *Rules {
	return &Rules{Super: r.Super, Open: r.Open, acls: o.acls.Copy()}
}

// With is the rules with further ACLs; one that is there already stays one.
func (r *Rules) With(acls ...ACL) *Rules {
	n := r.next()
	for i := range acls {
		a := &acls[i]
		of, _ := n.acls.Get(resourceACLs{Resource: a.Resource})
		if !has(of.acls, a) {
			n.acls.Set(resourceACLs{a.Resource, append(of.acls[:len(of.acls):len(of.acls)], *a)})
		}
	}
	return n
}

// Without is the rules without the ACLs of a filter, and which those were.
func (r *Rules) Without(f *Filter) (n *Rules, gone []ACL) {
	gone = r.Find(f)
	if len(gone) == 0 {
		return r, nil
	}
	n = r.next()
	for i := range gone {
		of, _ := n.acls.Get(resourceACLs{Resource: gone[i].Resource})
		var stay []ACL
		for _, a := range of.acls {
			if !f.Matches(&a) {
				stay = append(stay, a)
			}
		}
		if len(stay) > 0 {
			n.acls.Set(resourceACLs{of.Resource, stay})
		} else {
			n.acls.Delete(of)
		}
	}
	return n, gone
}

// Find lists the ACLs of a filter, those of a resource together.
func (r *Rules) Find(f *Filter) (found []ACL) {
	r.acls.Scan(func(of resourceACLs) bool {
		for i := range of.acls {
			if f.Matches(&of.acls[i]) {
				found = append(found, of.acls[i])
			}
		}
		return true
	})
	return found
}

// Client is who asks, and from where.
type Client struct {
	Principal Principal
	Host      netip.Addr
}

// May says whether a client may do something with a resource. A DENY counts
// before any ALLOW.
func (r *Rules) May(c Client, op kmsg.ACLOperation, t kmsg.ACLResourceType, name string) bool {
	return r.decide(c, op, Resource{t, kmsg.ACLResourcePatternTypeLiteral, name}, nil).Allowed
}

// prefixes looks at the ACLs of each prefix that a name has. Those are found
// backwards from the name: what sorts before it and is no prefix says, by what
// they have in common, how long the next prefix can be at most.
func (r *Rules) prefixes(t kmsg.ACLResourceType, name string, look func(resourceACLs)) {
	for upTo, more := name, true; more; {
		more = false
		r.acls.Descend(resourceACLs{Resource: Resource{t, kmsg.ACLResourcePatternTypePrefixed, upTo}}, func(of resourceACLs) bool {
			if of.Type != t || of.Pattern != kmsg.ACLResourcePatternTypePrefixed {
				return false
			}
			if strings.HasPrefix(name, of.Name) {
				look(of)
				return true
			}
			n := 0
			for n < len(of.Name) && n < len(name) && of.Name[n] == name[n] {
				n++
			}
			upTo, more = name[:n], n > 0
			return false
		})
	}
}

// MayAny says whether a client may do something with any resource of a type
// (org.apache.kafka.server.authorizer.Authorizer.authorizeByResourceType,
// KIP-679).
func (r *Rules) MayAny(c Client, op kmsg.ACLOperation, t kmsg.ACLResourceType) bool {
	if r.May(c, op, t, "hardcode") {
		return true
	}
	var allowed []Resource
	deniedNames, deniedPrefixes := make(map[string]bool), make(map[string]bool)
	everything, nothing := false, false
	r.acls.Ascend(resourceACLs{Resource: Resource{Type: t}}, func(of resourceACLs) bool {
		if of.Type != t {
			return false
		}
		for i := range of.acls {
			a := &of.acls[i]
			prefixed := of.Pattern == kmsg.ACLResourcePatternTypePrefixed
			switch {
			case !a.about(c) || a.Operation != op && a.Operation != kmsg.ACLOperationAll:
			case a.Permission == kmsg.ACLPermissionTypeAllow && !prefixed && of.Name == Wildcard:
				everything = true
			case a.Permission == kmsg.ACLPermissionTypeAllow:
				allowed = append(allowed, of.Resource)
			case prefixed:
				deniedPrefixes[of.Name] = true
			case of.Name == Wildcard:
				nothing = true
			default:
				deniedNames[of.Name] = true
			}
		}
		return true
	})
	if nothing || everything {
		return !nothing
	}
	for _, a := range allowed {
		denied := a.Pattern == kmsg.ACLResourcePatternTypeLiteral && deniedNames[a.Name]
		for n := 1; n <= len(a.Name) && !denied; n++ {
			denied = deniedPrefixes[a.Name[:n]]
		}
		if !denied {
			return true
		}
	}
	return false
}

// Allowed is the operations that a client may do with a resource, as answers
// have them: a bit for each, at its number.
func (r *Rules) Allowed(c Client, t kmsg.ACLResourceType, name string) (bits int32) {
	for _, op := range operations[t] {
		if r.May(c, op, t, name) {
			bits |= 1 << op
		}
	}
	return bits
}

// about says whether an ACL is about a client.
func (a *ACL) about(c Client) bool {
	if !a.names(c.Principal) {
		return false
	}
	if a.Host == Wildcard {
		return true
	}
	host, err := netip.ParseAddr(a.Host)
	return err == nil && host.Unmap() == c.Host
}

// names says whether an ACL is about a principal, wherever it is.
func (a *ACL) names(p Principal) bool {
	return a.Principal == Anybody.String() || a.Principal == p.String()
}

// implies says whether an ACL has a say about an operation. An ALLOW of what
// needs to see a thing lets it be seen, too; a DENY denies just what it names.
func (a *ACL) implies(op kmsg.ACLOperation) bool {
	if a.Operation == op || a.Operation == kmsg.ACLOperationAll {
		return true
	}
	if a.Permission != kmsg.ACLPermissionTypeAllow {
		return false
	}
	switch op {
	case kmsg.ACLOperationDescribe:
		switch a.Operation {
		case kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDelete, kmsg.ACLOperationAlter:
			return true
		}
	case kmsg.ACLOperationDescribeConfigs:
		return a.Operation == kmsg.ACLOperationAlterConfigs
	}
	return false
}
