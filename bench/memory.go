package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

func startWorks() []work {
	return []work{
		{name: "exec to first answer", quick: true, fresh: true, run: execToAnswer, measures: []measure{{name: "time", unit: "ms", base: limitName, goal: 1.4}}},
		{name: "idle", quick: true, fresh: true, run: idleMemory, measures: []measure{{name: "Pss", unit: "MiB", goal: 15}}},
	}
}

func memoryWorks() []work {
	stored := func(goal float64) []measure {
		return []measure{
			{name: "memory over payload", unit: "x", goal: goal},
			{name: "given back 5 s after deletion", unit: "%", goal: 95},
			{name: "given back 5 s after retention", unit: "%", goal: 95},
		}
	}
	return []work{
		{name: "stored: 16 KiB batches of 1 KiB records", most: 1, fresh: true, run: storedWork(16<<10, 1<<10, 1<<30, 256<<20), measures: stored(1.05)},
		{name: "stored: single-record 100 B batches", most: 1, fresh: true, run: storedWork(1, 100, 256<<20, 64<<20), measures: stored(2.2)},
	}
}

// started is how long a server may take until it is idle after its start.
const started = 2 * time.Second

// execToAnswer starts a server and asks it once.
func execToAnswer(b *bench, s *server) ([]float64, error) {
	from := now()
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	c, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer c.close()
	req := kmsg.NewPtrApiVersionsRequest()
	if s.isLimit() {
		_, err = c.exchange(control(keyPing, "", nil))
	} else {
		_, err = ask[*kmsg.ApiVersionsResponse](c, "start", req)
	}
	return []float64{millis(now().Sub(from))}, err
}

func idleMemory(b *bench, s *server) ([]float64, error) {
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	time.Sleep(started)
	pss, err := s.memory()
	return []float64{float64(pss) / (1 << 20)}, err
}

// storedWork fills a topic and deletes it, then fills another one and lets its
// records expire.
func storedWork(batchSize, recordSize, full, quick int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		if s.isLimit() {
			return nil, errNothing
		}
		if err := s.start(b.ctx); err != nil {
			return nil, err
		}
		c, err := connect(s)
		if err != nil {
			return nil, err
		}
		defer c.close()
		time.Sleep(started)
		raw := batch(batchSize, recordSize, record.None)
		size := b.scaled(full, quick)
		// filled gives the bytes that a topic of this size takes, and the part of
		// them that is back 5 s after empty, in percent.
		filled := func(topic string, empty func() error) (taken, back float64, err error) {
			if err := createTopic(c, topic, 1); err != nil {
				return 0, 0, err
			}
			before, err := s.memory()
			if err != nil {
				return 0, 0, err
			}
			frame := produceFrame("stored", topic, 1, raw)
			if err := b.produce(s, c, frame, size/len(raw)*len(frame)); err != nil {
				return 0, 0, err
			}
			full, err := s.memory()
			if err != nil {
				return 0, 0, err
			}
			if err := empty(); err != nil {
				return 0, 0, err
			}
			time.Sleep(5 * time.Second)
			after, err := s.memory()
			taken = float64(full - before)
			return taken, 100 * float64(full-after) / taken, err
		}
		taken, deleted, err := filled("deleted", func() error { deleteTopic(c, "deleted"); return nil })
		if err != nil {
			return nil, err
		}
		_, expired, err := filled("expiring", func() error { return setTopicConfig(c, "expiring", "retention.ms", "1000") })
		return []float64{taken / float64(size), deleted, expired}, err
	}
}

func setTopicConfig(c *client, topic, name, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
	}}
	resp, err := ask[*kmsg.IncrementalAlterConfigsResponse](c, "bench", req)
	if err != nil {
		return err
	}
	if code := resp.Resources[0].ErrorCode; code != 0 {
		return fmt.Errorf("setting %s of topic %s: error %d", name, topic, code)
	}
	return nil
}

// errNothing is for works that a server has no part in.
var errNothing = fmt.Errorf("nothing to measure")
