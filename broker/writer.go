package broker

import (
	"io"
	"net"
	"sync"
)

// answerWriter gathers encoded answers and slices of logs, to send them in one
// writev. An idle one holds no memory.
type answerWriter struct {
	w     io.Writer
	buf   *[]byte     // encoded bytes; only those from start on are not in parts yet
	start int         // where in buf the unfinished part begins
	parts net.Buffers // finished parts, in order
	size  int         // bytes in parts
	kept  net.Buffers // parts' memory, for the next time
}

// partsWriter is a connection that has a quicker way than net.Buffers.WriteTo.
type partsWriter interface {
	// WriteParts sends all parts, in order, and forgets those that it sent.
	WriteParts(parts net.Buffers) error
}

const (
	// flushAbove bounds what is gathered before it is sent.
	flushAbove = 256 << 10
	// maxRecycled keeps rare huge answers from staying in memory.
	maxRecycled = 4 << 20
)

var answerBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// bytes returns the buffer to append to; the result goes to setBytes.
func (a *answerWriter) bytes() []byte {
	if a.buf == nil {
		a.buf = answerBuffers.Get().(*[]byte)
	}
	return *a.buf
}

func (a *answerWriter) setBytes(b []byte) { *a.buf = b }

// cut finishes the part that bytes has gathered so far, so that slices of logs
// can follow it.
func (a *answerWriter) cut() {
	b := a.bytes()
	if a.start < len(b) {
		a.add(b[a.start:len(b):len(b)])
		a.start = len(b)
	}
}

// add appends p to what will be sent, without copying it. p must not change
// any more.
func (a *answerWriter) add(p []byte) {
	if a.parts == nil {
		a.parts = a.kept[:0]
	}
	a.parts = append(a.parts, p)
	a.size += len(p)
}

// pending is the number of bytes waiting to be sent.
func (a *answerWriter) pending() int {
	if a.buf == nil {
		return a.size
	}
	return a.size + len(*a.buf) - a.start
}

// flush sends all that is pending.
func (a *answerWriter) flush() error {
	if a.buf == nil {
		return nil
	}
	var err error
	if a.cut(); a.size > 0 {
		a.kept = a.parts // what sends them moves a.parts forward
		if w, ok := a.w.(partsWriter); ok {
			err = w.WriteParts(a.parts)
		} else {
			_, err = a.parts.WriteTo(a.w)
		}
		clear(a.kept)
		if cap(a.kept) > 64 {
			a.kept = nil
		}
	}
	if cap(*a.buf) <= maxRecycled {
		*a.buf = (*a.buf)[:0]
		answerBuffers.Put(a.buf)
	}
	a.buf, a.start, a.parts, a.size = nil, 0, nil, 0
	return err
}
