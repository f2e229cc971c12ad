package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"minibroker/broker"
)

// This file owns the transcript: the newest requests of clients, and a stream
// of them.

// Transcript is the newest requests.
type Transcript struct {
	Lines []TranscriptLine `json:"lines" doc:"Oldest first."`
}

// TranscriptLine is a request with what became of it.
type TranscriptLine struct {
	Number     uint64 `json:"number" doc:"Counts up from 1."`
	Connection uint64 `json:"connection"`
	ClientID   string `json:"client_id"`
	Software   string `json:"software" doc:"As the client calls itself."`
	API        string `json:"api"`
	Version    int16  `json:"version"`
	Outcome    string `json:"outcome" doc:"For which topic, partition or group, and what became of it."`
	Answered   string `json:"answered" doc:"When, by the broker's clock; RFC 3339."`
	TookMicros int64  `json:"took_micros" doc:"From decoded to answered, waiting included."`
	Text       string `json:"text" doc:"All that in one line."`
}

func lineOf(l broker.TranscriptLine) TranscriptLine {
	return TranscriptLine{
		Number: l.Number, Connection: l.Connection, ClientID: l.ClientID, Software: l.Software, API: l.API, Version: l.Version,
		Outcome: l.Outcome, Answered: l.Answered.UTC().Format(time.RFC3339Nano), TookMicros: l.Took.Microseconds(), Text: l.String(),
	}
}

func (a *API) keepsTranscript() error {
	if a.b.KeepsTranscript() {
		return nil
	}
	return say(http.StatusConflict, "The broker keeps no transcript.", "Start minibroker with --transcript 100.")
}

func getTranscript(a *API, r *http.Request) (any, error) {
	if err := a.keepsTranscript(); err != nil {
		return nil, err
	}
	after, err := number(r, "after", 0, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", math.MaxInt32, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	lines := a.b.TranscriptAfter(uint64(after))
	out := Transcript{Lines: []TranscriptLine{}}
	for _, l := range lines[max(0, len(lines)-int(limit)):] {
		out.Lines = append(out.Lines, lineOf(l))
	}
	return out, nil
}

// streamTranscript sends each line as an event. A client that comes back says
// by Last-Event-ID what it has.
func streamTranscript(a *API, w http.ResponseWriter, r *http.Request) error {
	if err := a.keepsTranscript(); err != nil {
		return err
	}
	after, err := number(r, "after", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	if seen, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = max(after, seen)
	}
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if err := flush.Flush(); err != nil {
		return nil
	}
	// It ends when the client or the broker goes; there is nobody to tell.
	_ = a.b.FollowTranscript(r.Context(), uint64(after), func(l broker.TranscriptLine) error {
		data, err := json.Marshal(lineOf(l))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", l.Number, data); err != nil {
			return err
		}
		return flush.Flush()
	})
	return nil
}
