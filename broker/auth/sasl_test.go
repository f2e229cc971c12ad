package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func said(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Text
	}
	if err != nil {
		return "hidden"
	}
	return ""
}

func TestPlain(t *testing.T) {
	for message, want := range map[string]string{
		"\x00alice\x00secret":         "",
		"alice\x00alice\x00secret":    "",
		"bob\x00alice\x00secret":      "Authentication failed: Client requested an authorization id that is different from username",
		"\x00alice\x00wrong":          "Authentication failed: Invalid username or password",
		"\x00nobody\x00secret":        "Authentication failed: Invalid username or password",
		"\x00\x00secret":              "Authentication failed: username not specified",
		"\x00alice\x00":               "Authentication failed: password not specified",
		"alice":                       "Invalid SASL/PLAIN response: expected 3 tokens, got 1",
		"alice\x00secret":             "Invalid SASL/PLAIN response: expected 3 tokens, got 2",
		"\x00alice\x00secret\x00\x00": "Invalid SASL/PLAIN response: expected 3 tokens, got 4",
	} {
		e := exchange(Plain, people{"alice": "secret"})
		_, err := e.Step([]byte(message))
		if got := said(err); got != want || (e.Identity() != nil) != (want == "") {
			t.Errorf("%q: %q, want %q; %v", message, got, want, e.Identity())
		}
	}
}

func jws(header, claims string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(header)) + "." + b([]byte(claims)) + "."
}

func bearer(token string) string { return "n,,\x01auth=Bearer " + token + "\x01\x01" }

// It is 1,000,000 s after 1970.
func TestOAuthBearerBelievesUnsecuredTokens(t *testing.T) {
	none := `{"alg":"none"}`
	good := jws(none, `{"sub":"alice","iat":999999.5,"exp":1000060}`)
	for name, c := range map[string]struct{ message, refused, challenge string }{
		"good":                  {message: bearer(good)},
		"no iat":                {message: bearer(jws(none, `{"sub":"alice","exp":1000001}`))},
		"extensions":            {message: "n,,\x01auth=bearer " + good + "\x01traceId=123 4\x01\x01"},
		"authorization id":      {message: "n,a=alice,\x01auth=Bearer " + good + "\x01\x01"},
		"other id":              {message: "n,a=bob,\x01auth=Bearer " + good + "\x01\x01", refused: "Authentication failed: Client requested an authorization id (bob) that is different from the token's principal name (alice)"},
		"no token":              {message: "n,,\x01\x01", refused: "hidden"},
		"other scheme":          {message: "n,,\x01auth=Basic " + good + "\x01\x01", refused: "hidden"},
		"binary":                {message: "\x00\xff", refused: "hidden"},
		"expired":               {message: bearer(jws(none, `{"sub":"alice","exp":1000000}`)), challenge: "invalid_token"},
		"of the future":         {message: bearer(jws(none, `{"sub":"alice","iat":1000001,"exp":1000060}`)), challenge: "invalid_token"},
		"ends before it begins": {message: bearer(jws(none, `{"sub":"alice","iat":999999,"exp":999998}`)), challenge: "invalid_token"},
		"no subject":            {message: bearer(jws(none, `{"exp":1000060}`)), challenge: "invalid_token"},
		"no end":                {message: bearer(jws(none, `{"sub":"alice"}`)), challenge: "invalid_token"},
		"subject no text":       {message: bearer(jws(none, `{"sub":7,"exp":1000060}`)), challenge: "invalid_token"},
		"an algorithm":          {message: bearer(jws(`{"alg":"RS256"}`, `{"sub":"alice","exp":1000060}`)), challenge: "invalid_token"},
		"a signature":           {message: bearer(good + "AAAA"), challenge: "invalid_token"},
		"no JSON":               {message: bearer("AAAA.BBBB."), challenge: "invalid_token"},
	} {
		e := exchange(OAuthBearer, nil)
		answer, err := e.Step([]byte(c.message))
		if got := said(err); got != c.refused || !strings.Contains(string(answer), c.challenge) {
			t.Errorf("%s: %q %q", name, got, answer)
		}
		in := c.refused == "" && c.challenge == ""
		if who := e.Identity(); (who != nil) != in || in && (who.Principal != User("alice") || who.Expires < 1000001000) {
			t.Errorf("%s: %+v", name, who)
		}
		if c.challenge != "" {
			_, err := e.Step([]byte{1})
			if got := said(err); got != `{"status":"invalid_token"}` {
				t.Errorf("%s: after the challenge %q", name, got)
			}
		}
	}
}

func FuzzExchanges(f *testing.F) {
	f.Add([]byte("n,,n=alice,r=abc"), []byte("c=biws,r=abcserver,p=AAAA"))
	f.Add([]byte("n,,\x01auth=Bearer a.b.\x01\x01"), []byte{1})
	f.Add([]byte("\x00alice\x00secret"), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, m := range Mechanisms {
			e := NewExchange(m, people{}, func() time.Time { return time.Unix(0, 0) }, func() string { return "server" })
			if _, err := e.Step(first); err == nil {
				_, _ = e.Step(second)
			}
			if who := e.Identity(); who != nil && m != OAuthBearer {
				t.Fatalf("%s lets %v in, who does not exist", m, who)
			}
		}
	})
}
