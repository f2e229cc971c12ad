package main

// This file owns what is looked at on every page: axe, a narrow screen, pictures.

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/twmb/franz-go/pkg/kgo"
)

//go:embed testdata/axe.min.js
var axe string

// page is one page, and its part of the names of pictures.
type page struct{ name, path string }

// seen are all pages.
func (w *walk) seen() ([]page, error) {
	first, err := w.first("orders")
	if err != nil {
		return nil, err
	}
	brokers, err := w.admin.ListBrokers(w.ctx)
	if err != nil {
		return nil, err
	}
	all := []page{
		{"overview", "/"}, {"topics", "/topics"}, {"create", "/create-topic"}, {"topic", "/topics/orders"}, {"stats", "/topics/orders/stats"}, {"config", "/topics/orders/config"}, {"manage", "/topics/orders/manage"},
		{"delete", "/topics/orders/delete"}, {"messages", "/topics/orders/messages"}, {"tail", "/topics/orders/messages?mode=tail"},
		{"record", fmt.Sprintf("/topics/orders/p/%d/o/%d", first.Partition, first.Offset)}, {"send", "/topics/orders/send"}, {"groups", "/groups"},
		{"group", "/groups/analytics"}, {"reset", "/groups/billing/reset?topic=orders&mode=latest"}, {"delete-group", "/groups/billing/delete"},
		{"transactions", "/transactions"}, {"brokers", "/brokers"}, {"broker", fmt.Sprintf("/brokers/%d", brokers[0].NodeID)}, {"security", "/security"},
		{"acls", "/security/acls"}, {"new-acl", "/security/acls/new?plan=1&kind=consumer&principal=ann&topic=orders&group=billing"}, {"who", "/security/who?operation=WRITE&resource=TOPIC&name=orders"},
		{"denied", "/security/denied"}, {"quotas", "/security/quotas"}, {"tokens", "/security/tokens"},
		{"lab", "/lab?topic=orders"}, {"wire", "/wire?client=shop"}, {"events", "/events"}, {"doctor", "/doctor"}, {"faults", "/faults"}, {"clock", "/clock"}, {"problem", "/topics/nope"},
	}
	if w.exchange != "" {
		all = append(all, page{"exchange", w.exchange})
	}
	return all, nil
}

// first is a topic's first record in the order of its partitions.
func (w *walk) first(topic string) (*kgo.Record, error) {
	c, err := w.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for {
		fetched := c.PollFetches(w.ctx)
		if err := fetched.Err0(); err != nil {
			return nil, err
		}
		for r := range fetched.RecordsAll() {
			return r, nil
		}
	}
}

// pages looks at every page in both themes, in both languages, and on a narrow
// screen.
func (w *walk) pages() error {
	for range 2 { // so that there are readers to be seen
		c, err := w.client(kgo.ConsumerGroup("analytics"), kgo.ConsumeTopics("orders"), kgo.ClientID("dashboard"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(time.Second))
		if err != nil {
			return err
		}
		defer c.Close()
		go func() {
			for c.PollFetches(w.ctx).Err0() == nil {
			}
		}()
	}
	all, err := w.seen()
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := w.do(p.path, w.open(p.path), chromedp.WaitReady(`main`), w.filled(p), w.theme("light"), w.inspect(p.path+" (light)", "{}"), w.holdsStill(p), w.save(p.name+"-light"),
			w.theme("dark"), w.inspect(p.path+" (dark)", `{runOnly: ["color-contrast"]}`), w.save(p.name+"-dark"), w.theme("light")); err != nil {
			return err
		}
		for _, lang := range []string{"fr", "en"} {
			var width float64
			var words string
			if err := w.do(p.path+" on a narrow screen", emulation.SetDeviceMetricsOverride(360, 740, 1, true), w.open("/set?lang="+lang+"&back="+url.QueryEscape(p.path)),
				chromedp.WaitReady(`main`), chromedp.Evaluate(`document.documentElement.scrollWidth`, &width), chromedp.Evaluate(`document.documentElement.lang`, &words),
				emulation.ClearDeviceMetricsOverride()); err != nil {
				return err
			}
			if width > 360 {
				w.complain("%s in %s is %.0f px wide on a screen of 360", p.path, lang, width)
			}
			if words != lang {
				w.complain("%s is in %q, want %q", p.path, words, lang)
			}
		}
	}
	return nil
}

