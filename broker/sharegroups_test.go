package broker

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
)

func shareHeartbeat(version int16, member string, epoch int32, topics ...string) *kmsg.ShareGroupHeartbeatRequest {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.Version, req.GroupID, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = version, "g", member, epoch, topics
	return req
}

// sharer is a member of share group "g" that fetches partition 0 of topic "t".
type sharer struct {
	*rawClient
	b       *Broker
	id      string
	version int16
	epoch   int32 // of its session
}

// joinShare makes a member of a group that begins at the log's start.
func joinShare(t testing.TB, b *Broker, id string, version int16) *sharer {
	t.Helper()
	s := &sharer{rawClient: dial(t, b), b: b, id: id, version: version}
	s.configure("share.auto.offset.reset=earliest")
	if resp := ask[*kmsg.ShareGroupHeartbeatResponse](s.rawClient, shareHeartbeat(1, id, 0, "t")); resp.ErrorCode != 0 {
		t.Fatalf("%s cannot join: %+v", id, resp)
	}
	return s
}

// configure sets configs of the group, written as "a=b".
func (s *sharer) configure(configs ...string) {
	s.t.Helper()
	a := alteration{kind: kmsg.ConfigResourceTypeGroupConfig, name: "g"}
	for _, c := range configs {
		name, value, _ := strings.Cut(c, "=")
		err := s.b.controller.setConfigs(&a, func(old map[string]string) (map[string]string, *config.Error) {
			return config.AlterGroup(old, []config.Op{{Type: config.OpSet, Name: name, Value: &value}}, s.b.config.Load())
		})
		if err != nil {
			s.t.Fatalf("%s: %s", c, err.message)
		}
	}
}

func (s *sharer) fetchRequest(change ...func(*kmsg.ShareFetchRequest)) *kmsg.ShareFetchRequest {
	req := kmsg.NewPtrShareFetchRequest()
	req.Version, req.GroupID, req.MemberID = s.version, kmsg.StringPtr("g"), &s.id
	req.ShareSessionEpoch, req.MinBytes, req.MaxBytes, req.MaxRecords, req.BatchSize = s.epoch, 1, 1<<20, 500, 500
	if s.epoch == 0 {
		p := kmsg.NewShareFetchRequestTopicPartition()
		p.PartitionMaxBytes = 1 << 20
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: topicIDOf(s.t, s.b, "t"), Partitions: []kmsg.ShareFetchRequestTopicPartition{p}}}
	}
	for _, c := range change {
		c(req)
	}
	return req
}

// acked adds acknowledgements of partition 0 to a fetch.
func (s *sharer) acked(first, last int64, types ...int8) func(*kmsg.ShareFetchRequest) {
	return func(req *kmsg.ShareFetchRequest) {
		p := kmsg.NewShareFetchRequestTopicPartition()
		p.AcknowledgementBatches = []kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types}}
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: topicIDOf(s.t, s.b, "t"), Partitions: []kmsg.ShareFetchRequestTopicPartition{p}}}
	}
}

// get fetches and returns the partition's answer; nil: there is none.
func (s *sharer) get(change ...func(*kmsg.ShareFetchRequest)) *kmsg.ShareFetchResponseTopicPartition {
	s.t.Helper()
	return s.got(s.fetchRequest(change...))
}

func (s *sharer) got(req *kmsg.ShareFetchRequest) *kmsg.ShareFetchResponseTopicPartition {
	s.t.Helper()
	resp := ask[*kmsg.ShareFetchResponse](s.rawClient, req)
	if resp.ErrorCode != 0 {
		s.t.Fatalf("v%d: a fetch with epoch %d is answered [%d]", req.Version, req.ShareSessionEpoch, resp.ErrorCode)
	}
	if req.Version >= 1 && resp.AcquisitionLockTimeoutMillis != 30_000 {
		s.t.Errorf("v%d: locks last %d ms", req.Version, resp.AcquisitionLockTimeoutMillis)
	}
	s.epoch++
	if len(resp.Topics) == 0 {
		return nil
	}
	return &resp.Topics[0].Partitions[0]
}

