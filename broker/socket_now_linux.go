package broker

import (
	"syscall"
	"unsafe"
)

// readNow is read(2) on a socket that never waits.
func readNow(fd int, b []byte) (int, error) {
	return callNow(syscall.SYS_READ, fd, b)
}

// writeNow is write(2) on a socket that never waits. Go ignores the SIGPIPE of
// sockets.
func writeNow(fd int, b []byte) (int, error) {
	return callNow(syscall.SYS_WRITE, fd, b)
}

func callNow(number uintptr, fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
