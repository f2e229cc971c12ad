package ui

// This file owns the pages of records: reading them by offset or time, a page
// at a time, and one record alone.

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// searchWindow is how many offsets of each partition one page of a search
	// looks at; the next page goes on from there.
	searchWindow = 5000
	// readBytes bounds what a page reads of one partition.
	readBytes = 16 << 20
)

// modes are the ways to say which records: forward from somewhere, or the last
// ones up to somewhere, or those to come.
var modes = []string{"latest", "earliest", "from-offset", "to-offset", "from-time", "to-time", "tail"}

var limits = []int{20, 50, 100, 200}

type messagesView struct {
	Topic      string       `json:"topic"`
	Mode       string       `json:"mode"`
	Modes      []string     `json:"modes"`
	Partitions []int32      `json:"partitions"`
	Partition  string       `json:"partition"` // "all", or some as "0,2"
	Offset     string       `json:"offset"`
	Time       string       `json:"time"`
	Limit      int          `json:"limit"`
	Limits     []int        `json:"-"`
	Decode     string       `json:"decode"`
	Decodings  []string     `json:"-"`
	Search     string       `json:"search"`
	Filter     string       `json:"filter"`
	Failed     int          `json:"filter_failed"`   // messages that the filter could not judge
	Failures   []failure    `json:"filter_failures"` // why not
	Unjudged   bool         `json:"unjudged"`        // they are shown, too
	Advice     *advised     `json:"filter_advice"`   // what to do about a filter that is no expression; null: nothing
	LookedAt   int          `json:"looked_at"`
	Messages   []messageRow `json:"messages"`
	Next       string       `json:"next"` // query of the next page; empty: there is none
	Query      string       `json:"-"`    // of this page, without its cursor

	metadata *kmsg.MetadataResponseTopic
	chosen   []int32
	at       time.Time // of Time
}

// Formats are the kinds of files that the messages can be taken along in.
func (v messagesView) Formats() []string { return exportFormats }

// Backward says whether the page lists the newest first.
func (v messagesView) Backward() bool { return backward(v.Mode) }

func backward(mode string) bool { return mode == "latest" || strings.HasPrefix(mode, "to-") }

// With is the page's address with another filter.
func (v messagesView) With(filter string) string {
	q, _ := url.ParseQuery(v.Query) // it was made by Encode
	q.Set("filter", filter)
	return "?" + q.Encode()
}

// WithUnjudged is the page's address with the messages that the filter cannot
// judge, or without them.
func (v messagesView) WithUnjudged() string {
	q, _ := url.ParseQuery(v.Query)
	q.Del("unjudged")
	if !v.Unjudged {
		q.Set("unjudged", "1")
	}
	return "?" + q.Encode()
}

// Examples are filters that show what can be said.
func (v messagesView) Examples() []string {
	return []string{`value.price > 10`, `has(value.price) && value.price > 10`, `key == "user-42"`, `key == null || value == null`, `value.name.startsWith("A")`, `headers["source"] == "web"`, `size > 1000`, `time > timestamp("2026-01-01T00:00:00Z")`, `partition == 0 && offset % 2 == 0`}
}

type messageRow struct {
	Partition int32       `json:"partition"`
	Offset    int64       `json:"offset"`
	Time      time.Time   `json:"time"`
	Key       decoded     `json:"key"`
	Value     decoded     `json:"value"`
	Headers   []headerRow `json:"headers"`
	Control   string      `json:"control,omitempty"`  // commit or abort: a transaction's marker
	Unjudged  string      `json:"unjudged,omitempty"` // why the filter could not judge it
}

type headerRow struct {
	Key   string  `json:"key"`
	Value decoded `json:"value"`
}

// queryFields are the fields of a page's address that say what it shows.
var queryFields = []string{"mode", "partition", "offset", "time", "zone", "limit", "decode", "q", "filter", "unjudged"}

