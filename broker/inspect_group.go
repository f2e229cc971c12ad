package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/broker/group"
)

// This file owns how a program looks at groups and clients without one of its
// own.

// Group looks at one consumer group of a broker; it need not exist yet.
type Group struct {
	b  *Broker
	id string
}

// Group returns a view of the group called id. It is always of the present.
func (b *Broker) Group(id string) Group { return Group{b, id} }

// Groups returns the ids of all groups in order.
func (b *Broker) Groups() []string {
	ids := b.groups.all()
	slices.Sort(ids)
	return ids
}

// Member is one member of a group.
type Member struct {
	ID         string
	InstanceID string // of a static member (KIP-345), else empty
	ClientID   string
	Host       string             // as DescribeGroups shows it, such as "/127.0.0.1"
	Partitions map[string][]int32 // assigned to it, by topic; nil while a rebalance runs
}

// Kind is the group's kind as Kafka's tools print it: classic, consumer, share or
// streams.
func (g Group) Kind() string {
	kind := group.KindClassic
	g.b.groups.peek(g.id, func(c *group.Group) { kind = c.Kind() })
	return kind
}

// State is the group's state as Kafka's tools print it: Empty,
// PreparingRebalance, CompletingRebalance, Stable, or Dead where there is no
// such group.
func (g Group) State() string {
	state := string(group.Dead)
	g.b.groups.peek(g.id, func(c *group.Group) { state = string(c.State()) })
	return state
}

// Members returns the members of a group of any protocol, in the order in which
// Kafka's tools list them. What a member of a streams group reads for its active
// tasks is its partitions.
func (g Group) Members() []Member {
	var classic kmsg.DescribeGroupsResponseGroup
	var consumer kmsg.ConsumerGroupDescribeResponseGroup
	var shared kmsg.ShareGroupDescribeResponseGroup
	var streams kmsg.StreamsGroupDescribeResponseGroup
	topics := g.b.lookupTopic()
	g.b.groups.peek(g.id, func(c *group.Group) {
		classic, consumer, shared, streams = c.Describe(6), c.DescribeConsumer(topics), c.DescribeShare(topics), c.DescribeStreams(g.id, false)
	})
	members := make([]Member, 0, len(classic.Members)+len(consumer.Members)) // one of them has none
	for _, m := range classic.Members {
		as := Member{ID: m.MemberID, InstanceID: stringOrNone(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost}
		var a kmsg.ConsumerMemberAssignment
		if classic.State == string(group.Stable) && a.ReadFrom(m.MemberAssignment) == nil {
			as.Partitions = make(map[string][]int32)
			for _, t := range a.Topics {
				as.Partitions[t.Topic] = t.Partitions
			}
		}
		members = append(members, as)
	}
	for _, m := range consumer.Members {
		as := Member{ID: m.MemberID, InstanceID: stringOrNone(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost, Partitions: make(map[string][]int32)}
		for _, t := range m.Assignment.TopicPartitions {
			as.Partitions[t.Topic] = t.Partitions
		}
		members = append(members, as)
	}
	for _, m := range shared.Members {
		as := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Partitions: make(map[string][]int32)}
		for _, t := range m.Assignment.TopicPartitions {
			as.Partitions[t.Topic] = t.Partitions
		}
		members = append(members, as)
	}
	for _, m := range streams.Members {
		as := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Partitions: make(map[string][]int32)}
		for _, task := range m.Assignment.ActiveTasks {
			for _, s := range streams.Topology.Subtopologies {
				if s.SubtopologyID == task.SubtopologyID {
					as.addInputs(s, task.Partitions, topics)
				}
			}
		}
		members = append(members, as)
	}
	return members
}

// addInputs adds what tasks of a subtopology read: of each of its topics the
// partitions of their numbers, as far as it has them.
func (m *Member) addInputs(s kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology, tasks []int32, topics group.Lookup) {
	names := slices.Clone(s.SourceTopics)
	for _, t := range s.RepartitionSourceTopics {
		names = append(names, t.Topic)
	}
	for _, name := range names {
		n := topics(name, [16]byte{}).Partitions
		m.Partitions[name] = slices.DeleteFunc(slices.Clone(tasks), func(p int32) bool { return p >= n })
	}
}

