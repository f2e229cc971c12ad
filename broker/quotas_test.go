package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// entityOf reads "user=u client-id" (a default) into an entity.
func entityOf(text string) (parts []kmsg.AlterClientQuotasRequestEntryEntity) {
	for part := range strings.FieldsSeq(text) {
		kind, name, exact := strings.Cut(part, "=")
		p := kmsg.NewAlterClientQuotasRequestEntryEntity()
		p.Type = kind
		if exact {
			p.Name = &name
		}
		parts = append(parts, p)
	}
	return parts
}

// setQuota sets one quota; a negative value takes it away.
func setQuota(c *rawClient, version int16, entity, key string, value float64, dry bool) kmsg.AlterClientQuotasResponseEntry {
	c.t.Helper()
	req := kmsg.NewPtrAlterClientQuotasRequest()
	req.Version, req.ValidateOnly = version, dry
	e := kmsg.NewAlterClientQuotasRequestEntry()
	e.Entity = entityOf(entity)
	e.Ops = []kmsg.AlterClientQuotasRequestEntryOp{{Key: key, Value: value}}
	req.Entries = append(req.Entries, e)
	return ask[*kmsg.AlterClientQuotasResponse](c, req).Entries[0]
}

func TestAlterClientQuotasRefusals(t *testing.T) {
	c := dial(t, Start(t))
	for _, k := range []struct {
		entity, key string
		value       float64
		message     string
	}{
		{"client-id=x", "nope_rate", 1, "Invalid configuration key nope_rate"}, // behaviour 232
		{"client-id=x", "producer_byte_rate", -1, "Quota producer_byte_rate must be greater than 0"},
		{"client-id=x", "producer_byte_rate", 1024.5, "producer_byte_rate cannot be a fractional value."},
		{"client-id=x", "producer_byte_rate", 1e300, "Proposed value for producer_byte_rate is too large for a LONG."},
		{"zebra=x", "producer_byte_rate", 1, "Unhandled client quota entity type: zebra"},
		{"", "producer_byte_rate", 1, "Invalid empty client quota entity"},
		{"user=", "producer_byte_rate", 1, "Empty user not supported"},
		{"user=a ip=1.2.3.4", "producer_byte_rate", 1, "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"},
		{"ip=a,b", "connection_creation_rate", 1, "a,b is not a valid IP or resolvable host."},
		{"ip=1.2.3.4", "connection_creation_rate", 1.5, "connection_creation_rate cannot be a fractional value."},
		{"ip=1.2.3.4", "producer_byte_rate", 1, "Invalid configuration key producer_byte_rate"},
		{"client-id=x", "connection_creation_rate", 1, "Invalid configuration key connection_creation_rate"},
		{"ip=1.2.3.4", "connection_creation_rate", 1, ""},
		{"client-id=x", "request_percentage", 12.5, ""},
		{"client-id=x", "controller_mutation_rate", 12.5, ""},
		{"user=a user=b", "producer_byte_rate", 1, ""},
	} {
		for version := int16(0); version <= 1; version++ {
			got := setQuota(c, version, k.entity, k.key, k.value, true)
			want := int16(42)
			if k.message == "" {
				want = 0
			}
			if got.ErrorCode != want || text(got.ErrorMessage) != k.message && want != 0 {
				t.Errorf("%s %s=%v: [%d] %s", k.entity, k.key, k.value, got.ErrorCode, text(got.ErrorMessage))
			}
		}
	}
	twice := kmsg.NewPtrAlterClientQuotasRequest()
	e := kmsg.NewAlterClientQuotasRequestEntry()
	e.Entity = entityOf("user=a client-id")
	twice.Entries = append(twice.Entries, e, e)
	got := ask[*kmsg.AlterClientQuotasResponse](c, twice).Entries
	if len(got) != 1 || got[0].ErrorCode != 42 || text(got[0].ErrorMessage) != "Ignoring duplicate entity ClientQuotaEntity(entries={client-id=null, user=a})" {
		t.Errorf("an entity twice: %+v", got)
	}
	all := kmsg.NewPtrDescribeClientQuotasRequest()
	if got := ask[*kmsg.DescribeClientQuotasResponse](c, all); got.ErrorCode != 0 || len(got.Entries) != 0 || got.Entries == nil {
		t.Errorf("validating alone set quotas: %+v", got)
	}
}

