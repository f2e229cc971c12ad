package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"minibroker/test/harness"
	"minibroker/test/markdown"
	"minibroker/test/venv"
)

// TestThePytestPlugin installs the wheel of clients/python, which carries the program under test, and runs its tests.
func TestThePytestPlugin(t *testing.T) {
	t.Parallel()
	python := venv.Find(t, 13)
	env := venv.Make(t, python, venv.Venv{}, "pytest==8.*", "pytest-xdist==3.*", "setuptools>=70.1", "kafka-python==2.2.*", "confluent-kafka==2.*", "mypy==1.*")
	dir := t.TempDir()
	source, site := filepath.Join(dir, "source"), filepath.Join(dir, "site")
	if err := os.CopyFS(source, os.DirFS(filepath.Join(harness.Root(), "clients", "python"))); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), env.Python, args...)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "MINIBROKER_BINARY="+harness.Binary(t), "PYTHONDONTWRITEBYTECODE=1")
		if args[1] != "pip" { // what is tested is the wheel's own program
			cmd.Env = append(os.Environ(), "MINIBROKER_BINARY=", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+site)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("python %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", dir, ".")
	wheels, _ := filepath.Glob(filepath.Join(dir, "minibroker-*-py3-none-*.whl"))
	if len(wheels) != 1 || strings.HasSuffix(wheels[0], "-any.whl") {
		t.Fatalf("the wheels are %v: there must be one, of this platform", wheels)
	}
	run("-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheels[0])
	out := run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
	if !strings.Contains(out, " passed") || strings.Contains(out, "skipped") {
		t.Errorf("the plugin's tests say\n%s", out)
	}
	blocks, err := markdown.Blocks(filepath.Join(source, "README.md"))
	if err != nil || len(blocks) == 0 {
		t.Fatal("the README has no snippet", err)
	}
	for i, b := range blocks {
		name := filepath.Join(source, fmt.Sprintf("readme_%d_test.py", i))
		if err := os.WriteFile(name, []byte(b.Text), 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.Text, "def test_") {
			run("-m", "pytest", "-q", "-p", "no:cacheprovider", name)
		} else if out := run("-u", name); !strings.Contains(out, "localhost:") {
			t.Errorf("%s prints %q", b.Place(), out)
		}
	}
	run("-m", "mypy", "--strict", "--cache-dir", filepath.Join(dir, "mypy"), "src")
}
