package broker

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
)

func TestAFailedTestShowsTheLastRequests(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithMemoryNetwork(), WithTopic("orders", 2, nil), WithVirtualClock(time.Date(2030, 1, 1, 10, 0, 0, 0, time.UTC)))
	c := dialMemory(t, b, "billing")
	hello := kmsg.NewPtrApiVersionsRequest()
	hello.Version, hello.ClientSoftwareName, hello.ClientSoftwareVersion = 3, "some-client", "1.2"
	ask[*kmsg.ApiVersionsResponse](c, hello)
	ask[*kmsg.ProduceResponse](c, produceTo(t, b, "orders", 0, 1))
	c.fetch(b, "orders", 0)
	c.fetch(b, "orders", 9)
	b.Inject(fault.Fail(kmsg.Heartbeat, kerr.RebalanceInProgress))
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group = "workers"
	ask[*kmsg.HeartbeatResponse](c, beat)
	b.Inject(fault.Drop(kmsg.Metadata))
	c.send(kmsg.NewPtrMetadataRequest())
	c.ended()
	if len(r.logs) != 0 {
		t.Error("it logs before the test has failed")
	}
	r.failed = true
	r.end()
	if len(r.logs) != 2 {
		t.Fatalf("it logs %q", r.logs)
	}
	if want := `the broker has
topic "orders": high watermarks [1 1]
fault: fail Heartbeat with REBALANCE_IN_PROGRESS: happened once
fault: drop the connection before Metadata: happened once`; r.logs[0] != want {
		t.Errorf("the state is\n%s\nwant\n%s", r.logs[0], want)
	}
	lines := strings.Split(r.logs[1], "\n")[1:]
	want := []string{
		`10:00:00.000 some-client "billing" #1 ApiVersions v3: ok (0s)`,
		`10:00:00.000 some-client "billing" #1 Produce v13: orders-0 stored at 0, orders-1 stored at 0 (0s)`,
		`10:00:00.000 some-client "billing" #1 Fetch v18: orders-0 \d+ bytes (0s)`,
		`10:00:00.000 some-client "billing" #1 Fetch v18: orders-0 OFFSET_OUT_OF_RANGE (0s)`,
		`10:00:00.000 some-client "billing" #1 Heartbeat v0: workers REBALANCE_IN_PROGRESS (0s)`,
		`10:00:00.000 some-client "billing" #1 Metadata v0: connection dropped by a fault (0s)`,
	}
	if len(lines) != len(want) {
		t.Fatalf("the transcript is\n%s", r.logs[1])
	}
	for i, line := range lines {
		if pattern := strings.ReplaceAll(regexp.QuoteMeta(want[i]), `\\d\+`, `\d+`); !regexp.MustCompile("^" + pattern + "$").MatchString(line) {
			t.Errorf("line %d is\n%s\nwant\n%s", i, line, want[i])
		}
	}
}

func TestAPassedTestShowsNothing(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithMemoryNetwork())
	c := dialMemory(t, b, "test")
	for range 3 * transcriptLines {
		ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
	}
	if n := len(b.Transcript()); n != transcriptLines {
		t.Errorf("the transcript has %d lines", n)
	}
	r.end()
	if len(r.logs) != 0 {
		t.Errorf("it logs %q", r.logs)
	}
}

func TestLikeRequestsAreOneLineWhenATestFails(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithMemoryNetwork(), WithVirtualClock(time.Date(2030, 1, 1, 10, 0, 0, 0, time.UTC)))
	c := dialMemory(t, b, "billing")
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group = "workers"
	for range 3 {
		b.Advance(time.Second)
		ask[*kmsg.HeartbeatResponse](c, beat)
	}
	ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
	r.failed = true
	r.end()
	want := `the last 4 requests to the broker:
10:00:03.000 "billing" #1 Heartbeat v0: workers UNKNOWN_MEMBER_ID (0s), 3 times since 10:00:01.000
10:00:03.000 "billing" #1 Metadata v0: ok (0s)`
	if len(r.logs) != 1 || r.logs[0] != want {
		t.Errorf("it logs %q, want\n%s", r.logs, want)
	}
}

func TestHeartbeatsDoNotPushOthersOutOfTheTranscript(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	a, other := dial(t, b), dial(t, b)
	for _, m := range []struct {
		c      *rawClient
		member string
	}{{a, "a"}, {other, "b"}} {
		ask[*kmsg.ConsumerGroupHeartbeatResponse](m.c, consumerHeartbeat(1, m.member, 0))
	}
	for range 60 {
		for _, c := range []*rawClient{a, other} {
			beat := kmsg.NewPtrHeartbeatRequest()
			beat.Group, beat.MemberID = "other", "nobody"
			ask[*kmsg.HeartbeatResponse](c, beat)
		}
	}
	lines := b.Transcript()
	if len(lines) != 4 || !strings.Contains(lines[2], ", 60 times since ") || !strings.Contains(lines[3], ", 60 times since ") {
		t.Errorf("the transcript is\n%s", strings.Join(lines, "\n"))
	}
}
