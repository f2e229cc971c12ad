package ui

// This file owns "why was this denied?": what the broker in this process
// refused lately, and what would have let it through.

import (
	"net/http"
	"slices"
	"time"

	"minibroker/broker/auth"
)

type deniedView struct {
	Denials []denialRow `json:"denials"` // the newest first
}

// denialRow is a request or a login that was refused.
type denialRow struct {
	Number    uint64    `json:"number"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Times     int       `json:"times"`
	Principal string    `json:"principal"`
	Host      string    `json:"host"`
	Client    string    `json:"client_id"`
	API       string    `json:"api"`
	// Of a request.
	Operation string   `json:"operation"`
	Resource  string   `json:"resource"`
	Name      string   `json:"name"`
	Rule      string   `json:"rule"`
	ACL       *aclRow  `json:"acl"`         // that denied it
	Seen      []aclRow `json:"acls_seen"`   // about the resource, for whomever
	Remedy    string   `json:"remedy"`      // the ACL that would allow it; empty where one denies it
	Plan      string   `json:"-"`           // the query of the page that makes that ACL
	Login     string   `json:"login_cause"` // of a login
	Mechanism string   `json:"mechanism"`
	Reason    string   `json:"reason"`
	Use       string   `json:"use_mechanism"`
}

func (s *site) denied(*http.Request) (any, error) {
	v := deniedView{Denials: []denialRow{}}
	for _, d := range slices.Backward(s.broker.Denials()) {
		row := denialRow{Number: d.Number, First: d.First, Last: d.Last, Times: d.Times, Principal: d.Principal.String(), Host: d.Host, Client: d.ClientID, API: d.API, Seen: []aclRow{}}
		if d.Login() {
			row.Principal, row.Login, row.Mechanism, row.Reason, row.Use = d.Principal.Name, string(d.Cause), d.Mechanism, d.Reason, d.Use
			v.Denials = append(v.Denials, row)
			continue
		}
		row.Operation, row.Resource, row.Name, row.Rule = d.Operation.String(), d.Resource.Type.String(), d.Resource.Name, string(d.Decision.Rule)
		row.Seen = rowsOfACLs(d.Decision.Seen)
		verdict := verdictOf(auth.Verdict{Principal: d.Principal, Host: d.Host, Resource: d.Resource, Operation: d.Operation, Decision: d.Decision})
		row.ACL, row.Plan = verdict.ACL, verdict.Remedy
		if a, ok := d.Decision.Remedy(d.Principal, d.Operation, d.Resource); ok {
			row.Remedy = a.String()
		}
		v.Denials = append(v.Denials, row)
	}
	return v, nil
}
