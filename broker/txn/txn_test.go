package txn

import (
	"math"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// script is one transactional id with a source of producer ids.
type script struct {
	t      *testing.T
	x      *Transaction
	nextID int64
	now    int64
}

func begin(t *testing.T) *script { return &script{t: t, x: New("id"), now: 1_000} }

func (s *script) newID() int64 { s.nextID++; return s.nextID - 1 }

func (s *script) init(has Producer, want Producer, wantErr *kerr.Error) {
	s.t.Helper()
	got, end, err := s.x.Init(s.now, 60_000, has, s.newID)
	if end != nil {
		s.x.Complete(s.now)
	}
	if got != want || err != wantErr {
		s.t.Fatalf("init by %v: got %v and %v, want %v and %v", has, got, err, want, wantErr)
	}
}

func (s *script) add(by Producer, v Version, wantErr *kerr.Error, ps ...Partition) {
	s.t.Helper()
	if _, err := s.x.Add(s.now, by, v, ps...); err != wantErr {
		s.t.Fatalf("add by %v: got %v, want %v", by, err, wantErr)
	}
}

func (s *script) end(by Producer, commit bool, v Version, want Producer, wantErr *kerr.Error) {
	s.t.Helper()
	e, err := s.x.End(s.now, by, commit, v, s.newID)
	if e != nil {
		s.x.Complete(s.now)
	}
	if err != wantErr || err == nil && s.x.Current() != want {
		s.t.Fatalf("end by %v: got %v and %v, want %v and %v", by, s.x.Current(), err, want, wantErr)
	}
}

func (s *script) is(want State) {
	s.t.Helper()
	if got := s.x.State(); got != want {
		s.t.Fatalf("state is %v, want %v", got, want)
	}
}

var p0, p1 = Partition{"t", 0}, Partition{"t", 1}

func TestAProducerEndsTransactionsWithOneEpochInV1(t *testing.T) {
	s := begin(t)
	me := Producer{0, 0}
	s.init(Nobody, me, nil)
	s.end(me, true, V1, me, kerr.InvalidTxnState) // behaviour 214
	s.add(me, V1, nil, p0, p1)
	s.is(Ongoing)
	s.end(me, true, V1, me, nil) // behaviour 219
	s.is(CompleteCommit)
	s.end(me, true, V1, me, nil)
	s.end(me, false, V1, me, kerr.InvalidTxnState)
	s.add(me, V1, nil, p0)
	s.end(me, false, V1, me, nil)
	s.is(CompleteAbort)
	s.end(me, true, V1, me, kerr.InvalidTxnState)
}

func TestEachEndGivesANewEpochInV2(t *testing.T) {
	s := begin(t)
	s.init(Nobody, Producer{0, 0}, nil)
	s.end(Producer{0, 0}, true, V2, Nobody, kerr.InvalidTxnState) // behaviour 222
	s.add(Producer{0, 0}, V2, nil, p0)
	s.end(Producer{0, 0}, true, V2, Producer{0, 1}, nil) // behaviour 221
	s.end(Producer{0, 0}, true, V2, Producer{0, 1}, nil) // the same again
	s.end(Producer{0, 0}, false, V2, Nobody, kerr.InvalidTxnState)
	s.end(Producer{0, 1}, true, V2, Nobody, kerr.InvalidTxnState)
	s.add(Producer{0, 0}, V2, kerr.ProducerFenced, p0)
	// An abort is fine where nothing was written.
	s.end(Producer{0, 1}, false, V2, Producer{0, 2}, nil)
	s.end(Producer{0, 2}, false, V2, Producer{0, 3}, nil)
	s.end(Producer{0, 0}, false, V2, Nobody, kerr.ProducerFenced)
	s.end(Producer{7, 3}, false, V2, Nobody, kerr.InvalidProducerIDMapping)
}

func TestANewProducerAbortsTheOpenTransactionAndFencesItsProducer(t *testing.T) {
	s := begin(t)
	old := Producer{0, 0}
	s.init(Nobody, old, nil)
	s.add(old, V1, nil, p0)
	s.init(Nobody, Nobody, kerr.ConcurrentTransactions) // behaviour 223
	s.is(CompleteAbort)
	s.init(Nobody, Producer{0, 2}, nil)
	s.add(old, V1, kerr.ProducerFenced, p0)
	s.end(old, true, V1, Nobody, kerr.ProducerFenced)
	s.end(old, true, V2, Nobody, kerr.ProducerFenced)
	s.init(old, Nobody, kerr.ProducerFenced)
}

func TestAProducerGoesOnAfterItsTransactionTimedOut(t *testing.T) {
	s := begin(t)
	me := Producer{0, 0}
	s.init(Nobody, me, nil)
	s.add(me, V2, nil, p0)
	due := s.x.Deadline(1e9)
	if due != s.now+60_001 {
		t.Fatalf("the deadline is %d", due)
	}
	if e, _ := s.x.Expire(due-1, 1e9); e != nil {
		t.Fatal("aborted too early")
	}
	e, _ := s.x.Expire(due, 1e9)
	if e == nil || e.Commit || e.Producer != (Producer{0, 1}) || !slices.Equal(e.Partitions, []Partition{p0}) {
		t.Fatalf("the end is %+v", e)
	}
	s.x.Complete(due)
	s.end(me, true, V2, Nobody, kerr.InvalidTxnState)
	s.end(me, true, V1, Nobody, kerr.ProducerFenced)
	s.init(me, Producer{0, 1}, nil)
	s.init(Nobody, Producer{0, 2}, nil)
}

func TestAnUnusedIDIsForgotten(t *testing.T) {
	s := begin(t)
	s.init(Nobody, Producer{0, 0}, nil)
	if _, forget := s.x.Expire(s.now+99, 100); forget {
		t.Fatal("forgotten too early")
	}
	if _, forget := s.x.Expire(s.now+100, 100); !forget {
		t.Fatal("not forgotten")
	}
}

func TestANewProducerIDComesWhenEpochsRunOut(t *testing.T) {
	const last = math.MaxInt16 - 1
	t.Run("by init", func(t *testing.T) {
		s := begin(t)
		for epoch := range int16(last) + 1 {
			s.init(Nobody, Producer{0, epoch}, nil)
		}
		s.init(Producer{0, last}, Producer{1, 0}, nil)
		s.init(Producer{0, last}, Producer{1, 0}, nil) // it asks again
	})
	t.Run("by the end of a transaction", func(t *testing.T) {
		s := begin(t)
		s.init(Nobody, Producer{0, 0}, nil)
		s.x.current.Epoch = last
		s.add(Producer{0, last}, V2, nil, p0)
		e, _ := s.x.End(s.now, Producer{0, last}, true, V2, s.newID)
		if e == nil || e.Producer != (Producer{0, math.MaxInt16}) {
			t.Fatalf("the markers are of %+v", e)
		}
		s.x.Complete(s.now)
		s.end(Producer{0, last}, true, V2, Producer{1, 0}, nil) // it asks again
	})
	t.Run("by fencing", func(t *testing.T) {
		s := begin(t)
		s.init(Nobody, Producer{0, 0}, nil)
		s.x.current.Epoch = last
		s.add(Producer{0, last}, V2, nil, p0)
		s.init(Nobody, Nobody, kerr.ConcurrentTransactions)
		s.init(Producer{0, last}, Producer{1, 0}, nil)
	})
}

func TestNothingHappensWhileMarkersAreWritten(t *testing.T) {
	s := begin(t)
	s.init(Nobody, Producer{0, 0}, nil)
	s.add(Producer{0, 0}, V1, nil, p0)
	if _, err := s.x.End(s.now, Producer{0, 0}, true, V1, s.newID); err != nil {
		t.Fatal(err)
	}
	s.is(PrepareCommit)
	s.init(Nobody, Nobody, kerr.ConcurrentTransactions)
	s.add(Producer{0, 0}, V1, kerr.ConcurrentTransactions, p0)
	s.end(Producer{0, 0}, true, V1, Nobody, kerr.ConcurrentTransactions)
	s.end(Producer{0, 0}, false, V1, Nobody, kerr.InvalidTxnState)
	if err := s.x.Verify(Producer{0, 0}, p0); err != kerr.ConcurrentTransactions {
		t.Fatal(err)
	}
}

func TestVerifyKnowsWhatWasAdded(t *testing.T) {
	s := begin(t)
	s.init(Nobody, Producer{0, 0}, nil)
	s.add(Producer{0, 0}, V1, nil, p0)
	for _, c := range []struct {
		by   Producer
		p    Partition
		want *kerr.Error
	}{
		{Producer{0, 0}, p0, nil},
		{Producer{0, 0}, p1, kerr.TransactionAbortable},
		{Producer{0, 1}, p0, kerr.ProducerFenced},
		{Producer{3, 0}, p0, kerr.InvalidProducerIDMapping},
	} {
		if got := s.x.Verify(c.by, c.p); got != c.want {
			t.Errorf("%v %v: got %v, want %v", c.by, c.p, got, c.want)
		}
	}
}

// The values are those that Apache Kafka 4.3.1 wrote for the same requests.
func TestTheRecordsAreThoseOfApacheKafka(t *testing.T) {
	s := begin(t)
	want := func(v kmsg.TxnMetadataValue) {
		t.Helper()
		v.Version, v.TimeoutMillis, v.NextProducerID, v.NextProducerEpoch = 1, 60_000, -1, -1
		got := s.x.Value()
		if string(got.AppendTo(nil)) != string(v.AppendTo(nil)) {
			t.Fatalf("got  %+v\nwant %+v", got, v)
		}
	}
	topics := []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{0}}}
	s.init(Nobody, Producer{0, 0}, nil)
	want(kmsg.TxnMetadataValue{State: 0, LastUpdateTimestamp: 1000, StartTimestamp: -1})
	s.now = 2000
	s.add(Producer{0, 0}, V2, nil, p0)
	want(kmsg.TxnMetadataValue{State: 1, Topics: topics, LastUpdateTimestamp: 2000, StartTimestamp: 2000, ClientTransactionVersion: 2})
	if _, err := s.x.End(3000, Producer{0, 0}, true, V2, s.newID); err != nil {
		t.Fatal(err)
	}
	want(kmsg.TxnMetadataValue{ProducerEpoch: 1, State: 2, Topics: topics, LastUpdateTimestamp: 3000, StartTimestamp: 2000, ClientTransactionVersion: 2})
	s.x.Complete(4000)
	want(kmsg.TxnMetadataValue{ProducerEpoch: 1, State: 4, Topics: []kmsg.TxnMetadataValueTopic{}, LastUpdateTimestamp: 4000, StartTimestamp: 2000, ClientTransactionVersion: 2})
}

func TestListShowsWhatTheFilterWants(t *testing.T) {
	s := begin(t)
	s.init(Nobody, Producer{0, 0}, nil)
	s.add(Producer{0, 0}, V1, nil, p0)
	for name, c := range map[string]struct {
		f    Filter
		want bool
	}{
		"all":              {Filter{LongerThan: -1}, true},
		"its state":        {Filter{LongerThan: -1, States: []State{Ongoing}}, true},
		"no known state":   {Filter{LongerThan: -1, States: []State{}}, false},
		"its producer":     {Filter{LongerThan: -1, ProducerIDs: []int64{5, 0}}, true},
		"another producer": {Filter{LongerThan: -1, ProducerIDs: []int64{5}}, false},
		"longer than it":   {Filter{LongerThan: 500}, false},
		"shorter than it":  {Filter{LongerThan: 499}, true},
		"another id":       {Filter{LongerThan: -1, Match: func(id string) bool { return id != "id" }}, false},
	} {
		if _, got := s.x.List(s.now+500, &c.f); got != c.want {
			t.Errorf("%s: wanted is %v", name, got)
		}
	}
}
