package ui

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"minibroker/broker"
)

// remotePage is the first page of a cluster somewhere else, in a language.
func remotePage(t *testing.T, r Remote, path, lang string) (int, string) {
	t.Helper()
	s := &Server{}
	defer func() { _ = s.Close(t.Context()) }()
	if err := s.ServeRemote(r, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest(http.MethodGet, "http://localhost:7080"+path, nil)
	q.Header.Set("Accept-Language", lang)
	out := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(out, q)
	return out.Code, out.Body.String()
}

func TestTheUILogsInToAnotherCluster(t *testing.T) {
	b := broker.Start(t, broker.WithTLS(), broker.WithSuperUser("admin", "topsecret"), broker.WithUser("ann", "secret"), broker.WithACL("ann read topic:log"), broker.WithTopic("log", 1, nil),
		broker.WithSecurityProtocol("SASL_SSL"), broker.WithExtraPort("SASL_PLAINTEXT", 0), broker.WithExtraPort("SSL", 0), broker.WithExtraPort("PLAINTEXT", 0))
	trusting, others := b.TLSConfig(), &tls.Config{RootCAs: x509.NewCertPool()}
	for _, mechanism := range Mechanisms {
		for protocol, config := range map[string]*tls.Config{"SASL_SSL": trusting, "SASL_PLAINTEXT": nil} {
			r := Remote{Seeds: []string{b.AddrOf(protocol)}, TLS: config, Mechanism: mechanism, User: "admin", Password: "topsecret"}
			if status, page := remotePage(t, r, "/", "en"); status != 200 || !strings.Contains(page, protocol) || !strings.Contains(page, "admin") || strings.Contains(page, "topsecret") {
				t.Errorf("%s by %s: %d, want the page with how to connect and no password: %s", mechanism, protocol, status, page)
			}
			// Who may is asked by the protocol; what only the broker knows is said to be missing.
			if status, page := remotePage(t, r, "/security/who?operation=READ&resource=TOPIC&name=log", "en"); status != 200 || !strings.Contains(page, "ann read topic:log") || !strings.Contains(page, "This cluster tells neither") {
				t.Errorf("%s by %s: who may is answered %d %s", mechanism, protocol, status, page)
			}
			if status, page := remotePage(t, r, "/security/denied", "en"); status != 200 || !strings.Contains(page, "This page looks inside minibroker") {
				t.Errorf("why denied is answered %d %s", status, page)
			}
		}
	}
	for _, c := range []struct {
		name, at string
		r        Remote
		en, fr   string
	}{
		{"a wrong password", "SASL_SSL", Remote{TLS: trusting, Mechanism: "PLAIN", User: "ann", Password: "x"}, "does not take this user or password", "n’accepte pas cet utilisateur"},
		{"an unknown user", "SASL_PLAINTEXT", Remote{Mechanism: "SCRAM-SHA-256", User: "eve", Password: "x"}, "does not take this user or password", "n’accepte pas cet utilisateur"},
		{"another authority", "SSL", Remote{TLS: others}, "from an authority that is not trusted", "vient d’une autorité inconnue"},
		{"plain text at a TLS port", "SSL", Remote{}, "it may want TLS or a login", "il veut peut-être TLS"},
		{"no login where one is wanted", "SASL_PLAINTEXT", Remote{}, "it may want TLS or a login", "il veut peut-être TLS"},
		{"TLS at a plain port", "PLAINTEXT", Remote{TLS: trusting}, "does not speak TLS", "ne parle pas TLS"},
		{"a login where none is wanted", "PLAINTEXT", Remote{Mechanism: "PLAIN", User: "ann", Password: "secret"}, "asks nobody to log in", "ne demande à personne"},
	} {
		c.r.Seeds = []string{b.AddrOf(c.at)}
		for lang, want := range map[string]string{"en": c.en, "fr": c.fr} {
			status, page := remotePage(t, c.r, "/topics", lang)
			if status != http.StatusBadGateway || !strings.Contains(page, want) {
				t.Errorf("%s in %s: %d, want 502 and %q: %s", c.name, lang, status, want, page[strings.Index(page, "<main"):])
			}
		}
	}
}
