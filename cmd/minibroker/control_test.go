package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func ask(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheHTTPAPIControlsTheProgram(t *testing.T) {
	s := start(t, nil, "--port", "0", "--http-port", "0", "--clock", "2026-01-31T12:00:00Z", "--transcript", "100")
	api := strings.TrimSuffix(s.url, "/") + "/api/v1"
	if status, text := ask(t, "POST", api+"/topics", `{"name":"orders"}`); status != 201 {
		t.Errorf("making a topic answers %d %s", status, text)
	}
	if status, text := ask(t, "POST", api+"/clock/advance", `{"by":"1h"}`); status != 200 || text != `{"now":"2026-01-31T13:00:00Z","kind":"virtual"}`+"\n" {
		t.Errorf("moving the clock answers %d %s", status, text)
	}
	if _, err := s.admin(t).ListTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, text := ask(t, "GET", api+"/transcript", ""); status != 200 || !strings.Contains(text, `"api":"Metadata"`) {
		t.Errorf("the transcript is %d %s", status, text)
	}
	if status, text := ask(t, "GET", api+"/pages/topics", ""); status != 200 || !strings.Contains(text, "orders") {
		t.Errorf("the page of topics as JSON is %d %s", status, text)
	}
	for _, header := range [][]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Host", "evil.example"}} {
		if status, text := ask(t, "POST", api+"/reset", "", header...); status != 403 && status != 421 || !strings.Contains(text, `"remedy"`) {
			t.Errorf("a request with %v answers %d %s", header, status, text)
		}
	}
}

func TestTheHTTPAPIIsOffBeyondThisMachineUnlessAskedFor(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--host", "0.0.0.0"}, 404},
		{[]string{"--host", "0.0.0.0", "--api", "on"}, 200},
		{[]string{"--host", "127.0.0.1"}, 200},
		{[]string{"--api=off"}, 404},
	} {
		s := start(t, []string{"MINIBROKER_LOG_LEVEL=error"}, append(c.args, "--port", "0", "--http-port", "0")...)
		if s.url == "" { // an "off" among the flags
			line, _ := s.stdout.ReadString('\n')
			s.url = strings.TrimSpace(line)
		}
		if status, text := ask(t, "GET", s.url+"api/v1/health", ""); status != c.want {
			t.Errorf("with %v the API answers %d %s", c.args, status, text)
		}
	}
}

func TestBadSettingsOfTheHTTPAPISaySo(t *testing.T) {
	for flag, want := range map[string]string{
		"--api=maybe":       `--api: "maybe" is none of on, off and auto`,
		"--clock=noon":      `--clock: "noon" is no clock: use real, movable, virtual, or a time`,
		"--transcript=many": `--transcript: "many" is not a number of requests`,
	} {
		out, err := program(t, nil, "--port", "0", flag).CombinedOutput()
		if status(err) != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%s ends with %d and says %s", flag, status(err), out)
		}
	}
}
