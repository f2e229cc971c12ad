package broker

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
)

// This file owns Produce v0-v13.
//
// Versions: v0-v2 bring message sets, which are converted here; v3 brought
// batches of magic 2 and transactions, v5 the log start offset, v7 zstd, v8
// what is wrong with which record (KIP-467), v10 the new leader where this
// broker is not it (KIP-951), v13 topic ids (KIP-516).

// adminClient is the client id that may write to internal topics
// (org.apache.kafka.clients.admin.AdminUtils).
const adminClient = "__admin_client"

const (
	acksNone   int16 = 0
	acksLeader int16 = 1
	acksAll    int16 = -1
)

// refusal is an error of one partition that Kafka finds before it asks the log.
func refusal(e *kerr.Error) *record.Rejection {
	return &record.Rejection{Code: e.Code, Reason: e.Message, BeforeAppend: true}
}

var (
	refusedUnknownPartition = refusal(kerr.UnknownTopicOrPartition)
	refusedUnknownTopicID   = refusal(kerr.UnknownTopicID)
	refusedInternalTopic    = refusal(kerr.InvalidTopicException)
	refusedAcks             = refusal(kerr.InvalidRequiredAcks)
	refusedTxnID            = refusal(kerr.TransactionalIDAuthorizationFailed)
	refusedTopic            = refusal(kerr.TopicAuthorizationFailed)
	refusedNotAdded         = &record.Rejection{Code: kerr.InvalidTxnState.Code, Reason: notAdded, Message: notAdded, BeforeAppend: true}
	refusedTooLarge         = refusal(kerr.RecordListTooLarge)
	refusedReplicas         = &record.Rejection{Code: kerr.NotEnoughReplicas.Code, Reason: kerr.NotEnoughReplicas.Message}
)

// handleProduce serves Produce v0-v13. It never creates a topic.
func (b *Broker) handleProduce(r *request, req *kmsg.ProduceRequest) (kmsg.Response, error) {
	answers := r.produced()
	resp := &answers.ProduceResponse
	resp.Version = req.Version
	m := b.image.Load()
	now := b.nowMs()
	all := refuseProduce(r, req)
	var failed error
	var wait uncommitted
	topics := onceEach(req.Topics)
	for i := range topics {
		asked := &topics[i]
		if len(asked.Partitions) == 0 {
			continue
		}
		resp.Topics = append(resp.Topics, kmsg.ProduceResponseTopic{Topic: asked.Topic, TopicID: asked.TopicID})
		answer := &resp.Topics[len(resp.Topics)-1]
		answer.Partitions = answers.room(len(asked.Partitions))
		var t *topic
		if req.Version >= 13 {
			t = m.topicByID(asked.TopicID)
		} else {
			t = m.topic(asked.Topic)
		}
		denied := all
		if name := topicName(t, asked.Topic); denied == nil && name != "" && !r.mayTopic(kmsg.ACLOperationWrite, name) {
			denied = refusedTopic
		}
		for j := range asked.Partitions {
			p := &answer.Partitions[j]
			p.Default()
			p.Partition = asked.Partitions[j].Partition
			rej := denied
			if rej == nil {
				var end int64
				end, rej = b.produce(r, req, t, asked.Partitions[j].Records, now, p)
				if on := t.partition(p.Partition); rej == nil && req.Acks == acksAll && end > on.highWatermark.Load() {
					wait = append(wait, uncommittedBatch{on: on, end: end, topic: len(resp.Topics) - 1, partition: j})
				}
			}
			if rej == nil {
				continue
			}
			b.refuse(r, resp, p, t.partition(p.Partition), rej)
			if req.Acks == acksNone && failed == nil {
				failed = fmt.Errorf("%w: produce with acks=0 to partition %d of topic %q: %w", errHangUp, p.Partition, asked.Topic, rej)
			}
		}
	}
	if wait != nil {
		if err := b.commit(r, req, resp, wait); err != nil {
			return nil, err
		}
	}
	r.charge(quotaProduce, float64(r.size))
	if req.Acks == acksNone {
		// The one way to tell a client that wants no answer: it will look
		// for the leader again (behaviour 47).
		return nil, failed
	}
	return answers, nil
}

