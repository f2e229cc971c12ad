package broker

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
	"minibroker/protocol/record"
)

// This file tests what the group coordinator writes to __consumer_offsets.

// TestGroupRecordsAreThoseOfApacheKafka holds the records against what Apache
// Kafka 4.3.1 wrote for the same requests. With MINIBROKER_TEST_KAFKA=host:port
// it sends them to the broker there instead.
func TestGroupRecordsAreThoseOfApacheKafka(t *testing.T) {
	addr := os.Getenv("MINIBROKER_TEST_KAFKA")
	if addr == "" {
		addr = Start(t).Addr()
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := newRawClient(t, nc, "test")

	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 5, 5000
	for _, name := range []string{"orders", "doomed"} {
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, 2, 1
		create.Topics = append(create.Topics, ct)
	}
	ask[*kmsg.CreateTopicsResponse](c, create)
	for _, g := range []string{"simple", "classic", "static"} {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = g
		for ask[*kmsg.FindCoordinatorResponse](c, find).ErrorCode != 0 {
			<-time.NewTimer(200 * time.Millisecond).C // Apache Kafka makes the topic meanwhile
		}
	}

	// A consumer that assigns its partitions itself.
	text := "hello"
	commit := func(group, member string, generation int32, version int16, topic string, retention int64, offsets ...int64) {
		t.Helper()
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.MemberID, req.Generation, req.RetentionTimeMillis = version, group, member, generation, retention
		ct := kmsg.NewOffsetCommitRequestTopic()
		ct.Topic = topic
		for i, o := range offsets {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = int32(i), o, int32(i)-1
			if i == 1 {
				p.Metadata = &text
			}
			ct.Partitions = append(ct.Partitions, p)
		}
		req.Topics = append(req.Topics, ct)
		for _, p := range ask[*kmsg.OffsetCommitResponse](c, req).Topics[0].Partitions {
			if p.ErrorCode != 0 {
				t.Fatalf("%s: commit of %s-%d: [%d]", group, topic, p.Partition, p.ErrorCode)
			}
		}
	}
	commit("simple", "", -1, 8, "orders", -1, 5, 7)
	commit("simple", "", -1, 3, "orders", 60_000, 6)
	commit("simple", "", -1, 8, "doomed", -1, 1, 2)

	// A member that joins, commits and leaves.
	join := func(group, member string, instance *string) *kmsg.JoinGroupResponse {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = 7, group, member, instance
		req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "consumer", 45_000, 300_000
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 1, 0, 6, 'o', 'r', 'd', 'e', 'r', 's', 0xff, 0xff, 0xff, 0xff}}}
		return ask[*kmsg.JoinGroupResponse](c, req)
	}
	sync := func(group string, j *kmsg.JoinGroupResponse, instance *string) {
		t.Helper()
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 3, group, j.MemberID, instance, j.Generation
		req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: j.MemberID, MemberAssignment: []byte("mine")}}
		if code := ask[*kmsg.SyncGroupResponse](c, req).ErrorCode; code != 0 {
			t.Fatalf("%s: sync: [%d]", group, code)
		}
	}
	j := join("classic", join("classic", "", nil).MemberID, nil)
	sync("classic", j, nil)
	commit("classic", j.MemberID, j.Generation, 8, "orders", -1, 5, 7)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Version, leave.Group, leave.MemberID = 1, "classic", j.MemberID
	ask[*kmsg.LeaveGroupResponse](c, leave)

	// A static member that comes back: its new member id is stored.
	one := "one"
	sync("static", join("static", "", &one), &one)
	join("static", "", &one)

	// Offsets that are deleted: by request, with their topic, with their group.
	del := kmsg.NewPtrOffsetDeleteRequest()
	del.Group = "simple"
	dt := kmsg.NewOffsetDeleteRequestTopic()
	dt.Topic = "orders"
	dt.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}
	del.Topics = append(del.Topics, dt)
	ask[*kmsg.OffsetDeleteResponse](c, del)
	drop := kmsg.NewPtrDeleteTopicsRequest()
	drop.Version, drop.TopicNames, drop.TimeoutMillis = 3, []string{"doomed"}, 5000
	ask[*kmsg.DeleteTopicsResponse](c, drop)
	for found := true; found; {
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Version, fetch.Group = 5, "simple"
		found = false
		for _, topic := range ask[*kmsg.OffsetFetchResponse](c, fetch).Topics {
			found = found || topic.Topic == "doomed"
		}
	}
	groups := kmsg.NewPtrDeleteGroupsRequest()
	groups.Version, groups.Groups = 1, []string{"simple", "classic"}
	for _, g := range ask[*kmsg.DeleteGroupsResponse](c, groups).Groups {
		if g.ErrorCode != 0 {
			t.Fatalf("delete group %s: [%d]", g.Group, g.ErrorCode)
		}
	}

	var got strings.Builder
	for _, g := range []string{"simple", "classic", "static"} {
		got.WriteString(strings.Join(groupRecords(t, c, g), "\n"))
		got.WriteString("\n")
	}
	if got := got.String(); got != recordsOfApacheKafka {
		t.Errorf("the records are:\n%s\nwant:\n%s", got, recordsOfApacheKafka)
	}
}

