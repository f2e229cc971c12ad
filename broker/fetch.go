package broker

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// This file owns Fetch v0-v18: reading, and waiting for what is not there yet.
// Sessions are in fetch_session.go, the answer's bytes in fetch_encode.go.
//
// Versions: v0-v1 get message sets of magic 0, v2-v3 of magic 1; v3 brought
// max_bytes, v4 isolation levels, v7 sessions (KIP-227), v9 leader epochs
// (KIP-320), v10 zstd, v11 racks (KIP-392), v12 diverging epochs (KIP-595), v13
// topic ids, v15 moved the replica id, v16 names new leaders (KIP-951).

const (
	readUncommitted int8 = 0
	readCommitted   int8 = 1
)

// fetchItem is one partition that a fetch asks for.
type fetchItem struct {
	topic        string   // v0-v12
	topicID      [16]byte // v13+
	index        int32
	maxBytes     int32
	offset       int64
	leaderEpoch  int32             // as the client knows it; -1: not said
	fetchedEpoch int32             // of the last record before offset; -1: not said
	cached       *sessionPartition // in its session; nil without one
}

func askedItem(t *kmsg.FetchRequestTopic, p *kmsg.FetchRequestTopicPartition) fetchItem {
	return fetchItem{
		topic:        t.Topic,
		topicID:      t.TopicID,
		index:        p.Partition,
		maxBytes:     p.PartitionMaxBytes,
		offset:       p.FetchOffset,
		leaderEpoch:  p.CurrentLeaderEpoch,
		fetchedEpoch: p.LastFetchedEpoch,
	}
}

// lastOfEach keeps one item per partition: what was asked last, where it was
// asked first, as Kafka's map of them does. Only odd clients repeat themselves.
func lastOfEach(items []fetchItem) []fetchItem {
	const few = 32
	keyOf := func(it *fetchItem) fetchKey { return fetchKey{it.topic, it.topicID, it.index} }
	if len(items) <= few {
		kept := items[:0]
	next:
		for i := range items {
			for j := range kept {
				if keyOf(&kept[j]) == keyOf(&items[i]) {
					kept[j] = items[i]
					continue next
				}
			}
			kept = append(kept, items[i])
		}
		return kept
	}
	at := make(map[fetchKey]int, len(items))
	kept := items[:0]
	for i := range items {
		k := keyOf(&items[i])
		if j, repeated := at[k]; repeated {
			kept[j] = items[i]
			continue
		}
		at[k] = len(kept)
		kept = append(kept, items[i])
	}
	return kept
}

func (it *fetchItem) key(byID bool) fetchKey {
	if byID {
		return fetchKey{id: it.topicID, index: it.index}
	}
	return fetchKey{topic: it.topic, index: it.index}
}

// fetchResult is what was read for one item.
type fetchResult struct {
	item *fetchItem
	on   *partition // nil where there is none
	seen moment     // of the partition, when it was read
	code int16
	left bool // out of the answer: the session's client knows it all

	highWatermark, lastStable, logStart int64 // -1 with an error

	diverging     bool // the client's log is not a beginning of ours
	divergesAfter int32
	divergesAt    int64

	preferred int32 // where the client should rather read (KIP-392); -1: here

	first, count int // its part of fetch.slices
	size         int // of those, in bytes
}

// fetch is one Fetch request in work. All its memory is used again.
type fetch struct {
	broker  *Broker
	req     *kmsg.FetchRequest
	r       *request
	node    *node
	replica int32 // -1: a consumer
	quota   int   // most bytes to answer, by its client's quota

	items      []fetchItem
	results    []fetchResult
	slices     [][]byte
	size       int  // of slices, in bytes
	urgent     bool // something must be told at once
	topics     []kmsg.FetchResponseTopic
	partitions []kmsg.FetchResponseTopicPartition
	answer     fetchAnswer
}

var fetches = sync.Pool{New: func() any { return new(fetch) }}

// release gives the memory back, and holds on to no log.
func (f *fetch) release() {
	if cap(f.results) > 1024 {
		return // rare, and large
	}
	f.forget()
	clear(f.items)
	clear(f.results)
	clear(f.topics)
	clear(f.partitions)
	*f = fetch{
		items: f.items[:0], results: f.results[:0], slices: f.slices[:0],
		topics: f.topics[:0], partitions: f.partitions[:0],
		answer: fetchAnswer{counts: f.answer.counts[:0]},
	}
	fetches.Put(f)
}

