// Package group holds the state machines of groups and of their committed
// offsets. They are pure: no goroutine, lock, clock, network or randomness.
// The time is an argument of every call; what must happen outside (records to
// store, answers to parked requests, events for observers, the next moment to be
// called) is returned as Effects. An owner with a lock around one machine delivers them
// after unlock.
//
// This file owns the words that all kinds of groups share; base.go has the state
// that they share, offsets.go committed offsets, kinds.go what a group id may
// be. Classic groups are in classic*.go, consumer groups (KIP-848) in
// consumer*.go, share groups (KIP-932) in share*.go, streams groups (KIP-1071) in
// streams*.go.
package group

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is a group's state, spelled as DescribeGroups and ListGroups show it.
type State string

// The states of a classic group (Kafka's ClassicGroupState).
const (
	Empty               State = "Empty"
	PreparingRebalance  State = "PreparingRebalance"
	CompletingRebalance State = "CompletingRebalance"
	Stable              State = "Stable"
	// Dead is a group that does not exist: never joined, deleted or expired.
	Dead State = "Dead"
)

// KindClassic is the group type that ListGroups shows for a Classic.
const KindClassic = "classic"

// Config is what a broker's configuration says about groups. One value is
// shared by all groups; it is read only.
type Config struct {
	// InitialRebalanceDelay is how long the first join of an empty group
	// waits for others (group.initial.rebalance.delay.ms). Zero answers at
	// once.
	InitialRebalanceDelay time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what members may ask for
	// (group.min.session.timeout.ms, group.max.session.timeout.ms).
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// MaxSize is the largest number of members (group.max.size).
	MaxSize int
	// OffsetMetadataMaxBytes is the longest text beside a committed offset
	// (offset.metadata.max.bytes).
	OffsetMetadataMaxBytes int
	// OffsetsRetention is how long unused offsets live
	// (offsets.retention.minutes, KIP-211).
	OffsetsRetention time.Duration
	// OffsetsCheckInterval is the least time between two looks for expired
	// offsets (offsets.retention.check.interval.ms).
	OffsetsCheckInterval time.Duration
	// NewUUID makes the random part of member ids.
	NewUUID func() string
	// Watched tells whether anybody looks at events. Those that would be made
	// for each member at once are left out if not. Nil: somebody looks.
	Watched func() bool
	// Consumer is for groups whose coordinator assigns partitions (KIP-848).
	Consumer ConsumerConfig
	// Share is for groups whose members share partitions (KIP-932).
	Share ShareConfig
	// Streams is for groups of Kafka Streams' own protocol (KIP-1071).
	Streams StreamsConfig
}

// Client says who sent a request.
type Client struct {
	ID   string // the client id of the request's header
	Host string // as DescribeGroups shows it, such as "/127.0.0.1"
}

// Ticket stands for a request that waits for its answer. The machine only
// hands it back. It must be comparable, such as a pointer.
type Ticket any

// Answer is the response to the request behind Ticket. Its version is set;
// its byte fields may alias the group's state, which never changes in place.
type Answer struct {
	Ticket   Ticket
	Response kmsg.Response
}

// Event tells observers what happened to a group. From and To are equal where
// members changed and the state did not.
type Event struct {
	Group      string
	Kind       string // KindClassic, KindConsumer, ...
	From, To   State
	Generation int32      // the group's epoch, where its kind calls it so
	Member     string     // whom it is about, if one
	Assignment Assignment // what that member has now; nil: nothing, or not known
	Why        string     // what happened, in a few fixed words
	Reason     string     // what the client gave as its reason, if anything
}

// Assignment is what a member of a group has. It never changes.
type Assignment interface {
	// ByTopic lists the partitions by the names of their topics. topics gives
	// names to ids; a topic that does not exist any more goes by its id.
	ByTopic(topics Lookup) map[string][]int32
}

// Effects is what a call wants done outside the machine.
type Effects struct {
	// Records are to be stored in __consumer_offsets, in this order and
	// before anybody gets an answer.
	Records []Record
	Answers []Answer
	Events  []Event
	// Deadline is when Expire must be called next; zero for never. It may be
	// earlier than needed: a timer that is set for an earlier moment can be
	// left alone, Expire then says when to come back.
	Deadline time.Time
	// Empty means that the group does not exist (any more) and that the
	// owner should forget it.
	Empty bool
}

// Topic is what the cluster knows about a topic that a request names.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32 // how many: valid indexes are 0 to Partitions-1
	Err        int16 // unknown name or id, or not authorised; 0 otherwise
}

// Lookup resolves a topic by name or, where the name is empty, by id.
type Lookup func(name string, id [16]byte) Topic

// Filter is the states and types that a ListGroups request asks for.
type Filter struct{ states, types []string }

// NewFilter reads the filters of ListGroups v4 and v5. Case does not matter,
// an empty list lets everything through and an unknown word matches nothing.
func NewFilter(states, types []string) Filter {
	f := Filter{states: make([]string, len(states)), types: types}
	for i, s := range states {
		f.states[i] = strings.TrimSpace(s)
	}
	return f
}

// Match tells whether the group belongs into the answer.
func (f Filter) Match(g kmsg.ListGroupsResponseGroup) bool {
	return matches(f.states, g.GroupState) && matches(f.types, g.GroupType)
}

func matches(wanted []string, is string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, is) })
}
