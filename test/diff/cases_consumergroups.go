package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumer is a ConsumerGroupHeartbeat: the first one of a member that consumes
// t, before edit.
func consumer(group, member string, edit func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
		if group != "" {
			r.Group = x.name(group)
		}
		x.view.opaque[member] = member // members are told apart by their ids
		r.MemberID, r.RebalanceTimeoutMillis = member, 30000
		r.SubscribedTopicNames = []string{x.name("t")}
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if edit != nil {
			edit(x, r)
		}
	})
}

// beat is a heartbeat at the epoch that an earlier one was answered with. It
// says that the member has these partitions of t; nothing if there are none.
func beat(group, member, after string, partitions ...int32) func(*actor) kmsg.Request {
	return consumer(group, member, func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.MemberEpoch = answer[kmsg.ConsumerGroupHeartbeatResponse](x, after).MemberEpoch
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.Topics = -1, nil, nil
		if len(partitions) > 0 {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: x.topicID("t"), Partitions: partitions}}
		}
	})
}

// epoch sends a heartbeat at any epoch.
func epoch(group, member string, n int32, edit func(r *kmsg.ConsumerGroupHeartbeatRequest)) func(*actor) kmsg.Request {
	return consumer(group, member, func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.MemberEpoch, r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.Topics = n, -1, nil, nil
		if edit != nil {
			edit(r)
		}
	})
}

func describeConsumers(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ConsumerGroupDescribeRequest) {
		r.IncludeAuthorizedOperations = true
		for _, n := range names {
			if n != "" {
				n = x.name(n)
			}
			r.Groups = append(r.Groups, n)
		}
	})
}

// commitAs is a commit of one offset by a member at an epoch.
func commitAs(group, member string, n int32) func(*actor) kmsg.Request {
	return commit(group, 5, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = member, n })
}

func fetchAs(group string, member *string, n int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetFetchRequest) {
		*r = *committed(group, "t", 0)(x).(*kmsg.OffsetFetchRequest)
		r.Groups[0].MemberID, r.Groups[0].MemberEpoch = member, n
	})
}

// assignAtOnce has the group assign with each change, not once a second.
func assignAtOnce(groups ...string) (steps []step) {
	for _, g := range groups {
		steps = append(steps, step{name: "assign at once: " + g, hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			res := kmsg.NewIncrementalAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, x.name(g)
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value = "consumer.assignment.interval.ms", val("0")
			res.Configs = append(res.Configs, c)
			r.Resources = append(r.Resources, res)
		})}, step{
			name: "it assigns at once: " + g, hidden: true,
			ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: x.name(g)}}
			}),
			until: shows("consumer.assignment.interval.ms", "0"),
		})
	}
	return steps
}

// classicJoin is a JoinGroup of a member that consumes t.
func classicJoin(group string, edit func(x *actor, r *kmsg.JoinGroupRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.JoinGroupRequest) {
		md := kmsg.NewConsumerMemberMetadata()
		md.Version, md.Topics = 1, []string{x.name("t")}
		x.view.opaque["c"] = "c"
		r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = x.name(group), "consumer", 30000, 30000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: md.AppendTo(nil)}}
		if edit != nil {
			edit(x, r)
		}
	})
}

