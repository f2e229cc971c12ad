package diff

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns what consumers and administrators see of transactions.

// listTxns lists transactions; only the script's own are looked at.
func listTxns(name string, edit func(x *actor, r *kmsg.ListTransactionsRequest)) step {
	return step{name: name, mine: []string{"TransactionStates"}, ask: req(func(x *actor, r *kmsg.ListTransactionsRequest) {
		if edit != nil {
			edit(x, r)
		}
	})}
}

func inState(states ...string) func(*actor, *kmsg.ListTransactionsRequest) {
	return func(_ *actor, r *kmsg.ListTransactionsRequest) { r.StateFilters = states }
}

func ofProducers(named ...string) func(*actor, *kmsg.ListTransactionsRequest) {
	return func(x *actor, r *kmsg.ListTransactionsRequest) {
		for _, n := range named {
			id, _ := x.holder(n)
			r.ProducerIDFilters = append(r.ProducerIDFilters, id)
		}
	}
}

func longerThan(ms int64) func(*actor, *kmsg.ListTransactionsRequest) {
	return func(_ *actor, r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = ms }
}

// matching lists by a pattern; what is before and after is put around the
// transactional id "txn".
func matching(before, after string) func(*actor, *kmsg.ListTransactionsRequest) {
	return func(x *actor, r *kmsg.ListTransactionsRequest) {
		r.TransactionalIDPattern = val(before + x.name("txn") + after)
	}
}

func pattern(p string) func(*actor, *kmsg.ListTransactionsRequest) {
	return func(_ *actor, r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = &p }
}

// readCommitted fetches or lists what is committed.
func readCommitted(_ *actor, r *kmsg.FetchRequest) { r.IsolationLevel = 1 }

func latestStable(topic string, p int32, timestamp int64) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.ListOffsetsRequest) {
		*r = *listOffsets(topic, p, timestamp)(x).(*kmsg.ListOffsetsRequest)
		r.IsolationLevel = 1
	})
}

// in1 sends records in the transaction of a client of version 1.
func in1(name, producer, topic string, p, seq int32, n int) step {
	return step{name: name, hidden: true, at: val[int16](11), ask: inTxn(producer, topic, p, seq, n), until: stored}
}

// end1 ends a transaction of version 1 and waits for its markers.
func end1(name string, commit bool) []step {
	return []step{{name: name, hidden: true, at: val[int16](4), ask: endTxn(commit, nil)}, complete()}
}

// inTxnOf is inTxn for another transactional id.
func inTxnOf(id, producer, topic string, p, seq int32, n int) step {
	return step{name: "records of " + id, hidden: true, at: val[int16](11), until: stored, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
		*r = *inTxn(producer, topic, p, seq, n)(x).(*kmsg.ProduceRequest)
		r.TransactionID = x.ptr(id)
	})}
}

func beginOf(id, producer string, all ...places) step {
	st := begunWith(all...)
	ask := st.ask
	st.ask = req(func(x *actor, r *kmsg.AddPartitionsToTxnRequest) {
		*r = *ask(x).(*kmsg.AddPartitionsToTxnRequest)
		r.TransactionalID = x.name(id)
		r.ProducerID, r.ProducerEpoch = x.holder(producer)
	})
	return st
}

func endOf(id, producer string, commit bool) []step {
	return []step{{name: "end of " + id, hidden: true, at: val[int16](4), ask: endTxn(commit, func(x *actor, r *kmsg.EndTxnRequest) {
		r.TransactionalID = x.name(id)
		r.ProducerID, r.ProducerEpoch = x.holder(producer)
	})}, completed(id)}
}

// toCome is later than any time that a marker may get.
var toCome = base + (5*time.Hour + 30*time.Minute).Milliseconds()

// interleaved makes in partition 0 of t: 0-1 aborted, 2 its marker, 3 of "txn"
// and 4 of "other", which is aborted at 5, 6 without transaction, 7 of "txn",
// which stays open. Partition 1 has nothing but one committed transaction.
func interleaved() []step {
	return join(topics(spec{"t", 2, map[string]string{"message.timestamp.after.max.ms": "9000000000000"}}), transactional(), transactionalAs("other", "other producer"),
		[]step{begun(), in1("to be aborted", "producer", "t", 0, 0, 2)}, end1("the first ends", false),
		[]step{begunWith(places{"t", []int32{1}}), in1("to be committed", "producer", "t", 1, 0, 2)}, end1("the one of partition 1 ends", true),
		[]step{
			begun(), in1("to stay open", "producer", "t", 0, 2, 1),
			beginOf("other", "other producer", places{"t", []int32{0}}), inTxnOf("other", "other producer", "t", 0, 0, 1),
		}, endOf("other", "other producer", false),
		[]step{
			{name: "a plain record", hidden: true, ask: produce(-1, part{"t", 0, batch{records: []record{{key: "k", value: "v", at: toCome}}}})},
			in1("more to stay open", "producer", "t", 0, 3, 1),
		},
	)
}

