package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/share"
	"minibroker/protocol/record"
)

// This file owns ShareFetch v0-v2: acquiring records, and waiting for what is
// not there yet. Sessions are in sharesession.go, acknowledgements in
// shareack.go, waiting in sharewait.go, the answer's bytes in
// sharefetch_encode.go.
//
// Versions: v0 has a limit of bytes per partition and none of records; v1
// brought max_records and batch_size; v2 acquire modes (KIP-1206) and renewing
// (KIP-1222).

// exactLimit is the ShareAcquireMode that never gives more records than asked
// for.
const exactLimit int8 = 1

// shareResult is what a ShareFetch answers for one partition.
type shareResult struct {
	at       sharePlace
	on       *partition // nil where there is none
	p        *sharePartition
	seen     moment // of the log, when it was read
	version  uint64 // of p, then
	maxBytes int    // v0
	err      *apiError
	left     bool // out of the answer

	acquired    []share.Records
	first, last int // its part of shareFetch.slices
	size        int // of those, in bytes
}

// shareFetch is one ShareFetch request in work.
type shareFetch struct {
	broker     *Broker
	r          *request
	req        *kmsg.ShareFetchRequest
	id, member string
	set        *shareSettings
	results    []shareResult
	slices     [][]byte
	size       int
	urgent     bool // an error must be told at once
}

// handleShareFetch serves ShareFetch v0-v2.
func (b *Broker) handleShareFetch(r *request, req *kmsg.ShareFetchRequest) (kmsg.Response, error) {
	f := &shareFetch{broker: b, r: r, req: req}
	var err *apiError
	if f.id, f.member, err = shareMember(req.GroupID, req.MemberID); err == nil && !b.sharesServed() {
		err = &apiError{code: kerr.UnsupportedVersion.Code}
	}
	renews := req.Version >= 2 && req.IsRenewAck
	if err == nil && renews && (req.MaxBytes != 0 || req.MinBytes != 0 || req.MaxRecords != 0 || req.MaxWaitMillis != 0) {
		err = &apiError{code: kerr.InvalidRequest.Code}
	}
	if err != nil {
		return f.refused(err), nil
	}
	acks := f.acks()
	session, err := f.enter(acks != nil)
	if err != nil {
		if err.code == kerr.ShareSessionLimitReached.Code && req.MaxWaitMillis > 0 {
			// So that the client does not come again at once.
			if err := r.pause(time.Duration(req.MaxWaitMillis) * time.Millisecond); err != nil {
				return nil, err
			}
		}
		return f.refused(err), nil
	}
	f.set = b.shareSettings(f.id)
	acks = b.acknowledge(r, f.id, f.member, req.Version, renews, acks)
	if req.ShareSessionEpoch != finalShareEpoch && !renews {
		f.begin(session)
		if err := f.collect(); err != nil {
			return nil, err
		}
	}
	if r.charge(quotaFetch, float64(f.size)) > 0 || r.chargeTime() > 0 {
		// They are not sent: who has them on loan is somebody who will come
		// again, and whose locks end.
		r.charge(quotaFetch, -float64(f.size))
		f.results, f.slices = nil, nil
	}
	if req.ShareSessionEpoch == finalShareEpoch {
		b.endShareSession(r.node, session)
	} else if req.ShareSessionEpoch != firstShareEpoch {
		if err := r.node.shareSessions.told(session, req.ShareSessionEpoch, f.results); err != nil {
			return f.refused(&apiError{code: err.Code}), nil
		}
	}
	return f.compose(acks), nil
}

// acks are the request's acknowledgements; nil: it has none.
func (f *shareFetch) acks() []shareAcks {
	has := false
	all := []shareAcks{}
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			has = has || len(p.AcknowledgementBatches) > 0
			all = append(all, shareAcks{at: sharePlace{t.TopicID, p.Partition}, acks: acksOf(p.AcknowledgementBatches)})
		}
	}
	if !has {
		return nil
	}
	return all
}

