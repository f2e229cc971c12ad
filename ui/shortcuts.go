package ui

// This file owns what the pages know sooner when the cluster is in this
// process: what clients have to ask for, the broker can be asked directly. The
// answers are the same; for another cluster the pages ask as every client does.

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// unknown stands for a number that nobody was asked for, or told.
const unknown = -1

// eachTopic calls f for every topic, and says whether numbers of records and
// bytes are in the rows: another cluster is asked for those of the topics that
// are shown only.
func (s *site) eachTopic(ctx context.Context, f func(row topicRow, offline int)) (whole bool, err error) {
	if s.broker != nil {
		s.broker.EachTopic(func(t broker.TopicSum) bool {
			f(topicRow{Name: t.Name, Internal: t.Internal, Partitions: t.Partitions, Replicas: t.Replicas, UnderISR: t.UnderReplicated, Records: t.Records, Bytes: t.Bytes}, t.Offline)
			return true
		})
		return true, nil
	}
	m, err := s.cluster.metadata(ctx)
	if err != nil {
		return false, err
	}
	for i := range m.Topics {
		if t := &m.Topics[i]; t.Topic != nil && t.ErrorCode == 0 {
			f(rowOfTopic(t))
		}
	}
	return false, nil
}

// rowOfTopic is what metadata tell of a topic.
func rowOfTopic(t *kmsg.MetadataResponseTopic) (row topicRow, offline int) {
	row = topicRow{Name: *t.Topic, Internal: t.IsInternal, Partitions: len(t.Partitions), Records: unknown, Bytes: unknown}
	for _, p := range t.Partitions {
		row.Replicas = max(row.Replicas, len(p.Replicas))
		if len(p.ISR) < len(p.Replicas) {
			row.UnderISR++
		}
		if p.Leader < 0 {
			offline++
		}
	}
	return row, offline
}

// someTopics are names to choose a topic from: those that a reader knows
// already, then others in order, as many as a list can hold. more says that
// there are others still.
func (s *site) someTopics(ctx context.Context, known ...string) (names []string, more bool, err error) {
	in := make(map[string]bool, len(known))
	for _, name := range known {
		if name != "" && !in[name] {
			in[name] = true
			names = append(names, name)
		}
	}
	_, err = s.eachTopic(ctx, func(t topicRow, _ int) {
		if t.Internal || in[t.Name] {
			return
		}
		if len(names) >= pageRows {
			more = true
			return
		}
		names = append(names, t.Name)
	})
	return names, more, err
}

// direct are the offsets at an end of partitions, of a broker in this process.
func direct(b *broker.Broker, at int64, partitions map[string][]int32) map[string]map[int32]int64 {
	found := make(map[string]map[int32]int64, len(partitions))
	for topic, ps := range partitions {
		offsets := b.Topic(topic).HighWatermarks
		if at == atStart {
			offsets = b.Topic(topic).StartOffsets
		}
		all := offsets()
		found[topic] = make(map[int32]int64, len(ps))
		for _, p := range ps {
			if int(p) < len(all) {
				found[topic][p] = all[p]
			}
		}
	}
	return found
}

// concerned are the groups that may have to do with a topic: all of them, unless
// the broker is here to tell.
func (s *site) concerned(topic string, groups map[string]listedGroup) map[string]listedGroup {
	if s.broker == nil {
		return groups
	}
	some := map[string]listedGroup{}
	for id, g := range groups {
		if g.kind == shareKind || len(s.broker.Group(id).Committed()[topic]) > 0 {
			some[id] = g
		}
	}
	return some
}

// positions are groups' offsets as committed tells them, without metadata.
func (s *site) positions(ctx context.Context, listed []listedGroup) map[string]map[string]map[int32]committedOffset {
	if s.broker == nil {
		return s.committed(ctx, listed...)
	}
	all := map[string]map[string]map[int32]committedOffset{}
	for _, l := range listed {
		g := s.broker.Group(l.id)
		all[l.id] = map[string]map[int32]committedOffset{}
		for topic, ps := range g.Committed() {
			at := make(map[int32]committedOffset, len(ps))
			for p, offset := range ps {
				at[p] = committedOffset{at: offset, lag: unknown}
			}
			all[l.id][topic] = at
		}
		if l.kind != shareKind {
			continue
		}
		for _, topic := range g.ShareTopics() {
			at := map[int32]committedOffset{}
			for p, share := range g.Shares(topic) {
				at[p] = committedOffset{at: share.Start, lag: share.Lag}
			}
			all[l.id][topic] = at
		}
	}
	return all
}

// ends tells where partitions end that groups have positions in.
func (s *site) ends(ctx context.Context, positions map[string]map[string]map[int32]committedOffset) (func(topic string, p int32) int64, error) {
	if s.broker != nil {
		known := map[string][]int64{}
		return func(topic string, p int32) int64 {
			all, ok := known[topic]
			if !ok {
				all = s.broker.Topic(topic).HighWatermarks()
				known[topic] = all
			}
			if int(p) < len(all) {
				return all[p]
			}
			return 0
		}, nil
	}
	asked := map[string][]int32{}
	for _, topics := range positions {
		for topic, ps := range topics {
			for p := range ps {
				asked[topic] = append(asked[topic], p)
			}
		}
	}
	for topic, ps := range asked {
		slices.Sort(ps)
		asked[topic] = slices.Compact(ps)
	}
	found, err := s.cluster.offsets(ctx, atEnd, asked)
	return func(topic string, p int32) int64 { return found[topic][p] }, err
}

// mostGroups is how many groups of another cluster are asked for the sake of a
// list of topics.
const mostGroups = 200

// readers adds to rows how many groups read each topic, and how far the one
// that is furthest behind is.
func (s *site) readers(ctx context.Context, rows []topicRow) error {
	at := make(map[string]*topicRow, len(rows))
	for i := range rows {
		at[rows[i].Name] = &rows[i]
	}
	note := func(topic string, lag int64) {
		if row := at[topic]; row != nil {
			row.Groups++
			row.Lag = max(row.Lag, lag)
		}
	}
	if s.broker != nil {
		for _, id := range s.broker.Groups() {
			g := s.broker.Group(id)
			for _, topic := range g.ShareTopics() {
				if at[topic] == nil {
					continue
				}
				lag := int64(0)
				for _, share := range g.Shares(topic) {
					lag += share.Lag
				}
				note(topic, lag)
			}
			for topic, committed := range g.Committed() {
				if at[topic] == nil {
					continue
				}
				ends := s.broker.Topic(topic).HighWatermarks()
				lag := int64(0)
				for p, offset := range committed {
					if int(p) < len(ends) {
						lag += max(0, ends[p]-offset)
					}
				}
				note(topic, lag)
			}
		}
		return nil
	}
	listed, err := s.cluster.listGroups(ctx)
	if err != nil {
		return err
	}
	if len(listed) > mostGroups {
		for i := range rows {
			rows[i].Groups, rows[i].Lag = unknown, unknown
		}
		return nil
	}
	groups, err := s.groupRows(ctx, listed)
	for _, g := range groups {
		for topic, lag := range g.lagOf {
			note(topic, lag)
		}
	}
	return err
}
