package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what administrators ask about replicas, leaders, disks, the
// quorum, features and topics in pieces.

func elect(kind int8, all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ElectLeadersRequest) {
		r.ElectionType, r.TimeoutMillis, r.Topics = kind, 10000, []kmsg.ElectLeadersRequestTopic{}
		for _, p := range all {
			r.Topics = append(r.Topics, kmsg.ElectLeadersRequestTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
	})
}

// moved is where a partition's replicas are to go; nil cancels.
type moved struct {
	topic    string
	p        int32
	replicas []int32
}

func reassign(edit func(x *actor, r *kmsg.AlterPartitionAssignmentsRequest), all ...moved) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterPartitionAssignmentsRequest) {
		r.TimeoutMillis = 10000
		for _, m := range all {
			p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			p.Partition = m.p
			if m.replicas != nil {
				p.Replicas = x.nodes(m.replicas)
			}
			if n := len(r.Topics); n > 0 && r.Topics[n-1].Topic == x.name(m.topic) {
				r.Topics[n-1].Partitions = append(r.Topics[n-1].Partitions, p)
				continue
			}
			r.Topics = append(r.Topics, kmsg.AlterPartitionAssignmentsRequestTopic{Topic: x.name(m.topic), Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{p}})
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

func reassignments(all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ListPartitionReassignmentsRequest) {
		r.TimeoutMillis, r.Topics = 10000, []kmsg.ListPartitionReassignmentsRequestTopic{}
		for _, p := range all {
			r.Topics = append(r.Topics, kmsg.ListPartitionReassignmentsRequestTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
	})
}

func logDirs(all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeLogDirsRequest) {
		r.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		for _, p := range all {
			r.Topics = append(r.Topics, kmsg.DescribeLogDirsRequestTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
	})
}

func moveLogs(dir string, all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterReplicaLogDirsRequest) {
		d := kmsg.NewAlterReplicaLogDirsRequestDir()
		d.Dir = dir
		for _, p := range all {
			d.Topics = append(d.Topics, kmsg.AlterReplicaLogDirsRequestDirTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
		r.Dirs = append(r.Dirs, d)
	})
}

// moveLogsHome moves to the directory where the logs are, as "dirs" told it.
func moveLogsHome(all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterReplicaLogDirsRequest) {
		dir := ""
		if dirs := answer[kmsg.DescribeLogDirsResponse](x, "dirs").Dirs; len(dirs) > 0 {
			dir = dirs[0].Dir
		}
		*r = *moveLogs(dir, all...)(x).(*kmsg.AlterReplicaLogDirsRequest)
	})
}

func quorum(topic string, partitions ...int32) func(*actor) kmsg.Request {
	return req(func(_ *actor, r *kmsg.DescribeQuorumRequest) {
		t := kmsg.NewDescribeQuorumRequestTopic()
		t.Topic = topic
		for _, p := range partitions {
			t.Partitions = append(t.Partitions, kmsg.DescribeQuorumRequestTopicPartition{Partition: p})
		}
		r.Topics = append(r.Topics, t)
	})
}

// feature is a change of one feature, only to be checked.
func feature(name string, level int16, kind int8) func(*actor) kmsg.Request {
	return req(func(_ *actor, r *kmsg.UpdateFeaturesRequest) {
		r.TimeoutMillis, r.ValidateOnly = 10000, true
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel, u.UpgradeType, u.AllowDowngrade = name, level, kind, kind > 1
		r.FeatureUpdates = append(r.FeatureUpdates, u)
	})
}

const (
	upgrade         int8 = 1
	safeDowngrade   int8 = 2
	unsafeDowngrade int8 = 3
)

func topicPieces(limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeTopicPartitionsRequest) {
		r.ResponsePartitionLimit = limit
		for _, n := range names {
			r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: x.name(n)})
		}
		if cursor != nil {
			r.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: x.name(cursor.Topic), Partition: cursor.Partition}
		}
	})
}

func cursorAt(topic string, p int32) *kmsg.DescribeTopicPartitionsRequestCursor {
	return &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: p}
}

func configResources(kinds ...int8) func(*actor) kmsg.Request {
	return req(func(_ *actor, r *kmsg.ListConfigResourcesRequest) { r.ResourceTypes = kinds })
}

var notInKfake = []exclusion{{kfakeName, "it does not have the request"}}

var ownResources = []string{"ConfigResources"}

