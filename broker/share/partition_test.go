package share

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

var (
	start  = time.Unix(1000, 0)
	limits = Limits{MaxInFlight: 2000, MaxDeliveries: 5, LockFor: 30 * time.Second, MayRenew: true}
)

// subject is a partition with what is stored of it.
type subject struct {
	t      *testing.T
	p      *Partition
	stored *State
	now    time.Time
	limits Limits
}

var key = PartitionKey{Group: "g", Topic: [16]byte{1}, Partition: 3}

func newSubject(t *testing.T) *subject {
	s, _, err := Initialize(nil, key, 1, 0, start.UnixMilli())
	if err != nil {
		t.Fatal(err.Message)
	}
	return &subject{t: t, p: Load(s, 0), stored: s, now: start, limits: limits}
}

func (s *subject) store(w Write) *Refusal {
	_, err := Put(s.stored, key, 0, w, 500, s.now.UnixMilli())
	return err
}

// fetch reads record batches, written as "0-9 10-19", for a member.
func (s *subject) fetch(member, batches string, change ...func(*Fetch)) string {
	f := Fetch{Member: member, MaxRecords: NoLimit, BatchSize: NoLimit, From: s.p.NextFetch(), Batches: ranges(batches)}
	for _, c := range change {
		c(&f)
	}
	return text(s.p.Acquire(s.now, &f, &s.limits))
}

func text(rs []Records) string {
	var b strings.Builder
	for _, r := range rs {
		fmt.Fprintf(&b, "%d-%d:%d ", r.First, r.Last, r.DeliveryCount)
	}
	return strings.TrimSpace(b.String())
}

func ranges(s string) (rs []Range) {
	for _, f := range strings.Fields(s) {
		var r Range
		if _, err := fmt.Sscanf(f, "%d-%d", &r.First, &r.Last); err != nil {
			panic(err)
		}
		rs = append(rs, r)
	}
	return rs
}

// ack acknowledges a range; one type for all or one for each.
func (s *subject) ack(member string, first, last int64, types ...AckType) string {
	err := s.p.Acknowledge(s.now, member, []Ack{{Range{first, last}, types}}, &s.limits, s.store)
	if err != nil {
		return err.Err.Message + ": " + err.Message
	}
	return ""
}

// flight is what is in flight: "0-4 acquired(1) a".
func (s *subject) flight() string {
	names := map[RecordState]string{Available: "available", Acquired: "acquired", Acknowledged: "acknowledged", Archived: "archived"}
	var all []string
	s.p.Each(func(b StateBatch, member string, _ time.Time) {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d-%d %s(%d) %s", b.First, b.Last, names[b.State], b.DeliveryCount, member)))
	})
	return strings.Join(all, ", ")
}

