package minibroker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"minibroker/test/harness"
	"minibroker/test/markdown"
	"minibroker/test/netns"
	"minibroker/test/venv"
)

// Every fenced block of the README and of docs/ is checked: the comment `<!-- test: ... -->` before it says how. A block
// of "text" may go without one.

// checks are the ways to check a block.
var checks = map[string]func(*testing.T, markdown.Block){
	// serve: the command starts a broker from a checkout, and the README's Python snippet works with it.
	"serve": checkServe,
	// python: run by serve.
	"python": func(*testing.T, markdown.Block) {},
	// go test: the block is a test file that passes.
	"go test": checkGoTest,
	// test command: CI runs the same.
	"test command": checkTestCommand,
	// starts: each line starts a broker that serves.
	"starts": checkStarts,
	// config file: minibroker starts with it.
	"config file": checkConfigFile,
	// fixture: a broker starts with it and has a topic "orders".
	"fixture": checkFixture,
	// shell: the commands succeed, with a broker at localhost that has a topic "orders" and an authorizer.
	"shell": checkShell,
	// bench: the command measures a small work.
	"bench": checkBench,
	// secure: the command starts a broker, in a directory of its own, and the page's client settings work with it.
	"secure": checkSecure,
	// secure python, secure java: run by secure.
	"secure python": func(*testing.T, markdown.Block) {},
	"secure java":   func(*testing.T, markdown.Block) {},
	// hosts: the line that the notebook's test puts into a hosts file.
	"hosts": checkHosts,
}

func TestEverySnippetInTheDocsIsTrue(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages in docs", err)
	}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		blocks, err := markdown.Blocks(page)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			if strings.HasPrefix(b.Mark, "repair ") { // applied by TestTheCourseNotebookRunsFromTopToBottom
				continue
			}
			check, ok := checks[b.Mark]
			if !ok {
				if b.Lang != "text" || b.Mark != "" {
					t.Errorf("%s: put a comment before the %q block that says how it is checked; %q does not", b.Place(), b.Lang, b.Mark)
				}
				continue
			}
			t.Run(b.Place(), func(t *testing.T) {
				t.Parallel()
				check(t, b)
			})
		}
	}
}

