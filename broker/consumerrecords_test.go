package broker

import (
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// This file tests what is stored of consumer groups (KIP-848) and their members.

// TestConsumerGroupRecordsAreThoseOfApacheKafka holds the records against what
// Apache Kafka 4.3.1 wrote for the same requests. With
// MINIBROKER_TEST_KAFKA=host:port it sends them to the broker there instead.
func TestConsumerGroupRecordsAreThoseOfApacheKafka(t *testing.T) {
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
	for _, name := range []string{"orders", "orders2"} {
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, 2, 1
		create.Topics = append(create.Topics, ct)
	}
	ask[*kmsg.CreateTopicsResponse](c, create)
	groups := []string{"moves", "static", "pattern", "mixed", "upgraded"}
	for _, g := range groups {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = g
		for ask[*kmsg.FindCoordinatorResponse](c, find).ErrorCode != 0 {
			<-time.NewTimer(200 * time.Millisecond).C // Apache Kafka makes the topic meanwhile
		}
		alterOne(c, kmsg.ConfigResourceTypeGroupConfig, g, "consumer.assignment.interval.ms", "0")
	}
	about := kmsg.NewPtrMetadataRequest()
	about.Version = 12
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("orders")}}
	orders := ask[*kmsg.MetadataResponse](c, about).Topics[0].TopicID

	beat := func(group, member string, epoch int32, change func(*kmsg.ConsumerGroupHeartbeatRequest)) *kmsg.ConsumerGroupHeartbeatResponse {
		t.Helper()
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, group, member, epoch
		if epoch == 0 {
			req.RebalanceTimeoutMillis = 30_000
			req.SubscribedTopicNames = []string{"orders"}
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		if change != nil {
			change(req)
		}
		resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, req)
		if resp.ErrorCode != 0 {
			t.Fatalf("%s of %s at epoch %d: [%d] %s", member, group, epoch, resp.ErrorCode, *resp.ErrorMessage)
		}
		return resp
	}
	has := func(ps ...int32) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(req *kmsg.ConsumerGroupHeartbeatRequest) {
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: orders, Partitions: ps}}
		}
	}

	// A partition moves from one member to another, and back when that one leaves.
	beat("moves", "m1", 0, nil)
	beat("moves", "m2", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.RackID, r.ServerAssignor = kmsg.StringPtr("here"), kmsg.StringPtr("range")
	})
	beat("moves", "m1", 2, has(0, 1)) // must give up 1
	beat("moves", "m1", 2, has(0))
	beat("moves", "m2", 3, nil)
	beat("moves", "m2", 3, nil) // nothing new
	beat("moves", "m2", -1, nil)
	beat("moves", "m1", 3, has(0))
	beat("moves", "m1", 4, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{"orders2"} })
	beat("moves", "m1", -1, nil)
	drop := kmsg.NewPtrDeleteGroupsRequest()
	drop.Groups = []string{"moves"}
	if code := ask[*kmsg.DeleteGroupsResponse](c, drop).Groups[0].ErrorCode; code != 0 {
		t.Fatalf("delete: [%d]", code)
	}

	// A static member goes for a while, and comes back by another id.
	one := func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("one") }
	beat("static", "s1", 0, one)
	beat("static", "s1", -2, one)
	beat("static", "s2", 0, one)
	beat("static", "s2", -1, one)

	// A pattern. Apache Kafka resolves it beside the request.
	pattern := func(r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.SubscribedTopicNames, r.SubscribedTopicRegex = []string{}, kmsg.StringPtr("orders.+")
	}
	resp := beat("pattern", "p1", 0, pattern)
	for epoch := resp.MemberEpoch; resp.Assignment == nil || len(resp.Assignment.Topics) == 0; epoch = resp.MemberEpoch {
		<-time.NewTimer(10 * time.Millisecond).C
		resp = beat("pattern", "p1", epoch, nil)
	}
	beat("pattern", "p1", -1, nil)
	drop.Groups = []string{"pattern"}
	if code := ask[*kmsg.DeleteGroupsResponse](c, drop).Groups[0].ErrorCode; code != 0 {
		t.Fatalf("delete: [%d]", code)
	}

	// A classic group without members becomes one of consumers, a classic
	// member joins it, and the last consumer leaves it to that one.
	commitOffset(t, c, "mixed", "orders", 1)
	epoch := beat("mixed", "x1", 0, nil).MemberEpoch
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType = 3, "mixed", "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 45_000, 300_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 1, 0, 6, 'o', 'r', 'd', 'e', 'r', 's', 0xff, 0xff, 0xff, 0xff}}}
	if code := ask[*kmsg.JoinGroupResponse](c, join).ErrorCode; code != 0 {
		t.Fatalf("a classic member's join: [%d]", code)
	}
	beat("mixed", "x1", epoch, has(0, 1))
	beat("mixed", "x1", -1, nil)

	// A group of a classic member is upgraded by a consumer.
	join.Group = "upgraded"
	joined := ask[*kmsg.JoinGroupResponse](c, join)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation = 2, "upgraded", joined.MemberID, joined.Generation
	assignment := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "orders", Partitions: []int32{0, 1}}}}
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: assignment.AppendTo(nil)}}
	if code := ask[*kmsg.SyncGroupResponse](c, sync).ErrorCode; code != 0 {
		t.Fatalf("sync: [%d]", code)
	}
	beat("upgraded", "u1", 0, nil)

	if got := strings.Join(consumerGroupRecords(t, c, "pattern", orders), "\n"); got != recordsOfAPattern && !*updateRecords {
		t.Errorf("the records of a pattern are:\n%s\nwant:\n%s", got, recordsOfAPattern)
	}
	var got strings.Builder
	for _, g := range []string{"moves", "static", "mixed", "upgraded"} {
		got.WriteString(strings.Join(consumerGroupRecords(t, c, g, orders), "\n"))
		got.WriteString("\n\n")
	}
	want, err := os.ReadFile("testdata/consumer-group-records.txt")
	if err != nil && !*updateRecords {
		t.Fatal(err)
	}
	if *updateRecords {
		if err := os.WriteFile("testdata/consumer-group-records.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("the records are:\n%s\nwant:\n%s", got.String(), want)
	}
}

