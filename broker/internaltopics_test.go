package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestInternalTopicsComeIntoBeingOnFirstUse(t *testing.T) {
	b := Start(t)
	for name, partitions := range map[string]int{groupMetadataTopic: 50, transactionStateTopic: 50, shareStateTopic: 50} {
		got := b.internalTopic(name)
		if got == nil || !got.internal || len(got.partitions) != partitions {
			t.Fatalf("%s: %+v", name, got)
		}
		if again := b.internalTopic(name); again != got {
			t.Errorf("%s was made twice", name)
		}
	}
}

func TestCoordinatorPartitionsAreThoseOfApacheKafka(t *testing.T) {
	// What Java's "...".hashCode() gives, without its sign, modulo 50. The last
	// one's is the only number that has no opposite.
	groups := Start(t).internalTopic(groupMetadataTopic)
	for key, want := range map[string]int32{"": 0, "a": 97 % 50, "test-group": 12, "é": 233 % 50, "😀": (31*0xd83d + 0xde00) % 50,
		"my-group": 1906497762 % 50, "consumer-1": 166239206 % 50, "polygenelubricants": 0} {
		if got := groups.partitionOf(key).index; got != want {
			t.Errorf("%q is in partition %d, want %d", key, got, want)
		}
	}
}

// Apache Kafka makes the topics while it sends the client away to try again;
// here the first answer is the right one.
func TestTheFirstFindCoordinatorMakesTheTopic(t *testing.T) { // behaviours 35, 36
	for _, tc := range []struct {
		kind int8
		key  string
		name string
	}{
		{groupCoordinator, "g", groupMetadataTopic},
		{transactionCoordinator, "x", transactionStateTopic},
		{shareCoordinator, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", shareStateTopic},
	} {
		b := Start(t)
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorType, req.CoordinatorKeys = 6, tc.kind, []string{tc.key}
		if got := ask[*kmsg.FindCoordinatorResponse](dial(t, b), req).Coordinators[0]; got.ErrorCode != 0 || got.NodeID != 1 {
			t.Errorf("coordinator of %q: %+v", tc.key, got)
		}
		if n := b.image.Load().topics.Len(); n != 1 || b.image.Load().topic(tc.name) == nil {
			t.Errorf("after a look for the coordinator of %q there are %d topics, want %s", tc.key, n, tc.name)
		}
	}
}

func TestACoordinatorThatCannotBeMakesNoTopic(t *testing.T) {
	b := Start(t)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorType, req.CoordinatorKeys = 6, shareCoordinator, []string{"nonsense"}
	ask[*kmsg.FindCoordinatorResponse](dial(t, b), req)
	if n := b.image.Load().topics.Len(); n != 0 {
		t.Errorf("there are %d topics, want none", n)
	}
}

func TestGroupsAreServedBeforeAnybodyLooksForTheirCoordinator(t *testing.T) { // behaviour 40
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Group = "g"
	if code := ask[*kmsg.HeartbeatResponse](c, heartbeat).ErrorCode; code != kerr.UnknownMemberID.Code {
		t.Errorf("heartbeat: [%d]", code)
	}
	if b.image.Load().topic(groupMetadataTopic) != nil {
		t.Errorf("%s is there before anything was to be stored", groupMetadataTopic)
	}
	if code := ask[*kmsg.OffsetCommitResponse](c, commitRequest("g", "", -1, 1)).Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Errorf("commit: [%d]", code)
	}
	if b.image.Load().topic(groupMetadataTopic).partitionOf("g").log.EndOffset() != 1 {
		t.Error("the first commit is not stored")
	}
}

func TestGroupsOutliveTheirTopic(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	groupOfOne(t, c, "g")
	if _, err := b.deleteTopic(groupMetadataTopic); err != nil {
		t.Fatal(err)
	}
	groupOfOne(t, c, "other") // it makes the topic anew
	list := ask[*kmsg.ListGroupsResponse](c, kmsg.NewPtrListGroupsRequest())
	if len(list.Groups) != 2 {
		t.Errorf("the groups are %+v, want two", list.Groups)
	}
}

func TestInternalTopicsAreForTheBrokerToWrite(t *testing.T) { // behaviours 49, 117
	b := Start(t)
	b.internalTopic(groupMetadataTopic)
	batch := batchOf(t, 1, []string{"x"})
	if p := dial(t, b).produce(b, groupMetadataTopic, batch); p.ErrorCode != kerr.InvalidTopicException.Code {
		t.Errorf("produce: [%d]", p.ErrorCode)
	}
	admin := dialAs(t, b, adminClient)
	if p := admin.produce(b, groupMetadataTopic, batch); p.ErrorCode != 0 {
		t.Errorf("produce by %s: [%d]", adminClient, p.ErrorCode)
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = groupMetadataTopic
	topic.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 1}}
	req.Topics = append(req.Topics, topic)
	if p := ask[*kmsg.DeleteRecordsResponse](admin, req).Topics[0].Partitions[0]; p.ErrorCode != kerr.InvalidTopicException.Code || p.LowWatermark != -1 {
		t.Errorf("delete records: %+v", p)
	}
}
