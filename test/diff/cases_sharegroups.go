package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sharer is a ShareGroupHeartbeat: the first one of a member that consumes t,
// before edit.
func sharer(group, member string, edit func(x *actor, r *kmsg.ShareGroupHeartbeatRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
		if group != "" {
			r.GroupID = x.name(group)
		}
		x.view.opaque[member] = member // members are told apart by their ids
		r.MemberID, r.SubscribedTopicNames = member, []string{x.name("t")}
		if edit != nil {
			edit(x, r)
		}
	})
}

// shareBeat is a heartbeat at the epoch that an earlier one was answered with.
func shareBeat(group, member, after string) func(*actor) kmsg.Request {
	return sharer(group, member, func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
		r.MemberEpoch = answer[kmsg.ShareGroupHeartbeatResponse](x, after).MemberEpoch
		r.SubscribedTopicNames = nil
	})
}

// shareEpoch sends a heartbeat at any epoch.
func shareEpoch(group, member string, n int32) func(*actor) kmsg.Request {
	return sharer(group, member, func(_ *actor, r *kmsg.ShareGroupHeartbeatRequest) {
		r.MemberEpoch, r.SubscribedTopicNames = n, nil
	})
}

// sharesFromStart has share groups begin at the log's start, and assign with
// each change.
func sharesFromStart(groups ...string) (steps []step) {
	configs := map[string]string{"share.assignment.interval.ms": "0", "share.auto.offset.reset": "earliest"}
	for _, g := range groups {
		steps = append(steps, step{name: "configure: " + g, hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			res := kmsg.NewIncrementalAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, x.name(g)
			for name, value := range configs {
				c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
				c.Name, c.Value = name, val(value)
				res.Configs = append(res.Configs, c)
			}
			r.Resources = append(r.Resources, res)
		})}, step{name: "configured: " + g, hidden: true, ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
			res := kmsg.NewDescribeConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, x.name(g)
			r.Resources = append(r.Resources, res)
		}), until: func(resp kmsg.Response) bool {
			set := 0
			for _, res := range resp.(*kmsg.DescribeConfigsResponse).Resources {
				for _, c := range res.Configs {
					if want, ok := configs[c.Name]; ok && c.Value != nil && *c.Value == want {
						set++
					}
				}
			}
			return set == len(configs)
		}})
	}
	return steps
}

// shareCoordinators finds the coordinators, so that their topics are there.
func shareCoordinators(group string) []step {
	found := func(resp kmsg.Response) bool {
		for _, c := range resp.(*kmsg.FindCoordinatorResponse).Coordinators {
			if c.ErrorCode != 0 {
				return false
			}
		}
		return true
	}
	return []step{
		{name: "find the group's coordinator", hidden: true, until: found, ask: req(func(x *actor, r *kmsg.FindCoordinatorRequest) {
			r.CoordinatorKeys = []string{x.name(group)}
		})},
		{name: "find the share coordinator", hidden: true, until: found, ask: req(func(x *actor, r *kmsg.FindCoordinatorRequest) {
			r.CoordinatorType, r.CoordinatorKeys = 2, []string{x.name(group) + ":AAAAAAAAAAAAAAAAAAAAAQ:0"}
		})},
	}
}

// joinedShare makes a share group with one member that has all n partitions of
// t. The heartbeat that gave it them is kept as "assigned to " and its name.
func joinedShare(group, member string, n int) []step {
	return join(shareCoordinators(group), sharesFromStart(group), []step{
		{name: member + " joined", hidden: true, ask: sharer(group, member, nil), until: func(resp kmsg.Response) bool {
			return resp.(*kmsg.ShareGroupHeartbeatResponse).ErrorCode == 0
		}},
		{name: "initialized for " + member, hidden: true, ask: shareOffsets(group), until: func(resp kmsg.Response) bool {
			begun := 0
			for _, g := range resp.(*kmsg.DescribeShareGroupOffsetsResponse).Groups {
				for _, t := range g.Topics {
					begun += len(t.Partitions)
				}
			}
			return begun == n
		}},
		{name: "assigned to " + member, hidden: true, ask: sharer(group, member, func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
			r.MemberEpoch = answer[kmsg.ShareGroupHeartbeatResponse](x, member+" joined").MemberEpoch
		}), until: func(resp kmsg.Response) bool {
			r := resp.(*kmsg.ShareGroupHeartbeatResponse)
			return r.Assignment != nil && len(r.Assignment.TopicPartitions) > 0
		}},
	})
}

