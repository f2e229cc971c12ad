package broker

import (
	"math"
	"sync"

	"github.com/tidwall/btree"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns fetch sessions (KIP-227, org.apache.kafka.server.FetchSession):
// the broker remembers what a client fetches, so that requests and answers name
// only the partitions that changed.

// Epochs that a request can have in place of the session's next one.
const (
	firstFetchEpoch int32 = 0  // make a session
	noFetchSession  int32 = -1 // end the session, or make none
)

// evictableAfter is the age from which a session can be taken for a newer,
// larger one, and the idle time after which for any, in ms
// (FetchSession.FetchSessionCache, MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
const evictableAfter = 120_000

// fetchSessions is all sessions of a node. Only consumers have them: replicas
// do not fetch over the network here.
type fetchSessions struct {
	mu   sync.Mutex
	byID map[int32]*fetchSession
	// Sessions by last use: a ring around idle, the longest unused first.
	idle fetchSession
	// old holds the sessions older than evictableAfter, smallest first; nil before
	// the first.
	old *btree.BTreeG[*fetchSession]
}

// fetchSession is one client's session.
type fetchSession struct {
	id      int32
	usesIDs bool // made by a request that names topics by id (v13+)

	// Under fetchSessions.mu.
	prev, next *fetchSession
	created    int64
	lastUsed   int64
	size       int  // partitions, when last used
	isOld      bool // in fetchSessions.old

	// mu guards what follows. It is never held while anything is read or
	// waited for. Lock order: fetchSessions.mu, then mu.
	mu         sync.Mutex
	epoch      int32 // what the next request must have
	partitions map[fetchKey]*sessionPartition
	// Partitions in the order in which they are read, a ring around first.
	// Those that had records go to the end, so that max_bytes starves none.
	first sessionPartition
}

// fetchKey names a partition by the topic's name or id, as the session does.
type fetchKey struct {
	topic string
	id    [16]byte
	index int32
}

// sessionPartition is one partition of a session.
type sessionPartition struct {
	prev, next *sessionPartition
	asked      fetchItem
	// What the client was told last.
	highWatermark, logStart int64
}

func newFetchSessions() *fetchSessions {
	s := &fetchSessions{byID: make(map[int32]*fetchSession)}
	s.idle.prev, s.idle.next = &s.idle, &s.idle
	return s
}

func smallerFetchSession(a, b *fetchSession) bool {
	if a.size != b.size {
		return a.size < b.size
	}
	return a.id < b.id
}

// len is the number of sessions.
func (s *fetchSessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

func (s *fetchSessions) get(id int32) *fetchSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// end forgets a session, if it is still there.
func (s *fetchSessions) end(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.byID[id]; f != nil {
		s.remove(f)
	}
}

// touch notes that a session was used and how large it is now.
func (s *fetchSessions) touch(f *fetchSession, size int, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[f.id] != f {
		return // evicted meanwhile
	}
	f.unlink()
	f.lastUsed = now
	s.link(f)
	if f.isOld && f.size != size {
		s.old.Delete(f)
		f.isOld = false
	}
	f.size = size
	if !f.isOld && now-f.created > evictableAfter {
		if s.old == nil {
			s.old = btree.NewBTreeGOptions(smallerFetchSession, btree.Options{NoLocks: true})
		}
		f.isOld = true
		s.old.Set(f)
	}
}

// add makes room for a session of this size and gives it an id; false where
// there is no room (FetchSessionCache.maybeCreateSession).
func (s *fetchSessions) add(f *fetchSession, slots int, now int64, newID func() int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= slots && !s.evict(f.size, now) {
		return false
	}
	for f.id == 0 || s.byID[f.id] != nil {
		f.id = newID()
	}
	f.created, f.lastUsed = now, now
	s.byID[f.id] = f
	s.link(f)
	return true
}

// evict removes a session that was not used for long, or an old one that is
// smaller than the new one.
func (s *fetchSessions) evict(size int, now int64) bool {
	if f := s.idle.next; f != &s.idle && now-f.lastUsed > evictableAfter {
		s.remove(f)
		return true
	}
	if s.old != nil {
		if f, ok := s.old.Min(); ok && size > f.size {
			s.remove(f)
			return true
		}
	}
	return false
}

func (s *fetchSessions) remove(f *fetchSession) {
	delete(s.byID, f.id)
	f.unlink()
	if f.isOld {
		s.old.Delete(f)
		f.isOld = false
	}
}

// link puts f at the end: it was used last.
func (s *fetchSessions) link(f *fetchSession) {
	f.prev, f.next = s.idle.prev, &s.idle
	f.prev.next, f.next.prev = f, f
}

func (f *fetchSession) unlink() {
	f.prev.next, f.next.prev = f.next, f.prev
	f.prev, f.next = nil, nil
}

// newFetchSession makes a session of what a full fetch asked for and is told.
func newFetchSession(usesIDs bool, items []fetchItem, results []fetchResult) *fetchSession {
	f := &fetchSession{usesIDs: usesIDs, epoch: 1, size: len(items)}
	f.partitions = make(map[fetchKey]*sessionPartition, len(items))
	f.first.prev, f.first.next = &f.first, &f.first
	all := make([]sessionPartition, len(items))
	for i := range items {
		p := &all[i]
		p.asked = items[i]
		p.highWatermark, p.logStart = results[i].highWatermark, results[i].logStart
		if known := f.partitions[p.key(usesIDs)]; known != nil {
			known.unlink() // named twice: the last counts
		}
		f.put(p)
	}
	return f
}

func (p *sessionPartition) key(usesIDs bool) fetchKey { return p.asked.key(usesIDs) }

// put adds p at the end.
func (f *fetchSession) put(p *sessionPartition) {
	f.partitions[p.key(f.usesIDs)] = p
	f.toEnd(p)
}

func (f *fetchSession) toEnd(p *sessionPartition) {
	p.prev, p.next = f.first.prev, &f.first
	p.prev.next, p.next.prev = p, p
}

func (p *sessionPartition) unlink() {
	p.prev.next, p.next.prev = p.next, p.prev
	p.prev, p.next = nil, nil
}

// nextFetchEpoch is the epoch that follows; it never becomes 0 again.
func nextFetchEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// continued takes an incremental request: changed and forgotten partitions are
// noted, and what the session now fetches is appended to items. It says how
// many partitions are left; with none left the session is to be ended.
func (f *fetchSession) continued(req *kmsg.FetchRequest, items []fetchItem) (all []fetchItem, size int, code int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.SessionEpoch != f.epoch {
		return items, 0, kerr.InvalidFetchSessionEpoch.Code
	}
	if f.usesIDs != (req.Version >= 13) {
		return items, 0, kerr.FetchSessionTopicIDError.Code
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			item := askedItem(t, &t.Partitions[j])
			if known := f.partitions[item.key(f.usesIDs)]; known != nil {
				known.asked = item
				continue
			}
			f.put(&sessionPartition{asked: item, highWatermark: -1, logStart: -1})
		}
	}
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, index := range t.Partitions {
			item := fetchItem{topic: t.Topic, topicID: t.TopicID, index: index}
			key := item.key(f.usesIDs)
			if p := f.partitions[key]; p != nil {
				delete(f.partitions, key)
				p.unlink()
			}
		}
	}
	if len(f.partitions) == 0 {
		return items, 0, 0
	}
	f.epoch = nextFetchEpoch(f.epoch)
	for p := f.first.next; p != &f.first; p = p.next {
		item := p.asked
		item.cached = p
		items = append(items, item)
	}
	return items, len(f.partitions), 0
}

// told keeps of a fetch's results those that an incremental answer must have,
// and remembers them. used is the epoch of the request. It fails when another
// request used the session meanwhile.
func (f *fetchSession) told(used int32, results []fetchResult) (code int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != nextFetchEpoch(used) {
		return kerr.InvalidFetchSessionEpoch.Code
	}
	for i := range results {
		r := &results[i]
		p := r.item.cached
		if p == nil || p.next == nil { // forgotten meanwhile
			continue
		}
		r.left = !p.told(r)
		if !r.left && r.size > 0 {
			p.unlink()
			f.toEnd(p)
		}
	}
	return 0
}

// told says whether r has news for the client, and remembers it
// (FetchSession.CachedPartition.maybeUpdateResponseData).
func (p *sessionPartition) told(r *fetchResult) (news bool) {
	news = r.size > 0 || r.code != 0 || r.diverging || r.preferred >= 0
	if p.highWatermark != r.highWatermark {
		p.highWatermark, news = r.highWatermark, true
	}
	if p.logStart != r.logStart {
		p.logStart, news = r.logStart, true
	}
	if r.code != 0 {
		// So that the partition is named again when the error has gone.
		p.highWatermark = -1
	}
	return news
}
