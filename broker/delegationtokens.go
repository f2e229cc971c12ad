package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the APIs of delegation tokens (KIP-48). On a connection that
// did not authenticate there is nobody to give a token to: each is refused.

// handleCreateDelegationToken serves CreateDelegationToken v0-v3.
func (b *Broker) handleCreateDelegationToken(r *request, req *kmsg.CreateDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	resp.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	resp.PrincipalType, resp.PrincipalName = "User", r.user()
	resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName = "User", r.user()
	resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = -1, -1, -1
	return resp, nil
}

// handleRenewDelegationToken serves RenewDelegationToken v0-v2.
func (b *Broker) handleRenewDelegationToken(r *request, req *kmsg.RenewDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.RenewDelegationTokenResponse)
	resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, -1
	return resp, nil
}

// handleExpireDelegationToken serves ExpireDelegationToken v0-v2.
func (b *Broker) handleExpireDelegationToken(r *request, req *kmsg.ExpireDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, -1
	return resp, nil
}

// handleDescribeDelegationToken serves DescribeDelegationToken v0-v3.
func (b *Broker) handleDescribeDelegationToken(r *request, req *kmsg.DescribeDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	resp.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	return resp, nil
}
