package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const documentFile = "../../docs/openapi.json"

// openAPI is the document that a program serves, and what is needed to hold its
// answers against it.
type openAPI struct {
	url   string
	text  []byte
	rules *jsonschema.Compiler
	Paths map[string]map[string]operation
}

type operation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Enum       []string
	Items      *schema
	Properties map[string]schema
}

func readOpenAPI(t *testing.T, url string) *openAPI {
	t.Helper()
	_, text := ask(t, "GET", url+"api/v1/openapi.json", "")
	d := &openAPI{url: strings.TrimSuffix(url, "/")}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(text), "", "  "); err != nil {
		t.Fatalf("the document is %s: %v", text, err)
	}
	d.text = indented.Bytes()
	if err := json.Unmarshal(d.text, d); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.text))
	if err != nil {
		t.Fatal(err)
	}
	d.rules = jsonschema.NewCompiler()
	if err := d.rules.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDocumentInTheRepositoryIsTheOneServed(t *testing.T) {
	s := start(t, nil, "--port", "0", "--http-port", "0")
	d := readOpenAPI(t, s.url)
	if *update {
		if err := os.WriteFile(documentFile, d.text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(documentFile); err != nil || !bytes.Equal(got, d.text) {
		t.Errorf("docs/openapi.json is old (%v): run go test ./cmd/minibroker -run TestTheDocument -update", err)
	}
	ids := make(map[string]string)
	for path, methods := range d.Paths {
		for method, op := range methods {
			if other, taken := ids[op.OperationID]; taken || op.OperationID == "" {
				t.Errorf("%s %s has the id %q, as %q has", method, path, op.OperationID, other)
			}
			ids[op.OperationID] = method + " " + path
		}
	}
	if ids["getTopic"] == "" || ids["getPageTopicsTopic"] == "" {
		t.Errorf("the operations are %v", slices.Sorted(maps.Keys(ids)))
	}
}

// Whatever is sent, within what the document says and beside it, the answer is
// one that the document knows, and never the server's fault.
func TestWhateverIsAskedTheAnswerIsAsTheDocumentSays(t *testing.T) {
	s := start(t, []string{"MINIBROKER_LOG_LEVEL=error"}, "--port", "0", "--http-port", "0", "--brokers", "2", "--clock", "movable", "--transcript", "20", "--topic", "orders:2")
	d := readOpenAPI(t, s.url)
	g := &guesser{rand.New(rand.NewPCG(1, 33)), d}
	answered := make(map[int]int)
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			op := d.Paths[path][method]
			if _, stream := op.Responses["200"].Content["text/event-stream"]; stream {
				continue
			}
			n := 12
			if method != "get" {
				n = 6
			}
			for range n {
				answered[d.try(t, g, path, method, &op)/100]++
				if method == "get" {
					continue
				}
				if status, text := ask(t, "POST", d.url+"/api/v1/reset", ""); status != 200 {
					t.Fatalf("after %s %s a reset answers %d %s", method, path, status, text)
				}
				ask(t, "POST", d.url+"/api/v1/topics/orders/records", `{"records":[{"key":"anna","value":{"drink":"tea"}}]}`)
			}
		}
	}
	if answered[2] < 100 || answered[4] < 100 {
		t.Errorf("too few requests were right or wrong to say much: %v", answered)
	}
}

