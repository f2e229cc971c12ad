package diff

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the scripts for brokers where users log in: what a user may do
// whom no ACL allows anything, and then with one ACL each.

// secureScripts are all there are. Their steps are the super user's, or of the
// user whom on names.
var secureScripts = slices.Concat(aclScripts, deniedScripts(), tokenScripts)

// acl allows a user, or keeps it from, an operation.
func acl(t kmsg.ACLResourceType, name string, op kmsg.ACLOperation, edit func(x *actor, c *kmsg.CreateACLsRequestCreation)) func(*actor, *kmsg.CreateACLsRequest) {
	return func(x *actor, r *kmsg.CreateACLsRequest) {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourcePatternType, c.Operation, c.PermissionType = t, kmsg.ACLResourcePatternTypeLiteral, op, kmsg.ACLPermissionTypeAllow
		c.ResourceName, c.Principal, c.Host = name, "User:bob", "*"
		if name != "kafka-cluster" && name != "" && name != "*" {
			c.ResourceName = x.name(name)
		}
		if edit != nil {
			edit(x, &c)
		}
		r.Creations = append(r.Creations, c)
	}
}

func createACLs(acls ...func(*actor, *kmsg.CreateACLsRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.CreateACLsRequest) {
		for _, a := range acls {
			a(x, r)
		}
	})
}

// ofTopic is a filter for the ACLs of a topic of the script.
func describeACLs(edit func(x *actor, r *kmsg.DescribeACLsRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeACLsRequest) {
		r.ResourceType, r.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.ACLResourcePatternTypeLiteral
		r.ResourceName = x.ptr("t")
		r.Operation, r.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		if edit != nil {
			edit(x, r)
		}
	})
}

func deleteACLs(edit func(x *actor, f *kmsg.DeleteACLsRequestFilter)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteACLsRequest) {
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourcePatternType, f.ResourceName = kmsg.ACLResourceTypeTopic, kmsg.ACLResourcePatternTypeLiteral, x.ptr("t")
		f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		if edit != nil {
			edit(x, &f)
		}
		r.Filters = append(r.Filters, f)
	})
}

const (
	aTopic   = kmsg.ACLResourceTypeTopic
	aGroup   = kmsg.ACLResourceTypeGroup
	aCluster = kmsg.ACLResourceTypeCluster
	cluster  = "kafka-cluster"
)

