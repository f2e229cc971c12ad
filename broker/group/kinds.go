package group

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns a group id: it has a group of one kind at a time.

// Group is what is behind a group id. It starts as a classic group that does
// not exist, and becomes what its requests make of it.
type Group struct{ kind kind }

// kind is what groups of all kinds answer.
type kind interface {
	Expire(now time.Time) Effects
	CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects)
	FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup
	DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, topics Lookup) (*kmsg.OffsetDeleteResponse, Effects)
	TopicsDeleted(now time.Time, names ...string) Effects
	Delete(now time.Time) (*kerr.Error, Effects)
	Describe(version int16) kmsg.DescribeGroupsResponseGroup
	List() kmsg.ListGroupsResponseGroup
	CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects)
	EndTransaction(now time.Time, producerID int64, commit bool) Effects
	Offsets() *Offsets
	Unload(now time.Time) Effects
	State() State
	Members() int
	Kind() string
	Epoch() int32
	config() *Config
}

// NewGroup returns the group id, which does not exist yet: its state is Dead.
func NewGroup(id string, cfg *Config) *Group { return &Group{New(id, cfg)} }

// is returns the group as it is now: a call may have made it one of another
// kind.
func (g *Group) is() kind {
	switch k := g.kind.(type) {
	case *Consumer:
		if k.became != nil {
			g.kind = k.became
		}
	case *Share:
		if k.became != nil {
			g.kind = k.became
		}
	case *Streams:
		if k.became != nil {
			g.kind = k.became
		}
	}
	return g.kind
}

// State returns the group's state.
func (g *Group) State() State { return g.is().State() }

// Members returns how many members the group has.
func (g *Group) Members() int { return g.is().Members() }

// Kind is what the group is now, as ListGroups calls it: KindClassic and so on.
func (g *Group) Kind() string { return g.is().Kind() }

// Epoch counts the group's changes; a classic group's generation.
func (g *Group) Epoch() int32 { return g.is().Epoch() }

// Expire does what is due at now. It may be called too early.
func (g *Group) Expire(now time.Time) Effects { return g.is().Expire(now) }

// CommitOffsets stores offsets. topics says which exist. What it returns is valid
// until in is used again.
func (g *Group) CommitOffsets(now time.Time, req *kmsg.OffsetCommitRequest, topics Lookup, in *CommitMemory) (*kmsg.OffsetCommitResponse, Effects) {
	return g.is().CommitOffsets(now, req, topics, in)
}

// FetchOffsets returns committed offsets; see Classic.FetchOffsets.
func (g *Group) FetchOffsets(version int16, req *kmsg.OffsetFetchRequestGroup, topics Lookup) kmsg.OffsetFetchResponseGroup {
	return g.is().FetchOffsets(version, req, topics)
}

// CommitInTransaction notes offsets that take effect when the producer's
// transaction is committed. store keeps the records, which are part of it.
func (g *Group) CommitInTransaction(now time.Time, req *kmsg.TxnOffsetCommitRequest, topics Lookup, store func([]Record) *kerr.Error) (*kmsg.TxnOffsetCommitResponse, Effects) {
	return g.is().CommitInTransaction(now, req, topics, store)
}

// EndTransaction commits the offsets of a producer's transaction, or forgets
// them.
func (g *Group) EndTransaction(now time.Time, producerID int64, commit bool) Effects {
	return g.is().EndTransaction(now, producerID, commit)
}

// Offsets returns the group's committed offsets.
func (g *Group) Offsets() *Offsets { return g.is().Offsets() }

// DeleteOffsets forgets offsets of topics that no member consumes.
func (g *Group) DeleteOffsets(now time.Time, req *kmsg.OffsetDeleteRequest, topics Lookup) (*kmsg.OffsetDeleteResponse, Effects) {
	return g.is().DeleteOffsets(now, req, topics)
}

// TopicsDeleted forgets the offsets of topics that do not exist any more.
func (g *Group) TopicsDeleted(now time.Time, names ...string) Effects {
	return g.is().TopicsDeleted(now, names...)
}

// Delete removes a group without members, with its offsets. The error is
// GROUP_ID_NOT_FOUND or NON_EMPTY_GROUP, or nil.
func (g *Group) Delete(now time.Time) (*kerr.Error, Effects) { return g.is().Delete(now) }

// Unload forgets the group; what waits is answered with NOT_COORDINATOR.
func (g *Group) Unload(now time.Time) Effects { return g.is().Unload(now) }

// Describe answers DescribeGroups in the given version.
func (g *Group) Describe(version int16) kmsg.DescribeGroupsResponseGroup {
	return g.is().Describe(version)
}

// List is the group's line in ListGroups.
func (g *Group) List() kmsg.ListGroupsResponseGroup { return g.is().List() }

// DescribeConsumer answers ConsumerGroupDescribe.
func (g *Group) DescribeConsumer(topics Lookup) kmsg.ConsumerGroupDescribeResponseGroup {
	if c, ok := g.is().(*Consumer); ok {
		return c.DescribeConsumer(topics)
	}
	r := kmsg.NewConsumerGroupDescribeResponseGroup()
	id := g.List().Group
	r.Group, r.ErrorCode = id, kerr.GroupIDNotFound.Code
	switch {
	case id == "":
		r.ErrorCode = kerr.InvalidGroupID.Code
	case g.State() == Dead:
		r.ErrorMessage = kmsg.StringPtr("Group " + id + " not found.")
	default:
		r.ErrorMessage = kmsg.StringPtr("Group " + id + " is not a consumer group.")
	}
	return r
}