func TestDescribeClientQuotas(t *testing.T) {
	c := dial(t, Start(t))
	setQuota(c, 1, "user=u", "producer_byte_rate", 1000, false)
	setQuota(c, 1, "user=u", "consumer_byte_rate", 2000, false)
	setQuota(c, 1, "user", "request_percentage", 50, false)
	setQuota(c, 1, "client-id=c", "controller_mutation_rate", 5.5, false)
	setQuota(c, 1, "client-id=c user=u", "producer_byte_rate", 3, false)
	setQuota(c, 1, "client-id user=u", "producer_byte_rate", 4, false)
	setQuota(c, 1, "ip=9.9.9.9", "connection_creation_rate", 3, false)
	null := (*string)(nil)
	u, x := new("u"), new("x")
	component := func(kind string, match kmsg.QuotasMatchType, name *string) kmsg.DescribeClientQuotasRequestComponent {
		return kmsg.DescribeClientQuotasRequestComponent{EntityType: kind, MatchType: match, Match: name}
	}
	type components = []kmsg.DescribeClientQuotasRequestComponent
	for _, k := range []struct {
		name   string
		strict bool
		asked  components
		want   string // entities with the number of their quotas, or the error
	}{
		{"all", false, nil, "ip=9.9.9.9:1 client-id=c:1 user:1 user=u:2 client-id,user=u:1 client-id=c,user=u:1"},
		{"all, strictly", true, nil, ""},
		{"a user", false, components{component("user", 0, u)}, "user=u:2 client-id,user=u:1 client-id=c,user=u:1"},
		{"a user, strictly", true, components{component("user", 0, u)}, "user=u:2"},
		{"the default user", false, components{component("user", 1, null)}, "user:1"},
		{"any user and any client", true, components{component("user", 2, null), component("client-id", 2, null)}, "client-id,user=u:1 client-id=c,user=u:1"},
		{"any address", false, components{component("ip", 2, null)}, "ip=9.9.9.9:1"},
		{"match type 9", false, components{component("user", 9, null)}, "[42] Unknown match type 9"},
		{"no name", false, components{component("user", 0, null)}, "[42] Request specified MATCH_TYPE_EXACT, but set match string to null."},
		{"default with a name", false, components{component("user", 1, x)}, "[42] Request specified MATCH_TYPE_DEFAULT, but also specified a match string."},
		{"any with a name", false, components{component("user", 2, x)}, "[42] Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."},
		{"twice", false, components{component("user", 0, u), component("user", 0, x)}, "[42] Entity type user cannot appear more than once in the filter."},
		{"no type", false, components{component("", 0, x)}, "[42] Invalid empty entity type."},
		{"zebra", false, components{component("zebra", 0, x)}, "[35] Unsupported entity type zebra"},
		{"ip and user", false, components{component("ip", 0, x), component("user", 0, x)}, "[42] Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component."},
	} {
		for version := int16(0); version <= 1; version++ {
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Version, req.Strict, req.Components = version, k.strict, k.asked
			got := ask[*kmsg.DescribeClientQuotasResponse](c, req)
			var said []string
			if got.ErrorCode != 0 {
				said = append(said, fmt.Sprintf("[%d] %s", got.ErrorCode, text(got.ErrorMessage)))
			}
			for _, e := range got.Entries {
				var parts []string
				for _, p := range e.Entity {
					if p.Name != nil {
						p.Type += "=" + *p.Name
					}
					parts = append(parts, p.Type)
				}
				said = append(said, fmt.Sprintf("%s:%d", strings.Join(parts, ","), len(e.Values)))
			}
			if s := strings.Join(said, " "); s != k.want {
				t.Errorf("%s v%d: %q, want %q", k.name, version, s, k.want)
			}
		}
	}
}

func TestTheMostSpecificQuotaCounts(t *testing.T) {
	order := []string{"client-id", "client-id=c", "user", "user client-id", "user client-id=c", "user=ANONYMOUS", "user=ANONYMOUS client-id", "user=ANONYMOUS client-id=c"}
	b := Start(t)
	c := dial(t, b)
	for i, entity := range order {
		if got := setQuota(c, 1, entity, "producer_byte_rate", float64(i+1), false); got.ErrorCode != 0 {
			t.Fatal(text(got.ErrorMessage))
		}
		limit, shared, ok := b.quotas.table.Load().limit(quotaProduce, "ANONYMOUS", "c")
		if !ok || limit != float64(i+1) {
			t.Errorf("with a quota for %s: %v", entity, limit)
		}
		if (shared.user != "") != strings.Contains(entity, "user") || (shared.client != "") != strings.Contains(entity, "client-id") {
			t.Errorf("a quota for %s is shared by %+v", entity, shared)
		}
	}
	if limit, _, _ := b.quotas.table.Load().limit(quotaProduce, "ANONYMOUS", ""); limit != 6 {
		t.Errorf("without a client id: %v, want the user's 6", limit)
	}
	if _, _, ok := b.quotas.table.Load().limit(quotaFetch, "ANONYMOUS", "c"); ok {
		t.Error("a quota for produce limits fetch")
	}
}