// refuseProduce finds what is wrong with a request as a whole: records of a
// transaction without a transactional id are none of the client's business, nor
// are those of an id that it may not use.
func refuseProduce(r *request, req *kmsg.ProduceRequest) *record.Rejection {
	if req.Version < 3 || req.TransactionID != nil && r.mayTransact(kmsg.ACLOperationWrite, *req.TransactionID) {
		return nil
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			if isTransactional(req.Topics[i].Partitions[j].Records) {
				return refusedTxnID // behaviour 64
			}
		}
	}
	return nil
}

func isTransactional(records []byte) bool {
	if len(records) < record.HeaderSize {
		return false
	}
	b := record.Batch(records)
	return b.Magic() == 2 && b.Attributes().Transactional()
}

// produce appends one partition's records and fills the answer, or says why
// not. end is the offset behind the last one. The checks are in Kafka's order
// (KafkaApis.handleProduceRequest, ReplicaManager.appendToLocalLog,
// UnifiedLog.append).
func (b *Broker) produce(r *request, req *kmsg.ProduceRequest, t *topic, records []byte, now int64, answer *kmsg.ProduceResponseTopicPartition) (end int64, rej *record.Rejection) {
	p := t.partition(answer.Partition)
	if p == nil {
		if t == nil && req.Version >= 13 {
			return 0, refusedUnknownTopicID
		}
		return 0, refusedUnknownPartition
	}
	// What is wrong with the bytes comes first where Kafka sees it in the
	// request, and last where its log does.
	var batch record.Batch
	var broken *record.Rejection
	if req.Version >= 3 {
		var err error
		if batch, err = record.Split(records); err != nil {
			broken = err.(*record.Rejection)
			if broken.BeforeAppend && broken.Code == kerr.InvalidRecord.Code {
				return 0, broken
			}
		}
	}
	l := p.leadership.Load()
	s := p.settings.Load()
	switch {
	case req.Acks != acksAll && req.Acks != acksLeader && req.Acks != acksNone:
		return 0, refusedAcks
	case t.internal && r.clientID != adminClient:
		return 0, refusedInternalTopic
	case l.leader != r.node.id:
		return 0, refusal(kerr.NotLeaderForPartition)
	case req.Acks == acksAll && len(l.isr) < min(int(s.MinInsyncReplicas), len(l.replicas)):
		return 0, refusedReplicas
	case broken != nil:
		return 0, broken
	}
	limits := s.limits
	limits.Partition, limits.ProduceVersion, limits.Now = p.index, req.Version, now
	if req.Version >= 3 {
		batch, broken = record.Validate(batch, &limits)
	} else {
		batch, broken = record.UpConvert(records, &limits)
	}
	switch {
	case broken != nil:
		return 0, broken
	case batch == nil: // nothing to append (v0-v2)
		answer.BaseOffset = -1
		return 0, nil
	case len(batch) > s.log.SegmentBytes:
		return 0, refusedTooLarge
	}
	a, err := b.appendTo(p, batch, now, openOnly, r.node)
	if err == errNotInTransaction {
		if a, err, rej = b.produceInTransaction(r, req, p, batch, now); rej != nil {
			return 0, rej
		}
	}
	if err == errNotLeader {
		return 0, refusal(kerr.NotLeaderForPartition)
	}
	if err != nil {
		return 0, &record.Rejection{Code: err.code, Reason: err.message, BeforeAppend: err == errUnknownTopicOrPartition}
	}
	answer.BaseOffset = a.base
	answer.LogStartOffset = p.log.StartOffset()
	if s.LogAppendTime || a.duplicate {
		// Kafka tells a duplicate by giving its time (behaviour 80).
		answer.LogAppendTime = a.timestamp
	}
	return a.base + batch.LastOffset() - batch.BaseOffset() + 1, nil
}

const notAdded = "Partition was not added to the transaction" // behaviour 215

// produceInTransaction appends the first records of a producer's transaction on
// p, if the transaction's coordinator agrees (KIP-890): up to v11 the producer
// has told it before, from v12 on the partition is added now.
func (b *Broker) produceInTransaction(r *request, req *kmsg.ProduceRequest, p *partition, batch record.Batch, now int64) (a appended, err *apiError, rej *record.Rejection) {
	v, may := txn.V1, checked
	if req.Version >= 12 {
		v, may = txn.V2, opensFromZero
	} else if !b.config.Load().Bool("transaction.partition.verification.enable") {
		a, err = b.appendTo(p, batch, now, checked, r.node)
		return a, err, nil
	}
	by := txn.Producer{ID: batch.ProducerID(), Epoch: batch.ProducerEpoch()}
	refused := b.transactions.within(*req.TransactionID, by, v, txn.Partition{Topic: p.topicName, Index: p.index}, func() {
		a, err = b.appendTo(p, batch, now, may, r.node)
	})
	switch {
	case refused == nil:
		return a, err, nil
	case refused == kerr.TransactionAbortable && req.Version < 11:
		return a, nil, refusedNotAdded
	case refused == kerr.ProducerFenced:
		refused = kerr.InvalidProducerEpoch
	}
	return a, nil, refusal(refused)
}

