package broker

import (
	"container/list"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/internal/clock"
	"minibroker/protocol"
)

// comeback finds the clients that were told an address and did not come back
// to it, and names each in one log line. This is the commonest way in which a
// cluster does not work: the first connection is fine, then the client goes to
// an address that leads nowhere and reports a time-out.
//
// What clients do with the answer differs (testdata/comeback has what they
// sent), so doubts are weighed:
//   - One that reaches the address opens a connection to it at once, often
//     after closing the first, and may ask for nothing but Metadata there.
//   - One that does not may ask again on the first connection (kgo, old
//     librdkafka), bootstrap again and again (new librdkafka, retry loops), or
//     sit there until somebody gives up (kafka-python up to 2.3).
//   - Listings end on the first connection, and nothing is wrong.
type comeback struct {
	mu       sync.Mutex
	visitors map[visitorKey]*visitor
	newest   list.List // of *visitor, the one told most recently in front
	// named has whom a line was written about: one per address of a client.
	named   map[netip.Addr]string
	stopped bool
}

const (
	// atOnce is how soon a client that can reach an address is there.
	atOnce = 500 * time.Millisecond
	// askAgain is how soon one that cannot reach it asks again: later requests
	// are the regular refresh of metadata.
	askAgain = time.Minute
	// lookUp is the longest connection that is taken for a mere listing.
	lookUp = time.Second
	// patience is the time from the first doubt to the log line.
	patience = 10 * time.Second
	// maxVisitors bounds what is remembered, however many addresses call.
	maxVisitors = 1024
)

// Weights of doubts. A line is written from mayBeLost on.
const (
	lookedUp  = 1 // a client that often only lists came, listed and went
	askedFor  = 2 // it asked for certain topics, and went
	mayBeLost = 4 // a client left, or waits, as it would if it had failed
	isLost    = 8 // a client asks again though it was answered
)

// visitorKey is one client object as far as a broker can tell them apart:
// many share 127.0.0.1 or a gateway's address.
type visitorKey struct {
	ip       netip.Addr
	clientID string
}

// visitor is a client that was told an address.
type visitor struct {
	key     visitorKey
	place   *list.Element
	waiting map[*visit]bool // open connections on which it was told, without having come back
	told    time.Time       // newest
	opened  time.Time       // newest first request of a connection of it, once it was told
	// gone is what the newest of the waiting connections to end had added.
	gone struct {
		told  time.Time
		doubt int
	}
	doubt     int         // all together
	firm      bool        // part of doubt is isLost for a coordinator that it did not go to
	timer     clock.Timer // pending when doubt is not zero
	proved    bool        // it worked here before
	lost      bool        // it was found not to have come back, and has not since
	forgotten bool        // no longer in comeback.visitors

	// For the line: as it was told most recently.
	name    string
	to      endpoint
	why     because
	outside bool // not in a network of this container
}

// visit is a connection's part. The first two fields belong to the
// connection's goroutine, the others are under comeback.mu.
type visit struct {
	settled bool // there is nothing more to learn: the common case, and free
	seen    bool // its first request was looked at

	of          *visitor // set when it is first told an address
	first, last time.Time
	doubt       int  // taken back if another connection follows at once
	named       bool // it asked for certain topics
	back        bool // came back, or was followed by a connection that did
}

const keyFindCoordinator = 10

// onlyAsks says whether a client sends this API to whatever broker it knows;
// all others it sends to a certain node, at the address that it was told.
func onlyAsks(key int16) bool {
	switch key {
	case protocol.KeyMetadata, protocol.KeyApiVersions:
		return true
	case keyFindCoordinator, 60: // DescribeCluster
		return true
	case 17, 36: // SaslHandshake, SaslAuthenticate
		return true
	case 22: // InitProducerId
		return true
	}
	return false
}

// movesOn says whether a client does nothing at all on the connection that it
// bootstrapped with: then one that ends without another is no mere listing.
func movesOn(c *conn) bool {
	return strings.HasPrefix(c.softwareName, "kafka-python") || c.softwareName == "apache-kafka-java" ||
		strings.HasPrefix(c.clientID, "kafka-python-") // up to 2.0 it has no other name
}

