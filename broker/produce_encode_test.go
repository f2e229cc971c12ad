package broker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestProduceAnswerHasKmsgsBytes holds the hand-made encoder against kmsg's, in
// every version, in memory that is used again.
func TestProduceAnswerHasKmsgsBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	a := new(produced)
	for version := int16(0); version <= 13; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			for range 50 {
				a.forget()
				randomProduced(rnd, a, version)
				if got, want := a.AppendTo(nil), a.model().AppendTo(nil); !bytes.Equal(got, want) {
					t.Fatalf("the answer's bytes differ from kmsg's\ngot  %x\nwant %x\nof %+v", got, want, a.ProduceResponse)
				}
			}
		})
	}
}

func randomProduced(rnd *rand.Rand, a *produced, version int16) {
	a.Version, a.ThrottleMillis = version, rnd.Int32N(3)
	text := func() *string { return []*string{nil, new(string), kmsg.StringPtr("what is wrong")}[rnd.IntN(3)] }
	for range rnd.IntN(4) {
		topic := kmsg.ProduceResponseTopic{Topic: fmt.Sprint("topic-", rnd.IntN(1000)), TopicID: [16]byte{3: 7}}
		topic.Partitions = a.room(rnd.IntN(4))
		for i := range topic.Partitions {
			p := &topic.Partitions[i]
			if p.ErrorCode != 0 || p.ErrorRecords != nil {
				panic("an answer of another request")
			}
			p.Default()
			p.Partition, p.BaseOffset, p.LogAppendTime, p.LogStartOffset = rnd.Int32N(100), rnd.Int64(), rnd.Int64(), rnd.Int64()
			if rnd.IntN(3) == 0 {
				p.ErrorCode, p.ErrorMessage = 87, text()
				for range rnd.IntN(3) {
					p.ErrorRecords = append(p.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: rnd.Int32(), ErrorMessage: text()})
				}
			}
			if version >= 10 && rnd.IntN(4) == 0 {
				p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = rnd.Int32N(3), rnd.Int32N(9)
				a.Brokers = append(a.Brokers, kmsg.ProduceResponseBroker{NodeID: 2, Host: "host", Port: 9092, Rack: text()})
			}
		}
		a.Topics = append(a.Topics, topic)
	}
}
