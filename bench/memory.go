package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

func startWorks() []work {
	return []work{
		{name: "exec to first answer", quick: true, fresh: true, run: execToAnswer, measures: []measure{{name: "time", unit: "ms", goal: 1.4}}},
		{name: "idle", quick: true, fresh: true, run: idleMemory, measures: []measure{{name: "Pss", unit: "MiB", goal: 15, absolute: true}}},
	}
}

func memoryWorks() []work {
	stored := func(goal float64) []measure {
		return []measure{{name: "memory over payload", unit: "x", goal: goal, absolute: true},
			{name: "given back 5 s after deletion", unit: "%", goal: 95, absolute: true}}
	}
	return []work{
		{name: "stored: 16 KiB batches of 1 KiB records", once: true, fresh: true, run: storedWork(16<<10, 1<<10, 1<<30, 256<<20), measures: stored(1.05)},
		{name: "stored: single-record 100 B batches", once: true, fresh: true, run: storedWork(1, 100, 256<<20, 64<<20), measures: stored(2.2)},
	}
}

// execToAnswer starts another server of the same kind.
func execToAnswer(b *bench, s *server) ([]float64, error) {
	from := now()
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	defer s.stop()
	c, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer c.close()
	req := kmsg.NewPtrApiVersionsRequest()
	if s.isLimit() {
		_, err = c.exchange(control(keyForget, "", nil))
	} else {
		_, err = ask[*kmsg.ApiVersionsResponse](c, "start", req)
	}
	return []float64{float64(now().Sub(from)) / float64(time.Millisecond)}, err
}

func idleMemory(b *bench, s *server) ([]float64, error) {
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	defer s.stop()
	time.Sleep(time.Second) // what it does at the start is not idleness
	pss, err := s.memory()
	return []float64{float64(pss) / (1 << 20)}, err
}

// storedWork fills a partition, and deletes it.
func storedWork(batchSize, recordSize, full, quick int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		if s.isLimit() {
			return nil, errNothing
		}
		if err := s.start(b.ctx); err != nil {
			return nil, err
		}
		defer s.stop()
		c, err := connect(s)
		if err != nil {
			return nil, err
		}
		defer c.close()
		const topic = "stored"
		if err := createTopic(c, topic, 1); err != nil {
			return nil, err
		}
		before, err := s.memory()
		if err != nil {
			return nil, err
		}
		raw := batch(batchSize, recordSize, record.None)
		frame := produceFrame("stored", topic, 1, raw)
		size := b.scaled(full, quick)
		n := size / len(raw)
		if err := b.produce(s, c, frame, n*len(frame)); err != nil {
			return nil, err
		}
		filled, err := s.memory()
		if err != nil {
			return nil, err
		}
		deleteTopic(c, topic)
		time.Sleep(5 * time.Second)
		after, err := s.memory()
		grown := float64(filled - before)
		return []float64{grown / float64(size), 100 * float64(filled-after) / grown}, err
	}
}

// errNothing is for works that a server has no part in.
var errNothing = fmt.Errorf("nothing to measure")
