package share

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
)

// State is what the share coordinator keeps of one partition in one group, and
// stores in __share_group_state (Kafka's ShareCoordinatorShard). This file owns
// it, its requests and its records.
type State struct {
	SnapshotEpoch, StateEpoch, LeaderEpoch int32
	Start                                  int64 // -1: the group has not begun here
	Complete                               int32 // records from Start on that are done; -1: unknown
	Batches                                []StateBatch
	Created, Written                       int64 // ms since 1970

	// The highest epochs that were seen: who comes with lower ones is fenced.
	leaderSeen, stateSeen int32
	updates               int // since the last snapshot
}

// Record is a record to store.
type Record struct {
	Key   []byte
	Value []byte // nil: a tombstone
}

// IsSnapshot tells whether the record has a whole state.
func (r Record) IsSnapshot() bool {
	return r.Value != nil && binary.BigEndian.Uint16(r.Key) == snapshotRecord
}

// PartitionKey names a partition in a group.
type PartitionKey struct {
	Group     string
	Topic     [16]byte
	Partition int32
}

// Texts of Kafka's errors, where the protocol has none of its own.
const (
	textFencedState  = "The share coordinator rejected the request because the share-group state epoch did not match."
	textFencedLeader = "The leader epoch in the request is older than the epoch on the broker."
)

// Initialize begins anew at start, or continues a state that is nil. The error
// is FENCED_STATE_EPOCH.
func Initialize(s *State, key PartitionKey, stateEpoch int32, start, nowMs int64) (*State, Record, *Refusal) {
	next := &State{StateEpoch: stateEpoch, Start: start, Created: nowMs, Written: nowMs, stateSeen: stateEpoch}
	if start == -1 {
		next.Complete = -1
	}
	if s != nil {
		if stateEpoch != -1 && s.stateSeen > stateEpoch {
			return s, Record{}, refuse(kerr.FencedStateEpoch, textFencedState)
		}
		next.SnapshotEpoch = s.SnapshotEpoch + 1
		next.leaderSeen, next.stateSeen, next.updates = s.leaderSeen, max(s.stateSeen, stateEpoch), s.updates
	}
	return next, next.snapshot(key), nil
}

// Read tells who leads the partition since leaderEpoch of the state; -1: it
// does not say. The errors are FENCED_LEADER_EPOCH and INVALID_REQUEST.
func Read(s *State, key PartitionKey, leaderEpoch int32, updatesPerSnapshot int, nowMs int64) ([]Record, *Refusal) {
	switch {
	case s == nil:
		return nil, refuse(kerr.InvalidRequest, "Read operation on uninitialized share partition not allowed.")
	case leaderEpoch != -1 && s.leaderSeen > leaderEpoch:
		return nil, refuse(kerr.FencedLeaderEpoch, textFencedLeader)
	case leaderEpoch == -1 || s.leaderSeen == leaderEpoch:
		return nil, nil
	}
	s.leaderSeen, s.LeaderEpoch = leaderEpoch, leaderEpoch
	return []Record{s.write(key, Write{StateEpoch: s.StateEpoch, Start: s.Start, Complete: s.Complete}, updatesPerSnapshot, nowMs)}, nil
}

// Put stores a change of the state by who leads since leaderEpoch. The errors
// are INVALID_REQUEST, FENCED_LEADER_EPOCH and FENCED_STATE_EPOCH.
func Put(s *State, key PartitionKey, leaderEpoch int32, w Write, updatesPerSnapshot int, nowMs int64) (Record, *Refusal) {
	switch {
	case s == nil:
		return Record{}, refuse(kerr.InvalidRequest, "Write operation on uninitialized share partition not allowed.")
	case leaderEpoch != -1 && s.leaderSeen > leaderEpoch:
		return Record{}, refuse(kerr.FencedLeaderEpoch, textFencedLeader)
	case w.StateEpoch != -1 && s.stateSeen > w.StateEpoch:
		return Record{}, refuse(kerr.FencedStateEpoch, textFencedState)
	}
	return s.write(key, w, updatesPerSnapshot, nowMs), nil
}

// write makes a change, and the record of it: the change alone or, from time to
// time, the whole state.
func (s *State) write(key PartitionKey, w Write, updatesPerSnapshot int, nowMs int64) Record {
	if w.Start != -1 {
		s.Start = w.Start
		s.prune()
	}
	s.Complete = w.Complete
	for _, b := range w.Batches {
		if b.Last < s.Start && s.Start != -1 {
			continue
		}
		b.First = max(b.First, s.Start)
		s.Batches = merge(s.Batches, b)
	}
	if s.updates >= updatesPerSnapshot {
		return s.SnapshotAgain(key, nowMs)
	}
	s.updates++
	var batches []StateBatch
	for _, b := range w.Batches {
		if w.Start != -1 {
			if b.Last < w.Start {
				continue
			}
			b.First = max(b.First, w.Start)
		}
		batches = merge(batches, b)
	}
	return s.update(key, w, batches)
}

// SnapshotAgain is the record of the whole state, for which older ones are not
// needed any more.
func (s *State) SnapshotAgain(key PartitionKey, nowMs int64) Record {
	s.updates = 0
	s.SnapshotEpoch++
	s.Created, s.Written = nowMs, nowMs
	return s.snapshot(key)
}

