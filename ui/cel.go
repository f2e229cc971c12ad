package ui

// This file owns the language of filters: CEL, with its standard library.
//
// It is put together from the parts that the package cel has for it, without
// that package: it also has what reads and writes protobuf descriptors, and a
// program that links that takes half a millisecond longer to start, used or not.

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"
)

const (
	// celSize is how long an expression may be, in characters.
	celSize = 10_000
	// celCost bounds the work of one expression on one message.
	celCost = 1 << 16
	// celSteps is after how many steps of a loop it is seen that nobody waits
	// for the result any more.
	celSteps = 1000
)

// celVariables are what an expression may name.
func celVariables() map[string]*types.Type {
	return map[string]*types.Type{
		"key": types.DynType, "value": types.DynType, "headers": types.NewMapType(types.StringType, types.StringType),
		"topic": types.StringType, "partition": types.IntType, "offset": types.IntType,
		"time": types.TimestampType, "size": types.IntType,
	}
}

// celLanguage turns the text of an expression into a program.
type celLanguage struct {
	parser *parser.Parser
	types  *types.Registry
	names  *checker.Env
	calls  interpreter.Dispatcher
}

// cel takes milliseconds to make, so it is made when the first expression comes.
var cel = sync.OnceValues(newCEL)

func newCEL() (*celLanguage, error) {
	l := &celLanguage{calls: interpreter.NewDispatcher()}
	var err error
	if l.parser, err = parser.NewParser(parser.Macros(parser.AllMacros...), parser.ExpressionSizeCodePointLimit(celSize)); err != nil {
		return nil, err
	}
	if l.types, err = types.NewRegistry(); err != nil {
		return nil, err
	}
	if l.names, err = checker.NewEnv(containers.DefaultContainer, l.types, checker.CrossTypeNumericComparisons(true)); err != nil {
		return nil, err
	}
	for name, of := range celVariables() {
		err = errors.Join(err, l.names.AddIdents(decls.NewVariable(name, of)))
	}
	for _, f := range stdlib.Functions() {
		if !f.IsDeclarationDisabled() {
			err = errors.Join(err, l.names.AddFunctions(f))
		}
		bindings, e := f.Bindings()
		err = errors.Join(err, e, l.calls.Add(bindings...))
	}
	return l, err
}

// celProgram is an expression that can be worked out.
type celProgram struct {
	steps interpreter.InterpretableV2
	gives *types.Type
}

// compile reads an expression. Its error is for whoever wrote it, and shows the
// place.
func (l *celLanguage) compile(text string) (*celProgram, error) {
	source := common.NewTextSource(text)
	parsed, wrong := l.parser.Parse(source)
	if len(wrong.GetErrors()) > 0 {
		return nil, errors.New(wrong.ToDisplayString())
	}
	checked, wrong := checker.Check(parsed, source, l.names)
	if len(wrong.GetErrors()) > 0 {
		return nil, errors.New(wrong.ToDisplayString())
	}
	cost, err := interpreter.NewCostTracker(nil, interpreter.CostTrackerLimit(celCost))
	if err != nil {
		return nil, err
	}
	steps, err := interpreter.NewInterpreter(l.calls, containers.DefaultContainer, l.types, l.types,
		interpreter.NewAttributeFactory(containers.DefaultContainer, l.types, l.types)).
		NewInterpretable(checked, interpreter.InterruptableEval(), interpreter.CostObserver(interpreter.CostTrackerFactory(cost.Clone)))
	return &celProgram{steps, checked.GetType(checked.Expr().ID())}, err
}

// eval works the expression out with values of celVariables.
func (p *celProgram) eval(ctx context.Context, values map[string]any) (result ref.Val, err error) {
	// Too much work ends in a panic, and so does a mistake of the library's.
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interpreter.EvalCancelledError:
			err = r
		default:
			err = fmt.Errorf("internal error: %v", r)
		}
	}()
	frame, err := interpreter.NewExecutionFrame(values)
	if err != nil {
		return nil, err
	}
	defer frame.Close()
	if err := frame.SetContext(ctx, celSteps); err != nil {
		return nil, err
	}
	result = p.steps.Exec(frame)
	if failed, ok := result.(*types.Err); ok {
		return nil, failed
	}
	return result, nil
}
