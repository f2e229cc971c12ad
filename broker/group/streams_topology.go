package group

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the topology of a Streams application: what its members say
// it is, and what becomes of it with the topics that exist
// (org.apache.kafka.coordinator.group.streams.topics.InternalTopicManager).

// What a heartbeat's answer says of the group
// (org.apache.kafka.common.requests.StreamsGroupHeartbeatResponse.Status).
const (
	statusStaleTopology          int8 = 0
	statusMissingSourceTopics    int8 = 1
	statusIncorrectlyPartitioned int8 = 2
	statusMissingInternalTopics  int8 = 3
	statusShutdownApplication    int8 = 4
	statusAssignmentDelayed      int8 = 5
)

// topology is what the members run.
type topology struct {
	epoch         int32
	subtopologies []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology // by id
	required      []string                                               // all topics but sinks, sorted
	sources       map[string]string                                      // topic -> the subtopology that reads it
	value         []byte                                                 // its record
}

// InternalTopic is a topic that a Streams application needs for itself, and
// that the coordinator makes: for repartitioning, or as a state's changelog.
type InternalTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16 // -1: the broker's default
	Configs           map[string]string
}

// configured is a topology with the topics that exist.
type configured struct {
	subtopologies []configuredSubtopology // by id; nil if their topics are not as they must be
	problem       *topicProblem           // nil: ready to be assigned
	missing       []InternalTopic         // by name
}

// topicProblem is why a topology can't run yet.
type topicProblem struct {
	status int8
	detail string
}

// configuredSubtopology is a part of the topology whose tasks are known: one
// for each partition of its largest source.
type configuredSubtopology struct {
	id       string
	tasks    int32
	stateful bool
	sources  []string // topics of all kinds, sorted
	internal map[string]int32
}

// newTopology reads what a member says it runs. nil: two subtopologies have one
// id, or a number points nowhere, which Apache Kafka fails at, too.
func newTopology(req *kmsg.StreamsGroupHeartbeatRequestTopology) *topology {
	t := &topology{epoch: req.Epoch, subtopologies: slices.Clone(req.Subtopologies), sources: make(map[string]string)}
	if t.epoch < 0 {
		return nil
	}
	slices.SortFunc(t.subtopologies, func(a, b kmsg.StreamsGroupHeartbeatRequestTopologySubtopology) int {
		return cmp.Compare(a.SubtopologyID, b.SubtopologyID)
	})
	for i := range t.subtopologies {
		s := &t.subtopologies[i]
		if i > 0 && s.SubtopologyID == t.subtopologies[i-1].SubtopologyID {
			return nil
		}
		for _, g := range s.CopartitionGroups {
			if !within(g.SourceTopics, len(s.SourceTopics)) || !within(g.RepartitionSourceTopics, len(s.RepartitionSourceTopics)) {
				return nil
			}
		}
		for _, topic := range inputs(s) {
			t.sources[topic] = s.SubtopologyID
			t.required = append(t.required, topic)
		}
		for j := range s.StateChangelogTopics {
			t.required = append(t.required, s.StateChangelogTopics[j].Topic)
		}
	}
	slices.Sort(t.required)
	t.required = slices.Clip(slices.Compact(t.required))
	t.value = topologyValue(t)
	return t
}

func within(indexes []int16, n int) bool {
	return !slices.ContainsFunc(indexes, func(i int16) bool { return i < 0 || int(i) >= n })
}

// inputs is the topics that a subtopology reads, of both kinds.
func inputs(s *kmsg.StreamsGroupHeartbeatRequestTopologySubtopology) []string {
	names := slices.Clone(s.SourceTopics)
	for i := range s.RepartitionSourceTopics {
		names = append(names, s.RepartitionSourceTopics[i].Topic)
	}
	return names
}

// resolve looks up the topics that exist of those required, by name.
func (t *topology) resolve(topics Lookup) []Topic {
	var found []Topic
	for _, name := range t.required {
		if topic := topics(name, [16]byte{}); topic.Err == 0 {
			found = append(found, topic)
		}
	}
	return found
}

// topicsHash stands for topics in the group's record: another number whenever
// they are others. Nobody but the coordinator looks at it.
func topicsHash(topics []Topic) int64 {
	if len(topics) == 0 {
		return 0
	}
	h := fnv.New64a()
	for i := range topics {
		h.Write(topics[i].ID[:])
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(topics[i].Partitions)))
	}
	return int64(h.Sum64())
}

// errStreams is an application that no topics can make right.
func errStreams(format string, args ...any) *refusal {
	return refuse(kerr.StreamsInvalidTopology, format, args...)
}

// errInternal is what Apache Kafka's coordinator fails at without a word.
var errInternal = &refusal{err: kerr.UnknownServerError}

// planner finds the numbers of partitions that a topology's own topics need.
type planner struct {
	t       *topology
	exist   map[string]int32
	decided map[string]int32
}

// partitions is how many a topic has, or is to have.
func (p *planner) partitions(topic string) (int32, bool) {
	if n, ok := p.exist[topic]; ok {
		return n, true
	}
	n, ok := p.decided[topic]
	return n, ok
}

