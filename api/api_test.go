package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

func documentText(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(Document()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// caller calls an API and holds each request and answer against the document.
type caller struct {
	t     *testing.T
	b     *broker.Broker
	url   string
	rules *jsonschema.Compiler // of the document
	used  map[string]bool      // operations
}

func newCaller(t *testing.T, opts ...broker.Option) *caller {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(documentText(t)))
	if err != nil {
		t.Fatal(err)
	}
	rules := jsonschema.NewCompiler()
	if err := rules.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	b := broker.Start(t, append([]broker.Option{broker.WithMovableClock()}, opts...)...)
	s := httptest.NewServer(New(b, "test"))
	t.Cleanup(s.Close)
	return &caller{t, b, s.URL, rules, map[string]bool{}}
}

func (c *caller) do(method, path, media, body string) (*http.Response, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+Prefix+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, text
}

// call expects a status, validates, and decodes the answer.
func (c *caller) call(method, path, body string, status int) map[string]any {
	c.t.Helper()
	resp, text := c.do(method, path, "application/json", body)
	if resp.StatusCode != status {
		c.t.Fatalf("%s %s answers %d, want %d: %s", method, path, resp.StatusCode, status, text)
	}
	c.validate(resp, method, path, "application/json", body, text)
	var v map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &v); err != nil {
			c.t.Fatalf("%s %s answers %s: %v", method, path, text, err)
		}
	}
	if status < 300 {
		c.note(method, path)
	}
	return v
}

// validate holds a request's body and its answer against the document.
func (c *caller) validate(resp *http.Response, method, path, media, body string, text []byte) {
	c.t.Helper()
	r := operation(method, path)
	if r == nil {
		c.t.Errorf("the document has no %s %s", method, path)
		return
	}
	at := []string{"paths", Prefix + r.path, strings.ToLower(method)}
	if body != "" && resp.StatusCode < 400 { // the request may well be wrong
		c.match(append(at, "requestBody", "content", media, "schema"), media, []byte(body))
	}
	status, answered := fmt.Sprint(r.status), resp.Header.Get("Content-Type")
	if resp.StatusCode >= 400 {
		status = "default"
	} else if resp.StatusCode != r.status {
		c.t.Errorf("%s %s answers %d, the document says %d", method, path, resp.StatusCode, r.status)
	}
	if answered != "" {
		c.match(append(at, "responses", status, "content", answered, "schema"), answered, text)
	} else if len(text) > 0 {
		c.t.Errorf("%s %s answers %q and does not say what it is", method, path, text)
	}
}

// match holds a text against the schema at a place in the document.
func (c *caller) match(at []string, media string, text []byte) {
	c.t.Helper()
	at = slices.Clone(at)
	for i := range at {
		at[i] = url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(at[i]))
	}
	schema, err := c.rules.Compile("openapi.json#/" + strings.Join(at, "/"))
	if err != nil {
		c.t.Errorf("the document: %v", err)
		return
	}
	var v any = string(text)
	if strings.HasSuffix(media, "json") {
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
			c.t.Errorf("%s: %v", text, err)
			return
		}
	}
	if err := schema.Validate(v); err != nil {
		c.t.Errorf("%s\n%v", text, err)
	}
}

// operation is the route that a path is of.
func operation(method, path string) *route {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
next:
	for i := range routes {
		of := strings.Split(routes[i].path, "/")
		if routes[i].method != method || len(of) != len(parts) {
			continue
		}
		for j := range of {
			if of[j] != parts[j] && !strings.HasPrefix(of[j], "{") {
				continue next
			}
		}
		return &routes[i]
	}
	return nil
}

// note remembers that an operation was called.
func (c *caller) note(method, path string) { c.used[operation(method, path).id] = true }

func (c *caller) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(c.b.Bootstrap(), ",")...)}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

func TestTheDocumentAndTheHandlersHaveTheSameOperations(t *testing.T) {
	text := documentText(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("the document is of OpenAPI %q", doc.OpenAPI)
	}
	a := New(broker.Start(t, broker.WithMemoryNetwork()), "test")
	served, ids := 0, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			served++
			name := strings.ToUpper(method) + " " + path
			if _, pattern := a.mux.Handler(httptest.NewRequest(strings.ToUpper(method), path, nil)); pattern != name {
				t.Errorf("%s is in the document, and %q would handle it", name, pattern)
			}
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("%s: its id %q is not its own", name, op.OperationID)
			}
			ids[op.OperationID] = true
			inPaths := 0
			for _, p := range op.Parameters {
				if p.In == "path" && strings.Contains(path, "{"+p.Name+"}") {
					inPaths++
				}
			}
			if inPaths != strings.Count(path, "{") {
				t.Errorf("%s does not say what is in its path", name)
			}
			if op.Responses["default"] == nil || len(op.Responses) != 2 {
				t.Errorf("%s does not say what it answers", name)
			}
		}
	}
	if served != len(routes) {
		t.Errorf("the document has %d operations, and %d are served", served, len(routes))
	}
}

