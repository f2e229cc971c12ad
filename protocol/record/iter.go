package record

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// This file owns reading: the batches of a byte run, and the records of a
// batch (org.apache.kafka.common.record.DefaultRecord).

// Record is one record of a batch. Key and Value alias the batch, or the Buffer
// when the batch is compressed; nil is Kafka's null.
type Record struct {
	Attributes     int8 // unused by Kafka so far
	TimestampDelta int64
	OffsetDelta    int32
	Offset         int64
	Timestamp      int64 // ms since 1970; the append time in a LogAppendTime batch
	Key, Value     []byte
	Headers        []Header // valid until the next record is read
}

// Header is a record's header (KIP-82). A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// Buffer is memory that reading compressed batches may use again and again. Its
// zero value is ready. One goroutine at a time may use it.
type Buffer struct {
	data    []byte
	headers []Header
	// Max is the most a batch may hold when decompressed, in bytes; 0 is
	// DefaultMaxDecompressed.
	Max int
}

// maxKeptBuffer is the largest memory that is kept for the next batch.
const maxKeptBuffer = 4 << 20

// trim frees what one unusually large batch left behind.
func (buf *Buffer) trim() {
	if cap(buf.data) > maxKeptBuffer {
		buf.data = nil
	}
}

// payload is the batch's records, decompressed into buf where needed.
func (b Batch) payload(buf *Buffer) ([]byte, error) {
	raw := b[HeaderSize:b.Size()]
	c := b.Attributes().Codec()
	if c == None {
		return raw, nil
	}
	limit := buf.Max
	if limit == 0 {
		limit = DefaultMaxDecompressed
	}
	buf.trim()
	data, err := Decompress(buf.data[:0], c, raw, limit)
	buf.data = data
	return data, err
}

// Batches iterates over the batches of a byte run and stops before a partial or
// malformed one at its end. CRCs are not looked at.
func Batches(raw []byte) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		for len(raw) >= HeaderSize {
			size := Batch(raw).Size()
			if size < HeaderSize || size > len(raw) || Batch(raw).Magic() != 2 {
				return
			}
			if !yield(Batch(raw[:size:size])) {
				return
			}
			raw = raw[size:]
		}
	}
}

// Records iterates over a batch's records. Decompression uses buf, which may be
// nil; what the records alias is valid until buf is used again. After an error,
// which comes with a zero Record, there is nothing more.
func (b Batch) Records(buf *Buffer) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if buf == nil {
			buf = new(Buffer)
		}
		data, err := b.payload(buf)
		if err != nil {
			yield(Record{}, err)
			return
		}
		var (
			r         = reader{b: data}
			base      = b.BaseOffset()
			baseTime  = b.BaseTimestamp()
			appended  = b.Attributes().LogAppendTime()
			maxTime   = b.MaxTimestamp()
			remaining = b.NumRecords()
			f         fields
		)
		for ; remaining > 0; remaining-- {
			if err := r.record(&f); err != nil {
				yield(Record{}, err)
				return
			}
			rec := Record{
				Attributes:     f.attributes,
				TimestampDelta: f.timestampDelta,
				OffsetDelta:    f.offsetDelta,
				Offset:         base + int64(f.offsetDelta),
				Timestamp:      baseTime + f.timestampDelta,
				Key:            f.key,
				Value:          f.value,
			}
			if appended {
				rec.Timestamp = maxTime
			}
			if f.numHeaders > 0 {
				buf.headers = parseHeaders(buf.headers[:0], f.headers, f.numHeaders)
				rec.Headers = buf.headers
			}
			if !yield(rec, nil) {
				return
			}
		}
		if remaining < 0 {
			yield(Record{}, fmt.Errorf("found invalid record count %d in magic v2 batch", remaining))
		} else if r.at != len(data) {
			yield(Record{}, errRemaining)
		}
	}
}

// The words are those of Kafka's InvalidRecordException.
var (
	errStructure = errors.New("found invalid record structure")
	errRemaining = errors.New("incorrect declared batch size, records still remaining in file")
	errEOF       = errors.New("incorrect declared batch size, premature EOF reached")
)

// fields is one record as it stands in the bytes.
type fields struct {
	attributes     int8
	timestampDelta int64
	offsetDelta    int32
	key, value     []byte
	headers        []byte // the headers' bytes, checked
	numHeaders     int32
}

// reader walks over records. It never reads outside b.
type reader struct {
	b  []byte
	at int
}

// short reads a zigzag number of one or two bytes; more is set to 0x80 or above
// if there are more. b must have two bytes at at.
func short(b []byte, at int, more byte) (v int32, next int, _ byte) {
	u := uint32(b[at])
	if u < 0x80 {
		return int32(u>>1) ^ -int32(u&1), at + 1, more
	}
	u = u&0x7f | uint32(b[at+1])<<7
	return int32(u>>1) ^ -int32(u&1), at + 2, more | b[at+1]
}

