//go:build unix

package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"minibroker/internal/clock"
	"minibroker/protocol"
)

// overTCP is both ends of a connection, and its first as a socket whose waits
// are told to idle.
func overTCP(t *testing.T, idle func() error) (*socket, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []net.Conn{near, far} {
		t.Cleanup(func() { _ = nc.Close() })
		if err := nc.SetDeadline(clock.Real{}.Now().Add(time.Minute)); err != nil { // a test that fails gets that far
			t.Fatal(err)
		}
	}
	s, ok := asSocket(near, idle).(*socket)
	if !ok {
		t.Fatal("a TCP connection is no socket")
	}
	return s, far
}

func TestASocketSaysBeforeItWaits(t *testing.T) {
	waits := make(chan struct{}, 10)
	s, far := overTCP(t, func() error { waits <- struct{}{}; return nil })
	in := protocol.NewFrameReader(s)
	go func() {
		<-waits
		_, _ = far.Write([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x03c"))
		<-waits // for the rest of the second frame
		_, _ = far.Write([]byte("de"))
		<-waits
		_ = far.Close()
	}()
	for _, want := range []string{"ab", "cde"} {
		if got, err := in.Next(100); err != nil || string(got) != want {
			t.Fatalf("the next frame is %q (%v), want %q", got, err, want)
		}
	}
	if _, err := in.Next(100); err != io.EOF {
		t.Errorf("at the end the error is %v, want io.EOF", err)
	}
}

func TestAnErrorBeforeAWaitEndsTheRead(t *testing.T) {
	full := errors.New("full")
	s, _ := overTCP(t, func() error { return full })
	if _, err := protocol.NewFrameReader(s).Next(100); err != full {
		t.Errorf("the error is %v, want %v", err, full)
	}
}

// TestASocketSendsAll holds that answers arrive whole when the client takes its
// time to read: then the kernel takes a part of one, or nothing.
func TestASocketSendsAll(t *testing.T) {
	s, far := overTCP(t, nil)
	if err := errors.Join(s.Conn.(*net.TCPConn).SetWriteBuffer(64<<10), far.(*net.TCPConn).SetReadBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	const answers = 400
	var want []byte
	for i := range answers {
		want = append(want, bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i)), 1+i*writtenNow/4/answers*2)...)
	}
	sent := make(chan error)
	go func() {
		for i, rest := 0, want; i < answers; i++ {
			n := 4 * (1 + i*writtenNow/4/answers*2)
			parts := net.Buffers{rest[:n]}
			if k := i % (2 * partsNow); k > 0 { // cut in up to so many
				parts = slices.Collect(slices.Chunk(rest[:n], (n+k-1)/k))
			}
			if err := s.WriteParts(parts); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- s.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrive, and not what the %d were", len(got), len(want))
	}
	if err := s.WriteParts(net.Buffers{[]byte("more")}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing to a closed socket fails with %v, want net.ErrClosed", err)
	}
}

// TestTheSchedulerIsToldOfRunsOfReads holds that a client that is never waited
// for can't keep a processor for itself.
func TestTheSchedulerIsToldOfRunsOfReads(t *testing.T) {
	var s socket
	var told []int
	for i := range 3 * inARow {
		if s.longRun() {
			told = append(told, i)
		}
	}
	if want := []int{inARow - 1, 2*inARow - 1, 3*inARow - 1}; !slices.Equal(told, want) {
		t.Errorf("it is told of the reads %d, want %d", told, want)
	}
}
