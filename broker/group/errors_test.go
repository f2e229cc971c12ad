package group

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file holds what requests get that a group cannot serve: those for groups of other kinds, and heartbeats that
// make no sense (GroupMetadataManager, GroupCoordinatorService.throwIf...IsInvalid).

// kindsWorld is a group of some kind, and all requests.
type kindsWorld struct {
	*streamsSim
	states states
}

func newKindsWorld(t *testing.T) *kindsWorld {
	w := &kindsWorld{newStreamsSim(t), states{}}
	w.cfg.Share.MaxSize = 10
	w.setTopics([]string{"t1:1"})
	return w
}

// become makes the group one of a kind.
func (w *kindsWorld) become(kind string) {
	switch kind {
	case "dead":
	case "simple":
		w.ask("OffsetCommit")
	case "classic":
		w.ask("JoinGroup")
	case "classic, empty":
		w.ask("JoinGroup")
		w.ask("LeaveGroup")
	case "consumer":
		w.ask("ConsumerGroupHeartbeat join")
	case "consumer, empty":
		w.ask("ConsumerGroupHeartbeat join")
		w.ask("ConsumerGroupHeartbeat leave")
	case "share":
		w.ask("ShareGroupHeartbeat join")
	case "share, empty":
		w.ask("ShareGroupHeartbeat join")
		w.ask("ShareGroupHeartbeat leave")
	case "streams":
		w.ask("StreamsGroupHeartbeat join")
	case "streams, empty":
		w.ask("StreamsGroupHeartbeat join")
		w.ask("StreamsGroupHeartbeat leave")
	}
}

var kindsOfGroups = []string{"dead", "simple", "classic", "classic, empty", "consumer", "consumer, empty", "share", "share, empty", "streams", "streams, empty"}

