package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"
)

// This file owns waiting: answers that come when something has come about.

// longestWait bounds how long an answer may take, and is what a wait without a
// timeout takes at most.
const (
	longestWait = 5 * time.Minute
	usualWait   = 10 * time.Second
)

var timeout = param{name: "timeout", kind: "string", doc: "how long to wait at most, such as 30s; 10s if it is not there, 5m at most."}

// wait runs f with the request's timeout.
func wait(r *http.Request, f func(context.Context) error) error {
	patience := usualWait
	if text := r.URL.Query().Get("timeout"); text != "" {
		var err error
		if patience, err = time.ParseDuration(text); err != nil || patience < 0 || patience > longestWait {
			return say(http.StatusBadRequest, fmt.Sprintf("timeout cannot be %q.", text), "Write how long, such as 30s, and 5m at most.")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	return f(ctx)
}

func waitRecords(a *API, r *http.Request) (any, error) {
	n, err := number(r, "count", 1, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("topic")
	err = wait(r, func(ctx context.Context) error { return a.b.Topic(name).WaitForRecords(ctx, int(n)) })
	if err != nil {
		return nil, err
	}
	return getTopic(a, r)
}

func waitGroup(a *API, r *http.Request) (any, error) {
	q := r.URL.Query()
	members, err := number(r, "members", -1, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	offset, err := number(r, "offset", -1, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	partition, err := number(r, "partition", 0, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	if offset >= 0 && q.Get("topic") == "" {
		return nil, say(http.StatusBadRequest, "offset is of a topic, which is missing.", "Add ?topic=...&partition=...")
	}
	g := a.b.Group(r.PathValue("group"))
	err = wait(r, func(ctx context.Context) error {
		if members >= 0 {
			if err := g.WaitForStable(ctx, int(members)); err != nil {
				return err
			}
		}
		if state := q.Get("state"); state != "" {
			if err := g.WaitForState(ctx, state); err != nil {
				return err
			}
		}
		switch topic := q.Get("topic"); {
		case offset >= 0:
			return g.WaitForCommitted(ctx, topic, int32(partition), offset)
		case topic != "":
			return g.WaitForLagZero(ctx, topic)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if g.State() == "Dead" { // as asked for
		return Group{GroupSummary: a.groupSummary(r.PathValue("group")), Detail: []Member{}, Offsets: []CommittedOffset{}}, nil
	}
	return getGroup(a, r)
}

func waitFault(a *API, r *http.Request) (any, error) {
	n, err := number(r, "hits", 1, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	in, err := a.injected(r)
	if err != nil {
		return nil, err
	}
	if err := wait(r, func(ctx context.Context) error { return in.WaitForHits(ctx, int(n)) }); err != nil {
		return nil, err
	}
	return faultOf(in), nil
}
