package api

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
	"minibroker/broker/fixture"
	"minibroker/internal/dump"
)

// This file owns the broker as a whole: its health, clock, clients, reset,
// snapshots and fixtures.

// Health says that the broker serves, and where.
type Health struct {
	Status    string   `json:"status" enum:"ok"`
	Version   string   `json:"version" doc:"Of minibroker."`
	ClusterID string   `json:"cluster_id"`
	Bootstrap string   `json:"bootstrap" doc:"What a client on this machine sets as bootstrap.servers."`
	Addresses []string `json:"addresses" doc:"What the broker listens on."`
}

// Clock is the broker's clock.
type Clock struct {
	Now  string `json:"now" doc:"RFC 3339."`
	Kind string `json:"kind" enum:"real,movable,virtual,injected" doc:"movable and virtual can be advanced; virtual stands still otherwise."`
}

// Advance is how far to move the clock.
type Advance struct {
	By string `json:"by" doc:"Such as 45s or 1h30m."`
}

// ClientList is the open connections.
type ClientList struct {
	Clients []Client `json:"clients" doc:"Oldest first. Most clients have several connections."`
}

// Client is a connection of a client.
type Client struct {
	Connection      uint64 `json:"connection"`
	Broker          int32  `json:"broker" doc:"The id of the broker that it reached."`
	RemoteAddr      string `json:"remote_addr"`
	ClientID        string `json:"client_id" doc:"Of its newest request."`
	SoftwareName    string `json:"software_name" doc:"As the client calls itself."`
	SoftwareVersion string `json:"software_version"`
}

// ResetResult is what there was to say at a reset.
type ResetResult struct {
	MissedFaults []string `json:"missed_faults" doc:"Faults that never happened and are not optional, in words."`
}

// SnapshotList is the snapshots that are kept.
type SnapshotList struct {
	Snapshots []string `json:"snapshots" doc:"By name."`
}

// Loaded is what a fixture had.
type Loaded struct {
	Topics  int `json:"topics"`
	Records int `json:"records"`
	Offsets int `json:"offsets" doc:"Committed offsets of groups."`
}

func getHealth(a *API, _ *http.Request) (any, error) {
	return Health{Status: "ok", Version: a.version, ClusterID: a.b.ClusterID(), Bootstrap: a.b.Bootstrap(), Addresses: a.b.Addrs()}, nil
}

func getClock(a *API, _ *http.Request) (any, error) {
	return Clock{a.b.Now().UTC().Format(time.RFC3339Nano), a.b.ClockKind()}, nil
}

func advance(a *API, r *http.Request) (any, error) {
	asked, err := read[Advance](r)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(asked.By)
	if err != nil || d < 0 {
		return nil, say(http.StatusBadRequest, fmt.Sprintf("by cannot be %q.", asked.By), "Write how long, such as 45s or 1h30m.")
	}
	if kind := a.b.ClockKind(); kind != "movable" && kind != "virtual" {
		return nil, say(http.StatusConflict, "The broker runs on the "+kind+" clock, which cannot be moved.", "Start minibroker with --clock movable.")
	}
	a.b.Advance(d)
	return getClock(a, r)
}

func listClients(a *API, _ *http.Request) (any, error) {
	list := ClientList{Clients: []Client{}}
	for _, c := range a.b.Clients() {
		list.Clients = append(list.Clients, Client{Connection: c.Connection, Broker: c.Broker, RemoteAddr: c.RemoteAddr, ClientID: c.ClientID, SoftwareName: c.SoftwareName, SoftwareVersion: c.SoftwareVersion})
	}
	return list, nil
}

func (a *API) missed() ResetResult {
	result := ResetResult{MissedFaults: []string{}}
	for _, f := range a.b.MissedFaults() {
		result.MissedFaults = append(result.MissedFaults, f.String())
	}
	return result
}

func reset(a *API, _ *http.Request) (any, error) {
	result := a.missed()
	a.b.Reset()
	return result, nil
}

func listSnapshots(a *API, _ *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := SnapshotList{Snapshots: slices.AppendSeq([]string{}, maps.Keys(a.snapshots))}
	slices.Sort(list.Snapshots)
	return list, nil
}

// maxSnapshots bounds what snapshots keep in memory.
const maxSnapshots = 100

func takeSnapshot(a *API, r *http.Request) (any, error) {
	s := a.b.Snapshot()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.snapshots) >= maxSnapshots {
		return nil, say(http.StatusConflict, fmt.Sprintf("There are %d snapshots already.", maxSnapshots), "Delete one first.")
	}
	a.snapshots[r.PathValue("name")] = s
	return nil, nil
}

// snapshot is that in the path.
func (a *API) snapshot(r *http.Request) (*broker.Snapshot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.snapshots[r.PathValue("name")]
	if s == nil {
		return nil, say(http.StatusNotFound, fmt.Sprintf("There is no snapshot %q.", r.PathValue("name")), "PUT it first; GET "+Prefix+"/snapshots lists them.")
	}
	return s, nil
}

func restoreSnapshot(a *API, r *http.Request) (any, error) {
	s, err := a.snapshot(r)
	if err != nil {
		return nil, err
	}
	result := a.missed()
	a.b.Restore(s)
	return result, nil
}

func deleteSnapshot(a *API, r *http.Request) (any, error) {
	if _, err := a.snapshot(r); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.snapshots, r.PathValue("name"))
	return nil, nil
}

func dumpFixture(a *API, w http.ResponseWriter, r *http.Request) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(a.b.Bootstrap(), ",")...), kgo.Dialer(a.b.AdminDialer()), kgo.ClientID(dump.ClientID), kgo.DisableClientMetrics(), kgo.RetryTimeout(10*time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	var out bytes.Buffer // an error must not come after half an answer
	if err := dump.Write(r.Context(), client, r.URL.Query()["topic"], &out); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jsonl")
	_, _ = w.Write(out.Bytes()) // the client went away
	return nil
}

func loadFixture(a *API, r *http.Request) (any, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, say(http.StatusRequestEntityTooLarge, err.Error(), "Load it by --fixture, or in parts.")
	}
	var f *fixture.Fixture
	if strings.Contains(r.Header.Get("Content-Type"), "yaml") {
		f, err = fixture.ParseYAML("fixture", text)
	} else {
		f, err = fixture.ParseLines("fixture", text)
	}
	if err == nil {
		err = a.b.Load(f)
	}
	if err != nil {
		return nil, err
	}
	return Loaded{len(f.Topics), len(f.Records), len(f.Commits)}, nil
}