// shareOffsets describes where a group is: in all of its partitions, or in
// partitions 0 of topics.
func shareOffsets(group string, topics ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeShareGroupOffsetsRequest) {
		g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
		g.GroupID = x.name(group)
		for _, t := range topics {
			g.Topics = append(g.Topics, kmsg.DescribeShareGroupOffsetsRequestGroupTopic{Topic: x.name(t), Partitions: []int32{0}})
		}
		r.Groups = append(r.Groups, g)
	})
}

// shareFetch fetches t's partition 0 as a member at a session epoch, before
// edit.
func shareFetch(group, member string, n int32, edit func(x *actor, r *kmsg.ShareFetchRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ShareFetchRequest) {
		r.GroupID, r.MemberID, r.ShareSessionEpoch = x.ptr(group), val(member), n
		// What is there comes at once, but for Kafka's first fetch, which loads
		// the state.
		r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.MaxRecords, r.BatchSize = 10000, 1, 1<<20, 500, 500
		if n == 0 {
			r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ShareFetchRequestTopicPartition{{Partition: 0}}}}
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

// noWait is a fetch of what is not there: it need not wait long.
func noWait(_ *actor, r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 50 }

// alsoAcks makes a fetch only acknowledge records of t's partition 0: whether
// Kafka would give out again what is released in it is a matter of luck.
func alsoAcks(first, last int64, types ...int8) func(*actor, *kmsg.ShareFetchRequest) {
	return func(x *actor, r *kmsg.ShareFetchRequest) {
		r.MaxRecords = 0
		r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ShareFetchRequestTopicPartition{{
			AcknowledgementBatches: []kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types}},
		}}}}
	}
}

// acks acknowledges records of t's partition 0.
func acks(group, member string, n int32, first, last int64, types ...int8) func(*actor) kmsg.Request {
	return acksWith(group, member, n, nil, kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types})
}

func acksWith(group, member string, n int32, edit func(x *actor, r *kmsg.ShareAcknowledgeRequest), batches ...kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ShareAcknowledgeRequest) {
		r.GroupID, r.MemberID, r.ShareSessionEpoch = x.ptr(group), val(member), n
		r.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{{AcknowledgementBatches: batches}}}}
		if edit != nil {
			edit(x, r)
		}
	})
}

func describeShares(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ShareGroupDescribeRequest) {
		r.IncludeAuthorizedOperations = true
		for _, n := range names {
			if n != "" {
				n = x.name(n)
			}
			r.GroupIDs = append(r.GroupIDs, n)
		}
	})
}

// alterShares sets where a group is in one partition.
func alterShares(group, topic string, partition int32, offset int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterShareGroupOffsetsRequest) {
		if group != "" {
			r.GroupID = x.name(group)
		}
		r.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: x.name(topic), Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: partition, StartOffset: offset}}}}
	})
}

func deleteShares(group string, topics ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteShareGroupOffsetsRequest) {
		if group != "" {
			r.GroupID = x.name(group)
		}
		for _, t := range topics {
			r.Topics = append(r.Topics, kmsg.DeleteShareGroupOffsetsRequestTopic{Topic: x.name(t)})
		}
	})
}

// leaves ends a member's session and its membership.
func leaves(group, member string) []step {
	return []step{
		{name: member + " ends its session", ask: shareFetch(group, member, -1, nil)},
		{name: member + " leaves", ask: shareEpoch(group, member, -1)},
	}
}

// letters are records "x0", "x1", ... in t's partition 0.
func letters(n int) step {
	return step{name: "produce", hidden: true, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
		r.Acks, r.TimeoutMillis = -1, 10000
		addBatch(x, r, "t", 0, batch{records: some(n)}.bytes())
	})}
}

// initState, writeState and so on are the requests that brokers send to the
// share coordinator.
func initState(partition, epoch int32, start int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.InitializeShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.InitializeShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.InitializeShareGroupStateRequestTopicPartition{{Partition: partition, StateEpoch: epoch, StartOffset: start}}}}
	})
}

