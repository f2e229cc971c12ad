package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
)

// This file owns what Produce v3 and later must send: the checks of Kafka's
// ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords and
// LogValidator, and the rewrites that a topic's configs ask for. The codes and
// texts are what Apache Kafka 4.3 was seen to answer.

// The error codes of this package.
const (
	codeUnknownServerError     int16 = -1
	codeCorruptMessage         int16 = 2
	codeMessageTooLarge        int16 = 10
	codeInvalidTimestamp       int16 = 32
	codeUnsupportedCompression int16 = 76
	codeInvalidRecord          int16 = 87
)

// Rejection says why a produced batch is not stored.
type Rejection struct {
	// Code is Kafka's error code.
	Code int16
	// Message is the answer's error_message; "" is null, which is what Kafka
	// sends in most cases.
	Message string
	// Records are the answer's record_errors: at most maxRecordErrors.
	Records []RecordError
	// Reason is for logs and is always set: Message, or the text that Kafka
	// keeps to its own log.
	Reason string
	// BeforeAppend means that Kafka finds out before it asks the log: the
	// answer's log_start_offset is then -1 (behaviour 73).
	BeforeAppend bool
}

// RecordError is what is wrong with one record. Index counts from 0.
type RecordError struct {
	Index   int32
	Message string
}

func (r *Rejection) Error() string { return r.Reason }

