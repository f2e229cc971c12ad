package broker

import (
	"net/netip"
	"slices"
	"time"
)

// This file owns what others see of the clients that were told an address:
// comeback.go watches whether they go there.

// The states of a Visitor.
const (
	// VisitorWorks did what it came for, at the address that it was told.
	VisitorWorks = "works"
	// VisitorLooked was told an address and has no open connection: a tool
	// that lists topics does not need to come back.
	VisitorLooked = "looked"
	// VisitorWaits was told an address, and did nothing there yet.
	VisitorWaits = "waits"
	// VisitorDoubted behaves as one that cannot reach the address; it may
	// still come.
	VisitorDoubted = "doubted"
	// VisitorLost was told an address and did not come back to it.
	VisitorLost = "lost"
)

// Visitor is a client that was told at which address to find a broker.
type Visitor struct {
	Name     string // as it calls itself, with its version, or else its client id
	ClientID string
	IP       netip.Addr
	Told     string // host:port
	Port     uint16 // of Told
	At       time.Time
	State    string // one of the constants above
	// Why is what decided the address: rule, name, loopback, gateway,
	// published, or socket, the address at which it came in; outside where that
	// is one of a container's networks, and the client is in none of them.
	Why string
}

// Visitors are the clients that were told an address, the newest first; at most
// 1024 are remembered. Clients inside the process are not among them.
func (b *Broker) Visitors() []Visitor { return b.advertiser.visitors() }

func (a *advertiser) visitors() []Visitor {
	cb := &a.comeback
	cb.mu.Lock()
	defer cb.mu.Unlock()
	all := make([]Visitor, 0, len(cb.visitors))
	for e := cb.newest.Front(); e != nil; e = e.Next() {
		of := e.Value.(*visitor)
		v := Visitor{Name: of.name, ClientID: of.key.clientID, IP: of.key.ip, Told: of.to.String(), Port: of.to.port, At: of.told, Why: of.why.name()}
		if of.why == bySocket && of.outside {
			v.Why = "outside"
		}
		switch {
		case of.lost:
			v.State = VisitorLost
		case of.doubt > 0:
			v.State = VisitorDoubted
		case of.proved:
			v.State = VisitorWorks
		case len(of.waiting) > 0:
			v.State = VisitorWaits
		default:
			v.State = VisitorLooked
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b Visitor) int { return b.At.Compare(a.At) })
	return all
}

func (w because) name() string {
	switch w {
	case byRule:
		return "rule"
	case byName:
		return "name"
	case byLoopback:
		return "loopback"
	case byGateway:
		return "gateway"
	case byPublished:
		return "published"
	}
	return "socket"
}
