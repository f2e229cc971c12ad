package clients_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// streamsGroups are the releases of Kafka Streams that have a group protocol of their own (KIP-1071).
var streamsGroups = []string{"4.3.1"}

// testStreamsGroup has two instances of a word count share the work, each with copies of the other's state, and stops
// the first: the second must go on counting from its copies, and count each word once.
func testStreamsGroup(t *testing.T, bootstrap, version string) {
	slow(t)
	topic := topicOf(t)
	jars := jars(t, "org.apache.kafka:kafka-streams:"+version, simpleLogger)
	instance := func() []string {
		return append(jvm(t, 256, "WordCount", compile(t, version, jars, "WordCount.java"), jars),
			"--bootstrap", bootstrap, "--topic", topic, "--dir", t.TempDir(), "--guarantee", "exactly_once_v2", "--protocol", "streams")
	}
	takeJVM(t)

	cl, ctx := kgoClient(t, bootstrap, kgo.DefaultProduceTopic(topic+"-in")), timeout(t)
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopics(ctx, 3, 1, nil, topic+"-in", topic+"-out"); err != nil {
		t.Fatal(err)
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, topic
	res.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "streams.num.standby.replicas", Value: kmsg.StringPtr("1")}}
	alter.Resources = append(alter.Resources, res)
	if resp, err := alter.RequestWith(ctx, cl); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("setting the group's configs: %+v, %v", resp, err)
	}
	counts := countsOf{t: t, want: map[string]int{}, got: map[string]int{}, random: rand.New(rand.NewPCG(10, 71))}
	counts.reader = kgoClient(t, bootstrap, kgo.ConsumeTopics(topic+"-out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))

	// The program has two threads; each subtopology has three tasks, and one of the two has state.
	settled := func(p *process, want groupOfStreams) {
		t.Helper()
		p.until(t, func() bool { return describeStreams(t, cl, topic) == want }, func() string {
			return fmt.Sprintf("the group is %+v, want %+v", describeStreams(t, cl, topic), want)
		})
	}
	first := launch(t, instance()...)
	counts.write(cl, 300)
	counts.await(first, counts.total)
	second := launch(t, instance()...)
	settled(second, groupOfStreams{"Stable", 4, 6, 3})
	counts.write(cl, 300)
	counts.await(second, counts.total)
	first.stop(t)
	counts.write(cl, 300)
	counts.await(second, counts.total)
	settled(second, groupOfStreams{"Stable", 2, 6, 0})
	second.stop(t)
	if left := describeStreams(t, cl, topic); left != (groupOfStreams{state: "Empty"}) {
		t.Errorf("with all instances stopped, the group is %+v", left)
	}
	counts.same()
	for _, internal := range []string{"-counts-changelog", "-counts-repartition"} {
		if d, err := admin.ListTopics(ctx, topic+internal); err != nil || len(d[topic+internal].Partitions) != 3 {
			t.Errorf("the internal topic %s%s: %v, %v, want 3 partitions", topic, internal, d, err)
		}
	}
}

// groupOfStreams is what a streams group shows: its members, what they run, and the copies of others' state.
type groupOfStreams struct {
	state                    string
	members, active, standby int
}

func describeStreams(t *testing.T, cl *kgo.Client, group string) (g groupOfStreams) {
	t.Helper()
	req := kmsg.NewPtrStreamsGroupDescribeRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(timeout(t), cl)
	if err != nil || len(resp.Groups) != 1 {
		t.Fatalf("describing the group: %+v, %v", resp, err)
	}
	g.state, g.members = resp.Groups[0].State, len(resp.Groups[0].Members)
	for _, m := range resp.Groups[0].Members {
		for _, ids := range m.Assignment.ActiveTasks {
			g.active += len(ids.Partitions)
		}
		for _, ids := range m.Assignment.StandbyTasks {
			g.standby += len(ids.Partitions)
		}
	}
	return g
}
