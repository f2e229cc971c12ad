package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// Options are found by their names, and understood by their examples.
func TestEveryOptionHasAnExample(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	options, examples := map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			if name, ok := strings.CutPrefix(f.Name.Name, "Example"); ok {
				name, _, _ = strings.Cut(name, "_")
				examples[name] = true
			} else if strings.HasPrefix(f.Name.Name, "With") && !strings.HasSuffix(e.Name(), "_test.go") {
				options[f.Name.Name] = true
			}
		}
	}
	if !options["WithTopic"] {
		t.Fatal("no options were found")
	}
	for name := range options {
		if !examples[name] {
			t.Errorf("%s has no example: write Example%s", name, name)
		}
	}
}