// ask sends a request and returns its error.
func (w *kindsWorld) ask(request string) string {
	client := Client{"client", "/127.0.0.1"}
	lookup := w.cluster().Lookup
	epoch := map[string]int32{"join": 0, "stay": 2, "leave": -1}
	api, how, _ := strings.Cut(request, " ")
	code, text := int16(0), (*string)(nil)
	var eff Effects
	switch api {
	case "JoinGroup":
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 3, "g", "", "consumer", 45_000, 60_000
		sub := kmsg.ConsumerMemberMetadata{Version: 0, Topics: []string{"t1"}}
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: sub.AppendTo(nil)}}
		eff = w.g.Join(w.now, client, req, "join", w.cluster())
		for _, a := range eff.Answers {
			if resp, ok := a.Response.(*kmsg.JoinGroupResponse); ok {
				code = resp.ErrorCode
				w.members["m"] = &clientMember{id: resp.MemberID, epoch: resp.Generation}
			}
		}
	case "SyncGroup":
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.MemberID, req.Generation = 3, "g", "nobody", 1
		eff = w.g.Sync(w.now, req, "sync")
		code = eff.Answers[0].Response.(*kmsg.SyncGroupResponse).ErrorCode
	case "Heartbeat":
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation = "g", "nobody", 1
		code, eff = w.g.Heartbeat(w.now, req)
	case "LeaveGroup":
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version, req.Group, req.MemberID = 1, "g", "nobody"
		if m := w.members["m"]; m != nil {
			req.MemberID = m.id
		}
		var resp *kmsg.LeaveGroupResponse
		resp, eff = w.g.Leave(w.now, req)
		code = resp.ErrorCode
	case "OffsetCommit", "TxnOffsetCommit":
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.Partitions = "t1", []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}
		member, generation := "", int32(-1)
		if how == "of a member" {
			member, generation = "nobody", 1
		}
		if api == "OffsetCommit" {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Version, req.Group, req.MemberID, req.Generation, req.Topics = 9, "g", member, generation, []kmsg.OffsetCommitRequestTopic{topic}
			var resp *kmsg.OffsetCommitResponse
			resp, eff = w.g.CommitOffsets(w.now, req, lookup, new(CommitMemory))
			code = resp.Topics[0].Partitions[0].ErrorCode
			break
		}
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.Version, req.Group, req.ProducerID, req.MemberID, req.Generation = 3, "g", 7, member, generation
		req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t1", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
		var resp *kmsg.TxnOffsetCommitResponse
		resp, eff = w.g.CommitInTransaction(w.now, req, lookup, func([]Record) *kerr.Error { return nil })
		code = resp.Topics[0].Partitions[0].ErrorCode
	case "OffsetDelete":
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = "g"
		var resp *kmsg.OffsetDeleteResponse
		resp, eff = w.g.DeleteOffsets(w.now, req, lookup)
		code = resp.ErrorCode
	case "DeleteGroups":
		var err *kerr.Error
		if err, eff = w.g.Delete(w.now); err != nil {
			code = err.Code
		}
	case "DescribeGroups":
		d := w.g.Describe(6)
		code, text = d.ErrorCode, d.ErrorMessage
	case "ConsumerGroupDescribe":
		d := w.g.DescribeConsumer(lookup)
		code, text = d.ErrorCode, d.ErrorMessage
	case "ShareGroupDescribe":
		d := w.g.DescribeShare(lookup)
		code, text = d.ErrorCode, d.ErrorMessage
	case "StreamsGroupDescribe":
		d := w.g.DescribeStreams("g", false)
		code, text = d.ErrorCode, d.ErrorMessage
	case "AlterShareGroupOffsets":
		req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
		req.GroupID = "g"
		var resp *kmsg.AlterShareGroupOffsetsResponse
		resp, eff = w.g.AlterShareOffsets(w.now, req, lookup, w.states)
		code, text = resp.ErrorCode, resp.ErrorMessage
	case "DeleteShareGroupOffsets":
		req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
		req.GroupID = "g"
		var resp *kmsg.DeleteShareGroupOffsetsResponse
		resp, eff = w.g.DeleteShareOffsets(w.now, req, lookup, w.states)
		code, text = resp.ErrorCode, resp.ErrorMessage
	case "ConsumerGroupHeartbeat":
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", "m", epoch[how]
		if how == "join" {
			req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{"t1"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		var resp *kmsg.ConsumerGroupHeartbeatResponse
		resp, eff = w.g.ConsumerHeartbeat(w.now, client, req, w.cluster(), w.timing)
		code, text = resp.ErrorCode, resp.ErrorMessage
	case "ShareGroupHeartbeat":
		req := kmsg.NewPtrShareGroupHeartbeatRequest()
		req.Version, req.GroupID, req.MemberID, req.MemberEpoch = 1, "g", "m", epoch[how]
		if how == "join" {
			req.SubscribedTopicNames = []string{"t1"}
		}
		var resp *kmsg.ShareGroupHeartbeatResponse
		resp, eff = w.g.ShareHeartbeat(w.now, client, req, w.cluster(), w.timing, w.states)
		code, text = resp.ErrorCode, resp.ErrorMessage
	case "StreamsGroupHeartbeat":
		th := &thread{id: "m", process: "p", epoch: epoch[how]}
		req := w.later(th, false)
		if how == "join" {
			req = w.first(th)
		}
		resp := w.send(req)
		code, text = resp.ErrorCode, resp.ErrorMessage
	}
	_ = eff
	if code == 0 {
		return ""
	}
	answer := kerr.TypedErrorForCode(code).Message
	if text != nil {
		answer += ": " + *text
	}
	return answer
}

func TestRequestsToGroupsOfAllKinds(t *testing.T) {
	var got strings.Builder
	for _, request := range []string{
		"JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "OffsetCommit", "OffsetCommit of a member", "TxnOffsetCommit", "TxnOffsetCommit of a member", "OffsetDelete", "DeleteGroups",
		"DescribeGroups", "ConsumerGroupDescribe", "ShareGroupDescribe", "StreamsGroupDescribe", "AlterShareGroupOffsets", "DeleteShareGroupOffsets",
		"ConsumerGroupHeartbeat join", "ConsumerGroupHeartbeat stay", "ConsumerGroupHeartbeat leave",
		"ShareGroupHeartbeat join", "ShareGroupHeartbeat stay", "ShareGroupHeartbeat leave",
		"StreamsGroupHeartbeat join", "StreamsGroupHeartbeat stay", "StreamsGroupHeartbeat leave",
	} {
		answers := map[string][]string{}
		var order []string
		for _, kind := range kindsOfGroups {
			w := newKindsWorld(t)
			w.become(kind)
			delete(w.members, "m")
			answer := w.ask(request)
			if answers[answer] == nil {
				order = append(order, answer)
			}
			answers[answer] = append(answers[answer], kind)
		}
		fmt.Fprintf(&got, "%s\n", request)
		for _, answer := range order {
			said := answer
			if said == "" {
				said = "served"
			}
			fmt.Fprintf(&got, "\t%s | %s\n", strings.Join(answers[answer], "; "), said)
		}
	}
	if got.String() != requestsToKinds {
		t.Errorf("got\n%s\nwant\n%s", got.String(), requestsToKinds)
	}
}