// acquired is "0-2:1": offsets and delivery count.
func acquired(p *kmsg.ShareFetchResponseTopicPartition) string {
	if p == nil {
		return "nothing"
	}
	var all []string
	for _, r := range p.AcquiredRecords {
		all = append(all, fmt.Sprintf("%d-%d:%d", r.FirstOffset, r.LastOffset, r.DeliveryCount))
	}
	if p.ErrorCode != 0 || p.AcknowledgeErrorCode != 0 {
		all = append(all, fmt.Sprintf("[%d/%d]", p.ErrorCode, p.AcknowledgeErrorCode))
	}
	return strings.Join(all, " ")
}

func (s *sharer) ackRequest(first, last int64, types ...int8) *kmsg.ShareAcknowledgeRequest {
	req := kmsg.NewPtrShareAcknowledgeRequest()
	req.Version, req.GroupID, req.MemberID, req.ShareSessionEpoch = s.version, kmsg.StringPtr("g"), &s.id, s.epoch
	p := kmsg.NewShareAcknowledgeRequestTopicPartition()
	p.AcknowledgementBatches = []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types}}
	req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: topicIDOf(s.t, s.b, "t"), Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
	return req
}

// ack acknowledges and returns the partition's error.
func (s *sharer) ack(first, last int64, types ...int8) string {
	s.t.Helper()
	return s.acks(s.ackRequest(first, last, types...))
}

func (s *sharer) acks(req *kmsg.ShareAcknowledgeRequest) string {
	s.t.Helper()
	resp := ask[*kmsg.ShareAcknowledgeResponse](s.rawClient, req)
	if resp.ErrorCode != 0 {
		s.t.Fatalf("v%d: an acknowledgement with epoch %d is answered [%d]", req.Version, req.ShareSessionEpoch, resp.ErrorCode)
	}
	s.epoch++
	p := resp.Topics[0].Partitions[0]
	if p.ErrorCode == 0 {
		return ""
	}
	if p.ErrorMessage == nil {
		return fmt.Sprintf("[%d]", p.ErrorCode)
	}
	return fmt.Sprintf("[%d] %s", p.ErrorCode, *p.ErrorMessage)
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAShareGroupIsServedInEachVersion(t *testing.T) {
	for version := range int16(2) {
		b := Start(t, WithTopic("t", 3, nil))
		c := dial(t, b)
		resp := ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(version, "m", 0, "t"))
		if resp.ErrorCode != 0 || resp.MemberEpoch != 3 || resp.HeartbeatIntervalMillis != 25 || *resp.MemberID != "m" || resp.Assignment == nil {
			t.Fatalf("v%d: a join is answered %+v", version, resp)
		}
		want(t, "assignment", fmt.Sprint(resp.Assignment.TopicPartitions[0].Partitions), "[0 1 2]")
		if resp = ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(version, "m", 3)); resp.ErrorCode != 0 || resp.Assignment != nil {
			t.Errorf("v%d: a heartbeat with nothing new is answered %+v", version, resp)
		}
		ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(version, "n", 0, "t"))
		describe := kmsg.NewPtrShareGroupDescribeRequest()
		describe.Version, describe.GroupIDs, describe.IncludeAuthorizedOperations = version, []string{"g", "other", ""}, true
		d := ask[*kmsg.ShareGroupDescribeResponse](c, describe)
		if g := d.Groups[0]; g.GroupState != "Stable" || g.GroupEpoch != 4 || g.AssignmentEpoch != 4 || g.Assignor != "simple" || len(g.Members) != 2 || g.AuthorizedOperations != groupOperations {
			t.Errorf("v%d: described as %+v", version, g)
		}
		if d.Groups[1].ErrorCode != kerr.GroupIDNotFound.Code || *d.Groups[1].ErrorMessage != "Group other not found." || d.Groups[2].ErrorCode != kerr.InvalidGroupID.Code {
			t.Errorf("v%d: groups that are none: %+v", version, d.Groups[1:])
		}
		if resp = ask[*kmsg.ShareGroupHeartbeatResponse](c, shareHeartbeat(version, "m", -1)); resp.ErrorCode != 0 || resp.MemberEpoch != -1 {
			t.Errorf("v%d: leaving is answered %+v", version, resp)
		}
	}
}

