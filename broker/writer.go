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
	held  *answerMemory // nil while nothing is pending
	start int           // where in held.encoded the unfinished part begins
	size  int           // bytes in held.parts
}

// answerMemory is what pending answers need.
type answerMemory struct {
	encoded []byte      // of which only what follows answerWriter.start is not in parts yet
	parts   net.Buffers // finished parts, in order
	unsent  net.Buffers // the last of parts, while they are being sent
}

// partsWriter is a connection that has a quicker way than net.Buffers.WriteTo.
type partsWriter interface {
	// WriteParts sends all parts, in order, and forgets those that it sent.
	WriteParts(parts net.Buffers) error
}

const (
	// flushAbove bounds what is gathered before it is sent.
	flushAbove = 256 << 10
	// maxRecycled and manyParts keep rare huge answers from staying in memory.
	maxRecycled = 4 << 20
	manyParts   = 1024
)

var answerMemories = sync.Pool{New: func() any { return &answerMemory{encoded: make([]byte, 0, 1024)} }}

// bytes returns the buffer to append to; the result goes to setBytes.
func (a *answerWriter) bytes() []byte {
	if a.held == nil {
		a.held = answerMemories.Get().(*answerMemory)
	}
	return a.held.encoded
}

func (a *answerWriter) setBytes(b []byte) { a.held.encoded = b }

// cut finishes the part that bytes has gathered so far, so that slices of logs
// can follow it.
func (a *answerWriter) cut() {
	b := a.bytes()
	if a.start < len(b) {
		a.add(b[a.start:len(b):len(b)])
		a.start = len(b)
	}
}

// add appends p, behind what was cut, to what will be sent, without copying it.
// p must not change any more.
func (a *answerWriter) add(p []byte) {
	a.held.parts = append(a.held.parts, p)
	a.size += len(p)
}

// pending is the number of bytes waiting to be sent.
func (a *answerWriter) pending() int {
	if a.held == nil {
		return 0
	}
	return a.size + len(a.held.encoded) - a.start
}

// flush sends all that is pending.
func (a *answerWriter) flush() error {
	m := a.held
	if m == nil {
		return nil
	}
	var err error
	if a.cut(); a.size > 0 {
		if w, ok := a.w.(partsWriter); ok {
			err = w.WriteParts(m.parts)
		} else {
			m.unsent = m.parts
			_, err = m.unsent.WriteTo(a.w)
		}
	}
	clear(m.parts)
	if cap(m.encoded) <= maxRecycled && cap(m.parts) <= manyParts {
		m.encoded, m.parts, m.unsent = m.encoded[:0], m.parts[:0], nil
		answerMemories.Put(m)
	}
	a.held, a.start, a.size = nil, 0, 0
	return err
}
