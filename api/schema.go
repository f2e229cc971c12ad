package api

import (
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"minibroker/internal/openapi"
)

// This file owns the OpenAPI document. It is made of the table of routes and of
// the Go types that are sent and answered, so it cannot say anything else.

// object keeps JSON short to write here.
type object = map[string]any

// Part is what others serve below /api/v1, for the document to have it, too:
// paths and schemas as OpenAPI has them, under one tag.
type Part struct {
	Tag            string
	Paths, Schemas map[string]any
}

// Document is the OpenAPI 3.1 document of the API, and of parts beside it.
func Document(parts ...Part) map[string]any {
	d := &document{schemas: object{}}
	problem := d.schema(reflect.TypeFor[Problem]())
	paths := object{}
	for _, r := range routes {
		of, _ := paths[Prefix+r.path].(object)
		if of == nil {
			of = object{}
			paths[Prefix+r.path] = of
		}
		of[strings.ToLower(r.method)] = d.operation(&r, problem)
	}
	var list []any
	for _, name := range tags {
		list = append(list, object{"name": name})
	}
	for _, p := range parts {
		list = append(list, object{"name": p.Tag})
		maps.Copy(paths, p.Paths)
		maps.Copy(d.schemas, p.Schemas)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "minibroker",
			"version":     "1",
			"description": "Control of a running minibroker: what its Go package does for tests, over HTTP.",
		},
		"servers":    []any{object{"url": "http://localhost:7080"}},
		"tags":       list,
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}
}

type document struct{ schemas object }

func (d *document) operation(r *route, problem any) object {
	params := openapi.PathParameters(r.path)
	for _, p := range r.params {
		schema := object{"type": p.kind}
		if p.values != nil && p.kind == "string" {
			schema["enum"] = p.values
		}
		params = append(params, object{"name": p.name, "in": "query", "required": p.required, "description": p.doc, "schema": schema})
	}
	answer := object{"description": "done"}
	switch {
	case r.answerMedia != "":
		answer["content"] = object{r.answerMedia: object{"schema": object{"type": "string"}}}
	case r.answer != nil:
		answer["content"] = object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.answer))}}
	}
	op := object{
		"operationId": r.id,
		"tags":        []any{r.tag},
		"summary":     r.summary,
		"responses": object{
			strconv.Itoa(r.status): answer,
			"default":              object{"description": "what is wrong, and what to do", "content": object{"application/problem+json": object{"schema": problem}}},
		},
	}
	if params != nil {
		op["parameters"] = params
	}
	switch {
	case r.bodyMedia != "":
		op["requestBody"] = object{"required": true, "content": object{r.bodyMedia: object{"schema": object{"type": "string"}}, "application/yaml": object{"schema": object{"type": "string"}}}}
	case r.body != nil:
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.body))}}}
	}
	return op
}

// schema is the JSON Schema of a Go type. Structs are named.
func (d *document) schema(t reflect.Type) any {
	switch {
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{}
	case t.Kind() == reflect.Pointer:
		of := d.schema(t.Elem()).(object)
		of["type"] = []any{of["type"], "null"}
		return of
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case t.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case t.Kind() == reflect.Struct:
		if _, known := d.schemas[t.Name()]; !known {
			d.schemas[t.Name()] = nil // a type within itself
			d.schemas[t.Name()] = d.fields(t)
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	}
	return object{"type": "integer"}
}

func (d *document) fields(t reflect.Type) object {
	properties := object{}
	required := []any{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue // its fields are visible, too
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := d.schema(f.Type).(object)
		if options == "omitempty" {
			if f.Type.Kind() == reflect.Pointer {
				of = d.schema(f.Type.Elem()).(object) // absent, never null
			}
		} else {
			required = append(required, name)
		}
		if text := f.Tag.Get("doc"); text != "" {
			of["description"] = text
		}
		if values := f.Tag.Get("enum"); values != "" {
			of["enum"] = strings.Split(values, ",")
		}
		properties[name] = of
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
