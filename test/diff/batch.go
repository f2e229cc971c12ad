package diff

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns record batches: building good and bad ones, and showing
// those that a server gave. It is written apart from minibroker's own code
// for them, so that it can find that wrong.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch describes a record batch. The zero value of each field is what an
// ordinary producer sends.
type batch struct {
	records    []record
	base       int64
	attributes int16
	magic      int8 // 0: 2
	pid        *int64
	epoch, seq int32
	count      *int32 // NumRecords; nil: true
	lastDelta  *int32 // LastOffsetDelta; nil: true
	deltas     []int32
	spoil      func([]byte) []byte // changes the finished bytes
	recrc      bool                // the CRC is made right again after spoil
	codec      func() kgo.CompressionCodec
}

// record is a record; ms is its timestamp's distance from base.
type record struct {
	key, value string
	ms         int64
	at         int64 // a whole timestamp instead
	nullKey    bool
	headers    []kmsg.Header
}

// some makes n records k0=v0, k1=v1, ... one second apart.
func some(n int) []record {
	rs := make([]record, n)
	for i := range rs {
		rs[i] = record{key: "k" + strconv.Itoa(i), value: "v" + strconv.Itoa(i), ms: int64(i) * 1000}
	}
	return rs
}

func (r record) timestamp() int64 {
	if r.at != 0 {
		return r.at
	}
	return base + r.ms
}

func (b batch) bytes() []byte {
	rb := kmsg.RecordBatch{
		FirstOffset: b.base, PartitionLeaderEpoch: -1, Magic: 2, Attributes: b.attributes,
		LastOffsetDelta: int32(len(b.records)) - 1, NumRecords: int32(len(b.records)),
		FirstTimestamp: -1, MaxTimestamp: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
	}
	if b.pid != nil {
		rb.ProducerID, rb.ProducerEpoch, rb.FirstSequence = *b.pid, int16(b.epoch), b.seq
	}
	if b.count != nil {
		rb.NumRecords = *b.count
	}
	if b.lastDelta != nil {
		rb.LastOffsetDelta = *b.lastDelta
	}
	if b.magic != 0 {
		rb.Magic = b.magic
	}
	for i, r := range b.records {
		if i == 0 {
			rb.FirstTimestamp = r.timestamp()
		}
		rb.MaxTimestamp = max(rb.MaxTimestamp, r.timestamp())
		kr := kmsg.Record{OffsetDelta: int32(i), TimestampDelta64: r.timestamp() - rb.FirstTimestamp, Value: []byte(r.value), Headers: r.headers}
		if !r.nullKey {
			kr.Key = []byte(r.key)
		}
		if b.deltas != nil {
			kr.OffsetDelta = b.deltas[i]
		}
		raw := kr.AppendTo(nil)
		kr.Length = int32(len(raw) - 1) // a length of 0 takes one byte
		rb.Records = kr.AppendTo(rb.Records)
	}
	if b.codec != nil {
		c, err := kgo.DefaultCompressor(b.codec())
		if err != nil {
			panic(err) // a codec that kgo does not have
		}
		var kind kgo.CompressionCodecType
		rb.Records, kind = c.Compress(new(bytes.Buffer), rb.Records)
		rb.Attributes |= int16(kind)
	}
	raw := rb.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	sum(raw)
	if b.spoil != nil {
		raw = b.spoil(raw)
		if b.recrc {
			sum(raw)
		}
	}
	return raw
}

func sum(raw []byte) {
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
}

// messageSet is one message of magic 0 or 1, as old producers send it.
func messageSet(magic int8, key, value string) []byte {
	m := []byte{byte(magic), 0}
	if magic == 1 {
		m = binary.BigEndian.AppendUint64(m, uint64(base))
	}
	for _, s := range []string{key, value} {
		m = binary.BigEndian.AppendUint32(m, uint32(len(s)))
		m = append(m, s...)
	}
	raw := make([]byte, 8, 64)
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(m)+4))
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(m))
	return append(raw, m...)
}

var decompressor = kgo.DefaultDecompressor()

// batches shows the batches of a fetch answer.
func (v *view) batches(path string, raw []byte) {
	if raw == nil {
		v.add(path, "null")
		return
	}
	n := 0
	for ; len(raw) >= 17; n++ {
		at := fmt.Sprintf("%s[%d]", path, n)
		size := int(int32(binary.BigEndian.Uint32(raw[8:]))) + 12
		if size > len(raw) || size < 17 {
			v.add(at, fmt.Sprintf("cut: %d bytes of %d", len(raw), size))
			break
		}
		one := raw[:size]
		raw = raw[size:]
		if one[16] != 2 {
			v.add(at, fmt.Sprintf("message of magic %d at offset %d, %d bytes", one[16], binary.BigEndian.Uint64(one), size))
			continue
		}
		v.batch(at, one)
	}
	v.add(path+".(batches)", strconv.Itoa(n))
}

func (v *view) batch(at string, raw []byte) {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(raw); err != nil {
		v.add(at, "unreadable: "+err.Error())
		return
	}
	head := fmt.Sprintf("offset %d (%d, %d records), leader epoch %d, attributes %d, %s to %s, producer %s epoch %d sequence %d, CRC right: %t:",
		b.FirstOffset, b.LastOffsetDelta, b.NumRecords, b.PartitionLeaderEpoch, b.Attributes, moment(b.FirstTimestamp), moment(b.MaxTimestamp),
		v.number(at, "ProducerID", b.ProducerID), b.ProducerEpoch, b.FirstSequence, crc32.Checksum(raw[21:], castagnoli) == uint32(b.CRC))
	records := b.Records
	if codec := b.Attributes & 7; codec != 0 {
		var err error
		if records, err = decompressor.Decompress(records, kgo.CompressionCodecType(codec)); err != nil {
			v.add(at, head+" unreadable: "+err.Error())
			return
		}
	}
	shown := []string{}
	for len(records) > 0 {
		size, n := binary.Varint(records)
		if n <= 0 || size < 0 || int(size)+n > len(records) {
			shown = append(shown, "cut")
			break
		}
		var r kmsg.Record
		if err := r.ReadFrom(records[:n+int(size)]); err != nil {
			shown = append(shown, "unreadable: "+err.Error())
			break
		}
		records = records[n+int(size):]
		value := string(r.Value)
		if len(value) > 40 {
			value = fmt.Sprintf("%s... %d bytes", value[:40], len(value))
		}
		one := fmt.Sprintf("+%d %q=%q @%s", r.OffsetDelta, r.Key, value, moment(b.FirstTimestamp+r.TimestampDelta64))
		if r.Key == nil {
			one = "null key " + one
		}
		for _, h := range r.Headers {
			one += fmt.Sprintf(" %s:%q", h.Key, h.Value)
		}
		shown = append(shown, one)
	}
	v.add(at, head+" "+strings.Join(shown, "; "))
}
