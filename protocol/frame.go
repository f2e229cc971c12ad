package protocol

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// firstAlloc bounds what a frame's size field alone can make us allocate: a
// larger frame gets its memory as its bytes arrive.
const firstAlloc = 1 << 20

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

// ReadFrame reads one size-prefixed request into buf, growing it as needed,
// and returns the frame without its size. limit is socket.request.max.bytes.
// io.EOF means that the peer closed between frames; io.ErrUnexpectedEOF,
// inside one.
func ReadFrame(r *bufio.Reader, buf []byte, limit int32) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return buf[:0], err
	}
	size := int32(binary.BigEndian.Uint32(head))
	if size <= 0 || size > limit {
		return buf[:0], &FrameSizeError{Size: size, Max: limit, Head: [4]byte(head)}
	}
	_, _ = r.Discard(4)
	for n := 0; n < int(size); {
		if n >= cap(buf) {
			grown := make([]byte, min(int(size), max(n*2, firstAlloc)))
			copy(grown, buf[:n])
			buf = grown
		}
		upTo := min(int(size), cap(buf))
		m, err := io.ReadFull(r, buf[n:upTo])
		if n += m; err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return buf[:0], err
		}
	}
	return buf[:size], nil
}

// FrameBuffered says whether a complete frame is already in r's buffer: then
// an answer need not be flushed yet.
func FrameBuffered(r *bufio.Reader) bool {
	if r.Buffered() < 4 {
		return false
	}
	head, _ := r.Peek(4)
	size := int32(binary.BigEndian.Uint32(head))
	return size > 0 && r.Buffered()-4 >= int(size)
}
