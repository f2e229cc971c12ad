package clients_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/broker"
	"minibroker/test/harness"
)

// This file runs the programs of the "how to connect" box of the first page. What stands around them is in
// snippetlanguages_test.go.

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
// broker wants TLS, a login or both. These send and read.
func TestTheSnippetsOfTheFirstPageConnect(t *testing.T) {
	t.Parallel()
	web, _ := snippetBroker(t, allPorts("PLAIN")...)
	for _, via := range []string{"SASL_SSL", "SASL_PLAINTEXT", "SSL", "PLAINTEXT"} {
		t.Run(via, func(t *testing.T) { sendsAndReads(t, web, via, "") })
	}
}

func sendsAndReads(t *testing.T, web, via, clientPEM string) {
	t.Helper()
	programs, _ := snippetsOf(t, web, via)
	if out := runSnippet(t, kcatSnippet, programs["cli"], clientPEM); !strings.Contains(out, "hello") {
		t.Errorf("kcat printed %q, want what it had sent", out)
	}
	if out := runSnippet(t, pythonSnippet, programs["python"], clientPEM); !strings.Contains(out, `b'{"hello": "world"}'`) {
		t.Errorf("the Python snippet printed %q, want what it had sent", out)
	}
	if strings.Contains(fmt.Sprint(programs), "secret") {
		t.Error("a snippet has the password")
	}
}

// TestTheSnippetsOfTheFirstPageProduce is for those that send one message and end.
func TestTheSnippetsOfTheFirstPageProduce(t *testing.T) {
	t.Parallel()
	slow(t)
	for _, c := range []struct {
		mechanism string
		vias      []string
	}{
		{"PLAIN", []string{"SASL_SSL", "SASL_PLAINTEXT", "SSL", "PLAINTEXT"}},
		{"SCRAM-SHA-256", []string{"SASL_SSL"}},
		{"SCRAM-SHA-512", []string{"SASL_PLAINTEXT"}},
	} {
		web, plaintext := snippetBroker(t, allPorts(c.mechanism)...)
		for _, via := range c.vias {
			t.Run(c.mechanism+" "+via, func(t *testing.T) { sends(t, web, via, plaintext, "") })
		}
	}
}

// sends runs the snippets of languages that are slow to start.
func sends(t *testing.T, web, via, plaintext, clientPEM string) {
	programs, _ := snippetsOf(t, web, via)
	for language, program := range map[string]func(t *testing.T, dir, snippet string) *exec.Cmd{"java": javaSnippet, "go": goSnippet, "node": nodeSnippet} {
		t.Run(language, func(t *testing.T) {
			before := endOfDemo(t, plaintext)
			runSnippet(t, program, programs[language], clientPEM)
			if end := endOfDemo(t, plaintext); end != before+1 {
				t.Errorf("%d messages arrived, want 1", end-before)
			}
		})
	}
}

// TestTheSnippetsOfTheFirstPageShowACertificate where the broker asks clients for one.
func TestTheSnippetsOfTheFirstPageShowACertificate(t *testing.T) {
	t.Parallel()
	slow(t)
	authority, client := clientCertificate(t)
	clientCA := filepath.Join(t.TempDir(), "clients.pem")
	writeFile(t, clientCA, authority)
	web, plaintext := snippetBroker(t, "--security-protocol", "SSL", "--tls-client-ca", clientCA, "--set", "ssl.client.auth=required", "--extra-port", "PLAINTEXT:0")
	sendsAndReads(t, web, "SSL", client)
	sends(t, web, "SSL", plaintext, client)
}

// clientCertificate is what clients show, a certificate and its key, and whose authority it is of, in PEM.
func clientCertificate(t *testing.T) (authority, client string) {
	t.Helper()
	b := broker.Start(t, broker.WithTLS())
	made, err := b.ClientTLSConfig("anna")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(made.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []pem.Block{{Type: "CERTIFICATE", Bytes: made.Certificates[0].Certificate[0]}, {Type: "PRIVATE KEY", Bytes: key}} {
		client += string(pem.EncodeToMemory(&block))
	}
	return string(b.CA()), client
}

// TestTheSnippetForSparkReads logs in as the course's consumer.
func TestTheSnippetForSparkReads(t *testing.T) {
	t.Parallel()
	slow(t)
	web, _ := snippetBroker(t, allPorts("SCRAM-SHA-256")...)
	programs, _ := snippetsOf(t, web, "SASL_SSL")
	runSnippet(t, goSnippet, programs["go"], "") // sends what Spark reads
	takeJVM(t)
	if out := runSnippet(t, sparkSnippet, programs["spark"], ""); !strings.Contains(out, "|user-1|hello|") {
		t.Errorf("Spark printed %s", out)
	}
}

// allPorts are flags for ports of each kind, where anna may log in by one mechanism.
func allPorts(mechanism string) []string {
	return []string{"--user", "anna:secret", "--set", "sasl.enabled.mechanisms=" + mechanism,
		"--security-protocol", "SASL_SSL", "--extra-port", "SASL_PLAINTEXT:0", "--extra-port", "SSL:0", "--extra-port", "PLAINTEXT:0"}
}

// snippetBroker starts a broker with a topic demo, and says where its pages and its plaintext port are.
func snippetBroker(t *testing.T, flags ...string) (web, plaintext string) {
	t.Helper()
	s := harness.Start(t, harness.Options{Args: append(flags, "--http-port", "0", "--topic", "demo:1", "--tls-ca-out", filepath.Join(t.TempDir(), "ca.pem"))})
	web = s.Await(t, `(?m)^(http://\S+)`)[1]
	_, plaintext = snippetsOf(t, web, "PLAINTEXT")
	return web, plaintext
}

// endOfDemo is how many messages were sent to the topic demo.
func endOfDemo(t *testing.T, bootstrap string) int64 {
	t.Helper()
	ends, err := kadm.NewClient(kgoClient(t, bootstrap)).ListEndOffsets(timeout(t), "demo")
	if err != nil {
		t.Fatal(err)
	}
	end, ok := ends.Lookup("demo", 0)
	if !ok || end.Err != nil {
		t.Fatalf("%+v", end)
	}
	return end.Offset
}

var fetchesCA = regexp.MustCompile(`(?m)^(?://|#) (curl .*)$`)

// runSnippet does what a snippet's reader does, one who has client.pem or not, and returns what it prints.
func runSnippet(t *testing.T, program func(t *testing.T, dir, snippet string) *exec.Cmd, snippet, clientPEM string) string {
	t.Helper()
	dir := t.TempDir()
	if clientPEM != "" {
		writeFile(t, filepath.Join(dir, "client.pem"), clientPEM)
	}
	if m := fetchesCA.FindStringSubmatch(snippet); m != nil {
		curl := exec.CommandContext(t.Context(), "sh", "-ec", m[1])
		curl.Dir = dir
		if out, err := curl.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", m[1], err, out)
		}
	}
	cmd := program(t, dir, strings.NewReplacer("USER", "anna", "PASSWORD", "secret").Replace(snippet))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, snippet)
	}
	return string(out)
}
