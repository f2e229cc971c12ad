package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file has the tests of elections, reassignments and log directories.

func electLeaders(c *rawClient, version int16, kind int8, topics map[string][]int32) *kmsg.ElectLeadersResponse {
	c.t.Helper()
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.TimeoutMillis = version, kind, 5000
	for name, partitions := range topics {
		req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: name, Partitions: partitions})
	}
	return ask[*kmsg.ElectLeadersResponse](c, req)
}

func TestElectLeadersWithNothingToDo(t *testing.T) { // behaviour 228
	c := dial(t, Start(t, WithTopic("t", 2, nil), WithTopic("u", 1, nil)))
	for version := int16(0); version <= 2; version++ {
		got := electLeaders(c, version, 0, map[string][]int32{"t": {0, 9}})
		p := got.Topics[0].Partitions
		if got.ErrorCode != 0 || p[0].ErrorCode != 84 || text(p[0].ErrorMessage) != "Leader election not needed for topic partition." ||
			p[1].ErrorCode != 3 || text(p[1].ErrorMessage) != "No such partition as t-9" {
			t.Errorf("v%d: %+v", version, got)
		}
		got = electLeaders(c, version, 0, map[string][]int32{"none": {0}})
		if p := got.Topics[0].Partitions[0]; p.ErrorCode != 3 || text(p.ErrorMessage) != "No such topic as none" {
			t.Errorf("v%d: %+v", version, got)
		}
		got = electLeaders(c, version, 0, nil) // null: all
		if len(got.Topics) != 2 || len(got.Topics[0].Partitions) != 0 {
			t.Errorf("v%d: %+v", version, got)
		}
	}
	got := electLeaders(c, 2, 9, map[string][]int32{"t": {0}})
	if p := got.Topics[0].Partitions[0]; got.ErrorCode != 42 || p.ErrorCode != 42 || text(p.ErrorMessage) != "Unknown election type 9" {
		t.Errorf("type 9: %+v", got)
	}
}

func TestElectLeadersElects(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	p := onlyPartition(t, b, "t")
	for _, k := range []struct {
		name string
		kind int8
		from leadership
		code int16
		want leadership
	}{
		{"a leaderless partition, cleanly", 0, leadership{leader: -1, leaderEpoch: 4, replicas: []int32{1}}, 80, leadership{leader: -1, leaderEpoch: 4}},
		{"a leaderless partition, uncleanly", 1, leadership{leader: -1, leaderEpoch: 4, replicas: []int32{1}}, 0, leadership{leader: 1, leaderEpoch: 5, isr: []int32{1}}},
		{"no replica lives", 1, leadership{leader: -1, leaderEpoch: 4, replicas: []int32{2}}, 83, leadership{leader: -1, leaderEpoch: 4}},
		{"the preferred leader is back", 0, leadership{leader: 2, leaderEpoch: 7, replicas: []int32{1, 2}, isr: []int32{2, 1}}, 0, leadership{leader: 1, leaderEpoch: 8, isr: []int32{2, 1}}},
	} {
		p.leadership.Store(&k.from)
		got := electLeaders(c, 2, k.kind, map[string][]int32{"t": {0}}).Topics[0].Partitions[0]
		l := p.leadership.Load()
		if got.ErrorCode != k.code || l.leader != k.want.leader || l.leaderEpoch != k.want.leaderEpoch || !slices.Equal(l.isr, k.want.isr) {
			t.Errorf("%s: [%d] and %+v", k.name, got.ErrorCode, *l)
		}
	}
}