func keyOf(c *conn) visitorKey {
	id := c.clientID
	if len(id) > 128 {
		id = strings.Clone(id[:128])
	}
	return visitorKey{c.peer.remote.Addr().WithZone(""), id}
}

// saw is called for each request before it is answered.
func (a *advertiser) saw(r *request) {
	v := &r.visit
	asks := onlyAsks(r.key)
	if v.settled || v.seen && asks {
		return
	}
	first := !v.seen
	v.seen, v.settled = true, !asks
	cb := &a.comeback
	cb.mu.Lock()
	defer cb.mu.Unlock()
	of := cb.visitors[keyOf(r.conn)]
	if of == nil {
		return
	}
	now := a.clock.Now()
	if first {
		of.opened = now
	}
	switch {
	case !asks:
		of.works()
		if cb.named[of.key.ip] == of.key.clientID {
			delete(cb.named, of.key.ip)
		}
	case now.Sub(of.told) <= atOnce:
		v.back = true
		of.returned(now)
	}
}

// works is called when a client does what it came for: it is through.
func (of *visitor) works() {
	of.proved, of.lost = true, false
	for v := range of.waiting {
		v.back = true
	}
	clear(of.waiting)
	of.gone.doubt, of.firm = 0, false
	of.calm(of.doubt)
}

// returned is called when a client opens another connection right after it was
// told an address: that takes back the doubts about what it was told just now.
func (of *visitor) returned(now time.Time) {
	for v := range of.waiting {
		if now.Sub(v.last) <= atOnce {
			v.back = true
			delete(of.waiting, v)
			of.calm(v.doubt)
		}
	}
	if now.Sub(of.gone.told) <= atOnce {
		of.calm(of.gone.doubt)
		of.gone.doubt = 0
	}
}

func (of *visitor) calm(doubt int) {
	of.doubt -= doubt
	if of.doubt <= 0 && of.timer != nil {
		of.timer.Stop()
		of.timer = nil
	}
}

// told is called when a request is answered with an address.
func (a *advertiser) told(r *request, host string, port int32) {
	v := &r.visit
	if v.settled || !r.peer.remote.IsValid() {
		return
	}
	cb := &a.comeback
	var why because
	var outside bool
	if v.of == nil {
		_, why = a.decide(r.peer, r.node)
		if why == bySocket {
			s := a.around()
			outside = s.container && !s.reachesDirectly(r.peer.remote.Addr())
		}
	}
	cb.mu.Lock()
	defer cb.mu.Unlock()
	if cb.stopped || v.of != nil && v.of.forgotten {
		return
	}
	now := a.clock.Now()
	of := v.of
	if of == nil {
		of = cb.visitor(keyOf(r.conn))
		of.name, of.to, of.why, of.outside = nameOf(r.conn), endpoint{host, uint16(port)}, why, outside
		v.of, v.first, v.last = of, now, now
		if !v.back {
			of.waiting[v] = true
		}
	}
	if r.key == keyFindCoordinator && !of.proved && !of.firm {
		// The next thing is to do something there: another question is no
		// return, new librdkafka asks again and again.
		of.firm = true
		a.add(of, isLost)
	}
	if v.back {
		return
	}
	if now.Sub(v.first) > atOnce && now.Sub(v.last) <= askAgain {
		a.doubt(v, isLost)
	}
	v.last, of.told = now, now
	if req, ok := r.body.(*kmsg.MetadataRequest); ok && len(req.Topics) > 0 {
		v.named = true
		if movesOn(r.conn) {
			// It means to use them. An old kafka-python consumer that cannot
			// goes silent for ever.
			a.doubt(v, mayBeLost)
		}
	}
}

// visitor finds a client or makes room for it.
func (cb *comeback) visitor(k visitorKey) *visitor {
	if of := cb.visitors[k]; of != nil {
		cb.newest.MoveToFront(of.place)
		return of
	}
	if cb.visitors == nil {
		cb.visitors, cb.named = make(map[visitorKey]*visitor), make(map[netip.Addr]string)
	}
	if len(cb.visitors) >= maxVisitors {
		old := cb.newest.Remove(cb.newest.Back()).(*visitor)
		delete(cb.visitors, old.key)
		old.calm(old.doubt)
		old.forgotten = true
	}
	k.clientID = strings.Clone(k.clientID)
	of := &visitor{key: k, waiting: make(map[*visit]bool)}
	of.place = cb.newest.PushFront(of)
	cb.visitors[k] = of
	return of
}

