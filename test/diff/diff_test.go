// Package diff sends the same requests to minibroker and to other brokers and
// compares the answers field by field. docs/differences.md says how it is run.
package diff

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"minibroker/broker"
)

var (
	update = flag.Bool("update", false, "write the recording of Apache Kafka's answers, and the list of where kfake differs")
	// only is for work on a script: the part of its name that is to be run.
	only = flag.String("only", "", "run only scripts whose name contains this")
)

// apacheRecording holds the answers of Apache Kafka to all scripts.
const apacheRecording = "testdata/apache-kafka-4.3.1.txt"

// kfakeDiffers lists the steps that kfake answers otherwise than Apache Kafka
// and minibroker do.
const kfakeDiffers = "testdata/kfake-differs.txt"

// scripts are all there are. A case is added in the table of its subject.
func scripts() []script {
	return slices.Concat(wireScripts, clusterScripts, produceScripts, fetchScripts, topicScripts, configScripts, groupScripts, consumerGroupScripts, streamsGroupScripts, shareGroupScripts, transactionScripts, transactionsSeenScripts, adminScripts, quotaScripts)
}

func startKfake(t *testing.T) *target {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1),
		kfake.GroupMaxSessionTimeout(30*time.Minute),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return connected(t, kfakeName, c.ListenAddrs()[0])
}

// settings are those that start-kafka gives Apache Kafka.
var settings = map[string]string{
	"broker.rack":                                      "rack-1",
	"offsets.topic.num.partitions":                     "4",
	"offsets.topic.replication.factor":                 "1",
	"transaction.state.log.num.partitions":             "4",
	"transaction.state.log.replication.factor":         "1",
	"transaction.state.log.min.isr":                    "1",
	"share.coordinator.state.topic.num.partitions":     "4",
	"share.coordinator.state.topic.replication.factor": "1",
	"share.coordinator.state.topic.min.isr":            "1",
	"default.replication.factor":                       "1",
	"group.initial.rebalance.delay.ms":                 "0",
	"auto.create.topics.enable":                        "true",
}

func startMinibroker(t *testing.T) *target {
	t.Helper()
	opts := []broker.Option{broker.WithHost("127.0.0.1")}
	for name, value := range settings {
		opts = append(opts, broker.WithConfig(name, value))
	}
	b := broker.Start(t, opts...)
	return connected(t, minibroker, b.Addr())
}

func connected(t *testing.T, name, addr string) *target {
	t.Helper()
	tg, err := connect(name, addr, false)
	if err != nil {
		t.Fatalf("%s at %s: %v", name, addr, err)
	}
	return tg
}

// live is Apache Kafka, running. It is started if MINIBROKER_DIFF_KAFKA is 1,
// and expected where it is an address.
func live(t *testing.T) *target {
	t.Helper()
	addr := os.Getenv("MINIBROKER_DIFF_KAFKA")
	switch addr {
	case "":
		t.Skip("set MINIBROKER_DIFF_KAFKA=1 to compare with a running Apache Kafka; its recorded answers are compared with in any case")
	case "1":
		addr, _ = startKafka(t)
	}
	tg := connected(t, apache, addr)
	tg.settles, tg.silence, tg.retakes = patience, 2*time.Second, 2
	return tg
}

// startKafka starts an Apache Kafka for the test; it returns the address and the
// directory with what the script made.
func startKafka(t *testing.T, flags ...string) (addr, dir string) {
	t.Helper()
	script, err := filepath.Abs("../../../shared/apache-kafka/start-kafka")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("MINIBROKER_DIFF_KAFKA=1 needs %s: %v", script, err)
	}
	dir = t.TempDir()
	flags = append([]string{"--background", "--port", "0", "--pidfile", filepath.Join(dir, "pid"), "--dir", filepath.Join(dir, "kafka")}, flags...)
	out, err := exec.Command(script, flags...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ready := regexp.MustCompile(`ready (\S+:(\d+)) `).FindSubmatch(out)
	pidfile := regexp.MustCompile(`pidfile (\S+)`).FindSubmatch(out)
	if ready == nil || pidfile == nil {
		t.Fatalf("%s said: %s", script, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(filepath.Join(filepath.Dir(script), "stop-kafka"), "--pidfile", string(pidfile[1])).CombinedOutput(); err != nil {
			t.Errorf("stop-kafka: %v\n%s", err, out)
		}
	})
	return string(ready[1]), filepath.Join(dir, "kafka")
}

func recorded(t *testing.T) *target { return recordedIn(t, apacheRecording) }

func recordedIn(t *testing.T, file string) *target {
	t.Helper()
	r, err := readRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	return &target{name: apache, recorded: r, serves: r.serves}
}

// play runs all scripts against both servers and returns what differs. What
// ref answered is added to rec, if there is one.
func play(t *testing.T, p *pair, rec *recording) []difference {
	t.Helper()
	return playAll(t, p, rec, scripts())
}

