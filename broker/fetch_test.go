package broker

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// filled starts a broker with the topic "t" that has the records v0 to v2 in
// one batch and v3 in another.
func filled(t testing.TB, opts ...Option) (*Broker, *rawClient) {
	t.Helper()
	b, _ := atRest(t, opts...)
	c := dial(t, b)
	c.mustProduce(b, "t", batchOf(t, 1000, []string{"v0", "v1", "v2"}))
	c.mustProduce(b, "t", batchOf(t, 2000, []string{"v3"}))
	return b, c
}

func fetched(c *rawClient, req *kmsg.FetchRequest) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.FetchResponse](c, req)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("v%d answered %+v", req.Version, resp)
	}
	return resp.Topics[0].Partitions[0]
}

func TestFetchIsAnsweredInEveryVersion(t *testing.T) { // behaviours 88, 9, 100
	b, c := filled(t)
	for v := int16(0); v <= 18; v++ {
		p := fetched(c, fetchRequest(t, b, v, "t", 0, 1))
		if p.ErrorCode != 0 || p.HighWatermark != 4 {
			t.Errorf("v%d: error [%d], high watermark %d", v, p.ErrorCode, p.HighWatermark)
		}
		if v >= 4 && p.LastStableOffset != 4 || v >= 5 && p.LogStartOffset != 0 {
			t.Errorf("v%d: last stable offset %d, log start offset %d", v, p.LastStableOffset, p.LogStartOffset)
		}
		if v >= 4 {
			// The offset is in the middle of a batch: the whole batch comes.
			wantValues(t, p.RecordBatches, "v0", "v1", "v2", "v3")
			continue
		}
		magic := byte(0)
		if v >= 2 {
			magic = 1
		}
		var got []string
		for set := p.RecordBatches; len(set) > 0; {
			if set[16] != magic {
				t.Fatalf("v%d: a message of magic %d, want %d", v, set[16], magic)
			}
			size := 12 + int(record.Batch(set).Size()-12)
			got = append(got, string(set[size-2:size]))
			set = set[size:]
		}
		if strings.Join(got, " ") != "v1 v2 v3" {
			t.Errorf("v%d: messages %q", v, got)
		}
	}
}

func TestAbortedTransactionsAreListedForReadCommittedOnly(t *testing.T) { // behaviour 100
	b, c := filled(t)
	for _, level := range []int8{0, 1} {
		req := fetchRequest(t, b, 12, "t", 0, 0)
		req.IsolationLevel = level
		c.send(req)
		_, body, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		// throttle, error, session, topics: 1, "t", partitions: 1, index, error,
		// three offsets
		at := 1 + 4 + 2 + 4 + 1 + 2 + 1 + 4 + 2 + 3*8
		if body[at] != byte(level) { // 0: null, 1: empty
			t.Errorf("isolation level %d: the list's length is encoded as %d", level, body[at])
		}
	}
}

func TestFetchErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		version int16
		change  func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)
		code    int16
		leader  int32
	}{
		{"behaviour 92: an offset beyond the end", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 5 }, 1, -1},
		{"behaviour 92: offset -1", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = -1 }, 1, -1},
		{"behaviour 94: an unknown partition", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 9 }, 3, -1},
		{"behaviour 94: an unknown topic name", 12, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].Topic = "nope" }, 3, -1},
		{"behaviour 94: an unknown topic id", 13, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].TopicID = [16]byte{1} }, 100, -1},
		{"behaviour 94: a zero topic id", 13, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].TopicID = [16]byte{} }, 100, -1},
		{"behaviour 95: a leader epoch from the future", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 5 }, 75, -1},
		{"behaviour 96: a last fetched epoch above the newest", 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 5 }, 1, -1},
		{"behaviour 97: a client that says it is broker 77", 12, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaID = 77 }, 6, -1},
		{"behaviour 97: a client that says it is broker 1, v16", 16, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaState.ID = 1 }, 6, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, client := filled(t)
			req := fetchRequest(t, b, c.version, "t", 0, 0)
			req.MaxWaitMillis = 60_000 // errors do not wait
			c.change(req, &req.Topics[0].Partitions[0])
			resp := ask[*kmsg.FetchResponse](client, req)
			p := resp.Topics[0].Partitions[0]
			if p.ErrorCode != c.code || p.HighWatermark != -1 || p.LastStableOffset != -1 || p.LogStartOffset != -1 || len(p.RecordBatches) != 0 {
				t.Fatalf("got %+v, want error [%d]", p, c.code)
			}
			if p.CurrentLeader.LeaderID != c.leader {
				t.Errorf("the leader is told as %d, want %d", p.CurrentLeader.LeaderID, c.leader)
			}
			if len(resp.Brokers) != 0 {
				t.Errorf("a follower is told node endpoints: %+v", resp.Brokers)
			}
		})
	}
}

