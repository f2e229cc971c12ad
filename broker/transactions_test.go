package broker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
)

// txnClient is a producer with a transactional id that sends raw requests.
type txnClient struct {
	*rawClient
	b  *Broker
	id string
	me txn.Producer
}

func newTxnClient(t testing.TB, b *Broker, id string) *txnClient {
	t.Helper()
	c := &txnClient{rawClient: dial(t, b), b: b, id: id}
	c.me = c.init(5, txn.Nobody, 0)
	return c
}

func (c *txnClient) init(version int16, has txn.Producer, want int16) txn.Producer {
	c.t.Helper()
	resp := ask[*kmsg.InitProducerIDResponse](c.rawClient, initRequest(version, &c.id, has))
	if resp.ErrorCode != want {
		c.t.Fatalf("InitProducerId v%d: [%d], want [%d]", version, resp.ErrorCode, want)
	}
	return by(resp.ProducerID, resp.ProducerEpoch)
}

func (c *txnClient) add(version int16, as txn.Producer, topic string, want int16) {
	c.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = version
	var got int16
	if version >= 4 {
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: c.id, ProducerID: as.ID, ProducerEpoch: as.Epoch,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: []int32{0}}}}}
		resp := ask[*kmsg.AddPartitionsToTxnResponse](c.rawClient, req)
		got = resp.Transactions[0].Topics[0].Partitions[0].ErrorCode
	} else {
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = c.id, as.ID, as.Epoch
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0}}}
		got = ask[*kmsg.AddPartitionsToTxnResponse](c.rawClient, req).Topics[0].Partitions[0].ErrorCode
	}
	if got != want {
		c.t.Fatalf("AddPartitionsToTxn v%d %q by %v: [%d], want [%d]", version, topic, as, got, want)
	}
}

// write produces one record to topic "t" and returns its offset.
func (c *txnClient) write(version int16, as txn.Producer, seq int32, value string, want int16) int64 {
	c.t.Helper()
	records := batchOf(c.t, c.b.nowMs(), []string{value}, producedBy(as.ID, as.Epoch, seq), func(b *record.Builder) { b.Transactional = true })
	req := produceRequest(c.t, c.b, version, "t", 0, records)
	req.TransactionID = &c.id
	p := ask[*kmsg.ProduceResponse](c.rawClient, req).Topics[0].Partitions[0]
	if p.ErrorCode != want {
		c.t.Fatalf("Produce v%d %q by %v: [%d] %s, want [%d]", version, value, as, p.ErrorCode, text(p.ErrorMessage), want)
	}
	if want == 48 && text(p.ErrorMessage) != "Partition was not added to the transaction" {
		c.t.Fatalf("Produce v%d: %s", version, text(p.ErrorMessage))
	}
	return p.BaseOffset
}

func (c *txnClient) end(version int16, as txn.Producer, commit bool, want int16) txn.Producer {
	c.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = version, c.id, as.ID, as.Epoch, commit
	resp := ask[*kmsg.EndTxnResponse](c.rawClient, req)
	if resp.ErrorCode != want {
		c.t.Fatalf("EndTxn v%d by %v: [%d], want [%d]", version, as, resp.ErrorCode, want)
	}
	return by(resp.ProducerID, resp.ProducerEpoch)
}

// committed is what a consumer with read_committed gets of topic "t": the
// records without those of aborted transactions.
func committed(t testing.TB, c *rawClient, b *Broker, from int64) (got []string, answer kmsg.FetchResponseTopicPartition) {
	t.Helper()
	req := fetchRequest(t, b, 11, "t", 0, from)
	req.IsolationLevel, req.MaxWaitMillis = readCommitted, 0
	answer = ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]
	open := map[int64]bool{}
	for batch := range record.Batches(answer.RecordBatches) {
		id := batch.ProducerID()
		for _, a := range answer.AbortedTransactions {
			if a.ProducerID == id && a.FirstOffset == batch.BaseOffset() {
				open[id] = true
			}
		}
		for r, err := range batch.Records(nil) {
			switch {
			case err != nil:
				t.Fatal(err)
			case batch.Attributes().Control():
				if kind, _ := record.ParseControlKey(r.Key); kind == record.Abort {
					delete(open, id)
				}
			case !open[id]:
				got = append(got, string(r.Value))
			}
		}
	}
	return got, answer
}

