package ui

// This file owns the description of the pages as JSON, in OpenAPI. Paths come
// from the table in site.go, and schemas from the views themselves, so that it
// cannot say what is not so.

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// views are the views of the pages, by path.
var views = map[string]any{
	"/{$}": overviewView{}, "/topics": topicsView{}, "/create-topic": createView{}, "/topics/{topic}": topicView{}, "/topics/{topic}/config": topicConfigView{},
	"/topics/{topic}/delete": deleteView{}, "/topics/{topic}/manage": manageView{}, "/topics/{topic}/messages": messagesView{},
	"/topics/{topic}/p/{partition}/o/{offset}": recordView{}, "/topics/{topic}/send": sendView{}, "/groups": groupsView{}, "/groups/{group}": groupView{},
	"/groups/{group}/reset": resetView{}, "/groups/{group}/delete": groupView{}, "/brokers": brokersView{}, "/brokers/{id}": brokerView{}, "/security": securityView{},
	"/wire": wireView{}, "/wire/{id}": exchangeView{}, "/doctor": doctorView{}, "/faults": faultsView{}, "/clock": clockView{}, "/lab": labView{},
}

// fields are the fields of the forms, and of the queries of pages that have some.
var fields = map[string]string{
	"GET /topics": "q internal from", "GET /topics/{topic}/config": "q", "GET /topics/{topic}/messages": "mode partition offset time zone limit decode q filter cursor",
	"GET /topics/{topic}/p/{partition}/o/{offset}": "decode", "GET /topics/{topic}/send": "again", "GET /groups": "q from", "GET /groups/{group}/reset": "topic mode offset time zone partition",
	"GET /brokers/{id}": "q", "GET /wire": "client api connection errors", "GET /lab": "topic", "GET /wire/feed": "client api connection errors after", "GET /lab/feed": "topic",
	"GET /topics/{topic}/tail": "partition decode q filter",
	"POST /create-topic":       "name partitions replicas cleanup.policy retention.ms", "POST /topics/{topic}/config": "config value reset", "POST /topics/{topic}/delete": "name",
	"POST /topics/{topic}/partitions": "partitions", "POST /topics/{topic}/purge": "name partition", "POST /topics/{topic}/clone": "to messages", "POST /topics/{topic}/recreate": "name",
	"POST /topics/{topic}/send": "key key_empty value value_null headers partition copies file", "POST /groups/{group}/reset": "topic target", "POST /groups/{group}/delete": "name",
	"POST /groups/{group}/forget": "topic name", "POST /brokers/{id}": "config value reset", "POST /security/users": "user mechanism password iterations delete",
	"POST /security/acls": "principal host permission operation resource name pattern delete", "POST /security/quotas": "user client ip key value delete",
	"POST /faults": "kind api error wait topic partition group client times after", "POST /faults/{id}/end": "release", "POST /clock": "by",
}

type object = map[string]any

// openAPI describes routes, each given as a method and a path.
func openAPI(routes []string) object {
	schemas := object{}
	paths := object{}
	wild := regexp.MustCompile(`\{(\w+)\}`)
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		shown := strings.ReplaceAll(path, "{$}", "")
		var parameters []object
		for _, m := range wild.FindAllStringSubmatch(shown, -1) {
			parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		answer := object{"description": "The page.", "content": object{"application/json": object{"schema": object{}}}}
		operation := object{"responses": object{"200": answer, "default": object{"description": "What went wrong, and what to do.",
			"content": object{"application/json": object{"schema": object{"type": "object", "properties": object{"error": object{"type": "string"}, "code": object{"type": "string"}, "detail": object{"type": "string"}}}}}}}}
		names := strings.Fields(fields[route])
		switch {
		case method == "POST":
			form := object{}
			for _, name := range names {
				form[name] = object{"type": "string"}
			}
			operation["requestBody"] = object{"content": object{"application/x-www-form-urlencoded": object{"schema": object{"type": "object", "properties": form}}}}
			answer["description"] = "It was done; next is where to look."
			answer["content"] = object{"application/json": object{"schema": object{"type": "object", "properties": object{"next": object{"type": "string"}}}}}
		case views[path] == nil:
			answer["description"] = "A stream of server-sent events."
			answer["content"] = object{"text/event-stream": object{"schema": object{"type": "string"}}}
		default:
			answer["content"] = object{"application/json": object{"schema": schemaOf(reflect.TypeOf(views[path]), schemas)}}
		}
		if method == "GET" {
			for _, name := range names {
				parameters = append(parameters, object{"name": name, "in": "query", "schema": object{"type": "string"}})
			}
		}
		if parameters != nil {
			operation["parameters"] = parameters
		}
		at, ok := paths[shown].(object)
		if !ok {
			at = object{}
			paths[shown] = at
		}
		at[strings.ToLower(method)] = operation
	}
	return object{"openapi": "3.1.0", "info": object{"title": "The pages of minibroker as JSON", "version": "1"},
		"servers": []object{{"url": pagesAPI}}, "paths": paths, "components": object{"schemas": schemas}}
}

// schemaOf is the schema of a type as encoding/json writes it. Structs with a
// name are kept once, in schemas.
func schemaOf(t reflect.Type, schemas object) object {
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{schemaOf(t.Elem(), schemas), {"type": "null"}}}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		name := strings.TrimSuffix(t.Name(), "View")
		if schemas[name] == nil {
			properties := object{}
			schemas[name] = object{"type": "object", "properties": properties}
			members(t, properties, schemas)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{"type": "integer"}
}

func members(t reflect.Type, into, schemas object) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case f.Anonymous && name == "":
			members(embedded, into, schemas)
		case f.IsExported() && name != "-" && name != "":
			into[name] = schemaOf(f.Type, schemas)
		}
	}
}

func describeAPI(routes []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := json.MarshalIndent(openAPI(routes), "", " ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		send(w, r, http.StatusOK, append(body, '\n'))
	}
}