func TestAlterPartitionReassignments(t *testing.T) { // behaviour 229
	b := Start(t, WithTopic("t", 5, nil))
	c := dial(t, b)
	for version := int16(0); version <= 1; version++ {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.Version = version
		rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		rt.Topic = "t"
		for i, replicas := range [][]int32{nil, {1}, {9}, {1, 1}, {}, {1}} {
			rt.Partitions = append(rt.Partitions, kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: int32(i), Replicas: replicas})
		}
		req.Topics = append(req.Topics, rt)
		rt.Topic, rt.Partitions = "none", rt.Partitions[1:2]
		req.Topics = append(req.Topics, rt)
		got := ask[*kmsg.AlterPartitionAssignmentsResponse](c, req)
		for i, want := range []struct {
			code    int16
			message string
		}{
			{85, ""}, {0, ""},
			{39, "The manual partition assignment includes broker 9, but no such broker is registered."},
			{39, "The manual partition assignment includes the broker 1 more than once."},
			{39, "The manual partition assignment includes an empty replica list."},
			{3, "Unable to find partition t:5."},
		} {
			if p := got.Topics[0].Partitions[i]; p.ErrorCode != want.code || text(p.ErrorMessage) != want.message {
				t.Errorf("v%d, partition %d: [%d] %s", version, i, p.ErrorCode, text(p.ErrorMessage))
			}
		}
		if p := got.Topics[1].Partitions[0]; p.ErrorCode != 3 || text(p.ErrorMessage) != "Unable to find a topic named none." {
			t.Errorf("v%d, unknown topic: [%d] %s", version, p.ErrorCode, text(p.ErrorMessage))
		}
	}
	// A replica of a broker that is gone is taken away.
	p := b.image.Load().topic("t").partitions[2]
	p.leadership.Store(&leadership{leader: 1, leaderEpoch: 3, replicas: []int32{2, 1}, isr: []int32{1}})
	move := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	move.Version, move.AllowReplicationFactorChange = 1, false
	move.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "t", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 2, Replicas: []int32{1}}}}}
	if got := ask[*kmsg.AlterPartitionAssignmentsResponse](c, move).Topics[0].Partitions[0]; got.ErrorCode != 38 || text(got.ErrorMessage) != "The replication factor is changed from 2 to 1" {
		t.Errorf("fewer replicas without leave: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	move.AllowReplicationFactorChange = true
	if got := ask[*kmsg.AlterPartitionAssignmentsResponse](c, move).Topics[0].Partitions[0]; got.ErrorCode != 0 {
		t.Errorf("fewer replicas: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	if l := p.leadership.Load(); l.leader != 1 || l.leaderEpoch != 4 || !slices.Equal(l.replicas, []int32{1}) || !slices.Equal(l.isr, []int32{1}) {
		t.Errorf("after the move: %+v", *l)
	}
	list := kmsg.NewPtrListPartitionReassignmentsRequest()
	list.Topics = nil
	if got := ask[*kmsg.ListPartitionReassignmentsResponse](c, list); got.ErrorCode != 0 || len(got.Topics) != 0 {
		t.Errorf("reassignments under way: %+v", got)
	}
}

func TestAProgramSeesLogDirectoriesAndWhoIsOutOfSync(t *testing.T) {
	b := Start(t, WithBrokers(2), WithTopic("t", 4, map[string]string{"min.insync.replicas": "1"}), WithConfig("log.dirs", "/a,/b"), WithConfig("default.replication.factor", "2"))
	if err := b.Produce("t", Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	dirs := b.LogDirs()
	if len(dirs) != 4 || dirs[0].Path != "/a" || dirs[0].Topics != 1 || dirs[0].Partitions != 4 || dirs[0].Bytes != b.Topic("t").Bytes()[0] || dirs[1].Partitions != 0 || dirs[2].Broker != 2 || dirs[2].Partitions != 4 {
		t.Errorf("the directories of two brokers are %+v", dirs)
	}
	if err := b.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	if n := b.Brokers()[1]; n.OutOfSync != 4 || n.Replicas != 4 {
		t.Errorf("the stopped broker is %+v, want its 4 replicas out of sync", n)
	}
	if dirs := b.LogDirs(); len(dirs) != 2 {
		t.Errorf("%d directories are left when one of two brokers is stopped, want 2", len(dirs))
	}
}

func TestLogDirs(t *testing.T) {
	b := Start(t, WithTopic("t", 3, nil), WithTopic("u", 1, nil), WithConfig("log.dirs", "/a,/b"))
	c := dial(t, b)
	batch := batchOf(t, 1, []string{"some", "records"})
	c.mustProduce(b, "t", batch)
	// sizes lists "dir topic partition" -> size.
	type place struct {
		dir, topic string
		partition  int32
	}
	describe := func(version int16, topics ...kmsg.DescribeLogDirsRequestTopic) map[place]int64 {
		t.Helper()
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version, req.Topics = version, topics
		got := ask[*kmsg.DescribeLogDirsResponse](c, req)
		if len(got.Dirs) != 2 || got.Dirs[0].Dir != "/a" || got.ErrorCode != 0 {
			t.Fatalf("v%d: %+v", version, got)
		}
		sizes := make(map[place]int64)
		for _, d := range got.Dirs {
			if version >= 4 && (d.TotalBytes == 0 || d.TotalBytes < d.UsableBytes) || version < 4 && d.TotalBytes != -1 {
				t.Errorf("v%d: a volume of %d bytes, %d usable", version, d.TotalBytes, d.UsableBytes)
			}
			for _, topic := range d.Topics {
				for _, p := range topic.Partitions {
					sizes[place{d.Dir, topic.Topic, p.Partition}] = p.Size
				}
			}
		}
		return sizes
	}
	for version := int16(0); version <= 5; version++ {
		all := describe(version)
		if len(all) != 4 || all[place{"/a", "t", 0}] != int64(len(batch)) || all[place{"/a", "t", 1}] != 0 {
			t.Errorf("v%d: %v", version, all)
		}
		some := describe(version, kmsg.DescribeLogDirsRequestTopic{Topic: "t", Partitions: []int32{0, 9, 2}}, kmsg.DescribeLogDirsRequestTopic{Topic: "none", Partitions: []int32{0}}) // behaviour 230
		if len(some) != 2 {
			t.Errorf("v%d: %v", version, some)
		}
	}
	for version := int16(0); version <= 2; version++ {
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		req.Version = version
		for _, dir := range []string{"/b", "/none"} {
			req.Dirs = append(req.Dirs, kmsg.AlterReplicaLogDirsRequestDir{Dir: dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "t" + dir[2:], Partitions: []int32{0, 9}}}})
		}
		got := ask[*kmsg.AlterReplicaLogDirsResponse](c, req).Topics
		if p := got[0].Partitions; p[0].ErrorCode != 0 || p[1].ErrorCode != 3 {
			t.Errorf("v%d, a directory that is there: %+v", version, p)
		}
		if p := got[1].Partitions; p[0].ErrorCode != 57 || p[1].ErrorCode != 57 {
			t.Errorf("v%d, a directory that is not there: %+v", version, p)
		}
	}
	if moved := describe(5); moved[place{"/b", "t", 0}] != int64(len(batch)) || len(moved) != 4 {
		t.Errorf("after the move: %v", moved)
	}
}
