// Package dump writes what a cluster has as a fixture. It asks by the Kafka
// protocol, so any cluster can be dumped.
package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fixture"
)

// ClientID is how a dump's connections call themselves.
const ClientID = "minibroker-dump"

// Write writes the topics with these names, or all but internal ones if none is
// named, with their configs and committed records, and the offsets that groups
// have committed for them. Order: topics by name, their records by partition
// and offset, groups by name. client needs no options but those to connect.
func Write(ctx context.Context, client *kgo.Client, names []string, to io.Writer) error {
	d := &dumper{client: client, admin: kadm.NewClient(client), w: fixture.NewWriter(to)}
	topics, err := d.topics(ctx, names)
	if err != nil {
		return err
	}
	for i := range topics {
		if err := d.topic(ctx, &topics[i]); err != nil {
			return fmt.Errorf("topic %s: %w", topics[i].name, err)
		}
	}
	if err := d.groups(ctx, topics); err != nil {
		return err
	}
	return d.w.Flush()
}

type dumper struct {
	client *kgo.Client
	admin  *kadm.Client
	w      *fixture.Writer
}

// topic is one to dump. Its partitions are in order.
type topic struct {
	name       string
	id         [16]byte
	partitions []kmsg.MetadataResponseTopicPartition
}

func (d *dumper) topics(ctx context.Context, names []string) ([]topic, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, d.client)
	if err != nil {
		return nil, err
	}
	var topics []topic
	for _, t := range resp.Topics {
		if t.Topic == nil || t.IsInternal && len(names) == 0 {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		topics = append(topics, topic{*t.Topic, t.TopicID, t.Partitions})
	}
	slices.SortFunc(topics, func(a, b topic) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return topics, nil
}

// ends asks for where a topic's partitions begin and end; the end is the last
// stable offset.
func (d *dumper) ends(ctx context.Context, name string) (start, end kadm.ListedOffsets, err error) {
	if start, err = d.admin.ListStartOffsets(ctx, name); err == nil {
		err = start.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	if end, err = d.admin.ListCommittedOffsets(ctx, name); err == nil {
		err = end.Error()
	}
	return start, end, err
}

func (d *dumper) topic(ctx context.Context, t *topic) error {
	configs, err := d.configs(ctx, t.name)
	if err != nil {
		return err
	}
	starts, ends, err := d.ends(ctx, t.name)
	if err != nil {
		return err
	}
	of := fixture.Topic{Name: t.name, Partitions: len(t.partitions), Configs: configs, Start: map[int32]int64{}, End: map[int32]int64{}}
	for _, p := range t.partitions {
		start, _ := starts.Lookup(t.name, p.Partition)
		end, _ := ends.Lookup(t.name, p.Partition)
		if start.Offset > 0 {
			of.Start[p.Partition] = start.Offset
		}
		last, err := d.last(ctx, t, p, start.Offset, end.Offset)
		if err != nil {
			return err
		}
		if end.Offset > max(last+1, start.Offset) {
			of.End[p.Partition] = end.Offset
		}
	}
	d.w.Topic(of)
	for _, p := range t.partitions {
		start, _ := starts.Lookup(t.name, p.Partition)
		end, _ := ends.Lookup(t.name, p.Partition)
		next := start.Offset
		err := d.read(ctx, t, p, start.Offset, end.Offset, func(r *kgo.Record) {
			d.w.Record(line(r, next))
			next = r.Offset + 1
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// last is the offset of a partition's last record; -1 if it has none.
func (d *dumper) last(ctx context.Context, t *topic, p kmsg.MetadataResponseTopicPartition, start, end int64) (int64, error) {
	last := int64(-1)
	// Mostly it is at the very end; only what follows it in a batch, or makes
	// up batches of its own, has to be read through.
	for from := max(start, end-1); end > start; from = max(start, from-(end-from)*4) {
		err := d.read(ctx, t, p, from, end, func(r *kgo.Record) { last = r.Offset })
		if err != nil || last >= 0 || from == start {
			return last, err
		}
	}
	return last, nil
}

// line is a record as it stands in the fixture: with its offset only where that
// is not the next one.
func line(r *kgo.Record, next int64) fixture.Record {
	of := fixture.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: -1,
		Timestamp: r.Timestamp.UnixMilli(), HasTimestamp: true,
		Key: r.Key, Value: r.Value,
	}
	if r.Offset != next {
		of.Offset = r.Offset
	}
	for _, h := range r.Headers {
		of.Headers = append(of.Headers, fixture.Header{Key: h.Key, Value: h.Value})
	}
	return of
}

// configs are those that the topic itself has.
func (d *dumper) configs(ctx context.Context, name string) (map[string]string, error) {
	all, err := d.admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return nil, err
	}
	configs := make(map[string]string)
	for _, c := range all[0].Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
			configs[c.Key] = *c.Value
		}
	}
	return configs, all[0].Err
}

// read calls f for each committed record from one offset up to another.
func (d *dumper) read(ctx context.Context, t *topic, p kmsg.MetadataResponseTopicPartition, from, end int64, f func(*kgo.Record)) error {
	for from < end {
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.SessionEpoch, req.MaxBytes, req.IsolationLevel = -1, -1, 16<<20, 1
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = t.name, t.id
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch, rp.PartitionMaxBytes = p.Partition, from, -1, 8<<20
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		answer, err := d.client.Broker(int(p.Leader)).RetriableRequest(ctx, req)
		if err != nil {
			return err
		}
		resp := answer.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return fmt.Errorf("partition %d: the broker answered about another one", p.Partition)
		}
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: from, Topic: t.name, Partition: p.Partition, IsolationLevel: kgo.ReadCommitted(),
		}, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
		if fetched.Err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, fetched.Err)
		}
		for _, r := range fetched.Records {
			if r.Offset < end {
				f(r)
			}
		}
		if next <= from {
			return nil // nothing more is there to be read
		}
		from = next
	}
	return nil
}

// groups writes the offsets of groups for the topics.
func (d *dumper) groups(ctx context.Context, topics []topic) error {
	wanted := make(map[string]bool, len(topics))
	for _, t := range topics {
		wanted[t.name] = true
	}
	listed, err := d.admin.ListGroups(ctx)
	if err != nil && len(listed) == 0 {
		return err
	}
	for _, id := range listed.Groups() {
		committed, err := d.admin.FetchOffsets(ctx, id)
		if errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.GroupAuthorizationFailed) {
			continue // a group that commits no offsets, such as a share group, or none of ours
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", id, err)
		}
		for _, o := range committed.Sorted() {
			if o.Err == nil && o.At >= 0 && wanted[o.Topic] {
				d.w.Commit(fixture.Commit{Group: id, Topic: o.Topic, Partition: o.Partition, Offset: o.At, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata})
			}
		}
	}
	return nil
}
