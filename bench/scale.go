package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// scaleWorks look at what a broker does with many of a kind.
func scaleWorks() []work {
	return []work{
		{name: "100,000 partitions", once: true, fresh: true, run: manyPartitions, measures: []measure{
			{name: "create", unit: "ms"}, {name: "memory", unit: "B/partition", goal: 512, absolute: true},
			{name: "Metadata naming all", unit: "ms", goal: 30, absolute: true}, {name: "CPU while idle", unit: "ms/s", absolute: true}}},
		{name: "10,000 groups of one member", once: true, fresh: true, run: manyGroups, measures: []measure{
			{name: "create", unit: "ms"}, {name: "memory", unit: "B/group", absolute: true}, {name: "CPU while idle", unit: "ms/s", absolute: true}}},
		{name: "5,000 idle connections", once: true, fresh: true, run: manyConnections, measures: []measure{
			{name: "connect", unit: "ms"}, {name: "memory", unit: "B/connection", goal: 1.2}, {name: "CPU while idle", unit: "ms/s", absolute: true}}},
		{name: "5,000 waiting fetches", once: true, fresh: true, run: manyFetches, measures: []measure{
			{name: "memory", unit: "B/fetch", goal: 1.2}, {name: "CPU while idle", unit: "ms/s", absolute: true},
			{name: "one record to all", unit: "ms", goal: 1.3}}},
		{name: "one group of 200 members", once: true, fresh: true, run: bigGroup, measures: []measure{
			{name: "settled", unit: "ms", goal: 60, absolute: true}}},
	}
}

