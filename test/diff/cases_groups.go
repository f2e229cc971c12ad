package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withID joins with the member id that an earlier join was answered with.
func withID(from string) func(*actor, *kmsg.JoinGroupRequest) {
	return func(x *actor, r *kmsg.JoinGroupRequest) {
		r.MemberID = answer[kmsg.JoinGroupResponse](x, from).MemberID
	}
}

func static(instance string) func(*actor, *kmsg.JoinGroupRequest) {
	return func(_ *actor, r *kmsg.JoinGroupRequest) { r.InstanceID = &instance }
}

// heartbeat is from the member and generation that a join was answered with.
func heartbeat(group, joined string, edit func(x *actor, r *kmsg.HeartbeatRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.HeartbeatRequest) {
		j := answer[kmsg.JoinGroupResponse](x, joined)
		r.Group, r.Generation, r.MemberID = x.name(group), j.Generation, j.MemberID
		if edit != nil {
			edit(x, r)
		}
	})
}

// leave names members both ways: one id for old versions, a list for new.
func leave(group string, edit func(x *actor, r *kmsg.LeaveGroupRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.LeaveGroupRequest) {
		r.Group = x.name(group)
		edit(x, r)
	})
}

func leaver(id func(x *actor) string) func(*actor, *kmsg.LeaveGroupRequest) {
	return func(x *actor, r *kmsg.LeaveGroupRequest) {
		r.MemberID = id(x)
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id(x)
		r.Members = append(r.Members, m)
	}
}

func idOf(joined string) func(x *actor) string {
	return func(x *actor) string { return answer[kmsg.JoinGroupResponse](x, joined).MemberID }
}

func text(s string) func(*actor) string { return func(*actor) string { return s } }

func describeGroups(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeGroupsRequest) {
		for _, n := range names {
			if n != "" {
				n = x.name(n)
			}
			r.Groups = append(r.Groups, n)
		}
	})
}

func listGroups(edit func(r *kmsg.ListGroupsRequest)) func(*actor) kmsg.Request {
	return req(func(_ *actor, r *kmsg.ListGroupsRequest) {
		if edit != nil {
			edit(r)
		}
	})
}

func deleteGroups(names ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DeleteGroupsRequest) {
		for _, n := range names {
			if n != "" {
				n = x.name(n)
			}
			r.Groups = append(r.Groups, n)
		}
	})
}

// commit stores an offset of t's partition 0 without a member.
func commit(group string, offset int64, edit func(x *actor, r *kmsg.OffsetCommitRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetCommitRequest) {
		r.Group = x.name(group)
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset, p.Metadata = offset, val("note")
		r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: x.name("t"), TopicID: x.topicID("t"), Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
		if edit != nil {
			edit(x, r)
		}
	})
}

// as commits for the member and generation of a join.
func as(joined string) func(x *actor, r *kmsg.OffsetCommitRequest) {
	return func(x *actor, r *kmsg.OffsetCommitRequest) {
		j := answer[kmsg.JoinGroupResponse](x, joined)
		r.MemberID, r.Generation = j.MemberID, j.Generation
	}
}

// committed asks for what a group stored; null topics when topic is "".
func committed(group, topic string, partitions ...int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetFetchRequest) {
		g := kmsg.NewOffsetFetchRequestGroup()
		if group != "" {
			group := x.name(group)
			r.Group, g.Group = group, group
		}
		if topic != "" {
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: x.name(topic), Partitions: partitions}}
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: x.name(topic), TopicID: x.topicID(topic), Partitions: partitions}}
		}
		r.Groups = []kmsg.OffsetFetchRequestGroup{g}
	})
}

func offsetDelete(group, topic string, p int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetDeleteRequest) {
		if group != "" {
			r.Group = x.name(group)
		}
		r.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: x.name(topic), Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: p}}}}
	})
}

