package ui

// This file owns users, access control lists and quotas.

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type securityView struct {
	Users       []scramRow `json:"users"`
	UsersOff    string     `json:"users_off,omitempty"` // why the cluster tells of no users
	ACLs        []aclRow   `json:"acls"`
	ACLsOff     string     `json:"acls_off,omitempty"` // why the cluster tells of no ACLs
	Quotas      []quotaRow `json:"quotas"`
	QuotasOff   string     `json:"quotas_off,omitempty"` // why the cluster tells of no quotas
	Mechanisms  []string   `json:"-"`
	Resources   []string   `json:"-"`
	Operations  []string   `json:"-"`
	Patterns    []string   `json:"-"`
	Permissions []string   `json:"-"`
	QuotaKeys   []string   `json:"-"`
}

// scramRow is a password of a user.
type scramRow struct {
	User       string `json:"user"`
	Mechanism  string `json:"mechanism"`
	Iterations int32  `json:"iterations"`
}

type aclRow struct {
	Principal  string `json:"principal"`
	Host       string `json:"host"`
	Permission string `json:"permission"`
	Operation  string `json:"operation"`
	Resource   string `json:"resource"`
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
}

// quotaRow is one limit of those who share it.
type quotaRow struct {
	User   string  `json:"user"` // empty: any; "<default>": each that has none of its own
	Client string  `json:"client_id"`
	IP     string  `json:"ip"`
	Key    string  `json:"quota"`
	Value  float64 `json:"value"`
}

// byDefault stands for the default entity in forms.
const byDefault = "<default>"

var (
	scramMechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}
	aclResources    = []string{"TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"}
	aclOperations   = []string{"READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "ALL"}
	aclPatterns     = []string{"LITERAL", "PREFIXED"}
	aclPermissions  = []string{"ALLOW", "DENY"}
	quotaKeys       = []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate", "connection_creation_rate"}
)

func (s *site) security(r *http.Request) (any, error) {
	v := securityView{Users: []scramRow{}, ACLs: []aclRow{}, Quotas: []quotaRow{}, Mechanisms: scramMechanisms, Resources: aclResources,
		Operations: aclOperations, Patterns: aclPatterns, Permissions: aclPermissions, QuotaKeys: quotaKeys}
	// A cluster that does not tell one of them, or not this user, has the others.
	// Apache Kafka leaves DescribeUserScramCredentials of those who may not ask
	// without an answer, and with it what comes later on the connection.
	parts := []struct {
		ask func(context.Context, *securityView) error
		off *string
		err error
	}{{ask: s.acls, off: &v.ACLsOff}, {ask: s.quotas, off: &v.QuotasOff}, {ask: s.users, off: &v.UsersOff}}
	for i := range parts {
		ctx, cancel := context.WithTimeout(r.Context(), patience/5)
		parts[i].err = parts[i].ask(ctx, &v)
		cancel()
	}
	failed := 0
	for _, p := range parts {
		if p.err != nil {
			failed++
			why := explain(p.err)
			*p.off = cmp.Or(why.Code, why.Detail)
		}
	}
	if failed == len(parts) {
		return nil, parts[0].err
	}
	return v, nil
}

func (s *site) users(ctx context.Context, v *securityView) error {
	users, err := s.cluster.admin.DescribeUserSCRAMs(ctx)
	if err != nil {
		return err
	}
	for _, u := range users.Sorted() {
		for _, c := range u.CredInfos {
			v.Users = append(v.Users, scramRow{u.User, c.Mechanism.String(), c.Iterations})
		}
	}
	return nil
}

func (s *site) acls(ctx context.Context, v *securityView) error {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	resp, err := req.RequestWith(ctx, s.cluster.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return err
	}
	for _, res := range resp.Resources {
		for _, a := range res.ACLs {
			v.ACLs = append(v.ACLs, aclRow{a.Principal, a.Host, a.PermissionType.String(), a.Operation.String(), res.ResourceType.String(), res.ResourceName, res.ResourcePatternType.String()})
		}
	}
	slices.SortFunc(v.ACLs, func(a, b aclRow) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Operation, b.Operation))
	})
	return nil
}

func (s *site) quotas(ctx context.Context, v *securityView) error {
	all, err := s.cluster.admin.DescribeClientQuotas(ctx, false, nil)
	if err != nil {
		return err
	}
	for _, q := range all {
		row := quotaRow{}
		for _, c := range q.Entity {
			name := byDefault
			if c.Name != nil {
				name = *c.Name
			}
			switch c.Type {
			case "user":
				row.User = name
			case "client-id":
				row.Client = name
			case "ip":
				row.IP = name
			}
		}
		for _, value := range q.Values {
			row.Key, row.Value = value.Key, value.Value
			v.Quotas = append(v.Quotas, row)
		}
	}
	slices.SortFunc(v.Quotas, func(a, b quotaRow) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Client, b.Client), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Key, b.Key))
	})
	return nil
}

func mechanismOf(text string) (kadm.ScramMechanism, bool) {
	switch text {
	case "SCRAM-SHA-256":
		return kadm.ScramSha256, true
	case "SCRAM-SHA-512":
		return kadm.ScramSha512, true
	}
	return 0, false
}

