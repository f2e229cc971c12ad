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
	idle func() error          // called before it waits
	into *protocol.FrameReader
	n    int
	err  error
}

// lazily is nc, as a protocol.LazyReader if it is a socket: then idle is called
// each time before it waits, and its error ends the read.
func lazily(nc net.Conn, idle func() error) io.Reader {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nc
	}
	s := &lazySocket{Conn: nc, raw: raw, idle: idle}
	s.try = s.read
	return s
}

func (s *lazySocket) ReadLazily(m *protocol.FrameReader) (int, error) {
	s.into = m
	if err := s.raw.Read(s.try); err != nil {
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
func (s *lazySocket) read(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), s.into.Room())
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.into.Idle()
			s.err = s.idle()
			return s.err != nil
		default:
			s.n, s.err = n, os.NewSyscallError("read", err)
			return true
		}
	}
}
