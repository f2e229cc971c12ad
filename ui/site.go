package ui

// This file owns how a path becomes a page: the same view is written as HTML at
// its path and as JSON below /api/v1/pages.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"minibroker/broker"
	"minibroker/internal/clock"
)

// patience is how long a page waits for the cluster.
const patience = 15 * time.Second

// maxForm is the largest form taken: a record of some megabytes, escaped, or a
// file of records.
const maxForm = 16 << 20

// pagesAPI is where the pages are as JSON.
const pagesAPI = "/api/v1/pages"

// site is the web UI of one cluster.
type site struct {
	cluster   *cluster
	broker    *broker.Broker      // nil: the cluster is somewhere else
	metrics   prometheus.Gatherer // totals of the broker in this process
	published string
	remote    Remote // how the cluster somewhere else is reached
	started   time.Time
	now       func() time.Time // the machine's clock: of streams and graphs
	stop      context.Context  // ends with the server
	streams   atomic.Int32     // open now
	history   history
	past      *memory
	news      news
	wire      wire
}

// newSite is the web UI of the cluster that c is a client of. b is nil for a
// cluster that is not in this process. Its streams end with stop.
func newSite(c *cluster, b *broker.Broker, o Options, stop context.Context) *site {
	s := &site{cluster: c, broker: b, published: o.Published, now: clock.Real{}.Now, stop: stop}
	c.inner = b
	s.wire = wire{broker: b, stop: stop}
	s.started = s.now()
	if b != nil {
		totals := prometheus.NewRegistry()
		totals.MustRegister(b.Totals(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		s.metrics = totals
		if s.past = o.past; s.past == nil {
			s.past = remember(b, stop)
		}
		s.started = s.past.since
		go s.sample()
	}
	return s
}

// view makes what a page shows from the request's path and form.
type view func(r *http.Request) (any, error)

// change does what a form asks. It returns the page to go to, with a "done"
// that names the message shown there.
type change func(r *http.Request) (next string, err error)

// pages are the paths of the UI.
func (s *site) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/openapi.json", describeAPI(s.routes(mux)))
	mux.Handle("GET /static/", static())
	mux.HandleFunc("GET /set", choose)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		v := func(*http.Request) (any, error) { return nil, say(http.StatusNotFound, "problem.no.page") }
		if strings.HasPrefix(r.URL.Path, "/api/") {
			s.tell(w, r, v)
			return
		}
		s.show(w, r, "problem", v)
	})
	return guard(mux)
}

