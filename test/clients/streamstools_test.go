package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/test/harness"
)

// testStreamsTools runs Apache Kafka's tool for streams groups on a group of two members, and again when they have left.
func testStreamsTools(t *testing.T, bootstrap string) {
	slow(t)
	tool, err := filepath.Abs(filepath.Join(harness.Root(), "../shared/apache-kafka/kafka-tool"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		t.Skipf("Kafka's command-line tools are not here: %v", err)
	}
	g := newToolGroup(t, bootstrap)
	for _, step := range []struct {
		args   string   // {G} stands for the group
		leave  bool     // the members leave first
		commit bool     // the offsets are committed anew first
		want   []string // patterns of lines, {G} for the group; each of one line that is printed
	}{
		{args: "--list", want: []string{`{G}`}},
		{args: "--list --state", want: []string{`{G} +Stable`}},
		{args: "--describe --group {G}", want: []string{`GROUP +TOPIC +PARTITION +OFFSET-LAG`, `{G} +{G}-in +0 +8`, `{G} +{G}-in +1 +2`}},
		{args: "--describe --group {G} --verbose", want: []string{`{G} +{G}-in +0 +2 +- +10 +8`, `{G} +{G}-in +1 +- +- +2 +2`}},
		{args: "--describe --group {G} --members", want: []string{`{G} +m1 +p1 +tools +ACTIVE: 0:\[0\];`, `{G} +m2 +p2 +tools +ACTIVE: 0:\[1\];`}},
		{args: "--describe --group {G} --members --verbose", want: []string{`{G} +3 +0 +m1 +streams +3 +p1 +tools +ACTIVE: 0:\[0\]; TARGET-ACTIVE: 0:\[0\];`}},
		{args: "--describe --group {G} --state", want: []string{`{G} +\S+ \(1\) +Stable +2`}},
		{args: "--describe --group {G} --state --verbose", want: []string{`{G} +\S+ \(1\) +Stable +3 +3 +2`}},
		{args: "--delete --group {G}", want: []string{`.*Group '{G}' could not be deleted due to.*`}},
		{args: "--reset-offsets --group {G} --all-input-topics --to-earliest --dry-run", want: []string{`.*Assignments can only be reset if the group '{G}' is inactive, but the current state is Stable\.`}},
		{args: "--describe --group {G} --state", leave: true, want: []string{`{G} +\S+ \(1\) +Empty +0`}},
		{args: "--reset-offsets --group {G} --all-input-topics --to-earliest --dry-run", want: []string{`{G} +{G}-in +0 +0`}},
		{args: "--reset-offsets --group {G} --all-input-topics --to-latest --execute", want: []string{`{G} +{G}-in +0 +10`}},
		{args: "--reset-offsets --group {G} --input-topic {G}-in:0 --shift-by -2 --execute", want: []string{`{G} +{G}-in +0 +8`}},
		{args: "--reset-offsets --group {G} --input-topic {G}-in:0 --to-offset 3 --execute", want: []string{`{G} +{G}-in +0 +3`}},
		{args: "--reset-offsets --group {G} --all-input-topics --by-duration PT1H --dry-run", want: []string{`{G} +{G}-in +0 +0`}},
		{args: "--reset-offsets --group {G} --all-input-topics --to-datetime 2020-01-01T00:00:00.000 --dry-run", want: []string{`{G} +{G}-in +0 +0`}},
		{args: "--reset-offsets --group {G} --all-input-topics --to-current --export --dry-run", want: []string{`{G}-in,0,3`}},
		{args: "--delete-offsets --group {G} --input-topic {G}-in:0", want: []string{`{G}-in +0 +Successful`}},
		{args: "--delete --group {G}", commit: true, want: []string{`Deletion of requested streams groups \('{G}'\) was successful\.`}},
	} {
		switch {
		case step.leave:
			g.leave()
		case step.commit:
			g.commit("", -1)
		}
		args := append([]string{"streams-groups", "--bootstrap-server", bootstrap}, strings.Split(strings.ReplaceAll(step.args, "{G}", g.name), " ")...)
		out := g.during(tool, args)
		lines := strings.Split(string(out), "\n")
		for _, want := range step.want {
			re := regexp.MustCompile("^" + strings.ReplaceAll(want, "{G}", g.name) + "$")
			if !slices.ContainsFunc(lines, func(line string) bool { return re.MatchString(strings.TrimSpace(line)) }) {
				t.Errorf("%s printed\n%s\nwant a line that matches %s", strings.Join(args, " "), out, want)
			}
		}
	}
}

// toolGroup is a streams group of two members that do nothing.
type toolGroup struct {
	t       *testing.T
	cl      *kgo.Client
	name    string
	members []string // those that have not left
}

func newToolGroup(t *testing.T, bootstrap string) *toolGroup {
	g := &toolGroup{t: t, cl: kgoClient(t, bootstrap, kgo.ClientID("tools"), kgo.RecordPartitioner(kgo.ManualPartitioner())), name: topicOf(t)}
	ctx := timeout(t)
	if _, err := kadm.NewClient(g.cl).CreateTopics(ctx, 2, 1, nil, g.name+"-in"); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		r := kgo.StringRecord("x")
		r.Topic, r.Partition = g.name+"-in", int32(i/10)
		if err := g.cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// Apache Kafka waits before its first assignment.
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, g.name
	for _, name := range []string{"streams.initial.rebalance.delay.ms", "streams.assignment.interval.ms"} {
		res.Configs = append(res.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: kmsg.StringPtr("0")})
	}
	alter.Resources = append(alter.Resources, res)
	if resp, err := alter.RequestWith(ctx, g.cl); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("setting the group's configs: %+v, %v", resp, err)
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

// during runs a tool and returns what it prints. Some end with an error, and say why. The members stay alive meanwhile.
func (g *toolGroup) during(tool string, args []string) (out []byte) {
	g.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		jvms <- struct{}{}
		defer func() { <-jvms }()
		cmd := exec.CommandContext(timeout(g.t), tool, args...)
		cmd.WaitDelay = time.Second
		cmd.Env = append(os.Environ(), "JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC") // for short runs
		out, _ = cmd.CombinedOutput()
	}()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		for _, m := range g.members {
			g.beat(m, 3, nil)
		}
		select {
		case <-tick.C:
		case <-done:
			return out
		}
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
		r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{{SubtopologyID: "0", SourceTopics: []string{g.name + "-in"}}}}
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
	topic.Topic = g.name + "-in"
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
