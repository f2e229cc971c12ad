package clients_test

import (
	"context"
	"flag"
	"fmt"
	"os"
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

var updateTools = flag.Bool("update-tools", false, "write testdata/group-tools.txt anew, with MINIBROKER_TEST_REFERENCE naming a script that starts Apache Kafka")

const recordedTools = "testdata/group-tools.txt"

// groupSteps is what is done to groups of all kinds, in order. Those that begin with ! are not a tool: the members leave,
// or the console consumer prints all records of a topic.
var groupSteps = strings.Split(strings.TrimSpace(`
groups --list
groups --list --consumer
groups --list --share
groups --list --streams
groups --list --group-type classic
groups --list --protocol consumer
consumer-groups --list
consumer-groups --list --state
consumer-groups --list --state stable
consumer-groups --list --type
consumer-groups --list --type consumer
consumer-groups --list --type classic --state empty
consumer-groups --list --state nonsense
consumer-groups --describe --all-groups --state
consumer-groups --describe --group {G}
consumer-groups --describe --group {G} --offsets --verbose
consumer-groups --describe --group {G} --members
consumer-groups --describe --group {G} --members --verbose
consumer-groups --describe --group {G} --state
consumer-groups --describe --group {G} --state --verbose
consumer-groups --describe --group nobody
consumer-groups --describe --group nobody --members
consumer-groups --describe --group sharers
consumer-groups --delete --group {C}
consumer-groups --reset-offsets --group {C} --topic in --to-earliest --execute
consumer-groups --delete-offsets --group {C} --topic in
share-groups --list
share-groups --list --state
share-groups --list --state stable
share-groups --describe --group sharers
share-groups --describe --group sharers --offsets --verbose
share-groups --describe --group sharers --members
share-groups --describe --group sharers --members --verbose
share-groups --describe --group sharers --state
share-groups --describe --group sharers --state --verbose
share-groups --describe --all-groups --members
share-groups --describe --group nobody
share-groups --describe --group classics
share-groups --delete --group sharers
share-groups --reset-offsets --group sharers --topic in --to-earliest --execute
share-groups --delete-offsets --group sharers --topic in
streams-groups --list
streams-groups --list --state
streams-groups --list --state stable
streams-groups --describe --group streamers
streams-groups --describe --group streamers --verbose
streams-groups --describe --group streamers --members
streams-groups --describe --group streamers --members --verbose
streams-groups --describe --group streamers --state
streams-groups --describe --group streamers --state --verbose
streams-groups --describe --group nobody
streams-groups --delete --group streamers
streams-groups --reset-offsets --group streamers --all-input-topics --to-earliest --execute
streams-groups --delete-offsets --group streamers --input-topic in
! all leave
consumer-groups --describe --group {C}
consumer-groups --describe --group {C} --members
consumer-groups --describe --group {C} --state
consumer-groups --reset-offsets --group {G} --topic in --to-earliest
consumer-groups --reset-offsets --group {C} --topic in --to-earliest --execute
consumer-groups --reset-offsets --group {C} --all-topics --to-latest --execute
consumer-groups --reset-offsets --group {C} --topic in --shift-by -3 --execute
consumer-groups --reset-offsets --group {C} --topic in:0 --shift-by 100 --dry-run
consumer-groups --reset-offsets --group {C} --topic in:0 --to-offset 4 --execute
consumer-groups --reset-offsets --group {C} --topic in --to-offset 100 --dry-run
consumer-groups --reset-offsets --group {C} --topic in --to-current --dry-run
consumer-groups --reset-offsets --group {C} --topic in --to-datetime 2020-01-01T00:00:03.000 --execute
consumer-groups --reset-offsets --group {C} --topic in --to-datetime 2020-01-01T00:00:01Z --dry-run
consumer-groups --reset-offsets --group {C} --topic in --by-duration PT1H --execute
consumer-groups --reset-offsets --group {C} --all-topics --to-current --export
consumer-groups --reset-offsets --group {C} --from-file {one} --execute
consumer-groups --reset-offsets --group classics --group consumers --from-file {several} --dry-run
consumer-groups --reset-offsets --group classics --group consumers --all-topics --to-earliest --export
consumer-groups --reset-offsets --all-groups --topic in --to-earliest --dry-run
consumer-groups --reset-offsets --group {C} --topic missing --to-earliest --dry-run
consumer-groups --reset-offsets --group {C} --topic in:7 --to-earliest --dry-run
consumer-groups --reset-offsets --group fresh --topic in --to-latest --execute
consumer-groups --describe --group fresh
consumer-groups --describe --group {C}
consumer-groups --delete-offsets --group {C} --topic in:0
consumer-groups --delete-offsets --group {C} --topic in:0 --topic missing
consumer-groups --delete-offsets --group nobody --topic in
consumer-groups --describe --group {C}
consumer-groups --delete --group classics
consumer-groups --delete --group classics
consumer-groups --delete --group consumers --group simple --group nobody
share-groups --describe --group sharers
share-groups --describe --group sharers --members
share-groups --describe --group sharers --state --verbose
share-groups --reset-offsets --group sharers --topic in --to-earliest --dry-run
share-groups --reset-offsets --group sharers --topic in --to-earliest --execute
share-groups --describe --group sharers --offsets --verbose
share-groups --reset-offsets --group sharers --all-topics --to-latest --execute
share-groups --reset-offsets --group sharers --topic in:0 --to-datetime 2020-01-01T00:00:03.000 --execute
share-groups --reset-offsets --group sharers --topic missing --to-earliest --dry-run
share-groups --reset-offsets --group nobody --all-topics --to-earliest --dry-run
share-groups --describe --group sharers --offsets
share-groups --delete-offsets --group sharers --topic missing
share-groups --delete-offsets --group sharers --topic in
share-groups --delete-offsets --group sharers --topic in
share-groups --describe --group sharers
share-groups --delete --group sharers
share-groups --delete --group sharers
share-groups --list
streams-groups --describe --group streamers
streams-groups --describe --group streamers --members
streams-groups --describe --group streamers --state
streams-groups --reset-offsets --group streamers --all-input-topics --to-earliest --dry-run
streams-groups --reset-offsets --group streamers --all-input-topics --to-latest --execute
streams-groups --reset-offsets --group streamers --input-topic in:0 --shift-by -2 --execute
streams-groups --reset-offsets --group streamers --input-topic in:0 --to-offset 3 --execute
streams-groups --reset-offsets --group streamers --all-input-topics --by-duration PT1H --dry-run
streams-groups --reset-offsets --group streamers --all-input-topics --to-datetime 2020-01-01T00:00:03.000 --execute
streams-groups --reset-offsets --group streamers --all-input-topics --to-current --export
streams-groups --reset-offsets --group streamers --from-file {one} --execute
streams-groups --reset-offsets --group streamers --input-topic missing --to-earliest --dry-run
streams-groups --describe --group streamers
streams-groups --delete-offsets --group streamers --input-topic in:0
streams-groups --delete-offsets --group streamers --input-topic missing
streams-groups --describe --group streamers --verbose
streams-groups --delete --group streamers
streams-groups --delete --group streamers
streams-groups --list
groups --list
! print __consumer_offsets OffsetsMessageFormatter
! print __consumer_offsets GroupMetadataMessageFormatter
! print __transaction_state TransactionLogMessageFormatter
! print __share_group_state group.share.ShareGroupStateMessageFormatter
`), "\n")

// Apache Kafka's tools for groups print what they print of Apache Kafka: testdata has that.
func TestToolsForGroupsPrintWhatTheyPrintOfApacheKafka(t *testing.T) {
	slow(t)
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	warm(t, s.Bootstrap)
	w := newToolWorld(t, s.Bootstrap)
	var got strings.Builder
	for _, step := range w.steps() {
		fmt.Fprintf(&got, "> %s\n", step)
		if step == "! all leave" {
			w.leave()
		} else if what, ok := strings.CutPrefix(step, "! print "); ok {
			topic, formatter, _ := strings.Cut(what, " ")
			got.WriteString(w.print(topic, formatter))
		} else {
			got.WriteString(w.normal(w.run(step)))
		}
	}
	if *updateTools {
		if harness.Reference() == "" {
			t.Fatal("what minibroker prints is not what it is compared with: set MINIBROKER_TEST_REFERENCE")
		}
		if err := os.WriteFile(recordedTools, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	recorded, err := os.ReadFile(recordedTools)
	if err != nil {
		t.Fatal(err)
	}
	of, is := stepsOf(string(recorded)), stepsOf(got.String())
	for i := range max(len(of), len(is)) {
		switch {
		case i >= len(of) || i >= len(is):
			t.Fatalf("%d steps are recorded, %d were done: record them anew, see CONTRIBUTING.md", len(of), len(is))
		case of[i] != is[i]:
			t.Errorf("of Apache Kafka:\n%s\nof minibroker:\n%s", of[i], is[i])
		}
	}
}

func stepsOf(text string) []string {
	return strings.Split(strings.TrimPrefix(text, "> "), "\n> ")
}

// toolWorld is groups of all kinds, and the tools.
type toolWorld struct {
	t         *testing.T
	bootstrap string
	clients   []*kgo.Client
	streams   *toolGroup
	files     *strings.Replacer
	tools     *kafkaTools
}

func newToolWorld(t *testing.T, bootstrap string) *toolWorld {
	w := &toolWorld{t: t, bootstrap: bootstrap, tools: startKafkaTools(t, bootstrap)}
	ctx := timeout(t)
	cl := kgoClient(t, bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopics(ctx, 2, 1, map[string]*string{"retention.ms": kmsg.StringPtr("-1")}, "in"); err != nil {
		t.Fatal(err)
	}
	// Five records of 2020, five of today; two of today.
	for i := range 12 {
		r := &kgo.Record{Topic: "in", Partition: int32(i / 10), Value: []byte("x")}
		if i < 5 {
			r.Timestamp = time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC)
		}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var o kadm.Offsets
	o.AddOffset("in", 1, 1, -1)
	if err := admin.CommitAllOffsets(ctx, "simple", o); err != nil {
		t.Fatal(err)
	}
	setGroup(t, cl, "sharers", "share.auto.offset.reset", "earliest")
	w.transact()
	w.join("classics", kgo.Balancers(kgo.RangeBalancer()))
	w.join("consumers", kgo.ServerSideBalancer(), kgo.InstanceID("instance"), kgo.Rack("r1"))
	w.share()
	w.streams = newToolGroup(t, bootstrap, "streamers", "in")

	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w.files = strings.NewReplacer("{one}", file("one.csv", "in,0,6\nin,1,1\n"), "{several}", file("several.csv", "classics,in,0,7\nconsumers,in,1,1\n"))

	return w
}

// transact commits a transaction and aborts another.
func (w *toolWorld) transact() {
	w.t.Helper()
	ctx := timeout(w.t)
	if _, err := kadm.NewClient(kgoClient(w.t, w.bootstrap)).CreateTopics(ctx, 1, 1, nil, "transacted"); err != nil {
		w.t.Fatal(err)
	}
	cl := kgoClient(w.t, w.bootstrap, kgo.TransactionalID("writer"), kgo.DefaultProduceTopic("transacted"))
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := cl.BeginTransaction(); err != nil {
			w.t.Fatal(err)
		}
		if err := cl.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, commit); err != nil {
			w.t.Fatal(err)
		}
	}
}

// join starts the one member of a group, and waits until it has its partitions. It commits an offset.
func (w *toolWorld) join(group string, opts ...kgo.Opt) {
	w.t.Helper()
	ctx, has := timeout(w.t), make(chan struct{}, 1)
	cl := kgoClient(w.t, w.bootstrap, append(opts, kgo.ClientID(group+"-client"), kgo.ConsumerGroup(group), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			if len(got["in"]) == 2 {
				has <- struct{}{}
			}
		}))...)
	w.clients = append(w.clients, cl)
	select {
	case <-has:
	case <-ctx.Done():
		w.t.Fatalf("the member of %s has no partitions", group)
	}
	r := &kgo.Record{Topic: "in", Offset: 1, LeaderEpoch: -1}
	if err := cl.CommitRecords(ctx, r); err != nil {
		w.t.Fatal(err)
	}
}

