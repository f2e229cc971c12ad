package broker

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// keeper is a connection that keeps what is written to it.
type keeper struct {
	sink
	written bytes.Buffer
}

func (k *keeper) Write(p []byte) (int, error) { return k.written.Write(p) }

// answersTo is what a connection answers to requests, one after the other.
func answersTo(t *testing.T, c *conn, reqs ...kmsg.Request) (answers [][]byte) {
	t.Helper()
	var nc keeper
	c.nc, c.out.w = &nc, &nc
	for _, req := range reqs {
		nc.written.Reset()
		if err := c.handle(hotFrame(req)); err != nil {
			t.Fatal(err)
		}
		if err := c.out.flush(); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, bytes.Clone(nc.written.Bytes()))
	}
	return answers
}

// repeatingRequests has requests of each API that repeats names, as a client of
// a broker with the topics t and u sends them.
func repeatingRequests() (all []kmsg.Request) {
	in := func(version int16, req kmsg.Request) {
		req.SetVersion(version)
		all = append(all, req)
	}
	metadata := func() *kmsg.MetadataRequest {
		req := kmsg.NewPtrMetadataRequest()
		for _, name := range []string{"u", "t", "u", "none"} {
			req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		}
		return req
	}
	in(1, metadata())
	in(12, metadata())
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "some", "1"
	in(3, versions)
	one, some := kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrFindCoordinatorRequest()
	one.CoordinatorKey, some.CoordinatorKeys = "g", []string{"h", "g"}
	in(2, one)
	in(4, some)
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.MemberID, beat.Generation, beat.InstanceID = "g", "nobody", 3, kmsg.StringPtr("i")
	in(4, beat)
	list := kmsg.NewPtrListOffsetsRequest()
	list.ReplicaID = -1
	for _, name := range []string{"u", "t"} {
		list.Topics = append(list.Topics, kmsg.ListOffsetsRequestTopic{Topic: name, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, Timestamp: -1}, {Partition: 1, Timestamp: -2}}})
	}
	in(5, list)
	old, fetch := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewPtrOffsetFetchRequest()
	old.Group, old.Topics = "g", []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{1, 0}}}
	fetch.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "u", Partitions: []int32{1, 0, 7}}}}}
	in(1, old)
	in(8, fetch)
	consumer := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	consumer.Group, consumer.MemberID, consumer.RebalanceTimeoutMillis = "c", "AAAAAAAAAAAAAAAAAAAAAA", 1000
	consumer.SubscribedTopicNames, consumer.Topics = []string{"u", "t", "u"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	in(1, consumer)
	share := kmsg.NewPtrShareGroupHeartbeatRequest()
	share.GroupID, share.MemberID, share.SubscribedTopicNames = "s", "AAAAAAAAAAAAAAAAAAAAAA", []string{"u", "t", "u"}
	in(1, share)
	return all
}

// TestRepeatedRequestsAreAnsweredAsNewOnes holds that decoding a request once
// makes no difference: it is the same afterwards, and so is the answer.
func TestRepeatedRequestsAreAnsweredAsNewOnes(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil), WithTopic("u", 2, nil), WithConfig("auto.create.topics.enable", "false"))
	ask[*kmsg.OffsetCommitResponse](dial(t, b), commitRequest("g", "", -1, 42))
	tested := make(map[kmsg.Key]bool)
	for _, req := range repeatingRequests() {
		name := kmsg.NameForKey(req.Key())
		tested[kmsg.Key(req.Key())] = true
		body := req.AppendTo(nil)
		if !repeats(req.Key(), body) {
			t.Errorf("%s is not among the APIs that are repeated", name)
		}
		answersTo(t, bareConn(b), req) // groups begin
		want := answersTo(t, bareConn(b), req)[0]
		c := bareConn(b)
		for i, got := range answersTo(t, c, req, req, req) {
			if !bytes.Equal(got, want) {
				t.Errorf("%s v%d, time %d: the answer is\n%x, want\n%x", name, req.GetVersion(), i+1, got, want)
			}
		}
		if got := c.newest.req.AppendTo(nil); !bytes.Equal(got, body) || !bytes.Equal(c.newest.body, body) {
			t.Errorf("%s v%d: its handler changed the request", name, req.GetVersion())
		}
	}
	for key := range int16(kmsg.MaxKey) {
		if repeats(key, nil) && !tested[kmsg.Key(key)] {
			t.Errorf("%s may be repeated, and nothing is tested", kmsg.NameForKey(key))
		}
	}
}

// TestARequestLikeTheLastIsReadAnew holds that only the same bytes of the same
// API and version are a repetition, and that the answer to one is of the moment.
func TestARequestLikeTheLastIsReadAnew(t *testing.T) {
	b := Start(t, WithTopic("t", 2, nil), WithConfig("auto.create.topics.enable", "false"))
	metadata := func(version int16, name string) kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		req.Version, req.Topics = version, []kmsg.MetadataRequestTopic{{Topic: &name}}
		return req
	}
	c := bareConn(b)
	reqs := []kmsg.Request{metadata(12, "t"), metadata(12, "u"), metadata(10, "u"), metadata(9, "u"), metadata(12, "t")}
	for i, got := range answersTo(t, c, reqs...) {
		if want := answersTo(t, bareConn(b), reqs[i])[0]; !bytes.Equal(got, want) {
			t.Errorf("request %d: %x, want %x", i, got, want)
		}
	}
	before := answersTo(t, c, metadata(12, "u"))[0]
	if err := b.CreateTopic("u", 1, nil); err != nil {
		t.Fatal(err)
	}
	if after := answersTo(t, c, metadata(12, "u"))[0]; bytes.Equal(before, after) {
		t.Error("a topic was created, and the same question has the same answer")
	}
	large := kmsg.NewPtrMetadataRequest()
	for range maxRepeated {
		large.Topics = append(large.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr("t")})
	}
	answersTo(t, c, large)
	if len(c.newest.body) > maxRepeated {
		t.Errorf("the connection keeps a request of %d bytes", len(c.newest.body))
	}
}
