package ui

// This file owns how far a share group is (KIP-932): the records that were
// handed out, in which state each is, and who has it.

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareCells is how many records of a partition are drawn, one by one.
const shareCells = 120

// The states of a record that was handed out.
const (
	shareAvailable    = "Available"
	shareAcquired     = "Acquired"
	shareAcknowledged = "Acknowledged"
	shareArchived     = "Archived"
)

var shareStates = []string{shareAvailable, shareAcquired, shareAcknowledged, shareArchived}

// shareRow is a share group in one partition.
type shareRow struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Start     int64      `json:"start_offset"` // all before is done; -1: the group has not begun here
	Handed    int64      `json:"handed_out"`   // behind the last record that was handed out
	End       int64      `json:"end_offset"`
	Lag       int64      `json:"lag"` // records that are not done; -1: not told
	Members   []string   `json:"members"`
	Runs      []shareRun `json:"in_flight"` // records in the same state
}

// shareColumns are what they can be sorted by.
var shareColumns = []sortable[shareRow]{
	byWords("topic", func(s shareRow) string { return s.Topic }),
	by("partition", func(s shareRow) int32 { return s.Partition }),
	by("start", func(s shareRow) int64 { return s.Start }).called("share.start"),
	by("handed", func(s shareRow) int64 { return s.Handed }).called("share.handed"),
	by("end", func(s shareRow) int64 { return s.End }).called("offset.end"),
	by("lag", func(s shareRow) int64 { return s.Lag }).called("share.lag"),
	{text: "share.picture", words: true},
	byWords("member", func(s shareRow) string { return s.Readers() }).called("members"),
}

// shareRun is records that follow each other and are in one state.
type shareRun struct {
	First      int64     `json:"first"`
	Last       int64     `json:"last"`
	State      string    `json:"state"`
	Deliveries int       `json:"deliveries"`
	Member     string    `json:"member"` // who has them, by its id; empty unless they are acquired
	Client     string    `json:"client_id"`
	Until      time.Time `json:"until"` // when that member's lock ends; zero unless they are acquired
}

// Count is how many records there are.
func (r shareRun) Count() int64 { return r.Last - r.First + 1 }

// shareCell is one record as it is drawn.
type shareCell struct {
	Offset     int64
	State      string
	Deliveries int
}

// Cells are the first records from Start on.
func (s shareRow) Cells() (cells []shareCell) {
	for _, r := range s.Runs {
		for o := r.First; o <= r.Last && len(cells) < shareCells; o++ {
			cells = append(cells, shareCell{o, r.State, r.Deliveries})
		}
	}
	return cells
}

// Undrawn is how many records in flight Cells leaves out.
func (s shareRow) Undrawn() (n int64) {
	for _, r := range s.Runs {
		n += r.Count()
	}
	return max(0, n-shareCells)
}

// shareRuns is how many runs of records the page lists.
const shareRuns = 100

// placedRun is a run with where it is.
type placedRun struct {
	Topic     string
	Partition int32
	shareRun
}

// ShareStates are the states that a record in flight can be in.
func (g groupView) ShareStates() []string { return shareStates }

// ShareRuns are the records in flight of all partitions.
func (g groupView) ShareRuns() (all []placedRun) {
	for _, s := range g.Shares {
		for _, r := range s.Runs[:min(len(s.Runs), shareRuns-len(all))] {
			all = append(all, placedRun{s.Topic, s.Partition, r})
		}
	}
	return all
}

// MoreRuns is how many of them ShareRuns leaves out.
func (g groupView) MoreRuns() (n int) {
	for _, s := range g.Shares {
		n += len(s.Runs)
	}
	return max(0, n-shareRuns)
}

