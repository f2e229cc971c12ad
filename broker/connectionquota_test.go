package broker

import (
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestConnectionsOfAnAddressAreLimited(t *testing.T) { // KIP-612
	for _, entity := range []string{"ip=127.0.0.1", "ip=::ffff:127.0.0.1", "ip=localhost", "ip"} {
		b, v := throttledBroker(t)
		if e := setQuota(dial(t, b), 1, entity, "connection_creation_rate", 1, false); e.ErrorCode != 0 {
			t.Fatalf("%s: the quota is refused: %s", entity, *e.ErrorMessage)
		}
		from, other := netip.MustParseAddrPort("127.0.0.1:5"), netip.MustParseAddrPort("127.0.0.2:5")
		// A burst at the start counts over a window of 11 seconds, the last of
		// which has just begun.
		for i := range 10 {
			if wait := b.tooManyConnections(from); wait != 0 {
				t.Errorf("%s: connection %d is refused for %s", entity, i, wait)
			}
		}
		for range 3 { // those that are refused do not count
			if wait := b.tooManyConnections(from); wait != time.Second {
				t.Errorf("%s: the eleventh connection is refused for %s, want a second", entity, wait)
			}
		}
		if wait := b.tooManyConnections(other); wait != 0 {
			t.Errorf("%s: another address is refused for %s", entity, wait)
		}
		v.Advance(12 * time.Second)
		if wait := b.tooManyConnections(from); wait != 0 {
			t.Errorf("%s: after the window a connection is refused for %s", entity, wait)
		}
	}
}

func TestAConnectionAboveTheQuotaIsClosedUnread(t *testing.T) {
	b := Start(t)
	setQuota(dial(t, b), 1, "ip=127.0.0.1", "connection_creation_rate", 1, false)
	apis := kmsg.NewPtrApiVersionsRequest()
	for range 1000 {
		c := dial(t, b)
		c.send(apis)
		if _, err := c.read(apis); err != nil {
			return
		}
	}
	t.Error("1000 connections were welcome, one a second is allowed")
}

func TestTopicsMadeOnFirstUseCountAsMutations(t *testing.T) { // KIP-599
	b, v := throttledBroker(t)
	setQuota(dial(t, b), 1, "client-id=m", "controller_mutation_rate", 0.1, false)
	metadata := func(topic string) *kmsg.MetadataResponse {
		req := kmsg.NewPtrMetadataRequest()
		req.Version, req.AllowAutoTopicCreation = 9, true
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
		return ask[*kmsg.MetadataResponse](dialAs(t, b, "m"), req)
	}
	if first := metadata("a"); first.Topics[0].ErrorCode != 0 || first.ThrottleMillis != 0 {
		t.Errorf("the first topic: %+v", first)
	}
	if second := metadata("b"); second.Topics[0].ErrorCode != 0 {
		t.Errorf("the second topic, of 1.1: %+v", second)
	}
	refused := metadata("c")
	if refused.Topics[0].ErrorCode != 3 || refused.ThrottleMillis == 0 || b.Topic("c").Exists() {
		t.Errorf("the third topic: %+v", refused)
	}
	if again := metadata("a"); again.Topics[0].ErrorCode != 0 || again.ThrottleMillis != 0 {
		t.Errorf("a topic that is there: %+v", again)
	}
	v.Advance(time.Duration(refused.ThrottleMillis) * time.Millisecond)
	if later := metadata("c"); later.Topics[0].ErrorCode != 0 {
		t.Errorf("after the wait: %+v", later)
	}
}
