package group

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns StreamsGroupHeartbeat v0-v1: joining, staying, leaving.

// StreamsConfig is what a broker's configuration says about streams groups.
type StreamsConfig struct {
	// MaxSize is the largest number of members (group.streams.max.size).
	MaxSize int
}

// checkStreamsHeartbeat finds what is wrong with a request whatever the group
// is (GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsInvalid and
// ...IsUsingUnsupportedFeatures).
func checkStreamsHeartbeat(req *kmsg.StreamsGroupHeartbeatRequest) *refusal {
	empty := func(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }
	invalid := func(format string, args ...any) *refusal { return refuse(kerr.InvalidRequest, format, args...) }
	joins := req.MemberEpoch == joinEpoch
	some := req.ActiveTasks != nil || req.StandbyTasks != nil || req.WarmupTasks != nil
	switch {
	case req.InstanceID != nil:
		return invalid("Static membership is not yet supported.")
	case req.TaskOffsets != nil:
		return invalid("TaskOffsets are not supported yet.")
	case req.TaskEndOffsets != nil:
		return invalid("TaskEndOffsets are not supported yet.")
	case len(req.WarmupTasks) > 0:
		return invalid("WarmupTasks are not supported yet.")
	case req.Topology != nil && slices.ContainsFunc(req.Topology.Subtopologies, func(s kmsg.StreamsGroupHeartbeatRequestTopologySubtopology) bool { return len(s.SourceTopicRegex) > 0 }):
		return invalid("Regular expressions for source topics are not supported yet.")
	case empty(&req.MemberID):
		return invalid("MemberId can't be empty.")
	case empty(&req.Group):
		return invalid("GroupId can't be empty.")
	case empty(req.RackID):
		return invalid("RackId can't be empty.")
	case joins && req.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case joins && (req.ActiveTasks == nil || len(req.ActiveTasks) > 0):
		return invalid("ActiveTasks must be empty when (re-)joining.")
	case joins && (req.StandbyTasks == nil || len(req.StandbyTasks) > 0):
		return invalid("StandbyTasks must be empty when (re-)joining.")
	case joins && req.WarmupTasks == nil:
		return invalid("WarmupTasks must be empty when (re-)joining.")
	case joins && req.Topology == nil:
		return invalid("Topology must be non-null when (re-)joining.")
	case joins:
		for i := range req.Topology.Subtopologies {
			for _, info := range req.Topology.Subtopologies[i].StateChangelogTopics {
				if info.NumPartitions != 0 {
					return errStreams("Changelog topic %s must have an undefined partition count, but it is set to %d.", info.Topic, info.NumPartitions)
				}
			}
		}
	case req.MemberEpoch == leaveStaticEpoch:
		return invalid("InstanceId can't be null.")
	case req.MemberEpoch < leaveStaticEpoch:
		return invalid("MemberEpoch is %d, but must be greater than or equal to -2.", req.MemberEpoch)
	}
	switch {
	case some && (req.ActiveTasks == nil || req.StandbyTasks == nil || req.WarmupTasks == nil):
		return invalid("If one task-type is non-null, all must be non-null.")
	case !joins && req.Topology != nil:
		return invalid("Topology can only be provided when (re-)joining.")
	case len(req.Group) > math.MaxInt16 || len(req.MemberID) > math.MaxInt16:
		return errInternal // no record can name them
	}
	return nil
}