// forget lets go of what was read, so that a parked request keeps no chunk of
// a log alive.
func (f *fetch) forget() {
	clear(f.slices)
	f.slices = f.slices[:0]
}

// handleFetch serves Fetch v0-v18.
func (b *Broker) handleFetch(r *request, req *kmsg.FetchRequest) (kmsg.Response, error) {
	f := fetches.Get().(*fetch)
	f.broker, f.r, f.req, f.node, f.quota = b, r, req, r.node, r.fetchable()
	f.replica = req.ReplicaID
	if req.Version >= 15 {
		f.replica = req.ReplicaState.ID
	}
	session, code := f.enter()
	if code != 0 {
		return f.only(code), nil
	}
	if req.IsolationLevel != readUncommitted && req.IsolationLevel != readCommitted && f.reads() {
		return f.refused(kerr.UnknownServerError.Code), nil // behaviour 98
	}
	if err := f.collect(r); err != nil {
		return nil, err
	}
	if r.charge(quotaFetch, float64(f.size)) > 0 || r.chargeTime() > 0 {
		r.charge(quotaFetch, -float64(f.size)) // they are not sent
		return f.nothing(session), nil
	}
	sessionID, code := f.leave(session)
	if code != 0 {
		return f.only(code), nil
	}
	return f.compose(r, sessionID), nil
}

// reads says whether there is any partition to read.
func (f *fetch) reads() bool {
	m := f.broker.image.Load()
	return slices.ContainsFunc(f.items, func(it fetchItem) bool {
		t := m.topic(it.topic)
		if f.req.Version >= 13 {
			t = m.topicByID(it.topicID)
		}
		return t.partition(it.index) != nil
	})
}

// enter finds out what to read: what the request names, or what its session
// knows. No session is nil.
func (f *fetch) enter() (*fetchSession, int16) {
	req, sessions := f.req, f.node.fetchSessions.Load()
	if req.SessionEpoch == firstFetchEpoch || req.SessionEpoch == noFetchSession {
		if req.SessionID != 0 {
			sessions.end(req.SessionID)
		}
		for i := range req.Topics {
			t := &req.Topics[i]
			for j := range t.Partitions {
				f.items = append(f.items, askedItem(t, &t.Partitions[j]))
			}
		}
		f.items = lastOfEach(f.items)
		return nil, 0
	}
	s := sessions.get(req.SessionID)
	if s == nil {
		return nil, kerr.FetchSessionIDNotFound.Code
	}
	var size int
	var code int16
	if f.items, size, code = s.continued(req, f.items); code != 0 {
		return nil, code
	}
	if size == 0 {
		sessions.end(s.id)
		return nil, 0
	}
	sessions.touch(s, size, f.broker.nowMs())
	return s, 0
}

// leave makes a session of a full fetch that asked for one, and takes out of
// an incremental one what its client knows.
func (f *fetch) leave(s *fetchSession) (id int32, code int16) {
	req, b := f.req, f.broker
	if s != nil {
		return s.id, s.told(req.SessionEpoch, f.results)
	}
	// Without a partition that can be read there is nothing to remember.
	if req.Version < 7 || req.SessionEpoch != firstFetchEpoch {
		return 0, 0
	}
	s = newFetchSession(req.Version >= 13, f.items, f.results)
	slots := b.config.Load().Int("max.incremental.fetch.session.cache.slots")
	if !f.node.fetchSessions.Load().add(s, slots, b.nowMs(), b.random.positiveInt31) {
		return 0, 0 // the client goes on with full fetches
	}
	return s.id, 0
}

