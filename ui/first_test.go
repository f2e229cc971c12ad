package ui

import (
	"net/url"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
)

func TestTheFirstPageTellsWhichTopicsCameAndWent(t *testing.T) {
	w := open(t, broker.WithTopic("old", 1, nil))
	if before := w.see("/", 200); strings.Contains(before, "old</a> was created") {
		t.Error("a topic from before the first look is told as new")
	}
	w.submit("/create-topic", url.Values{"name": {"orders"}, "partitions": {"1"}}, "/topics/orders?done=topic.created")
	w.see("/", 200, `<a href="/topics/orders">orders</a> was created`)
	w.submit("/topics/orders/delete", url.Values{"name": {"orders"}}, "/topics?done=topic.deleted")
	w.see("/", 200, `<a href="/topics/orders">orders</a> was deleted`, "was created")
}

func TestTheMenuSaysThatFaultsAreInPlace(t *testing.T) {
	w := open(t)
	if before := w.see("/topics", 200); strings.Contains(before, `class="count`) {
		t.Error("the menu counts something where nothing is")
	}
	w.b.Inject(fault.Hold(kmsg.Heartbeat).Optional())
	w.see("/topics", 200, `<span class="count warn">`, "1 fault is in place")
}

func TestAPageForAProjectorHasAnAddress(t *testing.T) {
	w := open(t, broker.WithTopic("orders", 1, nil))
	w.see("/lab?topic=orders", 200, `href="/lab?present=1&amp;topic=orders"`)
	w.see("/lab?topic=orders&present=1", 200, `<html lang="en" data-theme="system" data-present>`, `href="/lab?topic=orders"`, `name="present" value="1"`)
}

func TestManyPartitionsAreListedAsSpans(t *testing.T) {
	for want, all := range map[string][]int32{"": nil, "3": {3}, "0, 1": {0, 1}, "0–2": {0, 1, 2}, "0–3, 5, 7, 8": {0, 1, 2, 3, 5, 7, 8}} {
		if got := spans(all); got != want {
			t.Errorf("%v is listed as %q, want %q", all, got, want)
		}
	}
}