// share starts the one member of the share group. It accepts all records, one by one: what is stored of that is where
// the group was before each.
func (w *toolWorld) share() {
	w.t.Helper()
	ctx := timeout(w.t)
	cl := kgoClient(w.t, w.bootstrap, kgo.ClientID("sharers-client"), kgo.ShareGroup("sharers"), kgo.ConsumeTopics("in"), kgo.ShareMaxRecords(1), kgo.ShareMaxRecordsStrict())
	w.clients = append(w.clients, cl)
	for n := 0; n < 12; {
		if n > 0 {
			if err := cl.FlushAcks(ctx); err != nil {
				w.t.Fatal(err)
			}
		}
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			w.t.Fatal("the share group got too few records")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			r.Ack(kgo.AckAccept)
		})
	}
	if err := cl.FlushAcks(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func setGroup(t *testing.T, cl *kgo.Client, group, name, value string) {
	t.Helper()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	res.Configs = append(res.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: &value})
	alter.Resources = append(alter.Resources, res)
	if resp, err := alter.RequestWith(timeout(t), cl); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("setting %s of group %s: %+v, %v", name, group, resp, err)
	}
}

func (w *toolWorld) leave() {
	for _, cl := range w.clients {
		cl.Close()
	}
	// A static member only goes for a while.
	leave := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	admin := kgoClient(w.t, w.bootstrap)
	d, err := kadm.NewClient(admin).DescribeConsumerGroups(timeout(w.t), "consumers")
	if err != nil || len(d["consumers"].Members) != 1 {
		w.t.Fatalf("the group of one is %+v, %v", d, err)
	}
	leave.Group, leave.MemberID, leave.MemberEpoch, leave.InstanceID = "consumers", d["consumers"].Members[0].MemberID, -1, kmsg.StringPtr("instance")
	if resp, err := leave.RequestWith(timeout(w.t), admin); err != nil || resp.ErrorCode != 0 {
		w.t.Fatalf("leaving: %+v, %v", resp, err)
	}
	w.streams.leave()
}

