package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns groups: their members and offsets, and setting the offsets.

// GroupList is all groups.
type GroupList struct {
	Groups []GroupSummary `json:"groups" doc:"By id."`
}

// GroupSummary is a group in a list.
type GroupSummary struct {
	ID      string `json:"id"`
	Kind    string `json:"kind" enum:"classic,consumer,share,streams"`
	State   string `json:"state" doc:"As Kafka's tools print it, such as Stable or Empty."`
	Members int    `json:"members"`
}

// Group is a group with its members and offsets.
type Group struct {
	GroupSummary
	Detail  []Member          `json:"detail" doc:"Its members."`
	Offsets []CommittedOffset `json:"offsets" doc:"What it has committed, by topic and partition."`
	Shares  []SharePosition   `json:"shares,omitempty" doc:"Of a share group: how far it is, by topic and partition."`
}

// Member is a member of a group.
type Member struct {
	ID         string             `json:"id"`
	InstanceID string             `json:"instance_id,omitempty" doc:"Of a static member."`
	ClientID   string             `json:"client_id"`
	Host       string             `json:"host"`
	Partitions map[string][]int32 `json:"partitions" doc:"What it is assigned, by topic."`
}

// CommittedOffset is an offset that a group has committed.
type CommittedOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Lag       int64  `json:"lag" doc:"Offsets from there to the high watermark."`
}

// SharePosition is how far a share group is in a partition.
type SharePosition struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Start     int64          `json:"start" doc:"All before it is done. -1: the group has not begun here."`
	End       int64          `json:"end" doc:"Behind the last record that was handed out."`
	Lag       int64          `json:"lag" doc:"Records from start to the high watermark that are not done."`
	Records   []ShareRecords `json:"records" doc:"Those from start to end that were handed out, in runs of one state."`
}

// ShareRecords is a run of records in one state.
type ShareRecords struct {
	First      int64  `json:"first"`
	Last       int64  `json:"last"`
	State      string `json:"state" enum:"Available,Acquired,Acknowledged,Archived"`
	Deliveries int    `json:"deliveries" doc:"How often they were delivered."`
	Member     string `json:"member,omitempty" doc:"Who has them, if somebody has."`
	Until      string `json:"until,omitempty" doc:"When that member's lock ends, in RFC 3339."`
}

// OffsetReset says where a group shall go on reading a topic.
type OffsetReset struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions,omitempty" doc:"None: all."`
	To         string  `json:"to" enum:"earliest,latest,offset,time,shift" doc:"The first record, the end, an offset, the first record of a time, or so many offsets further."`
	Offset     int64   `json:"offset,omitempty" doc:"Of to=offset; of to=shift, how many offsets, less than 0 for back."`
	Time       string  `json:"time,omitempty" doc:"Of to=time: RFC 3339."`
	DryRun     bool    `json:"dry_run,omitempty" doc:"Change nothing."`
}

// OffsetsMoved is what a reset does.
type OffsetsMoved struct {
	Moved []OffsetMoved `json:"moved" doc:"By partition."`
}

// OffsetMoved is one offset that a reset moves.
type OffsetMoved struct {
	Partition int32  `json:"partition"`
	Before    *int64 `json:"before" doc:"null: nothing was committed."`
	After     int64  `json:"after"`
}

func (a *API) groupSummary(id string) GroupSummary {
	g := a.b.Group(id)
	return GroupSummary{ID: id, Kind: g.Kind(), State: g.State(), Members: len(g.Members())}
}

func listGroups(a *API, _ *http.Request) (any, error) {
	list := GroupList{Groups: []GroupSummary{}}
	for _, id := range a.b.Groups() {
		if s := a.groupSummary(id); s.State != "Dead" {
			list.Groups = append(list.Groups, s)
		}
	}
	return list, nil
}

