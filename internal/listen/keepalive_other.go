//go:build !linux

package listen

import "net"

// keepAlive is left to package net, which does it for each connection.
func keepAlive(l net.Listener) net.Listener { return l }

// keptAliveByNet is how package net is to do it: as it does.
const keptAliveByNet = 0
