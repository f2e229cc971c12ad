package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// browser asks a site's pages as a browser does.
type browser struct {
	t       *testing.T
	pages   http.Handler
	b       *broker.Broker
	headers map[string]string
	*site
}

func open(t *testing.T, opts ...broker.Option) *browser {
	t.Helper()
	b := broker.Start(t, append([]broker.Option{broker.WithMemoryNetwork()}, opts...)...)
	c, err := connect(strings.Split(b.Bootstrap(), ","), kgo.Dialer(b.AdminDialer())) // as Serve does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	s := newSite(c, b, Options{}, t.Context())
	return &browser{t, s.pages(), b, map[string]string{}, s}
}

func (w *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:7080"+path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range w.headers {
		r.Header.Set(name, value)
	}
	if host := w.headers["Host"]; host != "" {
		r.Host = host
	}
	out := httptest.NewRecorder()
	w.pages.ServeHTTP(out, r)
	return out
}

// see asks for a page, which must answer with status and hold the texts.
func (w *browser) see(path string, status int, texts ...string) string {
	w.t.Helper()
	out := w.do("GET", path, nil)
	body := out.Body.String()
	if out.Code != status {
		w.t.Fatalf("GET %s answered %d, want %d: %s", path, out.Code, status, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			w.t.Errorf("GET %s lacks %q: %s", path, text, body)
		}
	}
	return body
}

// submit sends a form, which must lead to a page.
func (w *browser) submit(path string, form url.Values, to string) {
	w.t.Helper()
	out := w.do("POST", path, form)
	if out.Code != http.StatusSeeOther || out.Header().Get("Location") != to {
		w.t.Fatalf("POST %s %v answered %d to %q, want 303 to %q: %s", path, form, out.Code, out.Header().Get("Location"), to, out.Body)
	}
}

// refuse sends a form, which must be refused with the texts.
func (w *browser) refuse(path string, form url.Values, status int, texts ...string) {
	w.t.Helper()
	out := w.do("POST", path, form)
	if out.Code != status {
		w.t.Fatalf("POST %s %v answered %d, want %d: %s", path, form, out.Code, status, out.Body)
	}
	for _, text := range texts {
		if !strings.Contains(out.Body.String(), text) {
			w.t.Errorf("the refusal of POST %s lacks %q: %s", path, text, out.Body)
		}
	}
}

// client is another client of the same broker, to see what really happened.
func (w *browser) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.b.Bootstrap()), kgo.Dialer(w.b.Dialer())}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func TestATopicIsCreatedConfiguredAndDeleted(t *testing.T) {
	w := open(t)
	admin := kadm.NewClient(w.client(kgo.MetadataMinAge(1e7)))
	w.see("/topics", 200, "There are no topics yet")
	w.submit("/create-topic", url.Values{"name": {"orders"}, "partitions": {"3"}, "cleanup.policy": {"compact"}}, "/topics/orders?done=topic.created")
	w.see("/topics/orders?done=topic.created", 200, "The topic was created.", "compact")
	w.see("/topics", 200, `href="/topics/orders"`)
	w.see("/topics?q=nothing", 200, "No topic has “nothing” in its name")
	if topics, err := admin.ListTopics(context.Background(), "orders"); err != nil || len(topics["orders"].Partitions) != 3 {
		t.Errorf("the broker has %v (%v), want orders with 3 partitions", topics, err)
	}
	w.refuse("/create-topic", url.Values{"name": {"orders"}, "partitions": {"1"}}, 409, "A topic of this name exists", "TOPIC_ALREADY_EXISTS", `value="orders"`)
	w.refuse("/create-topic", url.Values{"name": {"a/b"}}, 422, "This is not a topic name")
	w.refuse("/create-topic", url.Values{"name": {"c"}, "partitions": {"0"}}, 422, "must be 1 or more")
	w.refuse("/create-topic", url.Values{"name": {"c"}, "configs": {"segment.bytes"}}, 422, "“segment.bytes” is not a config", ">segment.bytes</textarea>")
	w.refuse("/create-topic", url.Values{"name": {"c"}, "configs": {"no.such=1"}}, 422, "INVALID_CONFIG")
	w.submit("/create-topic", url.Values{"name": {"c"}, "configs": {" segment.bytes = 1048576 \r\n\r\nmax.message.bytes=2000"}}, "/topics/c?done=topic.created")
	configs, err := admin.DescribeTopicConfigs(context.Background(), "c")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = *c.Value
	}
	if got["segment.bytes"] != "1048576" || got["max.message.bytes"] != "2000" {
		t.Errorf("the topic has segment.bytes %s and max.message.bytes %s", got["segment.bytes"], got["max.message.bytes"])
	}

	w.see("/topics/orders/config", 200, "retention.ms", "a segment is dropped when its newest record is older than this")
	w.submit("/topics/orders/config", url.Values{"config": {"retention.ms"}, "value": {"1234"}}, "/topics/orders/config?done=config")
	value := func() string {
		configs, err := admin.DescribeTopicConfigs(context.Background(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "retention.ms" {
				return *c.Value
			}
		}
		return ""
	}
	if v := value(); v != "1234" {
		t.Errorf("retention.ms is %s after it was set to 1234", v)
	}
	w.refuse("/topics/orders/config", url.Values{"config": {"retention.ms"}, "value": {"soon"}}, 422, "does not take this value", `value="soon"`)
	w.submit("/topics/orders/config", url.Values{"config": {"retention.ms"}, "reset": {"1"}, "q": {"ret"}}, "/topics/orders/config?done=config&q=ret")
	if v := value(); v != "604800000" {
		t.Errorf("retention.ms is %s after the reset", v)
	}

	w.refuse("/topics/orders/delete", url.Values{"name": {"order"}}, 422, "The name typed is not “orders”")
	w.submit("/topics/orders/delete", url.Values{"name": {"orders"}}, "/topics?done=topic.deleted")
	w.see("/topics/orders", 404, "There is no such topic")
	if w.b.Topic("orders").Exists() {
		t.Error("the broker still has the topic")
	}
}

