package ui

// This file owns the page /clock.

import (
	"net/http"
	"strings"
	"time"
)

// mostAdvance is how far one form moves a virtual clock.
const mostAdvance = 366 * 24 * time.Hour

type clockView struct {
	Kind    string     `json:"kind"`
	Virtual bool       `json:"virtual"` // it can be moved
	Now     time.Time  `json:"now"`
	Next    *time.Time `json:"next"` // when the next thing falls due; null: nothing does
	Steps   []string   `json:"-"`
}

// Wait is the time to the next deadline, as a form takes it.
func (v clockView) Wait() string { return v.Next.Sub(v.Now).String() }

var clockSteps = []string{"1s", "10s", "45s", "5m", "1h", "24h", "168h"}

func (s *site) clock(*http.Request) (any, error) {
	v := clockView{Kind: s.broker.ClockKind(), Virtual: s.broker.Virtual(), Now: s.broker.Now().UTC(), Steps: clockSteps}
	if next, ok := s.broker.NextDeadline(); ok {
		next = next.UTC()
		v.Next = &next
	}
	return v, nil
}

func (s *site) advance(r *http.Request) (string, error) {
	if !s.broker.Virtual() {
		return "", say(http.StatusConflict, "problem.clock.real")
	}
	d, err := time.ParseDuration(strings.ReplaceAll(r.Form.Get("by"), " ", ""))
	if err != nil || d < 0 || d > mostAdvance {
		return "", say(http.StatusUnprocessableEntity, "problem.clock.by")
	}
	s.broker.Advance(d)
	return "/clock?done=clock.advanced", nil
}