// enter finds the member's session, or makes it
// (SharePartitionManager.newContext).
func (f *shareFetch) enter(acks bool) (*shareSession, *apiError) {
	b, sessions := f.broker, &f.r.node.shareSessions
	key := shareSessionKey{f.id, f.member}
	var session *shareSession
	var err *kerr.Error
	switch epoch := f.req.ShareSessionEpoch; epoch {
	case finalShareEpoch:
		if session = sessions.get(key); session == nil {
			err = kerr.ShareSessionNotFound
		}
	case firstShareEpoch:
		if acks {
			err = kerr.InvalidRequest
			break
		}
		var ok bool
		session, ok = sessions.begin(key, sharePlacesOf(f.req.Topics), b.config.Load().Int("group.share.max.share.sessions"))
		if !ok {
			err = kerr.ShareSessionLimitReached
			break
		}
		f.r.shareSessions = slices.DeleteFunc(f.r.shareSessions, func(s *shareSession) bool { return s.ended && s.key == key })
		f.r.shareSessions = append(f.r.shareSessions, session)
	default:
		session, err = sessions.next(key, epoch, func(s *shareSession) {
			for _, at := range sharePlacesOf(f.req.Topics) {
				s.add(at, true)
			}
			for i := range f.req.ForgottenTopicsData {
				t := &f.req.ForgottenTopicsData[i]
				for _, index := range t.Partitions {
					if at := s.find(sharePlace{t.TopicID, index}); at >= 0 {
						s.partitions = slices.Delete(s.partitions, at, at+1)
					}
				}
			}
		})
	}
	if err != nil {
		return nil, &apiError{code: err.Code}
	}
	return session, nil
}

// begin finds the partitions of the session.
func (f *shareFetch) begin(session *shareSession) {
	m := f.broker.image.Load()
	places := f.r.node.shareSessions.places(session, f.req.ShareSessionEpoch)
	f.results = make([]shareResult, len(places))
	for i, at := range places {
		r := &f.results[i]
		r.at = at
		t := m.topicByID(at.topic)
		r.on = t.partition(at.index)
		switch {
		case t == nil:
			r.err = &apiError{code: kerr.UnknownTopicID.Code}
		case !f.r.mayTopic(kmsg.ACLOperationRead, t.name):
			r.on, r.err = nil, &apiError{code: kerr.TopicAuthorizationFailed.Code}
		case r.on == nil:
			r.err = &apiError{code: kerr.UnknownTopicOrPartition.Code}
		}
		f.urgent = f.urgent || r.err != nil
		r.maxBytes = int(^uint32(0) >> 1)
		if f.req.Version == 0 {
			r.maxBytes = f.partitionMaxBytes(at)
		}
	}
}

// partitionMaxBytes is what v0 says of one partition.
func (f *shareFetch) partitionMaxBytes(at sharePlace) int {
	for i := range f.req.Topics {
		for j := range f.req.Topics[i].Partitions {
			if p := &f.req.Topics[i].Partitions[j]; f.req.Topics[i].TopicID == at.topic && p.Partition == at.index && p.PartitionMaxBytes > 0 {
				return int(p.PartitionMaxBytes)
			}
		}
	}
	return int(^uint32(0) >> 1)
}

// collect acquires records until there is enough to answer, waiting as long as
// the client allows.
func (f *shareFetch) collect() error {
	b := f.broker
	wait := time.Duration(f.req.MaxWaitMillis) * time.Millisecond
	var due chan struct{}
	for {
		if f.enough() || wait <= 0 {
			f.acquire()
		}
		if wait <= 0 || f.urgent || f.size > 0 || len(f.results) == 0 || f.maxBytes() == 0 || f.maxRecords() == 0 {
			return nil
		}
		if due == nil {
			due = make(chan struct{})
			timer := b.clock.AfterFunc(wait, func() { close(due) })
			defer timer.Stop()
		}
		w := parkShares(len(f.results))
		var err error
		if w.onAll(f.results) {
			var woken bool
			if woken, err = f.r.await(w.wake, due); !woken {
				wait = 0
			}
		}
		w.leave()
		if err != nil {
			return err
		}
	}
}

func (f *shareFetch) maxBytes() int {
	return max(min(f.broker.config.Load().Hot().FetchMaxBytes, int(f.req.MaxBytes), f.r.fetchable()), 0)
}

func (f *shareFetch) maxRecords() int {
	if f.req.Version == 0 {
		return share.NoLimit
	}
	return int(f.req.MaxRecords)
}

// enough says whether there are min_bytes to be had, over all partitions. It
// acquires nothing.
func (f *shareFetch) enough() bool {
	least := min(int(f.req.MinBytes), f.maxBytes())
	if least <= 1 || f.urgent {
		return true
	}
	available := 0
	for i := range f.results {
		r := &f.results[i]
		if r.err != nil {
			continue
		}
		f.at(r, func() {
			if r.err != nil || !r.p.live.CanAcquire(&f.set.limits) {
				return
			}
			var n int
			f.slices, n = r.on.log.Read(f.slices[:0], r.p.live.NextFetch(), f.upTo(r), least, true)
			available += n
		})
		f.urgent = f.urgent || r.err != nil
	}
	clear(f.slices)
	f.slices = f.slices[:0]
	return f.urgent || available >= least
}