// heartbeat takes a member's request. If it needs topics that only the group
// wants, it says which, and has done nothing: it is to be called again with how
// making them went. Nothing has changed either when it is refused.
func (g *Streams) heartbeat(client Client, req *kmsg.StreamsGroupHeartbeatRequest, cluster Cluster, made *MadeTopics) (*kmsg.StreamsGroupHeartbeatResponse, []InternalTopic, *refusal) {
	if req.MemberEpoch == leaveEpoch {
		resp, refused := g.goodbye(req)
		return resp, nil, refused
	}
	m, refused := g.sender(req)
	if refused != nil {
		return nil, nil, refused
	}
	topology, refused := g.topologyOf(req)
	if refused != nil {
		return nil, nil, refused
	}
	tags, ok := readTags(req.ClientTags)
	if !ok {
		return nil, nil, errInternal
	}
	topics, configured, hash := g.topics, g.configured, g.hash
	if g.configured == nil || cluster.Version != g.seen {
		topics = topology.resolve(cluster.Lookup)
		hash = topicsHash(topics)
		if g.configured == nil || !slices.Equal(topics, g.topics) {
			if configured, refused = topology.configure(topics); refused != nil {
				return nil, nil, refused
			}
		}
	}
	if len(configured.missing) > 0 && made == nil {
		return nil, configured.missing, nil
	}
	validated := int32(-1)
	if configured.problem == nil {
		validated = topology.epoch
		if refused := configured.check(req.ActiveTasks, req.StandbyTasks, req.WarmupTasks); refused != nil {
			return nil, nil, refused
		}
	}

	// From here on nothing is refused.
	e := Event{Member: req.MemberID, Why: "member changed its metadata"}
	first := g.topology == nil
	empty := len(g.order) == 0
	if m == nil {
		m = g.add(req.MemberID)
		e.Why = "member joined"
	}
	bump := m.update(client, req, tags)
	if bump {
		g.storeMember(m)
	}
	if first {
		g.topology = topology
		g.storeTopology()
	}
	switch {
	case bump:
	case hash != g.hash || validated != g.validated:
		e.Why, bump = "topics changed", true
	case g.settings.Standbys != g.standbys:
		e.Why, bump = "configs changed", true
	}
	g.topics, g.configured, g.hash, g.seen = topics, configured, hash, cluster.Version
	if bump {
		g.validated, g.standbys = validated, g.settings.Standbys
		g.bump(e)
	}
	if d := g.settings.InitialRebalanceDelay; empty && d > 0 && g.delayUntil.IsZero() {
		g.delayUntil = g.now.Add(d)
	}
	before := m.assigned
	delayed := g.assign()
	g.reconcile(m, readRoles(req))
	g.within(&m.session, g.settings.SessionTimeout)
	if req.ShutdownApplication && g.shutdownBy == "" {
		g.shutdownBy = m.id
		g.event(Event{Member: m.id, Why: "member wants the application to shut down"})
	}

	resp := kmsg.NewPtrStreamsGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = m.id, m.epoch
	resp.HeartbeatIntervalMillis = g.pace.interval(g.now, len(g.order), m.phase == unreleased, g.settings.HeartbeatInterval)
	if req.MemberEpoch == joinEpoch || !before.equal(m.assigned) {
		resp.ActiveTasks, resp.StandbyTasks, resp.WarmupTasks = writeTasks(m.assigned.active), writeTasks(m.assigned.standby), writeTasks(m.assigned.warmup)
		if m.endpoint != nil {
			g.endpointEpoch++
		}
	}
	if g.endpointEpoch != req.EndpointInformationEpoch {
		resp.PartitionsByUserEndpoint = g.endpoints(m, cluster.Lookup)
	}
	if first {
		g.endpointEpoch = 0 // Apache Kafka counts from the second heartbeat on
	}
	resp.EndpointInformationEpoch = g.endpointEpoch
	resp.Status = g.statuses(m, delayed, made)
	resp.TopologyDescriptionRequired = g.description == nil && m.topologyEpoch == g.topology.epoch
	return resp, nil, nil
}

// sender finds the member that a request is from; nil: it is a new one.
func (g *Streams) sender(req *kmsg.StreamsGroupHeartbeatRequest) (*streamer, *refusal) {
	m := g.members[req.MemberID]
	if req.MemberEpoch == joinEpoch {
		if limit := g.cfg.Streams.MaxSize; len(g.order) >= limit {
			return nil, refuse(kerr.GroupMaxSizeReached, "The streams group has reached its maximum capacity of %d members.", limit)
		}
		return m, nil
	}
	if m == nil {
		return nil, g.unknownMember(req.MemberID)
	}
	epoch, than := req.MemberEpoch, "smaller"
	switch {
	case epoch == m.epoch, epoch == m.previous && epoch < m.epoch && ownsOnly(req, m.assigned):
		return m, nil
	case epoch > m.epoch:
		than = "greater"
	}
	return nil, refuse(kerr.FencedMemberEpoch, "The streams group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", than, epoch, m.epoch)
}

func (g *Streams) unknownMember(id string) *refusal {
	return refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, g.id)
}

// ownsOnly tells whether a member says that it has nothing but rs.
func ownsOnly(req *kmsg.StreamsGroupHeartbeatRequest, rs roles) bool {
	within := func(ids []kmsg.TaskIDs, ts tasks) bool {
		return ids != nil && !slices.ContainsFunc(ids, func(of kmsg.TaskIDs) bool {
			_, known := ts.find(of.SubtopologyID)
			return !known || slices.ContainsFunc(of.Partitions, func(p int32) bool { return !ts.has(of.SubtopologyID, p) })
		})
	}
	return within(req.ActiveTasks, rs.active) && within(req.StandbyTasks, rs.standby) && within(req.WarmupTasks, rs.warmup)
}

// readRoles is what a member says it has; nil says nothing.
func readRoles(req *kmsg.StreamsGroupHeartbeatRequest) *roles {
	if req.ActiveTasks == nil {
		return nil
	}
	return &roles{readTasks(req.ActiveTasks), readTasks(req.StandbyTasks), readTasks(req.WarmupTasks)}
}

