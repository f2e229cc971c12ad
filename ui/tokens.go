package ui

// This file owns delegation tokens (KIP-48): listing, making, renewing them, and
// letting them expire.

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/broker/auth"
)

type tokensView struct {
	Tokens []tokenRow `json:"tokens"`
	Off    string     `json:"off,omitempty"` // why the cluster tells of no tokens
}

// tokenRow is a delegation token. ID and HMAC are user and password of who logs
// in by SCRAM with it.
type tokenRow struct {
	ID        string    `json:"id"`
	HMAC      string    `json:"hmac"` // base64
	Owner     string    `json:"owner"`
	Requester string    `json:"requester"`
	Renewers  []string  `json:"renewers"`
	Issued    time.Time `json:"issued"`
	Expires   time.Time `json:"expires"`
	Until     time.Time `json:"max"` // it cannot be renewed beyond
}

func (s *site) tokens(r *http.Request) (any, error) {
	v := tokensView{Tokens: []tokenRow{}}
	all, err := s.cluster.admin.DescribeDelegationTokens(r.Context())
	if v.Off, err = off(err); err != nil {
		return nil, err
	}
	for _, t := range all {
		row := tokenRow{ID: t.TokenID, HMAC: base64.StdEncoding.EncodeToString(t.HMAC), Owner: t.Owner.Type + ":" + t.Owner.Name, Requester: t.TokenRequesterPrincipal.Type + ":" + t.TokenRequesterPrincipal.Name,
			Renewers: []string{}, Issued: t.IssueTimestamp, Expires: t.ExpiryTimestamp, Until: t.MaxTimestamp}
		for _, p := range t.Renewers {
			row.Renewers = append(row.Renewers, p.Type+":"+p.Name)
		}
		v.Tokens = append(v.Tokens, row)
	}
	slices.SortFunc(v.Tokens, func(a, b tokenRow) int { return cmp.Or(b.Issued.Compare(a.Issued), cmp.Compare(a.ID, b.ID)) })
	return v, nil
}

// principalOf reads User:ann, or ann.
func principalOf(text string) (*kadm.Principal, bool) {
	if text = strings.TrimSpace(text); !strings.Contains(text, ":") {
		text = auth.User(text).String()
	}
	p, ok := auth.ParsePrincipal(text)
	return &kadm.Principal{Type: p.Type, Name: p.Name}, ok
}

func (s *site) createToken(r *http.Request) (string, error) {
	create := kadm.CreateDelegationToken{}
	var ok bool
	if owner := strings.TrimSpace(r.Form.Get("owner")); owner != "" {
		if create.Owner, ok = principalOf(owner); !ok {
			return "", say(http.StatusUnprocessableEntity, "problem.token.owner")
		}
	} else if s.broker != nil {
		return "", say(http.StatusUnprocessableEntity, "problem.token.owner") // the UI itself is nobody
	}
	for name := range strings.SplitSeq(r.Form.Get("renewers"), ",") {
		if strings.TrimSpace(name) == "" {
			continue
		}
		p, ok := principalOf(name)
		if !ok {
			return "", say(http.StatusUnprocessableEntity, "problem.token.owner")
		}
		create.Renewers = append(create.Renewers, *p)
	}
	var err error
	if create.MaxLifetime, err = lifetime(r, "lifetime"); err != nil {
		return "", err
	}
	made, err := s.cluster.admin.CreateDelegationToken(r.Context(), create)
	if err != nil {
		return "", refused(err, "")
	}
	s.settled(r.Context(), func() bool { return s.hasToken(r.Context(), made.TokenID) })
	return "/security/tokens?" + url.Values{"done": {"token.created"}, "id": {made.TokenID}}.Encode(), nil
}

// lifetime reads a duration such as 24h from a form; none is 0.
func lifetime(r *http.Request, field string) (time.Duration, error) {
	text := strings.TrimSpace(r.Form.Get(field))
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, say(http.StatusUnprocessableEntity, "problem.token.time")
	}
	return d, nil
}

// hasToken says whether the cluster shows a token.
func (s *site) hasToken(ctx context.Context, id string) bool {
	all, err := s.cluster.admin.DescribeDelegationTokens(ctx)
	return err == nil && slices.ContainsFunc(all, func(t kadm.DelegationToken) bool { return t.TokenID == id })
}

// hmacOf finds the secret of the token in the path.
func (s *site) hmacOf(r *http.Request) ([]byte, error) {
	all, err := s.cluster.admin.DescribeDelegationTokens(r.Context())
	if err != nil {
		return nil, refused(err, "")
	}
	for _, t := range all {
		if t.TokenID == r.PathValue("id") {
			return t.HMAC, nil
		}
	}
	return nil, say(http.StatusNotFound, "problem.token.gone")
}

func (s *site) renewToken(r *http.Request) (string, error) {
	hmac, err := s.hmacOf(r)
	if err != nil {
		return "", err
	}
	by, err := lifetime(r, "by")
	if err != nil {
		return "", err
	}
	if _, err := s.cluster.admin.RenewDelegationToken(r.Context(), hmac, by); err != nil {
		return "", refused(err, "")
	}
	return "/security/tokens?done=token.renewed", nil
}

func (s *site) expireToken(r *http.Request) (string, error) {
	hmac, err := s.hmacOf(r)
	if err == nil && r.Form.Get("name") != r.PathValue("id") {
		err = say(http.StatusUnprocessableEntity, "problem.name.typed", r.PathValue("id"))
	}
	if err != nil {
		return "", err
	}
	if _, err := s.cluster.admin.ExpireDelegationToken(r.Context(), hmac, -time.Millisecond); err != nil {
		return "", refused(err, "")
	}
	s.settled(r.Context(), func() bool { return !s.hasToken(r.Context(), r.PathValue("id")) })
	return "/security/tokens?done=token.expired", nil
}