func TestMessagesAreSentAndSeen(t *testing.T) {
	w := open(t, broker.WithTopic("orders", 3, nil))
	w.submit("/topics/orders/send", url.Values{"key": {""}, "key_empty": {"1"}, "value_null": {"1"}, "partition": {"2"}, "headers": {"a: 1\r\na: 2\r\nb"}}, "/topics/orders/send?done=sent&offset=0&partition=2")
	w.submit("/topics/orders/send", url.Values{"key": {""}, "value": {""}, "partition": {"2"}}, "/topics/orders/send?done=sent&offset=1&partition=2")
	w.submit("/topics/orders/send", url.Values{"key": {"user-42"}, "value": {"{\"prix\": 12}\r\n"}, "partition": {"2"}}, "/topics/orders/send?done=sent&offset=2&partition=2")
	w.see("/topics/orders/send?done=sent&offset=2&partition=2", 200, "Written to partition 2 at offset 2.")
	records := w.b.Topic("orders").Records()
	if len(records) != 3 {
		t.Fatalf("the broker has %d records, want 3", len(records))
	}
	if r := records[0]; r.Key == nil || len(r.Key) != 0 || r.Value != nil || len(r.Headers) != 3 || r.Headers[2].Value != nil {
		t.Errorf("empty key, null value and three headers arrived as %#v", r)
	}
	if r := records[1]; r.Key != nil || r.Value == nil {
		t.Errorf("null key and empty value arrived as %#v", r)
	}
	if r := records[2]; string(r.Value) != "{\"prix\": 12}\n" {
		t.Errorf("the value arrived as %q", r.Value)
	}
	w.refuse("/topics/orders/send", url.Values{"headers": {": x"}}, 422, "is not a header")
	w.refuse("/topics/orders/send", url.Values{"partition": {"9"}}, 422, "has no partition")
	w.submit("/topics/orders/send", url.Values{"key": {"user-42"}}, "/topics/orders/send?done=sent&offset=0&partition=1") // as Java's producer does with three partitions

	w.see("/topics/orders/messages", 200, "user-42", "&#34;prix&#34;: 12")
	w.see("/topics/orders/p/2/o/2", 200, "Partition 2, offset 2", "&#34;prix&#34;: 12")
	w.see("/topics/orders/p/2/o/2?decode=hex", 200, "7b 22 70 72 69 78")
	w.see("/topics/orders/p/2/o/3", 404, "There is no message at offset 3")
}

