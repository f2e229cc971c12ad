package broker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/internal/clock"
)

// wordCount is an application of two parts: words are repartitioned by the
// first, and counted by the second.
func wordCount(epoch int32) *kmsg.StreamsGroupHeartbeatRequestTopology {
	return &kmsg.StreamsGroupHeartbeatRequestTopology{Epoch: epoch, Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{
		{SubtopologyID: "0", SourceTopics: []string{"t"}, RepartitionSinkTopics: []string{"g-counts-repartition"}},
		{
			SubtopologyID:           "1",
			RepartitionSourceTopics: []kmsg.TopicInfo{{Topic: "g-counts-repartition", Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "delete"}}}},
			StateChangelogTopics:    []kmsg.TopicInfo{{Topic: "g-counts-changelog", Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "compact"}}}},
		},
	}}
}

// streamsHeartbeat is the first one of a member at epoch 0, and else one that
// says nothing new.
func streamsHeartbeat(version int16, member string, epoch int32) *kmsg.StreamsGroupHeartbeatRequest {
	req := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = version, "g", member, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis = 30_000
		req.ProcessID = kmsg.StringPtr("process of " + member)
		req.Topology = wordCount(0)
		req.ActiveTasks, req.StandbyTasks, req.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	}
	return req
}

// holding is the heartbeat of a member that says which active tasks it has.
func holding(req *kmsg.StreamsGroupHeartbeatRequest, active ...kmsg.TaskIDs) *kmsg.StreamsGroupHeartbeatRequest {
	req.ActiveTasks, req.StandbyTasks, req.WarmupTasks = append([]kmsg.TaskIDs{}, active...), []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	return req
}

func tasksOf(ids []kmsg.TaskIDs) string {
	if ids == nil {
		return "null"
	}
	s := ""
	for _, id := range ids {
		s += fmt.Sprint(id.SubtopologyID, id.Partitions)
	}
	return s
}

