package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleCreatePartitions serves CreatePartitions v0-v3 (KIP-195).
func (b *Broker) handleCreatePartitions(r *request, req *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	for asked, twice := range eachOnce(req.Topics, func(t *kmsg.CreatePartitionsRequestTopic) string { return t.Topic }) {
		answer := kmsg.NewCreatePartitionsResponseTopic()
		answer.Topic = asked.Topic
		var err *apiError
		switch {
		case twice:
			err = fail(kerr.InvalidRequest, "Duplicate topic name.")
		case !r.mayTopic(kmsg.ACLOperationAlter, asked.Topic):
			err = &apiError{code: errTopicDenied.code}
		case req.TimeoutMillis <= 0 && req.IsFlexible():
			err = errTimedOut
		default:
			var assignment [][]int32 // nil: the broker's to choose
			if asked.Assignment != nil {
				assignment = make([][]int32, 0, len(asked.Assignment))
			}
			for _, a := range asked.Assignment {
				assignment = append(assignment, a.Replicas)
			}
			err = b.addPartitions(asked.Topic, asked.Count, assignment, req.ValidateOnly, &mutations{r, req.Version >= 3})
			if err == nil && req.TimeoutMillis <= 0 && !req.ValidateOnly {
				err = errTimedOut
			}
		}
		answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
		if err == errUnknownTopicOrPartition {
			answer.ErrorMessage = nil // the one error that Kafka gives no text with here
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}
