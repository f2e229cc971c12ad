package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
	"minibroker/protocol"
)

func TestEachAPIIsExplained(t *testing.T) {
	for _, api := range protocol.APIs() {
		for code, l := range languages() {
			if l.texts["api."+api.Name] == "" {
				t.Errorf("%s is not explained in %s", api.Name, code)
			}
		}
	}
}

func TestTheWireShowsEachRequest(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/wire", 200, "Every request that clients send") // it records from now on
	c := w.client(kgo.ClientID("app<1>"))
	if err := c.ProduceSync(t.Context(), record("log", "k", "v")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	bad := kmsg.NewPtrHeartbeatRequest()
	bad.Group, bad.MemberID = "nobody", "m"
	if _, err := bad.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	page := w.see("/wire", 200, "Produce", "log-0 stored at 0", "app&lt;1&gt;", "UNKNOWN_MEMBER_ID")
	if strings.Contains(page, clientID) {
		t.Error("the page shows its own requests")
	}
	if page := w.see("/wire?errors=1", 200, "UNKNOWN_MEMBER_ID"); strings.Contains(page, "stored at") {
		t.Error("only errors were asked for")
	}
	if page := w.see("/wire?client=nobody-else", 200); strings.Contains(page, "stored at") {
		t.Error("another client was asked for")
	}
	link := func(query, api string) string {
		t.Helper()
		m := regexp.MustCompile(`href="(/wire/\d+)" data-exchange>` + api).FindStringSubmatch(w.see("/wire?"+query, 200))
		if m == nil {
			t.Fatalf("no %s is shown", api)
		}
		return m[1]
	}
	w.see(link("api=Produce", "Produce"), 200, "A producer appends record batches", "Acks", "batch 0…0, 1 records, none", "The_Messages_Produce")
	w.see(link("api=Heartbeat", "Heartbeat"), 200, "UNKNOWN_MEMBER_ID", "&#34;nobody&#34;")
	w.see("/wire/999999", 404, "is not kept any more")
	w.see("/wire/x", 404)
	w.see("/api/v1/pages"+link("api=Produce", "Produce"), 200, `"api":"Produce"`, `"name":"Acks"`)
}

func TestLargeMessagesAreKeptInPart(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/wire", 200)
	c := w.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err := c.ProduceSync(t.Context(), record("log", "k", strings.Repeat("x", 900_000))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`href="(/wire/\d+)" data-exchange>Produce`).FindStringSubmatch(w.see("/wire?api=Produce", 200, "900\u00a0KB"))
	if m == nil {
		t.Fatal("no Produce is shown")
	}
	if body := w.see(m[1], 200, "only its beginning was kept", "batch 0…0, 1 records"); len(body) > 100<<10 {
		t.Errorf("its page is %d bytes", len(body))
	}
	if w.wire.bytes > 2*wireWhole {
		t.Errorf("%d bytes are kept of it", w.wire.bytes)
	}
}

// listen opens a stream and returns its lines.
func (w *browser) listen(path string) (lines *bufio.Scanner) {
	w.t.Helper()
	server := httptest.NewServer(w.pages)
	w.t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(w.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cancel(); _ = resp.Body.Close(); http.DefaultClient.CloseIdleConnections() })
	lines = bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return lines
}

func await(t *testing.T, lines *bufio.Scanner, text string) string {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return lines.Text()
		}
	}
	t.Fatalf("the stream ended without %q: %v", text, lines.Err())
	return ""
}

