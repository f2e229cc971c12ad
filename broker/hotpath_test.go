package broker

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// TestRequestsThatComeOftenAllocateNothing holds that the memory of Produce and
// Fetch is used again: only the log grows.
func TestRequestsThatComeOftenAllocateNothing(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil), WithTranscript(0))
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks = 9, -1
	produce.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: fullBatch(1, 100)}}}}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes, fetch.SessionEpoch = 12, 500, 1, 16<<10, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 16 << 10
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	for _, req := range []kmsg.Request{produce, fetch} {
		frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("often")).AppendRequest(nil, req, 1)[4:]
		nc := sink{}
		c := &conn{broker: b, node: b.nodes[0], nc: nc, peer: newPeer(b.nodes[0], nil, nc, nil), in: protocol.NewFrameReader(nc), out: answerWriter{w: nc}}
		once := func() {
			if err := c.handle(frame); err != nil {
				t.Fatal(err)
			}
			if err := c.out.flush(); err != nil {
				t.Fatal(err)
			}
		}
		// Now and then the log grows, and under the race detector pools forget.
		free := 0
		for range 200 {
			if testing.AllocsPerRun(1, once) == 0 {
				free++
			}
		}
		if free < 40 {
			t.Errorf("%s: %d of 200 requests allocated", kmsg.NameForKey(req.Key()), 200-free)
		}
	}
}

// TestAnswersOfVersionsAreNotShared holds that what befalls one client's answer
// does not show in another's.
func TestAnswersOfVersionsAreNotShared(t *testing.T) {
	b := Start(t)
	for version := int16(0); version <= 5; version++ {
		v := b.versions(version)
		plain := &versionsAnswer{Response: &v.resp, versions: v}
		slow := &versionsAnswer{Response: &v.resp, versions: v}
		slow.SetThrottle(77)
		if got, want := plain.AppendTo(nil), plain.model().AppendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("v%d: %x, want %x", version, got, want)
		}
		if got, want := slow.AppendTo(nil), slow.model().AppendTo(nil); !bytes.Equal(got, want) || version > 0 && bytes.Equal(got, plain.AppendTo(nil)) {
			t.Errorf("v%d, throttled: %x, want %x", version, got, want)
		}
		slow.model().(*kmsg.ApiVersionsResponse).ErrorCode = 35
		if v.resp.ErrorCode != 0 || v != b.versions(version) {
			t.Errorf("v%d: a client's error is in the answer of all", version)
		}
	}
}
