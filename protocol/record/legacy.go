package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// This file owns message sets, the formats before KIP-98: magic 0 (Kafka 0.8)
// and magic 1 with timestamps (0.10, KIP-32), and turns what Produce v0 to v2
// sends into a batch, as Apache Kafka 3 did (LogValidator,
// AbstractLegacyRecordBatch, LegacyRecord). The way back is in downconvert.go.
//
// A message is offset int64, size int32, then CRC32 of the rest uint32, magic
// int8, attributes int8, from magic 1 timestamp int64, key bytes, value bytes.
// A compressed set is one wrapper message whose value is the set of the others.

// message is a view of one message, from its CRC on.
type message struct {
	offset     int64
	body       []byte
	timestamp  int64 // NoTimestamp for magic 0
	key, value []byte
}

func (m *message) crc() uint32      { return binary.BigEndian.Uint32(m.body) }
func (m *message) magic() int8      { return int8(m.body[4]) }
func (m *message) attributes() byte { return m.body[5] }
func (m *message) codec() Codec     { return Codec(m.attributes() & 7) }
func (m *message) appendTime() bool { return m.magic() > 0 && m.attributes()&8 != 0 }
func (m *message) validCRC() bool   { return m.crc() == crc32.ChecksumIEEE(m.body[4:]) }

// String is as in Kafka's error texts.
func (m *message) String() string {
	t := ""
	if m.magic() > 0 {
		t = fmt.Sprintf("CreateTime=%d, ", m.timestamp)
		if m.appendTime() {
			t = fmt.Sprintf("LogAppendTime=%d, ", m.timestamp)
		}
	}
	return fmt.Sprintf("LegacyRecordBatch(offset=%d, Record(magic=%d, attributes=%d, compression=%s, crc=%d, %skey=%d bytes, value=%d bytes))",
		m.offset, m.magic(), int8(m.attributes()), m.codec(), m.crc(), t, len(m.key), len(m.value))
}

// parseMessage reads a message whose size field is its length. Body must have
// at least minRecordSize bytes. Bytes after the value are not looked at.
func parseMessage(offset int64, body []byte) (message, bool) {
	m := message{offset: offset, body: body, timestamp: NoTimestamp}
	rest := body[6:]
	if m.magic() != 0 {
		if len(rest) < 8 {
			return m, false
		}
		m.timestamp = int64(binary.BigEndian.Uint64(rest))
		rest = rest[8:]
	}
	var ok bool
	if m.key, rest, ok = sizedBytes(rest); !ok {
		return m, false
	}
	m.value, _, ok = sizedBytes(rest)
	return m, ok
}

// sizedBytes reads an int32 length, where a negative one is null, and its bytes.
func sizedBytes(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n < 0 {
		return nil, b, true
	}
	if int64(n) > int64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// appendMessage writes a message of magic 0 or 1.
func appendMessage(dst []byte, offset int64, magic int8, attributes byte, timestamp int64, key, value []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(magic), attributes)
	if magic > 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(timestamp))
	}
	dst = appendSized(dst, key)
	dst = appendSized(dst, value)
	finishMessage(dst[start:])
	return dst
}

// finishMessage fills in the size and CRC of a message that is all of m.
func finishMessage(m []byte) {
	binary.BigEndian.PutUint32(m[offLength:], uint32(len(m)-LogOverhead))
	binary.BigEndian.PutUint32(m[LogOverhead:], crc32.ChecksumIEEE(m[LogOverhead+4:]))
}

func appendSized(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
}

// UpConvert checks what Produce v0 to v2 sends for a partition and makes one
// batch of it, with offsets from 0, with the set's codec or the topic's. A
// batch of magic 2, which Kafka takes in these versions too, goes through Split
// and Validate. An empty set, or one that is cut short in its first message,
// gives no batch and no rejection: Kafka then appends nothing and answers no
// error, with base offset -1.
func UpConvert(set []byte, l *Limits) (Batch, *Rejection) {
	shallow, source, rej := l.shallow(set)
	if rej != nil || len(shallow) == 0 {
		return nil, rej
	}
	if shallow[0].magic() == 2 {
		b, err := Split(set)
		if errors.As(err, &rej) {
			return nil, rej
		}
		return Validate(b, l)
	}
	target := source
	if l.Codec != ProducerCodec {
		target = l.Codec
	}
	nb := NewBuilder(target, l.Level)
	if l.LogAppendTime {
		nb.AppendTime = l.Now
	}
	if source == None {
		nb.body = make([]byte, 0, len(set))
		for i := range shallow {
			if rej := l.addLegacy(nb, &shallow[i], shallow[i:i+1]); rej != nil {
				return nil, rej
			}
		}
	} else {
		if len(shallow) > 1 {
			return nil, reject(codeInvalidRecord, "Compressed outer record has more than one batch")
		}
		buf := buffers.Get().(*Buffer)
		defer putBuffer(buf)
		inner, rej := l.unwrap(&shallow[0], buf)
		if rej == nil {
			rej = l.addLegacy(nb, &shallow[0], inner)
		}
		if rej != nil {
			return nil, rej
		}
	}
	out, err := nb.Build(nil)
	if err != nil {
		return nil, reject(codeUnknownServerError, "%v", err)
	}
	if len(out) > l.MaxMessageBytes {
		return nil, l.tooLarge(len(out))
	}
	return Batch(out), nil
}

