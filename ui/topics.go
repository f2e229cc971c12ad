package ui

// This file owns the pages of topics: the list, one topic, create and delete.

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pageRows is how many rows a list shows at once: offsets and sizes are asked
// for these only, so a list costs the same however many topics there are.
const pageRows = 100

type topicsView struct {
	Search   string     `json:"search"`
	Internal bool       `json:"internal"` // shown, too
	Sort     string     `json:"sort"`     // a column, or one with - before it: largest first
	Total    int        `json:"total"`    // that match
	Hidden   int        `json:"hidden"`   // internal ones that match and are not shown
	From     int        `json:"from"`
	Rows     []topicRow `json:"topics"`
	Previous string     `json:"-"` // page, as a query; empty: none
	Next     string     `json:"-"`
	Columns  []column   `json:"-"` // that can be sorted by
}

type topicRow struct {
	Name       string `json:"name"`
	Internal   bool   `json:"internal"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	UnderISR   int    `json:"under_replicated"`
	Records    int64  `json:"records"` // end offsets less start offsets
	Bytes      int64  `json:"bytes"`   // -1: not told
	Groups     int    `json:"groups"`  // with committed offsets; -1: too many to ask
	Lag        int64  `json:"lag"`     // of the group that is furthest behind; -1: the same
}

// topicColumns are what a list of topics can be sorted by.
var topicColumns = []sortable[topicRow]{
	byWords("name", func(t topicRow) string { return t.Name }),
	by("partitions", func(t topicRow) int { return t.Partitions }),
	by("replicas", func(t topicRow) int { return t.Replicas }),
	by("records", func(t topicRow) int64 { return t.Records }),
	by("bytes", func(t topicRow) int64 { return t.Bytes }),
	by("groups", func(t topicRow) int { return t.Groups }).called("nav.groups"),
	by("lag", func(t topicRow) int64 { return t.Lag }).called("topics.lag"),
}

func (s *site) topics(r *http.Request) (any, error) {
	v := topicsView{Search: strings.TrimSpace(r.Form.Get("q")), Internal: r.Form.Get("internal") == "1", Rows: []topicRow{}}
	needle := strings.ToLower(v.Search)
	var hits []topicRow
	whole, err := s.eachTopic(r.Context(), func(t topicRow, _ int) {
		if !strings.Contains(strings.ToLower(t.Name), needle) {
			return
		}
		if t.Internal && !v.Internal {
			v.Hidden++
			return
		}
		hits = append(hits, t)
	})
	if err != nil {
		return nil, err
	}
	columns := topicColumns
	readers := false // are in all rows
	if !whole {
		columns = slices.Clone(columns)
		for i := 3; i < len(columns); i++ {
			columns[i].compare = nil // asked for what is shown only
		}
	} else if name, _ := asked(r, ""); name == "groups" || name == "lag" {
		readers = true
		if err := s.readers(r.Context(), hits); err != nil {
			return nil, err
		}
	}
	v.Sort, v.Columns = sortBy(r, "", hits, columns)
	v.Total = len(hits)
	v.From, v.Previous, v.Next = paged(r, len(hits))
	v.Rows = append(v.Rows, hits[v.From:min(len(hits), v.From+pageRows)]...)
	if len(v.Rows) == 0 {
		return v, nil
	}
	if !whole {
		if err := s.fillTopics(r.Context(), v.Rows); err != nil {
			return nil, err
		}
	}
	if readers {
		return v, nil
	}
	return v, s.readers(r.Context(), v.Rows)
}

// fillTopics asks for what metadata do not tell: records and bytes.
func (s *site) fillTopics(ctx context.Context, rows []topicRow) error {
	partitions := make(map[string][]int32, len(rows))
	for _, row := range rows {
		for p := range int32(row.Partitions) {
			partitions[row.Name] = append(partitions[row.Name], p)
		}
	}
	starts, ends, err := s.cluster.bounds(ctx, partitions)
	if err != nil {
		return err
	}
	sizes := s.sizes(ctx, partitions)
	for i := range rows {
		row := &rows[i]
		row.Records, row.Bytes = 0, unknown
		for _, p := range partitions[row.Name] {
			row.Records += ends[row.Name][p] - starts[row.Name][p]
			if size, ok := sizes[row.Name][p]; ok {
				row.Bytes = max(row.Bytes, 0) + size
			}
		}
	}
	return nil
}

// topicRow is one topic as the list shows it.
func (s *site) topicRow(ctx context.Context, t *kmsg.MetadataResponseTopic) (topicRow, error) {
	row, _ := rowOfTopic(t)
	rows := []topicRow{row}
	err := s.fillTopics(ctx, rows)
	return rows[0], err
}

// sizes are the bytes of partitions' logs, of the largest replica. A cluster
// that does not tell them has pages without them.
func (s *site) sizes(ctx context.Context, partitions map[string][]int32) map[string]map[int32]int64 {
	sizes := map[string]map[int32]int64{}
	if s.broker != nil {
		for topic, ps := range partitions {
			all := s.broker.Topic(topic).Bytes()
			sizes[topic] = make(map[int32]int64, len(ps))
			for _, p := range ps {
				if int(p) < len(all) {
					sizes[topic][p] = all[p]
				}
			}
		}
		return sizes
	}
	if len(partitions) == 0 {
		return sizes
	}
	set := kadm.TopicsSet{}
	for topic, ps := range partitions {
		set.Add(topic, ps...)
	}
	dirs, err := s.cluster.admin.DescribeAllLogDirs(ctx, set)
	if err != nil {
		return sizes
	}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if sizes[p.Topic] == nil {
				sizes[p.Topic] = map[int32]int64{}
			}
			sizes[p.Topic][p.Partition] = max(sizes[p.Topic][p.Partition], p.Size)
		})
	})
	return sizes
}

type topicView struct {
	topicRow
	ID        string         `json:"id"`
	Cleanup   string         `json:"cleanup_policy"`
	Retention string         `json:"retention_ms"`
	Partition []partitionRow `json:"partition"`
	Producers []producerRow  `json:"producers"` // null: the cluster does not tell
	Consumers []topicGroup   `json:"groups"`
	// Happenings are the newest things that had to do with the topic.
	Happenings []happening `json:"happenings"`

	PartitionColumns []column `json:"-"`
	ProducerColumns  []column `json:"-"`
	ConsumerColumns  []column `json:"-"`
}

type partitionRow struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Epoch     int32   `json:"leader_epoch"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Start     int64   `json:"start_offset"`
	End       int64   `json:"end_offset"`
	Records   int64   `json:"records"`
	Bytes     int64   `json:"bytes"`
}

