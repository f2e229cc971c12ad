package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// This file owns the codecs: names, levels, and the framing that Kafka's
// clients put around gzip, snappy and zstd. LZ4's frames are in lz4.go.

// ProducerCodec is the topic config compression.type=producer: keep what the
// producer chose. It never stands in a batch.
const ProducerCodec Codec = -1

// DefaultMaxDecompressed caps what one batch may hold, in bytes, where no other
// limit is given. Kafka reads compressed batches as a stream and needs no cap.
const DefaultMaxDecompressed = 64 << 20

// ErrTooLarge says that decompressed data is larger than the caller's limit.
var ErrTooLarge = errors.New("decompressed data is larger than the limit")

// UnknownCodecError is the codec number of a batch that no Kafka knows: 5 to 7.
type UnknownCodecError Codec

func (e UnknownCodecError) Error() string {
	return fmt.Sprintf("Unknown compression type id: %d", int8(e))
}

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String is the codec's name in clients' configs (compression.type).
func (c Codec) String() string {
	switch {
	case c == ProducerCodec:
		return "producer"
	case c < 0 || int(c) >= len(codecNames):
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// ParseCodec finds a codec by its name. "none" is what producers call
// "uncompressed", the name in topic configs.
func ParseCodec(name string) (Codec, bool) {
	if name == "uncompressed" {
		return None, true
	}
	i := slices.Index(codecNames[:], name)
	return Codec(max(i, 0)), i >= 0
}

// Compress appends src, compressed, to dst. Level is as in the configs
// compression.gzip.level, .lz4.level and .zstd.level; 0 is the codec's default
// and snappy has none. Snappy gets the framing of snappy-java, as in Kafka's
// own producer. The error is an UnknownCodecError.
func Compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return compressGzip(dst, level, src)
	case Snappy:
		return compressXerial(dst, src), nil
	case LZ4:
		return compressLZ4(dst, level, src, false)
	case Zstd:
		return zstdEncoder(level).EncodeAll(src, dst), nil
	}
	return dst, UnknownCodecError(c)
}

// CompressLegacy is Compress for message sets: LZ4 frames of magic 0 have the
// header checksum that Kafka 0.8 and 0.9 computed (KAFKA-3160).
func CompressLegacy(dst []byte, magic int8, c Codec, level int, src []byte) ([]byte, error) {
	if c == LZ4 && magic == 0 {
		return compressLZ4(dst, level, src, true)
	}
	return Compress(dst, c, level, src)
}

// Decompress appends the contents of src to dst. At most limit bytes are added,
// otherwise the error is ErrTooLarge. Snappy may be raw or framed, LZ4 frames
// may have the wrong header checksum of old clients (KAFKA-3160). Other errors
// are an UnknownCodecError or say what is broken in src.
func Decompress(dst []byte, c Codec, src []byte, limit int) ([]byte, error) {
	switch c {
	case None:
		if len(src) > limit {
			return dst, ErrTooLarge
		}
		return append(dst, src...), nil
	case Gzip:
		return decompressGzip(dst, src, limit)
	case Snappy:
		if bytes.HasPrefix(src, xerialMagic) {
			return decompressXerial(dst, src, limit)
		}
		return decompressSnappyBlock(dst, src, limit)
	case LZ4:
		return decompressLZ4(dst, src, limit)
	case Zstd:
		return decompressZstd(dst, src, limit)
	}
	return dst, UnknownCodecError(c)
}

// appendWriter lets a stream encoder write to the end of a slice.
type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// gzipWriter holds an encoder, which is large, with the writer it needs.
type gzipWriter struct {
	out appendWriter
	*gzip.Writer
}

// gzipWriters has a pool per level, 1 to 9; the default level is 0.
var gzipWriters [10]sync.Pool

func compressGzip(dst []byte, level int, src []byte) ([]byte, error) {
	if level < 0 || level > 9 {
		level = 0
	}
	w, _ := gzipWriters[level].Get().(*gzipWriter)
	if w == nil {
		w = new(gzipWriter)
		l := level
		if l == 0 {
			l = gzip.DefaultCompression
		}
		var err error
		if w.Writer, err = gzip.NewWriterLevel(&w.out, l); err != nil {
			return dst, err
		}
	}
	w.out.b = dst
	w.Reset(&w.out)
	_, err := w.Write(src)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	out := w.out.b
	w.out.b = nil
	gzipWriters[level].Put(w)
	return out, err
}

type gzipReader struct {
	src bytes.Reader
	gz  gzip.Reader
}

var gzipReaders = sync.Pool{New: func() any { return new(gzipReader) }}

