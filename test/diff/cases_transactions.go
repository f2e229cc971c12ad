package diff

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what is asked of transaction coordinators, by producers and by
// brokers. What administrators and consumers see of transactions is in
// cases_transactions_seen.go.

// transactional makes the script's transactional id "txn", and a producer that
// has it: the answer is kept as "producer".
func transactional() []step { return transactionalAs("txn", "producer") }

func transactionalAs(id, named string) []step {
	return []step{
		{name: "coordinator of " + named, hidden: true, ask: coordinator(1, id), until: func(resp kmsg.Response) bool {
			return resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0
		}},
		{name: named, hidden: true, until: ready, ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) { r.TransactionalID = x.ptr(id) })},
	}
}

// ready: the coordinator works, and is not writing markers.
func ready(resp kmsg.Response) bool {
	switch resp.(*kmsg.InitProducerIDResponse).ErrorCode {
	case 14, 15, 16, 51:
		return false
	}
	return true
}

// holder is a producer as a step's answer told it.
func (x *actor) holder(named string) (id int64, epoch int16) {
	a := answer[kmsg.InitProducerIDResponse](x, named)
	return a.ProducerID, a.ProducerEpoch
}

// places are partitions of a topic.
type places struct {
	topic      string
	partitions []int32
}

func addPartitions(edit func(x *actor, r *kmsg.AddPartitionsToTxnRequest), all ...places) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) {
		r.TransactionalID = x.name("txn")
		r.ProducerID, r.ProducerEpoch = x.holder("producer")
		for _, p := range all {
			r.Topics = append(r.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

// begun adds partition 0 of t, as a client of transactions V1 does.
func begun() step { return begunWith(places{"t", []int32{0}}) }

func begunWith(all ...places) step {
	return step{name: "the transaction begins", hidden: true, at: val[int16](3), ask: addPartitions(nil, all...), until: func(resp kmsg.Response) bool {
		for _, t := range resp.(*kmsg.AddPartitionsToTxnResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 51 {
					return false
				}
			}
		}
		return true
	}}
}

// txnBatch is one transaction of AddPartitionsToTxn v4 and above.
func txnBatch(id string, edit func(x *actor, t *kmsg.AddPartitionsToTxnRequestTransaction), all ...places) func(x *actor) kmsg.AddPartitionsToTxnRequestTransaction {
	return func(x *actor) kmsg.AddPartitionsToTxnRequestTransaction {
		t := kmsg.NewAddPartitionsToTxnRequestTransaction()
		t.TransactionalID = x.name(id)
		t.ProducerID, t.ProducerEpoch = x.holder("producer")
		for _, p := range all {
			t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
		if edit != nil {
			edit(x, &t)
		}
		return t
	}
}

func addBatched(all ...func(x *actor) kmsg.AddPartitionsToTxnRequestTransaction) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) {
		for _, t := range all {
			r.Transactions = append(r.Transactions, t(x))
		}
	})
}

func verifyOnly(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.VerifyOnly = true }

func addOffsets(group string, edit func(x *actor, r *kmsg.AddOffsetsToTxnRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AddOffsetsToTxnRequest) {
		r.TransactionalID, r.Group = x.name("txn"), x.name(group)
		r.ProducerID, r.ProducerEpoch = x.holder("producer")
		if edit != nil {
			edit(x, r)
		}
	})
}

func endTxn(commit bool, edit func(x *actor, r *kmsg.EndTxnRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.EndTxnRequest) {
		r.TransactionalID, r.Commit = x.name("txn"), commit
		r.ProducerID, r.ProducerEpoch = x.holder("producer")
		if edit != nil {
			edit(x, r)
		}
	})
}

// noMarkersDue: an end was not put off for markers that are being written.
func noMarkersDue(resp kmsg.Response) bool { return resp.(*kmsg.EndTxnResponse).ErrorCode != 51 }

// complete waits until a transaction's markers are written.
func complete() step { return completed("txn") }

func completed(ids ...string) step {
	return step{name: "markers are written", hidden: true, ask: describeTxns(ids...), until: func(resp kmsg.Response) bool {
		for _, s := range resp.(*kmsg.DescribeTransactionsResponse).TransactionStates {
			switch s.State {
			case "PrepareCommit", "PrepareAbort", "PrepareEpochFence":
				return false
			}
		}
		return true
	}}
}

