package ui

// This file owns "who may?": which principals may do something and by which ACL,
// and all that one principal may do.

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

type whoView struct {
	Off string `json:"off,omitempty"` // why the cluster tells of no ACLs
	// Whole: who the super users are and what holds where no ACL is was known,
	// too. Other clusters do not tell.
	Whole bool     `json:"whole"`
	Super []string `json:"super_users"`
	Open  bool     `json:"allow_everyone_if_no_acl_found"`
	// Of an operation on a resource: whether each principal may.
	Verdicts []verdictRow `json:"verdicts"`
	// Of a principal: what it may and may not do with each resource.
	Permitted []permittedRow `json:"permitted"`
	IsSuper   bool           `json:"is_super_user"` // it may do everything

	Asked      string   `json:"-"` // what was asked: "", "operation" or "principal"
	Operations []string `json:"-"`
	Resources  []string `json:"-"`
	Topics     []string `json:"-"`
	Principals []string `json:"-"`
}

// verdictRow is whether a principal may do what was asked for.
type verdictRow struct {
	Principal string  `json:"principal"`
	Everybody bool    `json:"everybody_else"`
	Host      string  `json:"host"` // "*": each that no ACL names
	Allowed   bool    `json:"allowed"`
	Rule      string  `json:"rule"`
	ACL       *aclRow `json:"acl"` // that decides
	// Remedy is the query of the page that makes an ACL which allows it.
	Remedy string `json:"-"`
}

// permittedRow is what a principal may do with a resource.
type permittedRow struct {
	Resource   string         `json:"resource"`
	Name       string         `json:"name"`
	Pattern    string         `json:"pattern"`
	Host       string         `json:"host"`
	Operations []operationRow `json:"operations"`
}

type operationRow struct {
	Operation string `json:"operation"`
	Allowed   bool   `json:"allowed"`
	ACL       aclRow `json:"acl"` // that decides
}

func (s *site) who(r *http.Request) (any, error) {
	field := func(name string) string { return strings.TrimSpace(r.Form.Get(name)) }
	v := whoView{Super: []string{}, Verdicts: []verdictRow{}, Permitted: []permittedRow{}, Operations: aclOperations, Resources: aclResources}
	rules, whole, err := s.rules(r.Context())
	if v.Off, err = off(err); err != nil || v.Off != "" {
		return v, err
	}
	if v.Topics, _, err = s.someTopics(r.Context()); err != nil {
		return nil, err
	}
	v.Whole, v.Open, v.Super, v.Principals = whole, rules.Open, rules.SuperUsers(), rules.Principals()
	host := field("host")
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return v, say(http.StatusUnprocessableEntity, "problem.acl.host")
	}
	switch {
	case r.Form.Has("operation"):
		v.Asked = "operation"
		op, err1 := kmsg.ParseACLOperation(field("operation"))
		res, err2 := kmsg.ParseACLResourceType(field("resource"))
		name := field("name")
		if res == kmsg.ACLResourceTypeCluster {
			name = auth.Cluster
		}
		if err1 != nil || err2 != nil || name == "" {
			return v, say(http.StatusUnprocessableEntity, "problem.who")
		}
		of := auth.Resource{Type: res, Pattern: kmsg.ACLResourcePatternTypeLiteral, Name: name}
		for _, d := range rules.WhoMay(op, of, host) {
			v.Verdicts = append(v.Verdicts, verdictOf(d))
		}
	case field("principal") != "":
		v.Asked = "principal"
		text := field("principal")
		if !strings.Contains(text, ":") {
			text = auth.User(text).String()
		}
		p, ok := auth.ParsePrincipal(text)
		if !ok {
			return v, say(http.StatusUnprocessableEntity, "problem.acl")
		}
		v.IsSuper = rules.Super[p]
		for _, d := range rules.WhatMay(p, host) {
			row := permittedRow{Resource: d.Resource.Type.String(), Name: d.Resource.Name, Pattern: d.Resource.Pattern.String(), Host: d.Host}
			op := operationRow{d.Operation.String(), d.Allowed, rowOfACL(d.ACL)}
			if n := len(v.Permitted); n > 0 && v.Permitted[n-1].same(row) {
				v.Permitted[n-1].Operations = append(v.Permitted[n-1].Operations, op)
				continue
			}
			row.Operations = []operationRow{op}
			v.Permitted = append(v.Permitted, row)
		}
	}
	return v, nil
}

func (p permittedRow) same(o permittedRow) bool {
	return p.Resource == o.Resource && p.Name == o.Name && p.Pattern == o.Pattern && p.Host == o.Host
}

func verdictOf(d auth.Verdict) verdictRow {
	row := verdictRow{Principal: d.Principal.String(), Everybody: d.Principal == auth.Anybody, Host: d.Host, Allowed: d.Allowed, Rule: string(d.Rule)}
	if d.ACL != nil {
		acl := rowOfACL(d.ACL)
		row.ACL = &acl
	}
	if a, ok := d.Remedy(d.Principal, d.Operation, d.Resource); ok {
		row.Remedy = rowOfACL(&a).Query() + "&kind=custom&plan=1"
	}
	return row
}
