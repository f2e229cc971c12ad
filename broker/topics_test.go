package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// createTopic asks for one topic and returns its entry of the answer.
func createTopic(c *rawClient, version int16, name string, partitions int32, replicas int16, change ...func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic)) kmsg.CreateTopicsResponseTopic {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = version, 5000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	for _, f := range change {
		f(req, &t)
	}
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.CreateTopicsResponse](c, req).Topics[0]
}

func withConfig(name string, value *string) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, value
		t.Configs = append(t.Configs, c)
	}
}

func withAssignment(replicas ...[]int32) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		for i, r := range replicas {
			if r == nil {
				continue
			}
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(i), r
			t.ReplicaAssignment = append(t.ReplicaAssignment, a)
		}
	}
}

func TestCreateTopicsInEveryVersion(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	for version := int16(0); version <= 7; version++ {
		name := "t" + string('0'+rune(version))
		got := createTopic(c, version, name, 3, 1)
		if got.ErrorCode != 0 || len(b.image.Load().topic(name).partitions) != 3 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	got := createTopic(c, 7, "defaults", -1, -1) // behaviour 118
	if got.TopicID == [16]byte{} || got.NumPartitions != 1 || got.ReplicationFactor != 1 || len(got.Configs) != 33 {
		t.Errorf("id %x, %d partitions, factor %d, %d configs", got.TopicID, got.NumPartitions, got.ReplicationFactor, len(got.Configs))
	}
	for i := 1; i < len(got.Configs); i++ {
		if got.Configs[i-1].Name >= got.Configs[i].Name {
			t.Errorf("%s before %s", got.Configs[i-1].Name, got.Configs[i].Name)
		}
	}
	got = createTopic(c, 7, "dry", 2, 1, func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.ValidateOnly = true }) // behaviour 119
	if got.ErrorCode != 0 || got.TopicID == [16]byte{} || b.image.Load().topic("dry") != nil {
		t.Errorf("validate only: %+v", got)
	}
}