// prune drops what is before the start.
func (s *State) prune() {
	i := sort.Search(len(s.Batches), func(i int) bool { return s.Batches[i].Last >= s.Start })
	s.Batches = s.Batches[i:]
	if len(s.Batches) > 0 && s.Batches[0].First < s.Start {
		s.Batches[0].First = s.Start
	}
}

// newer tells whether a goes before b where both are about one record: it was
// delivered more often or, if not, is further in its life.
func (b StateBatch) newer(o StateBatch) bool {
	if b.DeliveryCount != o.DeliveryCount {
		return b.DeliveryCount > o.DeliveryCount
	}
	return b.State >= o.State
}

// merge puts n among batches that are in order and do not overlap
// (org.apache.kafka.coordinator.share.PersisterStateBatchCombiner). The result
// may use the memory of all.
func merge(all []StateBatch, n StateBatch) []StateBatch {
	// Neighbours, too: they may become one with n.
	i := sort.Search(len(all), func(i int) bool { return all[i].Last+1 >= n.First })
	j := i + sort.Search(len(all)-i, func(j int) bool { return all[i+j].First > n.Last+1 })
	var small [8]StateBatch
	pieces := small[:0]
	add := func(b StateBatch, first, last int64) {
		if first > last {
			return
		}
		b.Range = Range{first, last}
		if k := len(pieces) - 1; k >= 0 && pieces[k].Last+1 == first && pieces[k].same(b) {
			pieces[k].Last = last
			return
		}
		pieces = append(pieces, b)
	}
	at := n.First // n has its say up to here
	for _, o := range all[i:j] {
		add(o, o.First, min(o.Last, n.First-1))
		add(n, at, min(o.First-1, n.Last))
		winner := o
		if n.newer(o) {
			winner = n
		}
		add(winner, max(o.First, n.First), min(o.Last, n.Last))
		at = max(at, o.Last+1)
		add(o, max(o.First, n.Last+1), o.Last)
	}
	add(n, at, n.Last)
	return slices.Replace(all, i, j, pieces...)
}

// The types of keys in __share_group_state (CoordinatorRecordType of the share
// coordinator).
const (
	snapshotRecord = 0
	updateRecord   = 1
)

func (k PartitionKey) append(kind uint16) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+2+len(k.Group)+16+4), kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(k.Group)))
	b = append(b, k.Group...)
	b = append(b, k.Topic[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(k.Partition))
}

// Tombstone is the record of a state that was deleted.
func Tombstone(key PartitionKey) Record { return Record{Key: key.append(snapshotRecord)} }

// snapshot is the record of the whole state (ShareSnapshotValue).
func (s *State) snapshot(key PartitionKey) Record {
	v := make([]byte, 0, 2+3*4+3*8+4+len(s.Batches)*20+8)
	v = binary.BigEndian.AppendUint16(v, 0)
	v = binary.BigEndian.AppendUint32(v, uint32(s.SnapshotEpoch))
	v = binary.BigEndian.AppendUint32(v, uint32(s.StateEpoch))
	v = binary.BigEndian.AppendUint32(v, uint32(s.LeaderEpoch))
	v = binary.BigEndian.AppendUint64(v, uint64(s.Start))
	v = binary.BigEndian.AppendUint64(v, uint64(s.Created))
	v = binary.BigEndian.AppendUint64(v, uint64(s.Written))
	v = appendBatches(v, s.Batches)
	return Record{key.append(snapshotRecord), appendComplete(v, s.Complete)}
}

// update is the record of a change (ShareUpdateValue).
func (s *State) update(key PartitionKey, w Write, batches []StateBatch) Record {
	v := make([]byte, 0, 2+2*4+8+4+len(batches)*20+8)
	v = binary.BigEndian.AppendUint16(v, 0)
	v = binary.BigEndian.AppendUint32(v, uint32(s.SnapshotEpoch))
	v = binary.BigEndian.AppendUint32(v, uint32(s.LeaderEpoch))
	v = binary.BigEndian.AppendUint64(v, uint64(w.Start))
	v = appendBatches(v, batches)
	return Record{key.append(updateRecord), appendComplete(v, w.Complete)}
}

func appendBatches(v []byte, batches []StateBatch) []byte {
	v = binary.AppendUvarint(v, uint64(len(batches))+1)
	for _, b := range batches {
		v = binary.BigEndian.AppendUint64(v, uint64(b.First))
		v = binary.BigEndian.AppendUint64(v, uint64(b.Last))
		v = append(v, byte(b.State))
		v = binary.BigEndian.AppendUint16(v, uint16(b.DeliveryCount))
		v = append(v, 0)
	}
	return v
}

// appendComplete adds the tags: the count, unless it is the default of -1.
func appendComplete(v []byte, complete int32) []byte {
	if complete == -1 {
		return append(v, 0)
	}
	v = append(v, 1, 0, 4)
	return binary.BigEndian.AppendUint32(v, uint32(complete))
}

// Clone copies a state; nil is nil.
func (s *State) Clone() *State {
	if s == nil {
		return nil
	}
	c := *s
	c.Batches = slices.Clone(s.Batches)
	return &c
}