func TestShareHeartbeatsThatAreRefused(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	for _, s := range []struct {
		what string
		req  *kmsg.ShareGroupHeartbeatRequest
		want string
	}{ // behaviour 204
		{"no member id", shareHeartbeat(1, "", 0, "t"), "[42]"},
		{"a member id that is too long", shareHeartbeat(1, strings.Repeat("x", 37), 0, "t"), "[42]"},
		{"an unknown group", shareHeartbeat(1, "m", 1), "[69] Share group g not found."},
		{"no subscription", shareHeartbeat(1, "m", 0), "[42] SubscribedTopicNames must be set in first request."},
		{"an epoch that is none", shareHeartbeat(1, "m", -2), "[42] MemberEpoch is invalid."},
		{"leaving an unknown group", shareHeartbeat(1, "m", -1), "[69] Group g not found."},
		{"joining", shareHeartbeat(1, "m", 0, "t"), "[0]"},
		{"a larger epoch", shareHeartbeat(1, "m", 9), "[110] The share group member has a greater member epoch (9) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin."},
		{"an unknown member", shareHeartbeat(1, "n", 1), "[25] Member n is not a member of group g."},
	} {
		resp := ask[*kmsg.ShareGroupHeartbeatResponse](c, s.req)
		got := fmt.Sprintf("[%d]", resp.ErrorCode)
		if resp.ErrorMessage != nil {
			got += " " + *resp.ErrorMessage
		}
		want(t, s.what, got, s.want)
	}
	// behaviour 211
	resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0))
	if resp.ErrorCode != kerr.GroupIDNotFound.Code || *resp.ErrorMessage != "Group g is not a consumer group." {
		t.Errorf("a consumer's heartbeat is answered %+v", resp)
	}
}

func TestShareFetchAndAcknowledgeInEachVersion(t *testing.T) {
	for version := range int16(3) {
		b := Start(t, WithTopic("t", 1, nil))
		a := joinShare(t, b, "a", version)
		// behaviour 206
		want(t, "an empty topic", acquired(a.get()), "")
		a.mustProduce(b, "t", plain(t, "x", "y", "z"))
		p := a.get()
		want(t, "records", acquired(p), "0-2:1")
		wantValues(t, p.Records, "x", "y", "z")
		// behaviour 208
		want(t, "a type that does not exist", a.ack(0, 0, 9), "[42]")
		want(t, "offsets never acquired", a.ack(3, 4, 1), "[42] Batch record not found. The first offset in request is past acquired records.")
		want(t, "release and accept", a.ack(0, 2, 1, 2, 1), "")
		// behaviour 209: the whole batch of bytes comes
		p = a.get()
		want(t, "again", acquired(p), "1-1:2")
		wantValues(t, p.Records, "x", "y", "z")
		want(t, "with a fetch", acquired(a.get(a.acked(1, 1, 1))), "")
		want(t, "acknowledged long ago", acquired(a.get(a.acked(1, 1, 1))), "")
	}
}

