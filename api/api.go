// Package api is the control of a broker over HTTP, below /api/v1: for tests in
// any language what package broker is for tests in Go. Its requests are no
// Kafka requests: faults do not hit them, and the transcript does not have them.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"minibroker/broker"
)

// Prefix is where the API is.
const Prefix = "/api/v1"

// maxBody is the largest body taken, of a fixture; of all else maxRequest.
const (
	maxBody    = 256 << 20
	maxRequest = 16 << 20
)

// API serves the control of one broker.
type API struct {
	b       *broker.Broker
	version string
	parts   []Part
	mux     *http.ServeMux

	mu        sync.Mutex
	snapshots map[string]*broker.Snapshot
}

// New makes the API of b. version is the program's, for GET /health. parts are
// for GET /openapi.json.
func New(b *broker.Broker, version string, parts ...Part) *API {
	a := &API{b: b, version: version, parts: parts, mux: http.NewServeMux(), snapshots: make(map[string]*broker.Snapshot)}
	methods := make(map[string][]string)
	for _, r := range routes {
		methods[r.path] = append(methods[r.path], r.method)
		a.mux.HandleFunc(r.method+" "+Prefix+r.path, func(w http.ResponseWriter, q *http.Request) { a.serve(w, q, &r) })
	}
	for path, allowed := range methods {
		a.mux.HandleFunc(Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeProblem(w, say(http.StatusMethodNotAllowed, fmt.Sprintf("%s cannot be done with %s.", r.Method, r.URL.Path), "Use "+strings.Join(allowed, " or ")+"."))
		})
	}
	a.mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, say(http.StatusNotFound, "There is nothing at "+r.URL.Path+".", "GET "+Prefix+"/openapi.json says what there is."))
	})
	return a
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// route is one operation. The OpenAPI document is made of it.
type route struct {
	method, path string
	id           string // operationId: what clients' generators call it
	tag          string
	summary      string
	params       []param
	body         any    // zero value of what is sent as JSON; nil: nothing
	bodyMedia    string // of a body that is no JSON
	status       int
	answer       any    // zero value of what is answered as JSON; nil: nothing
	answerMedia  string // of an answer that is no JSON
	handle       func(*API, *http.Request) (any, error)
	stream       func(*API, http.ResponseWriter, *http.Request) error // in place of handle
}

// param is a parameter of the query. Those of the path are found in it.
type param struct {
	name, kind string // kind is a type of JSON Schema
	doc        string
	required   bool
	values     []string // all that it may be; nil: anything
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, route *route) {
	w.Header().Set("Cache-Control", "no-store")
	if err := route.checkQuery(r); err != nil {
		writeProblem(w, err)
		return
	}
	limit := int64(maxRequest)
	if route.bodyMedia != "" {
		limit = maxBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if route.stream != nil {
		if err := route.stream(a, w, r); err != nil {
			writeProblem(w, err)
		}
		return
	}
	answer, err := route.handle(a, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	if route.answer == nil {
		w.WriteHeader(route.status)
		return
	}
	writeJSON(w, route.status, "application/json", answer)
}

// checkQuery refuses parameters that there are not: a typo must not be taken for
// a default.
func (route *route) checkQuery(r *http.Request) error {
	for name, values := range r.URL.Query() {
		i := slices.IndexFunc(route.params, func(p param) bool { return p.name == name })
		if i < 0 {
			var known []string
			for _, p := range route.params {
				known = append(known, p.name)
			}
			remedy := "There are " + strings.Join(known, ", ") + "."
			if known == nil {
				remedy = "There are none."
			}
			return say(http.StatusBadRequest, fmt.Sprintf("There is no query parameter %q here.", name), remedy)
		}
		if of := route.params[i]; of.values != nil && !slices.Contains(of.values, values[0]) {
			return say(http.StatusBadRequest, fmt.Sprintf("%s cannot be %q.", name, values[0]), "Use "+strings.Join(of.values, ", ")+".")
		}
	}
	for _, p := range route.params {
		if p.required && r.URL.Query().Get(p.name) == "" {
			return say(http.StatusBadRequest, fmt.Sprintf("The query parameter %q is missing: %s", p.name, p.doc), "Add ?"+p.name+"=...")
		}
	}
	return nil
}

// read decodes a body. Fields that there are not are refused. No body is an
// empty one.
func read[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if err == io.EOF {
		return v, nil
	}
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one value")
		}
	}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return v, say(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body has more than %d bytes.", large.Limit), "Send it in several requests.")
	}
	if err != nil {
		return v, say(http.StatusBadRequest, "The body is not what is expected: "+strings.TrimPrefix(err.Error(), "json: ")+".", "Send JSON as "+Prefix+"/openapi.json says.")
	}
	return v, nil
}

func writeJSON(w http.ResponseWriter, status int, media string, v any) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client went away
}
