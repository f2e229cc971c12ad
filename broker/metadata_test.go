package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadata(version int16, autoCreate bool, topics ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.AllowAutoTopicCreation = version, autoCreate
	req.Topics = []kmsg.MetadataRequestTopic{}
	for i := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topics[i]
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestMetadataOfNoTopicAndOfAllTopics(t *testing.T) {
	c := dial(t, Start(t, WithTopic("b", 2, nil), WithTopic("a", 1, nil)))
	// behaviour 17
	for version, want := range map[int16]int{0: 2, 1: 0, 9: 0, 13: 0} {
		if got := len(ask[*kmsg.MetadataResponse](c, metadata(version, false)).Topics); got != want {
			t.Errorf("v%d, empty list: %d topics, want %d", version, got, want)
		}
	}
	for version := int16(1); version <= 13; version++ {
		req := metadata(version, false)
		req.Topics = nil
		resp := ask[*kmsg.MetadataResponse](c, req)
		if len(resp.Topics) != 2 || *resp.Topics[0].Topic != "a" || len(resp.Topics[1].Partitions) != 2 {
			t.Errorf("v%d, null: %+v", version, resp.Topics)
		}
		if len(resp.Brokers) != 1 || resp.Brokers[0].NodeID != 1 || resp.ControllerID != 1 {
			t.Errorf("v%d: brokers %+v, controller %d", version, resp.Brokers, resp.ControllerID)
		}
		if (resp.ClusterID != nil) != (version >= 2) { // behaviour 18
			t.Errorf("v%d: cluster id %v", version, resp.ClusterID)
		}
	}
}

func TestMetadataCreatesTopicsThatAreUsableAtOnce(t *testing.T) {
	b := Start(t, WithConfig("num.partitions", "4"))
	c := dial(t, b)
	// behaviours 21 to 25, but with no moment in which the topic is not there.
	if code := ask[*kmsg.MetadataResponse](c, metadata(4, false, "no")).Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("a topic that may not be created: error %d", code)
	}
	for version, name := range map[int16]string{0: "old", 3: "older-than-the-flag", 4: "asked", 13: "new"} {
		got := ask[*kmsg.MetadataResponse](c, metadata(version, true, name)).Topics[0]
		if got.ErrorCode != 0 || len(got.Partitions) != 4 || got.Partitions[3].Leader != 1 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	for _, bad := range []string{"", ".", "..", "a b", "é", "a/b", string(make([]byte, 250))} {
		if code := ask[*kmsg.MetadataResponse](c, metadata(9, true, bad)).Topics[0].ErrorCode; code != kerr.InvalidTopicException.Code {
			t.Errorf("%q: error %d, want %d", bad, code, kerr.InvalidTopicException.Code)
		}
	}
	if got := ask[*kmsg.MetadataResponse](c, metadata(9, false, "__consumer_offsets")).Topics[0]; got.ErrorCode != kerr.UnknownTopicOrPartition.Code || !got.IsInternal {
		t.Errorf("the groups' topic, not to be created: %+v", got)
	}
	if got := ask[*kmsg.MetadataResponse](c, metadata(9, true, "__consumer_offsets")).Topics[0]; got.ErrorCode != 0 || !got.IsInternal || len(got.Partitions) != 50 { // behaviour 26
		t.Errorf("the groups' topic: error %d, internal %v, %d partitions", got.ErrorCode, got.IsInternal, len(got.Partitions))
	}
	ask[*kmsg.MetadataResponse](c, metadata(9, true, "a.b"))
	if code := ask[*kmsg.MetadataResponse](c, metadata(9, true, "a_b")).Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code { // behaviour 27
		t.Errorf("a colliding name: error %d", code)
	}
	closed := dial(t, Start(t, WithConfig("auto.create.topics.enable", "false"))) // behaviour 24
	if code := ask[*kmsg.MetadataResponse](closed, metadata(9, true, "x")).Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("auto-creation off: error %d", code)
	}
}