func TestTheWireIsLive(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	lines := w.listen("/wire/feed?api=Produce")
	await(t, lines, ": open")
	if err := w.client().ProduceSync(t.Context(), record("log", "k", "v")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	await(t, lines, "log-0 stored at 0")
}

func TestTheLabFollowsRecordsAndGroups(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	w.see("/lab", 200, "Each row is a partition")
	lines := w.listen("/lab/feed?topic=log")
	await(t, lines, `"end":0`)
	if err := w.b.Produce("log", broker.Record{Partition: 1, Key: []byte("user"), Value: []byte("v")}, broker.Record{Partition: 1, Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	var f labFrame
	text := await(t, lines, `"k":"user"`)
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "data: ")), &f); err != nil {
		t.Fatal(err)
	}
	if lane := f.Lanes[1]; lane.End != 2 || len(lane.Dots) != 2 || lane.Dots[1].Key != "" {
		t.Errorf("the lane is %+v", lane)
	}
	c := w.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("log"), kgo.ClientID("reader"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	for n := 0; n < 2; {
		n += c.PollFetches(t.Context()).NumRecords()
	}
	await(t, lines, `"to":"Stable"`)
	await(t, lines, `"client":"reader"`)
	if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, lines, `"committed":2`)
}

func TestFaultsAreSetSeenAndRemoved(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/faults", 200, "All requests are answered as they should be")
	w.submit("/faults", url.Values{"kind": {"fail"}, "api": {"ListGroups"}, "error": {"GROUP_AUTHORIZATION_FAILED"}, "times": {"0"}, "client": {"victim"}}, "/faults?done=fault.set")
	w.see("/faults", 200, "answer with an error <code>GROUP_AUTHORIZATION_FAILED</code>", `<span class="mono">victim</span>`)
	w.see("/api/v1/pages/faults", 200, `"what":"fail ListGroups with GROUP_AUTHORIZATION_FAILED from client \"victim\", always"`)
	c := w.client(kgo.ClientID("victim"))
	ask := func() int16 {
		resp, err := c.Request(t.Context(), kmsg.NewPtrListGroupsRequest())
		if err != nil {
			t.Fatal(err)
		}
		return resp.(*kmsg.ListGroupsResponse).ErrorCode
	}
	if code := ask(); code != kerr.GroupAuthorizationFailed.Code {
		t.Errorf("the answer has error %d", code)
	}
	if w.b.Faults()[0].Hits() == 0 {
		t.Error("the fault was not hit")
	}
	w.submit("/faults/1/end", nil, "/faults?done=fault.removed")
	if code := ask(); code != 0 {
		t.Errorf("after the removal the answer has error %d", code)
	}
	w.refuse("/faults/1/end", nil, 404, "gone already")
	gate := w.b.Inject(fault.Hold(kmsg.Heartbeat).Optional())
	w.submit("/faults/2/end", url.Values{"release": {"1"}}, "/faults?done=fault.released")
	gate.Remove()
	for _, wrong := range []url.Values{{"kind": {"fail"}, "api": {"Produce"}}, {"kind": {"delay"}, "api": {"Nope"}}, {"kind": {"delay"}, "api": {"Fetch"}, "wait": {"soon"}}, {"kind": {"slow-answer"}, "api": {"Fetch"}, "rate": {"0"}},
		{"kind": {"drop"}, "api": {"Fetch"}, "times": {"-1"}}, {"kind": {"drop"}, "api": {"Fetch"}, "broker": {"x"}}, {"kind": {"explode"}, "api": {"Fetch"}}, {"preset": {"nope"}}} {
		w.refuse("/faults", wrong, 422)
	}
	// All that the engine has can be said in the form.
	for _, kind := range fault.Kinds {
		w.submit("/faults", url.Values{"kind": {kind}, "api": {"any"}, "error": {"INVALID_CONFIG"}, "wait": {"1m30s"}, "rate": {"7"}, "topic": {"log"}, "partition": {"0"}, "group": {"g"}, "transaction": {"x"}, "client": {"victim"}, "broker": {"1"}, "after": {"2"}, "every": {"10"}, "times": {"3"}}, "/faults?done=fault.set")
	}
	for i, in := range w.b.Faults() {
		want := fault.Fault{Kind: fault.Kind(i), API: fault.Any, Topic: "log", Group: "g", TransactionalID: "x", ClientID: "victim", Broker: 1, Skipped: 2, Stride: 10, Count: 3, MayMiss: true}
		switch want.Kind {
		case fault.KindFail:
			want.Error = kerr.InvalidConfig
		case fault.KindDelay, fault.KindThrottle:
			want.Wait = 90 * time.Second
		case fault.KindCorrupt:
			want.API = kmsg.Fetch
		case fault.KindSlowAnswer, fault.KindSlowRequest:
			want.Rate = 7
		}
		if got := in.Fault(); got != want {
			t.Errorf("%s became %+v, want %+v", fault.Kinds[i], got, want)
		}
	}
	w.see("/faults", 200, "take it in slowly", "7 B/s", "one in 10", "after 2", `<span class="quiet">Transactional id</span> <span class="mono">x</span>`)
	w.submit("/faults/all/end", nil, "/faults?done=fault.cleared")
	if n := len(w.b.Faults()); n != 0 {
		t.Errorf("%d faults are left", n)
	}
}

