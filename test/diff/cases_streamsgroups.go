package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sub is a subtopology that reads t.
func sub(x *actor, id string, edit func(s *kmsg.StreamsGroupHeartbeatRequestTopologySubtopology)) kmsg.StreamsGroupHeartbeatRequestTopologySubtopology {
	s := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
	s.SubtopologyID, s.SourceTopics = id, []string{x.name("t")}
	if edit != nil {
		edit(&s)
	}
	return s
}

// second is a subtopology that reads the repartition topic r, and keeps a state
// with the changelog c.
func second(x *actor, edit func(s *kmsg.StreamsGroupHeartbeatRequestTopologySubtopology)) kmsg.StreamsGroupHeartbeatRequestTopologySubtopology {
	return sub(x, "1", func(s *kmsg.StreamsGroupHeartbeatRequestTopologySubtopology) {
		s.SourceTopics = nil
		s.RepartitionSourceTopics = []kmsg.TopicInfo{{Topic: x.name("r")}}
		s.StateChangelogTopics = []kmsg.TopicInfo{{Topic: x.name("c"), Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "compact"}}}}
		if edit != nil {
			edit(s)
		}
	})
}

// streams is a StreamsGroupHeartbeat: the first one of a member whose topology
// is the subtopologies, or one that reads t if there are none; before edit.
func streams(group, member string, edit func(x *actor, r *kmsg.StreamsGroupHeartbeatRequest), subs ...func(x *actor) kmsg.StreamsGroupHeartbeatRequestTopologySubtopology) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.StreamsGroupHeartbeatRequest) {
		if group != "" {
			r.Group = x.name(group)
		}
		x.view.opaque[member] = member // members are told apart by their ids
		r.MemberID, r.RebalanceTimeoutMillis, r.ProcessID = member, 30000, val("process of "+member)
		r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{}
		for _, s := range subs {
			r.Topology.Subtopologies = append(r.Topology.Subtopologies, s(x))
		}
		if len(subs) == 0 {
			r.Topology.Subtopologies = append(r.Topology.Subtopologies, sub(x, "0", nil))
		}
		owns(r)
		if edit != nil {
			edit(x, r)
		}
	})
}

// owns says which active tasks a member has, of subtopology 0.
func owns(r *kmsg.StreamsGroupHeartbeatRequest, partitions ...int32) {
	r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	if len(partitions) > 0 {
		r.ActiveTasks = []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: partitions}}
	}
}

// streamsEpoch is a heartbeat at any epoch.
func streamsEpoch(group, member string, n int32, edit func(r *kmsg.StreamsGroupHeartbeatRequest)) func(*actor) kmsg.Request {
	return streams(group, member, func(_ *actor, r *kmsg.StreamsGroupHeartbeatRequest) {
		r.MemberEpoch, r.RebalanceTimeoutMillis, r.ProcessID, r.Topology = n, -1, nil, nil
		r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = nil, nil, nil
		if edit != nil {
			edit(r)
		}
	})
}

// streamsBeat is a heartbeat at the epoch that an earlier one was answered
// with.
func streamsBeat(group, member, after string, edit func(r *kmsg.StreamsGroupHeartbeatRequest)) func(*actor) kmsg.Request {
	return func(x *actor) kmsg.Request {
		resp := answer[kmsg.StreamsGroupHeartbeatResponse](x, after)
		return streamsEpoch(group, member, resp.MemberEpoch, func(r *kmsg.StreamsGroupHeartbeatRequest) {
			r.EndpointInformationEpoch = resp.EndpointInformationEpoch
			if edit != nil {
				edit(r)
			}
		})(x)
	}
}

func ownsThen(partitions ...int32) func(r *kmsg.StreamsGroupHeartbeatRequest) {
	return func(r *kmsg.StreamsGroupHeartbeatRequest) { owns(r, partitions...) }
}

func describeStreams(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.StreamsGroupDescribeRequest) {
		r.IncludeAuthorizedOperations = true
		for _, n := range names {
			if n != "" {
				n = x.name(n)
			}
			r.Groups = append(r.Groups, n)
		}
	})
}

