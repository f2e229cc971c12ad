package ui

// This file owns the live tail: messages as they come.

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// tail streams the messages of a topic that come from now on.
func (s *site) tail(ctx context.Context, r *http.Request, st *stream) error {
	v, f, err := s.query(r)
	if err != nil {
		return err
	}
	ends, err := s.cluster.offsets(ctx, atEnd, map[string][]int32{v.Topic: v.chosen})
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	for _, p := range v.chosen {
		from[p] = kgo.NewOffset().At(ends[v.Topic][p])
	}
	// A client of its own: a connection has one request in work at a time, and
	// this one waits for messages.
	c, err := s.cluster.another(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{v.Topic: from}), kgo.FetchMaxWait(time.Second), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := st.open(); err != nil {
		return err
	}
	write := s.tailHTML(r, v)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		write = tailJSON
	}
	told := 0 // messages that the filter could not judge
	for {
		fetched := c.PollRecords(ctx, 100*frameRows)
		if err := fetched.Err0(); err != nil {
			return err
		}
		at := s.now()
		var rows []messageRow
		skipped := 0
		fetched.EachRecord(func(record *kgo.Record) {
			if !f.takes(ctx, record) {
				return
			}
			if len(rows) == frameRows {
				skipped, rows = skipped+1, rows[1:]
			}
			row := rowOf(record, v.Decode, previewBytes)
			row.Unjudged = f.why[record]
			rows = append(rows, row)
		})
		clear(f.why)
		if f.Failed > told {
			told = f.Failed
			if err := st.send("unjudged", []byte(strconv.Itoa(told))); err != nil {
				return err
			}
		}
		if err := st.skipped(skipped); err != nil {
			return err
		}
		if len(rows) > 0 {
			data, err := write(rows)
			if err != nil {
				return err
			}
			if err := st.send("rows", data); err != nil {
				return err
			}
			if err := pause(ctx, frameEvery-s.now().Sub(at)); err != nil {
				return err
			}
		}
	}
}

// tailHTML writes the newest row first, as the page shows them.
func (s *site) tailHTML(r *http.Request, v messagesView) func([]messageRow) ([]byte, error) {
	lang := languageOf(r).code
	return func(rows []messageRow) ([]byte, error) {
		var out bytes.Buffer
		for i := len(rows) - 1; i >= 0; i-- {
			if err := pageSet()[lang]["messages"].ExecuteTemplate(&out, "messagerow", map[string]any{"Topic": v.Topic, "Row": rows[i]}); err != nil {
				return nil, err
			}
		}
		return out.Bytes(), nil
	}
}

func tailJSON(rows []messageRow) ([]byte, error) { return json.Marshal(rows) }
