// Package ui is minibroker's HTTP port: metrics for Prometheus, health for
// whoever starts the process, and a page that says what is here.
package ui

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"minibroker/internal/listen"
)

// Broker is what the HTTP port shows: a *broker.Broker.
type Broker interface {
	Addrs() []string
	Bootstrap() string
	ClusterID() string
	Metrics() prometheus.Collector
}

// Server serves the HTTP port.
type Server struct {
	listeners []net.Listener
	http      http.Server
	ready     atomic.Bool
	running   sync.WaitGroup
}

// Listen opens the port as the broker opens its own: no host is both loopback
// addresses, port 0 any free one. Nothing is answered before Serve. Errors are
// one line for people.
func Listen(host string, port int) (*Server, error) {
	l, err := listen.Open(host, port, "--http-port")
	if err != nil {
		return nil, err
	}
	return &Server{listeners: l}, nil
}

// Addrs are the addresses that the server listens on, as host:port.
func (s *Server) Addrs() []string {
	addrs := make([]string, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr().String()
	}
	return addrs
}

// URL is the page's address for a browser on this machine.
func (s *Server) URL() string { return "http://" + listen.Local(s.listeners) + "/" }

// Serve answers for b from now on, until Close. It does not wait.
func (s *Server) Serve(b Broker, log *slog.Logger) {
	s.http.Handler = Handler(b, s.ready.Load)
	// A client that sends half a request must not hold a connection for ever.
	s.http.ReadHeaderTimeout = 10 * time.Second
	s.http.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	s.ready.Store(true)
	for _, l := range s.listeners {
		s.running.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				log.Error("the HTTP port stopped", "address", l.Addr().String(), "error", err)
			}
		})
	}
}

// Close says "not ready" from now on, lets requests in work finish until ctx
// ends, and frees the port.
func (s *Server) Close(ctx context.Context) error {
	s.ready.Store(false)
	err := s.http.Shutdown(ctx)
	for _, l := range s.listeners { // of a server that never served
		if closed := l.Close(); closed != nil && !errors.Is(closed, net.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	s.running.Wait()
	return err
}
