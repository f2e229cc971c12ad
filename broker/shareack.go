package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
	"minibroker/broker/share"
)

// This file owns ShareAcknowledge v0-v2 (v1: as v0; v2: renewing, how long locks
// last) and the acknowledgements that a ShareFetch brings.

// shareAcks is what a request acknowledges of one partition. A ShareFetch that
// acknowledges anything has one for each partition that it names.
type shareAcks struct {
	at   sharePlace
	acks []share.Ack
	err  *apiError // what became of it
}

// ackBatch is what both requests have, in kmsg's types.
type ackBatch interface {
	kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch | kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch
}

func acksOf[B ackBatch](batches []B) []share.Ack {
	if len(batches) == 0 {
		return nil
	}
	acks := make([]share.Ack, len(batches))
	for i := range batches {
		a := kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch(batches[i])
		acks[i].First, acks[i].Last = a.FirstOffset, a.LastOffset
		acks[i].Types = make([]share.AckType, len(a.AcknowledgeTypes))
		for j, t := range a.AcknowledgeTypes {
			acks[i].Types[j] = share.AckType(t)
		}
	}
	return acks
}

// badAcks tells whether acknowledgements make no sense whatever the partition
// is (KafkaApis.validateAcknowledgementBatches).
func badAcks(acks []share.Ack, version int16, renews bool) bool {
	last := int64(-1)
	most := share.Reject
	if version >= 2 {
		most = share.Renew
	}
	for _, a := range acks {
		switch {
		case a.First > a.Last, a.First < last, len(a.Types) == 0,
			len(a.Types) > 1 && a.Last-a.First != int64(len(a.Types)-1):
			return true
		}
		for _, t := range a.Types {
			if t < share.Gap || t > most || t == share.Renew && !renews {
				return true
			}
		}
		last = a.Last
	}
	return false
}

// acknowledge takes a member's acknowledgements and returns them with what
// became of each. Partitions without any are only among them if others have
// some, as in Kafka.
func (b *Broker) acknowledge(r *request, id, member string, version int16, renews bool, all []shareAcks) []shareAcks {
	some, n := false, r.node
	var set *shareSettings
	m := b.image.Load()
	for i := range all {
		a := &all[i]
		t := m.topicByID(a.at.topic)
		switch {
		case t == nil:
			a.err = &apiError{code: kerr.UnknownTopicID.Code}
			continue
		case !r.mayTopic(kmsg.ACLOperationRead, t.name):
			a.err = &apiError{code: kerr.TopicAuthorizationFailed.Code}
			continue
		case badAcks(a.acks, version, renews):
			a.err = &apiError{code: kerr.InvalidRequest.Code}
			continue
		case t.partition(a.at.index) == nil:
			a.err = &apiError{code: kerr.UnknownTopicOrPartition.Code}
			continue
		case t.partition(a.at.index).leadership.Load().leader != n.id:
			a.err = errNotLeader
			continue
		case len(a.acks) == 0:
			continue
		}
		if code := t.partition(a.at.index).leadership.Load().check(n, -1); code != 0 {
			a.err = &apiError{code: code}
			continue
		}
		some = true
		p := b.shares.find(share.PartitionKey{Group: id, Topic: a.at.topic, Partition: a.at.index})
		if p == nil {
			a.err = errUnknownTopicOrPartition
			continue
		}
		if set == nil {
			set = b.shareSettings(id)
		}
		a.err = shareError(b.shares.change(p, func(now time.Time) *share.Refusal {
			if p.live == nil { // nobody has records on loan
				return &share.Refusal{Err: kerr.UnknownTopicOrPartition, Message: errUnknownTopicOrPartition.message}
			}
			return p.live.Acknowledge(now, member, a.acks, &set.limits, func(w share.Write) *share.Refusal { return b.shares.put(p, w) })
		}))
	}
	if some {
		return all
	}
	return slices.DeleteFunc(all, func(a shareAcks) bool { return a.err == nil })
}

