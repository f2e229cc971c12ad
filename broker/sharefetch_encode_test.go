package broker

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestShareFetchAnswerHasKmsgsBytes(t *testing.T) {
	text, rack := "text", "rack"
	for version := range int16(3) {
		for _, records := range [][][]byte{nil, {[]byte("abc")}, {bytes.Repeat([]byte("x"), copyBelow), []byte("yz")}} {
			a := &shareFetchAnswer{slices: [][][]byte{records, nil}}
			a.Version, a.ThrottleMillis, a.ErrorCode, a.ErrorMessage = version, 7, 3, &text
			if version >= 1 {
				a.AcquisitionLockTimeoutMillis = 30_000
			}
			a.NodeEndpoints = []kmsg.ShareFetchResponseNodeEndpoint{{NodeID: 1, Host: "h", Port: 9092, Rack: &rack}, {NodeID: 2, Host: "i"}}
			a.Topics = []kmsg.ShareFetchResponseTopic{{TopicID: [16]byte{1, 2}, Partitions: []kmsg.ShareFetchResponseTopicPartition{{
				Partition: 4, ErrorCode: 6, AcknowledgeErrorCode: 121, AcknowledgeErrorMessage: &text, Records: []byte{},
				CurrentLeader:   kmsg.ShareFetchResponseTopicPartitionCurrentLeader{LeaderID: 1, LeaderEpoch: 5},
				AcquiredRecords: []kmsg.ShareFetchResponseTopicPartitionAcquiredRecord{{FirstOffset: 1, LastOffset: 3, DeliveryCount: 2}},
			}, {Partition: 5, Records: []byte{}}}}}
			var out bytes.Buffer
			w := answerWriter{w: &out}
			a.encode(&w)
			if err := w.flush(); err != nil {
				t.Fatal(err)
			}
			if want := a.AppendTo(nil); !bytes.Equal(out.Bytes(), want) {
				t.Errorf("v%d with %d slices:\n got  %x\n want %x", version, len(records), out.Bytes(), want)
			}
		}
	}
}
