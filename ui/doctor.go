package ui

// This file owns the page /doctor: clients that were told an address and never
// went there, and what to change.

import (
	"net/http"
	"slices"
	"time"

	"minibroker/broker"
)

// maxPatients is how many clients the page shows.
const maxPatients = 200

type doctorView struct {
	Bootstrap string       `json:"bootstrap_servers"`
	Ill       int          `json:"lost"`
	Clients   []patientRow `json:"clients"` // those who need help first
	Columns   []column     `json:"-"`
}

type patientRow struct {
	Name     string    `json:"name"`
	ClientID string    `json:"client_id"`
	IP       string    `json:"ip"`
	Told     string    `json:"told"`
	Port     uint16    `json:"-"`
	At       time.Time `json:"at"`
	State    string    `json:"state"`
	Why      string    `json:"why"`
}

// doctorColumns are what clients can be sorted by: those who need help come first.
var doctorColumns = []sortable[patientRow]{
	byWords("client", func(p patientRow) string { return p.Name + " " + p.ClientID }),
	byWords("address", func(p patientRow) string { return p.IP }),
	byWords("told", func(p patientRow) string { return p.Told }).called("doctor.told"),
	byWords("why", func(p patientRow) string { return p.Why }).called("doctor.why"),
	by("time", func(p patientRow) int64 { return p.At.UnixMilli() }).set(),
	{name: "state", text: "state", words: true, normal: true, compare: func(a, b patientRow) int {
		return slices.Index(doctorStates, b.State) - slices.Index(doctorStates, a.State)
	}},
}

// Ill says whether the client needs help.
func (p patientRow) Ill() bool {
	return p.State == broker.VisitorLost || p.State == broker.VisitorDoubted
}

// doctorStates and doctorReasons are what a client can be said to have.
var (
	doctorStates  = []string{broker.VisitorWorks, broker.VisitorLooked, broker.VisitorWaits, broker.VisitorDoubted, broker.VisitorLost}
	doctorReasons = []string{"rule", "name", "loopback", "gateway", "published", "socket", "outside"}
)

func (s *site) doctor(r *http.Request) (any, error) {
	v := doctorView{Bootstrap: s.bootstrapFor(r), Clients: []patientRow{}}
	for _, c := range s.broker.Visitors() {
		row := patientRow{c.Name, c.ClientID, c.IP.String(), c.Told, c.Port, c.At.UTC(), c.State, c.Why}
		if row.Ill() {
			v.Ill++
		}
		v.Clients = append(v.Clients, row)
	}
	_, v.Columns = sortBy(r, "", v.Clients, doctorColumns)
	v.Clients = v.Clients[:min(len(v.Clients), maxPatients)]
	return v, nil
}