// What a preset promises comes true, and its form can be adjusted.
func TestReadyMadeFaultsHitWhatTheySay(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	for _, name := range presetNames {
		w.submit("/faults", url.Values{"preset": {name}}, "/faults?done=fault.set")
		if n := len(w.b.Faults()); n != len(presets[name]) {
			t.Errorf("%s put %d faults in place, want %d", name, n, len(presets[name]))
		}
		var does []string
		for _, in := range w.b.Faults() {
			does = append(does, in.Fault().String())
		}
		for _, v := range presetViews() {
			if v.Name != name {
				continue
			}
			if !slices.Equal(v.Does, does) {
				t.Errorf("%s says %q and does %q", name, v.Does, does)
			}
			if v.Adjust != "" {
				w.b.ClearFaults()
				q, err := url.ParseQuery(v.Adjust[1:])
				if err != nil {
					t.Fatal(err)
				}
				w.see("/faults"+v.Adjust, 200, `<option value="`+q.Get("kind")+`" selected>`)
				w.submit("/faults", q, "/faults?done=fault.set")
				if got := w.b.Faults()[0].Fault().String(); got != does[0] {
					t.Errorf("the form of %s makes %q, want %q", name, got, does[0])
				}
			}
		}
		w.b.ClearFaults()
	}
	w.submit("/faults", url.Values{"preset": {"tenth.fails"}}, "/faults?done=fault.set")
	c := w.client(kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordRetries(0), kgo.DisableIdempotentWrite())
	failed := 0
	for range 20 {
		if c.ProduceSync(t.Context(), record("log", "k", "v")).FirstErr() != nil {
			failed++
		}
	}
	if failed != 2 || w.b.Faults()[0].Hits() != 2 {
		t.Errorf("%d of 20 writes failed, want one in ten", failed)
	}
	w.see("/faults", 200, `<td class="num">2</td><td class="num">∞</td>`)
}

func TestAVirtualClockIsMoved(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := open(t, broker.WithVirtualClock(start))
	w.see("/clock", 200, "is virtual", "2026-01-01 00:00:00.000 UTC")
	w.submit("/clock", url.Values{"by": {"1h30m"}}, "/clock?done=clock.advanced")
	if now := w.b.Now(); now != start.Add(90*time.Minute) {
		t.Errorf("the clock says %v", now)
	}
	w.refuse("/clock", url.Values{"by": {"soon"}}, 422, "Give a time such as")
	w.refuse("/clock", url.Values{"by": {"-1s"}}, 422)
	w = open(t)
	w.see("/clock", 200, "is the machine")
	w.refuse("/clock", url.Values{"by": {"1s"}}, 409, "nobody can move it")
}