func TestAStreamsGroupIsServedInEachVersion(t *testing.T) {
	for version := range int16(2) {
		b := Start(t, WithTopic("t", 2, nil))
		c := dial(t, b)
		beat := func(req *kmsg.StreamsGroupHeartbeatRequest) *kmsg.StreamsGroupHeartbeatResponse {
			return ask[*kmsg.StreamsGroupHeartbeatResponse](c, req)
		}
		resp := beat(streamsHeartbeat(version, "a", 0))
		if resp.ErrorCode != 0 || resp.MemberEpoch != 2 || resp.HeartbeatIntervalMillis != 25 || resp.Status == nil || len(resp.Status) > 0 || resp.TopologyDescriptionRequired != (version > 0) {
			t.Fatalf("v%d: a join is answered %+v", version, resp)
		}
		if got := tasksOf(resp.ActiveTasks); got != "0[0 1]1[0 1]" || tasksOf(resp.StandbyTasks) != "" || tasksOf(resp.WarmupTasks) != "" {
			t.Errorf("v%d: the first member has the tasks %s", version, got)
		}
		for name, policy := range map[string]string{"g-counts-repartition": "delete", "g-counts-changelog": "compact"} {
			made := b.image.Load().topic(name)
			if made == nil || len(made.partitions) != 2 || made.config.Overrides()["cleanup.policy"] != policy {
				t.Errorf("v%d: topic %s was not made as it is needed: %+v", version, name, made)
			}
		}
		if resp = beat(streamsHeartbeat(version, "a", 2)); resp.ErrorCode != 0 || resp.ActiveTasks != nil || resp.StandbyTasks != nil {
			t.Errorf("v%d: a heartbeat with nothing new is answered %+v", version, resp)
		}
		if state := b.Group("g").State(); state != "Stable" {
			t.Errorf("v%d: the group is %s", version, state)
		}

		// A second process: the first must give up tasks before it gets them.
		resp = beat(streamsHeartbeat(version, "b", 0))
		if resp.MemberEpoch != 3 || tasksOf(resp.ActiveTasks) != "" {
			t.Errorf("v%d: the second member joins at epoch %d with %s, want 3 and nothing yet", version, resp.MemberEpoch, tasksOf(resp.ActiveTasks))
		}
		resp = beat(streamsHeartbeat(version, "a", 2))
		keep := resp.ActiveTasks
		if resp.MemberEpoch != 2 || tasksOf(keep) != "0[0]1[0]" {
			t.Errorf("v%d: the first member is told at epoch %d to keep %s", version, resp.MemberEpoch, tasksOf(keep))
		}
		if resp = beat(holding(streamsHeartbeat(version, "a", 2), keep...)); resp.MemberEpoch != 3 {
			t.Errorf("v%d: having given up tasks, the first member is at epoch %d", version, resp.MemberEpoch)
		}
		if resp = beat(streamsHeartbeat(version, "b", 3)); tasksOf(resp.ActiveTasks) != "0[1]1[1]" {
			t.Errorf("v%d: the second member gets %s", version, tasksOf(resp.ActiveTasks))
		}

		update := kmsg.NewPtrStreamsGroupTopologyDescriptionUpdateRequest()
		update.Group, update.MemberID = "g", "a"
		node := kmsg.NewTopologyDescriptionNode()
		node.Name, node.SourceTopics = "KSTREAM-SOURCE-0", []string{"t"}
		update.TopologyDescription.Subtopologies = []kmsg.TopologyDescriptionSubtopology{{SubtopologyID: "0", Nodes: []kmsg.TopologyDescriptionNode{node}}}
		if u := ask[*kmsg.StreamsGroupTopologyDescriptionUpdateResponse](c, update); u.ErrorCode != 0 {
			t.Errorf("a description of the topology is answered %+v", u)
		}
		if resp = beat(streamsHeartbeat(version, "b", 3)); resp.TopologyDescriptionRequired {
			t.Errorf("v%d: a description is asked for that is there", version)
		}

		describe := kmsg.NewPtrStreamsGroupDescribeRequest()
		describe.Version, describe.Groups, describe.IncludeAuthorizedOperations, describe.IncludeTopologyDescription = version, []string{"g", "", "none"}, true, true
		d := ask[*kmsg.StreamsGroupDescribeResponse](c, describe)
		g := d.Groups[0]
		if g.State != "Stable" || g.Epoch != 3 || g.AssignmentEpoch != 3 || g.AuthorizedOperations != groupOperations || len(g.Members) != 2 || len(g.Topology.Subtopologies) != 2 {
			t.Fatalf("v%d: the group is described as %+v", version, g)
		}
		if n := g.Topology.Subtopologies[1].StateChangelogTopics[0].NumPartitions; n != 2 {
			t.Errorf("v%d: the changelog is described with %d partitions", version, n)
		}
		if m := g.Members[1]; m.MemberID != "b" || m.ProcessID != "process of b" || m.ClientID != "test" || tasksOf(m.Assignment.ActiveTasks) != "0[1]1[1]" || tasksOf(m.TargetAssignment.ActiveTasks) != "0[1]1[1]" {
			t.Errorf("v%d: the second member is described as %+v", version, m)
		}
		if version > 0 && (g.TopologyDescriptionStatus != 3 || g.TopologyDescription.Subtopologies[0].Nodes[0].Name != node.Name || *g.AssignorName != "sticky") {
			t.Errorf("v%d: the topology is described as %d %+v", version, g.TopologyDescriptionStatus, g.TopologyDescription)
		}
		if d.Groups[1].ErrorCode != 24 || d.Groups[2].ErrorCode != 69 {
			t.Errorf("v%d: groups \"\" and none have errors %d and %d, want 24 and 69", version, d.Groups[1].ErrorCode, d.Groups[2].ErrorCode)
		}

		list := kmsg.NewPtrListGroupsRequest()
		list.Version, list.TypesFilter = 5, []string{"Streams"}
		l := ask[*kmsg.ListGroupsResponse](c, list)
		if len(l.Groups) != 1 || l.Groups[0].GroupType != "streams" || l.Groups[0].GroupState != "Stable" || l.Groups[0].ProtocolType != "streams" {
			t.Errorf("the group is listed as %+v", l.Groups)
		}
		if all := b.Group("g").Members(); len(all) != 2 || !slices.Equal(all[0].Partitions["t"], []int32{0}) || !slices.Equal(all[1].Partitions["g-counts-repartition"], []int32{1}) {
			t.Errorf("v%d: the look inside shows the members %+v", version, all)
		}

		for i, member := range []string{"a", "b"} {
			if resp = beat(streamsHeartbeat(version, member, -1)); resp.ErrorCode != 0 || resp.MemberEpoch != -1 {
				t.Errorf("v%d: leaving is answered %+v", version, resp)
			}
			del := kmsg.NewPtrDeleteGroupsRequest()
			del.Groups = []string{"g"}
			if code := ask[*kmsg.DeleteGroupsResponse](c, del).Groups[0].ErrorCode; code != []int16{68, 0}[i] {
				t.Errorf("with %d members left, deleting has error %d", 1-i, code)
			}
		}
		if resp = beat(streamsHeartbeat(version, "a", 2)); resp.ErrorCode != 69 {
			t.Errorf("a heartbeat to the deleted group has error %d", resp.ErrorCode)
		}
	}
}