func TestShareSessionsHaveEpochs(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	a := joinShare(t, b, "a", 2)
	fetch := func(epoch int32) int16 {
		return ask[*kmsg.ShareFetchResponse](a.rawClient, a.fetchRequest(func(r *kmsg.ShareFetchRequest) { r.ShareSessionEpoch = epoch })).ErrorCode
	}
	ack := func(epoch int32) int16 {
		req := a.ackRequest(0, 0, 1)
		req.ShareSessionEpoch = epoch
		return ask[*kmsg.ShareAcknowledgeResponse](a.rawClient, req).ErrorCode
	}
	notFound, wrong := kerr.ShareSessionNotFound.Code, kerr.InvalidShareSessionEpoch.Code
	for _, c := range []struct {
		what      string
		got, want int16
	}{
		{"going on with no session", fetch(1), notFound},
		{"ending no session", fetch(-1), notFound},
		{"acknowledging in no session", ack(1), notFound},
		{"beginning with an acknowledgement", ack(0), wrong},
		{"beginning", fetch(0), 0},
		{"the wrong epoch", fetch(2), wrong}, // behaviour 207
		{"the wrong epoch to acknowledge", ack(7), wrong},
		{"the right epoch", fetch(1), 0},
		{"the right epoch to acknowledge", ack(2), 0},
		{"beginning anew", fetch(0), 0},
		{"ending", fetch(-1), 0},
		{"ending twice", fetch(-1), notFound},
	} {
		if c.got != c.want {
			t.Errorf("%s: [%d], want [%d]", c.what, c.got, c.want)
		}
	}
}

func TestThereAreOnlySoManyShareSessions(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil), WithConfig("group.share.max.share.sessions", "1"), WithConfig("group.share.max.size", "1"))
	a := joinShare(t, b, "a", 2)
	a.get()
	other := &sharer{rawClient: dial(t, b), b: b, id: "b", version: 2} // behaviour 210: it never joined
	if resp := ask[*kmsg.ShareFetchResponse](other.rawClient, other.fetchRequest()); resp.ErrorCode != kerr.ShareSessionLimitReached.Code {
		t.Errorf("a second session is answered [%d]", resp.ErrorCode)
	}
	_ = a.nc.Close()
	if err := b.WaitFor(t.Context(), "the session to end", func() bool { return b.nodes[0].shareSessions.none("g") }); err != nil {
		t.Fatal(err)
	}
	want(t, "once the first is gone", acquired(other.get()), "")
}

func waiting(req *kmsg.ShareFetchRequest) { req.MaxWaitMillis = 60_000 }

func TestAShareFetchWaitsForRecords(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	a := joinShare(t, b, "a", 2)
	a.get()
	req := a.fetchRequest(waiting)
	a.send(req)
	dial(t, b).mustProduce(b, "t", plain(t, "x"))
	resp := received[*kmsg.ShareFetchResponse](a.rawClient, req)
	want(t, "the new record", acquired(&resp.Topics[0].Partitions[0]), "0-0:1")
}

func TestAShareFetchWaitsForWhatOthersGiveBack(t *testing.T) {
	for _, how := range []string{"release", "end of session", "end of connection", "end of lock"} {
		virtual := NewVirtualClock(time.Unix(1_700_000_000, 0))
		b := Start(t, WithTopic("t", 1, nil), WithClock(virtual))
		a, other := joinShare(t, b, "a", 2), joinShare(t, b, "b", 2)
		a.get()
		other.get()
		a.mustProduce(b, "t", plain(t, "x"))
		want(t, "lent to the first", acquired(a.get()), "0-0:1")
		req := other.fetchRequest(waiting)
		other.send(req)
		p := b.shares.ofGroup("g")[0]
		for parked := false; !parked; runtime.Gosched() {
			p.mu.Lock()
			parked = p.waiters.first != nil
			p.mu.Unlock()
		}
		switch how {
		case "release":
			want(t, how, a.ack(0, 0, 2), "")
		case "end of session":
			a.epoch = -1
			a.get()
		case "end of connection":
			_ = a.nc.Close()
		case "end of lock":
			virtual.Advance(30 * time.Second)
		}
		resp := received[*kmsg.ShareFetchResponse](other.rawClient, req)
		want(t, "after the "+how, acquired(&resp.Topics[0].Partitions[0]), "0-0:2")
	}
}