// groupConfigs sets configs of a group and waits until the coordinator has
// them.
func groupConfigs(group string, pairs ...string) (steps []step) {
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		steps = append(steps, step{name: group + " has " + name + "=" + value, hidden: true, ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
			res := kmsg.NewIncrementalAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, x.name(group)
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value = name, &value
			res.Configs = append(res.Configs, c)
			r.Resources = append(r.Resources, res)
		})}, step{
			name: group + " shows " + name + "=" + value, hidden: true,
			ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: x.name(group)}}
			}),
			until: shows(name, value),
		})
	}
	return steps
}

// streamsAtOnce has groups assign with each change, the first one included.
func streamsAtOnce(groups ...string) (steps []step) {
	for _, g := range groups {
		steps = append(steps, groupConfigs(g, "streams.initial.rebalance.delay.ms", "0", "streams.assignment.interval.ms", "0")...)
	}
	return steps
}

type (
	beatRequest = kmsg.StreamsGroupHeartbeatRequest
	subtopology = kmsg.StreamsGroupHeartbeatRequestTopologySubtopology
)

// refusedStreams are first heartbeats that no group takes.
var refusedStreams = []step{
	{name: "empty group", ask: streams("", "m", nil)},
	{name: "empty member", ask: streams("g", "", nil)},
	{name: "empty rack", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.RackID = val("") })},
	{name: "a static member", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.InstanceID = val("i") })},
	{name: "empty instance id", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.InstanceID = val("") })},
	{name: "task offsets", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.TaskOffsets = []kmsg.TaskOffset{} })},
	{name: "task end offsets", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.TaskEndOffsets = []kmsg.TaskOffset{} })},
	{name: "warm-up tasks", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.WarmupTasks = []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: []int32{0}}}
	})},
	{name: "a source by regular expression", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.Topology.Subtopologies[0].SourceTopicRegex = []string{"a.*"} })},
	{name: "without a rebalance timeout", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.RebalanceTimeoutMillis = -1 })}, // behaviour 212
	{name: "without a topology", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.Topology = nil })},
	{name: "with active tasks", ask: streams("g", "m", func(_ *actor, r *beatRequest) { owns(r, 0) })},
	{name: "with null active tasks", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.ActiveTasks = nil })},
	{name: "with null standby tasks", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.StandbyTasks = nil })},
	{name: "with null warm-up tasks", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.WarmupTasks = nil })},
	{name: "a changelog with partitions", ask: streams("g", "m", func(x *actor, r *beatRequest) {
		r.Topology.Subtopologies[0].StateChangelogTopics = []kmsg.TopicInfo{{Topic: x.name("c"), NumPartitions: 2}}
	})},
	{name: "an internal topic", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.Topology.Subtopologies[0].SourceTopics = []string{"__consumer_offsets"}
	})},
	{name: "an invalid topic name", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.Topology.Subtopologies[0].RepartitionSinkTopics = []string{"a b", "c d"}
	})},
	{name: "a negative topology epoch", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.Topology.Epoch = -1 })},
	{name: "a subtopology twice", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.Topology.Subtopologies = append(r.Topology.Subtopologies, r.Topology.Subtopologies[0])
	})},
	{name: "a subtopology without sources", ask: streams("g", "m", func(_ *actor, r *beatRequest) { r.Topology.Subtopologies[0].SourceTopics = nil })},
	{name: "a repartition topic that nobody writes", ask: streams("g", "m", nil, func(x *actor) subtopology { return second(x, nil) })},
	{name: "repartition topics in a circle", ask: streams("g", "m", nil, func(x *actor) subtopology {
		return second(x, func(s *subtopology) { s.RepartitionSinkTopics = []string{x.name("r")} })
	})},
	{name: "a copartition group that points nowhere", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.Topology.Subtopologies[0].CopartitionGroups = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{{SourceTopics: []int16{7}}}
	})},
	{name: "a client tag twice", ask: streams("g", "m", func(_ *actor, r *beatRequest) {
		r.ClientTags = []kmsg.StreamsGroupHeartbeatRequestClientTag{{Key: "k", Value: "a"}, {Key: "k", Value: "b"}}
	})},
	{name: "a later epoch, unknown group", ask: streamsEpoch("g", "m", 5, nil)}, // behaviour 212
	{name: "leaves an unknown group", ask: streamsEpoch("g", "m", -1, nil)},
	{name: "epoch -2 without an instance id", ask: streamsEpoch("g", "m", -2, nil)},
	{name: "epoch -3", ask: streamsEpoch("g", "m", -3, nil)},
	{name: "one kind of tasks is null", ask: streamsEpoch("g", "m", 5, func(r *beatRequest) { r.ActiveTasks = []kmsg.TaskIDs{} })},
	{name: "a topology later on", ask: streamsEpoch("g", "m", 5, func(r *beatRequest) { r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{} })},
}