func playAll(t *testing.T, p *pair, rec *recording, all []script) []difference {
	t.Helper()
	type job struct {
		sc      *script
		version int16
		found   []difference
	}
	var jobs []*job
	for i := range all {
		sc := &all[i]
		if p.excludes(sc.not) || !strings.Contains(sc.name, *only) {
			continue
		}
		oldest, newest, ok := p.versions(int16(sc.key))
		if sc.to != 0 {
			newest = min(newest, sc.to)
		}
		if !ok {
			t.Errorf("%s: %s and %s have no version of %s in common", sc.name, p.ref.name, p.sub.name, sc.key.Name())
		}
		for v := max(oldest, sc.from); v <= newest; v++ {
			jobs = append(jobs, &job{sc: sc, version: v})
		}
	}
	kinds, answers := make(map[string]bool), 0
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, 8)
	start := time.Now()
	for _, j := range jobs {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			var sides [2][]seen
			for take := range 1 + p.ref.retakes {
				var both sync.WaitGroup
				for i, tg := range []*target{p.ref, p.sub} {
					both.Go(func() { sides[i] = tg.play(p, j.sc, j.version, take) })
				}
				both.Wait()
				if j.found = compare(j.sc.name, j.version, sides[0], sides[1]); len(j.found) == 0 {
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range sides[1] {
				kinds[j.sc.name+between+s.step] = true
				answers++
			}
			if rec != nil {
				rec.add(j.sc.name, j.version, sides[0])
			}
		})
	}
	wait.Wait()
	t.Logf("%s and %s: %d kinds of request, %d answers compared, %v", p.ref.name, p.sub.name, len(kinds), answers, time.Since(start).Round(time.Millisecond))
	var found []difference
	for _, j := range jobs {
		found = append(found, j.found...)
	}
	return found
}

// check fails the test for each difference that is not meant, and for each
// row of the table that is not true any more.
func check(t *testing.T, p *pair, found []difference, table []meant) {
	t.Helper()
	left, unused := judge(found, table)
	if len(left) > 0 {
		t.Errorf("%d differences that are not meant:\n%s", len(left), report(p, left))
	}
	if *only != "" {
		return
	}
	for _, m := range unused {
		t.Errorf("a row of the table of meant differences is not needed any more: %+v", m)
	}
}

func TestMinibrokerAnswersAsApacheKafkaDid(t *testing.T) {
	p := &pair{recorded(t), startMinibroker(t)}
	check(t, p, play(t, p, nil), apacheTable)
}

func TestMinibrokerAnswersAsApacheKafkaDoes(t *testing.T) {
	p := &pair{live(t), startMinibroker(t)}
	now := newRecording(p.ref.serves)
	check(t, p, play(t, p, now), apacheTable)
	if *update {
		if err := now.write(apacheRecording, scripts()); err != nil {
			t.Fatal(err)
		}
		return
	}
	var stale []difference
	then := recorded(t)
	for name, versions := range now.answers {
		for v, answers := range versions {
			stale = append(stale, compare(name, v, then.recorded.script(name, v), answers)...)
		}
	}
	if len(stale) > 0 {
		t.Errorf("%s is not what Apache Kafka answers now; run this test with -update:\n%s", apacheRecording,
			report(&pair{&target{name: "recorded"}, p.ref}, stale))
	}
}

func TestMinibrokerAnswersAsKfakeWhereThatIsRight(t *testing.T) {
	p := &pair{startKfake(t), startMinibroker(t)}
	apache := recorded(t).recorded
	var wrong []string // steps that kfake is wrong in
	var open []difference
	for _, d := range play(t, p, nil) {
		asApache := d
		asApache.ref = apache.value(&d)
		switch {
		case asApache.ref == d.sub:
			wrong = append(wrong, d.script+between+d.step)
		case !slices.ContainsFunc(apacheTable, func(m meant) bool { return m.covers(&asApache) }):
			open = append(open, d)
		}
	}
	check(t, p, open, kfakeTable)
	if *only != "" {
		return
	}
	slices.Sort(wrong)
	got := "# Apache Kafka and minibroker answer these otherwise than kfake.\n" + strings.Join(slices.Compact(wrong), "\n") + "\n"
	if *update {
		if err := os.WriteFile(kfakeDiffers, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(kfakeDiffers)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range linesOnlyIn(got, string(want)) {
		t.Errorf("kfake differs from Apache Kafka and minibroker in %q: add it to %s", l, kfakeDiffers)
	}
	// No failure: in some, a busy machine decides whether kfake is right.
	for _, l := range linesOnlyIn(string(want), got) {
		t.Logf("kfake answers as Apache Kafka in %q: if it does so always, take it out of %s", l, kfakeDiffers)
	}
}

// linesOnlyIn are the lines of a that b does not have.
func linesOnlyIn(a, b string) (only []string) {
	have := strings.Split(b, "\n")
	for l := range strings.SplitSeq(a, "\n") {
		if !slices.Contains(have, l) {
			only = append(only, l)
		}
	}
	return only
}

func TestStepsOfAScriptHaveNamesOfTheirOwn(t *testing.T) {
	scriptNames := make(map[string]bool)
	all := slices.Concat(scripts(), secureScripts)
	for i := range all {
		sc := &all[i]
		if scriptNames[sc.name] {
			t.Errorf("two scripts are named %q", sc.name)
		}
		scriptNames[sc.name] = true
		names := make(map[string]bool)
		for _, st := range sc.steps {
			if names[st.name] && !st.hidden {
				t.Errorf("%s: two steps are named %q", sc.name, st.name)
			}
			names[st.name] = true
		}
	}
}

func TestEachMeantDifferenceIsInTheDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range slices.Concat(apacheTable, secureTable) {
		if !strings.Contains(string(doc), "\n| "+m.why+" |") {
			t.Errorf("docs/differences.md has no row %q", m.why)
		}
	}
}