func TestATransactionIsSeenWhenItIsCommittedAndNeverWhenAborted(t *testing.T) {
	for _, v := range []struct{ produce, end int16 }{{9, 3}, {11, 4}, {12, 5}} { // V1, V1, V2
		t.Run(fmt.Sprintf("Produce v%d", v.produce), func(t *testing.T) {
			b, _ := atRest(t)
			c := newTxnClient(t, b, "id")
			consumer := dial(t, b)
			round := func(seq int32, value string, commit bool) {
				t.Helper()
				if v.produce < 12 {
					c.write(v.produce, c.me, seq, value, map[bool]int16{true: 48, false: 120}[v.produce < 11]) // behaviour 215
					c.add(3, c.me, "t", 0)
				}
				first := c.write(v.produce, c.me, seq, value, 0) // behaviour 216
				if got, answer := committed(t, consumer, b, first); len(got) != 0 || answer.LastStableOffset != first || answer.HighWatermark != first+1 {
					t.Fatalf("open: %q, %+v", got, answer) // behaviour 218
				}
				list := listRequest(4, "t", latestTimestamp)
				list.IsolationLevel = readCommitted
				if got := listed(consumer, list); got.Offset != first {
					t.Fatalf("latest is %d, want %d", got.Offset, first) // behaviours 114, 218
				}
				next := c.end(v.end, c.me, commit, 0)
				if v.end >= 5 {
					if next != by(c.me.ID, c.me.Epoch+1) {
						t.Fatalf("the producer becomes %v", next) // behaviour 221
					}
					if again := c.end(v.end, c.me, commit, 0); again != next {
						t.Fatalf("the same again gives %v", again)
					}
					c.write(v.produce, c.me, seq+1, "late", 47) // behaviour 222
					c.me = next
					c.end(v.end, c.me, true, 48)
				}
				if end := onlyPartition(t, b, "t").log.EndOffset(); end != first+2 {
					t.Fatalf("the log ends at %d, want %d", end, first+2) // behaviour 219
				}
			}
			seqOf := func(n int32) int32 { // V2 begins anew in each epoch
				if v.end >= 5 {
					return 0
				}
				return n
			}
			round(0, "a", true)
			round(seqOf(1), "b", false)
			round(seqOf(2), "c", true)
			got, answer := committed(t, consumer, b, 0)
			if !slices.Equal(got, []string{"a", "c"}) {
				t.Errorf("committed is %q", got)
			}
			if a := answer.AbortedTransactions; len(a) != 1 || a[0].ProducerID != c.me.ID || a[0].FirstOffset != 2 {
				t.Errorf("aborted is %+v", a) // behaviour 220
			}
			if _, answer := committed(t, consumer, b, 4); len(answer.AbortedTransactions) != 0 {
				t.Errorf("behind it aborted is %+v", answer.AbortedTransactions)
			}
		})
	}
}

func TestAddPartitionsToTxnInEveryVersion(t *testing.T) {
	b, _ := atRest(t)
	for v := int16(0); v <= 5; v++ {
		c := newTxnClient(t, b, fmt.Sprint("id", v))
		c.end(3, c.me, true, 48)  // behaviour 214
		c.add(v, c.me, "none", 3) // behaviour 217
		c.add(v, c.me, "t", 0)
		c.add(v, c.me, "t", 0)
		fenced := int16(90)
		if v < 2 {
			fenced = 47
		}
		c.add(v, by(c.me.ID, c.me.Epoch+1), "t", fenced)
		c.add(v, by(c.me.ID+1000, 0), "t", 49)
		c.end(v, c.me, true, 0)
		c.id = "unknown"
		c.add(v, c.me, "t", 49)
		c.end(v, c.me, true, 49)
		c.id = ""
		c.add(v, c.me, "t", 42)
		c.end(v, c.me, true, 42)
	}
}

