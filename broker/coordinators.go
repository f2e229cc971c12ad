package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
	"minibroker/broker/group"
)

// This file owns where coordinators are: with the leader of the partition that
// has their records. With one broker that is always here. With several, a
// request for a group or a transactional id that another broker coordinates is
// answered with NOT_COORDINATOR before its handler sees it; requests about
// several of them are split by their handlers, which ask coordinates.

var errNoCoordinator = fail(kerr.CoordinatorNotAvailable, "The coordinator is not available.")

// coordinatorOf is the broker that coordinates a key, by the topic that has its
// records; -1 while there is none. It makes the topic if it is not there yet.
func (b *Broker) coordinatorOf(topic, key string) int32 {
	t := b.internalTopic(topic)
	if t == nil {
		return -1
	}
	if l := t.partitionOf(key).leadership.Load(); b.image.Load().alive(l.leader) {
		return l.leader
	}
	return -1
}

// coordinates says whether the broker asked coordinates a key; else the error is
// NOT_COORDINATOR.
func (r *request) coordinates(topic, key string) *kerr.Error {
	if len(r.broker.nodes) == 1 || r.broker.coordinatorOf(topic, key) == r.node.id {
		return nil
	}
	return kerr.NotCoordinator
}

// serve answers a request, unless it belongs to a feature that is off, or is for
// a coordinator that is elsewhere.
func (b *Broker) serve(r *request) (kmsg.Response, error) {
	if r.guarded() {
		if err := r.denied(); err != nil {
			return b.deny(r, err), nil
		}
	}
	if r.sasl != nil {
		if resp := r.illegalSASLState(); resp != nil {
			return resp, nil
		}
	}
	if b.switchedOff(r.key) {
		f := fault.Fail(kmsg.Key(r.key), kerr.UnsupportedVersion)
		return b.failed(&f, r)
	}
	if len(b.nodes) > 1 {
		if topic, key, about := coordinated(r.body); about && r.coordinates(topic, key) != nil {
			return b.refuseAll(r, kerr.NotCoordinator), nil
		}
	}
	return handlers[r.key](b, r)
}

// refuseAll is the answer to a request of which nothing is done: the error stands
// where Kafka has it, for the whole or at each partition.
func (b *Broker) refuseAll(r *request, err *kerr.Error) kmsg.Response {
	code := err.Code
	answer := r.body.ResponseKind()
	switch resp := answer.(type) {
	case *kmsg.JoinGroupResponse:
		resp.ErrorCode, resp.Generation, resp.MemberID = code, -1, r.body.(*kmsg.JoinGroupRequest).MemberID
	case *kmsg.HeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		resp.ErrorCode = code
	case *kmsg.SyncGroupResponse:
		resp.ErrorCode = code
	case *kmsg.OffsetDeleteResponse:
		resp.ErrorCode = code
	case *kmsg.ConsumerGroupHeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.ShareGroupHeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.AlterShareGroupOffsetsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, deniedText(err)
	case *kmsg.DeleteShareGroupOffsetsResponse:
		resp.ErrorCode, resp.ErrorMessage = code, deniedText(err)
	case *kmsg.StreamsGroupHeartbeatResponse:
		resp.ErrorCode, resp.Status = code, []kmsg.StreamsGroupHeartbeatResponseStatus{}
	case *kmsg.StreamsGroupTopologyDescriptionUpdateResponse:
		resp.ErrorCode = code
	case *kmsg.InitProducerIDResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.AddOffsetsToTxnResponse:
		resp.ErrorCode = code
	case *kmsg.EndTxnResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.ShareFetchResponse:
		resp.ErrorCode = code
	default:
		return b.refusal(r, err)
	}
	return answer
}

// coordinated is the one group or transactional id that a request is about. An
// empty one is not: the handlers refuse it.
func coordinated(req kmsg.Request) (topic, key string, about bool) {
	topic = groupMetadataTopic
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		key = req.Group
	case *kmsg.JoinGroupRequest:
		key = req.Group
	case *kmsg.HeartbeatRequest:
		key = req.Group
	case *kmsg.LeaveGroupRequest:
		key = req.Group
	case *kmsg.SyncGroupRequest:
		key = req.Group
	case *kmsg.TxnOffsetCommitRequest:
		key = req.Group
	case *kmsg.OffsetDeleteRequest:
		key = req.Group
	case *kmsg.ConsumerGroupHeartbeatRequest:
		key = req.Group
	case *kmsg.ShareGroupHeartbeatRequest:
		key = req.GroupID
	case *kmsg.AlterShareGroupOffsetsRequest:
		key = req.GroupID
	case *kmsg.DeleteShareGroupOffsetsRequest:
		key = req.GroupID
	case *kmsg.StreamsGroupHeartbeatRequest:
		key = req.Group
	case *kmsg.StreamsGroupTopologyDescriptionUpdateRequest:
		key = req.Group
	case *kmsg.InitProducerIDRequest:
		topic = transactionStateTopic
		if req.TransactionalID != nil {
			key = *req.TransactionalID
		}
	case *kmsg.AddPartitionsToTxnRequest:
		topic = transactionStateTopic
		if req.Version < 4 {
			key = req.TransactionalID
		}
	case *kmsg.AddOffsetsToTxnRequest:
		topic, key = transactionStateTopic, req.TransactionalID
	case *kmsg.EndTxnRequest:
		topic, key = transactionStateTopic, req.TransactionalID
	}
	return topic, key, key != ""
}

// moved tells the groups of a partition of __consumer_offsets that another
// broker coordinates them now.
func (s *groups) moved(p *partition) {
	t := s.b.image.Load().topic(groupMetadataTopic)
	if t == nil {
		return
	}
	for _, id := range s.all() {
		if t.partitionOf(id) == p {
			s.with(id, func(g *group.Group, now time.Time) group.Effects { return g.Moved(now) })
		}
	}
}
