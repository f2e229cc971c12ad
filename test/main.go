// Command test runs all of minibroker's checks: format, linters, every test under the race detector, real clients
// included, and whether it is as fast as it was. `go run ./test` is all there is to know; see README.md.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"minibroker/internal/clock"
	"minibroker/test/venv"
)

// tool is a program that the tests use and Go does not bring.
type tool struct {
	pkg, use string   // the Debian package that has it, and what for
	probe    []string // succeeds when the tool is there
}

var tools = []tool{
	{"gcc", "the race detector", []string{"gcc", "--version"}},
	{"libc6-dev", "the race detector", []string{"sh", "-c", "echo '#include <stdlib.h>' | gcc -E -"}},
	{"python3", "the Python clients", []string{"python3", "--version"}},
	{"python3-venv", "the Python clients", []string{"python3", "-c", "import venv, ensurepip"}},
	{"kcat", "kcat, the command-line client", []string{"kcat", "-V"}},
	{"chromium", "the web UI in a browser", []string{"chromium", "--version"}},
	{"iproute2", "network namespaces", []string{"ip", "-V"}},
	{"nftables", "published ports in network namespaces", []string{"nft", "--version"}},
}

// slowTools are those of the slow clients, which run in CI and with MINIBROKER_SLOW=1.
var slowTools = []tool{
	{"default-jdk-headless", "the Java clients, Kafka Streams, Connect, MirrorMaker and Spark", []string{"javac", "-version"}},
	{"maven", "the jars of all of those", []string{"mvn", "--version"}},
	{"nodejs", "kafkajs", []string{"node", "--version"}},
	{"npm", "kafkajs", []string{"npm", "--version"}},
}

// runner collects what the summary says.
type runner struct {
	out   *bufio.Writer
	ci    bool
	times []string
	notes []string // what was skipped, and why
	bad   []string // what failed
}

func main() {
	fresh := flag.Bool("fresh", false, "make the Python environments again, with the newest patch releases")
	install := flag.Bool("install", os.Getenv("CI") == "true", "as root, install missing tools with apt-get (default under CI=true)")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./test [flags] [package or go test flag]...\nWithout packages, all of them are tested.")
		flag.PrintDefaults()
	}
	flag.Parse()
	r := &runner{out: bufio.NewWriter(os.Stdout), ci: os.Getenv("CI") == "true"}
	r.run(*fresh, *install, flag.Args())
	r.out.Flush()
	if len(r.bad) > 0 {
		os.Exit(1)
	}
}

func (r *runner) run(fresh, install bool, args []string) {
	begin := clock.Real{}.Now()
	if dir, err := venv.CacheDir(); err == nil && fresh {
		_ = os.RemoveAll(filepath.Join(dir, "venv"))
	}
	dir, err := os.MkdirTemp("", "minibroker-test")
	if err != nil {
		r.bad = append(r.bad, err.Error())
		return
	}
	defer os.RemoveAll(dir)

	var race []string
	r.step("tools", func() bool {
		missing := r.tools(install)
		if missing["gcc"] == "" && missing["libc6-dev"] == "" {
			race = []string{"-race"}
		}
		return len(missing) == 0 || !r.ci
	})
	r.step("gofmt", r.gofmt)
	r.step("vet", func() bool { return r.command("go", "vet", "./...") })
	r.step("staticcheck", func() bool { return r.command("go", "tool", "staticcheck", "./...") })
	// The broker that the clients meet reports data races too.
	binary := filepath.Join(dir, "minibroker")
	r.step("build", func() bool {
		return r.command("go", slices.Concat([]string{"build", "-o", binary}, race, []string{"./cmd/minibroker"})...)
	})
	whole := len(args) == 0
	var c counts
	r.step("tests", func() bool {
		if whole {
			args = []string{"./..."}
		}
		// Clients wait more than they compute, so more of them run at once than there are cores.
		c = r.tests(binary, slices.Concat([]string{"-count=1", "-vet=off", "-timeout=20m", "-parallel=12"}, race, args))
		return c.failed == 0
	})

	// Alone: what is measured must have the machine for itself, as far as that goes.
	if whole && runtime.GOOS != "linux" {
		r.notes = append(r.notes, "the speed of the broker, because it is measured on Linux")
	} else if whole {
		r.step("speed", func() bool {
			measured := r.tests(binary, slices.Concat([]string{"-count=1", "-vet=off", "-p=1", "-run=" + strings.Join(measuring, "|")}, measuringIn))
			c = c.plus(measured)
			return measured.failed == 0 && measured.passed >= len(measuring) && r.command("go", "run", "./bench", "--guard", "bench/ratios.json", "--rounds", "3")
		})
	}

	fmt.Fprintln(r.out)
	for _, n := range r.notes {
		fmt.Fprintln(r.out, "skipped:", n)
	}
	for _, b := range r.bad {
		fmt.Fprintln(r.out, "FAILED:", b)
	}
	fmt.Fprintf(r.out, "seconds: %s; in all %.0f\n", strings.Join(r.times, ", "), clock.Real{}.Now().Sub(begin).Seconds())
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
}