func readTags(list []kmsg.StreamsGroupHeartbeatRequestClientTag) (tags []keyValue, ok bool) {
	for _, t := range list {
		tags = append(tags, keyValue{t.Key, t.Value})
	}
	slices.SortFunc(tags, func(a, b keyValue) int { return cmp.Compare(a.key, b.key) })
	distinct := len(slices.CompactFunc(slices.Clone(tags), func(a, b keyValue) bool { return a.key == b.key }))
	return tags, distinct == len(tags)
}

// topologyOf is the group's topology, or that of the request which begins it.
// A member with an older one may join, and is told so; a newer one is refused,
// as by Apache Kafka 4.3.
func (g *Streams) topologyOf(req *kmsg.StreamsGroupHeartbeatRequest) (*topology, *refusal) {
	if req.Topology == nil {
		return g.topology, nil
	}
	t := newTopology(req.Topology)
	switch {
	case t == nil:
		return nil, errInternal
	case g.topology == nil:
		return t, nil
	case g.topology.epoch <= t.epoch && string(g.topology.value) != string(t.value):
		return nil, refuse(kerr.InvalidRequest, "Topology updates are not supported yet.")
	}
	return g.topology, nil
}

// update takes over what a request says about its member, and tells whether
// anything is new.
func (m *streamer) update(client Client, req *kmsg.StreamsGroupHeartbeatRequest, tags []keyValue) bool {
	old := *m
	m.client = client
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis != -1 {
		m.rebalanceMillis = req.RebalanceTimeoutMillis
	}
	if req.Topology != nil {
		m.topologyEpoch = req.Topology.Epoch
	}
	if req.ProcessID != nil {
		m.process = *req.ProcessID
	}
	if req.ClientTags != nil {
		m.tags = tags
	}
	if req.UserEndpoint != nil {
		m.endpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: req.UserEndpoint.Host, Port: req.UserEndpoint.Port}
	}
	return m.client != old.client || reason(m.rack) != reason(old.rack) || m.rebalanceMillis != old.rebalanceMillis ||
		m.topologyEpoch != old.topologyEpoch || m.process != old.process || !slices.Equal(m.tags, old.tags) || !sameEndpoint(m.endpoint, old.endpoint)
}

func sameEndpoint(a, b *kmsg.StreamsGroupHeartbeatRequestUserEndpoint) bool {
	return a == b || a != nil && b != nil && a.Host == b.Host && a.Port == b.Port
}

// MadeTopics is how making a group's internal topics went.
type MadeTopics struct {
	// Failed has the reason for each that could not be made.
	Failed map[string]string
	// Forbidden are those that the member may not make.
	Forbidden []string
}

// statuses is what the members must know about the group.
func (g *Streams) statuses(m *streamer, delayed string, made *MadeTopics) []kmsg.StreamsGroupHeartbeatResponseStatus {
	list := noStatus
	say := func(status int8, format string, args ...any) {
		s := kmsg.NewStreamsGroupHeartbeatResponseStatus()
		s.StatusCode, s.StatusDetail = status, fmt.Sprintf(format, args...)
		list = append(list, s)
	}
	if m.topologyEpoch < g.topology.epoch {
		say(statusStaleTopology, "The member's topology epoch %d is behind the group's topology epoch %d.", m.topologyEpoch, g.topology.epoch)
	}
	if delayed != "" {
		say(statusAssignmentDelayed, "%s", delayed)
	}
	if p := g.configured.problem; p != nil {
		detail := p.detail
		if made != nil && len(made.Forbidden) > 0 {
			detail += "; Unauthorized to CREATE on topics " + strings.Join(made.Forbidden, ",") + "."
		} else if made != nil && len(made.Failed) > 0 {
			var failed []string
			for _, topic := range g.configured.missing {
				if why := made.Failed[topic.Name]; why != "" {
					failed = append(failed, topic.Name+" ("+why+")")
				}
			}
			detail += "; Creation failed: " + strings.Join(failed, ", ") + "."
		}
		say(p.status, "%s", detail)
	}
	if g.shutdownBy != "" {
		say(statusShutdownApplication, "Streams group member %s encountered a fatal error and requested a shutdown for the entire application.", g.shutdownBy)
	}
	return list
}

// goodbye takes a request to leave.
func (g *Streams) goodbye(req *kmsg.StreamsGroupHeartbeatRequest) (*kmsg.StreamsGroupHeartbeatResponse, *refusal) {
	m := g.members[req.MemberID]
	if m == nil {
		return nil, g.unknownMember(req.MemberID)
	}
	if req.ShutdownApplication && g.shutdownBy == "" {
		g.shutdownBy = m.id
	}
	g.fence(m, "member left")
	resp := kmsg.NewPtrStreamsGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = req.MemberID, req.MemberEpoch
	resp.Status = noStatus
	return resp, nil
}

