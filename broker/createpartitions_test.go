package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestReplicasMayBeOnBrokersThatAreDown(t *testing.T) { // behaviour 127
	b := Start(t, WithBrokers(3))
	for _, id := range []int32{2, 3} {
		if err := b.StopBroker(id); err != nil {
			t.Fatal(err)
		}
	}
	if code := createTopic(dialBroker(t, b, 1), 7, "wide", 1, 3).ErrorCode; code != 0 {
		t.Errorf("a topic of three replicas with one broker alive: [%d]", code)
	}
	if p := b.Topic("wide").Partitions()[0]; len(p.Replicas) != 3 || p.Leader != 1 {
		t.Errorf("the partition is %+v", p)
	}
}

func TestTooManyPartitionsAreNotAdded(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	grow := kmsg.NewPtrCreatePartitionsRequest()
	grow.Version, grow.TimeoutMillis = 3, 5000
	grow.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 100_000}}
	if got := ask[*kmsg.CreatePartitionsResponse](dial(t, b), grow).Topics[0]; got.ErrorCode != 44 || len(b.Topic("t").Partitions()) != 1 {
		t.Errorf("[%d] %s, and %d partitions", got.ErrorCode, text(got.ErrorMessage), len(b.Topic("t").Partitions()))
	}
}
