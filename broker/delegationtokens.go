package broker

import (
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/broker/config"
)

// This file owns the APIs of delegation tokens (KIP-48, KIP-373). What a token is
// and how long it lives, auth.Tokens says; clients log in with one by SCRAM.

// delegationTokens are a cluster's.
type delegationTokens struct {
	mu  sync.Mutex // a leaf
	all *auth.Tokens
}

// reset forgets all tokens.
func (d *delegationTokens) reset(cfg *config.Broker, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = auth.NewTokens(auth.TokenLimits{
		Secret:   cfg.String("delegation.token.secret.key"),
		Lifetime: int64(cfg.Int("delegation.token.max.lifetime.ms")),
		Renewal:  int64(cfg.Int("delegation.token.expiry.time.ms")),
		Sweep:    int64(cfg.Int("delegation.token.expiry.check.interval.ms")),
	}, now)
}

// snapshot is a copy of all tokens.
func (d *delegationTokens) snapshot() *auth.Tokens {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all.Clone()
}

// restore makes a copy of these all tokens.
func (d *delegationTokens) restore(all *auth.Tokens) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = all.Clone()
}

func (b *Broker) nowMillis() int64 { return b.clock.Now().UnixMilli() }

// changeTokens does something with all tokens.
func (b *Broker) changeTokens(do func(all *auth.Tokens, now int64) *kerr.Error) (code int16) {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	b.tokens.mu.Lock()
	defer b.tokens.mu.Unlock()
	if err := do(b.tokens.all, b.nowMillis()); err != nil {
		return err.Code
	}
	b.controller.written()
	return 0
}

// mayHaveTokens says whether the client may ask for tokens at all: it has proved
// who it is, by something better than a token. Who is inside need not.
func (r *request) mayHaveTokens() bool {
	p := r.peer.port.protocol
	return r.super || !r.byToken && (p.sasl() || p.tls() && r.principal != auth.Anonymous)
}

// handleCreateDelegationToken serves CreateDelegationToken v0-v3 (v3: for others,
// KIP-373).
func (b *Broker) handleCreateDelegationToken(r *request, req *kmsg.CreateDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	t := auth.Token{ID: b.random.uuidShort(), Owner: r.principal, Requester: r.principal}
	if name := pointed(req.OwnerPrincipalName); name != "" {
		if req.OwnerPrincipalType == nil {
			t.Owner, t.Requester = auth.Anonymous, auth.Anonymous
			resp.ErrorCode = kerr.UnknownServerError.Code // Java has no principal without a type
		} else {
			t.Owner = auth.Principal{Type: *req.OwnerPrincipalType, Name: name}
		}
	}
	for _, p := range req.Renewers {
		t.Renewers = append(t.Renewers, auth.Principal{Type: p.PrincipalType, Name: p.PrincipalName})
	}
	resp.PrincipalType, resp.PrincipalName = t.Owner.Type, t.Owner.Name
	resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName = t.Requester.Type, t.Requester.Name
	switch {
	case resp.ErrorCode != 0:
	case !r.mayHaveTokens():
		resp.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	case t.Owner != t.Requester && !r.mayUser(kmsg.ACLOperationCreateTokens, t.Owner):
		resp.ErrorCode = kerr.DelegationTokenAuthorizationFailed.Code
	case !t.RenewedByUsers():
		resp.ErrorCode = kerr.InvalidPrincipalType.Code
	}
	if resp.ErrorCode != 0 {
		resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = -1, -1, -1
		return resp, nil
	}
	resp.ErrorCode = b.changeTokens(func(all *auth.Tokens, now int64) *kerr.Error {
		made, err := all.Create(t, req.MaxLifetimeMillis, now, b.random.salt)
		if err == nil {
			resp.TokenID, resp.HMAC = made.ID, made.HMAC
			resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = made.Issued, made.Expires, made.Max
		}
		return err
	})
	return resp, nil
}

