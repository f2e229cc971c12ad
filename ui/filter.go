package ui

// This file owns which messages a page shows: those of a search text and of an
// expression in CEL (https://cel.dev).

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"cel.dev/cel-go/common/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// notBool is why an expression that says no yes or no cannot be a filter.
const notBool = "the result is neither true nor false"

// filter says which messages a page shows.
type filter struct {
	text       string // in key, value or headers; empty: any
	expression string
	program    *celProgram // nil: any
	unjudged   bool        // messages that it cannot judge are shown, too

	Failed   int // messages on which the expression could not be worked out
	failures []failure
	why      map[*kgo.Record]string // of those that are shown all the same
}

const (
	// failureKinds is how many reasons are told apart, failurePlaces how many
	// messages are named for each.
	failureKinds  = 5
	failurePlaces = 12
)

// failure is a reason why messages could not be judged.
type failure struct {
	Why    string   `json:"why"` // in English
	Count  int      `json:"count"`
	At     []place  `json:"at"`     // the first of them
	Advice *advised `json:"advice"` // null: there is none
}

// More is how many messages At leaves out.
func (f failure) More() int { return f.Count - len(f.At) }

type place struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// newFilter reads a search text and an expression; both may be empty.
func newFilter(text, expression string) (*filter, error) {
	f := &filter{text: text, expression: expression}
	if expression == "" {
		return f, nil
	}
	wrong := func(detail string) error {
		return &problem{status: http.StatusUnprocessableEntity, Key: "problem.filter", Detail: detail}
	}
	language, err := cel()
	if err != nil {
		return nil, err
	}
	if f.program, err = language.compile(expression); err != nil {
		return nil, wrong(visible(err.Error()))
	}
	if gives := f.program.gives; gives != types.BoolType && gives != types.DynType {
		return nil, wrong(notBool + ": it is a " + gives.String())
	}
	return f, nil
}

// Set says whether any message can be left out.
func (f *filter) Set() bool { return f.text != "" || f.program != nil }

// takes says whether a message is to be shown.
func (f *filter) takes(ctx context.Context, r *kgo.Record) bool {
	if !contains(r, f.text) {
		return false
	}
	if f.program == nil {
		return true
	}
	yes, why := f.judge(ctx, r)
	if why == "" {
		return yes
	}
	f.note(r, oneline(visible(why)))
	return f.unjudged
}

// note remembers that a message could not be judged.
func (f *filter) note(r *kgo.Record, why string) {
	f.Failed++
	if f.unjudged {
		if f.why == nil {
			f.why = map[*kgo.Record]string{}
		}
		f.why[r] = why
	}
	i := slices.IndexFunc(f.failures, func(x failure) bool { return x.Why == why })
	if i < 0 {
		if len(f.failures) == failureKinds {
			return
		}
		i = len(f.failures)
		f.failures = append(f.failures, failure{Why: why, At: []place{}, Advice: advise(f.expression, why)})
	}
	kind := &f.failures[i]
	if kind.Count++; len(kind.At) < failurePlaces {
		kind.At = append(kind.At, place{r.Partition, r.Offset})
	}
}

// judge works the expression out, and says why that cannot be done.
func (f *filter) judge(ctx context.Context, r *kgo.Record) (yes bool, why string) {
	headers := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	result, err := f.program.eval(ctx, map[string]any{
		"key": named(r.Key), "value": named(r.Value), "headers": headers, "topic": r.Topic, "partition": int64(r.Partition),
		"offset": r.Offset, "time": r.Timestamp, "size": int64(len(r.Key) + len(r.Value)),
	})
	if err != nil {
		return false, err.Error()
	}
	if yes, ok := result.(types.Bool); ok {
		return bool(yes), ""
	}
	return false, notBool
}

// named is what an expression finds in a key or value: null, what the JSON
// says, or else the text.
func named(b []byte) any {
	if b == nil {
		return nil
	}
	var v any
	if json.Unmarshal(b, &v) == nil {
		return v
	}
	return string(b)
}
