package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Endpoint types of DescribeCluster (KIP-919).
const (
	brokerEndpoints     = 1
	controllerEndpoints = 2
)

// handleDescribeCluster serves DescribeCluster v0-v2 (v1: endpoint types, v2:
// fenced brokers).
func (b *Broker) handleDescribeCluster(r *request, req *kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterAuthorizedOperations = notAsked
	resp.EndpointType = brokerEndpoints
	if req.Version >= 1 && req.EndpointType != brokerEndpoints {
		err := fail(kerr.UnsupportedEndpointType, "Unsupported endpoint type %d", req.EndpointType)
		if req.EndpointType == controllerEndpoints {
			err = fail(kerr.MismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		}
		resp.ErrorCode, resp.ErrorMessage = codeAndText(err)
		resp.ControllerID = -1
		return resp, nil
	}
	m := b.image.Load()
	resp.ClusterID = b.clusterID
	resp.ControllerID = m.controllerID(r.node)
	for _, n := range m.registered {
		fenced := !m.alive(n.id)
		if fenced && !req.IncludeFencedBrokers {
			continue
		}
		one := kmsg.NewDescribeClusterResponseBroker()
		one.NodeID, one.Rack, one.IsFenced = n.id, n.rack, fenced
		one.Host, one.Port = b.tell(r, n)
		resp.Brokers = append(resp.Brokers, one)
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = r.clusterOperations()
	}
	return resp, nil
}

// controllerID is the id that clients are told is the controller's: of a broker
// that runs. Any of them takes a controller's requests (behaviour 20).
func (m *image) controllerID(asked *node) int32 {
	if len(m.live) > 0 {
		return m.live[0].id
	}
	return asked.id
}

// tell decides at which address this client is told that n is. That it was told
// is remembered where it could not but come back there: of the broker that it
// has reached, and of its coordinator.
func (b *Broker) tell(r *request, n *node) (host string, port int32) {
	host, port = b.advertiser.addressFor(r.peer, n)
	if n == r.node || r.key == keyFindCoordinator {
		b.advertiser.told(r, host, port)
	}
	return host, port
}
