package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file reads the requests that come most often, Produce and Fetch (and
// decode_commit.go OffsetCommit), into memory that is used again and again. It reads what clients send as a rule, and
// leaves a request with anything else in it, be it wrong or only rare, to kmsg.
// TestDecodersAgreeWithKmsg holds the two equal.

// decoder reads the fields of a request's body, one after the other. Once there
// is something that it does not read, odd is true and the rest is of no meaning.
type decoder struct {
	b        []byte
	flexible bool
	odd      bool
}

// take is the next n bytes, or zeros.
func (d *decoder) take(n int) []byte {
	if uint(n) > uint(len(d.b)) {
		d.odd, d.b = true, nil
		return zeros[:min(max(n, 0), len(zeros))]
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

var zeros [16]byte

func (d *decoder) int8() int8   { return int8(d.take(1)[0]) }
func (d *decoder) int16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

func (d *decoder) uvarint() int {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		return int(d.take(1)[0])
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 4 {
		d.odd, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

// size is the length of an array, or of bytes: there must be as many bytes left.
func (d *decoder) size() int {
	var n int
	if d.flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.int32())
	}
	if n < 0 || n > len(d.b) {
		d.odd, d.b = true, nil
		return 0
	}
	return n
}

func (d *decoder) bytes() []byte { return d.take(d.size()) }

// string is a string that is not null. If it is the same as before, that is
// returned, and no memory is needed.
func (d *decoder) string(before string) string {
	var n int
	if d.flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.int16())
	}
	if n < 0 {
		d.odd = true
		return ""
	}
	if b := d.take(n); !d.odd && string(b) != before {
		return string(b)
	}
	return before
}

// topic is the name of a topic, or its id (KIP-516). before is as of string.
func (d *decoder) topic(byID bool, before string) (name string, id [16]byte) {
	if byID {
		return "", [16]byte(d.take(16))
	}
	return d.string(before), id
}

// noTags passes over an empty section of tags.
func (d *decoder) noTags() {
	if d.flexible && d.take(1)[0] != 0 {
		d.odd = true
	}
}

// next is a slice with one element more, which is as it was when the slice had
// that element before.
func next[T any](s []T) ([]T, *T) {
	if len(s) < cap(s) {
		s = s[:len(s)+1]
	} else {
		var zero T
		s = append(s, zero)
	}
	return s, &s[len(s)-1]
}

// ProduceDecoder reads Produce requests. Each is valid until the next.
type ProduceDecoder struct {
	req        kmsg.ProduceRequest
	partitions []kmsg.ProduceRequestTopicPartition // of all topics
}

// Decode reads a request's body, which its records alias; nil: it is not as
// usual.
func (p *ProduceDecoder) Decode(version int16, body []byte) *kmsg.ProduceRequest {
	d := decoder{b: body, flexible: version >= 9}
	r := &p.req
	*r = kmsg.ProduceRequest{Version: version, Topics: r.Topics[:0]}
	p.partitions = p.partitions[:0]
	if version >= 3 {
		if d.flexible {
			d.odd = d.take(1)[0] != 0 // a transactional id
		} else {
			d.odd = d.int16() >= 0
		}
	}
	r.Acks = d.int16()
	r.TimeoutMillis = d.int32()
	for range d.size() {
		var t *kmsg.ProduceRequestTopic
		r.Topics, t = next(r.Topics)
		name := t.Topic
		*t = kmsg.ProduceRequestTopic{}
		t.Topic, t.TopicID = d.topic(version >= 13, name)
		first := len(p.partitions)
		for range d.size() {
			if d.odd {
				return nil
			}
			p.partitions = append(p.partitions, kmsg.ProduceRequestTopicPartition{Partition: d.int32(), Records: d.bytes()})
			d.noTags()
		}
		t.Partitions = p.partitions[first:len(p.partitions):len(p.partitions)]
		d.noTags()
		if d.odd {
			return nil
		}
	}
	d.noTags()
	if d.odd {
		return nil
	}
	return r
}

// Forget lets go of the frame that was read last, and of what only a rare
// request needs.
func (p *ProduceDecoder) Forget() {
	if clear(p.partitions); cap(p.partitions) > maxKept {
		*p = ProduceDecoder{}
	}
}

// maxKept is for how many partitions memory is kept.
const maxKept = 1024

// FetchDecoder reads Fetch requests. Each is valid until the next. It aliases no
// frame.
type FetchDecoder struct {
	req        kmsg.FetchRequest
	partitions []kmsg.FetchRequestTopicPartition // of all topics
}

// Decode reads a request's body; nil: it is not as usual.
func (f *FetchDecoder) Decode(version int16, body []byte) *kmsg.FetchRequest {
	d := decoder{b: body, flexible: version >= 12}
	r := &f.req
	rack := r.Rack
	*r = kmsg.FetchRequest{Version: version, Topics: r.Topics[:0]}
	r.Default()
	f.partitions = f.partitions[:0]
	if version <= 14 {
		r.ReplicaID = d.int32()
	}
	r.MaxWaitMillis = d.int32()
	r.MinBytes = d.int32()
	if version >= 3 {
		r.MaxBytes = d.int32()
	}
	if version >= 4 {
		r.IsolationLevel = d.int8()
	}
	if version >= 7 {
		r.SessionID = d.int32()
		r.SessionEpoch = d.int32()
	}
	for range d.size() {
		var t *kmsg.FetchRequestTopic
		r.Topics, t = next(r.Topics)
		name := t.Topic
		*t = kmsg.FetchRequestTopic{}
		t.Topic, t.TopicID = d.topic(version >= 13, name)
		first := len(f.partitions)
		for range d.size() {
			if d.odd {
				return nil
			}
			f.partitions = append(f.partitions, kmsg.FetchRequestTopicPartition{})
			d.fetchPartition(version, &f.partitions[len(f.partitions)-1])
		}
		t.Partitions = f.partitions[first:len(f.partitions):len(f.partitions)]
		d.noTags()
		if d.odd {
			return nil
		}
	}
	if version >= 7 && d.size() > 0 { // topics to forget: rare
		return nil
	}
	if version >= 11 {
		r.Rack = d.string(rack)
	}
	d.noTags()
	if d.odd {
		return nil
	}
	return r
}

func (d *decoder) fetchPartition(version int16, p *kmsg.FetchRequestTopicPartition) {
	p.Default()
	p.Partition = d.int32()
	if version >= 9 {
		p.CurrentLeaderEpoch = d.int32()
	}
	p.FetchOffset = d.int64()
	if version >= 12 {
		p.LastFetchedEpoch = d.int32()
	}
	if version >= 5 {
		p.LogStartOffset = d.int64()
	}
	p.PartitionMaxBytes = d.int32()
	d.noTags()
}

// Has says whether req was read by f, and so aliases no frame.
func (f *FetchDecoder) Has(req *kmsg.FetchRequest) bool { return req == &f.req }

// Forget lets go of what only a rare request needs.
func (f *FetchDecoder) Forget() {
	if cap(f.partitions) > maxKept {
		*f = FetchDecoder{}
	}
}
