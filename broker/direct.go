package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what a program changes without a client, but for records: see
// Produce.

// CreateTopic makes a topic on the running broker, as [WithTopic] does at the
// start. partitions 0 means num.partitions; configs are topic configs by Kafka's
// names, nil for the defaults. The error wraps Kafka's, such as
// kerr.TopicAlreadyExists.
func (b *Broker) CreateTopic(name string, partitions int, configs map[string]string) error {
	if _, err := b.createTopic(*seedTopic(topicSpec{name, partitions, configs})); err != nil {
		return fmt.Errorf("create topic %q: %w", name, err)
	}
	return nil
}

// DeleteTopic deletes a topic with its records. The error wraps
// kerr.UnknownTopicOrPartition.
func (b *Broker) DeleteTopic(name string) error {
	if _, err := b.deleteTopic(name); err != nil {
		return fmt.Errorf("delete topic %q: %w", name, err)
	}
	return nil
}

// Commit commits offsets of a topic for the group, by partition, as a tool does
// that resets them: where the group goes on reading. The group is made if there
// is none. The error wraps Kafka's: kerr.UnknownMemberID where the group has
// members, whose own commits count then, and kerr.UnknownTopicOrPartition.
func (g Group) Commit(topic string, offsets map[int32]int64) error {
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	found := g.b.image.Load().topic(topic)
	for _, partition := range slices.Sorted(maps.Keys(offsets)) {
		if found.partition(partition) == nil {
			return fmt.Errorf("commit for group %q, partition %d of topic %q: %w", g.id, partition, topic, kerr.UnknownTopicOrPartition)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = partition, offsets[partition], -1
		t.Partitions = append(t.Partitions, p)
	}
	resp := g.b.commitAs(g.id, []kmsg.OffsetCommitRequestTopic{t})
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit for group %q, partition %d of topic %q: %w", g.id, p.Partition, topic, err)
			}
		}
	}
	return nil
}

// WaitForCreated waits until the topic is there.
func (t Topic) WaitForCreated(ctx context.Context) error {
	return t.b.WaitFor(ctx, fmt.Sprintf("topic %q to be made", t.name), t.Exists)
}

// WaitForClient waits until a client with this client id is connected and has
// said so in a request. The error, when ctx ends first, says who is connected.
func (b *Broker) WaitForClient(ctx context.Context, clientID string) error {
	err := b.WaitFor(ctx, fmt.Sprintf("client %q to connect", clientID), func() bool {
		return slices.ContainsFunc(b.Clients(), func(c Client) bool { return c.ClientID == clientID })
	})
	if err == nil {
		return nil
	}
	ids := make(map[string]bool)
	for _, c := range b.Clients() {
		ids[c.ClientID] = true
	}
	return fmt.Errorf("%w (connected are %q)", err, slices.Sorted(maps.Keys(ids)))
}