func TestUnknownIsolationLevelFailsTheWholeFetch(t *testing.T) { // behaviour 98
	b, c := filled(t)
	for _, v := range []int16{11, 13} {
		req := fetchRequest(t, b, v, "t", 0, 0)
		req.IsolationLevel = 9
		resp := ask[*kmsg.FetchResponse](c, req)
		if resp.ErrorCode != -1 || v < 13 && resp.Topics[0].Partitions[0].ErrorCode != -1 {
			t.Errorf("v%d answered %+v", v, resp)
		}
	}
}

func TestFetchTellsWhereTheClientsLogDiverges(t *testing.T) {
	b, c := filled(t)
	p := onlyPartition(t, b, "t")
	p.lead(&leadership{leader: 1, leaderEpoch: 3, replicas: []int32{1}, isr: []int32{1}})
	c.mustProduce(b, "t", batchOf(t, 0, []string{"v4"}))
	// The client has six records of epoch 0; the log has four.
	req := fetchRequest(t, b, 12, "t", 0, 6)
	req.MaxWaitMillis = 60_000
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 3
	req.Topics[0].Partitions[0].LastFetchedEpoch = 0
	got := fetched(c, req)
	if got.ErrorCode != 0 || got.DivergingEpoch.Epoch != 0 || got.DivergingEpoch.EndOffset != 4 || len(got.RecordBatches) != 0 || got.HighWatermark != 5 {
		t.Fatalf("got %+v, want epoch 0 to end at 4", got)
	}
	req.Topics[0].Partitions[0].FetchOffset = 4
	if got = fetched(c, req); got.DivergingEpoch.Epoch != -1 {
		t.Fatalf("got %+v, but the client's log is a beginning of ours", got)
	}
	wantValues(t, got.RecordBatches, "v4")
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 2
	if got = fetched(c, req); got.ErrorCode != 74 {
		t.Fatalf("got %+v for an older leader epoch, want [74]", got)
	}
}

func TestFetchAtTheEndWaits(t *testing.T) { // behaviours 89, 90
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	c.mustProduce(b, "t", batchOf(t, 1000, []string{"a"}))
	for _, tc := range []struct {
		name     string
		offset   int64
		wait     int32
		minBytes int32
		waits    bool
		values   []string
	}{
		{"at the end", 1, 50, 1, true, nil},
		{"at the end, min_bytes 0", 1, 60_000, 0, false, nil},
		{"at the end, max_wait -1", 1, -1, 1, false, nil},
		{"below min_bytes, what there is comes in the end", 0, 50, 1 << 20, true, []string{"a"}},
		{"enough", 0, 60_000, 1, false, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := fetchRequest(t, b, 12, "t", 0, tc.offset)
			req.MaxWaitMillis, req.MinBytes = tc.wait, tc.minBytes
			began := time.Now()
			p := fetched(c, req)
			if p.ErrorCode != 0 {
				t.Fatalf("error [%d]", p.ErrorCode)
			}
			wantValues(t, p.RecordBatches, tc.values...)
			if took := time.Since(began); tc.waits && took < 50*time.Millisecond {
				t.Errorf("answered after %v, before max_wait", took)
			}
		})
	}
}