// noStatus is a list of none, which is not null.
var noStatus = []kmsg.StreamsGroupHeartbeatResponseStatus{}

// endpoints is which partitions can be asked for where: by interactive queries,
// whose state is with the tasks and their copies. Who asks comes last.
func (g *Streams) endpoints(asks *streamer, topics Lookup) []kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpoint {
	all := []kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpoint{}
	add := func(m *streamer) {
		if m.endpoint == nil {
			return
		}
		e := kmsg.NewStreamsGroupHeartbeatResponsePartitionsByUserEndpoint()
		e.UserEndpoint.Host, e.UserEndpoint.Port = m.endpoint.Host, m.endpoint.Port
		taskInputs{g.configured, m.assigned.active}.each(topics, func(topic string, partitions []int32) {
			e.ActivePartitions = append(e.ActivePartitions, kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpointActivePartition{Topic: topic, Partitions: partitions})
		})
		taskInputs{g.configured, m.assigned.standby}.each(topics, func(topic string, partitions []int32) {
			e.StandbyPartitions = append(e.StandbyPartitions, kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpointStandbyPartition{Topic: topic, Partitions: partitions})
		})
		all = append(all, e)
	}
	for _, m := range g.order {
		if m != asks {
			add(m)
		}
	}
	add(asks)
	return all
}

// taskInputs is the partitions that tasks read.
type taskInputs struct {
	of    *configured
	tasks tasks
}

// each calls f with the topics. One with fewer partitions than there are tasks
// has only the first of them.
func (in taskInputs) each(topics Lookup, f func(topic string, partitions []int32)) {
	for i := range in.tasks {
		ts := &in.tasks[i]
		s := in.of.find(ts.subtopology)
		if s == nil {
			continue // its topics are gone
		}
		for _, name := range s.sources {
			if t := topics(name, [16]byte{}); t.Err == 0 {
				f(name, ts.partitions[:min(len(ts.partitions), int(t.Partitions))])
			}
		}
	}
}

// ByTopic is for observers; see Assignment.
func (in taskInputs) ByTopic(topics Lookup) map[string][]int32 {
	named := make(map[string][]int32)
	in.each(topics, func(topic string, partitions []int32) { named[topic] = slices.Clone(partitions) })
	return named
}

// StreamsHeartbeat takes a StreamsGroupHeartbeat. The first one makes a group
// without members one of streams. If topics must be made for it, they are
// returned and nothing has happened yet: the caller makes them and calls again
// with how that went.
func (g *Group) StreamsHeartbeat(now time.Time, client Client, req *kmsg.StreamsGroupHeartbeatRequest, cluster Cluster, settings StreamsSettings, made *MadeTopics) (*kmsg.StreamsGroupHeartbeatResponse, []InternalTopic, Effects) {
	s, isStreams := g.is().(*Streams)
	old := g.kind
	refused := checkStreamsHeartbeat(req)
	if refused == nil && !isStreams {
		s, refused = g.becomeStreams(req)
	}
	var resp *kmsg.StreamsGroupHeartbeatResponse
	var missing []InternalTopic
	if refused == nil {
		s.now, s.settings = now, settings
		resp, missing, refused = s.heartbeat(client, req, cluster, made)
	}
	if refused != nil {
		resp = kmsg.NewPtrStreamsGroupHeartbeatResponse()
		resp.ErrorCode, resp.Status = refused.err.Code, noStatus
		if refused.message != "" {
			resp.ErrorMessage = &refused.message
		}
	}
	if missing != nil {
		return nil, missing, old.Expire(now)
	}
	resp.Version = req.Version
	if refused != nil {
		return resp, nil, old.Expire(now)
	}
	if classic, was := old.(*Classic); was {
		if classic.state != Dead { // it is no classic one any more
			s.out.Records = slices.Insert(s.out.Records, 0, Record{Key: groupKey(s.id, 0)})
		}
		g.kind = s
	}
	return resp, nil, s.effects()
}

// becomeStreams returns a streams group in the place of the one that is there.
func (g *Group) becomeStreams(req *kmsg.StreamsGroupHeartbeatRequest) (*Streams, *refusal) {
	classic, isClassic := g.kind.(*Classic)
	joins := req.MemberEpoch == joinEpoch
	switch id := req.Group; {
	case isClassic && joins && (classic.state == Dead || classic.state == Empty):
		return newStreams(classic.base), nil
	case !isClassic || classic.state != Dead:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a streams group.", id)
	case req.MemberEpoch < joinEpoch:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s not found.", id)
	default:
		return nil, refuse(kerr.GroupIDNotFound, "Streams group %s not found.", id)
	}
}
