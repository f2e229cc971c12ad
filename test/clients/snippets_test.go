package clients_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// snippetsOf are the programs of the "how to connect" box, by the names of their tabs, for one kind of port, and where
// that is.
func snippetsOf(t *testing.T, web, via string) (programs map[string]string, bootstrap string) {
	t.Helper()
	resp, err := http.Get(web + "api/v1/pages/?via=" + via)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct {
		Ways []struct {
			SecurityProtocol string `json:"security_protocol"`
			Bootstrap        string `json:"bootstrap_servers"`
		}
		Snippets []struct{ ID, Code string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || len(page.Ways) == 0 || page.Ways[0].SecurityProtocol != via {
		t.Fatalf("the first page via %s tells of %+v (%v)", via, page.Ways, err)
	}
	all := map[string]string{}
	for _, s := range page.Snippets {
		all[s.ID] = s.Code
	}
	return all, page.Ways[0].Bootstrap
}

// TestTheSnippetsOfTheFirstPageConnect runs what readers are told to paste, with name and password filled in, where the
// broker wants TLS, a login or both.
func TestTheSnippetsOfTheFirstPageConnect(t *testing.T) {
	t.Parallel()
	kcat := harness.NeedTool(t, "kcat", "kcat")
	env, _ := venv.KafkaPython(t, "2.2.*")
	s := harness.Start(t, harness.Options{Args: []string{"--http-port", "0", "--user", "anna:secret", "--topic", "demo:1", "--set", "sasl.enabled.mechanisms=PLAIN",
		"--security-protocol", "SASL_SSL", "--tls-ca-out", filepath.Join(t.TempDir(), "ca.pem"), "--extra-port", "SASL_PLAINTEXT:0", "--extra-port", "SSL:0", "--extra-port", "PLAINTEXT:0"}})
	web := s.Await(t, `(?m)^(http://\S+)`)[1]
	fill := strings.NewReplacer("USER", "anna", "PASSWORD", "secret")
	for _, via := range []string{"SASL_SSL", "SASL_PLAINTEXT", "SSL", "PLAINTEXT"} {
		all, _ := snippetsOf(t, web, via)
		t.Run(via, func(t *testing.T) {
			dir := t.TempDir()
			sh := func(script string) string {
				cmd := exec.CommandContext(t.Context(), "sh", "-ec", fill.Replace(script))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kcat)+":"+os.Getenv("PATH"))
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s\n%s", err, out, script)
				}
				return string(out)
			}
			// All lines but those of Kafka's own tools, for which there may be no JVM.
			var script []string
			for line := range strings.Lines(all["cli"]) {
				if !strings.HasPrefix(line, "kafka-") {
					script = append(script, line)
				}
			}
			if out := sh(strings.Join(script, "")); !strings.Contains(out, "hello") {
				t.Errorf("kcat printed %q, want what it had sent", out)
			}
			// The loop ends with the first message that the snippet itself sent.
			program := strings.Replace(all["python"], "record.key, record.value)", "record.key, record.value)\n    if record.key: break", 1)
			cmd := exec.CommandContext(t.Context(), env.Python, "-c", fill.Replace(program))
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `b'{"hello": "world"}'`) {
				t.Errorf("the Python snippet ended with %v: %s\n%s", err, out, program)
			}
			if strings.Contains(strings.Join(script, "")+all["python"]+all["java"], "secret") {
				t.Error("a snippet has the password")
			}
		})
	}
}
