package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
	"minibroker/protocol/record"
)

// produceTo makes one request with a record for each of several partitions.
func produceTo(t testing.TB, b *Broker, topic string, partitions ...int32) *kmsg.ProduceRequest {
	req := produceRequest(t, b, 13, topic, partitions[0], batchOf(t, 1000, []string{"v"}))
	for _, p := range partitions[1:] {
		more := req.Topics[0].Partitions[0]
		more.Partition = p
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
	}
	return req
}

func TestAFailedProduceStoresNothingWhereItFails(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 3, nil), WithTopic("other", 1, nil))
	c := dialMemory(t, b, "test")
	f := b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).OnTopic("orders").OnPartition(1).Times(2))
	for range 2 {
		resp := ask[*kmsg.ProduceResponse](c, produceTo(t, b, "orders", 0, 1, 2))
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 3 {
			t.Fatalf("the answer is %+v", resp)
		}
		for _, p := range resp.Topics[0].Partitions {
			if want := p.Partition == 1; (p.ErrorCode == kerr.NotLeaderForPartition.Code) != want || (p.BaseOffset == -1) != want {
				t.Errorf("partition %d: error [%d], base offset %d", p.Partition, p.ErrorCode, p.BaseOffset)
			}
		}
	}
	if resp := ask[*kmsg.ProduceResponse](c, produceTo(t, b, "other", 0)); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Error("the fault hits another topic")
	}
	if resp := ask[*kmsg.ProduceResponse](c, produceTo(t, b, "orders", 1)); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Error("the fault hits a third time")
	}
	if w := b.Topic("orders").HighWatermarks(); w[0] != 2 || w[1] != 1 || w[2] != 2 {
		t.Errorf("the high watermarks are %v", w)
	}
	if f.Hits() != 2 {
		t.Errorf("the fault counts %d hits", f.Hits())
	}
}

// Each API answers the error where clients look for it.
func TestEveryKindOfRequestCanFail(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("t", 1, nil))
	c := dialMemory(t, b, "test")
	_ = b.Produce("t", Record{Value: []byte("v")})
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 12
	metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g"}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 8, "g", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1}}}}
	offsets := kmsg.NewPtrOffsetFetchRequest()
	offsets.Version = 8
	offsets.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version = 7
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.Version, remove.TopicNames = 3, []string{"t"}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Version, describe.Groups = 5, []string{"g"}
	initID := kmsg.NewPtrInitProducerIDRequest()
	initID.Version = 4
	for _, req := range []kmsg.Request{
		produceRequest(t, b, 9, "t", 0, batchOf(t, 1, []string{"v"})), fetchRequest(t, b, 18, "t", 0, 0), fetchRequest(t, b, 11, "t", 0, 0),
		metadata, find, commit, offsets, create, remove, describe, initID, joinRequest("g", ""),
	} {
		name := fmt.Sprintf("%s v%d", kmsg.NameForKey(req.Key()), req.GetVersion())
		f := b.Inject(fault.Fail(kmsg.Key(req.Key()), kerr.CoordinatorNotAvailable))
		c.send(req)
		resp, err := c.read(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text := fmt.Sprintf("%+v", resp); !strings.Contains(text, "ErrorCode:15") {
			t.Errorf("%s is answered %s", name, text)
		}
		if f.Hits() != 1 {
			t.Errorf("%s: the fault counts %d hits", name, f.Hits())
		}
		f.Remove()
	}
	if b.Topic("new").Exists() || !b.Topic("t").Exists() || b.Topic("t").Len() != 1 || len(b.Committed("g")) != 0 {
		t.Error("a request that failed changed something")
	}
}

func TestFaultsAreNarrowed(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	slow, other := dialMemory(t, b, "slow"), dialMemory(t, b, "other")
	b.Inject(fault.Fail(kmsg.Heartbeat, kerr.RebalanceInProgress).FromClient("slow").OnGroup("g").After(1))
	beat := func(c *rawClient, id string) int16 {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group = id
		return ask[*kmsg.HeartbeatResponse](c, req).ErrorCode
	}
	failed := kerr.RebalanceInProgress.Code
	for _, step := range []struct {
		c     *rawClient
		group string
		want  bool
	}{{other, "g", false}, {slow, "other", false}, {slow, "g", false}, {slow, "g", true}, {slow, "g", false}} {
		if got := beat(step.c, step.group) == failed; got != step.want {
			t.Errorf("group %q: failed is %t, want %t", step.group, got, step.want)
		}
	}
}