var adminScripts = []script{
	{name: "elect leaders", key: kmsg.ElectLeaders, steps: join(topics(spec{"t", 2, nil}), []step{
		// behaviour 181
		{name: "the preferred one leads", ask: elect(0, places{"t", []int32{0}})},
		{name: "unclean, there is a leader", ask: elect(1, places{"t", []int32{0, 1}})},
		{name: "type 7", ask: elect(7, places{"t", []int32{0}})},
		{name: "type -1", ask: elect(-1, places{"t", []int32{0}})},
		{name: "an unknown partition", ask: elect(0, places{"t", []int32{0, 9}})},
		{name: "a negative partition", ask: elect(0, places{"t", []int32{-1}})},
		{name: "an unknown topic", ask: elect(0, places{"nope", []int32{0}})},
		{name: "a partition twice", ask: elect(0, places{"t", []int32{1, 1}})},
		{name: "no topics", ask: elect(0)},
		{name: "timeout 0", ask: req(func(x *actor, r *kmsg.ElectLeadersRequest) {
			*r = *elect(0, places{"t", []int32{0}})(x).(*kmsg.ElectLeadersRequest)
			r.TimeoutMillis = 0
		})},
		{name: "a topic without partitions", ask: elect(0, places{"t", nil})},
		{name: "all partitions", mine: []string{"Topics"}, ask: req(func(_ *actor, r *kmsg.ElectLeadersRequest) { r.TimeoutMillis = 10000 })},
	})},
	{name: "alter partition reassignments", key: kmsg.AlterPartitionAssignments, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "to where it is", ask: reassign(nil, moved{"t", 0, []int32{node}})},
		{name: "cancel what is not under way", ask: reassign(nil, moved{"t", 0, nil})},
		{name: "to an unknown broker", ask: reassign(nil, moved{"t", 0, []int32{99}})},
		{name: "to a negative broker", ask: reassign(nil, moved{"t", 0, []int32{-3}})},
		{name: "to nowhere", ask: reassign(nil, moved{"t", 0, []int32{}})},
		{name: "twice to a broker", ask: reassign(nil, moved{"t", 0, []int32{node, node}})},
		{name: "to an unknown broker, and twice to another", ask: reassign(nil, moved{"t", 0, []int32{99, node, node}})},
		{name: "an unknown partition", ask: reassign(nil, moved{"t", 9, []int32{node}})},
		{name: "an unknown topic", ask: reassign(nil, moved{"nope", 0, []int32{node}})},
		{name: "an unknown topic, to cancel", ask: reassign(nil, moved{"nope", 0, nil})},
		{name: "one good and two bad", ask: reassign(nil, moved{"t", 0, []int32{node}}, moved{"t", 1, []int32{99}}, moved{"t", 7, nil})},
		{name: "a partition twice", ask: reassign(nil, moved{"t", 0, []int32{node}}, moved{"t", 0, []int32{node}})},
		{name: "a topic twice", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.Topics = append(r.Topics, r.Topics[0]) }, moved{"t", 0, []int32{node}})},
		{name: "as many replicas as before", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.AllowReplicationFactorChange = false }, moved{"t", 0, []int32{node}})},
		{name: "more replicas, not allowed", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.AllowReplicationFactorChange = false }, moved{"t", 0, []int32{node, 99}})},
		{name: "no topics", ask: reassign(nil)},
		{name: "timeout 0", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.TimeoutMillis = 0 }, moved{"t", 0, []int32{99}})},
		{name: "no topics, the number of replicas to stay", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.AllowReplicationFactorChange = false })},
		{name: "a topic without partitions", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.Topics[0].Partitions = nil }, moved{"t", 0, nil})},
		{name: "an empty topic name", ask: reassign(func(_ *actor, r *kmsg.AlterPartitionAssignmentsRequest) { r.Topics[0].Topic = "" }, moved{"t", 0, nil})},
	})},
	{name: "list partition reassignments", key: kmsg.ListPartitionReassignments, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "of partitions", ask: reassignments(places{"t", []int32{0, 1}})},
		{name: "of an unknown partition", ask: reassignments(places{"t", []int32{9}})},
		{name: "of an unknown topic", ask: reassignments(places{"nope", []int32{0}})},
		{name: "no topics", ask: reassignments()},
		{name: "all", ask: req(func(_ *actor, r *kmsg.ListPartitionReassignmentsRequest) { r.TimeoutMillis = 10000 })},
	})},
	{name: "describe log dirs", key: kmsg.DescribeLogDirs, from: 1, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "records", hidden: true, ask: produce(-1, part{"t", 0, batch{records: some(3)}}, part{"t", 1, batch{records: some(1)}})},
		// behaviour 185
		{name: "two partitions", ask: logDirs(places{"t", []int32{0, 1}})},
		{name: "an empty partition", ask: logDirs(places{"t", []int32{2}})},
		{name: "an unknown partition", ask: logDirs(places{"t", []int32{9}})},
		{name: "a known and an unknown partition", ask: logDirs(places{"t", []int32{9, 1}})},
		{name: "an unknown topic", ask: logDirs(places{"nope", []int32{0}})},
		{name: "a partition twice", ask: logDirs(places{"t", []int32{0, 0}})},
		{name: "no topics", ask: logDirs()},
		{name: "a topic without partitions", ask: logDirs(places{"t", nil})},
	})},
	{name: "alter replica log dirs", key: kmsg.AlterReplicaLogDirs, from: 1, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "dirs", hidden: true, ask: logDirs(places{"t", []int32{0}})},
		{name: "to where it is", ask: moveLogsHome(places{"t", []int32{0}})},
		{name: "to an unknown directory", ask: moveLogs("/no/such", places{"t", []int32{0}})},
		{name: "to a relative directory", ask: moveLogs("no/such", places{"t", []int32{0}})},
		{name: "to an empty directory name", ask: moveLogs("", places{"t", []int32{0}})},
		{name: "an unknown partition", ask: moveLogsHome(places{"t", []int32{9}})},
		{name: "an unknown topic", ask: moveLogsHome(places{"nope", []int32{0}})},
		{name: "an unknown topic, to an unknown directory", ask: moveLogs("/no/such", places{"nope", []int32{0}})},
		{name: "nothing", ask: req(func(*actor, *kmsg.AlterReplicaLogDirsRequest) {})},
		{name: "a directory without topics", ask: moveLogs("/no/such")},
	})},
	{name: "describe quorum", key: kmsg.DescribeQuorum, not: notInKfake, steps: []step{
		// behaviour 186
		{name: "the metadata", ask: quorum("__cluster_metadata", 0)},
		{name: "another topic", ask: quorum("t", 0)},
		{name: "another partition", ask: quorum("__cluster_metadata", 1)},
		{name: "two partitions", ask: quorum("__cluster_metadata", 0, 1)},
		{name: "a topic without partitions", ask: quorum("__cluster_metadata")},
		{name: "no topics", ask: req(func(*actor, *kmsg.DescribeQuorumRequest) {})},
	}},
	{name: "update features", key: kmsg.UpdateFeatures, from: 1, steps: []step{
		{name: "to what it is", ask: feature("transaction.version", 2, upgrade)},
		{name: "an unknown feature", ask: feature("no.such", 1, upgrade)},
		{name: "an unknown feature, to 0", ask: feature("no.such", 0, safeDowngrade)},
		{name: "an empty name", ask: feature("", 1, upgrade)},
		{name: "above the newest", ask: feature("transaction.version", 99, upgrade)},
		{name: "a negative level", ask: feature("transaction.version", -1, upgrade)},
		{name: "lower, as upgrade", ask: feature("transaction.version", 1, upgrade)},
		{name: "lower, safely", ask: feature("transaction.version", 1, safeDowngrade)},
		{name: "lower, unsafely", ask: feature("transaction.version", 1, unsafeDowngrade)},
		{name: "type 9", ask: feature("transaction.version", 1, 9)},
		{name: "type 0", ask: feature("transaction.version", 1, 0)},
		{name: "higher, as downgrade", ask: feature("transaction.version", 99, safeDowngrade)},
		{name: "the same, as downgrade", ask: feature("transaction.version", 2, safeDowngrade)},
		{name: "share groups off", ask: feature("share.version", 0, safeDowngrade)},
		{name: "streams groups off", ask: feature("streams.version", 0, safeDowngrade)},
		{name: "consumer groups off", ask: feature("group.version", 0, safeDowngrade)},
		{name: "metadata version 1", ask: feature("metadata.version", 1, unsafeDowngrade)},
		{name: "metadata version 0", ask: feature("metadata.version", 0, unsafeDowngrade)},
		{name: "metadata version 99", ask: feature("metadata.version", 99, upgrade)},
		{name: "kraft version 0", ask: feature("kraft.version", 0, safeDowngrade)},
		{name: "kraft version 1", ask: feature("kraft.version", 1, upgrade)},
		{name: "nothing", ask: req(func(_ *actor, r *kmsg.UpdateFeaturesRequest) { r.TimeoutMillis, r.ValidateOnly = 10000, true })},
		{name: "a feature twice", ask: req(func(x *actor, r *kmsg.UpdateFeaturesRequest) {
			*r = *feature("transaction.version", 1, safeDowngrade)(x).(*kmsg.UpdateFeaturesRequest)
			r.FeatureUpdates = append(r.FeatureUpdates, r.FeatureUpdates[0])
		})},
		{name: "one good, one bad", ask: req(func(x *actor, r *kmsg.UpdateFeaturesRequest) {
			*r = *feature("transaction.version", 1, safeDowngrade)(x).(*kmsg.UpdateFeaturesRequest)
			r.FeatureUpdates = append(r.FeatureUpdates, feature("no.such", 1, upgrade)(x).(*kmsg.UpdateFeaturesRequest).FeatureUpdates...)
		})},
	}},
	{name: "update features by old clients", key: kmsg.UpdateFeatures, to: 0, steps: []step{
		{name: "an unknown feature", ask: feature("no.such", 1, upgrade)},
		{name: "above the newest", ask: feature("transaction.version", 99, upgrade)},
		{name: "lower, not allowed", ask: feature("transaction.version", 1, upgrade)},
		{name: "to what it is", ask: feature("transaction.version", 2, upgrade)},
	}},
	{name: "unregister a broker", key: kmsg.UnregisterBroker, not: notInKfake, steps: []step{
		{name: "unknown", ask: req(func(_ *actor, r *kmsg.UnregisterBrokerRequest) { r.BrokerID = 99 })},
		{name: "negative", ask: req(func(_ *actor, r *kmsg.UnregisterBrokerRequest) { r.BrokerID = -1 })},
	}},
	{name: "add a voter", key: kmsg.AddRaftVoter, not: notInKfake, steps: []step{
		{name: "another cluster", ask: voter(func(_ *actor, r *kmsg.AddRaftVoterRequest) { r.ClusterID = val("other") })},
		{name: "id -1", ask: voter(func(_ *actor, r *kmsg.AddRaftVoterRequest) { r.VoterID = -1 })},
		{name: "without listeners", ask: voter(func(_ *actor, r *kmsg.AddRaftVoterRequest) { r.Listeners = nil })},
		{name: "a listener of another name", ask: voter(func(_ *actor, r *kmsg.AddRaftVoterRequest) { r.Listeners[0].Name = "OTHER" })},
		{name: "the one there is", ask: voter(func(x *actor, r *kmsg.AddRaftVoterRequest) { r.VoterID = x.target.nodeID })},
	}},
	{name: "remove a voter", key: kmsg.RemoveRaftVoter, not: notInKfake, steps: []step{
		{name: "another cluster", ask: unvoter(func(_ *actor, r *kmsg.RemoveRaftVoterRequest) { r.ClusterID = val("other") })},
		{name: "unknown", ask: unvoter(nil)},
		{name: "id -1", ask: unvoter(func(_ *actor, r *kmsg.RemoveRaftVoterRequest) { r.VoterID = -1 })},
		{name: "another directory of the one there is", ask: unvoter(func(x *actor, r *kmsg.RemoveRaftVoterRequest) { r.VoterID = x.target.nodeID })},
	}},
	{name: "describe topic partitions", key: kmsg.DescribeTopicPartitions, steps: join(topics(spec{"a", 3, nil}, spec{"b", 2, nil}, spec{"c", 1, nil}), []step{
		{name: "one topic", ask: topicPieces(2000, nil, "a")},
		{name: "two, the wrong way round", ask: topicPieces(2000, nil, "b", "a")},
		{name: "the same twice", ask: topicPieces(2000, nil, "a", "a")},
		{name: "an unknown topic", ask: topicPieces(2000, nil, "a", "nope", "b")},
		{name: "a limit inside a topic", ask: topicPieces(2, nil, "a", "b")},
		{name: "a limit at the end of a topic", ask: topicPieces(3, nil, "a", "b")},
		{name: "a limit of 1", ask: topicPieces(1, nil, "a", "b")},
		{name: "a limit of 0", ask: topicPieces(0, nil, "a")},
		{name: "a limit of -1", ask: topicPieces(-1, nil, "a")},
		{name: "from a cursor inside a topic", ask: topicPieces(2000, cursorAt("a", 1), "a", "b")},
		{name: "from a cursor, with a limit", ask: topicPieces(2, cursorAt("a", 2), "a", "b", "c")},
		{name: "from a cursor behind a topic's end", ask: topicPieces(2000, cursorAt("a", 9), "a", "b")},
		{name: "from a cursor at a topic's end", ask: topicPieces(2000, cursorAt("a", 3), "a", "b")},
		{name: "from a negative cursor", ask: topicPieces(2000, cursorAt("a", -1), "a", "b")},
		{name: "from a cursor at a topic that was not asked for", ask: topicPieces(2000, cursorAt("b", 0), "a", "c")},
		{name: "from a cursor at a topic that is not there", ask: topicPieces(2000, cursorAt("aa", 1), "a", "b")},
		{name: "from a cursor behind all", ask: topicPieces(2000, cursorAt("z", 0), "a", "b")},
		{name: "from a cursor, all topics before it", ask: topicPieces(2000, cursorAt("c", 0), "a", "b", "c")},
	})},
	{name: "list config resources", key: kmsg.ListConfigResources, from: 1, steps: join(topics(spec{"t", 1, nil}), []step{
		{name: "metrics are subscribed to", hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			*r = *alter(16, x.name("m"), op{"interval.ms", set, val("60000")})(x).(*kmsg.IncrementalAlterConfigsRequest)
		})},
		{name: "a group has configs", hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			*r = *alter(32, x.name("g"), op{"consumer.session.timeout.ms", set, val("46000")})(x).(*kmsg.IncrementalAlterConfigsRequest)
		})},
		{name: "they are there", hidden: true, ask: describeOwn(32, "g", []string{"consumer.session.timeout.ms"}), until: shows("consumer.session.timeout.ms", "46000")},
		{name: "metrics, too", hidden: true, ask: configResources(16), untilNamed: "m"},
		{name: "all", mine: ownResources, ask: configResources()},
		{name: "topics", mine: ownResources, ask: configResources(2)},
		{name: "client metrics", mine: ownResources, ask: configResources(16)},
		{name: "groups and topics", mine: ownResources, ask: configResources(32, 2)},
		{name: "brokers", ask: configResources(4)},
		{name: "broker loggers", ask: configResources(8)},
		{name: "type 77", ask: configResources(77)},
		{name: "type 0", ask: configResources(0)},
		{name: "type -1 and topics", mine: ownResources, ask: configResources(-1, 2)},
		{name: "a type twice", mine: ownResources, ask: configResources(16, 16)},
	})},
	{name: "list client metrics resources", key: kmsg.ListConfigResources, to: 0, steps: []step{
		{name: "metrics are subscribed to", hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			*r = *alter(16, x.name("m"), op{"interval.ms", set, val("60000")})(x).(*kmsg.IncrementalAlterConfigsRequest)
		})},
		{name: "they are there", hidden: true, ask: configResources(), untilNamed: "m"},
		{name: "all", mine: ownResources, ask: configResources()},
	}},
}

// describeOwn is describe for a resource whose name is the script's own.
func describeOwn(kind kmsg.ConfigResourceType, name string, keys []string) func(*actor) kmsg.Request {
	return func(x *actor) kmsg.Request { return describe(kind, x.name(name), keys)(x) }
}

func voter(edit func(x *actor, r *kmsg.AddRaftVoterRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AddRaftVoterRequest) {
		r.ClusterID, r.TimeoutMillis, r.VoterID, r.VoterDirectoryID = &x.target.cluster, 2000, 77, [16]byte{15: 7}
		r.Listeners = []kmsg.AddRaftVoterRequestListener{{Name: "CONTROLLER", Host: "127.0.0.1", Port: 1}}
		if edit != nil {
			edit(x, r)
		}
	})
}

func unvoter(edit func(x *actor, r *kmsg.RemoveRaftVoterRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.RemoveRaftVoterRequest) {
		r.ClusterID, r.VoterID, r.VoterDirectoryID = &x.target.cluster, 77, [16]byte{15: 7}
		if edit != nil {
			edit(x, r)
		}
	})
}
