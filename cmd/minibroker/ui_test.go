package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

func TestTheUIServesAnotherCluster(t *testing.T) {
	cluster := start(t, nil, "--port", "0", "--http-port", "off", "--topic", "elsewhere:2")
	cmd := program(t, []string{"MINIBROKER_HTTP_PORT=0"}, "ui", "--bootstrap-servers", cluster.bootstrap)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, _ := lines.ReadString('\n')
	url, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(first, cluster.bootstrap) {
		t.Fatalf("it said %q: %s", first, &stderr)
	}
	get := func(path, text string) {
		t.Helper()
		resp, err := http.Get(strings.TrimSpace(url) + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), text) {
			t.Errorf("/%s answered %d without %q: %s", path, resp.StatusCode, text, body)
		}
	}
	get("topics", "elsewhere")
	get("", cluster.bootstrap)
	get("wire", "This page looks inside minibroker")
	resp, err := http.PostForm(strings.TrimSpace(url)+"create-topic", map[string][]string{"name": {"made"}, "partitions": {"3"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	var topics kadm.TopicDetails
	if topics, err = cluster.admin(t).ListTopics(t.Context()); err != nil || len(topics["made"].Partitions) != 3 {
		t.Errorf("the cluster has %v (%v), want the topic that was created", topics, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if code := status(cmd.Wait()); code != 0 {
		t.Errorf("it ended with %d: %s", code, &stderr)
	}
}

func TestTheUISaysWhatIsWrongWithItsSettings(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ui"}, "--bootstrap-servers: name a broker"},
		{[]string{"ui", "--bootstrap-servers", "x:1", "--sasl-mechanism", "GSSAPI"}, `"GSSAPI" is not known: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
		{[]string{"ui", "--bootstrap-servers", "x:1", "--sasl-username", "ann"}, "--sasl-username needs --sasl-mechanism"},
		{[]string{"ui", "--bootstrap-servers", "x:1", "--http-port", "off"}, `"off" is not a port`},
		{[]string{"ui", "--bootstrap-servers", "x:1", "--tls-cert", "c.pem"}, "--tls-cert and --tls-key go together"},
		{[]string{"ui", "--bootstrap-servers", "x:1", "--tls-ca", "missing.pem"}, "missing.pem"},
		{[]string{"ui", "x:1"}, `unexpected argument "x:1"`},
	} {
		var stderr bytes.Buffer
		cmd := program(t, nil, c.args...)
		cmd.Stderr = &stderr
		if code := status(cmd.Run()); code != 2 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v ended with %d and %q, want 2 and %q", c.args, code, &stderr, c.want)
		}
	}
}