const recordsOfApacheKafka = `key v1 offset of simple for orders-0: v4 5, epoch -1, "", 0 min ago, expires never, has topic id true
key v1 offset of simple for orders-1: v4 7, epoch 0, "hello", 0 min ago, expires never, has topic id true
key v1 offset of simple for orders-0: v1 6, epoch 0, "", 0 min ago, expires 60000, has topic id false
key v1 offset of simple for doomed-0: v4 1, epoch -1, "", 0 min ago, expires never, has topic id true
key v1 offset of simple for doomed-1: v4 2, epoch 0, "hello", 0 min ago, expires never, has topic id true
key v1 offset of simple for orders-0: none
key v1 offset of simple for doomed-0: none
key v1 offset of simple for doomed-1: none
key v1 offset of simple for orders-1: none
key v2 group simple: none
key v2 group classic: v3 "" generation 0, protocol null, leader null, state for 0 min
key v2 group classic: v3 "consumer" generation 1, protocol range, leader test-UUID, state for 0 min; member test-UUID instance null client test at /127.0.0.1, timeouts 300000 and 45000, subscription "\x00\x00\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff", assignment "mine"
key v1 offset of classic for orders-0: v4 5, epoch -1, "", 0 min ago, expires never, has topic id true
key v1 offset of classic for orders-1: v4 7, epoch 0, "hello", 0 min ago, expires never, has topic id true
key v2 group classic: v3 "consumer" generation 2, protocol null, leader null, state for 0 min
key v1 offset of classic for orders-0: none
key v1 offset of classic for orders-1: none
key v2 group classic: none
key v2 group static: v3 "" generation 0, protocol null, leader null, state for 0 min
key v2 group static: v3 "consumer" generation 1, protocol range, leader one-UUID, state for 0 min; member one-UUID instance one client test at /127.0.0.1, timeouts 300000 and 45000, subscription "\x00\x00\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff", assignment "mine"
key v2 group static: v3 "consumer" generation 1, protocol range, leader one-UUID, state for 0 min; member one-UUID instance one client test at /127.0.0.1, timeouts 300000 and 45000, subscription "\x00\x00\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff", assignment "mine"
`

// groupRecords reads what __consumer_offsets has of a group, a line per record.
func groupRecords(t testing.TB, c *rawClient, group string) (lines []string) {
	t.Helper()
	about := kmsg.NewPtrMetadataRequest()
	about.Version = 4
	name := groupMetadataTopic
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	m := ask[*kmsg.MetadataResponse](c, about)
	if !m.Topics[0].IsInternal {
		t.Fatalf("%s is not listed as internal", name)
	}
	for p := range m.Topics[0].Partitions {
		for offset := int64(0); ; {
			req := fetchRequest(t, nil, 12, groupMetadataTopic, int32(p), offset)
			answer := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]
			if answer.ErrorCode != 0 {
				t.Fatalf("fetch of partition %d: [%d]", p, answer.ErrorCode)
			}
			if len(answer.RecordBatches) == 0 {
				break
			}
			for b := range record.Batches(answer.RecordBatches) {
				if b.HasProducer() || b.Attributes() != 0 {
					t.Errorf("a batch with producer %d and attributes %d", b.ProducerID(), b.Attributes())
				}
				for r, err := range b.Records(nil) {
					if err != nil {
						t.Fatal(err)
					}
					if g, line := groupRecord(t, r); g == group {
						lines = append(lines, line)
					}
				}
				offset = b.LastOffset() + 1
			}
		}
	}
	return lines
}

