package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBothSidesMayWriteBeforeEitherReads(t *testing.T) {
	a, b := Pipe("a", "b")
	data := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	for _, c := range []net.Conn{a, b} {
		if n, err := c.Write(data); n != len(data) || err != nil {
			t.Fatalf("wrote %d bytes: %v", n, err)
		}
	}
	for _, c := range []net.Conn{a, b} {
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read something else: %v", err)
		}
	}
}

func TestMuchDataArrivesInOrderWhileWritersWait(t *testing.T) {
	a, b := Pipe("a", "b")
	data := make([]byte, 3*bufferSize+17)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 100_003)
			if _, err := a.Write(rest[:n]); err != nil {
				t.Errorf("cannot write: %v", err)
			}
			rest = rest[n:]
		}
		_ = a.Close()
	})
	got, err := io.ReadAll(b)
	wg.Wait()
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came of %d, or others: %v", len(got), len(data), err)
	}
}

func TestClosingEndsEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe("a", "b")
		_, _ = a.Write([]byte("last"))
		mine, theirs := make(chan error, 1), make(chan error, 1)
		quiet, _ := Pipe("quiet", "b")
		go func() { _, err := quiet.Read(make([]byte, 1)); mine <- err }()
		go func() { _, err := b.Write(make([]byte, 2*bufferSize)); theirs <- err }()
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		_ = quiet.Close()
		if err := <-mine; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read on the closed side ends with %v", err)
		}
		if err := <-theirs; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("a write to the closed side ends with %v", err)
		}
		if got, err := io.ReadAll(b); string(got) != "last" || err != nil {
			t.Errorf("the other side reads %q, %v: want what was written before the close", got, err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the second close answers %v", err)
		}
	})
}

func TestDeadlinesEndCallsAndCanBeTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe("a", "b")
		start := time.Now()
		_ = a.SetDeadline(start.Add(time.Minute))
		_, err := a.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Fatalf("the read ended after %v with %v", time.Since(start), err)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%v is no time-out to clients", err)
		}
		if _, err := a.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write after the deadline: %v", err)
		}
		_ = a.SetDeadline(time.Time{})
		_, _ = b.Write([]byte("x"))
		if _, err := a.Read(make([]byte, 1)); err != nil {
			t.Errorf("a read after the deadline was taken back: %v", err)
		}
		// An old timer must not end a call under a later deadline.
		_ = a.SetReadDeadline(time.Now().Add(time.Second))
		_ = a.SetReadDeadline(time.Now().Add(time.Hour))
		before := time.Now()
		if _, err := a.Read(make([]byte, 1)); err == nil || time.Since(before) != time.Hour {
			t.Errorf("the read ended after %v", time.Since(before))
		}
		_ = a.Close()
		_ = b.Close()
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	here, there := Pipe("a", "b")
	defer here.Close()
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := there.Read(buf)
			if err != nil {
				return
			}
			_, _ = there.Write(buf[:n])
		}
	}()
	buf := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = here.Write(buf)
		_, _ = io.ReadFull(here, buf)
	}
}
