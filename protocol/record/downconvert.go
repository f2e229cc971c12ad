package record

import (
	"encoding/binary"
	"errors"
)

// This file owns the way back: message sets for Fetch v0 and v1 (magic 0) and
// v2 and v3 (magic 1), as RecordsUtil.downConvert of Apache Kafka 3.

// ErrDownConvertZstd says that the first batch to convert is compressed by
// zstd, which message sets do not know: the answer is
// UNSUPPORTED_COMPRESSION_TYPE [76].
var ErrDownConvertZstd = errors.New("down-conversion of zstandard-compressed batches is not supported")

// DownConvert appends the records of whole batches of magic 2 to dst, as a
// message set of magic 0 or 1 with the same offsets. Headers and control
// batches are left out, so nothing may come of it. A compressed batch becomes a
// compressed wrapper message. Where a batch is not compressed, its records
// before the offset from are left out: some clients rely on it.
//
// It stops before a batch compressed by zstd and keeps what it has; where it has
// nothing yet, the error is ErrDownConvertZstd. Other errors are those of
// Records: stored bytes are broken.
func DownConvert(dst []byte, batches []byte, magic int8, from int64) ([]byte, error) {
	buf := buffers.Get().(*Buffer)
	defer putBuffer(buf)
	buf.Max = 0
	start := len(dst)
	var inner []byte
	for b := range Batches(batches) {
		a := b.Attributes()
		if a.Control() || b.NumRecords() == 0 {
			continue
		}
		codec := a.Codec()
		if codec == Zstd {
			if len(dst) == start {
				return dst, ErrDownConvertZstd
			}
			return dst, nil
		}
		var err error
		if codec == None {
			dst, _, err = appendLegacy(dst, b, magic, from, buf)
		} else {
			var last int64
			if inner, last, err = appendLegacy(inner[:0], b, magic, from, buf); err == nil {
				dst, err = appendWrapper(dst, b, magic, last, inner)
			}
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// timestampBit is the attribute of a message of magic 1 in a LogAppendTime log.
func timestampBit(b Batch, magic int8) byte {
	if magic > 0 && b.Attributes().LogAppendTime() {
		return 8
	}
	return 0
}

// appendLegacy appends a message per record and returns the last offset.
// Inside a wrapper of magic 1 offsets count from the first record.
func appendLegacy(dst []byte, b Batch, magic int8, from int64, buf *Buffer) (_ []byte, last int64, err error) {
	var (
		start      = len(dst)
		compressed = b.Attributes().Codec() != None
		relative   = compressed && magic > 0
		attributes = timestampBit(b, magic)
		first      int64
		any        bool
	)
	for r, err := range b.Records(buf) {
		if err != nil {
			return dst[:start], 0, err
		}
		if !compressed && r.Offset < from {
			continue
		}
		if !any {
			first, any = r.Offset, true
		}
		last = r.Offset
		offset := r.Offset
		if relative {
			offset -= first
		}
		dst = appendMessage(dst, offset, magic, attributes, r.Timestamp, r.Key, r.Value)
	}
	return dst, last, nil
}

// appendWrapper appends the message that holds a compressed set. Its offset is
// the last record's, its timestamp the largest.
func appendWrapper(dst []byte, b Batch, magic int8, last int64, inner []byte) ([]byte, error) {
	codec := b.Attributes().Codec()
	start := len(dst)
	dst = appendMessage(dst, last, magic, byte(codec)|timestampBit(b, magic), b.MaxTimestamp(), nil, nil)
	size := len(dst) // the value's length is in the four bytes before
	out, err := CompressLegacy(dst, magic, codec, 0, inner)
	if err != nil {
		return dst[:start], err
	}
	binary.BigEndian.PutUint32(out[size-4:], uint32(len(out)-size))
	finishMessage(out[start:])
	return out, nil
}
