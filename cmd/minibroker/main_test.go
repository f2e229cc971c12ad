package main

// These tests run the built program.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var binary string // of the program under test

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "minibroker")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "minibroker")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program prepares a run with no settings in the environment but env.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

// served is a running program and what it said.
type served struct {
	cmd       *exec.Cmd
	bootstrap string   // of the line to paste
	said      []string // between that line and the next
	url       string   // of the HTTP port, if any
	stderr    bytes.Buffer
	stdout    *bufio.Reader
}

// start runs the program until it says where it is. It is killed at the end.
func start(t *testing.T, env []string, args ...string) *served {
	t.Helper()
	s := &served{cmd: program(t, env, args...)}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	s.stdout = bufio.NewReader(out)
	for s.bootstrap == "" {
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			_ = s.cmd.Wait()
			t.Fatalf("it ended before it served: %s", &s.stderr)
		}
		s.bootstrap = strings.TrimSpace(after(line, "bootstrap.servers="))
	}
	if !strings.Contains(strings.Join(args, " ")+strings.Join(env, " "), "off") {
		for err == nil && s.url == "" {
			var line string
			line, err = s.stdout.ReadString('\n')
			s.url = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "http") {
				s.said, s.url = append(s.said, s.url), ""
			}
		}
	}
	return s
}

func after(line, prefix string) string {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return ""
	}
	return rest
}

// stop sends a signal and returns the exit status.
func (s *served) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, s.stdout)
	return status(s.cmd.Wait())
}

