package ui

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

// What is advised must be an expression, and judge the message that the first
// one could not.
func TestUsualMistakesInFiltersAreMended(t *testing.T) {
	for _, c := range []struct{ expression, value, about, try string }{
		{`value.price > 10`, `{"item": 1}`, "missing", `has(value.price) && (value.price > 10)`},
		{`value.price > 10`, `text`, "missing", `has(value.price) && (value.price > 10)`},
		{`value.price > 10`, `null`, "missing", `has(value.price) && (value.price > 10)`},
		{`value.a.b == 1`, `{"a": {}}`, "missing", `has(value.a.b) && (value.a.b == 1)`},
		{`value.a.b == 1`, `{}`, "missing", `has(value.a) && (value.a.b == 1)`},
		{`value["a-b"] == 1`, `{}`, "missing", `"a-b" in value && (value["a-b"] == 1)`},
		{`headers["source"] == "web"`, `{}`, "header", `"source" in headers && (headers["source"] == "web")`},
		{`headers.source == "web"`, `{}`, "header", `"source" in headers && (headers.source == "web")`},
		{`value.price > 10`, `[1]`, "list", `type(value) == map && (value.price > 10)`},
		{`value.price > 10`, `{"price": "12"}`, "kind", ""},
		{`int(value.n) > 3`, `{"n": "x"}`, "kind", ""},
		{`value.l[3] == 1`, `{"l": [1]}`, "index", ""},
		{`value`, `{}`, "compare", ""},
		{`size(key)`, `{}`, "compare", ""},
		{`price > 10 && key == "price"`, `{"price": 12}`, "name", `value.price > 10 && key == "price"`},
		{`value.price = 10`, `{"price": 12}`, "equals", `value.price == 10`},
		{`value.a == "x = y" and not (value.a == "b or c")`, `{"a": "x"}`, "words", `value.a == "x = y" && ! (value.a == "b or c")`},
		{`value.a.contians("x")`, `{"a": "x"}`, "function", ""},
		{`lower("x") == "x"`, `{}`, "function", ""},
		{`partition == "x"`, `{}`, "kind", ""},
	} {
		var got *advised
		f, err := newFilter("", c.expression)
		record := &kgo.Record{Value: []byte(c.value)}
		if err != nil {
			got = advise(c.expression, err.(*problem).Detail)
		} else if f.takes(t.Context(), record) || len(f.failures) != 1 {
			t.Errorf("%s judges %s", c.expression, c.value)
			continue
		} else {
			got = f.failures[0].Advice
		}
		if got == nil || got.Key != c.about || got.Try != c.try {
			t.Errorf("on %s of %s one is advised %+v, want %s: %s", c.expression, c.value, got, c.about, c.try)
			continue
		}
		if c.try == "" {
			continue
		}
		better, err := newFilter("", c.try)
		if err != nil {
			t.Errorf("%s is no expression: %v", c.try, err.(*problem).Detail)
			continue
		}
		if better.takes(t.Context(), record); better.Failed > 0 && c.about != "name" { // its message has no key
			t.Errorf("%s does not judge %s: %v", c.try, c.value, better.failures)
		}
	}
	if got := advise(`value.price > 1`, "out of luck"); got != nil {
		t.Errorf("nobody knows what to do, and %+v is advised", got)
	}
}

func TestMessagesThatAFilterCannotJudgeAreNamed(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	for i, value := range []string{`{"price": 12}`, `{"item": "<b>"}`, `{"price": "much"}`, `{"price": 2}`, `{}`} {
		w.submit("/topics/log/send", url.Values{"value": {value}, "partition": {"0"}}, "/topics/log/send?done=sent&offset="+strconv.Itoa(i)+"&partition=0")
	}
	query := "?filter=" + url.QueryEscape("value.price > 10")
	w.see("/topics/log/messages"+query, 200, "could not judge 3 messages", `<a href="?filter=value.price&#43;%3E&#43;10&amp;unjudged=1">Show them, too</a>`,
		`<span class="badge">2</span> <code lang="en">no such key: price</code>`, `href="/topics/log/p/0/o/4"`, `href="?filter=has%28value.price%29&#43;%26%26&#43;%28value.price&#43;%3E&#43;10%29"`, "no such overload", "12 is a number")
	if got, _ := w.offsetsOf(query); len(got) != 1 {
		t.Errorf("the filter takes %v, want the first message", got)
	}
	var v messagesView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log/messages"+query+"&unjudged=1", 200)), &v); err != nil {
		t.Fatal(err)
	}
	why := map[int64]string{}
	for _, m := range v.Messages {
		why[m.Offset] = m.Unjudged
	}
	if len(why) != 4 || why[0] != "" || why[1] != "no such key: price" || why[2] != "no such overload" || why[4] != "no such key: price" {
		t.Errorf("with those that cannot be judged there are %v", why)
	}
	w.see("/topics/log/messages"+query+"&unjudged=1", 200, `<span class="badge warn" lang="en">no such overload</span>`, "Leave them out")
	w.see("/topics/log/messages?filter=price+%3E+1", 422, "There is no “price”", `href="?filter=value.price&#43;%3E&#43;1"`, `data-filter=""`)
	w.see("/topics/log/messages", 200, "Examples of filters", `href="?filter=value.price&#43;%3E&#43;10"`)
	// The tail counts them.
	lines := w.listen("/topics/log/tail" + query)
	await(t, lines, ": open")
	if err := w.b.Produce("log", broker.Record{Value: []byte(`{}`)}, broker.Record{Value: []byte(`{"price": 11}`)}); err != nil {
		t.Fatal(err)
	}
	await(t, lines, "event: unjudged")
	if data := await(t, lines, "data: "); strings.TrimSpace(data) != "data: 1" {
		t.Errorf("the tail says %q", data)
	}
	await(t, lines, `11}`)
}