// shallow reads the set's outer messages and checks each one's size, magic and
// CRC. source is the codec of the last compressed one. A first message of
// magic 2 is returned alone, without its fields.
func (l *Limits) shallow(set []byte) (msgs []message, source Codec, rej *Rejection) {
	for {
		size, rej := nextSize(set)
		if rej != nil {
			return nil, None, rej
		}
		if size == 0 {
			return msgs, source, nil
		}
		m, ok := message{offset: Batch(set).BaseOffset(), body: set[LogOverhead:size:size]}, true
		if m.magic() < 2 {
			m, ok = parseMessage(m.offset, m.body)
		}
		switch {
		case m.magic() == 2 && len(msgs) == 0:
			return append(msgs, m), None, nil
		case len(msgs) > 0 && m.magic() != msgs[0].magic():
			return nil, None, reject(codeInvalidRecord, "Batch magic %d is not the same as the first batch's magic byte %d in topic partition %s-%d",
				m.magic(), msgs[0].magic(), l.Topic, l.Partition)
		case size > l.MaxMessageBytes:
			return nil, None, l.tooLarge(size)
		case !m.validCRC():
			return nil, None, rejectEarly(codeCorruptMessage, "Record is corrupt (stored crc = %d) in topic partition %s-%d.", m.crc(), l.Topic, l.Partition)
		case !ok:
			// Kafka runs over the message's end, an exception that it does not
			// expect; this code is what its clients can make sense of.
			return nil, None, rejectEarly(codeCorruptMessage, "Found invalid record structure in topic partition %s-%d", l.Topic, l.Partition)
		case m.codec() > Zstd:
			return nil, None, reject(codeUnknownServerError, "Unknown compression type id: %d", m.codec())
		case m.codec() != None:
			source = m.codec()
		}
		msgs = append(msgs, m)
		set = set[size:]
	}
}

// unwrap decompresses a wrapper message and reads the messages inside. A
// message that is cut short ends the set without an error, as in Kafka.
func (l *Limits) unwrap(w *message, buf *Buffer) ([]message, *Rejection) {
	if w.codec() == Zstd {
		return nil, reject(codeInvalidRecord, "Invalid wrapper compressionType found in legacy deep record iterator %d", w.magic())
	}
	if w.value == nil {
		return nil, reject(codeInvalidRecord, "Found invalid compressed record set with null value (magic = %d)", w.magic())
	}
	limit := l.MaxDecompressed
	if limit == 0 {
		limit = DefaultMaxDecompressed
	}
	data, err := Decompress(buf.data[:0], w.codec(), w.value, limit)
	buf.data = data
	if err == ErrTooLarge {
		return nil, rejectEarly(codeMessageTooLarge, "The message set in the append to %s-%d is too large when decompressed", l.Topic, l.Partition)
	} else if err != nil {
		return nil, reject(codeUnknownServerError, "Failed to decompress record stream: %v", err)
	}
	var msgs []message
	for len(data) >= LogOverhead {
		size := Batch(data).i32(offLength)
		if size < minRecordSize {
			return nil, reject(codeCorruptMessage, "Record size is less than the minimum record overhead (%d)", minRecordSize)
		}
		if int64(size)+LogOverhead > int64(len(data)) {
			break
		}
		m, ok := parseMessage(Batch(data).BaseOffset(), data[LogOverhead:LogOverhead+size])
		if !ok {
			return nil, reject(codeCorruptMessage, "Found invalid record structure in topic partition %s-%d", l.Topic, l.Partition)
		}
		msgs = append(msgs, m)
		data = data[LogOverhead+size:]
	}
	if len(msgs) == 0 {
		return nil, reject(codeInvalidRecord, "Found invalid compressed record set with no inner records")
	}
	if w.magic() == 1 && w.offset != 0 {
		// Inner offsets are relative; the wrapper has the last one, absolute.
		// Some librdkafka left it 0.
		last := msgs[len(msgs)-1].offset
		if w.offset < last {
			return nil, reject(codeInvalidRecord, "Found invalid wrapper offset in compressed v1 message set, wrapper offset '%d' is less than the last inner message offset '%d' and it is not zero.", w.offset, last)
		}
		for i := range msgs {
			msgs[i].offset += w.offset - last
		}
	}
	return msgs, nil
}

// addLegacy checks the messages of one outer message, which may be that message
// alone, and adds them to nb.
func (l *Limits) addLegacy(nb *Builder, outer *message, msgs []message) *Rejection {
	var errs errorList
	compressed := outer.codec() != None
	for i := range msgs {
		m := &msgs[i]
		index := int32(i)
		if compressed {
			switch {
			case m.codec() != None:
				return reject(codeInvalidRecord, "Inner messages must not be compressed")
			case m.magic() != outer.magic():
				errs.add(index, fmt.Sprintf("Record %s's magic does not match outer magic %d in topic partition %s-%d", m, outer.magic(), l.Topic, l.Partition))
				continue
			case !m.validCRC():
				return reject(codeCorruptMessage, "Record is corrupt (stored crc = %d, computed crc = %d) in topic partition %s-%d", m.crc(), crc32.ChecksumIEEE(m.body[4:]), l.Topic, l.Partition)
			}
			if outer.appendTime() {
				m.timestamp = outer.timestamp
			}
		}
		if !l.checkKey(&errs, index, m.key != nil) {
			continue
		}
		if !l.LogAppendTime && m.timestamp != NoTimestamp {
			if !l.timestampInRange(m.timestamp) {
				l.addTimestampError(&errs, index, m.timestamp, m.offset)
				continue
			}
		} else if outer.appendTime() {
			errs.addTimestampType(index, m.String())
			continue
		}
		if m.timestamp < NoTimestamp {
			return reject(codeUnknownServerError, "Invalid negative timestamp %d", m.timestamp)
		}
		if errs.total == 0 {
			nb.Add(Record{Offset: int64(nb.Count()), Timestamp: m.timestamp, Key: m.key, Value: m.value})
		}
	}
	return errs.rejection()
}
