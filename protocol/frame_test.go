package protocol

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const limit = 1 << 20

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestReadFrameReturnsEachFrameAndThenTheEnd(t *testing.T) {
	bodies := [][]byte{[]byte("a"), bytes.Repeat([]byte("b"), 9000), []byte("ccc")}
	var stream []byte
	for _, b := range bodies {
		stream = append(stream, framed(b)...)
	}
	r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
	var buf []byte
	for _, want := range bodies {
		got, err := ReadFrame(r, buf, limit)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes and %v, want %d bytes", len(got), err, len(want))
		}
		buf = got
	}
	if _, err := ReadFrame(r, buf, limit); err != io.EOF {
		t.Fatalf("after the last frame: %v, want io.EOF", err)
	}
}

func TestReadFrameRefusesSizesWithoutAllocating(t *testing.T) {
	for _, size := range []int32{0, -1, math.MinInt32, limit + 1, math.MaxInt32} { // behaviour 11
		r := bufio.NewReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, uint32(size))))
		buf, err := ReadFrame(r, nil, limit)
		var sizeErr *FrameSizeError
		if !errors.As(err, &sizeErr) || sizeErr.Size != size {
			t.Errorf("size %d: error %v", size, err)
		}
		if cap(buf) != 0 {
			t.Errorf("size %d allocated %d bytes", size, cap(buf))
		}
	}
}

func TestReadFrameAllocatesAsBytesArrive(t *testing.T) {
	// A client that promises 100 MiB and sends 10 bytes must not cost 100 MiB.
	stream := append(binary.BigEndian.AppendUint32(nil, 100<<20), make([]byte, 10)...)
	_, err := ReadFrame(bufio.NewReader(bytes.NewReader(stream)), nil, 100<<20)
	if err != io.ErrUnexpectedEOF {
		t.Fatalf("a cut frame gives %v", err)
	}
	allocated := testing.AllocsPerRun(1, func() {
		_, _ = ReadFrame(bufio.NewReader(bytes.NewReader(stream)), nil, 100<<20)
	})
	if allocated > 8 {
		t.Fatalf("%v allocations for a cut frame", allocated)
	}
	big := framed(bytes.Repeat([]byte("x"), 3*firstAlloc+17))
	got, err := ReadFrame(bufio.NewReader(bytes.NewReader(big)), nil, 100<<20)
	if err != nil || !bytes.Equal(got, big[4:]) {
		t.Fatalf("a frame above the first allocation: %d bytes, %v", len(got), err)
	}
}

func TestFrameBufferedOnlyForWholeFrames(t *testing.T) {
	r := bufio.NewReader(bytes.NewReader(append(framed([]byte("one")), framed([]byte("two"))[:5]...)))
	if FrameBuffered(r) {
		t.Fatal("nothing was read yet")
	}
	_, _ = r.Peek(1)
	if !FrameBuffered(r) {
		t.Fatal("a whole frame is buffered")
	}
	_, _ = ReadFrame(r, nil, limit)
	if FrameBuffered(r) {
		t.Fatal("the second frame is cut")
	}
}

func TestSniffTellsHTTPAndTLSFromKafka(t *testing.T) {
	for head, want := range map[string]Stranger{
		"GET ": HTTP, "POST": HTTP, "PRI ": HTTP,
		"\x16\x03\x01\x02": TLS, "\x16\x03\x03\x00": TLS,
		"\x00\x00\x00\x20": Unknown, "\xff\xff\xff\xff": Unknown,
	} {
		if got := Sniff([4]byte([]byte(head))); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

func TestParseHeaderAgreesWithKmsgInEveryVersion(t *testing.T) {
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("somebody"))
	for _, api := range APIs() {
		for v := api.Min; v <= api.Max; v++ {
			req := kmsg.RequestForKey(api.Key)
			req.SetVersion(v)
			frame := f.AppendRequest(nil, req, 77)[4:]
			h, body, err := ParseHeader(frame, api.Flexible(v))
			if err != nil {
				t.Fatalf("%s v%d: %v", api.Name, v, err)
			}
			if h.Key != api.Key || h.Version != v || h.CorrelationID != 77 || string(h.ClientID) != "somebody" {
				t.Fatalf("%s v%d: header %+v", api.Name, v, h)
			}
			if want := req.AppendTo(nil); !bytes.Equal(body, want) {
				t.Fatalf("%s v%d: body %x, want %x", api.Name, v, body, want)
			}
		}
	}
}

func TestParseHeaderKeepsNullAndEmptyClientIDsApart(t *testing.T) {
	head := []byte{0, 18, 0, 0, 0, 0, 0, 1}
	for tail, wantNil := range map[string]bool{"\xff\xff": true, "\x00\x00": false} {
		h, body, err := ParseHeader(append(bytes.Clone(head), tail...), false)
		if err != nil || len(body) != 0 || (h.ClientID == nil) != wantNil {
			t.Errorf("%x: %+v %v", tail, h, err)
		}
	}
}

func TestParseHeaderSkipsUnknownTags(t *testing.T) {
	frame := []byte{0, 3, 0, 9, 0, 0, 0, 1, 0, 1, 'x', 2, 5, 3, 'a', 'b', 'c', 6, 0, 'B'}
	_, body, err := ParseHeader(frame, true)
	if err != nil || string(body) != "B" {
		t.Fatalf("body %q, error %v", body, err)
	}
	for cut := range len(frame) - 1 {
		if _, _, err := ParseHeader(frame[:cut], true); err == nil {
			t.Errorf("a header of %d bytes of %d is taken", cut, len(frame)-1)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(framed([]byte{0, 18, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0}))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0, 0, 0, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		for {
			frame, err := ReadFrame(r, nil, limit)
			if err != nil {
				return
			}
			p, err := ParsePrefix(frame)
			if err != nil {
				continue
			}
			api := APIFor(p.Key)
			if api == nil || !api.Serves(p.Version) {
				continue
			}
			_, body, err := ParseHeader(frame, api.Flexible(p.Version))
			if err != nil {
				continue
			}
			req := kmsg.RequestForKey(p.Key)
			req.SetVersion(p.Version)
			_ = req.ReadFrom(body)
		}
	})
}
