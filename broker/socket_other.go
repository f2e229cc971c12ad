//go:build !unix

package broker

import (
	"net"

	"minibroker/protocol"
)

// socket is what a connection has on other systems.
type socket struct{ net.Conn }

func newSocket(net.Conn, func() error) *socket { return nil }

func (*socket) ReadLazily(*protocol.FrameReader) (int, error) { panic("there are no sockets") }

func (*socket) WriteParts(net.Buffers) error { panic("there are no sockets") }
