// Command browser walks through the web UI in a headless chromium as a student
// does after the notebook: topics, messages, groups, brokers. After each step it
// asks the broker itself whether that happened. It fails on a console error, a
// request to another host, a page that is wider than a narrow screen, or what
// axe finds that keeps people out, or a page that moves while it is opened.
//
//	go test ./test/browser                                      walk
//	go run ./test/browser -shots docs/ui                        walk, and write pictures of the pages
//	go run ./test/browser -bootstrap-servers localhost:9092     walk through the pages of another cluster
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
	"minibroker/ui"
)

func main() {
	var o options
	flag.StringVar(&o.shots, "shots", "", "directory for pictures of the pages")
	flag.StringVar(&o.chromium, "chromium", "chromium", "program to start")
	flag.StringVar(&o.bootstrap, "bootstrap-servers", "", "cluster to look at in place of minibroker itself; topics and groups are made and deleted there")
	flag.IntVar(&o.width, "width", 1280, "width of the window in pixels")
	flag.StringVar(&o.lang, "lang", "en", "language of the pictures")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	chromium, shots, lang string
	bootstrap             string // of a cluster somewhere else; empty: one in this process
	width                 int
}

// walk is one visit.
type walk struct {
	options
	ctx context.Context
	url string
	b   *broker.Broker // nil: somewhere else
	// kafka and admin are clients of the cluster that know nothing of the UI.
	kafka *kgo.Client
	admin *kadm.Client

	lost     *kgo.Client // was told an address that it cannot reach
	exchange string      // path of a request on /wire

	mu    sync.Mutex
	wrong []string // what the browser complained about
}

func (w *walk) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func run(ctx context.Context, o options) error {
	w := &walk{options: o}
	quiet := slog.New(slog.DiscardHandler)
	server, err := ui.Listen("", 0)
	if err != nil {
		return err
	}
	defer server.Close(ctx)
	if o.bootstrap != "" {
		err = server.ServeRemote(ui.Remote{Seeds: []string{o.bootstrap}}, quiet)
	} else {
		if w.b, err = broker.New(append(secured(), broker.WithPort(0), broker.WithBrokers(3), broker.WithLogger(quiet))...); err != nil {
			return err
		}
		defer w.b.Close()
		w.bootstrap = w.b.Addr()
		server.Serve(w.b, ui.Options{Pages: true}, quiet)
	}
	if err != nil {
		return err
	}
	if w.kafka, err = w.client(kgo.MetadataMinAge(10 * time.Millisecond)); err != nil {
		return err
	}
	defer w.kafka.Close()
	w.admin = kadm.NewClient(w.kafka)
	// Containers have no user namespaces for chromium's own sandbox.
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(o.chromium), chromedp.NoSandbox, chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(cmp.Or(o.width, 1280), 900))
	ctx, stop := chromedp.NewExecAllocator(ctx, flags...)
	defer stop()
	ctx, stopTab := chromedp.NewContext(ctx)
	defer stopTab()
	w.ctx, w.url = ctx, strings.TrimSuffix(server.URL(), "/")
	chromedp.ListenTarget(ctx, w.listen)
	if err := chromedp.Run(ctx, log.Enable(), network.Enable()); err != nil {
		return err
	}
	defer func() {
		if w.lost != nil {
			w.lost.Close()
		}
	}()
	steps := []func() error{w.topics, w.messages, w.groups, w.brokers, w.security, w.inside, w.keyboard, w.dialogs, w.pages}
	if w.b == nil {
		steps = []func() error{w.topics, w.messages, w.groups, w.brokers, w.keyboard, w.dialogs, w.pages}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wrong) > 0 {
		return fmt.Errorf("the browser complained:\n%s", strings.Join(w.wrong, "\n"))
	}
	fmt.Println("walked through topics, messages, groups and brokers: all as it should be")
	return nil
}

func (w *walk) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.complain("exception: %s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if strings.HasSuffix(e.Entry.URL, "/topics/nope") {
			return // its answer is 404, as it should be
		}
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			w.complain("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, arg := range e.Args {
				w.complain("console: %s", arg.Value)
			}
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") && !strings.HasPrefix(e.Request.URL, w.url+"/") {
			w.complain("a request to another host: %s", e.Request.URL)
		}
	}
}

// patience is for what hangs: a machine that is ten times too slow is no mistake
// of the pages.
const patience = 5 * time.Minute

// do runs actions, with patience.
func (w *walk) do(what string, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (w *walk) open(path string) chromedp.Action { return chromedp.Navigate(w.url + path) }
