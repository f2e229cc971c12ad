package protocol

import (
	"encoding/binary"
	"errors"
)

// Header is a request's header, versions 1 and 2
// (org.apache.kafka.common.requests.RequestHeader).
type Header struct {
	Key, Version  int16
	CorrelationID int32
	// ClientID aliases the frame; nil when the client sent null.
	ClientID []byte
}

var errShortHeader = errors.New("the frame ends inside the request header")

// ParsePrefix reads the part of the header that all versions share: what is
// needed to know the API and to answer it.
func ParsePrefix(frame []byte) (Header, error) {
	if len(frame) < 8 {
		return Header{}, errShortHeader
	}
	return Header{
		Key:           int16(binary.BigEndian.Uint16(frame)),
		Version:       int16(binary.BigEndian.Uint16(frame[2:])),
		CorrelationID: int32(binary.BigEndian.Uint32(frame[4:])),
	}, nil
}

// ParseHeader reads a whole header and returns it with the request's body,
// which aliases the frame. flexible is API.Flexible of the request's version.
func ParseHeader(frame []byte, flexible bool) (Header, []byte, error) {
	h, err := ParsePrefix(frame)
	if err != nil {
		return h, nil, err
	}
	b := frame[8:]
	// The client id keeps its old form in header v2, so that a broker can
	// read the ApiVersions request of any client (KIP-511).
	if len(b) < 2 {
		return h, nil, errShortHeader
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if n > len(b) {
		return h, nil, errShortHeader
	}
	if n >= 0 {
		h.ClientID, b = b[:n:n], b[n:]
	}
	if flexible {
		b, err = skipTags(b)
	}
	return h, b, err
}

// skipTags passes over a tag section (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errShortHeader
	}
	b = b[n:]
	for ; count > 0; count-- {
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errShortHeader
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errShortHeader
		}
		b = b[n+int(size):]
	}
	return b, nil
}

// AppendResponseHeader appends the size, still zero, and the header of an
// answer; PutSize fills the size in once the body is appended. ApiVersions'
// answers never have tags, so that any client can read them (KIP-511).
func AppendResponseHeader(dst []byte, key int16, correlationID int32, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if flexible && key != KeyApiVersions {
		dst = append(dst, 0)
	}
	return dst
}

// PutSize writes the size of a frame whose first byte is dst[at] and that has
// size bytes after its four size bytes.
func PutSize(dst []byte, at, size int) {
	binary.BigEndian.PutUint32(dst[at:], uint32(size))
}
