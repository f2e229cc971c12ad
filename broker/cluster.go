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
	host, port := b.tell(r)
	resp.ClusterID = b.clusterID
	resp.ControllerID = r.node.id
	me := kmsg.NewDescribeClusterResponseBroker()
	me.NodeID, me.Host, me.Port, me.Rack = r.node.id, host, port, r.node.rack
	resp.Brokers = append(resp.Brokers, me)
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp, nil
}

// tell decides the address that this client is told and remembers that it was.
func (b *Broker) tell(r *request) (host string, port int32) {
	host, port = b.advertiser.addressFor(r.peer, r.node)
	b.advertiser.told(r, host, port)
	return host, port
}