func TestALostAnswerIsWrittenAndTheRetryIsKnownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // clients wait before they try again
		for _, f := range []fault.Fault{fault.LoseAnswer(kmsg.Produce), fault.CutAnswer(kmsg.Produce), fault.Drop(kmsg.Produce)} {
			b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
			in := b.Inject(f)
			client := memoryClient(t, b, kgo.DefaultProduceTopic("orders"))
			if err := client.ProduceSync(t.Context(), kgo.StringRecord("once")).FirstErr(); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if n := b.Topic("orders").Len(); n != 1 || in.Hits() != 1 {
				t.Errorf("%s: %d records after %d hits", f, n, in.Hits())
			}
		}
	})
}

func TestDelayAndThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork())
		b.Inject(fault.Delay(kmsg.Metadata, 3*time.Second))
		b.Inject(fault.Throttle(kmsg.Metadata, 2*time.Second))
		c := dialMemory(t, b, "test")
		before := time.Now()
		req := kmsg.NewPtrMetadataRequest()
		req.Version = 9
		resp := ask[*kmsg.MetadataResponse](c, req)
		if took := time.Since(before); took != 3*time.Second || resp.ThrottleMillis != 2000 {
			t.Errorf("the answer took %v and has throttle_time_ms %d", took, resp.ThrottleMillis)
		}
	})
}

func TestAGateHoldsRequestsUntilItIsReleased(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
	gate := b.Inject(fault.Hold(kmsg.Produce).Always())
	done := make(chan error, 1)
	client := memoryClient(t, b, kgo.DefaultProduceTopic("orders"))
	go func() { done <- client.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr() }()
	if err := gate.WaitForHits(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := b.Topic("orders").Len(); n != 0 {
		t.Errorf("%d records passed the closed gate", n)
	}
	gate.Release()
	if err := <-done; err != nil || b.Topic("orders").Len() != 1 {
		t.Errorf("after the gate opened: %v, %d records", err, b.Topic("orders").Len())
	}
	// Closing a broker ends what is held.
	gate = b.Inject(fault.Hold(kmsg.Heartbeat))
	c := dialMemory(t, b, "test")
	c.send(kmsg.NewPtrHeartbeatRequest())
	if err := gate.WaitForHits(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	c.ended()
}

func TestCorruptedRecordsFailTheirChecksum(t *testing.T) {
	b, c := filled(t)
	b.Inject(fault.Corrupt().OnTopic("t"))
	p := c.fetch(b, "t", 0)
	if err := checkBatches(p.RecordBatches); err == nil {
		t.Error("the checksums are right")
	}
	wantValues(t, c.fetch(b, "t", 0).RecordBatches, "v0", "v1", "v2", "v3")
}

func TestAHookSeesEveryRequestAndMayAnswer(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	var seen []Request
	h := b.Control(func(r Request) (kmsg.Response, error, bool) {
		seen = append(seen, r)
		switch r.Key {
		case kmsg.Heartbeat:
			resp := r.Body.ResponseKind().(*kmsg.HeartbeatResponse)
			resp.ErrorCode = 99
			return resp, nil, true
		case kmsg.Metadata:
			return nil, errors.New("no"), true
		}
		return nil, nil, false
	})
	c := dialMemory(t, b, "hooked")
	ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
	if resp := ask[*kmsg.HeartbeatResponse](c, kmsg.NewPtrHeartbeatRequest()); resp.ErrorCode != 99 {
		t.Errorf("the hook's answer does not arrive: %+v", resp)
	}
	c.send(kmsg.NewPtrMetadataRequest())
	c.ended()
	if len(seen) != 3 || seen[0].ClientID != "hooked" || seen[0].Connection == 0 || seen[1].Key != kmsg.Heartbeat {
		t.Errorf("the hook has seen %+v", seen)
	}
	h.Remove()
	ask[*kmsg.MetadataResponse](dialMemory(t, b, "test"), kmsg.NewPtrMetadataRequest())
	if b.faults.inUse.Load() != nil {
		t.Error("requests still look for hooks")
	}
}

// recorder is a TB that remembers.
type recorder struct {
	cleanups []func()
	errors   []string
	logs     []string
	failed   bool
}

func (r *recorder) Helper()                      {}
func (r *recorder) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (r *recorder) Errorf(f string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(f, args...))
	r.failed = true
}
func (r *recorder) Logf(f string, args ...any) { r.logs = append(r.logs, fmt.Sprintf(f, args...)) }
func (r *recorder) Failed() bool               { return r.failed }
func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestATestFailsByTheNameOfTheFaultThatNeverHappened(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithMemoryNetwork(), WithTopic("orders", 1, nil))
	b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).OnTopic("orders").OnPartition(1).OnGroup("g").OnTransaction("x").FromClient("c").ToBroker(2).Times(2).After(1))
	b.Inject(fault.Drop(kmsg.Fetch).Optional())
	b.Inject(fault.Drop(kmsg.Fetch)).Remove()
	b.Inject(fault.Drop(kmsg.Fetch))
	b.Inject(fault.Corrupt())
	b.Inject(fault.SlowAnswer(kmsg.Heartbeat, 10).After(1))
	c := dialMemory(t, b, "test")
	for range 2 {
		ask[*kmsg.ProduceResponse](c, produceTo(t, b, "orders", 0))
	}
	ask[*kmsg.HeartbeatResponse](c, kmsg.NewPtrHeartbeatRequest())
	r.end()
	_, _, line, _ := runtime.Caller(0)
	at := func(above int) string { return fmt.Sprintf("(injected at faults_test.go:%d; ", line-above) }
	want := []string{
		`a fault never happened: fail Produce with NOT_LEADER_FOR_PARTITION on topic "orders" on partition 1 on group "g" on transactional id "x" from client "c" to broker 2, 2 times, after 1 ` + at(12) + `2 Produce requests came, about something else)`,
		`a fault never happened: drop the connection before Fetch ` + at(9) + `no Fetch requests came)`,
		`a fault never happened: corrupt the records in Fetch ` + at(8) + `no Fetch was answered with records of it)`,
		`a fault never happened: send the answer to Heartbeat at 10 bytes per second, after 1 ` + at(7) + `it let 1 Heartbeat requests pass first, and no more came)`,
	}
	if !slices.Equal(r.errors, want) {
		t.Errorf("the test fails with\n%s\nwant\n%s", strings.Join(r.errors, "\n"), strings.Join(want, "\n"))
	}
}

