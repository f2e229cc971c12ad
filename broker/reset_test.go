package broker

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
)

func commitOffset(t testing.TB, c *rawClient, group, topic string, offset int64) {
	t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = group
	ask[*kmsg.FindCoordinatorResponse](c, find)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
	if resp := ask[*kmsg.OffsetCommitResponse](c, req); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("the commit is answered %+v", resp)
	}
}

func TestResetLeavesWhatTheBrokerStartedWith(t *testing.T) {
	r := new(recorder)
	b := Start(r, WithMemoryNetwork(), WithTopic("seed", 2, map[string]string{"retention.ms": "1000"}), WithConfig("num.partitions", "4"))
	defer r.end()
	c := dialMemory(t, b, "test")
	for _, topic := range []string{"seed", "other"} {
		if err := b.Produce(topic, Record{Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	commitOffset(t, c, "g", "seed", 1)
	b.Inject(fault.Fail(kmsg.Metadata, kerr.LeaderNotAvailable))
	b.Control(func(Request) (kmsg.Response, error, bool) { return nil, errors.New("hooked"), true })
	b.Reset()
	if got := b.Topics(); !slices.Equal(got, []string{"seed"}) || b.Topic("seed").Len() != 0 || len(b.Topic("seed").HighWatermarks()) != 2 {
		t.Errorf("the topics are %q, %d records in seed", got, b.Topic("seed").Len())
	}
	if len(b.Groups()) != 0 {
		t.Errorf("the groups are %q", b.Groups())
	}
	if b.faults.inUse.Load() != nil || len(r.errors) != 1 {
		t.Errorf("faults are left, or none was reported as missed: %q", r.errors)
	}
	// The connection lives on.
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	metadata.Topics = nil
	if m := ask[*kmsg.MetadataResponse](c, metadata); len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 2 {
		t.Errorf("the old connection sees %+v", m.Topics)
	}
	c.mustProduce(b, "seed", batchOf(t, 0, []string{"new"}))
}

func TestASnapshotIsRestoredAsOftenAsWanted(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	c := dialMemory(t, b, "test")
	if err := b.Produce("orders", Record{Value: []byte("1")}, Record{Value: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	client := memoryClient(t, b, kgo.DefaultProduceTopic("orders"))
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("3")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	commitOffset(t, c, "g", "orders", 2)
	id := b.image.Load().topic("orders").id
	s := b.Snapshot()
	other := Start(t, WithMemoryNetwork())
	for _, to := range []*Broker{b, b, other} {
		if err := to.Produce("orders", Record{Value: []byte("later")}); err != nil {
			t.Fatal(err)
		}
		_ = to.Produce("more", Record{})
		to.Restore(s)
		var got []string
		for _, r := range to.Topic("orders").Records() {
			got = append(got, string(r.Value))
		}
		if !slices.Equal(got, []string{"1", "2", "3"}) || !slices.Equal(to.Topics(), []string{"orders"}) || to.image.Load().topic("orders").id != id {
			t.Errorf("the topics are %q with %q", to.Topics(), got)
		}
		if at := to.Committed("g")["orders"][0]; at != 2 {
			t.Errorf("the group's offset is %d", at)
		}
		to.groups.topicDeleted("nothing") // groups are alive
	}
	// The idempotent producer goes on where the snapshot has it.
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("4")).FirstErr(); err != nil || b.Topic("orders").Len() != 4 {
		t.Errorf("after Restore: %v, %d records", err, b.Topic("orders").Len())
	}
}

func TestRestoredRecordsMayBeOld(t *testing.T) {
	v := NewVirtualClock(time.Unix(1_700_000_000, 0))
	b := Start(t, WithMemoryNetwork(), WithClock(v), WithTopic("t", 1, nil))
	if err := b.Produce("t", Record{Timestamp: time.Unix(1_000_000_000, 0)}); err != nil {
		t.Fatal(err)
	}
	s := b.Snapshot()
	v.Advance(time.Hour) // they are gone where they were
	b.Restore(s)
	v.Advance(time.Minute)
	if n := b.Topic("t").Len(); n != 1 {
		t.Errorf("%d records are there, want the old one", n)
	}
}

func BenchmarkReset(b *testing.B) {
	broker := Start(b, WithMemoryNetwork(), WithTopic("t", 3, nil))
	_ = broker.Produce("t", Record{Value: make([]byte, 100_000)})
	s := broker.Snapshot()
	b.Run("Reset", func(b *testing.B) {
		for b.Loop() {
			broker.Reset()
		}
	})
	b.Run("Restore", func(b *testing.B) {
		for b.Loop() {
			broker.Restore(s)
		}
	})
}

func TestResetForgetsOffsetsOfOpenTransactions(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.commit(5, "g", 5, 0, nil)
	if len(b.groups.pending) != 1 {
		t.Fatalf("%d producers have pending offsets, want 1", len(b.groups.pending))
	}
	b.Reset()
	if len(b.groups.pending) != 0 {
		t.Errorf("%d producers have pending offsets after Reset, want none", len(b.groups.pending))
	}
}

// A transaction that is open in a snapshot goes on where it is restored, as often
// as that happens, with the offsets that it commits.
func TestASnapshotHasOpenTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
		ctx := t.Context()
		client := memoryClient(t, b, kgo.TransactionalID("shop"), kgo.TransactionTimeout(time.Minute), kgo.DefaultProduceTopic("orders"))
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		id, epoch := b.Transaction("shop").Producer()
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.Version, add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = 3, "shop", id, epoch, "billing"
		if resp, err := add.RequestWith(ctx, client); err != nil || resp.ErrorCode != 0 {
			t.Fatalf("%v, %+v", err, resp)
		}
		commit := kmsg.NewPtrTxnOffsetCommitRequest()
		commit.Version, commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group, commit.Generation = 3, "shop", id, epoch, "billing", -1
		commit.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "orders", TopicID: b.image.Load().topic("orders").id, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1}}}}
		if resp, err := commit.RequestWith(ctx, client); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("%v, %+v", err, resp)
		}
		time.Sleep(50 * time.Second)
		s := b.Snapshot()
		other := Start(t, WithMemoryNetwork())
		time.Sleep(time.Hour) // here it is over
		for _, to := range []*Broker{b, other, b} {
			to.Restore(s)
			x := to.Transaction("shop")
			if !x.Open() || !slices.Equal(to.Topic("orders").LastStableOffsets(), []int64{0}) || len(to.Committed("billing")) != 0 {
				t.Errorf("restored, the transaction is %s, the last stable offsets %v, committed is %v", x, to.Topic("orders").LastStableOffsets(), to.Committed("billing"))
			}
			if left := x.Timeout() - time.Since(x.Started()); left != 10*time.Second {
				t.Errorf("restored, the transaction has %v left", left)
			}
			// A new producer has an id of its own.
			var fresh int64
			if resp, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, memoryClient(t, to)); err != nil {
				t.Error(err)
			} else {
				fresh = resp.ProducerID
			}
			if fresh <= id {
				t.Errorf("producer id %d is given out again", fresh)
			}
		}
		// The client that had begun it goes on.
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if got := valuesOf(b.Topic("orders").CommittedRecords()); !slices.Equal(got, []string{"open"}) || b.Committed("billing")["orders"][0] != 7 {
			t.Errorf("committed are %q, and offsets %v", got, b.Committed("billing"))
		}
		// Where nobody ends it, its time-out does.
		if err := other.Transaction("shop").WaitForState(ctx, "CompleteAbort"); err != nil {
			t.Error(err)
		}
		if len(other.Topic("orders").CommittedRecords()) != 0 || len(other.Committed("billing")) != 0 {
			t.Error("what was aborted is there")
		}
	})
}

