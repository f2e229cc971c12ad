package ui

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a broker that shows fixed values.
type stub struct{ bootstrap string }

func (stub) Addrs() []string     { return []string{"127.0.0.1:9092", "[::1]:9092"} }
func (s stub) Bootstrap() string { return s.bootstrap }
func (stub) ClusterID() string   { return "Gh3IbuzmMXDWTw7cc6WrRA" }
func (stub) Metrics() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "minibroker_topics", Help: "Topics."}, func() float64 { return 3 })
}

func TestPathsAnswer(t *testing.T) {
	ready := true
	h := Handler(stub{"localhost:9092"}, func() bool { return ready })
	for _, c := range []struct {
		method, path string
		ready        bool
		status       int
		has          string
	}{
		{"GET", "/", true, 200, "bootstrap.servers=localhost:9092"},
		{"GET", "/", true, 200, "<code>[::1]:9092</code>"},
		{"GET", "/", true, 200, `href="/metrics"`},
		{"GET", "/metrics", true, 200, "minibroker_topics 3"},
		{"GET", "/metrics", true, 200, "go_goroutines "},
		{"GET", "/metrics", true, 200, "process_cpu_seconds_total "},
		{"GET", "/healthz", true, 200, "ok\n"},
		{"HEAD", "/healthz", true, 200, ""},
		{"GET", "/healthz", false, 200, "ok\n"},
		{"GET", "/readyz", true, 200, "ready\n"},
		{"GET", "/readyz", false, 503, "not ready\n"},
		{"GET", "/nope", true, 404, ""},
		{"POST", "/metrics", true, 405, ""},
	} {
		ready = c.ready
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s (ready %t) answered %d %q, want %d with %q", c.method, c.path, c.ready, w.Code, w.Body, c.status, c.has)
		}
	}
}

func TestThePageEscapesWhatItShows(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(stub{"<script>"}, func() bool { return true }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if strings.Contains(w.Body.String(), "<script>") {
		t.Errorf("the page has a tag in it that came from outside: %s", w.Body)
	}
}

func TestAServerServesAndFreesItsPort(t *testing.T) {
	s, err := Listen("", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(stub{"localhost:9092"}, slog.New(slog.DiscardHandler))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, addr := range s.Addrs() {
		resp, err := client.Get("http://" + addr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "ready\n" {
			t.Errorf("%s answered %q", addr, body)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get("http://" + s.Addrs()[0] + "/readyz"); err == nil {
		t.Error("the port answers after Close")
	}
	unserved, err := Listen("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unserved.Close(context.Background()); err != nil {
		t.Errorf("closing a server that never served: %v", err)
	}
}

func TestATakenPortNamesTheFlag(t *testing.T) {
	s, err := Listen("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	port := s.listeners[0].Addr().(*net.TCPAddr).Port
	if _, err := Listen("127.0.0.1", port); err == nil || !strings.Contains(err.Error(), "choose another --http-port") {
		t.Errorf("a taken port is explained by %v", err)
	}
}
