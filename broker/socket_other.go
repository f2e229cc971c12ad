//go:build !unix

package broker

import "net"

func asSocket(nc net.Conn, _ func() error) net.Conn { return nc }