// query reads what a page is to show.
func (s *site) query(r *http.Request) (messagesView, *filter, error) {
	f := r.Form
	v := messagesView{Topic: r.PathValue("topic"), Mode: cmp.Or(f.Get("mode"), modes[0]), Modes: modes, Partition: cmp.Or(strings.TrimSpace(f.Get("partition")), "all"),
		Offset: strings.TrimSpace(f.Get("offset")), Time: f.Get("time"), Limit: 50, Limits: limits, Decode: cmp.Or(f.Get("decode"), decodings[0]), Decodings: decodings,
		Search: f.Get("q"), Filter: strings.TrimSpace(f.Get("filter")), Unjudged: f.Get("unjudged") != "", Failures: []failure{}, Messages: []messageRow{}}
	q := url.Values{}
	for _, field := range queryFields {
		if f.Get(field) != "" {
			q.Set(field, f.Get(field))
		}
	}
	v.Query = q.Encode()
	t, err := s.cluster.one(r.Context(), v.Topic)
	if err != nil {
		return v, nil, err
	}
	v.metadata, v.Partitions = t, numbers(t)
	if n, err := strconv.Atoi(f.Get("limit")); err == nil {
		v.Limit = max(1, min(n, limits[len(limits)-1]))
	}
	if !slices.Contains(modes, v.Mode) || !slices.Contains(decodings, v.Decode) {
		v.Mode, v.Decode = modes[0], decodings[0]
		return v, nil, say(http.StatusUnprocessableEntity, "problem.form")
	}
	if v.chosen, err = pick(v.Partitions, v.Partition); err != nil {
		return v, nil, err
	}
	switch v.Mode {
	case "from-offset", "to-offset":
		if at, err := strconv.ParseInt(v.Offset, 10, 64); err != nil || at < 0 {
			return v, nil, say(http.StatusUnprocessableEntity, "problem.offset")
		}
	case "from-time", "to-time":
		if v.at, err = readTime(v.Time, f.Get("zone")); err != nil {
			return v, nil, err
		}
	}
	fl, err := newFilter(v.Search, v.Filter)
	if wrong := (*problem)(nil); errors.As(err, &wrong) {
		v.Advice = advise(v.Filter, wrong.Detail)
	}
	if err == nil {
		fl.unjudged = v.Unjudged
	}
	return v, fl, err
}

func (s *site) messages(r *http.Request) (any, error) {
	v, f, err := s.query(r)
	if v.metadata == nil {
		return nil, err
	}
	if err != nil || v.Mode == "tail" {
		return v, err // the form stays as it was filled in
	}
	records, err := s.find(r, &v, f)
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		row := rowOf(record, v.Decode, previewBytes)
		row.Unjudged = f.why[record]
		v.Messages = append(v.Messages, row)
	}
	return v, nil
}

// find reads a page of messages, and leaves in v how to go on.
func (s *site) find(r *http.Request, v *messagesView, f *filter) ([]*kgo.Record, error) {
	spans, err := s.spans(r.Context(), v, r.Form.Get("cursor"))
	if err != nil {
		return nil, err
	}
	records, err := s.fill(r.Context(), spans, v, f)
	if err != nil {
		return nil, err
	}
	v.Failed, v.Failures = f.Failed, append(v.Failures, f.failures...)
	if next := cursorOf(spans, v.Backward()); next != "" {
		v.Next = "?" + url.Values{"cursor": {next}}.Encode()
		if v.Query != "" {
			v.Next += "&" + v.Query
		}
	}
	return records, nil
}

// span is what is still to be read of a partition: offsets from lo to before hi.
type span struct {
	partition, leader int32
	lo, hi            int64
	committed         bool // leave out what aborted transactions wrote
}

// spans finds what to read of each partition.
func (s *site) spans(ctx context.Context, v *messagesView, cursor string) ([]*span, error) {
	asked := map[string][]int32{v.Topic: v.chosen}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return nil, err
	}
	bound := func(int32) (int64, bool) { return 0, false }
	switch v.Mode {
	case "from-offset", "to-offset":
		at, _ := strconv.ParseInt(v.Offset, 10, 64) // query has seen that it is one
		bound = func(int32) (int64, bool) { return at, true }
	case "from-time", "to-time":
		ms := v.at.UnixMilli()
		if v.Mode == "to-time" {
			ms++ // records of that very millisecond are in
		}
		found, err := s.cluster.offsets(ctx, ms, asked)
		if err != nil {
			return nil, err
		}
		bound = func(p int32) (int64, bool) { o, ok := found[v.Topic][p]; return o, ok }
	}
	places := readCursor(cursor)
	var all []*span
	for _, p := range v.metadata.Partitions {
		if !slices.Contains(v.chosen, p.Partition) {
			continue
		}
		sp := &span{partition: p.Partition, leader: p.Leader, lo: starts[v.Topic][p.Partition], hi: ends[v.Topic][p.Partition]}
		b, known := bound(p.Partition)
		switch v.Mode {
		case "from-offset":
			sp.lo = max(sp.lo, b)
		case "to-offset":
			sp.hi = min(sp.hi, b+1)
		case "from-time":
			sp.lo = b
			if !known { // nothing is as young
				sp.lo = sp.hi
			}
		case "to-time":
			if known {
				sp.hi = min(sp.hi, b)
			}
		}
		if at, ok := places[p.Partition]; ok {
			if backward(v.Mode) {
				sp.hi = min(sp.hi, at)
			} else {
				sp.lo = max(sp.lo, at)
			}
		}
		all = append(all, sp)
	}
	return all, nil
}

