// Package harness builds the minibroker binary, starts it as a process of its own and stops it: what every black-box
// test needs before a real client can connect.
//
// With MINIBROKER_TEST_REFERENCE set to the path of a script that starts Apache Kafka and prints "ready HOST:PORT", the
// same tests run against Apache Kafka: that is how they were proved first.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTimeout is how long a broker may take to print its bootstrap line; Apache Kafka on two busy cores is the slow case.
const startTimeout = 90 * time.Second

// stopTimeout is how long it may take to end after the signal before it is killed and the test fails.
const stopTimeout = 30 * time.Second

// Need ends the test when something outside the project is missing: skipped on a developer's machine, failed under
// CI=true, where a missing tool must not go unseen.
func Need(t testing.TB, ok bool, format string, args ...any) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true allows no skip: "+format, args...)
	}
	t.Skipf(format, args...)
}

// NeedTool is Need for a program on the PATH; it returns where the program is. pkg is the Debian package that has it.
func NeedTool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	Need(t, err == nil, "%s is not installed (Debian: apt-get install %s)", name, pkg)
	return path
}

// Reference returns the script that starts Apache Kafka, or "" in the normal case of testing minibroker.
func Reference() string { return os.Getenv("MINIBROKER_TEST_REFERENCE") }

// Root returns the repository's root directory.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// InsideModule makes a directory for a program that imports packages of the module, which are seen from inside it only.
// The dot that its name begins with hides it from ./... .
func InsideModule(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(Root(), ".snippet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

var build struct {
	once sync.Once
	path string
	err  error
}

// Binary returns the path of the minibroker binary: MINIBROKER_TEST_BINARY when the test command has built it, else it
// is built once per test process, into the user's cache directory.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MINIBROKER_TEST_BINARY"); path != "" {
		return path
	}
	build.once.Do(func() {
		dir, err := os.UserCacheDir()
		if err != nil {
			build.err = err
			return
		}
		dir = filepath.Join(dir, "minibroker-test", "bin")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			build.err = err
			return
		}
		// A name per process: two test packages that build at once must not write over a running program.
		tmp := filepath.Join(dir, "minibroker."+strconv.Itoa(os.Getpid()))
		cmd := exec.Command("go", "build", "-o", tmp, "./cmd/minibroker")
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build ./cmd/minibroker: %w\n%s", err, out)
			return
		}
		build.path = filepath.Join(dir, "minibroker")
		build.err = os.Rename(tmp, build.path)
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Options says how to start a broker. The zero value is a broker on a free loopback port.
type Options struct {
	// Args are minibroker's flags; "--port 0" and "--http-port 0" are added where they are not given.
	Args []string
	// Env is added to the environment.
	Env []string
	// Wrap is put before the program: a command that runs it in another namespace.
	Wrap []string
	// Command is the whole command line in place of the binary and Args, for tests of what the docs say.
	Command []string
	// Interrupt stops it as Ctrl-C does, and not with SIGTERM (which go run does not hand on).
	Interrupt bool
}

// Server is a running broker process.
type Server struct {
	Bootstrap string // host:port, as the broker printed it in its bootstrap.servers line
	Pid       int    // of the process that was started (a wrapper that execs keeps the pid)

	cmd  *exec.Cmd
	stop syscall.Signal
	done chan struct{} // closed when the process has ended and all its output was read
	err  error         // why it ended; valid after done

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every new line of output
	output  bytes.Buffer  // stdout and stderr, interleaved by line
}

var (
	bootstrapLine = regexp.MustCompile(`bootstrap\.servers["=:\s]+([^\s",]+:\d+)`)
	readyLine     = regexp.MustCompile(`^ready (\S+:\d+)`)
)

// Start starts a broker and returns when it has printed its bootstrap line, which it does only when it serves. The
// broker is stopped when the test ends; a stop that is not clean, or a data race it reported, fails the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := start(o, command(t, o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("the broker's output:\n%s", s.Output())
		}
	})
	return s
}

