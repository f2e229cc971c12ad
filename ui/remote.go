package ui

// This file owns the UI of a cluster that is not in this process.

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanisms are the ways to log in to a cluster.
var Mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// Remote is a cluster that runs somewhere else, and how to log in to it.
type Remote struct {
	Seeds     []string    // host:port
	TLS       *tls.Config // nil: plain text
	Mechanism string      // one of Mechanisms; empty: nobody logs in
	User      string
	Password  string
}

// protocol is what the cluster speaks, as clients name it.
func (r Remote) protocol() string {
	name := "PLAINTEXT"
	if r.TLS != nil {
		name = "SSL"
	}
	if r.Mechanism != "" {
		name = "SASL_" + name
	}
	return name
}

// Options are what a client needs to be let in.
func (r Remote) Options() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if r.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(r.TLS))
	}
	switch r.Mechanism {
	case "":
	case "PLAIN":
		opts = append(opts, kgo.SASL(saslplain.Auth{User: r.User, Pass: r.Password}.AsMechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: r.User, Pass: r.Password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: r.User, Pass: r.Password}.AsSha512Mechanism()))
	default:
		return nil, fmt.Errorf("SASL mechanism %q is not known", r.Mechanism)
	}
	return opts, nil
}

// ServeRemote answers from now on with the pages of a cluster somewhere else,
// until Close. It does not wait, and the cluster may come later.
func (s *Server) ServeRemote(r Remote, log *slog.Logger) error {
	opts, err := r.Options()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	c, err := connect(r.Seeds, opts...)
	if err != nil {
		return err
	}
	s.cluster.Store(c)
	of := newSite(c, nil, Options{}, s.begin())
	of.remote = r
	pages := of.pages()
	s.serve(log, func() http.Handler { return handler(registry, s.ready.Load, pages, nil, nil) })
	return nil
}
