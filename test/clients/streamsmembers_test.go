package clients_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toolGroup is a streams group of two members that do nothing.
type toolGroup struct {
	t       *testing.T
	cl      *kgo.Client
	name    string
	topic   string   // that it reads
	members []string // those that have not left
}

func newToolGroup(t *testing.T, bootstrap, name, topic string) *toolGroup {
	g := &toolGroup{t: t, cl: kgoClient(t, bootstrap, kgo.ClientID("tools")), name: name, topic: topic}
	// Apache Kafka waits before its first assignment.
	for _, name := range []string{"streams.initial.rebalance.delay.ms", "streams.assignment.interval.ms"} {
		setGroup(t, g.cl, g.name, name, "0")
	}
	g.join("m1", "p1")
	g.join("m2", "p2")
	g.beat("m1", 2, nil)
	g.beat("m1", 2, []int32{0})
	g.beat("m2", 3, nil)
	g.commit("m1", 3)
	g.members = []string{"m1", "m2"}
	return g
}

// beatAll keeps the members alive.
func (g *toolGroup) beatAll() {
	for _, m := range g.members {
		g.beat(m, 3, nil)
	}
}

func (g *toolGroup) send(member string, epoch int32, edit func(r *kmsg.StreamsGroupHeartbeatRequest)) {
	g.t.Helper()
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch = g.name, member, epoch
	edit(r)
	// kgo does not look for the coordinator of such a group.
	if resp, err := r.RequestWith(timeout(g.t), g.cl.SeedBrokers()[0]); err != nil || resp.ErrorCode != 0 {
		g.t.Fatalf("%s at epoch %d: %+v, %v", member, epoch, resp, err)
	}
}

func (g *toolGroup) join(member, process string) {
	g.t.Helper()
	g.send(member, 0, func(r *kmsg.StreamsGroupHeartbeatRequest) {
		r.ProcessID, r.RebalanceTimeoutMillis = &process, 30000
		r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
		r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{{SubtopologyID: "0", SourceTopics: []string{g.topic}}}}
	})
}

// beat says what a member has, unless that is nil.
func (g *toolGroup) beat(member string, epoch int32, has []int32) {
	g.t.Helper()
	g.send(member, epoch, func(r *kmsg.StreamsGroupHeartbeatRequest) {
		if has != nil {
			r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: has}}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
		}
	})
}

func (g *toolGroup) leave() {
	g.t.Helper()
	for _, m := range g.members {
		g.send(m, -1, func(*kmsg.StreamsGroupHeartbeatRequest) {})
	}
	g.members = nil
}

// commit commits offset 2 of partition 0, as a member at an epoch.
func (g *toolGroup) commit(member string, epoch int32) {
	g.t.Helper()
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.MemberID, r.Generation = g.name, member, epoch
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = g.topic
	d, err := kadm.NewClient(g.cl).ListTopics(timeout(g.t), topic.Topic)
	if err != nil {
		g.t.Fatal(err)
	}
	topic.TopicID = d[topic.Topic].ID
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = 2
	topic.Partitions = append(topic.Partitions, p)
	r.Topics = append(r.Topics, topic)
	resp, err := r.RequestWith(timeout(g.t), g.cl)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		g.t.Fatalf("a commit is answered %+v, %v", resp, err)
	}
}
