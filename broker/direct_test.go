package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTopicsAndOffsetsAreChangedWithoutAClient(t *testing.T) {
	b := Start(t, WithMemoryNetwork())
	if err := b.CreateTopic("orders", 2, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Topic("orders").WaitForCreated(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.CreateTopic("orders", 2, nil); !errors.Is(err, kerr.TopicAlreadyExists) || !strings.Contains(err.Error(), `create topic "orders"`) {
		t.Errorf("making it twice: %v", err)
	}
	if err := b.CreateTopic("bad", 1, map[string]string{"retention.ms": "soon"}); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("a bad config: %v", err)
	}
	if err := b.Group("billing").Commit("orders", map[int32]int64{0: 3, 1: 5}); err != nil {
		t.Fatal(err)
	}
	if got := b.Committed("billing")["orders"]; got[0] != 3 || got[1] != 5 {
		t.Errorf("committed is %v", got)
	}
	if err := b.Group("billing").Commit("orders", map[int32]int64{2: 0}); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("a partition that is not there: %v", err)
	}
	if err := b.DeleteTopic("orders"); err != nil || b.Topic("orders").Exists() {
		t.Errorf("deleting: %v", err)
	}
	if err := b.DeleteTopic("orders"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("deleting it twice: %v", err)
	}
}

func TestCommitIsRefusedWhileAGroupHasMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Start(t, WithMemoryNetwork(), WithTopic("orders", 1, nil))
		memoryClient(t, b, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ClientID("worker"))
		if err := b.Group("billing").WaitForStable(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := b.Group("billing").Commit("orders", map[int32]int64{0: 1}); !errors.Is(err, kerr.UnknownMemberID) {
			t.Errorf("the error is %v", err)
		}
		if err := b.WaitForClient(t.Context(), "worker"); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.WaitForClient(ctx, "nobody"); err == nil || !strings.Contains(err.Error(), `connected are ["worker"]`) {
			t.Errorf("waiting in vain ends with %v", err)
		}
	})
}