// measuring are the tests that judge time or allocations, which they can't under the race detector.
var (
	measuring   = []string{"AllocateNothing$", "TakeNoLongerThanTheyMay$", "FreezeAPage$", "InTheTailAtOnce$", "TakesLittleOfTheProcessor$"}
	measuringIn = []string{"./broker", "./ui"}
)

// step runs one part and keeps how it went and how long it took.
func (r *runner) step(name string, f func() bool) {
	begin := clock.Real{}.Now()
	fmt.Fprintf(r.out, "== %s\n", name)
	r.out.Flush()
	if !f() {
		r.bad = append(r.bad, name)
	}
	r.times = append(r.times, fmt.Sprintf("%s %.0f", name, clock.Real{}.Now().Sub(begin).Seconds()))
	r.out.Flush()
}

// tools looks for the programs that the tests need, installs them where that is allowed, and returns what is still
// missing: package -> what for.
func (r *runner) tools(install bool) map[string]string {
	missing := lookForTools()
	if _, err := exec.LookPath("apt-get"); err == nil && install && os.Geteuid() == 0 && len(missing) > 0 {
		pkgs := slices.Sorted(maps.Keys(missing))
		fmt.Fprintln(r.out, "installing", strings.Join(pkgs, " "))
		r.out.Flush()
		r.command("apt-get", "update", "-qq")
		r.command("apt-get", slices.Concat([]string{"install", "-y", "-qq", "--no-install-recommends"}, pkgs)...)
		missing = lookForTools()
	}
	for _, pkg := range slices.Sorted(maps.Keys(missing)) {
		r.notes = append(r.notes, fmt.Sprintf("%s, because %s is not installed (as root: go run ./test --install)", missing[pkg], pkg))
	}
	return missing
}

func lookForTools() map[string]string {
	missing := map[string]string{}
	wanted := tools
	if os.Getenv("CI") == "true" || os.Getenv("MINIBROKER_SLOW") == "1" {
		wanted = slices.Concat(tools, slowTools)
	}
	for _, tool := range wanted {
		if exec.Command(tool.probe[0], tool.probe[1:]...).Run() != nil {
			missing[tool.pkg] = tool.use
		}
	}
	return missing
}

func (r *runner) gofmt() bool {
	out, err := exec.Command("gofmt", "-l", ".").CombinedOutput()
	if err != nil || len(out) > 0 {
		fmt.Fprintf(r.out, "not formatted (gofmt -w makes it so):\n%s", out)
		return false
	}
	return true
}

// command runs a program and shows what it prints only when it fails.
func (r *runner) command(name string, args ...string) bool {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Fprintf(r.out, "%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return err == nil
}
