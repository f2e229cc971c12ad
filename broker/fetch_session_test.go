package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func sessionOf(size int) *fetchSession {
	items := make([]fetchItem, size)
	for i := range items {
		items[i] = fetchItem{topic: "t", index: int32(i)}
	}
	return newFetchSession(false, items, make([]fetchResult, size))
}

// The rules are FetchSessionCache's (KIP-227): a full cache makes room for a
// new session only by one that was not used for two minutes, or by one that is
// older than that and smaller.
func TestAFullSessionCacheEvictsByKafkasRules(t *testing.T) {
	const minutes = 60_000
	for _, c := range []struct {
		name     string
		lastUsed int64 // of the session that is there; made at 0, with 5 partitions
		size     int   // of the new one
		now      int64
		want     bool
	}{
		{"a young session stays, however small", 0, 100, 2 * minutes, false},
		{"a session that was not used for two minutes goes", 0, 1, 2*minutes + 1, true},
		{"an old session in use stays against a smaller one", 3 * minutes, 4, 3 * minutes, false},
		{"an old session in use stays against one of its size", 3 * minutes, 5, 3 * minutes, false},
		{"an old session in use makes room for a larger one", 3 * minutes, 6, 3 * minutes, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newFetchSessions()
			id := int32(0)
			newID := func() int32 { id++; return id }
			old := sessionOf(5)
			if !s.add(old, 1, 0, newID) {
				t.Fatal("there is no room for the first session")
			}
			if c.lastUsed > 0 {
				s.touch(old, 5, c.lastUsed)
			}
			if got := s.add(sessionOf(c.size), 1, c.now, newID); got != c.want {
				t.Fatalf("the new session was made: %v, want %v", got, c.want)
			}
			if gone := s.get(old.id) == nil; gone != c.want {
				t.Fatalf("the old session is gone: %v, want %v", gone, c.want)
			}
			if s.len() != 1 {
				t.Fatalf("there are %d sessions in one slot", s.len())
			}
		})
	}
}

func TestTheLongestUnusedSessionGoesFirst(t *testing.T) {
	s := newFetchSessions()
	id := int32(0)
	newID := func() int32 { id++; return id }
	for range 3 {
		s.add(sessionOf(1), 3, 0, newID)
	}
	s.touch(s.get(1), 1, 10)
	s.add(sessionOf(1), 3, evictableAfter+1, newID)
	if s.get(2) != nil || s.get(1) == nil || s.get(3) == nil || s.get(4) == nil {
		t.Fatal("session 2 was unused for longest and should have made room")
	}
}

func TestWithoutSlotsThereAreNoSessions(t *testing.T) {
	if newFetchSessions().add(sessionOf(1), 0, 0, func() int32 { return 1 }) {
		t.Fatal("a session was made with max.incremental.fetch.session.cache.slots=0")
	}
}

func TestPartitionsThatHadRecordsAreReadLastNextTime(t *testing.T) {
	s := sessionOf(3)
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.SessionEpoch = 12, 1
	items, _, code := s.continued(req, nil)
	if code != 0 {
		t.Fatalf("error [%d]", code)
	}
	results := make([]fetchResult, len(items))
	for i := range items {
		results[i].item = &items[i]
	}
	results[0].size = 10
	if code := s.told(1, results); code != 0 {
		t.Fatalf("error [%d]", code)
	}
	req.SessionEpoch = 2
	items, _, _ = s.continued(req, nil)
	if got := []int32{items[0].index, items[1].index, items[2].index}; got[0] != 1 || got[1] != 2 || got[2] != 0 {
		t.Fatalf("partitions are read in the order %v, want 1, 2, 0", got)
	}
}