func getGroup(a *API, r *http.Request) (any, error) {
	id := r.PathValue("group")
	g := Group{GroupSummary: a.groupSummary(id), Detail: []Member{}, Offsets: []CommittedOffset{}}
	if g.State == "Dead" {
		message := fmt.Sprintf("There is no group %q.", id)
		return nil, kafka(69, &message)
	}
	for _, m := range a.b.Group(id).Members() {
		if m.Partitions == nil {
			m.Partitions = map[string][]int32{}
		}
		g.Detail = append(g.Detail, Member(m))
	}
	committed := a.b.Committed(id)
	for _, topic := range slices.Sorted(maps.Keys(committed)) {
		ends := a.b.Topic(topic).HighWatermarks()
		for _, p := range slices.Sorted(maps.Keys(committed[topic])) {
			o := CommittedOffset{Topic: topic, Partition: p, Offset: committed[topic][p]}
			if int(p) < len(ends) {
				o.Lag = max(0, ends[p]-o.Offset)
			}
			g.Offsets = append(g.Offsets, o)
		}
	}
	for _, topic := range a.b.Group(id).ShareTopics() {
		positions := a.b.Group(id).Shares(topic)
		for _, p := range slices.Sorted(maps.Keys(positions)) {
			at := positions[p]
			s := SharePosition{Topic: topic, Partition: p, Start: at.Start, End: at.End, Lag: at.Lag, Records: []ShareRecords{}}
			for _, r := range at.Records {
				run := ShareRecords{First: r.First, Last: r.Last, State: r.State, Deliveries: r.Deliveries, Member: r.Member}
				if !r.Until.IsZero() {
					run.Until = r.Until.UTC().Format(time.RFC3339Nano)
				}
				s.Records = append(s.Records, run)
			}
			g.Shares = append(g.Shares, s)
		}
	}
	return g, nil
}

func deleteGroup(a *API, r *http.Request) (any, error) {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{r.PathValue("group")}
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	return nil, kafka(resp.Groups[0].ErrorCode, nil)
}

func resetOffsets(a *API, r *http.Request) (any, error) {
	asked, err := read[OffsetReset](r)
	if err != nil {
		return nil, err
	}
	r.SetPathValue("topic", asked.Topic)
	meta, err := a.find(r)
	if err != nil {
		return nil, err
	}
	id, topic := r.PathValue("group"), a.b.Topic(asked.Topic)
	starts, ends, before := topic.StartOffsets(), topic.HighWatermarks(), a.positions(id, asked.Topic)
	if asked.Partitions == nil {
		for p := range ends {
			asked.Partitions = append(asked.Partitions, int32(p))
		}
	}
	moved := OffsetsMoved{Moved: []OffsetMoved{}}
	for _, p := range slices.Sorted(slices.Values(asked.Partitions)) {
		if p < 0 || int(p) >= min(len(starts), len(ends)) {
			return nil, say(http.StatusUnprocessableEntity, fmt.Sprintf("Topic %q has no partition %d.", asked.Topic, p), fmt.Sprintf("It has %d, from 0.", len(ends)))
		}
		m := OffsetMoved{Partition: p}
		if at, ok := before[p]; ok {
			m.Before = &at
		}
		switch asked.To {
		case "earliest":
			m.After = starts[p]
		case "latest":
			m.After = ends[p]
		case "offset":
			m.After = asked.Offset
		case "shift":
			if m.After = starts[p] + asked.Offset; m.Before != nil {
				m.After = *m.Before + asked.Offset
			}
		case "time":
			at, err := time.Parse(time.RFC3339Nano, asked.Time)
			if err != nil {
				return nil, say(http.StatusBadRequest, fmt.Sprintf("time cannot be %q.", asked.Time), "Write it as 2026-01-31T12:00:00Z.")
			}
			m.After = topic.OffsetAt(p, at)
		default:
			return nil, say(http.StatusBadRequest, fmt.Sprintf("to cannot be %q.", asked.To), "Use earliest, latest, offset, time or shift.")
		}
		m.After = min(max(m.After, starts[p]), ends[p])
		moved.Moved = append(moved.Moved, m)
	}
	if asked.DryRun {
		return moved, nil
	}
	if a.b.Group(id).Kind() == "share" {
		return moved, a.alterShare(r, id, asked.Topic, moved.Moved)
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = id, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = asked.Topic, meta.TopicID
	for _, m := range moved.Moved {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = m.Partition, m.After, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	for _, p := range resp.Topics[0].Partitions {
		if err := kafka(p.ErrorCode, nil); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// positions is where a group of any kind is in a topic, by partition.
func (a *API) positions(id, topic string) map[int32]int64 {
	at := a.b.Committed(id)[topic]
	for p, of := range a.b.Group(id).Shares(topic) {
		if at == nil {
			at = make(map[int32]int64)
		}
		if of.Start >= 0 {
			at[p] = of.Start
		}
	}
	return at
}

// alterShare sets where a share group goes on.
func (a *API) alterShare(r *http.Request, id, topic string, moved []OffsetMoved) error {
	req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	req.GroupID = id
	t := kmsg.NewAlterShareGroupOffsetsRequestTopic()
	t.Topic = topic
	for _, m := range moved {
		p := kmsg.NewAlterShareGroupOffsetsRequestTopicPartition()
		p.Partition, p.StartOffset = m.Partition, m.After
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return err
	}
	if err := kafka(resp.ErrorCode, resp.ErrorMessage); err != nil {
		return err
	}
	for _, p := range resp.Topics[0].Partitions {
		if err := kafka(p.ErrorCode, p.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}
