package ui

// This file owns the page of brokers: who they are, their log directories, and
// this broker's metrics.

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

type brokersView struct {
	ClusterID  string      `json:"cluster_id"`
	Controller int32       `json:"controller"`
	Brokers    []brokerRow `json:"brokers"`
	Dirs       []dirRow    `json:"log_dirs"`
	DirsOff    string      `json:"log_dirs_off,omitempty"` // why the cluster does not tell them
	Traffic    []metricRow `json:"traffic"`
	Requests   []metricRow `json:"requests"`     // by API, busiest first
	Bytes      *graph      `json:"bytes_rate"`   // a second
	Rates      *graph      `json:"request_rate"` // a second, of the busiest APIs
	Several    bool        `json:"-"`            // brokers in this process, which can be stopped
	Columns    []column    `json:"-"`
}

// brokerColumns are what brokers can be sorted by.
var brokerColumns = []sortable[brokerRow]{
	by("broker", func(b brokerRow) int32 { return b.ID }),
	byWords("address", func(b brokerRow) string { return b.Address }),
	byWords("rack", func(b brokerRow) string { return b.Rack }),
	byWords("state", func(b brokerRow) string { return map[bool]string{true: "stopped", false: "running"}[b.Stopped] }),
	by("leads", func(b brokerRow) int { return b.Leads }).called("broker.leads"),
	by("replicas", func(b brokerRow) int { return b.Replicas }),
	by("behind", func(b brokerRow) int { return b.OutOfSync }).called("broker.outofsync"),
}

type brokerRow struct {
	ID         int32  `json:"id"`
	Address    string `json:"address"`
	Rack       string `json:"rack"`
	Controller bool   `json:"controller"`
	Stopped    bool   `json:"stopped"`
	Leads      int    `json:"leads"`
	Replicas   int    `json:"replicas"`
	OutOfSync  int    `json:"out_of_sync"`
}

type dirRow struct {
	Broker     int32  `json:"broker"`
	Path       string `json:"path"`
	Topics     int    `json:"topics"`
	Partitions int    `json:"partitions"`
	Bytes      int64  `json:"bytes"`
	Total      int64  `json:"total_bytes"`  // -1: not told
	Usable     int64  `json:"usable_bytes"` // -1: not told
	Error      string `json:"error,omitempty"`
}

type metricRow struct {
	Name  string  `json:"name"`
	Label string  `json:"label,omitempty"`
	Help  string  `json:"help"`
	Value float64 `json:"value"`
	Bytes bool    `json:"bytes"`
}

// Whole is the value of a counter.
func (m metricRow) Whole() int64 { return int64(m.Value) }

func (s *site) brokers(r *http.Request) (any, error) {
	v := brokersView{Brokers: []brokerRow{}, Dirs: []dirRow{}}
	if s.broker != nil {
		s.ownBrokers(r, &v)
		_, v.Columns = sortBy(r, "", v.Brokers, brokerColumns)
		return v, s.measure(&v)
	}
	m, err := s.cluster.metadata(r.Context())
	if err != nil {
		return nil, err
	}
	v.ClusterID, v.Controller = text(m.ClusterID), m.ControllerID
	rows := map[int32]*brokerRow{}
	slices.SortFunc(m.Brokers, func(a, b kmsg.MetadataResponseBroker) int { return int(a.NodeID - b.NodeID) })
	for _, b := range m.Brokers {
		v.Brokers = append(v.Brokers, brokerRow{ID: b.NodeID, Address: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), Rack: text(b.Rack), Controller: b.NodeID == m.ControllerID})
	}
	for i := range v.Brokers {
		rows[v.Brokers[i].ID] = &v.Brokers[i]
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if b := rows[p.Leader]; b != nil {
				b.Leads++
			}
			for _, id := range p.Replicas {
				b := rows[id]
				if b == nil {
					continue
				}
				b.Replicas++
				if !slices.Contains(p.ISR, id) {
					b.OutOfSync++
				}
			}
		}
	}
	_, v.Columns = sortBy(r, "", v.Brokers, brokerColumns)
	dirs, err := s.cluster.admin.DescribeAllLogDirs(r.Context(), nil)
	if err != nil && len(dirs) == 0 {
		why := explain(err)
		v.DirsOff = cmp.Or(why.Code, why.Detail)
	}
	dirs.Each(func(d kadm.DescribedLogDir) {
		row := dirRow{Broker: d.Broker, Path: d.Dir, Topics: len(d.Topics), Bytes: d.Size(), Total: d.TotalBytes, Usable: d.UsableBytes}
		if d.Err != nil {
			row.Error = d.Err.Error()
		}
		d.Topics.Each(func(kadm.DescribedLogDirPartition) { row.Partitions++ })
		v.Dirs = append(v.Dirs, row)
	})
	slices.SortFunc(v.Dirs, func(a, b dirRow) int { return cmp.Or(int(a.Broker-b.Broker), strings.Compare(a.Path, b.Path)) })
	return v, nil // the metrics here would be those of the UI
}