// grown starts a fresh server, lets f make n things, and gives how long that
// took in ms, the bytes for each, and the CPU that they cost while idle, in ms
// per second.
func grown(b *bench, s *server, n int, f func(c *client) error) (took, each, idle float64, err error) {
	if err := s.start(b.ctx); err != nil {
		return 0, 0, 0, err
	}
	c, err := connect(s)
	if err != nil {
		return 0, 0, 0, err
	}
	defer c.close()
	before, err := s.memory()
	if err != nil {
		return 0, 0, 0, err
	}
	from := now()
	if err := f(c); err != nil {
		return 0, 0, 0, err
	}
	took = millis(now().Sub(from))
	time.Sleep(time.Second) // for collectors to have their turn
	after, err := s.memory()
	if err != nil {
		return 0, 0, 0, err
	}
	cpu, err := cpuOf(s, func() error { time.Sleep(2 * time.Second); return nil })
	return took, float64(after-before) / float64(n), cpu * 1000 / 2, err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func manyPartitions(b *bench, s *server) ([]float64, error) {
	if s.isLimit() {
		return nil, errNothing
	}
	defer s.stop()
	n := b.scaled(100_000, 10_000)
	const topics = 100
	took, each, idle, err := grown(b, s, n, func(c *client) error {
		for i := range topics {
			if err := createTopic(c, fmt.Sprintf("many-%03d", i), n/topics); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer c.close()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	frame := encode("all", req)
	best := time.Hour
	for range 5 {
		from := now()
		if _, err := c.exchange(frame); err != nil {
			return nil, err
		}
		best = min(best, now().Sub(from))
	}
	return []float64{took, each, millis(best), idle}, nil
}

func manyGroups(b *bench, s *server) ([]float64, error) {
	if s.isLimit() {
		return nil, errNothing
	}
	defer s.stop()
	n := b.scaled(10_000, 1_000)
	took, each, idle, err := grown(b, s, n, func(c *client) error {
		if err := coordinator(c, "group-0"); err != nil {
			return err
		}
		for i := range n {
			if _, err := joinAlone(c, fmt.Sprintf("group-%d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	return []float64{took, each, idle}, err
}

func manyConnections(b *bench, s *server) ([]float64, error) {
	defer s.stop()
	n := b.scaled(5_000, 1_000)
	var clients []*client
	defer func() { closeAll(clients) }()
	took, each, idle, err := grown(b, s, n, func(c *client) (err error) {
		req := kmsg.NewPtrApiVersionsRequest()
		frame := encode("many", req)
		if _, err := b.first(s, c, frame, answerNow); err != nil {
			return err
		}
		if clients, err = connectAll(s, n); err != nil {
			return err
		}
		for _, c := range clients {
			if _, err := c.exchange(frame); err != nil {
				return err
			}
		}
		return nil
	})
	return []float64{took, each, idle}, err
}

func manyFetches(b *bench, s *server) ([]float64, error) {
	defer s.stop()
	n := b.scaled(5_000, 1_000)
	const topic = "awaited"
	var clients []*client
	defer func() { closeAll(clients) }()
	frame := produceFrame("light", topic, 1, batch(1, 100, record.None))
	fetch := fetchFrame("waiting", topic, offsetMark, 1<<20, 60_000)
	at := bytes.Index(fetch, binary.BigEndian.AppendUint64(nil, offsetMark))
	_, each, idle, err := grown(b, s, n, func(c *client) (err error) {
		if !s.isLimit() {
			if err := createTopic(c, topic, 1); err != nil {
				return err
			}
		}
		if _, err := b.first(s, c, frame, answerWakes); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(fetch[at:], 0)
		if _, err := b.first(s, c, fetch, answerWaits); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(fetch[at:], 1)
		if clients, err = connectAll(s, n); err != nil {
			return err
		}
		for _, c := range clients {
			if _, err := c.nc.Write(fetch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	producer, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer producer.close()
	var failed error
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			if _, err := c.receive(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	pause()
	from := now()
	if _, err := producer.exchange(frame); err != nil {
		return nil, err
	}
	wg.Wait()
	return []float64{each, idle, millis(now().Sub(from))}, failed
}

// bigGroup is 200 classic members, each on its connection, that join an empty
// group at once: how long until each has its assignment of the generation that
// has all of them.
func bigGroup(b *bench, s *server) ([]float64, error) {
	if s.isLimit() {
		return nil, errNothing
	}
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	defer s.stop()
	const members = 200
	clients, err := connectAll(s, members)
	defer closeAll(clients)
	if err != nil {
		return nil, err
	}
	if err := coordinator(clients[0], "big"); err != nil {
		return nil, err
	}
	from := now()
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			if err := settle(c, "big", members); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	wg.Wait()
	return []float64{millis(now().Sub(from))}, failed
}

// settle joins, again and again, until a generation with all members is synced.
func settle(c *client, group string, members int) error {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType = 5, group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 45_000, 60_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 20)}}
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Version, beat.Group = 3, group
	for {
		joined, err := ask[*kmsg.JoinGroupResponse](c, "bench", join)
		if err != nil {
			return err
		}
		if joined.ErrorCode == 79 { // MEMBER_ID_REQUIRED
			join.MemberID = joined.MemberID
			continue
		}
		if joined.ErrorCode != 0 {
			return fmt.Errorf("join failed with error %d", joined.ErrorCode)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group, sync.MemberID, sync.Generation = 3, group, joined.MemberID, joined.Generation
		for _, m := range joined.Members {
			sync.GroupAssignment = append(sync.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
				MemberID: m.MemberID, MemberAssignment: binary.BigEndian.AppendUint32(nil, uint32(len(joined.Members)))})
		}
		synced, err := ask[*kmsg.SyncGroupResponse](c, "bench", sync)
		if err != nil {
			return err
		}
		if synced.ErrorCode == 0 && int(binary.BigEndian.Uint32(synced.MemberAssignment)) == members {
			return nil
		}
		// The next heartbeat would say that others came: members that wait for it
		// here ask at once.
		beat.MemberID, beat.Generation = joined.MemberID, joined.Generation
		for synced.ErrorCode == 0 {
			beaten, err := ask[*kmsg.HeartbeatResponse](c, "bench", beat)
			if err != nil {
				return err
			}
			if beaten.ErrorCode != 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}