func TestALockCanBeRenewed(t *testing.T) {
	virtual := NewVirtualClock(time.Unix(1_700_000_000, 0))
	b := Start(t, WithTopic("t", 1, nil), WithClock(virtual))
	a, other := joinShare(t, b, "a", 2), joinShare(t, b, "b", 2)
	a.mustProduce(b, "t", plain(t, "x"))
	want(t, "lent", acquired(a.get()), "0-0:1")
	virtual.Advance(20 * time.Second)
	want(t, "renewing without saying so", a.ack(0, 0, 4), "[42]")
	req := a.ackRequest(0, 0, 4)
	req.IsRenewAck = true
	want(t, "renewing", a.acks(req), "")
	virtual.Advance(20 * time.Second)
	want(t, "for the other", acquired(other.get()), "")
	virtual.Advance(10 * time.Second)
	want(t, "when the renewed lock ended", acquired(other.get()), "0-0:2")
	bad := a.fetchRequest(func(r *kmsg.ShareFetchRequest) { r.IsRenewAck = true })
	if resp := ask[*kmsg.ShareFetchResponse](a.rawClient, bad); resp.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("a renewal that wants records is answered [%d]", resp.ErrorCode)
	}
}

func TestAGroupBeginsWhereItIsTold(t *testing.T) {
	for _, c := range []struct{ reset, want string }{
		{"earliest", "0-0:1 1-1:1 2-2:1"}, {"latest", "2-2:1"}, {"by_duration:PT1H", "1-1:1 2-2:1"},
	} {
		virtual := NewVirtualClock(time.Unix(1_700_000_000, 0))
		b := Start(t, WithTopic("t", 1, nil), WithClock(virtual))
		for range 2 {
			b.Produce("t", Record{Value: []byte("x"), Timestamp: virtual.Now()})
			virtual.Advance(2 * time.Hour)
		}
		a := &sharer{rawClient: dial(t, b), b: b, id: "a", version: 2}
		a.configure("share.auto.offset.reset=" + c.reset)
		if c.reset == "by_duration:PT1H" {
			a.configure("share.auto.offset.reset=by_duration:PT3H")
		}
		ask[*kmsg.ShareGroupHeartbeatResponse](a.rawClient, shareHeartbeat(1, "a", 0, "t"))
		each := func(r *kmsg.ShareFetchRequest) { r.BatchSize = 1 }
		first := acquired(a.get(each))
		b.Produce("t", Record{Value: []byte("x"), Timestamp: virtual.Now()})
		want(t, c.reset, strings.TrimSpace(first+" "+acquired(a.get(each))), c.want)
	}
}

func TestRecordsThatWereDeletedAreSkipped(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	a := joinShare(t, b, "a", 2)
	for range 4 {
		a.mustProduce(b, "t", plain(t, "x", "y"))
	}
	want(t, "lent", acquired(a.get(func(r *kmsg.ShareFetchRequest) { r.MaxRecords = 2 })), "0-1:1")
	if _, _, code := onlyPartition(t, b, "t").deleteRecords(5); code != 0 {
		t.Fatalf("cannot delete: [%d]", code)
	}
	want(t, "released", a.ack(0, 1, 2), "")
	want(t, "from the log's start", acquired(a.get()), "5-7:1")
	want(t, "accepted", a.ack(5, 7, 1), "")
}