func TestOnePartitionThatIsMissingKeepsAllOut(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID = 3, "id", c.me.ID
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0, 9}}}
	ps := ask[*kmsg.AddPartitionsToTxnResponse](c.rawClient, req).Topics[0].Partitions
	if ps[0].ErrorCode != 55 || ps[1].ErrorCode != 3 {
		t.Errorf("got %+v", ps)
	}
	c.end(3, c.me, true, 48)
}

func TestBrokersAskWhetherPartitionsAreInATransaction(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	verify := func(want int16) {
		t.Helper()
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.Version = 5
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: "id", ProducerID: c.me.ID, VerifyOnly: true,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: []int32{0}}}}}
		if got := ask[*kmsg.AddPartitionsToTxnResponse](c.rawClient, req).Transactions[0].Topics[0].Partitions[0].ErrorCode; got != want {
			t.Fatalf("[%d], want [%d]", got, want)
		}
	}
	verify(120)
	c.add(5, c.me, "t", 0)
	verify(0)
}

func TestANewProducerFencesTheOldOne(t *testing.T) { // behaviours 213, 223
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	second := c.init(4, txn.Nobody, 0)
	if second != by(c.me.ID, 1) {
		t.Fatalf("the second producer is %v", second)
	}
	c.init(4, c.me, 90)
	c.write(12, second, 0, "open", 0)
	c.init(4, txn.Nobody, 51)
	third := c.init(4, txn.Nobody, 0)
	if third != by(c.me.ID, 3) {
		t.Fatalf("the third producer is %v", third)
	}
	c.write(12, second, 1, "late", 47)
	c.write(9, second, 1, "late", 47)
	c.add(3, second, "t", 90)
	c.end(3, second, true, 90)
	c.end(5, second, true, 90)
	if got, answer := committed(t, dial(t, b), b, 0); len(got) != 0 || answer.LastStableOffset != 2 {
		t.Errorf("%q, %+v", got, answer)
	}
}

func TestATransactionIsAbortedWhenItsTimeIsOver(t *testing.T) {
	b, clock := atRest(t, WithConfig("transaction.abort.timed.out.transaction.cleanup.interval.ms", "2000"))
	c := newTxnClient(t, b, "id") // 1 minute
	c.write(12, c.me, 0, "a", 0)
	clock.Advance(time.Minute)
	if _, answer := committed(t, dial(t, b), b, 0); answer.LastStableOffset != 0 {
		t.Fatalf("aborted too early: %+v", answer)
	}
	clock.Advance(2 * time.Second)
	if got, answer := committed(t, dial(t, b), b, 0); len(got) != 0 || answer.LastStableOffset != 2 {
		t.Fatalf("not aborted: %q, %+v", got, answer)
	}
	c.write(12, c.me, 1, "late", 47)
	c.end(5, c.me, true, 48)
	if c.me = c.init(5, c.me, 0); c.me != by(0, 1) { // the producer goes on, with the epoch of the abort
		t.Fatalf("the producer becomes %v", c.me)
	}
	c.write(12, c.me, 0, "b", 0)
	c.end(5, c.me, true, 0)
	if got, _ := committed(t, dial(t, b), b, 0); !slices.Equal(got, []string{"b"}) {
		t.Errorf("committed is %q", got)
	}
}

func TestATransactionalIDIsForgottenAfterAWeek(t *testing.T) {
	b, clock := atRest(t)
	c := newTxnClient(t, b, "id")
	clock.Advance(7*24*time.Hour - time.Minute)
	if s := describeTxn(c.rawClient, "id"); s.ErrorCode != 0 || s.State != "Empty" || s.TimeoutMillis != 60_000 {
		t.Fatalf("%+v", s)
	}
	clock.Advance(2 * time.Hour)
	if s := describeTxn(c.rawClient, "id"); s.ErrorCode != 105 {
		t.Fatalf("it is still there: %+v", s)
	}
	var last record.Record
	p := b.internalTopic(transactionStateTopic).partitionOf("id")
	for batch := range p.log.Batches(0, p.log.EndOffset()) {
		for r := range batch.Records(nil) {
			last = r
		}
	}
	if last.Value != nil || len(last.Key) == 0 {
		t.Errorf("the last record is %+v, not a tombstone", last)
	}
}

