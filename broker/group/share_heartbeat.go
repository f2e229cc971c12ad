package group

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns ShareGroupHeartbeat v0-v1: joining, staying, leaving.

// longestMemberID is how long a member id may be, in UTF-16 units: that of a
// UUID with hyphens.
const longestMemberID = 36

// ValidMemberID tells whether a request of a share group may have this member
// id.
func ValidMemberID(id string) bool {
	return id != "" && len(utf16.Encode([]rune(id))) <= longestMemberID
}

// checkShareHeartbeat finds what is wrong with a request whatever the group is
// (GroupCoordinatorService.throwIfShareGroupHeartbeatRequestIsInvalid).
func checkShareHeartbeat(req *kmsg.ShareGroupHeartbeatRequest) *refusal {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	invalid := func(message string) *refusal { return refuse(kerr.InvalidRequest, "%s", message) }
	switch {
	case !ValidMemberID(req.MemberID):
		return invalid("") // Kafka gives no text
	case blank(req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(req.GroupID):
		return invalid("GroupId can't be empty.")
	case req.RackID != nil && blank(*req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch == joinEpoch && len(req.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case req.MemberEpoch < leaveEpoch:
		return invalid("MemberEpoch is invalid.")
	}
	return nil
}

// heartbeat takes a member's request. Nothing has changed when it is refused.
func (g *Share) heartbeat(client Client, req *kmsg.ShareGroupHeartbeatRequest, cluster Cluster, states ShareStates) (*kmsg.ShareGroupHeartbeatResponse, *refusal) {
	resp := kmsg.NewPtrShareGroupHeartbeatResponse()
	resp.MemberID = kmsg.StringPtr(req.MemberID)
	m := g.members[req.MemberID]
	if req.MemberEpoch == leaveEpoch {
		if m == nil {
			return nil, g.unknownMember(req.MemberID)
		}
		g.fence(m, Event{Member: m.id, Why: "member left"})
		resp.MemberEpoch = leaveEpoch
		return resp, nil
	}
	limit := g.cfg.Share.MaxSize
	switch {
	case m == nil && len(g.order) >= limit:
		return nil, refuse(kerr.GroupMaxSizeReached, "The share group has reached its maximum capacity of %d members.", limit)
	case m == nil && req.MemberEpoch != joinEpoch:
		return nil, g.unknownMember(req.MemberID)
	case m != nil:
		if err := m.checkEpoch(req.MemberEpoch); err != nil {
			return nil, err
		}
	}
	e := Event{Member: req.MemberID, Why: "member changed its subscription"}
	if m == nil {
		m = &sharer{id: req.MemberID}
		g.add(m)
		e.Why = "member joined"
	}
	changed := g.update(m, client, req)
	if changed || cluster.Version != g.seen {
		others := g.refreshTopics(cluster)
		if !changed {
			e = Event{Why: "topics changed"}
		}
		changed = changed || others
		if changed {
			g.bump(e)
		}
	}
	if g.beginTopics(states) {
		// In Kafka a later heartbeat finds them initialized, and does this.
		g.bump(Event{Why: "partitions initialized"})
		changed = true
	}
	g.assign()
	moved := g.reconcile(m, changed)
	g.within(m, g.timing.SessionTimeout)

	resp.MemberEpoch = m.epoch
	resp.HeartbeatIntervalMillis = g.pace.interval(g.now, len(g.order), false, g.timing.HeartbeatInterval)
	if req.MemberEpoch == joinEpoch || req.SubscribedTopicNames != nil || moved {
		resp.Assignment = shareAssignment(m.assigned)
	}
	return resp, nil
}

func (g *Share) unknownMember(id string) *refusal {
	return refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, g.id)
}

// checkEpoch fences a member that is not where the group knows it to be. One
// epoch back is fine: the answer that brought it forward may be lost.
func (m *sharer) checkEpoch(epoch int32) *refusal {
	switch {
	case epoch == joinEpoch, epoch == m.epoch, epoch < m.epoch && epoch == m.previous:
		return nil
	case epoch > m.epoch:
		return refuse(kerr.FencedMemberEpoch, "The share group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, m.epoch)
	}
	return refuse(kerr.FencedMemberEpoch, "The share group member has a smaller member epoch (%d) than the one known by the group coordinator (%d), and it does not match the previous member epoch (%d). The member must abandon all its partitions and rejoin.", epoch, m.epoch, m.previous)
}

// update takes over what a request says about its member, and tells whether its
// subscription is another one.
func (g *Share) update(m *sharer, client Client, req *kmsg.ShareGroupHeartbeatRequest) (changed bool) {
	was := *m
	m.client = client
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.SubscribedTopicNames != nil {
		names := slices.Clone(req.SubscribedTopicNames)
		slices.Sort(names)
		names = slices.Compact(names)
		if changed = !slices.Equal(m.names, names); changed {
			m.names = slices.Clip(names)
			// Most groups subscribe alike: one list will do.
			if slices.Equal(g.order[0].names, names) {
				m.names = g.order[0].names
			}
		}
	}
	if changed || was.client != m.client || m.epoch == 0 || reason(was.rack) != reason(m.rack) {
		g.storeMember(m)
	}
	return changed
}

// refreshTopics looks up what the group subscribes to, and tells whether there
// are other topics or partitions than before.
func (g *Share) refreshTopics(cluster Cluster) bool {
	g.seen = cluster.Version
	var names []string
	for i, m := range g.order {
		if i == 0 || !sameNames(m.names, g.order[i-1].names) {
			names = append(names, m.names...)
		}
	}
	slices.Sort(names)
	var topics []Topic
	for _, name := range slices.Compact(names) {
		if t := cluster.Lookup(name, [16]byte{}); t.Err == 0 {
			topics = append(topics, t)
		}
	}
	if slices.Equal(g.topics, topics) {
		return false
	}
	g.topics = topics
	return true
}

// reconcile brings a member to its target, and tells whether it has other
// partitions now.
func (g *Share) reconcile(m *sharer, changed bool) (moved bool) {
	if !changed && m.epoch == g.assignmentEpoch {
		return false
	}
	subscribed, _ := m.target.split(func(topic [16]byte, _ int32) bool {
		i := slices.IndexFunc(g.topics, func(t Topic) bool { return t.ID == topic })
		if i < 0 {
			return false
		}
		_, found := slices.BinarySearch(m.names, g.topics[i].Name)
		return found
	})
	moved = !m.assigned.equal(subscribed)
	if !moved && m.epoch == g.assignmentEpoch {
		return false
	}
	m.assigned = subscribed
	if m.epoch != g.assignmentEpoch {
		m.previous, m.epoch = m.epoch, g.assignmentEpoch
	}
	g.storeAssigned(m)
	g.event(Event{Member: m.id, Why: stable.String()})
	return moved
}

func shareAssignment(ps partitions) *kmsg.ShareGroupHeartbeatResponseAssignment {
	a := kmsg.NewShareGroupHeartbeatResponseAssignment()
	a.TopicPartitions = make([]kmsg.ShareGroupHeartbeatResponseAssignmentTopicPartition, len(ps))
	for i := range ps {
		a.TopicPartitions[i].TopicID, a.TopicPartitions[i].Partitions = ps[i].topic, ps[i].partitions
	}
	return &a
}

func compareIDs(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }

// ShareConfig is what a broker's configuration says about share groups.
type ShareConfig struct {
	// MaxSize is the largest number of members (group.share.max.size).
	MaxSize int
}

// ShareHeartbeat takes a ShareGroupHeartbeat. The first one makes a group id
// that does not exist a share group; a group of another kind stays what it is.
func (g *Group) ShareHeartbeat(now time.Time, client Client, req *kmsg.ShareGroupHeartbeatRequest, cluster Cluster, timing Timing, states ShareStates) (*kmsg.ShareGroupHeartbeatResponse, Effects) {
	refused := checkShareHeartbeat(req)
	var s *Share
	if refused == nil {
		s, refused = g.share(now, req.MemberEpoch == joinEpoch, "Share group %s not found.")
		if req.MemberEpoch == leaveEpoch && refused != nil && g.State() == Dead {
			refused = refuse(kerr.GroupIDNotFound, "Group %s not found.", req.GroupID)
		}
	}
	var resp *kmsg.ShareGroupHeartbeatResponse
	if refused == nil {
		s.timing = timing
		resp, refused = s.heartbeat(client, req, cluster, states)
	}
	if refused != nil {
		resp = kmsg.NewPtrShareGroupHeartbeatResponse()
		resp.ErrorCode = refused.err.Code
		if refused.message != "" {
			resp.ErrorMessage = &refused.message
		}
		resp.Version = req.Version
		return resp, g.look(now)
	}
	resp.Version = req.Version
	g.kind = s
	return resp, s.effects()
}

// share finds the share group that this is or, if create says so, may become.
// unknown is the text where there is none.
func (g *Group) share(now time.Time, create bool, unknown string) (*Share, *refusal) {
	switch k := g.is().(type) {
	case *Share:
		k.now = now
		return k, nil
	case *Classic:
		if k.state != Dead {
			break
		}
		if !create {
			return nil, refuse(kerr.GroupIDNotFound, unknown, k.id)
		}
		s := newShare(base{id: k.id, cfg: k.cfg})
		s.now = now
		return s, nil
	}
	return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a share group.", g.List().Group)
}

// look gives the effects of a call that changed nothing.
func (g *Group) look(now time.Time) Effects { return g.is().Expire(now) }
