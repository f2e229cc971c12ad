package broker

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the APIs of the KRaft quorum. The controller is part of this
// process: the quorum has one voter, who has led it since the start, under the
// first broker's id. It goes on when that broker is stopped.

// controllerListener is the listener under which the controller is described;
// its address is the broker's own.
const controllerListener = "CONTROLLER"

// quorumEpoch is the epoch of the one leader that the quorum ever has.
const quorumEpoch = 1

// handleDescribeQuorum serves DescribeQuorum v0-v2 (v1: times of fetches, v2:
// directory ids and endpoints, KIP-853).
func (b *Broker) handleDescribeQuorum(r *request, req *kmsg.DescribeQuorumRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	if req.Version >= 2 {
		resp.ErrorMessage = new("")
	}
	if len(req.Topics) == 1 && req.Topics[0].Topic == clusterMetadataTopic &&
		len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == 0 {
		b.describeQuorum(r, resp)
		return resp, nil
	}
	for i := range req.Topics {
		topic := kmsg.NewDescribeQuorumResponseTopic()
		topic.Topic = req.Topics[i].Topic
		for _, asked := range req.Topics[i].Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition = asked.Partition
			p.ErrorCode, p.ErrorMessage = codeAndText(errUnknownTopicOrPartition)
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

func (b *Broker) describeQuorum(r *request, resp *kmsg.DescribeQuorumResponse) {
	controller := b.nodes[0]
	state := func(n *node) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.ReplicaDirectoryID = n.id, n.directory
		s.LogEndOffset = b.controller.offset.Load() + 1
		s.LastFetchTimestamp = b.nowMs()
		s.LastCaughtUpTimestamp = s.LastFetchTimestamp
		return s
	}
	voter := state(controller)

	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.ErrorMessage = resp.ErrorMessage
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = controller.id, quorumEpoch, voter.LogEndOffset
	p.CurrentVoters = append(p.CurrentVoters, voter)
	for _, n := range b.image.Load().live {
		if n != controller { // brokers follow the controller's log (behaviour 42)
			p.Observers = append(p.Observers, state(n))
		}
	}
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = clusterMetadataTopic
	topic.Partitions = append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)

	me := kmsg.NewDescribeQuorumResponseNode()
	me.NodeID = controller.id
	listener := kmsg.NewDescribeQuorumResponseNodeListener()
	host, port := b.tell(r, controller)
	listener.Name, listener.Host, listener.Port = controllerListener, host, uint16(port)
	me.Listeners = append(me.Listeners, listener)
	resp.Nodes = append(resp.Nodes, me)
}

// voter is a voter's key (org.apache.kafka.raft.ReplicaKey).
type voter struct {
	id        int32
	directory [16]byte
}

func (v voter) valid() bool { return v.id >= 0 && v.directory != [16]byte{} }

func (v voter) String() string {
	return fmt.Sprintf("ReplicaKey(id=%d, directoryId=%s)", v.id, base64.RawURLEncoding.EncodeToString(v.directory[:]))
}

// handleAddRaftVoter serves AddRaftVoter v0-v1 (KIP-853). Kafka asks the new
// voter for its versions before it adds it; no other controller can be reached
// from here.
func (b *Broker) handleAddRaftVoter(r *request, req *kmsg.AddRaftVoterRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AddRaftVoterResponse)
	resp.ErrorCode, resp.ErrorMessage = codeAndText(b.addVoter(r, req))
	return resp, nil
}

func (b *Broker) addVoter(r *request, req *kmsg.AddRaftVoterRequest) *apiError {
	if err := b.checkCluster(req.ClusterID); err != nil {
		return err
	}
	v := voter{req.VoterID, req.VoterDirectoryID}
	if !v.valid() {
		return fail(kerr.InvalidRequest, "Add voter request didn't include a valid voter")
	}
	var endpoints []string
	reachable := false
	for _, l := range req.Listeners {
		reachable = reachable || l.Name == controllerListener
		endpoints = append(endpoints, fmt.Sprintf("ListenerName(%s)=%s/<unresolved>:%d", l.Name, l.Host, l.Port))
	}
	switch me := (voter{b.nodes[0].id, b.nodes[0].directory}); {
	case !reachable:
		return fail(kerr.InvalidRequest, "Add voter request didn't include the endpoint (Endpoints(endpoints={%s})) for the default listener ListenerName(%s)", strings.Join(endpoints, ", "), controllerListener)
	case v.id == me.id:
		return fail(kerr.DuplicateVoter, "The voter id for %v is already part of the set of voters [%v].", v, me)
	}
	return fail(kerr.RequestTimedOut, "Aborted add voter operation for since API_VERSIONS returned an error BROKER_NOT_AVAILABLE")
}

// handleRemoveRaftVoter serves RemoveRaftVoter v0 (KIP-853). The last voter
// stays.
func (b *Broker) handleRemoveRaftVoter(r *request, req *kmsg.RemoveRaftVoterRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	err := b.checkCluster(req.ClusterID)
	v := voter{req.VoterID, req.VoterDirectoryID}
	switch {
	case err != nil:
	case !v.valid():
		err = fail(kerr.InvalidRequest, "Remove voter request didn't include a valid voter")
	default:
		err = fail(kerr.VoterNotFound, "Cannot remove voter %v from the set of voters [%v]", v, voter{b.nodes[0].id, b.nodes[0].directory})
	}
	resp.ErrorCode, resp.ErrorMessage = codeAndText(err)
	return resp, nil
}

// checkCluster holds the cluster that a request is meant for against ours; null
// means any.
func (b *Broker) checkCluster(id *string) *apiError {
	if id == nil || *id == b.clusterID {
		return nil
	}
	return fail(kerr.InconsistentClusterID, "The given id \"%s\" doesn't match the cluster id \"%s\"", *id, b.clusterID)
}

// handleUnregisterBroker serves UnregisterBroker v0 (KIP-631). A running broker
// that is unregistered registers again, as one that is restarted does: its
// partitions get other leaders, or a new leader epoch. A stopped one is gone until
// it is started.
func (b *Broker) handleUnregisterBroker(r *request, req *kmsg.UnregisterBrokerRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	n := nodeOf(b.image.Load().registered, req.BrokerID)
	if n == nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", req.BrokerID))
		return resp, nil
	}
	b.control(func() {
		if b.image.Load().alive(n.id) {
			b.fence(n)
			b.unfence(n)
			return
		}
		m := b.image.Load().next()
		m.registered = slices.DeleteFunc(slices.Clone(m.registered), func(o *node) bool { return o == n })
		b.image.Store(m)
		b.controller.written()
	})
	resp.ErrorMessage = new("")
	return resp, nil
}