// collect reads until there is enough to answer, waiting as long as the client
// allows.
func (f *fetch) collect(r *request) error {
	b := f.broker
	wait := time.Duration(f.req.MaxWaitMillis) * time.Millisecond
	var due chan struct{}
	for {
		f.read()
		if wait <= 0 || f.enough() {
			return nil
		}
		f.forget()
		if due == nil {
			// Before anybody can see that the request waits: then whoever
			// moves the time is sure to end the wait.
			over := make(chan struct{})
			timer := b.clock.AfterFunc(wait, func() { close(over) })
			defer timer.Stop()
			due = over
		}
		w := park(len(f.results))
		var err error
		if f.parkOn(w) {
			if r.scratch != nil && r.scratch.fetch.Has(f.req) {
				r.in.Release() // nobody needs the frame any more
			}
			var woken bool
			if woken, err = r.await(w.wake, due); !woken {
				wait = 0
			}
		}
		w.leave()
		if err != nil {
			return err
		}
	}
}

// parkOn waits on all that was read; false when something changed meanwhile.
func (f *fetch) parkOn(w *parked) bool {
	for i := range f.results {
		if !w.on(f.results[i].on, f.results[i].seen) {
			return false
		}
	}
	return true
}

// enough says whether what was read may be answered before the time is up.
func (f *fetch) enough() bool {
	least := min(int(f.req.MinBytes), f.maxBytes())
	if f.urgent || len(f.items) == 0 || f.size >= least {
		return true
	}
	if f.size == 0 {
		return false
	}
	// What whole batches leave of the limits counts as well: Kafka would
	// fill it with the beginning of a batch.
	available := 0
	for i := range f.results {
		r := &f.results[i]
		var n int
		f.slices, n = r.on.log.Read(f.slices, r.item.offset, f.upTo(r), least, true)
		available += min(n, int(r.item.maxBytes))
	}
	return available >= least
}

// maxBytes is how much the answer may hold.
func (f *fetch) maxBytes() int {
	limit := f.broker.config.Load().Hot().FetchMaxBytes
	if f.req.Version >= 3 {
		limit = min(limit, int(f.req.MaxBytes))
	}
	return max(min(limit, f.quota), 0)
}

// upTo is the offset up to which the client may read.
func (f *fetch) upTo(r *fetchResult) int64 {
	if f.req.IsolationLevel == readCommitted {
		return r.lastStable
	}
	return r.highWatermark
}

// read reads all items, in order, up to the limits.
func (f *fetch) read() {
	f.forget()
	f.results, f.size, f.urgent = f.results[:0], 0, false
	m := f.broker.image.Load()
	byID := f.req.Version >= 13
	limit := f.maxBytes()
	// The first batch comes whatever its size, so that a large one never
	// stops a consumer (KIP-74). Clients before v3 get its beginning.
	wholeFirst := true
	var t *topic
	guarded, denied := f.r.guarded(), false
	for i := range f.items {
		it := &f.items[i]
		if i == 0 || it.topic != f.items[i-1].topic || it.topicID != f.items[i-1].topicID {
			if byID {
				t = m.topicByID(it.topicID)
			} else {
				t = m.topic(it.topic)
			}
			if guarded {
				denied = !f.mayRead(topicName(t, it.topic))
			}
		}
		f.results = append(f.results, fetchResult{item: it, on: t.partition(it.index), highWatermark: -1, lastStable: -1, logStart: -1, preferred: -1, first: len(f.slices)})
		r := &f.results[i]
		switch {
		case denied:
			r.on, r.code = nil, kerr.TopicAuthorizationFailed.Code
		case r.on != nil:
			r.code = f.readOne(r, min(limit, int(it.maxBytes)), wholeFirst)
		case byID && t == nil:
			r.code = kerr.UnknownTopicID.Code
		default:
			r.code = kerr.UnknownTopicOrPartition.Code
		}
		if r.code != 0 || r.diverging || r.preferred >= 0 {
			f.urgent = true
		}
		r.count = len(f.slices) - r.first
		if r.size > 0 && f.req.Version >= 3 {
			wholeFirst = false
			limit = max(limit-r.size, 0)
		}
		f.size += r.size
	}
}

// mayRead says whether the client may read a topic. One of an unknown id has no
// name, and no rule is about it.
func (f *fetch) mayRead(name string) bool {
	if f.replica >= 0 {
		return f.r.mayCluster(kmsg.ACLOperationClusterAction)
	}
	return name == "" || f.r.mayTopic(kmsg.ACLOperationRead, name)
}

