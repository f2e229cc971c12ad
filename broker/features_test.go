package broker

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

func apiVersions(c *rawClient, version int16) *kmsg.ApiVersionsResponse {
	c.t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = version, "test", "1"
	return ask[*kmsg.ApiVersionsResponse](c, req)
}

func TestApiVersionsTellsFeatures(t *testing.T) {
	c := dial(t, Start(t))
	for version := int16(0); version <= 5; version++ {
		got := apiVersions(c, version)
		var supported, finalized []string
		for _, f := range got.SupportedFeatures {
			supported = append(supported, fmt.Sprintf("%s %d-%d", f.Name, f.MinVersion, f.MaxVersion))
		}
		for _, f := range got.FinalizedFeatures {
			finalized = append(finalized, fmt.Sprintf("%s %d-%d", f.Name, f.MinVersionLevel, f.MaxVersionLevel))
		}
		var wantSupported, wantFinalized []string
		for _, f := range protocol.Features() {
			if version == 3 && f.Min > 0 || version >= 4 { // behaviours 6, 7
				wantSupported = append(wantSupported, fmt.Sprintf("%s %d-%d", f.Name, f.Min, f.Max))
			}
			if version >= 3 { // behaviour 8
				wantFinalized = append(wantFinalized, fmt.Sprintf("%s %d-%d", f.Name, f.Max, f.Max))
			}
		}
		if fmt.Sprint(supported) != fmt.Sprint(wantSupported) || fmt.Sprint(finalized) != fmt.Sprint(wantFinalized) {
			t.Errorf("v%d: supported %v, finalized %v", version, supported, finalized)
		}
		if (got.FinalizedFeaturesEpoch >= 0) != (version >= 3) {
			t.Errorf("v%d: epoch %d", version, got.FinalizedFeaturesEpoch)
		}
	}
}

func TestFeaturesPromiseOnlyWhatIsServed(t *testing.T) {
	needs := map[string][]int16{
		"group.version":       {68, 69},
		"share.version":       {76, 77, 78, 79},
		"streams.version":     {88, 89},
		"transaction.version": {24, 25, 26, 28},
	}
	listed := make(map[string]bool)
	for _, f := range protocol.Features() {
		listed[f.Name] = true
	}
	for feature, keys := range needs {
		served := true
		for _, key := range keys {
			served = served && protocol.APIFor(key) != nil
		}
		if listed[feature] != served {
			t.Errorf("%s is listed: %v, but its APIs are served: %v", feature, listed[feature], served)
		}
	}
}

func updateFeature(c *rawClient, version int16, name string, level int16, way int8, dry bool) *kmsg.UpdateFeaturesResponse {
	c.t.Helper()
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.Version, req.ValidateOnly = version, dry
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.UpgradeType = name, level, way
	req.FeatureUpdates = append(req.FeatureUpdates, u)
	return ask[*kmsg.UpdateFeaturesResponse](c, req)
}