func decompressGzip(dst, src []byte, limit int) ([]byte, error) {
	r := gzipReaders.Get().(*gzipReader)
	defer func() {
		r.src.Reset(nil)
		gzipReaders.Put(r)
	}()
	r.src.Reset(src)
	start := len(dst)
	for member := 0; ; member++ {
		// Java's GZIPInputStream reads members one after the other, and takes
		// whatever else follows a whole member for the end.
		if err := r.gz.Reset(&r.src); err != nil {
			if member > 0 {
				return dst, nil
			}
			return dst, err
		}
		r.gz.Multistream(false)
		for {
			if len(dst)-start > limit {
				return dst, ErrTooLarge
			}
			dst = slices.Grow(dst, 512)
			// One byte above the limit tells "too large" from "just fits".
			end := min(cap(dst), start+limit+1)
			n, err := r.gz.Read(dst[len(dst):end])
			dst = dst[:len(dst)+n]
			if err == io.EOF {
				break
			}
			if err != nil {
				return dst, err
			}
		}
		if len(dst)-start > limit {
			return dst, ErrTooLarge
		}
	}
}

// xerialMagic opens snappy-java's framing: then its version and the lowest
// version that can read it, then blocks with their length before them.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeaderSize = 16
	xerialBlockSize  = 32 << 10
)

func compressXerial(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 1)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlockSize)]
		src = src[len(block):]
		size := snappy.MaxEncodedLen(len(block))
		dst = slices.Grow(dst, 4+size)
		at := len(dst) + 4
		enc := snappy.Encode(dst[at:at+size], block)
		dst = dst[:at+len(enc)]
		binary.BigEndian.PutUint32(dst[at-4:], uint32(len(enc)))
	}
	return dst
}

var errXerial = errors.New("snappy framing is cut short")

func decompressXerial(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	for len(src) > 0 {
		// A header may come again where streams were joined.
		if bytes.HasPrefix(src, xerialMagic) {
			if len(src) < xerialHeaderSize {
				return dst, errXerial
			}
			src = src[xerialHeaderSize:]
			continue
		}
		if len(src) < 4 {
			return dst, errXerial
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return dst, errXerial
		}
		var err error
		if dst, err = decompressSnappyBlock(dst, src[:n], limit-(len(dst)-start)); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func decompressSnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if n > limit {
		return dst, ErrTooLarge
	}
	// Snappy gains at most 64 bytes from 3: a larger claim is a lie, told to
	// make us allocate.
	if n/32 > len(src) {
		return dst, snappy.ErrCorrupt
	}
	at := len(dst)
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[at:at+n], src); err != nil {
		return dst, err
	}
	return dst[:at+n], nil
}

// zstdEncoders has one shared encoder per speed class, made when first used.
var zstdEncoders [zstd.SpeedBestCompression + 1]struct {
	once sync.Once
	enc  *zstd.Encoder
}

func zstdEncoder(level int) *zstd.Encoder {
	if level == 0 {
		level = 3
	}
	speed := zstd.EncoderLevelFromZstd(level)
	e := &zstdEncoders[speed]
	e.once.Do(func() {
		e.enc, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(2),
			zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false),
			zstd.WithZeroFrames(true))
	})
	return e.enc
}

// zstdDecoder is shared and made when first used. Frames may ask for a window
// of 128 MiB, as compression.zstd.level=22 does; no memory is taken for it.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, _ := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(1<<31), zstd.WithDecoderMaxWindow(128<<20))
	return d
})

// zstdMaxBlock is the most that a block, which takes at least 3 bytes, can hold.
const zstdMaxBlock = 128 << 10

func decompressZstd(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	room := max(cap(dst)-start, 8*len(src), 4<<10)
	var h zstd.Header
	if h.Decode(src) == nil && h.HasFCS {
		if h.FrameContentSize > uint64(limit) {
			return dst, ErrTooLarge
		}
		// What the header says is believed as far as the blocks can hold it.
		room = max(room, min(int(h.FrameContentSize), (len(src)/3+1)*zstdMaxBlock))
	}
	// Streams do not say how long they are: give the decoder more and more
	// room. A block that does not fit may look like a broken one, but not where
	// there is room for the largest block.
	maxRoom := limit + zstdMaxBlock
	for {
		room = min(room, maxRoom)
		dst = slices.Grow(dst, room)
		out, err := zstdDecoder().DecodeAll(src, dst[start:start:start+room])
		exceeded := errors.Is(err, zstd.ErrDecoderSizeExceeded)
		if err != nil && room < maxRoom && (exceeded || room-len(out) < zstdMaxBlock) {
			room = max(4*room, 2*zstdMaxBlock)
			continue
		}
		switch {
		case exceeded, len(out) > limit:
			return dst, ErrTooLarge
		case err != nil:
			return dst, err
		case len(out) > 0 && &out[0] != &dst[:start+1][start]:
			return append(dst, out...), nil // the decoder took memory of its own
		}
		return dst[:start+len(out)], nil
	}
}
