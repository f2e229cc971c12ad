package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the memory and the bytes of Produce's answers, v0-v13. kmsg
// looks for fields that differ from their defaults by reflection; here that costs
// nothing. TestProduceAnswerHasKmsgsBytes holds both equal.

// produced is an answer to Produce: kmsg's, in memory that is used again.
type produced struct {
	kmsg.ProduceResponse
	partitions []kmsg.ProduceResponseTopicPartition // of all topics
}

// produced is the memory of the request's answer.
func (r *request) produced() *produced {
	if r.scratch == nil {
		return new(produced)
	}
	return &r.scratch.produced
}

// room is n partitions' answers, still to be filled.
func (a *produced) room(n int) []kmsg.ProduceResponseTopicPartition {
	first := len(a.partitions)
	a.partitions = slices.Grow(a.partitions, n)[:first+n]
	return a.partitions[first : first+n : first+n]
}

// forget makes the memory ready for the next answer.
func (a *produced) forget() {
	const keep = 1024
	if cap(a.partitions) > keep || cap(a.Topics) > keep {
		*a = produced{}
		return
	}
	clear(a.partitions)
	clear(a.Topics)
	*a = produced{ProduceResponse: kmsg.ProduceResponse{Topics: a.Topics[:0]}, partitions: a.partitions[:0]}
}

func (a *produced) model() kmsg.Response { return &a.ProduceResponse }

// AppendTo encodes the answer.
func (a *produced) AppendTo(dst []byte) []byte {
	version := a.Version
	flexible := version >= 9
	dst = appendLen(dst, len(a.Topics), flexible)
	for i := range a.Topics {
		t := &a.Topics[i]
		if version >= 13 {
			dst = append(dst, t.TopicID[:]...)
		} else {
			dst = appendString(dst, t.Topic, flexible)
		}
		dst = appendLen(dst, len(t.Partitions), flexible)
		for j := range t.Partitions {
			dst = appendProduced(dst, &t.Partitions[j], version, flexible)
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	if version >= 1 {
		dst = appendInt32(dst, a.ThrottleMillis)
	}
	switch {
	case !flexible:
	case len(a.Brokers) == 0:
		dst = append(dst, 0)
	default: // where the leaders are (KIP-951)
		tail := kmsg.ProduceResponse{Version: version, Brokers: a.Brokers}
		const before = 1 + 4 // no topics, throttle time
		dst = append(dst, tail.AppendTo(nil)[before:]...)
	}
	return dst
}

func appendProduced(dst []byte, p *kmsg.ProduceResponseTopicPartition, version int16, flexible bool) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.BaseOffset)
	if version >= 2 {
		dst = appendInt64(dst, p.LogAppendTime)
	}
	if version >= 5 {
		dst = appendInt64(dst, p.LogStartOffset)
	}
	if version >= 8 {
		dst = appendLen(dst, len(p.ErrorRecords), flexible)
		for i := range p.ErrorRecords {
			e := &p.ErrorRecords[i]
			dst = appendInt32(dst, e.RelativeOffset)
			dst = appendNullableString(dst, e.ErrorMessage, flexible)
			if flexible {
				dst = append(dst, 0)
			}
		}
		dst = appendNullableString(dst, p.ErrorMessage, flexible)
	}
	if !flexible {
		return dst
	}
	l := &p.CurrentLeader
	if version < 10 || l.LeaderID == -1 && l.LeaderEpoch == -1 {
		return append(dst, 0)
	}
	dst = append(dst, 1, 0, 9)
	dst = appendInt32(dst, l.LeaderID)
	dst = appendInt32(dst, l.LeaderEpoch)
	return append(dst, 0)
}