func readState(partition, leaderEpoch int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ReadShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.ReadShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ReadShareGroupStateRequestTopicPartition{{Partition: partition, LeaderEpoch: leaderEpoch}}}}
	})
}

func writeState(partition, stateEpoch, leaderEpoch int32, start int64, batches ...kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.WriteShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.WriteShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.WriteShareGroupStateRequestTopicPartition{{
			Partition: partition, StateEpoch: stateEpoch, LeaderEpoch: leaderEpoch, StartOffset: start, DeliveryCompleteCount: 1, StateBatches: batches,
		}}}}
	})
}

func stateBatch(first, last int64, state int8, count int16) kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch {
	return kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch{FirstOffset: first, LastOffset: last, DeliveryState: state, DeliveryCount: count}
}

func stateSummary(partition int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ReadShareGroupStateSummaryRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.ReadShareGroupStateSummaryRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ReadShareGroupStateSummaryRequestTopicPartition{{Partition: partition}}}}
	})
}

func deleteState(partition int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteShareGroupStateRequest) {
		r.GroupID = x.name("g")
		r.Topics = []kmsg.DeleteShareGroupStateRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.DeleteShareGroupStateRequestTopicPartition{{Partition: partition}}}}
	})
}

// kfakeWaits is why most scripts are not for kfake.
var kfakeWaits = []exclusion{{kfakeName, "it waits out max_wait where Apache Kafka answers at once, and has no share coordinator"}}

