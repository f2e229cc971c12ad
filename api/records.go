package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"minibroker/broker"
	"minibroker/broker/fixture"
)

// This file owns records: putting them in and reading them.

// Records is a page of records.
type Records struct {
	Records []Record        `json:"records" doc:"Partition by partition, by offset."`
	Next    map[int32]int64 `json:"next" doc:"For each partition, the offset to go on from."`
}

// Record is a record as it is read.
type Record struct {
	fixture.RecordFields
	ProducerID    *int64 `json:"producer_id,omitempty" doc:"Of an idempotent producer."`
	Transactional bool   `json:"transactional,omitempty" doc:"Whether it is part of a transaction."`
}

// NewRecords are records to put in.
type NewRecords struct {
	Records []fixture.RecordFields `json:"records" doc:"In order. Their offsets do not count."`
}

// Stored says where records went.
type Stored struct {
	Stored []Position `json:"stored" doc:"In the order of the request."`
}

// Position is a place in a partition.
type Position struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

func produce(a *API, r *http.Request) (any, error) {
	asked, err := read[NewRecords](r)
	if err != nil {
		return nil, err
	}
	topic := r.PathValue("topic")
	found, err := a.find(r)
	if err != nil {
		return nil, err
	}
	n := len(found.Partitions)
	records := make([]broker.Record, len(asked.Records))
	for i := range asked.Records {
		f, err := asked.Records[i].Read(topic)
		if err != nil {
			return nil, say(http.StatusBadRequest, fmt.Sprintf("records[%d]: %v.", i, err), "Change that record; nothing was stored.")
		}
		to := broker.Record{Partition: f.Partition, Key: f.Key, Value: f.Value}
		switch {
		case to.Partition < 0 && f.Key != nil:
			to.Partition = fixture.PartitionOf(f.Key, n)
		case to.Partition < 0:
			to.Partition = int32(i % n)
		}
		if f.HasTimestamp {
			to.Timestamp = time.UnixMilli(f.Timestamp)
		}
		for _, h := range f.Headers {
			to.Headers = append(to.Headers, broker.Header(h))
		}
		records[i] = to
	}
	offsets, err := a.b.Append(topic, records...)
	if err != nil {
		return nil, err
	}
	stored := Stored{Stored: []Position{}}
	for i, offset := range offsets {
		stored.Stored = append(stored.Stored, Position{records[i].Partition, offset})
	}
	return stored, nil
}

// maxPage is the most records of one answer.
const maxPage = 10_000

func number(r *http.Request, name string, otherwise, least, most int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, say(http.StatusBadRequest, fmt.Sprintf("%s cannot be %q.", name, text), fmt.Sprintf("Use a whole number from %d to %d.", least, most))
	}
	return n, nil
}

func readRecords(a *API, r *http.Request) (any, error) {
	if _, err := a.find(r); err != nil {
		return nil, err
	}
	topic := a.b.Topic(r.PathValue("topic"))
	starts, ends := topic.StartOffsets(), topic.HighWatermarks()
	limit, err := number(r, "limit", 100, 0, maxPage)
	if err != nil {
		return nil, err
	}
	only, err := number(r, "partition", -1, 0, int64(len(ends))-1)
	if err != nil {
		return nil, err
	}
	page := Records{Records: []Record{}, Next: map[int32]int64{}}
	for i := range min(len(starts), len(ends)) {
		p := int32(i)
		if only >= 0 && only != int64(p) {
			continue
		}
		from, err := seek(r, topic, p, starts[i], ends[i])
		if err != nil {
			return nil, err
		}
		read := topic.Read
		if r.URL.Query().Get("isolation") == "read_committed" {
			read = topic.ReadCommitted
		}
		records, next := read(p, from, int(limit)-len(page.Records))
		for _, found := range records {
			page.Records = append(page.Records, shown(found, r.URL.Query().Get("decode")))
		}
		page.Next[p] = next
	}
	return page, nil
}

// seek is the offset that reading begins at.
func seek(r *http.Request, topic broker.Topic, partition int32, start, end int64) (int64, error) {
	switch from := r.URL.Query().Get("from"); from {
	case "", "start":
		return start, nil
	case "end":
		return end, nil
	default:
		if n, err := strconv.ParseInt(from, 10, 64); err == nil {
			if n < 0 {
				return max(start, end+n), nil
			}
			return n, nil
		}
		at, err := time.Parse(time.RFC3339Nano, from)
		if err != nil {
			return 0, say(http.StatusBadRequest, fmt.Sprintf("from cannot be %q.", from), "Use start, end, an offset, -N for the last N of each partition, or a time such as 2026-01-31T12:00:00Z.")
		}
		return topic.OffsetAt(partition, at), nil
	}
}

// shown is a record as it is answered. decode is auto, text or base64.
func shown(of broker.Record, decode string) Record {
	f := fixture.Record{Partition: of.Partition, Offset: of.Offset, Timestamp: of.Timestamp.UnixMilli(), HasTimestamp: true, Key: of.Key, Value: of.Value}
	for _, h := range of.Headers {
		f.Headers = append(f.Headers, fixture.Header(h))
	}
	out := Record{RecordFields: f.Fields(decode != "text"), Transactional: of.Transactional}
	if decode == "base64" {
		out.Key, out.KeyBase64 = coded(of.Key)
		out.Value, out.ValueBase64 = coded(of.Value)
	}
	if of.ProducerID >= 0 {
		out.ProducerID = &of.ProducerID
	}
	return out
}

func coded(b []byte) (json.RawMessage, *string) {
	if b == nil {
		return nil, nil
	}
	text := base64.StdEncoding.EncodeToString(b)
	return nil, &text
}
