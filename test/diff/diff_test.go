package diff

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

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

func connected(t *testing.T, name, addr string) *target {
	t.Helper()
	tg, err := connect(name, addr)
	if err != nil {
		t.Fatalf("%s at %s: %v", name, addr, err)
	}
	return tg
}

// play runs all scripts against both servers and returns what differs.
func play(t *testing.T, p *pair, scripts []script) []difference {
	t.Helper()
	type job struct {
		sc      *script
		version int16
		found   []difference
	}
	var jobs []*job
	for i := range scripts {
		sc := &scripts[i]
		if p.excludes(sc.not) || (only != "" && !strings.Contains(sc.name, only)) {
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
	kinds, requests := make(map[string]bool), 0
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, 8)
	start := time.Now()
	for _, j := range jobs {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			var sides [2][]seen
			var both sync.WaitGroup
			for i, tg := range []*target{p.ref, p.sub} {
				both.Go(func() { sides[i] = newActor(tg, p, j.sc, j.version).play(j.sc) })
			}
			both.Wait()
			j.found = compare(j.sc.name, j.version, sides[0], sides[1])
			mu.Lock()
			defer mu.Unlock()
			for _, s := range sides[0] {
				kinds[j.sc.name+"/"+s.step] = true
				requests++
			}
		})
	}
	wait.Wait()
	t.Logf("%s and %s: %d kinds of request, %d answers compared, %v", p.ref.name, p.sub.name, len(kinds), requests, time.Since(start).Round(time.Millisecond))
	var all []difference
	for _, j := range jobs {
		all = append(all, j.found...)
	}
	return all
}

// only is for work on a script: the part of its name that is to be run.
var only = os.Getenv("MINIBROKER_DIFF_ONLY")

// check fails the test for each difference that is not meant, and for each
// row of the table that is not true any more.
func check(t *testing.T, p *pair, table []meant) {
	t.Helper()
	left, unused := judge(play(t, p, scripts()), table)
	if len(left) > 0 {
		t.Errorf("%d differences that are not meant:\n%s", len(left), report(p, left))
	}
	if only != "" {
		return
	}
	for _, m := range unused {
		t.Errorf("a row of the table of meant differences is not needed any more: %+v", m)
	}
}

func scripts() []script {
	return slices.Concat(wireScripts, clusterScripts, produceScripts, fetchScripts, topicScripts, configScripts, groupScripts)
}

func kafkaTarget(t *testing.T) *target {
	t.Helper()
	addr := os.Getenv("MINIBROKER_DIFF_KAFKA")
	switch {
	case addr == "":
		t.Skip("set MINIBROKER_DIFF_KAFKA=1 to compare with Apache Kafka")
	case strings.Contains(addr, ":"):
		return connected(t, apache, addr)
	}
	root, err := filepath.Abs("../../../shared/apache-kafka/start-kafka")
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(fmt.Sprint("TODO ", root))
	return nil
}

func TestKfakeAnswersAsApacheKafka(t *testing.T) {
	check(t, &pair{kafkaTarget(t), startKfake(t)}, nil)
}
