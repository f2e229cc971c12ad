package broker

import (
	"io/fs"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/fixture"
	"minibroker/broker/group"
	"minibroker/protocol/record"
)

// This file owns loading fixtures: topics, records and committed offsets from
// files. Package fixture reads the files.

// WithFixture makes the topics, records and committed offsets that a file says,
// see package fixture. It may be given several times; topics of WithTopic are
// there before. [Broker.Reset] brings them back.
func WithFixture(fsys fs.FS, path string) Option {
	return func(o *options) { o.fixtures = append(o.fixtures, fixtureFile{fsys, path}) }
}

type fixtureFile struct {
	fsys fs.FS
	path string
}

// loadFixtures is called when the broker is made, before anybody may connect.
func (b *Broker) loadFixtures(files []fixtureFile) error {
	for _, file := range files {
		f, err := fixture.Read(file.fsys, file.path)
		if err != nil {
			return err
		}
		if err := b.Load(f); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return nil
	}
	b.loaded = b.Snapshot()
	return nil
}

// Load makes what a fixture has. Its topics must not be there yet; records may
// also be of topics that are. The error is a *fixture.Error that names the line;
// then no topic of the fixture is left.
func (b *Broker) Load(f *fixture.Fixture) error {
	var made []string
	for _, t := range f.Topics {
		if err := b.makeTopic(f, t); err != nil {
			b.unmake(made)
			return err
		}
		made = append(made, t.Name)
	}
	err := b.loadRecords(f)
	if err == nil {
		err = b.loadCommits(f)
	}
	if err != nil {
		b.unmake(made)
	}
	return err
}

// unmake takes back what a fixture made that cannot be loaded whole.
func (b *Broker) unmake(topics []string) {
	for _, name := range topics {
		_, _ = b.deleteTopic(name) // somebody else was faster, then
	}
}

func (b *Broker) makeTopic(f *fixture.Fixture, t fixture.Topic) error {
	for name := range t.Configs {
		if _, ok := config.TopicDef(name); ok {
			continue
		}
		if near := config.SuggestTopic(name); near != "" {
			return f.Errorf(t.Line, "topic %q: unknown topic config %q: did you mean %q?", t.Name, name, near)
		}
		return f.Errorf(t.Line, "topic %q: unknown topic config %q: names are Apache Kafka's, such as retention.ms", t.Name, name)
	}
	_, err := b.createTopic(*seedTopic(topicSpec{t.Name, t.Partitions, t.Configs}))
	switch {
	case err == nil:
		return nil
	case err.code == kerr.TopicAlreadyExists.Code:
		return f.Errorf(t.Line, "topic %q is there already: delete it first, or take the line out", t.Name)
	}
	return f.Errorf(t.Line, "topic %q: %s", t.Name, err.message)
}

// loader appends the records of one partition.
type loader struct {
	b     *Broker
	f     *fixture.Fixture
	p     *partition
	next  int64 // offset of the next record
	batch *record.Builder
	line  int // of the batch's first record
}

// batchSize is how large the batches of a fixture's records get.
const batchSize = 64 << 10

func (b *Broker) loadRecords(f *fixture.Fixture) error {
	loaders := make(map[*partition]*loader)
	var order []*loader
	of := func(p *partition) *loader {
		l := loaders[p]
		if l == nil {
			l = &loader{b: b, f: f, p: p, next: p.log.EndOffset()}
			loaders[p] = l
			order = append(order, l)
		}
		return l
	}
	for _, t := range f.Topics {
		for index, offset := range t.Start {
			p := b.image.Load().topic(t.Name).partition(index)
			if p == nil || offset < 0 {
				return f.Errorf(t.Line, "topic %q: start: there is no partition %d with offset %d", t.Name, index, offset)
			}
			of(p).skip(offset, true)
		}
	}
	turn := make(map[string]int32)
	now := b.nowMs()
	for i := range f.Records {
		r := &f.Records[i]
		t := b.image.Load().topic(r.Topic)
		if t == nil || t.internal {
			return f.Errorf(r.Line, `there is no topic %q for this record: add a line such as {"topic":%q,"partitions":1}, or --topic %s:1`, r.Topic, r.Topic, r.Topic)
		}
		index := r.Partition
		switch {
		case index < 0 && r.Key != nil:
			index = fixture.PartitionOf(r.Key, len(t.partitions))
		case index < 0:
			index = turn[r.Topic] % int32(len(t.partitions))
			turn[r.Topic]++
		}
		p := t.partition(index)
		if p == nil {
			return f.Errorf(r.Line, "topic %q has no partition %d: it has %d; give it more, or change the record", r.Topic, index, len(t.partitions))
		}
		if err := of(p).add(r, now); err != nil {
			return err
		}
	}
	for _, l := range order {
		if err := l.flush(); err != nil {
			return err
		}
	}
	for _, t := range f.Topics {
		for index, end := range t.End {
			p := b.image.Load().topic(t.Name).partition(index)
			if p == nil || end < p.log.EndOffset() {
				return f.Errorf(t.Line, "topic %q: end: partition %d cannot end at offset %d: its records go further, or it is not there", t.Name, index, end)
			}
			of(p).skip(end, false)
		}
	}
	return nil
}

