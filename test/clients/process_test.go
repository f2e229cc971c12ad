package clients_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a client program that runs beside the test: it is stopped, killed and started again.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why it ended; valid after done
	mu   sync.Mutex
	out  bytes.Buffer // what it printed
}

// Write takes what the program prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// output returns what the program has printed so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// launch starts a program. It is killed when the test ends, if it still runs; what it printed is shown if the test fails.
func launch(t *testing.T, command ...string) *process {
	t.Helper()
	p := &process{name: strings.Join(command, " "), done: make(chan struct{})}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name, p.output())
		}
	})
	return p
}

// stop asks the program to end and waits until it has: a JVM then runs its shutdown hooks.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-timeout(t).Done():
		t.Fatalf("%s does not end", p.name)
	}
}

// kill ends the program at once, as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// running fails the test when the program has ended by itself.
func (p *process) running(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("%s ended: %v", p.name, p.err)
	default:
	}
}

// finish runs a program to its end, within limit, and returns what it printed.
func finish(t *testing.T, limit time.Duration, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = 30 * time.Second // Spark's JVM ends some seconds after Python
	cmd.Env = append(os.Environ(), "SPARK_LOCAL_IP=127.0.0.1")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v; it printed:\n%s", strings.Join(command, " "), limit, out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// takeJVM waits until another JVM may run, and gives its place back when the test ends.
func takeJVM(t *testing.T) {
	t.Helper()
	select {
	case jvms <- struct{}{}:
		t.Cleanup(func() { <-jvms })
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// until waits for a state that only a look from outside shows: it looks ten times a second, while the program runs.
func (p *process) until(t *testing.T, good func() bool, now func() string) {
	t.Helper()
	ctx := timeout(t)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !good() {
		select {
		case <-tick.C:
		case <-p.done:
			t.Fatalf("%s ended: %v; %s", p.name, p.err, now())
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, now())
		}
	}
}
