package ui

// This file owns the pages of records: reading them by offset or time, a page
// at a time, and one record alone.

import (
	"cmp"
	"context"
	"encoding/binary"
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
// ones up to somewhere.
var modes = []string{"latest", "earliest", "from-offset", "to-offset", "from-time", "to-time"}

var decodings = []string{"auto", "text", "json", "hex"}

var limits = []int{20, 50, 100, 200}

type messagesView struct {
	Topic      string       `json:"topic"`
	Mode       string       `json:"mode"`
	Modes      []string     `json:"modes"`
	Partitions []int32      `json:"partitions"`
	Chosen     int32        `json:"partition"` // -1: all
	Offset     string       `json:"offset"`
	Time       string       `json:"time"`
	Limit      int          `json:"limit"`
	Limits     []int        `json:"-"`
	Decode     string       `json:"decode"`
	Decodings  []string     `json:"-"`
	Search     string       `json:"search"`
	LookedAt   int          `json:"looked_at"`
	Messages   []messageRow `json:"messages"`
	Next       string       `json:"next"` // query of the next page; empty: there is none
}

// Backward says whether the page lists the newest first.
func (v messagesView) Backward() bool { return backward(v.Mode) }

func backward(mode string) bool { return mode == "latest" || strings.HasPrefix(mode, "to-") }

type messageRow struct {
	Partition int32       `json:"partition"`
	Offset    int64       `json:"offset"`
	Time      time.Time   `json:"time"`
	Key       decoded     `json:"key"`
	Value     decoded     `json:"value"`
	Headers   []headerRow `json:"headers"`
	Control   string      `json:"control,omitempty"` // commit or abort: a transaction's marker
}

type headerRow struct {
	Key   string  `json:"key"`
	Value decoded `json:"value"`
}

func (s *site) messages(r *http.Request) (any, error) {
	ctx, f := r.Context(), r.Form
	t, err := s.cluster.one(ctx, r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	v := messagesView{Topic: *t.Topic, Mode: cmp.Or(f.Get("mode"), modes[0]), Modes: modes, Partitions: numbers(t), Chosen: -1,
		Offset: f.Get("offset"), Time: f.Get("time"), Limit: 50, Limits: limits,
		Decode: cmp.Or(f.Get("decode"), decodings[0]), Decodings: decodings, Search: f.Get("q"), Messages: []messageRow{}}
	if !slices.Contains(modes, v.Mode) || !slices.Contains(decodings, v.Decode) {
		return nil, say(http.StatusUnprocessableEntity, "problem.form")
	}
	if n, err := strconv.Atoi(f.Get("limit")); err == nil {
		v.Limit = max(1, min(n, limits[len(limits)-1]))
	}
	chosen := t.Partitions
	if p := f.Get("partition"); p != "" && p != "all" {
		n, err := strconv.ParseInt(p, 10, 32)
		i := slices.Index(v.Partitions, int32(n))
		if err != nil || i < 0 {
			return nil, say(http.StatusUnprocessableEntity, "problem.partition", p)
		}
		v.Chosen, chosen = int32(n), t.Partitions[i:i+1]
	}
	spans, err := s.spans(ctx, t, chosen, &v, f.Get("zone"), f.Get("cursor"))
	if err != nil {
		return nil, err
	}
	if err := s.fill(ctx, t, spans, &v); err != nil {
		return nil, err
	}
	if next := cursorOf(spans, v.Backward()); next != "" {
		q := url.Values{"cursor": {next}}
		for _, field := range []string{"mode", "partition", "offset", "time", "zone", "limit", "decode", "q"} {
			if f.Get(field) != "" {
				q.Set(field, f.Get(field))
			}
		}
		v.Next = "?" + q.Encode()
	}
	return v, nil
}

// span is what is still to be read of a partition: offsets from lo to before hi.
type span struct {
	partition, leader int32
	lo, hi            int64
}

// spans finds what to read of each partition.
func (s *site) spans(ctx context.Context, t *kmsg.MetadataResponseTopic, chosen []kmsg.MetadataResponseTopicPartition, v *messagesView, zone, cursor string) ([]*span, error) {
	asked := map[string][]int32{}
	for _, p := range chosen {
		asked[*t.Topic] = append(asked[*t.Topic], p.Partition)
	}
	starts, err := s.cluster.offsets(ctx, atStart, asked)
	if err != nil {
		return nil, err
	}
	ends, err := s.cluster.offsets(ctx, atEnd, asked)
	if err != nil {
		return nil, err
	}
	bound := func(int32) (int64, bool) { return 0, false }
	switch v.Mode {
	case "from-offset", "to-offset":
		at, err := strconv.ParseInt(strings.TrimSpace(v.Offset), 10, 64)
		if err != nil || at < 0 {
			return nil, say(http.StatusUnprocessableEntity, "problem.offset")
		}
		bound = func(int32) (int64, bool) { return at, true }
	case "from-time", "to-time":
		at, err := readTime(v.Time, zone)
		if err != nil {
			return nil, err
		}
		ms := at.UnixMilli()
		if v.Mode == "to-time" {
			ms++ // records of that very millisecond are in
		}
		found, err := s.cluster.offsets(ctx, ms, asked)
		if err != nil {
			return nil, err
		}
		bound = func(p int32) (int64, bool) { o, ok := found[*t.Topic][p]; return o, ok }
	}
	places := readCursor(cursor)
	var all []*span
	for _, p := range chosen {
		sp := &span{p.Partition, p.Leader, starts[*t.Topic][p.Partition], ends[*t.Topic][p.Partition]}
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
func (s *site) fill(ctx context.Context, t *kmsg.MetadataResponseTopic, spans []*span, v *messagesView) error {
	window := v.Limit
	if v.Search != "" {
		window = searchWindow
	}
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
			return err
		}
		v.LookedAt += len(read)
		sources[i].records = slices.DeleteFunc(read, func(r *kgo.Record) bool { return !contains(r, v.Search) })
	}
	for len(v.Messages) < v.Limit {
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
		v.Messages = append(v.Messages, rowOf(record, v.Decode, previewBytes))
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
	return nil
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

// read reads up to most records of a span, and says which offset it reached.
// Markers of transactions are records, too: an offset that holds one is no gap.
func (c *cluster) read(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span, most int) (records []*kgo.Record, reached int64, err error) {
	reached = sp.lo
	for size := 0; reached < sp.hi && len(records) < most && size < readBytes; {
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.MaxBytes, req.SessionEpoch = -1, readBytes, -1
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = *t.Topic, t.TopicID
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch = sp.partition, reached, -1
		rp.PartitionMaxBytes = 1 << 20
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		answer, err := c.client.Broker(int(sp.leader)).RetriableRequest(ctx, req)
		if err != nil {
			return nil, 0, err
		}
		resp := answer.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return nil, 0, err
		}
		if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
			return records, reached, nil
		}
		part := &resp.Topics[0].Partitions[0]
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			KeepControlRecords: true, Offset: reached, Topic: *t.Topic, Partition: sp.partition,
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
		records, reached, err := c.read(ctx, t, span{sp.partition, sp.leader, from, sp.hi}, int(window))
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
}

func (s *site) record(r *http.Request) (any, error) {
	ctx := r.Context()
	t, err := s.cluster.one(ctx, r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	p, err1 := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	o, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	i := slices.IndexFunc(t.Partitions, func(tp kmsg.MetadataResponseTopicPartition) bool { return int64(tp.Partition) == p })
	missing := say(http.StatusNotFound, "problem.record.gone", r.PathValue("offset"), r.PathValue("partition"))
	if err1 != nil || err2 != nil || o < 0 || i < 0 {
		return nil, missing
	}
	one := t.Partitions[i : i+1]
	v := messagesView{Mode: "earliest"}
	spans, err := s.spans(ctx, t, one, &v, "", "")
	if err != nil {
		return nil, err
	}
	all := *spans[0]
	if o < all.lo || o >= all.hi {
		return nil, missing
	}
	records, _, err := s.cluster.read(ctx, t, span{all.partition, all.leader, o, o + 1}, 1)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, missing
	}
	view := recordView{Topic: *t.Topic, Decode: cmp.Or(r.Form.Get("decode"), "auto"), Decodings: decodings, Previous: -1, Next: -1}
	view.Record = rowOf(records[0], view.Decode, recordBytes)
	if o > all.lo {
		view.Previous = o - 1
	}
	if o+1 < all.hi {
		view.Next = o + 1
	}
	return view, nil
}
