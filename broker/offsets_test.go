package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
)

// This file tests ListOffsets, DeleteRecords, OffsetForLeaderEpoch and
// InitProducerId.

func listRequest(version int16, topic string, ts int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version = version
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp, rp.MaxNumOffsets = ts, 10
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func listed(c *rawClient, req *kmsg.ListOffsetsRequest) kmsg.ListOffsetsResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.ListOffsetsResponse](c, req)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("v%d answered %+v", req.Version, resp)
	}
	return resp.Topics[0].Partitions[0]
}

func TestListOffsets(t *testing.T) {
	b, _ := atRest(t, WithTopic("empty", 1, nil))
	c := dial(t, b)
	base := start2030.UnixMilli()
	for _, delta := range []int64{0, 2000, 1000} {
		c.mustProduce(b, "t", batchOf(t, base+delta, []string{"x"}))
	}
	for _, tc := range []struct {
		name     string
		topic    string
		ts       int64
		from, to int16 // versions
		code     int16
		offset   int64
		at       int64 // timestamp
		epoch    int32
	}{
		{"behaviour 107: the end", "t", -1, 1, 11, 0, 3, -1, 0},
		{"behaviour 107: the start", "t", -2, 1, 11, 0, 0, -1, 0},
		{"behaviour 107: the end of an empty log", "empty", -1, 1, 11, 0, 0, -1, 0},
		{"behaviour 107: the start of an empty log", "empty", -2, 1, 11, 0, 0, -1, 0},
		{"behaviour 108: the largest timestamp", "t", -3, 7, 11, 0, 1, base + 2000, 0},
		{"behaviour 108: the largest timestamp of an empty log", "empty", -3, 7, 11, 0, -1, -1, -1},
		{"behaviour 108: the largest timestamp before v7", "t", -3, 0, 6, 35, -1, -1, -1},
		{"behaviour 109: the earliest local offset", "t", -4, 8, 11, 0, 0, -1, 0},
		{"behaviour 109: the earliest local offset before v8", "t", -4, 0, 7, 35, -1, -1, -1},
		{"behaviour 110: the latest tiered offset", "t", -5, 9, 11, 0, -1, -1, -1},
		{"behaviour 110: the latest tiered offset before v9", "t", -5, 0, 8, 35, -1, -1, -1},
		{"behaviour 110: the earliest pending upload", "t", -6, 11, 11, 0, -1, -1, -1},
		{"behaviour 110: the earliest pending upload before v11", "t", -6, 0, 10, 35, -1, -1, -1},
		{"behaviour 111: -7", "t", -7, 0, 11, 35, -1, -1, -1},
		{"behaviour 111: -100", "t", -100, 0, 11, 35, -1, -1, -1},
		{"behaviour 112: a time between records", "t", base + 1000, 1, 11, 0, 1, base + 2000, 0},
		{"behaviour 112: the first record's time", "t", base, 1, 11, 0, 0, base, 0},
		{"behaviour 112: after all records", "t", base + 2001, 1, 11, 0, -1, -1, -1},
		{"an unknown topic", "nope", -1, 0, 11, 3, -1, -1, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for v := tc.from; v <= tc.to; v++ {
				p := listed(c, listRequest(v, tc.topic, tc.ts))
				if p.ErrorCode != tc.code {
					t.Fatalf("v%d: error [%d], want [%d]", v, p.ErrorCode, tc.code)
				}
				if v == 0 {
					continue
				}
				epoch := tc.epoch
				if v < 4 {
					epoch = -1
				}
				if p.Offset != tc.offset || p.Timestamp != tc.at || p.LeaderEpoch != epoch {
					t.Errorf("v%d: got %+v, want offset %d, timestamp %d, leader epoch %d", v, p, tc.offset, tc.at, epoch)
				}
			}
		})
	}
}

func TestListOffsetsV0GivesSegments(t *testing.T) {
	b, c := filled(t)
	now := start2030.UnixMilli()
	for _, tc := range []struct {
		ts   int64
		most int32
		want []int64
	}{{-1, 1, []int64{4}}, {-1, 5, []int64{4, 0}}, {-2, 5, []int64{0}}, {-1, 0, []int64{}}, {now, 5, []int64{4, 0}}, {2000, 5, []int64{0}}, {1999, 5, []int64{}}} {
		req := listRequest(0, "t", tc.ts)
		req.Topics[0].Partitions[0].MaxNumOffsets = tc.most
		if p := listed(c, req); p.ErrorCode != 0 || !slices.Equal(p.OldStyleOffsets, tc.want) {
			t.Errorf("timestamp %d, at most %d: got %+v, want %v", tc.ts, tc.most, p, tc.want)
		}
	}
	_ = b
}