// setUser gives a user a password, or takes it away.
func (s *site) setUser(r *http.Request) (string, error) {
	user := strings.TrimSpace(r.Form.Get("user"))
	mechanism, ok := mechanismOf(r.Form.Get("mechanism"))
	if user == "" || !ok {
		return "", say(http.StatusUnprocessableEntity, "problem.user")
	}
	var del []kadm.DeleteSCRAM
	var set []kadm.UpsertSCRAM
	done := "/security?done=user.set"
	if r.Form.Get("delete") != "" {
		del = append(del, kadm.DeleteSCRAM{User: user, Mechanism: mechanism})
		done = "/security?done=user.deleted"
	} else {
		iterations, err := strconv.Atoi(cmp.Or(strings.TrimSpace(r.Form.Get("iterations")), "4096"))
		if err != nil || iterations < 4096 || iterations > 16384 {
			return "", say(http.StatusUnprocessableEntity, "problem.iterations")
		}
		if r.Form.Get("password") == "" {
			return "", say(http.StatusUnprocessableEntity, "problem.password")
		}
		set = append(set, kadm.UpsertSCRAM{User: user, Mechanism: mechanism, Iterations: int32(iterations), Password: r.Form.Get("password")})
	}
	all, err := s.cluster.admin.AlterUserSCRAMs(r.Context(), del, set)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Err != nil {
			return "", refused(a.Err, a.ErrMessage)
		}
	}
	return done, nil
}

// setACL creates an ACL, or deletes exactly this one.
func (s *site) setACL(r *http.Request) (string, error) {
	field := func(name, empty string) string { return cmp.Or(strings.TrimSpace(r.Form.Get(name)), empty) }
	resource, err1 := kmsg.ParseACLResourceType(field("resource", "TOPIC"))
	pattern, err2 := kmsg.ParseACLResourcePatternType(field("pattern", "LITERAL"))
	operation, err3 := kmsg.ParseACLOperation(field("operation", "READ"))
	permission, err4 := kmsg.ParseACLPermissionType(field("permission", "ALLOW"))
	principal, name, host := field("principal", ""), field("name", ""), field("host", "*")
	if resource == kmsg.ACLResourceTypeCluster {
		name = "kafka-cluster" // the only one there is
	}
	if errors.Join(err1, err2, err3, err4) != nil || name == "" || !strings.Contains(principal, ":") {
		return "", say(http.StatusUnprocessableEntity, "problem.acl")
	}
	if r.Form.Get("delete") != "" {
		req := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourceName, f.ResourcePatternType = resource, &name, pattern
		f.Principal, f.Host, f.Operation, f.PermissionType = &principal, &host, operation, permission
		req.Filters = append(req.Filters, f)
		resp, err := req.RequestWith(r.Context(), s.cluster.client)
		if err != nil {
			return "", err
		}
		for _, result := range resp.Results {
			if err := kerr.ErrorForCode(result.ErrorCode); err != nil {
				return "", refused(err, text(result.ErrorMessage))
			}
			if len(result.MatchingACLs) == 0 {
				return "", say(http.StatusNotFound, "problem.acl.gone")
			}
		}
		return "/security?done=acl.deleted", nil
	}
	req := kmsg.NewPtrCreateACLsRequest()
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = resource, name, pattern
	c.Principal, c.Host, c.Operation, c.PermissionType = principal, host, operation, permission
	req.Creations = append(req.Creations, c)
	resp, err := req.RequestWith(r.Context(), s.cluster.client)
	if err != nil {
		return "", err
	}
	for _, result := range resp.Results {
		if err := kerr.ErrorForCode(result.ErrorCode); err != nil {
			return "", refused(err, text(result.ErrorMessage))
		}
	}
	return "/security?done=acl.created", nil
}

// setQuota sets a limit, or removes it.
func (s *site) setQuota(r *http.Request) (string, error) {
	entry := kadm.AlterClientQuotaEntry{}
	for _, e := range []struct{ field, kind string }{{"user", "user"}, {"client", "client-id"}, {"ip", "ip"}} {
		name := strings.TrimSpace(r.Form.Get(e.field))
		switch name {
		case "":
		case byDefault:
			entry.Entity = append(entry.Entity, kadm.ClientQuotaEntityComponent{Type: e.kind})
		default:
			entry.Entity = append(entry.Entity, kadm.ClientQuotaEntityComponent{Type: e.kind, Name: &name})
		}
	}
	op := kadm.AlterClientQuotaOp{Key: r.Form.Get("key"), Remove: r.Form.Get("delete") != ""}
	if len(entry.Entity) == 0 || op.Key == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.quota")
	}
	done := "/security?done=quota.removed"
	if !op.Remove {
		var err error
		op.Value, err = strconv.ParseFloat(strings.TrimSpace(r.Form.Get("value")), 64)
		if err != nil || op.Value <= 0 || math.IsInf(op.Value, 0) || math.IsNaN(op.Value) {
			return "", say(http.StatusUnprocessableEntity, "problem.quota.value")
		}
		done = "/security?done=quota.set"
	}
	entry.Ops = append(entry.Ops, op)
	all, err := s.cluster.admin.AlterClientQuotas(r.Context(), []kadm.AlterClientQuotaEntry{entry})
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Err != nil {
			return "", refused(a.Err, a.ErrMessage)
		}
	}
	return done, nil
}
