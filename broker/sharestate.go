package broker

import (
	"encoding/base64"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/group"
	"minibroker/broker/share"
)

// This file owns the partitions of share groups (KIP-932): finding them, their
// locks and timers, and how their state gets into __share_group_state. What
// happens to records is in package share.

// shares is all partitions of all share groups.
type shares struct {
	b  *Broker
	mu sync.Mutex // to find, add and remove; a leaf
	// byGroup has, by group id, the partitions that have a state or are in use.
	byGroup map[string]map[sharePlace]*sharePartition
	logs    shareLogs
}

// sharePlace is a partition in a group.
type sharePlace struct {
	topic [16]byte
	index int32
}

// sharePartition is one partition of one share group: the share coordinator's
// state of it, and what the partition's leader knows of records on loan. One
// process is both.
type sharePartition struct {
	key share.PartitionKey

	mu    sync.Mutex       // below the group's, above the log's partition's
	gone  bool             // dropped from shares.byGroup: look again
	state *share.State     // nil: not initialized
	live  *share.Partition // nil: not loaded
	epoch int32            // the leader epoch in which live was loaded
	// version counts what may let a waiting fetch have records; see
	// sharewait.go.
	version uint64
	waiters waitList
	timer   *groupTimer // nil: no lock was ever taken
}

// shareSettings is what the configs say about a share group now.
type shareSettings struct {
	limits    share.Limits
	isolation int8
	reset     string
}

func (b *Broker) shareSettings(id string) *shareSettings {
	own, cfg := b.controller.configsOf(kmsg.ConfigResourceTypeGroupConfig, id), b.config.Load()
	s := &shareSettings{
		limits: share.Limits{
			MaxInFlight:   config.GroupInt("group.share.partition.max.record.locks", own, cfg),
			MaxDeliveries: config.GroupInt("group.share.delivery.count.limit", own, cfg),
			LockFor:       config.GroupDuration("group.share.record.lock.duration.ms", own, cfg),
			MayRenew:      config.GroupText("share.renew.acknowledge.enable", own) == "true",
		},
		reset: config.GroupText("share.auto.offset.reset", own),
	}
	if config.GroupText("share.isolation.level", own) == "read_committed" {
		s.isolation = readCommitted
	}
	return s
}

// find returns a partition of a group that exists; nil if it has neither state
// nor use.
func (s *shares) find(key share.PartitionKey) *sharePartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byGroup[key.Group][sharePlace{key.Topic, key.Partition}]
}