// at runs do on a result's share partition, loaded and under its lock.
func (f *shareFetch) at(r *shareResult, do func()) {
	b := f.broker
	key := share.PartitionKey{Group: f.id, Topic: r.at.topic, Partition: r.at.index}
	r.p = b.shares.find(key)
	if r.p == nil {
		r.err = &apiError{code: kerr.UnknownServerError.Code} // nobody initialized it
		return
	}
	p := r.p
	p.mu.Lock()
	defer p.mu.Unlock()
	r.seen, r.version = r.on.moment(), p.version
	if code := r.seen.leadership.check(f.r.node, -1); code != 0 {
		r.err = &apiError{code: code}
		return
	}
	if err := b.shares.load(p, r.on, f.set); err != nil {
		r.err = &apiError{code: err.Err.Code}
		return
	}
	if start := r.on.log.StartOffset(); p.live.NextFetch() < start {
		p.live.LogStart(start)
	}
	do()
}

// upTo is the offset up to which the group may read.
func (f *shareFetch) upTo(r *shareResult) int64 {
	if f.set.isolation == readCommitted {
		return r.seen.lastStable
	}
	return r.seen.highWatermark
}

// acquire reads all partitions and takes what is there on loan. They share the
// bytes alike (PartitionMaxBytesStrategy); what one leaves, the next may have.
func (f *shareFetch) acquire() {
	left, records := f.maxBytes(), f.maxRecords()
	for i := range f.results {
		r := &f.results[i]
		r.first = len(f.slices)
		if r.err == nil && left > 0 && records > 0 {
			var waiting *waitNode
			f.at(r, func() {
				if !r.p.live.CanAcquire(&f.set.limits) {
					return
				}
				now := f.broker.clock.Now()
				f.acquireOne(r, now, min(max(left/(len(f.results)-i), 1), r.maxBytes), records)
				waiting = f.broker.shares.settle(r.p, false, now)
			})
			waiting.wakeAll()
			f.urgent = f.urgent || r.err != nil
		}
		r.last = len(f.slices)
		f.size += r.size
		left -= r.size
		for _, a := range r.acquired {
			records -= int(a.Last - a.First + 1)
		}
	}
	if f.size > 0 {
		f.broker.changes.happened()
	}
}

// acquireOne reads one partition. It needs the share partition's lock.
func (f *shareFetch) acquireOne(r *shareResult, now time.Time, maxBytes, records int) {
	live := r.p.live
	// What was read may turn out to be on loan, all of it: then what is behind.
	for {
		from := live.NextFetch()
		at := len(f.slices)
		var n int
		f.slices, n = r.on.log.Read(f.slices, from, f.upTo(r), maxBytes, f.size == 0)
		if n == 0 {
			return
		}
		want := share.Fetch{Member: f.member, MaxRecords: records, BatchSize: int(f.req.BatchSize), ExactLimit: f.req.ShareAcquireMode == exactLimit, From: from}
		if f.req.Version == 0 {
			want.BatchSize = share.NoLimit
		}
		for _, s := range f.slices[at:] {
			for b := range record.Batches(s) {
				want.Batches = append(want.Batches, share.Range{First: b.BaseOffset(), Last: b.LastOffset()})
			}
		}
		if f.set.isolation == readCommitted {
			want.Aborted = f.aborted(r, f.slices[at:], from, want.Batches[len(want.Batches)-1].Last+1)
		}
		r.acquired = live.Acquire(now, &want, &f.set.limits)
		if len(r.acquired) > 0 {
			f.cut(r, at)
			return
		}
		clear(f.slices[at:])
		f.slices = f.slices[:at]
		if live.NextFetch() == from || !live.CanAcquire(&f.set.limits) {
			return
		}
	}
}

// cut leaves of what was read only the batches that have acquired records
// (ShareFetchUtils.maybeSliceFetchRecords).
func (f *shareFetch) cut(r *shareResult, at int) {
	first, last := r.acquired[0].First, r.acquired[len(r.acquired)-1].Last
	kept := at
	for _, s := range f.slices[at:] {
		from, to, pos := -1, 0, 0
		for b := range record.Batches(s) {
			if b.LastOffset() >= first && b.BaseOffset() <= last {
				if from < 0 {
					from = pos
				}
				to = pos + len(b)
			}
			pos += len(b)
		}
		if from >= 0 {
			f.slices[kept] = s[from:to]
			r.size += to - from
			kept++
		}
	}
	clear(f.slices[kept:])
	f.slices = f.slices[:kept]
}