var consumerGroupScripts = []script{
	{name: "consumer group heartbeat", key: kmsg.ConsumerGroupHeartbeat, steps: join(assignAtOnce("g"), topics(spec{"t", 4, nil}), []step{
		// behaviour 193
		{name: "without a rebalance timeout", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 })},
		{name: "without a subscription", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil })},
		{name: "with null partitions", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil })},
		{name: "with partitions", ask: consumer("g", "m", func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: x.topicID("t"), Partitions: []int32{0}}}
		})},
		// behaviour 194
		{name: "unknown assignor", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = val("nope") })},
		{name: "empty group", ask: consumer("", "m", nil)},
		{name: "empty instance id", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("") })},
		{name: "empty rack", ask: consumer("g", "m", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = val("") })},
		// behaviour 195
		{name: "a later epoch, unknown group", ask: epoch("g", "m", 5, nil)},
		{name: "leaves an unknown group", ask: epoch("g", "m", -1, nil)},
		// behaviours 191, 192
		{name: "a joins", ask: consumer("g", "a", nil)},
		{name: "nothing new", ask: beat("g", "a", "a joins")},
		{name: "all of it again", ask: beat("g", "a", "a joins", 0, 1, 2, 3)},
		{name: "joins once more", ask: consumer("g", "a", nil)},
		{name: "unknown member", ask: epoch("g", "x", 5, nil)},
		{name: "larger epoch", ask: epoch("g", "a", 9, nil)},
		{name: "smaller epoch", ask: epoch("g", "a", 1, nil)},
		{name: "epoch -3", ask: epoch("g", "a", -3, nil)},
		{name: "epoch -2 without an instance id", ask: epoch("g", "a", -2, nil)},
		{name: "unknown instance id", ask: epoch("g", "a", 2, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		// behaviour 196
		{name: "b joins", ask: consumer("g", "b", nil)},
		{name: "b waits", ask: beat("g", "b", "b joins")},
		{name: "a must give up some", ask: beat("g", "a", "a joins")},
		{name: "a still has them", ask: beat("g", "a", "a joins", 0, 1, 2, 3)},
		{name: "a is at its old epoch", ask: commitAs("g", "a", 2)},
		// behaviour 197
		{name: "a leaves", ask: epoch("g", "a", -1, nil)},
		{name: "a leaves again", ask: epoch("g", "a", -1, nil)},
		{name: "b has all", ask: beat("g", "b", "b joins")},
		{name: "b subscribes to nothing", ask: consumer("g", "b", func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.MemberEpoch = answer[kmsg.ConsumerGroupHeartbeatResponse](x, "b has all").MemberEpoch
			r.SubscribedTopicNames = []string{}
		})},
		{name: "and to a topic that does not exist", ask: consumer("g", "b", func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.MemberEpoch = answer[kmsg.ConsumerGroupHeartbeatResponse](x, "b subscribes to nothing").MemberEpoch
			r.SubscribedTopicNames = []string{x.name("nope")}
		})},
		{name: "and to the topic again", ask: consumer("g", "b", func(x *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.MemberEpoch = answer[kmsg.ConsumerGroupHeartbeatResponse](x, "and to a topic that does not exist").MemberEpoch
		})},
		{name: "b leaves", ask: epoch("g", "b", -1, nil)},
	})},
	{name: "consumer group static members", key: kmsg.ConsumerGroupHeartbeat, steps: join(assignAtOnce("g"), topics(spec{"t", 2, nil}), []step{
		{name: "a joins", ask: consumer("g", "a", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		// behaviour 198
		{name: "its instance id is in use", ask: consumer("g", "b", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "also for itself", ask: consumer("g", "a", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "another member with it", ask: epoch("g", "b", 2, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "leaves for a while", ask: epoch("g", "a", -2, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "is described", ask: describeConsumers("g")},
		{name: "b comes back as it", ask: consumer("g", "b", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "a is fenced", ask: epoch("g", "a", 2, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
		{name: "b leaves", ask: epoch("g", "b", -1, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = val("i") })},
	})},
	{name: "consumer group regular expressions", key: kmsg.ConsumerGroupHeartbeat, from: 1, steps: join(assignAtOnce("g"), topics(spec{"t", 2, nil}), []step{
		{name: "an invalid one", ask: consumer("g", "a", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, val("a(")
		})},
		{name: "with names too", ask: consumer("g", "a", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = val("") })},
		{name: "no member id", ask: consumer("g", "", nil)},
	})},
	{name: "consumer group describe", key: kmsg.ConsumerGroupDescribe, steps: join(assignAtOnce("g"), topics(spec{"t", 2, nil}), member("classic"), []step{
		{name: "a joins", ask: consumer("g", "a", nil)},
		{name: "described", ask: describeConsumers("g")},
		{name: "b joins", ask: consumer("g", "b", func(_ *actor, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID, r.RackID = val("i"), val("r") })},
		{name: "b is described", ask: describeConsumers("g")},
		// behaviour 200
		{name: "a classic group", ask: describeConsumers("classic")},
		{name: "an unknown group", ask: describeConsumers("other")},
		{name: "an empty name", ask: describeConsumers("")},
		// behaviour 199
		{name: "as a classic group", ask: describeGroups("g")},
		{name: "as a classic group, v5", at: new(int16(5)), ask: describeGroups("g")},
		{name: "is listed", mine: groupsList, ask: listGroups(nil)},
		{name: "is deleted", ask: deleteGroups("g")},
		// behaviour 201
		{name: "commits", ask: commitAs("g", "a", 2)},
		{name: "a larger epoch", ask: commitAs("g", "a", 9)},
		{name: "a smaller epoch", ask: commitAs("g", "a", 1)},
		{name: "an unknown member", ask: commitAs("g", "x", 2)},
		{name: "nobody", ask: commitAs("g", "", -1)},
		{name: "an old version", at: new(int16(8)), ask: commitAs("g", "a", 2)},
		// behaviour 202
		{name: "fetched by nobody", ask: fetchAs("g", nil, -1)},
		{name: "fetched by the member", ask: fetchAs("g", val("a"), 2)},
		{name: "fetched at a larger epoch", ask: fetchAs("g", val("a"), 9)},
		{name: "fetched by an unknown member", ask: fetchAs("g", val("x"), 2)},
		{name: "offsets of a subscribed topic", ask: offsetDelete("g", "t", 0)},
		{name: "a leaves", ask: epoch("g", "a", -1, nil)},
		{name: "b leaves", ask: epoch("g", "b", -1, nil)},
		{name: "an empty group is described", ask: describeConsumers("g")},
		{name: "is deleted then", ask: deleteGroups("g")},
		{name: "it is gone", ask: describeConsumers("g")},
	})},
	{name: "consumer group of both protocols", key: kmsg.ConsumerGroupHeartbeat, steps: join(assignAtOnce("g"), topics(spec{"t", 2, nil}), []step{
		{name: "a joins", ask: consumer("g", "a", nil)},
		// behaviour 203
		{name: "another protocol type", at: new(int16(3)), ask: classicJoin("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })},
		{name: "a short session", at: new(int16(3)), ask: classicJoin("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 })},
		{name: "c joins", at: new(int16(9)), ask: classicJoin("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.MemberID = "c" })},
		{name: "c syncs", ask: req(func(x *actor, r *kmsg.SyncGroupRequest) {
			r.Group, r.MemberID, r.Generation = x.name("g"), "c", answer[kmsg.JoinGroupResponse](x, "c joins").Generation
			r.ProtocolType, r.Protocol = val("consumer"), val("range")
		})},
		{name: "c is alive", ask: heartbeat("g", "c joins", nil)},
		{name: "in an old generation", ask: heartbeat("g", "c joins", func(_ *actor, r *kmsg.HeartbeatRequest) { r.Generation-- })},
		{name: "a consumer's classic heartbeat", ask: heartbeat("g", "c joins", func(_ *actor, r *kmsg.HeartbeatRequest) { r.MemberID = "a" })},
		{name: "described", ask: describeConsumers("g")},
		{name: "a is no classic member", ask: leave("g", leaver(text("a")))},
		{name: "a leaves", ask: epoch("g", "a", -1, nil)},
		{name: "it is a classic group now", ask: describeGroups("g")},
		{name: "c must join anew", ask: heartbeat("g", "c joins", nil)},
		{name: "c joins again", at: new(int16(9)), ask: classicJoin("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.MemberID = "c" })},
		{name: "a comes back", ask: consumer("g", "a", nil)},
		{name: "and is described", ask: describeConsumers("g")},
		{name: "c joins a third time", at: new(int16(9)), ask: classicJoin("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.MemberID = "c" })},
		{name: "c leaves", ask: leave("g", leaver(text("c")))},
		{name: "a is alone", ask: beat("g", "a", "a comes back")},
		{name: "a leaves for good", ask: epoch("g", "a", -1, nil)},
	})},
}
