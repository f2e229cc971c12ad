package broker

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the bytes of Fetch's answers, v0-v18. kmsg would copy every
// record into the answer; here the records stay where the log has them, and go
// out by one writev with the encoded bytes around them. TestFetchAnswerHasKmsgsBytes
// holds both equal.

// fetchAnswer is an answer to Fetch: kmsg's, but with the records beside it.
type fetchAnswer struct {
	kmsg.FetchResponse
	slices [][]byte // parts of logs: one partition's records after the other's
	counts []int32  // how many of slices each partition has, in the answer's order

	fetch *fetch // whose memory this is; nil in tests
}

// copyBelow is the size of records up to which a copy is cheaper than a part
// of its own.
const copyBelow = 1 << 10

// model is the answer as kmsg has it, records and all. Nothing is copied where
// a partition's records are in one piece.
func (a *fetchAnswer) model() kmsg.Response {
	slices, k := a.slices, 0
	for i := range a.Topics {
		for j := range a.Topics[i].Partitions {
			n := a.counts[k]
			a.Topics[i].Partitions[j].RecordBatches = joined(slices[:n])
			slices, k = slices[n:], k+1
		}
	}
	return &a.FetchResponse
}

func joined(slices [][]byte) []byte {
	if len(slices) == 1 {
		return slices[0]
	}
	all := make([]byte, 0, sizeOf(slices))
	for _, s := range slices {
		all = append(all, s...)
	}
	return all
}

func sizeOf(slices [][]byte) (n int) {
	for _, s := range slices {
		n += len(s)
	}
	return n
}

// AppendTo encodes the whole answer in one piece.
func (a *fetchAnswer) AppendTo(dst []byte) []byte { return a.model().AppendTo(dst) }

// encode writes the answer's body, and gives its memory back: the answer is
// gone afterwards.
func (a *fetchAnswer) encode(out *answerWriter) {
	version := a.Version
	flexible := version >= 12
	slices, k := a.slices, 0
	dst := out.bytes()
	if version >= 1 {
		dst = appendInt32(dst, a.ThrottleMillis)
	}
	if version >= 7 {
		dst = appendInt16(dst, a.ErrorCode)
		dst = appendInt32(dst, a.SessionID)
	}
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
			p := &t.Partitions[j]
			dst = appendFetchPartition(dst, p, version, flexible)
			mine := slices[:a.counts[k]]
			slices, k = slices[len(mine):], k+1
			size := sizeOf(mine)
			if flexible {
				dst = binary.AppendUvarint(dst, uint64(size)+1)
			} else {
				dst = appendInt32(dst, int32(size))
			}
			if size <= copyBelow {
				for _, s := range mine {
					dst = append(dst, s...)
				}
			} else {
				out.setBytes(dst)
				out.cut()
				for _, s := range mine {
					out.add(s)
				}
				dst = out.bytes()
			}
			if flexible {
				dst = appendFetchPartitionTags(dst, p)
			}
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	if flexible {
		dst = appendEndpoints(dst, a.Brokers)
	}
	out.setBytes(dst)
	if a.fetch != nil {
		a.fetch.release()
	}
}

// appendFetchPartition encodes what comes before a partition's records.
func appendFetchPartition(dst []byte, p *kmsg.FetchResponseTopicPartition, version int16, flexible bool) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.HighWatermark)
	if version >= 4 {
		dst = appendInt64(dst, p.LastStableOffset)
		if version >= 5 {
			dst = appendInt64(dst, p.LogStartOffset)
		}
		switch {
		case p.AbortedTransactions != nil:
			dst = appendLen(dst, len(p.AbortedTransactions), flexible)
		case flexible:
			dst = append(dst, 0)
		default:
			dst = appendInt32(dst, -1)
		}
		for i := range p.AbortedTransactions {
			t := &p.AbortedTransactions[i]
			dst = appendInt64(dst, t.ProducerID)
			dst = appendInt64(dst, t.FirstOffset)
			if flexible {
				dst = append(dst, 0)
			}
		}
	}
	if version >= 11 {
		dst = appendInt32(dst, p.PreferredReadReplica)
	}
	return dst
}

// appendFetchPartitionTags encodes what comes after a partition's records:
// where the fetcher's log diverges (KIP-595) and who the leader is (KIP-951).
func appendFetchPartitionTags(dst []byte, p *kmsg.FetchResponseTopicPartition) []byte {
	d, l := &p.DivergingEpoch, &p.CurrentLeader
	hasDiverging := d.Epoch != -1 || d.EndOffset != -1
	hasLeader := l.LeaderID != -1 || l.LeaderEpoch != -1
	count := byte(0)
	if hasDiverging {
		count++
	}
	if hasLeader {
		count++
	}
	dst = append(dst, count)
	if hasDiverging {
		dst = append(dst, 0, 13)
		dst = appendInt32(dst, d.Epoch)
		dst = appendInt64(dst, d.EndOffset)
		dst = append(dst, 0)
	}
	if hasLeader {
		dst = append(dst, 1, 9)
		dst = appendInt32(dst, l.LeaderID)
		dst = appendInt32(dst, l.LeaderEpoch)
		dst = append(dst, 0)
	}
	return dst
}

// appendEndpoints encodes the answer's tags: where the leaders are that its
// partitions name.
func appendEndpoints(dst []byte, brokers []kmsg.FetchResponseBroker) []byte {
	if len(brokers) == 0 {
		return append(dst, 0)
	}
	value := appendLen(nil, len(brokers), true)
	for i := range brokers {
		b := &brokers[i]
		value = appendInt32(value, b.NodeID)
		value = appendString(value, b.Host, true)
		value = appendInt32(value, b.Port)
		value = appendNullableString(value, b.Rack, true)
		value = append(value, 0)
	}
	dst = append(dst, 1, 0)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func appendInt16(dst []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(v))
}

func appendInt32(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(v))
}

func appendInt64(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v))
}

// appendLen encodes an array's length.
func appendLen(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return binary.AppendUvarint(dst, uint64(n)+1)
	}
	return appendInt32(dst, int32(n))
}

func appendString(dst []byte, s string, flexible bool) []byte {
	if flexible {
		dst = binary.AppendUvarint(dst, uint64(len(s))+1)
	} else {
		dst = appendInt16(dst, int16(len(s)))
	}
	return append(dst, s...)
}

func appendNullableString(dst []byte, s *string, flexible bool) []byte {
	switch {
	case s != nil:
		return appendString(dst, *s, flexible)
	case flexible:
		return append(dst, 0)
	}
	return appendInt16(dst, -1)
}
