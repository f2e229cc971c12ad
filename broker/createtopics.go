package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errTimedOut answers an admin request that gives the broker no time. Kafka's
// controller does nothing then. Brokers with ZooKeeper did the work all the
// same, after this answer, and clients of their time count on it: librdkafka
// up to 1.3 gives no time and takes this error for success. So it is done for
// the versions of that time, those that are not flexible.
var errTimedOut = fail(kerr.RequestTimedOut, "The request timed out.")

// handleCreateTopics serves CreateTopics v0-v7 (v1: validate only, v5: configs
// in the answer, v7: topic ids).
func (b *Broker) handleCreateTopics(r *request, req *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	budget := maxPartitionsPerRequest
	for asked, twice := range eachOnce(req.Topics, func(t *kmsg.CreateTopicsRequestTopic) string { return t.Topic }) {
		answer := kmsg.NewCreateTopicsResponseTopic()
		answer.Topic = asked.Topic
		answer.NumPartitions, answer.ReplicationFactor = -1, -1
		answer.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
		t, err := b.createRequested(r, req, asked, twice, &budget)
		if err == nil && req.TimeoutMillis <= 0 && !req.ValidateOnly {
			err = errTimedOut
		}
		switch {
		case err != nil:
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
		case !r.mayTopic(kmsg.ACLOperationDescribeConfigs, asked.Topic):
			answer.TopicID = t.id
			answer.ConfigErrorCode = kerr.TopicAuthorizationFailed.Code
			answer.Configs = nil
		default:
			answer.TopicID = t.id
			answer.NumPartitions = int32(len(t.partitions))
			answer.ReplicationFactor = int16(len(t.partitions[0].leadership.Load().replicas))
			answer.Configs = createdConfigs(t)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// createRequested creates one topic of a request. budget is how many
// partitions the request may still create.
func (b *Broker) createRequested(r *request, req *kmsg.CreateTopicsRequest, asked *kmsg.CreateTopicsRequestTopic, twice bool, budget *int) (*topic, *apiError) {
	switch {
	case twice:
		return nil, fail(kerr.InvalidRequest, "Duplicate topic name.")
	case asked.Topic == clusterMetadataTopic:
		return nil, fail(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", clusterMetadataTopic)
	case !r.mayCreate(asked.Topic):
		return nil, fail(kerr.TopicAuthorizationFailed, "Authorization failed.")
	case req.TimeoutMillis <= 0 && req.IsFlexible():
		return nil, errTimedOut
	}
	n := newTopic{
		name:         asked.Topic,
		partitions:   asked.NumPartitions,
		replicas:     asked.ReplicationFactor,
		validateOnly: req.ValidateOnly,
		mutations:    &mutations{r, req.Version >= 6},
	}
	if len(asked.Configs) > 0 {
		n.configs = make(map[string]string, len(asked.Configs))
		for _, c := range asked.Configs {
			if c.Value == nil {
				n.refused = fail(kerr.InvalidConfig, "Null value not supported for topic configs: %s", c.Name)
				break
			}
			n.configs[c.Name] = *c.Value
		}
	}
	if len(asked.ReplicaAssignment) > 0 {
		n.assignment = make(map[int32][]int32, len(asked.ReplicaAssignment))
		for _, a := range asked.ReplicaAssignment {
			if _, twice := n.assignment[a.Partition]; twice && n.refused == nil {
				n.refused = fail(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
			}
			n.assignment[a.Partition] = a.Replicas
		}
	}
	if int(asked.NumPartitions) > *budget && n.refused == nil {
		n.refused = errTooManyPartitions
	}
	t, err := b.createTopic(n)
	if err == nil {
		*budget -= len(t.partitions)
	}
	return t, err
}

// createdConfigs is a topic's configs as CreateTopics v5+ gives them (KIP-525).
func createdConfigs(t *topic) []kmsg.CreateTopicsResponseTopicConfig {
	entries := t.config.Created()
	configs := make([]kmsg.CreateTopicsResponseTopicConfig, len(entries))
	for i, e := range entries {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = e.Name, e.Value, e.ReadOnly, int8(e.Source), e.Sensitive
		configs[i] = c
	}
	return configs
}