// configure finds what a topology needs, given the topics that exist. What is
// wrong with topics is part of the result; a refusal is about the topology.
func (t *topology) configure(topics []Topic) (*configured, *refusal) {
	p := &planner{t: t, exist: make(map[string]int32, len(topics)), decided: make(map[string]int32)}
	for i := range topics {
		p.exist[topics[i].Name] = topics[i].Partitions
	}
	problem, refused := p.plan()
	if refused != nil {
		return nil, refused
	}
	if problem != nil {
		return &configured{problem: problem}, nil
	}
	c := &configured{subtopologies: make([]configuredSubtopology, len(t.subtopologies))}
	wanted := make(map[string]InternalTopic)
	for i := range t.subtopologies {
		s := &t.subtopologies[i]
		of := configuredSubtopology{id: s.SubtopologyID, stateful: len(s.StateChangelogTopics) > 0, sources: inputs(s), internal: make(map[string]int32)}
		slices.Sort(of.sources)
		of.sources = slices.Compact(of.sources)
		for _, topic := range of.sources {
			n, _ := p.partitions(topic)
			of.tasks = max(of.tasks, n)
		}
		for _, list := range [][]kmsg.TopicInfo{s.RepartitionSourceTopics, s.StateChangelogTopics} {
			seen := make(map[string]bool, len(list))
			for j := range list {
				topic, ok := p.internalTopic(&list[j])
				if !ok || seen[topic.Name] {
					return nil, errInternal
				}
				seen[topic.Name] = true
				of.internal[topic.Name] = topic.Partitions
				wanted[topic.Name] = topic
			}
		}
		if of.tasks <= 0 {
			return nil, errInternal
		}
		c.subtopologies[i] = of
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		n, exists := p.exist[name]
		switch {
		case !exists:
			c.missing = append(c.missing, wanted[name])
		case n != wanted[name].Partitions:
			return &configured{problem: &topicProblem{statusIncorrectlyPartitioned, fmt.Sprintf(
				"Existing topic %s has different number of partitions: expected %d, found %d", name, wanted[name].Partitions, n)}}, nil
		}
	}
	if len(c.missing) > 0 {
		names := make([]string, len(c.missing))
		for i := range c.missing {
			names[i] = c.missing[i].Name
		}
		c.problem = &topicProblem{statusMissingInternalTopics, "Internal topics are missing: " + fewNames(names)}
	}
	return c, nil
}

// fewNames is three names, and how many more there are.
func fewNames(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d additional topics", strings.Join(names[:3], ", "), len(names)-3)
}

func (p *planner) internalTopic(info *kmsg.TopicInfo) (InternalTopic, bool) {
	topic := InternalTopic{Name: info.Topic, Partitions: info.NumPartitions, ReplicationFactor: info.ReplicationFactor}
	if topic.Partitions == 0 {
		topic.Partitions = p.decided[info.Topic]
	}
	if topic.ReplicationFactor == 0 {
		topic.ReplicationFactor = -1
	}
	if len(info.Configs) > 0 {
		topic.Configs = make(map[string]string, len(info.Configs))
		for _, c := range info.Configs {
			if _, twice := topic.Configs[c.Key]; twice {
				return topic, false
			}
			topic.Configs[c.Key] = c.Value
		}
	}
	return topic, topic.Partitions > 0
}

