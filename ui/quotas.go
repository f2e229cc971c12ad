package ui

// This file owns the quotas of users, clients and addresses.

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

type quotasView struct {
	Quotas []quotaRow `json:"quotas"`
	Off    string     `json:"off,omitempty"` // why the cluster tells of no quotas
	Keys   []string   `json:"-"`
}

// quotaRow is one limit of those who share it.
type quotaRow struct {
	User   string  `json:"user"` // empty: any; "<default>": each that has none of its own
	Client string  `json:"client_id"`
	IP     string  `json:"ip"`
	Key    string  `json:"quota"`
	Value  float64 `json:"value"`
}

// byDefault stands for the default entity in forms.
const byDefault = "<default>"

var quotaKeys = []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate", "connection_creation_rate"}

func (s *site) quotas(r *http.Request) (any, error) {
	v := quotasView{Quotas: []quotaRow{}, Keys: quotaKeys}
	all, err := s.cluster.admin.DescribeClientQuotas(r.Context(), false, nil)
	if v.Off, err = off(err); err != nil {
		return nil, err
	}
	for _, q := range all {
		row := quotaRow{}
		for _, c := range q.Entity {
			name := byDefault
			if c.Name != nil {
				name = *c.Name
			}
			switch c.Type {
			case "user":
				row.User = name
			case "client-id":
				row.Client = name
			case "ip":
				row.IP = name
			}
		}
		for _, value := range q.Values {
			row.Key, row.Value = value.Key, value.Value
			v.Quotas = append(v.Quotas, row)
		}
	}
	slices.SortFunc(v.Quotas, func(a, b quotaRow) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Client, b.Client), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Key, b.Key))
	})
	return v, nil
}

// setQuota sets a limit, or removes it.
func (s *site) setQuota(r *http.Request) (string, error) {
	entry := kadm.AlterClientQuotaEntry{}
	for _, e := range []struct{ field, kind string }{{"user", "user"}, {"client", "client-id"}, {"ip", "ip"}} {
		name := strings.TrimSpace(r.Form.Get(e.field))
		switch name {
		case "":
		case byDefault:
			entry.Entity = append(entry.Entity, kadm.ClientQuotaEntityComponent{Type: e.kind})
		default:
			entry.Entity = append(entry.Entity, kadm.ClientQuotaEntityComponent{Type: e.kind, Name: &name})
		}
	}
	op := kadm.AlterClientQuotaOp{Key: r.Form.Get("key"), Remove: r.Form.Get("delete") != ""}
	if len(entry.Entity) == 0 || op.Key == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.quota")
	}
	done := "/security/quotas?done=quota.removed"
	if !op.Remove {
		var err error
		op.Value, err = strconv.ParseFloat(strings.TrimSpace(r.Form.Get("value")), 64)
		if err != nil || op.Value <= 0 || math.IsInf(op.Value, 0) || math.IsNaN(op.Value) {
			return "", say(http.StatusUnprocessableEntity, "problem.quota.value")
		}
		done = "/security/quotas?done=quota.set"
	}
	entry.Ops = append(entry.Ops, op)
	all, err := s.cluster.admin.AlterClientQuotas(r.Context(), []kadm.AlterClientQuotaEntry{entry})
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Err != nil {
			return "", refused(a.Err, a.ErrMessage)
		}
	}
	return done, nil
}
