package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what many scripts need before they ask what they are about:
// topics, records, group members.

// val is a pointer to a value, for nullable and optional fields.
func val[T any](v T) *T { return &v }

// spec is a topic to make.
type spec struct {
	name       string
	partitions int32
	configs    map[string]string
}

// topics makes topics and waits until the broker leads all their partitions:
// Kafka answers CreateTopics a moment before that.
func topics(specs ...spec) []step {
	create := req(func(x *actor, r *kmsg.CreateTopicsRequest) {
		r.TimeoutMillis = 10000
		for _, s := range specs {
			t := kmsg.NewCreateTopicsRequestTopic()
			t.Topic, t.NumPartitions, t.ReplicationFactor = x.name(s.name), s.partitions, 1
			for name, value := range s.configs {
				t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: &value})
			}
			r.Topics = append(r.Topics, t)
		}
	})
	metadata := req(func(x *actor, r *kmsg.MetadataRequest) {
		for _, s := range specs {
			r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: x.ptr(s.name)})
		}
	})
	ends := req(func(x *actor, r *kmsg.ListOffsetsRequest) {
		r.ReplicaID = -1
		for _, s := range specs {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = x.name(s.name)
			for p := range s.partitions {
				lp := kmsg.NewListOffsetsRequestTopicPartition()
				lp.Partition, lp.Timestamp = p, -1
				t.Partitions = append(t.Partitions, lp)
			}
			r.Topics = append(r.Topics, t)
		}
	})
	return []step{
		{name: "make topics", ask: create, hidden: true, until: func(resp kmsg.Response) bool {
			for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
				if t.ErrorCode != 0 && t.ErrorCode != 36 {
					return false
				}
			}
			return true
		}},
		{name: "learn ids", ask: metadata, hidden: true, until: func(resp kmsg.Response) bool {
			for _, t := range resp.(*kmsg.MetadataResponse).Topics {
				if t.ErrorCode != 0 {
					return false
				}
			}
			return true
		}},
		{name: "wait for leaders", ask: ends, hidden: true, until: func(resp kmsg.Response) bool {
			for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
				for _, p := range t.Partitions {
					if p.ErrorCode != 0 {
						return false
					}
				}
			}
			return true
		}},
	}
}

// part is a batch for a partition.
type part struct {
	topic string
	p     int32
	b     batch
}

// addBatch adds a partition's records to a produce request.
func addBatch(x *actor, r *kmsg.ProduceRequest, topic string, p int32, raw []byte) {
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = p, raw
	name := x.name(topic)
	for i := range r.Topics {
		if r.Topics[i].Topic == name {
			r.Topics[i].Partitions = append(r.Topics[i].Partitions, rp)
			return
		}
	}
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = name, x.topicID(topic)
	t.Partitions = append(t.Partitions, rp)
	r.Topics = append(r.Topics, t)
}

func produce(acks int16, parts ...part) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ProduceRequest) {
		r.Acks, r.TimeoutMillis = acks, 10000
		for _, p := range parts {
			addBatch(x, r, p.topic, p.p, p.b.bytes())
		}
	})
}

// from is a place to fetch from.
type from struct {
	topic  string
	p      int32
	offset int64
}

// fetch asks for records and does not wait for more than there are.
func fetch(edit func(x *actor, r *kmsg.FetchRequest), places ...from) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.FetchRequest) {
		r.ReplicaID, r.MaxWaitMillis, r.MinBytes, r.MaxBytes = -1, 100, 0, 50<<20
		r.SessionEpoch = -1
		for _, at := range places {
			addPlace(x, r, at)
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

func addPlace(x *actor, r *kmsg.FetchRequest, at from) {
	fp := kmsg.NewFetchRequestTopicPartition()
	fp.Partition, fp.FetchOffset, fp.PartitionMaxBytes = at.p, at.offset, 10<<20
	name := x.name(at.topic)
	for i := range r.Topics {
		if r.Topics[i].Topic == name {
			r.Topics[i].Partitions = append(r.Topics[i].Partitions, fp)
			return
		}
	}
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = name, x.topicID(at.topic)
	t.Partitions = append(t.Partitions, fp)
	r.Topics = append(r.Topics, t)
}

// logHolds fetches the first n partitions of a topic from their starts.
func logHolds(topic string, n int) step {
	return step{name: "what the log holds then", ask: req(func(x *actor, r *kmsg.FetchRequest) {
		r.ReplicaID, r.MaxBytes, r.SessionEpoch = -1, 50<<20, -1
		for p := range int32(n) {
			addPlace(x, r, from{topic, p, 0})
		}
	})}
}

// listOffsets asks one partition of a topic for what belongs to a timestamp.
func listOffsets(topic string, p int32, timestamp int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ListOffsetsRequest) {
		r.ReplicaID = -1
		lp := kmsg.NewListOffsetsRequestTopicPartition()
		lp.Partition, lp.Timestamp = p, timestamp
		r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: x.name(topic), Partitions: []kmsg.ListOffsetsRequestTopicPartition{lp}}}
	})
}

// joinGroup is an ordinary member's JoinGroup; edit changes it.
func joinGroup(group string, edit func(x *actor, r *kmsg.JoinGroupRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.JoinGroupRequest) {
		r.Group = x.name(group)
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 30000, 30000
		r.ProtocolType = "consumer"
		r.Protocols = []kmsg.JoinGroupRequestProtocol{
			{Name: "range", Metadata: subscription(x.name("t"))},
			{Name: "roundrobin", Metadata: subscription(x.name("t"))},
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

// subscription is a consumer's metadata, version 0.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}

// member makes a group with one member that is Stable. The join that worked
// is kept as "member joined".
func member(group string) []step {
	return []step{
		{name: "member asks for an id", hidden: true, ask: joinGroup(group, nil)},
		{name: "member joined", hidden: true, ask: joinGroup(group, func(x *actor, r *kmsg.JoinGroupRequest) {
			r.MemberID = answer[kmsg.JoinGroupResponse](x, "member asks for an id").MemberID
		})},
		{name: "member synced", hidden: true, ask: syncGroup(group, "member joined", func(x *actor, r *kmsg.SyncGroupRequest) {
			r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: r.MemberID, MemberAssignment: []byte("all")}}
		})},
	}
}

// syncGroup syncs as the member and generation that a join was answered with.
func syncGroup(group, joined string, edit func(x *actor, r *kmsg.SyncGroupRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.SyncGroupRequest) {
		j := answer[kmsg.JoinGroupResponse](x, joined)
		r.Group, r.Generation, r.MemberID = x.name(group), j.Generation, j.MemberID
		r.ProtocolType, r.Protocol = val("consumer"), val("range")
		if edit != nil {
			edit(x, r)
		}
	})
}