func TestCreateTopicsRefusals(t *testing.T) {
	b := Start(t, WithTopic("exists", 1, nil), WithTopic("x.y", 1, nil))
	c := dial(t, b)
	value := func(s string) *string { return &s }
	long := strings.Repeat("n", 250)
	for _, k := range []struct {
		name       string
		partitions int32
		replicas   int16
		change     func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic)
		code       int16
		message    string
	}{
		{"exists", 1, 1, nil, 36, "Topic 'exists' already exists."},                   // behaviour 120
		{"", 1, 1, nil, 17, "Topic name is invalid: the empty string is not allowed"}, // behaviour 121
		{".", 1, 1, nil, 17, "Topic name is invalid: '.' is not allowed"},
		{"a b", 1, 1, nil, 17, "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{long, 1, 1, nil, 17, "Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{"x_y", 1, 1, nil, 17, "Topic 'x_y' collides with existing topic: x.y"},                               // behaviour 122
		{"__cluster_metadata", 1, 1, nil, 42, "Creation of internal topic __cluster_metadata is prohibited."}, // behaviour 123
		{"n", 0, 1, nil, 37, "Number of partitions was set to an invalid non-positive value."},                // behaviour 124
		{"n", -2, 1, nil, 37, "Number of partitions was set to an invalid non-positive value."},
		{"n", 1, 0, nil, 38, "Replication factor must be larger than 0, or -1 to use the default value."}, // behaviour 125
		{"n", 1, -2, nil, 38, "Replication factor must be larger than 0, or -1 to use the default value."},
		{"n", 1, 2, nil, 38, "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."}, // behaviour 126
		{"n", 10001, 1, nil, 44, "Excessively large number of partitions per request."},                                                                                                                                            // behaviour 128
		{"n", 1, 1, withAssignment([]int32{1}), 42, "A manual partition assignment was specified, but replication factor was not set to -1."},                                                                                      // behaviour 129
		{"n", -1, -1, withAssignment([]int32{99}), 39, "The manual partition assignment includes broker 99, but no such broker is registered."},                                                                                    // behaviour 130
		{"n", -1, -1, withAssignment([]int32{1, 1}), 39, "The manual partition assignment includes the broker 1 more than once."},
		{"n", -1, -1, withAssignment(nil, []int32{1}), 39, "partitions should be a consecutive 0-based integer sequence"},
		{"n", -1, -1, withAssignment([]int32{}), 39, "The manual partition assignment includes an empty replica list."},
		{"n", 1, 1, withConfig("no.such", value("1")), 40, "Unknown topic config name: no.such"}, // behaviour 131
		{"n", 1, 1, withConfig("retention.ms", value("abc")), 40, "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{"n", 1, 1, withConfig("retention.ms", value("-5")), 40, "Invalid value -5 for configuration retention.ms: Value must be at least -1"},
		{"n", 1, 1, withConfig("cleanup.policy", value("nope")), 40, "Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete"},
		{"n", 1, 1, withConfig("retention.ms", nil), 40, "Null value not supported for topic configs: retention.ms"},
		{"n", 1, 1, withConfig("remote.storage.enable", value("true")), 40, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."}, // behaviour 133
		{"n", 1, 1, func(r *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { r.Topics = append(r.Topics, *t) }, 42, "Duplicate topic name."},                                  // behaviour 134
		{"n", 1, 1, func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.TimeoutMillis = 0 }, 7, "The request timed out."},                                              // behaviour 135
	} {
		change := k.change
		if change == nil {
			change = func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {}
		}
		got := createTopic(c, 7, k.name, k.partitions, k.replicas, change)
		if got.ErrorCode != k.code || text(got.ErrorMessage) != k.message {
			t.Errorf("%q: [%d] %q, want [%d] %q", k.name, got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
		}
		if got.NumPartitions != -1 || got.ReplicationFactor != -1 || got.TopicID != [16]byte{} || got.Configs == nil {
			t.Errorf("%q: a refusal describes a topic: %+v", k.name, got)
		}
	}
	if b.image.Load().topic("n") != nil {
		t.Error("a refused topic was made")
	}
	if got := createTopic(c, 7, "policy", 1, 1, withConfig("cleanup.policy", value(""))); got.ErrorCode != 0 { // behaviour 132
		t.Errorf("an empty cleanup.policy: %+v", got)
	}
}

func TestOldClientsThatGiveNoTimeGetTheirTopicsAllTheSame(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	noTime := func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.TimeoutMillis = 0 }
	const timedOut = 7
	if got := createTopic(c, 2, "t", 1, 1, noTime); got.ErrorCode != timedOut {
		t.Errorf("created: [%d], want [%d]", got.ErrorCode, timedOut)
	}
	if got := createTopic(c, 2, "t", 1, 1, noTime); got.ErrorCode != 36 {
		t.Errorf("created again: [%d], want [36]", got.ErrorCode)
	}
	dry := createTopic(c, 2, "dry", 1, 1, func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) {
		r.TimeoutMillis, r.ValidateOnly = 0, true
	})
	if dry.ErrorCode != 0 || b.image.Load().topic("dry") != nil {
		t.Errorf("validated: [%d], want [0] and no topic", dry.ErrorCode)
	}

	for _, v := range []struct {
		version, code int16
		partitions    int
	}{{2, timedOut, 1}, {0, timedOut, 3}} {
		grow := kmsg.NewPtrCreatePartitionsRequest()
		grow.Version, grow.TimeoutMillis = v.version, 0
		grow.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 3}}
		if got := ask[*kmsg.CreatePartitionsResponse](c, grow).Topics[0]; got.ErrorCode != v.code {
			t.Errorf("CreatePartitions v%d: [%d], want [%d]", v.version, got.ErrorCode, v.code)
		}
		if n := len(b.image.Load().topic("t").partitions); n != v.partitions {
			t.Errorf("after CreatePartitions v%d there are %d partitions, want %d", v.version, n, v.partitions)
		}
	}
	for _, v := range []struct {
		version int16
		left    bool
	}{{4, true}, {1, false}} {
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.Version, del.TimeoutMillis, del.TopicNames = v.version, 0, []string{"t"}
		if got := ask[*kmsg.DeleteTopicsResponse](c, del).Topics[0]; got.ErrorCode != timedOut {
			t.Errorf("DeleteTopics v%d: [%d], want [%d]", v.version, got.ErrorCode, timedOut)
		}
		if left := b.image.Load().topic("t") != nil; left != v.left {
			t.Errorf("after DeleteTopics v%d the topic is there: %v, want %v", v.version, left, v.left)
		}
	}
}