func TestTheDoctorNamesClientsAndTheCure(t *testing.T) {
	w := open(t)
	w.see("/doctor", 200, "No client has asked for addresses yet")
	for _, l := range languages() {
		for _, why := range doctorReasons {
			if text := l.text("doctor.advice."+why, uint16(9092)); !strings.Contains(text, "9092") || strings.Contains(text, "%!") {
				t.Errorf("the advice is %q", text)
			}
		}
	}
	// A client of a real socket is told an address and is seen.
	b := broker.Start(t)
	c, err := connect([]string{w.b.Bootstrap()}, kgo.Dialer(w.b.Dialer()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	other := &browser{t: t, b: b, pages: newSite(c, b, Options{}, t.Context()).pages(), headers: map[string]string{}}
	k, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ClientID("visitor"))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.see("/doctor", 200, "visitor", netip.MustParseAddr("127.0.0.1").String(), "it came in over loopback")
}

func TestAnotherClusterSaysWhichPagesItHasNot(t *testing.T) {
	b := broker.Start(t, broker.WithMemoryNetwork(), broker.WithTopic("log", 1, nil))
	c, err := connect([]string{b.Bootstrap()}, kgo.Dialer(b.Dialer()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	w := &browser{t: t, b: b, pages: newSite(c, nil, Options{}, t.Context()).pages(), headers: map[string]string{}}
	for _, path := range []string{"/", "/topics", "/topics/log", "/topics/log/messages", "/groups", "/brokers", "/brokers/1"} {
		if page := w.see(path, 200); strings.Contains(page, `href="/wire"`) {
			t.Errorf("%s links to what this cluster has not", path)
		}
	}
	for _, path := range []string{"/lab", "/wire", "/wire/1", "/events", "/doctor", "/faults", "/clock"} {
		w.see(path, 200, "This page looks inside minibroker")
		w.see("/api/v1/pages"+path, 404, "does not tell what happens inside")
	}
	w.refuse("/faults", url.Values{"kind": {"drop"}}, 404)
	w.refuse("/clock", url.Values{"by": {"1s"}}, 404)
}

func TestWhatHappenedIsRemembered(t *testing.T) {
	w := open(t, broker.WithBrokers(2))
	w.see("/events", 200, "Nothing yet. Groups and clients that come are listed here.")
	c := w.client(kgo.ClientID("app<1>"))
	admin := kadm.NewClient(c)
	if _, err := admin.CreateTopic(t.Context(), 2, 1, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), 2, 1, nil, "orders"); err == nil {
		t.Fatal("the topic was created twice")
	}
	w.submit("/topics/orders/config", url.Values{"config": {"retention.ms"}, "value": {"1234"}}, "/topics/orders/config?done=config")
	w.client(kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ClientID("reader"))
	if err := w.b.Group("billing").WaitForStable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.submit("/brokers/2/stop", nil, "/brokers?done=broker.stopped")
	w.submit("/brokers/2/start", nil, "/brokers?done=broker.started")
	page := w.see("/events", 200, "app&lt;1&gt;", "CreateTopics: orders ok", "orders TOPIC_ALREADY_EXISTS", "IncrementalAlterConfigs: orders retention.ms ok", "Broker 2 was stopped", "member joined", `<a href="/groups/billing">billing</a>`)
	if strings.Index(page, "Broker 2 was started") > strings.Index(page, "Broker 2 was stopped") || strings.Index(page, "Broker 2 was stopped") > strings.Index(page, "CreateTopics") {
		t.Error("the newest event is not the first")
	}
	if page := w.see("/events?kind=broker", 200, "Broker 2 was stopped", "2 events"); strings.Contains(page, "CreateTopics") {
		t.Error("only brokers were asked for")
	}
	if page := w.see("/events?q=ALREADY", 200, "1 event "); strings.Contains(page, "billing") {
		t.Error("what does not have the text is there")
	}
	w.see("/events?q=nothing-of-the-kind", 200, "Search for less")
	w.see("/topics/orders", 200, "What happened to this topic", "CreateTopics: orders ok", "orders 0, 1")
	w.see("/api/v1/pages/events?kind=change", 200, `"failed":true`, `"who":"app\u003c1\u003e"`)
	w.headers["Accept-Language"] = "fr"
	w.see("/events", 200, "Le broker 2 a été arrêté", "un membre est arrivé")
}
