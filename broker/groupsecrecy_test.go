package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

func TestAGroupWithATopicThatMayNotBeSeenIsHidden(t *testing.T) {
	b := guarded(t, "alice describe group:*", "alice describe topic:t")
	admin, alice := dialLogin(t, b, "admin"), dialLogin(t, b, "alice")
	consumer := consumerHeartbeat(1, "m", 0)
	consumer.Group = "consumers"
	sharing := shareHeartbeat(1, "m", 0, "t")
	sharing.GroupID = "sharers"
	streams := streamsHeartbeat(1, "m", 0)
	streams.Group = "streamers"
	for _, code := range []int16{ask[*kmsg.ConsumerGroupHeartbeatResponse](admin, consumer).ErrorCode, ask[*kmsg.ShareGroupHeartbeatResponse](admin, sharing).ErrorCode,
		ask[*kmsg.StreamsGroupHeartbeatResponse](admin, streams).ErrorCode} {
		if code != 0 {
			t.Fatalf("a member cannot join: [%d]", code)
		}
	}
	type told struct {
		code    int16
		members int
		text    string
	}
	describe := func(c *rawClient) (all [3]told) {
		consumers := kmsg.NewPtrConsumerGroupDescribeRequest()
		consumers.Version, consumers.Groups, consumers.IncludeAuthorizedOperations = 1, []string{"consumers"}, true
		d := ask[*kmsg.ConsumerGroupDescribeResponse](c, consumers).Groups[0]
		all[0] = told{d.ErrorCode, len(d.Members), text(d.ErrorMessage)}
		sharers := kmsg.NewPtrShareGroupDescribeRequest()
		sharers.Version, sharers.GroupIDs = 1, []string{"sharers"}
		s := ask[*kmsg.ShareGroupDescribeResponse](c, sharers).Groups[0]
		all[1] = told{s.ErrorCode, len(s.Members), text(s.ErrorMessage)}
		streamers := kmsg.NewPtrStreamsGroupDescribeRequest()
		streamers.Version, streamers.Groups = 1, []string{"streamers"}
		st := ask[*kmsg.StreamsGroupDescribeResponse](c, streamers).Groups[0]
		all[2] = told{st.ErrorCode, len(st.Members), text(st.ErrorMessage)}
		if st.ErrorCode != 0 && st.Topology != nil {
			t.Error("the topology is told all the same")
		}
		return all
	}
	for i, d := range describe(admin) {
		if d.code != 0 || d.members != 1 {
			t.Errorf("the admin is told %+v of group %d", d, i)
		}
	}
	// She may see the topic that is read, and not those between the application's parts.
	seen := describe(alice)
	if seen[0].code != 0 || seen[0].members != 1 || seen[1].code != 0 || seen[1].members != 1 || seen[2].code != 29 {
		t.Errorf("who may see t is told %+v, want the first two groups and not the application", seen)
	}
	deny, err := auth.ParseACL("deny alice describe topic:t")
	if err != nil {
		t.Fatal(err)
	}
	b.rules.Store(b.Rules().With(deny...))
	for i, d := range describe(alice) {
		if d.code != 29 || d.members != 0 || !strings.Contains(d.text, "that the client is not authorized to describe.") {
			t.Errorf("who may not see t is told %+v of group %d", d, i)
		}
	}
}
