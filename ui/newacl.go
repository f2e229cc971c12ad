package ui

// This file owns making ACLs: what a kind of program needs, shown before it is
// created.

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

type newACLView struct {
	// What would be created, once the form was filled in, and the same for a
	// command line.
	ACLs    []aclRow `json:"acls"`
	Command string   `json:"command"`
	// What can be chosen.
	Kinds       []string `json:"-"`
	Resources   []string `json:"-"`
	Operations  []string `json:"-"`
	Patterns    []string `json:"-"`
	Permissions []string `json:"-"`
	Principals  []string `json:"-"`
	Topics      []string `json:"-"`
	Groups      []string `json:"-"`
}

// aclKinds are the programs whose needs are known, and an ACL of one's own.
var aclKinds = []string{"custom", "producer", "transactional", "consumer", "transform", "streams", "admin"}

// planACLs are the ACLs that a form asks for. producer, consumer and the like are
// what kafka-acls gives for --producer, --consumer and --idempotent, and no more
// than such a program needs.
func planACLs(r *http.Request) ([]auth.ACL, error) {
	field := func(name string) string { return strings.TrimSpace(r.Form.Get(name)) }
	wrong := func(key string) error { return say(http.StatusUnprocessableEntity, key) }
	principal, host := field("principal"), field("host")
	if principal != "" && !strings.Contains(principal, ":") {
		principal = auth.User(principal).String()
	}
	if _, ok := auth.ParsePrincipal(principal); !ok {
		return nil, wrong("problem.acl")
	}
	if host == "" {
		host = auth.Wildcard
	}
	if _, err := netip.ParseAddr(host); err != nil && host != auth.Wildcard {
		return nil, wrong("problem.acl.host")
	}
	pattern := kmsg.ACLResourcePatternTypeLiteral
	if strings.EqualFold(field("pattern"), "PREFIXED") {
		pattern = kmsg.ACLResourcePatternTypePrefixed
	}
	var all []auth.ACL
	missing := false
	allow := func(t kmsg.ACLResourceType, name string, operations ...kmsg.ACLOperation) {
		p := pattern
		if t == kmsg.ACLResourceTypeCluster || name == auth.Wildcard {
			p = kmsg.ACLResourcePatternTypeLiteral
		}
		missing = missing || name == ""
		for _, op := range operations {
			all = append(all, auth.ACL{Resource: auth.Resource{Type: t, Pattern: p, Name: name}, Principal: principal, Host: host, Operation: op, Permission: kmsg.ACLPermissionTypeAllow})
		}
	}
	const (
		topics, groups, ids, cluster   = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId, kmsg.ACLResourceTypeCluster
		read, write, describe, operate = kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe, kmsg.ACLOperationAll
		create, remove                 = kmsg.ACLOperationCreate, kmsg.ACLOperationDelete
	)
	topic, group, id := field("topic"), field("group"), field("transaction")
	switch field("kind") {
	case "producer": // of any topic that may be written to, idempotence comes along (KIP-679)
		allow(topics, topic, write, describe, create)
	case "transactional":
		allow(topics, topic, write, describe, create)
		allow(ids, id, write, describe)
	case "consumer":
		allow(topics, topic, read, describe)
		allow(groups, group, read)
	case "transform": // reads, writes and commits in one transaction
		allow(topics, topic, read, describe)
		allow(topics, field("to"), write, describe, create)
		allow(groups, group, read)
		allow(ids, id, write, describe)
	case "streams": // the application's own topics, groups and ids begin with its id
		allow(topics, topic, read, describe)
		allow(topics, field("to"), write, describe)
		pattern = kmsg.ACLResourcePatternTypePrefixed
		allow(topics, group, read, write, describe, create, remove, kmsg.ACLOperationDescribeConfigs)
		allow(groups, group, read, remove)
		allow(ids, group, write, describe)
	case "admin":
		for _, t := range []kmsg.ACLResourceType{topics, groups, ids} {
			allow(t, auth.Wildcard, operate)
		}
		allow(cluster, auth.Cluster, operate)
	case "", "custom":
		t, err1 := kmsg.ParseACLResourceType(field("resource"))
		permission, err2 := kmsg.ParseACLPermissionType(cmp.Or(field("permission"), "ALLOW"))
		name := field("name")
		if t == cluster {
			name = auth.Cluster // the only one there is
		}
		if errors.Join(err1, err2) != nil || name == "" {
			return nil, wrong("problem.acl")
		}
		for _, text := range r.Form["operation"] {
			op, err := kmsg.ParseACLOperation(text)
			if known := auth.Operations(t); err != nil || op != operate && !slices.Contains(known, op) {
				return nil, say(http.StatusUnprocessableEntity, "problem.acl.operation", t, names(known))
			}
			allow(t, name, op)
		}
		for i := range all {
			all[i].Permission = permission
		}
	default:
		return nil, wrong("problem.form")
	}
	if missing || len(all) == 0 {
		return nil, wrong("problem.acl.names")
	}
	for i := range all {
		if all[i].Check() != "" {
			return nil, wrong("problem.acl")
		}
	}
	return all, nil
}

