package broker

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns requests that a client sends again in the same words, as a
// member does its heartbeats: they are decoded once.

// repeated is a connection's newest request of the APIs that repeats names.
type repeated struct {
	key, version int16
	body         []byte // its own copy, which req aliases
	req          kmsg.Request
}

// maxRepeated keeps connections from holding on to large requests.
const maxRepeated = 1 << 10

// repeats names the APIs whose clients repeat themselves. Their handlers never
// change a request.
func repeats(key int16, body []byte) bool {
	if len(body) > maxRepeated {
		return false
	}
	switch kmsg.Key(key) {
	case kmsg.Metadata, kmsg.FindCoordinator, kmsg.Heartbeat, kmsg.ApiVersions, kmsg.ListOffsets, kmsg.OffsetFetch,
		kmsg.ConsumerGroupHeartbeat, kmsg.ShareGroupHeartbeat:
		return true
	}
	return false
}

// decode reads a request's body, unless it was read the last time.
func (r *repeated) decode(key, version int16, body []byte) (kmsg.Request, error) {
	if r.req != nil && r.key == key && r.version == version && bytes.Equal(r.body, body) {
		return r.req, nil
	}
	*r = repeated{key: key, version: version, body: append(r.body[:0], body...)}
	req, err := decode(key, version, r.body)
	if err == nil {
		r.req = req
	}
	return req, err
}

// decode reads a request's body, which the request aliases.
func decode(key, version int16, body []byte) (kmsg.Request, error) {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	return req, req.ReadFrom(body)
}
