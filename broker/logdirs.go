package broker

import (
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns log directories. Logs are in memory: the directories are
// names from log.dirs, and their volume is the machine's memory.

// unknownBytes is a volume's size where nothing is known of it (KIP-827).
const unknownBytes = -1

// logDirs are the names of the directories; new partitions go to the first.
func (b *Broker) logDirs() []string {
	cfg := b.config.Load()
	if dirs := cfg.List("log.dirs"); len(dirs) > 0 {
		return dirs
	}
	return cfg.List("log.dir")
}

// dirOf is the directory in which a partition is.
func (p *partition) dirOf(dirs []string) string {
	if moved := p.logDir.Load(); moved != nil {
		return *moved
	}
	return dirs[0]
}

// LogDir is one log directory of one broker, as [Broker.LogDirs] lists it.
type LogDir struct {
	Broker     int32
	Path       string
	Topics     int
	Partitions int
	Bytes      int64 // of the logs in it
	Total      int64 // bytes of its volume, -1 where the system does not say
	Usable     int64 // bytes still free there, the same
}

// LogDirs returns the log directories of the brokers that run, as their sums:
// DescribeLogDirs tells of each partition.
func (b *Broker) LogDirs() []LogDir {
	m := b.image.Load()
	names := b.logDirs()
	total, usable := memory()
	var all []LogDir
	for _, n := range m.live {
		for _, name := range names {
			all = append(all, LogDir{Broker: n.id, Path: name, Total: total, Usable: usable})
		}
	}
	m.topics.Scan(func(_ string, t *topic) bool {
		before := slices.Clone(all)
		for _, p := range t.partitions {
			replicas := p.leadership.Load().replicas
			at := max(0, slices.Index(names, p.dirOf(names)))
			for i, n := range m.live {
				if slices.Contains(replicas, n.id) {
					d := &all[i*len(names)+at]
					d.Partitions++
					d.Bytes += p.log.Size()
				}
			}
		}
		for i := range all {
			if all[i].Partitions > before[i].Partitions {
				all[i].Topics++
			}
		}
		return true
	})
	return all
}

// handleDescribeLogDirs serves DescribeLogDirs v0-v5 (v3: error code, v4: sizes
// of the volume, KIP-827, v5: cordoned directories, KIP-1066).
func (b *Broker) handleDescribeLogDirs(r *request, req *kmsg.DescribeLogDirsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	m := b.image.Load()
	dirs := b.logDirs()
	resp.Dirs = make([]kmsg.DescribeLogDirsResponseDir, len(dirs))
	total, usable := memory()
	for i, dir := range dirs {
		d := &resp.Dirs[i]
		d.Default()
		d.Dir, d.TotalBytes, d.UsableBytes = dir, total, usable
	}
	describe := func(t *topic, wanted func(index int32) bool) {
		found := make([]kmsg.DescribeLogDirsResponseDirTopic, len(dirs))
		for _, p := range t.partitions {
			if !wanted(p.index) || !slices.Contains(p.leadership.Load().replicas, r.node.id) {
				continue
			}
			e := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			e.Partition, e.Size = p.index, p.log.Size()
			if p.leadership.Load().leader != r.node.id {
				e.OffsetLag = max(0, p.highWatermark.Load()-p.endOf(r.node.id))
			}
			at := max(0, slices.Index(dirs, p.dirOf(dirs)))
			found[at].Partitions = append(found[at].Partitions, e)
		}
		for i := range found {
			if len(found[i].Partitions) > 0 {
				found[i].Topic = t.name
				resp.Dirs[i].Topics = append(resp.Dirs[i].Topics, found[i])
			}
		}
	}
	if req.Topics == nil {
		m.topics.Scan(func(_ string, t *topic) bool {
			describe(t, func(int32) bool { return true })
			return true
		})
		return resp, nil
	}
	asked := make(map[string]map[int32]bool, len(req.Topics))
	var order []string
	for i := range req.Topics {
		t := &req.Topics[i]
		if asked[t.Topic] == nil {
			asked[t.Topic] = make(map[int32]bool, len(t.Partitions))
			order = append(order, t.Topic)
		}
		for _, index := range t.Partitions {
			asked[t.Topic][index] = true
		}
	}
	for _, name := range order {
		if t := m.topic(name); t != nil {
			describe(t, func(index int32) bool { return asked[name][index] })
		}
	}
	return resp, nil
}

// handleAlterReplicaLogDirs serves AlterReplicaLogDirs v0-v2. A move is
// complete when it is answered.
func (b *Broker) handleAlterReplicaLogDirs(r *request, req *kmsg.AlterReplicaLogDirsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	m := b.image.Load()
	dirs := b.logDirs()
	at := make(map[string]int) // of topics in the answer
	for i := range req.Dirs {
		dir := slices.Index(dirs, req.Dirs[i].Dir)
		for j := range req.Dirs[i].Topics {
			asked := &req.Dirs[i].Topics[j]
			if _, known := at[asked.Topic]; !known {
				at[asked.Topic] = len(resp.Topics)
				answer := kmsg.NewAlterReplicaLogDirsResponseTopic()
				answer.Topic = asked.Topic
				resp.Topics = append(resp.Topics, answer)
			}
			answer := &resp.Topics[at[asked.Topic]]
			t := m.topic(asked.Topic)
			for _, index := range asked.Partitions {
				e := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				e.Partition = index
				switch p := t.partition(index); {
				case dir < 0:
					e.ErrorCode = kerr.LogDirNotFound.Code
				case p == nil:
					e.ErrorCode = kerr.UnknownTopicOrPartition.Code
				default:
					p.logDir.Store(&dirs[dir])
				}
				answer.Partitions = append(answer.Partitions, e)
			}
		}
	}
	return resp, nil
}

// memory is how many bytes the process may use, and how many of them are still
// free; unknownBytes where the system does not say. Go's memory limit counts as
// the machine's.
func memory() (total, free int64) {
	total, free = unknownBytes, unknownBytes
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			total = kib << 10
		case "MemAvailable":
			free = kib << 10
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 && (total < 0 || limit < total) {
		total, free = limit, min(max(free, 0), limit)
	}
	return total, free
}
