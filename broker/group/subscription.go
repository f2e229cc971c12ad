package group

import (
	"bytes"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a broker reads in consumers' metadata: the topics.

// consumerProtocol is the protocol type of consumers: the only one whose
// metadata a broker looks into.
const consumerProtocol = "consumer"

// subscription is the set of topics that the members of a group consume.
// known is false where the broker cannot tell: then no topic counts as free.
type subscription struct {
	topics []string // sorted
	known  bool
}

// readSubscription collects the topics from the members' metadata. As Apache
// Kafka, it reads only what version 0 has, which every version starts with.
func readSubscription(metadata [][]byte) subscription {
	s := subscription{topics: []string{}, known: true}
	var last []byte
	for _, md := range metadata {
		// Most groups subscribe alike: the same bytes need no second look.
		if last != nil && bytes.Equal(md, last) {
			continue
		}
		last = md
		if len(md) < 2 || md[0]&0x80 != 0 {
			return subscription{}
		}
		v0 := bytes.Clone(md)
		v0[0], v0[1] = 0, 0
		var parsed kmsg.ConsumerMemberMetadata
		if err := parsed.UnsafeReadFrom(v0); err != nil {
			return subscription{}
		}
		s.topics = append(s.topics, parsed.Topics...)
	}
	slices.Sort(s.topics)
	s.topics = slices.Clip(slices.Compact(s.topics))
	return s
}

// consumerAssignment is what the leader of a classic group gave to a consumer,
// in the form that consumers read.
type consumerAssignment []byte

// ByTopic is for observers; see Assignment. What cannot be read is nothing.
func (a consumerAssignment) ByTopic(Lookup) map[string][]int32 {
	parsed := kmsg.NewConsumerMemberAssignment()
	if parsed.ReadFrom(a) != nil {
		return nil
	}
	named := make(map[string][]int32, len(parsed.Topics))
	for _, t := range parsed.Topics {
		named[t.Topic] = t.Partitions
	}
	return named
}