func status(err error) int {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func (s *served) admin(t *testing.T) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func TestItServesUntilItIsStopped(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		s := start(t, nil, "--port", "0", "--http-port", "0", "--topic", "orders:3", "--topic", "logs:1:cleanup.policy=compact,delete")
		topics, err := s.admin(t).ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(topics["orders"].Partitions) != 3 || len(topics["logs"].Partitions) != 1 {
			t.Errorf("the topics are %v", topics)
		}
		resp, err := http.Get(s.url + "readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("/readyz answers %s", resp.Status)
		}
		if code := s.stop(t, signal); code != 0 {
			t.Errorf("after %v the exit status is %d: %s", signal, code, &s.stderr)
		}
		if _, err := net.Dial("tcp", s.bootstrap); err == nil {
			t.Error("the port answers after the end")
		}
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	cmd := program(t, nil, "--host", "127.0.0.1", "--port", "0", "--http-port", "0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, url := bufio.NewReader(stdout), ""
	for url == "" {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		url = strings.TrimSuffix(after(line, "http://"), "/\n")
	}
	// Half a request, which the HTTP port waits for at the end.
	half, err := net.Dial("tcp", url)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	fmt.Fprintf(half, "POST /api/v1/topics HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", url)
	if line, err := bufio.NewReader(half).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("to half a request it said %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil || !strings.Contains(line, "stopping") {
		t.Fatalf("after the first signal it said %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("after the second signal it ended with %v, want the signal to have ended it", err)
	}
}

func TestTheNodeHasItsConfiguredIdAndRack(t *testing.T) {
	s := start(t, nil, "--port", "0", "--http-port", "off", "--set", "node.id=5", "--set", "broker.rack=r1", "--topic", "a:2")
	meta, err := s.admin(t).Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(meta.Brokers) != 1 || meta.Brokers[0].NodeID != 5 || meta.Brokers[0].Rack == nil || *meta.Brokers[0].Rack != "r1" || meta.Topics["a"].Partitions[1].Leader != 5 {
		t.Errorf("the metadata are %+v", meta)
	}
}

func TestItSaysWhereItListens(t *testing.T) {
	s := start(t, []string{"MINIBROKER_HTTP_PORT=off"}, "--port", "0", "--host", "127.0.0.1")
	host, port, err := net.SplitHostPort(s.bootstrap)
	if err != nil || host != "127.0.0.1" || port == "0" {
		t.Errorf("the line to paste is bootstrap.servers=%s", s.bootstrap)
	}
	if s.stop(t, os.Interrupt); s.url != "" {
		t.Errorf("without an HTTP port it named %s", s.url)
	}
	if log := strings.TrimSpace(s.stderr.String()); !strings.Contains(log, "stopping") || strings.Contains(log, "\n") {
		t.Errorf("it logged more than that it stops: %s", log)
	}
}

func TestSettingsReachTheBroker(t *testing.T) {
	path := write(t, "b.yaml", "num.partitions: 7\nlog.retention.hours: 2\nlog.dirs: /nowhere\n")
	s := start(t, []string{"MINIBROKER_PORT=0", "MINIBROKER_HTTP_PORT=off", "MINIBROKER_SET=num.partitions=5", "MINIBROKER_TOPIC=a"},
		"--config", path, "--set", "message.max.bytes=5000", "--log-format", "json")
	admin := s.admin(t)
	topics, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topics["a"].Partitions); n != 5 {
		t.Errorf("a has %d partitions, want the 5 of the environment", n)
	}
	configs, err := admin.DescribeTopicConfigs(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	if got["retention.ms"] != "7200000" || got["max.message.bytes"] != "5000" {
		t.Errorf("retention.ms is %s, max.message.bytes %s; want 7200000 of the file and 5000 of the flag", got["retention.ms"], got["max.message.bytes"])
	}
	s.stop(t, os.Interrupt)
	if log := s.stderr.String(); strings.Count(log, "log.dirs") != 1 || !strings.HasPrefix(log, "{") {
		t.Errorf("what has no effect is not logged in one JSON line: %s", log)
	}
}

func TestItEndsWithOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	badYAML := write(t, "bad.yaml", "port: 1\n  x: [")
	twice := write(t, "twice.yaml", "num.partitions: 1\nnum.partitions: 2\n")
	nested := write(t, "nested.yaml", "log:\n  retention: 5\n")
	typo := write(t, "typo.properties", "num.partition=3\n")
	badPort := write(t, "port.properties", "port=x\n")
	missing := filepath.Join(t.TempDir(), "none.yaml")
	free := []string{"--port", "0", "--http-port", "off"}
	for _, c := range []struct {
		args   []string
		env    string
		status int
		want   string // in the one line
	}{
		{[]string{"--prot", "1"}, "", 2, "unknown flag: --prot (see minibroker --help)"},
		{[]string{"serve"}, "", 2, `unexpected argument "serve": everything is given by flags (see minibroker --help)`},
		{[]string{"--port"}, "", 2, "flag needs an argument: --port"},
		{[]string{"--port", "70000"}, "", 2, `--port: "70000" is not a port: use 1 to 65535, or 0 for any free one`},
		{[]string{"--port", "-1"}, "", 2, `--port: "-1" is not a port`},
		{[]string{"--http-port", "none"}, "", 2, `--http-port: "none" is not a port`},
		{[]string{"--log-level", "loud"}, "", 2, `--log-level: "loud" is not a level: use debug, info, warn or error`},
		{nil, "MINIBROKER_PORT=x", 2, `MINIBROKER_PORT: "x" is not a port`},

		{[]string{"--host", "127.0.0.1", "--port", port, "--http-port", "off"}, "", 1, "port " + port + " on 127.0.0.1 is in use: stop what listens there, or choose another --port (0 picks a free one)"},
		{[]string{"--host", "127.0.0.1", "--port", "0", "--http-port", port}, "", 1, "choose another --http-port (0 picks a free one)"},
		{[]string{"--host", "192.0.2.1", "--port", "0"}, "", 1, "this machine has no address 192.0.2.1: use --host 0.0.0.0"},
		{[]string{"--set", "num.partition=3"}, "", 1, `--set: unknown broker config "num.partition": did you mean "num.partitions"?`},
		{[]string{"--set", "retention.ms=3"}, "", 1, `unknown broker config "retention.ms": did you mean "log.retention.ms"?`},
		{[]string{"--set", "num.partitions=many"}, "", 1, "--set: Invalid value many for configuration num.partitions: Not a number of type INT"},
		{[]string{"--set", "num.partitions"}, "", 1, `--set "num.partitions": write name=value, such as num.partitions=3`},
		{nil, "MINIBROKER_SET=a=b", 1, `MINIBROKER_SET: unknown broker config "a"`},
		{[]string{"--topic", "orders:many"}, "", 1, `--topic "orders:many": "many" is not a number of partitions: write name:partitions, such as orders:3`},
		{[]string{"--topic", "orders:0"}, "", 1, `"0" is not a number of partitions`},
		{[]string{"--topic", ":3"}, "", 1, "the name is missing: write name:partitions, such as orders:3"},
		{[]string{"--topic", "o:1:retention=5"}, "", 1, `unknown topic config "retention": names are Apache Kafka's`},
		{[]string{"--topic", "o:1:retention.m=5"}, "", 1, `unknown topic config "retention.m": did you mean "retention.ms"?`},
		{[]string{"--topic", "o:1:compact"}, "", 1, `"compact" is not a config: write name=value, such as retention.ms=60000`},
		{append(free, "--topic", "o:1:retention.ms=x"), "", 1, `topic "o": Invalid value x for configuration retention.ms: Not a number of type LONG`},
		{append(free, "--topic", "a b"), "", 1, `topic "a b": Topic name is invalid`},
		{[]string{"--security-protocol", "TLS"}, "", 2, `--security-protocol: "TLS" is no security protocol: use PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL`},
		{nil, "MINIBROKER_EXTRA_PORT=9093", 2, `MINIBROKER_EXTRA_PORT: "9093" is no port with a protocol: write PROTOCOL:PORT, such as SSL:9093`},
		{[]string{"--extra-port", "SSL:x"}, "", 2, `--extra-port: "x" is not a port`},
		{append(free, "--extra-port", "SSL:"+port), "", 1, "is in use: stop what listens there, or choose another --extra-port"},
		{[]string{"--port", "9092", "--brokers", "3", "--extra-port", "SSL:9093"}, "", 1, "ports 9092 (PLAINTEXT) and 9093 (SSL) are too near: each of 3 brokers has the next port"},
		{[]string{"--security-protocol", "PLAINTEXT", "--tls-ca-out", "ca.pem"}, "", 2, "--tls-ca-out: no port speaks TLS: add --security-protocol SSL (or SASL_SSL), or --extra-port SSL:9093"},
		{[]string{"--tls-key", "key.pem"}, "", 2, "--tls-key: a key needs its certificate: add --tls-cert"},
		{[]string{"--tls-cert", missing}, "", 1, "--tls-cert: cannot read " + missing + ": no such file or directory"},
		{[]string{"--tls-cert", badYAML}, "", 1, "--tls-cert: " + badYAML + ": failed to find any PEM data in certificate input"},
		{[]string{"--tls-client-ca", badYAML}, "", 1, "--tls-client-ca: " + badYAML + " has no certificates in PEM"},
		{append(free, "--tls-ca-out", filepath.Join(missing, "ca.pem")), "", 1, "--tls-ca-out: cannot write "},
		{[]string{"--config", missing}, "", 1, "--config: cannot read " + missing + ": no such file or directory"},
		{[]string{"--config", t.TempDir()}, "", 1, "is a directory"},
		{[]string{"--config", badYAML}, "", 1, "bad.yaml: line 2: "},
		{[]string{"--config", twice}, "", 1, "twice.yaml: line 2: num.partitions is given twice"},
		{[]string{"--config", nested}, "", 1, "nested.yaml: line 2: log must be one value or a list"},
		{[]string{"--config", badPort}, "", 1, `port in port.properties: "x" is not a port`},
		{nil, "MINIBROKER_CONFIG=" + typo, 1, `num.partition in typo.properties: unknown broker config "num.partition": did you mean "num.partitions"?`},
	} {
		cmd := program(t, []string{c.env}, c.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		got := status(cmd.Run())
		line := strings.TrimSuffix(stderr.String(), "\n")
		if got != c.status || !strings.HasPrefix(line, "minibroker: ") || !strings.Contains(line, c.want) || strings.Contains(line, "\n") || stdout.Len() > 0 {
			t.Errorf("%v %s\n got  status %d, %q, stdout %q\n want status %d and a line with %q", c.args, c.env, got, line, &stdout, c.status, c.want)
		}
	}
}

func TestHelpVersionAndCompletionAreThere(t *testing.T) {
	for args, want := range map[string]string{
		"--help":                    "--advertise",
		"--version":                 "minibroker ",
		"completion bash":           "bash completion",
		"completion fish":           "fish completion",
		"__complete --set num.":     "num.partitions=\tPartitions of a topic",
		"__complete --log-level ":   "debug",
		"__complete --topic x --lo": "--log-format",
		"__complete --log-format j": "json",
	} {
		out, err := program(t, nil, strings.Split(args, " ")...).Output()
		if err != nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("minibroker %s: %v\n%s", args, err, out)
		}
	}
}

func TestAConfigFileIsFoundWhereItIs(t *testing.T) {
	s := start(t, nil, "--config", "testdata/server.properties", "--port", "0", "--http-port", "0", "--log-level", "warn")
	resp, err := http.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !regexp.MustCompile(`id="bootstrap">` + regexp.QuoteMeta(s.bootstrap)).Match(body) {
		t.Errorf("the page does not name %s: %s", s.bootstrap, body)
	}
	if _, err := s.admin(t).BrokerMetadata(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestSeveralBrokersServeOneCluster(t *testing.T) {
	p := start(t, nil, "--port", "0", "--http-port", "off", "--brokers", "3", "--rack", "a,b,c", "--topic", "t:1", "--set", "default.replication.factor=3")
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(p.bootstrap, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := kadm.NewClient(client).Metadata(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Brokers) != 3 || *got.Brokers[2].Rack != "c" || len(got.Topics["t"].Partitions[0].ISR) != 3 {
		t.Errorf("the cluster is %+v", got)
	}
}
