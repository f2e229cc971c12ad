package main

// This file owns the run: start, tell, wait for a signal, stop.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"minibroker/api"
	"minibroker/broker"
	"minibroker/internal/clock"
	"minibroker/ui"
)

const (
	// stopWithin is how long requests in work on the HTTP port may take at the end.
	stopWithin = 3 * time.Second
	// startedAfter is when starting is over, its first clients' connecting too.
	startedAfter = time.Second
)

func serve(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	log := slog.New(newLogHandler(o, stderr))
	if len(o.ignored) > 0 {
		log.Info("some configs have no effect here and are ignored", "configs", strings.Join(o.ignored, ","))
	}
	// Before anything starts, so that no signal finds the broker half open.
	ctx, forget := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer forget()

	// The HTTP port goes first: when it is taken, no client must have been let in.
	var web *ui.Server
	if o.httpPort >= 0 {
		var err error
		if web, err = ui.Listen(o.host, o.httpPort); err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			if err := web.Close(ctx); err != nil {
				log.Warn("the HTTP port did not close cleanly", "error", err)
			}
		}()
	}
	b, err := broker.New(brokerOptions(o, log)...)
	if err != nil {
		return err
	}
	if err := writeCA(o.caOut, b); err != nil {
		return errors.Join(err, b.Close())
	}
	if web != nil {
		var control func() http.Handler
		if o.api {
			control = func() http.Handler { return api.New(b, versionText(), described(o)...) }
		}
		web.Serve(b, ui.Options{Pages: o.ui, Control: control, Published: o.published}, log)
	}
	announce(stdout, b, web)
	defer clock.Real{}.AfterFunc(startedAfter, forgetStart).Stop()

	<-ctx.Done()
	forget() // a second signal ends the process at once
	log.Info("stopping; a second signal stops at once")
	return b.Close()
}

// described is what the OpenAPI document has beside the control of the broker.
func described(o *options) []api.Part {
	if !o.ui {
		return nil
	}
	paths, schemas := ui.Describe()
	return []api.Part{{Tag: "pages", Paths: paths, Schemas: schemas}}
}

func brokerOptions(o *options, log *slog.Logger) []broker.Option {
	opts := []broker.Option{
		broker.WithHost(cmp.Or(o.host, "localhost")),
		broker.WithPort(o.port),
		broker.WithBrokers(o.brokers),
		broker.WithRacks(o.racks...),
		broker.WithAdvertise(o.advertise),
		broker.WithPublished(o.published),
		broker.WithLogger(log),
	}
	switch {
	case o.clock == "movable":
		opts = append(opts, broker.WithMovableClock())
	case o.clock == "virtual" && o.startAt.IsZero():
		opts = append(opts, broker.WithVirtualClock(clock.Real{}.Now()))
	case o.clock == "virtual":
		opts = append(opts, broker.WithVirtualClock(o.startAt))
	}
	for name, value := range o.configs {
		opts = append(opts, broker.WithConfig(name, value))
	}
	opts = append(opts, o.security...)
	for _, t := range o.topics {
		opts = append(opts, broker.WithTopic(t.name, t.partitions, t.configs))
	}
	if o.api && o.httpPort >= 0 {
		opts = append(opts, broker.WithTranscript(o.requests))
	}
	for _, f := range o.fixtures {
		opts = append(opts, broker.WithFixture(anyFile{}, f.value))
	}
	return opts
}

// anyFile is the whole file system, by the names that people write.
type anyFile struct{}

func (anyFile) Open(name string) (fs.File, error) { return os.Open(name) }

func newLogHandler(o *options, w io.Writer) slog.Handler {
	opts := &slog.HandlerOptions{Level: o.level}
	if o.json {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// announce prints where the broker is, in lines to be pasted into a client's
// configuration. A port of another protocol has a line that begins with it.
func announce(w io.Writer, b *broker.Broker, web *ui.Server) {
	fmt.Fprintf(w, "minibroker listens on %s\n", strings.Join(b.Addrs(), " and "))
	protocols := b.SecurityProtocols()
	fmt.Fprintf(w, "bootstrap.servers=%s\n", b.Bootstrap())
	if protocols[0] != "PLAINTEXT" {
		fmt.Fprintf(w, "security.protocol=%s\n", protocols[0])
	}
	for _, p := range protocols[1:] {
		fmt.Fprintf(w, "%s: bootstrap.servers=%s\n", p, b.BootstrapOf(p))
	}
	if web != nil {
		fmt.Fprintln(w, web.URL())
	}
}