func TestListOffsetsRefusesAPartitionNamedTwice(t *testing.T) { // behaviour 113
	_, c := filled(t)
	req := listRequest(6, "t", -1)
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
	if p := listed(c, req); p.ErrorCode != 42 || p.Offset != -1 {
		t.Fatalf("got %+v, want [42] once", p)
	}
}

func TestListOffsetsChecksTheLeaderEpoch(t *testing.T) {
	_, c := filled(t)
	req := listRequest(6, "t", -1)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 4
	if p := listed(c, req); p.ErrorCode != 75 {
		t.Fatalf("got %+v, want [75]", p)
	}
}

func deleteRequest(version int16, topic string, before int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version = version
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func TestDeleteRecords(t *testing.T) { // behaviours 116, 117
	for v := int16(0); v <= 2; v++ {
		b, c := filled(t, WithTopic("compacted", 1, map[string]string{"cleanup.policy": "compact"}), WithTopic("__consumer_offsets", 1, nil))
		for _, tc := range []struct {
			name   string
			topic  string
			before int64
			low    int64
			code   int16
		}{
			{"some", "t", 3, 3, 0},
			{"below the start", "t", 1, 3, 0},
			{"above the high watermark", "t", 5, -1, 1},
			{"-2", "t", -2, -1, 1},
			{"all", "t", -1, 4, 0},
			{"a compacted topic", "compacted", 0, -1, 44},
			{"an internal topic", "__consumer_offsets", 0, -1, 17},
			{"an unknown topic", "nope", 0, -1, 3},
		} {
			p := ask[*kmsg.DeleteRecordsResponse](c, deleteRequest(v, tc.topic, tc.before)).Topics[0].Partitions[0]
			if p.ErrorCode != tc.code || p.LowWatermark != tc.low {
				t.Errorf("v%d, %s: got %+v, want low watermark %d and [%d]", v, tc.name, p, tc.low, tc.code)
			}
		}
		if p := c.fetch(b, "t", 3); p.ErrorCode != 1 {
			t.Errorf("v%d: deleted records are still read: %+v", v, p)
		}
		onlyPartition(t, b, "t").lead(&leadership{leader: 2, replicas: []int32{2}, isr: []int32{2}})
		if p := ask[*kmsg.DeleteRecordsResponse](c, deleteRequest(v, "t", 4)).Topics[0].Partitions[0]; p.ErrorCode != 6 {
			t.Errorf("v%d: at a follower: got %+v, want [6]", v, p)
		}
	}
}

func TestOffsetForLeaderEpoch(t *testing.T) { // behaviour 115
	b, c := filled(t)
	onlyPartition(t, b, "t").lead(&leadership{leader: 1, leaderEpoch: 2, replicas: []int32{1}, isr: []int32{1}})
	c.mustProduce(b, "t", batchOf(t, 0, []string{"v4"}))
	for v := int16(0); v <= 4; v++ {
		for _, tc := range []struct {
			name         string
			asked        int32
			current      int32
			topic        string
			code         int16
			epoch        int32
			end          int64
			currentSince int16
		}{
			{"an older epoch", 0, -1, "t", 0, 0, 4, 0},
			{"an epoch in which nothing was written", 1, -1, "t", 0, 0, 4, 0},
			{"the current epoch", 2, 2, "t", 0, 2, 5, 0},
			{"a larger epoch", 3, -1, "t", 0, -1, -1, 0},
			{"-1", -1, -1, "t", 0, -1, -1, 0},
			{"a current epoch from the future", 0, 4, "t", 75, -1, -1, 2},
			{"a current epoch of the past", 0, 1, "t", 74, -1, -1, 2},
			{"an unknown topic", 0, -1, "nope", 3, -1, -1, 0},
		} {
			if v < tc.currentSince {
				continue
			}
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.Version = v
			rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
			rt.Topic = tc.topic
			rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			rp.LeaderEpoch, rp.CurrentLeaderEpoch = tc.asked, tc.current
			rt.Partitions = append(rt.Partitions, rp)
			req.Topics = append(req.Topics, rt)
			p := ask[*kmsg.OffsetForLeaderEpochResponse](c, req).Topics[0].Partitions[0]
			epoch := tc.epoch
			if v == 0 {
				epoch = -1
			}
			if p.ErrorCode != tc.code || p.LeaderEpoch != epoch || p.EndOffset != tc.end {
				t.Errorf("v%d, %s: got %+v, want [%d], epoch %d, end %d", v, tc.name, p, tc.code, epoch, tc.end)
			}
		}
	}
}

func initRequest(version int16, txnID *string, has txn.Producer) *kmsg.InitProducerIDRequest {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = version
	req.TransactionalID, req.TransactionTimeoutMillis = txnID, 60_000
	req.ProducerID, req.ProducerEpoch = has.ID, has.Epoch
	return req
}

var nobody = txn.Nobody

func by(id int64, epoch int16) txn.Producer { return txn.Producer{ID: id, Epoch: epoch} }

func TestProducerIDsCountUp(t *testing.T) { // behaviours 77, 78
	b, _ := atRest(t)
	c := dial(t, b)
	for v := int16(0); v <= 5; v++ {
		resp := ask[*kmsg.InitProducerIDResponse](c, initRequest(v, nil, nobody))
		if resp.ErrorCode != 0 || resp.ProducerID != int64(v) || resp.ProducerEpoch != 0 {
			t.Errorf("v%d: %+v", v, resp)
		}
	}
	if resp := ask[*kmsg.InitProducerIDResponse](c, initRequest(4, nil, by(2, 0))); resp.ProducerID != 6 || resp.ProducerEpoch != 0 {
		t.Errorf("a producer that had an id got %+v, want a new one", resp)
	}
}

func TestInitProducerIDErrors(t *testing.T) { // behaviour 79
	b, _ := atRest(t)
	c := dial(t, b)
	empty, id := "", "txn"
	for _, tc := range []struct {
		name   string
		change func(*kmsg.InitProducerIDRequest)
		code   int16
	}{
		{"an empty transactional id", func(r *kmsg.InitProducerIDRequest) { r.TransactionalID = &empty }, 42},
		{"a timeout of 0", func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 }, 50},
		{"a timeout above transaction.max.timeout.ms", func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 900_001 }, 50},
		{"an id without an epoch", func(r *kmsg.InitProducerIDRequest) { r.ProducerID = 4 }, 42},
		{"an epoch without an id", func(r *kmsg.InitProducerIDRequest) { r.ProducerEpoch = 4 }, 42},
	} {
		req := initRequest(4, &id, nobody)
		tc.change(req)
		if resp := ask[*kmsg.InitProducerIDResponse](c, req); resp.ErrorCode != tc.code || resp.ProducerID != -1 || resp.ProducerEpoch != -1 {
			t.Errorf("%s: got %+v, want [%d]", tc.name, resp, tc.code)
		}
	}
}

func TestATransactionalIDFencesWhoHadItBefore(t *testing.T) {
	b, _ := atRest(t)
	c := dial(t, b)
	id := "txn"
	for _, step := range []struct {
		name    string
		version int16
		has     txn.Producer
		want    txn.Producer
		code    int16
	}{
		{"the first producer", 4, nobody, by(0, 0), 0},
		{"a second one takes over", 4, nobody, by(0, 1), 0},
		{"the first is fenced", 4, by(0, 0), nobody, 90},
		{"the first is fenced, in a version that knows no such error", 3, by(0, 0), nobody, 47},
		{"the second goes on after an error", 4, by(0, 1), by(0, 2), 0},
		{"it asks again, as the answer got lost", 4, by(0, 1), by(0, 2), 0},
		{"somebody has an id that this one never had", 4, by(7, 2), nobody, 90},
	} {
		resp := ask[*kmsg.InitProducerIDResponse](c, initRequest(step.version, &id, step.has))
		if got := by(resp.ProducerID, resp.ProducerEpoch); got != step.want || resp.ErrorCode != step.code {
			t.Fatalf("%s: got %+v and [%d], want %+v and [%d]", step.name, got, resp.ErrorCode, step.want, step.code)
		}
	}
}
