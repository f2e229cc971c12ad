package ui

// This file owns the description of the pages as JSON, in OpenAPI. Paths come
// from the table in site.go, and schemas from the views themselves, so that it
// cannot say what is not so.

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode"

	"minibroker/broker"
	"minibroker/internal/openapi"
)

// views are the views of the pages, by path.
var views = map[string]any{
	"/{$}": overviewView{}, "/topics": topicsView{}, "/create-topic": createView{}, "/topics/{topic}": topicView{}, "/topics/{topic}/config": topicConfigView{}, "/topics/{topic}/stats": statsView{},
	"/topics/{topic}/delete": deleteView{}, "/topics/{topic}/manage": manageView{}, "/topics/{topic}/messages": messagesView{},
	"/topics/{topic}/p/{partition}/o/{offset}": recordView{}, "/topics/{topic}/send": sendView{}, "/groups": groupsView{}, "/groups/{group}": groupView{},
	"/groups/{group}/reset": resetView{}, "/groups/{group}/delete": groupView{}, "/brokers": brokersView{}, "/brokers/{id}": brokerView{}, "/security": usersView{}, "/security/users/delete": userDelete{}, "/security/acls": aclsView{}, "/security/acls/new": newACLView{}, "/security/acls/delete": aclsDelete{},
	"/security/who": whoView{}, "/security/denied": deniedView{}, "/security/quotas": quotasView{}, "/security/tokens": tokensView{},
	"/wire": wireView{}, "/wire/{id}": exchangeView{}, "/events": eventsView{}, "/transactions": transactionsView{}, "/transactions/{id}": transactionView{}, "/doctor": doctorView{}, "/faults": faultsView{}, "/clock": clockView{}, "/lab": labView{},
}

// fields are the fields of the forms, and of the queries of pages that have some.
var fields = map[string]string{
	"GET /{$}": "via", "GET /topics": "q internal from sort", "GET /topics/{topic}/config": "q", "GET /topics/{topic}/messages": "mode partition offset time zone limit decode q filter unjudged cursor",
	"GET /topics/{topic}/p/{partition}/o/{offset}": "decode", "GET /topics/{topic}/send": "again", "GET /groups": "q from sort", "GET /groups/{group}": "members.sort offsets.sort shares.sort", "GET /topics/{topic}": "partitions.sort producers.sort groups.sort", "GET /brokers": "sort", "GET /doctor": "sort", "GET /events": "kind q from", "GET /transactions": "q from sort", "GET /groups/{group}/reset": "topic mode offset time zone partition",
	"GET /brokers/{id}": "q", "GET /wire": "client api connection errors", "GET /lab": "topic", "GET /wire/feed": "client api connection errors after", "GET /lab/feed": "topic",
	"GET /topics/{topic}/tail": "partition decode q filter unjudged",
	"POST /create-topic":       "name partitions replicas cleanup.policy retention.ms configs", "POST /topics/{topic}/config": "config value reset", "POST /topics/{topic}/delete": "name",
	"POST /topics/{topic}/partitions": "partitions", "POST /topics/{topic}/purge": "name partition", "POST /topics/{topic}/clone": "to messages", "POST /topics/{topic}/recreate": "name",
	"POST /topics/{topic}/send": "key key_empty value value_null headers partition copies file", "POST /groups/{group}/reset": "topic target", "POST /groups/{group}/delete": "name",
	"POST /groups/{group}/forget": "topic name", "POST /brokers/{id}": "config value reset", "POST /security/users": "user mechanism password iterations",
	"POST /security/users/delete": "user mechanism name", "GET /security/users/delete": "user mechanism", "GET /security/acls": "q principal host permission operation resource name pattern from sort", "GET /security": "sort",
	"GET /security/acls/delete": "principal host permission operation resource name pattern", "POST /security/acls/delete": "principal host permission operation resource name pattern acl",
	"GET /security/acls/new": "plan kind principal host permission operation resource name pattern topic to group transaction", "POST /security/acls/new": "kind principal host permission operation resource name pattern topic to group transaction",
	"GET /security/who": "operation resource name principal host", "POST /security/quotas": "user client ip key value delete",
	"POST /security/tokens": "owner renewers lifetime", "POST /security/tokens/{id}/renew": "by", "POST /security/tokens/{id}/expire": "name",
	"POST /faults": "preset kind api error wait rate topic partition group transaction client broker times every after", "POST /faults/{id}/end": "release", "POST /clock": "by", "POST /transactions/{id}/abort": "name", "POST /brokers/{id}/lag": "lag", "POST /topics/{topic}/leader": "partition broker",
}

type object = map[string]any

// Describe is the pages as JSON in OpenAPI 3.1: paths and the schemas that they
// name, to be part of a document. It has the pages of a broker in this process.
func Describe() (paths, schemas map[string]any) {
	s := &site{broker: new(broker.Broker)} // nobody asks for a page
	return describe(s.routes(http.NewServeMux()))
}

// describe describes routes, each given as a method and a path.
func describe(routes []string) (paths, schemas object) {
	paths, schemas = object{}, object{}
	text := object{"type": "string"}
	schemas["PageProblem"] = object{"type": "object", "properties": object{"error": text, "code": text, "detail": text}, "required": []string{"error"}}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		shown := pagesAPI + strings.ReplaceAll(path, "{$}", "")
		parameters := openapi.PathParameters(shown)
		answer := object{}
		operation := object{
			"operationId": operationID(method, path), "tags": []string{"pages"},
			"responses": object{"200": answer, "default": object{"description": "What went wrong, and what to do.",
				"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/PageProblem"}}}}},
		}
		names := strings.Fields(fields[route])
		switch {
		case method == "POST":
			form := object{}
			for _, name := range names {
				form[name] = text
			}
			operation["requestBody"] = object{"content": object{"application/x-www-form-urlencoded": object{"schema": object{"type": "object", "properties": form}}}}
			answer["description"] = "It was done; next is where to look."
			answer["content"] = object{"application/json": object{"schema": object{"type": "object", "properties": object{"next": text}}}}
		case views[path] == nil:
			answer["description"] = "A stream of server-sent events."
			answer["content"] = object{"text/event-stream": object{"schema": text}}
		default:
			answer["description"] = "The page."
			answer["content"] = object{"application/json": object{"schema": schemaOf(reflect.TypeOf(views[path]), schemas)}}
		}
		if method == "GET" {
			for _, name := range names {
				parameters = append(parameters, object{"name": name, "in": "query", "schema": text})
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
	return paths, schemas
}

// operationID is what generators of clients call an operation, such as
// getPageTopicsTopicMessages.
func operationID(method, path string) string {
	id := strings.ToLower(method) + "Page"
	for _, word := range strings.FieldsFunc(path, func(r rune) bool { return !unicode.IsLetter(r) }) {
		id += upper(word)
	}
	return id
}

func upper(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

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
		name := "Page" + upper(strings.TrimSuffix(t.Name(), "View"))
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

// describeAPI serves the description on its own: where there is no control of a
// broker, whose document has this one in it.
func describeAPI(routes []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		paths, schemas := describe(routes)
		body, err := json.MarshalIndent(object{
			"openapi": "3.1.0", "info": object{"title": "minibroker", "version": "1", "description": "The pages of minibroker's web UI as JSON."},
			"servers": []object{{"url": "http://localhost:7080"}}, "paths": paths, "components": object{"schemas": schemas},
		}, "", " ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		send(w, r, http.StatusOK, append(body, '\n'))
	}
}
