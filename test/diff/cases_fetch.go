package diff

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchFixture makes t with batches of 3, 2 and 1 records in partition 0 and
// nothing in partition 1.
func fetchFixture() []step {
	return join(topics(spec{"t", 2, nil}), []step{
		{name: "batch of 3", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(3)}})},
		{name: "batch of 2", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(2)}})},
		{name: "batch of 1", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(1)}})},
	})
}

// place changes the only partition of a fetch request.
func place(f func(p *kmsg.FetchRequestTopicPartition)) func(*actor, *kmsg.FetchRequest) {
	return func(_ *actor, r *kmsg.FetchRequest) { f(&r.Topics[0].Partitions[0]) }
}

// asReplica fetches as a follower does. The field moved to a tag in v15, and
// Kafka closes the connection when an older version has that tag.
func asReplica(id int32) func(*actor, *kmsg.FetchRequest) {
	return func(x *actor, r *kmsg.FetchRequest) {
		r.ReplicaID = id
		if x.version >= 15 {
			r.ReplicaState.ID = id
		}
	}
}

var fetchScripts = []script{
	{name: "fetch", key: kmsg.Fetch, from: 4, steps: join(fetchFixture(), []step{
		{name: "from the start", ask: fetch(nil, from{"t", 0, 0})},
		// behaviour 88
		{name: "from the middle of a batch", ask: fetch(nil, from{"t", 0, 4})},
		{name: "from a later batch", ask: fetch(nil, from{"t", 0, 5})},
		// behaviour 89
		{name: "from the end", ask: fetch(nil, from{"t", 0, 6})},
		{name: "from the end, to wait 50 ms", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1, 50 }, from{"t", 0, 6})},
		{name: "from the end, to wait -1 ms", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1, -1 }, from{"t", 0, 6})},
		{name: "empty partition", ask: fetch(nil, from{"t", 1, 0})},
		{name: "two partitions", ask: fetch(nil, from{"t", 0, 0}, from{"t", 1, 0})},
		// behaviour 90
		{name: "min bytes above what there is", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1<<20, 50 }, from{"t", 0, 5})},
		// behaviour 92
		{name: "beyond the end", ask: fetch(nil, from{"t", 0, 7})},
		{name: "offset -1", ask: fetch(nil, from{"t", 0, -1})},
		{name: "beyond the end of an empty partition", ask: fetch(nil, from{"t", 1, 1})},
		{name: "one good and one beyond", ask: fetch(nil, from{"t", 0, 0}, from{"t", 1, 9})},
		// behaviour 93
		{name: "max bytes 0", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MaxBytes = 0 }, from{"t", 0, 0})},
		{name: "max bytes 1", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MaxBytes = 1 }, from{"t", 0, 0})},
		{name: "partition max bytes 1", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 1 }), from{"t", 0, 0})},
		{name: "partition max bytes 0", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 0 }), from{"t", 0, 0})},
		{name: "partition max bytes of one batch and a half", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 150 }), from{"t", 0, 0})},
		{name: "partition max bytes of two batches and a half", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 240 }), from{"t", 0, 0})},
		// behaviour 94
		{name: "unknown partition", ask: fetch(nil, from{"t", 9, 0})},
		{name: "unknown topic or id", ask: fetch(nil, from{"nope", 0, 0})},
		{name: "empty name or zero id", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.Topics[0].Topic, r.Topics[0].TopicID = "", [16]byte{} }, from{"t", 0, 0})},
		{name: "one good and one unknown topic", ask: fetch(nil, from{"t", 0, 5}, from{"nope", 0, 0})},
		// behaviour 95
		{name: "current leader epoch 5", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 5 }), from{"t", 0, 0})},
		{name: "current leader epoch 0", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 0 }), from{"t", 0, 5})},
		// behaviour 96
		{name: "last fetched epoch 7", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 7 }), from{"t", 0, 3})},
		{name: "last fetched epoch 0", ask: fetch(place(func(p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 0 }), from{"t", 0, 5})},
		// behaviour 97
		{name: "as replica 1", ask: fetch(asReplica(1), from{"t", 0, 0})},
		{name: "as replica 77", ask: fetch(asReplica(77), from{"t", 0, 0})},
		// behaviour 98
		{name: "isolation level 9", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 9 }, from{"t", 0, 0})},
		// behaviour 100
		{name: "isolation level 9 of an unknown topic", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 9 }, from{"nope", 0, 0})},
		{name: "isolation level 9 and a session that is not there", ask: fetch(func(x *actor, r *kmsg.FetchRequest) {
			r.IsolationLevel = 9
			if x.version >= 7 {
				r.SessionID, r.SessionEpoch = 5, 3
			}
		}, from{"t", 0, 0})},
		{name: "read committed", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 1 }, from{"t", 0, 5})},
		{name: "no topics", ask: fetch(nil)},
		{name: "a topic without partitions", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.Topics[0].Partitions = nil }, from{"t", 0, 0})},
		{name: "same partition twice", ask: fetch(nil, from{"t", 0, 5}, from{"t", 0, 5})},
		{name: "a rack of its own", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.Rack = "elsewhere" }, from{"t", 0, 5})},
	})},
	{name: "fetch zstd", key: kmsg.Fetch, from: 4, steps: join(topics(spec{"t", 1, nil}), []step{
		{name: "a plain batch", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(1)}})},
		{name: "a zstd batch", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(2), codec: kgo.ZstdCompression}})},
		{name: "both", ask: fetch(nil, from{"t", 0, 0})},
		{name: "the second", ask: fetch(nil, from{"t", 0, 1})},
	})},
	{name: "fetch wakes up", key: kmsg.Fetch, from: 4, steps: join(fetchFixture(), []step{
		// behaviour 91
		{name: "wait at the end", on: "waiter", later: true, ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1, 15000 }, from{"t", 0, 6})},
		{name: "a record comes", ask: produce(-1, part{"t", 0, batch{records: some(1)}})},
		{name: "the waiter gets it", get: "wait at the end"},
	})},
	{name: "fetch session", key: kmsg.Fetch, from: 7, steps: join(fetchFixture(), []step{
		// behaviour 101
		{name: "a new session", ask: inSession("", 0, from{"t", 0, 0}, from{"t", 1, 0})},
		{name: "its next epoch, a place moved", ask: inSession("a new session", 1, from{"t", 0, 6})},
		// behaviour 102
		{name: "nothing new", ask: inSession("a new session", 2)},
		{name: "a record comes", hidden: true, ask: produce(-1, part{"t", 1, batch{records: some(1)}})},
		{name: "only what is new", ask: inSession("a new session", 3)},
		{name: "the same again, not moved", ask: inSession("a new session", 4)},
		// behaviour 103
		{name: "wrong epoch", ask: inSession("a new session", 9)},
		{name: "the right epoch after a wrong one", ask: inSession("a new session", 5)},
		{name: "unknown session", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 12345, 1 }, from{"t", 0, 0})},
		{name: "session 0 with epoch 5", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 0, 5 }, from{"t", 0, 0})},
		{name: "epoch -5", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 0, -5 }, from{"t", 0, 0})},
		// behaviour 105
		{name: "a session that is gone, epoch -1", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 12345, -1 })},
		{name: "a session that is gone, epoch 0", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 12345, 0 }, from{"t", 0, 6})},
		{name: "a session with an unknown partition", ask: inSession("", 0, from{"t", 0, 6}, from{"t", 9, 0})},
		{name: "and again", ask: inSession("a session with an unknown partition", 1)},
		{name: "a session with an unknown topic", ask: inSession("", 0, from{"t", 0, 6}, from{"nope", 0, 0})},
		{name: "and again, unknown topic", ask: inSession("a session with an unknown topic", 1)},
		{name: "an error in a session", ask: inSession("", 0, from{"t", 0, 99})},
		{name: "and the error again", ask: inSession("an error in a session", 1)},
		// behaviour 104
		{name: "a session to forget", ask: inSession("", 0, from{"t", 0, 6})},
		{name: "all is forgotten", ask: forgetting("a session to forget", 1, "t", 0)},
		{name: "then it is gone", ask: inSession("a session to forget", 2)},
		{name: "a session to end", ask: inSession("", 0, from{"t", 0, 6})},
		{name: "ended", ask: inSession("a session to end", -1, from{"t", 0, 0})},
		{name: "after its end", ask: inSession("a session to end", 1)},
		{name: "a session to begin anew", ask: inSession("", 0, from{"t", 0, 6})},
		{name: "epoch 0 of a session that is there", ask: inSession("a session to begin anew", 0, from{"t", 1, 0})},
	})},
	{name: "fetch session kinds", key: kmsg.Fetch, from: 13, steps: join(fetchFixture(), []step{
		// behaviour 106
		{name: "a session with ids", ask: inSession("", 0, from{"t", 0, 0})},
		{name: "used with names", at: val[int16](12), ask: inSession("a session with ids", 1, from{"t", 1, 0})},
	})},
	{name: "list offsets", key: kmsg.ListOffsets, from: 1, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "records out of time order", hidden: true, ask: produce(-1, part{"t", 0, batch{records: []record{{key: "a"}, {key: "b", ms: 2000}, {key: "c", ms: 1000}}}})},
		{name: "a later batch", hidden: true, ask: produce(-1, part{"t", 0, batch{records: []record{{key: "d", ms: 1500}, {key: "e", ms: 3000}}}})},
		{name: "same timestamps", hidden: true, ask: produce(-1, part{"t", 2, batch{records: []record{{key: "d"}, {key: "e"}, {key: "f"}}}})},
		// behaviours 107 to 111
		{name: "latest", ask: listOffsets("t", 0, -1)},
		{name: "earliest", ask: listOffsets("t", 0, -2)},
		{name: "largest timestamp", ask: listOffsets("t", 0, -3)},
		{name: "largest timestamp, several", ask: listOffsets("t", 2, -3)},
		{name: "largest timestamp of an empty partition", ask: listOffsets("t", 1, -3)},
		{name: "earliest local", ask: listOffsets("t", 0, -4)},
		{name: "latest tiered", ask: listOffsets("t", 0, -5)},
		{name: "earliest pending upload", ask: listOffsets("t", 0, -6)},
		{name: "timestamp -7", ask: listOffsets("t", 0, -7)},
		{name: "timestamp -100", ask: listOffsets("t", 0, -100)},
		{name: "latest of an empty partition", ask: listOffsets("t", 1, -1)},
		{name: "earliest of an empty partition", ask: listOffsets("t", 1, -2)},
		{name: "a timestamp, empty partition", ask: listOffsets("t", 1, base)},
		// behaviour 112
		{name: "timestamp 0", ask: listOffsets("t", 0, 0)},
		{name: "base", ask: listOffsets("t", 0, base)},
		{name: "base+1", ask: listOffsets("t", 0, base+1)},
		{name: "base+1000", ask: listOffsets("t", 0, base+1000)},
		{name: "base+2500", ask: listOffsets("t", 0, base+2500)},
		{name: "after all", ask: listOffsets("t", 0, base+9000)},
		{name: "unknown partition", ask: listOffsets("t", 9, -1)},
		{name: "unknown topic", ask: listOffsets("nope", 0, -1)},
		{name: "timestamp -7 of an unknown topic", ask: listOffsets("nope", 0, -7)},
		// behaviour 113
		{name: "same partition twice", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
		})},
		{name: "current leader epoch 5", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.Topics[0].Partitions[0].CurrentLeaderEpoch = 5
		})},
		{name: "read committed", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.IsolationLevel = 1
		})},
		{name: "isolation level 9", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.IsolationLevel = 9
		})},
		{name: "isolation level 9, a partition twice", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.Topics[0].Partitions, r.IsolationLevel = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0]), 9
		})},
		{name: "as replica 1", ask: req(func(x *actor, r *kmsg.ListOffsetsRequest) {
			*r = *listOffsets("t", 0, -1)(x).(*kmsg.ListOffsetsRequest)
			r.ReplicaID = 1
		})},
		{name: "no topics", ask: req(func(_ *actor, r *kmsg.ListOffsetsRequest) { r.ReplicaID = -1 })},
	})},
	{name: "list offsets of log append time", key: kmsg.ListOffsets, from: 1, steps: join(topics(spec{"t", 1, map[string]string{"message.timestamp.type": "LogAppendTime"}}), []step{
		{name: "records", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(3)}})},
		{name: "a long past timestamp", ask: listOffsets("t", 0, 1000)},
		{name: "largest timestamp", ask: listOffsets("t", 0, -3)},
		{name: "a timestamp to come", ask: listOffsets("t", 0, time.Now().Add(time.Hour).UnixMilli())},
	})},
	{name: "offset for leader epoch", key: kmsg.OffsetForLeaderEpoch, from: 0, steps: join(fetchFixture(), []step{
		// behaviour 115
		{name: "epoch 0", ask: leaderEpoch("t", 0, -1, 0)},
		{name: "epoch 1", ask: leaderEpoch("t", 0, -1, 1)},
		{name: "epoch -1", ask: leaderEpoch("t", 0, -1, -1)},
		{name: "epoch -2", ask: leaderEpoch("t", 0, -1, -2)},
		{name: "epoch -2, empty partition", ask: leaderEpoch("t", 1, -1, -2)},
		{name: "empty partition", ask: leaderEpoch("t", 1, -1, 0)},
		{name: "current leader epoch 4", ask: leaderEpoch("t", 0, 4, 0)},
		{name: "current leader epoch 0", ask: leaderEpoch("t", 0, 0, 0)},
		{name: "unknown partition", ask: leaderEpoch("t", 9, -1, 0)},
		{name: "unknown topic", ask: leaderEpoch("nope", 0, -1, 0)},
		{name: "no topics", ask: req(func(_ *actor, r *kmsg.OffsetForLeaderEpochRequest) { r.ReplicaID = -2 })},
	})},
	{name: "delete records", key: kmsg.DeleteRecords, steps: join(fetchFixture(), topics(spec{"compacted", 1, map[string]string{"cleanup.policy": "compact"}}, spec{"both", 1, map[string]string{"cleanup.policy": "compact,delete"}}), []step{
		// behaviour 116
		{name: "before offset 2", ask: deleteRecords("t", 0, 2)},
		{name: "the start moved", ask: listOffsets("t", 0, -2)},
		{name: "below the start", ask: deleteRecords("t", 0, 1)},
		{name: "fetch below the start", ask: fetch(nil, from{"t", 0, 1})},
		{name: "fetch from the start", ask: fetch(nil, from{"t", 0, 2})},
		{name: "a timestamp below the start", ask: listOffsets("t", 0, base)},
		{name: "above the high watermark", ask: deleteRecords("t", 0, 7)},
		{name: "a partition twice", ask: deleteRecordsOf(from{"t", 0, 99}, from{"t", 0, 3})},
		{name: "a topic twice, once without partitions", ask: req(func(x *actor, r *kmsg.DeleteRecordsRequest) {
			*r = *deleteRecords("t", 0, 3)(x).(*kmsg.DeleteRecordsRequest)
			r.Topics = append(r.Topics, r.Topics[0], kmsg.DeleteRecordsRequestTopic{Topic: x.name("compacted")})
		})},
		{name: "offset -2", ask: deleteRecords("t", 0, -2)},
		{name: "epoch after the start moved", ask: leaderEpoch("t", 0, -1, 0)},
		{name: "all: offset -1", ask: deleteRecords("t", 0, -1)},
		{name: "nothing is left", ask: fetch(nil, from{"t", 0, 6})},
		{name: "largest timestamp then", ask: listOffsets("t", 0, -3)},
		{name: "a record after it", ask: produce(-1, part{"t", 0, batch{records: some(1)}})},
		{name: "unknown partition", ask: deleteRecords("t", 9, 0)},
		{name: "unknown topic", ask: deleteRecords("nope", 0, 0)},
		// behaviour 117
		{name: "compacted topic", ask: deleteRecords("compacted", 0, 0)},
		{name: "compacted and deleted topic", ask: deleteRecords("both", 0, 0)},
		{name: "no topics", ask: req(func(_ *actor, r *kmsg.DeleteRecordsRequest) { r.TimeoutMillis = 1000 })},
	})},
}

