//go:build !linux

package listen

import "net"

// keepAlive is left to package net, which sets it for each connection.
func keepAlive(*net.ListenConfig) {}
