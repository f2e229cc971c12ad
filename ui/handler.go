package ui

// This file owns the paths.

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// caPath is where the certificate of the broker's authority is.
const caPath = "/ca.pem"

// handler serves metrics and health, and pages if there are any. ready says
// whether clients should be sent here.
//
//	/metrics  the broker's, Go's and the process's metrics
//	/healthz  200 while the process runs
//	/ca.pem   what clients of a broker that is its own authority must trust
//	/api/v1/  control, which is another package's; the pages as JSON are in /api/v1/pages/
//	/readyz   200 while it serves clients, 503 before and after
func handler(registry *prometheus.Registry, ready func() bool, pages, control http.Handler, ca []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	if ca != nil {
		mux.HandleFunc("GET "+caPath, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-pem-file")
			w.Header().Set("Content-Disposition", `attachment; filename="ca.pem"`)
			send(w, r, http.StatusOK, ca)
		})
	}
	if control != nil {
		mux.Handle("/api/v1/", guard(control))
	}
	if pages != nil {
		mux.Handle(pagesAPI+"/", pages)
		mux.Handle("/", pages)
	}
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