// filled waits for what a page shows only after a while.
func (w *walk) filled(p page) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		switch p.name {
		case "group":
			return chromedp.WaitVisible(`.graph.drawn .u-wrap`).Do(ctx)
		case "tail":
			if err := chromedp.Poll(`document.getElementById("tail-state").textContent.startsWith("Live")`, nil).Do(ctx); err != nil {
				return err
			}
			var more []*kgo.Record
			for i := range 9 {
				more = append(more, &kgo.Record{Key: fmt.Appendf(nil, "user-%d", i%5), Value: fmt.Appendf(nil, `{"prix": %d, "article": "stylo"}`, 3*i)})
			}
			if err := w.produce("orders", more...); err != nil {
				return err
			}
			return chromedp.WaitVisible(`#tail tr`).Do(ctx)
		}
		return nil
	})
}

// holdsStill adds up what moved in the page since it was opened: what comes late
// has to have its place from the start. New rows push others away in a list that
// shows the newest first, so those are let off.
func (w *walk) holdsStill(p page) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if p.name == "tail" || p.name == "wire" {
			return nil
		}
		var moved float64
		sum := `new Promise(done => new PerformanceObserver(all => done(all.getEntries().reduce((sum, e) => sum + e.value, 0))).observe({type: "layout-shift", buffered: true}))`
		none := `new Promise(done => setTimeout(() => done(0), 200))` // nothing moved: nobody is told
		err := chromedp.Evaluate("Promise.race(["+sum+","+none+"])", &moved, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }).Do(ctx)
		if moved > 0.1 { // what browsers call good
			w.complain("%s moves while it is being opened: %.2f", p.path, moved)
		}
		return err
	})
}

// dialogs opens what lies over the pages: the shortcuts, and on a narrow screen
// the menu, which leads to the other pages.
func (w *walk) dialogs() error {
	for _, theme := range []string{"light", "dark"} {
		if err := w.do("the shortcuts", w.open("/"), chromedp.WaitReady(`main`), w.theme(theme), chromedp.Poll(`!document.getElementById("keys-open").hidden`, nil),
			chromedp.Click(`#keys-open`), chromedp.WaitVisible(`dialog[open]`), w.inspect("the shortcuts ("+theme+")", "{}"), chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible(`#keys`),
			emulation.SetDeviceMetricsOverride(360, 740, 1, true), chromedp.WaitNotVisible(`#menu`), chromedp.Click(`.menu-open`), chromedp.WaitVisible(`#menu`), w.inspect("the menu ("+theme+")", "{}"),
			chromedp.Click(`#menu a[href="/groups"]`), chromedp.WaitVisible(`h1`), emulation.ClearDeviceMetricsOverride()); err != nil {
			return err
		}
	}
	var at string
	if err := w.do("going by the menu", chromedp.Location(&at), w.theme("light")); err != nil {
		return err
	}
	if !strings.HasSuffix(at, "/groups") {
		return fmt.Errorf("the menu leads to %s, want the groups", at)
	}
	return nil
}

// inspect runs axe on the page, with options of its own.
func (w *walk) inspect(what, options string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var found []struct {
			ID, Impact, Help string
			Nodes            []struct{ HTML string }
		}
		run := fmt.Sprintf(`axe.run(document, {resultTypes: ["violations"], ...%s}).then(r => r.violations)`, options)
		if err := chromedp.Evaluate(axe, nil).Do(ctx); err != nil {
			return err
		}
		if err := chromedp.Evaluate(run, &found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }).Do(ctx); err != nil {
			return err
		}
		for _, v := range found {
			if !slices.Contains([]string{"serious", "critical"}, v.Impact) {
				continue
			}
			var where []string
			for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
				where = append(where, n.HTML[:min(200, len(n.HTML))])
			}
			w.complain("axe on %s: %s (%s): %s", what, v.Help, v.ID, strings.Join(where, " … "))
		}
		return nil
	})
}

func (w *walk) theme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}})
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
		small, err := shrink(png)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.shots, name+".png"), small, 0o644)
	})
}
