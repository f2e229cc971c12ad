package auth

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"maps"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Token is a delegation token (KIP-48): who has its HMAC can log in as its owner
// for a while. It never changes. Times are in ms since 1970.
type Token struct {
	ID   string
	HMAC []byte // of the id; in base64 it is the password
	// Owner is who the token logs in as, Requester who asked for it (KIP-373).
	Owner, Requester Principal
	Renewers         []Principal
	// Expires can be moved, up to Max.
	Issued, Expires, Max int64

	credentials map[string]*ScramCredential // by mechanism
}

// Knows says whether a principal may see the token without an ACL.
func (t *Token) Knows(p Principal) bool { return p == t.Requester || t.obeys(p) }

// obeys says whether a principal may renew the token or let it expire. Who asked
// for it in the name of somebody else may not.
func (t *Token) obeys(p Principal) bool { return p == t.Owner || slices.Contains(t.Renewers, p) }

// RenewedByUsers says whether all its renewers are users, as they must be.
func (t *Token) RenewedByUsers() bool {
	return !slices.ContainsFunc(t.Renewers, func(p Principal) bool { return p.Type != userType })
}

// TokenLimits are a broker's configs about tokens.
type TokenLimits struct {
	Secret   string // delegation.token.secret.key; "": there are no tokens
	Lifetime int64  // ms: delegation.token.max.lifetime.ms
	Renewal  int64  // ms: delegation.token.expiry.time.ms
	Sweep    int64  // ms between looks for expired ones: delegation.token.expiry.check.interval.ms
}

// Tokens are a cluster's delegation tokens
// (org.apache.kafka.controller.DelegationTokenControlManager).
type Tokens struct {
	limits TokenLimits
	start  int64 // sweeps are counted from then, in ms since 1970
	swept  int64
	byHMAC map[string]*Token
}

// NewTokens is no tokens yet.
func NewTokens(l TokenLimits, now int64) *Tokens {
	return &Tokens{limits: l, start: now, swept: now, byHMAC: make(map[string]*Token)}
}

// Clone is a copy that changes on its own.
func (ts *Tokens) Clone() *Tokens {
	c := *ts
	c.byHMAC = maps.Clone(ts.byHMAC)
	return &c
}

// Enabled says whether there can be tokens.
func (ts *Tokens) Enabled() bool { return ts.limits.Secret != "" }

// sweep forgets the tokens that had expired when Kafka would have looked last:
// until then they are expired, after that unknown.
func (ts *Tokens) sweep(now int64) {
	last := now - (now-ts.start)%ts.limits.Sweep
	if last > ts.swept {
		ts.swept = last
		maps.DeleteFunc(ts.byHMAC, func(_ string, t *Token) bool { return t.Expires < last })
	}
}

// sign is a token's HMAC.
func (ts *Tokens) sign(id string) []byte {
	mac := hmac.New(sha512.New, []byte(ts.limits.Secret))
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// Create makes a token of what is set of t: ID, Owner, Requester and Renewers.
// lifetime, in ms, shortens the longest life, if it is positive. salt gives
// random bytes.
func (ts *Tokens) Create(t Token, lifetime, now int64, salt func() []byte) (*Token, *kerr.Error) {
	if !ts.Enabled() {
		return nil, kerr.DelegationTokenAuthDisabled
	}
	ts.sweep(now)
	t.HMAC = ts.sign(t.ID)
	t.Issued, t.Max = now, later(now, shorter(ts.limits.Lifetime, lifetime))
	t.Expires = min(t.Max, later(now, ts.limits.Renewal))
	t.credentials = make(map[string]*ScramCredential)
	for _, m := range []string{ScramSHA256, ScramSHA512} {
		t.credentials[m] = ScramCredentialOf(m, base64.StdEncoding.EncodeToString(t.HMAC), salt())
	}
	ts.byHMAC[string(t.HMAC)] = &t
	return &t, nil
}

// Renew moves when a token expires to period ms from now, at most; not positive:
// to the broker's delegation.token.expiry.time.ms.
func (ts *Tokens) Renew(hmac []byte, who Principal, period, now int64) (expires int64, err *kerr.Error) {
	t, err := ts.find(hmac, now)
	switch {
	case err != nil:
		return 0, err
	case t.Expires < now:
		return 0, kerr.DelegationTokenExpired
	case !t.obeys(who):
		return 0, kerr.DelegationTokenOwnerMismatch
	}
	return ts.move(t, shorter(ts.limits.Renewal, period), now), nil
}

// Expire lets a token expire period ms from now; negative: at once, and nobody
// finds it any more.
func (ts *Tokens) Expire(hmac []byte, who Principal, period, now int64) (expires int64, err *kerr.Error) {
	t, err := ts.find(hmac, now)
	switch {
	case err != nil:
		return 0, err
	case !t.obeys(who):
		return 0, kerr.DelegationTokenOwnerMismatch
	case period < 0:
		delete(ts.byHMAC, string(hmac))
		return now, nil
	case t.Expires < now:
		return 0, kerr.DelegationTokenExpired
	}
	return ts.move(t, period, now), nil
}

func (ts *Tokens) find(hmac []byte, now int64) (*Token, *kerr.Error) {
	if !ts.Enabled() {
		return nil, kerr.DelegationTokenAuthDisabled
	}
	ts.sweep(now)
	t, ok := ts.byHMAC[string(hmac)]
	if !ok {
		return nil, kerr.DelegationTokenNotFound
	}
	return t, nil
}

// Owner is whose a token is.
func (ts *Tokens) Owner(hmac []byte) (owner Principal, ok bool) {
	t, ok := ts.byHMAC[string(hmac)]
	if ok {
		owner = t.Owner
	}
	return owner, ok
}

func (ts *Tokens) move(t *Token, period, now int64) int64 {
	moved := *t
	moved.Expires = min(t.Max, later(now, period))
	ts.byHMAC[string(t.HMAC)] = &moved
	return moved.Expires
}

// All are the tokens, the oldest first.
func (ts *Tokens) All(now int64) []*Token {
	ts.sweep(now)
	return slices.SortedFunc(maps.Values(ts.byHMAC), func(a, b *Token) int {
		return cmp.Or(cmp.Compare(a.Issued, b.Issued), cmp.Compare(a.ID, b.ID))
	})
}

// Credential is a token as SCRAM needs it, as [Credentials] has it. One that has
// expired counts until it is swept: a session with it has no time left.
func (ts *Tokens) Credential(id, mechanism string, now int64) (owner Principal, c *ScramCredential, expires int64, ok bool) {
	t, err := ts.find(ts.sign(id), now)
	if err != nil {
		return Principal{}, nil, 0, false
	}
	// Whatever its type is said to be, who comes by SASL is a user.
	return User(t.Owner.Name), t.credentials[mechanism], t.Expires, true
}

// shorter is the limit, or less if somebody wants that.
func shorter(limit, wanted int64) int64 {
	if wanted > 0 {
		return min(limit, wanted)
	}
	return limit
}

// later is a moment after now, or the end of time.
func later(now, ms int64) int64 {
	if now > math.MaxInt64-ms {
		return math.MaxInt64
	}
	return now + ms
}