// shareGroupScripts are the scripts about share groups (KIP-932).
var shareGroupScripts = []script{
	{name: "share group heartbeat", key: kmsg.ShareGroupHeartbeat, steps: join(shareCoordinators("g"), sharesFromStart("g"), topics(spec{"t", 1, nil}), []step{
		// behaviour 204
		{name: "no member id", ask: sharer("g", "", nil)},
		{name: "a member id of 37 characters", ask: sharer("g", "0123456789012345678901234567890123456", nil)},
		{name: "empty group", ask: sharer("", "m", nil)},
		{name: "empty rack", ask: sharer("g", "m", func(_ *actor, r *kmsg.ShareGroupHeartbeatRequest) { r.RackID = val("") })},
		{name: "unknown group", ask: shareEpoch("g", "m", 1)},
		{name: "leaves an unknown group", ask: shareEpoch("g", "m", -1)},
		{name: "without a subscription", ask: sharer("g", "m", func(_ *actor, r *kmsg.ShareGroupHeartbeatRequest) { r.SubscribedTopicNames = nil })},
		{name: "with an empty subscription", ask: sharer("g", "m", func(_ *actor, r *kmsg.ShareGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{} })},
		{name: "epoch -2", ask: shareEpoch("g", "m", -2)},
	}, joinedShare("g", "a", 1), []step{
		{name: "nothing new", ask: shareBeat("g", "a", "assigned to a")},
		{name: "a full heartbeat", ask: sharer("g", "a", func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
			r.MemberEpoch = answer[kmsg.ShareGroupHeartbeatResponse](x, "assigned to a").MemberEpoch
		})},
		{name: "joins once more", ask: sharer("g", "a", nil)},
		{name: "larger epoch", ask: shareEpoch("g", "a", 9)},
		{name: "unknown member", ask: shareEpoch("g", "x", 1)},
		{name: "b joins", ask: sharer("g", "b", nil)},
		{name: "a then", ask: shareBeat("g", "a", "assigned to a")},
		{name: "an epoch back", ask: shareBeat("g", "a", "assigned to a")},
		{name: "b subscribes to nothing", ask: sharer("g", "b", func(x *actor, r *kmsg.ShareGroupHeartbeatRequest) {
			r.MemberEpoch, r.SubscribedTopicNames = answer[kmsg.ShareGroupHeartbeatResponse](x, "b joins").MemberEpoch, []string{}
		})},
		{name: "a has all again", ask: shareBeat("g", "a", "a then")},
		{name: "b leaves", ask: shareEpoch("g", "b", -1)},
		{name: "b leaves twice", ask: shareEpoch("g", "b", -1)},
		{name: "a leaves", ask: shareEpoch("g", "a", -1)},
		{name: "the group is empty", ask: shareBeat("g", "a", "a then")},
	})},
	{name: "share group describe", key: kmsg.ShareGroupDescribe, steps: join(topics(spec{"t", 2, nil}), joinedShare("g", "a", 2), []step{
		{name: "with a member", ask: describeShares("g")},
		{name: "one that is none", ask: describeShares("nope")},
		{name: "empty", ask: describeShares("")},
		{name: "as a consumer group", ask: describeConsumers("g")},
		{name: "as a classic group", ask: req(func(x *actor, r *kmsg.DescribeGroupsRequest) { r.Groups = []string{x.name("g")} })},
		{name: "as an old classic group", at: val(int16(5)), ask: req(func(x *actor, r *kmsg.DescribeGroupsRequest) { r.Groups = []string{x.name("g")} })},
		{name: "in the list", mine: []string{"Groups"}, ask: req(func(*actor, *kmsg.ListGroupsRequest) {})},
		{name: "in the list of share groups", mine: []string{"Groups"}, ask: req(func(_ *actor, r *kmsg.ListGroupsRequest) { r.TypesFilter = []string{"share"} })},
		{name: "a consumer's heartbeat", ask: consumer("g", "m", nil)}, // behaviour 211
		{name: "a classic member", ask: joinGroup("g", nil)},
		{name: "its sync", ask: req(func(x *actor, r *kmsg.SyncGroupRequest) {
			r.Group, r.MemberID, r.ProtocolType, r.Protocol = x.name("g"), "m", val("consumer"), val("range")
		})},
		{name: "its heartbeat", ask: req(func(x *actor, r *kmsg.HeartbeatRequest) { r.Group, r.MemberID = x.name("g"), "m" })},
		{name: "its leaving", ask: req(func(x *actor, r *kmsg.LeaveGroupRequest) {
			r.Group, r.Members = x.name("g"), []kmsg.LeaveGroupRequestMember{{MemberID: "m"}}
		})},
		{name: "commit without a member", ask: commitAs("g", "", -1)},
		{name: "commit", ask: commitAs("g", "a", 1)},
		{name: "old commit", at: val(int16(8)), ask: commitAs("g", "a", 1)},
		{name: "fetch offsets", ask: committed("g", "t", 0)},
		{name: "delete offsets", ask: req(func(x *actor, r *kmsg.OffsetDeleteRequest) {
			r.Group, r.Topics = x.name("g"), []kmsg.OffsetDeleteRequestTopic{{Topic: x.name("t"), Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}
		})},
		{name: "delete it", ask: req(func(x *actor, r *kmsg.DeleteGroupsRequest) { r.Groups = []string{x.name("g")} })},
		{name: "a leaves", ask: shareEpoch("g", "a", -1)},
		{name: "without members", ask: describeShares("g")},
		{name: "delete it then", ask: req(func(x *actor, r *kmsg.DeleteGroupsRequest) { r.Groups = []string{x.name("g")} })},
		{name: "deleted", ask: describeShares("g")},
	})},
	{name: "share fetch", not: kfakeWaits, key: kmsg.ShareFetch, steps: join(topics(spec{"t", 1, nil}), joinedShare("g", "a", 1), []step{
		letters(10),
		{name: "no group", ask: shareFetch("g", "a", 0, func(_ *actor, r *kmsg.ShareFetchRequest) { r.GroupID = nil })},
		{name: "no member", ask: shareFetch("g", "a", 0, func(_ *actor, r *kmsg.ShareFetchRequest) { r.MemberID = nil })},
		{name: "no session to go on with", ask: shareFetch("g", "a", 1, nil)},
		{name: "no session to end", ask: shareFetch("g", "a", -1, nil)},
		{name: "begins with an acknowledgement", ask: shareFetch("g", "a", 0, alsoAcks(0, 0, 1))},
		{name: "an unknown topic", ask: shareFetch("g", "u", 0, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.Topics[0].TopicID = x.topicID("nope")
		})},
		{name: "an unknown partition", ask: shareFetch("g", "u", 0, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.Topics[0].Partitions[0].Partition = 7
		})},
		// behaviour 206
		{name: "first", ask: shareFetch("g", "a", 0, nil)},
		{name: "nothing new", ask: shareFetch("g", "a", 1, noWait)},
		{name: "the wrong epoch", ask: shareFetch("g", "a", 7, nil)}, // behaviour 207
		{name: "accept half", ask: shareFetch("g", "a", 2, alsoAcks(0, 4, 1))},
		{name: "release one by one", ask: shareFetch("g", "a", 3, alsoAcks(5, 9, 2, 1, 3, 0, 2))},
		// behaviour 209
		{name: "again", ask: shareFetch("g", "a", 4, nil)},
		{name: "an acknowledgement that fails", ask: shareFetch("g", "a", 5, alsoAcks(6, 6, 1))},
		{name: "offsets never acquired", ask: shareFetch("g", "a", 6, alsoAcks(20, 21, 1))},
		{name: "backwards", ask: shareFetch("g", "a", 7, alsoAcks(6, 5, 1))},
		{name: "too many types", ask: shareFetch("g", "a", 8, alsoAcks(5, 6, 1, 1, 1))},
		{name: "no types", ask: shareFetch("g", "a", 9, alsoAcks(5, 6))},
		{name: "type 9", ask: shareFetch("g", "a", 10, alsoAcks(5, 5, 9))},
		{name: "renew without saying so", ask: shareFetch("g", "a", 11, alsoAcks(5, 5, 4))},
		{name: "a member that never joined", ask: shareFetch("g", "z", 0, noWait)}, // behaviour 210
		{name: "forgotten", ask: shareFetch("g", "a", 12, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.ForgottenTopicsData = []kmsg.ShareFetchRequestForgottenTopicsData{{TopicID: x.topicID("t"), Partitions: []int32{0}}}
		})},
		{name: "added again", ask: shareFetch("g", "a", 13, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: x.topicID("t"), Partitions: []kmsg.ShareFetchRequestTopicPartition{{}}}}
		})},
		{name: "end with acknowledgements", ask: shareFetch("g", "a", -1, alsoAcks(5, 5, 1))},
		{name: "ended", ask: shareFetch("g", "a", 14, nil)},
		{name: "what was on loan", ask: shareFetch("g", "b", 0, nil)},
		{name: "no records wanted", ask: shareFetch("g", "b", 1, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.MaxRecords = 0
		})},
	})},
	{name: "share fetch modes", not: kfakeWaits, key: kmsg.ShareFetch, steps: join(topics(spec{"t", 1, nil}), joinedShare("g", "a", 1), []step{
		letters(4), letters(4), letters(4), letters(4),
		{name: "batch mode", ask: shareFetch("g", "a", 0, func(_ *actor, r *kmsg.ShareFetchRequest) { r.MaxRecords = 6 })},
		{name: "record mode", ask: shareFetch("g", "a", 1, func(_ *actor, r *kmsg.ShareFetchRequest) { r.MaxRecords, r.ShareAcquireMode = 3, 1 })},
		{name: "release all", ask: shareFetch("g", "a", 2, alsoAcks(0, 10, 2))},
		{name: "by batches", ask: shareFetch("g", "a", 3, func(_ *actor, r *kmsg.ShareFetchRequest) { r.BatchSize = 2 })},
		{name: "release some", ask: shareFetch("g", "a", 4, func(x *actor, r *kmsg.ShareFetchRequest) {
			alsoAcks(0, 3, 2)(x, r)
		})},
		{name: "two of them in record mode", ask: shareFetch("g", "a", 5, func(_ *actor, r *kmsg.ShareFetchRequest) { r.MaxRecords, r.ShareAcquireMode = 2, 1 })},
		{name: "few bytes", ask: shareFetch("g", "a", 6, func(x *actor, r *kmsg.ShareFetchRequest) {
			noWait(x, r)
			r.MaxBytes = 1
		})},
		{name: "a renewal that wants records", ask: shareFetch("g", "a", 7, func(x *actor, r *kmsg.ShareFetchRequest) {
			alsoAcks(4, 7, 4)(x, r)
			r.IsRenewAck, r.MaxRecords = true, 1
		})},
		{name: "renew", ask: shareFetch("g", "a", 7, func(x *actor, r *kmsg.ShareFetchRequest) {
			alsoAcks(4, 7, 4)(x, r)
			r.IsRenewAck, r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.MaxRecords = true, 0, 0, 0, 0
		})},
	})},
	{name: "share acknowledge", not: kfakeWaits, key: kmsg.ShareAcknowledge, steps: join(topics(spec{"t", 1, nil}), joinedShare("g", "a", 1), []step{
		letters(10),
		{name: "no group", ask: acksWith("g", "a", 0, func(_ *actor, r *kmsg.ShareAcknowledgeRequest) { r.GroupID = nil })},
		{name: "no member", ask: acksWith("g", "a", 0, func(_ *actor, r *kmsg.ShareAcknowledgeRequest) { r.MemberID = val("") })},
		{name: "no session", ask: acks("g", "a", 1, 0, 0, 1)},
		{name: "no session to end", ask: acks("g", "a", -1, 0, 0, 1)},
		{name: "epoch 0", ask: acks("g", "a", 0, 0, 0, 1)},
		{name: "fetch", ask: shareFetch("g", "a", 0, nil), hidden: true},
		{name: "the wrong epoch", ask: acks("g", "a", 7, 0, 0, 1)},  // behaviour 207
		{name: "type 9", ask: acks("g", "a", 1, 0, 0, 9)},           // behaviour 208
		{name: "never acquired", ask: acks("g", "a", 2, 20, 21, 1)}, // behaviour 208
		{name: "past the end", ask: acks("g", "a", 3, 8, 12, 1)},
		{name: "two", ask: acks("g", "a", 4, 0, 1, 1)},
		{name: "the same again", ask: acks("g", "a", 5, 0, 1, 1)},
		{name: "one of each", ask: acks("g", "a", 6, 2, 5, 0, 1, 2, 3)},
		{name: "one that was released", ask: acks("g", "a", 7, 4, 4, 1)},
		{name: "an unknown topic", ask: acksWith("g", "a", 8, func(x *actor, r *kmsg.ShareAcknowledgeRequest) { r.Topics[0].TopicID = x.topicID("nope") })},
		{name: "an unknown partition", ask: acksWith("g", "a", 9, func(_ *actor, r *kmsg.ShareAcknowledgeRequest) { r.Topics[0].Partitions[0].Partition = 7 })},
		{name: "nothing", ask: acksWith("g", "a", 10, nil)},
		{name: "b begins", ask: shareFetch("g", "b", 0, func(_ *actor, r *kmsg.ShareFetchRequest) { r.MaxRecords = 0 }), hidden: true},
		{name: "another's records", ask: acks("g", "b", 1, 6, 7, 1)},
		{name: "backwards", ask: acks("g", "a", 11, 7, 6, 1)},
		{name: "in two batches", ask: acksWith("g", "a", 12, nil,
			kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 6, LastOffset: 6, AcknowledgeTypes: []int8{1}},
			kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 7, LastOffset: 7, AcknowledgeTypes: []int8{2}})},
		{name: "batches that overlap", ask: acksWith("g", "a", 13, nil,
			kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 8, LastOffset: 9, AcknowledgeTypes: []int8{1}},
			kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 8, LastOffset: 8, AcknowledgeTypes: []int8{1}})},
		{name: "renew without saying so", ask: acks("g", "a", 14, 8, 8, 4)},
		{name: "renew", ask: acksWith("g", "a", 15, func(_ *actor, r *kmsg.ShareAcknowledgeRequest) { r.IsRenewAck = true },
			kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 8, LastOffset: 8, AcknowledgeTypes: []int8{4}})},
		{name: "accept and end", ask: acks("g", "a", -1, 8, 9, 1)},
		{name: "ended", ask: acks("g", "a", 16, 9, 9, 1)},
		{name: "what is left", ask: shareFetch("g", "b", 2, nil)},
	})},
	{name: "share group offsets", not: kfakeWaits, key: kmsg.DescribeShareGroupOffsets, steps: join(topics(spec{"t", 2, nil}), joinedShare("g", "a", 2), []step{
		letters(10),
		{name: "at first", ask: shareOffsets("g")},
		{name: "fetch", ask: shareFetch("g", "a", 0, nil), hidden: true},
		{name: "accept", ask: acks("g", "a", 1, 0, 3, 1), hidden: true},
		{name: "after four", ask: shareOffsets("g")},
		{name: "accept more", ask: acks("g", "a", 2, 6, 7, 1), hidden: true},
		{name: "after six", ask: shareOffsets("g")},
		{name: "by name", ask: shareOffsets("g", "t", "nope")},
		{name: "of a group that is none", ask: shareOffsets("nope")},
		{name: "of a group that is none, by name", ask: shareOffsets("nope", "t")},
		{name: "set with a member", ask: alterShares("g", "t", 0, 2)},
		{name: "delete with a member", ask: deleteShares("g", "t")},
	}, leaves("g", "a"), []step{
		{name: "set", ask: alterShares("g", "t", 0, 2)},
		{name: "set, an unknown topic", ask: alterShares("g", "nope", 0, 2)},
		{name: "set, an unknown partition", ask: alterShares("g", "t", 7, 2)},
		{name: "set, no group", ask: alterShares("", "t", 0, 2)},
		{name: "then", ask: shareOffsets("g")},
		{name: "delete", ask: deleteShares("g", "t")},
		{name: "delete again", ask: deleteShares("g", "t")},
		{name: "delete, an unknown topic", ask: deleteShares("g", "nope")},
		{name: "delete, no group", ask: deleteShares("", "t")},
		{name: "delete, an unknown group", ask: deleteShares("nope", "t")},
		{name: "deleted", ask: shareOffsets("g")},
		{name: "set in a new group", ask: alterShares("new", "t", 0, 3)},
		{name: "the new group", ask: describeShares("new")},
		{name: "its offsets", ask: shareOffsets("new")},
	})},
	{name: "share group state", not: kfakeWaits, key: kmsg.WriteShareGroupState, steps: join(shareCoordinators("g"), topics(spec{"t", 1, nil}), []step{
		{name: "read nothing", ask: readState(0, 0)},
		{name: "summary of nothing", ask: stateSummary(0)},
		{name: "write to nothing", ask: writeState(0, 1, 0, 0)},
		{name: "delete nothing", ask: deleteState(0)},
		{name: "initialize", ask: initState(0, 5, 10)},
		{name: "initialize, older", ask: initState(0, 4, 0)},
		{name: "initialize, an unknown partition", ask: initState(7, 1, 0)},
		{name: "initialize, partition -1", ask: initState(-1, 1, 0)},
		{name: "read", ask: readState(0, 0)},
		{name: "summary", ask: stateSummary(0)},
		{name: "write", ask: writeState(0, 5, 0, 11, stateBatch(11, 14, 2, 1), stateBatch(15, 19, 0, 1))},
		{name: "write more", ask: writeState(0, 5, 0, -1, stateBatch(13, 16, 0, 2), stateBatch(25, 26, 4, 5))},
		{name: "read then", ask: readState(0, 0)},
		{name: "move the start", ask: writeState(0, 5, 0, 16)},
		{name: "read after that", ask: readState(0, 0)},
		{name: "write, older state", ask: writeState(0, 4, 0, 11)},
		{name: "another leader", ask: readState(0, 3)},
		{name: "read, older leader", ask: readState(0, 2)},
		{name: "write, older leader", ask: writeState(0, 5, 2, 11)},
		{name: "write, partition -1", ask: writeState(-1, 5, 2, 11)},
		{name: "read, partition -1", ask: readState(-1, 2)},
		{name: "read, an unknown partition", ask: readState(7, 2)},
		{name: "summary at last", ask: stateSummary(0)},
		{name: "delete", ask: deleteState(0)},
		{name: "delete, an unknown partition", ask: deleteState(7)},
		{name: "read what is deleted", ask: readState(0, 0)},
		{name: "no group", ask: req(func(x *actor, r *kmsg.WriteShareGroupStateRequest) {
			*r = *writeState(0, 1, 0, 0)(x).(*kmsg.WriteShareGroupStateRequest)
			r.GroupID = ""
		})},
	})},
}