// take reads exactly n bytes of an answer.
func (c *rawClient) take(n int) []byte {
	c.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(c.in, p); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func TestASlowAnswerComesAtTheFaultsSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("t", 1, nil))
		_ = b.Produce("t", Record{Value: make([]byte, 2000)})
		c := dialMemory(t, b, "test")
		b.Inject(fault.SlowAnswer(kmsg.Fetch, 100))
		before := time.Now()
		c.send(fetchRequest(t, b, 18, "t", 0, 0))
		c.take(1000)
		if took := time.Since(before); took != 10*time.Second {
			t.Errorf("1000 bytes at 100 per second took %v", took)
		}
		c.take(500)
		if took := time.Since(before); took != 15*time.Second {
			t.Errorf("1500 bytes at 100 per second took %v", took)
		}
		_ = b.Close() // with most of the answer to go: the test's bubble sees that nothing is left
	})
}

func TestASlowAnswerHoldsLaterOnesUpAndGoesOnWhenTheFaultIsRemoved(t *testing.T) {
	for _, dialed := range []func(testing.TB, *Broker) *rawClient{dial, func(t testing.TB, b *Broker) *rawClient { return dialMemory(t, b, "test") }} {
		b := Start(t, WithVirtualClock(time.UnixMilli(0)), WithTopic("t", 1, nil))
		_ = b.Produce("t", Record{Value: make([]byte, 2000)})
		c := dialed(t, b)
		f := b.Inject(fault.SlowAnswer(kmsg.Fetch, 1000))
		c.send(fetchRequest(t, b, 18, "t", 0, 0))
		c.send(kmsg.NewPtrApiVersionsRequest())
		waitUntil(t, b, func() bool {
			at, ok := b.NextDeadline()
			return ok && at.Sub(b.Now()) == 100*time.Millisecond
		})
		b.Advance(time.Second)
		first := c.take(1000)
		for _, line := range b.Transcript() {
			if strings.Contains(line, "#1 ApiVersions") {
				t.Errorf("the next request was handled: %s", line)
			}
		}
		f.Remove()
		c.take(int(binary.BigEndian.Uint32(first)) + 4 - len(first))
		c.take(int(binary.BigEndian.Uint32(c.take(4)))) // of ApiVersions
	}
}

