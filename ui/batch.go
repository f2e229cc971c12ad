package ui

// This file owns the batch that a record lies in, as the log holds it.

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchView is a record batch of format v2.
type batchView struct {
	Base        int64     `json:"base_offset"`
	Last        int64     `json:"last_offset"`
	Records     int32     `json:"records"`
	Bytes       int       `json:"bytes"`
	LeaderEpoch int32     `json:"leader_epoch"`
	CRC         uint32    `json:"crc"`
	CRCWrong    bool      `json:"crc_wrong"`
	Codec       string    `json:"codec"`
	LogAppend   bool      `json:"log_append_time"`
	Transaction bool      `json:"transactional"`
	Control     bool      `json:"control"`
	ProducerID  int64     `json:"producer_id"` // -1: none
	Epoch       int16     `json:"producer_epoch"`
	Sequence    int32     `json:"first_sequence"`
	First       time.Time `json:"first_time"`
	Newest      time.Time `json:"newest_time"`
	Raw         decoded   `json:"raw"` // its start, in hex
}

var codecs = [8]string{"none", "gzip", "snappy", "lz4", "zstd", "5", "6", "7"}

// headerBytes is the part of a batch before its records.
const headerBytes = 61

// readBatch looks at the batch that b begins with; nil if it is of an older format.
func readBatch(b []byte) *batchView {
	if len(b) < headerBytes || b[16] != 2 {
		return nil
	}
	size := 12 + int(int32(binary.BigEndian.Uint32(b[8:])))
	if size < headerBytes {
		return nil
	}
	whole := size <= len(b)
	b = b[:min(size, len(b))]
	attributes := binary.BigEndian.Uint16(b[21:])
	v := &batchView{
		Base: int64(binary.BigEndian.Uint64(b)), Bytes: size, LeaderEpoch: int32(binary.BigEndian.Uint32(b[12:])),
		CRC: binary.BigEndian.Uint32(b[17:]), Codec: codecs[attributes&7], LogAppend: attributes&8 != 0, Transaction: attributes&16 != 0, Control: attributes&32 != 0,
		First: time.UnixMilli(int64(binary.BigEndian.Uint64(b[27:]))).UTC(), Newest: time.UnixMilli(int64(binary.BigEndian.Uint64(b[35:]))).UTC(),
		ProducerID: int64(binary.BigEndian.Uint64(b[43:])), Epoch: int16(binary.BigEndian.Uint16(b[51:])), Sequence: int32(binary.BigEndian.Uint32(b[53:])),
		Records: int32(binary.BigEndian.Uint32(b[57:])),
	}
	v.Last = v.Base + int64(int32(binary.BigEndian.Uint32(b[23:])))
	v.CRCWrong = whole && crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)) != v.CRC
	v.Raw = decode(b, "hex", 2*previewBytes)
	return v
}

// batch reads the batch that holds an offset; nil if it is of an older format.
func (c *cluster) batch(ctx context.Context, t *kmsg.MetadataResponseTopic, sp span) (*batchView, error) {
	part, err := c.fetch(ctx, t, sp)
	if err != nil || part == nil {
		return nil, err
	}
	return readBatch(part.RecordBatches), nil
}