// topicEvents is how many things that happened a topic's page tells.
const topicEvents = 10

// partitionColumns, producerColumns and consumerColumns are what the tables of a
// topic can be sorted by.
var (
	partitionColumns = []sortable[partitionRow]{
		by("partition", func(p partitionRow) int32 { return p.Partition }),
		by("leader", func(p partitionRow) int32 { return p.Leader }),
		by("epoch", func(p partitionRow) int32 { return p.Epoch }).called("leader.epoch"),
		byWords("replicas", func(p partitionRow) string { return ids(p.Replicas) }),
		byWords("isr", func(p partitionRow) string { return ids(p.ISR) }).called("isr"),
		by("start", func(p partitionRow) int64 { return p.Start }).called("offset.start"),
		by("end", func(p partitionRow) int64 { return p.End }).called("offset.end"),
		by("records", func(p partitionRow) int64 { return p.Records }),
		by("bytes", func(p partitionRow) int64 { return p.Bytes }),
	}
	producerColumns = []sortable[producerRow]{
		byWords("client", func(p producerRow) string { return p.Client }),
		byWords("host", func(p producerRow) string { return p.Host }),
		by("id", func(p producerRow) int64 { return p.ID }).called("producer.id"),
		by("epoch", func(p producerRow) int16 { return p.Epoch }),
		by("partition", func(p producerRow) int32 { return p.Partition }),
		by("sequence", func(p producerRow) int32 { return p.Sequence }).called("producer.sequence"),
		by("newest", func(p producerRow) int64 { return p.Newest.UnixMilli() }).called("producer.newest").set(),
		by("transaction", func(p producerRow) int64 { return p.Open }).called("producer.txn").set(),
	}
	consumerColumns = []sortable[topicGroup]{
		byWords("group", func(g topicGroup) string { return g.Group }),
		byWords("state", func(g topicGroup) string { return g.State }),
		by("lag", func(g topicGroup) int64 { return g.Lag }),
	}
)

type topicGroup struct {
	Group string `json:"group"`
	State string `json:"state"`
	Lag   int64  `json:"lag"`
}