func TestOnlyCommittedRecordsIfTheGroupWants(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("t"), kgo.TransactionalID("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	a := joinShare(t, b, "a", 2)
	a.configure("share.isolation.level=read_committed")
	// 0 is aborted, 1 and 3 are markers, 4 is open.
	want(t, "committed", acquired(a.get()), "1-3:1")
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	want(t, "once committed", acquired(a.get()), "4-5:1")
	want(t, "accepted", a.ack(1, 5, 0, 1, 0, 1, 0), "")
	p := b.shares.ofGroup("g")[0]
	p.mu.Lock()
	start := p.live.Start()
	p.mu.Unlock()
	if start != 6 {
		t.Errorf("the group is at %d", start)
	}
}

func TestShareOffsetsAreDescribedSetAndDeleted(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	a := joinShare(t, b, "a", 2)
	a.mustProduce(b, "t", plain(t, "x", "y", "z"))
	a.get()
	a.ack(0, 0, 1)
	offsets := func(version int16, topics ...string) string {
		req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		req.Version = version
		g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
		g.GroupID = "g"
		for _, name := range topics {
			g.Topics = append(g.Topics, kmsg.DescribeShareGroupOffsetsRequestGroupTopic{Topic: name, Partitions: []int32{0}})
		}
		req.Groups = append(req.Groups, g)
		var all []string
		for _, topic := range ask[*kmsg.DescribeShareGroupOffsetsResponse](a.rawClient, req).Groups[0].Topics {
			for _, p := range topic.Partitions {
				line := fmt.Sprintf("%s-%d:%d", topic.Topic, p.Partition, p.StartOffset)
				if version > 0 {
					line += fmt.Sprintf(" lag %d", p.Lag)
				}
				if p.ErrorCode != 0 {
					line += fmt.Sprintf(" [%d]", p.ErrorCode)
				}
				all = append(all, line)
			}
		}
		return strings.Join(all, ", ")
	}
	want(t, "v0", offsets(0), "t-0:0, t-1:-1")
	want(t, "v1", offsets(1), "t-0:0 lag 2, t-1:-1 lag -1")
	want(t, "by name", offsets(1, "t", "nope"), "t-0:0 lag 2, nope-0:-1 lag -1")
	alter := func(topic string, partition int32, offset int64) string {
		req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
		req.GroupID = "g"
		req.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: partition, StartOffset: offset}}}}
		resp := ask[*kmsg.AlterShareGroupOffsetsResponse](a.rawClient, req)
		if resp.ErrorCode != 0 {
			return fmt.Sprintf("[%d] %s", resp.ErrorCode, *resp.ErrorMessage)
		}
		return fmt.Sprintf("[%d]", resp.Topics[0].Partitions[0].ErrorCode)
	}
	remove := func(topic string) string {
		req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
		req.GroupID, req.Topics = "g", []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: topic}}
		resp := ask[*kmsg.DeleteShareGroupOffsetsResponse](a.rawClient, req)
		if resp.ErrorCode != 0 {
			return fmt.Sprintf("[%d] %s", resp.ErrorCode, *resp.ErrorMessage)
		}
		line := fmt.Sprintf("[%d]", resp.Topics[0].ErrorCode)
		if m := resp.Topics[0].ErrorMessage; m != nil {
			line += " " + *m
		}
		return line
	}
	want(t, "set with a member", alter("t", 0, 1), "[68] The group is not empty.")
	want(t, "deleted with a member", remove("t"), "[68] The group is not empty.")
	a.epoch = -1
	a.get()
	ask[*kmsg.ShareGroupHeartbeatResponse](a.rawClient, shareHeartbeat(1, "a", -1))
	want(t, "set", alter("t", 0, 2), "[0]")
	want(t, "of no such topic", alter("nope", 0, 2), "[3]")
	want(t, "of no such partition", alter("t", 7, 2), "[3]")
	want(t, "then", offsets(1), "t-0:2 lag 1, t-1:-1 lag -1")
	a = joinShare(t, b, "a", 2)
	want(t, "fetched from there", acquired(a.get()), "2-2:1")
	a.epoch = -1
	a.get()
	ask[*kmsg.ShareGroupHeartbeatResponse](a.rawClient, shareHeartbeat(1, "a", -1))
	want(t, "deleted", remove("t"), "[0]")
	want(t, "deleted twice", remove("t"), "[3] There is no offset information to delete.")
	want(t, "deleted, of no such topic", remove("nope"), "[3] This server does not host this topic-partition.")
	want(t, "at last", offsets(1), "")
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Version, del.Groups = 3, []string{"g"}
	if resp := ask[*kmsg.DeleteGroupsResponse](a.rawClient, del); resp.Groups[0].ErrorCode != 0 {
		t.Errorf("deleting the group is answered %+v", resp)
	}
	want(t, "without the group", remove("t"), "[69] Group g not found.")
}