// untilWaiting returns when n requests wait on a topic's partition 0.
func untilWaiting(t testing.TB, b *Broker, topic string, n int) {
	t.Helper()
	p := onlyPartition(t, b, topic)
	for {
		p.mu.Lock()
		have := count(p.waiters.first)
		p.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

func TestWhatIsProducedWakesAFetch(t *testing.T) { // behaviour 91
	b, _ := atRest(t) // the clock stands: nothing but a wake-up can end a wait
	waiting := dial(t, b)
	for v := int16(0); v <= 18; v++ {
		req := fetchRequest(t, b, v, "t", 0, int64(v))
		req.MaxWaitMillis = 1000
		waiting.send(req)
		untilWaiting(t, b, "t", 1)
		dial(t, b).mustProduce(b, "t", batchOf(t, 0, []string{"x"}))
		resp := received[*kmsg.FetchResponse](waiting, req)
		if p := resp.Topics[0].Partitions[0]; len(p.RecordBatches) == 0 || p.HighWatermark != int64(v)+1 {
			t.Fatalf("v%d: woken with %+v", v, p)
		}
		untilWaiting(t, b, "t", 0)
	}
}

func TestAFetchWaitsOnWhileThereIsTooLittle(t *testing.T) {
	b, clock := atRest(t)
	waiting, c := dial(t, b), dial(t, b)
	one := len(batchOf(t, 0, []string{"x"}))
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.MaxWaitMillis, req.MinBytes = 1000, int32(3*one)
	waiting.send(req)
	for range 3 {
		untilWaiting(t, b, "t", 1)
		clock.Advance(300 * time.Millisecond)
		c.mustProduce(b, "t", batchOf(t, 0, []string{"x"}))
	}
	wantValues(t, received[*kmsg.FetchResponse](waiting, req).Topics[0].Partitions[0].RecordBatches, "x", "x", "x")
}

func TestTheClockEndsAWait(t *testing.T) {
	b, clock := atRest(t)
	c := dial(t, b)
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.MaxWaitMillis = 1000
	c.send(req)
	untilWaiting(t, b, "t", 1)
	clock.Advance(time.Second)
	if p := received[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Fatalf("got %+v", p)
	}
	untilWaiting(t, b, "t", 0)
}

func TestDeletionOfTheTopicEndsAWait(t *testing.T) {
	b, _ := atRest(t)
	c := dial(t, b)
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.MaxWaitMillis = 1000
	c.send(req)
	untilWaiting(t, b, "t", 1)
	if _, err := b.deleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if p := received[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]; p.ErrorCode != 3 {
		t.Fatalf("got %+v, want [3]", p)
	}
}

func TestANewLeaderEndsAWait(t *testing.T) {
	b, _ := atRest(t)
	c := dial(t, b)
	req := fetchRequest(t, b, 16, "t", 0, 0)
	req.MaxWaitMillis = 1000
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	c.send(req)
	untilWaiting(t, b, "t", 1)
	onlyPartition(t, b, "t").lead(&leadership{leader: 1, leaderEpoch: 1, replicas: []int32{1}, isr: []int32{1}})
	if p := received[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]; p.ErrorCode != 74 || p.CurrentLeader.LeaderEpoch != 1 {
		t.Fatalf("got %+v, want [74] and the new epoch", p)
	}
}

func TestCloseEndsAWait(t *testing.T) {
	b, _ := atRest(t)
	c := dial(t, b)
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.MaxWaitMillis = 1000
	c.send(req)
	untilWaiting(t, b, "t", 1)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	c.ended()
}

func TestTheFirstBatchComesWhateverItsSize(t *testing.T) { // behaviour 93
	b, c := filled(t)
	for _, tc := range []struct{ max, partitionMax int32 }{{0, 1 << 20}, {1, 1 << 20}, {1 << 20, 1}, {1 << 20, 0}} {
		req := fetchRequest(t, b, 12, "t", 0, 0)
		req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = tc.max, tc.partitionMax
		wantValues(t, fetched(c, req).RecordBatches, "v0", "v1", "v2")
	}
}

func TestOnlyTheFirstPartitionMayExceedTheLimits(t *testing.T) {
	b, _ := atRest(t, WithTopic("two", 2, nil))
	c := dial(t, b)
	batch := batchOf(t, 0, []string{strings.Repeat("x", 500)})
	for p := range int32(2) {
		ask[*kmsg.ProduceResponse](c, produceRequest(t, b, 13, "two", p, batch))
	}
	for _, tc := range []struct {
		max  int32
		want [2]bool
	}{{1, [2]bool{true, false}}, {int32(2*len(batch) - 1), [2]bool{true, false}}, {int32(2 * len(batch)), [2]bool{true, true}}} {
		req := fetchRequest(t, b, 18, "two", 0, 0)
		second := req.Topics[0].Partitions[0]
		second.Partition = 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
		req.MaxBytes = tc.max
		got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions
		for i, want := range tc.want {
			if (len(got[i].RecordBatches) > 0) != want {
				t.Errorf("max_bytes %d: partition %d has %d bytes", tc.max, i, len(got[i].RecordBatches))
			}
		}
	}
}

func TestBeforeV3AMessageThatIsTooLargeComesCut(t *testing.T) {
	b, c := filled(t)
	req := fetchRequest(t, b, 2, "t", 0, 0)
	req.Topics[0].Partitions[0].PartitionMaxBytes = 10
	if got := fetched(c, req).RecordBatches; len(got) != 10 {
		t.Fatalf("got %d bytes, want 10: the client then knows that it asked for too few", len(got))
	}
}

// kafka-python 2.0 fetches by v4 and reads zstd.
func TestOldClientsGetZstdUnlessTheirMessagesAreConvertedOrTheTopicAsksForIt(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil), WithTopic("zstd", 1, map[string]string{"compression.type": "zstd"}))
	c := dial(t, b)
	c.mustProduce(b, "t", batchOf(t, 0, []string{"plain"}))
	c.mustProduce(b, "t", batchOf(t, 0, []string{"zstd"}, compressedBy(record.Zstd)))
	c.mustProduce(b, "zstd", batchOf(t, 0, []string{"v"}))
	for v := int16(0); v <= 18; v++ {
		p := fetched(c, fetchRequest(t, b, v, "t", 0, 0))
		if v < 4 {
			if one := len(messageSet(v, 0, "plain")); len(p.RecordBatches) != one+1 { // the key has a byte more
				t.Errorf("v%d: got %d bytes of messages, want %d", v, len(p.RecordBatches), one+1)
			}
		} else {
			wantValues(t, p.RecordBatches, "plain", "zstd")
		}
		if code := fetched(c, fetchRequest(t, b, v, "t", 0, 1)).ErrorCode; code != 76 && v < 4 || code != 0 && v >= 4 {
			t.Errorf("v%d: error [%d] at the zstd batch", v, code)
		}
		if p := fetched(c, fetchRequest(t, b, v, "zstd", 0, 0)); v < 10 && (p.ErrorCode != 76 || len(p.RecordBatches) > 0) || v >= 10 && p.ErrorCode != 0 {
			t.Errorf("v%d: error [%d] and %d bytes of a topic with zstd", v, p.ErrorCode, len(p.RecordBatches))
		}
	}
}