// routes puts the pages into mux, and returns their methods and paths.
func (s *site) routes(mux *http.ServeMux) (routes []string) {
	get := func(path, template string, v view) {
		routes = append(routes, "GET "+path)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, template, v) })
		mux.HandleFunc("GET "+pagesAPI+path, func(w http.ResponseWriter, r *http.Request) { s.tell(w, r, v) })
	}
	post := func(path, template string, form view, c change) {
		routes = append(routes, "POST "+path)
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { s.act(w, r, template, form, c) })
		mux.HandleFunc("POST "+pagesAPI+path, func(w http.ResponseWriter, r *http.Request) { s.actAndTell(w, r, c) })
	}
	// What happens inside the broker is told by the broker in this process only.
	inner := func(template string, v view) (string, view) {
		if s.broker == nil {
			return "absent", func(r *http.Request) (any, error) {
				if strings.HasPrefix(r.URL.Path, "/api/") {
					return nil, say(http.StatusNotFound, "problem.absent")
				}
				return struct{}{}, nil
			}
		}
		return template, v
	}
	getInner := func(path, template string, v view) {
		template, v = inner(template, v)
		get(path, template, v)
	}
	postInner := func(path, template string, form view, c change) {
		template, form = inner(template, form)
		if s.broker == nil {
			c = func(*http.Request) (string, error) { return "", say(http.StatusNotFound, "problem.absent") }
		}
		post(path, template, form, c)
	}
	feed := func(path string, f func(context.Context, *http.Request, *stream) error) {
		routes = append(routes, "GET "+path)
		mux.HandleFunc("GET "+path, s.feed(f))
		mux.HandleFunc("GET "+pagesAPI+path, s.feed(f))
	}
	get("/{$}", "overview", s.overview)

	get("/topics", "topics", s.topics)
	get("/create-topic", "create", s.createForm)
	post("/create-topic", "create", s.createForm, s.create)
	get("/topics/{topic}", "topic", s.topic)
	get("/topics/{topic}/stats", "stats", s.stats)
	get("/topics/{topic}/config", "config", s.topicConfig)
	post("/topics/{topic}/config", "config", s.topicConfig, s.alterTopic)
	get("/topics/{topic}/delete", "delete", s.deleteForm)
	post("/topics/{topic}/delete", "delete", s.deleteForm, s.deleteTopic)

	get("/topics/{topic}/manage", "manage", s.manage)
	post("/topics/{topic}/partitions", "manage", s.manage, s.addPartitions)
	post("/topics/{topic}/purge", "manage", s.manage, s.purge)
	post("/topics/{topic}/clone", "manage", s.manage, s.clone)
	post("/topics/{topic}/recreate", "manage", s.manage, s.recreate)

	get("/topics/{topic}/messages", "messages", s.messages)
	mux.HandleFunc("GET /topics/{topic}/export", s.export)
	feed("/topics/{topic}/tail", s.tail)
	get("/topics/{topic}/p/{partition}/o/{offset}", "record", s.record)
	get("/topics/{topic}/send", "send", s.sendForm)
	post("/topics/{topic}/send", "send", s.sendForm, s.send)

	post("/topics/{topic}/p/{partition}/o/{offset}/again", "record", s.record, s.again)

	get("/groups", "groups", s.groups)
	get("/groups/{group}", "group", s.group)
	get("/groups/{group}/reset", "reset", s.resetForm)
	post("/groups/{group}/reset", "reset", s.resetForm, s.reset)
	get("/groups/{group}/delete", "deletegroup", s.group)
	post("/groups/{group}/delete", "deletegroup", s.group, s.deleteGroup)

	post("/groups/{group}/forget", "deletegroup", s.group, s.forget)

	get("/transactions", "transactions", s.transactions)
	get("/transactions/{id}", "transaction", s.transaction)
	post("/transactions/{id}/abort", "transaction", s.transaction, s.abortTransaction)

	get("/brokers", "brokers", s.brokers)
	get("/brokers/{id}", "broker", s.brokerConfig)
	post("/brokers/{id}", "broker", s.brokerConfig, s.alterBroker)

	get("/security", "users", s.users)
	post("/security/users", "users", s.users, s.setUser)
	get("/security/users/delete", "deleteuser", s.deleteUserForm)
	post("/security/users/delete", "deleteuser", s.deleteUserForm, s.deleteUser)
	get("/security/acls", "acls", s.acls)
	get("/security/acls/new", "newacl", s.newACL)
	post("/security/acls/new", "newacl", s.newACL, s.createACL)
	get("/security/acls/delete", "deleteacls", s.deleteACLsForm)
	post("/security/acls/delete", "deleteacls", s.deleteACLsForm, s.deleteACLs)
	get("/security/who", "who", s.who)
	getInner("/security/denied", "denied", s.denied)
	get("/security/quotas", "quotas", s.quotas)
	post("/security/quotas", "quotas", s.quotas, s.setQuota)
	get("/security/tokens", "tokens", s.tokens)
	post("/security/tokens", "tokens", s.tokens, s.createToken)
	post("/security/tokens/{id}/renew", "tokens", s.tokens, s.renewToken)
	post("/security/tokens/{id}/expire", "tokens", s.tokens, s.expireToken)

	post("/brokers/elect", "brokers", s.brokers, s.elect)
	if s.broker != nil {
		post("/brokers/{id}/stop", "brokers", s.brokers, s.stopBroker)
		post("/brokers/{id}/start", "brokers", s.brokers, s.startBroker)
		post("/brokers/{id}/lag", "brokers", s.brokers, s.lag)
		post("/topics/{topic}/leader", "manage", s.manage, s.moveLeader)
	}

	getInner("/wire", "wire", s.wirePage)
	getInner("/wire/{id}", "exchange", s.exchange)
	getInner("/events", "events", s.events)
	getInner("/doctor", "doctor", s.doctor)
	getInner("/faults", "faults", s.faults)
	postInner("/faults", "faults", s.faults, s.addFault)
	postInner("/faults/{id}/end", "faults", s.faults, s.endFault)
	getInner("/clock", "clock", s.clock)
	postInner("/clock", "clock", s.clock, s.advance)
	getInner("/lab", "lab", s.lab)
	if s.broker != nil {
		feed("/wire/feed", s.wireFeed)
		feed("/lab/feed", s.labFeed)
	}
	return routes
}