func (l *loader) add(r *fixture.Record, now int64) error {
	if r.Offset >= 0 && r.Offset < l.next {
		return l.f.Errorf(r.Line, "offset %d is behind those before it: partition %d of topic %q goes on at %d; leave the offset out for the next one", r.Offset, l.p.index, r.Topic, l.next)
	}
	limits := l.p.settings.Load().limits
	if limits.Compacted && r.Key == nil {
		return l.f.Errorf(r.Line, "topic %q is compacted, and the record has no key: give it one", r.Topic)
	}
	if r.Offset > l.next {
		if err := l.flush(); err != nil {
			return err
		}
		l.skip(r.Offset, false)
	}
	raw := record.Record{Timestamp: now, Key: r.Key, Value: r.Value}
	if r.HasTimestamp {
		raw.Timestamp = r.Timestamp
	}
	for _, h := range r.Headers {
		raw.Headers = append(raw.Headers, record.Header{Key: h.Key, Value: h.Value})
	}
	if l.batch == nil {
		l.batch, l.line = record.NewBuilder(record.None, 0), r.Line
	}
	raw.Offset = int64(l.batch.Count())
	l.batch.Add(raw)
	l.next++
	if l.batch.Len() >= batchSize {
		return l.flush()
	}
	return nil
}

// skip leaves the offsets up to offset empty; atStart says that the log begins
// there.
func (l *loader) skip(offset int64, atStart bool) {
	l.p.mu.Lock()
	l.p.log.SkipTo(offset)
	if atStart {
		l.p.log.DeleteRecords(offset)
	}
	l.p.highWatermark.Store(l.p.log.EndOffset())
	l.p.mu.Unlock()
	l.next = max(l.next, offset)
	l.b.changes.happened()
}

// flush appends the batch, as it would come from a log: with its own
// timestamps, and whatever max.message.bytes is by now.
func (l *loader) flush() error {
	if l.batch == nil {
		return nil
	}
	raw, err := l.batch.Build(nil)
	l.batch = nil
	if err == nil {
		s := l.p.settings.Load()
		limits := s.limits
		limits.LogAppendTime, limits.MaxMessageBytes = false, math.MaxInt32
		limits.Partition, limits.Now = l.p.index, l.b.nowMs()
		if batch, rejected := record.Validate(raw, &limits); rejected != nil {
			err = rejected
		} else if len(batch) > s.log.SegmentBytes {
			err = kerr.RecordListTooLarge
		} else if _, failed := l.b.append(l.p, batch, limits.Now); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return l.f.Errorf(l.line, "partition %d of topic %q refuses the record: %v", l.p.index, l.p.topicName, err)
	}
	return nil
}

func (b *Broker) loadCommits(f *fixture.Fixture) error {
	for _, c := range f.Commits {
		t := b.image.Load().topic(c.Topic)
		switch {
		case c.Group == "":
			return f.Errorf(c.Line, "the group has no name: write one")
		case t == nil:
			return f.Errorf(c.Line, "group %q: there is no topic %q: make it first, or take the offset out", c.Group, c.Topic)
		case t.partition(c.Partition) == nil:
			return f.Errorf(c.Line, "group %q: topic %q has no partition %d: it has %d", c.Group, c.Topic, c.Partition, len(t.partitions))
		case c.Offset < 0:
			return f.Errorf(c.Line, "group %q: %d is not an offset: they count from 0", c.Group, c.Offset)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = c.Partition, c.Offset, c.LeaderEpoch, kmsg.StringPtr(c.Metadata)
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.Partitions = c.Topic, []kmsg.OffsetCommitRequestTopicPartition{p}
		resp := b.commitAs(c.Group, []kmsg.OffsetCommitRequestTopic{topic})
		if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
			return f.Errorf(c.Line, "group %q refuses the offset: %v", c.Group, err)
		}
	}
	return nil
}

// commitAs commits offsets as an administrator does, for a group without
// members.
func (b *Broker) commitAs(id string, topics []kmsg.OffsetCommitRequestTopic) (resp *kmsg.OffsetCommitResponse) {
	b.internalTopic(groupMetadataTopic)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation, req.Topics = 8, id, -1, topics
	lookup := b.lookupTopic()
	b.groups.with(id, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.CommitOffsets(now, req, lookup, new(group.CommitMemory))
		return eff
	})
	return resp
}
