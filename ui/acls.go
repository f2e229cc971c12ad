package ui

// This file owns the list of ACLs: finding them, creating them, and deleting
// them once it was shown which ones.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

type aclsView struct {
	ACLs     []aclRow `json:"acls"`
	Columns  []column `json:"-"`
	Off      string   `json:"off,omitempty"` // why the cluster tells of no ACLs
	Total    int      `json:"total"`         // that fit the search
	Search   string   `json:"-"`
	Filtered bool     `json:"-"` // the list is not of all ACLs
	Previous string   `json:"previous"`
	Next     string   `json:"next"`
	// What a search can ask for.
	Principals []string `json:"-"`
	Resources  []string `json:"-"`
}

// aclRow is an ACL. Text is as --acl and the HTTP API take it.
type aclRow struct {
	Principal  string `json:"principal"`
	Host       string `json:"host"`
	Permission string `json:"permission"`
	Operation  string `json:"operation"`
	Resource   string `json:"resource"`
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
	Text       string `json:"text"`
}

func rowOfACL(a *auth.ACL) aclRow {
	return aclRow{a.Principal, a.Host, a.Permission.String(), a.Operation.String(), a.Resource.Type.String(), a.Resource.Name, a.Resource.Pattern.String(), a.String()}
}

func rowsOfACLs(all []auth.ACL) []aclRow {
	rows := make([]aclRow, len(all))
	for i := range all {
		rows[i] = rowOfACL(&all[i])
	}
	return rows
}

// Query is the ACL as the query of an address.
func (a aclRow) Query() string {
	return "?" + url.Values{"principal": {a.Principal}, "host": {a.Host}, "permission": {a.Permission}, "operation": {a.Operation},
		"resource": {a.Resource}, "name": {a.Name}, "pattern": {a.Pattern}}.Encode()
}

var (
	aclResources   = []string{"TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"}
	aclOperations  = []string{"READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "ALL"}
	aclPatterns    = []string{"LITERAL", "PREFIXED"}
	aclPermissions = []string{"ALLOW", "DENY"}
)

// findACLs asks the cluster for the ACLs of a filter.
func (s *site) findACLs(ctx context.Context, f auth.Filter) ([]auth.ACL, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourceName, req.ResourcePatternType = f.Type, f.Name, f.Pattern
	req.Principal, req.Host, req.Operation, req.PermissionType = f.Principal, f.Host, f.Operation, f.Permission
	resp, err := req.RequestWith(ctx, s.cluster.client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, refused(err, text(resp.ErrorMessage))
	}
	var all []auth.ACL
	for _, res := range resp.Resources {
		for _, a := range res.ACLs {
			all = append(all, auth.ACL{Resource: auth.Resource{Type: res.ResourceType, Pattern: res.ResourcePatternType, Name: res.ResourceName},
				Principal: a.Principal, Host: a.Host, Operation: a.Operation, Permission: a.PermissionType})
		}
	}
	slices.SortFunc(all, func(a, b auth.ACL) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Resource.Type, b.Resource.Type), cmp.Compare(a.Resource.Name, b.Resource.Name),
			cmp.Compare(a.Resource.Pattern, b.Resource.Pattern), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Host, b.Host))
	})
	return all, nil
}

// aclFilter reads a filter from a form. What is not filled in means any.
func aclFilter(r *http.Request) (f auth.Filter, some bool, err error) {
	f = auth.Every()
	field := func(name string) string {
		v := strings.TrimSpace(r.Form.Get(name))
		some = some || v != ""
		return v
	}
	var errs [4]error
	if v := field("resource"); v != "" {
		f.Type, errs[0] = kmsg.ParseACLResourceType(v)
	}
	if v := field("pattern"); v != "" {
		f.Pattern, errs[1] = kmsg.ParseACLResourcePatternType(v)
	}
	if v := field("operation"); v != "" {
		f.Operation, errs[2] = kmsg.ParseACLOperation(v)
	}
	if v := field("permission"); v != "" {
		f.Permission, errs[3] = kmsg.ParseACLPermissionType(v)
	}
	for name, at := range map[string]**string{"principal": &f.Principal, "host": &f.Host, "name": &f.Name} {
		if v := field(name); v != "" {
			*at = &v
		}
	}
	if errors.Join(errs[:]...) != nil || f.Check() != "" {
		return f, some, say(http.StatusUnprocessableEntity, "problem.form")
	}
	return f, some, nil
}

// aclColumns are what the list of ACLs can be sorted by.
var aclColumns = []sortable[aclRow]{
	byWords("principal", func(a aclRow) string { return a.Principal }).called("acl.principal"),
	byWords("permission", func(a aclRow) string { return a.Permission }).called("acl.permission"),
	byWords("operation", func(a aclRow) string { return a.Operation }).called("acl.operation"),
	byWords("resource", func(a aclRow) string { return a.Resource }).called("acl.resource"),
	byWords("name", func(a aclRow) string { return a.Name }),
	byWords("host", func(a aclRow) string { return a.Host }),
}

