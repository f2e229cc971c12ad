package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what descriptions of groups hide: who may not see a topic must
// not learn of it by a group that has it (KAFKA-18813). Kafka then tells nothing
// of the group.

var (
	errGroupTopicsDenied    = fail(kerr.TopicAuthorizationFailed, "The group has described topic(s) that the client is not authorized to describe.")
	errTopologyTopicsDenied = fail(kerr.TopicAuthorizationFailed, "The described group uses topics that the client is not authorized to describe.")
)

// hideConsumer hides a group of consumers by what is assigned to its members,
// and will be.
func (r *request) hideConsumer(d *kmsg.ConsumerGroupDescribeResponseGroup) {
	var topics []string
	for i := range d.Members {
		for _, t := range d.Members[i].Assignment.TopicPartitions {
			topics = append(topics, t.Topic)
		}
		for _, t := range d.Members[i].TargetAssignment.TopicPartitions {
			topics = append(topics, t.Topic)
		}
	}
	if r.mayDescribeAll(topics) != nil {
		id := d.Group
		*d = kmsg.NewConsumerGroupDescribeResponseGroup()
		d.Group = id
		d.ErrorCode, d.ErrorMessage = codeAndText(errGroupTopicsDenied)
	}
}

// hideShare hides a share group by what is assigned to its members.
func (r *request) hideShare(d *kmsg.ShareGroupDescribeResponseGroup) {
	var topics []string
	for i := range d.Members {
		for _, t := range d.Members[i].Assignment.TopicPartitions {
			topics = append(topics, t.Topic)
		}
	}
	if r.mayDescribeAll(topics) != nil {
		id := d.GroupID
		*d = kmsg.NewShareGroupDescribeResponseGroup()
		d.GroupID = id
		d.ErrorCode, d.ErrorMessage = codeAndText(errGroupTopicsDenied)
	}
}

// hideStreams hides a streams group by the topics of its topology.
func (r *request) hideStreams(d *kmsg.StreamsGroupDescribeResponseGroup) {
	if d.Topology == nil {
		return
	}
	var topics []string
	for i := range d.Topology.Subtopologies {
		s := &d.Topology.Subtopologies[i]
		topics = append(append(topics, s.SourceTopics...), s.RepartitionSinkTopics...)
		for _, infos := range [][]kmsg.TopicInfo{s.RepartitionSourceTopics, s.StateChangelogTopics} {
			for _, t := range infos {
				topics = append(topics, t.Topic)
			}
		}
	}
	if r.mayDescribeAll(topics) != nil {
		id := d.Group
		*d = kmsg.NewStreamsGroupDescribeResponseGroup()
		d.Group = id
		d.ErrorCode, d.ErrorMessage = codeAndText(errTopologyTopicsDenied)
	}
}