// readTime reads a time as a browser's field writes it, which has no zone, or
// in RFC 3339. zone is the reader's, in minutes east of UTC.
func readTime(text, zone string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	minutes, _ := strconv.Atoi(zone) // none: UTC
	for _, layout := range []string{"2006-01-02T15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04:05.999", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Add(-time.Duration(minutes) * time.Minute), nil
		}
	}
	return time.Time{}, say(http.StatusUnprocessableEntity, "problem.time")
}

// A cursor is a place in each partition, as 0:15,1:3.

func readCursor(text string) map[int32]int64 {
	places := map[int32]int64{}
	for _, part := range strings.Split(text, ",") {
		p, o, _ := strings.Cut(part, ":")
		partition, err1 := strconv.ParseInt(p, 10, 32)
		offset, err2 := strconv.ParseInt(o, 10, 64)
		if err1 == nil && err2 == nil {
			places[int32(partition)] = offset
		}
	}
	return places
}

// cursorOf is where the next page begins, or "" after the last.
func cursorOf(spans []*span, backward bool) string {
	var parts []string
	more := false
	for _, sp := range spans {
		at := sp.lo
		if backward {
			at = sp.hi
		}
		more = more || sp.lo < sp.hi
		parts = append(parts, fmt.Sprintf("%d:%d", sp.partition, at))
	}
	if !more {
		return ""
	}
	return strings.Join(parts, ",")
}

// fill reads the spans, merges the partitions by time, takes a page of records,
// and leaves in the spans what is still to be read.
func (s *site) fill(ctx context.Context, spans []*span, v *messagesView, f *filter) ([]*kgo.Record, error) {
	window := v.Limit
	if f.Set() {
		window = max(window, searchWindow)
	}
	t := v.metadata
	type source struct {
		records []*kgo.Record // still to be taken, in the order of the page
		reached int64         // where the next page begins when all are taken
	}
	sources := make([]source, len(spans))
	for i, sp := range spans {
		var read []*kgo.Record
		var err error
		if v.Backward() {
			read, sources[i].reached, err = s.cluster.readBack(ctx, t, *sp, window)
			slices.Reverse(read)
		} else {
			read, sources[i].reached, err = s.cluster.read(ctx, t, *sp, window)
		}
		if err != nil {
			return nil, err
		}
		v.LookedAt += len(read)
		sources[i].records = slices.DeleteFunc(read, func(r *kgo.Record) bool { return !f.takes(ctx, r) })
	}
	var page []*kgo.Record
	for len(page) < v.Limit {
		best := -1
		for i := range sources {
			if len(sources[i].records) == 0 {
				continue
			}
			if best < 0 {
				best = i
				continue
			}
			a, b := sources[i].records[0].Timestamp, sources[best].records[0].Timestamp
			if v.Backward() && a.After(b) || !v.Backward() && a.Before(b) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		record := sources[best].records[0]
		sources[best].records = sources[best].records[1:]
		page = append(page, record)
		if v.Backward() {
			spans[best].hi = record.Offset
		} else {
			spans[best].lo = record.Offset + 1
		}
	}
	for i, sp := range spans {
		if len(sources[i].records) > 0 {
			continue
		}
		if v.Backward() {
			sp.hi = max(sp.lo, min(sp.hi, sources[i].reached))
		} else {
			sp.lo = max(sp.lo, sources[i].reached)
		}
	}
	return page, nil
}

// contains says whether a record's key, value or headers have the text.
func contains(r *kgo.Record, search string) bool {
	if search == "" {
		return true
	}
	has := func(b string) bool { return strings.Contains(strings.ToLower(b), strings.ToLower(search)) }
	if has(string(r.Key)) || has(string(r.Value)) {
		return true
	}
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return has(h.Key) || has(string(h.Value)) })
}

// fetch asks for the batches of a partition from sp.lo on. A nil answer has
// nothing.
func (c *cluster) fetch(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxBytes, req.SessionEpoch = -1, readBytes, -1
	if sp.committed {
		req.IsolationLevel = 1
	}
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = *t.Topic, t.TopicID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch = sp.partition, sp.lo, -1
	rp.PartitionMaxBytes = 1 << 20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	answer, err := c.client.Broker(int(sp.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return nil, nil
	}
	return &resp.Topics[0].Partitions[0], nil
}

// read reads up to most records of a span, and says which offset it reached.
// Markers of transactions are records, too: an offset that holds one is no gap.
func (c *cluster) read(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span, most int) (records []*kgo.Record, reached int64, err error) {
	isolation := kgo.ReadUncommitted()
	if sp.committed {
		isolation = kgo.ReadCommitted()
	}
	reached = sp.lo
	for size := 0; reached < sp.hi && len(records) < most && size < readBytes; {
		sp.lo = reached
		part, err := c.fetch(ctx, t, sp)
		if err != nil {
			return nil, 0, err
		}
		if part == nil {
			return records, reached, nil
		}
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			KeepControlRecords: true, IsolationLevel: isolation, Offset: reached, Topic: *t.Topic, Partition: sp.partition,
		}, part, kgo.DefaultDecompressor(), nil)
		if fetched.Err != nil && len(fetched.Records) == 0 {
			return nil, 0, fetched.Err
		}
		if next <= reached {
			return records, sp.hi, nil // nothing more is there to be read
		}
		size += len(part.RecordBatches)
		reached = min(next, sp.hi)
		for _, r := range fetched.Records {
			if r.Offset >= sp.hi {
				break
			}
			if len(records) == most {
				reached = r.Offset
				break
			}
			records = append(records, r)
		}
	}
	return records, reached, nil
}

