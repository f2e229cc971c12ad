package storage

import "syscall"

// madvPopulateWrite is MADV_POPULATE_WRITE, of Linux 5.14 and later.
const madvPopulateWrite = 23

// populate has the kernel make the pages of b, which begins with one, at once:
// that costs less than a fault for each. A kernel that can't, or has larger
// pages than b begins with, makes them at the first write as ever.
func populate(b []byte) { _ = syscall.Madvise(b, madvPopulateWrite) }
