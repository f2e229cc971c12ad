package broker

import (
	"maps"
	"slices"
	"sync"
	"time"

	"minibroker/broker/share"
	"minibroker/internal/clock"
)

// This file owns how __share_group_state stays small: it is not compacted
// (KIP-932), so the share coordinator deletes what newer snapshots made
// redundant (Kafka's ShareCoordinatorOffsetsManager and
// ShareCoordinatorService.setupRecordPruning). A partition that nobody changes
// would keep all that comes after its last snapshot, so it gets another
// (ShareCoordinatorShard.snapshotColdPartitions). When there is nothing to
// delete, no timer runs.

// pruneAfter is how many records of one log are stored before it is pruned
// without waiting for the time: Kafka has a disk for them, this broker memory.
const pruneAfter = 10_000

// shareLogs is the logs of __share_group_state that have states.
type shareLogs struct {
	mu     sync.Mutex // a leaf
	byLog  map[*partition]*shareLog
	timer  clock.Timer // nil: nothing is redundant
	closed bool
}

// shareLog is what one partition of __share_group_state has.
type shareLog struct {
	of *partition

	mu     sync.Mutex // held over appends; below sharePartition.mu, above the log's
	states map[share.PartitionKey]storedState
	latest int64 // the offset of the newest record
	stored int   // records since it was last pruned
}

// storedState is where a state is in its log.
type storedState struct {
	snapshot int64 // the offset of the newest one; what is before is redundant
	at       int64 // when the newest record was stored, in ms
}

func (l *shareLogs) of(p *partition) *shareLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.byLog[p]
	if log == nil {
		log = &shareLog{of: p, states: make(map[share.PartitionKey]storedState)}
		if l.byLog == nil {
			l.byLog = make(map[*partition]*shareLog)
		}
		l.byLog[p] = log
	}
	return log
}

func (l *shareLogs) all() []*shareLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.byLog))
}

// forget drops what is known of a deleted topic, which would keep its logs.
func (l *shareLogs) forget(t *topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range t.partitions {
		delete(l.byLog, p)
	}
}

// note takes a record that was appended at an offset. It needs log.mu.
func (log *shareLog) note(key share.PartitionKey, r share.Record, offset, now int64) {
	log.latest = offset
	log.stored++
	if r.Value == nil {
		delete(log.states, key)
		return
	}
	s := log.states[key]
	s.at = now
	if r.IsSnapshot() {
		s.snapshot = offset
	}
	log.states[key] = s
}

// redundant tells whether the log has more than one record for each state, and
// may be pruned. It needs log.mu.
func (log *shareLog) redundant() bool {
	return log.of.settings.Load().log.Delete && log.of.log.EndOffset()-log.of.log.StartOffset() > int64(max(1, len(log.states)))
}

// needed is the first offset that somebody needs. It needs log.mu.
func (log *shareLog) needed() int64 {
	first := log.latest
	for _, s := range log.states {
		first = min(first, s.snapshot)
	}
	return first
}

// prune deletes the records before those that are needed.
func (s *shares) prune(log *shareLog) {
	log.mu.Lock()
	log.stored = 0
	before := log.needed()
	log.mu.Unlock()
	if before <= log.of.log.StartOffset() {
		return
	}
	_, freed, _ := log.of.deleteRecords(before) // what is not replicated yet waits for the next time
	s.b.janitor.dropped(freed)
}

// pruneLater sets the timer.
func (s *shares) pruneLater() {
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	if s.logs.timer == nil && !s.logs.closed {
		s.logs.timer = s.b.clock.AfterFunc(s.b.config.Load().Duration("share.coordinator.state.topic.prune.interval.ms"), s.pruneAll)
	}
}

// pruneAll prunes all logs, and comes again as long as there is something
// redundant.
func (s *shares) pruneAll() {
	s.logs.mu.Lock()
	if s.logs.closed {
		s.logs.mu.Unlock()
		return
	}
	s.logs.timer = nil
	s.b.running.Add(1)
	s.logs.mu.Unlock()
	defer s.b.running.Done()
	defer s.b.changes.happened()
	cold := s.b.config.Load().Duration("share.coordinator.cold.partition.snapshot.interval.ms")
	again := false
	for _, log := range s.logs.all() {
		for _, key := range log.cold(s.b.clock.Now().Add(-cold)) {
			s.snapshotAgain(key)
		}
		s.prune(log)
		log.mu.Lock()
		again = again || log.redundant()
		log.mu.Unlock()
	}
	if again {
		s.pruneLater()
	}
}

// cold is the states that nobody changed since a time, if it helps to store
// them again.
func (log *shareLog) cold(since time.Time) (keys []share.PartitionKey) {
	log.mu.Lock()
	defer log.mu.Unlock()
	if !log.redundant() {
		return nil
	}
	for key, s := range log.states {
		if s.at <= since.UnixMilli() {
			keys = append(keys, key)
		}
	}
	return keys
}

// snapshotAgain stores the whole of a state that has not changed.
func (s *shares) snapshotAgain(key share.PartitionKey) {
	p := s.find(key)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != nil {
		s.store(key, p.state.SnapshotAgain(key, s.b.nowMs()))
	}
}

// reset forgets all logs.
func (l *shareLogs) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byLog = nil
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// stop ends the timer.
func (l *shareLogs) stop() {
	l.reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