func names(all []kmsg.ACLOperation) string {
	texts := make([]string, len(all))
	for i, op := range all {
		texts[i] = op.String()
	}
	return strings.Join(texts, ", ")
}

func (s *site) newACL(r *http.Request) (any, error) {
	v := newACLView{ACLs: []aclRow{}, Kinds: aclKinds, Resources: aclResources, Operations: aclOperations, Patterns: aclPatterns, Permissions: aclPermissions}
	var err error
	if v.Topics, _, err = s.someTopics(r.Context()); err != nil {
		return nil, err
	}
	groups, err := s.cluster.listGroups(r.Context())
	if err != nil {
		return nil, err
	}
	v.Groups = slices.Sorted(maps.Keys(groups))
	v.Groups = v.Groups[:min(len(v.Groups), pageRows)]
	if users, err := s.cluster.admin.DescribeUserSCRAMs(r.Context()); err == nil { // only to choose from
		for _, u := range users.Sorted() {
			v.Principals = append(v.Principals, auth.User(u.User).String())
		}
	}
	if r.Method != http.MethodGet || !r.Form.Has("plan") {
		return v, nil
	}
	all, err := planACLs(r)
	if err != nil {
		return v, err
	}
	v.ACLs, v.Command = rowsOfACLs(all), aclCommands(all, s.bootstrapFor(r))
	return v, nil
}

// create creates what newACL showed, or an ACL of one's own at once.
func (s *site) createACL(r *http.Request) (string, error) {
	all, err := planACLs(r)
	if err == nil {
		err = s.createACLs(r.Context(), all)
	}
	return "/security/acls?done=acl.created", err
}

// aclCommands are the same ACLs for kafka-acls, and as flags of minibroker. ACLs
// that differ by their operations only are one command.
func aclCommands(all []auth.ACL, bootstrap string) string {
	var tool, flags []string
	for i := 0; i < len(all); {
		a := all[i]
		command := "kafka-acls.sh --bootstrap-server " + bootstrap + " --add --" + strings.ToLower(a.Permission.String()) + "-principal " + shellWord(a.Principal)
		if a.Host != auth.Wildcard {
			command += " --" + strings.ToLower(a.Permission.String()) + "-host " + a.Host
		}
		var operations []string
		for ; i < len(all) && all[i].Resource == a.Resource && all[i].Permission == a.Permission; i++ {
			operations = append(operations, strings.ToLower(all[i].Operation.String()))
			command += " --operation " + pascal(all[i].Operation.String())
		}
		switch a.Resource.Type {
		case kmsg.ACLResourceTypeCluster:
			command += " --cluster"
		case kmsg.ACLResourceTypeUser:
			command += " --user-principal " + shellWord(a.Resource.Name)
		default:
			command += " --" + strings.ToLower(strings.ReplaceAll(a.Resource.Type.String(), "_", "-")) + " " + shellWord(a.Resource.Name)
		}
		if a.Resource.Pattern == kmsg.ACLResourcePatternTypePrefixed {
			command += " --resource-pattern-type prefixed"
		}
		tool = append(tool, command)
		one := a.String()
		flags = append(flags, "--acl "+shellWord(strings.Replace(one, " "+operations[0]+" ", " "+strings.Join(operations, ",")+" ", 1)))
	}
	return strings.Join(tool, "\n") + "\n\n# minibroker " + strings.Join(flags, " ")
}

// pascal writes DESCRIBE_CONFIGS as DescribeConfigs.
func pascal(name string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		out.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return out.String()
}

// shellWord is a word for a shell.
func shellWord(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/=,@-", r))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
