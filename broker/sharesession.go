package broker

import (
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns share sessions (KIP-932,
// org.apache.kafka.server.share.session.ShareSessionCache): the broker remembers
// which partitions a member of a share group fetches. When the session ends, or
// its connection, what the member has on loan is given back.

// Epochs that a request can have in place of the session's next one.
const (
	firstShareEpoch int32 = 0  // make a session
	finalShareEpoch int32 = -1 // end it
)

// shareSessionKey is who has a session. A member has one at most.
type shareSessionKey struct{ group, member string }

// shareSessions is all sessions of a node.
type shareSessions struct {
	mu    sync.Mutex // a leaf
	byKey map[shareSessionKey]*shareSession
	count map[string]int // by group
}

// shareSession is one member's session. It is guarded by shareSessions.mu.
type shareSession struct {
	key        shareSessionKey
	epoch      int32 // what the next request must have
	partitions []shareSessionPartition
	ended      bool
}

// shareSessionPartition is one partition of a session.
type shareSessionPartition struct {
	sharePlace
	// tell: the next answer names it even if it has no records, since it is new
	// or had an error.
	tell bool
}

func (s *shareSessions) get(key shareSessionKey) *shareSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[key]
}

// begin makes a session in place of the member's old one; false: there are as
// many as there may be.
func (s *shareSessions) begin(key shareSessionKey, places []sharePlace, limit int) (*shareSession, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.byKey[key])
	if len(s.byKey) >= limit {
		return nil, false
	}
	f := &shareSession{key: key, epoch: 1}
	for _, at := range places {
		f.add(at, false)
	}
	if s.byKey == nil {
		s.byKey, s.count = make(map[shareSessionKey]*shareSession), make(map[string]int)
	}
	s.byKey[key] = f
	s.count[key.group]++
	return f, true
}

func (f *shareSession) find(at sharePlace) int {
	return slices.IndexFunc(f.partitions, func(p shareSessionPartition) bool { return p.sharePlace == at })
}

func (f *shareSession) add(at sharePlace, tell bool) {
	if f.find(at) < 0 {
		f.partitions = append(f.partitions, shareSessionPartition{at, tell})
	}
}

// remove needs mu.
func (s *shareSessions) remove(f *shareSession) {
	if f == nil || f.ended {
		return
	}
	f.ended = true
	delete(s.byKey, f.key)
	if s.count[f.key.group]--; s.count[f.key.group] == 0 {
		delete(s.count, f.key.group)
	}
}

// next takes the epoch of a request that goes on with a session. The errors are
// SHARE_SESSION_NOT_FOUND and INVALID_SHARE_SESSION_EPOCH.
func (s *shareSessions) next(key shareSessionKey, epoch int32, change func(*shareSession)) (*shareSession, *kerr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byKey[key]
	switch {
	case f == nil:
		return nil, kerr.ShareSessionNotFound
	case f.epoch != epoch:
		return nil, kerr.InvalidShareSessionEpoch
	}
	change(f)
	f.epoch = nextShareEpoch(f.epoch)
	return f, nil
}

// nextShareEpoch is the epoch that follows; it never becomes 0 again.
func nextShareEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// places are a session's partitions in the order in which they are read: each
// request begins with another one, so that none starves.
func (s *shareSessions) places(f *shareSession, epoch int32) []sharePlace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(f.partitions)
	places := make([]sharePlace, 0, n)
	for i := range n {
		places = append(places, f.partitions[(i+int(epoch))%n].sharePlace)
	}
	return places
}

// told says which of the results the answer to an incremental request has, and
// remembers them (CachedSharePartition.maybeUpdateResponseData). It fails when
// another request used the session meanwhile.
func (s *shareSessions) told(f *shareSession, used int32, results []shareResult) *kerr.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.epoch != nextShareEpoch(used) {
		return kerr.InvalidShareSessionEpoch
	}
	for i := range results {
		r := &results[i]
		at := f.find(r.at)
		if at < 0 {
			continue
		}
		p := &f.partitions[at]
		r.left = !p.tell && r.size == 0 && r.err == nil
		p.tell = r.err != nil
		if r.size > 0 { // it has had its turn
			moved := *p
			f.partitions = append(slices.Delete(f.partitions, at, at+1), moved)
		}
	}
	return nil
}

// end ends a session and returns its partitions.
func (s *shareSessions) end(f *shareSession) []sharePlace {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil || f.ended {
		return nil
	}
	s.remove(f)
	places := make([]sharePlace, len(f.partitions))
	for i := range f.partitions {
		places[i] = f.partitions[i].sharePlace
	}
	return places
}

// none tells whether nobody has a session for a group.
func (s *shareSessions) none(group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[group] == 0
}

func (s *shareSessions) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byKey {
		f.ended = true
	}
	clear(s.byKey)
	clear(s.count)
}

// endShareSession ends a session: what its member has on loan is given back.
func (b *Broker) endShareSession(n *node, f *shareSession) {
	if places := n.shareSessions.end(f); len(places) > 0 {
		b.shares.releaseMember(f.key.group, f.key.member, places)
	}
}

// shareDisconnected ends the sessions of a connection that ended. What is known
// of records on loan is forgotten when nobody is left: who comes next begins
// with what is stored, as in Kafka.
func (b *Broker) shareDisconnected(c *conn) {
	for _, f := range c.shareSessions {
		b.endShareSession(c.node, f)
		if c.node.shareSessions.none(f.key.group) {
			b.shares.unloadGroup(f.key.group, c.node)
		}
	}
	c.shareSessions = nil
}

// sharePlacesOf are the partitions that a ShareFetch names.
func sharePlacesOf(topics []kmsg.ShareFetchRequestTopic) (places []sharePlace) {
	for i := range topics {
		for j := range topics[i].Partitions {
			places = append(places, sharePlace{topics[i].TopicID, topics[i].Partitions[j].Partition})
		}
	}
	return places
}
