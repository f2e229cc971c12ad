// Command browser walks through the web UI in a headless chromium as a student
// does after the notebook: topics, messages, groups, brokers. After each step it
// asks the broker itself whether that happened. It fails on a console error, a
// request to another host, or a page that is wider than a narrow screen.
//
//	go run ./test/browser                   walk
//	go run ./test/browser -shots docs/ui    walk, and write pictures of the pages
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
	"minibroker/ui"
)

func main() {
	shots := flag.String("shots", "", "directory for pictures of the pages")
	chromium := flag.String("chromium", "chromium", "program to start")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := run(ctx, *chromium, *shots); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// walk is one visit.
type walk struct {
	ctx   context.Context
	url   string
	b     *broker.Broker
	shots string

	mu    sync.Mutex
	wrong []string // what the browser complained about
}

func run(ctx context.Context, chromium, shots string) error {
	b, err := broker.New(broker.WithPort(0), broker.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer b.Close()
	server, err := ui.Listen("", 0)
	if err != nil {
		return err
	}
	defer server.Close(ctx)
	if err := server.Serve(b, ui.Options{Pages: true}, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	// Containers have no user namespaces for chromium's own sandbox.
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	ctx, stop := chromedp.NewExecAllocator(ctx, flags...)
	defer stop()
	ctx, stopTab := chromedp.NewContext(ctx)
	defer stopTab()
	w := &walk{ctx: ctx, url: strings.TrimSuffix(server.URL(), "/"), b: b, shots: shots}
	chromedp.ListenTarget(ctx, w.listen)
	if err := chromedp.Run(ctx, log.Enable(), network.Enable()); err != nil {
		return err
	}
	for _, step := range []func() error{w.topics, w.messages, w.groups, w.brokers, w.keyboard, w.pictures} {
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
	complain := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complain("exception: %s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			complain("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, arg := range e.Args {
				complain("console: %s", arg.Value)
			}
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") && !strings.HasPrefix(e.Request.URL, w.url+"/") {
			complain("a request to another host: %s", e.Request.URL)
		}
	}
}

// do runs actions, with half a minute for them.
func (w *walk) do(what string, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (w *walk) open(path string) chromedp.Action { return chromedp.Navigate(w.url + path) }

func (w *walk) topics() error {
	if err := w.do("creating a topic", w.open("/"), chromedp.Click(`nav a[href="/topics"]`), chromedp.Click(`a[href="/create-topic"]`),
		chromedp.SendKeys(`input[name=name]`, "orders"), chromedp.SetValue(`input[name=partitions]`, "3"), chromedp.Click(`form.panel button`), chromedp.WaitVisible(`.note.good`),
		w.open("/topics/orders/config"), chromedp.SetValue(`form:has(input[value="retention.ms"]) input[name=value]`, "86400000"),
		chromedp.Click(`form:has(input[value="retention.ms"]) button`), chromedp.WaitVisible(`.config.changed`)); err != nil {
		return err
	}
	if n := len(w.b.Topic("orders").HighWatermarks()); n != 3 {
		return fmt.Errorf("the broker has %d partitions of orders, want 3", n)
	}
	if err := w.do("deleting a topic", w.open("/create-topic"), chromedp.SendKeys(`input[name=name]`, "oops"), chromedp.Click(`form.panel button`), chromedp.WaitVisible(`.note.good`),
		w.open("/topics/oops/delete"), chromedp.SendKeys(`input[name=name]`, "oops"), chromedp.Click(`button.bad`), chromedp.WaitVisible(`.note.good`)); err != nil {
		return err
	}
	if w.b.Topic("oops").Exists() {
		return fmt.Errorf("the broker still has the topic oops")
	}
	return nil
}

func (w *walk) messages() error {
	for i := range 12 {
		if err := w.do("sending a message", w.open("/topics/orders/send"), chromedp.SendKeys(`input[name=key]`, fmt.Sprintf("user-%d", i%5)),
			chromedp.SendKeys(`textarea[name=value]`, fmt.Sprintf(`{"prix": %d, "article": "livre", "stock": true}`, 10+i)),
			chromedp.SendKeys(`textarea[name=headers]`, fmt.Sprintf("trace-id: %04x", i*777)), chromedp.Click(`form.panel button`), chromedp.WaitVisible(`.note.good`)); err != nil {
			return err
		}
	}
	if n := w.b.Topic("orders").Len(); n != 12 {
		return fmt.Errorf("the broker has %d records, want the 12 that were sent", n)
	}
	var rows int
	count := func(query, why string, want int) error {
		if err := w.do(why, w.open("/topics/orders/messages"+query), chromedp.Evaluate(`document.querySelectorAll("table.messages tbody tr").length`, &rows)); err != nil {
			return err
		}
		if rows != want {
			return fmt.Errorf("%s shows %d messages, want %d", why, rows, want)
		}
		return nil
	}
	if err := count("", "the page of messages", 12); err != nil {
		return err
	}
	return count("?q=%3A+17%2C", "a search for : 17,", 1)
}

func (w *walk) groups() error {
	consume := func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.b.Addr()), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ClientID("billing-app"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}, opts...)...)
	}
	c, err := consume()
	if err != nil {
		return err
	}
	defer c.Close()
	for seen := 0; seen < 12; {
		seen += c.PollFetches(w.ctx).NumRecords()
	}
	if err := c.CommitUncommittedOffsets(w.ctx); err != nil {
		return err
	}
	if err := w.do("seeing a group", w.open("/groups/billing"), chromedp.WaitVisible(`.s-Stable`), w.shot("group", false)); err != nil {
		return err
	}
	// The page is alive: it shows that the member left without being loaded anew.
	if err := c.LeaveGroupContext(w.ctx); err != nil {
		return err
	}
	if err := w.do("seeing the member leave", chromedp.WaitVisible(`.s-Empty`)); err != nil {
		return err
	}
	if err := w.do("resetting offsets", w.open("/groups/billing/reset"), chromedp.Click(`form.panel button`), chromedp.WaitVisible(`#plan`)); err != nil {
		return err
	}
	if lag := w.b.Group("billing").Lag("orders"); lag != 0 {
		return fmt.Errorf("the dry run changed the lag to %d", lag)
	}
	if err := w.do("confirming the reset", chromedp.Click(`section.panel button`), chromedp.WaitVisible(`.note.good`)); err != nil {
		return err
	}
	if lag := w.b.Group("billing").Lag("orders"); lag != 12 {
		return fmt.Errorf("the lag is %d after the reset to the earliest, want 12", lag)
	}
	return nil
}