// plan decides the numbers of partitions: of repartition topics, then of those
// that must be partitioned alike, then of changelogs.
func (p *planner) plan() (*topicProblem, *refusal) {
	var missing []string
	for i := range p.t.subtopologies {
		for _, topic := range p.t.subtopologies[i].SourceTopics {
			if _, exists := p.exist[topic]; !exists {
				missing = append(missing, topic)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return &topicProblem{statusMissingSourceTopics, "Source topics " + fewNames(slices.Compact(missing)) + " are missing."}, nil
	}
	if refused := p.planRepartition(); refused != nil {
		return nil, refused
	}
	for i := range p.t.subtopologies {
		s := &p.t.subtopologies[i]
		for _, g := range s.CopartitionGroups {
			var names []string
			for _, at := range g.SourceTopics {
				names = append(names, s.SourceTopics[at])
			}
			for _, at := range g.RepartitionSourceTopics {
				names = append(names, s.RepartitionSourceTopics[at].Topic)
			}
			slices.Sort(names)
			if problem, refused := p.planAlike(slices.Compact(names)); problem != nil || refused != nil {
				return problem, refused
			}
		}
	}
	changelogs := make(map[string]int32)
	for i := range p.t.subtopologies {
		s := &p.t.subtopologies[i]
		largest, sources := int32(0), inputs(s)
		if len(sources) == 0 {
			return nil, errStreams("No source topics found for subtopology %s", s.SubtopologyID)
		}
		for _, topic := range sources {
			n, _ := p.partitions(topic)
			largest = max(largest, n)
		}
		for j := range s.StateChangelogTopics {
			changelogs[s.StateChangelogTopics[j].Topic] = largest
		}
	}
	maps.Copy(p.decided, changelogs)
	return nil, nil
}

// planRepartition gives repartition topics the number that the application
// says, or as many as the largest input of the subtopology that writes them.
func (p *planner) planRepartition() *refusal {
	counts := make(map[string]int32)
	for i := range p.t.subtopologies {
		for _, info := range p.t.subtopologies[i].RepartitionSourceTopics {
			if info.NumPartitions != 0 {
				counts[info.Topic] = info.NumPartitions
			}
		}
	}
	for more := true; more; {
		more = false
		progress := false
		for i := range p.t.subtopologies {
			s := &p.t.subtopologies[i]
			for _, sink := range s.RepartitionSinkTopics {
				if _, known := counts[sink]; known {
					continue
				}
				n, known := int32(0), false
				for j := range s.RepartitionSourceTopics {
					if c, ok := counts[s.RepartitionSourceTopics[j].Topic]; ok && (!known || c > n) {
						n, known = c, true
					}
				}
				for _, source := range s.SourceTopics {
					if c, ok := p.partitions(source); ok && (!known || c > n) {
						n, known = c, true
					}
				}
				if !known {
					more = true
					continue
				}
				counts[sink] = n
				progress = true
			}
		}
		if more && !progress {
			return errStreams("Failed to compute number of partitions for all repartition topics. There may be loops in the topology that cannot be resolved.")
		}
	}
	for i := range p.t.subtopologies {
		for _, info := range p.t.subtopologies[i].RepartitionSourceTopics {
			if _, known := counts[info.Topic]; !known {
				return errStreams("Failed to compute number of partitions for all repartition topics, because a repartition source topic is never used as a sink topic.")
			}
		}
	}
	maps.Copy(p.decided, counts)
	return nil
}

// planAlike makes topics that are joined have the same number of partitions
// (CopartitionedTopicsEnforcer).
func (p *planner) planAlike(names []string) (*topicProblem, *refusal) {
	fixed := make(map[string]bool) // of the whole topology, as in Apache Kafka
	flexible := make(map[string]bool)
	for i := range p.t.subtopologies {
		for _, info := range p.t.subtopologies[i].RepartitionSourceTopics {
			if info.NumPartitions != 0 {
				fixed[info.Topic] = true
			} else {
				flexible[info.Topic] = true
			}
		}
	}
	own, others := make(map[string]int32), make(map[string]int32)
	for _, name := range names {
		n, known := p.partitions(name)
		switch {
		case !known:
			return nil, errInternal
		case fixed[name] || flexible[name]:
			own[name] = n
		default:
			others[name] = n
		}
	}
	unlike := func(of map[string]int32) *topicProblem {
		list := make([]string, 0, len(of))
		for _, name := range slices.Sorted(maps.Keys(of)) {
			list = append(list, fmt.Sprintf("%s=%d", name, of[name]))
		}
		return &topicProblem{statusIncorrectlyPartitioned, fmt.Sprintf("Following topics do not have the same number of partitions: [{%s}]", strings.Join(list, ", "))}
	}
	n := int32(0)
	switch {
	case len(names) == 0:
		return nil, nil
	case len(others) > 0:
		for _, name := range names {
			if c, other := others[name]; other && n != 0 && c != n {
				return unlike(others), nil
			} else if other {
				n = c
			}
		}
	case len(fixed) > 0:
		for i, name := range slices.Sorted(maps.Keys(fixed)) {
			c, _ := p.partitions(name)
			if i > 0 && c != n {
				return unlike(own), nil
			}
			n = c
		}
	default:
		for _, c := range own {
			n = max(n, c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		p.decided[name] = n
		if fixed[name] && own[name] != n {
			return &topicProblem{statusIncorrectlyPartitioned, fmt.Sprintf(
				"Number of partitions [%d] of repartition topic [%s] doesn't match number of partitions [%d] of the source topic.", own[name], name, n)}, nil
		}
	}
	return nil, nil
}

// find returns the subtopology of an id, if the topology is ready and has it.
func (c *configured) find(id string) *configuredSubtopology {
	i, found := slices.BinarySearchFunc(c.subtopologies, id, func(s configuredSubtopology, id string) int { return cmp.Compare(s.id, id) })
	if !found {
		return nil
	}
	return &c.subtopologies[i]
}

// check refuses tasks that the topology does not have.
func (c *configured) check(lists ...[]kmsg.TaskIDs) *refusal {
	for _, ids := range lists {
		for i := range ids {
			s := c.find(ids[i].SubtopologyID)
			if s == nil {
				return refuse(kerr.InvalidRequest, "Subtopology %s does not exist in the topology.", ids[i].SubtopologyID)
			}
			for _, p := range ids[i].Partitions {
				if p < 0 || p >= s.tasks {
					return refuse(kerr.InvalidRequest, "Task %d for subtopology %s is invalid. Number of tasks for this subtopology: %d", p, s.id, s.tasks)
				}
			}
		}
	}
	return nil
}
