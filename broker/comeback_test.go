package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/internal/clock"
)

// lines is a log's lines.
type lines struct{ bytes.Buffer }

func (l *lines) all() []string {
	return strings.FieldsFunc(l.String(), func(r rune) bool { return r == '\n' })
}

// stage is an advertiser on a virtual clock.
type stage struct {
	*advertiser
	clock *clock.Virtual
	log   lines
}

func newStage(t *testing.T, rules string) *stage {
	t.Helper()
	a, err := newAdvertiser(rules, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{advertiser: a, clock: clock.NewVirtual(time.Unix(1_000_000, 0))}
	a.look = onTheMachine
	a.begin(s.clock, slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	return s
}

// connect is a connection that a client made.
func (s *stage) connect(from, clientID string) *conn {
	return &conn{clientID: clientID, peer: peerAt("192.168.1.10:9092", from+":50000")}
}

var keys = map[string]int16{
	"Produce": 0, "Fetch": 1, "ListOffsets": 2, "Metadata": 3, "OffsetCommit": 8, "OffsetFetch": 9, "FindCoordinator": 10,
	"JoinGroup": 11, "Heartbeat": 12, "LeaveGroup": 13, "SyncGroup": 14, "ApiVersions": 18, "CreateTopics": 19,
	"InitProducerId": 22, "DescribeCluster": 60,
}

// ask lets a client send a request and answers it, as dispatch does.
func (s *stage) ask(t *testing.T, c *conn, api string, named bool) {
	t.Helper()
	key, known := keys[api]
	if !known {
		t.Fatalf("no API %q here", api)
	}
	r := &request{conn: c, key: key, body: kmsg.RequestForKey(key)}
	if named {
		r.body.(*kmsg.MetadataRequest).Topics = make([]kmsg.MetadataRequestTopic, 1)
	}
	s.saw(r)
	switch api {
	case "Metadata", "FindCoordinator", "DescribeCluster":
		host, port := s.addressFor(c.peer, nil)
		s.told(r, host, port)
	}
}

func (s *stage) fail(t *testing.T, from string) {
	t.Helper()
	c := s.connect(from, "x")
	s.ask(t, c, "ApiVersions", false)
	s.ask(t, c, "Metadata", false)
	s.clock.Advance(2 * time.Second)
	s.ended(c)
}

// trace is what one client program sent.
type trace struct {
	name, clientID, software, version string
	events                            []traceEvent
}

type traceEvent struct {
	at    time.Duration
	conn  int
	what  string
	named bool
}

// readTraces reads a file of testdata/comeback: requests as real clients sent
// them, with the seconds since the first one and the connection's number.
func readTraces(t *testing.T, file string) []trace {
	t.Helper()
	text, err := os.ReadFile("testdata/comeback/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []trace
	for n, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		bad := func() { t.Fatalf("%s:%d: cannot read %q", file, n+1, line) }
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "==":
			list = append(list, trace{name: strings.TrimPrefix(line, "== ")})
		case len(list) == 0:
			bad()
		case f[0] == "client-id" && len(f) == 2:
			list[len(list)-1].clientID = f[1]
		case f[0] == "software" && len(f) == 3:
			list[len(list)-1].software, list[len(list)-1].version = f[1], f[2]
		default:
			seconds, err1 := strconv.ParseFloat(f[0], 64)
			conn, err2 := strconv.Atoi(f[1])
			if err1 != nil || err2 != nil || len(f) < 3 || len(f) > 4 {
				bad()
			}
			e := traceEvent{at: time.Duration(seconds * float64(time.Second)), conn: conn, what: f[2], named: len(f) == 4}
			list[len(list)-1].events = append(list[len(list)-1].events, e)
		}
	}
	if len(list) < 10 {
		t.Fatalf("%s has only %d traces", file, len(list))
	}
	return list
}

// play lets the client do what it did, and waits until all doubts are judged.
func (s *stage) play(t *testing.T, tr *trace, from string) {
	t.Helper()
	open := map[int]*conn{}
	var now time.Duration
	for _, e := range tr.events {
		if e.at > now {
			s.clock.Advance(e.at - now)
			now = e.at
		}
		c := open[e.conn]
		if c == nil {
			c = s.connect(from, tr.clientID)
			open[e.conn] = c
		}
		switch e.what {
		case "end":
			s.ended(c)
			delete(open, e.conn)
			continue
		case "ApiVersions":
			c.softwareName, c.softwareVersion = tr.software, tr.version
		}
		s.ask(t, c, e.what, e.named)
	}
	s.clock.Advance(2 * patience)
	for _, c := range open {
		s.ended(c)
	}
	s.clock.Advance(2 * patience)
}

func TestNothingIsSaidOfClientsThatReachTheBroker(t *testing.T) {
	for _, tr := range readTraces(t, "reached.txt") {
		t.Run(tr.name, func(t *testing.T) {
			s := newStage(t, "")
			s.play(t, &tr, "192.168.1.77")
			got := s.log.all()
			if strings.Contains(tr.name, "idle") && len(openedBy(&tr)) == 1 {
				// A producer that is made, kept and closed without sending does
				// exactly what one does that cannot send: so "perhaps".
				if len(got) != 1 || !strings.Contains(got[0], "perhaps it cannot reach that address") {
					t.Fatalf("logged %q", got)
				}
			} else if len(got) != 0 {
				t.Fatalf("logged %q", got)
			}
			if s.comeback.stuck() {
				t.Fatal("a timer is still pending")
			}
		})
	}
}

func openedBy(tr *trace) map[int]bool {
	conns := map[int]bool{}
	for _, e := range tr.events {
		conns[e.conn] = true
	}
	return conns
}

// stuck says whether a doubt is pending.
func (cb *comeback) stuck() bool {
	for _, of := range cb.visitors {
		if of.timer != nil {
			return true
		}
	}
	return false
}

func TestAClientThatCannotReachTheBrokerIsNamedOnce(t *testing.T) {
	for _, tr := range readTraces(t, "refused.txt") {
		t.Run(tr.name, func(t *testing.T) {
			s := newStage(t, "")
			s.play(t, &tr, "192.168.1.77")
			got := s.log.all()
			if strings.Contains(tr.name, "kgo 1.22.2 ping") || strings.Contains(tr.name, "kgo 1.22.2 list") || strings.Contains(tr.name, "kcat -L") || strings.Contains(tr.name, "confluent-kafka 2.16.1 admin") {
				// They got what they wanted.
				if len(got) != 0 {
					t.Fatalf("logged %q", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d lines: %q", len(got), got)
			}
			who := tr.software + " " + tr.version
			if tr.software == "" {
				who = fmt.Sprintf("client \\%q", tr.clientID)
				who = strings.TrimSuffix(who, `"`) + `\"`
			}
			for _, want := range []string{
				"level=WARN", who + " from 192.168.1.77 asked for brokers, was told 192.168.1.10:9092, and did not come back in 10 s",
				"cannot reach that address. Add --advertise HOST:9092 with a name or address of this broker that the client can reach",
			} {
				if !strings.Contains(got[0], want) {
					t.Errorf("the line lacks %q: %s", want, got[0])
				}
			}
			t.Log(got[0])
		})
	}
}

func TestTheLineComesTenSecondsAfterTheDoubt(t *testing.T) {
	s := newStage(t, "")
	s.fail(t, "192.168.1.77")
	s.clock.Advance(patience - 1)
	if got := s.log.all(); len(got) != 0 {
		t.Fatalf("too early: %q", got)
	}
	s.clock.Advance(1)
	if got := s.log.all(); len(got) != 1 {
		t.Fatalf("%q", got)
	}
}

func TestAClientIsNamedAgainOnlyAfterItWorkedInBetween(t *testing.T) {
	s := newStage(t, "")
	from := "192.168.1.77"
	for range 3 {
		s.fail(t, from)
		s.clock.Advance(time.Minute)
	}
	if got := s.log.all(); len(got) != 1 {
		t.Fatalf("after three failures: %q", got)
	}
	// Another client at the same address works: that says nothing of this one.
	other := s.connect(from, "other")
	s.ask(t, other, "Metadata", false)
	s.ask(t, other, "Produce", false)
	s.fail(t, from)
	s.clock.Advance(time.Minute)
	if got := s.log.all(); len(got) != 1 {
		t.Fatalf("after another client worked: %q", got)
	}
	works := s.connect(from, "x")
	s.ask(t, works, "Metadata", false)
	s.ask(t, works, "Produce", false)
	// Now a weak sign is not enough any more: it has worked here.
	s.fail(t, from)
	s.clock.Advance(time.Minute)
	if got := s.log.all(); len(got) != 1 {
		t.Fatalf("after it worked: %q", got)
	}
	again := s.connect(from, "x")
	for range 3 {
		s.ask(t, again, "Metadata", false)
		s.clock.Advance(time.Second)
	}
	s.clock.Advance(time.Minute)
	if got := s.log.all(); len(got) != 2 || !strings.Contains(got[1], "probably") {
		t.Fatalf("after it failed anew: %q", got)
	}
}

func TestTheRegularRefreshOfMetadataIsNoDoubt(t *testing.T) {
	s := newStage(t, "")
	c := s.connect("192.168.1.77", "idle")
	for range 5 {
		s.ask(t, c, "Metadata", false)
		s.clock.Advance(5 * time.Minute)
	}
	if got := s.log.all(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
}

func TestHealthChecksThatOnlyListAreNotNamed(t *testing.T) {
	s := newStage(t, "")
	for range 20 {
		c := s.connect("192.168.1.77", "rdkafka")
		s.ask(t, c, "ApiVersions", false)
		s.ask(t, c, "Metadata", false)
		s.ask(t, c, "Metadata", false)
		s.clock.Advance(time.Millisecond)
		s.ended(c)
		s.clock.Advance(5 * time.Second)
	}
	if got := s.log.all(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
}

func TestWhatIsRememberedOfClientsIsBounded(t *testing.T) {
	s := newStage(t, "")
	for i := range 8 * maxVisitors {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		c := s.connect(ip.String(), strings.Repeat("long", 1000))
		s.ask(t, c, "Metadata", false)
		s.ended(c)
	}
	if n := len(s.comeback.visitors); n != maxVisitors || s.comeback.newest.Len() != n {
		t.Fatalf("%d visitors, %d in the list", n, s.comeback.newest.Len())
	}
	for k := range s.comeback.visitors {
		if len(k.clientID) > 128 {
			t.Fatalf("a client id of %d bytes is kept", len(k.clientID))
		}
	}
	s.clock.Advance(time.Minute)
	if s.comeback.stuck() || len(s.comeback.named) > maxVisitors {
		t.Fatalf("%d named", len(s.comeback.named))
	}
}

func TestAfterStopNothingIsLogged(t *testing.T) {
	s := newStage(t, "")
	s.fail(t, "192.168.1.77")
	s.comeback.stop()
	s.fail(t, "192.168.1.78")
	s.clock.Advance(time.Minute)
	if got := s.log.all(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
}

func TestTheAdviceFitsTheWayIn(t *testing.T) {
	for _, c := range []struct {
		name, rules, published string
		around                 func() surroundings
		peer                   peer
		want                   []string
	}{
		{"a published port", "", "", dockerContainer, peerAt("172.18.0.3:9092", "172.18.0.1:50000"),
			[]string{"was told localhost:9092", "add --published localhost:PORT", "container's name as bootstrap server"}},
		{"a wrong --published", "", "localhost:19092", dockerContainer, peerAt("172.18.0.3:9092", "172.18.0.1:50000"),
			[]string{"was told localhost:19092", "--published says so: change it"}},
		{"a wrong --advertise", "broker:9092", "", dockerContainer, peerAt("172.18.0.3:9092", "172.18.0.4:50000"),
			[]string{"was told broker:9092", "--advertise says so"}},
		{"the LAN, to a container", "", "", dockerContainer, peerAt("172.18.0.3:9092", "192.168.1.77:50000"),
			[]string{"was told 172.18.0.3:9092", "add --published HOST:9092"}},
		{"another machine", "", "", onTheMachine, peerAt("192.168.1.10:9092", "192.168.1.77:50000"),
			[]string{"was told 192.168.1.10:9092", "Add --advertise HOST:9092"}},
		{"a tunnel", "", "", onTheMachine, peerAt("127.0.0.1:9092", "127.0.0.1:50000"),
			[]string{"was told 127.0.0.1:9092", "add --advertise localhost:PORT"}},
		{"a TLS name", "", "", onTheMachine, named(peerAt("192.168.1.10:9093", "192.168.1.77:50000"), "kafka.example"),
			[]string{"was told kafka.example:9093", "add --advertise HOST:9093"}},
		{"IPv6", "", "", onTheMachine, peerAt("[2001:db8::10]:9092", "[2001:db8::77]:50000"),
			[]string{"from 2001:db8::77 asked", "was told [2001:db8::10]:9092"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.rules)
			s.published, _ = parsePublished(c.published)
			s.look = c.around
			x := &conn{clientID: "x", peer: c.peer}
			s.ask(t, x, "Metadata", false)
			s.clock.Advance(3 * time.Second)
			s.ended(x)
			s.clock.Advance(time.Minute)
			got := s.log.all()
			if len(got) != 1 {
				t.Fatalf("%q", got)
			}
			for _, want := range c.want {
				if !strings.Contains(got[0], want) {
					t.Errorf("the line lacks %q: %s", want, got[0])
				}
			}
		})
	}
}

// BenchmarkSawOnABusyConnection is what diagnosing costs a Produce or Fetch.
func BenchmarkSawOnABusyConnection(b *testing.B) {
	a, err := newAdvertiser("", "", 1)
	if err != nil {
		b.Fatal(err)
	}
	r := &request{conn: &conn{peer: peerAt("192.168.1.10:9092", "192.168.1.77:50000")}, key: 1}
	a.saw(r)
	b.ReportAllocs()
	for b.Loop() {
		a.saw(r)
	}
}