// refuse fills a partition's answer with an error. p is nil where there is no
// such partition.
func (b *Broker) refuse(r *request, resp *kmsg.ProduceResponse, answer *kmsg.ProduceResponseTopicPartition, p *partition, rej *record.Rejection) {
	answer.ErrorCode, answer.BaseOffset = rej.Code, -1
	if rej.Message != "" {
		answer.ErrorMessage = &rej.Message
	}
	for i := range rej.Records {
		e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		e.RelativeOffset, e.ErrorMessage = rej.Records[i].Index, &rej.Records[i].Message
		answer.ErrorRecords = append(answer.ErrorRecords, e)
	}
	if p == nil {
		return
	}
	if !rej.BeforeAppend {
		answer.LogStartOffset = p.log.StartOffset()
	}
	if rej.Code != kerr.NotLeaderForPartition.Code || resp.Version < 10 {
		return
	}
	l := p.leadership.Load()
	answer.CurrentLeader.LeaderID, answer.CurrentLeader.LeaderEpoch = l.leader, l.leaderEpoch
	if slices.ContainsFunc(resp.Brokers, func(known kmsg.ProduceResponseBroker) bool { return known.NodeID == l.leader }) {
		return
	}
	if n, host, port := b.endpoint(r, l.leader); n != nil {
		resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: n.id, Host: host, Port: port, Rack: n.rack})
	}
}

// endpoint is where a client finds the broker that leads a partition (KIP-951);
// nil if there is none.
func (b *Broker) endpoint(r *request, id int32) (n *node, host string, port int32) {
	if n = nodeOf(b.image.Load().live, id); n != nil {
		host, port = b.tell(r, n)
	}
	return n, host, port
}

// onceEach is a request's topics with each partition once: of one named twice,
// the last records count (behaviour 71).
func onceEach(topics []kmsg.ProduceRequestTopic) []kmsg.ProduceRequestTopic {
	if !namedTwice(topics) {
		return topics
	}
	type place struct{ topic, partition int }
	var once []kmsg.ProduceRequestTopic
	topicAt := make(map[fetchKey]int)
	partitionAt := make(map[fetchKey]place)
	for i := range topics {
		t := &topics[i]
		at, known := topicAt[fetchKey{topic: t.Topic, id: t.TopicID}]
		if !known {
			at = len(once)
			topicAt[fetchKey{topic: t.Topic, id: t.TopicID}] = at
			once = append(once, kmsg.ProduceRequestTopic{Topic: t.Topic, TopicID: t.TopicID})
		}
		for _, p := range t.Partitions {
			key := fetchKey{topic: t.Topic, id: t.TopicID, index: p.Partition}
			if before, known := partitionAt[key]; known {
				once[before.topic].Partitions[before.partition] = p
				continue
			}
			partitionAt[key] = place{at, len(once[at].Partitions)}
			once[at].Partitions = append(once[at].Partitions, p)
		}
	}
	return once
}

// namedTwice says whether a topic or a partition may be there twice. It is exact
// for the small requests that clients send, and costs them no memory.
func namedTwice(topics []kmsg.ProduceRequestTopic) bool {
	const few = 64
	if len(topics) > few {
		return true
	}
	for i := range topics {
		t := &topics[i]
		for j := range topics[:i] {
			if topics[j].Topic == t.Topic && topics[j].TopicID == t.TopicID {
				return true
			}
		}
		ascending := true
		for j := 1; j < len(t.Partitions); j++ {
			ascending = ascending && t.Partitions[j-1].Partition < t.Partitions[j].Partition
		}
		if ascending {
			continue
		}
		if len(t.Partitions) > few {
			return true
		}
		for j := range t.Partitions {
			for k := range t.Partitions[:j] {
				if t.Partitions[k].Partition == t.Partitions[j].Partition {
					return true
				}
			}
		}
	}
	return false
}
