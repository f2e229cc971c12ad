package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the APIs of ACLs. There is no authorizer: everybody may do
// everything, and the answers are those of a broker without
// authorizer.class.name.

var errNoAuthorizer = fail(kerr.SecurityDisabled, "No Authorizer is configured.")

// handleDescribeACLs serves DescribeAcls v0-v3.
func (b *Broker) handleDescribeACLs(r *request, req *kmsg.DescribeACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.SecurityDisabled, "No Authorizer is configured on the broker"))
	return resp, nil
}

// handleCreateACLs serves CreateAcls v0-v3.
func (b *Broker) handleCreateACLs(r *request, req *kmsg.CreateACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	for range req.Creations {
		result := kmsg.NewCreateACLsResponseResult()
		result.ErrorCode, result.ErrorMessage = codeAndText(errNoAuthorizer)
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

// handleDeleteACLs serves DeleteAcls v0-v3.
func (b *Broker) handleDeleteACLs(r *request, req *kmsg.DeleteACLsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	for range req.Filters {
		result := kmsg.NewDeleteACLsResponseResult()
		result.ErrorCode, result.ErrorMessage = codeAndText(errNoAuthorizer)
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}