// steps are groupSteps with {G} for each group that commits offsets, and {C} for those of them with members.
func (w *toolWorld) steps() (all []string) {
	for _, step := range groupSteps {
		switch {
		case strings.Contains(step, "{G}"):
			for _, g := range []string{"classics", "consumers", "simple"} {
				all = append(all, strings.ReplaceAll(step, "{G}", g))
			}
		case strings.Contains(step, "{C}"):
			for _, g := range []string{"classics", "consumers"} {
				all = append(all, strings.ReplaceAll(step, "{C}", g))
			}
		default:
			all = append(all, step)
		}
	}
	return all
}

// run runs a tool and returns what it prints. The members of the streams group stay alive meanwhile.
func (w *toolWorld) run(step string) string {
	w.t.Helper()
	done := w.tools.start("", strings.Fields(w.files.Replace(step))...)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		w.streams.beatAll()
		select {
		case <-tick.C:
		case ended := <-done:
			if !ending.MatchString(ended) {
				w.t.Fatalf("the tools ended in %s, which printed\n%s", step, ended)
			}
			return ended
		}
	}
}

// print returns what a formatter of the console consumer makes of the records of a topic, in no order.
func (w *toolWorld) print(topic, formatter string) string {
	w.t.Helper()
	ends, err := kadm.NewClient(kgoClient(w.t, w.bootstrap)).ListEndOffsets(timeout(w.t), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset == 0 {
			return
		}
		out := w.run(fmt.Sprintf("console-consumer --topic %s --partition %d --offset earliest --max-messages %d --timeout-ms 60000 --formatter org.apache.kafka.tools.consumer.%s",
			topic, end.Partition, end.Offset, formatter))
		out = strings.NewReplacer(`}{"key"`, "}\n{\"key\"", "}Processed", "}\nProcessed").Replace(out) // a formatter ends no line
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "{") {
				lines = append(lines, inRecord.ReplaceAllString(quotedID.ReplaceAllString(w.constant(line), `"ID"`), `"$1":N`))
			} else if line != "\n" && line != "--- 0\n" && !strings.HasPrefix(line, "Processed a total of ") {
				w.t.Errorf("printing %s: %s", topic, line)
			}
		}
	})
	slices.Sort(lines)
	return strings.Join(lines, "")
}

