// Package ui is minibroker's HTTP port: the web UI, metrics for Prometheus, and
// health for whoever starts the process.
package ui

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
	"minibroker/internal/listen"
)

// Options say what the HTTP port serves beside metrics and health.
type Options struct {
	Pages     bool                // the web UI
	Control   func() http.Handler // makes what answers the paths below /api/v1; nil: none
	Published string              // host:port at which a container's port is published

	past *memory // what happened so far; nil: nobody has looked
}

// Server serves the HTTP port.
type Server struct {
	listeners []net.Listener
	http      http.Server
	ready     atomic.Bool
	running   sync.WaitGroup
	stop      context.CancelFunc      // of streams
	cluster   atomic.Pointer[cluster] // nil without pages, or before somebody looks at them
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

// Serve answers for b from now on, until Close. It does not wait. What it
// answers with is made when the first request comes: a broker that is ready for
// its clients at once is worth more.
func (s *Server) Serve(b *broker.Broker, o Options, log *slog.Logger) {
	streams := s.begin()
	if o.Pages { // the pages are made later, and tell what was before
		o.past = remember(b, streams)
	}
	s.serve(log, func() http.Handler {
		registry := prometheus.NewRegistry()
		registry.MustRegister(
			b.Metrics(),
			collectors.NewGoCollector(),
			collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		)
		var pages, control http.Handler
		if o.Pages {
			// Inside the process: what clients are told and who may come in does
			// not matter to the UI, and its bytes cross no socket.
			c, err := connect(strings.Split(b.Bootstrap(), ","), kgo.Dialer(b.AdminDialer()))
			if err != nil { // not with these options
				panic(err)
			}
			s.cluster.Store(c)
			pages = newSite(c, b, o, streams).pages()
		}
		if o.Control != nil {
			control = o.Control()
		}
		return handler(registry, s.ready.Load, pages, control, b.CA())
	})
}

// begin is what the streams live in.
func (s *Server) begin() (ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.Background())
	return ctx
}

// serve answers with the handler that answers makes.
func (s *Server) serve(log *slog.Logger, answers func() http.Handler) {
	answers = sync.OnceValue(answers)
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers().ServeHTTP(w, r) })
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
	if s.stop != nil {
		s.stop()
	}
	err := s.http.Shutdown(ctx)
	for _, l := range s.listeners { // of a server that never served
		if closed := l.Close(); closed != nil && !errors.Is(closed, net.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	s.running.Wait()
	if c := s.cluster.Load(); c != nil {
		c.close()
	}
	return err
}
