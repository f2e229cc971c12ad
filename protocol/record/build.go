package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// This file owns writing: batches of magic 2 from records, and the control
// records that end transactions.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ComputeCRC is the CRC32C that the batch should have.
func (b Batch) ComputeCRC() uint32 {
	return crc32.Checksum(b[offAttributes:b.Size()], castagnoli)
}

func (b Batch) setCRC() {
	binary.BigEndian.PutUint32(b[offCRC:], b.ComputeCRC())
}

// HasProducer says whether an idempotent or transactional producer wrote it.
func (b Batch) HasProducer() bool { return b.ProducerID() > NoProducerID }

// Builder makes one batch of magic 2. Set the fields after NewBuilder or Like,
// add records, then Build. After Reset it can be used again.
type Builder struct {
	Codec Codec
	Level int // as in Compress

	BaseOffset    int64
	LeaderEpoch   int32
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	// AppendTime makes a LogAppendTime batch with this time, in ms, unless it
	// is NoTimestamp.
	AppendTime int64
	// DeleteHorizon is the time in ms after which compaction may drop the
	// batch's tombstones and markers (KIP-534), or NoTimestamp. It is stored in
	// place of the base timestamp.
	DeleteHorizon int64
	// LastOffset is the batch's last offset where that is beyond its last
	// record, as after compaction.
	LastOffset int64
	// EmptyTimestamp is the base and max timestamp of a batch without records.
	EmptyTimestamp int64

	body          []byte
	count         int32
	baseTimestamp int64
	maxTimestamp  int64
	last          int64
	err           error
}

// NewBuilder returns a builder of a batch without producer, at offset 0.
func NewBuilder(c Codec, level int) *Builder {
	b := new(Builder)
	b.Reset(c, level)
	return b
}

// Reset makes it as NewBuilder does, but keeps its memory.
func (b *Builder) Reset(c Codec, level int) {
	*b = Builder{
		Codec: c, Level: level,
		ProducerID: NoProducerID, ProducerEpoch: NoProducerEpoch, BaseSequence: NoSequence,
		AppendTime: NoTimestamp, DeleteHorizon: NoTimestamp, LastOffset: -1, EmptyTimestamp: NoTimestamp,
		body: b.body[:0], maxTimestamp: NoTimestamp,
	}
}

// Like is Reset with all that o has apart from its records: compaction writes
// what is left of o with it. Set DeleteHorizon after it where it is new.
func (b *Builder) Like(o Batch, level int) {
	a := o.Attributes()
	b.Reset(a.Codec(), level)
	b.BaseOffset = o.BaseOffset()
	b.LeaderEpoch = o.LeaderEpoch()
	b.ProducerID = o.ProducerID()
	b.ProducerEpoch = o.ProducerEpoch()
	b.BaseSequence = o.BaseSequence()
	b.Transactional = a.Transactional()
	b.Control = a.Control()
	if a.LogAppendTime() {
		b.AppendTime = o.MaxTimestamp()
	}
	if a.DeleteHorizon() {
		b.DeleteHorizon = o.BaseTimestamp()
	}
	b.LastOffset = o.LastOffset()
	b.EmptyTimestamp = o.MaxTimestamp()
}

// Count is the number of records added so far.
func (b *Builder) Count() int { return int(b.count) }

// Len is the size in bytes of the batch if it were built now uncompressed.
func (b *Builder) Len() int { return HeaderSize + len(b.body) }

// Add appends a record: its Offset, Timestamp, Key, Value and Headers count,
// the deltas are worked out. Offsets must rise.
func (b *Builder) Add(r Record) {
	if b.count == 0 {
		b.baseTimestamp = r.Timestamp
		if b.DeleteHorizon != NoTimestamp {
			b.baseTimestamp = b.DeleteHorizon
		}
		b.last = b.BaseOffset - 1
	}
	delta := r.Offset - b.BaseOffset
	if r.Offset <= b.last || delta > math.MaxInt32 || b.count == math.MaxInt32 {
		b.err = errOffsetOrder
		return
	}
	b.last = r.Offset
	b.count++
	b.maxTimestamp = max(b.maxTimestamp, r.Timestamp)
	b.body = appendRecord(b.body, r.Attributes, r.Timestamp-b.baseTimestamp, int32(delta), r.Key, r.Value, r.Headers)
}

var errOffsetOrder = errors.New("a batch's offsets must rise and span less than 2^31")