func command(t testing.TB, o Options) []string {
	if script := Reference(); script != "" {
		port := "0"
		if i := slices.Index(o.Args, "--port"); i >= 0 {
			port = o.Args[i+1]
		}
		return slices.Concat(o.Wrap, []string{"bash", script, "--port", port})
	}
	if o.Command != nil {
		return slices.Concat(o.Wrap, o.Command)
	}
	args := slices.Clone(o.Args)
	for _, f := range []string{"--port", "--http-port"} {
		if !slices.Contains(args, f) {
			args = append(args, f, "0")
		}
	}
	return slices.Concat(o.Wrap, []string{Binary(t)}, args)
}

func start(o Options, argv []string) (*Server, error) {
	s := &Server{done: make(chan struct{}), changed: make(chan struct{}), stop: syscall.SIGTERM}
	if o.Interrupt {
		s.stop = syscall.SIGINT
	}
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env = append(os.Environ(), o.Env...)
	s.cmd.Dir = Root()
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	lead(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.Pid = s.cmd.Process.Pid
	var readers sync.WaitGroup
	readers.Go(func() { s.collect(stdout) })
	readers.Go(func() { s.collect(stderr) })
	go func() {
		readers.Wait()
		s.err = s.cmd.Wait()
		close(s.done)
	}()

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	pattern := bootstrapLine
	if Reference() != "" {
		pattern = readyLine
	}
	m, err := s.await(ctx, pattern)
	if err != nil {
		signal(s.cmd, syscall.SIGKILL)
		<-s.done
		return nil, fmt.Errorf("%s: no line with its address (%w); it printed:\n%s", argv[0], err, s.Output())
	}
	s.Bootstrap = m[1]
	return s, nil
}

func (s *Server) collect(r io.Reader) {
	var line []byte
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		line = append(line, buf[:n]...)
		if end := bytes.LastIndexByte(line, '\n') + 1; end > 0 || err != nil && len(line) > 0 {
			if err != nil {
				end = len(line)
			}
			s.mu.Lock()
			s.output.Write(line[:end])
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
			line = line[end:]
		}
		if err != nil {
			return
		}
	}
}

// Output returns what the broker has printed so far, on stdout and stderr.
func (s *Server) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

// Await waits until a line of the broker's output matches, and returns the line's submatches. It fails the test when
// the broker ends first or the line does not come within 60 s.
func (s *Server) Await(t testing.TB, pattern string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	m, err := s.await(ctx, regexp.MustCompile(pattern))
	if err != nil {
		t.Fatalf("the broker printed no line that matches %q: %v; it printed:\n%s", pattern, err, s.Output())
	}
	return m
}

func (s *Server) await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	for {
		s.mu.Lock()
		text, changed := s.output.String(), s.changed
		s.mu.Unlock()
		for line := range strings.Lines(text) {
			if m := pattern.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
				return m, nil
			}
		}
		select {
		case <-changed:
			continue
		default:
		}
		select {
		case <-changed:
		case <-s.done:
			return nil, fmt.Errorf("it ended: %v", s.err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Stop ends the broker with SIGTERM, or the signal that Options say, and waits for it. Called again it does nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if !s.ends(0) {
		signal(s.cmd, s.stop)
	}
	if !s.ends(stopTimeout) {
		signal(s.cmd, syscall.SIGABRT) // makes it print its goroutines
		if !s.ends(5 * time.Second) {
			signal(s.cmd, syscall.SIGKILL)
			<-s.done
		}
		t.Errorf("the broker did not end within %v of %v; it printed:\n%s", stopTimeout, s.stop, s.Output())
		return
	}
	var exit *exec.ExitError
	// Of go run nothing can be told: after Ctrl-C its own status is 1.
	if errors.As(s.err, &exit) && Reference() == "" && s.stop == syscall.SIGTERM {
		t.Errorf("the broker ended with %v, want a clean stop; it printed:\n%s", s.err, s.Output())
	}
	if out := s.Output(); strings.Contains(out, "WARNING: DATA RACE") || strings.Contains(out, "panic") {
		t.Errorf("the broker reported a race or a panic:\n%s", out)
	}
}

// ends waits for the process to end.
func (s *Server) ends(within time.Duration) bool {
	select {
	case <-s.done:
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	select {
	case <-s.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Port returns the port of the bootstrap address.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Bootstrap)
	return port
}

// Is tells whether address is the broker as a client on this machine may be told it: localhost is one of the loopback
// addresses.
func (s *Server) Is(address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && port == s.Port() && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
