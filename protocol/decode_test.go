package protocol

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// hotDecoders are the decoders of this package, by API key.
func hotDecoders() map[int16]func(version int16, body []byte) kmsg.Request {
	var produce ProduceDecoder
	var fetch FetchDecoder
	var commit CommitDecoder
	return map[int16]func(int16, []byte) kmsg.Request{
		KeyProduce: func(v int16, body []byte) kmsg.Request {
			if req := produce.Decode(v, body); req != nil {
				return req
			}
			return nil
		},
		KeyFetch: func(v int16, body []byte) kmsg.Request {
			if req := fetch.Decode(v, body); req != nil {
				return req
			}
			return nil
		},
		KeyOffsetCommit: func(v int16, body []byte) kmsg.Request {
			if req := commit.Decode(v, body); req != nil {
				return req
			}
			return nil
		},
	}
}

// agree checks what a decoder read of a body, if anything.
func agree(t *testing.T, key, version int16, body []byte, got kmsg.Request) {
	t.Helper()
	if got == nil {
		return
	}
	want := kmsg.RequestForKey(key)
	want.SetVersion(version)
	if err := want.ReadFrom(body); err != nil {
		t.Fatalf("%s v%d: %x is read, and kmsg says %v", kmsg.NameForKey(key), version, body, err)
	}
	if got.GetVersion() != version || !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
		t.Fatalf("%s v%d: %x is read as\n%+v, and by kmsg as\n%+v", kmsg.NameForKey(key), version, body, got, want)
	}
}

func someProduce(r *rand.Rand) kmsg.Request {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = int16(r.IntN(3)-1), r.Int32()
	for range r.IntN(4) {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic, topic.TopicID = someName(r), [16]byte{byte(r.IntN(3)), 9}
		for range r.IntN(5) {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = r.Int32N(9), bytes.Repeat([]byte{7}, r.IntN(300))
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func someFetch(r *rand.Rand) kmsg.Request {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = r.Int32(), r.Int32(), r.Int32(), int8(r.IntN(3))
	req.SessionID, req.SessionEpoch, req.Rack = r.Int32(), r.Int32()-5, someName(r)
	for range r.IntN(4) {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = someName(r), [16]byte{byte(r.IntN(3)), 9}
		for range r.IntN(5) {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch = r.Int32N(9), r.Int32N(3)-1, r.Int64(), r.Int32N(3)-1
			p.LogStartOffset, p.PartitionMaxBytes = r.Int64N(3)-1, r.Int32()
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func someCommit(r *rand.Rand) kmsg.Request {
	req := kmsg.NewPtrOffsetCommitRequest()
	maybe := func() *string {
		if r.IntN(2) == 0 {
			return nil
		}
		return kmsg.StringPtr(someName(r))
	}
	req.Group, req.MemberID, req.InstanceID, req.Generation, req.RetentionTimeMillis = someName(r), someName(r), maybe(), r.Int32N(5)-1, r.Int64N(9)-1
	for range r.IntN(4) {
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.TopicID = someName(r), [16]byte{byte(r.IntN(3)), 9}
		for range r.IntN(5) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Timestamp, p.LeaderEpoch, p.Metadata = r.Int32N(9), r.Int64(), r.Int64N(9)-1, r.Int32N(3)-1, maybe()
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func someName(r *rand.Rand) string {
	return []string{"", "orders", "users", string(bytes.Repeat([]byte("long"), 60))}[r.IntN(4)]
}

func TestDecodersAgreeWithKmsg(t *testing.T) {
	decode := hotDecoders()
	r := rand.New(rand.NewPCG(1, 2))
	for key, some := range map[int16]func(*rand.Rand) kmsg.Request{KeyProduce: someProduce, KeyFetch: someFetch, KeyOffsetCommit: someCommit} {
		api := APIFor(key)
		for range 300 {
			for v := api.Min; v <= api.Max; v++ {
				req := some(r)
				req.SetVersion(v)
				body := req.AppendTo(nil)
				got := decode[key](v, body)
				if got == nil {
					t.Fatalf("%s v%d: a usual request is not read: %+v", api.Name, v, req)
				}
				agree(t, key, v, body, got)
				if cut := body[:r.IntN(len(body))]; decode[key](v, cut) != nil {
					agree(t, key, v, cut, decode[key](v, cut))
				}
			}
		}
	}
}

func TestDecodersLeaveRareRequestsToKmsg(t *testing.T) {
	decode := hotDecoders()
	txn := kmsg.NewPtrProduceRequest()
	txn.Version, txn.TransactionID = 9, kmsg.StringPtr("t")
	forget := kmsg.NewPtrFetchRequest()
	forget.Version, forget.ForgottenTopics = 12, []kmsg.FetchRequestForgottenTopic{{Topic: "t"}}
	follower := kmsg.NewPtrFetchRequest()
	follower.Version, follower.ReplicaState.ID = 15, 3
	tagged := kmsg.NewPtrFetchRequest()
	tagged.Version = 12
	tagged.UnknownTags.Set(9, []byte("x"))
	for _, req := range []kmsg.Request{txn, forget, follower, tagged} {
		if got := decode[req.Key()](req.GetVersion(), req.AppendTo(nil)); got != nil {
			t.Errorf("%+v is read as %+v", req, got)
		}
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	decode := hotDecoders()
	r := rand.New(rand.NewPCG(3, 4))
	for key, req := range map[int16]kmsg.Request{KeyProduce: someProduce(r), KeyFetch: someFetch(r), KeyOffsetCommit: someCommit(r)} {
		version := APIFor(key).Max
		req.SetVersion(version)
		body := req.AppendTo(nil)
		decode[key](version, body)
		if n := testing.AllocsPerRun(100, func() { decode[key](version, body) }); n > 0 {
			t.Errorf("%s: %v allocations", kmsg.NameForKey(key), n)
		}
	}
}

func FuzzDecoders(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		for _, req := range []kmsg.Request{someProduce(r), someFetch(r), someCommit(r)} {
			for v := APIFor(req.Key()).Min; v <= APIFor(req.Key()).Max; v++ {
				req.SetVersion(v)
				f.Add(req.Key(), v, req.AppendTo(nil))
			}
		}
	}
	decode := hotDecoders()
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if d := decode[key]; d != nil && APIFor(key).Serves(version) {
			agree(t, key, version, body, d(version, body))
		}
	})
}