func stringOrNone(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Committed returns the offsets that the group has committed, by topic and
// partition.
func (g Group) Committed() map[string]map[int32]int64 {
	all := make(map[string]map[int32]int64)
	g.b.groups.peek(g.id, func(c *group.Group) {
		for _, name := range c.Offsets().Topics() {
			of := make(map[int32]int64)
			for _, p := range c.Offsets().Partitions(name) {
				of[p.Partition] = p.Offset
			}
			all[name] = of
		}
	})
	return all
}

// Committed is b.Group(group).Committed().
func (b *Broker) Committed(group string) map[string]map[int32]int64 {
	return b.Group(group).Committed()
}

// Lag is the number of offsets of a topic that the group has yet to commit,
// over all partitions. Where it has committed nothing, all that the partition
// has counts. Of a share group, it is the records that are not done.
func (g Group) Lag(topic string) (lag int64) {
	if g.Kind() == group.KindShare {
		for _, at := range g.Shares(topic) {
			lag += at.Lag
		}
		return lag
	}
	committed := g.Committed()[topic]
	for i, p := range g.b.Topic(topic).partitions() {
		from, ok := committed[int32(i)]
		if !ok {
			from = p.log.StartOffset()
		}
		lag += max(0, p.highWatermark.Load()-from)
	}
	return lag
}

// WaitForStable waits until the group is Stable with exactly n members: each
// has its partitions.
func (g Group) WaitForStable(ctx context.Context, n int) error {
	return g.wait(ctx, fmt.Sprintf("group %q to be Stable with %d members", g.id, n), func() bool {
		ok := false
		g.b.groups.peek(g.id, func(c *group.Group) { ok = c.State() == group.Stable && c.Members() == n })
		return ok
	})
}

// WaitForState waits until the group is in a state, see [Group.State].
func (g Group) WaitForState(ctx context.Context, state string) error {
	return g.wait(ctx, fmt.Sprintf("group %q to be %s", g.id, state), func() bool { return g.State() == state })
}

// WaitForCommitted waits until the group has committed offset, or a later one,
// for a partition.
func (g Group) WaitForCommitted(ctx context.Context, topic string, partition int32, offset int64) error {
	what := fmt.Sprintf("group %q to commit offset %d of partition %d of topic %q", g.id, offset, partition, topic)
	return g.wait(ctx, what, func() bool {
		at, ok := g.Committed()[topic][partition]
		return ok && at >= offset
	})
}

// WaitForLagZero waits until the group has committed all that a topic has.
func (g Group) WaitForLagZero(ctx context.Context, topic string) error {
	return g.wait(ctx, fmt.Sprintf("group %q to have no lag on topic %q", g.id, topic), func() bool {
		return g.b.Topic(topic).Exists() && g.Lag(topic) == 0
	})
}

// wait is WaitFor with the group's state in the error.
func (g Group) wait(ctx context.Context, what string, done func() bool) error {
	if err := g.b.WaitFor(ctx, what, done); err != nil {
		return fmt.Errorf("%w (it is %s)", err, g)
	}
	return nil
}

// String says how the group is, for people: its state, its members with what
// is assigned to them, and its lag.
func (g Group) String() string {
	state := g.State()
	members := g.Members()
	var s strings.Builder
	switch n := len(members); {
	case state == string(group.Dead) && n == 0:
		return "not there"
	case n == 0:
		s.WriteString(state + " without members")
	case n == 1:
		s.WriteString(state + " with 1 member")
	default:
		fmt.Fprintf(&s, "%s with %d members", state, n)
	}
	for i, m := range members {
		if i == summaryLines {
			fmt.Fprintf(&s, ", and %d more", len(members)-i)
			break
		}
		fmt.Fprintf(&s, "%s %s", oneOf(i, ":", ","), m.ClientID)
		for _, topic := range slices.Sorted(maps.Keys(m.Partitions)) {
			fmt.Fprintf(&s, " %s%v", topic, m.Partitions[topic])
		}
	}
	committed := g.Committed()
	for i, topic := range slices.Sorted(maps.Keys(committed)) {
		s.WriteString(oneOf(i, "; committed", ","))
		for _, p := range slices.Sorted(maps.Keys(committed[topic])) {
			fmt.Fprintf(&s, " %s-%d at %d", topic, p, committed[topic][p])
		}
		fmt.Fprintf(&s, " (lag %d)", g.Lag(topic))
	}
	return s.String()
}

func oneOf(i int, first, later string) string {
	if i == 0 {
		return first
	}
	return later
}

// Client is one connection of a client.
type Client struct {
	Connection      uint64 // counts up from 1
	Broker          int32  // the id of the broker that it reached
	RemoteAddr      string
	ClientID        string // of its newest request; empty before the first
	SoftwareName    string // as the client calls itself (KIP-511), such as "franz-go"; else empty
	SoftwareVersion string
	User            string // as it authenticated; else ANONYMOUS
}

// Clients returns the open connections, oldest first. Most clients have several.
func (b *Broker) Clients() []Client {
	b.conns.mu.Lock()
	defer b.conns.mu.Unlock()
	clients := make([]Client, 0, len(b.conns.open))
	for _, id := range slices.Sorted(maps.Keys(b.conns.open)) {
		c := b.conns.open[id]
		as := Client{Connection: id, Broker: c.node.id, RemoteAddr: c.nc.RemoteAddr().String(), User: auth.Anonymous.Name}
		if known := c.known.Load(); known != nil {
			as.ClientID, as.SoftwareName, as.SoftwareVersion, as.User = known.ClientID, known.SoftwareName, known.SoftwareVersion, known.User
		}
		clients = append(clients, as)
	}
	return clients
}

// introduce publishes who the client says that it is.
func (c *conn) introduce() {
	c.known.Store(&Client{ClientID: c.clientID, SoftwareName: c.softwareName, SoftwareVersion: c.softwareVersion, User: c.user()})
	c.broker.changes.happened()
}

// Heard returns when each member's session began anew, by member id, on the
// broker's clock: its latest heartbeat, or what counts as one.
func (g Group) Heard() (heard map[string]time.Time) {
	g.b.groups.peek(g.id, func(c *group.Group) { heard = c.Heard() })
	return heard
}

// Epoch counts the group's changes: a classic group's generation, the group
// epoch of others. It is 0 where there is no such group.
func (g Group) Epoch() (epoch int32) {
	g.b.groups.peek(g.id, func(c *group.Group) { epoch = c.Epoch() })
	return epoch
}
