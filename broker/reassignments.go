package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns reassignments of partitions to brokers (KIP-455). A new replica
// has the log at once, since all brokers share it: a reassignment is complete
// when it is answered, unless the new brokers lag or are stopped. Then it is
// under way until they are in sync.

// handleAlterPartitionReassignments serves AlterPartitionReassignments v0-v1
// (v1: whether the number of replicas may change).
func (b *Broker) handleAlterPartitionReassignments(r *request, req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	mayResize := req.Version == 0 || req.AllowReplicationFactorChange
	resp.AllowReplicationFactorChange = mayResize
	switch {
	case len(req.Topics) == 0: // Kafka gives an answer that nobody filled in
		resp.AllowReplicationFactorChange, resp.ErrorMessage = true, new("")
		return resp, nil
	case req.TimeoutMillis <= 0:
		return refuseReassignments(req, resp, errTimedOut.code), nil
	}
	b.control(func() { b.reassignAll(req, resp, mayResize) })
	return resp, nil
}

// refuseReassignments answers a request with an error as
// org.apache.kafka.common.requests.AlterPartitionReassignmentsRequest.getErrorResponse does.
func refuseReassignments(req *kmsg.AlterPartitionAssignmentsRequest, resp *kmsg.AlterPartitionAssignmentsResponse, code int16) kmsg.Response {
	resp.ErrorCode = code
	for i := range req.Topics {
		answer := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		answer.Topic = req.Topics[i].Topic
		for _, asked := range req.Topics[i].Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition, p.ErrorCode = asked.Partition, code
			answer.Partitions = append(answer.Partitions, p)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp
}

// reassignAll needs controller.mu.
func (b *Broker) reassignAll(req *kmsg.AlterPartitionAssignmentsRequest, resp *kmsg.AlterPartitionAssignmentsResponse, mayResize bool) {
	for i := range req.Topics {
		asked := &req.Topics[i]
		answer := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		answer.Topic = asked.Topic
		t := b.image.Load().topic(asked.Topic)
		for _, want := range asked.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition = want.Partition
			on := t.partition(want.Partition)
			var err *apiError
			switch {
			case t == nil:
				err = fail(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", asked.Topic)
			case on == nil:
				err = fail(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", asked.Topic, want.Partition)
			case want.Replicas == nil:
				if !b.cancelReassignment(on) {
					p.ErrorCode = kerr.NoReassignmentInProgress.Code // Kafka gives no text
				}
			default:
				err = b.reassign(on, want.Replicas, mayResize)
			}
			if err != nil {
				p.ErrorCode, p.ErrorMessage = codeAndText(err)
			}
			answer.Partitions = append(answer.Partitions, p)
		}
		resp.Topics = append(resp.Topics, answer)
	}
}

// reassign gives a partition other replicas
// (ReplicationControlManager.changePartitionReassignment). It needs
// controller.mu.
func (b *Broker) reassign(p *partition, replicas []int32, mayResize bool) *apiError {
	if err := b.checkReplicas(replicas); err != nil {
		return err
	}
	l := p.leadership.Load()
	if !mayResize && len(replicas) != len(without(l.replicas, l.adding...)) {
		return fail(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", len(without(l.replicas, l.adding...)), len(replicas))
	}
	replicas = slices.Clone(replicas)
	next := *l
	first := without(replicas, l.replicas...)
	next.adding, next.removing = slices.Clone(first), without(l.replicas, replicas...)
	for _, id := range l.adding {
		if slices.Contains(replicas, id) { // still on its way
			next.adding = append(next.adding, id)
		}
	}
	next.replicas = append(replicas, next.removing...)
	p.welcome(first, b.nowMs())
	b.change(p, next, electOnline)
	b.chase(p)
	return nil
}

// welcome begins replicas that have nothing yet.
func (p *partition) welcome(ids []int32, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.put(follower{id: id, end: p.log.StartOffset(), since: now})
	}
}

// cancelReassignment brings back the replicas of before; false if no
// reassignment is under way. It needs controller.mu.
func (b *Broker) cancelReassignment(p *partition) bool {
	l := p.leadership.Load()
	if len(l.adding)+len(l.removing) == 0 {
		return false
	}
	next := *l
	next.replicas, next.isr = without(l.replicas, l.adding...), without(l.isr, l.adding...)
	next.adding, next.removing = nil, nil
	b.change(p, next, electOnline)
	return true
}

// handleListPartitionReassignments serves ListPartitionReassignments v0.
func (b *Broker) handleListPartitionReassignments(r *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	m := b.image.Load()
	list := func(t *topic, wanted func(int32) bool) {
		answer := kmsg.NewListPartitionReassignmentsResponseTopic()
		answer.Topic = t.name
		for _, on := range t.partitions {
			l := on.leadership.Load()
			if len(l.adding)+len(l.removing) == 0 || !wanted(on.index) {
				continue
			}
			p := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
			p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas = on.index, l.replicas, l.adding, l.removing
			answer.Partitions = append(answer.Partitions, p)
		}
		if len(answer.Partitions) > 0 {
			resp.Topics = append(resp.Topics, answer)
		}
	}
	if req.Topics == nil {
		m.topics.Scan(func(_ string, t *topic) bool {
			list(t, func(int32) bool { return true })
			return true
		})
		return resp, nil
	}
	for i := range req.Topics {
		if t := m.topic(req.Topics[i].Topic); t != nil {
			list(t, func(index int32) bool { return slices.Contains(req.Topics[i].Partitions, index) })
		}
	}
	return resp, nil
}
