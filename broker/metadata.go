package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a client without ACLs may do, as bits numbered by
// org.apache.kafka.common.acl.AclOperation (KIP-430); notAsked when it did not
// ask.
const (
	notAsked          int32 = -2147483648
	topicOperations   int32 = 3576
	clusterOperations int32 = 8096
	groupOperations   int32 = 3400
)

// handleMetadata serves Metadata v0-v13 (v10: topic ids, v12: by id alone).
// Topics that do not exist are created if the client and the broker allow it,
// and are usable at once: there is no moment without a leader.
func (b *Broker) handleMetadata(r *request, req *kmsg.MetadataRequest) (kmsg.Response, error) {
	answer := &r.memory().metadata
	resp := answer.begin(req.Version)
	if refused := refuseMetadata(req, resp); refused {
		return resp, nil
	}
	m := b.image.Load()
	for _, n := range m.live {
		one := kmsg.NewMetadataResponseBroker()
		one.NodeID, one.Rack = n.id, n.rack
		one.Host, one.Port = b.tell(r, n)
		resp.Brokers = append(resp.Brokers, one)
	}
	resp.ClusterID = &b.clusterID
	resp.ControllerID = m.controllerID(r.node)
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = r.clusterOperations()
	}
	operations := func(name string) int32 {
		if !req.IncludeTopicAuthorizedOperations {
			return notAsked
		}
		return r.authorizedOperations(kmsg.ACLResourceTypeTopic, name)
	}

	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		resp.Topics = slices.Grow(resp.Topics, m.topics.Len())
		m.topics.Scan(func(name string, t *topic) bool {
			if r.mayTopic(kmsg.ACLOperationDescribe, name) {
				resp.Topics = append(resp.Topics, answer.describe(t, operations(name)))
			}
			return true
		})
		return resp, nil
	}
	// Clients before v4 could not say no.
	mayCreate := (req.Version < 4 || req.AllowAutoTopicCreation) && b.config.Load().Hot().AutoCreateTopics
	// One id, and names do not count.
	byID := slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.TopicID != [16]byte{} })
	resp.Topics = slices.Grow(resp.Topics, len(req.Topics))
	var seen map[string]bool
	if len(req.Topics) > 1 {
		seen = make(map[string]bool, len(req.Topics))
	}
	first := func(name string) bool {
		if seen == nil || seen[name] {
			return seen == nil
		}
		seen[name] = true
		return true
	}
	for i := range req.Topics {
		asked := &req.Topics[i]
		if asked.TopicID != [16]byte{} {
			t := m.topicByID(asked.TopicID)
			if t == nil {
				resp.Topics = append(resp.Topics, failedTopic(nil, asked.TopicID, kerr.UnknownTopicID.Code))
			} else if first(t.name) {
				if !r.mayTopic(kmsg.ACLOperationDescribe, t.name) {
					resp.Topics = append(resp.Topics, deniedTopic(nil, t.id))
					continue
				}
				resp.Topics = append(resp.Topics, answer.describe(t, operations(t.name)))
			}
			continue
		}
		if byID || !first(*asked.Topic) {
			continue
		}
		t := m.topic(*asked.Topic)
		// What a client may not see must not tell whether it is there.
		if !r.mayTopic(kmsg.ACLOperationDescribe, *asked.Topic) || t == nil && mayCreate && !r.mayCreate(*asked.Topic) {
			resp.Topics = append(resp.Topics, deniedTopic(asked.Topic, [16]byte{}))
			continue
		}
		if t == nil {
			var code int16
			if t, code = b.autoCreate(r, *asked.Topic, mayCreate); t == nil {
				resp.Topics = append(resp.Topics, failedTopic(asked.Topic, asked.TopicID, code))
				continue
			}
		}
		resp.Topics = append(resp.Topics, answer.describe(t, operations(t.name)))
	}
	return resp, nil
}

// deniedTopic is the entry of a topic that the client may not see, or not make.
func deniedTopic(name *string, id [16]byte) kmsg.MetadataResponseTopic {
	t := failedTopic(name, id, kerr.TopicAuthorizationFailed.Code)
	t.IsInternal = false
	return t
}

