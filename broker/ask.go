package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/internal/memnet"
	"minibroker/protocol"
)

// This file owns requests that come from inside the process, without a
// connection.

// Request has the broker handle a request as one of the newest version that it
// serves, for the program that the broker is in: no fault, hook, observer or
// transcript sees it. It makes Broker a kmsg.Requestor, so that a kmsg request's
// RequestWith works. What the request is about stays as slow as it is: a
// JoinGroup waits for the group, and ctx does not end that. The error is of an
// API that is not there, or of a request that ends its connection.
func (b *Broker) Request(_ context.Context, req kmsg.Request) (kmsg.Response, error) {
	api := protocol.APIFor(req.Key())
	if api == nil {
		return nil, fmt.Errorf("there is no API with key %d", req.Key())
	}
	req.SetVersion(api.Max)
	n := b.nodeFor(req)
	nc, other := memnet.Pipe("inside", "inside")
	defer nc.Close()
	defer other.Close()
	c := &conn{broker: b, node: n, nc: nc, peer: newPeer(n, n.inner, nc, nil), in: protocol.NewFrameReader(nc), out: answerWriter{w: nc}, principal: auth.Anonymous, super: true, clientID: insideClient}
	resp, err := handlers[api.Key](b, &request{conn: c, key: api.Key, version: api.Max, body: req})
	resp = asModel(resp)
	if err == nil && resp == nil {
		err = fmt.Errorf("%s has no answer", api.Name)
	}
	return resp, err
}

// nodeFor is the logical broker that a request has to go to: a group's
// coordinator, or any that runs.
func (b *Broker) nodeFor(req kmsg.Request) *node {
	group := ""
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		group = req.Group
	case *kmsg.DeleteGroupsRequest:
		if len(req.Groups) > 0 {
			group = req.Groups[0]
		}
	}
	if n := b.nodeByID(b.Coordinator(group)); n != nil {
		return n
	}
	if live := b.image.Load().live; len(live) > 0 {
		return live[0]
	}
	return b.nodes[0]
}

// insideClient is the client id of requests from inside.
const insideClient = "minibroker"

var _ kmsg.Requestor = (*Broker)(nil)