// common reads a record as most are: no number in it takes more than two bytes,
// and it has no headers. If it returns false, nothing is read.
func (r *reader) common(f *fields) bool {
	b, at, more := r.b, r.at, byte(0)
	if len(b)-at < 16 {
		return false
	}
	var size, timestamp, offset, key, value int32
	size, at, more = short(b, at, more)
	end := at + int(size)
	f.attributes = int8(b[at])
	timestamp, at, more = short(b, at+1, more)
	offset, at, more = short(b, at, more)
	key, at, more = short(b, at, more)
	if more >= 0x80 || end > len(b) {
		return false
	}
	f.key = nil
	if key >= 0 {
		if at+int(key) > end {
			return false
		}
		f.key = b[at : at+int(key) : at+int(key)]
		at += int(key)
	}
	if end-at < 3 {
		return false
	}
	value, at, more = short(b, at, more)
	if more >= 0x80 || value < 0 || at+int(value)+1 != end || b[end-1] != 0 {
		return false
	}
	f.value = b[at : end-1 : end-1]
	f.timestampDelta, f.offsetDelta, f.headers, f.numHeaders = int64(timestamp), offset, nil, 0
	r.at = end
	return true
}

// record reads the next record and checks all its lengths, headers too.
func (r *reader) record(f *fields) error {
	if r.common(f) {
		return nil
	}
	if r.at >= len(r.b) {
		return errEOF
	}
	size, ok := r.varint()
	if !ok {
		return errEOF
	}
	if size < 0 || int(size) > len(r.b)-r.at {
		return fmt.Errorf("invalid record size: expected %d bytes in record payload, but instead the buffer has only %d remaining bytes", size, len(r.b)-r.at)
	}
	end := r.at + int(size)
	in := reader{b: r.b[:end], at: r.at}
	if size == 0 {
		return errStructure
	}
	f.attributes = int8(in.b[in.at])
	in.at++
	var ok1, ok2, ok3, ok4, ok5 bool
	f.timestampDelta, ok1 = in.varlong()
	f.offsetDelta, ok2 = in.varint()
	f.key, ok3 = in.bytes()
	f.value, ok4 = in.bytes()
	f.numHeaders, ok5 = in.varint()
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		return errStructure
	}
	f.headers = nil
	if f.numHeaders != 0 {
		if f.numHeaders < 0 {
			return fmt.Errorf("found invalid number of record headers %d", f.numHeaders)
		}
		if int(f.numHeaders) > end-in.at {
			return fmt.Errorf("found invalid number of record headers. %d is larger than the remaining size of the buffer", f.numHeaders)
		}
		start := in.at
		for range f.numHeaders {
			key, ok := in.bytes()
			if !ok {
				return errStructure
			}
			if key == nil {
				return errors.New("invalid negative header key size")
			}
			if _, ok := in.bytes(); !ok {
				return errStructure
			}
		}
		f.headers = in.b[start:in.at]
	}
	if in.at != end {
		return fmt.Errorf("invalid record size: expected to read %d bytes in record payload, but instead read %d", size, in.at-r.at)
	}
	r.at = end
	return nil
}

// parseHeaders reads headers that reader.record has checked.
func parseHeaders(dst []Header, b []byte, n int32) []Header {
	r := reader{b: b}
	for range n {
		key, _ := r.bytes()
		value, _ := r.bytes()
		dst = append(dst, Header{Key: string(key), Value: value})
	}
	return dst
}

// bytes reads a length and as many bytes; a negative length is null, as in
// Kafka, and not only -1.
func (r *reader) bytes() ([]byte, bool) {
	n, ok := r.varint()
	if !ok || int(n) > len(r.b)-r.at {
		return nil, false
	}
	if n < 0 {
		return nil, true
	}
	v := r.b[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return v, true
}

// varint reads a zigzag number of at most 5 bytes.
func (r *reader) varint() (int32, bool) {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		u := uint32(r.b[r.at])
		r.at++
		return int32(u>>1) ^ -int32(u&1), true
	}
	return r.longVarint()
}

func (r *reader) longVarint() (int32, bool) {
	var u uint32
	for shift := 0; shift < 35; shift += 7 {
		if r.at >= len(r.b) {
			return 0, false
		}
		c := r.b[r.at]
		r.at++
		u |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), true
		}
	}
	return 0, false
}

// varlong reads a zigzag number of at most 10 bytes.
func (r *reader) varlong() (int64, bool) {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		u := uint64(r.b[r.at])
		r.at++
		return int64(u>>1) ^ -int64(u&1), true
	}
	var u uint64
	for shift := 0; shift < 70; shift += 7 {
		if r.at >= len(r.b) {
			return 0, false
		}
		c := r.b[r.at]
		r.at++
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), true
		}
	}
	return 0, false
}

func appendVarint(b []byte, v int32) []byte {
	return appendVarlong(b, int64(v))
}

// appendVarlong writes zigzag; for a number of 32 bits the bytes are the same
// as a varint's.
func appendVarlong(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

func varlongSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// appendBytes writes a length and the bytes; nil is null. Lengths above 2^31-1
// cannot come from a frame; callers that build records check them.
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 1) // -1 in zigzag
	}
	b = appendVarint(b, int32(min(len(v), math.MaxInt32)))
	return append(b, v...)
}