var (
	quotedID = regexp.MustCompile(`"[A-Za-z0-9_/+-]{22}(==)?"`)
	inRecord = regexp.MustCompile(`"(\w*[pP]roducerId)":\d+`)
	madeID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(^|\s)[A-Za-z0-9_/+-]{22}(==)?(\s|$)`)
	spaces   = regexp.MustCompile(`[ \t]+`)
	usage    = regexp.MustCompile(`(?s)\nOption +Description.*(\n--- )`)
	stack    = regexp.MustCompile(`(?m)^(\s+(at |\.\.\. )|Caused by: ).*\n`)
	logLine  = regexp.MustCompile(`(?m)^\[[^\]]*\] (WARN|INFO|ERROR).*\n`)
	port     = regexp.MustCompile(`\b(localhost|127\.0\.0\.1):\d+`)
	names    = regexp.MustCompile(`'\w+'(, '\w+')+|\w+(, \w+){3,}`) // a list in no order
	nowStamp = regexp.MustCompile(`\b1[6-9]\d{11}\b`)
)

// constant puts words in the place of ids, the port and times.
func (w *toolWorld) constant(out string) string {
	return nowStamp.ReplaceAllString(madeID.ReplaceAllString(port.ReplaceAllString(out, "HOST:PORT"), "${1}ID "), "TIME")
}

// normal leaves out what is another time another: ids, the port, widths of columns, the order of rows, the list of options.
func (w *toolWorld) normal(out string) string {
	out = usage.ReplaceAllString(out, "\n(options)$1")
	out = w.constant(stack.ReplaceAllString(logLine.ReplaceAllString(out, ""), ""))
	out = names.ReplaceAllStringFunc(out, func(list string) string {
		of := strings.Split(list, ", ")
		slices.Sort(of)
		return strings.Join(of, ", ")
	})
	var b strings.Builder
	for _, part := range strings.Split(out, "\n\n") {
		var lines []string
		for line := range strings.Lines(part) {
			if line = strings.TrimSpace(spaces.ReplaceAllString(line, " ")); line != "" {
				lines = append(lines, line)
			}
		}
		rows := lines
		if len(rows) > 0 && strings.Contains(rows[0], "GROUP ") {
			rows = rows[1:]
		}
		slices.Sort(rows)
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
