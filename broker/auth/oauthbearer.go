package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"minibroker/internal/lazy"
)

// bearerExchange is SASL/OAUTHBEARER (RFC 7628) with unsecured tokens, which is
// what Kafka takes unless it is given a validator of its own: a JSON Web Token
// without signature, whose claim "sub" is believed
// (org.apache.kafka.common.security.oauthbearer.internals.OAuthBearerSaslServer
// and OAuthBearerUnsecuredValidatorCallbackHandler).
type bearerExchange struct {
	now      func() time.Time
	refused  string // what a client was told that must acknowledge it
	identity *Identity
}

func (e *bearerExchange) Identity() *Identity { return e.identity }
func (e *bearerExchange) Claims() string      { return "" }

// The client's first message (RFC 7628, section 3.1). Expressions are compiled when
// one is needed: a process starts sooner.
var (
	bearerMessage = lazy.Regexp(`^n,(?:a=((?:[\x01-\x7F]|=2C|=3D)*?))?,\x01((?:[A-Za-z]+=[\x21-\x7E \t\r\n]+\x01)*)\x01$`)
	bearerAuth    = lazy.Regexp(`^(\w+) +([-_~+/.a-zA-Z0-9]+=*)$`)
)

func (e *bearerExchange) Step(message []byte) ([]byte, error) {
	if string(message) == "\x01" && e.refused != "" {
		return nil, &Refusal{e.refused}
	}
	e.refused = ""
	m := bearerMessage().FindSubmatch(message)
	if m == nil {
		return nil, errors.New("invalid OAUTHBEARER client first message")
	}
	var authorization string
	for pair := range strings.SplitSeq(string(m[2]), "\x01") {
		if key, value, _ := strings.Cut(pair, "="); key == "auth" {
			authorization = value
		}
	}
	a := bearerAuth().FindStringSubmatch(authorization)
	if a == nil || !strings.EqualFold(a[1], "bearer") {
		return nil, errors.New("invalid OAUTHBEARER client first message: no bearer token in auth")
	}
	who, err := readToken(a[2], e.now())
	if err != nil {
		// The client must answer with a single %x01 before it is refused.
		e.refused = `{"status":"invalid_token"}`
		return []byte(e.refused), nil
	}
	if as := string(m[1]); as != "" && as != who.Principal.Name {
		return nil, &Refusal{fmt.Sprintf("Authentication failed: Client requested an authorization id (%s) that is different from the token's principal name (%s)", as, who.Principal.Name)}
	}
	e.identity = who
	return []byte{}, nil
}

// readToken checks an unsecured JSON Web Token (RFC 7519) at a moment.
func readToken(text string, now time.Time) (*Identity, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[2] != "" {
		return nil, errors.New("it is not an unsecured JSON Web Token")
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Sub *string  `json:"sub"`
		Exp *float64 `json:"exp"` // seconds since 1970
		Iat *float64 `json:"iat"`
	}
	if err := errors.Join(readPart(parts[0], &header), readPart(parts[1], &claims)); err != nil {
		return nil, err
	}
	ms := float64(now.UnixMilli())
	switch {
	case header.Alg != "none":
		return nil, errors.New("its algorithm is not none")
	case claims.Sub == nil || strings.TrimSpace(*claims.Sub) == "":
		return nil, errors.New("it has no claim sub")
	case claims.Exp == nil:
		return nil, errors.New("it has no claim exp")
	case claims.Iat != nil && *claims.Iat*1000 > ms:
		return nil, errors.New("it was issued in the future")
	case ms >= *claims.Exp*1000:
		return nil, errors.New("it has expired")
	case claims.Iat != nil && *claims.Exp <= *claims.Iat:
		return nil, errors.New("it ends before it begins")
	}
	return &Identity{Principal: User(*claims.Sub), Expires: int64(*claims.Exp * 1000)}, nil
}

// readPart decodes base64, of either alphabet, with JSON in it.
func readPart(part string, into any) error {
	part = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(part, "="))
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
