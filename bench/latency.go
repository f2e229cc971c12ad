package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"minibroker/protocol/record"
)

func latencyWorks() []work {
	return []work{
		{name: "produce to ack, 1 in flight", quick: true, run: ackLatency, measures: []measure{
			{name: "p50", unit: "µs", base: limitName, goal: 1.3}, {name: "p99", unit: "µs", base: limitName, goal: 1.5}}},
		{name: "produce to long-polling consumer, 200/s beside 64 MiB/s of produce", run: endToEnd, measures: []measure{
			{name: "p50", unit: "µs", base: limitName}, {name: "p99", unit: "µs", base: limitName, goal: 1.5}}},
	}
}

// pause lets a server do what can't be waited for.
func pause() { time.Sleep(20 * time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func ackLatency(b *bench, s *server) ([]float64, error) {
	var took []time.Duration
	err := b.withTopic(s, 1, func(c *client, topic string) error {
		frame := produceFrame("ack", topic, 1, batch(1, 1<<10, record.None))
		if _, err := b.first(s, c, frame, answerNow); err != nil {
			return err
		}
		for range b.scaled(50_000, 10_000) {
			from := now()
			if _, err := c.exchange(frame); err != nil {
				return err
			}
			took = append(took, now().Sub(from))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	return []float64{micros(percentile(took, .5)), micros(percentile(took, .99))}, nil
}

// offsetMark is where an encoded fetch has the offset to ask for.
const offsetMark = 0x1122334455667788

// endToEnd sends a record every 5 ms on one connection to a consumer that waits
// on another, while a third is produced to at 64 MiB/s.
func endToEnd(b *bench, s *server) ([]float64, error) {
	var took []time.Duration
	err := b.withTopic(s, 1, func(c *client, topic string) error {
		return b.withTopic(s, 1, func(_ *client, other string) error {
			ctx, cancel := context.WithCancel(b.ctx)
			heavy := make(chan error, 1)
			go func() { heavy <- b.heavy(ctx, s, other) }()
			var err error
			took, err = b.arrivals(s, c, topic)
			cancel()
			if e := <-heavy; err == nil {
				err = e
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	return []float64{micros(percentile(took, .5)), micros(percentile(took, .99))}, nil
}

// arrivals measures from a record's sending to its consumer's having it.
func (b *bench) arrivals(s *server, producer *client, topic string) ([]time.Duration, error) {
	consumer, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer consumer.close()
	frame := produceFrame("light", topic, 1, batch(1, 100, record.None))
	mark := binary.BigEndian.AppendUint64(nil, offsetMark)
	fetch := fetchFrame("waiting", topic, offsetMark, 1<<20, 10_000)
	at := bytes.Index(fetch, mark)

	// The first record, and its answer, are for the limit to learn from.
	if _, err := b.first(s, producer, frame, answerWakes); err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint64(fetch[at:], 0)
	if _, err := b.first(s, consumer, fetch, answerWaits); err != nil {
		return nil, err
	}
	n := b.scaled(2_000, 400)
	took := make([]time.Duration, 0, n)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		binary.BigEndian.PutUint64(fetch[at:], uint64(1+i))
		if _, err := consumer.nc.Write(fetch); err != nil {
			return nil, err
		}
		<-tick.C
		var arrived time.Time
		var failed error
		var wg sync.WaitGroup
		wg.Go(func() { _, failed = consumer.receive(); arrived = now() })
		from := now()
		if _, err := producer.exchange(frame); err != nil {
			return nil, err
		}
		wg.Wait()
		if failed != nil {
			return nil, failed
		}
		took = append(took, arrived.Sub(from))
	}
	return took, nil
}

// heavy produces 64 MiB/s, in requests of 1 MiB, until ctx is done.
func (b *bench) heavy(ctx context.Context, s *server, topic string) error {
	c, err := connect(s)
	if err != nil {
		return err
	}
	defer c.close()
	frame := produceFrame("heavy", topic, 1, batch(1000<<10, 1<<10, record.None))
	if _, err := b.first(s, c, frame, answerNow); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second / 64)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := c.exchange(frame); err != nil {
			return err
		}
	}
}