func (s *subject) expect(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (s *subject) starts(want int64) {
	s.t.Helper()
	if s.p.Start() != want {
		s.t.Errorf("the start is %d, want %d", s.p.Start(), want)
	}
}

func TestRecordsGoOutOnceAndComeBackAsTheyAreAcknowledged(t *testing.T) {
	s := newSubject(t)
	s.expect("first fetch", s.fetch("a", "0-9"), "0-9:1")
	s.expect("the same again", s.fetch("b", "0-9"), "")
	s.expect("what is behind", s.fetch("b", "10-19"), "10-19:1")
	s.expect("accept part", s.ack("a", 0, 3, Accept), "")
	s.starts(4)
	s.expect("release and reject", s.ack("a", 4, 7, Release, Reject, Gap, Release), "")
	s.expect("in flight", s.flight(), "0-3 acknowledged(1), 4-4 available(1), 5-6 archived(1), 7-7 available(1), 8-9 acquired(1) a, 10-19 acquired(1) b")
	s.expect("released records", s.fetch("b", "0-9"), "4-4:2 7-7:2")
	s.expect("accept the rest", s.ack("b", 10, 19, Accept)+s.ack("b", 4, 4, Accept)+s.ack("b", 7, 7, Accept)+s.ack("a", 8, 9, Accept), "")
	s.starts(20)
	s.expect("in flight at the end", s.flight(), "")
	if got := s.p.NextFetch(); got != 20 {
		t.Errorf("next fetch at %d", got)
	}
}

func TestWhatMayNotBeAcknowledgedIsRefusedAndChangesNothing(t *testing.T) {
	for _, c := range []struct {
		what        string
		member      string
		first, last int64
		types       []AckType
		want        string
	}{
		{"another member's batch", "b", 0, 9, []AckType{Accept}, "INVALID_RECORD_STATE: Member is not the owner of batch record"},
		{"another member's record", "b", 13, 13, []AckType{Accept}, "INVALID_RECORD_STATE: Member is not the owner of offset"},
		{"past what was acquired", "a", 30, 31, []AckType{Accept}, "INVALID_REQUEST: Batch record not found. The first offset in request is past acquired records."}, // behaviour 208
		{"reaching past what was acquired", "a", 5, 31, []AckType{Accept}, "INVALID_REQUEST: Batch record not found. The last offset in request is past acquired records."},
		{"a type that does not exist", "a", 0, 9, []AckType{9}, "INVALID_REQUEST: Invalid acknowledge type: [9]"},
		{"acknowledged before", "a", 10, 11, []AckType{Accept}, "INVALID_RECORD_STATE: The offset cannot be acknowledged. The offset is not acquired."},
		{"half of it acknowledged before", "a", 0, 12, []AckType{Accept}, "INVALID_RECORD_STATE: The offset cannot be acknowledged. The offset is not acquired."},
		{"released before", "a", 20, 24, []AckType{Accept}, "INVALID_RECORD_STATE: The batch cannot be acknowledged. The batch is not in the acquired state."},
	} {
		s := newSubject(t)
		s.fetch("a", "0-9")
		s.fetch("a", "10-19")
		s.fetch("a", "20-24")
		s.ack("a", 10, 12, Accept)
		s.ack("a", 20, 24, Release)
		before := s.flight()
		complete := s.p.complete
		s.expect(c.what, s.ack(c.member, c.first, c.last, c.types...), c.want)
		s.expect(c.what+" leaves", s.flight(), before)
		if s.p.complete != complete {
			t.Errorf("%s: %d records are complete, were %d", c.what, s.p.complete, complete)
		}
	}
}

func TestAnUnknownBatchIsRefused(t *testing.T) {
	s := newSubject(t)
	s.expect("nothing acquired", s.ack("a", 0, 3, Accept), "INVALID_RECORD_STATE: Batch record not found. The request batch offsets are not found in the cache.")
}

func TestWhatCannotBeStoredIsUndone(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	err := s.p.Acknowledge(s.now, "a", []Ack{{Range{0, 4}, []AckType{Accept}}}, &s.limits, func(Write) *Refusal { return refuse(kerr.FencedStateEpoch, "") })
	if err == nil || err.Err != kerr.FencedStateEpoch {
		t.Errorf("got %v", err)
	}
	s.expect("in flight", s.flight(), "0-9 acquired(1) a")
	s.starts(0)
}

func TestLocksEnd(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	s.now = s.now.Add(10 * time.Second)
	s.fetch("b", "10-19")
	s.expect("renew", s.ack("a", 0, 4, Renew), "")
	s.now = start.Add(29 * time.Second)
	if s.p.Expire(s.now, &s.limits, s.store) {
		t.Error("a lock ended before its time")
	}
	s.now = start.Add(30 * time.Second)
	if !s.p.Expire(s.now, &s.limits, s.store) {
		t.Error("no lock ended")
	}
	s.expect("in flight", s.flight(), "0-4 acquired(1) a, 5-9 available(1), 10-19 acquired(1) b")
	if want := start.Add(40 * time.Second); !s.p.Deadline().Equal(want) {
		t.Errorf("the next lock ends at %v, want %v", s.p.Deadline(), want)
	}
	s.expect("fetched anew", s.fetch("c", "0-9"), "5-9:2")
	s.limits.MayRenew = false
	s.expect("renew where it is not allowed", s.ack("a", 0, 4, Renew), "INVALID_RECORD_STATE: Renewing acquisition locks is not enabled for the group.")
}

func TestRecordsAreGivenUpAfterTheLastDelivery(t *testing.T) {
	s := newSubject(t)
	s.limits.MaxDeliveries = 2
	s.expect("first", s.fetch("a", "0-3"), "0-3:1")
	s.ack("a", 0, 3, Release)
	s.expect("second", s.fetch("a", "0-3"), "0-3:2")
	s.ack("a", 0, 3, Release)
	s.expect("none is left", s.flight(), "")
	s.starts(4)
}

func TestRecordsThatWereDeliveredOftenComeInSmallerCompany(t *testing.T) {
	s := newSubject(t)
	want := []string{"0-7:1", "0-7:2", "0-7:3", "0-3:4", "4-7:4", "0-0:5", "1-1:5"}
	for i, w := range want {
		got := s.fetch("a", "0-7")
		s.expect(fmt.Sprintf("fetch %d", i+1), got, w)
		for _, r := range ranges(strings.NewReplacer(":1", "", ":2", "", ":3", "", ":4", "", ":5", "").Replace(got)) {
			if i == 3 {
				continue // the next is about the others
			}
			s.ack("a", r.First, r.Last, Release)
		}
		if i == 4 {
			s.ack("a", 0, 3, Release)
		}
	}
}

func TestAReleasedSessionGivesBackWhatItHas(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	s.fetch("b", "10-14")
	s.ack("a", 3, 3, Accept)
	if err := s.p.ReleaseMember("a", &s.limits, s.store); err != nil {
		t.Fatal(err.Message)
	}
	s.expect("in flight", s.flight(), "0-2 available(1), 3-3 acknowledged(1), 4-9 available(1), 10-14 acquired(1) b")
}

func TestLimitsOfAFetch(t *testing.T) {
	for _, c := range []struct {
		what, batches string
		change        func(*Fetch)
		want          string
	}{
		{"batch mode ends with a record batch", "0-4 5-9 10-14", func(f *Fetch) { f.MaxRecords = 6 }, "0-9:1"},
		{"record mode ends with a record", "0-4 5-9 10-14", func(f *Fetch) { f.MaxRecords, f.ExactLimit = 6, true }, "0-5:1"},
		{"batch size", "0-4 5-9 10-14 15-19", func(f *Fetch) { f.BatchSize = 7 }, "0-9:1 10-19:1"},
		{"none wanted", "0-4", func(f *Fetch) { f.MaxRecords = 0 }, ""},
		{"nothing read", "", func(f *Fetch) {}, ""},
		{"aborted transactions", "0-4 5-9 10-14 15-19", func(f *Fetch) { f.Aborted = ranges("0-4 10-14") }, "5-9:1 15-19:1"},
		{"all aborted", "0-4", func(f *Fetch) { f.Aborted = ranges("0-4") }, ""},
	} {
		s := newSubject(t)
		s.expect(c.what, s.fetch("a", c.batches, c.change), c.want)
	}
}

func TestRecordModeGivesTheRestToOthers(t *testing.T) {
	s := newSubject(t)
	three := func(f *Fetch) { f.MaxRecords, f.ExactLimit = 3, true }
	s.expect("a", s.fetch("a", "0-9", three), "0-2:1")
	s.expect("b", s.fetch("b", "0-9", three), "3-5:1")
	s.expect("c", s.fetch("c", "0-9"), "6-9:1")
}

func TestAtMostSoManyAreInFlight(t *testing.T) {
	s := newSubject(t)
	s.limits.MaxInFlight = 15
	s.expect("first", s.fetch("a", "0-9"), "0-9:1")
	s.expect("up to the record batch's end", s.fetch("a", "10-19 20-29"), "10-19:1")
	if s.p.CanAcquire(&s.limits) {
		t.Error("more can be acquired")
	}
	s.expect("no more", s.fetch("a", "20-29"), "")
	s.ack("a", 5, 9, Release)
	if !s.p.CanAcquire(&s.limits) {
		t.Error("what was released cannot be acquired")
	}
	s.expect("what was released", s.fetch("b", "0-9 10-19 20-29"), "5-9:2")
	s.ack("a", 0, 4, Accept)
	s.ack("b", 5, 9, Accept)
	s.expect("room again", s.fetch("b", "20-29"), "20-29:1")
}

func TestTheLogsStartMovesOn(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	s.fetch("a", "10-19")
	s.ack("a", 0, 9, Release)
	s.ack("a", 12, 13, Accept)
	s.p.LogStart(15)
	s.starts(15)
	if s.p.complete != 0 {
		t.Errorf("%d records are complete", s.p.complete)
	}
	s.expect("in flight", s.flight(), "0-9 archived(1), 10-11 acquired(1) a, 12-13 acknowledged(1), 14-19 acquired(1) a")
	s.expect("what is gone may be acknowledged", s.ack("a", 0, 9, Accept), "")
	s.expect("so may what is there", s.ack("a", 10, 19, Accept), "")
	s.now = s.now.Add(time.Minute)
	s.p.Expire(s.now, &s.limits, s.store)
	s.starts(20)
	s.p.LogStart(100)
	s.starts(100)
	s.expect("from the log's start", s.fetch("a", "100-104"), "100-104:1")
	s.p.LogStart(50)
	s.starts(100)
}

func TestRecordsThatCompactionTookAreGivenUp(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	s.ack("a", 0, 9, Release)
	s.expect("the log now begins later", s.fetch("a", "5-9 12-14"), "5-9:2 10-14:1")
	s.ack("a", 5, 14, Accept)
	s.starts(15)
}

func TestAStoredStateIsTakenUp(t *testing.T) {
	s := newSubject(t)
	s.fetch("a", "0-9")
	s.fetch("a", "10-19")
	s.fetch("a", "20-29")
	s.ack("a", 0, 4, Accept)
	s.ack("a", 20, 24, Release, Accept, Accept, Release, Reject)
	p := Load(s.stored, s.stored.Start)
	s.p = p
	s.expect("in flight", s.flight(), "20-20 available(1), 21-22 acknowledged(1), 23-23 available(1), 24-24 archived(1)")
	s.starts(5)
	if p.NextFetch() != 5 {
		t.Errorf("next fetch at %d: what was not acknowledged must come again", p.NextFetch())
	}
	s.expect("all that is not done", s.fetch("b", "0-9 10-19 20-29"), "5-19:1 20-20:2 23-23:2 25-29:1")
	s.ack("b", 5, 29, Accept)
}

func TestStoredBatchesAreMerged(t *testing.T) {
	at := func(first, last int64, state RecordState, count int16) StateBatch {
		return StateBatch{Range{first, last}, state, count}
	}
	for _, c := range []struct {
		what string
		all  []StateBatch
		n    StateBatch
		want []StateBatch
	}{
		{"into nothing", nil, at(3, 5, Available, 1), []StateBatch{at(3, 5, Available, 1)}},
		{"side by side, equal", []StateBatch{at(0, 2, Available, 1)}, at(3, 5, Available, 1), []StateBatch{at(0, 5, Available, 1)}},
		{"side by side, different", []StateBatch{at(0, 2, Acknowledged, 1)}, at(3, 5, Available, 1), []StateBatch{at(0, 2, Acknowledged, 1), at(3, 5, Available, 1)}},
		{"newer inside", []StateBatch{at(0, 9, Available, 1)}, at(3, 5, Acknowledged, 1), []StateBatch{at(0, 2, Available, 1), at(3, 5, Acknowledged, 1), at(6, 9, Available, 1)}},
		{"older inside", []StateBatch{at(0, 9, Available, 3)}, at(3, 5, Acknowledged, 1), []StateBatch{at(0, 9, Available, 3)}},
		{"over several", []StateBatch{at(0, 2, Acknowledged, 1), at(4, 5, Available, 1), at(8, 9, Archived, 2)}, at(1, 8, Available, 2), []StateBatch{at(0, 0, Acknowledged, 1), at(1, 7, Available, 2), at(8, 9, Archived, 2)}},
		{"closing a gap", []StateBatch{at(0, 2, Available, 1), at(6, 9, Available, 1)}, at(3, 5, Available, 1), []StateBatch{at(0, 9, Available, 1)}},
		{"before all", []StateBatch{at(6, 9, Available, 1)}, at(0, 2, Available, 1), []StateBatch{at(0, 2, Available, 1), at(6, 9, Available, 1)}},
	} {
		if got := merge(c.all, c.n); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestEpochsFence(t *testing.T) {
	s, _, _ := Initialize(nil, key, 5, 10, 1)
	if _, _, err := Initialize(s, key, 4, 0, 1); err == nil || err.Err != kerr.FencedStateEpoch {
		t.Errorf("an older state epoch: %v", err)
	}
	if _, err := Read(nil, key, 1, 500, 1); err == nil || err.Err != kerr.InvalidRequest {
		t.Errorf("reading what is not there: %v", err)
	}
	if records, err := Read(s, key, 3, 500, 1); err != nil || len(records) != 1 || s.LeaderEpoch != 3 {
		t.Errorf("a new leader: %v, %v", records, err)
	}
	if records, err := Read(s, key, 3, 500, 1); err != nil || len(records) != 0 {
		t.Errorf("the same leader: %v, %v", records, err)
	}
	if _, err := Put(s, key, 2, Write{StateEpoch: 5}, 500, 1); err == nil || err.Err != kerr.FencedLeaderEpoch {
		t.Errorf("an older leader: %v", err)
	}
	if _, err := Put(s, key, 3, Write{StateEpoch: 4}, 500, 1); err == nil || err.Err != kerr.FencedStateEpoch {
		t.Errorf("an older state: %v", err)
	}
	if _, err := Put(nil, key, 3, Write{}, 500, 1); err == nil || err.Err != kerr.InvalidRequest {
		t.Errorf("writing what is not there: %v", err)
	}
	again, _, err := Initialize(s, key, 6, -1, 1)
	if err != nil || again.SnapshotEpoch != 1 || again.Start != -1 || again.Complete != -1 {
		t.Errorf("anew: %+v, %v", again, err)
	}
}

func TestEverySoOftenTheWholeStateIsStored(t *testing.T) {
	s, _, _ := Initialize(nil, key, 1, 0, 1)
	var kinds []byte
	for i := range int64(5) {
		r, err := Put(s, key, 0, Write{StateEpoch: 1, Start: 0, Complete: int32(i), Batches: []StateBatch{{Range{i * 2, i * 2}, Acknowledged, 1}}}, 3, 9)
		if err != nil {
			t.Fatal(err.Message)
		}
		kinds = append(kinds, r.Key[1])
	}
	if want := []byte{1, 1, 1, 0, 1}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("records of types %v, want %v", kinds, want)
	}
	if s.SnapshotEpoch != 1 || len(s.Batches) != 5 {
		t.Errorf("state %+v", s)
	}
}
