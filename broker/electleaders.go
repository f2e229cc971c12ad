package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of elections (KIP-460).
const (
	electPreferred int8 = 0
	electUnclean   int8 = 1
)

// handleElectLeaders serves ElectLeaders v0-v2 (v1: unclean elections).
func (b *Broker) handleElectLeaders(r *request, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	known := req.ElectionType == electPreferred || req.ElectionType == electUnclean
	if !known {
		resp.ErrorCode = kerr.InvalidRequest.Code
	}
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
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
		return resp, nil
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
	return resp, nil
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
	next := *l
	if kind == electPreferred {
		preferred := l.replicas[0]
		switch {
		case l.leader == preferred:
			return errElectionNotNeeded
		case !b.alive(preferred) || !slices.Contains(l.isr, preferred):
			return fail(kerr.PreferredLeaderNotAvailable, "The preferred leader was not available.")
		}
		next.leader = preferred
	} else {
		if l.leader >= 0 {
			return errElectionNotNeeded
		}
		at := slices.IndexFunc(l.replicas, b.alive)
		if at < 0 {
			return fail(kerr.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
		}
		next.leader, next.isr = l.replicas[at], l.replicas[at:at+1]
	}
	next.leaderEpoch++
	p.lead(&next)
	b.controller.written()
	return nil
}

// alive says whether a broker of this id runs.
func (b *Broker) alive(id int32) bool { return id == b.node.id }
