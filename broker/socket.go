//go:build unix

package broker

import (
	"io"
	"net"
	"os"
	"syscall"

	"minibroker/protocol"
)

// This file owns how sockets are read: memory is taken when there are bytes to
// read, so that a connection that waits has none, and still one system call
// reads a whole run of requests.

// lazySocket is a net.Conn over a file descriptor.
type lazySocket struct {
	net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // read, made once
	into *protocol.FrameReader
	n    int
	err  error
}

// lazily is nc, as a protocol.LazyReader if it is a socket.
func lazily(nc net.Conn) io.Reader {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nc
	}
	s := &lazySocket{Conn: nc, raw: raw}
	s.try = s.read
	return s
}

func (s *lazySocket) ReadLazily(m *protocol.FrameReader) (int, error) {
	s.into = m
	if err := s.raw.Read(s.try); err != nil {
		return 0, err
	}
	if s.err != nil {
		return 0, os.NewSyscallError("read", s.err)
	}
	if s.n == 0 {
		return 0, io.EOF
	}
	return s.n, nil
}

// read reads once; false if there is nothing to read yet.
func (s *lazySocket) read(fd uintptr) bool {
	for {
		s.n, s.err = syscall.Read(int(fd), s.into.Room())
		switch s.err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.into.Idle()
			return false
		default:
			return true
		}
	}
}