func TestASnapshotHasWhatAdministratorsSet(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	c := dialMemory(t, b, "test")
	quotas := kmsg.NewPtrAlterClientQuotasRequest()
	quotas.Entries = []kmsg.AlterClientQuotasRequestEntry{{
		Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "client-id", Name: kmsg.StringPtr("slow")}},
		Ops:    []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1000}},
	}}
	ask[*kmsg.AlterClientQuotasResponse](c, quotas)
	users := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	users.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "anna", Mechanism: 1, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: make([]byte, 32)}}
	ask[*kmsg.AlterUserSCRAMCredentialsResponse](c, users)
	features := kmsg.NewPtrUpdateFeaturesRequest()
	features.Version = 1
	features.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "transaction.version", MaxVersionLevel: 0, UpgradeType: 2}}
	ask[*kmsg.UpdateFeaturesResponse](c, features)
	state := func() string {
		level := (*b.features.Load())[transactionVersion]
		quotas := ask[*kmsg.DescribeClientQuotasResponse](c, kmsg.NewPtrDescribeClientQuotasRequest())
		users := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](c, kmsg.NewPtrDescribeUserSCRAMCredentialsRequest())
		return fmt.Sprintf("%d quotas, %d users, level %d", len(quotas.Entries), len(users.Results), level)
	}
	const want = "1 quotas, 1 users, level 0"
	if got := state(); got != want {
		t.Fatalf("set are %s", got)
	}
	s := b.Snapshot()
	b.Reset()
	if got := state(); got == want {
		t.Error("Reset left it")
	}
	b.Restore(s)
	if got := state(); got != want {
		t.Errorf("restored are %s, want %s", got, want)
	}
}