// ownBrokers are the brokers of this process: those that are stopped, too, and
// at the addresses that the reader can reach.
func (s *site) ownBrokers(r *http.Request, v *brokersView) {
	nodes := s.broker.Brokers()
	v.ClusterID, v.Several = s.broker.ClusterID(), len(nodes) > 1
	for _, n := range nodes {
		row := brokerRow{ID: n.ID, Rack: n.Rack, Controller: n.Controller, Stopped: !n.Running, Leads: n.Leads, Replicas: n.Replicas, OutOfSync: n.OutOfSync, Address: s.published}
		if n.Controller {
			v.Controller = n.ID
		}
		if len(n.Addrs) > 0 && (s.published == "" || v.Several) {
			row.Address = fromReader(r, n.Addrs[0])
		}
		v.Brokers = append(v.Brokers, row)
	}
	for _, d := range s.broker.LogDirs() {
		v.Dirs = append(v.Dirs, dirRow{Broker: d.Broker, Path: d.Path, Topics: d.Topics, Partitions: d.Partitions, Bytes: d.Bytes, Total: d.Total, Usable: d.Usable})
	}
}

// stopBroker and startBroker are for brokers in this process.

func (s *site) stopBroker(r *http.Request) (string, error) {
	return s.turn(r, s.broker.StopBroker, "/brokers?done=broker.stopped")
}

func (s *site) startBroker(r *http.Request) (string, error) {
	return s.turn(r, s.broker.StartBroker, "/brokers?done=broker.started")
}

func (s *site) turn(r *http.Request, f func(int32) error, next string) (string, error) {
	id, err := brokerID(r)
	if err != nil {
		return "", err
	}
	if err := f(id); errors.Is(err, broker.ErrNoSuchBroker) {
		return "", say(http.StatusNotFound, "problem.broker.unknown")
	} else if err != nil {
		return "", &problem{status: http.StatusConflict, Key: "problem.broker.start", Detail: err.Error()}
	}
	return next, nil
}

// lag lets what a broker follows come late to it, or no longer.
func (s *site) lag(r *http.Request) (string, error) {
	id, err := brokerID(r)
	if err != nil {
		return "", err
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(r.Form.Get("lag")), 10, 32)
	if err != nil || ms < -1 {
		return "", say(http.StatusUnprocessableEntity, "problem.lag")
	}
	if err := s.broker.SetFollowerLag(id, time.Duration(ms)*time.Millisecond); err != nil {
		return "", say(http.StatusNotFound, "problem.broker.unknown")
	}
	return "/brokers?done=broker.lag", nil
}

// elect lets each partition's preferred replica lead.
func (s *site) elect(r *http.Request) (string, error) {
	results, err := s.cluster.admin.ElectLeaders(r.Context(), kadm.ElectPreferredReplica, nil)
	if err != nil {
		return "", err
	}
	for _, topic := range results {
		for _, p := range topic {
			if p.Err != nil && p.Err != kerr.ElectionNotNeeded && p.Err != kerr.PreferredLeaderNotAvailable {
				return "", refused(p.Err, p.ErrMessage)
			}
		}
	}
	return "/brokers?done=broker.elected", nil
}

// measure adds the broker's totals and how they grow.
func (s *site) measure(v *brokersView) (err error) {
	v.Traffic, v.Requests, err = s.totals()
	v.Bytes, v.Rates = s.history.rate(bytesGraph), s.history.rate(requestsGraph)
	return err
}
