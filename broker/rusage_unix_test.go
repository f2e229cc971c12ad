//go:build unix

package broker

import (
	"syscall"
	"time"
)

// processCPU is the CPU time that the process has used, in the kernel too.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
