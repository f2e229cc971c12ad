package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADumpIsAFixture(t *testing.T) {
	dir := t.TempDir()
	shop, users := filepath.Join(dir, "shop.yaml"), filepath.Join(dir, "users.jsonl")
	text := "topics:\n  orders:\n    partitions: 2\n    records: [tea, {key: anna, value: {drink: coffee}}]\ngroups:\n  billing: {orders: [1]}\n"
	if err := os.WriteFile(shop, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(users, []byte(`{"topic":"users","partitions":4}`), 0o644); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "first.jsonl")
	s := start(t, []string{"MINIBROKER_FIXTURE=" + shop + ";" + users}, "--port", "0", "--http-port", "off")
	if out, err := program(t, nil, "dump", "--bootstrap-servers", s.bootstrap, "-o", first).CombinedOutput(); err != nil {
		t.Fatalf("dump: %v\n%s", err, out)
	}
	s = start(t, nil, "--port", "0", "--http-port", "off", "--fixture", first)
	second, err := program(t, nil, "dump", "--bootstrap-servers", s.bootstrap).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := os.ReadFile(first); string(want) != string(second) {
		t.Errorf("the first dump is\n%s, the second\n%s", want, second)
	}
	for _, want := range []string{`{"topic":"users","partitions":4}`, `"key":"anna","value":{"drink":"coffee"}`, `{"group":"billing","topic":"orders","partition":0,"offset":1}`} {
		if !strings.Contains(string(second), want) {
			t.Errorf("the dump has no %s:\n%s", want, second)
		}
	}
	only, err := program(t, nil, "dump", "--bootstrap-servers", s.bootstrap, "--topic", "users").Output()
	if err != nil || string(only) != `{"topic":"users","partitions":4}`+"\n" {
		t.Errorf("the dump of one topic is %s (%v)", only, err)
	}
}

func TestABadFixtureEndsTheProgramWithOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(path, []byte("\n{\"record\":\"orders\",\"value\":1}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := program(t, nil, "--port", "0", "--http-port", "off", "--fixture", path).CombinedOutput()
	want := "minibroker: " + path + `:2: there is no topic "orders" for this record: add a line such as {"topic":"orders","partitions":1}, or --topic orders:1` + "\n"
	if status(err) != 1 || string(out) != want {
		t.Errorf("it ends with %d and says\n%swant\n%s", status(err), out, want)
	}
}

func TestADumpOfNothingSaysWhatIsWrong(t *testing.T) {
	s := start(t, nil, "--port", "0", "--http-port", "off")
	out, err := program(t, nil, "dump", "--bootstrap-servers", s.bootstrap, "--topic", "nope").CombinedOutput()
	if status(err) != 1 || !strings.HasPrefix(string(out), "minibroker: dump of "+s.bootstrap+": topic nope: UNKNOWN_TOPIC_OR_PARTITION") {
		t.Errorf("it ends with %d and says %s", status(err), out)
	}
	if out, err := program(t, nil, "dump", "orders").CombinedOutput(); status(err) != 2 || !strings.Contains(string(out), "name topics by --topic") {
		t.Errorf("it ends with %d and says %s", status(err), out)
	}
}

func TestADumpLogsIn(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	s := start(t, nil, "--port", "0", "--http-port", "off", "--super-user", "admin:topsecret", "--tls-ca-out", ca, "--topic", "orders:1")
	dump := func(password string, args ...string) (string, int) {
		out, err := program(t, []string{"MINIBROKER_SASL_PASSWORD=" + password}, append([]string{"dump", "--bootstrap-servers", s.bootstrap}, args...)...).CombinedOutput()
		return string(out), status(err)
	}
	if out, code := dump("topsecret", "--tls-ca", ca, "--sasl-mechanism", "SCRAM-SHA-256", "--sasl-username", "admin"); code != 0 || !strings.Contains(out, `{"topic":"orders","partitions":1}`) {
		t.Errorf("it ended with %d: %s", code, out)
	}
	for want, args := range map[string][]string{
		"does not take this user or password":   {"--tls-ca", ca, "--sasl-mechanism", "PLAIN", "--sasl-username", "admin"},
		"from an authority that is not trusted": {"--tls", "--sasl-mechanism", "PLAIN", "--sasl-username", "admin"},
		"it may want TLS or a login":            nil,
	} {
		if out, code := dump("wrong", args...); code != 1 || !strings.HasPrefix(out, "minibroker: dump of "+s.bootstrap+": The cluster") || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v ended with %d and %s, want 1 and %q", args, code, out, want)
		}
	}
	if out, code := dump("", "--sasl-mechanism", "GSSAPI"); code != 2 || !strings.Contains(out, "GSSAPI") {
		t.Errorf("an unknown mechanism ended with %d and %s", code, out)
	}
}
