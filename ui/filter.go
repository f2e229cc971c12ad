package ui

// This file owns filter expressions on messages, in CEL (https://cel.dev).

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// filterCost bounds the work of one expression on one message.
const filterCost = 1 << 16

// filterEnv is what an expression may name. Making it takes milliseconds, so
// it is made when the first expression comes.
var filterEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("key", cel.DynType),
		cel.Variable("value", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("topic", cel.StringType),
		cel.Variable("partition", cel.IntType),
		cel.Variable("offset", cel.IntType),
		cel.Variable("time", cel.TimestampType),
		cel.Variable("size", cel.IntType),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(10_000),
	)
})

// filter says which messages a page shows.
type filter struct {
	text    string // in key, value or headers; empty: any
	program cel.Program
	Failed  int    // messages on which the expression could not be worked out
	Why     string // the first of them
}

// newFilter reads a search text and an expression; both may be empty.
func newFilter(text, expression string) (*filter, error) {
	f := &filter{text: text}
	if expression == "" {
		return f, nil
	}
	wrong := func(detail string) error {
		return &problem{status: http.StatusUnprocessableEntity, Key: "problem.filter", Detail: detail}
	}
	env, err := filterEnv()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, wrong(visible(issues.Err().Error()))
	}
	if out := ast.OutputType(); out != cel.BoolType && out != cel.DynType {
		return nil, wrong("it is a " + out.String() + ", not true or false")
	}
	f.program, err = env.Program(ast, cel.CostLimit(filterCost), cel.InterruptCheckFrequency(1000))
	return f, err
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
	headers := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	result, _, err := f.program.ContextEval(ctx, map[string]any{
		"key": named(r.Key), "value": named(r.Value), "headers": headers, "topic": r.Topic, "partition": int64(r.Partition),
		"offset": r.Offset, "time": r.Timestamp, "size": int64(len(r.Key) + len(r.Value)),
	})
	why := "the result is neither true nor false"
	if err == nil {
		if yes, ok := result.(types.Bool); ok {
			return bool(yes)
		}
	} else {
		why = err.Error()
	}
	if f.Failed++; f.Failed == 1 {
		f.Why = oneline(visible(why))
	}
	return false
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
