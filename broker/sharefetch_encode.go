package broker

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the bytes of ShareFetch's answers, v0-v2: kmsg's, but with the
// records where the logs have them, as for Fetch. TestShareFetchAnswerHasKmsgsBytes
// holds both equal.

// shareFetchAnswer is an answer to ShareFetch.
type shareFetchAnswer struct {
	kmsg.ShareFetchResponse
	slices [][][]byte // parts of logs, for each partition in the answer's order
}

// model is the answer as kmsg has it, records and all.
func (a *shareFetchAnswer) model() kmsg.Response {
	k := 0
	for i := range a.Topics {
		for j := range a.Topics[i].Partitions {
			if len(a.slices[k]) > 0 {
				a.Topics[i].Partitions[j].Records = joined(a.slices[k])
			}
			k++
		}
	}
	return &a.ShareFetchResponse
}

// AppendTo encodes the whole answer in one piece.
func (a *shareFetchAnswer) AppendTo(dst []byte) []byte { return a.model().AppendTo(dst) }

// encode writes the answer's body.
func (a *shareFetchAnswer) encode(out *answerWriter) {
	dst := out.bytes()
	dst = appendInt32(dst, a.ThrottleMillis)
	dst = appendInt16(dst, a.ErrorCode)
	dst = appendNullable(dst, a.ErrorMessage)
	if a.Version >= 1 {
		dst = appendInt32(dst, a.AcquisitionLockTimeoutMillis)
	}
	dst = appendLen(dst, len(a.Topics), true)
	k := 0
	for i := range a.Topics {
		t := &a.Topics[i]
		dst = append(dst, t.TopicID[:]...)
		dst = appendLen(dst, len(t.Partitions), true)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			dst = appendInt32(dst, p.Partition)
			dst = appendInt16(dst, p.ErrorCode)
			dst = appendNullable(dst, p.ErrorMessage)
			dst = appendInt16(dst, p.AcknowledgeErrorCode)
			dst = appendNullable(dst, p.AcknowledgeErrorMessage)
			dst = appendInt32(dst, p.CurrentLeader.LeaderID)
			dst = appendInt32(dst, p.CurrentLeader.LeaderEpoch)
			dst = append(dst, 0)
			mine := a.slices[k]
			k++
			size := sizeOf(mine)
			dst = binary.AppendUvarint(dst, uint64(size)+1)
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
			dst = appendLen(dst, len(p.AcquiredRecords), true)
			for n := range p.AcquiredRecords {
				r := &p.AcquiredRecords[n]
				dst = appendInt64(dst, r.FirstOffset)
				dst = appendInt64(dst, r.LastOffset)
				dst = appendInt16(dst, r.DeliveryCount)
				dst = append(dst, 0)
			}
			dst = append(dst, 0)
		}
		dst = append(dst, 0)
	}
	dst = appendLen(dst, len(a.NodeEndpoints), true)
	for i := range a.NodeEndpoints {
		n := &a.NodeEndpoints[i]
		dst = appendInt32(dst, n.NodeID)
		dst = appendString(dst, n.Host, true)
		dst = appendInt32(dst, n.Port)
		dst = appendNullable(dst, n.Rack)
		dst = append(dst, 0)
	}
	out.setBytes(append(dst, 0))
}

// appendNullable encodes a compact nullable string.
func appendNullable(dst []byte, s *string) []byte {
	if s == nil {
		return append(dst, 0)
	}
	return appendString(dst, *s, true)
}