// prepare reads the form and bounds the time.
func prepare(w http.ResponseWriter, r *http.Request) (*http.Request, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	r = r.WithContext(ctx)
	parse := r.ParseForm
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		parse = func() error { return r.ParseMultipartForm(maxForm) }
	}
	if err := parse(); err != nil {
		r.Form = url.Values{}
		if errors.As(err, new(*http.MaxBytesError)) {
			return r, cancel, say(http.StatusRequestEntityTooLarge, "problem.form.large")
		}
		return r, cancel, say(http.StatusBadRequest, "problem.form")
	}
	return r, cancel, nil
}

// show answers with HTML.
func (s *site) show(w http.ResponseWriter, r *http.Request, template string, v view) {
	r, cancel, err := prepare(w, r)
	defer cancel()
	var shown any
	if err == nil {
		shown, err = v(r)
	}
	s.write(w, r, template, shown, err)
}

// write renders shown, or a page that says what went wrong.
func (s *site) write(w http.ResponseWriter, r *http.Request, template string, shown any, err error) {
	f := frameOf(r)
	f.Inner = s.broker != nil
	f.Counts = s.counts()
	status := http.StatusOK
	if err != nil {
		f.Problem = explain(err)
		status = f.Problem.status
	}
	if shown == nil {
		template = "problem"
	}
	f.View = shown
	body, renderErr := render(template, f)
	if renderErr != nil {
		http.Error(w, renderErr.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	send(w, r, status, body)
}

// act does a change and goes to the next page. When it fails, the form is shown
// again, as it was filled in, with what went wrong.
func (s *site) act(w http.ResponseWriter, r *http.Request, template string, form view, c change) {
	r, cancel, err := prepare(w, r)
	defer cancel()
	var next string
	if err == nil {
		next, err = c(r)
	}
	if err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	shown, again := form(r)
	if again != nil {
		shown = nil // what the form is about is gone, too
	}
	s.write(w, r, template, shown, err)
}

// tell answers with JSON.
func (s *site) tell(w http.ResponseWriter, r *http.Request, v view) {
	r, cancel, err := prepare(w, r)
	defer cancel()
	var shown any
	if err == nil {
		shown, err = v(r)
	}
	writeJSON(w, r, shown, err)
}

// actAndTell does a change and answers with the API's address of the result.
func (s *site) actAndTell(w http.ResponseWriter, r *http.Request, c change) {
	r, cancel, err := prepare(w, r)
	defer cancel()
	var next string
	if err == nil {
		next, err = c(r)
	}
	writeJSON(w, r, map[string]string{"next": pagesAPI + next}, err)
}

func writeJSON(w http.ResponseWriter, r *http.Request, shown any, err error) {
	status := http.StatusOK
	if err != nil {
		p := explain(err)
		status = p.status
		shown = map[string]string{
			"error":  languages()[fallback].text(p.Key, p.Args...),
			"code":   p.Code,
			"detail": p.Detail,
		}
	}
	body, err := json.Marshal(shown)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	send(w, r, status, append(body, '\n'))
}
