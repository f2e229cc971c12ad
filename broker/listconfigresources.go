package broker

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listedResources are the types of ListConfigResources, in the order of its
// answer.
var listedResources = []kmsg.ConfigResourceType{
	kmsg.ConfigResourceTypeGroupConfig,
	kmsg.ConfigResourceTypeClientMetrics,
	kmsg.ConfigResourceTypeBrokerLogger,
	kmsg.ConfigResourceTypeBroker,
	kmsg.ConfigResourceTypeTopic,
}

// handleListConfigResources serves ListConfigResources v0-v1 (KIP-1142). v0 is
// ListClientMetricsResources (KIP-714) under its old name.
func (b *Broker) handleListConfigResources(r *request, req *kmsg.ListConfigResourcesRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	wanted := listedResources
	switch {
	case req.Version == 0:
		wanted = []kmsg.ConfigResourceType{kmsg.ConfigResourceTypeClientMetrics}
	case len(req.ResourceTypes) > 0:
		for _, kind := range req.ResourceTypes {
			if !slices.Contains(listedResources, kmsg.ConfigResourceType(kind)) {
				resp.ErrorCode = kerr.UnsupportedVersion.Code
				return resp, nil
			}
		}
		wanted = slices.DeleteFunc(slices.Clone(listedResources), func(k kmsg.ConfigResourceType) bool {
			return !slices.Contains(req.ResourceTypes, int8(k))
		})
	}
	for _, kind := range wanted {
		for _, name := range b.configured(r.node, kind) {
			e := kmsg.NewListConfigResourcesResponseConfigResource()
			e.Name, e.Type = name, int8(kind)
			resp.ConfigResources = append(resp.ConfigResources, e)
		}
	}
	return resp, nil
}

// configured lists the resources of a type that exist, by name.
func (b *Broker) configured(n *node, kind kmsg.ConfigResourceType) []string {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		return b.image.Load().topics.Keys()
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		return []string{strconv.Itoa(int(n.id))}
	}
	prefix := resourceKey(kind, "")
	var names []string
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(b.controller.configs)) {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			names = append(names, name)
		}
	}
	return names
}