func describeTxn(c *rawClient, id string) kmsg.DescribeTransactionsResponseTransactionState {
	c.t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	return ask[*kmsg.DescribeTransactionsResponse](c, req).TransactionStates[0]
}

func TestTransactionsAreDescribedAndListed(t *testing.T) {
	b, clock := atRest(t)
	c := newTxnClient(t, b, "first")
	newTxnClient(t, b, "second")
	c.write(12, c.me, 0, "a", 0)
	for id, code := range map[string]int16{"none": 105, "": 42} { // behaviour 226
		if s := describeTxn(c.rawClient, id); s.ErrorCode != code || s.TransactionalID != id {
			t.Errorf("%q: %+v", id, s)
		}
	}
	s := describeTxn(c.rawClient, "first")
	if s.State != "Ongoing" || s.StartTimestamp != b.nowMs() || s.ProducerID != c.me.ID || len(s.Topics) != 1 || s.Topics[0].Topic != "t" {
		t.Errorf("%+v", s)
	}
	clock.Advance(time.Second)
	pattern := func(s string) *string { return &s }
	for _, l := range []struct {
		name    string
		version int16
		req     kmsg.ListTransactionsRequest
		code    int16
		unknown []string
		want    []string
	}{
		{"all", 0, kmsg.ListTransactionsRequest{}, 0, nil, []string{"first", "second"}},
		{"by state", 0, kmsg.ListTransactionsRequest{StateFilters: []string{"Ongoing"}}, 0, nil, []string{"first"}},
		{"behaviour 227: by a state that is unknown", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, StateFilters: []string{"Nope", "Empty"}}, 0, []string{"Nope"}, []string{"second"}},
		{"by unknown states alone", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, StateFilters: []string{"empty"}}, 0, []string{"empty"}, nil},
		{"by producer", 1, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, ProducerIDFilters: []int64{1}}, 0, nil, []string{"second"}},
		{"by duration", 1, kmsg.ListTransactionsRequest{DurationFilterMillis: 1000, StateFilters: []string{"Ongoing"}}, 0, nil, nil},
		{"by a shorter duration", 1, kmsg.ListTransactionsRequest{DurationFilterMillis: 999, StateFilters: []string{"Ongoing"}}, 0, nil, []string{"first"}},
		{"by pattern", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, TransactionalIDPattern: pattern("s.*|x")}, 0, nil, []string{"second"}},
		{"by a part of an id", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, TransactionalIDPattern: pattern("irs")}, 0, nil, nil},
		{"by an empty pattern", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, TransactionalIDPattern: pattern("")}, 0, nil, []string{"first", "second"}},
		{"behaviour 227: by a bad pattern", 2, kmsg.ListTransactionsRequest{DurationFilterMillis: -1, TransactionalIDPattern: pattern("(")}, 128, nil, nil},
	} {
		l.req.Version = l.version
		resp := ask[*kmsg.ListTransactionsResponse](c.rawClient, &l.req)
		var got []string
		for _, s := range resp.TransactionStates {
			got = append(got, s.TransactionalID)
		}
		if resp.ErrorCode != l.code || !slices.Equal(got, l.want) || !slices.Equal(resp.UnknownStateFilters, l.unknown) {
			t.Errorf("%s: %+v", l.name, resp)
		}
	}
}

// producerOf is what DescribeProducers says of a producer on topic "t".
func producerOf(c *rawClient, id int64) (p kmsg.DescribeProducersResponseTopicPartitionActiveProducer) {
	c.t.Helper()
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0, 7}}, {Topic: "none", Partitions: []int32{0}}}
	topics := ask[*kmsg.DescribeProducersResponse](c, req).Topics
	ps, none := topics[0].Partitions, topics[1].Partitions[0]
	if ps[0].ErrorCode != 0 || ps[1].ErrorCode != 3 || ps[1].ErrorMessage != nil || none.ErrorCode != 3 || text(none.ErrorMessage) != "This server does not host this topic-partition." {
		c.t.Fatalf("%+v", topics)
	}
	for _, p := range ps[0].ActiveProducers {
		if p.ProducerID == id {
			return p
		}
	}
	c.t.Fatalf("producer %d is not active", id)
	return p
}

