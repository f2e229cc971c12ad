package broker

import "syscall"

// yieldCore lets the kernel run what else waits for this thread's core, now and
// not when the thread's slice of some milliseconds is over. Go's scheduler is not
// told: to it, that is a thread that lost its core, as any may.
var yieldCore = func() { _, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
