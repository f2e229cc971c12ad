package storage

import (
	"bytes"
	"runtime"
	"testing"
	"unsafe"
)

// blocksOf is where the blocks of a new log are, which has a batch with one
// record of each timestamp, and the last one's first bytes.
func blocksOf(t *testing.T, closed bool) (at map[uintptr]bool, held []byte) {
	const size = 16 << 10
	l := New(0)
	for i := range 64 << 20 / size {
		l.Append(sized(size, 1, int64(i)), 0, benchConfig(), 0)
	}
	at = make(map[uintptr]bool)
	for _, c := range l.view.Load().chunks {
		if len(c.buf) == maxChunk {
			held = c.batch(0)
			at[uintptr(unsafe.Pointer(unsafe.SliceData(c.buf)))] = true
		}
	}
	for b := range l.Batches(0, l.EndOffset()) {
		if b.MaxTimestamp() != b.BaseOffset() || len(b) != size || bytes.Count(b[61:], []byte{0}) != size-61 {
			t.Fatalf("the batch at %d is not what was appended", b.BaseOffset())
		}
	}
	if closed {
		l.Close()
	}
	return at, held
}

// collect runs the garbage collector and the finalizers that follow from it.
func collect() {
	for range 2 { // a finalizer that was queued before the last one has run
		done := make(chan struct{})
		runtime.SetFinalizer(new(block), func(*block) { close(done) })
		runtime.GC()
		<-done
	}
}

func TestMemoryIsUsedAgainOnceNobodyReadsIt(t *testing.T) {
	collect() // what other tests have left
	ForgetAll()
	before, held := blocksOf(t, false)
	content := bytes.Clone(held)
	collect()
	after, _ := blocksOf(t, false)
	again := 0
	for at := range after {
		if before[at] {
			again++
		}
	}
	if again < len(after)/2 {
		t.Errorf("%d of %d blocks were used again", again, len(after))
	}
	if after[uintptr(unsafe.Pointer(unsafe.SliceData(held)))] || !bytes.Equal(held, content) {
		t.Error("memory was used again while somebody held a part of it")
	}

	collect()
	before, free := after, len(blocks.free)
	blocksOf(t, true)
	collect()
	if left := len(blocks.free); left != free-len(before) {
		t.Errorf("of %d free blocks, a log that was closed left %d of its %d", free, left, len(before))
	}
	free = len(blocks.free)
	if got := ForgetIdle(); got != 0 {
		t.Errorf("%d bytes were forgotten that became free just now", got)
	}
	newBlock()
	if got := ForgetIdle(); got != int64(free-1)*maxChunk || len(blocks.free) != 0 {
		t.Errorf("%d bytes of %d blocks, less one that was used, were forgotten; %d blocks are left", got, free, len(blocks.free))
	}
}

// What the log lets go of all the time is enough for what it takes: otherwise
// memory would grow with all that was ever appended.
func TestMemoryOfALogWithRetentionDoesNotGrow(t *testing.T) {
	before := collectBlocks
	collectBlocks = collect
	defer func() { collectBlocks = before }()
	const inUse = 2 * fewBlocks
	var kept [inUse][]byte
	made := 0
	for i := range 20 * inUse {
		buf, populated := newBlock()
		if i >= inUse {
			Dropped(maxChunk)
		}
		if kept[i%inUse] = buf; populated == 0 {
			made++
		}
	}
	if made > 4*inUse {
		t.Errorf("%d blocks were made for %d in use", made, inUse)
	}
	runtime.KeepAlive(&kept)
}