func TestASlowRequestIsHandledWhenItIsAllThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("t", 1, nil))
		c := dialMemory(t, b, "test")
		b.Inject(fault.SlowRequest(fault.Any, 100).FromClient("test").ToBroker(1))
		before := time.Now()
		req := produceRequest(t, b, 13, "t", 0, batchOf(t, 1, []string{strings.Repeat("v", 1000)}))
		size := len(c.form.AppendRequest(nil, req, 0)) - 4
		ask[*kmsg.ProduceResponse](c, req)
		if took := time.Since(before); took != time.Duration(size)*time.Second/100 {
			t.Errorf("%d bytes at 100 per second took %v", size, took)
		}
	})
}

// A slow link between broker and consumer, with a real client.
func TestASlowConsumerIsServedAtItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("t", 1, nil))
		_ = b.Produce("t", Record{Value: make([]byte, 10_000)})
		f := b.Inject(fault.SlowAnswer(kmsg.Fetch, 1000).FromClient("slow").Always())
		read := func(id string) time.Duration {
			client := memoryClient(t, b, kgo.ClientID(id), kgo.ConsumeTopics("t"))
			before := time.Now()
			if n := client.PollFetches(t.Context()).NumRecords(); n != 1 {
				t.Fatalf("%d records", n)
			}
			return time.Since(before)
		}
		if took := read("fast"); took > time.Second {
			t.Errorf("another client waits %v", took)
		}
		if took := read("slow"); took < 10*time.Second || took > 12*time.Second || f.Hits() == 0 {
			t.Errorf("10 kB at 1 kB per second take %v, %d hits", took, f.Hits())
		}
	})
}

func checkBatches(raw []byte) error {
	for batch := range record.Batches(raw) {
		if batch.CRC() != batch.ComputeCRC() {
			return errors.New("the checksum is wrong")
		}
	}
	return nil
}

// A Fetch in a session names nothing, and its answer leaves out what has no
// news: a fault about a topic hits it all the same, and no session without it.
func TestAFaultOfATopicHitsAFetchInASession(t *testing.T) {
	for _, version := range []int16{12, 18} {
		b := Start(t, WithTopic("t", 1, nil), WithTopic("other", 1, nil))
		c := dial(t, b)
		session := func(topic string) func() *kmsg.FetchResponse {
			req := fetchRequest(t, b, version, topic, 0, 0)
			req.SessionEpoch, req.MaxWaitMillis = 0, 0
			first := ask[*kmsg.FetchResponse](c, req)
			if first.SessionID == 0 {
				t.Fatal("no session was made")
			}
			return func() *kmsg.FetchResponse {
				req.SessionID, req.SessionEpoch, req.Topics = first.SessionID, req.SessionEpoch+1, nil
				return ask[*kmsg.FetchResponse](c, req)
			}
		}
		hit, passed := session("t"), session("other")
		f := b.Inject(fault.Fail(kmsg.Fetch, kerr.TopicAuthorizationFailed).OnTopic("t"))
		if resp := passed(); len(resp.Topics) != 0 || resp.ErrorCode != 0 || f.Hits() != 0 {
			t.Errorf("v%d: the other topic's session gets %+v", version, resp)
		}
		resp := hit()
		if f.Hits() != 1 || len(resp.Topics) != 1 || resp.Topics[0].Partitions[0].ErrorCode != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("v%d: %d hits, the answer is %+v", version, f.Hits(), resp)
		}
		if resp := hit(); len(resp.Topics) != 0 || resp.ErrorCode != 0 {
			t.Errorf("v%d: after the fault the answer is %+v", version, resp)
		}
	}
}

func TestAFaultHitsOneInSoManyRequests(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
	c := dialMemory(t, b, "test")
	f := b.Inject(fault.Fail(kmsg.Produce, kerr.RequestTimedOut).After(1).Every(3).Times(2))
	var hit []int
	for i := range 12 {
		if ask[*kmsg.ProduceResponse](c, produceTo(t, b, "orders", 0)).Topics[0].Partitions[0].ErrorCode != 0 {
			hit = append(hit, i+1)
		}
	}
	if !slices.Equal(hit, []int{4, 7}) || f.Hits() != 2 {
		t.Errorf("requests %v are hit, %d by its own count; want the 4th and the 7th", hit, f.Hits())
	}
}

func TestFaultsDoNotHitThoseWhoComeByTheInnerPort(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	b.Inject(fault.Drop(fault.Any).Always().Optional())
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()), kgo.Dialer(b.AdminDialer()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("the inner port answers %v", err)
	}
}