func TestEveryOperationAnswersAsTheDocumentSays(t *testing.T) {
	c := newCaller(t, broker.WithBrokers(3), broker.WithConfig("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"), broker.WithConfig("super.users", "User:ANONYMOUS"))
	if h := c.call("GET", "/health", "", 200); h["bootstrap"] != c.b.Bootstrap() {
		t.Errorf("health is %v", h)
	}
	c.call("GET", "/openapi.json", "", 200)

	// Topics and records.
	topic := c.call("POST", "/topics", `{"name":"orders","partitions":2,"configs":{"retention.ms":"-1"}}`, 201)
	if topic["name"] != "orders" || len(topic["detail"].([]any)) != 2 {
		t.Errorf("the new topic is %v", topic)
	}
	c.call("POST", "/topics/orders/partitions", `{"partitions":3}`, 200)
	c.call("PATCH", "/topics/orders/configs", `{"configs":{"max.message.bytes":"2000","retention.ms":null}}`, 200)
	own := 0
	for _, of := range c.call("GET", "/topics/orders/configs", "", 200)["configs"].([]any) {
		if of.(map[string]any)["own"] == true {
			own++
		}
	}
	if own != 1 {
		t.Errorf("the topic has %d configs of its own, want max.message.bytes", own)
	}
	stored := c.call("POST", "/topics/orders/records", `{"records":[
		{"partition":0,"key":"anna","value":{"drink":"tea"},"headers":{"trace":"abc"},"timestamp":"2026-01-31T12:00:00Z"},
		{"partition":0,"value":"text"}, {"partition":0,"value_base64":"/wA="}, {"partition":1,"key":""}]}`, 201)
	if got := fmt.Sprint(stored["stored"]); got != "[map[offset:0 partition:0] map[offset:1 partition:0] map[offset:2 partition:0] map[offset:0 partition:1]]" {
		t.Errorf("the records went to %s", got)
	}
	for query, want := range map[string]int{"": 4, "?partition=0": 3, "?limit=2": 2, "?partition=0&from=2": 1, "?from=-1": 2, "?from=end": 0, "?from=2026-02-01T00:00:00Z": 3, "?decode=base64": 4, "?decode=text": 4} {
		if got := c.call("GET", "/topics/orders/records"+query, "", 200)["records"].([]any); len(got) != want {
			t.Errorf("%s reads %d records, want %d", query, len(got), want)
		}
	}
	first := c.call("GET", "/topics/orders/records?limit=1", "", 200)
	if got := first["records"].([]any)[0].(map[string]any); fmt.Sprintf("%v %v %v", got["value"], got["key"], got["timestamp"]) != "map[drink:tea] anna 2026-01-31T12:00:00.000Z" || first["next"].(map[string]any)["0"] != 1.0 {
		t.Errorf("the first record is %v", first)
	}
	c.call("GET", "/topics/orders/wait?count=4", "", 200)
	c.call("GET", "/topics/orders", "", 200)
	c.call("GET", "/topics?internal=true", "", 200)

	// A group, its wait, and a reset of its offsets.
	member := c.client(kgo.ClientID("worker"), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	c.call("GET", "/groups/billing/wait?members=1&timeout=30s", "", 200)
	for n := 0; n < 4; {
		n += member.PollFetches(t.Context()).NumRecords()
	}
	if err := member.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.call("GET", "/groups/billing/wait?topic=orders", "", 200)
	c.call("GET", "/groups/billing/wait?topic=orders&partition=0&offset=3", "", 200)
	if clients := c.call("GET", "/clients", "", 200)["clients"].([]any); len(clients) == 0 {
		t.Error("nobody is connected")
	}
	if p := c.call("PUT", "/groups/billing/offsets", `{"topic":"orders","to":"earliest"}`, 409); p["code"] != "UNKNOWN_MEMBER_ID" {
		t.Errorf("a group with members is reset: %v", p)
	}
	member.Close()
	c.call("GET", "/groups/billing/wait?state=Empty&timeout=30s", "", 200)
	c.call("PUT", "/groups/billing/offsets", `{"topic":"orders","to":"latest","dry_run":true}`, 200)
	c.call("PUT", "/groups/billing/offsets", `{"topic":"orders","to":"shift","offset":-1,"partitions":[0]}`, 200)
	c.call("PUT", "/groups/billing/offsets", `{"topic":"orders","to":"time","time":"2026-02-01T00:00:00Z","partitions":[0]}`, 200)
	if at := c.b.Committed("billing")["orders"][0]; at != 1 {
		t.Errorf("reset by time, billing goes on at %d", at)
	}
	if g := c.call("GET", "/groups/billing", "", 200); g["offsets"].([]any)[0].(map[string]any)["lag"] != 2.0 {
		t.Errorf("the group is %v", g)
	}
	c.call("GET", "/groups", "", 200)

	// A share group, with records on loan.
	sharer := c.client(kgo.ConsumeTopics("orders"), kgo.ShareGroup("sharers"))
	c.call("GET", "/groups/sharers/wait?members=1&timeout=30s", "", 200)
	if p := c.call("PUT", "/groups/sharers/offsets", `{"topic":"orders","to":"earliest"}`, 409); p["code"] != "NON_EMPTY_GROUP" {
		t.Errorf("a share group with members is reset: %v", p)
	}
	sharer.Close()
	c.call("GET", "/groups/sharers/wait?state=Empty&timeout=30s", "", 200)
	c.call("PUT", "/groups/sharers/offsets", `{"topic":"orders","to":"earliest"}`, 200)
	g := c.call("GET", "/groups/sharers", "", 200)
	if at := g["shares"].([]any)[0].(map[string]any); g["kind"] != "share" || at["start"] != 0.0 || at["lag"] != 3.0 {
		t.Errorf("the share group is %v", g)
	}

	// Transactions.
	c.call("GET", "/clients/wait?client_id=worker", "", 200)
	bank := c.client(kgo.TransactionalID("bank"), kgo.DefaultProduceTopic("orders"))
	if err := bank.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := bank.ProduceSync(t.Context(), kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if x := c.call("GET", "/transactions/bank/wait?state=Ongoing", "", 200); x["started"] == "" || len(x["partitions"].(map[string]any)["orders"].([]any)) != 1 {
		t.Errorf("the open transaction is %v", x)
	}
	for query, want := range map[string]int{"": 5, "?isolation=read_committed": 4} {
		if got := c.call("GET", "/topics/orders/records"+query, "", 200)["records"].([]any); len(got) != want {
			t.Errorf("with an open transaction, %q reads %d records, want %d", query, len(got), want)
		}
	}
	if err := bank.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.call("GET", "/topics/orders", "", 200)["detail"].([]any) {
		if p := p.(map[string]any); p["last_stable_offset"] != p["high_watermark"] {
			t.Errorf("after the transaction the partition is %v", p)
		}
	}
	if list := c.call("GET", "/transactions?open=true", "", 200)["transactions"].([]any); len(list) != 0 {
		t.Errorf("open are %v", list)
	}
	if x := c.call("GET", "/transactions/bank", "", 200); x["state"] != "CompleteAbort" {
		t.Errorf("the aborted transaction is %v", x)
	}
	c.call("GET", "/transactions/nope", "", 404)
	c.call("GET", "/transactions/bank/wait", "", 400)

	// Faults.
	c.call("POST", "/faults", `{"kind":"delay","api":"Metadata","wait":"1ms","always":true,"optional":true}`, 201)
	c.call("GET", "/faults", "", 200)
	c.call("DELETE", "/faults", "", 204)
	gate := c.call("POST", "/faults", `{"kind":"hold","api":"Produce","topic":"orders","partition":1}`, 201)
	path := fmt.Sprintf("/faults/%v", gate["id"])
	producer := c.client(kgo.DefaultProduceTopic("orders"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	done := make(chan error, 1)
	producer.Produce(t.Context(), &kgo.Record{Partition: 1, Value: []byte("held")}, func(_ *kgo.Record, err error) { done <- err })
	c.call("GET", path+"/wait?hits=1&timeout=30s", "", 200)
	if f := c.call("GET", path, "", 200); f["hits"] != 1.0 || f["sentence"] != `hold Produce on topic "orders" on partition 1` {
		t.Errorf("the fault is %v", f)
	}
	c.call("POST", path+"/release", "", 200)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.call("DELETE", path, "", 204)

	// Logical brokers.
	if list := c.call("GET", "/brokers", "", 200)["brokers"].([]any); len(list) != 3 {
		t.Errorf("there are %d brokers", len(list))
	}
	c.call("PUT", "/topics/orders/partitions/0/leader", `{"broker":2}`, 200)
	if leader := c.b.Topic("orders").Partitions()[0].Leader; leader != 2 {
		t.Errorf("broker %d leads", leader)
	}
	c.call("PUT", "/groups/billing/coordinator", `{"broker":3}`, 204)
	if id := c.b.Coordinator("billing"); id != 3 {
		t.Errorf("broker %d coordinates", id)
	}
	c.call("PUT", "/brokers/2/lag", `{"lag":"2s"}`, 200)
	if b := c.call("POST", "/brokers/3/stop", "", 200); b["running"] != false {
		t.Errorf("the stopped broker is %v", b)
	}
	c.call("PUT", "/groups/billing/coordinator", `{"broker":3}`, 409)
	c.call("POST", "/brokers/3/start", "", 200)
	c.call("POST", "/brokers/9/stop", "", 404)

	// State.
	c.call("PUT", "/snapshots/full", "", 204)
	if list := c.call("GET", "/snapshots", "", 200); fmt.Sprint(list["snapshots"]) != "[full]" {
		t.Errorf("the snapshots are %v", list)
	}
	resp, fixture := c.do("GET", "/fixture?topic=orders", "", "")
	if resp.StatusCode != 200 || strings.Count(string(fixture), "\n") != 8 {
		t.Errorf("the fixture is %s", fixture)
	}
	c.note("GET", "/fixture")
	before := c.b.Now()
	c.call("POST", "/clock/advance", `{"by":"1h"}`, 200)
	if c.b.Now().Sub(before) < time.Hour {
		t.Error("the clock was not moved")
	}
	c.call("GET", "/clock", "", 200)
	c.call("DELETE", "/groups/billing", "", 204)
	c.call("DELETE", "/topics/orders", "", 204)
	c.b.Inject(c.fault(`{"kind":"fail","api":"Produce","error":"NOT_LEADER_OR_FOLLOWER","optional":true}`))
	c.call("POST", "/reset", "", 200)
	if len(c.b.Topics()) != 0 || len(c.b.Faults()) != 0 {
		t.Error("reset left something")
	}
	resp, answer := c.do("POST", "/fixture", "application/jsonl", string(fixture))
	if resp.StatusCode != 200 || string(answer) != `{"topics":1,"records":5,"offsets":2}`+"\n" {
		t.Errorf("loading what was dumped answers %s", answer)
	}
	c.validate(resp, "POST", "/fixture", "application/jsonl", string(fixture), answer)
	c.note("POST", "/fixture")
	c.call("POST", "/snapshots/full/restore", "", 200)
	if got := c.b.Topic("orders").Len(); got != 6 {
		t.Errorf("restored, the topic has %d records", got)
	}
	c.call("DELETE", "/snapshots/full", "", 204)

	// Security: who comes in by this port is a super user.
	c.call("PUT", "/users/anna", `{"password":"secret"}`, 204)
	c.call("GET", "/users", "", 200)
	c.call("DELETE", "/users/anna", "", 204)
	c.call("POST", "/acls", `{"acls":["anna read topic:orders"]}`, 201)
	c.call("GET", "/acls", "", 200)
	c.call("GET", "/acls/decision?principal=anna&operation=read&resource=topic:orders", "", 200)
	c.call("DELETE", "/acls?principal=anna", "", 200)
	c.call("GET", "/denials", "", 200)

	// The transcript.
	lines := c.call("GET", "/transcript?limit=3", "", 200)["lines"].([]any)
	if len(lines) != 3 {
		t.Errorf("the transcript has %d lines", len(lines))
	}
	c.stream(lines[2].(map[string]any)["number"].(float64), producer)

	for _, r := range routes {
		if !c.used[r.id] {
			t.Errorf("%s was never called: the document may say anything about it", r.id)
		}
	}
}

// stream reads the stream of the transcript until it has a request that came
// later.
func (c *caller) stream(after float64, client *kgo.Client) {
	c.t.Helper()
	req, _ := http.NewRequestWithContext(c.t.Context(), "GET", c.url+Prefix+"/transcript/stream", nil)
	req.Header.Set("Last-Event-ID", fmt.Sprint(int(after)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := client.Ping(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	head := make([]byte, len("id: 1"))
	if _, err := io.ReadFull(resp.Body, head); err != nil || !strings.HasPrefix(string(head), "id: ") || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Errorf("the stream begins with %q (%v)", head, err)
	}
	c.note("GET", "/transcript/stream")
}
