package storage

import (
	"slices"
	"sort"
)

// This file owns the leader epoch cache: which epoch wrote from which offset on
// (KIP-101, org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache).

// epochStart is the offset of the first batch that was written in an epoch.
type epochStart struct {
	epoch int32
	start int64
}

// LatestEpoch is the leader epoch of the newest batch, -1 if there is none.
func (l *Log) LatestEpoch() int32 {
	epochs := l.view.Load().epochs
	if n := len(epochs); n > 0 {
		return epochs[n-1].epoch
	}
	return -1
}

// EndOffsetForEpoch answers OffsetForLeaderEpoch: the largest epoch up to the
// asked one that is known, and the offset behind its last record. Both are -1
// where the asked epoch is -1 or above currentEpoch, the partition's leader
// epoch, which counts as known although nothing may have been written in it.
// An epoch from before all known ones gets itself and the first known one's
// start (KIP-279).
func (l *Log) EndOffsetForEpoch(epoch, currentEpoch int32) (foundEpoch int32, end int64) {
	v := l.view.Load()
	end = v.endOffset()
	if n := len(v.epochs); n > 0 {
		currentEpoch = max(currentEpoch, v.epochs[n-1].epoch)
	}
	switch {
	case epoch == -1 || epoch > currentEpoch:
		return -1, -1
	case epoch == currentEpoch:
		return epoch, end
	}
	i := sort.Search(len(v.epochs), func(i int) bool { return v.epochs[i].epoch > epoch })
	if i > 0 {
		foundEpoch = v.epochs[i-1].epoch
	} else {
		foundEpoch = epoch
	}
	if i < len(v.epochs) {
		end = v.epochs[i].start
	}
	return foundEpoch, end
}

// assignEpoch notes that epoch, larger than all others, begins at start.
// Epochs in which nothing was written that is still there are forgotten.
func assignEpoch(epochs []epochStart, epoch int32, start int64) []epochStart {
	n := len(epochs)
	for n > 0 && epochs[n-1].start >= start {
		n--
	}
	return append(epochs[:n:n], epochStart{epoch, start})
}

// truncateEpochsFromStart forgets what is below the log start offset. The epoch
// of the start offset itself stays, and begins there.
func truncateEpochsFromStart(epochs []epochStart, start int64) []epochStart {
	i := sort.Search(len(epochs), func(i int) bool { return epochs[i].start > start })
	if i == 0 {
		return epochs
	}
	epochs = slices.Clone(epochs[i-1:])
	epochs[0].start = start
	return epochs
}

// truncateEpochsFromEnd forgets the epochs that begin at end or later.
func truncateEpochsFromEnd(epochs []epochStart, end int64) []epochStart {
	i := sort.Search(len(epochs), func(i int) bool { return epochs[i].start >= end })
	return epochs[:i:i]
}