// offsetsOf asks the JSON twin of the messages page.
func (w *browser) offsetsOf(query string) (offsets []int64, next string) {
	w.t.Helper()
	var v messagesView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log/messages"+query, 200)), &v); err != nil {
		w.t.Fatal(err)
	}
	for _, m := range v.Messages {
		offsets = append(offsets, m.Offset)
	}
	return offsets, v.Next
}

func TestEachSeekModeFindsItsMessages(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	c := w.client()
	for i := range 10 {
		r := &kgo.Record{Topic: "log", Value: []byte{byte('a' + i)}}
		r.Timestamp = time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC)
		if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []struct {
		query string
		want  []int64
	}{
		{"", []int64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"?mode=latest&limit=2", []int64{9, 8}},
		{"?mode=earliest&limit=3", []int64{0, 1, 2}},
		{"?mode=from-offset&offset=7", []int64{7, 8, 9}},
		{"?mode=to-offset&offset=2", []int64{2, 1, 0}},
		{"?mode=from-time&time=2026-01-01T00:08", []int64{8, 9}},
		{"?mode=from-time&time=2026-01-01T01:08&zone=60", []int64{8, 9}},
		{"?mode=from-time&time=2027-01-01T00:00", nil},
		{"?mode=to-time&time=2026-01-01T00:01:00", []int64{1, 0}},
		{"?q=C", []int64{2}},
	} {
		if got, _ := w.offsetsOf(m.query); !slices.Equal(got, m.want) {
			t.Errorf("%q shows offsets %v, want %v", m.query, got, m.want)
		}
	}
	for _, mode := range []string{"latest", "earliest"} {
		var all []int64
		for query := "?limit=4&mode=" + mode; query != ""; {
			var page []int64
			page, query = w.offsetsOf(query)
			all = append(all, page...)
		}
		if len(all) != 10 {
			t.Errorf("the pages of %s show %v, want each of ten offsets once", mode, all)
		}
	}
	w.see("/topics/log/messages?mode=from-offset&offset=x", 422, "Give an offset")
	w.see("/topics/log/messages?mode=from-time&time=x", 422, "Give a date and a time")
}