// throttledBroker starts a broker on a clock that stands.
func throttledBroker(t *testing.T) (*Broker, *VirtualClock) {
	v := NewVirtualClock(time.UnixMilli(1_700_000_000_000))
	return Start(t, WithClock(v), WithTopic("t", 1, nil)), v
}

// afterMute moves the clock until the answer to a request is there that was
// sent on a muted connection, and returns the answer and how long it took.
func afterMute[R kmsg.Response](b *Broker, v *VirtualClock, c *rawClient, req kmsg.Request) (R, time.Duration) {
	t := c.t.(*testing.T)
	t.Helper()
	before := v.Now()
	answered := make(chan R, 1)
	go func() {
		if resp, err := c.read(req); err == nil {
			answered <- resp.(R)
		}
	}()
	var got R
	waitUntil(t, b, func() bool {
		select {
		case got = <-answered:
			return true
		default:
			v.Advance(500 * time.Millisecond)
			return false
		}
	})
	return got, v.Now().Sub(before)
}

func TestAProducerAboveItsQuotaIsThrottled(t *testing.T) {
	b, v := throttledBroker(t)
	admin, c := dial(t, b), dialAs(t, b, "p")
	setQuota(admin, 1, "client-id=p", "producer_byte_rate", 10_000, false)
	batch := batchOf(t, v.Now().UnixMilli(), []string{strings.Repeat("x", 49_000)})
	req := produceRequest(t, b, 9, "t", 0, batch)
	// Ten windows of a second hold 100,000 bytes; the third batch is too much.
	for i, low := range []int32{0, 0, 4000} {
		got := ask[*kmsg.ProduceResponse](c, req)
		if got.Topics[0].Partitions[0].ErrorCode != 0 || got.ThrottleMillis < low || got.ThrottleMillis > low+1200 {
			t.Fatalf("batch %d: throttled for %d ms, want about %d", i, got.ThrottleMillis, low)
		}
	}
	// The connection is not read until the time is up; others are.
	c.send(kmsg.NewPtrApiVersionsRequest())
	ask[*kmsg.ApiVersionsResponse](dialAs(t, b, "p"), kmsg.NewPtrApiVersionsRequest())
	if _, took := afterMute[*kmsg.ApiVersionsResponse](b, v, c, kmsg.NewPtrApiVersionsRequest()); took < 4*time.Second {
		t.Errorf("the connection was read after %v", took)
	}
	// Idle for the whole window, the client may write again.
	v.Advance(time.Minute)
	if got := ask[*kmsg.ProduceResponse](c, req); got.ThrottleMillis != 0 {
		t.Errorf("after a minute: throttled for %d ms", got.ThrottleMillis)
	}
	setQuota(admin, 1, "client-id=p", "producer_byte_rate", 1e9, false)
	for range 5 {
		if got := ask[*kmsg.ProduceResponse](c, req); got.ThrottleMillis != 0 {
			t.Errorf("with a larger quota: throttled for %d ms", got.ThrottleMillis)
		}
	}
}

func TestAConsumerAboveItsQuotaGetsNothingAndWaits(t *testing.T) {
	b, v := throttledBroker(t)
	c := dialAs(t, b, "c")
	for range 3 {
		c.mustProduce(b, "t", batchOf(t, v.Now().UnixMilli(), []string{strings.Repeat("x", 4000)}))
	}
	setQuota(dial(t, b), 1, "user=ANONYMOUS", "consumer_byte_rate", 1000, false)
	req := fetchRequest(t, b, 12, "t", 0, 0)
	first := ask[*kmsg.FetchResponse](c, req)
	// Not more than the window holds comes at once: 10,000 bytes.
	if n := len(first.Topics[0].Partitions[0].RecordBatches); n < 8000 || n > 10_000 || first.ThrottleMillis != 0 {
		t.Fatalf("%d bytes, throttled for %d ms", n, first.ThrottleMillis)
	}
	second := ask[*kmsg.FetchResponse](c, req)
	if len(second.Topics) != 0 || second.ErrorCode != 0 || second.ThrottleMillis < 5000 {
		t.Fatalf("%d topics, throttled for %d ms", len(second.Topics), second.ThrottleMillis)
	}
	c.send(req)
	again, took := afterMute[*kmsg.FetchResponse](b, v, c, req)
	if took < 5*time.Second {
		t.Errorf("the connection was read after %v", took)
	}
	// The first answer counts until it is out of the window of 11 seconds.
	for again.ThrottleMillis > 0 && took < 30*time.Second {
		c.send(req)
		var more time.Duration
		again, more = afterMute[*kmsg.FetchResponse](b, v, c, req)
		took += more
	}
	if len(again.Topics) != 1 || took < 10*time.Second {
		t.Errorf("after %v: %d topics, throttled for %d ms", took, len(again.Topics), again.ThrottleMillis)
	}
}