func TestDeletingAShareGroupDeletesItsState(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	a := joinShare(t, b, "a", 2)
	a.mustProduce(b, "t", plain(t, "x"))
	a.get()
	a.ack(0, 0, 1)
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Version, del.Groups = 3, []string{"g"}
	if resp := ask[*kmsg.DeleteGroupsResponse](a.rawClient, del); resp.Groups[0].ErrorCode != kerr.NonEmptyGroup.Code {
		t.Errorf("deleting a group with a member is answered %+v", resp)
	}
	ask[*kmsg.ShareGroupHeartbeatResponse](a.rawClient, shareHeartbeat(1, "a", -1))
	list := kmsg.NewPtrListGroupsRequest()
	list.Version, list.TypesFilter = 5, []string{"Share"}
	if got := ask[*kmsg.ListGroupsResponse](a.rawClient, list).Groups; len(got) != 1 || got[0].GroupState != "Empty" || got[0].GroupType != "share" || got[0].ProtocolType != "share" {
		t.Errorf("listed as %+v", got)
	}
	if resp := ask[*kmsg.DeleteGroupsResponse](a.rawClient, del); resp.Groups[0].ErrorCode != 0 {
		t.Errorf("deleting is answered %+v", resp)
	}
	if left := b.shares.all(nil); len(left) != 0 || len(b.Groups()) != 0 {
		t.Errorf("%d states and the groups %v are left", len(left), b.Groups())
	}
}

func TestATopicsStateGoesWithIt(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil))
	a := joinShare(t, b, "a", 2)
	a.get()
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err.message)
	}
	if left := b.shares.all(nil); len(left) != 0 {
		t.Errorf("%d states are left", len(left))
	}
	want(t, "what is gone", acquired(a.get()), "[100/0]")
}

// Two members get all records, each once, while one of them releases some.
func TestShareConsumersGetEachRecordOnce(t *testing.T) {
	const records = 2000
	b := Start(t, WithTopic("t", 3, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	(&sharer{rawClient: dial(t, b), b: b}).configure("share.auto.offset.reset=earliest")
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range records {
		producer.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("cannot produce: %v", err)
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	type got struct {
		value    string
		released bool
	}
	all := make(chan got, 4*records)
	for i := range 2 {
		consumer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ShareGroup("g"), kgo.ConsumeTopics("t"), kgo.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		defer consumer.Close()
		go func() {
			n := 0
			for ctx.Err() == nil {
				fetches := consumer.PollFetches(ctx)
				fetches.EachRecord(func(r *kgo.Record) {
					n++
					release := i == 1 && n%10 == 0
					if release {
						r.Ack(kgo.AckRelease)
					} else {
						r.Ack(kgo.AckAccept)
					}
					all <- got{string(r.Value), release}
				})
			}
		}()
	}
	seen := make(map[string]bool)
	for len(seen) < records {
		select {
		case g := <-all:
			if seen[g.value] {
				t.Errorf("%s came again after it was accepted", g.value)
			}
			if !g.released {
				seen[g.value] = true
			}
		case <-ctx.Done():
			t.Fatalf("%d of %d records came", len(seen), records)
		}
	}
}

// plain is a batch of records with these values.
func plain(t testing.TB, values ...string) []byte {
	t.Helper()
	return batchOf(t, 0, values)
}