// ConsumerHeartbeat takes a ConsumerGroupHeartbeat. The first one makes the
// group one of consumers: a classic group without members at once, one with
// members if it may be upgraded (KIP-848).
func (g *Group) ConsumerHeartbeat(now time.Time, client Client, req *kmsg.ConsumerGroupHeartbeatRequest, cluster Cluster, timing Timing) (*kmsg.ConsumerGroupHeartbeatResponse, Effects) {
	if g.IsShare() {
		return g.notForShare(now, req)
	}
	c, isConsumer := g.is().(*Consumer)
	classic, _ := g.kind.(*Classic)
	resp, refused := g.consumerHeartbeat(now, &c, client, req, cluster, timing)
	if refused != nil {
		resp = kmsg.NewPtrConsumerGroupHeartbeatResponse()
		resp.ErrorCode, resp.ErrorMessage = refused.err.Code, &refused.message
	} else if !isConsumer {
		classic.handOver(c)
		g.kind = c
	}
	resp.Version = req.Version
	switch {
	case isConsumer || refused == nil:
		return resp, c.effects()
	case classic == nil:
		return resp, g.kind.Expire(now)
	}
	return resp, classic.look(now)
}

func (g *Group) consumerHeartbeat(now time.Time, c **Consumer, client Client, req *kmsg.ConsumerGroupHeartbeatRequest, cluster Cluster, timing Timing) (*kmsg.ConsumerGroupHeartbeatResponse, *refusal) {
	if *c == nil {
		classic, isClassic := g.kind.(*Classic)
		if !isClassic {
			if err := checkHeartbeat(req.Group, &g.kind.config().Consumer, req); err != nil {
				return nil, err
			}
			return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a consumer group.", req.Group)
		}
		if err := checkHeartbeat(classic.id, &classic.cfg.Consumer, req); err != nil {
			return nil, err
		}
		classic.now = now
		var err *refusal
		if *c, err = classic.toConsumer(req.MemberEpoch, cluster); err != nil {
			return nil, err
		}
	} else if err := checkHeartbeat((*c).id, &(*c).cfg.Consumer, req); err != nil {
		return nil, err
	}
	(*c).now, (*c).timing = now, timing
	return (*c).heartbeat(client, req, cluster)
}

// Join takes a classic member's JoinGroup. A group of consumers takes it, too,
// and turns into a classic one if it has no members.
func (g *Group) Join(now time.Time, client Client, req *kmsg.JoinGroupRequest, t Ticket, cluster Cluster) Effects {
	if c, ok := g.is().(*Consumer); ok {
		if len(c.order) > 0 {
			return c.Join(now, client, req, t, cluster)
		}
		c.now = now
		c.storeGroupGone()
		classic := c.toClassic()
		classic.storeNew()
		g.kind = classic
	}
	if s, ok := g.kind.(*Share); ok {
		return s.Join(now, req, t)
	}
	if s, ok := g.kind.(*Streams); ok {
		s.now = now
		if len(s.order) > 0 {
			s.answer(parked{true, t, req.Version}, refusedJoin("", kerr.InconsistentGroupProtocol))
			return s.effects()
		}
		g.kind = s.toClassic()
	}
	return g.kind.(*Classic).Join(now, client, req, t)
}

// Sync takes a classic member's SyncGroup.
func (g *Group) Sync(now time.Time, req *kmsg.SyncGroupRequest, t Ticket) Effects {
	if c, ok := g.is().(*Consumer); ok {
		return c.Sync(now, req, t)
	}
	if s, ok := g.kind.(*Share); ok {
		return s.Sync(now, req, t)
	}
	if s, ok := g.kind.(*Streams); ok {
		s.now = now
		s.answer(parked{true, t, req.Version}, refusedSync(kerr.UnknownMemberID))
		return s.effects()
	}
	return g.kind.(*Classic).Sync(now, req, t)
}

// Heartbeat takes a classic member's Heartbeat, and returns its error code.
func (g *Group) Heartbeat(now time.Time, req *kmsg.HeartbeatRequest) (int16, Effects) {
	if c, ok := g.is().(*Consumer); ok {
		return c.Heartbeat(now, req)
	}
	if s, ok := g.kind.(*Share); ok {
		return s.Heartbeat(now, req)
	}
	if s, ok := g.kind.(*Streams); ok {
		return kerr.UnknownMemberID.Code, s.look(now)
	}
	return g.kind.(*Classic).Heartbeat(now, req)
}

// Leave takes classic members out.
func (g *Group) Leave(now time.Time, req *kmsg.LeaveGroupRequest) (*kmsg.LeaveGroupResponse, Effects) {
	if c, ok := g.is().(*Consumer); ok {
		return c.Leave(now, req)
	}
	if s, ok := g.kind.(*Share); ok {
		return s.Leave(now, req)
	}
	if s, ok := g.kind.(*Streams); ok {
		resp, _ := New(s.id, s.cfg).Leave(now, req) // it knows no classic member
		return resp, s.look(now)
	}
	return g.kind.(*Classic).Leave(now, req)
}

// MigrationPolicy reads group.consumer.migration.policy.
func MigrationPolicy(name string) (upgrade, downgrade bool) {
	name = strings.ToLower(name)
	return name == "upgrade" || name == "bidirectional", name == "downgrade" || name == "bidirectional"
}
