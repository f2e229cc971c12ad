package ui

// This file owns the connection to the cluster. The UI is a Kafka client like
// any other, so its pages fit any cluster.

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// clientID is how the UI's own connections call themselves.
const clientID = "minibroker-ui"

type cluster struct {
	client  *kgo.Client
	admin   *kadm.Client
	inner   *broker.Broker // nil: somewhere else
	seeds   []string
	reached []kgo.Opt // how brokers are reached
}

// connect makes a client of the cluster at seeds. Nothing is dialled yet.
func connect(seeds []string, reached ...kgo.Opt) (*cluster, error) {
	c := &cluster{seeds: seeds, reached: reached}
	client, err := c.another(
		// A page shows what is, not what was seconds ago.
		kgo.MetadataMinAge(10*time.Millisecond),
		// A record sent by hand is one request; a producer id would be noise.
		kgo.DisableIdempotentWrite(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(10*time.Second),
		kgo.UnknownTopicRetries(1),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(64<<20), // the broker says what is too large
		kgo.BrokerMaxWriteBytes(96<<20),
		kgo.RetryTimeout(8*time.Second),
	)
	if err != nil {
		return nil, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	return c, nil
}

// another makes one more client of the same cluster.
func (c *cluster) another(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(c.seeds...), kgo.ClientID(clientID), kgo.DisableClientMetrics()}, c.reached, opts)...)
}

func (c *cluster) close() { c.client.Close() }

// metadata asks for topics, or all of them if none is named. It never takes
// what the client remembers: a topic created a moment ago must be there.
func (c *cluster) metadata(ctx context.Context, topics ...string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	if len(topics) > 0 {
		for _, name := range topics {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(name)
			req.Topics = append(req.Topics, t)
		}
	}
	return req.RequestWith(ctx, c.client)
}

// about asks who the brokers are.
func (c *cluster) about(ctx context.Context) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none, not all
	return req.RequestWith(ctx, c.client)
}

// one is the metadata of a topic that must exist.
func (c *cluster) one(ctx context.Context, topic string) (*kmsg.MetadataResponseTopic, error) {
	m, err := c.metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	t := &m.Topics[0]
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		return nil, err
	}
	slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
	return t, nil
}

// The times that ListOffsets takes for the ends of a log.
const (
	atEnd   = -1
	atStart = -2
)

// bounds is where each partition starts and ends.
func (c *cluster) bounds(ctx context.Context, partitions map[string][]int32) (starts, ends map[string]map[int32]int64, err error) {
	if starts, err = c.offsets(ctx, atStart, partitions); err != nil {
		return nil, nil, err
	}
	ends, err = c.offsets(ctx, atEnd, partitions)
	return starts, ends, err
}

// offsets asks each partition for its offset at a time in milliseconds, or at
// an end. A partition that has none, or does not answer, is not in the result.
func (c *cluster) offsets(ctx context.Context, at int64, partitions map[string][]int32) (map[string]map[int32]int64, error) {
	found := make(map[string]map[int32]int64, len(partitions))
	if len(partitions) == 0 {
		return found, nil
	}
	if c.inner != nil && (at == atStart || at == atEnd) {
		return direct(c.inner, at, partitions), nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	for topic, ps := range partitions {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, p := range ps {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = p, at, -1
			t.Partitions = append(t.Partitions, rp)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.client)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		found[t.Topic] = make(map[int32]int64, len(t.Partitions))
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 && p.Offset >= 0 {
				found[t.Topic][p.Partition] = p.Offset
			}
		}
	}
	return found, nil
}

// numbers are the partitions of a topic.
func numbers(t *kmsg.MetadataResponseTopic) []int32 {
	all := make([]int32, len(t.Partitions))
	for i, p := range t.Partitions {
		all[i] = p.Partition
	}
	return all
}
