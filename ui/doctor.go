package ui

// This file owns the page /doctor: clients that were told an address and never
// went there, and what to change.

import (
	"net/http"
	"time"

	"minibroker/broker"
)

// maxPatients is how many clients the page shows.
const maxPatients = 200

type doctorView struct {
	Bootstrap string       `json:"bootstrap_servers"`
	Ill       int          `json:"lost"`
	Clients   []patientRow `json:"clients"` // those who need help first
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
	var well []patientRow
	for _, c := range s.broker.Visitors() {
		row := patientRow{c.Name, c.ClientID, c.IP.String(), c.Told, c.Port, c.At.UTC(), c.State, c.Why}
		if row.Ill() {
			v.Clients = append(v.Clients, row)
			v.Ill++
		} else {
			well = append(well, row)
		}
	}
	v.Clients = append(v.Clients, well...)
	v.Clients = v.Clients[:min(len(v.Clients), maxPatients)]
	return v, nil
}
