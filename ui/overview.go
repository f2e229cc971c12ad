package ui

// This file owns the first page.

import (
	"net/http"
	"time"
)

type overviewView struct {
	ClusterID  string    `json:"cluster_id"`
	Started    time.Time `json:"started"`
	Brokers    int       `json:"brokers"`
	Controller int32     `json:"controller"`
	Topics     int       `json:"topics"`
	Internal   int       `json:"internal_topics"`
	Partitions int       `json:"partitions"`
	Offline    int       `json:"partitions_without_leader"`
	Groups     int       `json:"groups"`
	Active     int       `json:"active_groups"`
	Bootstrap  string    `json:"bootstrap_servers"`
	Listens    []string  `json:"listens"`
	Ways       []way     `json:"ways"`     // to connect; the first is chosen by "via"
	Snippets   []snippet `json:"snippets"` // by the first
	// What only a broker in this process tells: records written a second over
	// time, the newest of them, and what happened.
	Rate       *graph      `json:"record_rate"`
	PerSecond  float64     `json:"records_per_second"`
	Happenings []happening `json:"happenings"`
}

// nextPages are where the first page sends its readers, who do not know yet what
// these are.
var nextPages = []string{"lab", "wire", "doctor", "faults"}

func (s *site) overview(r *http.Request) (any, error) {
	about, err := s.cluster.about(r.Context())
	if err != nil {
		return nil, err
	}
	groups, err := s.cluster.listGroups(r.Context())
	if err != nil {
		return nil, err
	}
	ways := s.ways(r)
	v := overviewView{
		Started:    s.started,
		ClusterID:  text(about.ClusterID),
		Brokers:    len(about.Brokers),
		Controller: about.ControllerID,
		Groups:     len(groups),
		Bootstrap:  ways[0].Bootstrap,
		Ways:       ways,
		Listens:    []string{},
		Snippets:   ways[0].snippets(),
	}
	if s.broker != nil {
		v.Listens = s.broker.Addrs()
		if _, _, err := s.totals(); err != nil {
			return nil, err
		}
		v.Rate = s.history.rate(recordsGraph)
		v.PerSecond = v.Rate.newest()
		v.Happenings = s.happenings(languageOf(r), 8, "", "group", "topic", "client", "broker")
	}
	if _, err := s.eachTopic(r.Context(), func(t topicRow, offline int) {
		if t.Internal {
			v.Internal++
		} else {
			v.Topics++
		}
		v.Partitions += t.Partitions
		v.Offline += offline
	}); err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.state != "Empty" && g.state != "Dead" {
			v.Active++
		}
	}
	return v, nil
}
