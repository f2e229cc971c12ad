package record

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// This file owns LZ4's frame format as Kafka uses it. It is written here, over
// the library's block functions, so that blocks are decoded straight into the
// caller's buffer and so that the wrong header checksum of Kafka 0.8 and 0.9
// can be read and written (KAFKA-3160: it covered the magic number too).

const (
	lz4Magic     = 0x184D2204
	lz4BlockSize = 64 << 10

	// Flag bits of the frame's FLG byte.
	lz4Version         = 0x40
	lz4VersionMask     = 0xC0
	lz4Independent     = 0x20
	lz4BlockChecksum   = 0x10
	lz4ContentSize     = 0x08
	lz4ContentChecksum = 0x04
	lz4DictID          = 0x01

	lz4Block64KiB   = 4 << 4 // the BD byte
	lz4Uncompressed = 1 << 31
	lz4Window       = 64 << 10
)

var (
	errLZ4Frame    = errors.New("not an LZ4 frame")
	errLZ4Short    = errors.New("LZ4 frame is cut short")
	errLZ4Checksum = errors.New("LZ4 checksum does not match")
	errLZ4Block    = errors.New("LZ4 block is larger than the frame allows")
)

var (
	lz4Fast = sync.Pool{New: func() any { return new(lz4.Compressor) }}
	lz4High = sync.Pool{New: func() any { return new(lz4.CompressorHC) }}
)

// compressLZ4 writes one frame of independent blocks of 64 KiB without
// checksums, as org.apache.kafka.common.compress.Lz4BlockOutputStream does:
// level 9, its default, is the fast compressor and all others the slow one.
func compressLZ4(dst []byte, level int, src []byte, broken bool) ([]byte, error) {
	head := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	dst = append(dst, lz4Version|lz4Independent, lz4Block64KiB)
	sum := xxh32(dst[head+4:])
	if broken {
		sum = xxh32(dst[head:])
	}
	dst = append(dst, byte(sum>>8))

	compress := func(src, dst []byte) (int, error) {
		c := lz4Fast.Get().(*lz4.Compressor)
		defer lz4Fast.Put(c)
		return c.CompressBlock(src, dst)
	}
	if level > 0 && level != 9 {
		compress = func(src, dst []byte) (int, error) {
			c := lz4High.Get().(*lz4.CompressorHC)
			defer lz4High.Put(c)
			// Level n searches 2^(8+n) candidates, as the library's own names.
			c.Level = lz4.CompressionLevel(1 << (8 + min(level, 9)))
			return c.CompressBlock(src, dst)
		}
	}
	for len(src) > 0 {
		block := src[:min(len(src), lz4BlockSize)]
		src = src[len(block):]
		bound := lz4.CompressBlockBound(len(block))
		dst = slices.Grow(dst, 4+bound)
		at := len(dst) + 4
		n, err := compress(block, dst[at:at+bound])
		if err != nil {
			return dst[:head], err
		}
		size := uint32(n)
		if n == 0 || n >= len(block) {
			n = copy(dst[at:at+len(block)], block)
			size = uint32(n) | lz4Uncompressed
		}
		dst = dst[:at+n]
		binary.LittleEndian.PutUint32(dst[at-4:], size)
	}
	return append(dst, 0, 0, 0, 0), nil
}

