package auth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names that ACLs have for everything.
const (
	Wildcard = "*"             // any host, or any resource of a type
	Cluster  = "kafka-cluster" // the one resource of type CLUSTER
)

// twoPhaseCommit is an operation that kmsg does not name yet (KIP-939).
const twoPhaseCommit kmsg.ACLOperation = 15

// Resource is what an ACL is about, or a group of such things.
type Resource struct {
	Type kmsg.ACLResourceType
	// Pattern is LITERAL, also for Name "*", which is every resource of the
	// type; or PREFIXED: every resource whose name begins with Name (KIP-290).
	Pattern kmsg.ACLResourcePatternType
	Name    string
}

// ACL lets a principal do something, or keeps it from that
// (org.apache.kafka.common.acl.AclBinding).
type ACL struct {
	Resource   Resource
	Principal  string // TYPE:NAME; User:* is everybody
	Host       string // an IP address; * is every one
	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Check says what is wrong with an ACL that somebody wants; "" is nothing
// (org.apache.kafka.controller.AclControlManager.validateNewAcl). The name of a
// CLUSTER resource and an empty one are refused by the broker before
// (kafka.server.AclApis).
func (a *ACL) Check() string {
	switch t := a.Resource.Type; {
	case t == kmsg.ACLResourceTypeCluster && a.Resource.Name != Cluster:
		return "The only valid name for the CLUSTER resource is " + Cluster
	case a.Resource.Name == "":
		return "Invalid empty resource name"
	case t < kmsg.ACLResourceTypeTopic || t > kmsg.ACLResourceTypeUser:
		return fmt.Sprintf("Invalid resourceType %s", named(t, kmsg.ACLResourceTypeAny, "ANY"))
	}
	switch p := a.Resource.Pattern; p {
	case kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed:
	case kmsg.ACLResourcePatternTypeAny:
		return "Invalid patternType ANY"
	case kmsg.ACLResourcePatternTypeMatch:
		return "Invalid patternType MATCH"
	default:
		return "Invalid patternType UNKNOWN"
	}
	if op := a.Operation; op < kmsg.ACLOperationAll || op > twoPhaseCommit {
		return fmt.Sprintf("Invalid operation %s", named(op, kmsg.ACLOperationAny, "ANY"))
	}
	if p := a.Permission; p != kmsg.ACLPermissionTypeAllow && p != kmsg.ACLPermissionTypeDeny {
		return fmt.Sprintf("Invalid permissionType %s", named(p, kmsg.ACLPermissionTypeAny, "ANY"))
	}
	if _, ok := ParsePrincipal(a.Principal); !ok {
		return fmt.Sprintf("Could not parse principal from `%s` (no colon is present separating the principal type from the principal name)", a.Principal)
	}
	return ""
}

func named[T comparable](value, any T, name string) string {
	if value == any {
		return name
	}
	return "UNKNOWN"
}

// Filter is which ACLs are meant
// (org.apache.kafka.common.acl.AclBindingFilter).
type Filter struct {
	Type    kmsg.ACLResourceType        // or ANY
	Pattern kmsg.ACLResourcePatternType // or ANY; or MATCH: every pattern that has the name
	// Name, Principal and Host are those of the ACL; nil: any.
	Name, Principal, Host *string
	Operation             kmsg.ACLOperation      // or ANY
	Permission            kmsg.ACLPermissionType // or ANY
}

// Every is the filter that means all ACLs.
func Every() Filter {
	return Filter{Type: kmsg.ACLResourceTypeAny, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
}

// Check says what is wrong with a filter; "" is nothing.
func (f *Filter) Check() string {
	switch {
	case f.Type < kmsg.ACLResourceTypeAny || f.Type > kmsg.ACLResourceTypeUser,
		f.Pattern < kmsg.ACLResourcePatternTypeAny || f.Pattern > kmsg.ACLResourcePatternTypePrefixed:
		return "Unknown patternFilter."
	case f.Operation < kmsg.ACLOperationAny || f.Operation > twoPhaseCommit,
		f.Permission < kmsg.ACLPermissionTypeAny || f.Permission > kmsg.ACLPermissionTypeAllow:
		return "Unknown entryFilter."
	}
	return ""
}

// Matches says whether an ACL is meant.
func (f *Filter) Matches(a *ACL) bool {
	return (f.Type == kmsg.ACLResourceTypeAny || f.Type == a.Resource.Type) &&
		f.names(&a.Resource) &&
		(f.Principal == nil || *f.Principal == a.Principal) &&
		(f.Host == nil || *f.Host == a.Host) &&
		(f.Operation == kmsg.ACLOperationAny || f.Operation == a.Operation) &&
		(f.Permission == kmsg.ACLPermissionTypeAny || f.Permission == a.Permission)
}

// names is org.apache.kafka.common.resource.ResourcePatternFilter.matches.
func (f *Filter) names(r *Resource) bool {
	switch {
	case f.Pattern != kmsg.ACLResourcePatternTypeAny && f.Pattern != kmsg.ACLResourcePatternTypeMatch && f.Pattern != r.Pattern:
		return false
	case f.Name == nil:
		return true
	case f.Pattern != kmsg.ACLResourcePatternTypeMatch:
		return *f.Name == r.Name
	case r.Pattern == kmsg.ACLResourcePatternTypePrefixed:
		return strings.HasPrefix(*f.Name, r.Name)
	}
	return *f.Name == r.Name || r.Name == Wildcard
}

// ParseACL reads an ACL as people write it:
//
//	[deny] USER OPERATION[,OPERATION...] TYPE:NAME [from HOST]
//
// such as "alice read,write topic:orders", "bob all group:team-*" or "deny *
// delete topic:*". A name that ends with * is a prefix; * alone is every name;
// the cluster has no name. Operations and types are Kafka's, in any case and with
// - or _ or neither. Each operation is an ACL.
func ParseACL(text string) ([]ACL, error) {
	words := strings.Fields(text)
	acl := ACL{Permission: kmsg.ACLPermissionTypeAllow, Host: Wildcard}
	if len(words) > 0 && (words[0] == "deny" || words[0] == "allow") {
		if words[0] == "deny" {
			acl.Permission = kmsg.ACLPermissionTypeDeny
		}
		words = words[1:]
	}
	if len(words) == 5 && words[3] == "from" {
		acl.Host, words = words[4], words[:3]
	}
	if len(words) != 3 {
		return nil, fmt.Errorf("the ACL %q is not [deny] USER OPERATIONS TYPE:NAME [from HOST], such as: alice read,write topic:orders", text)
	}
	acl.Principal = words[0]
	if !strings.Contains(words[0], ":") {
		acl.Principal = User(words[0]).String()
	}
	kind, name, _ := strings.Cut(words[2], ":")
	var err error
	if acl.Resource.Type, err = kmsg.ParseACLResourceType(kind); err != nil {
		return nil, fmt.Errorf("the ACL %q: %q is no type of resource: use topic, group, cluster, transactional_id, delegation_token or user", text, kind)
	}
	acl.Resource.Name, acl.Resource.Pattern = name, kmsg.ACLResourcePatternTypeLiteral
	switch {
	case acl.Resource.Type == kmsg.ACLResourceTypeCluster && name == "":
		acl.Resource.Name = Cluster
	case len(name) > 1 && strings.HasSuffix(name, Wildcard):
		acl.Resource.Name, acl.Resource.Pattern = strings.TrimSuffix(name, Wildcard), kmsg.ACLResourcePatternTypePrefixed
	}
	var acls []ACL
	for op := range strings.SplitSeq(words[1], ",") {
		if acl.Operation, err = kmsg.ParseACLOperation(op); err != nil {
			return nil, fmt.Errorf("the ACL %q: %q is no operation: use all, read, write, create, delete, alter, describe, alter_configs, describe_configs, cluster_action or idempotent_write", text, op)
		}
		if wrong := acl.Check(); wrong != "" {
			return nil, fmt.Errorf("the ACL %q: %s", text, wrong)
		}
		acls = append(acls, acl)
	}
	return acls, nil
}

// String writes an ACL as [ParseACL] reads it.
func (a ACL) String() string {
	text := ""
	if a.Permission == kmsg.ACLPermissionTypeDeny {
		text = "deny "
	}
	resource := strings.ToLower(a.Resource.Type.String())
	if a.Resource.Type != kmsg.ACLResourceTypeCluster {
		resource += ":" + a.Resource.Name
	}
	if a.Resource.Pattern == kmsg.ACLResourcePatternTypePrefixed {
		resource += Wildcard
	}
	text += strings.TrimPrefix(a.Principal, userType+":") + " " + strings.ToLower(a.Operation.String()) + " " + resource
	if a.Host != Wildcard {
		text += " from " + a.Host
	}
	return text
}

// Operations are those that there are for a type of resource
// (org.apache.kafka.security.authorizer.AclEntry.supportedOperations).
func Operations(t kmsg.ACLResourceType) []kmsg.ACLOperation { return operations[t] }

var operations = map[kmsg.ACLResourceType][]kmsg.ACLOperation{
	kmsg.ACLResourceTypeTopic: {kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationCreate, kmsg.ACLOperationDescribe,
		kmsg.ACLOperationDelete, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs},
	kmsg.ACLResourceTypeGroup: {kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete,
		kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs},
	kmsg.ACLResourceTypeCluster: {kmsg.ACLOperationCreate, kmsg.ACLOperationClusterAction, kmsg.ACLOperationDescribeConfigs,
		kmsg.ACLOperationAlterConfigs, kmsg.ACLOperationIdempotentWrite, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe},
	kmsg.ACLResourceTypeTransactionalId: {kmsg.ACLOperationDescribe, kmsg.ACLOperationWrite, twoPhaseCommit},
	kmsg.ACLResourceTypeDelegationToken: {kmsg.ACLOperationDescribe},
	kmsg.ACLResourceTypeUser:            {kmsg.ACLOperationCreateTokens, kmsg.ACLOperationDescribeTokens},
}

// compare is by resource: by type, pattern and name.
func (r Resource) compare(o Resource) int {
	if c := int(r.Type) - int(o.Type); c != 0 {
		return c
	}
	if c := int(r.Pattern) - int(o.Pattern); c != 0 {
		return c
	}
	return strings.Compare(r.Name, o.Name)
}

// has says whether an ACL is in a list.
func has(acls []ACL, a *ACL) bool { return slices.Contains(acls, *a) }
