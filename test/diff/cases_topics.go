package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// create asks for one topic; edit changes it.
func create(name string, edit func(x *actor, t *kmsg.CreateTopicsRequestTopic)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.CreateTopicsRequest) {
		r.TimeoutMillis = 10000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = x.name(name), 1, 1
		if edit != nil {
			edit(x, &t)
		}
		r.Topics = append(r.Topics, t)
	})
}

func named(name string) func(*actor, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *actor, t *kmsg.CreateTopicsRequestTopic) { t.Topic = name }
}

func sized(partitions int32, replicas int16) func(*actor, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *actor, t *kmsg.CreateTopicsRequestTopic) {
		t.NumPartitions, t.ReplicationFactor = partitions, replicas
	}
}

// configured gives a topic a config; its value is null when nil.
func configured(name string, value *string) func(*actor, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *actor, t *kmsg.CreateTopicsRequestTopic) {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: value})
	}
}

// node stands for the broker's id in an assignment.
const node = -100

// assigned gives a topic an assignment: partition i on the i-th list.
func assigned(partitions []int32, replicas ...[]int32) func(*actor, *kmsg.CreateTopicsRequestTopic) {
	return func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
		t.NumPartitions, t.ReplicationFactor = -1, -1
		for i, rs := range replicas {
			t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: partitions[i], Replicas: x.nodes(rs)})
		}
	}
}

func (x *actor) nodes(ids []int32) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		if out[i] = id; id == node {
			out[i] = x.target.nodeID
		}
	}
	return out
}