// shares are the rows of a group's page, one for each of its offsets.
func (s *site) shares(ctx context.Context, g *groupView, lags map[string]map[int32]committedOffset) []shareRow {
	clients := map[string]string{}
	readers := map[string]map[int32][]string{}
	for _, m := range g.Members {
		clients[m.ID] = m.Client
		for _, a := range m.Assigned {
			if readers[a.Topic] == nil {
				readers[a.Topic] = map[int32][]string{}
			}
			for _, p := range a.Partitions {
				readers[a.Topic][p] = append(readers[a.Topic][p], m.Client)
			}
		}
	}
	rows := make([]shareRow, 0, len(g.Offsets))
	for _, o := range g.Offsets {
		row := shareRow{Topic: o.Topic, Partition: o.Partition, Start: o.Committed, Handed: o.Committed, End: o.End, Lag: unknown, Members: []string{}, Runs: []shareRun{}}
		if c, ok := lags[o.Topic][o.Partition]; ok {
			row.Lag = c.lag
		}
		row.Members = append(row.Members, readers[o.Topic][o.Partition]...)
		rows = append(rows, row)
	}
	if s.broker == nil {
		s.cluster.shareState(ctx, g.ID, rows)
	}
	for i := range rows {
		row := &rows[i]
		if s.broker != nil {
			at, ok := s.broker.Group(g.ID).Shares(row.Topic)[row.Partition]
			if !ok {
				continue
			}
			row.Start, row.Handed, row.Lag = at.Start, at.End, at.Lag
			for _, r := range at.Records {
				row.Runs = append(row.Runs, shareRun{First: r.First, Last: r.Last, State: r.State, Deliveries: r.Deliveries, Member: r.Member, Client: clients[r.Member], Until: r.Until})
			}
		}
		if row.Lag < 0 && row.Start >= 0 {
			row.Lag = max(0, row.End-row.Start)
		}
	}
	return rows
}

// shareState asks the share coordinators of another cluster for what they have
// stored of records that were handed out. Who has which records now is known to
// the partitions' leaders alone, and no request tells it. A cluster that does
// not answer has rows without records.
func (c *cluster) shareState(ctx context.Context, group string, rows []shareRow) {
	var topics []string
	for _, row := range rows {
		if !slices.Contains(topics, row.Topic) {
			topics = append(topics, row.Topic)
		}
	}
	if len(topics) == 0 {
		return
	}
	m, err := c.metadata(ctx, topics...)
	if err != nil {
		return
	}
	ids, names := map[string][16]byte{}, map[[16]byte]string{}
	for _, t := range m.Topics {
		ids[text(t.Topic)], names[t.TopicID] = t.TopicID, text(t.Topic)
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorType = 2
	at := map[string]*shareRow{} // by the coordinator's key
	for i := range rows {
		id := ids[rows[i].Topic]
		key := group + ":" + base64.RawURLEncoding.EncodeToString(id[:]) + ":" + strconv.Itoa(int(rows[i].Partition))
		find.CoordinatorKeys = append(find.CoordinatorKeys, key)
		at[key] = &rows[i]
	}
	found, err := find.RequestWith(ctx, c.client)
	if err != nil {
		return
	}
	asked := map[int32]*kmsg.ReadShareGroupStateRequest{}
	for _, coordinator := range found.Coordinators {
		row := at[coordinator.Key]
		if row == nil || coordinator.ErrorCode != 0 {
			continue
		}
		req := asked[coordinator.NodeID]
		if req == nil {
			req = kmsg.NewPtrReadShareGroupStateRequest()
			req.GroupID = group
			asked[coordinator.NodeID] = req
		}
		t := kmsg.NewReadShareGroupStateRequestTopic()
		t.TopicID = ids[row.Topic]
		p := kmsg.NewReadShareGroupStateRequestTopicPartition()
		p.Partition, p.LeaderEpoch = row.Partition, -1 // it only looks
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	for node, req := range asked {
		answer, err := c.client.Broker(int(node)).RetriableRequest(ctx, req)
		if err != nil {
			continue
		}
		for _, t := range answer.(*kmsg.ReadShareGroupStateResponse).Topics {
			for _, p := range t.Partitions {
				i := slices.IndexFunc(rows, func(r shareRow) bool { return r.Topic == names[t.TopicID] && r.Partition == p.Partition })
				if i < 0 || p.ErrorCode != 0 {
					continue
				}
				rows[i].stored(p.StartOffset, p.StateBatches)
			}
		}
	}
}

// stored puts in what a share coordinator has of a partition. What it has no
// state of was never delivered, or is with a member for the first time.
func (s *shareRow) stored(start int64, batches []kmsg.ReadShareGroupStateResponseTopicPartitionStateBatch) {
	s.Start, s.Handed = start, max(start, s.Handed)
	names := map[int8]string{0: shareAvailable, 1: shareAcquired, 2: shareAcknowledged, 4: shareArchived}
	for _, b := range batches {
		s.Runs = append(s.Runs, shareRun{First: max(b.FirstOffset, start), Last: b.LastOffset, State: names[b.DeliveryState], Deliveries: int(b.DeliveryCount)})
		s.Handed = max(s.Handed, b.LastOffset+1)
	}
	slices.SortFunc(s.Runs, func(a, b shareRun) int { return cmp.Compare(a.First, b.First) })
}

// Readers are the client ids of the members that read here.
func (s shareRow) Readers() string { return strings.Join(s.Members, ", ") }