// fetchSessionState is what a client says of its session.
type fetchSessionState struct{ id, epoch int32 }

func sessionRequest(t testing.TB, b *Broker, version int16, s fetchSessionState, offset int64) *kmsg.FetchRequest {
	req := fetchRequest(t, b, version, "t", 0, offset)
	req.SessionID, req.SessionEpoch = s.id, s.epoch
	return req
}

func TestAFetchSessionAnswersOnlyWhatChanged(t *testing.T) { // behaviours 101 to 104
	for v := int16(7); v <= 18; v++ {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) {
			b, c := filled(t, WithTopic("u", 1, nil))
			req := sessionRequest(t, b, v, fetchSessionState{}, 4)
			other := fetchRequest(t, b, v, "u", 0, 0)
			req.Topics = append(req.Topics, other.Topics...)
			first := ask[*kmsg.FetchResponse](c, req)
			if first.SessionID <= 0 || len(first.Topics) != 2 {
				t.Fatalf("a full fetch answered %+v", first)
			}
			s := fetchSessionState{first.SessionID, 1}
			none := sessionRequest(t, b, v, s, 0)
			none.Topics = nil

			if resp := ask[*kmsg.FetchResponse](c, none); resp.ErrorCode != 0 || resp.SessionID != s.id || len(resp.Topics) != 0 {
				t.Fatalf("with nothing new it answered %+v", resp)
			}
			c.mustProduce(b, "u", batchOf(t, 0, []string{"x"}))
			none.SessionEpoch = 2
			resp := ask[*kmsg.FetchResponse](c, none)
			if len(resp.Topics) != 1 || v < 13 && resp.Topics[0].Topic != "u" || v >= 13 && resp.Topics[0].TopicID != topicIDOf(t, b, "u") {
				t.Fatalf("after a record to u it answered %+v", resp)
			}
			wantValues(t, resp.Topics[0].Partitions[0].RecordBatches, "x")

			// The client goes on at the next offset, and forgets t.
			other.SessionID, other.SessionEpoch = s.id, 3
			other.Topics[0].Partitions[0].FetchOffset = 1
			forgotten := kmsg.NewFetchRequestForgottenTopic()
			forgotten.Topic, forgotten.Partitions = "t", []int32{0}
			if v >= 13 {
				forgotten.TopicID = topicIDOf(t, b, "t")
			}
			other.ForgottenTopics = append(other.ForgottenTopics, forgotten)
			if resp := ask[*kmsg.FetchResponse](c, other); len(resp.Topics) != 0 {
				t.Fatalf("at the end of u it answered %+v", resp)
			}
			c.mustProduce(b, "t", batchOf(t, 0, []string{"y"}))
			none.SessionEpoch = 4
			if resp := ask[*kmsg.FetchResponse](c, none); len(resp.Topics) != 0 {
				t.Fatalf("t is forgotten and was answered: %+v", resp)
			}

			// Forgetting the rest ends the session.
			forgotten.Topic = "u"
			if v >= 13 {
				forgotten.TopicID = topicIDOf(t, b, "u")
			}
			none.SessionEpoch, none.ForgottenTopics = 5, []kmsg.FetchRequestForgottenTopic{forgotten}
			if resp := ask[*kmsg.FetchResponse](c, none); resp.ErrorCode != 0 || resp.SessionID != 0 {
				t.Fatalf("the end of the session was answered with %+v", resp)
			}
			none.SessionEpoch, none.ForgottenTopics = 6, nil
			if resp := ask[*kmsg.FetchResponse](c, none); resp.ErrorCode != 70 || resp.SessionID != 0 {
				t.Fatalf("after its end the session answered %+v", resp)
			}
		})
	}
}

