package ui

// This file owns streams of server-sent events: a page that stays open and is
// told what happens.

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxStreams is how many pages may be told things at once.
	maxStreams = 64
	// frameEvery is how often a page is told things at most; what happens
	// meanwhile goes into one frame.
	frameEvery = 50 * time.Millisecond
	// frameRows is how much of it a frame tells; the rest is counted.
	frameRows = 200
	// stalled is how long a browser may take to read a frame.
	stalled = 10 * time.Second
)

// stream is an answer that goes on.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

// feed answers with a stream for as long as the page is open and f returns no
// error. ctx ends with the page or with the server.
func (s *site) feed(f func(ctx context.Context, r *http.Request, st *stream) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.streams.Add(1) > maxStreams {
			s.streams.Add(-1)
			writeJSON(w, r, nil, say(http.StatusServiceUnavailable, "problem.streams"))
			return
		}
		defer s.streams.Add(-1)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.stop, cancel)()
		r = r.WithContext(ctx)
		if err := r.ParseForm(); err != nil {
			writeJSON(w, r, nil, say(http.StatusBadRequest, "problem.form"))
			return
		}
		st := &stream{w, http.NewResponseController(w), s.now}
		if err := f(ctx, r, st); err != nil && ctx.Err() == nil {
			st.fail(r, err)
		}
	}
}

// open begins the stream; before it, an error can still be an answer.
func (st *stream) open() error {
	h := st.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	_, err := st.w.Write([]byte(": open\n\n"))
	if err != nil {
		return err
	}
	return st.control.Flush()
}

// fail tells an error, as an answer or as the last event.
func (st *stream) fail(r *http.Request, err error) {
	if st.w.Header().Get("Content-Type") != "text/event-stream" {
		writeJSON(st.w, r, nil, err)
		return
	}
	p := explain(err)
	_ = st.send("failed", []byte(languageOf(r).text(p.Key, p.Args...)))
}

// send writes one event.
func (st *stream) send(event string, data []byte) error {
	var out bytes.Buffer
	out.WriteString("event: " + event + "\n")
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		out.WriteString("data: ")
		out.Write(bytes.ReplaceAll(line, []byte("\r"), nil))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	_ = st.control.SetWriteDeadline(st.now().Add(stalled)) // recorders of tests have none
	if _, err := st.w.Write(out.Bytes()); err != nil {
		return err
	}
	return st.control.Flush()
}

// skipped tells how much a frame left out.
func (st *stream) skipped(n int) error {
	if n == 0 {
		return nil
	}
	return st.send("skipped", []byte(strconv.Itoa(n)))
}
