package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// handleApiVersions serves ApiVersions v0-v5 (v3: the client's software and the
// cluster's features, v4: features with level 0, v5: KIP-1242, whom the client
// believes it talks to).
func (b *Broker) handleApiVersions(r *request, req *kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	if req.Version >= 3 && (req.ClientSoftwareName != r.softwareName || req.ClientSoftwareVersion != r.softwareVersion || r.softwareName == "") {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			return refusedVersions(req, kerr.InvalidRequest), nil
		}
		r.softwareName, r.softwareVersion = req.ClientSoftwareName, req.ClientSoftwareVersion
		r.introduce()
	}
	if req.Version >= 5 && (req.ClusterID == nil) != (req.NodeID == -1) {
		return refusedVersions(req, kerr.InvalidRequest), nil
	}
	if req.Version >= 5 && req.ClusterID != nil && (*req.ClusterID != b.clusterID || req.NodeID != r.node.id) {
		// The address leads to another cluster or broker than the client
		// was told: it must ask anew.
		return refusedVersions(req, kerr.RebootstrapRequired), nil
	}
	if r.sasl != nil && r.sasl.state == saslFirst {
		r.sasl.state = saslHandshake
	}
	answer := &r.memory().versions
	v := b.versions(req.Version)
	*answer = versionsAnswer{Response: &v.resp, versions: v}
	return answer, nil
}

// softwareName says whether a client may call itself, or its version, so
// (KIP-511, org.apache.kafka.common.requests.ApiVersionsRequest): letters and
// digits, and between them - and dots.
func softwareName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '-' || c == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}

// refusedVersions is an answer without any version.
func refusedVersions(req *kmsg.ApiVersionsRequest, err *kerr.Error) *kmsg.ApiVersionsResponse {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	resp.FinalizedFeaturesEpoch, resp.ErrorCode = -1, err.Code
	return resp
}

// versions is what all clients are answered that ask in one version, as long as
// the cluster's features stay as they are. It never changes.
type versions struct {
	resp    kmsg.ApiVersionsResponse
	encoded []byte
	levels  *featureLevels // that it tells
}

// versions finds the answer in a version, or makes it.
func (b *Broker) versions(version int16) *versions {
	levels, epoch := b.features.Load(), b.controller.offset.Load()
	place := &b.apiVersions[version]
	if v := place.Load(); v != nil && v.levels == levels && v.resp.FinalizedFeaturesEpoch == epoch {
		return v
	}
	v := &versions{levels: levels}
	v.resp.Default()
	v.resp.Version, v.resp.ApiKeys = version, servedKeys
	tellFeatures(&v.resp, *levels, epoch)
	v.encoded = v.resp.AppendTo(nil)
	place.Store(v)
	return v
}

// versionsAnswer is the answer to one client, which may be throttled.
type versionsAnswer struct {
	kmsg.Response // of versions, and shared: never to be changed
	versions      *versions
	throttle      int32
}

func (a *versionsAnswer) SetThrottle(ms int32) { a.throttle = ms }

func (a *versionsAnswer) model() kmsg.Response {
	resp := a.versions.resp
	resp.ThrottleMillis = a.throttle
	return &resp
}

func (a *versionsAnswer) AppendTo(dst []byte) []byte {
	if a.throttle != 0 {
		return a.model().AppendTo(dst)
	}
	return append(dst, a.versions.encoded...)
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
