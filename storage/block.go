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
	excess int      // so many that become free are not kept
	// dropped is how many bytes of those in use no log needs, as far as that is
	// known and the garbage collector was not told to find them.
	dropped int64
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
// The collector's own pace would not do: it doesn't see that a block is taken
// again. By this one, logs' memory is at most about twice what they hold.
func takeBlock() (b *block, due bool) {
	blocks.Lock()
	defer blocks.Unlock()
	if last := len(blocks.free) - 1; last >= 0 {
		b, blocks.free[last] = blocks.free[last], nil
		blocks.free = blocks.free[:last]
		blocks.idle = min(blocks.idle, last)
	} else if held := int64(blocks.inUse)*maxChunk - blocks.dropped; blocks.dropped >= max(fewBlocks*maxChunk, held) {
		blocks.dropped, due = 0, true
	}
	blocks.inUse++
	return b, due
}

// Dropped says that logs let go of so many bytes.
func Dropped(bytes int64) {
	blocks.Lock()
	defer blocks.Unlock()
	blocks.dropped += bytes
}

func freeBlock(b *block) {
	blocks.Lock()
	defer blocks.Unlock()
	blocks.inUse--
	blocks.dropped = max(0, blocks.dropped-maxChunk)
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