// TestShareHeartbeatsThatMakeNoSense and the next have the rows of the checks that come before the group is looked at.
func TestShareHeartbeatsThatMakeNoSense(t *testing.T) {
	type request = kmsg.ShareGroupHeartbeatRequest
	for want, edit := range map[string]func(r *request){
		"":                         func(r *request) { r.MemberID = "" },
		" ":                        func(r *request) { r.MemberID = strings.Repeat("x", 37) },
		"MemberId can't be empty.": func(r *request) { r.MemberID = "  " },
		"GroupId can't be empty.":  func(r *request) { r.GroupID = " " },
		"RackId can't be empty.":   func(r *request) { r.RackID = new("") },
		"MemberEpoch is invalid.":  func(r *request) { r.MemberEpoch = -2 },
		"SubscribedTopicNames must be set in first request.": func(r *request) { r.SubscribedTopicNames = nil },
	} {
		w := newKindsWorld(t)
		req := kmsg.NewPtrShareGroupHeartbeatRequest()
		req.Version, req.GroupID, req.MemberID, req.SubscribedTopicNames = 1, "g", "m", []string{"t1"}
		edit(req)
		resp, eff := w.g.ShareHeartbeat(w.now, Client{}, req, w.cluster(), w.timing, w.states)
		if resp.ErrorCode != kerr.InvalidRequest.Code || reason(resp.ErrorMessage) != strings.TrimSpace(want) || len(eff.Records) > 0 || w.g.State() != Dead {
			t.Errorf("want %q, got [%d] %q and %d records", want, resp.ErrorCode, reason(resp.ErrorMessage), len(eff.Records))
		}
	}
}

func TestStreamsHeartbeatsThatMakeNoSense(t *testing.T) {
	type request = kmsg.StreamsGroupHeartbeatRequest
	none := []kmsg.TaskIDs{}
	some := []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: []int32{0}}}
	offsets := []kmsg.TaskOffset{}
	for want, edit := range map[string]func(r *request){
		"Static membership is not yet supported.": func(r *request) { r.InstanceID = new("i") },
		"TaskOffsets are not supported yet.":      func(r *request) { r.TaskOffsets = offsets },
		"TaskEndOffsets are not supported yet.":   func(r *request) { r.TaskEndOffsets = offsets },
		"WarmupTasks are not supported yet.":      func(r *request) { r.WarmupTasks = some },
		"Regular expressions for source topics are not supported yet.": func(r *request) {
			r.Topology.Subtopologies = append(r.Topology.Subtopologies, kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{SubtopologyID: "2", SourceTopicRegex: []string{"a.*"}})
		},
		"MemberId can't be empty.":                                    func(r *request) { r.MemberID = "" },
		"GroupId can't be empty.":                                     func(r *request) { r.Group = "" },
		"RackId can't be empty.":                                      func(r *request) { r.RackID = new(" ") },
		"RebalanceTimeoutMs must be provided in first request.":       func(r *request) { r.RebalanceTimeoutMillis = -1 },
		"ActiveTasks must be empty when (re-)joining.":                func(r *request) { r.ActiveTasks = some },
		"StandbyTasks must be empty when (re-)joining.":               func(r *request) { r.StandbyTasks = nil },
		"WarmupTasks must be empty when (re-)joining.":                func(r *request) { r.WarmupTasks = nil },
		"Topology must be non-null when (re-)joining.":                func(r *request) { r.Topology = nil },
		"InstanceId can't be null.":                                   func(r *request) { r.MemberEpoch = -2 },
		"MemberEpoch is -3, but must be greater than or equal to -2.": func(r *request) { r.MemberEpoch = -3 },
		"If one task-type is non-null, all must be non-null.":         func(r *request) { r.MemberEpoch, r.Topology, r.StandbyTasks = 1, nil, nil },
		"Topology can only be provided when (re-)joining.":            func(r *request) { r.MemberEpoch = 1 },
	} {
		w := newKindsWorld(t)
		req := w.first(&thread{id: "m", process: "p"})
		req.ActiveTasks, req.StandbyTasks, req.WarmupTasks = none, none, none
		topology := *req.Topology
		req.Topology = &topology
		edit(req)
		resp, missing, eff := w.g.StreamsHeartbeat(w.now, Client{}, req, w.cluster(), w.settings, nil)
		if missing != nil || resp.ErrorCode != kerr.InvalidRequest.Code || reason(resp.ErrorMessage) != want || len(eff.Records) > 0 || w.g.State() != Dead {
			t.Errorf("want %q, got %+v", want, resp)
		}
	}
}