func TestFetchSessionErrors(t *testing.T) {
	b, c := filled(t)
	id := ask[*kmsg.FetchResponse](c, sessionRequest(t, b, 13, fetchSessionState{}, 0)).SessionID
	for _, tc := range []struct {
		name    string
		version int16
		session fetchSessionState
		code    int16
	}{
		{"behaviour 103: a wrong epoch", 13, fetchSessionState{id, 5}, 71},
		{"behaviour 103: an unknown id", 13, fetchSessionState{id + 1, 1}, 70},
		{"behaviour 103: id 0 with an epoch", 13, fetchSessionState{0, 5}, 70},
		{"behaviour 106: names in a session of ids", 12, fetchSessionState{id, 1}, 106},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := sessionRequest(t, b, tc.version, tc.session, 0)
			resp := ask[*kmsg.FetchResponse](c, req)
			if resp.ErrorCode != tc.code || resp.SessionID != 0 || len(resp.Topics) != 0 {
				t.Fatalf("answered %+v, want [%d]", resp, tc.code)
			}
		})
	}
}

func TestASessionThatIsGoneIsNotMissed(t *testing.T) { // behaviour 105
	b, c := filled(t)
	end := sessionRequest(t, b, 13, fetchSessionState{99, -1}, 0)
	end.Topics = nil
	if resp := ask[*kmsg.FetchResponse](c, end); resp.ErrorCode != 0 || resp.SessionID != 0 || len(resp.Topics) != 0 {
		t.Fatalf("ending it answered %+v", resp)
	}
	if resp := ask[*kmsg.FetchResponse](c, sessionRequest(t, b, 13, fetchSessionState{99, 0}, 0)); resp.ErrorCode != 0 || resp.SessionID == 0 || resp.SessionID == 99 {
		t.Fatalf("replacing it answered %+v", resp)
	}
}

