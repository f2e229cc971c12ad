//go:build unix

package broker

import (
	"io"
	"net"
	"os"
	"syscall"

	"minibroker/protocol"
)

// This file owns how sockets are read and written. Memory is taken when there
// are bytes to read, so that a connection that waits has none, and still one
// system call reads a whole run of requests.
//
// Calls that can't wait are made without telling Go's scheduler (readNow,
// writeNow). Telling it costs as much as a small call does and wakes the thread
// that looks for calls that take long, which then stays awake: together a tenth
// of a busy broker's processor time. But that thread also takes turns from
// goroutines that never wait, and so it is told now and then.

const (
	// inARow is how many reads may follow each other without a wait until the
	// scheduler is told of one.
	inARow = 8
	// writtenNow is the longest answer that is sent without telling the
	// scheduler, in bytes: the kernel does the receiver's part in the same call.
	writtenNow = 64 << 10
	// partsNow is how many parts such an answer may have.
	partsNow = 16
)

// socket is a net.Conn over a file descriptor.
type socket struct {
	net.Conn
	raw               syscall.RawConn
	tryRead, tryWrite func(fd uintptr) bool // read and write, made once
	idle              func() error          // called before it waits for bytes to read

	into *protocol.FrameReader
	busy int // reads since it waited
	n    int
	err  error

	out     net.Buffers
	written int
}

// asSocket is nc as a socket, or nc itself if it is none. Each time before a socket
// waits for bytes to read it calls idle, whose error ends the read.
func asSocket(nc net.Conn, idle func() error) net.Conn {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nc
	}
	s := &socket{Conn: nc, raw: raw, idle: idle}
	s.tryRead, s.tryWrite = s.read, s.write
	return s
}

// ReadLazily is of protocol.LazyReader.
func (s *socket) ReadLazily(m *protocol.FrameReader) (int, error) {
	s.into = m
	if err := s.raw.Read(s.tryRead); err != nil {
		return 0, err
	}
	if s.err != nil {
		return 0, s.err
	}
	if s.n == 0 {
		return 0, io.EOF
	}
	return s.n, nil
}

// read reads once; false if there is nothing to read yet.
func (s *socket) read(fd uintptr) bool {
	for {
		call := readNow
		if s.longRun() {
			call = syscall.Read
		}
		n, err := call(int(fd), s.into.Room())
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.busy = 0
			s.into.Idle()
			s.err = s.idle()
			return s.err != nil
		default:
			s.n, s.err = n, os.NewSyscallError("read", err)
			return true
		}
	}
}

// longRun counts a read, and says whether it ends a run of inARow.
func (s *socket) longRun() bool {
	if s.busy++; s.busy < inARow {
		return false
	}
	s.busy = 0
	return true
}

// WriteParts is of partsWriter.
func (s *socket) WriteParts(parts net.Buffers) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size <= writtenNow && len(parts) <= partsNow {
		s.out = parts
		err := s.raw.Write(s.tryWrite)
		s.out = nil
		if err != nil || s.written == size {
			return err
		}
		for s.written >= len(parts[0]) {
			s.written -= len(parts[0])
			parts = parts[1:]
		}
		parts[0] = parts[0][s.written:]
	}
	_, err := parts.WriteTo(s.Conn) // which waits, and tells what is wrong
	return err
}

// write writes as much as the kernel takes without a wait.
func (s *socket) write(fd uintptr) bool {
	n, _ := writeNow(int(fd), s.out)
	s.written = max(0, n)
	return true
}