var transactionsSeenScripts = []script{
	{name: "fetch transactions", key: kmsg.Fetch, from: 4, steps: join(interleaved(), []step{
		{name: "all", ask: fetch(nil, from{"t", 0, 0})},
		// behaviours 218 and 222
		{name: "committed", ask: fetch(readCommitted, from{"t", 0, 0})},
		{name: "committed, from inside what was aborted", ask: fetch(readCommitted, from{"t", 0, 1})},
		{name: "committed, from the marker on", ask: fetch(readCommitted, from{"t", 0, 2})},
		{name: "committed, from behind the marker on", ask: fetch(readCommitted, from{"t", 0, 3})},
		{name: "committed, from inside the open one", ask: fetch(readCommitted, from{"t", 0, 6})},
		{name: "committed, beyond the end", ask: fetch(readCommitted, from{"t", 0, 99})},
		{name: "committed, a partition of one batch", ask: fetch(readCommitted, from{"t", 1, 0})},
		{name: "the other is aborted, the first open", ask: latestStable("t", 0, -1)},
		{name: "committed then", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "all, committed", ask: fetch(readCommitted, from{"t", 0, 0})},
		{name: "all, from the second aborted one on", ask: fetch(readCommitted, from{"t", 0, 4})},
		{name: "one batch, committed", ask: fetch(func(x *actor, r *kmsg.FetchRequest) {
			r.IsolationLevel, r.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
		}, from{"t", 0, 0})},
		{name: "what was aborted is deleted", hidden: true, ask: deleteRecords("t", 0, 2)},
		{name: "all that is left, committed", ask: fetch(readCommitted, from{"t", 0, 2})},
	})},
	{name: "list offsets of transactions", key: kmsg.ListOffsets, from: 2, steps: join(interleaved(), []step{
		{name: "latest", ask: listOffsets("t", 0, -1)},
		{name: "latest, committed", ask: latestStable("t", 0, -1)},
		{name: "earliest, committed", ask: latestStable("t", 0, -2)},
		{name: "largest timestamp, committed", ask: latestStable("t", 0, -3)},
		{name: "base, committed", ask: latestStable("t", 0, base)},
		{name: "base+1000, committed", ask: latestStable("t", 0, base+1000)},
		{name: "after all, committed", ask: latestStable("t", 0, base+3500*1000)},
		{name: "latest of the other partition, committed", ask: latestStable("t", 1, -1)},
		{name: "largest timestamp of the other partition", ask: listOffsets("t", 1, -3)},
		{name: "a time after its records", ask: listOffsets("t", 1, base+2000)},
		{name: "aborted then", at: val[int16](4), ask: endTxn(false, nil)},
		complete(),
		{name: "latest then, committed", ask: latestStable("t", 0, -1)},
	})},
	{name: "describe transactions", key: kmsg.DescribeTransactions, steps: join(topics(spec{"t", 3, nil}, spec{"u", 1, nil}), transactional(), []step{
		{name: "empty", ask: describeTxns("txn")},
		begunWith(places{"t", []int32{2, 0}}, places{"u", []int32{0}}),
		{name: "ongoing", ask: describeTxns("txn")},
		{name: "unknown", ask: describeTxns("nope")},
		{name: "one known and one unknown", ask: describeTxns("txn", "nope")},
		{name: "the same twice", ask: describeTxns("txn", "txn")},
		{name: "no ids", ask: describeTxns()},
		{name: "an empty id", ask: req(func(_ *actor, r *kmsg.DescribeTransactionsRequest) { r.TransactionalIDs = []string{""} })},
		{name: "a group's offsets", hidden: true, ask: addOffsets("g", nil)},
		{name: "committed", at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "complete", ask: describeTxns("txn")},
		begun(),
		{name: "aborted", at: val[int16](4), ask: endTxn(false, nil)},
		complete(),
		{name: "complete again", ask: describeTxns("txn")},
	})},
	{name: "list transactions", key: kmsg.ListTransactions, steps: join(topics(spec{"t", 3, nil}), transactional(), transactionalAs("txn.2", "second"), transactionalAs("txn-3", "third"), []step{
		begun(),
		beginOf("txn.2", "second", places{"t", []int32{1}}),
	}, endOf("txn.2", "second", true), []step{
		// behaviour 224
		listTxns("all", nil),
		listTxns("ongoing", inState("Ongoing")),
		listTxns("empty or complete", inState("Empty", "CompleteCommit")),
		listTxns("an unknown state", inState("Nope")),
		listTxns("an unknown state and a known one", inState("Ongoing", "Nope", "")),
		listTxns("an unknown state twice", inState("Nope", "Nope")),
		listTxns("a state in small letters", inState("ongoing")),
		listTxns("a state that nobody is in", inState("PrepareEpochFence")),
		listTxns("dead ones", inState("Dead")),
		listTxns("of one producer", ofProducers("producer")),
		listTxns("of two producers", ofProducers("second", "third")),
		listTxns("of an unknown producer", func(_ *actor, r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{987654321} }),
		listTxns("of one producer and in a state", func(x *actor, r *kmsg.ListTransactionsRequest) {
			ofProducers("producer", "second")(x, r)
			r.StateFilters = []string{"Ongoing"}
		}),
		listTxns("longer than an hour", longerThan(3600000)),
		listTxns("longer than -1 ms", longerThan(-1)),
		listTxns("longer than -5 ms", longerThan(-5)),
		listTxns("by its name as pattern", matching("", "")),
		listTxns("by a pattern for all", matching("^.*", ".*$")),
		listTxns("by a part", func(x *actor, r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = val("xn" + x.suffix) }),
		listTxns("by a pattern for several", func(x *actor, r *kmsg.ListTransactionsRequest) {
			r.TransactionalIDPattern = val("txn.?[23]?" + x.suffix)
		}),
		listTxns("by either of two", func(x *actor, r *kmsg.ListTransactionsRequest) {
			r.TransactionalIDPattern = val(x.name("txn") + "|" + x.name("txn-3"))
		}),
		listTxns("by an empty pattern", pattern("")),
		listTxns("by a bad pattern", pattern("(")),
		listTxns("by a bad pattern and an unknown state", func(_ *actor, r *kmsg.ListTransactionsRequest) {
			r.TransactionalIDPattern, r.StateFilters = val("["), []string{"Nope"}
		}),
		listTxns("by a look-ahead", pattern("(?=txn).*")),
		listTxns("by a class of its own", pattern(`\p{Alpha}+`)),
	})},
	{name: "describe producers", key: kmsg.DescribeProducers, steps: join(topics(spec{"t", 3, nil}), transactional(), []step{
		{name: "idempotent", hidden: true, ask: initProducer(nil)},
		{name: "nobody", ask: producersOf("t", 0)},
		begun(),
		{name: "nobody yet", ask: producersOf("t", 0)},
		in1("records", "producer", "t", 0, 0, 3),
		// behaviour 225
		{name: "an open transaction", ask: producersOf("t", 0)},
		{name: "an idempotent batch", hidden: true, ask: req(func(x *actor, r *kmsg.ProduceRequest) {
			r.Acks, r.TimeoutMillis = -1, 10000
			pid, epoch := x.holder("idempotent")
			addBatch(x, r, "t", 1, batch{records: some(2), pid: &pid, epoch: int32(epoch)}.bytes())
		})},
		{name: "two partitions", ask: producersOf("t", 1, 0)},
		{name: "an unknown partition", ask: producersOf("t", 9)},
		{name: "a negative partition", ask: producersOf("t", -1)},
		{name: "an unknown topic", ask: producersOf("nope", 0)},
		{name: "a partition twice", ask: producersOf("t", 0, 0)},
		{name: "no partitions", ask: producersOf("t")},
		{name: "no topics", ask: req(func(*actor, *kmsg.DescribeProducersRequest) {})},
		{name: "an empty topic name", ask: req(func(_ *actor, r *kmsg.DescribeProducersRequest) {
			r.Topics = []kmsg.DescribeProducersRequestTopic{{Partitions: []int32{0}}}
		})},
		{name: "a bad topic name", ask: req(func(_ *actor, r *kmsg.DescribeProducersRequest) {
			r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "a b", Partitions: []int32{0}}}
		})},
		{name: "committed", hidden: true, at: val[int16](4), ask: endTxn(true, nil)},
		complete(),
		{name: "after the end", ask: producersOf("t", 0)},
		{name: "after a newer producer", hidden: true, ask: initTxn(nil), until: ready},
		{name: "is as before", ask: producersOf("t", 0)},
	})},
	{name: "offsets of an aborted transaction", key: kmsg.OffsetFetch, from: 7, to: 9, steps: join(topics(spec{"t", 2, nil}), transactional(), []step{
		{name: "the group is added", hidden: true, ask: addOffsets("g", nil)},
		{name: "an offset", hidden: true, at: val[int16](4), ask: pend("g", nil), until: notPutOff},
		{name: "unstable", ask: offsetsOf("g", true)},
		{name: "what is stable", ask: offsetsOf("g", false)},
		{name: "a plain commit of it", hidden: true, at: val[int16](9), ask: req(func(x *actor, r *kmsg.OffsetCommitRequest) {
			r.Group, r.Generation = x.name("g"), -1
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Offset = 3
			r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: x.name("t"), Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
		})},
		{name: "is seen, and unstable still", ask: offsetsOf("g", false)},
	}, end1("aborted", false), []step{
		{name: "stays", ask: offsetsOf("g", true)},
	})},
}