var aclScripts = []script{
	{name: "create acls", key: kmsg.CreateACLs, steps: []step{
		{name: "good and bad", ask: createACLs(
			acl(aTopic, "t", kmsg.ACLOperationRead, nil),
			acl(aTopic, "t", kmsg.ACLOperationRead, nil),
			acl(aTopic, "", kmsg.ACLOperationRead, nil),
			acl(aCluster, "t", kmsg.ACLOperationAlter, nil),
			acl(aTopic, "t", kmsg.ACLOperationClusterAction, nil),
			acl(aTopic, "t", kmsg.ACLOperationWrite, func(_ *actor, c *kmsg.CreateACLsRequestCreation) { c.Host = "10.0.0.1" }),
		)},
		{name: "a principal without a type", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationRead, func(_ *actor, c *kmsg.CreateACLsRequestCreation) { c.Principal = "bob" }), acl(aTopic, "t", kmsg.ACLOperationRead, nil))},
		{name: "any operation", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationAny, nil), acl(aTopic, "t", kmsg.ACLOperationRead, nil))},
		{name: "any permission", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationRead, func(_ *actor, c *kmsg.CreateACLsRequestCreation) {
			c.PermissionType = kmsg.ACLPermissionTypeAny
		}))},
		{name: "any type", ask: createACLs(acl(kmsg.ACLResourceTypeAny, "t", kmsg.ACLOperationRead, nil))},
		{name: "a pattern to match", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationRead, func(_ *actor, c *kmsg.CreateACLsRequestCreation) {
			c.ResourcePatternType = kmsg.ACLResourcePatternTypeMatch
		}))},
		{name: "an unknown operation", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationUnknown, nil))},
		{name: "operation 99", ask: createACLs(acl(aTopic, "t", 99, nil))},
	}},
	{name: "describe acls", key: kmsg.DescribeACLs, steps: []step{
		{name: "make some", ask: createACLs(
			acl(aTopic, "t", kmsg.ACLOperationRead, nil),
			acl(aTopic, "t", kmsg.ACLOperationRead, func(_ *actor, c *kmsg.CreateACLsRequestCreation) {
				c.ResourcePatternType = kmsg.ACLResourcePatternTypePrefixed
			}),
			acl(aTopic, "t", kmsg.ACLOperationWrite, func(_ *actor, c *kmsg.CreateACLsRequestCreation) {
				c.PermissionType, c.Host = kmsg.ACLPermissionTypeDeny, "10.0.0.1"
			}),
		), hidden: true},
		{name: "of the topic", ask: describeACLs(nil)},
		{name: "patterns that match", ask: describeACLs(func(_ *actor, r *kmsg.DescribeACLsRequest) {
			r.ResourcePatternType, r.Operation = kmsg.ACLResourcePatternTypeMatch, kmsg.ACLOperationWrite
		}), mine: []string{"Resources"}},
		{name: "prefixed", ask: describeACLs(func(_ *actor, r *kmsg.DescribeACLsRequest) {
			r.ResourcePatternType = kmsg.ACLResourcePatternTypePrefixed
		})},
		{name: "of another user", ask: describeACLs(func(_ *actor, r *kmsg.DescribeACLsRequest) { r.Principal = kmsg.StringPtr("User:nobody") })},
		{name: "denials", ask: describeACLs(func(_ *actor, r *kmsg.DescribeACLsRequest) { r.PermissionType = kmsg.ACLPermissionTypeDeny })},
		{name: "an unknown operation", ask: describeACLs(func(_ *actor, r *kmsg.DescribeACLsRequest) { r.Operation = 77 })},
		{name: "without permission", on: "alice", ask: describeACLs(nil)},
	}},
	{name: "delete acls", key: kmsg.DeleteACLs, steps: []step{
		{name: "make some", ask: createACLs(acl(aTopic, "t", kmsg.ACLOperationRead, nil), acl(aTopic, "t", kmsg.ACLOperationWrite, nil)), hidden: true},
		{name: "see them", ask: describeACLs(nil), hidden: true, until: func(resp kmsg.Response) bool {
			return len(resp.(*kmsg.DescribeACLsResponse).Resources) > 0
		}},
		{name: "of another user", ask: deleteACLs(func(_ *actor, f *kmsg.DeleteACLsRequestFilter) { f.Principal = kmsg.StringPtr("User:nobody") })},
		{name: "one", ask: deleteACLs(func(_ *actor, f *kmsg.DeleteACLsRequestFilter) { f.Operation = kmsg.ACLOperationRead })},
		{name: "an unknown type", ask: deleteACLs(func(_ *actor, f *kmsg.DeleteACLsRequestFilter) { f.ResourceType = kmsg.ACLResourceTypeUnknown })},
		{name: "an unknown operation", ask: deleteACLs(func(_ *actor, f *kmsg.DeleteACLsRequestFilter) { f.Operation = 77 })},
		{name: "without permission", on: "alice", ask: deleteACLs(nil)},
	}},
}

