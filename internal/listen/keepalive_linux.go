package listen

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// keepingAlive is a listener whose connections look for peers that went away
// without a word, at the times that package net has. Linux gives a connection
// the options of the socket that it came to: set there once, they save each
// connection four system calls. They are set when the first connection comes:
// brokers of tests that need none are opened and closed by the thousand.
type keepingAlive struct {
	*net.TCPListener
	begin    sync.Once
	inherits atomic.Bool // those that come now have the options
}

func keepAlive(l net.Listener) net.Listener {
	if l, ok := l.(*net.TCPListener); ok {
		return &keepingAlive{TCPListener: l}
	}
	return l
}

func (l *keepingAlive) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	if !l.inherits.Load() {
		l.begin.Do(func() { control(l.TCPListener, set) })
		// The kernel made the first ones before, and they wait in turn.
		control(c, func(fd int) {
			if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err == nil && on != 0 {
				l.inherits.Store(true)
			} else {
				set(fd)
			}
		})
	}
	return c, nil
}

// set sets the options of a socket, SO_KEEPALIVE last: who inherits it has all.
// As in package net, a socket that refuses does without.
func set(fd int) {
	for _, o := range []struct{ level, option, value int }{
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},  // seconds
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15}, // seconds
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	} {
		_ = syscall.SetsockoptInt(fd, o.level, o.option, o.value)
	}
}

// control does something with a socket; nothing if it is closed.
func control(socket syscall.Conn, do func(fd int)) {
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// keptAliveByNet is how package net is to do it: not at all.
const keptAliveByNet = -1