func nameOf(c *conn) string {
	if c.softwareName != "" {
		return c.softwareName + " " + c.softwareVersion
	}
	return fmt.Sprintf("client %.128q", c.clientID)
}

// doubt adds to what speaks for a client being lost; each connection counts
// once, with the most that it gave. It needs comeback.mu.
func (a *advertiser) doubt(v *visit, weight int) {
	of := v.of
	if weight <= v.doubt || of.proved && weight < isLost {
		return
	}
	more := weight - v.doubt
	v.doubt = weight
	a.add(of, more)
}

func (a *advertiser) add(of *visitor, doubt int) {
	of.doubt += doubt
	if of.timer == nil {
		of.timer = a.clock.AfterFunc(patience, func() { a.judge(of) })
	}
}

// ended is called when a connection has ended.
func (a *advertiser) ended(c *conn) {
	v := &c.visit
	of := v.of
	if of == nil {
		return
	}
	cb := &a.comeback
	cb.mu.Lock()
	defer cb.mu.Unlock()
	if v.back || of.forgotten || cb.stopped {
		return
	}
	delete(of.waiting, v)
	now := a.clock.Now()
	if of.opened.After(v.last) && now.Sub(of.opened) > atOnce {
		// It was kept beside a newer one; a retry drops the old one for the new.
		of.calm(v.doubt)
		return
	}
	weight := mayBeLost
	if !movesOn(c) && now.Sub(v.first) < lookUp {
		weight = lookedUp
		if v.named {
			weight = askedFor
		}
	}
	a.doubt(v, weight)
	of.gone.told, of.gone.doubt = v.last, v.doubt
}

// judge is called when the time to come back is over.
func (a *advertiser) judge(of *visitor) {
	cb := &a.comeback
	cb.mu.Lock()
	doubt := of.doubt
	if of.timer == nil { // calmed meanwhile
		doubt = 0
	}
	of.doubt, of.firm, of.gone.doubt, of.timer = 0, false, 0, nil
	for v := range of.waiting {
		v.doubt = 0
	}
	of.lost = of.lost || doubt >= mayBeLost && !cb.stopped
	_, named := cb.named[of.key.ip]
	say := doubt >= mayBeLost && !named && !cb.stopped
	if say {
		if len(cb.named) >= maxVisitors {
			clear(cb.named)
		}
		cb.named[of.key.ip] = of.key.clientID
	}
	line := of.line(doubt)
	cb.mu.Unlock()
	if say {
		a.log.Warn(line)
	}
}

// stop forgets all: nothing is logged from now on.
func (cb *comeback) stop() {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	cb.stopped = true
	for _, of := range cb.visitors {
		of.calm(of.doubt)
	}
}

// line is what the log says about a client.
func (of *visitor) line(doubt int) string {
	how := "perhaps it cannot reach that address"
	if doubt >= isLost {
		how = "it probably cannot reach that address"
	}
	return fmt.Sprintf("%s from %s asked for brokers, was told %s, and did not come back in %d s: %s. %s",
		of.name, of.key.ip, of.to, int(patience.Seconds()), how, of.advice())
}

// advice names what to change, as far as the way in tells.
func (of *visitor) advice() string {
	switch of.why {
	case byRule:
		return "--advertise says so: name there an address of this broker that the client can reach, or use --advertise auto"
	case byName:
		return fmt.Sprintf("It is the name that the client uses for TLS: add --advertise HOST:%d with one that it can resolve", of.to.port)
	case byLoopback:
		return fmt.Sprintf("If it comes through a tunnel or a forwarded port, use port %d at both ends, or add --advertise localhost:PORT with the port that it connects to", of.to.port)
	case byGateway:
		return "If the container's port is published under another number, add --published localhost:PORT; if the client is in a container too, let it use this container's name as bootstrap server"
	case byPublished:
		return "--published says so: change it to the address under which the container's port is published"
	}
	if of.outside {
		return fmt.Sprintf("It is outside the networks of this container: add --published HOST:%d with the address under which the container's port is published", of.to.port)
	}
	return fmt.Sprintf("Add --advertise HOST:%d with a name or address of this broker that the client can reach", of.to.port)
}