// aborted finds the batches of aborted transactions: members must not see them.
func (f *shareFetch) aborted(r *shareResult, read [][]byte, from, upTo int64) (out []share.Range) {
	txns := r.on.txns.abortedBetween(from, upTo)
	if len(txns) == 0 {
		return nil
	}
	slices.SortFunc(txns, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(min(max(a.FirstOffset-b.FirstOffset, -1), 1))
	})
	open := make(map[int64]bool) // producers whose transaction was aborted
	for _, s := range read {
		for b := range record.Batches(s) {
			if !b.HasProducer() {
				continue
			}
			for len(txns) > 0 && txns[0].FirstOffset <= b.LastOffset() {
				open[txns[0].ProducerID] = true
				txns = txns[1:]
			}
			switch {
			case b.Attributes().Control():
				delete(open, b.ProducerID()) // only an abort ends one that is here
			case b.Attributes().Transactional() && open[b.ProducerID()]:
				out = append(out, share.Range{First: b.BaseOffset(), Last: b.LastOffset()})
			}
		}
	}
	return out
}

// compose makes the answer.
func (f *shareFetch) compose(acks []shareAcks) kmsg.Response {
	a := &shareFetchAnswer{}
	a.Version = f.req.Version
	if f.req.Version >= 1 {
		a.AcquisitionLockTimeoutMillis = int32(f.set.limits.LockFor.Milliseconds())
	}
	type slot struct{ topic, partition int }
	places := make(map[sharePlace]slot, len(f.results)+len(acks))
	topics := make(map[[16]byte]int)
	var counts [][][][]byte // by topic and partition
	put := func(at sharePlace) *kmsg.ShareFetchResponseTopicPartition {
		if s, ok := places[at]; ok {
			return &a.Topics[s.topic].Partitions[s.partition]
		}
		n, ok := topics[at.topic]
		if !ok {
			n = len(a.Topics)
			topics[at.topic] = n
			a.Topics = append(a.Topics, kmsg.ShareFetchResponseTopic{TopicID: at.topic})
			counts = append(counts, nil)
		}
		t := &a.Topics[n]
		p := kmsg.NewShareFetchResponseTopicPartition()
		p.Partition, p.Records = at.index, []byte{}
		t.Partitions = append(t.Partitions, p)
		counts[n] = append(counts[n], nil)
		places[at] = slot{n, len(t.Partitions) - 1}
		return &t.Partitions[len(t.Partitions)-1]
	}
	for i := range f.results {
		r := &f.results[i]
		if r.left {
			continue
		}
		p := put(r.at)
		if r.err != nil {
			p.ErrorCode = r.err.code
		}
		if leader := f.broker.leaderOf(r.at, r.err); leader != nil {
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = leader.leader, leader.leaderEpoch
			named := func(e kmsg.ShareFetchResponseNodeEndpoint) bool { return e.NodeID == leader.leader }
			if n, host, port := f.broker.endpoint(f.r, leader.leader); n != nil && !slices.ContainsFunc(a.NodeEndpoints, named) {
				a.NodeEndpoints = append(a.NodeEndpoints, kmsg.ShareFetchResponseNodeEndpoint{NodeID: n.id, Host: host, Port: port, Rack: n.rack})
			}
		}
		for _, acquired := range r.acquired {
			p.AcquiredRecords = append(p.AcquiredRecords, kmsg.ShareFetchResponseTopicPartitionAcquiredRecord{
				FirstOffset: acquired.First, LastOffset: acquired.Last, DeliveryCount: acquired.DeliveryCount,
			})
		}
		s := places[r.at]
		counts[s.topic][s.partition] = f.slices[r.first:r.last]
	}
	for i := range acks {
		p := put(acks[i].at)
		p.AcknowledgeErrorCode, p.AcknowledgeErrorMessage = codeAndText(acks[i].err)
	}
	for _, of := range counts {
		a.slices = append(a.slices, of...)
	}
	return a
}

// refused is an answer with nothing but an error.
func (f *shareFetch) refused(err *apiError) kmsg.Response {
	a := &shareFetchAnswer{}
	a.Version = f.req.Version
	a.ErrorCode = err.code
	return a
}