// deniedScripts ask, in every version of each API, for what nobody allowed: of a
// topic that is there and one that is not, and of the group g.
func deniedScripts() (all []script) {
	add := func(key kmsg.Key, ask func(*actor) kmsg.Request, more ...step) {
		steps := join(topics(spec{name: "t", partitions: 1}), []step{{name: "denied", on: "alice", ask: ask}}, more)
		all = append(all, script{name: "denied " + key.Name(), key: key, steps: steps})
	}
	both := []string{"t", "nope"}
	absent := func(ask func(*actor) kmsg.Request) step {
		return step{name: "a topic that is not there", on: "alice", ask: ask}
	}
	all = append(all, script{name: "denied Produce", key: kmsg.Produce, from: 3, steps: join(topics(spec{name: "t", partitions: 1}), []step{
		{name: "denied", on: "alice", ask: produce(1, part{"t", 0, batch{records: some(1)}})},
		absent(produce(1, part{"nope", 0, batch{records: some(1)}})),
	})})
	add(kmsg.Fetch, fetch(nil, from{"t", 0, 0}), absent(fetch(nil, from{"nope", 0, 0})))
	add(kmsg.ListOffsets, listOffsets("t", 0, -1))
	add(kmsg.Metadata, req(func(x *actor, r *kmsg.MetadataRequest) {
		r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations, r.AllowAutoTopicCreation = true, true, true
		for _, name := range both {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = x.ptr(name)
			r.Topics = append(r.Topics, t)
		}
	}), step{name: "all", on: "alice", ask: req(func(x *actor, r *kmsg.MetadataRequest) {})})
	all = append(all, script{name: "denied Metadata by id", key: kmsg.Metadata, from: 12, steps: join(topics(spec{name: "t", partitions: 1}), []step{{name: "denied", on: "alice", ask: req(func(x *actor, r *kmsg.MetadataRequest) {
		t := kmsg.NewMetadataRequestTopic()
		t.TopicID = x.topicID("t")
		r.Topics = append(r.Topics, t)
	})}, absent(req(func(x *actor, r *kmsg.MetadataRequest) {
		t := kmsg.NewMetadataRequestTopic()
		t.TopicID = x.topicID("nope")
		r.Topics = append(r.Topics, t)
	}))})})
	add(kmsg.OffsetCommit, req(func(x *actor, r *kmsg.OffsetCommitRequest) {
		r.Group, r.Generation = x.name("g"), -1
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = x.name("t"), x.topicID("t")
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}))
	add(kmsg.OffsetFetch, req(func(x *actor, r *kmsg.OffsetFetchRequest) {
		r.Group = x.name("g")
		r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = x.name("g")
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: x.name("t"), TopicID: x.topicID("t"), Partitions: []int32{0}}}
		r.Groups = append(r.Groups, g)
	}))
	for i, kind := range []string{"group", "transactional id", "share partition", "kind 9"} {
		key := kmsg.FindCoordinator
		all = append(all, script{name: "denied FindCoordinator of a " + kind, key: key, from: min(int16(i), 1), steps: []step{{name: "denied", on: "alice", ask: req(func(x *actor, r *kmsg.FindCoordinatorRequest) {
			r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = []int8{0, 1, 2, 9}[i], x.name("g"), []string{x.name("g")}
			if i == 2 {
				r.CoordinatorKeys = []string{"g:AAAAAAAAAAAAAAAAAAAATQ:0"}
			}
		})}}})
	}
	add(kmsg.JoinGroup, joinGroup("g", nil))
	add(kmsg.Heartbeat, req(func(x *actor, r *kmsg.HeartbeatRequest) { r.Group, r.MemberID = x.name("g"), "m" }))
	add(kmsg.LeaveGroup, leave("g", leaver(text("m"))))
	add(kmsg.SyncGroup, req(func(x *actor, r *kmsg.SyncGroupRequest) {
		r.Group, r.MemberID, r.ProtocolType, r.Protocol = x.name("g"), "m", kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	}))
	add(kmsg.DescribeGroups, req(func(x *actor, r *kmsg.DescribeGroupsRequest) {
		r.Groups, r.IncludeAuthorizedOperations = []string{x.name("g"), x.name("h")}, true
	}))
	add(kmsg.ListGroups, req(func(x *actor, r *kmsg.ListGroupsRequest) {}))
	add(kmsg.DeleteGroups, req(func(x *actor, r *kmsg.DeleteGroupsRequest) { r.Groups = []string{x.name("g")} }))
	add(kmsg.CreateTopics, create("new", nil), step{name: "twice", on: "alice", ask: req(func(x *actor, r *kmsg.CreateTopicsRequest) {
		r.TimeoutMillis = 10000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = x.name("new"), 1, 1
		r.Topics = append(r.Topics, t, t)
	})})
	add(kmsg.DeleteTopics, req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
		r.TimeoutMillis = 10000
		for _, name := range both {
			r.TopicNames = append(r.TopicNames, x.name(name))
			r.Topics = append(r.Topics, kmsg.DeleteTopicsRequestTopic{Topic: x.ptr(name)})
		}
	}))
	all = append(all, script{name: "denied DeleteTopics by id", key: kmsg.DeleteTopics, from: 6, steps: join(topics(spec{name: "t", partitions: 1}), []step{{name: "denied", on: "alice", ask: req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
		r.TimeoutMillis = 10000
		r.Topics = append(r.Topics, kmsg.DeleteTopicsRequestTopic{TopicID: x.topicID("t")})
	})}, absent(req(func(x *actor, r *kmsg.DeleteTopicsRequest) {
		r.TimeoutMillis = 10000
		r.Topics = append(r.Topics, kmsg.DeleteTopicsRequestTopic{TopicID: x.topicID("nope")})
	}))})})
	deleteRecordsOf := func(name string) func(*actor) kmsg.Request {
		return req(func(x *actor, r *kmsg.DeleteRecordsRequest) {
			r.TimeoutMillis = 10000
			r.Topics = append(r.Topics, kmsg.DeleteRecordsRequestTopic{Topic: x.name(name), Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}})
		})
	}
	add(kmsg.DeleteRecords, deleteRecordsOf("t"), absent(deleteRecordsOf("nope")))
	createPartitionsOf := func(name string) func(*actor) kmsg.Request {
		return req(func(x *actor, r *kmsg.CreatePartitionsRequest) {
			r.TimeoutMillis = 10000
			r.Topics = append(r.Topics, kmsg.CreatePartitionsRequestTopic{Topic: x.name(name), Count: 2})
		})
	}
	add(kmsg.CreatePartitions, createPartitionsOf("t"), absent(createPartitionsOf("nope")))
	add(kmsg.InitProducerID, req(func(x *actor, r *kmsg.InitProducerIDRequest) {}), step{name: "with a transactional id", on: "alice", ask: req(func(x *actor, r *kmsg.InitProducerIDRequest) {
		r.TransactionalID, r.TransactionTimeoutMillis = x.ptr("x"), 60000
	})})
	add(kmsg.OffsetForLeaderEpoch, req(func(x *actor, r *kmsg.OffsetForLeaderEpochRequest) {
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = x.name("t")
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}))
	add(kmsg.AddPartitionsToTxn, req(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) {
		r.TransactionalID, r.ProducerID = x.name("x"), 1
		r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
		q := kmsg.NewAddPartitionsToTxnRequestTransaction()
		q.TransactionalID, q.ProducerID = x.name("x"), 1
		q.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
		r.Transactions = append(r.Transactions, q)
	}))
	add(kmsg.AddOffsetsToTxn, req(func(x *actor, r *kmsg.AddOffsetsToTxnRequest) {
		r.TransactionalID, r.ProducerID, r.Group = x.name("x"), 1, x.name("g")
	}))
	add(kmsg.EndTxn, req(func(x *actor, r *kmsg.EndTxnRequest) { r.TransactionalID, r.ProducerID = x.name("x"), 1 }))
	add(kmsg.WriteTxnMarkers, req(func(x *actor, r *kmsg.WriteTxnMarkersRequest) {
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID = 1
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
		r.Markers = append(r.Markers, m)
	}))
	add(kmsg.TxnOffsetCommit, req(func(x *actor, r *kmsg.TxnOffsetCommitRequest) {
		r.TransactionalID, r.ProducerID, r.Group, r.Generation = x.name("x"), 1, x.name("g"), -1
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = x.name("t")
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}))
	add(kmsg.DescribeACLs, describeACLs(nil))
	add(kmsg.CreateACLs, createACLs(acl(aTopic, "t", kmsg.ACLOperationRead, nil), acl(aGroup, "g", kmsg.ACLOperationRead, nil)))
	add(kmsg.DeleteACLs, deleteACLs(nil))
	configured := []struct {
		kind kmsg.ConfigResourceType
		name string
	}{{kmsg.ConfigResourceTypeTopic, "t"}, {kmsg.ConfigResourceTypeTopic, "nope"}, {kmsg.ConfigResourceTypeBroker, ""}, {kmsg.ConfigResourceTypeBrokerLogger, ""},
		{kmsg.ConfigResourceTypeGroupConfig, "g"}, {kmsg.ConfigResourceTypeClientMetrics, "m"}}
	nameOf := func(x *actor, name string) string {
		if name == "" {
			return ""
		}
		return x.name(name)
	}
	add(kmsg.DescribeConfigs, req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
		for _, c := range configured {
			r.Resources = append(r.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: c.kind, ResourceName: nameOf(x, c.name)})
		}
	}))
	add(kmsg.AlterConfigs, req(func(x *actor, r *kmsg.AlterConfigsRequest) {
		for _, c := range configured {
			r.Resources = append(r.Resources, kmsg.AlterConfigsRequestResource{ResourceType: c.kind, ResourceName: nameOf(x, c.name)})
		}
	}))
	add(kmsg.IncrementalAlterConfigs, req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
		for _, c := range configured {
			r.Resources = append(r.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: c.kind, ResourceName: nameOf(x, c.name)})
		}
	}))
	add(kmsg.AlterReplicaLogDirs, req(func(x *actor, r *kmsg.AlterReplicaLogDirsRequest) {
		r.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: "/tmp/x", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: x.name("t"), Partitions: []int32{0}}}}}
	}))
	add(kmsg.DescribeLogDirs, req(func(x *actor, r *kmsg.DescribeLogDirsRequest) {
		r.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
	}))
	add(kmsg.ElectLeaders, req(func(x *actor, r *kmsg.ElectLeadersRequest) {
		r.TimeoutMillis = 10000
		r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: x.name("t"), Partitions: []int32{0}}}
	}))
	add(kmsg.AlterPartitionAssignments, req(func(x *actor, r *kmsg.AlterPartitionAssignmentsRequest) {
		r.TimeoutMillis = 10000
		r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: x.name("t"), Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: x.nodes([]int32{node})}}}}
	}))
	add(kmsg.ListPartitionReassignments, req(func(x *actor, r *kmsg.ListPartitionReassignmentsRequest) { r.TimeoutMillis = 10000 }))
	add(kmsg.OffsetDelete, req(func(x *actor, r *kmsg.OffsetDeleteRequest) {
		r.Group = x.name("g")
		r.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: x.name("t"), Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
	}))
	add(kmsg.DescribeClientQuotas, req(func(x *actor, r *kmsg.DescribeClientQuotasRequest) {}))
	add(kmsg.AlterClientQuotas, req(func(x *actor, r *kmsg.AlterClientQuotasRequest) {
		r.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: x.ptr("u")}}, Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1024}}}}
	}))
	add(kmsg.DescribeUserSCRAMCredentials, req(func(x *actor, r *kmsg.DescribeUserSCRAMCredentialsRequest) {
		r.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "alice"}}
	}))
	add(kmsg.AlterUserSCRAMCredentials, req(func(x *actor, r *kmsg.AlterUserSCRAMCredentialsRequest) {
		r.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: x.name("u"), Mechanism: 1}}
	}))
	add(kmsg.DescribeQuorum, req(func(x *actor, r *kmsg.DescribeQuorumRequest) {
		r.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	}))
	add(kmsg.UpdateFeatures, req(func(x *actor, r *kmsg.UpdateFeaturesRequest) {
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = "group.version", 1, 1
		r.FeatureUpdates = append(r.FeatureUpdates, f)
	}))
	add(kmsg.DescribeCluster, req(func(x *actor, r *kmsg.DescribeClusterRequest) { r.IncludeClusterAuthorizedOperations = true }))
	add(kmsg.DescribeProducers, req(func(x *actor, r *kmsg.DescribeProducersRequest) {
		for _, name := range both {
			r.Topics = append(r.Topics, kmsg.DescribeProducersRequestTopic{Topic: x.name(name), Partitions: []int32{0}})
		}
	}))
	add(kmsg.UnregisterBroker, req(func(x *actor, r *kmsg.UnregisterBrokerRequest) { r.BrokerID = 77 }))
	add(kmsg.DescribeTransactions, req(func(x *actor, r *kmsg.DescribeTransactionsRequest) { r.TransactionalIDs = []string{x.name("x")} }))
	add(kmsg.ListTransactions, req(func(x *actor, r *kmsg.ListTransactionsRequest) {}))
	add(kmsg.ConsumerGroupHeartbeat, req(func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.Group, r.MemberID, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = x.name("g"), "AAAAAAAAAAAAAAAAAAAATQ", 60000, []string{x.name("t")}
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}))
	add(kmsg.ConsumerGroupDescribe, req(func(x *actor, r *kmsg.ConsumerGroupDescribeRequest) {
		r.Groups, r.IncludeAuthorizedOperations = []string{x.name("g")}, true
	}))
	add(kmsg.ListConfigResources, req(func(x *actor, r *kmsg.ListConfigResourcesRequest) {}))
	partitionsOf := func(name string) func(*actor) kmsg.Request {
		return req(func(x *actor, r *kmsg.DescribeTopicPartitionsRequest) {
			r.ResponsePartitionLimit = 100
			r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: x.name(name)})
		})
	}
	add(kmsg.DescribeTopicPartitions, partitionsOf("t"), absent(partitionsOf("nope")), step{name: "all", on: "alice", ask: req(func(x *actor, r *kmsg.DescribeTopicPartitionsRequest) { r.ResponsePartitionLimit = 100 })})
	add(kmsg.ShareGroupHeartbeat, req(func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
		r.GroupID, r.MemberID, r.SubscribedTopicNames = x.name("g"), "AAAAAAAAAAAAAAAAAAAATQ", []string{x.name("t")}
	}))
	add(kmsg.ShareGroupDescribe, req(func(x *actor, r *kmsg.ShareGroupDescribeRequest) {
		r.GroupIDs, r.IncludeAuthorizedOperations = []string{x.name("g")}, true
	}))
	add(kmsg.ShareFetch, req(func(x *actor, r *kmsg.ShareFetchRequest) {
		r.GroupID, r.MemberID, r.MaxBytes, r.MaxRecords, r.BatchSize = x.ptr("g"), kmsg.StringPtr("AAAAAAAAAAAAAAAAAAAATQ"), 1000, 10, 10
		t := kmsg.NewShareFetchRequestTopic()
		t.TopicID = x.topicID("t")
		p := kmsg.NewShareFetchRequestTopicPartition()
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}))
	add(kmsg.ShareAcknowledge, req(func(x *actor, r *kmsg.ShareAcknowledgeRequest) {
		r.GroupID, r.MemberID, r.ShareSessionEpoch = x.ptr("g"), kmsg.StringPtr("AAAAAAAAAAAAAAAAAAAATQ"), 1
	}))
	add(kmsg.AddRaftVoter, req(func(x *actor, r *kmsg.AddRaftVoterRequest) { r.VoterID = 9 }))
	add(kmsg.RemoveRaftVoter, req(func(x *actor, r *kmsg.RemoveRaftVoterRequest) { r.VoterID = 9 }))
	add(kmsg.InitializeShareGroupState, req(func(x *actor, r *kmsg.InitializeShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.InitializeShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.InitializeShareGroupStateRequestTopicPartition{{}}}}
	}))
	add(kmsg.ReadShareGroupState, req(func(x *actor, r *kmsg.ReadShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.ReadShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ReadShareGroupStateRequestTopicPartition{{}}}}
	}))
	add(kmsg.WriteShareGroupState, req(func(x *actor, r *kmsg.WriteShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.WriteShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.WriteShareGroupStateRequestTopicPartition{{}}}}
	}))
	add(kmsg.DeleteShareGroupState, req(func(x *actor, r *kmsg.DeleteShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.DeleteShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.DeleteShareGroupStateRequestTopicPartition{{}}}}
	}))
	add(kmsg.ReadShareGroupStateSummary, req(func(x *actor, r *kmsg.ReadShareGroupStateSummaryRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.ReadShareGroupStateSummaryRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ReadShareGroupStateSummaryRequestTopicPartition{{}}}}
	}))
	add(kmsg.StreamsGroupHeartbeat, req(func(x *actor, r *kmsg.StreamsGroupHeartbeatRequest) {
		r.Group, r.MemberID, r.RebalanceTimeoutMillis = x.name("g"), "AAAAAAAAAAAAAAAAAAAATQ", 60000
	}))
	add(kmsg.StreamsGroupDescribe, req(func(x *actor, r *kmsg.StreamsGroupDescribeRequest) {
		r.Groups, r.IncludeAuthorizedOperations = []string{x.name("g")}, true
	}))
	add(kmsg.DescribeShareGroupOffsets, req(func(x *actor, r *kmsg.DescribeShareGroupOffsetsRequest) {
		r.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: x.name("g"), Topics: []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: x.name("t"), Partitions: []int32{0}}}}}
	}))
	add(kmsg.AlterShareGroupOffsets, req(func(x *actor, r *kmsg.AlterShareGroupOffsetsRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: x.name("t"), Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}}}
	}))
	add(kmsg.DeleteShareGroupOffsets, req(func(x *actor, r *kmsg.DeleteShareGroupOffsetsRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: x.name("t")}}
	}))
	return all
}

// secureTable is all that minibroker answers otherwise on purpose.
var secureTable = []meant{
	{path: "*ErrorMessage", ref: `"Request is not authorized."`, sub: `"Cluster authorization failed."`, why: "texts of refused requests"},
}