func describeTxns(ids ...string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeTransactionsRequest) {
		for _, id := range ids {
			r.TransactionalIDs = append(r.TransactionalIDs, x.name(id))
		}
	})
}

// inTxn sends n records to a partition as the producer of a step, from a
// sequence number on. Version 11 is transactions V1.
func inTxn(named, topic string, p, seq int32, n int) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ProduceRequest) {
		r.Acks, r.TimeoutMillis, r.TransactionID = -1, 10000, x.ptr("txn")
		pid, epoch := x.holder(named)
		addBatch(x, r, topic, p, batch{records: some(n), attributes: 16, pid: &pid, epoch: int32(epoch), seq: seq}.bytes())
	})
}

func stored(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 19 || p.ErrorCode == 51 {
				return false // the last transaction's markers are being written
			}
		}
	}
	return true
}

// pend commits an offset of partition 0 of t in the transaction.
func pend(group string, edit func(x *actor, r *kmsg.TxnOffsetCommitRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.TxnOffsetCommitRequest) {
		r.TransactionalID, r.Group, r.Generation = x.name("txn"), x.name(group), -1
		r.ProducerID, r.ProducerEpoch = x.holder("producer")
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Offset, p.LeaderEpoch, p.Metadata = 7, 0, val("m")
		r.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: x.name("t"), TopicID: x.topicID("t"), Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
		if edit != nil {
			edit(x, r)
		}
	})
}

func notPutOff(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.TxnOffsetCommitResponse).Topics {
		for _, p := range t.Partitions {
			switch p.ErrorCode {
			case 14, 15, 16, 51:
				return false
			}
		}
	}
	return true
}

func offsetsOf(group string, stable bool) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.OffsetFetchRequest) {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = x.name(group)
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID, t.Partitions = x.name("t"), x.topicID("t"), []int32{0, 1}
		g.Topics = append(g.Topics, t)
		r.Groups, r.RequireStable = append(r.Groups, g), stable
	})
}

// mark is one marker of WriteTxnMarkers, for a producer that a step made.
func mark(edit func(x *actor, m *kmsg.WriteTxnMarkersRequestMarker), all ...places) func(x *actor) kmsg.WriteTxnMarkersRequestMarker {
	return func(x *actor) kmsg.WriteTxnMarkersRequestMarker {
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch = x.holder("producer")
		for _, p := range all {
			m.Topics = append(m.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: x.name(p.topic), Partitions: p.partitions})
		}
		if edit != nil {
			edit(x, &m)
		}
		return m
	}
}

func writeMarkers(all ...func(x *actor) kmsg.WriteTxnMarkersRequestMarker) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.WriteTxnMarkersRequest) {
		for _, m := range all {
			r.Markers = append(r.Markers, m(x))
		}
	})
}

