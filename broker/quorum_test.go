package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func describeQuorum(c *rawClient, version int16, topic string, partition int32) *kmsg.DescribeQuorumResponse {
	c.t.Helper()
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Version = version
	rt := kmsg.NewDescribeQuorumRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDescribeQuorumRequestTopicPartition()
	rp.Partition = partition
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return ask[*kmsg.DescribeQuorumResponse](c, req)
}

func TestTheQuorumHasOneVoter(t *testing.T) { // behaviour 42
	b := Start(t)
	c := dial(t, b)
	for version := int16(0); version <= 2; version++ {
		got := describeQuorum(c, version, "__cluster_metadata", 0)
		p := got.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch != 1 || len(p.CurrentVoters) != 1 || p.CurrentVoters[0].ReplicaID != 1 || len(p.Observers) != 0 {
			t.Fatalf("v%d: %+v", version, p)
		}
		if (p.CurrentVoters[0].LastFetchTimestamp > 0) != (version >= 1) {
			t.Errorf("v%d: fetched at %d", version, p.CurrentVoters[0].LastFetchTimestamp)
		}
		if version >= 2 && (p.CurrentVoters[0].ReplicaDirectoryID == [16]byte{} || len(got.Nodes) != 1 || got.Nodes[0].Listeners[0].Name != "CONTROLLER" || got.Nodes[0].Listeners[0].Port == 0) {
			t.Errorf("v%d: voters %+v, nodes %+v", version, p.CurrentVoters, got.Nodes)
		}
		for _, other := range []*kmsg.DescribeQuorumResponse{describeQuorum(c, version, "t", 0), describeQuorum(c, version, "__cluster_metadata", 3)} {
			if got := other.Topics[0].Partitions[0]; got.ErrorCode != 3 || len(got.CurrentVoters) != 0 {
				t.Errorf("v%d, not the metadata: %+v", version, got)
			}
		}
	}
	before := describeQuorum(c, 2, "__cluster_metadata", 0).Topics[0].Partitions[0].HighWatermark
	createTopic(c, 7, "t", 1, 1)
	if after := describeQuorum(c, 2, "__cluster_metadata", 0).Topics[0].Partitions[0].HighWatermark; after <= before {
		t.Errorf("creating a topic moved the metadata's end from %d to %d", before, after)
	}
}

func TestVotersAreNeitherAddedNorRemoved(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	me := describeQuorum(c, 2, "__cluster_metadata", 0).Topics[0].Partitions[0].CurrentVoters[0].ReplicaDirectoryID
	other, wrong := [16]byte{1, 2}, "wrong"
	wrongCluster := `The given id "wrong" doesn't match the cluster id "` + b.ClusterID() + `"`
	for _, k := range []struct {
		cluster   *string
		id        int32
		directory [16]byte
		listener  string
		code      int16
		message   string
	}{
		{nil, 5, other, "", 42, "Add voter request didn't include the endpoint (Endpoints(endpoints={})) for the default listener ListenerName(CONTROLLER)"},
		{nil, 5, other, "X", 42, "Add voter request didn't include the endpoint (Endpoints(endpoints={ListenerName(X)=h/<unresolved>:9})) for the default listener ListenerName(CONTROLLER)"},
		{nil, 5, other, "CONTROLLER", 7, "Aborted add voter operation for since API_VERSIONS returned an error BROKER_NOT_AVAILABLE"},
		{&wrong, 5, other, "CONTROLLER", 104, wrongCluster},
		{nil, 1, other, "CONTROLLER", 126, "The voter id for ReplicaKey(id=1, directoryId=AQIAAAAAAAAAAAAAAAAAAA) is already part of the set of voters [ReplicaKey(id=1, directoryId="},
		{nil, 1, [16]byte{}, "CONTROLLER", 42, "Add voter request didn't include a valid voter"},
		{nil, -1, other, "CONTROLLER", 42, "Add voter request didn't include a valid voter"},
	} {
		for version := int16(0); version <= 1; version++ {
			req := kmsg.NewPtrAddRaftVoterRequest()
			req.Version, req.ClusterID, req.VoterID, req.VoterDirectoryID = version, k.cluster, k.id, k.directory
			if k.listener != "" {
				l := kmsg.NewAddRaftVoterRequestListener()
				l.Name, l.Host, l.Port = k.listener, "h", 9
				req.Listeners = append(req.Listeners, l)
			}
			if got := ask[*kmsg.AddRaftVoterResponse](c, req); got.ErrorCode != k.code || !strings.HasPrefix(text(got.ErrorMessage), k.message) {
				t.Errorf("add %d v%d: [%d] %s, want [%d] %s", k.id, version, got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
			}
		}
	}
	for _, k := range []struct {
		cluster   *string
		id        int32
		directory [16]byte
		code      int16
		message   string
	}{
		{&wrong, 5, other, 104, wrongCluster},
		{nil, 5, [16]byte{}, 42, "Remove voter request didn't include a valid voter"},
		{nil, 5, other, 127, "Cannot remove voter ReplicaKey(id=5, directoryId=AQIAAAAAAAAAAAAAAAAAAA) from the set of voters [ReplicaKey(id=1, "},
		{nil, 1, me, 127, "Cannot remove voter ReplicaKey(id=1, "},
	} {
		req := kmsg.NewPtrRemoveRaftVoterRequest()
		req.ClusterID, req.VoterID, req.VoterDirectoryID = k.cluster, k.id, k.directory
		if got := ask[*kmsg.RemoveRaftVoterResponse](c, req); got.ErrorCode != k.code || !strings.HasPrefix(text(got.ErrorMessage), k.message) {
			t.Errorf("remove %d: [%d] %s, want [%d] %s", k.id, got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
		}
	}
}

func TestUnregisterBroker(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	req := kmsg.NewPtrUnregisterBrokerRequest()
	for _, id := range []int32{77, -1} { // behaviour 237
		req.BrokerID = id
		if got := ask[*kmsg.UnregisterBrokerResponse](c, req); got.ErrorCode != 102 || !strings.HasSuffix(text(got.ErrorMessage), " is not currently registered") {
			t.Errorf("broker %d: [%d] %s", id, got.ErrorCode, text(got.ErrorMessage))
		}
	}
	req.BrokerID = 1
	if got := ask[*kmsg.UnregisterBrokerResponse](c, req); got.ErrorCode != 0 {
		t.Errorf("a running broker: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	if l := onlyPartition(t, b, "t").leadership.Load(); l.leader != 1 || l.leaderEpoch != 2 {
		t.Errorf("after it registered again: leader %d in epoch %d", l.leader, l.leaderEpoch)
	}
	c.mustProduce(b, "t", batchOf(t, 1, []string{"a"}))
}
