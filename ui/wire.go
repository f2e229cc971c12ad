package ui

// This file owns what the page /wire shows: each request with its answer, as
// the broker's observers see them.

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/internal/clock"
)

const (
	// wireRows and wireBytes bound what is kept of requests.
	wireRows  = 2000
	wireBytes = 16 << 20
	// wireWhole is the largest message kept whole. Of larger ones the records
	// are cut short, or else only the beginning is kept.
	wireWhole = 64 << 10
	// wireRest is how long requests are still recorded when nobody looks.
	wireRest = 5 * time.Minute
	// wireShown is how many rows the page begins with.
	wireShown = 200
)

// exchange is a request with its answer.
type exchange struct {
	ID         uint64    `json:"id"`
	At         time.Time `json:"at"`
	Connection uint64    `json:"connection"`
	Remote     string    `json:"remote"`
	Client     string    `json:"client_id"`
	Software   string    `json:"software"`
	Node       int32     `json:"node"`
	API        string    `json:"api"`
	Key        int16     `json:"api_key"`
	Version    int16     `json:"version"`
	Took       float64   `json:"took_ms"`
	Outcome    string    `json:"outcome"`
	Bad        bool      `json:"bad"` // an error in the answer, or none
	In         int       `json:"request_bytes"`
	Out        int       `json:"response_bytes"`

	request, response keptMessage
}

// Lane is the colour of the connection on the page.
func (e *exchange) Lane() uint64 { return e.Connection % 8 }

// Family is what the API is about: data, groups, transactions, metadata or
// anything else.
func (e *exchange) Family() string {
	switch e.API {
	case "Produce", "Fetch", "ListOffsets", "OffsetForLeaderEpoch", "ShareFetch", "ShareAcknowledge", "DeleteRecords":
		return "data"
	case "InitProducerID", "AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn", "TxnOffsetCommit", "DescribeTransactions", "ListTransactions", "WriteTxnMarkers":
		return "txn"
	case "ApiVersions", "Metadata", "DescribeCluster", "FindCoordinator", "SASLHandshake", "SASLAuthenticate", "DescribeTopicPartitions":
		return "meta"
	}
	if strings.Contains(e.API, "Group") || strings.Contains(e.API, "Heartbeat") || strings.HasPrefix(e.API, "Offset") {
		return "group"
	}
	return "other"
}

// families are all that Family says.
var families = []string{"data", "group", "txn", "meta", "other"}

// Bar is how long it took, from 0 to 100: ten times as long is 25 more.
func (e *exchange) Bar() int { return min(100, int(25*math.Log10(1+10*e.Took))) }

// keptMessage is the body of a request or an answer, encoded.
type keptMessage struct {
	body []byte
	cut  bool // the records in it are cut short: it can still be decoded
	part bool // it is the beginning only
}

// wire records requests while somebody looks.
type wire struct {
	broker *broker.Broker
	stop   context.Context

	mu      sync.Mutex
	rows    []*exchange // oldest first
	bytes   int
	total   uint64
	unwatch func()
	rest    clock.Timer
	since   time.Time
	news    chan struct{} // closed at the next exchange; nil when nobody waits
}

// look makes sure that requests are recorded from now on. It says since when.
func (w *wire) look() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unwatch == nil {
		w.since = w.broker.Now()
		w.unwatch = w.broker.Observe(w.saw)
		w.rest = clock.Real{}.AfterFunc(wireRest, w.sleep)
		context.AfterFunc(w.stop, w.sleep)
	}
	w.rest.Reset(wireRest)
	return w.since
}

// sleep ends the recording.
func (w *wire) sleep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unwatch != nil {
		w.unwatch()
		w.rest.Stop()
		w.unwatch = nil
	}
}

// saw is the observer. What it is given is the broker's, so it keeps copies.
func (w *wire) saw(o broker.Observation) {
	if o.ClientID == clientID {
		return // the pages' own requests
	}
	e := &exchange{At: o.Received, Connection: o.Connection, Remote: o.RemoteAddr, Client: strings.Clone(o.ClientID), Node: o.Node,
		API: kmsg.NameForKey(o.Key), Key: o.Key, Version: o.Version, Took: float64(o.Took.Microseconds()) / 1000, Outcome: o.Outcome(), Bad: o.Failed(),
		Software: strings.TrimSpace(o.SoftwareName + " " + o.SoftwareVersion)}
	e.request, e.In = keep(o.Request)
	if o.Response != nil {
		e.response, e.Out = keep(o.Response)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	e.ID = w.total
	w.rows = append(w.rows, e)
	w.bytes += e.size()
	for len(w.rows) > wireRows || w.bytes > wireBytes && len(w.rows) > 1 {
		w.bytes -= w.rows[0].size()
		w.rows[0] = nil
		w.rows = w.rows[1:]
	}
	if w.news != nil {
		close(w.news)
		w.news = nil
	}
}

func (e *exchange) size() int { return 256 + len(e.request.body) + len(e.response.body) }

// message is a kmsg.Request or kmsg.Response.
type message interface{ AppendTo([]byte) []byte }

// keep encodes a message, and says how large it is.
func keep(m message) (keptMessage, int) {
	short, saved := withoutRecords(m)
	body := short.AppendTo(nil)
	k := keptMessage{body: body, cut: saved > 0}
	if len(body) > wireWhole {
		k.body, k.part = slices.Clone(body[:wireWhole]), true
	}
	return k, len(body) + saved
}

// recordsStart is how much of records is kept of a large message.
const recordsStart = 512

// withoutRecords is the message with its records cut short, if it is large, and
// how many bytes that saves. The message itself is not changed.
func withoutRecords(m message) (message, int) {
	saved := 0
	start := func(records []byte) []byte {
		n := min(len(records), recordsStart)
		saved += len(records) - n
		return records[:n:n]
	}
	switch m := m.(type) {
	case *kmsg.ProduceRequest:
		size := 0
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				size += len(p.Records)
			}
		}
		if size <= wireWhole/2 {
			return m, 0
		}
		c := *m
		c.Topics = slices.Clone(m.Topics)
		for i := range c.Topics {
			c.Topics[i].Partitions = slices.Clone(c.Topics[i].Partitions)
			for j := range c.Topics[i].Partitions {
				p := &c.Topics[i].Partitions[j]
				p.Records = start(p.Records)
			}
		}
		return &c, saved
	case *kmsg.FetchResponse:
		size := 0
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				size += len(p.RecordBatches)
			}
		}
		if size <= wireWhole/2 {
			return m, 0
		}
		c := *m
		c.Topics = slices.Clone(m.Topics)
		for i := range c.Topics {
			c.Topics[i].Partitions = slices.Clone(c.Topics[i].Partitions)
			for j := range c.Topics[i].Partitions {
				p := &c.Topics[i].Partitions[j]
				p.RecordBatches = start(p.RecordBatches)
			}
		}
		return &c, saved
	}
	return m, 0
}

