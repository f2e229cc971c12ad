package ui

// This file owns what changes a topic as a whole: more partitions, its messages
// gone, a copy of it, the same topic anew.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/internal/clock"
)

// copyPatience is how long a clone may copy messages.
const copyPatience = 2 * time.Minute

// copyRecords is how many records a clone reads at once.
const copyRecords = 5000

type manageView struct {
	Name       string  `json:"name"`
	Internal   bool    `json:"internal"`
	Partitions []int32 `json:"partitions"`
	Records    int64   `json:"records"`
	Brokers    []int32 `json:"brokers"` // that can be made leaders from here; empty: none
}

// More is the least number of partitions that a topic can be given.
func (v manageView) More() int { return len(v.Partitions) + 1 }

func (s *site) manage(r *http.Request) (any, error) {
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	row, err := s.topicRow(r.Context(), t)
	v := manageView{*t.Topic, t.IsInternal, numbers(t), row.Records, []int32{}}
	if s.broker != nil {
		for _, b := range s.broker.Brokers() {
			v.Brokers = append(v.Brokers, b.ID)
		}
	}
	return v, err
}

// moveLeader makes a broker the leader of a partition.
func (s *site) moveLeader(r *http.Request) (string, error) {
	name := r.PathValue("topic")
	partition, err1 := strconv.ParseInt(r.Form.Get("partition"), 10, 32)
	id, err2 := strconv.ParseInt(r.Form.Get("broker"), 10, 32)
	if err1 != nil || err2 != nil {
		return "", say(http.StatusUnprocessableEntity, "problem.form")
	}
	switch err := s.broker.MoveLeader(name, int32(partition), int32(id)); {
	case errors.Is(err, broker.ErrNoSuchPartition):
		return "", say(http.StatusUnprocessableEntity, "problem.partition", r.Form.Get("partition"))
	case errors.Is(err, broker.ErrNoSuchBroker):
		return "", say(http.StatusUnprocessableEntity, "problem.broker.unknown")
	case err != nil:
		return "", &problem{status: http.StatusConflict, Key: "problem.leader", Detail: err.Error()}
	}
	return "/topics/" + url.PathEscape(name) + "?done=leader.moved", nil
}

func (s *site) addPartitions(r *http.Request) (string, error) {
	name := r.PathValue("topic")
	n, err := strconv.Atoi(strings.TrimSpace(r.Form.Get("partitions")))
	if err != nil {
		return "", say(http.StatusUnprocessableEntity, "problem.partitions")
	}
	all, err := s.cluster.admin.UpdatePartitions(r.Context(), n, name)
	if err != nil {
		return "", err
	}
	if a := all[name]; a.Err != nil {
		return "", refused(a.Err, a.ErrMessage)
	}
	return "/topics/" + url.PathEscape(name) + "?done=topic.grown", nil
}

// purge deletes the messages of all partitions, or of one, up to now.
func (s *site) purge(r *http.Request) (string, error) {
	ctx, name := r.Context(), r.PathValue("topic")
	if r.Form.Get("name") != name {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", name)
	}
	t, err := s.cluster.one(ctx, name)
	if err != nil {
		return "", err
	}
	parts, err := pick(numbers(t), r.Form.Get("partition"))
	if err != nil {
		return "", err
	}
	ends, err := s.cluster.offsets(ctx, atEnd, map[string][]int32{name: parts})
	if err != nil {
		return "", err
	}
	before := kadm.Offsets{}
	for p, end := range ends[name] {
		before.AddOffset(name, p, end, -1)
	}
	deleted, err := s.cluster.admin.DeleteRecords(ctx, before)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return "", refused(err, "")
	}
	return "/topics/" + url.PathEscape(name) + "?done=topic.purged", nil
}

// pick reads partitions as "all" or "0,2".
func pick(all []int32, text string) ([]int32, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "all" {
		return all, nil
	}
	var some []int32
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil || !slices.Contains(all, int32(n)) {
			return nil, say(http.StatusUnprocessableEntity, "problem.partition", strings.TrimSpace(part))
		}
		if !slices.Contains(some, int32(n)) {
			some = append(some, int32(n))
		}
	}
	slices.Sort(some)
	return some, nil
}

// shape is what makes another topic like this one.
func (s *site) shape(ctx context.Context, name string) (*kmsg.MetadataResponseTopic, int16, map[string]*string, error) {
	t, err := s.cluster.one(ctx, name)
	if err != nil {
		return nil, 0, nil, err
	}
	rows, err := s.configs(ctx, kmsg.ConfigResourceTypeTopic, name)
	if err != nil {
		return nil, 0, nil, err
	}
	configs := map[string]*string{}
	for _, c := range rows {
		if c.Changed {
			configs[c.Name] = &c.Value
		}
	}
	replicas := 1
	for _, p := range t.Partitions {
		replicas = max(replicas, len(p.Replicas))
	}
	return t, int16(replicas), configs, nil
}

