package storage

import (
	"runtime"
	"slices"
	"sync"
)

// block is the memory of a chunk of the largest size. What a log dropped is used
// again, neither cleared nor given back to the machine in between: both cost as
// much as everything else that an append does.
type block [maxChunk]byte

// fewBlocks are not worth a collection.
const fewBlocks = 64

var blocks struct {
	sync.Mutex
	free   []*block // nobody looks at them any more
	idle   int      // so many of free were there all the time since ForgetIdle
	inUse  int      // or not known to be free yet
	taken  int      // of these, since the last collection
	excess int      // so many that become free are not kept
}

// newBlock is a block with any content, and how much of it has its pages.
func newBlock() (buf []byte, populated int) {
	b, due := takeBlock()
	if due {
		collectBlocks()
	}
	if b != nil {
		populated = len(b)
	} else {
		b = new(block)
	}
	// Readers may hold parts of it long after the log has dropped it: the
	// garbage collector knows when the last one is gone.
	runtime.SetFinalizer(b, freeBlock)
	return b[:], populated
}

// collectBlocks finds blocks that are free.
var collectBlocks = func() { go runtime.GC() }

// takeBlock is one that is free, or nil, and whether others should be looked for.
//
// The collector's own pace would not do: it doesn't see that a block is taken
// again, and one that it finds counts as in use until the next time. By this one
// as many are taken between two collections as were in use, or twice as many if
// free ones are there.
func takeBlock() (b *block, due bool) {
	blocks.Lock()
	defer blocks.Unlock()
	most := max(fewBlocks, blocks.inUse-blocks.taken)
	if last := len(blocks.free) - 1; last >= 0 {
		b, blocks.free[last] = blocks.free[last], nil
		blocks.free = blocks.free[:last]
		blocks.idle = min(blocks.idle, last)
		most *= 2
	}
	blocks.inUse++
	if blocks.taken++; blocks.taken > most {
		blocks.taken, due = 0, true
	}
	return b, due
}

func freeBlock(b *block) {
	blocks.Lock()
	defer blocks.Unlock()
	blocks.inUse--
	if blocks.excess > 0 {
		blocks.excess--
	} else {
		blocks.free = append(blocks.free, b)
	}
}

// ForgetIdle lets the garbage collector free the memory that no log has used
// since the last call, and says how many bytes that is.
func ForgetIdle() int64 {
	blocks.Lock()
	defer blocks.Unlock()
	n := blocks.idle
	blocks.free = slices.Delete(blocks.free, 0, n)
	blocks.idle = len(blocks.free)
	return int64(n) * maxChunk
}

// ForgetAll lets it free all memory that no log uses.
func ForgetAll() {
	blocks.Lock()
	defer blocks.Unlock()
	blocks.free, blocks.idle = nil, 0
}

// Close says that there won't be another log in l's place: as much memory as it
// has is not kept once it is free. l may still be read.
func (l *Log) Close() {
	n := 0
	for _, c := range l.view.Load().chunks {
		if len(c.buf) == maxChunk {
			n++
		}
	}
	if n > 0 {
		blocks.Lock()
		defer blocks.Unlock()
		blocks.excess += n
	}
}
