package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// This file owns the cluster's features (KIP-584): which levels are in force,
// and their change.

const (
	eligibleLeaders    = "eligible.leader.replicas.version"
	groupVersion       = "group.version"
	kraftVersion       = "kraft.version"
	metadataVersion    = "metadata.version"
	shareVersion       = "share.version"
	transactionVersion = "transaction.version"
)

// How a level may change (org.apache.kafka.clients.admin.FeatureUpdate).
const (
	upgradeOnly     int8 = 1
	safeDowngrade   int8 = 2
	unsafeDowngrade int8 = 3
)

// featureLevels are the levels in force, by feature; 0 is off. A value never
// changes.
type featureLevels map[string]int16

// newestFeatures are the levels that a new cluster has.
var newestFeatures = sync.OnceValue(func() *featureLevels {
	levels := make(featureLevels)
	for _, f := range protocol.Features() {
		levels[f.Name] = f.Max
	}
	return &levels
})

// featureOf are the features without which an API is refused, by key. Those of
// streams groups refuse by themselves (servesStreamsGroups).
var featureOf = [kmsg.MaxKey + 1]string{
	68: groupVersion, 69: groupVersion,
	76: shareVersion, 77: shareVersion, 78: shareVersion, 79: shareVersion,
	83: shareVersion, 84: shareVersion, 85: shareVersion, 86: shareVersion, 87: shareVersion,
	90: shareVersion, 91: shareVersion, 92: shareVersion,
}

// switchedOff tells whether an API is refused because its feature is off, or
// its kind of group is not among those that the broker coordinates.
func (b *Broker) switchedOff(key int16) bool {
	feature := featureOf[key]
	if feature == "" {
		return false
	}
	if (*b.features.Load())[feature] == 0 {
		return true
	}
	return feature == groupVersion && !slices.ContainsFunc(b.config.Load().List("group.coordinator.rebalance.protocols"), func(p string) bool { return strings.EqualFold(p, "consumer") })
}

// transactionsV2 tells whether the broker adds partitions to transactions by
// itself (KIP-890).
func (b *Broker) transactionsV2() bool { return (*b.features.Load())[transactionVersion] >= 2 }

// tellFeatures fills ApiVersions' feature fields. Clients that know v3 alone
// cannot read a feature whose lowest level is 0 (KAFKA-17011).
func tellFeatures(resp *kmsg.ApiVersionsResponse, levels featureLevels, epoch int64) {
	resp.FinalizedFeaturesEpoch = epoch
	for _, f := range protocol.Features() {
		if f.Min > 0 || resp.Version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.Name, f.Min, f.Max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		if level := levels[f.Name]; level > 0 {
			s := kmsg.NewApiVersionsResponseFinalizedFeature()
			s.Name, s.MinVersionLevel, s.MaxVersionLevel = f.Name, level, level
			resp.FinalizedFeatures = append(resp.FinalizedFeatures, s)
		}
	}
}

// handleUpdateFeatures serves UpdateFeatures v0-v2 (v1: validate only, ways to
// downgrade; v2: no results for each feature).
func (b *Broker) handleUpdateFeatures(r *request, req *kmsg.UpdateFeaturesRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	levels := maps.Clone(*b.features.Load())
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		way := u.UpgradeType
		if req.Version == 0 {
			way = upgradeOnly
		}
		if reason := refuseLevel(r.node, levels, u.Feature, u.MaxVersionLevel, way); reason != "" {
			resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.InvalidUpdateVersion, "The update failed for all features since the following feature had an error: %s", reason))
			resp.Results = nil
			return resp, nil
		}
		levels[u.Feature] = u.MaxVersionLevel
		if req.Version <= 1 {
			result := kmsg.NewUpdateFeaturesResponseResult()
			result.Feature, result.ErrorMessage = u.Feature, new("NONE")
			resp.Results = append(resp.Results, result)
		}
	}
	if len(req.FeatureUpdates) > 0 && (req.Version == 0 || !req.ValidateOnly) {
		b.features.Store(&levels)
		b.controller.written()
	}
	return resp, nil
}

// refuseLevel says why a feature can't go to a level; "" if it can. The checks
// and texts are org.apache.kafka.controller.FeatureControlManager's.
func refuseLevel(n *node, levels featureLevels, name string, level int16, way int8) string {
	invalid := func(format string, args ...any) string {
		return fmt.Sprintf("Invalid update version %d for feature %s. %s", level, name, fmt.Sprintf(format, args...))
	}
	var known protocol.Feature
	for _, f := range protocol.Features() {
		if f.Name == name {
			known = f
		}
	}
	current := levels[name]
	switch {
	case way < upgradeOnly || way > unsafeDowngrade:
		return invalid("The controller does not support the given upgrade type.")
	case level < 0:
		return invalid("A feature version cannot be less than 0.")
	case known.Name == "" && level == 0:
		return invalid("Feature %s not found.", name)
	case known.Name == "":
		return invalid("Local controller %d does not support this feature.", n.id)
	case level < known.Min || level > known.Max:
		return invalid("Local controller %d only supports versions %d-%d", n.id, known.Min, known.Max)
	case level < current && way == upgradeOnly:
		return invalid("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case level > current && way != upgradeOnly:
		return invalid("Can't downgrade to a newer version.")
	case level < current && name == kraftVersion:
		return invalid("Can't downgrade the version of this feature.")
	case level < current && name == metadataVersion:
		reason := "Refusing to perform the requested downgrade because it might delete metadata information."
		if way == unsafeDowngrade {
			reason = "Unsafe metadata downgrade is not supported in this version."
		}
		return fmt.Sprintf("Unsupported metadata.version downgrade from %d to %d. %s", current, level, reason)
	}
	return ""
}
