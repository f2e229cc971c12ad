package storage

import (
	"runtime"
	"sync"
)

// block is the memory of a chunk of the largest size. What a log dropped is used
// again, neither cleared nor given back to the machine in between: both cost as
// much as everything else that an append does.
type block [maxChunk]byte

// blocks are those that nobody looks at any more. As in any sync.Pool, the
// garbage collector frees what is not taken in time.
var blocks sync.Pool

// newBlock is a block with any content, and how much of it has its pages.
func newBlock() (buf []byte, populated int) {
	b, used := blocks.Get().(*block)
	if used {
		populated = len(b)
	} else {
		b = new(block)
	}
	// Readers may hold parts of it long after the log has dropped it: the
	// garbage collector knows when the last one is gone.
	runtime.SetFinalizer(b, func(b *block) { blocks.Put(b) })
	return b[:], populated
}

// ForgetBlocks lets the garbage collector free all that could be used again.
func ForgetBlocks() {
	for blocks.Get() != nil {
	}
}