// inSession fetches in the session that a step made; "" is a new one.
func inSession(made string, epoch int32, places ...from) func(*actor) kmsg.Request {
	return fetch(func(x *actor, r *kmsg.FetchRequest) {
		r.SessionEpoch, r.MinBytes, r.MaxWaitMillis = epoch, 1, 30
		if made != "" {
			r.SessionID = answer[kmsg.FetchResponse](x, made).SessionID
		}
	}, places...)
}

func forgetting(made string, epoch int32, topic string, partitions ...int32) func(*actor) kmsg.Request {
	return fetch(func(x *actor, r *kmsg.FetchRequest) {
		r.SessionEpoch, r.SessionID = epoch, answer[kmsg.FetchResponse](x, made).SessionID
		r.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: x.name(topic), TopicID: x.topicID(topic), Partitions: partitions}}
	})
}

func leaderEpoch(topic string, p, current, epoch int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetForLeaderEpochRequest) {
		r.ReplicaID = -1
		rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		rp.Partition, rp.CurrentLeaderEpoch, rp.LeaderEpoch = p, current, epoch
		r.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: x.name(topic), Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{rp}}}
	})
}

// deleteRecordsOf deletes up to the offset of each place.
func deleteRecordsOf(all ...from) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteRecordsRequest) {
		r.TimeoutMillis = 10000
		for _, at := range all {
			r.Topics = append(r.Topics, deleteRecords(at.topic, at.p, at.offset)(x).(*kmsg.DeleteRecordsRequest).Topics...)
		}
	})
}

func deleteRecords(topic string, p int32, offset int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteRecordsRequest) {
		r.TimeoutMillis = 10000
		r.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: x.name(topic), Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: p, Offset: offset}}}}
	})
}
