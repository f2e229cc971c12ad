package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const limit = 1 << 20

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// atATime gives at most n bytes for each Read, and says how often it was asked.
type atATime struct {
	r     io.Reader
	n     int
	reads int
}

func (a *atATime) Read(p []byte) (int, error) {
	a.reads++
	return a.r.Read(p[:min(len(p), a.n)])
}

// lazily is a connection that has nothing to read each second time.
type lazily struct {
	*atATime
	t    *testing.T
	most int // bytes that a silent connection may hold
}

func (l *lazily) ReadLazily(m *FrameReader) (int, error) {
	_ = m.Room()
	m.Idle()
	if got := len(m.buf); got > l.most {
		l.t.Errorf("holds %d bytes while it waits, at most %d wanted", got, l.most)
	}
	return l.Read(m.Room())
}

func TestFramesComeWholeHoweverTheyArrive(t *testing.T) {
	small := []int{1, 3, 4, 100, fewBytes - 4, fewBytes, 5000, 20}
	large := []int{atOnce - 4, atOnce - 3, 7, 2*atOnce + 1, 9, 3*firstAlloc + 17, 16 << 10, 16 << 10}
	for step, sizes := range map[int][]int{1: small, 3: small, 1000: slices.Concat(small, large), fewBytes: slices.Concat(small, large), 100_000: slices.Concat(small, large), 10 << 20: slices.Concat(small, large)} {
		framesArrive(t, sizes, step)
	}
}

// framesArrive sends frames of these sizes, so many bytes at a time.
func framesArrive(t *testing.T, sizes []int, step int) {
	t.Helper()
	var bodies [][]byte
	var stream []byte
	for i, n := range sizes {
		body := bytes.Repeat([]byte{byte('a' + i)}, n)
		bodies = append(bodies, body)
		stream = append(stream, framed(body)...)
	}
	src := &atATime{r: bytes.NewReader(stream), n: step}
	lazy := &lazily{atATime: &atATime{r: bytes.NewReader(stream), n: step}, t: t, most: 4*firstAlloc + atOnce}
	for name, r := range map[string]*FrameReader{"plain": NewFrameReader(src), "lazy": NewFrameReader(lazy)} {
		for i, want := range bodies {
			got, err := r.Next(100 << 20)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s, %d bytes at a time, frame %d of %d bytes: got %d bytes and %v", name, step, i, len(want), len(got), err)
			}
		}
		if _, err := r.Next(100 << 20); err != io.EOF {
			t.Fatalf("%s, after the last frame: %v, want io.EOF", name, err)
		}
		if r.buf != nil {
			t.Errorf("%s: holds %d bytes at the end", name, len(r.buf))
		}
	}
}

func TestARunOfRequestsIsReadAtOnce(t *testing.T) {
	run := bytes.Repeat(framed(make([]byte, 16<<10)), 5)
	src := &lazily{atATime: &atATime{r: io.MultiReader(bytes.NewReader(run), bytes.NewReader(run), bytes.NewReader(run)), n: len(run)}, t: t, most: atOnce}
	r := NewFrameReader(src)
	for i := range 15 {
		if i == 10 { // the first run shows that the client sends much
			src.most, src.reads = 0, 0
		}
		if _, err := r.Next(limit); err != nil {
			t.Fatal(err)
		}
		if i >= 5 && r.Buffered() != (i%5 != 4) {
			t.Errorf("request %d of a run: another is buffered: %v", i%5, r.Buffered())
		}
	}
	if src.reads != 1 {
		t.Errorf("%d reads for the third run", src.reads)
	}
}

func TestASilentConnectionHoldsLittle(t *testing.T) {
	src := &lazily{atATime: &atATime{r: bytes.NewReader(append(bytes.Repeat(framed(make([]byte, 16<<10)), 4), framed(make([]byte, 16<<10))[:100]...)), n: atOnce}, t: t, most: atOnce}
	r := NewFrameReader(src)
	for range 4 {
		if _, err := r.Next(limit); err != nil {
			t.Fatal(err)
		}
	}
	src.most = fewBytes
	if _, err := r.Next(limit); err != io.ErrUnexpectedEOF {
		t.Errorf("inside a frame: %v", err)
	}
}

func TestFrameSizesAreRefusedBeforeMemoryIsTaken(t *testing.T) {
	for _, size := range []int32{0, -1, math.MinInt32, limit + 1, math.MaxInt32} { // behaviour 11
		stream := append(binary.BigEndian.AppendUint32(nil, uint32(size)), "rest"...)
		r := NewFrameReader(bytes.NewReader(stream))
		_, err := r.Next(limit)
		var sizeErr *FrameSizeError
		if !errors.As(err, &sizeErr) || sizeErr.Size != size {
			t.Errorf("size %d: error %v", size, err)
		}
		if len(r.buf) > fewBytes || !bytes.Equal(r.Unread(), stream) {
			t.Errorf("size %d: holds %d bytes, unread %q", size, len(r.buf), r.Unread())
		}
	}
}

func TestFramesTakeMemoryAsBytesArrive(t *testing.T) {
	// A client that promises 100 MiB and sends 10 bytes must not cost 100 MiB.
	stream := append(binary.BigEndian.AppendUint32(nil, 100<<20), make([]byte, 10)...)
	r := NewFrameReader(bytes.NewReader(stream))
	if _, err := r.Next(100 << 20); err != io.ErrUnexpectedEOF {
		t.Fatalf("a cut frame gives %v", err)
	}
	if len(r.buf) > firstAlloc {
		t.Fatalf("%d bytes for a cut frame", len(r.buf))
	}
}

func TestReadingFramesUsesMemoryAgain(t *testing.T) {
	stream := bytes.NewReader(bytes.Repeat(framed(make([]byte, 5000)), 4))
	r := NewFrameReader(&lazily{atATime: &atATime{r: stream, n: atOnce}, t: t, most: atOnce})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const runs = 1000
	for range runs {
		_, _ = stream.Seek(0, io.SeekStart)
		for range 4 {
			if _, err := r.Next(limit); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	// Pools forget a little, and under the race detector more.
	if per := (after.TotalAlloc - before.TotalAlloc) / runs; per > atOnce*3/4 {
		t.Errorf("%d bytes allocated for each run of requests", per)
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
		r := NewFrameReader(bytes.NewReader(stream))
		for {
			frame, err := r.Next(limit)
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