// clone makes a topic with the same partitions and configs, and the messages
// too if that was asked for: each in its partition, with its time and headers.
func (s *site) clone(r *http.Request) (string, error) {
	name, to := r.PathValue("topic"), strings.TrimSpace(r.Form.Get("to"))
	if to == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.topic.name")
	}
	t, replicas, configs, err := s.shape(r.Context(), name)
	if err != nil {
		return "", err
	}
	created, err := s.cluster.admin.CreateTopic(r.Context(), int32(len(t.Partitions)), replicas, configs, to)
	if err != nil {
		return "", refused(err, created.ErrMessage)
	}
	next := "/topics/" + url.PathEscape(to) + "?done=topic.cloned"
	if r.Form.Get("messages") == "" {
		return next, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), copyPatience)
	defer cancel()
	defer s.cluster.client.PurgeTopicsFromProducing(to)
	asked := map[string][]int32{name: numbers(t)}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return "", err
	}
	for _, p := range t.Partitions {
		sp := span{partition: p.Partition, leader: p.Leader, lo: starts[name][p.Partition], hi: ends[name][p.Partition], committed: true}
		if err := s.copyPartition(ctx, t, sp, to); err != nil {
			return "", refused(err, "")
		}
	}
	return next, nil
}

func (s *site) copyPartition(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span, to string) error {
	for sp.lo < sp.hi {
		read, reached, err := s.cluster.read(ctx, t, sp, copyRecords)
		if err != nil {
			return err
		}
		sp.lo = reached
		var copies []*kgo.Record
		for _, r := range read {
			if !r.Attrs.IsControl() {
				copies = append(copies, &kgo.Record{Topic: to, Partition: sp.partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp})
			}
		}
		if err := s.cluster.client.ProduceSync(ctx, copies...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// recreate deletes a topic and creates it again, empty, with the same
// partitions and configs.
func (s *site) recreate(r *http.Request) (string, error) {
	ctx, name := r.Context(), r.PathValue("topic")
	if r.Form.Get("name") != name {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", name)
	}
	t, replicas, configs, err := s.shape(ctx, name)
	if err != nil {
		return "", err
	}
	d, err := s.cluster.admin.DeleteTopic(ctx, name)
	if err = cmp.Or(err, d.Err); err != nil {
		return "", refused(err, d.ErrMessage)
	}
	for {
		created, err := s.cluster.admin.CreateTopic(ctx, int32(len(t.Partitions)), replicas, configs, name)
		if err == nil {
			break
		}
		// A cluster of several machines deletes a moment later than it says.
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			return "", refused(err, created.ErrMessage)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return "", err
		}
	}
	return "/topics/" + url.PathEscape(name) + "?done=topic.recreated", nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error { return waitFor(ctx, nil, d) }

// waitFor waits until something happened, for d at most, or until ctx ends.
func waitFor(ctx context.Context, happened <-chan struct{}, d time.Duration) error {
	due := make(chan struct{})
	timer := clock.Real{}.AfterFunc(d, func() { close(due) })
	defer timer.Stop()
	select {
	case <-due:
		return nil
	case <-happened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// producerRow is one producer that the broker keeps state of, to see a batch
// that comes twice.
type producerRow struct {
	Partition int32     `json:"partition"`
	ID        int64     `json:"producer_id"`
	Epoch     int16     `json:"epoch"`
	Sequence  int32     `json:"last_sequence"`
	Newest    time.Time `json:"newest"`
	Open      int64     `json:"transaction_start"` // -1: no open transaction
	// Who it is, where the broker is in this process to tell.
	Client        string `json:"client_id"`
	Host          string `json:"host"`
	Transactional string `json:"transactional_id"`
}

// producers are the active ones of a topic. A cluster that does not tell them
// has a page without them.
func (s *site) producers(ctx context.Context, topic string, partitions []int32) []producerRow {
	set := kadm.TopicsSet{}
	set.Add(topic, partitions...)
	told, err := s.cluster.admin.DescribeProducers(ctx, set)
	if err != nil {
		return nil
	}
	rows := []producerRow{}
	for _, p := range told.SortedProducers() {
		row := producerRow{Partition: p.Partition, ID: p.ProducerID, Epoch: p.ProducerEpoch, Sequence: p.LastSequence, Newest: time.UnixMilli(p.LastTimestamp).UTC(), Open: p.CurrentTxnStartOffset}
		if s.broker != nil {
			if name, ok := s.broker.ProducerName(p.ProducerID); ok {
				row.Client, row.Host, row.Transactional = visible(name.ClientID), strings.TrimPrefix(name.Host, "/"), visible(name.TransactionalID)
			}
		}
		rows = append(rows, row)
	}
	return rows
}