func appendRecord(b []byte, attributes int8, timestampDelta int64, offsetDelta int32, key, value []byte, headers []Header) []byte {
	size := 1 + varlongSize(timestampDelta) + varlongSize(int64(offsetDelta)) +
		bytesSize(key) + bytesSize(value) + varlongSize(int64(len(headers)))
	for _, h := range headers {
		size += varlongSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	b = appendVarint(b, int32(size))
	b = append(b, byte(attributes))
	b = appendVarlong(b, timestampDelta)
	b = appendVarint(b, offsetDelta)
	b = appendBytes(b, key)
	b = appendBytes(b, value)
	b = appendVarint(b, int32(len(headers)))
	for _, h := range headers {
		b = appendVarint(b, int32(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

func bytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varlongSize(int64(len(v))) + len(v)
}

// Build appends the batch to dst. A batch without records is allowed: Kafka
// keeps one where compaction emptied a producer's newest batch. The errors are
// offsets that do not rise, an unknown codec, and a batch above 2 GiB.
func (b *Builder) Build(dst []byte) ([]byte, error) {
	if b.err != nil {
		return dst, b.err
	}
	var (
		attributes = Attributes(b.Codec)
		baseTime   = b.baseTimestamp
		maxTime    = b.maxTimestamp
		last       = max(b.last, b.LastOffset)
	)
	if b.count == 0 {
		baseTime, maxTime = b.EmptyTimestamp, b.EmptyTimestamp
		last = max(b.BaseOffset, b.LastOffset)
	}
	if last-b.BaseOffset > math.MaxInt32 {
		return dst, errOffsetOrder
	}
	if b.AppendTime != NoTimestamp {
		attributes |= 8
		maxTime = b.AppendTime
	}
	if b.Transactional {
		attributes |= 16
	}
	if b.Control {
		attributes |= 32
	}
	if b.DeleteHorizon != NoTimestamp {
		attributes |= 64
		baseTime = b.DeleteHorizon
	}
	if b.count == 0 {
		attributes &^= 7 // nothing to compress
	}

	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	var err error
	if b.count > 0 {
		if dst, err = Compress(dst, b.Codec, b.Level, b.body); err != nil {
			return dst[:start], err
		}
	}
	out := Batch(dst[start:])
	if len(out)-LogOverhead > math.MaxInt32 || len(b.body) > math.MaxInt32 {
		return dst[:start], ErrTooLarge
	}
	binary.BigEndian.PutUint64(out[offBaseOffset:], uint64(b.BaseOffset))
	binary.BigEndian.PutUint32(out[offLength:], uint32(len(out)-LogOverhead))
	binary.BigEndian.PutUint32(out[offLeaderEpoch:], uint32(b.LeaderEpoch))
	out[offMagic] = 2
	binary.BigEndian.PutUint16(out[offAttributes:], uint16(attributes))
	binary.BigEndian.PutUint32(out[offLastOffsetDelta:], uint32(last-b.BaseOffset))
	binary.BigEndian.PutUint64(out[offBaseTimestamp:], uint64(baseTime))
	binary.BigEndian.PutUint64(out[offMaxTimestamp:], uint64(maxTime))
	binary.BigEndian.PutUint64(out[offProducerID:], uint64(b.ProducerID))
	binary.BigEndian.PutUint16(out[offProducerEpoch:], uint16(b.ProducerEpoch))
	binary.BigEndian.PutUint32(out[offBaseSequence:], uint32(b.BaseSequence))
	binary.BigEndian.PutUint32(out[offNumRecords:], uint32(b.count))
	out.setCRC()
	return dst, nil
}

// ControlType is the kind of a control record (ControlRecordType).
type ControlType int16

const (
	Abort  ControlType = 0
	Commit ControlType = 1
)

// ControlKey is the key of a control record.
func ControlKey(t ControlType) []byte {
	return []byte{0, 0, byte(t >> 8), byte(t)}
}

// EndTxnValue is the value of a Commit or Abort record (EndTransactionMarker).
func EndTxnValue(coordinatorEpoch int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(coordinatorEpoch))
}

// ParseControlKey reads a control record's key; newer versions of the key read
// the same.
func ParseControlKey(key []byte) (ControlType, bool) {
	if len(key) < 4 || key[0] >= 0x80 {
		return 0, false
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), true
}

// ParseEndTxnValue reads the coordinator epoch from a marker's value.
func ParseEndTxnValue(value []byte) (coordinatorEpoch int32, ok bool) {
	if len(value) < 6 || value[0] >= 0x80 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(value[2:])), true
}

// EndTxnMarker is the control batch that ends a producer's transaction on a
// partition (MemoryRecords.withEndTransactionMarker). now is in ms.
func EndTxnMarker(t ControlType, producerID int64, producerEpoch int16, coordinatorEpoch int32, now int64) Batch {
	b := NewBuilder(None, 0)
	b.ProducerID, b.ProducerEpoch = producerID, producerEpoch
	b.Transactional, b.Control = true, true
	b.Add(Record{Timestamp: now, Key: ControlKey(t), Value: EndTxnValue(coordinatorEpoch)})
	out, _ := b.Build(nil) // one small record cannot fail
	return out
}
