package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleElectLeaders serves ElectLeaders v0-v2 (v1: unclean elections).
func (b *Broker) handleElectLeaders(r *request, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	if req.TimeoutMillis <= 0 {
		resp.ErrorCode = errTimedOut.code
		for i := range req.Topics {
			answer := kmsg.NewElectLeadersResponseTopic()
			answer.Topic = req.Topics[i].Topic
			for _, index := range req.Topics[i].Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.ElectLeadersResponseTopicPartition{Partition: index, ErrorCode: errTimedOut.code})
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil
	}
	known := req.ElectionType == electPreferred || req.ElectionType == electUnclean
	if !known {
		resp.ErrorCode = kerr.InvalidRequest.Code
	}
	b.control(func() { b.electLeaders(req, resp, known) })
	return resp, nil
}

// electLeaders needs controller.mu.
func (b *Broker) electLeaders(req *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse, known bool) {
	m := b.image.Load()
	if req.Topics == nil {
		if known {
			m.topics.Scan(func(name string, t *topic) bool {
				answer := kmsg.NewElectLeadersResponseTopic()
				answer.Topic = name
				for _, p := range t.partitions {
					// Of all there are, only those with something to do are told.
					if err := b.elect(p, req.ElectionType); err != errElectionNotNeeded {
						answer.Partitions = append(answer.Partitions, elected(p.index, err))
					}
				}
				resp.Topics = append(resp.Topics, answer)
				return true
			})
		}
		return
	}
	for i := range req.Topics {
		asked := &req.Topics[i]
		answer := kmsg.NewElectLeadersResponseTopic()
		answer.Topic = asked.Topic
		t := m.topic(asked.Topic)
		for _, index := range asked.Partitions {
			var err *apiError
			p := t.partition(index)
			switch {
			case !known:
				err = fail(kerr.InvalidRequest, "Unknown election type %d", req.ElectionType)
			case t == nil:
				err = fail(kerr.UnknownTopicOrPartition, "No such topic as %s", asked.Topic)
			case p == nil:
				err = fail(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", asked.Topic, index)
			default:
				err = b.elect(p, req.ElectionType)
			}
			answer.Partitions = append(answer.Partitions, elected(index, err))
		}
		resp.Topics = append(resp.Topics, answer)
	}
}

func elected(index int32, err *apiError) kmsg.ElectLeadersResponseTopicPartition {
	p := kmsg.NewElectLeadersResponseTopicPartition()
	p.Partition = index
	p.ErrorCode, p.ErrorMessage = codeAndText(err)
	return p
}

var errElectionNotNeeded = fail(kerr.ElectionNotNeeded, "Leader election not needed for topic partition.")

// elect gives a partition its preferred leader, or, unclean, any that lives
// (org.apache.kafka.controller.ReplicationControlManager.electLeader). It needs
// controller.mu.
func (b *Broker) elect(p *partition, kind int8) *apiError {
	l := p.leadership.Load()
	switch {
	case kind == electPreferred && l.leader == l.replicas[0], kind == electUnclean && l.leader >= 0:
		return errElectionNotNeeded
	case b.change(p, *l, kind):
		return nil
	case kind == electPreferred:
		return fail(kerr.PreferredLeaderNotAvailable, "The preferred leader was not available.")
	}
	return fail(kerr.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
}