const requestsToKinds = `JoinGroup
	dead; simple; classic; classic, empty; consumer; consumer, empty; streams, empty | served
	share; share, empty; streams | INCONSISTENT_GROUP_PROTOCOL
SyncGroup
	dead; simple; classic; classic, empty; consumer; consumer, empty; share; share, empty; streams; streams, empty | UNKNOWN_MEMBER_ID
Heartbeat
	dead; simple; classic; classic, empty; consumer; consumer, empty; share; share, empty; streams; streams, empty | UNKNOWN_MEMBER_ID
LeaveGroup
	dead; simple; classic; classic, empty; consumer; consumer, empty; share; share, empty; streams; streams, empty | UNKNOWN_MEMBER_ID
OffsetCommit
	dead; simple; classic, empty; consumer, empty; streams, empty | served
	classic; consumer; streams | UNKNOWN_MEMBER_ID
	share; share, empty | GROUP_ID_NOT_FOUND
OffsetCommit of a member
	dead; share; share, empty | GROUP_ID_NOT_FOUND
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | UNKNOWN_MEMBER_ID
TxnOffsetCommit
	dead; simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | served
	share; share, empty | GROUP_ID_NOT_FOUND
TxnOffsetCommit of a member
	dead | ILLEGAL_GENERATION
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | UNKNOWN_MEMBER_ID
	share; share, empty | GROUP_ID_NOT_FOUND
OffsetDelete
	dead; share; share, empty | GROUP_ID_NOT_FOUND
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | served
DeleteGroups
	dead | GROUP_ID_NOT_FOUND
	simple; classic, empty; consumer, empty; share, empty; streams, empty | served
	classic; consumer; share; streams | NON_EMPTY_GROUP
DescribeGroups
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty | served
	consumer; consumer, empty; share; share, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a classic group.
ConsumerGroupDescribe
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; share; share, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a consumer group.
	consumer; consumer, empty | served
ShareGroupDescribe
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
	share; share, empty | served
StreamsGroupDescribe
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; share; share, empty | GROUP_ID_NOT_FOUND: Group g is not a streams group.
	streams; streams, empty | served
AlterShareGroupOffsets
	dead; share, empty | served
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
	share | NON_EMPTY_GROUP: The group is not empty.
DeleteShareGroupOffsets
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
	share | NON_EMPTY_GROUP: The group is not empty.
	share, empty | served
ConsumerGroupHeartbeat join
	dead; simple; classic; classic, empty; consumer; consumer, empty | served
	share; share, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a consumer group.
ConsumerGroupHeartbeat stay
	dead | GROUP_ID_NOT_FOUND: Consumer group g not found.
	simple; classic; classic, empty; share; share, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a consumer group.
	consumer | served
	consumer, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
ConsumerGroupHeartbeat leave
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; share; share, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a consumer group.
	consumer | served
	consumer, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
ShareGroupHeartbeat join
	dead; share; share, empty | served
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
ShareGroupHeartbeat stay
	dead | GROUP_ID_NOT_FOUND: Share group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
	share | FENCED_MEMBER_EPOCH: The share group member has a smaller member epoch (2) than the one known by the group coordinator (3), and it does not match the previous member epoch (0). The member must abandon all its partitions and rejoin.
	share, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
ShareGroupHeartbeat leave
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; streams; streams, empty | GROUP_ID_NOT_FOUND: Group g is not a share group.
	share | served
	share, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
StreamsGroupHeartbeat join
	dead; simple; classic, empty; streams; streams, empty | served
	classic; consumer; consumer, empty; share; share, empty | GROUP_ID_NOT_FOUND: Group g is not a streams group.
StreamsGroupHeartbeat stay
	dead | GROUP_ID_NOT_FOUND: Streams group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; share; share, empty | GROUP_ID_NOT_FOUND: Group g is not a streams group.
	streams | served
	streams, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
StreamsGroupHeartbeat leave
	dead | GROUP_ID_NOT_FOUND: Group g not found.
	simple; classic; classic, empty; consumer; consumer, empty; share; share, empty | GROUP_ID_NOT_FOUND: Group g is not a streams group.
	streams | served
	streams, empty | UNKNOWN_MEMBER_ID: Member m is not a member of group g.
`
