package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// fetchWorks read the same place of one partition over and over.
func fetchWorks() []work {
	return []work{
		{name: "fetch, 1 MiB, 4 connections on one partition", quick: true, measures: []measure{{name: "CPU", unit: "s/GiB", base: limitName, goal: 1.1, margin: restless}}, run: fetchWork(4, 1<<20)},
		{name: "fetch, 1 MiB, 64 connections on one partition", measures: []measure{{name: "CPU", unit: "s/GiB", base: limitName, goal: 1.1}}, run: fetchWork(64, 1<<20)},
		{name: "fetch, 16 KiB, 64 connections", quick: true, measures: []measure{{name: "CPU", unit: "s/GiB", base: limitName, goal: 1.4, margin: steady}}, run: fetchWork(64, 16<<10)},
	}
}

// fetchFrame asks for at most this many bytes, from offset on; it waits for one
// byte.
func fetchFrame(clientID, topic string, offset int64, maxBytes, waitMs int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 12, waitMs, 1, maxBytes
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, maxBytes
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return encode(clientID, req)
}

// checkFetched says what is wrong with an answer to fetchFrame, or that it has
// fewer bytes of records than this.
func checkFetched(answer []byte, atLeast int) error {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 12
	if err := resp.ReadFrom(answer[5:]); err != nil {
		return err
	}
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 {
		return fmt.Errorf("fetch failed with error %d, for %d topics", resp.ErrorCode, len(resp.Topics))
	}
	if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) < atLeast {
		return fmt.Errorf("fetch brought %d bytes (error %d), %d wanted", len(p.RecordBatches), p.ErrorCode, atLeast)
	}
	return nil
}

func fetchWork(connections, size int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		bytes := b.amount(s, 4<<30, 1<<30)
		var per float64
		err := b.withTopic(s, 1, func(c *client, topic string) error {
			if !s.isLimit() {
				frame := produceFrame("fill", topic, 1, batch(16<<10, 1<<10, record.None))
				if err := b.produce(s, c, frame, 4<<20); err != nil {
					return err
				}
			}
			frame := fetchFrame(fmt.Sprintf("fetch-%d", size), topic, 0, int32(size), 500)
			answer, err := b.first(s, c, frame, answerNow)
			if err != nil {
				return err
			}
			if err := checkFetched(answer, size*3/4); err != nil {
				return err
			}
			clients, err := connectAll(s, connections)
			defer closeAll(clients)
			if err != nil {
				return err
			}
			n := max(1, min(16, 256<<10/size))
			l := load{frames: repeat(frame, n), n: n, times: max(1, bytes/connections/(n*len(answer))), depth: 2}
			var got int64
			cpu, err := cpuOf(s, func() (err error) {
				got, err = pumpAll(clients, l)
				return err
			})
			per = cpu / (float64(got) / (1 << 30))
			return err
		})
		return []float64{per}, err
	}
}

func connectAll(s *server, n int) ([]*client, error) {
	clients := make([]*client, 0, n)
	for range n {
		c, err := connect(s)
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.close()
	}
}