var transactionScripts = []script{
	{name: "add partitions to a transaction", key: kmsg.AddPartitionsToTxn, to: 3, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		{name: "one", ask: addPartitions(nil, places{"t", []int32{0}})},
		{name: "the same again", ask: addPartitions(nil, places{"t", []int32{0}})},
		// behaviour 217
		{name: "one good and an unknown partition", ask: addPartitions(nil, places{"t", []int32{1, 9}})},
		{name: "one good and an unknown topic", ask: addPartitions(nil, places{"t", []int32{1}}, places{"nope", []int32{0}})},
		{name: "a negative partition", ask: addPartitions(nil, places{"t", []int32{-1}})},
		{name: "an empty topic name", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.Topics[0].Topic = "" }, places{"t", []int32{0}})},
		{name: "a partition twice", ask: addPartitions(nil, places{"t", []int32{1, 1}})},
		{name: "a topic twice", ask: addPartitions(nil, places{"t", []int32{1}}, places{"t", []int32{2}})},
		{name: "a partition twice and an unknown one", ask: addPartitions(nil, places{"t", []int32{1, 1, 9, 9}})},
		{name: "a topic twice and an unknown one", ask: addPartitions(nil, places{"t", []int32{1}}, places{"nope", []int32{0, 0}}, places{"t", []int32{1, 2}}, places{"nope", []int32{1}})},
		{name: "a topic without partitions and an unknown partition", ask: addPartitions(nil, places{"t", []int32{9}}, places{"t", nil}, places{"nope", nil})},
		{name: "a partition twice and a wrong epoch", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.ProducerEpoch++ }, places{"t", []int32{1, 1}}, places{"t", []int32{1}})},
		{name: "a topic twice, and a partition of it", ask: addPartitions(nil, places{"t", []int32{1, 2}}, places{"t", []int32{2}}, places{"nope", nil})},
		{name: "no topics", ask: addPartitions(nil)},
		{name: "a topic without partitions", ask: addPartitions(nil, places{"t", nil})},
		{name: "a newer epoch", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.ProducerEpoch++ }, places{"t", []int32{0}})},
		{name: "epoch -1", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.ProducerEpoch = -1 }, places{"t", []int32{0}})},
		{name: "another producer id", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.ProducerID = 987654321 }, places{"t", []int32{0}})},
		{name: "producer id -1", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.ProducerID = -1 }, places{"t", []int32{0}})},
		{name: "an unknown transactional id", ask: addPartitions(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) { r.TransactionalID = x.name("nope") }, places{"t", []int32{0}})},
		{name: "an unknown transactional id and an unknown topic", ask: addPartitions(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) { r.TransactionalID = x.name("nope") }, places{"nope", []int32{0}})},
		{name: "an empty transactional id", ask: addPartitions(func(_ *actor, r *kmsg.AddPartitionsToTxnRequest) { r.TransactionalID = "" }, places{"t", []int32{0}})},
		{name: "what is in it then", ask: describeTxns("txn")},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "what is in it after its end", ask: describeTxns("txn")},
		{name: "the next transaction", ask: addPartitions(nil, places{"t", []int32{2}})},
		{name: "a newer producer", ask: initTxn(nil), until: ready},
		{name: "the old one", ask: addPartitions(nil, places{"t", []int32{0}})},
	})},
	{name: "add partitions to transactions", key: kmsg.AddPartitionsToTxn, from: 4, steps: join(topics(spec{"t", 4, nil}), transactional(), []step{
		{name: "one", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{0}}))},
		{name: "is it added", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{0}}))},
		{name: "is another added", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{1}}))},
		{name: "are both", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{0, 1}}))},
		{name: "is an unknown one added", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{0, 9}}))},
		{name: "two transactions, one unknown", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{1}}), txnBatch("nope", nil, places{"t", []int32{1, 2}}))},
		{name: "is it added to an unknown one", ask: addBatched(txnBatch("nope", verifyOnly, places{"t", []int32{1}}))},
		{name: "a wrong epoch", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.ProducerEpoch++ }, places{"t", []int32{0}}))},
		{name: "is it added, a wrong epoch", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.ProducerEpoch, t.VerifyOnly = 9, true }, places{"t", []int32{0}}))},
		{name: "another producer id", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.ProducerID = 987654321 }, places{"t", []int32{0}}))},
		{name: "is it added, another producer id", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) {
			t.ProducerID, t.VerifyOnly = 987654321, true
		}, places{"t", []int32{0}}))},
		{name: "an unknown topic", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{0}}, places{"nope", []int32{0}}))},
		{name: "a partition twice and a topic twice", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{0, 0}}, places{"t", []int32{1}}, places{"nope", nil}))},
		{name: "a partition twice and a topic twice, and an unknown one", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{0, 0, 9, 9}}, places{"t", []int32{0, 1}}, places{"nope", nil}))},
		{name: "are partitions named twice added", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{0, 0, 3, 3}}, places{"t", []int32{0, 1}}, places{"nope", nil}))},
		{name: "are partitions named twice added to an unknown one", ask: addBatched(txnBatch("nope", verifyOnly, places{"t", []int32{0, 0}}, places{"t", []int32{0}}))},
		{name: "partitions twice, and a wrong epoch", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.ProducerEpoch++ }, places{"t", []int32{0, 0}}, places{"t", []int32{0}}))},
		{name: "an empty transactional id", ask: addBatched(txnBatch("txn", func(_ *actor, t *kmsg.AddPartitionsToTxnRequestTransaction) { t.TransactionalID = "" }, places{"t", []int32{0}}))},
		{name: "a transaction without topics", ask: addBatched(txnBatch("txn", nil))},
		{name: "what is in it then", ask: describeTxns("txn")},
		{name: "a transaction twice", ask: addBatched(txnBatch("txn", nil, places{"t", []int32{2}}), txnBatch("txn", nil, places{"t", []int32{3}}))},
		{name: "no transactions", silent: true, on: "alone", ask: addBatched()},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "is it added after the end", ask: addBatched(txnBatch("txn", verifyOnly, places{"t", []int32{0}}))},
	})},
	{name: "add offsets to a transaction", key: kmsg.AddOffsetsToTxn, steps: join(topics(spec{"t", 2, nil}), transactional(), []step{
		{name: "a group", ask: addOffsets("g", nil)},
		{name: "the same again", ask: addOffsets("g", nil)},
		{name: "an empty group", ask: addOffsets("g", func(_ *actor, r *kmsg.AddOffsetsToTxnRequest) { r.Group = "" })},
		{name: "a newer epoch", ask: addOffsets("g", func(_ *actor, r *kmsg.AddOffsetsToTxnRequest) { r.ProducerEpoch++ })},
		{name: "another producer id", ask: addOffsets("g", func(_ *actor, r *kmsg.AddOffsetsToTxnRequest) { r.ProducerID = 987654321 })},
		{name: "an unknown transactional id", ask: addOffsets("g", func(x *actor, r *kmsg.AddOffsetsToTxnRequest) { r.TransactionalID = x.name("nope") })},
		{name: "an empty transactional id", ask: addOffsets("g", func(_ *actor, r *kmsg.AddOffsetsToTxnRequest) { r.TransactionalID = "" })},
		{name: "aborted", at: val[int16](4), ask: endTxn(false, nil)},
		complete(),
		{name: "a newer producer", ask: initTxn(nil), until: ready},
		{name: "the old one", ask: addOffsets("g", nil)},
	})},
	{name: "commit offsets in a transaction", key: kmsg.TxnOffsetCommit, to: 5, steps: join(topics(spec{"t", 2, nil}), transactional(), []step{
		{name: "the group is added", hidden: true, ask: addOffsets("g", nil)},
		{name: "an offset", ask: pend("g", nil), until: notPutOff},
		{name: "not to be seen yet", ask: offsetsOf("g", false)},
		// behaviour 221
		{name: "and unstable", ask: offsetsOf("g", true)},
		{name: "a second one", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Partitions[0].Offset = 9 })},
		{name: "offset -1", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) {
			r.Topics[0].Partitions[0].Offset, r.Topics[0].Partitions[0].Partition = -1, 1
		})},
		{name: "null metadata", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata, r.Topics[0].Partitions[0].Partition = nil, 1
		})},
		{name: "metadata of 4097 bytes", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata, r.Topics[0].Partitions[0].Partition = val(string(make([]byte, 4097))), 1
		})},
		{name: "an unknown partition", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Partitions[0].Partition = 9 })},
		{name: "an unknown topic", ask: pend("g", func(x *actor, r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Topic = x.name("nope") })},
		{name: "one good and an unknown topic", ask: pend("g", func(x *actor, r *kmsg.TxnOffsetCommitRequest) {
			r.Topics = append(r.Topics, r.Topics[0])
			r.Topics[0].Topic = x.name("nope")
		})},
		{name: "no topics", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Topics = nil })},
		{name: "an empty group", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Group = "" })},
		{name: "an empty transactional id", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.TransactionalID = "" })},
		{name: "an unknown transactional id", ask: pend("g", func(x *actor, r *kmsg.TxnOffsetCommitRequest) { r.TransactionalID = x.name("nope") }), until: notPutOff},
		{name: "a newer epoch", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.ProducerEpoch++ })},
		{name: "another producer id", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.ProducerID = 987654321 })},
		{name: "another group", ask: pend("other", nil), until: notPutOff},
		{name: "a member that is none", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.MemberID, r.Generation = "nobody", 1 })},
		{name: "a generation and no member", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Generation = 1 })},
		{name: "an instance that is none", ask: pend("g", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.InstanceID = val("nobody") })},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "to be seen then", ask: offsetsOf("g", true)},
		{name: "after the end", ask: pend("g", nil), until: notPutOff},
	})},
	// Apache Kafka asks about requests of several versions at once, and tells
	// all of them an error of the first one's version: v4 is left out.
	{name: "commit offsets of a group that was not added", key: kmsg.TxnOffsetCommit, to: 3, steps: join(topics(spec{"t", 2, nil}), transactional(), []step{
		{name: "committed", ask: pend("g", nil), until: notPutOff},
	})},
	{name: "commit offsets in a transaction of version 2", key: kmsg.TxnOffsetCommit, from: 5, to: 5, steps: join(topics(spec{"t", 2, nil}), transactional(), []step{
		{name: "the group is added with it", ask: pend("g", nil), until: notPutOff},
		{name: "and unstable", ask: offsetsOf("g", true)},
		{name: "a newer epoch", ask: pend("h", func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.ProducerEpoch++ })},
		{name: "aborted", ask: endTxn(false, nil)},
		complete(),
		{name: "with the old epoch", ask: pend("g", nil), until: notPutOff},
		{name: "nothing is committed", ask: offsetsOf("g", true)},
	})},
	{name: "commit offsets of a member in a transaction", key: kmsg.TxnOffsetCommit, from: 3, to: 5, steps: join(topics(spec{"t", 2, nil}), transactional(), member("g"), []step{
		{name: "the group is added", hidden: true, ask: addOffsets("g", nil)},
		{name: "by its member", ask: pend("g", asMember(nil)), until: notPutOff},
		{name: "of an older generation", ask: pend("g", asMember(func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Generation-- }))},
		{name: "of a newer generation", ask: pend("g", asMember(func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Generation++ }))},
		{name: "of generation -1", ask: pend("g", asMember(func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.Generation = -1 }))},
		{name: "by an unknown member", ask: pend("g", asMember(func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.MemberID = "nobody" }))},
		{name: "by nobody", ask: pend("g", nil)},
		{name: "by an unknown instance", ask: pend("g", asMember(func(_ *actor, r *kmsg.TxnOffsetCommitRequest) { r.InstanceID = val("i") }))},
		{name: "aborted", at: val[int16](4), ask: endTxn(false, nil)},
		complete(),
		{name: "nothing is committed", ask: offsetsOf("g", true)},
	})},
	{name: "end a transaction", key: kmsg.EndTxn, to: 4, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		// behaviour 214
		{name: "before anything was added", ask: endTxn(true, nil)},
		{name: "abort before anything was added", ask: endTxn(false, nil)},
		begun(),
		{name: "a newer epoch", ask: endTxn(true, func(_ *actor, r *kmsg.EndTxnRequest) { r.ProducerEpoch++ })},
		{name: "epoch -1", ask: endTxn(true, func(_ *actor, r *kmsg.EndTxnRequest) { r.ProducerEpoch = -1 })},
		{name: "another producer id", ask: endTxn(true, func(_ *actor, r *kmsg.EndTxnRequest) { r.ProducerID = 987654321 })},
		{name: "an unknown transactional id", ask: endTxn(true, func(x *actor, r *kmsg.EndTxnRequest) { r.TransactionalID = x.name("nope") })},
		{name: "an empty transactional id", ask: endTxn(true, func(_ *actor, r *kmsg.EndTxnRequest) { r.TransactionalID = "" })},
		// behaviour 219
		{name: "commit", ask: endTxn(true, nil)},
		complete(),
		{name: "commit again", ask: endTxn(true, nil), until: noMarkersDue},
		{name: "abort after commit", ask: endTxn(false, nil)},
		begun(),
		{name: "abort", ask: endTxn(false, nil)},
		complete(),
		{name: "abort again", ask: endTxn(false, nil), until: noMarkersDue},
		{name: "commit after abort", ask: endTxn(true, nil)},
		begun(),
		{name: "a newer producer", ask: initTxn(nil), until: ready},
		{name: "commit by the old one", ask: endTxn(true, nil)},
		{name: "described then", ask: describeTxns("txn")},
		{name: "markers in the log", ask: fetch(nil, from{"t", 0, 0})},
	})},
	{name: "end a transaction of version 2", key: kmsg.EndTxn, from: 5, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		{name: "abort before anything was added", ask: endTxn(false, nil)},
		{name: "commit before anything was added", ask: endTxn(true, nil), until: noMarkersDue},
		{name: "the next producer", hidden: true, ask: initTxn(nil), until: ready},
		// behaviour 216
		{name: "a record", ask: inTxn("the next producer", "t", 0, 0, 1), until: stored},
		{name: "described", ask: describeTxns("txn")},
		{name: "a newer epoch", ask: endTxn(true, endBy("the next producer", 0, 1))},
		{name: "an older epoch", ask: endTxn(true, endBy("the next producer", 0, -1))},
		{name: "another producer id", ask: endTxn(true, endBy("the next producer", 1<<40, 0))},
		{name: "an empty transactional id", ask: endTxn(true, func(_ *actor, r *kmsg.EndTxnRequest) { r.TransactionalID = "" })},
		{name: "an unknown transactional id", ask: endTxn(true, func(x *actor, r *kmsg.EndTxnRequest) { r.TransactionalID = x.name("nope") })},
		{name: "commit", ask: endTxn(true, endBy("the next producer", 0, 0))},
		complete(),
		{name: "commit, sent again", ask: endTxn(true, endBy("the next producer", 0, 0)), until: noMarkersDue},
		{name: "abort after commit, the old epoch", ask: endTxn(false, endBy("the next producer", 0, 0))},
		{name: "a record of the new epoch", ask: inTxnAfter("commit", 0, 0), until: stored},
		{name: "abort", ask: endTxn(false, endAfter("commit"))},
		complete(),
		{name: "abort, sent again", ask: endTxn(false, endAfter("commit")), until: noMarkersDue},
		{name: "commit of nothing", ask: endTxn(true, endAfter("abort"))},
		{name: "abort of nothing", ask: endTxn(false, endAfter("abort"))},
		complete(),
		{name: "described at the end", ask: describeTxns("txn")},
		{name: "the log", ask: fetch(nil, from{"t", 0, 0})},
		{name: "the log, committed", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 1 }, from{"t", 0, 0})},
		{name: "the producers of the log", ask: producersOf("t", 0)},
	})},
	{name: "write transaction markers", key: kmsg.WriteTxnMarkers, from: 1, steps: join(topics(spec{"t", 4, nil}, spec{"unread", 1, nil}), transactional(), []step{
		{name: "the end of nothing", ask: writeMarkers(mark(nil, places{"t", []int32{0}}))},
		begunWith(places{"t", []int32{0, 1, 2, 3}}),
		{name: "records", hidden: true, at: val[int16](11), ask: inTxn("producer", "t", 0, 0, 2), until: stored},
		{name: "more records", hidden: true, at: val[int16](11), ask: inTxn("producer", "t", 1, 0, 1), until: stored},
		{name: "records of partition 2", hidden: true, at: val[int16](11), ask: inTxn("producer", "t", 2, 0, 1), until: stored},
		// behaviour 223
		{name: "abort", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.TransactionVersion = 1 }, places{"t", []int32{0}}))},
		{name: "abort again", ask: writeMarkers(mark(nil, places{"t", []int32{0}}))},
		{name: "commit", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.Committed = true }, places{"t", []int32{1}}))},
		{name: "the same epoch, as version 2 of transactions", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.TransactionVersion = 2 }, places{"t", []int32{2}}))},
		{name: "the next epoch, as version 2 of transactions", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch, m.TransactionVersion = 1, 2 }, places{"t", []int32{2}}))},
		{name: "a newer epoch", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch = 5 }, places{"t", []int32{1}}))},
		{name: "an older epoch", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch = 2 }, places{"t", []int32{1}}))},
		{name: "a newer coordinator epoch", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.CoordinatorEpoch = 9 }, places{"t", []int32{0}}))},
		{name: "an older coordinator epoch", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.CoordinatorEpoch = 8 }, places{"t", []int32{0}}))},
		{name: "coordinator epoch -1", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.CoordinatorEpoch = -1 }, places{"t", []int32{3}}))},
		{name: "an unknown producer", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{3}}))},
		{name: "an unknown partition", ask: writeMarkers(mark(nil, places{"t", []int32{3, 9}}))},
		{name: "an unknown topic", ask: writeMarkers(mark(nil, places{"nope", []int32{0}}))},
		{name: "a partition twice", silent: true, on: "alone", ask: writeMarkers(mark(nil, places{"unread", []int32{0, 0}}))},
		{name: "two markers", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{3}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654322 }, places{"t", []int32{2, 3}}))},
		{name: "two markers of one producer", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{3}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{1, 2}}, places{"nope", []int32{0}}))},
		{name: "two markers, one to an unknown topic", silent: true, on: "alone", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"unread", []int32{0}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654322 }, places{"nope", []int32{3}}))},
		{name: "producer id -1", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -1 }, places{"t", []int32{3}}))},
		{name: "producer id -7 of unknown partitions", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -7 }, places{"t", []int32{9}}, places{"nope", []int32{0}}))},
		{name: "producer id -1 without partitions", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -1 }, places{"t", nil}))},
		{name: "a marker, and one of producer id -1", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{3}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -1 }, places{"t", []int32{2, 3}}))},
		{name: "a marker of producer id -1, and another", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -1 }, places{"t", []int32{2}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }, places{"t", []int32{3}}))},
		{name: "epoch -1", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch = -1 }, places{"t", []int32{3}}))},
		{name: "transaction version 3", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch, m.TransactionVersion = 9, 3 }, places{"t", []int32{3, 9}}))},
		{name: "transaction version -1", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch, m.TransactionVersion = 9, -1 }, places{"t", []int32{3}}))},
		{name: "transaction version 3, and a marker of version 2", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) {
			m.ProducerID, m.TransactionVersion = 987654321, 3
		}, places{"t", []int32{3}}), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) {
			m.ProducerID, m.TransactionVersion = 987654322, 2
		}, places{"t", []int32{3}}))},
		{name: "no markers", ask: writeMarkers()},
		{name: "a marker without topics", ask: writeMarkers(mark(nil))},
		{name: "a marker with a topic without partitions", ask: writeMarkers(mark(nil, places{"t", nil}))},
		{name: "two markers, one without topics", ask: writeMarkers(mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654321 }), mark(func(_ *actor, m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = 987654322 }, places{"t", []int32{3}}))},
		logHolds("t", 4),
		{name: "the producers of the log", ask: producersOf("t", 0, 1, 2, 3)},
	})},
	{name: "a producer of a transaction is fenced", key: kmsg.InitProducerID, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		begun(),
		{name: "a record", hidden: true, at: val[int16](11), ask: inTxn("producer", "t", 0, 0, 1), until: stored},
		{name: "a newer one while the transaction is open", ask: initTxn(nil), until: ready},
		{name: "described then", ask: describeTxns("txn")},
		{name: "the old one writes", at: val[int16](11), ask: inTxn("producer", "t", 0, 1, 1)},
		{name: "the old one asks with its id and epoch", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = x.holder("producer") })},
		{name: "the newer one asks with its id and epoch", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = x.holder("a newer one while the transaction is open")
		})},
		{name: "and again, sent twice", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = x.holder("a newer one while the transaction is open")
		})},
		{name: "an epoch that is to come", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = x.holder("producer")
			r.ProducerEpoch += 30
		})},
		{name: "the largest epoch", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = x.holder("producer")
			r.ProducerEpoch = 32767
		})},
		{name: "an epoch for an id that nobody had", ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.TransactionalID, r.ProducerID, r.ProducerEpoch = x.ptr("new"), 987654321, 3
		}), until: ready},
		{name: "and the next for it", ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) { r.TransactionalID = x.ptr("new") }), until: ready},
		{name: "another timeout", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 1000 })},
		{name: "is described", ask: describeTxns("txn")},
		{name: "the log", ask: fetch(func(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 1 }, from{"t", 0, 0})},
	})},
	{name: "produce to a partition that was not added", key: kmsg.Produce, from: 3, to: 10, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		// behaviour 215
		{name: "before the transaction", ask: inTxn("producer", "t", 1, 0, 1), until: stored},
		begun(),
		{name: "in the transaction", ask: inTxn("producer", "t", 1, 0, 1), until: stored},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "after the end", ask: inTxn("producer", "t", 0, 0, 1), until: stored},
		logHolds("t", 2),
	})},
	{name: "produce in a transaction", key: kmsg.Produce, from: 3, to: 11, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		begunWith(places{"t", []int32{0, 2}}),
		{name: "to a partition that was added", ask: inTxn("producer", "t", 0, 0, 2), until: stored},
		{name: "not from sequence 0", ask: inTxn("producer", "t", 2, 5, 2), until: stored},
		{name: "without the transactional bit", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			r.Acks, r.TimeoutMillis, r.TransactionID = -1, 10000, x.ptr("txn")
			pid, epoch := x.holder("producer")
			addBatch(x, r, "t", 0, batch{records: some(1), pid: &pid, epoch: int32(epoch), seq: 2}.bytes())
		})},
		{name: "without a transactional id", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			r.Acks, r.TimeoutMillis = -1, 10000
			pid, epoch := x.holder("producer")
			addBatch(x, r, "t", 0, batch{records: some(1), attributes: 16, pid: &pid, epoch: int32(epoch), seq: 2}.bytes())
		})},
		{name: "with another transactional id", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			*r = *inTxn("producer", "t", 2, 0, 1)(x).(*kmsg.ProduceRequest)
			r.TransactionID = x.ptr("nope")
		}), until: stored},
		{name: "acks 1", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			*r = *inTxn("producer", "t", 0, 2, 1)(x).(*kmsg.ProduceRequest)
			r.Acks = 1
		}), until: stored},
		{name: "a gap", ask: inTxn("producer", "t", 0, 9, 1), until: stored},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "a newer producer", hidden: true, ask: initTxn(nil), until: ready},
		{name: "by the old one", ask: inTxn("producer", "t", 0, 3, 1), until: stored},
		logHolds("t", 3),
	})},
	{name: "produce in a transaction of version 2", key: kmsg.Produce, from: 12, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		{name: "a record", ask: inTxn("producer", "t", 0, 0, 1), until: stored},
		{name: "the next", ask: inTxn("producer", "t", 0, 1, 1)},
		{name: "a duplicate", ask: inTxn("producer", "t", 0, 1, 1)},
		{name: "a gap", ask: inTxn("producer", "t", 0, 9, 1)},
		{name: "an unknown partition", ask: inTxn("producer", "t", 9, 0, 1)},
		{name: "an unknown transactional id", ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			*r = *inTxn("producer", "t", 1, 0, 1)(x).(*kmsg.ProduceRequest)
			r.TransactionID = x.ptr("nope")
		}), until: stored},
		{name: "described", ask: describeTxns("txn")},
		{name: "committed", ask: endTxn(true, nil)},
		complete(),
		{name: "with the old epoch", ask: inTxn("producer", "t", 0, 2, 1), until: stored},
		{name: "with the old epoch to another partition", ask: inTxn("producer", "t", 1, 0, 1), until: stored},
		{name: "with the new epoch", ask: inTxnAfter("committed", 0, 0), until: stored},
		{name: "with the new epoch, not from 0", ask: inTxnAfter("committed", 2, 5), until: stored},
		{name: "with the new epoch, not from 0, after one that was refused", ask: inTxnAfter("committed", 1, 5), until: stored},
		logHolds("t", 3),
	})},
}