var noStreams = []exclusion{{kfakeName, "it does not have streams groups"}}

var streamsGroupScripts = []script{
	{name: "streams group refusals", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 4, nil}), streamsAtOnce("g"), refusedStreams, []step{
		{name: "no group came of it", ask: describeStreams("g")},
	})},
	{name: "streams group heartbeat", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 4, nil}), streamsAtOnce("g"), []step{
		{name: "a joins", ask: streams("g", "a", nil)},
		{name: "nothing new", ask: streamsBeat("g", "a", "a joins", nil)},
		{name: "all of it", ask: streamsBeat("g", "a", "a joins", ownsThen(0, 1, 2, 3))},
		{name: "joins once more", ask: streams("g", "a", nil)},
		{name: "is described", ask: describeStreams("g")},
		{name: "unknown member", ask: streamsEpoch("g", "x", 5, nil)},
		{name: "unknown member leaves", ask: streamsEpoch("g", "x", -1, nil)},
		{name: "larger epoch", ask: streamsEpoch("g", "a", 9, nil)},
		{name: "smaller epoch", ask: streamsEpoch("g", "a", 1, nil)},
		{name: "a task that is not there", ask: streamsBeat("g", "a", "a joins", ownsThen(4))},
		{name: "a subtopology that is not there", ask: streamsBeat("g", "a", "a joins", func(r *beatRequest) {
			owns(r)
			r.StandbyTasks = []kmsg.TaskIDs{{SubtopologyID: "7", Partitions: []int32{0}}}
		})},
		{name: "another topology", ask: streams("g", "b", func(x *actor, r *beatRequest) { r.Topology.Subtopologies[0].SubtopologyID = "1" })},
		{name: "a newer topology", ask: streams("g", "b", func(_ *actor, r *beatRequest) { r.Topology.Epoch = 1 })},
		{name: "b joins", ask: streams("g", "b", nil)},
		{name: "b waits", ask: streamsBeat("g", "b", "b joins", nil)},
		{name: "while they rebalance", ask: describeStreams("g")},
		{name: "a must give up some", ask: streamsBeat("g", "a", "a joins", nil)},
		{name: "a still has them", ask: streamsBeat("g", "a", "a joins", ownsThen(0, 1, 2, 3))},
		{name: "a says nothing", ask: streamsBeat("g", "a", "a joins", nil)},
		{name: "b still waits", ask: streamsBeat("g", "b", "b joins", nil)},
		{name: "a gave them up", ask: streamsBeat("g", "a", "a joins", ownsThen(0, 1))},
		{name: "a's answer was lost", ask: streamsBeat("g", "a", "a joins", ownsThen(0, 1))},
		{name: "b gets them", ask: streamsBeat("g", "b", "b joins", nil)},
		{name: "they are settled", ask: describeStreams("g")},
		{name: "a moves to another rack", ask: streamsBeat("g", "a", "a gave them up", func(r *beatRequest) { r.RackID = val("rack-2") })},
		{name: "a wants all to end", ask: streamsBeat("g", "a", "a moves to another rack", func(r *beatRequest) { r.ShutdownApplication = true })},
		{name: "b is told", ask: streamsBeat("g", "b", "b gets them", nil)},
		{name: "a leaves", ask: streamsEpoch("g", "a", -1, nil)},
		{name: "a leaves again", ask: streamsEpoch("g", "a", -1, nil)},
		{name: "b has all", ask: streamsBeat("g", "b", "b is told", nil)},
		{name: "b leaves", ask: streamsEpoch("g", "b", -1, nil)},
		{name: "it is empty", ask: describeStreams("g")},
		{name: "c joins the empty group", ask: streams("g", "c", nil)},
		{name: "c leaves", ask: streamsEpoch("g", "c", -1, nil)},
		{name: "it is deleted", ask: deleteGroups("g")},
		{name: "a comes too late", ask: streamsEpoch("g", "a", 2, nil)},
	})},
	{name: "streams group threads", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 5, nil}, spec{"c", 5, map[string]string{"cleanup.policy": "compact"}}), streamsAtOnce("g"), groupConfigs("g", "streams.num.standby.replicas", "1"), []step{
		{name: "a1 joins", ask: streams("g", "a1", oneProcess("p"), stateful)},
		{name: "a2 joins", ask: streams("g", "a2", oneProcess("p"), stateful)},
		{name: "targets of one process", ask: describeStreams("g")},
		{name: "b1 joins", ask: streams("g", "b1", oneProcess("q"), stateful)},
		{name: "targets of two processes", ask: describeStreams("g")},
		{name: "a1 must give up some", ask: streamsBeat("g", "a1", "a1 joins", nil)},
		{name: "a1 gave up all", ask: streamsBeat("g", "a1", "a1 joins", ownsThen())},
		{name: "a1 goes on", ask: streamsBeat("g", "a1", "a1 gave up all", nil)},
		{name: "a2 goes on", ask: streamsBeat("g", "a2", "a2 joins", ownsThen())},
		{name: "b1 goes on", ask: streamsBeat("g", "b1", "b1 joins", ownsThen())},
		{name: "on their way", ask: describeStreams("g")},
		{name: "b2 joins", ask: streams("g", "b2", oneProcess("q"), stateful)},
		{name: "c1 joins", ask: streams("g", "c1", oneProcess("r"), stateful)},
		{name: "targets of three processes", ask: describeStreams("g")},
		{name: "a1 leaves", ask: streamsEpoch("g", "a1", -1, nil)},
		{name: "d1 joins", ask: streams("g", "d1", oneProcess("s"), stateful)},
		{name: "targets then", ask: describeStreams("g")},
	})},
	{name: "streams group topics", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 4, nil}, spec{"u", 3, nil}, spec{"r", 2, nil}, spec{"c", 2, nil}), streamsAtOnce("g", "h", "i", "j", "k", "l"), []step{
		{name: "sources are missing", ask: streams("g", "a", func(x *actor, r *beatRequest) {
			r.Topology.Subtopologies[0].SourceTopics = []string{x.name("nope"), x.name("t"), x.name("no")}
		})},
		{name: "and described", ask: describeStreams("g")},
		{name: "a waits", ask: streamsBeat("g", "a", "sources are missing", nil)},
		{name: "many sources are missing", ask: streams("h", "a", func(x *actor, r *beatRequest) {
			r.Topology.Subtopologies[0].SourceTopics = []string{x.name("n1"), x.name("n2"), x.name("n3"), x.name("n4"), x.name("n5")}
		})},
		{name: "an internal topic with other partitions", ask: streams("i", "a", nil, func(x *actor) subtopology {
			return sub(x, "0", func(s *subtopology) { s.RepartitionSinkTopics = []string{x.name("r")} })
		}, func(x *actor) subtopology { return second(x, nil) })},
		{name: "copartitioned sources that differ", ask: streams("j", "a", func(x *actor, r *beatRequest) {
			s := &r.Topology.Subtopologies[0]
			s.SourceTopics = []string{x.name("t"), x.name("u")}
			s.CopartitionGroups = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{{SourceTopics: []int16{0, 1}}}
		})},
		{name: "a fixed repartition topic that differs", ask: streams("k", "a", nil, func(x *actor) subtopology {
			return sub(x, "0", func(s *subtopology) { s.RepartitionSinkTopics = []string{x.name("rr")} })
		}, func(x *actor) subtopology {
			return second(x, func(s *subtopology) {
				s.SourceTopics = []string{x.name("t")}
				s.RepartitionSourceTopics = []kmsg.TopicInfo{{Topic: x.name("rr"), NumPartitions: 3}}
				s.CopartitionGroups = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{{SourceTopics: []int16{0}, RepartitionSourceTopics: []int16{0}}}
			})
		})},
		{name: "sources of different sizes", ask: streams("l", "a", func(x *actor, r *beatRequest) {
			r.Topology.Subtopologies[0].SourceTopics = []string{x.name("t"), x.name("u")}
			r.UserEndpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: "h", Port: 1}
			r.EndpointInformationEpoch = -1
		})},
		{name: "its endpoint is told once", ask: streamsBeat("l", "a", "sources of different sizes", nil)},
	})},
	{name: "streams group delays", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(
		topics(spec{"t", 2, nil}),
		groupConfigs("g", "streams.initial.rebalance.delay.ms", "600000", "streams.assignment.interval.ms", "0"),
		groupConfigs("h", "streams.initial.rebalance.delay.ms", "0", "streams.assignment.interval.ms", "15000", "streams.heartbeat.interval.ms", "6000"),
		[]step{
			{name: "the first rebalance waits", ask: streams("g", "a", nil)},
			{name: "still", ask: streamsBeat("g", "a", "the first rebalance waits", nil)},
			{name: "and is described", ask: describeStreams("g")},
			{name: "a joins", ask: streams("h", "a", nil)},
			{name: "b joins soon after", ask: streams("h", "b", nil)},
			{name: "b waits", ask: streamsBeat("h", "b", "b joins soon after", nil)},
			{name: "both are described", ask: describeStreams("h")},
		})},
	{name: "streams group endpoints", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 2, nil}), streamsAtOnce("g"), []step{
		{name: "a joins", ask: streams("g", "a", at("one", 1))},
		{name: "nothing new", ask: streamsBeat("g", "a", "a joins", nil)},
		{name: "b joins", ask: streams("g", "b", at("two", 2))},
		{name: "a must give up some", ask: streamsBeat("g", "a", "nothing new", nil)},
		{name: "a gave them up", ask: streamsBeat("g", "a", "a must give up some", ownsThen(0))},
		{name: "b gets them", ask: streamsBeat("g", "b", "b joins", nil)},
		{name: "a is told", ask: streamsBeat("g", "a", "a gave them up", nil)},
		{name: "a moves", ask: streamsBeat("g", "a", "a is told", func(r *beatRequest) {
			r.UserEndpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: "three", Port: 65535}
		})},
		{name: "described", ask: describeStreams("g")},
	})},
	{name: "streams group topics that are made", key: kmsg.StreamsGroupHeartbeat, not: noStreams, steps: join(topics(spec{"t", 3, nil}), streamsAtOnce("g"), []step{
		{name: "a joins", ask: streams("g", "a", nil, writesR, func(x *actor) subtopology { return second(x, nil) })},
		{name: "the topics are there", hidden: true, ask: describeTopics("r", "c"), until: topicsExist},
		{name: "then it has tasks", ask: streamsBeat("g", "a", "a joins", nil), until: func(resp kmsg.Response) bool {
			return len(resp.(*kmsg.StreamsGroupHeartbeatResponse).Status) == 0
		}},
		{name: "and is described", ask: describeStreams("g")},
		{name: "with configs", ask: describeTopicConfigs("c")},
	})},
	{name: "streams group describe", key: kmsg.StreamsGroupDescribe, not: noStreams, steps: join(topics(spec{"t", 2, nil}), streamsAtOnce("g"), member("classic"), []step{
		{name: "a joins", ask: streams("g", "a", func(_ *actor, r *beatRequest) {
			r.RackID = val("r")
			r.ClientTags = []kmsg.StreamsGroupHeartbeatRequestClientTag{{Key: "zone", Value: "eu"}}
		})},
		{name: "described", ask: describeStreams("g")},
		{name: "a classic group", ask: describeStreams("classic")},
		{name: "an unknown group", ask: describeStreams("other")},
		{name: "an empty name", ask: describeStreams("")},
		{name: "as a classic group", ask: describeGroups("g")},
		{name: "as a classic group, v5", at: new(int16(5)), ask: describeGroups("g")},
		{name: "as a consumer group", ask: describeConsumers("g")},
		{name: "is listed", mine: groupsList, ask: listGroups(nil)},
		{name: "is listed by type", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.TypesFilter = []string{"STREAMS"} })},
		{name: "is listed by state", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.StatesFilter = []string{"stable"} })},
		{name: "is deleted", ask: deleteGroups("g")},
		{name: "a consumer joins it", ask: consumer("g", "c", nil)},
		{name: "a classic member joins it", at: new(int16(3)), ask: classicJoin("g", nil)},
		{name: "a stream joins a classic group", ask: streams("classic", "a", nil)},
		{name: "a stream beats in a classic group", ask: streamsEpoch("classic", "a", 2, nil)},
		{name: "a stream leaves a classic group", ask: streamsEpoch("classic", "a", -1, nil)},
		{name: "commits", ask: commitAs("g", "a", 2)},
		{name: "a larger epoch", ask: commitAs("g", "a", 9)},
		{name: "a smaller epoch", ask: commitAs("g", "a", 1)},
		{name: "an unknown member", ask: commitAs("g", "x", 2)},
		{name: "nobody", ask: commitAs("g", "", -1)},
		{name: "an old version", at: new(int16(8)), ask: commitAs("g", "a", 2)},
		{name: "fetched by nobody", ask: fetchAs("g", nil, -1)},
		{name: "fetched by the member", ask: fetchAs("g", val("a"), 2)},
		{name: "fetched at a larger epoch", ask: fetchAs("g", val("a"), 9)},
		{name: "fetched by an unknown member", ask: fetchAs("g", val("x"), 2)},
		{name: "offsets of a source topic", ask: offsetDelete("g", "t", 0)},
		{name: "a leaves", ask: streamsEpoch("g", "a", -1, nil)},
		{name: "an empty group is described", ask: describeStreams("g")},
		{name: "a consumer joins the empty group", ask: consumer("g", "c", nil)},
		{name: "a classic member joins the empty group", at: new(int16(3)), ask: classicJoin("g", nil)},
		{name: "it is a classic group now", ask: describeStreams("g")},
	})},
}

func stateful(x *actor) subtopology {
	return sub(x, "0", func(s *subtopology) { s.StateChangelogTopics = []kmsg.TopicInfo{{Topic: x.name("c")}} })
}

func writesR(x *actor) subtopology {
	return sub(x, "0", func(s *subtopology) { s.RepartitionSinkTopics = []string{x.name("r")} })
}

func oneProcess(id string) func(*actor, *beatRequest) {
	return func(_ *actor, r *beatRequest) { r.ProcessID = &id }
}

// at gives a member an endpoint; it knows of none yet.
func at(host string, port uint16) func(*actor, *beatRequest) {
	return func(_ *actor, r *beatRequest) {
		r.UserEndpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: host, Port: port}
		r.EndpointInformationEpoch = -1
	}
}

func describeTopics(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.MetadataRequest) {
		for _, n := range names {
			r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: x.ptr(n)})
		}
	})
}

func topicsExist(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if t.ErrorCode != 0 {
			return false
		}
	}
	return true
}

func describeTopicConfigs(name string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
		r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: x.name(name), ConfigNames: []string{"cleanup.policy"}}}
	})
}