// decompressLZ4 reads one frame; what follows it is not looked at, as in
// Lz4BlockInputStream. Linked blocks, which Kafka's own reader refuses, are read.
func decompressLZ4(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	flg, maxBlock, src, err := lz4Header(src)
	if err != nil {
		return dst, err
	}
	for {
		if len(src) < 4 {
			return dst, errLZ4Short
		}
		size := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if size == 0 {
			break
		}
		plain := size&lz4Uncompressed != 0
		size &^= lz4Uncompressed
		if size > uint32(maxBlock) {
			return dst, errLZ4Block
		}
		if int(size) > len(src) {
			return dst, errLZ4Short
		}
		block := src[:size]
		src = src[size:]
		if flg&lz4BlockChecksum != 0 {
			if len(src) < 4 {
				return dst, errLZ4Short
			}
			if binary.LittleEndian.Uint32(src) != xxh32(block) {
				return dst, errLZ4Checksum
			}
			src = src[4:]
		}
		room := limit - (len(dst) - start)
		if plain {
			if len(block) > room {
				return dst, ErrTooLarge
			}
			dst = append(dst, block...)
			continue
		}
		// A block says nothing of its contents' size; LZ4 gains at most 255
		// times, so a small block needs no full-sized buffer.
		want := min(maxBlock, 255*len(block))
		dst = slices.Grow(dst, min(want, room))
		var dict []byte
		if flg&lz4Independent == 0 {
			dict = dst[max(start, len(dst)-lz4Window):]
		}
		n, err := lz4.UncompressBlockWithDict(block, dst[len(dst):len(dst)+min(want, room)], dict)
		if err != nil {
			if room < want {
				return dst, ErrTooLarge
			}
			return dst, err
		}
		dst = dst[:len(dst)+n]
	}
	if flg&lz4ContentChecksum != 0 {
		if len(src) < 4 {
			return dst, errLZ4Short
		}
		if binary.LittleEndian.Uint32(src) != xxh32(dst[start:]) {
			return dst, errLZ4Checksum
		}
	}
	return dst, nil
}

// lz4Header checks a frame's header and returns its flags, the largest block
// it may have, and the rest.
func lz4Header(src []byte) (flg byte, maxBlock int, rest []byte, err error) {
	if len(src) < 7 {
		return 0, 0, nil, errLZ4Short
	}
	if binary.LittleEndian.Uint32(src) != lz4Magic {
		return 0, 0, nil, errLZ4Frame
	}
	flg = src[4]
	blockCode := src[5] >> 4 & 7
	if flg&lz4VersionMask != lz4Version || flg&lz4DictID != 0 || blockCode < 4 {
		return 0, 0, nil, errLZ4Frame
	}
	end := 6
	if flg&lz4ContentSize != 0 {
		end += 8
	}
	if len(src) <= end {
		return 0, 0, nil, errLZ4Short
	}
	if hc := src[end]; hc != byte(xxh32(src[4:end])>>8) && hc != byte(xxh32(src[:end])>>8) {
		return 0, 0, nil, errLZ4Checksum
	}
	return flg, 1 << (8 + 2*blockCode), src[end+1:], nil
}

const (
	xxhPrime1 uint32 = 2654435761
	xxhPrime2 uint32 = 2246822519
	xxhPrime3 uint32 = 3266489917
	xxhPrime4 uint32 = 668265263
	xxhPrime5 uint32 = 374761393
)

// xxh32 is the 32-bit xxHash with seed 0, the checksum of LZ4 frames.
func xxh32(b []byte) uint32 {
	h := xxhPrime5
	total := uint32(len(b))
	if len(b) >= 16 {
		p1, p2 := xxhPrime1, xxhPrime2
		v1, v2, v3, v4 := p1+p2, p2, uint32(0), -p1
		for len(b) >= 16 {
			v1 = bits.RotateLeft32(v1+binary.LittleEndian.Uint32(b)*xxhPrime2, 13) * xxhPrime1
			v2 = bits.RotateLeft32(v2+binary.LittleEndian.Uint32(b[4:])*xxhPrime2, 13) * xxhPrime1
			v3 = bits.RotateLeft32(v3+binary.LittleEndian.Uint32(b[8:])*xxhPrime2, 13) * xxhPrime1
			v4 = bits.RotateLeft32(v4+binary.LittleEndian.Uint32(b[12:])*xxhPrime2, 13) * xxhPrime1
			b = b[16:]
		}
		h = bits.RotateLeft32(v1, 1) + bits.RotateLeft32(v2, 7) + bits.RotateLeft32(v3, 12) + bits.RotateLeft32(v4, 18)
	}
	h += total
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxhPrime3, 17) * xxhPrime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxhPrime5, 11) * xxhPrime1
	}
	h ^= h >> 15
	h *= xxhPrime2
	h ^= h >> 13
	h *= xxhPrime3
	return h ^ h>>16
}
