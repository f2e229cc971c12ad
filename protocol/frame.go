package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

const (
	// atOnce is how much a FrameReader reads at once: a run of requests that a
	// client has on their way, most times, and still in the processor's cache
	// when the requests are worked on.
	atOnce = 256 << 10
	// fewBytes is enough for clients that send small requests, and for what a
	// silent connection has left of a frame.
	fewBytes = 4 << 10
	// firstAlloc bounds what a frame's size field alone can make us allocate: a
	// larger frame gets its memory as its bytes arrive.
	firstAlloc = 1 << 20
	// maxRecycled keeps rare huge frames from staying in memory.
	maxRecycled = 4 << 20
)

// FrameSizeError is a frame whose size field is not acceptable. The
// connection can't go on: where the next frame begins is unknown.
type FrameSizeError struct {
	Size, Max int32
	Head      [4]byte // the size field's bytes, for Sniff
}

func (e *FrameSizeError) Error() string {
	if e.Size <= 0 {
		return fmt.Sprintf("frame size %d is not positive", e.Size)
	}
	return fmt.Sprintf("frame size %d is over socket.request.max.bytes (%d)", e.Size, e.Max)
}

// FrameReader reads the size-prefixed requests of one connection, as many at
// once as have arrived. While it waits for a request it holds no memory, or only
// what it has of one that is not whole.
type FrameReader struct {
	src  io.Reader
	lazy LazyReader // src, if it is one
	buf  []byte     // nil: nothing is held
	from int        // buf[from:to] was read and not returned
	to   int
	much bool // the client sends more than fewBytes at once
}

// LazyReader is a connection that can wait without memory to read into.
type LazyReader interface {
	// ReadLazily is Read into m.Room(), which it asks for when there may be
	// bytes to read. When there were none it calls m.Idle before it waits.
	ReadLazily(m *FrameReader) (int, error)
}

// NewFrameReader reads from src, which may be a LazyReader.
func NewFrameReader(src io.Reader) *FrameReader {
	r := &FrameReader{src: src}
	r.lazy, _ = src.(LazyReader)
	return r
}

// Next returns the next frame without its size. It is valid until the next call
// of Next, More or Release. limit is socket.request.max.bytes. io.EOF means that
// the peer closed between frames; io.ErrUnexpectedEOF, inside one. After a
// FrameSizeError, Unread begins with that size.
func (r *FrameReader) Next(limit int32) ([]byte, error) {
	for !r.hasSize() {
		if err := r.More(); err != nil {
			return nil, err
		}
	}
	size := r.size()
	if size <= 0 || size > limit {
		return nil, &FrameSizeError{Size: size, Max: limit, Head: [4]byte(r.buf[r.from:])}
	}
	for !r.Buffered() {
		if err := r.More(); err != nil {
			return nil, err
		}
	}
	begin := r.from + 4
	r.from = begin + int(size)
	return r.buf[begin:r.from:r.from], nil
}

func (r *FrameReader) hasSize() bool { return r.to-r.from >= 4 }

func (r *FrameReader) size() int32 { return int32(binary.BigEndian.Uint32(r.buf[r.from:])) }

// Lazy says whether it reads from a LazyReader.
func (r *FrameReader) Lazy() bool { return r.lazy != nil }

// Buffered says whether a complete frame is there already: then an answer need
// not be sent yet.
func (r *FrameReader) Buffered() bool {
	if !r.hasSize() {
		return false
	}
	size := r.size()
	return size > 0 && r.to-r.from-4 >= int(size)
}

// Unread is what was read and not returned.
func (r *FrameReader) Unread() []byte { return r.buf[r.from:r.to] }

// More reads once, behind what is unread. The error is as Next's.
func (r *FrameReader) More() error {
	var n int
	var err error
	if r.lazy != nil {
		n, err = r.lazy.ReadLazily(r)
	} else {
		n, err = r.src.Read(r.Room())
	}
	if n > 0 {
		r.to += n
		r.much = r.much || r.to == len(r.buf)
		return nil
	}
	r.Idle()
	if err == io.EOF && r.to > r.from {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Release gives back the memory of the last frame, unless more was read.
func (r *FrameReader) Release() {
	if r.buf != nil && r.from == r.to {
		if r.to > 0 {
			r.much = r.to > fewBytes
		}
		recycle(r.buf)
		r.buf, r.from, r.to = nil, 0, 0
	}
}

// Room is where to read into. If the frame that is to come is known and is not
// large, there is room for it.
func (r *FrameReader) Room() []byte {
	r.Release()
	unread, need := r.to-r.from, 4
	if r.hasSize() {
		need += max(0, int(r.size()))
	}
	switch {
	case r.buf == nil && r.much && r.lazy != nil:
		r.buf = take(atOnce)
	case r.buf == nil:
		r.buf = take(fewBytes)
	case need <= len(r.buf)-r.from:
	case need <= len(r.buf): // it fits, but not where it is
		r.from, r.to = 0, copy(r.buf, r.buf[r.from:r.to])
	case len(r.buf) < atOnce || r.to == len(r.buf):
		r.move(max(atOnce, min(need, max(firstAlloc, 2*unread))))
	}
	return r.buf[r.to:]
}

// Idle keeps little while nothing is to be read.
func (r *FrameReader) Idle() {
	r.Release()
	if r.to-r.from < fewBytes && len(r.buf) > fewBytes {
		r.move(fewBytes)
	}
}

// move puts what is unread into memory of another size.
func (r *FrameReader) move(size int) {
	old := r.buf
	r.buf = take(size)
	r.from, r.to = 0, copy(r.buf, old[r.from:r.to])
	recycle(old)
}

// Memory of frames: of fewBytes, of atOnce, and larger.
var few, usual, large sync.Pool

func take(size int) []byte {
	switch {
	case size <= fewBytes:
		if b, ok := few.Get().(*[fewBytes]byte); ok {
			return b[:]
		}
		return make([]byte, fewBytes)
	case size <= atOnce:
		if b, ok := usual.Get().(*[atOnce]byte); ok {
			return b[:]
		}
		return make([]byte, atOnce)
	}
	if b, ok := large.Get().(*[]byte); ok && len(*b) >= size {
		return *b
	}
	return make([]byte, size)
}

func recycle(b []byte) {
	switch {
	case len(b) == fewBytes:
		few.Put((*[fewBytes]byte)(b))
	case len(b) == atOnce:
		usual.Put((*[atOnce]byte)(b))
	case len(b) <= maxRecycled:
		kept := b // or each call would move b to the heap
		large.Put(&kept)
	}
}