func TestUpdateFeatures(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	for _, k := range []struct {
		name    string
		level   int16
		way     int8
		message string // with "" it is accepted
	}{
		{"nope", 1, 1, "Invalid update version 1 for feature nope. Local controller 1 does not support this feature."}, // behaviour 231
		{"kraft.version", 9, 1, "Invalid update version 9 for feature kraft.version. Local controller 1 only supports versions 0-1"},
		{"kraft.version", 0, 1, "Invalid update version 0 for feature kraft.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{"kraft.version", 0, 2, "Invalid update version 0 for feature kraft.version. Can't downgrade the version of this feature."},
		{"kraft.version", -1, 2, "Invalid update version -1 for feature kraft.version. A feature version cannot be less than 0."},
		{"kraft.version", 1, 9, "Invalid update version 1 for feature kraft.version. The controller does not support the given upgrade type."},
		{"metadata.version", 6, 2, "Invalid update version 6 for feature metadata.version. Local controller 1 only supports versions 7-30"},
		{"metadata.version", 29, 2, "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade because it might delete metadata information."},
		{"metadata.version", 29, 3, "Unsupported metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in this version."},
		{"kraft.version", 1, 1, ""},
		{"metadata.version", 30, 1, ""},
	} {
		for version := int16(1); version <= 2; version++ {
			got := updateFeature(c, version, k.name, k.level, k.way, true)
			if k.message == "" {
				if got.ErrorCode != 0 || len(got.Results) != int(2-version) {
					t.Errorf("%s to %d v%d: %+v", k.name, k.level, version, got)
				}
				continue
			}
			if got.ErrorCode != 95 || strings.TrimPrefix(text(got.ErrorMessage), "The update failed for all features since the following feature had an error: ") != k.message {
				t.Errorf("%s to %d v%d: [%d] %s", k.name, k.level, version, got.ErrorCode, text(got.ErrorMessage))
			}
		}
	}
	if got := updateFeature(c, 0, "kraft.version", 0, 2, false); got.ErrorCode != 95 {
		t.Errorf("v0 has no way to downgrade, but: %+v", got)
	}
}

func TestAFeatureThatIsSwitchedOffIsNotFinalized(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	before := apiVersions(c, 4).FinalizedFeaturesEpoch
	for _, f := range protocol.Features() {
		if f.Min > 0 || f.Name == "kraft.version" {
			continue
		}
		if got := updateFeature(c, 2, f.Name, 0, 2, false); got.ErrorCode != 0 {
			t.Fatalf("%s: [%d] %s", f.Name, got.ErrorCode, text(got.ErrorMessage))
		}
		now := apiVersions(c, 4)
		for _, on := range now.FinalizedFeatures {
			if on.Name == f.Name {
				t.Errorf("%s is off and finalized", f.Name)
			}
		}
		if now.FinalizedFeaturesEpoch <= before {
			t.Errorf("%s: the epoch went from %d to %d", f.Name, before, now.FinalizedFeaturesEpoch)
		}
	}
	levels := featureLevels{"share.version": 0}
	if reason := refuseLevel(b.nodes[0], levels, "kraft.version", 1, 2); !strings.HasSuffix(reason, "Can't downgrade to a newer version.") {
		t.Errorf("a downgrade upwards: %q", reason)
	}
}

func TestAFeatureThatIsOffIsNotServed(t *testing.T) {
	b := Start(t, WithTopic("t", 1, nil))
	c := dial(t, b)
	set := func(name string, level int16, way int8) {
		t.Helper()
		if got := updateFeature(c, 2, name, level, way, false); got.ErrorCode != 0 {
			t.Fatalf("%s: [%d] %s", name, got.ErrorCode, text(got.ErrorMessage))
		}
	}
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{"g", "h"}
	join := func() int16 {
		return ask[*kmsg.ConsumerGroupHeartbeatResponse](c, consumerHeartbeat(1, "m", 0)).ErrorCode
	}
	set("group.version", 0, 2)
	if code := join(); code != 35 {
		t.Errorf("with group.version 0 ConsumerGroupHeartbeat is answered [%d], want [35]", code)
	}
	if d := ask[*kmsg.ConsumerGroupDescribeResponse](c, describe).Groups; len(d) != 2 || d[0].ErrorCode != 35 || d[1].ErrorCode != 35 || d[1].Group != "h" {
		t.Errorf("with group.version 0 ConsumerGroupDescribe is answered %+v", d)
	}
	set("group.version", 1, 1)
	if code := join(); code != 0 {
		t.Errorf("with group.version 1 again ConsumerGroupHeartbeat is answered [%d]", code)
	}

	x := newTxnClient(t, b, "id")
	x.commit(5, "g2", 1, 0, nil)
	x.me = x.end(5, x.me, true, 0)
	for _, level := range []int16{1, 0} {
		set("transaction.version", level, 2)
		x.commit(5, "g2", 1, 35, nil) // the broker adds nothing
		x.addOffsets(4, "g2", 0)
		x.commit(4, "g2", 2, 0, nil)
		x.end(3, x.me, true, 0)
	}
	last := int16(-1)
	for batch := range b.image.Load().topic(transactionStateTopic).partitionOf("id").log.Batches(0, 1000) {
		for r, err := range batch.Records(nil) {
			if err != nil {
				t.Fatal(err)
			}
			last = int16(binary.BigEndian.Uint16(r.Value))
		}
	}
	if last != 0 {
		t.Errorf("with transaction.version 0 states are stored in version %d, want 0", last)
	}
	set("transaction.version", 2, 1)
	x.commit(5, "g2", 3, 0, nil)
}

func TestListConfigResources(t *testing.T) {
	c := dial(t, Start(t, WithTopic("a", 1, nil), WithTopic("b", 1, nil)))
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "sub", "interval.ms", "1000")
	alterOne(c, kmsg.ConfigResourceTypeGroupConfig, "g", "consumer.session.timeout.ms", "50000")
	list := func(version int16, kinds ...int8) string {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.Version, req.ResourceTypes = version, kinds
		got := ask[*kmsg.ListConfigResourcesResponse](c, req)
		said := fmt.Sprintf("[%d]", got.ErrorCode)
		for _, r := range got.ConfigResources {
			said += fmt.Sprintf(" %d:%s", r.Type, r.Name)
		}
		return said
	}
	for want, got := range map[string]string{
		"[0] 16:sub":                      list(0),
		"[0] 32:g 16:sub 8:1 4:1 2:a 2:b": list(1),
		"[0] 2:a 2:b":                     list(1, 2, 2),
		"[0] 8:1 4:1":                     list(1, 4, 8),
		"[0] 32:g":                        list(1, 32),
		"[35]":                            list(1, 2, 77),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// alterOne sets one config of a resource.
func alterOne(c *rawClient, kind kmsg.ConfigResourceType, name, key, value string) kmsg.IncrementalAlterConfigsResponseResource {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, name
	e := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	e.Name, e.Value = key, &value
	r.Configs = append(r.Configs, e)
	req.Resources = append(req.Resources, r)
	req.Version = 1
	return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0]
}