// after are the exchanges later than id, and a channel that tells of the next.
func (w *wire) after(id uint64) ([]*exchange, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.news == nil {
		w.news = make(chan struct{})
	}
	i, _ := slices.BinarySearchFunc(w.rows, id+1, func(e *exchange, id uint64) int { return cmp.Compare(e.ID, id) })
	return slices.Clone(w.rows[i:]), w.news
}

// wireQuery chooses exchanges.
type wireQuery struct {
	Client     string `json:"client"` // part of the id, the software or the address
	API        string `json:"api"`
	Connection string `json:"connection"`
	Errors     bool   `json:"errors"`
}

func wireQueryOf(r *http.Request) wireQuery {
	f := r.Form
	return wireQuery{strings.TrimSpace(f.Get("client")), f.Get("api"), strings.TrimSpace(f.Get("connection")), f.Get("errors") == "1"}
}

func (q wireQuery) takes(e *exchange) bool {
	if q.Errors && !e.Bad || q.API != "" && q.API != e.API || q.Connection != "" && q.Connection != strconv.FormatUint(e.Connection, 10) {
		return false
	}
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(q.Client)) }
	return q.Client == "" || has(e.Client) || has(e.Software) || has(e.Remote)
}

func (q wireQuery) choose(all []*exchange) []*exchange {
	return slices.DeleteFunc(all, func(e *exchange) bool { return !q.takes(e) })
}

type wireView struct {
	wireQuery
	Since time.Time   `json:"since"`
	APIs  []string    `json:"apis"`     // that were seen
	Rows  []*exchange `json:"requests"` // newest first
	Query string      `json:"-"`
}

// Families are what the colours of requests stand for.
func (v wireView) Families() []string { return families }

func (s *site) wirePage(r *http.Request) (any, error) {
	v := wireView{wireQuery: wireQueryOf(r), Since: s.wire.look(), Rows: []*exchange{}, APIs: []string{}}
	all, _ := s.wire.after(0)
	seen := map[string]bool{}
	for _, e := range all {
		if !seen[e.API] {
			seen[e.API] = true
			v.APIs = append(v.APIs, e.API)
		}
	}
	slices.Sort(v.APIs)
	rows := v.choose(all)
	rows = rows[max(0, len(rows)-wireShown):]
	slices.Reverse(rows)
	v.Rows = append(v.Rows, rows...)
	q := r.URL.Query()
	q.Set("after", "0")
	if len(all) > 0 {
		q.Set("after", strconv.FormatUint(s.wire.newest(), 10))
	}
	v.Query = q.Encode()
	return v, nil
}

func (w *wire) newest() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// wireFeed streams exchanges as they happen.
func (s *site) wireFeed(ctx context.Context, r *http.Request, st *stream) error {
	s.wire.look()
	q := wireQueryOf(r)
	last, err := strconv.ParseUint(r.Form.Get("after"), 10, 64)
	if err != nil {
		last = s.wire.newest()
	}
	if err := st.open(); err != nil {
		return err
	}
	asJSON := strings.HasPrefix(r.URL.Path, "/api/")
	lang := languageOf(r).code
	for {
		rows, news := s.wire.after(last)
		if len(rows) > 0 {
			if skipped := rows[0].ID - last - 1; skipped > 0 {
				if err := st.skipped(int(skipped)); err != nil {
					return err
				}
			}
			last = rows[len(rows)-1].ID
			rows = q.choose(rows)
			if cut := len(rows) - frameRows; cut > 0 {
				rows = rows[cut:]
				if err := st.skipped(cut); err != nil {
					return err
				}
			}
		}
		if len(rows) > 0 {
			slices.Reverse(rows)
			var out bytes.Buffer
			if asJSON {
				err = writeRows(&out, rows)
			} else {
				for _, e := range rows {
					if err = pageSet()[lang]["wire"].ExecuteTemplate(&out, "wirerow", e); err != nil {
						break
					}
				}
			}
			if err == nil {
				err = st.send("rows", out.Bytes())
			}
			if err != nil {
				return err
			}
		}
		s.wire.look()
		if err := pause(ctx, frameEvery); err != nil {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