func TestAHangingTransactionIsAbortedByAMarker(t *testing.T) {
	for v := int16(0); v <= 2; v++ {
		b, _ := atRest(t)
		c := newTxnClient(t, b, "id")
		mark := func(as txn.Producer, coordinator int32, strict int8, topic string, want int16) {
			t.Helper()
			req := kmsg.NewPtrWriteTxnMarkersRequest()
			req.Version = v
			req.Markers = []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: as.ID, ProducerEpoch: as.Epoch, CoordinatorEpoch: coordinator, TransactionVersion: strict,
				Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{0}}}}}
			if got := ask[*kmsg.WriteTxnMarkersResponse](c.rawClient, req).Markers[0].Topics[0].Partitions[0].ErrorCode; got != want {
				t.Fatalf("v%d: [%d], want [%d]", v, got, want)
			}
		}
		c.me = c.init(4, txn.Nobody, 0)
		c.write(12, c.me, 0, "a", 0)
		if p := producerOf(c.rawClient, c.me.ID); p.ProducerEpoch != 1 || p.LastSequence != 0 || p.CurrentTxnStartOffset != 0 || p.CoordinatorEpoch != -1 {
			t.Errorf("open: %+v", p)
		}
		mark(c.me, 0, 0, "none", 3)
		mark(by(c.me.ID, 0), 0, 0, "t", 47)
		if v >= 2 {
			mark(c.me, 0, 2, "t", 47) // V2: it must be newer than the transaction
		}
		mark(by(c.me.ID, -1), 0, 0, "t", -1)
		mark(c.me, 3, 0, "t", 0)
		mark(c.me, 2, 0, "t", 52)
		if p := producerOf(c.rawClient, c.me.ID); p.CurrentTxnStartOffset != -1 || p.CoordinatorEpoch != 3 || p.LastTimestamp != b.nowMs() {
			t.Errorf("ended: %+v", p)
		}
		if got, answer := committed(t, dial(t, b), b, 0); len(got) != 0 || answer.LastStableOffset != 2 {
			t.Errorf("%q, %+v", got, answer)
		}
	}
}

func TestTransactionStateIsStoredAsApacheKafkaDoes(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.write(12, c.me, 0, "a", 0)
	c.end(5, c.me, true, 0)
	p := b.internalTopic(transactionStateTopic).partitionOf("id")
	var states []kmsg.TransactionState
	for batch := range p.log.Batches(0, p.log.EndOffset()) {
		for r := range batch.Records(nil) {
			var k kmsg.TxnMetadataKey
			var v kmsg.TxnMetadataValue
			if k.ReadFrom(r.Key) != nil || v.ReadFrom(r.Value) != nil || k.TransactionalID != "id" || k.Version != 0 || v.Version != 1 || v.ProducerID != c.me.ID {
				t.Fatalf("%x %x", r.Key, r.Value)
			}
			states = append(states, v.State)
		}
	}
	if want := []kmsg.TransactionState{0, 1, 2, 4}; !slices.Equal(states, want) {
		t.Errorf("the states are %v, want %v", states, want)
	}
}

func TestADeletedTopicDoesNotHoldUpItsTransactions(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.write(12, c.me, 0, "a", 0)
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	c.end(5, c.me, true, 0)
}

func TestOnlyRecordsOfTheTransactionAreTakenWhileItIsOpen(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.add(3, c.me, "t", 0)
	c.write(9, c.me, 0, "a", 0)
	plain := batchOf(t, b.nowMs(), []string{"b"}, producedBy(c.me.ID, c.me.Epoch, 1))
	if p := c.produce(b, "t", plain); p.ErrorCode != 48 {
		t.Errorf("a record without transaction: [%d]", p.ErrorCode)
	}
	own := c.id
	c.id = "other"
	c.end(3, c.me, true, 49)
	c.id = own
	c.end(3, c.me, true, 0)
	c.write(9, c.me, 1, "b", 48)
}
