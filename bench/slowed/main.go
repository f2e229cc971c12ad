//go:build linux

// Command slowed is a minibroker that takes more processor time than it must:
// the guard of the benchmark has to notice.
//
//	slowed PERCENT
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"minibroker/broker"
)

func main() {
	percent := 0
	if len(os.Args) == 2 {
		percent, _ = strconv.Atoi(os.Args[1])
	}
	if percent <= 0 {
		fmt.Fprintln(os.Stderr, "usage: slowed PERCENT")
		os.Exit(2)
	}
	b, err := broker.New(broker.WithPort(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", b.Addr())
	waste(percent)
}

// waste takes so many percent of what all other threads take, on top of it.
func waste(percent int) {
	runtime.LockOSThread()
	for range time.Tick(2 * time.Millisecond) {
		for {
			mine := used(syscall.RUSAGE_THREAD)
			if mine >= (used(syscall.RUSAGE_SELF)-mine)*int64(percent)/100 {
				break
			}
			for i := 0; i < 10_000; i++ {
				runtime.KeepAlive(i)
			}
		}
	}
}

// used is the processor time so far, in ns.
func used(who int) int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u) // it can't fail for oneself
	return u.Utime.Nano() + u.Stime.Nano()
}