func TestMutationsOfTopicsAreLimited(t *testing.T) {
	b, v := throttledBroker(t)
	setQuota(dial(t, b), 1, "client-id=m", "controller_mutation_rate", 1, false)
	create := func(c *rawClient, version int16, names ...string) *kmsg.CreateTopicsResponse {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.TimeoutMillis = version, 5000
		for _, name := range names {
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 6, 1
			req.Topics = append(req.Topics, topic)
		}
		return ask[*kmsg.CreateTopicsResponse](c, req)
	}
	c := dialAs(t, b, "m")
	// 11 windows of one partition each: 12 are one too many, but only then.
	got := create(c, 6, "a", "b", "c")
	if got.Topics[0].ErrorCode != 0 || got.Topics[1].ErrorCode != 0 || got.Topics[2].ErrorCode != 89 || got.Topics[2].ErrorMessage != nil || got.ThrottleMillis != 1000 {
		t.Fatalf("v6: %+v", got)
	}
	if b.image.Load().topic("c") != nil {
		t.Error("a refused topic was made")
	}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.Version, remove.TimeoutMillis, remove.TopicNames = 5, 5000, []string{"a"}
	if got := ask[*kmsg.DeleteTopicsResponse](dialAs(t, b, "m"), remove); got.Topics[0].ErrorCode != 89 {
		t.Errorf("delete v5: %+v", got)
	}
	grow := kmsg.NewPtrCreatePartitionsRequest()
	grow.Version, grow.TimeoutMillis = 3, 5000
	grow.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "a", Count: 9}}
	if got := ask[*kmsg.CreatePartitionsResponse](dialAs(t, b, "m"), grow); got.Topics[0].ErrorCode != 89 {
		t.Errorf("grow v3: %+v", got)
	}
	// Clients that do not know the error are served, and wait.
	old := create(dialAs(t, b, "m"), 5, "d")
	if old.Topics[0].ErrorCode != 0 || old.ThrottleMillis != 7000 {
		t.Errorf("v5: %+v", old)
	}
	v.Advance(8 * time.Second)
	if got := create(dialAs(t, b, "m"), 6, "c"); got.Topics[0].ErrorCode != 0 || got.ThrottleMillis != 0 {
		t.Errorf("after the bucket filled: %+v", got)
	}
}

func TestTimeSpentOnRequestsIsLimited(t *testing.T) {
	b, v := throttledBroker(t)
	setQuota(dial(t, b), 1, "client-id=slow", "request_percentage", 1, false)
	r := &request{conn: &conn{broker: b, clientID: "slow"}, began: v.Now()}
	v.Advance(200 * time.Millisecond)
	resp := kmsg.NewPtrMetadataResponse()
	r.settle(resp)
	if resp.ThrottleMillis != 1000 || r.muted != time.Second {
		t.Errorf("throttled for %d ms, muted for %v, want one window", resp.ThrottleMillis, r.muted)
	}
	waiting := &request{conn: &conn{broker: b, clientID: "waits"}, began: v.Now(), parked: 200 * time.Millisecond}
	setQuota(dial(t, b), 1, "client-id=waits", "request_percentage", 1, false)
	v.Advance(200 * time.Millisecond)
	resp = kmsg.NewPtrMetadataResponse()
	waiting.settle(resp)
	if resp.ThrottleMillis != 0 {
		t.Errorf("a request that only waited: throttled for %d ms", resp.ThrottleMillis)
	}
}

func TestIdleMetersAreForgotten(t *testing.T) {
	var q quotas
	for i := range 1000 {
		q.meter(meterKey{client: fmt.Sprint(i)}, 0)
	}
	q.meter(meterKey{client: "live"}, 2*meterIdle)
	if len(q.meters) != 1 {
		t.Errorf("%d meters are kept", len(q.meters))
	}
}
