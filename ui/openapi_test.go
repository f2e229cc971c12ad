package ui

import (
	"encoding/json"
	"strings"
	"testing"

	"minibroker/broker"
)

func TestThePagesAsJSONAreDescribed(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	var d struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(w.see("/api/v1/openapi.json", 200)), &d); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/topics", "/topics/{topic}/messages", "/groups/{group}", "/brokers", "/security", "/wire", "/doctor", "/faults", "/clock", "/lab"} {
		schema := d.Paths[pagesAPI+path]["get"].Responses["200"].Content["application/json"].Schema
		name, _ := schema["$ref"].(string)
		s := d.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")]
		if len(s.Properties) == 0 {
			t.Errorf("%s has the schema %v, which has no properties", path, schema)
			continue
		}
		// Whatever the page has is described.
		page := strings.ReplaceAll(strings.ReplaceAll(path, "{topic}", "log"), "{group}", "none")
		out := w.do("GET", "/api/v1/pages"+page, nil)
		if out.Code != 200 {
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for field := range got {
			if s.Properties[field] == nil {
				t.Errorf("%s has the field %q, which is not described", path, field)
			}
		}
	}
	for route := range fields {
		method, path, _ := strings.Cut(route, " ")
		if d.Paths[pagesAPI+strings.ReplaceAll(path, "{$}", "")][strings.ToLower(method)].Responses == nil {
			t.Errorf("fields of %s are described, and there is no such path", route)
		}
	}
	for path := range views {
		if d.Paths[pagesAPI+strings.ReplaceAll(path, "{$}", "")]["get"].Responses == nil {
			t.Errorf("the view of %s is described, and there is no such path", path)
		}
	}
}
