package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
)

// This file owns AddPartitionsToTxn v0-v5 and AddOffsetsToTxn v0-v4, by which
// producers of transactions V1 say what they are about to write (KIP-98).
//
// Versions of AddPartitionsToTxn: v0-v3 are of producers; v2 knows
// PRODUCER_FENCED; from v4 on brokers ask for several transactions at once, to
// add partitions or only to know whether they are added (KIP-890).

// handleAddPartitionsToTxn serves AddPartitionsToTxn v0-v5.
func (b *Broker) handleAddPartitionsToTxn(r *request, req *kmsg.AddPartitionsToTxnRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if req.Version >= 4 {
		for i := range req.Transactions {
			t := &req.Transactions[i]
			done := kmsg.NewAddPartitionsToTxnResponseTransaction()
			done.TransactionalID, done.Topics = t.TransactionalID, b.addPartitions4(r, t)
			resp.Transactions = append(resp.Transactions, done)
		}
		return resp, nil
	}
	asked := kmsg.NewAddPartitionsToTxnRequestTransaction()
	asked.TransactionalID, asked.ProducerID, asked.ProducerEpoch = req.TransactionalID, req.ProducerID, req.ProducerEpoch
	for _, t := range req.Topics {
		asked.Topics = append(asked.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	results := b.addPartitionsToTxn(r, &asked, txn.V1)
	for i := range asked.Topics {
		done := kmsg.NewAddPartitionsToTxnResponseTopic()
		done.Topic = asked.Topics[i].Topic
		for j, index := range asked.Topics[i].Partitions {
			p := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			p.Partition, p.ErrorCode = index, codeOf(olderFencing(results[i][j], req.Version >= 2))
			done.Partitions = append(done.Partitions, p)
		}
		resp.Topics = append(resp.Topics, done)
	}
	return resp, nil
}

// addPartitions4 answers for one transaction of v4 and above.
func (b *Broker) addPartitions4(r *request, t *kmsg.AddPartitionsToTxnRequestTransaction) (topics []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
	elsewhere := r.coordinates(transactionStateTopic, t.TransactionalID)
	var results [][]*kerr.Error
	if elsewhere == nil {
		results = b.addPartitionsToTxn(nil, t, txn.V2)
	}
	for i := range t.Topics {
		done := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		done.Topic = t.Topics[i].Topic
		for j, index := range t.Topics[i].Partitions {
			err := elsewhere
			if err == nil {
				err = results[i][j]
			}
			p := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			p.Partition, p.ErrorCode = index, codeOf(err)
			done.Partitions = append(done.Partitions, p)
		}
		topics = append(topics, done)
	}
	return topics
}

// addPartitionsToTxn adds all partitions that t names, or none, or only looks
// whether they are added. It returns an error for each, in t's order; where they
// have errors of their own, t then names each once, as Apache Kafka's answer does.
// A client r must be allowed to write; other brokers need not.
func (b *Broker) addPartitionsToTxn(r *request, t *kmsg.AddPartitionsToTxnRequestTransaction, v txn.Version) [][]*kerr.Error {
	m := b.image.Load()
	refused := func(topic string, index int32) *kerr.Error {
		switch {
		case r != nil && !r.mayTopic(kmsg.ACLOperationWrite, topic):
			return kerr.TopicAuthorizationFailed
		case m.topic(topic).partition(index) == nil:
			return kerr.UnknownTopicOrPartition
		}
		return nil
	}
	missing := slices.ContainsFunc(t.Topics, func(asked kmsg.AddPartitionsToTxnRequestTransactionTopic) bool {
		return slices.ContainsFunc(asked.Partitions, func(index int32) bool { return refused(asked.Topic, index) != nil })
	})
	if missing || t.VerifyOnly {
		t.Topics = eachPartitionOnce(t.Topics)
	}
	var partitions []txn.Partition
	results := make([][]*kerr.Error, len(t.Topics))
	for i := range t.Topics {
		asked := &t.Topics[i]
		results[i] = make([]*kerr.Error, len(asked.Partitions))
		for j, index := range asked.Partitions {
			results[i][j] = refused(asked.Topic, index)
			partitions = append(partitions, txn.Partition{Topic: asked.Topic, Index: index})
		}
	}
	by := txn.Producer{ID: t.ProducerID, Epoch: t.ProducerEpoch}
	var err *kerr.Error
	switch {
	case missing:
		err = kerr.OperationNotAttempted
	case !t.VerifyOnly:
		err = b.transactions.add(t.TransactionalID, by, v, partitions...)
	}
	for i := range results {
		for j := range results[i] {
			switch {
			case results[i][j] != nil:
			case missing || !t.VerifyOnly:
				results[i][j] = err
			default:
				results[i][j] = b.transactions.verify(t.TransactionalID, by, partitions[0])
			}
			partitions = partitions[1:]
		}
	}
	return results
}

// eachPartitionOnce names each partition once, and no topic without partitions.
func eachPartitionOnce(topics []kmsg.AddPartitionsToTxnRequestTransactionTopic) (once []kmsg.AddPartitionsToTxnRequestTransactionTopic) {
	at, seen := make(map[string]int), make(map[txn.Partition]bool)
	for _, t := range topics {
		for _, index := range t.Partitions {
			p := txn.Partition{Topic: t.Topic, Index: index}
			if seen[p] {
				continue
			}
			seen[p] = true
			i, known := at[t.Topic]
			if !known {
				i = len(once)
				at[t.Topic] = i
				once = append(once, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic})
			}
			once[i].Partitions = append(once[i].Partitions, index)
		}
	}
	return once
}

// handleAddOffsetsToTxn serves AddOffsetsToTxn v0-v4 (v2: PRODUCER_FENCED): the
// group's partition of __consumer_offsets becomes part of the transaction.
func (b *Broker) handleAddOffsetsToTxn(r *request, req *kmsg.AddOffsetsToTxnRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	p, err := b.offsetsPartition(req.Group)
	if err == nil {
		err = b.transactions.add(req.TransactionalID, txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, txn.V1, p)
	}
	resp.ErrorCode = codeOf(olderFencing(err, req.Version >= 2))
	return resp, nil
}

// offsetsPartition is the partition of __consumer_offsets that has a group's
// offsets. The error is COORDINATOR_NOT_AVAILABLE where that topic cannot be
// made.
func (b *Broker) offsetsPartition(groupID string) (txn.Partition, *kerr.Error) {
	t := b.internalTopic(groupMetadataTopic)
	if t == nil {
		return txn.Partition{}, kerr.CoordinatorNotAvailable
	}
	return txn.Partition{Topic: t.name, Index: t.partitionOf(groupID).index}, nil
}
