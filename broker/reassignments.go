package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns reassignments of partitions to brokers (KIP-455). All brokers
// are in one process and share its logs, so a reassignment is complete when it
// is answered, and none is ever under way.

// handleAlterPartitionReassignments serves AlterPartitionReassignments v0-v1
// (v1: whether the number of replicas may change).
func (b *Broker) handleAlterPartitionReassignments(r *request, req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	mayResize := req.Version == 0 || req.AllowReplicationFactorChange
	resp.AllowReplicationFactorChange = mayResize
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
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
			case want.Replicas == nil: // cancel; Kafka gives no text
				p.ErrorCode = kerr.NoReassignmentInProgress.Code
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
	return resp, nil
}

// reassign gives a partition other replicas. It needs controller.mu.
func (b *Broker) reassign(p *partition, replicas []int32, mayResize bool) *apiError {
	if err := b.checkReplicas(replicas); err != nil {
		return err
	}
	l := p.leadership.Load()
	if !mayResize && len(replicas) != len(l.replicas) {
		return fail(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", len(l.replicas), len(replicas))
	}
	if slices.Equal(l.replicas, replicas) {
		return nil
	}
	next := *l
	next.replicas = replicas
	next.isr = replicas
	if !slices.Contains(replicas, l.leader) {
		next.leader = replicas[0]
	}
	next.leaderEpoch++
	p.lead(&next)
	b.controller.written()
	return nil
}

// handleListPartitionReassignments serves ListPartitionReassignments v0: there
// are none under way.
func (b *Broker) handleListPartitionReassignments(r *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	return req.ResponseKind(), nil
}
