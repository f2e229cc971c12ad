package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// produceWorks write pipelined, with acks=all, on one connection.
func produceWorks() []work {
	perGiB := func(goal, margin float64) []measure {
		return []measure{{name: "CPU", unit: "s/GiB", base: limitName, goal: goal, margin: margin}}
	}
	return []work{
		{name: "produce, 16 KiB batches of 1 KiB records, 1 partition", quick: true, measures: perGiB(2, restless), run: produceWork(1, 16<<10, 1<<10, record.None)},
		{name: "produce, 16 KiB batches of 100 B records, 1 partition", quick: true, measures: perGiB(2, restless), run: produceWork(1, 16<<10, 100, record.None)},
		{name: "produce, 16 KiB batches to each of 12 partitions", quick: true, measures: perGiB(2, restless), run: produceWork(12, 16<<10, 1<<10, record.None)},
		{name: "produce, 16 KiB lz4 batches to each of 12 partitions", measures: perGiB(2, 0), run: produceWork(12, 16<<10, 1<<10, record.LZ4)},
		{name: "produce to a new broker, 16 KiB batches of 1 KiB records, 1 partition", fresh: true, measures: perGiB(0, 0), run: produceNew(1)},
		{name: "produce to a new broker, 16 KiB batches to each of 12 partitions", fresh: true, measures: perGiB(0, 0), run: produceNew(12)},
		{name: "produce, single-record requests of 100 B", quick: true, measures: []measure{{name: "CPU", unit: "s/M records", base: limitName, goal: 2.5, margin: steady}}, run: produceSingles},
	}
}

// random fills with bytes that don't compress much, the same in each run.
func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = "abcdefghijklmnopqrstuvwxyz012345"[seed>>59]
	}
	return b
}

// batch holds records of this size, about size bytes in all (before compression).
func batch(size, recordSize int, codec record.Codec) []byte {
	b := record.NewBuilder(codec, 0)
	for i := 0; i == 0 || b.Len()+recordSize <= size; i++ {
		value := random(recordSize-10, uint64(i+1))
		b.Add(record.Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(i), Value: value})
	}
	raw, err := b.Build(nil)
	if err != nil {
		panic(err)
	}
	return raw
}

// produceFrame is one request with this batch for each partition.
func produceFrame(clientID, topic string, partitions int, raw []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), raw
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return encode(clientID, req)
}

var errNotLeader = errors.New("produce failed: the broker does not lead the partition")

// checkProduced says what is wrong with an answer to produceFrame.
func checkProduced(answer []byte) error {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = 9
	if err := resp.ReadFrom(answer[5:]); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == kerr.NotLeaderForPartition.Code {
				return errNotLeader
			}
			if p.ErrorCode != 0 {
				return fmt.Errorf("produce failed with error %d", p.ErrorCode)
			}
		}
	}
	return nil
}

// produce sends requests for about this many bytes and gives what it sent.
func (b *bench) produce(s *server, c *client, frame []byte, bytes int) error {
	for tries := 0; ; tries++ {
		answer, err := b.first(s, c, frame, answerNow)
		if err == nil {
			err = checkProduced(answer)
		}
		if errors.Is(err, errNotLeader) && tries < 100 {
			pause() // Kafka's controller says who leads before they know
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	n := min(5, max(1, 512<<10/len(frame))) // as many as Kafka's clients have in flight
	_, err := c.pump(load{frames: repeat(frame, n), n: n, times: max(1, bytes/(n*len(frame)))})
	return err
}

// tidied is how long a broker may take until it can use a deleted topic's memory.
const tidied = 200 * time.Millisecond

// produceWork is for a broker that is warm: that has done the same just before.
func produceWork(partitions, batchSize, recordSize int, codec record.Codec) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		raw, bytes := batch(batchSize, recordSize, codec), b.amount(s, 512<<20, 256<<20)
		if _, err := b.produceCost(s, partitions, raw, bytes); err != nil {
			return nil, err
		}
		time.Sleep(tidied)
		perGiB, err := b.produceCost(s, partitions, raw, bytes)
		return []float64{perGiB}, err
	}
}

// produceNew is the first that a broker is asked for: its memory is new, too.
func produceNew(partitions int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		if err := s.start(b.ctx); err != nil {
			return nil, err
		}
		perGiB, err := b.produceCost(s, partitions, batch(16<<10, 1<<10, record.None), b.amount(s, 512<<20, 256<<20))
		return []float64{perGiB}, err
	}
}

// produceCost is the processor time, in s/GiB, for so many bytes of a batch.
func (b *bench) produceCost(s *server, partitions int, raw []byte, bytes int) (float64, error) {
	var cpu float64
	err := b.withTopic(s, partitions, func(c *client, topic string) (err error) {
		frame := produceFrame(fmt.Sprintf("produce-%d", partitions), topic, partitions, raw)
		cpu, err = cpuOf(s, func() error { return b.produce(s, c, frame, bytes) })
		return err
	})
	return cpu / (float64(bytes) / (1 << 30)), err
}

func produceSingles(b *bench, s *server) ([]float64, error) {
	records := b.amount(s, 1_000_000, 200_000)
	raw := batch(1, 100, record.None)
	var cpu float64
	err := b.withTopic(s, 1, func(c *client, topic string) (err error) {
		frame := produceFrame("singles", topic, 1, raw)
		cpu, err = cpuOf(s, func() error { return b.produce(s, c, frame, records*len(frame)) })
		return err
	})
	return []float64{cpu / (float64(records) / 1e6)}, err
}