func (s *site) topic(r *http.Request) (any, error) {
	ctx, name := r.Context(), r.PathValue("topic")
	t, err := s.cluster.one(ctx, name)
	if err != nil {
		return nil, err
	}
	row, err := s.topicRow(ctx, t)
	if err != nil {
		return nil, err
	}
	v := topicView{topicRow: row, ID: base64.RawURLEncoding.EncodeToString(t.TopicID[:]), Consumers: []topicGroup{}}
	asked := map[string][]int32{name: numbers(t)}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return nil, err
	}
	sizes := s.sizes(ctx, asked)
	for _, p := range t.Partitions {
		row := partitionRow{Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR,
			Start: starts[name][p.Partition], End: ends[name][p.Partition], Bytes: -1}
		row.Records = row.End - row.Start
		if size, ok := sizes[name][p.Partition]; ok {
			row.Bytes = size
		}
		v.Partition = append(v.Partition, row)
	}
	configs, err := s.configs(ctx, kmsg.ConfigResourceTypeTopic, name)
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		switch c.Name {
		case "cleanup.policy":
			v.Cleanup = c.Value
		case "retention.ms":
			v.Retention = c.Value
		}
	}
	v.Producers = s.producers(ctx, name, numbers(t))
	listed, err := s.cluster.listGroups(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := s.groupRows(ctx, s.concerned(name, listed))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if lag, ok := g.lagOf[name]; ok {
			v.Consumers = append(v.Consumers, topicGroup{g.ID, g.State, lag})
			v.Groups++
			v.Lag = max(v.Lag, lag)
		}
	}
	v.Happenings = s.happenings(languageOf(r), topicEvents, name)
	producers := producerColumns
	if s.broker == nil {
		producers = producers[2:] // nobody tells who they are
	}
	_, v.PartitionColumns = sortBy(r, "partitions", v.Partition, partitionColumns)
	_, v.ProducerColumns = sortBy(r, "producers", v.Producers, producers)
	_, v.ConsumerColumns = sortBy(r, "groups", v.Consumers, consumerColumns)
	return v, nil
}

// createView is the form for a new topic; its fields are the request's.
type createView struct {
	Policies []string `json:"cleanup_policies"`
}

func (s *site) createForm(*http.Request) (any, error) {
	return createView{[]string{"delete", "compact", "compact,delete"}}, nil
}

func (s *site) create(r *http.Request) (string, error) {
	name := strings.TrimSpace(r.Form.Get("name"))
	if name == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.topic.name")
	}
	partitions, err := count(r, "partitions")
	if err != nil {
		return "", say(http.StatusUnprocessableEntity, "problem.partitions")
	}
	replicas, err := count(r, "replicas")
	if err != nil {
		return "", say(http.StatusUnprocessableEntity, "problem.replicas")
	}
	configs := map[string]*string{}
	for _, field := range []string{"cleanup.policy", "retention.ms"} {
		if v := strings.TrimSpace(r.Form.Get(field)); v != "" {
			configs[field] = &v
		}
	}
	for line := range strings.Lines(r.Form.Get("configs")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		field, v, ok := strings.Cut(line, "=")
		if field, v = strings.TrimSpace(field), strings.TrimSpace(v); !ok || field == "" {
			return "", say(http.StatusUnprocessableEntity, "problem.config.line", visible(line))
		}
		configs[field] = &v
	}
	created, err := s.cluster.admin.CreateTopic(r.Context(), partitions, int16(replicas), configs, name)
	if err != nil {
		return "", refused(err, created.ErrMessage)
	}
	return "/topics/" + url.PathEscape(name) + "?done=topic.created", nil
}

// count reads a number of partitions or replicas; empty is the broker's default.
func count(r *http.Request, field string) (int32, error) {
	text := strings.TrimSpace(r.Form.Get(field))
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 16)
	return int32(n), err
}

type deleteView struct {
	Name     string `json:"name"`
	Internal bool   `json:"internal"`
	Records  int64  `json:"records"`
}

func (s *site) deleteForm(r *http.Request) (any, error) {
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	row, err := s.topicRow(r.Context(), t)
	return deleteView{row.Name, t.IsInternal, row.Records}, err
}

func (s *site) deleteTopic(r *http.Request) (string, error) {
	name := r.PathValue("topic")
	if r.Form.Get("name") != name {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", name)
	}
	d, err := s.cluster.admin.DeleteTopic(r.Context(), name)
	if err == nil {
		err = d.Err
	}
	if err != nil {
		if err == kerr.UnknownTopicOrPartition {
			return "", refused(err, "")
		}
		return "", refused(err, d.ErrMessage)
	}
	return "/topics?done=topic.deleted", nil
}