// shareMember checks who sends a share request. Kafka gives such errors no
// texts.
func shareMember(groupID, memberID *string) (id, member string, err *apiError) {
	switch {
	case groupID == nil, memberID == nil, !group.ValidMemberID(*memberID):
		return "", "", &apiError{code: kerr.InvalidRequest.Code}
	}
	return *groupID, *memberID, nil
}

// handleShareAcknowledge serves ShareAcknowledge v0-v2.
func (b *Broker) handleShareAcknowledge(r *request, req *kmsg.ShareAcknowledgeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ShareAcknowledgeResponse)
	id, member, err := shareMember(req.GroupID, req.MemberID)
	if err == nil && !b.sharesServed() {
		err = &apiError{code: kerr.UnsupportedVersion.Code}
	}
	key := shareSessionKey{id, member}
	var session *shareSession
	if err == nil {
		session, err = continueShareSession(&r.node.shareSessions, key, req.ShareSessionEpoch)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(err)
		return resp, nil
	}
	var all []shareAcks
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			p := &req.Topics[i].Partitions[j]
			all = append(all, shareAcks{at: sharePlace{req.Topics[i].TopicID, p.Partition}, acks: acksOf(p.AcknowledgementBatches)})
		}
	}
	all = b.acknowledge(r, id, member, req.Version, req.IsRenewAck, all)
	if req.ShareSessionEpoch == finalShareEpoch {
		b.endShareSession(r.node, session)
	}
	if req.Version >= 2 {
		resp.AcquisitionLockTimeoutMillis = int32(b.shareSettings(id).limits.LockFor.Milliseconds())
	}
	for i := range all {
		a := &all[i]
		p := kmsg.NewShareAcknowledgeResponseTopicPartition()
		p.Partition = a.at.index
		p.ErrorCode, p.ErrorMessage = codeAndText(a.err)
		n := slices.IndexFunc(resp.Topics, func(t kmsg.ShareAcknowledgeResponseTopic) bool { return t.TopicID == a.at.topic })
		if n < 0 {
			n = len(resp.Topics)
			t := kmsg.NewShareAcknowledgeResponseTopic()
			t.TopicID = a.at.topic
			resp.Topics = append(resp.Topics, t)
		}
		if leader := b.leaderOf(a.at, a.err); leader != nil {
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = leader.leader, leader.leaderEpoch
			named := func(e kmsg.ShareAcknowledgeResponseNodeEndpoint) bool { return e.NodeID == leader.leader }
			if n, host, port := b.endpoint(r, leader.leader); n != nil && !slices.ContainsFunc(resp.NodeEndpoints, named) {
				resp.NodeEndpoints = append(resp.NodeEndpoints, kmsg.ShareAcknowledgeResponseNodeEndpoint{NodeID: n.id, Host: host, Port: port, Rack: n.rack})
			}
		}
		resp.Topics[n].Partitions = append(resp.Topics[n].Partitions, p)
	}
	return resp, nil
}

// leaderOf is who leads a partition, if an error makes the client ask.
func (b *Broker) leaderOf(at sharePlace, err *apiError) *leadership {
	if err == nil || err.code != kerr.NotLeaderForPartition.Code && err.code != kerr.FencedLeaderEpoch.Code {
		return nil
	}
	p := b.image.Load().topicByID(at.topic).partition(at.index)
	if p == nil {
		return nil
	}
	return p.leadership.Load()
}

// continueShareSession takes the session epoch of a ShareAcknowledge
// (SharePartitionManager.acknowledgeSessionUpdate).
func continueShareSession(sessions *shareSessions, key shareSessionKey, epoch int32) (*shareSession, *apiError) {
	var err *kerr.Error
	var f *shareSession
	switch epoch {
	case firstShareEpoch:
		err = kerr.InvalidShareSessionEpoch
	case finalShareEpoch:
		if f = sessions.get(key); f == nil {
			err = kerr.ShareSessionNotFound
		}
	default:
		f, err = sessions.next(key, epoch, func(*shareSession) {})
	}
	if err != nil {
		return nil, &apiError{code: err.Code}
	}
	return f, nil
}

// sharesServed tells whether the feature share.version is on.
func (b *Broker) sharesServed() bool { return (*b.features.Load())["share.version"] > 0 }