func TestCreatePartitions(t *testing.T) {
	b := Start(t, WithTopic("t", 3, nil))
	c := dial(t, b)
	grow := func(version int16, name string, count int32, assignment ...[]int32) kmsg.CreatePartitionsResponseTopic {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version, req.TimeoutMillis = version, 5000
		e := kmsg.NewCreatePartitionsRequestTopic()
		e.Topic, e.Count = name, count
		for _, replicas := range assignment {
			a := kmsg.NewCreatePartitionsRequestTopicAssignment()
			a.Replicas = replicas
			e.Assignment = append(e.Assignment, a)
		}
		req.Topics = append(req.Topics, e)
		return ask[*kmsg.CreatePartitionsResponse](c, req).Topics[0]
	}
	first := b.image.Load().topic("t").partitions[0]
	for version := int16(0); version <= 3; version++ {
		if got := grow(version, "t", 4+int32(version)); got.ErrorCode != 0 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	if now := b.image.Load().topic("t"); len(now.partitions) != 7 || now.partitions[0] != first {
		t.Errorf("%d partitions, the first is another: %v", len(now.partitions), now.partitions[0] != first)
	}
	for _, k := range []struct {
		name    string
		count   int32
		give    [][]int32
		code    int16
		message string
	}{
		{"t", 7, nil, 37, "Topic already has 7 partition(s)."}, // behaviour 136
		{"t", 1, nil, 37, "The topic t currently has 7 partition(s); 1 would not be an increase."},
		{"none", 9, nil, 3, ""},
		{"t", 9, [][]int32{{1}}, 39, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."}, // behaviour 137
		{"t", 8, [][]int32{{5}}, 39, "The manual partition assignment includes broker 5, but no such broker is registered."},
	} {
		if got := grow(3, k.name, k.count, k.give...); got.ErrorCode != k.code || text(got.ErrorMessage) != k.message {
			t.Errorf("%s to %d: [%d] %q, want [%d] %q", k.name, k.count, got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
		}
	}
}

func TestDeleteTopics(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	one := func(version int16, name *string, id [16]byte, times int) kmsg.DeleteTopicsResponseTopic {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version, req.TimeoutMillis = version, 5000
		for range times {
			if version < 6 {
				req.TopicNames = append(req.TopicNames, *name)
				continue
			}
			e := kmsg.NewDeleteTopicsRequestTopic()
			e.Topic, e.TopicID = name, id
			req.Topics = append(req.Topics, e)
		}
		return ask[*kmsg.DeleteTopicsResponse](c, req).Topics[0]
	}
	name := "t"
	for version := int16(0); version <= 6; version++ {
		createTopic(c, 7, name, 1, 1)
		if got := one(version, &name, [16]byte{}, 1); got.ErrorCode != 0 || *got.Topic != name {
			t.Errorf("v%d: %+v", version, got)
		}
		if got := one(version, &name, [16]byte{}, 1); got.ErrorCode != 3 {
			t.Errorf("v%d, again: %+v", version, got)
		}
	}
	id := createTopic(c, 7, name, 1, 1).TopicID
	for _, k := range []struct {
		name    *string
		id      [16]byte
		times   int
		code    int16
		message string
	}{
		{&name, id, 1, 42, "You may not specify both topic name and topic id."}, // behaviour 140
		{nil, [16]byte{}, 1, 42, "Neither topic name nor id were specified."},
		{&name, [16]byte{}, 2, 42, "Duplicate topic name."},
		{nil, id, 1, 0, ""}, // behaviour 139
		{nil, id, 1, 100, "This server does not host this topic ID."},
		{&name, [16]byte{}, 1, 3, "This server does not host this topic-partition."},
	} {
		got := one(6, k.name, k.id, k.times)
		if got.ErrorCode != k.code || text(got.ErrorMessage) != k.message {
			t.Errorf("name %v id %x: [%d] %q, want [%d] %q", k.name, k.id[:2], got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
		}
		if k.code == 0 && text(got.Topic) != name {
			t.Errorf("deleted by id: the name is %q", text(got.Topic))
		}
	}
	if again := createTopic(c, 7, name, 1, 1); again.ErrorCode != 0 || again.TopicID == id { // behaviour 141
		t.Errorf("created again: %+v", again)
	}
}

func TestDeletingATopicForgetsItsCommittedOffsets(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil), WithTopic("other", 1, nil))
	c := dial(t, b)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 8, "g", -1
	for _, name := range []string{"t", "other"} {
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = name
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset = 5
		topic.Partitions = append(topic.Partitions, p)
		commit.Topics = append(commit.Topics, topic)
	}
	ask[*kmsg.OffsetCommitResponse](c, commit)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TopicNames, del.TimeoutMillis = 3, []string{"t"}, 5000
	ask[*kmsg.DeleteTopicsResponse](c, del)
	createTopic(c, 7, "t", 1, 1)
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Version, fetch.Group = 7, "g"
	got := ask[*kmsg.OffsetFetchResponse](c, fetch)
	if len(got.Topics) != 1 || got.Topics[0].Topic != "other" || got.Topics[0].Partitions[0].Offset != 5 {
		t.Errorf("committed offsets after the deletion: %+v", got.Topics)
	}
}