var uuidText = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// groupRecord reads one record. What differs from run to run is left out of the
// text: times are only given as differences, ids as UUID.
func groupRecord(t testing.TB, r record.Record) (group, text string) {
	t.Helper()
	version := func(b []byte) int16 {
		if b == nil {
			return -1
		}
		return int16(binary.BigEndian.Uint16(b))
	}
	since := func(ms int64) int64 { // in minutes: requests take their time
		return (r.Timestamp - ms + 30_000) / 60_000
	}
	switch v := version(r.Key); v {
	case 0, 1:
		var k kmsg.OffsetCommitKey
		if err := k.ReadFrom(r.Key); err != nil {
			t.Fatal(err)
		}
		text = fmt.Sprintf("key v%d offset of %s for %s-%d: ", v, k.Group, k.Topic, k.Partition)
		if r.Value == nil {
			return k.Group, text + "none"
		}
		var val kmsg.OffsetCommitValue
		if err := val.ReadFrom(r.Value); err != nil {
			t.Fatal(err)
		}
		if again := val.AppendTo(nil); string(again) != string(r.Value) {
			t.Errorf("the value has %d bytes, %d are needed", len(r.Value), len(again))
		}
		expire := "never"
		if val.ExpireTimestamp > 0 {
			expire = fmt.Sprint(val.ExpireTimestamp - val.CommitTimestamp)
		}
		return k.Group, text + fmt.Sprintf("v%d %d, epoch %d, %q, %d min ago, expires %s, has topic id %v", version(r.Value), val.Offset, val.LeaderEpoch, val.Metadata, since(val.CommitTimestamp), expire, val.TopicID != [16]byte{})
	case 2:
		var k kmsg.GroupMetadataKey
		if err := k.ReadFrom(r.Key); err != nil {
			t.Fatal(err)
		}
		text = fmt.Sprintf("key v%d group %s: ", v, k.Group)
		if r.Value == nil {
			return k.Group, text + "none"
		}
		var val kmsg.GroupMetadataValue
		if err := val.ReadFrom(r.Value); err != nil {
			t.Fatal(err)
		}
		ptr := func(s *string) string {
			if s == nil {
				return "null"
			}
			return *s
		}
		text += fmt.Sprintf("v%d %q generation %d, protocol %s, leader %s, state for %d min", version(r.Value), val.ProtocolType, val.Generation, ptr(val.Protocol), ptr(val.Leader), since(val.CurrentStateTimestamp))
		for _, m := range val.Members {
			text += fmt.Sprintf("; member %s instance %s client %s at %s, timeouts %d and %d, subscription %q, assignment %q",
				m.MemberID, ptr(m.InstanceID), m.ClientID, m.ClientHost, m.RebalanceTimeoutMillis, m.SessionTimeoutMillis, m.Subscription, m.Assignment)
		}
		return k.Group, uuidText.ReplaceAllString(text, "UUID")
	}
	t.Fatalf("key %x", r.Key)
	return "", ""
}

func TestManyRecordsAreStoredInSeveralBatches(t *testing.T) {
	b := Start(t)
	p := b.internalTopic(groupMetadataTopic).partitionOf("g")
	records := make([]group.Record, 3000)
	for i := range records {
		records[i] = group.OffsetTombstone("g", strings.Repeat("t", 1000), int32(i))
	}
	now := b.clock.Now()
	if err := b.storeGroupRecords("g", noProducer, records, now); err != nil {
		t.Fatal(err)
	}
	batches, next := 0, int32(0)
	for batch := range p.log.Batches(0, 3000) {
		batches++
		if limit := p.settings.Load().limits.MaxMessageBytes; len(batch) > limit {
			t.Errorf("a batch has %d bytes, %d are allowed", len(batch), limit)
		}
		for r, err := range batch.Records(nil) {
			var k kmsg.OffsetCommitKey
			if err != nil || k.ReadFrom(r.Key) != nil || k.Partition != next || r.Value != nil || r.Timestamp != now.UnixMilli() {
				t.Fatalf("record %d is %+v", next, r)
			}
			next++
		}
	}
	if batches != 3 || next != 3000 {
		t.Errorf("%d records in %d batches, want 3000 in 3", next, batches)
	}
	// What belongs to a transaction stays together.
	start := p.log.EndOffset()
	if err := b.storeGroupRecords("g", by(7, 1), records, now); err != nil {
		t.Fatal(err)
	}
	for batch := range p.log.Batches(start, start+3000) {
		if !batch.Attributes().Transactional() || batch.ProducerID() != 7 || batch.ProducerEpoch() != 1 || batch.NumRecords() != 3000 {
			t.Errorf("a batch of %d records by producer %d", batch.NumRecords(), batch.ProducerID())
		}
	}
}
