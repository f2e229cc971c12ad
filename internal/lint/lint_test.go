// Package lint holds the rules of docs/architecture.md that no linter knows.
package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "minibroker"

// mayImport says which of our packages each package may import. The arrows
// point one way.
var mayImport = map[string][]string{
	"internal/clock":   {},
	"internal/lazy":    {},
	"protocol/record":  {},
	"protocol":         {"protocol/record"},
	"storage":          {"protocol/record", "protocol"},
	"storage/logtest":  {"storage", "protocol/record"},
	"broker/config":    {"internal/lazy", "protocol/record", "protocol", "storage"},
	"broker/group":     {"protocol"},
	"broker/txn":       {},
	"broker/auth":      {"internal/lazy"},
	"internal/listen":  {},
	"internal/openapi": {},
	"internal/memnet":  {"internal/clock"},
	"broker/fault":     {"protocol"},
	"broker/fixture":   {"internal/lazy"},
	"broker/share":     {},
	"broker":           {"broker/auth", "broker/fault", "broker/fixture", "broker/share", "internal/clock", "internal/listen", "internal/memnet", "protocol", "protocol/record", "storage", "broker/config", "broker/group", "broker/txn"},
	"ui":               {"internal/lazy", "internal/listen", "internal/openapi", "broker", "broker/auth", "broker/config", "broker/fault", "protocol", "internal/clock"},
	"internal/dump":    {"broker/fixture"},
	"api":              {"internal/openapi", "broker", "broker/auth", "broker/fault", "broker/fixture", "protocol", "internal/dump"},
	"cmd/minibroker":   {"api", "ui", "broker", "broker/config", "internal/clock", "internal/dump"},
}

// forbidden are functions whose use would tie the broker to the wall clock or
// to chance that nobody can inject.
var forbidden = map[string][]string{
	"time":      {"Now", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Since", "Until"},
	"math/rand": nil, // nil: the whole package
	"math/rand/v2": {"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Uint32", "Uint64", "Uint64N", "UintN", "N", "Float32", "Float64",
		"NormFloat64", "ExpFloat64", "Perm", "Shuffle"},
}

// unlinked are packages whose initialization every start of the program would
// pay for, used or not, with the file that does without.
var unlinked = map[string]string{"cel.dev/cel-go/cel": "ui/cel.go"}

// files parses all Go files of the module that are neither tests nor below a
// directory of test helpers.
func files(t *testing.T, visit func(pkg, path string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "testdata" || rel == "test" || rel == "bench" || rel == "examples") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(rel)), rel, f, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsPointOneWay(t *testing.T) {
	seen := 0
	files(t, func(pkg, path string, f *ast.File, _ *token.FileSet) {
		seen++
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %s has no row in mayImport: say what it may import", path, pkg)
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			ours, ok := strings.CutPrefix(name, module+"/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s", path, pkg, ours)
			}
			if without, ok := unlinked[name]; ok {
				t.Errorf("%s: %s makes the program slow to start: see %s", path, name, without)
			}
		}
	})
	if seen < 10 {
		t.Fatalf("only %d files were looked at", seen)
	}
}

func TestOnlyTheClockPackageReadsTheWallClock(t *testing.T) {
	files(t, func(pkg, path string, f *ast.File, fset *token.FileSet) {
		if pkg == "internal/clock" {
			return
		}
		names := make(map[string]string) // local name -> import path
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if functions, watched := forbidden[name]; watched {
				if functions == nil {
					t.Errorf("%s: %s is not injected: use the broker's random", path, name)
				}
				local := strings.TrimPrefix(name, "math/")
				local = strings.TrimSuffix(local, "/v2")
				if imp.Name != nil {
					local = imp.Name.Name
				}
				names[local] = name
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok {
				if pkg, ok := names[x.Name]; ok && slices.Contains(forbidden[pkg], sel.Sel.Name) {
					t.Errorf("%s: %s.%s: time comes from internal/clock", fset.Position(sel.Pos()), pkg, sel.Sel.Name)
				}
			}
			return true
		})
	})
}
