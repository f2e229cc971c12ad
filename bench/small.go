package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const smallConnections = 64

// smallWorks send small requests, pipelined on 64 connections.
func smallWorks() []work {
	row := func(name string, run func(b *bench, s *server) ([]float64, error)) work {
		return work{name: name + ", 64 connections pipelined", quick: true, run: run,
			measures: []measure{{name: "CPU", unit: "s/100k", base: limitName, goal: 3, margin: steady}}}
	}
	return []work{
		row("ApiVersions", smallWork(func(string) kmsg.Request {
			req := kmsg.NewPtrApiVersionsRequest()
			req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, "bench", "1"
			return req
		})),
		row("Metadata of one topic", smallWork(func(topic string) kmsg.Request {
			req := kmsg.NewPtrMetadataRequest()
			req.Version = 12
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = &topic
			req.Topics = append(req.Topics, t)
			return req
		})),
		row("FindCoordinator", smallWork(func(topic string) kmsg.Request {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.Version, req.CoordinatorKeys = 4, []string{topic}
			return req
		})),
		row("OffsetCommit", smallWork(func(topic string) kmsg.Request {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Version, req.Group, req.Generation = 8, topic, -1
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = topic
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Offset = 0
			t.Partitions = append(t.Partitions, p)
			req.Topics = append(req.Topics, t)
			return req
		})),
		row("Heartbeat", heartbeats),
	}
}

// smallWork repeats one request about a topic.
func smallWork(request func(topic string) kmsg.Request) func(*bench, *server) ([]float64, error) {
	return func(b *bench, s *server) ([]float64, error) {
		var per float64
		err := b.withTopic(s, 1, func(c *client, topic string) error {
			req := request(topic)
			if req.Key() == 8 && !s.isLimit() {
				if err := coordinator(c, topic); err != nil {
					return err
				}
			}
			var err error
			per, err = b.small(s, c, encode("small", req))
			return err
		})
		return []float64{per}, err
	}
}

// small gives the CPU seconds of 100,000 such requests.
func (b *bench) small(s *server, c *client, frame []byte) (float64, error) {
	if _, err := b.first(s, c, frame, answerNow); err != nil {
		return 0, err
	}
	clients, err := connectAll(s, smallConnections)
	defer closeAll(clients)
	if err != nil {
		return 0, err
	}
	requests := b.amount(s, 1_000_000, 200_000)
	const n = 5 // as many as Kafka's clients have in flight
	l := load{frames: repeat(frame, n), n: n, times: requests / smallConnections / n}
	cpu, err := cpuOf(s, func() error {
		_, err := pumpAll(clients, l)
		return err
	})
	return cpu / (float64(l.times*n*smallConnections) / 1e5), err
}

// coordinator waits until the server coordinates the group.
func coordinator(c *client, group string) error {
	for range 500 {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorKey = 2, group
		resp, err := ask[*kmsg.FindCoordinatorResponse](c, "bench", req)
		if err != nil {
			return err
		}
		if resp.ErrorCode == 0 {
			// It may still be loading: a commit tells.
			commit := kmsg.NewPtrOffsetFetchRequest()
			commit.Version, commit.Group = 7, group
			fetched, err := ask[*kmsg.OffsetFetchResponse](c, "bench", commit)
			if err != nil {
				return err
			}
			if code := fetched.ErrorCode; code < 14 || code > 16 { // not loading, absent or elsewhere
				return nil
			}
		}
		pause()
	}
	return fmt.Errorf("no coordinator for group %s", group)
}

// heartbeats beat for the only member of a group.
func heartbeats(b *bench, s *server) ([]float64, error) {
	var per float64
	err := b.withTopic(s, 1, func(c *client, topic string) error {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group = 4, topic
		if !s.isLimit() {
			if err := coordinator(c, topic); err != nil {
				return err
			}
			joined, err := joinAlone(c, topic)
			if err != nil {
				return err
			}
			req.MemberID, req.Generation = joined.MemberID, joined.Generation
		}
		var err error
		per, err = b.small(s, c, encode("small", req))
		return err
	})
	return []float64{per}, err
}

// joinAlone makes the group one of one member, and settles it.
func joinAlone(c *client, group string) (*kmsg.JoinGroupResponse, error) {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType = 5, group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 45_000, 60_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 20)}}
	joined, err := ask[*kmsg.JoinGroupResponse](c, "bench", join)
	if err != nil {
		return nil, err
	}
	join.MemberID = joined.MemberID
	if joined, err = ask[*kmsg.JoinGroupResponse](c, "bench", join); err != nil {
		return nil, err
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation = 3, group, joined.MemberID, joined.Generation
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: make([]byte, 20)}}
	synced, err := ask[*kmsg.SyncGroupResponse](c, "bench", sync)
	if err != nil {
		return nil, err
	}
	if joined.ErrorCode != 0 || synced.ErrorCode != 0 {
		return nil, fmt.Errorf("group %s: join failed with %d, sync with %d", group, joined.ErrorCode, synced.ErrorCode)
	}
	return joined, nil
}
