// Package record reads, checks, converts and builds record batches: bytes in,
// bytes out. It keeps no state and knows nothing of topics.
package record

import "encoding/binary"

// Offsets of the fields of a record batch, magic 2 (KIP-98,
// org.apache.kafka.common.record.DefaultRecordBatch). The CRC covers the bytes
// from Attributes on, so base offset, length and leader epoch may be patched.
const (
	offBaseOffset      = 0
	offLength          = 8
	offLeaderEpoch     = 12
	offMagic           = 16
	offCRC             = 17
	offAttributes      = 21
	offLastOffsetDelta = 23
	offBaseTimestamp   = 27
	offMaxTimestamp    = 35
	offProducerID      = 43
	offProducerEpoch   = 51
	offBaseSequence    = 53
	offNumRecords      = 57

	// HeaderSize is the number of bytes before a batch's first record.
	HeaderSize = 61
	// LogOverhead is the base offset and the length: bytes that the length
	// field does not count. It is the same in all three formats.
	LogOverhead = 12
)

// No value: what the fields hold when a batch has no producer.
const (
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoTimestamp     int64 = -1
)

// Batch is a view of one whole record batch of magic 2, as it is on the wire.
// Its accessors do not check bounds: make one only of bytes that were checked.
type Batch []byte

func (b Batch) i64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
func (b Batch) i32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) i16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }

func (b Batch) BaseOffset() int64 { return b.i64(offBaseOffset) }

// Size is the number of bytes of the whole batch, by its length field.
func (b Batch) Size() int { return int(b.i32(offLength)) + LogOverhead }

func (b Batch) LeaderEpoch() int32     { return b.i32(offLeaderEpoch) }
func (b Batch) Magic() int8            { return int8(b[offMagic]) }
func (b Batch) CRC() uint32            { return binary.BigEndian.Uint32(b[offCRC:]) }
func (b Batch) Attributes() Attributes { return Attributes(b.i16(offAttributes)) }
func (b Batch) LastOffsetDelta() int32 { return b.i32(offLastOffsetDelta) }

// BaseTimestamp is the first record's timestamp, in ms since 1970; records
// hold differences to it.
func (b Batch) BaseTimestamp() int64 { return b.i64(offBaseTimestamp) }

// MaxTimestamp is the largest timestamp in the batch, in ms since 1970, or the
// append time of all its records when Attributes().LogAppendTime().
func (b Batch) MaxTimestamp() int64  { return b.i64(offMaxTimestamp) }
func (b Batch) ProducerID() int64    { return b.i64(offProducerID) }
func (b Batch) ProducerEpoch() int16 { return b.i16(offProducerEpoch) }
func (b Batch) BaseSequence() int32  { return b.i32(offBaseSequence) }
func (b Batch) NumRecords() int32    { return b.i32(offNumRecords) }

// LastOffset is the offset of the batch's last record, counting those that
// compaction removed.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// LastSequence is the sequence number of the last record; it wraps from
// 2147483647 to 0. NoSequence when the batch has none.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == NoSequence {
		return NoSequence
	}
	return int32((int64(base) + int64(b.LastOffsetDelta())) & 0x7fffffff)
}

func (b Batch) SetBaseOffset(o int64) {
	binary.BigEndian.PutUint64(b[offBaseOffset:], uint64(o))
}

func (b Batch) SetLeaderEpoch(e int32) {
	binary.BigEndian.PutUint32(b[offLeaderEpoch:], uint32(e))
}

// Attributes are a batch's attribute bits.
type Attributes int16

func (a Attributes) Codec() Codec        { return Codec(a & 7) }
func (a Attributes) LogAppendTime() bool { return a&8 != 0 }
func (a Attributes) Transactional() bool { return a&16 != 0 }
func (a Attributes) Control() bool       { return a&32 != 0 }
func (a Attributes) DeleteHorizon() bool { return a&64 != 0 }

// Codec is a compression codec, as batches and Kafka's configs number them.
type Codec int8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)