func asMember(edit func(x *actor, r *kmsg.TxnOffsetCommitRequest)) func(x *actor, r *kmsg.TxnOffsetCommitRequest) {
	return func(x *actor, r *kmsg.TxnOffsetCommitRequest) {
		j := answer[kmsg.JoinGroupResponse](x, "member joined")
		r.Generation, r.MemberID = j.Generation, j.MemberID
		if edit != nil {
			edit(x, r)
		}
	}
}

// endBy ends as the producer of a step, with another id and epoch by so much.
func endBy(named string, id int64, epoch int16) func(x *actor, r *kmsg.EndTxnRequest) {
	return func(x *actor, r *kmsg.EndTxnRequest) {
		r.ProducerID, r.ProducerEpoch = x.holder(named)
		r.ProducerID += id
		r.ProducerEpoch += epoch
	}
}

// endAfter ends with the id and epoch that an earlier end gave.
func endAfter(end string) func(x *actor, r *kmsg.EndTxnRequest) {
	return func(x *actor, r *kmsg.EndTxnRequest) {
		a := answer[kmsg.EndTxnResponse](x, end)
		r.ProducerID, r.ProducerEpoch = a.ProducerID, a.ProducerEpoch
	}
}

// inTxnAfter writes to t with the id and epoch that an earlier end gave.
func inTxnAfter(end string, p, seq int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ProduceRequest) {
		r.Acks, r.TimeoutMillis, r.TransactionID = -1, 10000, x.ptr("txn")
		a := answer[kmsg.EndTxnResponse](x, end)
		addBatch(x, r, "t", p, batch{records: some(1), attributes: 16, pid: &a.ProducerID, epoch: int32(a.ProducerEpoch), seq: seq}.bytes())
	})
}

func producersOf(topic string, partitions ...int32) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeProducersRequest) {
		r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: x.name(topic), Partitions: partitions}}
	})
}