func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	pages, _ := filepath.Glob("docs/*.md")
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// commands returns a block's command lines as words; a quote holds a word together.
func commands(b markdown.Block) [][]string {
	var all [][]string
	word := regexp.MustCompile(`'([^']*)'|(\S+)`)
	for line := range strings.Lines(b.Text) {
		line, _, _ = strings.Cut(line, " #")
		var words []string
		for _, m := range word.FindAllStringSubmatch(line, -1) {
			words = append(words, m[1]+m[2])
		}
		if len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

func checkServe(t *testing.T, b markdown.Block) {
	lab := netns.New(t) // port 9092 of this machine may be somebody else's
	env, _ := venv.KafkaPython(t, "2.2.*")
	s := lab.Host.StartWith(harness.Options{Command: commands(b)[0], Interrupt: true})
	if s.Port() != "9092" {
		t.Errorf("the bootstrap line says %s", s.Bootstrap)
	}
	if out := lab.Host.Run(env.Python, "-c", "import urllib.request as u; print(u.urlopen('http://localhost:7080/healthz').status)"); strings.TrimSpace(out) != "200" {
		t.Errorf("http://localhost:7080/healthz answers %s", out)
	}
	blocks, err := markdown.Blocks(b.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, snippet := range blocks {
		if snippet.Mark == "python" {
			if out := lab.Host.Run(env.Python, "-c", snippet.Text); !strings.Contains(out, "b'hello'") {
				t.Errorf("%s printed %q, want the message", snippet.Place(), out)
			}
		}
	}
}

func checkSecure(t *testing.T, b markdown.Block) {
	lab := netns.New(t)
	env, _ := venv.KafkaPython(t, "2.2.*")
	in := "cd '" + t.TempDir() + "' && exec \"$@\""
	words := commands(b)[0]
	lab.Host.StartWith(harness.Options{Command: append([]string{"sh", "-c", in, "sh", harness.Binary(t)}, words[1:]...)})
	blocks, err := markdown.Blocks(b.File)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, snippet := range blocks {
		var out string
		switch snippet.Mark {
		case "secure python":
			out = lab.Host.Run("sh", "-c", in, "sh", env.Python, "-c", snippet.Text)
		case "secure java":
			// The settings as kafka-python has them: a JVM takes too long here.
			out = lab.Host.Run("sh", "-c", in, "sh", env.Python, "-c", javaSettings, snippet.Text)
		default:
			continue
		}
		if ran++; !strings.Contains(out, "b'hello'") {
			t.Errorf("%s printed %q, want the message", snippet.Place(), out)
		}
	}
	if ran != 2 {
		t.Errorf("%d snippets ran", ran)
	}
}

// javaSettings reads the messages of "orders" with the settings that Java's properties give.
const javaSettings = `
import re, sys
from kafka import KafkaConsumer, KafkaProducer
p = dict(line.split("=", 1) for line in sys.argv[1].split("\n") if line)
jaas = p.pop("sasl.jaas.config")
login = dict(re.findall(r'(\w+)="([^"]*)"', jaas))
assert re.match(r"org\.apache\.kafka\.common\.security\.scram\.ScramLoginModule required .*;$", jaas), jaas
assert p.pop("ssl.truststore.type") == "PEM"
client = dict(bootstrap_servers=p.pop("bootstrap.servers"), security_protocol=p.pop("security.protocol"), ssl_cafile=p.pop("ssl.truststore.location"),
              sasl_mechanism=p.pop("sasl.mechanism"), sasl_plain_username=login["username"], sasl_plain_password=login["password"])
assert not p, p
producer = KafkaProducer(**client)
producer.send("orders", b"hello")
producer.flush()
for message in KafkaConsumer("orders", auto_offset_reset="earliest", **client):
    print(message.value)
    break
`

func checkGoTest(t *testing.T, b markdown.Block) {
	dir := harness.InsideModule(t)
	if err := os.WriteFile(filepath.Join(dir, "snippet_test.go"), []byte(b.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	runGo(t, nil, "test", "./"+filepath.Base(dir))
}

func checkTestCommand(t *testing.T, b markdown.Block) {
	script, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\n"+b.Text) {
		t.Errorf(".ci/run does not run %q:\n%s", b.Text, script)
	}
}

func checkStarts(t *testing.T, b markdown.Block) {
	lab := netns.New(t)
	for _, words := range commands(b) {
		var env []string // NAME=value before the command
		for strings.HasPrefix(words[0], "MINIBROKER_") {
			env, words = append(env, strings.ReplaceAll(words[0], "'", "")), words[1:]
		}
		s := lab.Broker.StartWith(harness.Options{Command: append([]string{harness.Binary(t)}, words[1:]...), Env: env})
		if words[0] != "minibroker" || s.Bootstrap == "" {
			t.Errorf("%s: %s", b.Place(), strings.Join(words, " "))
		}
		s.Stop(t)
	}
}

func checkBench(t *testing.T, b markdown.Block) {
	for _, words := range commands(b) {
		if strings.Join(words[:3], " ") != "go run ./bench" {
			t.Fatalf("%s is no command of the benchmark", b.Place())
		}
		if i := slices.Index(words, "--record"); i > 0 {
			words[i+1] = filepath.Join(t.TempDir(), "ratios.json")
		}
		cmd := exec.CommandContext(t.Context(), words[0], append(words[1:], "--rounds", "1", "--run", "^Heartbeat")...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "| Heartbeat") {
			t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
}

func checkConfigFile(t *testing.T, b markdown.Block) {
	path := filepath.Join(t.TempDir(), "minibroker."+b.Lang)
	if err := os.WriteFile(path, []byte(b.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	lab := netns.New(t) // the file may name ports
	lab.Broker.StartWith(harness.Options{Command: []string{harness.Binary(t), "--config", path}})
}

func checkFixture(t *testing.T, b markdown.Block) {
	path := filepath.Join(t.TempDir(), "fixture."+b.Lang)
	if err := os.WriteFile(path, []byte(b.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, harness.Options{Command: []string{harness.Binary(t), "--port", "0", "--http-port", "off", "--fixture", path}})
	out, err := exec.CommandContext(t.Context(), harness.Binary(t), "dump", "--bootstrap-servers", s.Bootstrap).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `{"topic":"orders"`) {
		t.Errorf("the broker has %s (%v)", out, err)
	}
}

func checkShell(t *testing.T, b markdown.Block) {
	lab := netns.New(t) // the ports of the page may be somebody else's
	lab.Host.Start("--port", "9092", "--http-port", "7080", "--topic", "orders:3", "--clock", "movable", "--transcript", "100",
		"--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "--set", "super.users=User:ANONYMOUS")
	harness.NeedTool(t, "curl", "curl")
	dir := t.TempDir()
	if err := os.Symlink(harness.Binary(t), filepath.Join(dir, "minibroker")); err != nil {
		t.Fatal(err)
	}
	lab.Host.Run("sh", "-euc", "cd '"+dir+"'\nPATH=\"$PWD:$PATH\"\n"+b.Text)
}

func checkHosts(t *testing.T, b markdown.Block) {
	lab := netns.New(t)
	lab.Host.Hosts("127.0.0.1 localhost", strings.TrimSpace(b.Text))
	env, _ := venv.KafkaPython(t, "2.2.*")
	lab.Host.Start("--port", "9092")
	lab.Host.Run(env.Python, harness.Root()+"/test/clients/roundtrip.py", "--bootstrap", "broker:9092", "--topic", "hosts", "--admin")
}