func TestMetadataByTopicID(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	id := b.image.Load().topic("t").id
	c := dial(t, b)
	byID := func(version int16, id [16]byte, name *string) *kmsg.MetadataResponse {
		req := metadata(version, false)
		e := kmsg.NewMetadataRequestTopic()
		e.TopicID, e.Topic = id, name
		req.Topics = append(req.Topics, e)
		return ask[*kmsg.MetadataResponse](c, req)
	}
	if got := byID(12, id, nil).Topics[0]; got.ErrorCode != 0 || *got.Topic != "t" { // behaviour 28
		t.Errorf("by id: %+v", got)
	}
	if got := byID(12, [16]byte{9}, nil).Topics[0]; got.ErrorCode != kerr.UnknownTopicID.Code || got.Topic != nil {
		t.Errorf("by an unknown id: %+v", got)
	}
	other := "other"
	if got := byID(12, id, &other).Topics[0]; got.ErrorCode != 0 || *got.Topic != "t" { // behaviour 29
		t.Errorf("by id and name: %+v", got)
	}
	if got := byID(10, id, &other); len(got.Brokers) != 0 || got.Topics[0].ErrorCode != kerr.InvalidRequest.Code { // behaviour 30
		t.Errorf("v10 by id: %+v", got)
	}
	if got := byID(12, [16]byte{}, nil); len(got.Brokers) != 0 || got.ControllerID != -1 || got.Topics[0].ErrorCode != kerr.UnknownServerError.Code { // behaviour 31
		t.Errorf("neither: %+v", got)
	}
	if got := ask[*kmsg.MetadataResponse](c, metadata(9, false, "t", "t")).Topics; len(got) != 1 { // behaviour 32
		t.Errorf("the same topic twice: %d entries", len(got))
	}
}

func TestMetadataTellsAuthorisedOperationsWhenAsked(t *testing.T) {
	c := dial(t, Start(t, WithTopic("t", 1, nil)))
	req := metadata(8, false, "t") // behaviour 33
	if got := ask[*kmsg.MetadataResponse](c, req); got.AuthorizedOperations != -2147483648 || got.Topics[0].AuthorizedOperations != -2147483648 {
		t.Errorf("not asked: %d, %d", got.AuthorizedOperations, got.Topics[0].AuthorizedOperations)
	}
	req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
	if got := ask[*kmsg.MetadataResponse](c, req); got.AuthorizedOperations != 8096 || got.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("asked: %d, %d", got.AuthorizedOperations, got.Topics[0].AuthorizedOperations)
	}
}

func TestDescribeClusterNamesTheBrokerAndRefusesOtherEndpoints(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	for version := int16(0); version <= 2; version++ {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version = version
		got := ask[*kmsg.DescribeClusterResponse](c, req)
		if got.ErrorCode != 0 || got.ClusterID != b.ClusterID() || len(got.Brokers) != 1 || got.Brokers[0].NodeID != 1 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	for kind, want := range map[int8]*kerr.Error{2: kerr.MismatchedEndpointType, 9: kerr.UnsupportedEndpointType} { // behaviour 34
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = 1, kind
		if got := ask[*kmsg.DescribeClusterResponse](c, req); got.ErrorCode != want.Code {
			t.Errorf("endpoint type %d: error %d, want %d", kind, got.ErrorCode, want.Code)
		}
	}
}

func TestFindCoordinatorIsHereFromTheFirstRequestOn(t *testing.T) {
	c := dial(t, Start(t))
	for version := int16(0); version <= 3; version++ {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorKey = version, "g"
		if got := ask[*kmsg.FindCoordinatorResponse](c, req); got.ErrorCode != 0 || got.NodeID != 1 || got.Port == 0 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	for _, k := range []struct {
		version int16
		kind    int8
		key     string
		want    int16
	}{
		{4, 0, "", 0},                    // behaviour 38
		{4, 1, "txn", 0},                 //
		{6, 9, "g", 42}, {6, 5, "g", 42}, // behaviour 37
		{6, 2, "g", 42}, {5, 2, "g:x:0", 42}, // behaviour 39
		{6, 2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", 0}, //
	} {
		req.Version, req.CoordinatorType, req.CoordinatorKeys = k.version, k.kind, []string{k.key}
		got := ask[*kmsg.FindCoordinatorResponse](c, req).Coordinators[0]
		if got.ErrorCode != k.want || (got.NodeID == 1) != (k.want == 0) {
			t.Errorf("v%d type %d key %q: %+v", k.version, k.kind, k.key, got)
		}
	}
	req = kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorType = 1, 9
	if got := ask[*kmsg.FindCoordinatorResponse](c, req); got.ErrorCode != 42 || got.NodeID != -1 {
		t.Errorf("v1 type 9: %+v", got)
	}
}