// readBack reads up to most of the last offsets of a span, and says from which
// offset on it has read. Large records make it read fewer.
func (c *cluster) readBack(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span, most int) ([]*kgo.Record, int64, error) {
	for window := int64(most); ; window = max(1, window/8) {
		from := max(sp.lo, sp.hi-window)
		records, reached, err := c.read(ctx, t, span{partition: sp.partition, leader: sp.leader, lo: from, hi: sp.hi}, int(window))
		if err != nil || reached >= sp.hi || window == 1 {
			return records, from, err
		}
	}
}

func rowOf(r *kgo.Record, form string, limit int) messageRow {
	row := messageRow{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp.UTC(), Headers: []headerRow{},
		Key: decode(r.Key, form, limit), Value: decode(r.Value, form, limit)}
	for _, h := range r.Headers {
		row.Headers = append(row.Headers, headerRow{oneline(visible(h.Key)), decode(h.Value, "auto", limit)})
	}
	if r.Attrs.IsControl() && len(r.Key) >= 4 {
		row.Control = "abort"
		if binary.BigEndian.Uint16(r.Key[2:]) == 1 {
			row.Control = "commit"
		}
	}
	return row
}

type recordView struct {
	Topic     string     `json:"topic"`
	Record    messageRow `json:"record"`
	Decode    string     `json:"decode"`
	Decodings []string   `json:"-"`
	Previous  int64      `json:"previous"` // -1: the first
	Next      int64      `json:"next"`     // -1: the last
	Batch     *batchView `json:"batch"`    // null: of a format before v2
	Python    string     `json:"python"`   // a program that reads this record
}

func (s *site) record(r *http.Request) (any, error) {
	t, record, all, err := s.recordAt(r, r.PathValue("partition"), r.PathValue("offset"))
	if err != nil {
		return nil, err
	}
	view := recordView{Topic: *t.Topic, Decode: cmp.Or(r.Form.Get("decode"), decodings[0]), Decodings: decodings, Previous: -1, Next: -1}
	view.Record = rowOf(record, view.Decode, recordBytes)
	if record.Offset > all.lo {
		view.Previous = record.Offset - 1
	}
	if record.Offset+1 < all.hi {
		view.Next = record.Offset + 1
	}
	all.lo = record.Offset
	if view.Batch, err = s.cluster.batch(r.Context(), t, all); err != nil {
		return nil, err
	}
	view.Python = pythonOne(*t.Topic, record, s.ways(r)[0])
	return view, nil
}

// recordAt reads one record, and says what span its partition has.
func (s *site) recordAt(r *http.Request, partition, offset string) (*kmsg.MetadataResponseTopic, *kgo.Record, span, error) {
	ctx := r.Context()
	t, err := s.cluster.one(ctx, r.PathValue("topic"))
	if err != nil {
		return nil, nil, span{}, err
	}
	p, err1 := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	i := slices.IndexFunc(t.Partitions, func(tp kmsg.MetadataResponseTopicPartition) bool { return int64(tp.Partition) == p })
	missing := say(http.StatusNotFound, "problem.record.gone", offset, partition)
	if err1 != nil || err2 != nil || o < 0 || i < 0 {
		return nil, nil, span{}, missing
	}
	v := messagesView{Topic: *t.Topic, Mode: "earliest", metadata: t, chosen: []int32{int32(p)}}
	spans, err := s.spans(ctx, &v, "")
	if err != nil {
		return nil, nil, span{}, err
	}
	all := *spans[0]
	if o < all.lo || o >= all.hi {
		return nil, nil, span{}, missing
	}
	records, _, err := s.cluster.read(ctx, t, span{partition: all.partition, leader: all.leader, lo: o, hi: o + 1}, 1)
	if err != nil {
		return nil, nil, span{}, err
	}
	if len(records) == 0 {
		return nil, nil, span{}, missing
	}
	return t, records[0], all, nil
}
