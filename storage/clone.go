package storage

import "slices"

// Clone returns a log with the same records, which may go its own way: neither
// sees what is appended to or removed from the other. It needs the lock that
// Append needs. The bytes are shared, since stored bytes never change, so it
// costs one pointer per chunk.
func (l *Log) Clone() *Log {
	v := *l.view.Load()
	v.chunks, v.closed, v.epochs = slices.Clone(v.chunks), slices.Clone(v.closed), slices.Clone(v.epochs)
	v.end = v.endOffset()
	if n := len(v.chunks); n > 0 {
		// The last chunk still fills up: each log has its own from here on.
		_, size := v.chunks[n-1].published()
		v.chunks[n-1] = v.chunks[n-1].cut(size)
	}
	c := new(Log)
	if l.active != nil {
		active := *l.active
		c.active = &active
	}
	c.view.Store(&v)
	return c
}
