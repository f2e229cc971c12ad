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

	"minibroker/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMachinesPathsAnswer(t *testing.T) {
	b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("a", 2, nil))
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.Metrics())
	ready := true
	h := handler(registry, func() bool { return ready }, nil, nil, nil)
	for _, c := range []struct {
		method, path string
		ready        bool
		status       int
		has          string
	}{
		{"GET", "/metrics", true, 200, "minibroker_topics "},
		{"GET", "/healthz", true, 200, "ok\n"},
		{"HEAD", "/healthz", true, 200, ""},
		{"GET", "/healthz", false, 200, "ok\n"},
		{"GET", "/readyz", true, 200, "ready\n"},
		{"GET", "/readyz", false, 503, "not ready\n"},
		{"GET", "/", true, 404, ""},
		{"GET", "/topics", true, 404, ""},
		{"POST", "/metrics", true, 405, ""},
	} {
		ready = c.ready
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("without pages %s %s (ready %t) answered %d %q, want %d with %q", c.method, c.path, c.ready, w.Code, w.Body, c.status, c.has)
		}
	}
}

func TestAServerServesAndFreesItsPort(t *testing.T) {
	s, err := Listen("", 0)
	if err != nil {
		t.Fatal(err)
	}
	b := broker.Start(t, broker.WithMemoryNetwork())
	s.Serve(b, Options{Pages: true}, slog.New(slog.DiscardHandler))
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