var topicScripts = []script{
	{name: "create topics", key: kmsg.CreateTopics, steps: []step{
		{name: "an ordinary one", ask: create("t", sized(3, 1))},
		// behaviour 118
		{name: "defaults", ask: create("defaults", sized(-1, -1))},
		{name: "it is there", until: found, ask: metadata([]string{"t"}, nil)},
		{name: "with configs", ask: create("configs", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			configured("retention.ms", val("3600000"))(x, t)
			configured("cleanup.policy", val("compact,delete"))(x, t)
		})},
		// behaviour 119
		{name: "validate only", ask: req(func(x *actor, r *kmsg.CreateTopicsRequest) {
			*r = *create("checked", sized(2, 1))(x).(*kmsg.CreateTopicsRequest)
			r.ValidateOnly = true
		})},
		// behaviour 120
		{name: "exists", ask: create("t", nil)},
		{name: "exists, null config", ask: create("t", configured("retention.ms", nil))},
		{name: "bad name, null config", ask: create("t", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic = "a b"
			configured("retention.ms", nil)(x, t)
		})},
		{name: "exists, assigned twice", ask: create("t", assigned([]int32{0, 0}, []int32{node}, []int32{node}))},
		{name: "exists, validate only", ask: req(func(x *actor, r *kmsg.CreateTopicsRequest) {
			*r = *create("t", nil)(x).(*kmsg.CreateTopicsRequest)
			r.ValidateOnly = true
		})},
		// behaviour 121
		{name: "empty name", ask: create("t", named(""))},
		{name: "name .", ask: create("t", named("."))},
		{name: "name ..", ask: create("t", named(".."))},
		{name: "name with a space", ask: create("t", named("a b"))},
		{name: "name of 250 characters", ask: create("t", named(long250))},
		// behaviour 122
		{name: "a dotted name", ask: create("x.y", nil)},
		{name: "a name that collides", ask: create("x_y", nil)},
		// behaviour 123
		{name: "the cluster's own log", ask: create("t", named("__cluster_metadata"))},
		// behaviour 124
		{name: "0 partitions", ask: create("bad", sized(0, 1))},
		{name: "-2 partitions", ask: create("bad", sized(-2, 1))},
		// behaviour 125
		{name: "0 replicas", ask: create("bad", sized(1, 0))},
		{name: "-2 replicas", ask: create("bad", sized(1, -2))},
		// behaviour 126
		{name: "2 replicas", ask: create("bad", sized(1, 2))},
		// behaviour 128
		{name: "10001 partitions", ask: create("bad", sized(10001, 1))},
		// behaviour 129
		{name: "assignment", ask: create("assigned", assigned([]int32{0, 1}, []int32{node}, []int32{node}))},
		{name: "assignment and partitions", ask: create("bad", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			assigned([]int32{0}, []int32{node})(x, t)
			t.NumPartitions, t.ReplicationFactor = 1, 1
		})},
		{name: "assignment and partitions, replicas -1", ask: create("bad", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			assigned([]int32{0}, []int32{node})(x, t)
			t.NumPartitions = 1
		})},
		// behaviour 130
		{name: "assignment to an unknown broker", ask: create("bad", assigned([]int32{0}, []int32{99}))},
		{name: "assignment twice to a broker", ask: create("bad", assigned([]int32{0}, []int32{node, node}))},
		{name: "assignment with a gap", ask: create("bad", assigned([]int32{0, 2}, []int32{node}, []int32{node}))},
		{name: "assignment of nothing", ask: create("bad", assigned([]int32{0}, []int32{}))},
		{name: "assignment twice to a partition", ask: create("bad", assigned([]int32{0, 0}, []int32{node}, []int32{node}))},
		// behaviour 131
		{name: "unknown config", ask: create("bad", configured("no.such", val("1")))},
		{name: "config that is no number", ask: create("bad", configured("retention.ms", val("abc")))},
		{name: "config too small", ask: create("bad", configured("retention.ms", val("-5")))},
		{name: "config not in the list", ask: create("bad", configured("cleanup.policy", val("nope")))},
		{name: "null config", ask: create("bad", configured("retention.ms", nil))},
		{name: "boolean that is none", ask: create("bad", configured("preallocate", val("maybe")))},
		{name: "double out of range", ask: create("bad", configured("min.cleanable.dirty.ratio", val("1.5")))},
		{name: "int too large", ask: create("bad", configured("segment.bytes", val("99999999999")))},
		{name: "compression type", ask: create("bad", configured("compression.type", val("nope")))},
		{name: "timestamp type", ask: create("bad", configured("message.timestamp.type", val("nope")))},
		{name: "lag bounds crossed", ask: create("bad", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			configured("min.compaction.lag.ms", val("100"))(x, t)
			configured("max.compaction.lag.ms", val("10"))(x, t)
		})},
		{name: "same config twice", ask: create("twice", func(x *actor, t *kmsg.CreateTopicsRequestTopic) {
			configured("retention.ms", val("1000"))(x, t)
			configured("retention.ms", val("2000"))(x, t)
		})},
		{name: "empty config name", ask: create("bad", configured("", val("1")))},
		// behaviour 132
		{name: "empty cleanup policy", ask: create("empty-policy", configured("cleanup.policy", val("")))},
		// behaviour 133
		{name: "remote storage", ask: create("bad", configured("remote.storage.enable", val("true")))},
		// behaviour 134
		{name: "same name twice", ask: req(func(x *actor, r *kmsg.CreateTopicsRequest) {
			*r = *create("bad", nil)(x).(*kmsg.CreateTopicsRequest)
			r.Topics = append(r.Topics, r.Topics[0])
		})},
		{name: "one good, one bad", ask: req(func(x *actor, r *kmsg.CreateTopicsRequest) {
			*r = *create("good", nil)(x).(*kmsg.CreateTopicsRequest)
			r.Topics = append(r.Topics, create("bad", sized(0, 1))(x).(*kmsg.CreateTopicsRequest).Topics...)
		})},
		{name: "no topics", ask: req(func(_ *actor, r *kmsg.CreateTopicsRequest) { r.TimeoutMillis = 1000 })},
		{name: "none of the bad ones is there", ask: metadata([]string{"bad", "checked"}, nil)},
	}},
	{name: "delete topics", key: kmsg.DeleteTopics, from: 1, steps: join(
		topics(spec{"t", 2, nil}, spec{"u", 1, nil}, spec{"v", 1, nil}),
		[]step{
			{name: "by name", ask: deleteTopics("t")},
			{name: "again", until: gone, ask: deleteTopics("t")},
			{name: "it is gone", until: missing, ask: metadata([]string{"t"}, nil)},
			{name: "produce to it", at: val[int16](9), ask: produce(-1, part{"t", 0, batch{records: some(1)}})},
			// behaviour 139
			{name: "unknown name", ask: deleteTopics("nope")},
			// behaviour 140
			{name: "same twice", ask: deleteTopics("u", "u")},
			{name: "two, one unknown", ask: deleteTopics("nope", "v")},
			{name: "no topics", ask: deleteTopics()},
			// behaviour 141
			{name: "made again", ask: create("v", nil)},
		},
	)},
	{name: "delete topics by id", key: kmsg.DeleteTopics, from: 6, steps: join(
		topics(spec{"t", 2, nil}, spec{"u", 1, nil}),
		[]step{
			// behaviour 139
			{name: "by id", ask: deleteTopicIDs(func(x *actor) kmsg.DeleteTopicsRequestTopic {
				return kmsg.DeleteTopicsRequestTopic{TopicID: x.topicID("t")}
			})},
			{name: "again", ask: deleteTopicIDs(func(x *actor) kmsg.DeleteTopicsRequestTopic {
				return kmsg.DeleteTopicsRequestTopic{TopicID: x.topicID("t")}
			})},
			// behaviour 140
			{name: "both id and name", ask: deleteTopicIDs(func(x *actor) kmsg.DeleteTopicsRequestTopic {
				return kmsg.DeleteTopicsRequestTopic{TopicID: x.topicID("u"), Topic: x.ptr("u")}
			})},
			{name: "both, and by name", ask: req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
				r.TimeoutMillis = 10000
				r.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: x.topicID("nope"), Topic: x.ptr("u")}, {Topic: x.ptr("nope")}}
			})},
			{name: "neither", ask: deleteTopicIDs(func(*actor) kmsg.DeleteTopicsRequestTopic { return kmsg.DeleteTopicsRequestTopic{} })},
			{name: "same id twice", ask: req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
				r.TimeoutMillis = 10000
				r.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: x.topicID("u")}, {TopicID: x.topicID("u")}}
			})},
			{name: "by id and by name", ask: req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
				r.TimeoutMillis = 10000
				r.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: x.topicID("u")}, {Topic: x.ptr("u")}}
			})},
		},
	)},
	{name: "create partitions", key: kmsg.CreatePartitions, steps: join(
		topics(spec{"t", 3, nil}),
		[]step{
			{name: "validate only", ask: req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
				*r = *grow("t", 5)(x).(*kmsg.CreatePartitionsRequest)
				r.ValidateOnly = true
			})},
			// behaviour 136
			{name: "same", ask: grow("t", 3)},
			{name: "fewer", ask: grow("t", 1)},
			{name: "0", ask: grow("t", 0)},
			{name: "-1", ask: grow("t", -1)},
			{name: "unknown topic", ask: grow("nope", 3)},
			{name: "bad name", ask: req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
				*r = *grow("t", 5)(x).(*kmsg.CreatePartitionsRequest)
				r.Topics[0].Topic = "a b"
			})},
			// behaviour 137
			{name: "assignment too short", ask: grow("t", 5, []int32{node})},
			{name: "an assignment without partitions", ask: req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
				*r = *grow("t", 5)(x).(*kmsg.CreatePartitionsRequest)
				r.Topics[0].Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
			})},
			{name: "assignment too long", ask: grow("t", 4, []int32{node}, []int32{node})},
			{name: "assignment to an unknown broker", ask: grow("t", 4, []int32{99})},
			{name: "assignment of two replicas", ask: grow("t", 4, []int32{node, node})},
			{name: "assignment of nothing", ask: grow("t", 4, []int32{})},
			{name: "same topic twice", ask: req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
				*r = *grow("t", 5)(x).(*kmsg.CreatePartitionsRequest)
				r.Topics = append(r.Topics, r.Topics[0])
			})},
			{name: "to 4, assigned", ask: grow("t", 4, []int32{node})},
			{name: "to 6", ask: grow("t", 6)},
			{name: "they are there", ask: metadata([]string{"t"}, nil), until: func(resp kmsg.Response) bool {
				ts := resp.(*kmsg.MetadataResponse).Topics
				return len(ts) == 1 && len(ts[0].Partitions) == 6
			}},
			{name: "no topics", ask: req(func(_ *actor, r *kmsg.CreatePartitionsRequest) { r.TimeoutMillis = 1000 })},
		},
	)},
}

// gone: a topic's deletion has reached the broker that answers.
func gone(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.DeleteTopicsResponse).Topics {
		if t.ErrorCode == 0 {
			return false
		}
	}
	return true
}

func missing(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if t.ErrorCode == 0 {
			return false
		}
	}
	return true
}

func deleteTopics(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
		r.TimeoutMillis = 10000
		for _, n := range names {
			r.TopicNames = append(r.TopicNames, x.name(n))
			r.Topics = append(r.Topics, kmsg.DeleteTopicsRequestTopic{Topic: x.ptr(n)})
		}
	})
}

func deleteTopicIDs(one func(x *actor) kmsg.DeleteTopicsRequestTopic) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
		r.TimeoutMillis = 10000
		r.Topics = []kmsg.DeleteTopicsRequestTopic{one(x)}
	})
}

func grow(topic string, count int32, assignment ...[]int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
		r.TimeoutMillis = 10000
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = x.name(topic), count
		for _, rs := range assignment {
			t.Assignment = append(t.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: x.nodes(rs)})
		}
		r.Topics = append(r.Topics, t)
	})
}
