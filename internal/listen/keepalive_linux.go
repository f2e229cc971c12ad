package listen

import (
	"net"
	"strings"
	"syscall"
)

// keepAlive looks for peers that went away without a word, at the times that package net has. Linux gives a connection the
// options of the socket that it came to: set there once, they save each connection four system calls.
func keepAlive(c *net.ListenConfig) {
	c.KeepAlive = -1 // not for each connection
	c.Control = func(network, _ string, raw syscall.RawConn) (err error) {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		failed := raw.Control(func(fd uintptr) {
			for _, o := range []struct{ level, option, value int }{
				{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
				{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},  // seconds
				{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15}, // seconds
				{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
			} {
				if err = syscall.SetsockoptInt(int(fd), o.level, o.option, o.value); err != nil {
					return
				}
			}
		})
		if failed != nil {
			return failed
		}
		return err
	}
}