// readOne reads one partition (org.apache.kafka.server Partition.fetchRecords)
// and returns an error code.
func (f *fetch) readOne(r *fetchResult, maxBytes int, wholeFirst bool) int16 {
	p, it := r.on, r.item
	r.seen = p.moment()
	high, stable, end := r.seen.highWatermark, r.seen.lastStable, p.log.EndOffset()
	switch code := r.seen.leadership.check(f.node, it.leaderEpoch); {
	case code == kerr.NotLeaderForPartition.Code && f.fromFollower(r.seen.leadership):
		// What this replica has, and what of it the leader says is committed.
		end = p.endOf(f.node.id)
		high, stable = min(high, end), min(stable, end)
	case code != 0:
		return code
	}
	if f.replica >= 0 {
		// Replicas of this cluster do not fetch over the network, so this
		// one is none of them (behaviour 97).
		return kerr.NotLeaderForPartition.Code
	}
	if it.fetchedEpoch >= 0 {
		epoch, epochEnd := p.log.EndOffsetForEpoch(it.fetchedEpoch, r.seen.leadership.leaderEpoch)
		if epochEnd < 0 || epoch < 0 || it.offset < p.log.StartOffset() {
			return kerr.OffsetOutOfRange.Code
		}
		if epoch < it.fetchedEpoch || epochEnd < it.offset {
			r.diverging, r.divergesAfter, r.divergesAt = true, epoch, epochEnd
		}
	}
	start := p.log.StartOffset()
	if !r.diverging && (it.offset < start || it.offset > end) {
		return kerr.OffsetOutOfRange.Code
	}
	r.highWatermark, r.lastStable, r.logStart = high, stable, start
	if r.diverging {
		return 0
	}
	if r.preferred = f.preferredReplica(p, r.seen.leadership, it.offset); r.preferred >= 0 {
		return 0
	}
	f.slices, r.size = p.log.Read(f.slices, it.offset, f.upTo(r), maxBytes, wholeFirst)
	if f.req.Version < 10 && p.settings.Load().limits.Codec == record.Zstd {
		return f.noZstd(r)
	}
	if f.req.Version < 4 && r.size > 0 {
		return f.convert(r, maxBytes)
	}
	return 0
}

// noZstd tells a client from before zstd that it can't have the records. Only
// where a topic asks for zstd: elsewhere such a batch goes out as it is, and
// some of these clients can read it.
func (f *fetch) noZstd(r *fetchResult) int16 {
	f.slices, r.size = f.slices[:r.first], 0
	r.highWatermark, r.lastStable, r.logStart = -1, -1, -1
	return kerr.UnsupportedCompressionType.Code
}

// fromFollower says whether a client may read here though another node leads:
// consumers may, at any replica, since they tell their rack (v11, KIP-392).
func (f *fetch) fromFollower(l *leadership) bool {
	return f.replica < 0 && f.req.Version >= 11 && slices.Contains(l.replicas, f.node.id)
}

// convert makes message sets of a partition's records, for v0-v3. Those with
// zstd are not unpacked, as in Apache Kafka when it still converted.
func (f *fetch) convert(r *fetchResult, maxBytes int) int16 {
	records := joined(f.slices[r.first:])
	f.slices = f.slices[:r.first]
	r.size = 0
	if records = records[:beforeZstd(records)]; len(records) == 0 {
		return f.noZstd(r)
	}
	magic := int8(0)
	if f.req.Version >= 2 {
		magic = 1
	}
	var err error
	if records, err = record.DownConvert(nil, records, magic, r.item.offset); err != nil {
		r.highWatermark, r.lastStable, r.logStart = -1, -1, -1
		return kerr.CorruptMessage.Code
	}
	if f.req.Version < 3 && len(records) > maxBytes {
		// Its client takes a cut message as the sign that max_bytes is
		// too small.
		records = records[:maxBytes]
	}
	f.slices = append(f.slices, records)
	r.size = len(records)
	return 0
}

// beforeZstd is the number of bytes before the first batch with zstd.
func beforeZstd(records []byte) (n int) {
	for b := range record.Batches(records) {
		if b.Attributes().Codec() == record.Zstd {
			break
		}
		n += len(b)
	}
	return n
}

