package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// scaleWorks look at what a broker does with many of a kind. Each is made in two
// halves: where the second costs as much as the first, cost grows with the number;
// were it to grow with its square, three times as much.
func scaleWorks(quick bool) []work {
	b := &bench{quick: quick}
	partitions, groups, connections := b.scaled(100_000, 10_000), b.scaled(10_000, 1_000), b.scaled(5_000, 1_000)
	idle := measure{name: "CPU while idle", unit: "ms/s"}
	half := measure{name: "create: CPU of the second half over the first", unit: "x"}
	return []work{
		{name: many(partitions, "partitions"), most: 3, fresh: true, run: manyPartitions(partitions), measures: []measure{
			{name: "create", unit: "ms"}, {name: "create: CPU", unit: "ms"}, half, {name: "memory", unit: "B/partition", goal: 512}, idle,
			{name: "Metadata naming all", unit: "ms", goal: 30}}},
		{name: many(groups, "groups of one member"), most: 3, fresh: true, run: manyGroups(groups), measures: []measure{
			{name: "create", unit: "ms"}, {name: "create: CPU", unit: "ms"}, half, {name: "memory", unit: "B/group"}, idle}},
		{name: many(connections, "idle connections"), most: 3, fresh: true, run: manyConnections(connections), measures: []measure{
			{name: "create", unit: "ms", base: limitName}, {name: "create: CPU", unit: "ms", base: limitName}, half, {name: "memory", unit: "B/connection", base: limitName, goal: 1.2}, idle}},
		{name: many(connections, "waiting fetches"), most: 3, fresh: true, run: manyFetches(connections), measures: []measure{
			{name: "create", unit: "ms", base: limitName}, {name: "create: CPU", unit: "ms", base: limitName}, half, {name: "memory", unit: "B/fetch", base: limitName, goal: 1.2}, idle,
			{name: "one record to all", unit: "ms", base: limitName, goal: 1.3}, {name: "one record to all: CPU", unit: "ms", base: limitName}}},
		{name: "one group of 200 members", most: 3, fresh: true, run: bigGroup, measures: []measure{
			{name: "settled", unit: "ms", goal: 60}}},
	}
}

// many is a number for people, and of what.
func many(n int, what string) string {
	return fmt.Sprintf("%d,%03d %s", n/1000, n%1000, what)
}

// grown starts a server and makes n things, by add with the numbers of the first
// of them and of the one behind the last. It gives how long that took and what it
// cost, in ms, how much more the second half cost than the first, the bytes for
// each, and the CPU that they cost while idle, in ms per second.
func grown(b *bench, s *server, n int, prepare func(c *client) error, add func(c *client, from, to int) error) ([]float64, error) {
	if err := s.start(b.ctx); err != nil {
		return nil, err
	}
	c, err := connect(s)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := prepare(c); err != nil {
		return nil, err
	}
	time.Sleep(started)
	before, err := s.memory()
	if err != nil {
		return nil, err
	}
	took := 0.0
	var cost [2]float64
	for i := range cost {
		cost[i], err = cpuOf(s, func() error {
			from := now()
			err := add(c, n*i/2, n*(i+1)/2)
			took += millis(now().Sub(from))
			time.Sleep(started) // for collectors to have their turn
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	after, err := s.memory()
	if err != nil {
		return nil, err
	}
	idle, err := cpuOf(s, func() error { time.Sleep(2 * time.Second); return nil })
	return []float64{took, (cost[0] + cost[1]) * 1000, cost[1] / cost[0], float64(after-before) / float64(n), idle * 1000 / 2}, err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func manyPartitions(n int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		if s.isLimit() {
			return nil, errNothing
		}
		n := n
		if s.big {
			n = min(n, 10_000)
		}
		const topics = 100
		figures, err := grown(b, s, n, func(c *client) error { return createTopic(c, "first", 1) }, func(c *client, from, to int) error {
			for i := from * topics / n; i < to*topics/n; i++ {
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
		return append(figures, millis(best)), nil
	}
}

func manyGroups(n int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		if s.isLimit() {
			return nil, errNothing
		}
		return grown(b, s, n, func(c *client) error { return coordinator(c, "group-0") }, func(c *client, from, to int) error {
			for i := from; i < to; i++ {
				if _, err := joinAlone(c, fmt.Sprintf("group-%d", i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func manyConnections(n int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		clients := make([]*client, 0, n)
		defer func() { closeAll(clients) }()
		frame := encode("many", kmsg.NewPtrApiVersionsRequest())
		return grown(b, s, n, func(c *client) error {
			_, err := b.first(s, c, frame, answerNow)
			return err
		}, func(_ *client, from, to int) error {
			more, err := connectAll(s, to-from)
			clients = append(clients, more...)
			if err != nil {
				return err
			}
			for _, c := range more {
				if _, err := c.exchange(frame); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func manyFetches(n int) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		const topic = "awaited"
		clients := make([]*client, 0, n)
		defer func() { closeAll(clients) }()
		frame := produceFrame("light", topic, 1, batch(1, 100, record.None))
		hello := encode("waiting", kmsg.NewPtrApiVersionsRequest())
		fetch := fetchFrame("waiting", topic, offsetMark, 1<<20, 120_000)
		at := bytes.Index(fetch, binary.BigEndian.AppendUint64(nil, offsetMark))
		figures, err := grown(b, s, n, func(c *client) error {
			if !s.isLimit() {
				if err := createTopic(c, topic, 1); err != nil {
					return err
				}
			}
			if _, err := b.first(s, c, frame, answerWakes); err != nil {
				return err
			}
			if _, err := b.first(s, c, hello, answerNow); err != nil {
				return err
			}
			binary.BigEndian.PutUint64(fetch[at:], 0)
			_, err := b.first(s, c, fetch, answerWaits)
			binary.BigEndian.PutUint64(fetch[at:], 1)
			return err
		}, func(_ *client, from, to int) error {
			more, err := connectAll(s, to-from)
			clients = append(clients, more...)
			if err != nil {
				return err
			}
			// One request is worked on at a time: the answer to the first says that
			// the second has its turn.
			both := slices.Concat(hello, fetch)
			for _, c := range more {
				if _, err := c.nc.Write(both); err != nil {
					return err
				}
			}
			for _, c := range more {
				if _, err := c.receive(); err != nil {
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
		var took, cost []float64
		for i := range 5 {
			if i > 0 {
				binary.BigEndian.PutUint64(fetch[at:], uint64(1+i))
				for _, c := range clients {
					if _, err := c.nc.Write(fetch); err != nil {
						return nil, err
					}
				}
				time.Sleep(started) // until all wait
			}
			arrived := make(chan error, len(clients))
			for _, c := range clients {
				go func() {
					_, err := c.receive()
					arrived <- err
				}()
			}
			pause()
			from := now()
			cpu, err := cpuOf(s, func() error {
				_, err := producer.exchange(frame)
				for range clients {
					err = errors.Join(err, <-arrived)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
			took, cost = append(took, millis(now().Sub(from))), append(cost, cpu*1000)
		}
		return append(figures, median(took), median(cost)), nil
	}
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