func reject(code int16, format string, args ...any) *Rejection {
	return &Rejection{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// rejectEarly is reject for what is found before the append.
func rejectEarly(code int16, format string, args ...any) *Rejection {
	r := reject(code, format, args...)
	r.BeforeAppend = true
	return r
}

const (
	// minRecordSize is the smallest size field of any format: a message of
	// magic 0 without key and value.
	minRecordSize = 14
	// headerUpToMagic is how many bytes tell the format.
	headerUpToMagic = offMagic + 1
)

// nextSize finds the first batch or message of raw: its size, 0 if it is not
// whole. The errors are those of Kafka's ByteBufferLogInputStream.
func nextSize(raw []byte) (int, *Rejection) {
	if len(raw) < LogOverhead {
		return 0, nil
	}
	size := Batch(raw).i32(offLength)
	if size < minRecordSize {
		return 0, rejectEarly(codeCorruptMessage, "Record size %d is less than the minimum record overhead (%d)", size, minRecordSize)
	}
	if len(raw) < headerUpToMagic {
		return 0, nil
	}
	if magic := int8(raw[offMagic]); magic < 0 || magic > 2 {
		return 0, rejectEarly(codeCorruptMessage, "Invalid magic found in record: %d", magic)
	}
	if int64(size)+LogOverhead > int64(len(raw)) {
		return 0, nil
	}
	return int(size) + LogOverhead, nil
}

// Split finds the one batch of magic 2 that a Produce v3 or later has for a
// partition, and checks its header and CRC. Fewer than a batch's bytes after it
// are dropped, as Kafka does (behaviour 55). The error is a *Rejection. The
// batch is the same memory as raw.
func Split(raw []byte) (Batch, error) {
	size, rej := nextSize(raw)
	if rej != nil {
		rej.Message = rej.Reason // behaviour 52
		return nil, rej
	}
	if size == 0 {
		return nil, rejectEarly(codeInvalidRecord, "Produce requests must have at least one record batch per partition")
	}
	b := Batch(raw[:size:size])
	if b.Magic() != 2 {
		return nil, rejectEarly(codeInvalidRecord, "Produce requests from version 3 are only allowed to contain record batches with magic version 2")
	}
	if size < HeaderSize {
		// Kafka reads beyond its end: an exception that it does not expect.
		return nil, rejectEarly(codeUnknownServerError, "Record batch is corrupt (the size %d is smaller than the minimum allowed overhead %d)", size, HeaderSize)
	}
	if second, rej := nextSize(raw[size:]); rej != nil {
		return nil, rej
	} else if second != 0 {
		return nil, rejectEarly(codeInvalidRecord, "Produce requests from version 3 are only allowed to contain exactly one record batch per partition")
	}
	if b.BaseOffset() != 0 {
		return nil, reject(codeInvalidRecord, "The baseOffset of the record batch in the append should be 0, but it is %d", b.BaseOffset())
	}
	if crc := b.ComputeCRC(); crc != b.CRC() {
		return nil, rejectEarly(codeCorruptMessage, "Record is corrupt (stored crc = %d, computed crc = %d)", b.CRC(), crc)
	}
	return b, nil
}

// Limits are what a partition asks of a produced batch: its topic's configs
// under Kafka's names, and the time.
type Limits struct {
	Topic     string // for the texts of errors
	Partition int32
	// ProduceVersion is the request's version: zstd needs 7. 0 does not check.
	ProduceVersion int16

	MaxMessageBytes int   // max.message.bytes
	Codec           Codec // compression.type; ProducerCodec keeps the batch's
	Level           int   // compression.<codec>.level, as in Compress
	Compacted       bool  // cleanup.policy has compact
	LogAppendTime   bool  // message.timestamp.type
	// message.timestamp.before.max.ms and .after.max.ms
	TimestampBeforeMaxMs, TimestampAfterMaxMs int64

	Now int64 // ms since 1970
	// MaxDecompressed is the most a compressed batch may hold, in bytes; 0 is
	// DefaultMaxDecompressed.
	MaxDecompressed int
}

// maxRecordErrors caps the list of record errors. Kafka has no cap, but a
// compressed batch can hold millions of wrong records.
const maxRecordErrors = 10_000

// errorList gathers what is wrong with the records of a batch.
type errorList struct {
	records   []RecordError
	total     int
	timestamp bool
}

func (e *errorList) add(index int32, message string) {
	e.total++
	if len(e.records) < maxRecordErrors {
		e.records = append(e.records, RecordError{index, message})
	}
}

// rejection is nil where there are no errors (LogValidator.processRecordErrors).
func (e *errorList) rejection() *Rejection {
	if e.total == 0 {
		return nil
	}
	r := &Rejection{Code: codeInvalidTimestamp, Records: e.records,
		Message: "One or more records have been rejected due to invalid timestamp"}
	if !e.timestamp {
		r.Code = codeInvalidRecord
		var first []string
		for _, re := range e.records[:min(3, len(e.records))] {
			first = append(first, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", re.Index, re.Message))
		}
		r.Message = fmt.Sprintf("One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: [%s]",
			e.total, strings.Join(first, ", "))
	}
	r.Reason = r.Message
	return r
}

// checkKey and checkTimestamp are LogValidator's validateKey and
// validateTimestamp. They are small so that the normal case is inlined.
func (l *Limits) checkKey(e *errorList, index int32, hasKey bool) bool {
	if hasKey || !l.Compacted {
		return true
	}
	e.add(index, fmt.Sprintf("Compacted topic cannot accept message without key in topic partition %s-%d", l.Topic, l.Partition))
	return false
}

func (l *Limits) timestampInRange(ts int64) bool {
	diff := l.Now - ts
	return diff <= l.TimestampBeforeMaxMs && -diff <= l.TimestampAfterMaxMs
}

func (l *Limits) addTimestampError(e *errorList, index int32, ts, offset int64) {
	e.timestamp = true
	e.add(index, fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
		ts, offset, l.Now-l.TimestampBeforeMaxMs, l.Now+l.TimestampAfterMaxMs))
}

func (e *errorList) addTimestampType(index int32, message string) {
	e.timestamp = true
	e.add(index, "Invalid timestamp type in message "+message+". Producer should not set timestamp type to LogAppendTime.")
}

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

func putBuffer(buf *Buffer) {
	buf.trim()
	clear(buf.headers)
	buffers.Put(buf)
}

// Validate checks a batch from Split against a partition's limits, and returns
// what to store: b itself, or a new batch where the topic's configs ask for
// another codec or LogAppendTime, or where the header's max timestamp or the
// records' offsets are wrong. It never writes into b.
//
// Where it is stricter than Kafka: a record whose length field is wrong inside
// a compressed batch is refused, though Kafka stores it and its consumers then
// stumble. Records of an uncompressed batch whose offset deltas do not count up
// by one are renumbered; Kafka counts on by their number too (behaviour 57), but
// stores the wrong deltas.
func Validate(b Batch, l *Limits) (Batch, *Rejection) {
	if rej := l.checkHeader(b); rej != nil {
		return nil, rej
	}
	var (
		source = b.Attributes().Codec()
		target = source
		data   = []byte(b[HeaderSize:])
	)
	if l.Codec != ProducerCodec {
		target = l.Codec
	}
	if source != None {
		buf := buffers.Get().(*Buffer)
		defer putBuffer(buf)
		buf.Max = l.MaxDecompressed
		var err error
		if data, err = b.payload(buf); err == ErrTooLarge {
			return nil, rejectEarly(codeMessageTooLarge, "The record batch in the append to %s-%d is too large when decompressed", l.Topic, l.Partition)
		} else if err != nil {
			return nil, reject(codeUnknownServerError, "Failed to decompress record stream: %v", err)
		}
	}
	var rej *Rejection
	sum, fine := l.quick(b, data)
	if !fine {
		if sum, rej = l.walk(b, data, source, target); rej != nil {
			return nil, rej
		}
	}
	out := b
	switch {
	case source != target, sum.misnumbered && source == None:
		if out, rej = l.rebuild(b, data, target); rej != nil {
			return nil, rej
		}
		if len(out) > l.MaxMessageBytes {
			return nil, l.tooLarge(len(out))
		}
	case sum.misnumbered:
		// Kafka means to rebuild the batch, but has skipped keys and values.
		return nil, reject(codeUnknownServerError, "The records of the compressed batch do not have consecutive offsets")
	case l.LogAppendTime:
		out = withMaxTimestamp(b, true, l.Now)
	case b.Attributes().LogAppendTime(), b.MaxTimestamp() != sum.maxTimestamp:
		out = withMaxTimestamp(b, false, sum.maxTimestamp)
	}
	return out, nil
}

func (l *Limits) tooLarge(size int) *Rejection {
	return rejectEarly(codeMessageTooLarge, "The record batch size in the append to %s-%d is %d bytes which exceeds the maximum configured value of %d.",
		l.Topic, l.Partition, size, l.MaxMessageBytes)
}

// checkHeader checks what the batch's header says.
func (l *Limits) checkHeader(b Batch) *Rejection {
	a := b.Attributes()
	codec := a.Codec()
	switch {
	case codec == Zstd && l.ProduceVersion > 0 && l.ProduceVersion < 7:
		return rejectEarly(codeUnsupportedCompression, "Produce requests with version %d are not allowed to use ZStandard compression", l.ProduceVersion)
	case codec > Zstd && l.ProduceVersion > 0 && l.ProduceVersion < 7:
		// Kafka trips over it where it looks for zstd.
		return rejectEarly(codeUnknownServerError, "Unknown compression type id: %d", codec)
	case len(b) > l.MaxMessageBytes:
		return l.tooLarge(len(b))
	case codec > Zstd:
		return reject(codeUnknownServerError, "Unknown compression type id: %d", codec)
	case b.LastOffsetDelta() < 0:
		return reject(codeInvalidRecord, "Batch has an invalid offset range: [%d, %d] in topic partition %s-%d", b.BaseOffset(), b.LastOffset(), l.Topic, l.Partition)
	case b.NumRecords() <= 0:
		return reject(codeInvalidRecord, "Invalid reported count for record batch: %d in topic partition %s-%d", b.NumRecords(), l.Topic, l.Partition)
	case int64(b.LastOffsetDelta())+1 != int64(b.NumRecords()):
		return reject(codeInvalidRecord, "Inconsistent batch offset range [%d, %d] and count of records %d in topic partition %s-%d", b.BaseOffset(), b.LastOffset(), b.NumRecords(), l.Topic, l.Partition)
	case a.Control():
		return reject(codeInvalidRecord, "Clients are not allowed to write control records in topic partition %s-%d", l.Topic, l.Partition)
	case b.HasProducer() && b.BaseSequence() < 0:
		return reject(codeInvalidRecord, "Invalid sequence number %d in record batch with producerId %d in topic partition %s-%d", b.BaseSequence(), b.ProducerID(), l.Topic, l.Partition)
	}
	return nil
}

// summary is what a walk over the records finds.
type summary struct {
	maxTimestamp int64
	misnumbered  bool
}

// quick is walk for batches as most are. False says that something is not as it
// is in most, and that walk has to look closer.
func (l *Limits) quick(b Batch, data []byte) (summary, bool) {
	var (
		n           = b.NumRecords()
		least, most = int32(math.MaxInt32), int32(math.MinInt32) // timestamp deltas
		keys        int32                                        // negative once a key is null
		renumbered  int32                                        // not 0 once a record has another's number
		at          int
	)
	for i := range n {
		// A record whose numbers have one or two bytes each, without headers.
		if len(data)-at < 16 {
			r, f := reader{b: data, at: at}, fields{}
			if r.record(&f) != nil || f.timestampDelta != int64(int32(f.timestampDelta)) {
				return summary{}, false
			}
			least, most = min(least, int32(f.timestampDelta)), max(most, int32(f.timestampDelta))
			if f.key == nil {
				keys = -1
			}
			renumbered |= f.offsetDelta ^ i
			at = r.at
			continue
		}
		var size, timestamp, offset, key, value int32
		var more byte
		size, at, more = short(data, at, 0)
		end := at + int(size)
		timestamp, at, more = short(data, at+1, more)
		offset, at, more = short(data, at, more)
		key, at, more = short(data, at, more)
		at += int(max(key, 0))
		if more >= 0x80 || end > len(data) || end-at < 3 {
			return summary{}, false
		}
		value, at, more = short(data, at, more)
		if more >= 0x80 || value < 0 || at+int(value)+1 != end || data[end-1] != 0 {
			return summary{}, false
		}
		least, most = min(least, timestamp), max(most, timestamp)
		keys |= key
		renumbered |= offset ^ i
		at = end
	}
	base := b.BaseTimestamp()
	first, last := base+int64(least), base+int64(most)
	fine := at == len(data) && renumbered == 0 && (keys >= 0 || !l.Compacted) && !b.Attributes().LogAppendTime() &&
		(l.LogAppendTime || first > NoTimestamp && l.timestampInRange(first) && l.timestampInRange(last))
	return summary{maxTimestamp: last}, fine
}

// walk reads all records once, over their lengths only, and allocates nothing
// unless something is wrong.
func (l *Limits) walk(b Batch, data []byte, source, target Codec) (summary, *Rejection) {
	var (
		r          = reader{b: data}
		f          fields
		errs       errorList
		s          = summary{maxTimestamp: NoTimestamp}
		n          = b.NumRecords()
		base       = b.BaseTimestamp()
		appendTime = b.Attributes().LogAppendTime()
	)
	for i := range n {
		if err := r.record(&f); err != nil {
			return s, reject(codeInvalidRecord, "%v in topic partition %s-%d", err, l.Topic, l.Partition)
		}
		ts := base + f.timestampDelta
		if appendTime {
			ts = b.MaxTimestamp()
		}
		s.maxTimestamp = max(s.maxTimestamp, ts)
		s.misnumbered = s.misnumbered || f.offsetDelta != i
		if !l.checkKey(&errs, i, f.key != nil) {
			continue
		}
		if !l.LogAppendTime && ts != NoTimestamp {
			if !l.timestampInRange(ts) {
				l.addTimestampError(&errs, i, ts, int64(f.offsetDelta))
			}
		} else if appendTime {
			name := "DefaultRecord"
			if source != None && source == target {
				name = "PartialDefaultRecord"
			}
			errs.addTimestampType(i, fmt.Sprintf("%s(offset=%d, timestamp=%d, key=%d bytes, value=%d bytes)", name, f.offsetDelta, ts, len(f.key), len(f.value)))
		}
	}
	if r.at != len(data) {
		return s, reject(codeInvalidRecord, "%v in topic partition %s-%d", errRemaining, l.Topic, l.Partition)
	}
	return s, errs.rejection()
}

// withMaxTimestamp is b with another timestamp type and max timestamp. Records
// stay as they are (DefaultRecordBatch.setMaxTimestamp).
func withMaxTimestamp(b Batch, appendTime bool, ts int64) Batch {
	out := append(Batch(nil), b...)
	// Bits without a meaning get lost here, as in Kafka.
	a := out.Attributes() & (7 | 16 | 32 | 64)
	if appendTime {
		a |= 8
	}
	binary.BigEndian.PutUint16(out[offAttributes:], uint16(a))
	binary.BigEndian.PutUint64(out[offMaxTimestamp:], uint64(ts))
	out.setCRC()
	return out
}

// rebuild writes the records anew with another codec and with offsets that
// count up by one (LogValidator.buildRecordsAndAssignOffsets).
func (l *Limits) rebuild(b Batch, data []byte, target Codec) (Batch, *Rejection) {
	nb := NewBuilder(target, l.Level)
	nb.LeaderEpoch = b.LeaderEpoch()
	nb.ProducerID = b.ProducerID()
	nb.ProducerEpoch = b.ProducerEpoch()
	nb.BaseSequence = b.BaseSequence()
	nb.Transactional = b.Attributes().Transactional()
	if l.LogAppendTime {
		nb.AppendTime = l.Now
	}
	nb.body = make([]byte, 0, len(data)+16)
	var (
		r       = reader{b: data}
		f       fields
		headers []Header
	)
	for i := range b.NumRecords() {
		if err := r.record(&f); err != nil {
			return nil, reject(codeInvalidRecord, "%v", err) // not after walk
		}
		rec := Record{Attributes: f.attributes, Offset: int64(i), Timestamp: b.BaseTimestamp() + f.timestampDelta, Key: f.key, Value: f.value}
		if b.Attributes().LogAppendTime() {
			rec.Timestamp = b.MaxTimestamp()
		}
		if rec.Timestamp < NoTimestamp {
			return nil, reject(codeUnknownServerError, "Invalid negative timestamp %d", rec.Timestamp)
		}
		if f.numHeaders > 0 {
			headers = parseHeaders(headers[:0], f.headers, f.numHeaders)
			rec.Headers = headers
		}
		nb.Add(rec)
	}
	out, err := nb.Build(nil)
	if err != nil {
		return nil, reject(codeUnknownServerError, "%v", err)
	}
	return Batch(out), nil
}
