package ui

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

// A record is to be seen in the tail within 100 ms of its append: the middle of
// many is held, for one may meet a busy moment of the machine.
func TestARecordIsInTheTailAtOnce(t *testing.T) {
	w := open(t, broker.WithTopic("log", 3, nil))
	lines := w.listen("/topics/log/tail")
	await(t, lines, ": open")
	var took []time.Duration
	for i := range 60 {
		text := fmt.Sprintf("record-%d-", i)
		from := time.Now()
		if err := w.b.Produce("log", broker.Record{Partition: int32(i % 3), Value: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		await(t, lines, text)
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	t.Logf("from append to the row: median %v, p90 %v, longest %v", took[30], took[54], took[59])
	if !raceDetector && took[30] > 100*time.Millisecond {
		t.Errorf("half of the records took more than %v to the tail", took[30])
	}
}

// An open lab reads what is new ten times a second, however much is produced, so
// it costs by the time and not by the record. What it takes of a processor is
// what producers could miss: 5% at most, with 10,000 records a second.
func TestAnOpenLabTakesLittleOfTheProcessor(t *testing.T) {
	const perSecond, batches = 10_000, 20 // batches in a second
	w := open(t, broker.WithTopic("log", 6, nil))
	c := w.client(kgo.ProducerLinger(5 * time.Millisecond))
	value := make([]byte, 100)
	sent := 0
	// produce is a steady producer: for a second, a batch at each tick.
	produce := func() time.Duration {
		before := worked()
		tick := time.NewTicker(time.Second / batches)
		defer tick.Stop()
		for range batches {
			for range perSecond / batches {
				c.Produce(context.Background(), &kgo.Record{Topic: "log", Key: fmt.Appendf(nil, "user-%d", sent%50), Value: value}, nil)
				sent++
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-tick.C
		}
		return worked() - before
	}
	produce() // what is done once
	alone := min(produce(), produce())
	lines := w.listen("/lab/feed?topic=log")
	await(t, lines, ": open")
	go func() {
		for lines.Scan() { // as a browser does
		}
	}()
	watched := min(produce(), produce(), produce()) // the collector's turns are anybody's
	t.Logf("a second of 10,000 records takes %v of the processor, %v with the lab open", alone, watched)
	if watched -= alone; !raceDetector && watched > time.Second/20 {
		t.Errorf("an open lab takes %v of the processor a second, 5%% of it at most", watched)
	}
	total := int64(0)
	for _, n := range w.b.Topic("log").HighWatermarks() {
		total += n
	}
	if total != int64(sent) {
		t.Errorf("%d of %d records arrived", total, sent)
	}
}
