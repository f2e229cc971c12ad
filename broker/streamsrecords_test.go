package broker

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// TestStreamsGroupRecordsAreThoseOfApacheKafka holds what is stored of a streams
// group against the bytes that Apache Kafka 4.3.1 wrote for the same requests.
// With MINIBROKER_TEST_KAFKA=host:port it sends them to the broker there instead.
func TestStreamsGroupRecordsAreThoseOfApacheKafka(t *testing.T) {
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
	for _, name := range []string{"words", "g-counts-changelog"} {
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, 3, 1
		create.Topics = append(create.Topics, ct)
	}
	ask[*kmsg.CreateTopicsResponse](c, create)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "counts"
	for ask[*kmsg.FindCoordinatorResponse](c, find).ErrorCode != 0 {
		<-time.NewTimer(200 * time.Millisecond).C // Apache Kafka makes the topic meanwhile
	}
	for name, value := range map[string]string{"initial.rebalance.delay.ms": "0", "assignment.interval.ms": "0", "num.standby.replicas": "1"} {
		alterOne(c, kmsg.ConfigResourceTypeGroupConfig, "counts", "streams."+name, value)
	}
	if os.Getenv("MINIBROKER_TEST_KAFKA") != "" {
		<-time.NewTimer(2 * time.Second).C // until its coordinator knows topics and configs
	}

	beat := func(member string, epoch int32, change func(*kmsg.StreamsGroupHeartbeatRequest)) {
		t.Helper()
		req := streamsHeartbeat(0, member, epoch)
		req.Group = "counts"
		if req.Topology != nil {
			req.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{Epoch: 7, Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{{
				SubtopologyID: "0", SourceTopics: []string{"words"},
				StateChangelogTopics: []kmsg.TopicInfo{{Topic: "g-counts-changelog", ReplicationFactor: 1, Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "compact"}}}},
				CopartitionGroups:    []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{{SourceTopics: []int16{0}}},
			}}}
		}
		if change != nil {
			change(req)
		}
		if resp := ask[*kmsg.StreamsGroupHeartbeatResponse](c, req); resp.ErrorCode != 0 || len(resp.Status) > 0 {
			t.Fatalf("%s at epoch %d: %+v", member, epoch, resp)
		}
	}
	has := func(active, standby []int32) func(*kmsg.StreamsGroupHeartbeatRequest) {
		return func(req *kmsg.StreamsGroupHeartbeatRequest) {
			holding(req, kmsg.TaskIDs{SubtopologyID: "0", Partitions: active})
			if standby != nil {
				req.StandbyTasks = []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: standby}}
			}
		}
	}
	beat("a", 0, func(r *kmsg.StreamsGroupHeartbeatRequest) {
		r.RackID = kmsg.StringPtr("here")
		r.UserEndpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: "h", Port: 65000}
		r.ClientTags = []kmsg.StreamsGroupHeartbeatRequestClientTag{{Key: "zone", Value: "eu"}}
	})
	beat("b", 0, nil)
	beat("a", 2, nil)
	beat("a", 2, has([]int32{0, 1}, nil))
	beat("a", 3, has([]int32{0, 1}, nil))
	beat("b", 3, nil)
	beat("b", 3, nil) // nothing new
	beat("b", -1, nil)
	beat("a", 3, nil)
	beat("a", -1, nil)
	drop := kmsg.NewPtrDeleteGroupsRequest()
	drop.Groups = []string{"counts"}
	if code := ask[*kmsg.DeleteGroupsResponse](c, drop).Groups[0].ErrorCode; code != 0 {
		t.Fatalf("delete: [%d]", code)
	}

	got := strings.Join(streamsGroupRecords(t, c, "counts"), "\n") + "\n"
	const file = "testdata/streams-group-records.txt"
	if *updateRecords {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the records are:\n%s\nwant:\n%s", got, want)
	}
}

// streamsGroupRecords is a line per record of a group, and one at the end of
// each batch: the key's type and member, and the value's bytes. The hash of the
// topics and the time of the assignment are left out. Records of one kind that
// follow each other are sorted: there Apache Kafka has no order.
func streamsGroupRecords(t testing.TB, c *rawClient, group string) (lines []string) {
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
				var batch []string
				for r, err := range b.Records(nil) {
					if err != nil {
						t.Fatal(err)
					}
					if g, line := streamsGroupRecord(r); g == group {
						batch = append(batch, line)
					}
				}
				for from := 0; from < len(batch); {
					to := from + 1
					for to < len(batch) && strings.HasPrefix(batch[to], batch[from][:3]) {
						to++
					}
					slices.Sort(batch[from:to])
					from = to
				}
				if len(batch) > 0 {
					lines = append(append(lines, batch...), "--")
				}
				offset = b.LastOffset() + 1
			}
		}
	}
	return lines
}

func streamsGroupRecord(r record.Record) (group, text string) {
	k := kbin.Reader{Src: r.Key}
	kind := k.Int16()
	group = k.String()
	text = fmt.Sprint(kind)
	if len(k.Src) > 0 {
		text += " " + k.String()
	}
	value := slices.Clone(r.Value)
	switch {
	case value == nil:
		return group, text + ": none"
	case kind == 17:
		value = slices.Delete(value, 6, 14)
	case kind == 20:
		value = value[:len(value)-8]
	}
	return group, text + ": " + hex.EncodeToString(value)
}
