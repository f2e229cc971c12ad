//go:build linux && !race

package broker

import (
	"net"
	"syscall"
	"unsafe"
)

// readNow is read(2) on a socket that never waits.
func readNow(fd int, b []byte) (int, error) {
	return callNow(syscall.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

// writeNow is writev(2) on a socket that never waits, of at most partsNow parts.
// Go ignores the SIGPIPE of sockets.
func writeNow(fd int, parts net.Buffers) (int, error) {
	if len(parts) == 1 {
		return callNow(syscall.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(parts[0])), len(parts[0]))
	}
	var vec [partsNow]syscall.Iovec
	for i, p := range parts {
		vec[i].Base = unsafe.SliceData(p)
		vec[i].SetLen(len(p))
	}
	return callNow(syscall.SYS_WRITEV, fd, unsafe.Pointer(&vec), len(parts))
}

func callNow(number uintptr, fd int, p unsafe.Pointer, n int) (int, error) {
	done, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(p), uintptr(n))
	if errno != 0 {
		return 0, errno
	}
	return int(done), nil
}