func (s *site) acls(r *http.Request) (any, error) {
	v := aclsView{ACLs: []aclRow{}, Resources: aclResources, Search: strings.TrimSpace(r.Form.Get("q"))}
	f, some, err := aclFilter(r)
	if err != nil {
		return nil, err
	}
	all, err := s.findACLs(r.Context(), auth.Every())
	if v.Off, err = off(err); err != nil {
		return nil, err
	}
	v.Filtered = some || v.Search != ""
	var found []auth.ACL
	for i := range all {
		if !slices.Contains(v.Principals, all[i].Principal) {
			v.Principals = append(v.Principals, all[i].Principal)
		}
		if f.Matches(&all[i]) && strings.Contains(strings.ToLower(all[i].Principal+" "+all[i].String()), strings.ToLower(v.Search)) {
			found = append(found, all[i])
		}
	}
	rows := rowsOfACLs(found)
	_, v.Columns = sortBy(r, "", rows, aclColumns)
	from, previous, next := paged(r, len(rows))
	v.Total, v.Previous, v.Next = len(rows), previous, next
	v.ACLs = rows[from:min(from+pageRows, len(rows))]
	return v, nil
}

// aclsDelete shows which ACLs would go.
type aclsDelete struct {
	ACLs  []aclRow          `json:"acls"`
	Asked map[string]string `json:"-"` // the filter's fields
}

// aclFields are the fields of a filter.
var aclFields = []string{"principal", "host", "permission", "operation", "resource", "name", "pattern"}

func (s *site) deleteACLsForm(r *http.Request) (any, error) {
	f, some, err := aclFilter(r)
	if err != nil {
		return nil, err
	}
	if !some {
		return nil, say(http.StatusUnprocessableEntity, "problem.acl.filter")
	}
	all, err := s.findACLs(r.Context(), f)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, say(http.StatusNotFound, "problem.acl.gone")
	}
	v := aclsDelete{ACLs: rowsOfACLs(all), Asked: map[string]string{}}
	for _, name := range aclFields {
		if value := strings.TrimSpace(r.Form.Get(name)); value != "" {
			v.Asked[name] = value
		}
	}
	return v, nil
}

// deleteACLs deletes what deleteACLsForm showed; when it is others meanwhile,
// none.
func (s *site) deleteACLs(r *http.Request) (string, error) {
	shown, err := s.deleteACLsForm(r)
	if err != nil {
		return "", err
	}
	if r.Form.Has("acl") { // as they were shown
		now := make([]string, 0, len(shown.(aclsDelete).ACLs))
		for _, a := range shown.(aclsDelete).ACLs {
			now = append(now, a.Text)
		}
		if slices.Sort(now); !slices.Equal(now, slices.Sorted(slices.Values(r.Form["acl"]))) {
			return "", say(http.StatusConflict, "problem.acl.others")
		}
	}
	f, _, _ := aclFilter(r) // as the form was read before
	req := kmsg.NewPtrDeleteACLsRequest()
	filter := kmsg.NewDeleteACLsRequestFilter()
	filter.ResourceType, filter.ResourceName, filter.ResourcePatternType = f.Type, f.Name, f.Pattern
	filter.Principal, filter.Host, filter.Operation, filter.PermissionType = f.Principal, f.Host, f.Operation, f.Permission
	req.Filters = append(req.Filters, filter)
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
	s.settled(r.Context(), func() bool {
		all, err := s.findACLs(r.Context(), f)
		return err != nil || len(all) == 0
	})
	return "/security/acls?done=acl.deleted", nil
}

// createACLs creates all or says what the cluster has against the first that it
// does not take.
func (s *site) createACLs(ctx context.Context, all []auth.ACL) error {
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range all {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = a.Resource.Type, a.Resource.Name, a.Resource.Pattern
		c.Principal, c.Host, c.Operation, c.PermissionType = a.Principal, a.Host, a.Operation, a.Permission
		req.Creations = append(req.Creations, c)
	}
	resp, err := req.RequestWith(ctx, s.cluster.client)
	if err != nil {
		return err
	}
	for _, result := range resp.Results {
		if err := kerr.ErrorForCode(result.ErrorCode); err != nil {
			return refused(err, text(result.ErrorMessage))
		}
	}
	s.settled(ctx, func() bool {
		there, err := s.findACLs(ctx, auth.Every())
		return err != nil || !slices.ContainsFunc(all, func(a auth.ACL) bool { return !slices.Contains(there, a) })
	})
	return nil
}

// rules are those of the cluster. whole says whether they are all that decides:
// who the super users are, and what holds where no ACL is, only a broker in this
// process tells.
func (s *site) rules(ctx context.Context) (rules *auth.Rules, whole bool, err error) {
	if s.broker != nil {
		if rules = s.broker.Rules(); rules == nil {
			return nil, true, kerr.SecurityDisabled
		}
		return rules, true, nil
	}
	all, err := s.findACLs(ctx, auth.Every())
	if err != nil {
		return nil, false, err
	}
	return auth.NewRules(nil, false).With(all...), false, nil
}