// compose makes the answer of what was read.
func (f *fetch) compose(r *request, sessionID int32) kmsg.Response {
	a := f.empty()
	a.SessionID = sessionID
	if cap(f.partitions) < len(f.results) {
		f.partitions = make([]kmsg.FetchResponseTopicPartition, 0, len(f.results))
	}
	for i := range f.results {
		res := &f.results[i]
		if res.left {
			continue
		}
		it := res.item
		if n := len(f.topics); n == 0 || f.topics[n-1].Topic != it.topic || f.topics[n-1].TopicID != it.topicID {
			f.topics = append(f.topics, kmsg.FetchResponseTopic{Topic: it.topic, TopicID: it.topicID})
		}
		f.partitions = append(f.partitions, f.told(res))
		// The topic's partitions are the last of all: they grow together.
		t := &f.topics[len(f.topics)-1]
		all := len(f.partitions)
		t.Partitions = f.partitions[all-len(t.Partitions)-1 : all : all]
		a.counts = append(a.counts, int32(res.count))
		leader := t.Partitions[len(t.Partitions)-1].CurrentLeader.LeaderID
		if f.replica >= 0 {
			continue // followers learn of leaders elsewhere
		}
		if leader < 0 || slices.ContainsFunc(a.Brokers, func(known kmsg.FetchResponseBroker) bool { return known.NodeID == leader }) {
			continue
		}
		if n, host, port := f.broker.endpoint(r, leader); n != nil {
			a.Brokers = append(a.Brokers, kmsg.FetchResponseBroker{NodeID: n.id, Host: host, Port: port, Rack: n.rack})
		}
	}
	// What is left out of the answer has no records: the slices of the rest
	// follow each other.
	a.Topics, a.slices = f.topics, f.slices
	return a
}

// told is what the answer says of one partition, but for its records.
func (f *fetch) told(r *fetchResult) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition = r.item.index
	p.ErrorCode = r.code
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = r.highWatermark, r.lastStable, r.logStart
	read := r.code == 0 && !r.diverging && r.preferred < 0
	if f.req.IsolationLevel == readCommitted && read || r.on == nil {
		p.AbortedTransactions = f.aborted(r)
	}
	p.PreferredReadReplica = r.preferred
	if r.diverging && f.req.Version >= 12 {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = r.divergesAfter, r.divergesAt
	}
	if f.req.Version >= 16 && (r.code == kerr.NotLeaderForPartition.Code || r.code == kerr.FencedLeaderEpoch.Code) {
		l := r.seen.leadership
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = l.leader, l.leaderEpoch
	}
	return p
}

// aborted is what the client must leave out of the records that it gets; never
// nil.
func (f *fetch) aborted(r *fetchResult) []kmsg.FetchResponseTopicPartitionAbortedTransaction {
	if r.count > 0 && r.on.txns.aborted.Load() != nil {
		end := r.item.offset
		for b := range record.Batches(f.slices[r.first+r.count-1]) {
			end = b.LastOffset() + 1
		}
		if found := r.on.txns.abortedBetween(r.item.offset, end); found != nil {
			return found
		}
	}
	return []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
}

// empty is an answer with nothing in it.
func (f *fetch) empty() *fetchAnswer {
	a := &f.answer
	a.fetch = f
	a.Version = f.req.Version
	return a
}

// nothing is the answer to a client that is throttled: it asks again later, and
// its session is told nothing.
func (f *fetch) nothing(s *fetchSession) kmsg.Response {
	a := f.empty()
	if s != nil {
		a.SessionID = s.id
	}
	return a
}

// only is an answer with nothing but an error of the session.
func (f *fetch) only(code int16) kmsg.Response {
	a := f.empty()
	a.ErrorCode = code
	return a
}

// refused answers a request that makes no sense as
// org.apache.kafka.common.requests.FetchRequest.getErrorResponse does.
func (f *fetch) refused(code int16) kmsg.Response {
	a := f.empty()
	a.ErrorCode, a.SessionID = code, f.req.SessionID
	if f.req.Version >= 13 {
		return a
	}
	for i := range f.req.Topics {
		asked := &f.req.Topics[i]
		t := kmsg.FetchResponseTopic{Topic: asked.Topic}
		for j := range asked.Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode, p.HighWatermark = asked.Partitions[j].Partition, code, -1
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
			t.Partitions = append(t.Partitions, p)
			a.counts = append(a.counts, 0)
		}
		a.Topics = append(a.Topics, t)
	}
	return a
}
