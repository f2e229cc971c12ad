package storage

import (
	"testing"
	"unsafe"
)

// Pages are made ahead of what is written, but never for much more than that:
// an idle partition holds no memory for records that may not come.
func TestPagesAreMadeAStepAhead(t *testing.T) {
	const size = 16<<10 + 100 // not a whole number of them in a step
	c := newChunk(0, size, maxChunk, 4096)
	for c.populated > 0 { // memory that was used before
		c = newChunk(0, size, maxChunk, 4096)
	}
	if at := uintptr(unsafe.Pointer(&c.buf[0])); at%page != 0 {
		t.Fatalf("the chunk begins at %#x, which the kernel does not take", at)
	}
	b := sized(size, 1, 1)
	n := int64(0)
	for ; c.fits(size, n+1); n++ {
		c.append(b, n, 0)
		_, written := c.published()
		if c.populated < written || c.populated >= written+populateStep || c.populated > len(c.buf) {
			t.Fatalf("%d of %d bytes have pages after %d were written", c.populated, len(c.buf), written)
		}
	}
	for i := range n {
		if got := c.batch(int(i) * size); len(got) != size || got.BaseOffset() != i {
			t.Fatalf("batch %d has offset %d and %d bytes", i, got.BaseOffset(), len(got))
		}
	}

	few := newChunk(0, size, 2*size, 4096)
	few.append(b, 0, 0)
	if few.populated != 0 {
		t.Errorf("%d bytes of a small chunk were made at once", few.populated)
	}
}
