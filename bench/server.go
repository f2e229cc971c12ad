package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"minibroker/internal/clock"
)

// server is one server under test, running.
type server struct {
	name    string
	addr    string
	pid     int // 0 where it is not known: then only what a client sees is measured
	command []string
	process *exec.Cmd
	big     bool // needs much for each of many: it gets fewer
}

// limitName is the server that all ratios are to.
const limitName = "limit"

var listening = regexp.MustCompile(`(?:listening on|bootstrap\.servers=|ready) ?(\S+:\d+)(?: pid (\d+))?`)

// build compiles this repository's servers, and cycle, into dir and gives their
// commands.
func build(dir string) (map[string][]string, error) {
	commands := make(map[string][]string)
	for name, pkg := range map[string]string{limitName: "./bench/limit", "kfake": "./bench/kfake", "minibroker": "./cmd/minibroker", "cycle": "./bench/cycle"} {
		linked, bin := filepath.Join(dir, name+".linked"), filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-ldflags=-s", "-o", linked, pkg)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("building %s: %w", pkg, err)
		}
		if err := install(linked, bin); err != nil {
			return nil, err
		}
		commands[name] = []string{bin}
	}
	commands["minibroker"] = append(commands["minibroker"], "--port", "0", "--http-port", "0", "--log-level", "error")
	return commands, nil
}

// install moves a program to where it is run, by a copy, as installers do. What
// the linker writes lies in the kernel's cache page by page, and takes up to a
// millisecond longer to start.
func install(linked, bin string) error {
	program, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	if err := os.WriteFile(bin, program, 0o755); err != nil {
		return err
	}
	return os.Remove(linked)
}

// find says what a name of --servers stands for: one of ours, a command that
// prints "ready HOST:PORT pid N" (NAME=COMMAND...), or an address
// (NAME=HOST:PORT or NAME=HOST:PORT@PID).
func find(arg string, ours map[string][]string) (*server, error) {
	name, what, given := strings.Cut(arg, "=")
	if !given {
		command, ok := ours[name]
		switch {
		case ok && name != "cycle":
			return &server{name: name, command: command, big: name == "kafka"}, nil
		case name == "kafka":
			return nil, errors.New("say where Apache Kafka is: --kafka DIRECTORY or --kafka COMMAND")
		}
		return nil, fmt.Errorf("no server is named %q: give limit, minibroker, kfake, kafka, NAME=COMMAND or NAME=HOST:PORT[@PID]", name)
	}
	addr, pid, _ := strings.Cut(what, "@")
	if regexp.MustCompile(`^\S+:\d+$`).MatchString(addr) {
		id, _ := strconv.Atoi(pid)
		return &server{name: name, addr: addr, pid: id}, nil
	}
	return &server{name: name, command: strings.Fields(what)}, nil
}

// start runs the server's command and waits until it says where it listens.
func (s *server) start(ctx context.Context) error {
	if s.command == nil {
		return nil
	}
	s.process = exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	s.process.Cancel = func() error { return s.process.Process.Signal(syscall.SIGTERM) }
	s.process.WaitDelay = 20 * time.Second
	s.process.Stderr = os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.pid = s.process.Process.Pid
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := listening.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		// A client must not look its name up each time that it connects.
		addr, err := net.ResolveTCPAddr("tcp", m[1])
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.addr = addr.String(); m[2] != "" {
			s.pid, _ = strconv.Atoi(m[2])
		}
		go func() { // what else it says must not block it
			for lines.Scan() {
			}
		}()
		return nil
	}
	_ = s.process.Wait()
	return fmt.Errorf("%s ended without saying where it listens", s.name)
}

func (s *server) stop() {
	if s.process != nil {
		_ = s.process.Process.Signal(syscall.SIGTERM)
		_ = s.process.Wait()
		s.process = nil
	}
}

// kafkaCommand starts Apache Kafka: where is an installation or a command.
func kafkaCommand(where, dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(where, "bin", "kafka-server-start.sh")); err != nil {
		if info, err := os.Stat(where); err == nil && info.IsDir() {
			return nil, fmt.Errorf("--kafka %s: it has no bin/kafka-server-start.sh", where)
		}
		command := strings.Fields(where)
		if len(command) == 1 && filepath.Base(where) == "start-kafka" {
			command = append(command, "--port", "0")
		}
		return command, nil
	}
	script := filepath.Join(dir, "kafka.sh")
	return []string{"sh", script, where, dir}, os.WriteFile(script, kafkaScript, 0o644)
}

//go:embed kafka.sh
var kafkaScript []byte

// cpu is the processor time that the server has used, all threads together.
func (s *server) cpu() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("%s: no CPU time of process %d in /proc", s.name, s.pid)
	}
	var total int64
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		ns, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		total += n
	}
	return time.Duration(total), nil
}

// memory is the server's proportional set size in bytes.
func (s *server) memory() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^Pss:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("no Pss in /proc/%d/smaps_rollup", s.pid)
	}
	kb, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return kb << 10, nil
}

// now is the wall clock.
func now() time.Time { return clock.Real{}.Now() }