// with runs f on a partition under its lock. One that does not exist is made.
func (s *shares) with(key share.PartitionKey, f func(*sharePartition)) {
	for {
		s.mu.Lock()
		of := s.byGroup[key.Group]
		if of == nil {
			of = make(map[sharePlace]*sharePartition)
			s.byGroup[key.Group] = of
		}
		place := sharePlace{key.Topic, key.Partition}
		p := of[place]
		if p == nil {
			p = &sharePartition{key: key}
			of[place] = p
		}
		s.mu.Unlock()
		p.mu.Lock()
		if !p.gone {
			f(p)
			if p.state == nil && p.live == nil {
				s.drop(p)
			}
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// drop forgets a partition. It needs p.mu.
func (s *shares) drop(p *sharePartition) {
	p.gone = true
	p.stopTimer()
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.byGroup[p.key.Group]
	delete(of, sharePlace{p.key.Topic, p.key.Partition})
	if len(of) == 0 {
		delete(s.byGroup, p.key.Group)
	}
}

// all returns the partitions for which which is true; nil: all.
func (s *shares) all(which func(share.PartitionKey) bool) (found []*sharePartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.byGroup {
		for _, p := range of {
			if which == nil || which(p.key) {
				found = append(found, p)
			}
		}
	}
	return found
}

// ofGroup returns a group's partitions.
func (s *shares) ofGroup(id string) (found []*sharePartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byGroup[id] {
		found = append(found, p)
	}
	return found
}

// store appends records to __share_group_state. It is called with the
// partition's lock held, so that they are in the order of what happened. If
// somebody has deleted the topic, the state lives on without it.
func (s *shares) store(key share.PartitionKey, records ...share.Record) {
	t := s.b.image.Load().topic(shareStateTopic)
	if t == nil || len(records) == 0 {
		return
	}
	p := t.partitionOf(coordinatorKey(key))
	w := groupRecordWriters.Get().(*groupRecordWriter)
	defer w.release()
	ms := s.b.nowMs()
	all := make([]group.Record, len(records))
	for i, r := range records {
		all[i] = group.Record(r)
	}
	log := s.logs.of(p)
	log.mu.Lock()
	for len(all) > 0 {
		n := w.build(all, noProducer, ms, p.settings.Load().limits.MaxMessageBytes)
		a, err := s.b.append(p, w.batch, ms)
		if err != nil {
			break // the topic is being deleted, or nobody leads
		}
		for i := range n {
			log.note(key, records[i], a.base+int64(i), ms)
		}
		all, records = all[n:], records[n:]
	}
	now, later := log.stored >= pruneAfter, log.redundant()
	log.mu.Unlock()
	if now {
		s.prune(log)
	}
	if later {
		s.pruneLater()
	}
}

// coordinatorKey is how FindCoordinator names a partition of a share group
// (org.apache.kafka.server.share.SharePartitionKey.asCoordinatorKey).
func coordinatorKey(key share.PartitionKey) string {
	return key.Group + ":" + base64.RawURLEncoding.EncodeToString(key.Topic[:]) + ":" + strconv.Itoa(int(key.Partition))
}

// updatesPerSnapshot is how many changes of a state are stored before the whole
// of it is.
func (s *shares) updatesPerSnapshot() int {
	return s.b.config.Load().Int("share.coordinator.snapshot.update.records.per.snapshot")
}

// initialize begins a partition's state. It needs p.mu.
func (s *shares) initialize(p *sharePartition, epoch int32, start int64) *share.Refusal {
	state, record, err := share.Initialize(p.state, p.key, epoch, start, s.b.nowMs())
	if err != nil {
		return err
	}
	p.state = state
	s.store(p.key, record)
	return nil
}

// forget deletes a partition's state, and what is known of its records. It
// needs p.mu.
func (s *shares) forget(p *sharePartition) {
	if p.state != nil {
		s.store(p.key, share.Tombstone(p.key))
	}
	p.state = nil
	p.unload()
}

// unload forgets what is known of records on loan: who asks next begins with
// what is stored. It needs p.mu.
func (p *sharePartition) unload() {
	p.live = nil
	p.stopTimer()
}

func (p *sharePartition) stopTimer() {
	if p.timer != nil {
		p.timer.t.Stop()
		p.timer = nil
	}
}

// put stores a change by the partition's leader. It needs p.mu.
func (s *shares) put(p *sharePartition, w share.Write) *share.Refusal {
	record, err := share.Put(p.state, p.key, p.epoch, w, s.updatesPerSnapshot(), s.b.nowMs())
	if err == nil {
		s.store(p.key, record)
		return nil
	}
	switch err.Err { // SharePartition.fetchPersisterError
	case kerr.FencedStateEpoch, kerr.FencedLeaderEpoch:
		return &share.Refusal{Err: kerr.NotLeaderForPartition, Message: err.Message}
	case kerr.UnknownTopicOrPartition:
		return err
	}
	return &share.Refusal{Err: kerr.UnknownServerError, Message: err.Message}
}

// load makes sure that p.live is what the leader knows of records on loan. The
// error is what the group's fetch of the partition gets. It needs p.mu.
func (s *shares) load(p *sharePartition, log *partition, set *shareSettings) *share.Refusal {
	leaderEpoch := log.leadership.Load().leaderEpoch
	if p.live != nil && p.epoch == leaderEpoch {
		return nil
	}
	p.unload()
	records, err := share.Read(p.state, p.key, leaderEpoch, s.updatesPerSnapshot(), s.b.nowMs())
	if err != nil {
		if err.Err == kerr.InvalidRequest {
			return &share.Refusal{Err: kerr.UnknownServerError, Message: err.Message}
		}
		return &share.Refusal{Err: kerr.NotLeaderForPartition, Message: err.Message}
	}
	s.store(p.key, records...)
	p.epoch = leaderEpoch
	start := p.state.Start
	if start == -1 {
		start = s.begin(log, set.reset)
	}
	p.live = share.Load(p.state, start)
	return nil
}

// begin is where a group starts that has no state of a partition.
func (s *shares) begin(log *partition, reset string) int64 {
	earliest, ago := config.ShareReset(reset)
	switch {
	case earliest:
		return log.log.StartOffset()
	case ago > 0:
		if offset, _, _, ok := log.log.OffsetForTimestamp(s.b.clock.Now().Add(-ago).UnixMilli()); ok {
			return offset
		}
	}
	return log.highWatermark.Load()
}

// settle keeps the timer for the end of locks, and returns who waits for a
// change, to be woken after unlock. It needs p.mu.
func (s *shares) settle(p *sharePartition, changed bool, now time.Time) *waitNode {
	if p.live != nil {
		at := p.live.Deadline()
		switch {
		case at.IsZero():
		case p.timer == nil:
			p.timer = &groupTimer{at: at}
			p.timer.t = s.b.clock.AfterFunc(at.Sub(now), func() { s.expire(p) })
		case p.timer.at.IsZero() || at.Before(p.timer.at):
			p.timer.at = at
			p.timer.t.Reset(at.Sub(now))
		}
	}
	if !changed {
		return nil
	}
	p.version++
	return p.waiters.take()
}

// expire is called when a lock may have ended.
func (s *shares) expire(p *sharePartition) {
	set := s.b.shareSettings(p.key.Group)
	p.mu.Lock()
	if p.gone || p.live == nil || p.timer == nil {
		p.mu.Unlock()
		return
	}
	now := s.b.clock.Now()
	p.timer.at = time.Time{}
	changed := p.live.Expire(now, &set.limits, func(w share.Write) *share.Refusal { return s.put(p, w) })
	waiting := s.settle(p, changed, now)
	p.mu.Unlock()
	waiting.wakeAll()
	s.b.changes.happened()
}

// change runs f on a loaded partition under its lock, and wakes who waits for
// what it changed.
func (s *shares) change(p *sharePartition, f func(now time.Time) *share.Refusal) *share.Refusal {
	p.mu.Lock()
	now := s.b.clock.Now()
	err := f(now)
	if err != nil && err.Err == kerr.NotLeaderForPartition {
		p.unload() // somebody else wrote to the state: begin with that
	}
	waiting := s.settle(p, true, now)
	p.mu.Unlock()
	waiting.wakeAll()
	s.b.changes.happened()
	return err
}

// releaseMember gives back what a member has of some partitions.
func (s *shares) releaseMember(id, member string, places []sharePlace) {
	set := s.b.shareSettings(id)
	for _, at := range places {
		p := s.find(share.PartitionKey{Group: id, Topic: at.topic, Partition: at.index})
		if p == nil {
			continue
		}
		_ = s.change(p, func(time.Time) *share.Refusal {
			if p.live == nil {
				return nil
			}
			return p.live.ReleaseMember(member, &set.limits, func(w share.Write) *share.Refusal { return s.put(p, w) })
		})
	}
}

// unloadGroup forgets what a node knows of records on loan to a group that
// nobody is connected to it for.
func (s *shares) unloadGroup(id string, n *node) {
	m := s.b.image.Load()
	for _, p := range s.ofGroup(id) {
		if log := m.topicByID(p.key.Topic).partition(p.key.Partition); log != nil && log.leadership.Load().leader != n.id {
			continue
		}
		p.mu.Lock()
		p.unload()
		if p.state == nil && !p.gone {
			s.drop(p)
		}
		waiting := p.waiters.take()
		p.mu.Unlock()
		waiting.wakeAll()
	}
}

// deleteWhere deletes the states of partitions.
func (s *shares) deleteWhere(which func(share.PartitionKey) bool) {
	for _, p := range s.all(which) {
		p.mu.Lock()
		if !p.gone {
			s.forget(p)
			s.drop(p)
		}
		waiting := p.waiters.take()
		p.mu.Unlock()
		waiting.wakeAll()
	}
}

// reset forgets everything, and stores nothing of that.
func (s *shares) reset() {
	s.logs.reset()
	for _, p := range s.all(nil) {
		p.mu.Lock()
		if !p.gone {
			p.state = nil
			p.unload()
			s.drop(p)
		}
		waiting := p.waiters.take()
		p.mu.Unlock()
		waiting.wakeAll()
	}
}

// stop ends the timers.
func (s *shares) stop() {
	s.logs.stop()
	for _, p := range s.all(nil) {
		p.mu.Lock()
		p.stopTimer()
		p.mu.Unlock()
	}
}

// groupShareStates is the share coordinator as one group sees it, called with the
// group's lock held.
type groupShareStates struct {
	s  *shares
	id string
}

// Initialize begins a partition's state: what was on loan is forgotten.
func (g groupShareStates) Initialize(topic [16]byte, partition, epoch int32, start int64) *kerr.Error {
	var refused *share.Refusal
	g.s.with(share.PartitionKey{Group: g.id, Topic: topic, Partition: partition}, func(p *sharePartition) {
		if refused = g.s.initialize(p, epoch, start); refused == nil {
			p.unload()
		}
	})
	if refused != nil {
		return refused.Err
	}
	return nil
}

// Delete forgets a partition's state.
func (g groupShareStates) Delete(topic [16]byte, partition int32) {
	g.s.with(share.PartitionKey{Group: g.id, Topic: topic, Partition: partition}, g.s.forget)
}