func TestAGroupIsSeenResetAndDeleted(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	records := []broker.Record{}
	for range 10 {
		records = append(records, broker.Record{Key: []byte("k"), Value: []byte("v")})
	}
	if err := w.b.Produce("log", records...); err != nil {
		t.Fatal(err)
	}
	p := w.b.Topic("log").Records()[0].Partition
	ctx := context.Background()
	c := w.client(kgo.ConsumerGroup("g/1"), kgo.ConsumeTopics("log"), kgo.ClientID("reader"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	seen := 0
	for seen < 10 {
		seen += c.PollFetches(ctx).NumRecords()
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	w.see("/groups", 200, `href="/groups/g%2F1"`, "Stable")
	w.see("/groups/g%2F1", 200, "reader", "Stable")
	w.see("/topics/log", 200, "g/1")
	w.refuse("/groups/g%2F1/reset", url.Values{"topic": {"log"}, "target": {"0:0"}}, 409, "Stop its consumers")
	w.refuse("/groups/g%2F1/delete", url.Values{"name": {"g/1"}}, 409, "Stop its consumers")
	if err := c.LeaveGroupContext(ctx); err != nil {
		t.Fatal(err)
	}
	committed := func() int64 { return w.b.Committed("g/1")["log"][p] }
	target := func(query string) string {
		t.Helper()
		body := w.see("/groups/g%2F1/reset?topic=log&partition="+ids([]int32{p})+"&"+query, 200, "What would change")
		m := regexp.MustCompile(`name="target" value="([^"]*)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no target in %s", body)
		}
		return m[1]
	}
	for _, m := range []struct {
		query string
		want  int64
	}{{"mode=earliest", 0}, {"mode=offset&offset=4", 4}, {"mode=shift&offset=2", 6}, {"mode=shift&offset=-3", 3},
		{"mode=offset&offset=99", 10}, {"mode=time&time=2000-01-01", 0}, {"mode=latest", 10}} {
		before := committed()
		at := target(m.query)
		if committed() != before {
			t.Fatalf("the dry run of %s moved the offset", m.query)
		}
		w.submit("/groups/g%2F1/reset", url.Values{"topic": {"log"}, "target": {at}}, "/groups/g%2F1?done=group.reset")
		if committed() != m.want {
			t.Errorf("%s committed %d, want %d", m.query, committed(), m.want)
		}
	}
	// Each partition can have an offset of its own.
	var v resetView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/groups/g%2F1/reset?topic=log&mode=offset&offset="+url.QueryEscape(fmt.Sprintf("%d:7, %d:99", p, 1-p)), 200)), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Plan) != 2 || v.Plan[p].To != 7 || v.Plan[1-p].To != 0 || !v.Plan[1-p].Bounded {
		t.Errorf("the plan of an offset for each partition is %+v", v.Plan)
	}
	w.see("/groups/g%2F1/reset?topic=log&mode=offset&offset=9:1", 422, "has no partition")
	w.see("/groups/g%2F1/reset?topic=log&mode=offset&offset=0:1,x:", 422, "Give an offset")
	w.refuse("/groups/g%2F1/delete", url.Values{"name": {"g"}}, 422, "The name typed is not")
	w.submit("/groups/g%2F1/delete", url.Values{"name": {"g/1"}}, "/groups?done=group.deleted")
	w.see("/groups/g%2F1", 404, "There is no such group")
	w.see("/api/v1/pages/groups/g%2F1", 404, "GROUP_ID_NOT_FOUND")
}

func TestBrokersAreSeenAndConfigured(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	w.see("/topics/log", 200)
	w.see("/brokers", 200, "localhost:9092", "controller", "minibroker_connections", "Metadata")
	w.see("/brokers/1", 200, "auto.create.topics.enable", "read only")
	w.see("/brokers/7", 404, "There is no such broker")
	w.submit("/brokers/1", url.Values{"config": {"message.max.bytes"}, "value": {"2000"}}, "/brokers/1?done=config")
	w.see("/brokers/1?q=message.max", 200, `value="2000"`, "set here")
}

func TestTheFirstPageSaysTheAddressForItsReader(t *testing.T) {
	w := open(t)
	for host, want := range map[string]string{"localhost:7080": "localhost:9092", "192.168.1.5:7080": "192.168.1.5:9092", "[::1]:7080": "[::1]:9092", "kafka": "kafka:9092"} {
		w.headers["Host"] = host
		w.see("/", 200, `<code id="bootstrap">`+want+`</code>`, "bootstrap_servers=&#34;"+want)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	w := open(t)
	w.headers["Host"] = "evil.example"
	w.see("/topics", 421, "This page answers under private names only")
	w.headers["Host"] = ""
	form := url.Values{"name": {"x"}, "partitions": {"1"}}
	w.headers["Origin"] = "https://evil.example"
	w.refuse("/create-topic", form, 403, "came from another site")
	delete(w.headers, "Origin")
	w.headers["Sec-Fetch-Site"] = "cross-site"
	w.refuse("/api/v1/pages/create-topic", form, 403, "came from another site")
	if w.b.Topic("x").Exists() {
		t.Error("another site created a topic")
	}
	delete(w.headers, "Sec-Fetch-Site")
	w.headers["Origin"] = "http://localhost:7080"
	w.submit("/create-topic", form, "/topics/x?done=topic.created")
	if csp := w.do("GET", "/", nil).Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") {
		t.Errorf("the policy is %q", csp)
	}
	for _, back := range []string{"//evil.example", "https://evil.example", "/\\evil.example"} {
		if to := w.do("GET", "/set?lang=fr&back="+url.QueryEscape(back), nil).Header().Get("Location"); to != "/" {
			t.Errorf("the language switch goes to %q", to)
		}
	}
}

// hostile is what a client may put anywhere.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202egnp.exe\xff\x00{{.}}"

func TestHostileContentIsShownAndDoesNothing(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	text := strings.ReplaceAll(strings.ReplaceAll(hostile, "\xff", ""), "\x00", "")
	huge := `{"n": 123456789012345678901234567890.5, "h": "<script>alert(1)</script>"}`
	for _, value := range []string{hostile, text, huge, strings.Repeat("é", 5<<20)} {
		r := broker.Record{Key: []byte(value)[:min(len(value), 100)], Value: []byte(value), Headers: []broker.Header{{Key: text, Value: []byte(value)[:min(len(value), 100)]}}}
		if len(value) > 1<<20 {
			w.submit("/topics/log/config", url.Values{"config": {"max.message.bytes"}, "value": {"20000000"}}, "/topics/log/config?done=config")
		}
		if err := w.b.Produce("log", r); err != nil {
			t.Fatal(err)
		}
	}
	admin := kadm.NewClient(w.client(kgo.ClientID(text)))
	o := kadm.Offsets{}
	o.AddOffset("log", 0, 1, -1)
	if _, err := admin.CommitOffsets(context.Background(), text, o); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(context.Background(), 1, 1, nil, text); err == nil {
		t.Error("a hostile topic was created")
	}
	names := kmsg.NewPtrInitProducerIDRequest()
	names.TransactionalID, names.TransactionTimeoutMillis = &text, 1000
	if _, err := names.RequestWith(context.Background(), w.client(kgo.ClientID(text))); err != nil {
		t.Fatal(err)
	}
	w.submit("/faults", url.Values{"kind": {"drop"}, "api": {"Fetch"}, "topic": {text}, "group": {text}, "client": {text}, "transaction": {text}}, "/faults?done=fault.set")
	for _, path := range []string{
		"/events", "/events?q=" + url.QueryEscape(hostile), "/faults", "/transactions", "/transactions/" + url.PathEscape(text), "/transactions?q=" + url.QueryEscape(hostile),
		"/topics/log/messages?unjudged=1&filter=" + url.QueryEscape(`value.h.startsWith("x") || value["`+"<script>alert(1)</script>"+`"] == 1`), "/topics/log/messages?filter=" + url.QueryEscape(hostile),
		"/topics/log", "/topics/log/messages", "/topics/log/messages?decode=text", "/topics/log/messages?decode=json", "/topics/log/messages?decode=hex",
		"/topics/log/p/0/o/0", "/topics/log/p/0/o/1", "/topics/log/p/0/o/2", "/topics/log/p/0/o/3", "/groups", groupPath(text), groupPath(text) + "/reset", groupPath(text) + "/delete",
		"/topics?q=" + url.QueryEscape(hostile), "/topics/log/messages?q=" + url.QueryEscape(hostile), "/create-topic?name=" + url.QueryEscape(hostile), "/nothing/" + url.PathEscape(text),
	} {
		out := w.do("GET", path, nil)
		body := out.Body.String()
		for _, bad := range []string{"<script>alert", "<img src=x", "\x1b", "\u202e", "\x00"} {
			if i := strings.Index(body, bad); i >= 0 && !(strings.ContainsAny(bad, "\x1b\u202e\x00") && strings.Contains(path, "?")) {
				t.Errorf("%s holds %q: …%s", path, bad, body[max(0, i-60):min(len(body), i+60)])
			}
		}
		if len(body) > 600<<10 {
			t.Errorf("%s is %d bytes", path, len(body))
		}
	}
	w.see("/topics/log/p/0/o/2", 200, "123456789012345678901234567890.5")
}

func TestTheFirstPageIsSmallOnTheWire(t *testing.T) {
	w := open(t)
	w.headers["Accept-Encoding"] = "gzip"
	page := w.do("GET", "/", nil)
	total := page.Body.Len()
	w.headers["Accept-Encoding"] = ""
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"#]+)`).FindAllStringSubmatch(w.see("/", 200), -1) {
		if seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		w.headers["Accept-Encoding"] = "gzip"
		out := w.do("GET", m[1], nil)
		if out.Code != 200 || !strings.Contains(out.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s answered %d %v", m[1], out.Code, out.Header())
		}
		n, _ := io.Copy(io.Discard, out.Body)
		total += int(n)
	}
	t.Logf("the first page with all its files is %d bytes", total)
	if total > 60<<10 {
		t.Errorf("the first page with all its files is %d bytes on the wire, want at most 60 KB", total)
	}
}

func TestEachPageHasAJSONTwin(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	if err := w.b.Produce("log", broker.Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/topics", "/create-topic", "/topics/log", "/topics/log/config", "/topics/log/delete", "/topics/log/messages",
		"/topics/log/p/0/o/0", "/topics/log/send", "/groups", "/brokers", "/brokers/1"} {
		w.see(path, 200)
		if body := w.see("/api/v1/pages"+path, 200); !json.Valid([]byte(body)) {
			t.Errorf("%s is no JSON: %s", path, body)
		}
	}
	w.see("/api/v1/pages/topics/nope", 404, `"code":"UNKNOWN_TOPIC_OR_PARTITION"`)
	w.see("/api/v1/pages/nope", 404, `"error"`)
}

func record(topic, key, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
}