func TestAnErrorInASessionIsToldUntilItIsGone(t *testing.T) {
	b, c := filled(t)
	req := sessionRequest(t, b, 12, fetchSessionState{}, 0)
	req.Topics[0].Topic = "later"
	first := ask[*kmsg.FetchResponse](c, req)
	none := sessionRequest(t, b, 12, fetchSessionState{first.SessionID, 1}, 0)
	none.Topics = nil
	for range 2 {
		if resp := ask[*kmsg.FetchResponse](c, none); len(resp.Topics) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 3 {
			t.Fatalf("answered %+v, want [3] for the topic", resp)
		}
		none.SessionEpoch++
	}
	if _, err := b.createTopic(newTopic{name: "later", partitions: 1, replicas: -1}); err != nil {
		t.Fatal(err)
	}
	if resp := ask[*kmsg.FetchResponse](c, none); len(resp.Topics) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("answered %+v, want the topic without an error", resp)
	}
	none.SessionEpoch++
	if resp := ask[*kmsg.FetchResponse](c, none); len(resp.Topics) != 0 {
		t.Fatalf("answered %+v, but there is nothing new", resp)
	}
}

func TestObserversSeeTheRecordsOfAFetch(t *testing.T) {
	b, c := filled(t)
	seen := make(chan string, 1)
	stop := b.Observe(func(o Observation) {
		if resp, ok := o.Response.(*kmsg.FetchResponse); ok {
			seen <- strings.Join(values(t, resp.Topics[0].Partitions[0].RecordBatches), " ")
		}
	})
	defer stop()
	c.fetch(b, "t", 0)
	if got := <-seen; got != "v0 v1 v2 v3" {
		t.Fatalf("the observer saw the records %q", got)
	}
}

func TestConsumersMayReadAtFollowers(t *testing.T) { // behaviour 99
	b, c := filled(t)
	for _, tc := range []struct {
		version  int16
		replicas []int32
		code     int16
	}{
		{10, []int32{2, 1}, 6},
		{11, []int32{2, 1}, 0},
		{12, []int32{2, 1}, 0},
		{16, []int32{2, 1}, 0},
		{18, []int32{2, 1}, 0},
		{18, []int32{2, 3}, 6},
	} {
		onlyPartition(t, b, "t").lead(&leadership{leader: 2, replicas: tc.replicas, isr: tc.replicas})
		p := fetched(c, fetchRequest(t, b, tc.version, "t", 0, 0))
		if p.ErrorCode != tc.code || tc.code == 0 && (p.HighWatermark != 4 || len(p.RecordBatches) == 0) {
			t.Errorf("v%d, replicas %v, of which 1 is asked: %+v", tc.version, tc.replicas, p)
		}
	}
	// Who says that it is a broker gets nothing.
	onlyPartition(t, b, "t").lead(&leadership{leader: 2, replicas: []int32{2, 1}, isr: []int32{2, 1}})
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.ReplicaID = 3
	if p := fetched(c, req); p.ErrorCode != 6 {
		t.Errorf("a broker that asks a follower: %+v", p)
	}
}

// Apache Kafka puts what is asked into a map.
func TestAPartitionAskedForTwiceIsFetchedOnce(t *testing.T) {
	b, c := filled(t, WithTopic("other", 40, nil))
	for _, others := range []int32{0, 40} { // few and many are told apart
		for _, v := range []int16{4, 12, 13, 18} {
			req := fetchRequest(t, b, v, "t", 0, 0)
			again := req.Topics[0].Partitions[0]
			again.FetchOffset = 4
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, again)
			for i := range others {
				req.Topics = append(req.Topics, fetchRequest(t, b, v, "other", i, 0).Topics[0])
			}
			resp := ask[*kmsg.FetchResponse](c, req)
			if n := len(resp.Topics[0].Partitions); n != 1 {
				t.Fatalf("v%d: the partition is answered %d times", v, n)
			}
			if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
				t.Errorf("v%d: want what was asked last, at the end of the log: %+v", v, p)
			}
			partitions := 0
			for _, topic := range resp.Topics {
				partitions += len(topic.Partitions)
			}
			if partitions != 1+int(others) {
				t.Errorf("v%d: %d partitions are answered, want %d", v, partitions, 1+others)
			}
		}
	}
}