// recordsOfAPattern is one batch where Apache Kafka writes two: the first
// without what the pattern finds.
const recordsOfAPattern = `5 "p1": v0 member instance null, rack null, client "test" at "/127.0.0.1", topics, pattern "orders.+", rebalance timeout 30000, assignor null
16 "orders.+": v0 pattern finds orders2, version above 0 true, 0 min ago
3: v0 group at epoch 2, tag 0
7 "p1": v0 target other[0 1]
6: v0 target of epoch 2, computed 0 min ago
8 "p1": v0 member at epoch 2, was at 0, in state 0, has other[0 1]@22, gives up
--
8 "p1": none
7 "p1": none
5 "p1": none
16 "orders.+": none
3: v0 group at epoch 3
--
6: none
4: none
3: none
--`

// consumerGroupRecords reads what __consumer_offsets has of a group, a line per
// record and one at the end of each batch. Records of one kind that follow each
// other are sorted: there Apache Kafka has no order.
func consumerGroupRecords(t testing.TB, c *rawClient, group string, orders [16]byte) (lines []string) {
	t.Helper()
	about := kmsg.NewPtrMetadataRequest()
	about.Version = 4
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(groupMetadataTopic)}}
	for p := range ask[*kmsg.MetadataResponse](c, about).Topics[0].Partitions {
		for offset := int64(0); ; {
			answer := ask[*kmsg.FetchResponse](c, fetchRequest(t, nil, 12, groupMetadataTopic, int32(p), offset)).Topics[0].Partitions[0]
			if answer.ErrorCode != 0 || len(answer.RecordBatches) == 0 {
				break
			}
			for b := range record.Batches(answer.RecordBatches) {
				found := false
				for r, err := range b.Records(nil) {
					if err != nil {
						t.Fatal(err)
					}
					if g, line := consumerGroupRecord(t, r, orders); g == group {
						lines = append(lines, line)
						found = true
					}
				}
				if found {
					lines = append(lines, "--")
				}
				for from := 0; from < len(lines); {
					to := from + 1
					for to < len(lines) && strings.HasPrefix(lines[to], lines[from][:2]) {
						to++
					}
					slices.Sort(lines[from:to])
					from = to
				}
				offset = b.LastOffset() + 1
			}
		}
	}
	return lines
}

var updateRecords = flag.Bool("update-records", false, "write what the broker stored of consumer groups to testdata")

