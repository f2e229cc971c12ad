package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

// This file owns the APIs of ACLs. Who may send them, and all else that ACLs
// decide, is in authorizer.go.

// errUnknownElements ends the connection of who sends the number that stands for
// values of the future, as Apache Kafka's parser of requests does.
var errUnknownElements = fmt.Errorf("%w: the ACLs contain unknown elements", errHangUp)

var errNoAuthorizer = fail(kerr.SecurityDisabled, "No Authorizer is configured.")

// handleDescribeACLs serves DescribeAcls v0-v3 (v1: patterns, KIP-290; v3: users
// as resources, KIP-373).
func (b *Broker) handleDescribeACLs(r *request, req *kmsg.DescribeACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	rules := b.rules.Load()
	if req.ResourceType == 0 || req.Version > 0 && req.ResourcePatternType == 0 || req.Operation == 0 || req.PermissionType == 0 {
		return nil, errUnknownElements
	}
	if rules == nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.SecurityDisabled, "No Authorizer is configured on the broker"))
		return resp, nil
	}
	f := auth.Filter{
		Type: req.ResourceType, Pattern: patternOf(req.Version, req.ResourcePatternType), Name: req.ResourceName,
		Principal: req.Principal, Host: req.Host, Operation: req.Operation, Permission: req.PermissionType,
	}
	resp.ErrorMessage = new("")
	var last *kmsg.DescribeACLsResponseResource
	for _, a := range rules.Find(&f) {
		if last == nil || last.ResourceType != a.Resource.Type || last.ResourceName != a.Resource.Name || last.ResourcePatternType != a.Resource.Pattern {
			of := kmsg.NewDescribeACLsResponseResource()
			of.ResourceType, of.ResourceName, of.ResourcePatternType = a.Resource.Type, a.Resource.Name, a.Resource.Pattern
			resp.Resources = append(resp.Resources, of)
			last = &resp.Resources[len(resp.Resources)-1]
		}
		acl := kmsg.NewDescribeACLsResponseResourceACL()
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = a.Principal, a.Host, a.Operation, a.Permission
		last.ACLs = append(last.ACLs, acl)
	}
	return resp, nil
}

// patternOf is the pattern that a request means: v0 had none, and means just
// the name.
func patternOf(version int16, p kmsg.ACLResourcePatternType) kmsg.ACLResourcePatternType {
	if version == 0 {
		return kmsg.ACLResourcePatternTypeLiteral
	}
	return p
}

// handleCreateACLs serves CreateAcls v0-v3.
func (b *Broker) handleCreateACLs(r *request, req *kmsg.CreateACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	rules := b.rules.Load()
	impossible := false
	for i := range req.Creations {
		c := &req.Creations[i]
		pattern := patternOf(req.Version, c.ResourcePatternType)
		if c.ResourceType == 0 || pattern == 0 || c.Operation == 0 || c.PermissionType == 0 {
			return nil, errUnknownElements
		}
		// An ACL cannot be about anything: those are for filters (behaviour 250).
		impossible = impossible || c.ResourceType == kmsg.ACLResourceTypeAny || c.Operation == kmsg.ACLOperationAny || c.PermissionType == kmsg.ACLPermissionTypeAny ||
			pattern == kmsg.ACLResourcePatternTypeAny || pattern == kmsg.ACLResourcePatternTypeMatch
	}
	for i := range req.Creations {
		c := &req.Creations[i]
		result := kmsg.NewCreateACLsResponseResult()
		acl := auth.ACL{
			Resource:  auth.Resource{Type: c.ResourceType, Pattern: patternOf(req.Version, c.ResourcePatternType), Name: c.ResourceName},
			Principal: c.Principal, Host: c.Host, Operation: c.Operation, Permission: c.PermissionType,
		}
		if rules == nil {
			result.ErrorCode, result.ErrorMessage = codeAndText(errNoAuthorizer)
		} else if impossible {
			result.ErrorCode = kerr.UnknownServerError.Code
		} else if wrong := acl.Check(); wrong != "" {
			result.ErrorCode, result.ErrorMessage = codeAndText(fail(kerr.InvalidRequest, "%s", wrong))
		} else {
			rules = rules.With(acl)
			result.ErrorMessage = new("")
		}
		resp.Results = append(resp.Results, result)
	}
	b.setRules(rules)
	return resp, nil
}

// setRules puts other ACLs in force. It needs controller.mu.
func (b *Broker) setRules(rules *auth.Rules) {
	if rules != nil && rules != b.rules.Load() {
		b.rules.Store(rules)
		b.controller.written()
		b.changes.happened()
	}
}

// handleDeleteACLs serves DeleteAcls v0-v3. Each filter finds what the ones
// before it left.
func (b *Broker) handleDeleteACLs(r *request, req *kmsg.DeleteACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	rules := b.rules.Load()
	for i := range req.Filters {
		q := &req.Filters[i]
		if q.ResourceType == 0 || req.Version > 0 && q.ResourcePatternType == 0 || q.Operation == 0 || q.PermissionType == 0 {
			return nil, errUnknownElements
		}
		result := kmsg.NewDeleteACLsResponseResult()
		f := auth.Filter{
			Type: q.ResourceType, Pattern: patternOf(req.Version, q.ResourcePatternType), Name: q.ResourceName,
			Principal: q.Principal, Host: q.Host, Operation: q.Operation, Permission: q.PermissionType,
		}
		if rules == nil {
			result.ErrorCode, result.ErrorMessage = codeAndText(errNoAuthorizer)
		} else if wrong := f.Check(); wrong != "" {
			result.ErrorCode, result.ErrorMessage = codeAndText(fail(kerr.InvalidRequest, "%s", wrong))
		} else {
			var gone []auth.ACL
			rules, gone = rules.Without(&f)
			for _, a := range gone {
				acl := kmsg.NewDeleteACLsResponseResultMatchingACL()
				acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = a.Resource.Type, a.Resource.Name, a.Resource.Pattern
				acl.Principal, acl.Host, acl.Operation, acl.PermissionType = a.Principal, a.Host, a.Operation, a.Permission
				result.MatchingACLs = append(result.MatchingACLs, acl)
			}
		}
		resp.Results = append(resp.Results, result)
	}
	b.setRules(rules)
	return resp, nil
}
