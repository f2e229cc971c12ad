package storage

import "minibroker/protocol/record"

// This file owns lookups by time, for ListOffsets.

// OffsetForTimestamp finds the first record, by offset, whose timestamp is at
// least ts: its offset, its timestamp and its batch's leader epoch. Only the
// one batch that has the record is decompressed. Ok is false where all records
// are older (UnifiedLog.fetchOffsetByTimestamp).
func (l *Log) OffsetForTimestamp(ts int64) (offset, timestamp int64, leaderEpoch int32, ok bool) {
	v := l.view.Load()
	for i := v.find(v.start); i < len(v.chunks); i++ {
		c := v.chunks[i]
		_, size := c.published()
		if c.maxTs.Load() < ts {
			continue
		}
		for pos := c.seekTime(ts); pos < size; {
			b := c.batch(pos)
			pos += len(b)
			if b.MaxTimestamp() < ts || b.LastOffset() < v.start {
				continue
			}
			if o, t, found := firstRecord(b, v.start, ts); found {
				return o, t, b.LeaderEpoch(), true
			}
		}
	}
	return -1, -1, -1, false
}

// MaxTimestamp is the first record with the largest timestamp: its offset, its
// timestamp and its batch's leader epoch. Ok is false in an empty log (KIP-734).
func (l *Log) MaxTimestamp() (offset, timestamp int64, leaderEpoch int32, ok bool) {
	v := l.view.Load()
	largest := record.NoTimestamp
	for i := v.find(v.start); i < len(v.chunks); i++ {
		c := v.chunks[i]
		ts := c.maxTs.Load()
		if c.base < v.start && ts > largest {
			// The largest may be below the log start offset.
			ts = maxTimestampFrom(c, v.start)
		}
		largest = max(largest, ts)
	}
	return l.OffsetForTimestamp(largest)
}

// firstRecord is the first record of b at or behind the offset from with a
// timestamp of at least ts.
func firstRecord(b record.Batch, from, ts int64) (offset, timestamp int64, ok bool) {
	for r, err := range b.Records(nil) {
		if err != nil {
			break
		}
		if r.Offset >= from && r.Timestamp >= ts {
			return r.Offset, r.Timestamp, true
		}
	}
	return 0, 0, false
}

// maxTimestampFrom is the largest timestamp of the records in c at or behind the
// offset from, which one of its batches may have in its middle.
func maxTimestampFrom(c *chunk, from int64) int64 {
	largest := record.NoTimestamp
	_, size := c.published()
	for pos := c.seek(from, size); pos < size; {
		b := c.batch(pos)
		pos += len(b)
		if b.BaseOffset() >= from {
			if b.NumRecords() > 0 {
				largest = max(largest, b.MaxTimestamp())
			}
			continue
		}
		for r, err := range b.Records(nil) {
			if err == nil && r.Offset >= from {
				largest = max(largest, r.Timestamp)
			}
		}
	}
	return largest
}
