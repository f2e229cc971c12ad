package storage

import (
	"iter"

	"minibroker/protocol/record"
)

// Read appends to dst the stored bytes of whole batches, beginning with the
// batch that contains the offset from (or the next one, where compaction left
// none), ending before upTo (the high watermark or the last stable offset) and
// before maxBytes are exceeded. With wholeFirst the first batch is there even
// if it is larger than maxBytes, so that a consumer never gets stuck at a large
// record (KIP-74). It returns dst and the number of bytes added: none where
// from is below the start or nothing is stored there, which is the caller's to
// tell apart. Adjacent batches come as one slice, as far as chunks go. It
// allocates nothing beyond dst's growth.
func (l *Log) Read(dst [][]byte, from, upTo int64, maxBytes int, wholeFirst bool) (out [][]byte, n int) {
	v := l.view.Load()
	if from < v.start || from >= upTo {
		return dst, 0
	}
	for i := v.find(from); i < len(v.chunks); i++ {
		c := v.chunks[i]
		end, size := c.published()
		begin, stop := 0, size
		if from > c.base {
			begin = c.seek(from, size)
		}
		if end > upTo {
			stop = c.seek(upTo, size)
		}
		if left := maxBytes - n; stop-begin > left {
			first := len(c.batch(begin))
			if n == 0 && wholeFirst && first > left {
				stop = min(stop, begin+first)
			} else {
				stop = c.floor(begin, begin+left, stop)
			}
		}
		if stop <= begin {
			break
		}
		dst = append(dst, c.buf[begin:stop:stop])
		n += stop - begin
		if stop < size {
			break
		}
	}
	return dst, n
}

// Batches yields the stored batches that have an offset in [from, to), in
// order. They are read-only. It is for tests, the UI and fixtures: Fetch uses
// Read.
func (l *Log) Batches(from, to int64) iter.Seq[record.Batch] {
	return func(yield func(record.Batch) bool) {
		v := l.view.Load()
		from := max(from, v.start)
		for i := v.find(from); i < len(v.chunks); i++ {
			c := v.chunks[i]
			_, size := c.published()
			pos := 0
			if from > c.base {
				pos = c.seek(from, size)
			}
			for pos < size {
				b := c.batch(pos)
				if b.BaseOffset() >= to || !yield(b) {
					return
				}
				pos += len(b)
			}
		}
	}
}
