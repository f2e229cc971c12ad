package ui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	facade "cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
)

// Filters are CEL as its own package cel has it, which is not linked.
func TestFiltersAreCEL(t *testing.T) {
	var opts []facade.EnvOption
	for name, of := range celVariables() {
		opts = append(opts, facade.Variable(name, of))
	}
	env, err := facade.NewEnv(append(opts, facade.CrossTypeNumericComparisons(true), facade.ParserExpressionSizeLimit(celSize))...)
	if err != nil {
		t.Fatal(err)
	}
	asCEL := func(ctx context.Context, text string, values map[string]any) (ref.Val, error) {
		ast, issues := env.Compile(text)
		if issues.Err() != nil {
			return nil, issues.Err()
		}
		p, err := env.Program(ast, facade.CostLimit(celCost), facade.InterruptCheckFrequency(celSteps))
		if err != nil {
			return nil, err
		}
		result, _, err := p.ContextEval(ctx, values)
		return result, err
	}
	here := func(ctx context.Context, text string, values map[string]any) (ref.Val, error) {
		l, err := cel()
		if err != nil {
			return nil, err
		}
		p, err := l.compile(text)
		if err != nil {
			return nil, err
		}
		return p.eval(ctx, values)
	}
	values := map[string]any{
		"key": nil, "value": map[string]any{"price": 12.5, "tags": []any{"a", "b"}}, "headers": map[string]string{"source": "web"},
		"topic": "orders", "partition": int64(2), "offset": int64(7), "time": time.Unix(1_700_000_000, 0).UTC(), "size": int64(30),
	}
	for _, text := range []string{
		`true`, `key == null`, `value.price > 10`, `value.price == 12.5 && size < 30.5`, `partition == 2u`, `has(value.discount)`, `value.discount > 1`,
		`value.tags.exists(t, t == "b")`, `value.tags.all(t, size(t) == 1)`, `value.tags.exists_one(t, t == "a")`, `value.tags.map(t, t + "!")`, `value.tags.filter(t, t > "a")`,
		`headers["source"].matches("^w.b$")`, `topic.startsWith("or") ? offset : "no"`, `time > timestamp("2020-01-01T00:00:00Z")`, `time.getHours("Europe/Berlin")`, `time - duration("1h")`,
		`"a" in value.tags`, `"source" in headers`, `type(offset) == int`, `string(offset) + bytes("x")`, `dyn(offset) == "7"`, `1 / 0`, `int("x")`, `topic.matches("(")`, `[1, 2.5, "x"][1]`, `{"a": 1}.a`,
		`google.protobuf.Timestamp{seconds: 5} < time`, `value.price + 1`, `-offset % 2`, `key.x`,
		``, `value.(`, `price > 3`, `offset = 7`, `size("x") > "y"`, `topic > 3`, `nothing(1)`, `"é" +`, strings.Repeat("(", celSize+1), strings.Repeat("!", 300) + "true",
		strings.Repeat("[1,2,3,4,5,6,7,8,9].map(a, ", 12) + "[1]" + strings.Repeat(")", 12) + " == []",
	} {
		want, wantErr := asCEL(t.Context(), text, values)
		got, gotErr := here(t.Context(), text, values)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%.60s ends with %v, want %v", text, gotErr, wantErr)
		}
		if gotErr == nil && (got.Type() != want.Type() || fmt.Sprint(got.Value()) != fmt.Sprint(want.Value())) {
			t.Errorf("%.60s is %v, want %v", text, got.Value(), want.Value())
		}
	}

	// A loop ends when nobody waits for it any more.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	endless := "[" + strings.Repeat("0,", 2000) + "0].all(x, x == 0)"
	if _, err := here(ctx, endless, values); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("an expression that nobody waits for ends with %v", err)
	}
	if _, err := asCEL(ctx, endless, values); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("the same by the package cel: %v", err)
	}
}
