package ui

// This file owns the paths.

import (
	"html/template"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves the page, the metrics and the health of b. ready says whether
// clients should be sent here.
//
//	/         a page with the bootstrap address and these paths
//	/metrics  the broker's, Go's and the process's metrics
//	/healthz  200 while the process runs
//	/readyz   200 while it serves clients, 503 before and after
func Handler(b Broker, ready func() bool) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		b.Metrics(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			say(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		say(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(w, b) // the client went away
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>minibroker</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 40em; padding: 0 1em }</style>
<h1>minibroker</h1>
<p>A Kafka broker in memory is running here. Kafka clients on this machine use:</p>
<pre>bootstrap.servers={{.Bootstrap}}</pre>
<ul>
<li>Kafka listens on {{range $i, $a := .Addrs}}{{if $i}}, {{end}}<code>{{$a}}</code>{{end}}
<li>Cluster id <code>{{.ClusterID}}</code>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus
<li><a href="/healthz">/healthz</a>: the process runs
<li><a href="/readyz">/readyz</a>: it serves clients
</ul>
`))
