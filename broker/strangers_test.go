package broker

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"minibroker/internal/clock"
)

// dialStranger connects to a new broker. logged waits for the connection to
// end and returns what the broker logged.
func dialStranger(t *testing.T, opts ...Option) (nc *net.TCPConn, logged func() string) {
	t.Helper()
	var mu sync.Mutex
	var log lines
	opts = append(opts, WithLogger(slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))))
	b := Start(t, opts...)
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn), func() string {
		_, _ = io.Copy(io.Discard, c)
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func sendText(t *testing.T, nc net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
}

func readAnswer(t *testing.T, nc net.Conn, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(nc), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no HTTP answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("the page does not arrive whole: %v", err)
	}
	return resp, string(body)
}

func TestABrowserOnTheKafkaPortGetsAPage(t *testing.T) {
	nc, logged := dialStranger(t, WithWebPort(7080))
	sendText(t, nc, "GET / HTTP/1.1\r\nHost: lab7.example:9092\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: text/html\r\n\r\n")
	resp, body := readAnswer(t, nc, "GET")
	if resp.StatusCode != 400 || !resp.Close || resp.ContentLength != int64(len(body)) {
		t.Errorf("status %s, close %v, length %d for a page of %d bytes", resp.Status, resp.Close, resp.ContentLength, len(body))
	}
	if got := resp.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	for _, want := range []string{
		"This is a Kafka broker, not a web server", "<code>bootstrap.servers=lab7.example:9092</code>", `<a href="http://lab7.example:7080/">`,
		"Ceci est un broker Kafka, pas un serveur web", "La page web est ici",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if log := logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "HTTP on the Kafka port") || !strings.Contains(log, "Mozilla/5.0 (test)") {
		t.Errorf("logged %q", log)
	}
}

func TestTheHTTPPageNamesWhatIsKnown(t *testing.T) {
	for name, c := range map[string]struct{ host, want string }{
		"no Host field":            {"", "bootstrap.servers=127.0.0.1:"},
		"a Host that is an attack": {"Host: \"><script>alert(1)</script>\r\n", "bootstrap.servers=127.0.0.1:"},
		"an IPv6 Host":             {"Host: [::1]:9092\r\n", "bootstrap.servers=[::1]:9092"},
		"a Host without a port":    {"hOST: broker\r\n", "bootstrap.servers=broker:"},
	} {
		t.Run(name, func(t *testing.T) {
			nc, _ := dialStranger(t)
			sendText(t, nc, "POST /topics HTTP/1.1\r\n"+c.host+"Content-Length: 2\r\n\r\n{}")
			_, body := readAnswer(t, nc, "POST")
			if !strings.Contains(body, c.want) || strings.Contains(body, "script") || strings.Contains(body, "The web page is at") {
				t.Fatalf("want %q in\n%s", c.want, body)
			}
		})
	}
}

func TestHEADGetsNoBody(t *testing.T) {
	nc, _ := dialStranger(t)
	sendText(t, nc, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	all, err := io.ReadAll(nc)
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := strings.Cut(string(all), "\r\n\r\n")
	if !ok || body != "" || strings.Contains(head, "Content-Length: 0") {
		t.Fatalf("got %q", all)
	}
}

func TestALongHTTPRequestStillSeesThePage(t *testing.T) {
	nc, _ := dialStranger(t)
	// Well over the reader's buffer, all sent before the answer is read.
	sendText(t, nc, "GET /"+strings.Repeat("a", 60_000)+" HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := readAnswer(t, nc, "GET"); !strings.Contains(body, "This is a Kafka broker") {
		t.Fatalf("got %q", body)
	}
}

func TestAnEndlessHTTPRequestIsCutOff(t *testing.T) {
	nc, _ := dialStranger(t)
	chunk := strings.Repeat("a", 1<<16)
	sendText(t, nc, "GET /")
	for i := 0; ; i++ {
		if _, err := io.WriteString(nc, chunk); err != nil {
			return
		}
		if i == 1000 {
			t.Fatal("64 MiB of a request line were taken")
		}
	}
}

func TestASlowHTTPClientIsAnsweredInTime(t *testing.T) {
	c := &watchedClock{Virtual: clock.NewVirtual(time.Unix(1000, 0)), armed: make(chan time.Duration, 100)}
	nc, _ := dialStranger(t, WithClock(c))
	sendText(t, nc, "GET / HT")
	c.waitFor(t, headTime)
	c.Advance(headTime)
	if _, body := readAnswer(t, nc, "GET"); !strings.Contains(body, "This is a Kafka broker") {
		t.Fatalf("got %q", body)
	}
}

func TestAStrangerThatNeverLeavesIsClosed(t *testing.T) {
	c := &watchedClock{Virtual: clock.NewVirtual(time.Unix(1000, 0)), armed: make(chan time.Duration, 100)}
	nc, _ := dialStranger(t, WithClock(c))
	sendText(t, nc, "GET / HTTP/1.1\r\n\r\n")
	readAnswer(t, nc, "GET")
	c.waitFor(t, strangerTime)
	c.Advance(strangerTime)
	// Closed, not only half-closed: what we send is refused sooner or later.
	for range 100_000 {
		if _, err := nc.Write([]byte("x")); err != nil {
			return
		}
	}
	t.Fatal("the connection is still open")
}

// watchedClock tells what timers are set.
type watchedClock struct {
	*clock.Virtual
	armed chan time.Duration
}

func (c *watchedClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	t := c.Virtual.AfterFunc(d, f)
	select {
	case c.armed <- d:
	default:
	}
	return t
}

func (c *watchedClock) waitFor(t *testing.T, d time.Duration) {
	t.Helper()
	for {
		select {
		case got := <-c.armed:
			if got == d {
				return
			}
		case <-t.Context().Done():
			t.Fatal("no such timer")
		}
	}
}

func TestTLSOnThePlaintextPortFailsAtOnceAndClearly(t *testing.T) {
	nc, logged := dialStranger(t)
	err := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
		t.Fatalf("the handshake ended with %v", err)
	}
	if log := logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "security.protocol=PLAINTEXT") || !strings.Contains(log, "127.0.0.1:") {
		t.Fatalf("logged %q", log)
	}
}
