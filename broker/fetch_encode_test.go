package broker

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFetchAnswerHasKmsgsBytes holds the hand-made encoder against kmsg's, in
// every version, for answers with all that the broker ever puts in one.
func TestFetchAnswerHasKmsgsBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for version := int16(0); version <= 18; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			for range 50 {
				a := randomFetchAnswer(rnd, version)
				want := a.AppendTo(nil)
				var got bytes.Buffer
				out := answerWriter{w: &got}
				a.encode(&out)
				if err := out.flush(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Fatalf("the answer's bytes differ from kmsg's\ngot  %x\nwant %x\nof %+v", got.Bytes(), want, a.FetchResponse)
				}
			}
		})
	}
}

func randomFetchAnswer(rnd *rand.Rand, version int16) *fetchAnswer {
	a := new(fetchAnswer)
	a.Version = version
	a.ThrottleMillis = rnd.Int32N(3)
	if rnd.IntN(4) == 0 {
		a.ErrorCode = 71
	} else {
		a.SessionID = rnd.Int32()
	}
	for range rnd.IntN(4) {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = "topic-" + fmt.Sprint(rnd.IntN(1000))
		topic.TopicID[rnd.IntN(16)] = 7
		for range rnd.IntN(4) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition = rnd.Int32N(100)
			p.HighWatermark, p.LastStableOffset, p.LogStartOffset = rnd.Int64(), rnd.Int64(), rnd.Int64()
			if rnd.IntN(3) == 0 {
				p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
				for range rnd.IntN(3) {
					x := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
					x.ProducerID, x.FirstOffset = rnd.Int64(), rnd.Int64()
					p.AbortedTransactions = append(p.AbortedTransactions, x)
				}
			}
			if rnd.IntN(4) == 0 {
				p.ErrorCode = 6
				p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = rnd.Int32N(3), rnd.Int32N(9)
				rack := "r1"
				a.Brokers = append(a.Brokers, kmsg.FetchResponseBroker{NodeID: 2, Host: "host", Port: 9092, Rack: []*string{nil, &rack}[rnd.IntN(2)]})
			}
			if rnd.IntN(4) == 0 {
				p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = rnd.Int32N(3), rnd.Int64()
			}
			if rnd.IntN(4) == 0 {
				p.PreferredReadReplica = 3
			}
			n := rnd.IntN(4)
			for range n {
				records := make([]byte, []int{1, 100, copyBelow, 5000}[rnd.IntN(4)])
				for i := range records {
					records[i] = byte(rnd.Uint32())
				}
				a.slices = append(a.slices, records)
			}
			a.counts = append(a.counts, int32(n))
			topic.Partitions = append(topic.Partitions, p)
		}
		a.Topics = append(a.Topics, topic)
	}
	return a
}

func TestFetchAnswerIsNotCopied(t *testing.T) {
	a := new(fetchAnswer)
	a.Version = 18
	topic := kmsg.NewFetchResponseTopic()
	topic.Partitions = append(topic.Partitions, kmsg.NewFetchResponseTopicPartition())
	a.Topics = append(a.Topics, topic)
	chunk := make([]byte, 1<<20)
	a.slices, a.counts = [][]byte{chunk}, []int32{1}
	out := answerWriter{w: io.Discard}
	a.encode(&out)
	for _, part := range out.held.parts {
		if len(part) == len(chunk) && &part[0] == &chunk[0] {
			return
		}
	}
	t.Fatal("the records are not sent from where the log has them")
}