var anyUUID = regexp.MustCompile(`test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"[A-Za-z0-9_-]{22}"|(?:leader|member) [A-Za-z0-9_-]{22}\b`)

// consumerGroupRecord reads one record (the schemas are those of Apache Kafka's
// group coordinator). What differs from run to run is left out of the text.
func consumerGroupRecord(t testing.TB, r record.Record, orders [16]byte) (group, text string) {
	t.Helper()
	k, v := kbin.Reader{Src: r.Key}, kbin.Reader{Src: r.Value}
	kind := k.Int16()
	if kind < 3 {
		group, text = groupRecord(t, r)
		return group, anyUUID.ReplaceAllString(text, "ID")
	}
	group = k.String()
	text = fmt.Sprintf("%d", kind)
	if len(k.Src) > 0 {
		text += fmt.Sprintf(" %q", k.String())
	}
	str := func() string {
		if s := v.CompactNullableString(); s != nil {
			return fmt.Sprintf("%q", *s)
		}
		return "null"
	}
	topics := func() string {
		s := ""
		for range v.CompactArrayLen() {
			name := "other"
			if v.Uuid() == orders {
				name = "orders"
			}
			s += " " + name + "["
			for i := range v.CompactArrayLen() {
				if i > 0 {
					s += " "
				}
				s += fmt.Sprint(v.Int32())
			}
			s += "]"
			s += tags(&v, func(tag uint32, in *kbin.Reader) string {
				s := "@"
				for range in.CompactArrayLen() {
					s += fmt.Sprint(in.Int32())
				}
				return s
			})
		}
		return s
	}
	if r.Value == nil {
		text += ": none"
	} else {
		text += fmt.Sprintf(": v%d", v.Int16())
		switch kind {
		case 3:
			text += fmt.Sprintf(" group at epoch %d", v.Int32())
			text += tags(&v, func(tag uint32, in *kbin.Reader) string {
				if in.Int64() != 0 {
					return fmt.Sprintf(", tag %d", tag)
				}
				return ""
			})
		case 5:
			text += fmt.Sprintf(" member instance %s, rack %s, client %s at %s, topics", str(), str(), str(), str())
			for range v.CompactArrayLen() {
				text += " " + v.CompactString()
			}
			text += fmt.Sprintf(", pattern %s, rebalance timeout %d, assignor %s", str(), v.Int32(), str())
			text += tags(&v, func(tag uint32, in *kbin.Reader) string {
				if in.Int8() == 0 {
					return ""
				}
				s := fmt.Sprintf(", classic with session timeout %d", in.Int32())
				for range in.CompactArrayLen() {
					s += fmt.Sprintf(", protocol %s %q", in.CompactString(), in.CompactBytes())
					in.Uvarint()
				}
				in.Uvarint()
				return s
			})
		case 6:
			text += fmt.Sprintf(" target of epoch %d", v.Int32())
			text += tags(&v, func(tag uint32, in *kbin.Reader) string {
				return fmt.Sprintf(", computed %d min ago", (r.Timestamp-in.Int64()+30_000)/60_000)
			})
		case 7:
			text += " target" + topics() + tags(&v, nil)
		case 8:
			text += fmt.Sprintf(" member at epoch %d, was at %d, in state %d, has", v.Int32(), v.Int32(), v.Int8())
			text += topics() + ", gives up" + topics() + tags(&v, nil)
		case 16:
			text += " pattern finds"
			for range v.CompactArrayLen() {
				text += " " + v.CompactString()
			}
			version, at := v.Int64(), v.Int64()
			text += fmt.Sprintf(", version above 0 %v, %d min ago", version > 0, (r.Timestamp-at+30_000)/60_000) + tags(&v, nil)
		}
	}
	if err := v.Complete(); err != nil || len(v.Src) > 0 || len(k.Src) > 0 {
		t.Errorf("%s: %v, %d bytes are left of its key and %d of its value", text, err, len(k.Src), len(v.Src))
	}
	return group, anyUUID.ReplaceAllString(text, "ID")
}

// tags reads tagged fields.
func tags(v *kbin.Reader, each func(tag uint32, in *kbin.Reader) string) (s string) {
	for range v.Uvarint() {
		tag := v.Uvarint()
		in := kbin.Reader{Src: v.Span(int(v.Uvarint()))}
		s += each(tag, &in)
	}
	return s
}