// try sends one request and holds its answer against the document.
func (d *openAPI) try(t *testing.T, g *guesser, path, method string, op *operation) int {
	t.Helper()
	target, query := path, url.Values{}
	for _, p := range op.Parameters {
		value := g.text(p.Name, &p.Schema)
		switch {
		case p.In == "path":
			if value == "" || value == "." || value == ".." {
				value = "orders"
			}
			target = strings.ReplaceAll(target, "{"+p.Name+"}", url.PathEscape(value))
		case p.Name == "timeout" || g.IntN(3) > 0:
			query.Set(p.Name, value)
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	body, media := "", ""
	for _, m := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
		content := op.RequestBody.Content[m]
		switch {
		case m == "application/json":
			body, media = string(g.json(&content.Schema)), m
		case m == "application/x-www-form-urlencoded":
			form := url.Values{}
			for _, name := range slices.Sorted(maps.Keys(content.Schema.Properties)) {
				of := content.Schema.Properties[name]
				form.Set(name, g.text(name, &of))
			}
			body, media = form.Encode(), m
		case media == "":
			body, media = g.text("", &schema{}), m
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), d.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s %s: %v", method, target, body, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 500 {
		t.Errorf("%s %s %q is answered %d %s", method, target, body, resp.StatusCode, text)
	}
	status := fmt.Sprint(resp.StatusCode)
	if _, known := op.Responses[status]; !known {
		status = "default"
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if _, known := op.Responses[status].Content[kind]; !known {
		if len(text) > 0 || len(op.Responses[status].Content) > 0 {
			t.Errorf("%s %s %q is answered %d with %q, which the document does not know: %s", method, target, body, resp.StatusCode, kind, text)
		}
		return resp.StatusCode
	}
	if !strings.HasSuffix(kind, "json") {
		return resp.StatusCode
	}
	at := []string{"paths", path, method, "responses", status, "content", kind, "schema"}
	for i := range at {
		at[i] = url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(at[i]))
	}
	rules, err := d.rules.Compile("openapi.json#/" + strings.Join(at, "/"))
	if err != nil {
		t.Fatalf("the document: %v", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = rules.Validate(value)
	}
	if err != nil {
		t.Errorf("%s %s %q is answered %d %s\n%v", method, target, body, resp.StatusCode, text, err)
	}
	return resp.StatusCode
}

// guesser makes requests up, the same ones each time.
type guesser struct {
	*rand.Rand
	d *openAPI
}

var texts = []string{
	"orders", "orders", "orders", "billing", "0", "1", "2", "-1", "9223372036854775807", "1ms", "0s", "earliest", "latest", "start", "Produce", "Fetch", "true",
	"2026-01-31T12:00:00Z", "retention.ms", "", " ", "é\u0000\"<b>", "../..", "%2e", strings.Repeat("x", 300), `{"a":1}`, "topics: {orders: 1}",
}

func (g *guesser) text(name string, of *schema) string {
	switch {
	case name == "timeout": // nobody waits for long
		return []string{"1ms", "0s", "-1s", "soon"}[g.IntN(4)]
	case of.Enum != nil && g.IntN(5) > 0:
		return of.Enum[g.IntN(len(of.Enum))]
	case of.Type == "integer" && g.IntN(4) > 0:
		return fmt.Sprint(g.IntN(4))
	case name == "id" && g.IntN(2) == 0:
		return fmt.Sprint(g.IntN(4))
	}
	return texts[g.IntN(len(texts))]
}

// json is a value that a schema describes, most of the time.
func (g *guesser) json(of *schema) []byte {
	text, err := json.Marshal(g.value("", of, 0))
	if err != nil {
		panic(err)
	}
	if g.IntN(10) == 0 {
		return text[:len(text)/2]
	}
	return text
}

func (g *guesser) value(name string, of *schema, depth int) any {
	if of.Ref != "" {
		var doc struct {
			Components struct{ Schemas map[string]schema }
		}
		if err := json.Unmarshal(g.d.text, &doc); err != nil {
			panic(err)
		}
		named := doc.Components.Schemas[strings.TrimPrefix(of.Ref, "#/components/schemas/")]
		return g.value(name, &named, depth+1)
	}
	if g.IntN(20) == 0 {
		return []any{nil, 1, -1.5, "orders", true, []any{}, map[string]any{"orders": nil}}[g.IntN(7)]
	}
	kind := of.Type
	if list, ok := kind.([]any); ok {
		kind = list[0]
	}
	switch kind {
	case "object":
		o := map[string]any{}
		for _, field := range slices.Sorted(maps.Keys(of.Properties)) {
			of := of.Properties[field]
			if g.IntN(3) > 0 && depth < 6 {
				o[field] = g.value(field, &of, depth+1)
			}
		}
		if of.Properties == nil {
			o[g.text("", &schema{})] = g.text("", &schema{})
		}
		return o
	case "array":
		var list []any
		for range g.IntN(3) {
			list = append(list, g.value(name, of.Items, depth+1))
		}
		return list
	case "integer":
		return []any{0, 1, 2, -1, int64(1) << 62}[g.IntN(5)]
	case "boolean":
		return g.IntN(2) == 0
	}
	return g.text(name, of)
}
