package broker

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// softwareNames is what a client may call itself and its version
// (KIP-511, org.apache.kafka.common.requests.ApiVersionsRequest).
var softwareNames = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// handleApiVersions serves ApiVersions v0-v5 (v3: the client's software and the
// cluster's features, v4: features with level 0, v5: KIP-1242, whom the client
// believes it talks to).
func (b *Broker) handleApiVersions(r *request, req *kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	resp.FinalizedFeaturesEpoch = -1
	if req.Version >= 3 {
		if !softwareNames.MatchString(req.ClientSoftwareName) || !softwareNames.MatchString(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp, nil
		}
		r.softwareName, r.softwareVersion = req.ClientSoftwareName, req.ClientSoftwareVersion
		r.introduce()
	}
	if req.Version >= 5 && (req.ClusterID == nil) != (req.NodeID == -1) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp, nil
	}
	if req.Version >= 5 && req.ClusterID != nil && (*req.ClusterID != b.clusterID || req.NodeID != r.node.id) {
		// The address leads to another cluster or broker than the client
		// was told: it must ask anew.
		resp.ErrorCode = kerr.RebootstrapRequired.Code
		return resp, nil
	}
	if r.sasl != nil && r.sasl.state == saslFirst {
		r.sasl.state = saslHandshake
	}
	resp.ApiKeys = servedKeys
	b.tellFeatures(resp)
	return resp, nil
}

// servedKeys is the table of protocol.APIs as ApiVersions gives it. Answers
// share it.
var servedKeys = func() (keys []kmsg.ApiVersionsResponseApiKey) {
	for _, api := range protocol.APIs() {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = api.Key, api.Min, api.Max
		keys = append(keys, k)
	}
	return keys
}()

// unsupportedApiVersions answers an ApiVersions request of a version that is
// not served: in v0, which every client reads, with the versions that are
// (KIP-511).
func unsupportedApiVersions() *kmsg.ApiVersionsResponse {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	api := protocol.APIFor(protocol.KeyApiVersions)
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = api.Key, api.Min, api.Max
	resp.ApiKeys = append(resp.ApiKeys, k)
	return resp
}