func (w *walk) brokers() error {
	return w.do("seeing brokers", w.open("/brokers"), chromedp.WaitVisible(`main table`, chromedp.ByQuery), w.open("/brokers/1"), chromedp.WaitVisible(`section.config`, chromedp.ByQuery))
}

// keyboard goes to the topics without a mouse: the third stop is their link.
func (w *walk) keyboard() error {
	var path string
	if err := w.do("walking by keyboard", w.open("/"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"),
		chromedp.WaitVisible(`form[role=search]`), chromedp.Location(&path)); err != nil {
		return err
	}
	if path != w.url+"/topics" {
		return fmt.Errorf("four tabs and enter lead to %s, want the topics", path)
	}
	return nil
}

// pictures looks at every page in both languages, both themes and on a narrow
// screen.
func (w *walk) pictures() error {
	first := w.b.Topic("orders").Records()[0]
	for _, p := range []struct{ name, path string }{
		{"overview", "/"}, {"topics", "/topics"}, {"create", "/create-topic"}, {"topic", "/topics/orders"}, {"config", "/topics/orders/config"}, {"delete", "/topics/orders/delete"},
		{"messages", "/topics/orders/messages"}, {"record", fmt.Sprintf("/topics/orders/p/%d/o/%d", first.Partition, first.Offset)}, {"send", "/topics/orders/send"}, {"groups", "/groups"},
		{"group-empty", "/groups/billing"}, {"reset", "/groups/billing/reset?topic=orders&mode=latest"}, {"delete-group", "/groups/billing/delete"}, {"brokers", "/brokers"}, {"broker", "/brokers/1"},
	} {
		if err := w.do(p.path, w.open(p.path), w.shot(p.name, false), w.shot(p.name, true)); err != nil {
			return err
		}
		for _, lang := range []string{"fr", "en"} {
			var width float64
			if err := w.do(p.path+" on a narrow screen", emulation.SetDeviceMetricsOverride(360, 740, 1, true), w.open("/set?lang="+lang+"&back="+url.QueryEscape(p.path)),
				chromedp.Evaluate(`document.documentElement.scrollWidth`, &width), w.narrow(p.name, lang), emulation.ClearDeviceMetricsOverride()); err != nil {
				return err
			}
			if width > 360 {
				w.wrong = append(w.wrong, fmt.Sprintf("%s in %s is %.0f px wide on a screen of 360", p.path, lang, width))
			}
		}
	}
	return nil
}

func (w *walk) narrow(name, lang string) chromedp.Action {
	return w.save(name + "-narrow-" + lang)
}

// shot takes a picture in the light or dark theme.
func (w *walk) shot(name string, dark bool) chromedp.Action {
	theme := "light"
	if dark {
		theme = "dark"
	}
	return chromedp.Tasks{emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}), w.save(name + "-" + theme)}
}

func (w *walk) save(name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if w.shots == "" {
			return nil
		}
		var png []byte
		if err := chromedp.CaptureScreenshot(&png).Do(ctx); err != nil {
			return err
		}
		if err := os.MkdirAll(w.shots, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.shots, name+".png"), png, 0o644)
	})
}
