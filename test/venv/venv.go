// Package venv makes Python virtual environments for the tests with Python clients, and keeps them between runs.
package venv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"minibroker/test/harness"
)

// Venv is a virtual environment.
type Venv struct {
	Dir    string
	Python string // path of its interpreter
}

// Bin returns the directory of its programs: first on the PATH, it is what activating the environment does.
func (v Venv) Bin() string { return filepath.Dir(v.Python) }

// Interpreter is a Python that the machine has.
type Interpreter struct {
	Path  string
	Minor int // 11 for Python 3.11
}

// Find returns the machine's python3, or, when that is newer than 3.maxMinor (0: any is right), the newest other one
// that is not. Where there is none, it returns python3 all the same: the caller sees its version.
func Find(t testing.TB, maxMinor int) Interpreter {
	t.Helper()
	fallback, ok := probe("python3")
	harness.Need(t, ok, "python3 is not installed (Debian: apt-get install python3 python3-venv)")
	if maxMinor == 0 || fallback.Minor <= maxMinor {
		return fallback
	}
	home, _ := os.UserHomeDir()
	for minor := maxMinor; minor >= 8; minor-- {
		names := []string{"python3." + strconv.Itoa(minor)}
		pyenv, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", fmt.Sprintf("3.%d.*", minor), "bin", "python3"))
		for _, name := range append(names, pyenv...) {
			if p, ok := probe(name); ok {
				return p
			}
		}
	}
	return fallback
}

func probe(name string) (Interpreter, bool) {
	out, err := exec.Command(name, "-c", "import sys, venv, ensurepip; print(sys.version_info[1], sys.executable)").Output()
	minor, path, found := strings.Cut(strings.TrimSpace(string(out)), " ")
	n, convErr := strconv.Atoi(minor)
	return Interpreter{Path: path, Minor: n}, err == nil && found && convErr == nil
}

// CacheDir returns the directory that the tests keep between runs: minibroker-test in the user's cache directory.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "minibroker-test"), err
}

// Make returns a virtual environment of python that has the packages (pip requirements, "kafka-python==2.2.*"). It is
// made at the first call and kept; two processes that ask for the same one at once make it once. A wildcard is
// resolved when the environment is made: `go run ./test --fresh` makes all of them again. The packages of base, when it
// is not zero, are seen too.
func Make(t testing.TB, python Interpreter, base Venv, packages ...string) Venv {
	t.Helper()
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(python.Path + "\n" + base.Dir + "\n" + strings.Join(packages, "\n")))
	name := regexp.MustCompile(`[^a-z0-9.]+`).ReplaceAllString(packages[0], "-")
	dir := filepath.Join(cache, "venv", fmt.Sprintf("py3.%d-%s-%s", python.Minor, name, hex.EncodeToString(sum[:4])))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()

	v := Venv{Dir: dir, Python: filepath.Join(dir, "bin", "python")}
	if runtime.GOOS == "windows" {
		v.Python = filepath.Join(dir, "Scripts", "python.exe")
	}
	complete := filepath.Join(dir, "complete") // written last: its absence tells a half-made environment
	if _, err := os.Stat(complete); err == nil {
		return v
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	create := []string{"-m", "venv", dir}
	if base.Dir != "" {
		create = append(create, "--without-pip") // base has it; copying pip is half the time of making an environment
	}
	run(t, python.Path, create...)
	if base.Dir != "" {
		v.extend(t, base)
	}
	run(t, v.Python, append([]string{"-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"}, packages...)...)
	if err := os.WriteFile(complete, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return v
}

// extend makes base's packages, pip among them, part of v; what pip installs still goes into v alone.
func (v Venv) extend(t testing.TB, base Venv) {
	t.Helper()
	for path, text := range map[string]string{
		filepath.Join(v.sitePackages(t), "base.pth"): base.sitePackages(t) + "\n",
		filepath.Join(v.Bin(), "pip"):                "#!" + v.Python + "\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (v Venv) sitePackages(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), v.Python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	if err != nil {
		t.Fatalf("%s: %v", v.Python, err)
	}
	return strings.TrimSpace(string(out))
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// Version returns the installed version of a package.
func (v Venv) Version(t testing.TB, pkg string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), v.Python, "-c", "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))", pkg).Output()
	if err != nil {
		t.Fatalf("version of %s in %s: %v", pkg, v.Dir, err)
	}
	return strings.TrimSpace(string(out))
}

// KafkaPython returns an environment with the given kafka-python ("2.0.2", "2.2.*"), the codecs it can use and what runs
// a notebook. kafka-python 2.0 does not import on Python 3.12 and later, so it gets an older Python where there is one.
// All versions share one environment with the large packages, which a .pth file adds to their own.
func KafkaPython(t testing.TB, version string) (Venv, Interpreter) {
	t.Helper()
	maxMinor := 0
	if strings.HasPrefix(version, "2.0") {
		maxMinor = 11
	}
	python := Find(t, maxMinor)
	base := Make(t, python, Venv{}, "ipykernel", "nbclient", "nbformat", "python-snappy", "lz4", "xxhash", "zstandard", "six")
	return Make(t, python, base, "kafka-python=="+version), python
}
