package minibroker_test

import (
	"debug/elf"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"minibroker/test/harness"
	"minibroker/test/netns"
	"minibroker/test/venv"
)

// instruction is one of a Containerfile.
type instruction struct{ name, args string }

// containerfile returns the instructions of the stages.
func containerfile(t *testing.T) [][]instruction {
	t.Helper()
	text, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	var stages [][]instruction
	for line := range strings.Lines(string(text)) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if name == "FROM" {
			stages = append(stages, nil)
		}
		last := len(stages) - 1
		stages[last] = append(stages[last], instruction{name, args})
	}
	return stages
}

func all(stage []instruction, name string) (args []string) {
	for _, i := range stage {
		if i.name == name {
			args = append(args, i.args)
		}
	}
	return args
}

// compose is what the tests read of compose.yaml.
type compose struct {
	Services map[string]struct {
		Build struct{ Context, Dockerfile string }
		Ports []string
	}
}

func composeFile(t *testing.T) compose {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// runGo runs the go command at the root of the repository.
func runGo(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = harness.Root()
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestComposeAndContainerfileAgreeWithTheBinary(t *testing.T) {
	stages := containerfile(t)
	image := stages[len(stages)-1]
	if from := all(image, "FROM"); from[0] != "scratch" {
		t.Errorf("the image is made FROM %s, want scratch", from[0])
	}
	ports := strings.Fields(all(image, "EXPOSE")[0])
	if !slices.Equal(ports, []string{"9092", "7080"}) {
		t.Errorf("the image exposes %v", ports)
	}
	broker, ok := composeFile(t).Services["broker"]
	if !ok || broker.Build.Dockerfile != "Containerfile" {
		t.Fatalf("compose.yaml has no service named broker that is built from Containerfile: %+v", broker)
	}
	for _, port := range ports {
		if !slices.Contains(broker.Ports, port+":"+port) {
			t.Errorf("compose.yaml publishes %v, want %s under the same number", broker.Ports, port)
		}
	}
	help, err := exec.Command(harness.Binary(t), "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, help)
	}
	for _, env := range all(image, "ENV") {
		name, _, _ := strings.Cut(env, "=")
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "MINIBROKER_")), "_", "-")
		if !strings.Contains(string(help), flag+" ") {
			t.Errorf("the image sets %s, and minibroker --help has no %s", name, flag)
		}
	}
	for _, port := range ports {
		if !strings.Contains(string(help), port) {
			t.Errorf("the image exposes %s, which is no default in minibroker --help:\n%s", port, help)
		}
	}
}

// TestTheImageServesTheCoursesLayout builds the binary as the Containerfile does and runs it as the image would: alone
// in an empty root directory, as the image's user, with the image's environment, in the network of compose.yaml.
func TestTheImageServesTheCoursesLayout(t *testing.T) {
	t.Parallel()
	stages := containerfile(t)
	build, image := stages[0], stages[len(stages)-1]
	lab := netns.New(t)
	chroot := harness.NeedTool(t, "chroot", "coreutils")

	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	runs := all(build, "RUN")
	words := strings.Fields(runs[len(runs)-1])
	env, words := words[0], words[1:]
	i := slices.Index(words, "-o")
	if words[0] != "go" || i < 0 {
		t.Fatalf("the last RUN is no go build: %v", words)
	}
	binary := filepath.Join(root, words[i+1])
	words[i+1] = binary
	runGo(t, []string{env, "GOOS=linux", "GOARCH=" + runtime.GOARCH}, words[1:]...)
	checkStatic(t, binary)

	entry := strings.Trim(all(image, "ENTRYPOINT")[0], `[]"`)
	lab.Broker.StartWith(harness.Options{
		Command: []string{chroot, "--userspec=" + all(image, "USER")[0], root, entry},
		Env:     all(image, "ENV"),
	})
	for _, p := range composeFile(t).Services["broker"].Ports {
		host, container, _ := strings.Cut(p, ":")
		lab.Publish(host, container)
	}

	env22, _ := venv.KafkaPython(t, "2.2.*")
	var both sync.WaitGroup
	for topic, from := range map[string]struct {
		machine   *netns.Machine
		bootstrap string
	}{"inside": {lab.Client, "broker:9092"}, "outside": {lab.Host, "localhost:9092"}} {
		both.Go(func() {
			cmd := from.machine.Command(timeout(t), env22.Python, "test/clients/roundtrip.py", "--bootstrap", from.bootstrap, "--topic", topic, "--admin")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s at %s: %v\n%s", topic, from.bootstrap, err, out)
			}
		})
	}
	both.Wait()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		host := lab.Host.Open()
		client := http.Client{Transport: &http.Transport{DialContext: host.Dial, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(timeout(t), http.MethodGet, "http://127.0.0.1:7080"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("the host at localhost:7080%s: %v", path, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("localhost:7080%s answers %s", path, resp.Status)
		}
	}
}

// checkStatic fails the test when the binary needs a dynamic linker, which an image from scratch does not have.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s is linked dynamically", path)
		}
	}
}