// salt is 16 random bytes.
func (r *random) salt() []byte {
	salt := r.bytes16()
	return salt[:]
}

// actsFor is in whose name a client changes a token: its own, or of one inside,
// the owner's.
func (r *request) actsFor(all *auth.Tokens, hmac []byte) auth.Principal {
	if owner, ok := all.Owner(hmac); ok && r.super {
		return owner
	}
	return r.principal
}

// handleRenewDelegationToken serves RenewDelegationToken v0-v2.
func (b *Broker) handleRenewDelegationToken(r *request, req *kmsg.RenewDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.RenewDelegationTokenResponse)
	if !r.mayHaveTokens() {
		resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, -1
		return resp, nil
	}
	resp.ErrorCode = b.changeTokens(func(all *auth.Tokens, now int64) (err *kerr.Error) {
		resp.ExpiryTimestamp, err = all.Renew(req.HMAC, r.actsFor(all, req.HMAC), req.RenewTimeMillis, now)
		return err
	})
	return resp, nil
}

// handleExpireDelegationToken serves ExpireDelegationToken v0-v2.
func (b *Broker) handleExpireDelegationToken(r *request, req *kmsg.ExpireDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	if !r.mayHaveTokens() {
		resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, -1
		return resp, nil
	}
	resp.ErrorCode = b.changeTokens(func(all *auth.Tokens, now int64) (err *kerr.Error) {
		resp.ExpiryTimestamp, err = all.Expire(req.HMAC, r.actsFor(all, req.HMAC), req.ExpiryPeriodMillis, now)
		return err
	})
	return resp, nil
}

// handleDescribeDelegationToken serves DescribeDelegationToken v0-v3 (v3: who
// asked for a token). Owners null means all.
func (b *Broker) handleDescribeDelegationToken(r *request, req *kmsg.DescribeDelegationTokenRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	all := b.tokens.snapshot()
	switch {
	case !r.mayHaveTokens():
		resp.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
		return resp, nil
	case !all.Enabled():
		resp.ErrorCode = kerr.DelegationTokenAuthDisabled.Code
		return resp, nil
	}
	for _, t := range all.All(b.nowMillis()) {
		meant := req.Owners == nil || slices.ContainsFunc(req.Owners, func(o kmsg.DescribeDelegationTokenRequestOwner) bool {
			return t.Knows(auth.Principal{Type: o.PrincipalType, Name: o.PrincipalName})
		})
		if !meant || !r.mayDescribeToken(t) {
			continue
		}
		d := kmsg.NewDescribeDelegationTokenResponseTokenDetail()
		d.TokenID, d.HMAC = t.ID, t.HMAC
		d.PrincipalType, d.PrincipalName = t.Owner.Type, t.Owner.Name
		d.TokenRequesterPrincipalType, d.TokenRequesterPrincipalName = t.Requester.Type, t.Requester.Name
		d.IssueTimestamp, d.ExpiryTimestamp, d.MaxTimestamp = t.Issued, t.Expires, t.Max
		for _, p := range t.Renewers {
			renewer := kmsg.NewDescribeDelegationTokenResponseTokenDetailRenewer()
			renewer.PrincipalType, renewer.PrincipalName = p.Type, p.Name
			d.Renewers = append(d.Renewers, renewer)
		}
		resp.TokenDetails = append(resp.TokenDetails, d)
	}
	return resp, nil
}

// mayDescribeToken: a token's own people may, and whom an ACL on it or on its
// owner lets.
func (r *request) mayDescribeToken(t *auth.Token) bool {
	return t.Knows(r.principal) || r.may(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeDelegationToken, t.ID) ||
		r.mayUser(kmsg.ACLOperationDescribeTokens, t.Owner)
}

func (r *request) mayUser(op kmsg.ACLOperation, p auth.Principal) bool {
	return r.may(op, kmsg.ACLResourceTypeUser, p.String())
}
