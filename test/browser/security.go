package main

// This file owns a walk through security: somebody is let in, refused, and
// allowed.

import (
	"errors"
	"fmt"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"minibroker/broker"
)

// secured are a broker's options: users log in at a port of their own and need
// ACLs, and who comes in by the first one may do everything.
func secured() []broker.Option {
	return []broker.Option{
		broker.WithUser("ann", "secret"), broker.WithExtraPort("SASL_PLAINTEXT", 0), broker.WithConfig("delegation.token.secret.key", "key"),
		broker.WithConfig("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"), broker.WithConfig("super.users", "User:ANONYMOUS"),
	}
}

func (w *walk) security() error {
	ann, err := kgo.NewClient(kgo.SeedBrokers(w.b.AddrOf("SASL_PLAINTEXT")), kgo.SASL(saslplain.Auth{User: "ann", Pass: "secret"}.AsMechanism()),
		kgo.DisableIdempotentWrite(), kgo.MetadataMinAge(10*time.Millisecond), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		return err
	}
	defer ann.Close()
	fill := func(name, value string) chromedp.Action {
		return chromedp.SetValue(`form[method=get] [name=`+name+`]`, value)
	}
	if err := w.do("making a consumer's ACLs", w.open("/security/acls"), chromedp.Click(`a[href="/security/acls/new"]`), chromedp.WaitReady(`select[name=kind]`),
		fill("kind", "consumer"), fill("principal", "User:ann"), fill("topic", "orders"), fill("group", "billing"), chromedp.Click(`form[method=get] button`),
		chromedp.WaitVisible(`form[method=post] table`), chromedp.Click(`form[method=post] button:not([data-copy])`), chromedp.WaitVisible(`.note.good`)); err != nil {
		return err
	}
	if n := len(w.b.Rules().Principals()); n != 2 {
		return fmt.Errorf("the broker's ACLs are of %d principals, want ann and the super user", n)
	}
	if err := ann.ProduceSync(w.ctx, &kgo.Record{Value: []byte("by ann")}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("a consumer that writes is told %w", err)
	}
	if err := w.do("allowing what was denied", w.open("/security/denied"), chromedp.Click(`.denial a.button`), chromedp.WaitVisible(`form[method=post] table`),
		chromedp.Click(`form[method=post] button:not([data-copy])`), chromedp.WaitVisible(`.note.good`)); err != nil {
		return err
	}
	if err := ann.ProduceSync(w.ctx, &kgo.Record{Key: []byte("user-1"), Value: []byte(`{"prix": 9, "article": "livre", "stock": false}`)}).FirstErr(); err != nil {
		return fmt.Errorf("once it is allowed, ann is told %w", err)
	}
	return w.do("making a token", w.open("/security/tokens"), chromedp.SendKeys(`input[name=owner]`, "User:ann"), chromedp.Click(`form[action="/security/tokens"] button`), chromedp.WaitVisible(`.note.good`))
}