// badJoins are refused whatever the version.
func badJoins() []step {
	return []step{
		// behaviour 165
		{name: "unknown member id", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" })},
		{name: "unknown member id, new group", ask: joinGroup("other", func(_ *actor, r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" })},
		{name: "empty group", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.Group = "" })},
		{name: "session timeout too short", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 })},
		{name: "session timeout too long", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1800001 })},
		{name: "no protocols", ask: joinGroup("fresh", func(_ *actor, r *kmsg.JoinGroupRequest) { r.Protocols = nil })},
		{name: "empty protocol type", ask: joinGroup("fresh", func(_ *actor, r *kmsg.JoinGroupRequest) { r.ProtocolType = "" })},
		// behaviour 166
		{name: "another protocol", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.Protocols[0].Name, r.Protocols[1].Name = "x", "y" })},
		{name: "another protocol type", ask: joinGroup("g", func(_ *actor, r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })},
	}
}

var groupScripts = []script{
	{name: "join group, old", key: kmsg.JoinGroup, to: 3, steps: join([]step{
		// behaviour 163
		{name: "joins at once", ask: joinGroup("g", nil)},
		{name: "synced", ask: syncGroup("g", "joins at once", nil)},
		{name: "again with its id", ask: joinGroup("g", withID("joins at once"))},
		{name: "describe", ask: describeGroups("g")},
	}, badJoins())},
	{name: "join group", key: kmsg.JoinGroup, from: 4, steps: join([]step{
		// behaviour 163
		{name: "asks for an id", ask: joinGroup("g", nil)},
		{name: "joins", ask: joinGroup("g", withID("asks for an id"))},
		{name: "synced", ask: syncGroup("g", "joins", nil)},
		// behaviour 171
		{name: "leader joins again", ask: joinGroup("g", withID("asks for an id"))},
		{name: "describe before the sync", ask: describeGroups("g")},
		{name: "synced again", ask: syncGroup("g", "leader joins again", func(x *actor, r *kmsg.SyncGroupRequest) {
			r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: r.MemberID, MemberAssignment: []byte("all")}}
		})},
		{name: "describe", ask: describeGroups("g")},
	}, badJoins())},
	{name: "static members", key: kmsg.JoinGroup, from: 5, steps: []step{
		// behaviour 164
		{name: "joins", ask: joinGroup("g", static("one"))},
		{name: "synced", ask: syncGroup("g", "joins", func(_ *actor, r *kmsg.SyncGroupRequest) {
			r.InstanceID = val("one")
			r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: r.MemberID, MemberAssignment: []byte("all")}}
		})},
		// behaviour 177
		{name: "joins again without its id", ask: joinGroup("g", static("one"))},
		{name: "sync of the new id", ask: syncGroup("g", "joins again without its id", func(_ *actor, r *kmsg.SyncGroupRequest) { r.InstanceID = val("one") })},
		{name: "old id with the instance id", ask: joinGroup("g", func(x *actor, r *kmsg.JoinGroupRequest) {
			static("one")(x, r)
			withID("joins")(x, r)
		})},
		{name: "old id without the instance id", ask: joinGroup("g", withID("joins"))},
		{name: "heartbeat of the old id", ask: heartbeat("g", "joins", func(_ *actor, r *kmsg.HeartbeatRequest) { r.InstanceID = val("one") })},
		{name: "heartbeat of the old id without instance id", ask: heartbeat("g", "joins", nil)},
		{name: "heartbeat of the new id", ask: heartbeat("g", "joins again without its id", func(_ *actor, r *kmsg.HeartbeatRequest) { r.InstanceID = val("one") })},
		{name: "heartbeat of an unknown instance id", ask: heartbeat("g", "joins again without its id", func(_ *actor, r *kmsg.HeartbeatRequest) { r.InstanceID = val("two") })},
		{name: "sync of the old id", ask: syncGroup("g", "joins", func(_ *actor, r *kmsg.SyncGroupRequest) { r.InstanceID = val("one") })},
		{name: "unknown instance id with a member id", ask: joinGroup("g", func(x *actor, r *kmsg.JoinGroupRequest) {
			static("two")(x, r)
			r.MemberID = "nobody"
		})},
		{name: "describe", ask: describeGroups("g")},
		{name: "leaves by its instance id", ask: leave("g", func(_ *actor, r *kmsg.LeaveGroupRequest) {
			r.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: val("one")}}
		})},
		{name: "describe the empty group", ask: describeGroups("g")},
		{name: "leaves again", ask: leave("g", func(_ *actor, r *kmsg.LeaveGroupRequest) {
			r.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: val("one")}}
		})},
		{name: "empty instance id", ask: joinGroup("h", static(""))},
	}},
	{name: "rebalance", key: kmsg.JoinGroup, from: 4, steps: join(topics(spec{"t", 1, nil}), member("g"), []step{
		// behaviour 168
		{name: "second asks for an id", on: "second", ask: joinGroup("g", nil)},
		{name: "second joins", on: "second", later: true, ask: joinGroup("g", withID("second asks for an id"))},
		{name: "the first is told", ask: heartbeat("g", "member joined", nil), until: func(resp kmsg.Response) bool {
			return resp.(*kmsg.HeartbeatResponse).ErrorCode != 0
		}},
		{name: "sync of the first", ask: syncGroup("g", "member joined", nil)},
		{name: "commit of the first", ask: commit("g", 3, as("member joined"))},
		{name: "describe while it prepares", ask: describeGroups("g")},
		{name: "first joins again", ask: joinGroup("g", withID("member joined"))},
		{name: "second has joined", get: "second joins"},
		// behaviour 175
		{name: "heartbeat before the sync", ask: heartbeat("g", "first joins again", nil)},
		{name: "commit before the sync", ask: commit("g", 4, as("first joins again"))},
		{name: "describe while it completes", ask: describeGroups("g")},
		// behaviour 172
		{name: "second syncs", on: "second", later: true, ask: syncGroup("g", "second joins", nil)},
		{name: "first syncs, leaves the second out", ask: syncGroup("g", "first joins again", func(_ *actor, r *kmsg.SyncGroupRequest) {
			r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: r.MemberID, MemberAssignment: []byte("all")}}
		})},
		{name: "second gets an empty assignment", get: "second syncs"},
		{name: "describe when stable", ask: describeGroups("g")},
		{name: "follower joins again", on: "second", ask: joinGroup("g", withID("second joins"))},
		{name: "delete the live group", ask: deleteGroups("g")},
		{name: "second leaves", on: "second", ask: leave("g", leaver(idOf("second joins")))},
		{name: "the first is told of it", ask: heartbeat("g", "first joins again", nil)},
	})},
	{name: "sync group", key: kmsg.SyncGroup, steps: join(member("g"), []step{
		// behaviour 174
		{name: "again when stable", ask: syncGroup("g", "member joined", nil)},
		// behaviour 173
		{name: "wrong generation", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.Generation = 9 })},
		{name: "generation -1", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.Generation = -1 })},
		{name: "unknown member", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.MemberID = "nobody" })},
		{name: "empty member", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.MemberID = "" })},
		{name: "wrong protocol", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.Protocol = val("other") })},
		{name: "wrong protocol type", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.ProtocolType = val("other") })},
		{name: "null protocol", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.Protocol, r.ProtocolType = nil, nil })},
		{name: "unknown group", ask: syncGroup("other", "member joined", nil)},
		{name: "empty group", ask: syncGroup("g", "member joined", func(_ *actor, r *kmsg.SyncGroupRequest) { r.Group = "" })},
	})},
	{name: "heartbeat", key: kmsg.Heartbeat, steps: join(member("g"), []step{
		{name: "alive", ask: heartbeat("g", "member joined", nil)},
		// behaviour 176
		{name: "other generation", ask: heartbeat("g", "member joined", func(_ *actor, r *kmsg.HeartbeatRequest) { r.Generation = 9 })},
		{name: "generation -1", ask: heartbeat("g", "member joined", func(_ *actor, r *kmsg.HeartbeatRequest) { r.Generation = -1 })},
		{name: "unknown member", ask: heartbeat("g", "member joined", func(_ *actor, r *kmsg.HeartbeatRequest) { r.MemberID = "nobody" })},
		{name: "empty member", ask: heartbeat("g", "member joined", func(_ *actor, r *kmsg.HeartbeatRequest) { r.MemberID = "" })},
		{name: "unknown group", ask: heartbeat("other", "member joined", nil)},
		{name: "empty group", ask: heartbeat("g", "member joined", func(_ *actor, r *kmsg.HeartbeatRequest) { r.Group = "" })},
	})},
	{name: "leave group", key: kmsg.LeaveGroup, steps: join(member("g"), []step{
		// behaviour 178
		{name: "unknown member", ask: leave("g", leaver(text("nobody")))},
		{name: "unknown group", ask: leave("other", leaver(text("nobody")))},
		{name: "empty group", ask: leave("g", func(x *actor, r *kmsg.LeaveGroupRequest) {
			leaver(idOf("member joined"))(x, r)
			r.Group = ""
		})},
		{name: "no members", ask: leave("g", func(*actor, *kmsg.LeaveGroupRequest) {})},
		{name: "leaves", ask: leave("g", leaver(idOf("member joined")))},
		{name: "again", ask: leave("g", leaver(idOf("member joined")))},
		{name: "heartbeat after it", ask: heartbeat("g", "member joined", nil)},
		{name: "the group then", ask: describeGroups("g")},
	})},
	{name: "leave group together", key: kmsg.LeaveGroup, from: 3, steps: join(member("g"), []step{
		{name: "one known, one not", ask: leave("g", func(x *actor, r *kmsg.LeaveGroupRequest) {
			leaver(text("nobody"))(x, r)
			leaver(idOf("member joined"))(x, r)
		})},
		{name: "a member id that never joined", ask: joinGroup("g", nil)},
		{name: "leaves before it joined", ask: leave("g", leaver(idOf("a member id that never joined")))},
	})},
	{name: "describe groups", key: kmsg.DescribeGroups, steps: join(topics(spec{"t", 1, nil}), member("g"), []step{
		{name: "stable", ask: describeGroups("g")},
		// behaviour 179
		{name: "unknown", ask: describeGroups("nope")},
		{name: "empty name", ask: describeGroups("")},
		{name: "two", ask: describeGroups("g", "nope")},
		{name: "same twice", ask: describeGroups("g", "g")},
		{name: "none", ask: describeGroups()},
		// behaviour 180
		{name: "authorized operations", ask: req(func(x *actor, r *kmsg.DescribeGroupsRequest) {
			r.Groups, r.IncludeAuthorizedOperations = []string{x.name("g")}, true
		})},
		{name: "an offset without member", hidden: true, ask: commit("offsets", 1, nil)},
		{name: "only offsets", ask: describeGroups("offsets")},
	})},
	{name: "list groups", key: kmsg.ListGroups, steps: join(topics(spec{"t", 1, nil}), member("g"), []step{
		{name: "a group of offsets", hidden: true, ask: commit("offsets", 1, nil)},
		{name: "all", mine: groupsList, ask: listGroups(nil)},
		// behaviour 181
		{name: "stable ones", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.StatesFilter = []string{"stable"} })},
		{name: "empty ones", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.StatesFilter = []string{"Empty"} })},
		{name: "classic ones", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.TypesFilter = []string{"Classic"} })},
		{name: "consumer ones", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.TypesFilter = []string{"consumer"} })},
		{name: "a state that is none", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.StatesFilter = []string{"zebra"} })},
		{name: "a type that is none", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) { r.TypesFilter = []string{"zebra"} })},
		{name: "state and type", mine: groupsList, ask: listGroups(func(r *kmsg.ListGroupsRequest) {
			r.StatesFilter, r.TypesFilter = []string{"Stable", "Empty"}, []string{"classic"}
		})},
	})},
	{name: "delete groups", key: kmsg.DeleteGroups, steps: join(topics(spec{"t", 1, nil}), member("g"), []step{
		{name: "a group of offsets", hidden: true, ask: commit("offsets", 1, nil)},
		// behaviour 182
		{name: "live", ask: deleteGroups("g")},
		{name: "unknown", ask: deleteGroups("nope")},
		{name: "empty name", ask: deleteGroups("")},
		{name: "one of each", ask: deleteGroups("offsets", "nope", "g")},
		{name: "its offsets are gone", ask: committed("offsets", "t", 0)},
		{name: "none", ask: deleteGroups()},
		{name: "leaves", hidden: true, ask: leave("g", leaver(idOf("member joined")))},
		{name: "same twice", ask: deleteGroups("g", "g")},
	})},
	{name: "offset commit", key: kmsg.OffsetCommit, steps: join(topics(spec{"t", 2, nil}, spec{"u", 1, nil}), member("g"), []step{
		// behaviour 183
		{name: "without member, unknown group", ask: commit("fresh", 7, nil)},
		{name: "it made a group", ask: describeGroups("fresh")},
		{name: "and is stored", ask: committed("fresh", "t", 0)},
		{name: "without member, live group", ask: commit("g", 7, nil)},
		{name: "of the member", ask: commit("g", 5, as("member joined"))},
		{name: "is stored", ask: committed("g", "t", 0)},
		// behaviour 184
		{name: "wrong generation", ask: commit("g", 6, func(x *actor, r *kmsg.OffsetCommitRequest) {
			as("member joined")(x, r)
			r.Generation = 9
		})},
		{name: "unknown member", ask: commit("g", 6, func(x *actor, r *kmsg.OffsetCommitRequest) {
			as("member joined")(x, r)
			r.MemberID = "nobody"
		})},
		{name: "unknown group with a generation", ask: commit("other", 6, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Generation = 1 })},
		{name: "unknown group with a member", ask: commit("other", 6, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.MemberID = "nobody" })},
		{name: "unknown partition", ask: commit("fresh", 6, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions[0].Partition = 9 })},
		// behaviour 186
		{name: "unknown topic", ask: commit("fresh", 6, func(x *actor, r *kmsg.OffsetCommitRequest) {
			r.Topics[0].Topic, r.Topics[0].TopicID = x.name("nope"), x.topicID("nope")
		})},
		{name: "one good and one unknown topic", ask: commit("fresh", 6, func(x *actor, r *kmsg.OffsetCommitRequest) {
			r.Topics = append(r.Topics, r.Topics[0])
			r.Topics[0].Topic, r.Topics[0].TopicID = x.name("nope"), x.topicID("nope")
		})},
		// behaviour 185
		{name: "offset -5", ask: commit("fresh", -5, nil)},
		{name: "is stored too", ask: committed("fresh", "t", 0)},
		{name: "offset -1", ask: commit("fresh", -1, nil)},
		{name: "and -1", ask: committed("fresh", "t", 0)},
		{name: "5000 bytes of metadata", ask: commit("fresh", 8, func(_ *actor, r *kmsg.OffsetCommitRequest) {
			m := make([]byte, 5000)
			for i := range m {
				m[i] = 'm'
			}
			r.Topics[0].Partitions[0].Metadata = val(string(m))
		})},
		{name: "null metadata", ask: commit("fresh", 8, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions[0].Metadata = nil })},
		{name: "with a leader epoch", ask: commit("fresh", 8, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions[0].LeaderEpoch = 4 })},
		{name: "the epoch is stored", ask: committed("fresh", "t", 0)},
		{name: "same partition twice", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) {
			p := r.Topics[0].Partitions[0]
			p.Offset = 10
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, p)
		})},
		{name: "a topic without partitions", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions = nil })},
		{name: "a topic with partitions and one without", ask: commit("fresh", 9, func(x *actor, r *kmsg.OffsetCommitRequest) {
			r.Topics = append(r.Topics, kmsg.OffsetCommitRequestTopic{Topic: x.name("u"), TopicID: x.topicID("u")})
		})},
		{name: "an unknown topic without partitions", ask: commit("fresh", 9, func(x *actor, r *kmsg.OffsetCommitRequest) {
			r.Topics = append(r.Topics, kmsg.OffsetCommitRequestTopic{Topic: x.name("nope"), TopicID: x.topicID("nope")})
		})},
		{name: "a topic twice", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics = append(r.Topics, r.Topics[0]) })},
		{name: "a topic twice, with unknown partitions", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) {
			p := r.Topics[0].Partitions[0]
			p.Partition = 9
			again := r.Topics[0]
			again.Partitions = []kmsg.OffsetCommitRequestTopicPartition{p, again.Partitions[0]}
			r.Topics = append(r.Topics, again)
		})},
		{name: "by an unknown member, with a topic without partitions", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) {
			r.MemberID, r.Topics[0].Partitions = "nobody", nil
		})},
		{name: "by an unknown member, with unknown partitions", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) {
			r.MemberID, r.Topics[0].Partitions[0].Partition = "nobody", 9
		})},
		{name: "no topics", ask: commit("fresh", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics = nil })},
		{name: "no topics, unknown group", ask: commit("topicless", 9, func(_ *actor, r *kmsg.OffsetCommitRequest) { r.Topics = nil })},
		{name: "all of it", ask: committed("fresh", "")},
	})},
	{name: "commit by a static member", key: kmsg.OffsetCommit, from: 7, steps: join(topics(spec{"t", 1, nil}), []step{
		{name: "joins", ask: joinGroup("g", static("one"))},
		{name: "synced", ask: syncGroup("g", "joins", func(_ *actor, r *kmsg.SyncGroupRequest) { r.InstanceID = val("one") })},
		{name: "commits", ask: commit("g", 1, func(x *actor, r *kmsg.OffsetCommitRequest) {
			as("joins")(x, r)
			r.InstanceID = val("one")
		})},
		{name: "with another instance id", ask: commit("g", 1, func(x *actor, r *kmsg.OffsetCommitRequest) {
			as("joins")(x, r)
			r.InstanceID = val("two")
		})},
		{name: "with another member id", ask: commit("g", 1, func(x *actor, r *kmsg.OffsetCommitRequest) {
			as("joins")(x, r)
			r.InstanceID, r.MemberID = val("one"), "nobody"
		})},
		{name: "without instance id", ask: commit("g", 1, as("joins"))},
	})},
	{name: "offset fetch", key: kmsg.OffsetFetch, from: 1, steps: join(topics(spec{"t", 3, nil}), []step{
		{name: "a commit", hidden: true, ask: commit("g", 4, nil)},
		{name: "committed", ask: committed("g", "t", 0)},
		// behaviour 187
		{name: "no commit", ask: committed("g", "t", 1)},
		{name: "both", ask: committed("g", "t", 0, 1)},
		{name: "unknown partition", ask: committed("g", "t", 9)},
		{name: "unknown topic", ask: committed("g", "nope", 0)},
		{name: "unknown group", ask: committed("other", "t", 0)},
		{name: "empty group", ask: committed("", "t", 0)},
		{name: "no partitions", ask: committed("g", "t")},
		{name: "partitions twice", ask: committed("g", "t", 0, 0, 9, 9, 1, 0)},
		{name: "unknown partitions twice, and unknown topics", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("g", "nope", 0, 0, 1)(x).(*kmsg.OffsetFetchRequest)
			more := committed("g", "t", 0, 0)(x).(*kmsg.OffsetFetchRequest)
			r.Topics = append(r.Topics, more.Topics...)
			r.Groups[0].Topics = append(r.Groups[0].Topics, more.Groups[0].Topics...)
		})},
		{name: "a topic twice", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("g", "t", 0, 1)(x).(*kmsg.OffsetFetchRequest)
			r.Topics = append(r.Topics, r.Topics...)
			r.Groups[0].Topics = append(r.Groups[0].Topics, r.Groups[0].Topics...)
		})},
		{name: "a zero topic id, and partitions twice", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("g", "nope", 0, 0, 1)(x).(*kmsg.OffsetFetchRequest)
			r.Groups[0].Topics[0].TopicID = [16]byte{}
			again := r.Groups[0].Topics[0]
			again.Partitions = []int32{0, 2}
			r.Groups[0].Topics = append(r.Groups[0].Topics, committed("g", "t", 0, 0)(x).(*kmsg.OffsetFetchRequest).Groups[0].Topics[0], again)
		})},
		{name: "an unknown topic twice", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("g", "nope", 0, 1)(x).(*kmsg.OffsetFetchRequest)
			r.Topics = append(r.Topics, r.Topics...)
			r.Groups[0].Topics = append(r.Groups[0].Topics, r.Groups[0].Topics...)
		})},
		{name: "require stable", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("g", "t", 0)(x).(*kmsg.OffsetFetchRequest)
			r.RequireStable = true
		})},
	})},
	{name: "offset fetch of all", key: kmsg.OffsetFetch, from: 2, steps: join(topics(spec{"t", 3, nil}, spec{"u", 1, nil}), []step{
		{name: "a commit", hidden: true, ask: commit("g", 4, nil)},
		// behaviour 188
		{name: "all", ask: committed("g", "")},
		{name: "all of an unknown group", ask: committed("other", "")},
		{name: "an empty list", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			r.Group, r.Topics = x.name("g"), []kmsg.OffsetFetchRequestTopic{}
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group, g.Topics = x.name("g"), []kmsg.OffsetFetchRequestGroupTopic{}
			r.Groups = []kmsg.OffsetFetchRequestGroup{g}
		})},
	})},
	{name: "offset fetch of groups", key: kmsg.OffsetFetch, from: 8, steps: join(topics(spec{"t", 3, nil}), member("live"), []step{
		{name: "a commit", hidden: true, ask: commit("g", 4, nil)},
		{name: "two groups", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			for _, g := range []string{"g", "other"} {
				r.Groups = append(r.Groups, committed(g, "t", 0, 1)(x).(*kmsg.OffsetFetchRequest).Groups...)
			}
		})},
		{name: "same group twice", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			for _, g := range []string{"g", "g"} {
				r.Groups = append(r.Groups, committed(g, "t", 0)(x).(*kmsg.OffsetFetchRequest).Groups...)
			}
		})},
		{name: "no groups", ask: req(func(*actor, *kmsg.OffsetFetchRequest) {})},
		{name: "as an unknown member", ask: req(func(x *actor, r *kmsg.OffsetFetchRequest) {
			*r = *committed("live", "t", 0)(x).(*kmsg.OffsetFetchRequest)
			r.Groups[0].MemberID, r.Groups[0].MemberEpoch = val("nobody"), 3
		})},
	})},
	{name: "offset delete", key: kmsg.OffsetDelete, steps: join(topics(spec{"t", 2, nil}, spec{"u", 1, nil}), member("g"), []step{
		{name: "a commit of the member", hidden: true, ask: commit("g", 4, as("member joined"))},
		{name: "a commit", hidden: true, ask: commit("offsets", 4, nil)},
		{name: "stored", ask: offsetDelete("offsets", "t", 0)},
		{name: "it is gone", ask: committed("offsets", "t", 0)},
		{name: "again", ask: offsetDelete("offsets", "t", 0)},
		// behaviour 189
		{name: "subscribed topic", ask: offsetDelete("g", "t", 0)},
		{name: "a topic that is not subscribed", ask: offsetDelete("g", "u", 0)},
		{name: "unknown group", ask: offsetDelete("other", "t", 0)},
		{name: "empty group", ask: offsetDelete("", "t", 0)},
		{name: "unknown topic", ask: offsetDelete("g", "nope", 0)},
		{name: "unknown partition", ask: offsetDelete("g", "u", 9)},
		{name: "no topics", ask: req(func(x *actor, r *kmsg.OffsetDeleteRequest) { r.Group = x.name("g") })},
	})},
}

var groupsList = []string{"Groups"}