// refuseMetadata answers requests that make no sense as
// org.apache.kafka.common.requests.MetadataRequest.getErrorResponse does: each
// topic has the error, and no broker is named.
func refuseMetadata(req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) bool {
	code := int16(0)
	for i := range req.Topics {
		t := &req.Topics[i]
		switch {
		case req.Version < 12 && (t.TopicID != [16]byte{} || t.Topic == nil):
			code = kerr.InvalidRequest.Code // v10 and v11 have the fields, not the meaning
		case t.TopicID == [16]byte{} && t.Topic == nil && code == 0:
			code = kerr.UnknownServerError.Code
		}
	}
	if code == 0 {
		return false
	}
	resp.ControllerID = -1
	for i := range req.Topics {
		t := &req.Topics[i]
		name := t.Topic
		if name == nil {
			name = new(string)
		}
		resp.Topics = append(resp.Topics, failedTopic(name, t.TopicID, code))
	}
	if req.Version >= 13 {
		resp.ErrorCode = code
	}
	return true
}

// autoCreate makes a topic that a client asked for, or says why not. It counts
// in the client's quota of partitions created (KIP-599); a client that has none
// left waits, and tries again.
func (b *Broker) autoCreate(r *request, name string, allowed bool) (*topic, int16) {
	if reason := invalidTopicName(name); reason != "" {
		return nil, kerr.InvalidTopicException.Code
	}
	if !allowed {
		return nil, kerr.UnknownTopicOrPartition.Code
	}
	if isInternal(name) {
		if t := b.internalTopic(name); t != nil { // behaviour 26
			return t, 0
		}
		return nil, kerr.UnknownTopicOrPartition.Code
	}
	t, err := b.createTopic(newTopic{name: name, partitions: -1, replicas: -1, mutations: &mutations{r, true}})
	switch {
	case err == nil:
		return t, 0
	case err.code == kerr.TopicAlreadyExists.Code: // another client was faster
		return b.image.Load().topic(name), 0
	}
	return nil, kerr.UnknownTopicOrPartition.Code
}

// failedTopic is the entry of a topic that can't be described.
func failedTopic(name *string, id [16]byte, code int16) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.ErrorCode, t.AuthorizedOperations = name, id, code, notAsked
	t.IsInternal = name != nil && isInternal(*name)
	return t
}

// metadataAnswer is an answer to Metadata, in memory that is used again.
type metadataAnswer struct {
	resp       kmsg.MetadataResponse
	partitions []kmsg.MetadataResponseTopicPartition // of all topics
}

// maxMetadata is for how many topics, and partitions, memory is used again.
const maxMetadata = 1024

// begin is an empty answer.
func (a *metadataAnswer) begin(version int16) *kmsg.MetadataResponse {
	a.resp = kmsg.MetadataResponse{Version: version, Brokers: a.resp.Brokers[:0], Topics: a.resp.Topics[:0]}
	a.resp.Default()
	a.partitions = a.partitions[:0]
	return &a.resp
}

// room is n partitions, still to be filled.
func (a *metadataAnswer) room(n int) []kmsg.MetadataResponseTopicPartition {
	before := len(a.partitions)
	if before+n > maxMetadata {
		return make([]kmsg.MetadataResponseTopicPartition, n)
	}
	a.partitions = slices.Grow(a.partitions, n)[:before+n]
	return a.partitions[before : before+n : before+n]
}

// forget holds on to nothing of the cluster.
func (a *metadataAnswer) forget() {
	brokers, topics := a.resp.Brokers, a.resp.Topics
	if cap(topics) > maxMetadata {
		topics = nil
	}
	clear(brokers)
	clear(topics)
	clear(a.partitions)
	a.resp = kmsg.MetadataResponse{Brokers: brokers[:0], Topics: topics[:0]}
	a.partitions = a.partitions[:0]
}

func (a *metadataAnswer) describe(t *topic, operations int32) kmsg.MetadataResponseTopic {
	d := kmsg.NewMetadataResponseTopic()
	d.Topic, d.TopicID, d.IsInternal, d.AuthorizedOperations = &t.name, t.id, t.internal, operations
	d.Partitions = a.room(len(t.partitions))
	for i, p := range t.partitions {
		l := p.leadership.Load()
		d.Partitions[i] = kmsg.MetadataResponseTopicPartition{
			Partition:   int32(i),
			Leader:      l.leader,
			LeaderEpoch: l.leaderEpoch,
			Replicas:    l.replicas,
			ISR:         l.isr,
		}
		if l.leader < 0 {
			d.Partitions[i].ErrorCode = kerr.LeaderNotAvailable.Code
		}
	}
	return d
}