func TestStreamsGroupsHaveConfigs(t *testing.T) {
	vc := clock.NewVirtual(time.Unix(1e9, 0))
	b := Start(t, WithTopic("t", 2, nil), WithClock(vc))
	c := dial(t, b)
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
	for name, value := range map[string]string{"streams.heartbeat.interval.ms": "5250", "streams.num.standby.replicas": "1"} {
		res.Configs = append(res.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: kmsg.StringPtr(value)})
	}
	alter.Resources = append(alter.Resources, res)
	if code := ask[*kmsg.IncrementalAlterConfigsResponse](c, alter).Resources[0].ErrorCode; code != 0 {
		t.Fatalf("the group's configs are refused with error %d", code)
	}
	ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(1, "a", 0))
	b1 := ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(1, "b", 0))
	vc.Advance(44 * time.Second)
	if resp := ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(1, "a", 2)); resp.HeartbeatIntervalMillis != 5250 {
		t.Errorf("the members of a quiet group are told to send a heartbeat every %d ms", resp.HeartbeatIntervalMillis)
	}
	if tasksOf(b1.StandbyTasks) != "1[0]" {
		t.Errorf("the second member has the copies %s, want that of what the first one keeps", tasksOf(b1.StandbyTasks))
	}
}

func TestAStreamsMemberThatFallsSilentLosesItsTasks(t *testing.T) {
	vc := clock.NewVirtual(time.Unix(1e9, 0))
	b := Start(t, WithTopic("t", 2, nil), WithClock(vc))
	c := dial(t, b)
	ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(0, "a", 0))
	vc.Advance(46 * time.Second)
	if err := b.Group("g").WaitForState(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	if resp := ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(0, "a", 2)); resp.ErrorCode != 25 {
		t.Errorf("a member that was silent for too long gets error %d, want 25", resp.ErrorCode)
	}
}

func TestStreamsGroupsAreOffWithTheirFeature(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	if resp := updateFeature(c, 2, "streams.version", 0, safeDowngrade, false); resp.ErrorCode != 0 {
		t.Fatalf("the feature can't be switched off: %+v", resp)
	}
	if resp := ask[*kmsg.StreamsGroupHeartbeatResponse](c, streamsHeartbeat(0, "a", 0)); resp.ErrorCode != 35 {
		t.Errorf("a heartbeat has error %d, want 35", resp.ErrorCode)
	}
	describe := kmsg.NewPtrStreamsGroupDescribeRequest()
	describe.Groups = []string{"g"}
	if g := ask[*kmsg.StreamsGroupDescribeResponse](c, describe).Groups[0]; g.ErrorCode != 35 {
		t.Errorf("a description has error %d, want 35", g.ErrorCode)
	}
}

func TestATopicThatCannotBeMadeIsReported(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	req := streamsHeartbeat(0, "a", 0)
	req.Topology.Subtopologies[1].StateChangelogTopics[0].Configs[0].Value = "nonsense"
	resp := ask[*kmsg.StreamsGroupHeartbeatResponse](c, req)
	want := "Internal topics are missing: g-counts-changelog; Creation failed: g-counts-changelog (Invalid value nonsense for configuration cleanup.policy: String must be one of: compact, delete)."
	if resp.ErrorCode != 0 || len(resp.Status) != 1 || resp.Status[0].StatusCode != 3 || resp.Status[0].StatusDetail != want || tasksOf(resp.ActiveTasks) != "" {
		t.Errorf("the member is told %+v, want %s", resp, want)
	}
	if state := b.Group("g").State(); state != "NotReady" {
		t.Errorf("the group is %s", state)
	}
}
