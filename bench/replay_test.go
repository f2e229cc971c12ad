package main

import (
	"io"
	"net"
	"testing"
)

func TestPumpEndsWhenTheServerDies(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = io.ReadFull(far, make([]byte, 8)) // one request, of which the answer never comes
		_ = far.Close()
	}()
	c := &client{nc: near}
	if _, err := c.pump(load{frames: make([]byte, 8), n: 1, times: 100, depth: 1}); err == nil {
		t.Error("no error")
	}
}
