package broker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
)

// handleIncrementalAlterConfigs serves IncrementalAlterConfigs v0-v1 (KIP-339).
func (b *Broker) handleIncrementalAlterConfigs(r *request, req *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	times := make(map[string]int, len(req.Resources))
	for i := range req.Resources {
		times[resourceKey(req.Resources[i].ResourceType, req.Resources[i].ResourceName)]++
	}
	changes := make([]alteration, len(req.Resources))
	errs := make([]*apiError, len(req.Resources))
	unknownOp := false
	for i := range req.Resources {
		asked := &req.Resources[i]
		ops := make([]config.Op, len(asked.Configs))
		for i, c := range asked.Configs {
			ops[i] = config.Op{Name: c.Name, Type: config.OpType(c.Op), Value: c.Value}
		}
		changes[i] = alteration{kind: asked.ResourceType, name: asked.ResourceName, ops: ops, validateOnly: req.ValidateOnly}
		errs[i] = changes[i].check(times[resourceKey(asked.ResourceType, asked.ResourceName)] > 1)
		if errs[i] == nil && changes[i].forController() {
			unknownOp = unknownOp || slices.ContainsFunc(ops, func(op config.Op) bool { return !op.Known() })
		}
	}
	for i := range changes {
		switch {
		case errs[i] != nil:
		case unknownOp && changes[i].forController():
			errs[i] = fail(kerr.UnknownServerError, "") // Kafka's controller stumbles over the whole request
		default:
			errs[i] = b.alter(r, &changes[i])
		}
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = changes[i].kind, changes[i].name
		answer.ErrorCode, answer.ErrorMessage = codeAndText(errs[i])
		resp.Resources = append(resp.Resources, answer)
	}
	return resp, nil
}

// handleAlterConfigs serves AlterConfigs v0-v2: what a request does not name
// goes back to its default.
func (b *Broker) handleAlterConfigs(r *request, req *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	for asked, twice := range eachOnce(req.Resources, func(a *kmsg.AlterConfigsRequestResource) string {
		return resourceKey(a.ResourceType, a.ResourceName)
	}) {
		ops := make([]config.Op, len(asked.Configs))
		for i, c := range asked.Configs {
			ops[i] = config.Op{Name: c.Name, Type: config.OpSet, Value: c.Value}
		}
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = asked.ResourceType, asked.ResourceName
		change := alteration{kind: asked.ResourceType, name: asked.ResourceName, ops: ops, replace: true, validateOnly: req.ValidateOnly}
		err := change.check(twice)
		if err == nil {
			err = b.alter(r, &change)
		}
		answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
		resp.Resources = append(resp.Resources, answer)
	}
	return resp, nil
}

// deniedConfigs says that the client may not see or change a resource's configs;
// nil if it may.
func (r *request) deniedConfigs(op kmsg.ACLOperation, kind kmsg.ConfigResourceType, name string) *apiError {
	switch {
	case kind == kmsg.ConfigResourceTypeTopic && !r.mayTopic(op, name):
		return errTopicDenied
	case kind == kmsg.ConfigResourceTypeGroupConfig && !r.mayGroup(op, name):
		return errGroupDenied
	case kind == kmsg.ConfigResourceTypeBrokerLogger && op == kmsg.ACLOperationAlterConfigs && !r.mayCluster(op):
		return &apiError{code: errClusterDenied.code}
	case kind != kmsg.ConfigResourceTypeTopic && kind != kmsg.ConfigResourceTypeGroupConfig && !r.mayCluster(op):
		return errClusterDenied
	}
	return nil
}

func resourceKey(kind kmsg.ConfigResourceType, name string) string {
	return strconv.Itoa(int(kind)) + "/" + name
}

// alteration is one resource's part of a request to change configs.
type alteration struct {
	kind         kmsg.ConfigResourceType
	name         string
	ops          []config.Op
	replace      bool // AlterConfigs: the ops are all there is to be
	validateOnly bool
}

// check says what is wrong with a change whatever its resource is; twice says
// whether a request has that more than once.
func (a *alteration) check(twice bool) *apiError {
	if twice {
		return fail(kerr.InvalidRequest, "Each resource must appear at most once.")
	}
	return configError(config.CheckKeys(a.ops))
}

// forController says whether Kafka's controller decides about the resource, and
// not the broker that was asked.
func (a *alteration) forController() bool {
	switch a.kind {
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeGroupConfig, kmsg.ConfigResourceTypeClientMetrics:
		return true
	}
	return false
}

// alter changes one resource's configs.
func (b *Broker) alter(r *request, a *alteration) *apiError {
	if err := r.deniedConfigs(kmsg.ACLOperationAlterConfigs, a.kind, a.name); err != nil && !(a.replace && a.kind == kmsg.ConfigResourceTypeBrokerLogger) {
		return err
	}
	n := r.node
	switch a.kind {
	case kmsg.ConfigResourceTypeTopic:
		if a.name == "" {
			return fail(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		if reason := invalidTopicName(a.name); reason != "" {
			return fail(kerr.InvalidTopicException, "%s", reason)
		}
		return b.setTopicConfigs(a.name, a.validateOnly, func(old map[string]string) (map[string]string, *config.Error) {
			if a.replace {
				return config.ReplaceTopic(a.ops, b.config.Load())
			}
			return config.AlterTopic(old, a.ops, b.config.Load())
		})
	case kmsg.ConfigResourceTypeBroker:
		if a.name != "" {
			if err := checkBrokerName(n, "Node", a.name, strconv.Itoa(int(n.id))); err != nil {
				return err
			}
		}
		return b.setBrokerConfigs(n, a.name == "", a.validateOnly, func(old *config.Broker) (*config.Broker, *config.Error) {
			if a.replace {
				return old.Replace(a.name == "", a.ops)
			}
			return old.Alter(a.name == "", a.ops)
		})
	case kmsg.ConfigResourceTypeBrokerLogger:
		if a.replace {
			return fail(kerr.InvalidRequest, "Unknown resource type %d", a.kind)
		}
		return b.loggers.alter(n, a)
	case kmsg.ConfigResourceTypeGroupConfig:
		if a.name == "" {
			return fail(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		return b.controller.setConfigs(a, func(old map[string]string) (map[string]string, *config.Error) {
			return config.AlterGroup(old, a.ops, b.config.Load())
		})
	case kmsg.ConfigResourceTypeClientMetrics:
		if a.name == "" {
			return fail(kerr.InvalidRequest, "Subscription name can't be empty")
		}
		err := b.controller.setConfigs(a, func(old map[string]string) (map[string]string, *config.Error) {
			return config.AlterClientMetrics(old, a.ops)
		})
		if err == nil && !a.validateOnly {
			b.readSubscriptions()
		}
		return err
	}
	return fail(kerr.InvalidRequest, "Unknown resource type %d", a.kind)
}

// configsOf are the configs set on a resource that is neither topic nor broker.
func (c *controller) configsOf(kind kmsg.ConfigResourceType, name string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.configs[resourceKey(kind, name)])
}

// setConfigs changes the configs of a resource that is neither topic nor broker.
func (c *controller) setConfigs(a *alteration, change func(map[string]string) (map[string]string, *config.Error)) *apiError {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := resourceKey(a.kind, a.name)
	old := c.configs[key]
	if a.replace {
		old = nil
	}
	next, err := change(old)
	if err != nil {
		return configError(err)
	}
	if a.validateOnly {
		return nil
	}
	if c.configs == nil {
		c.configs = make(map[string]map[string]string)
	}
	c.written()
	if len(next) == 0 {
		delete(c.configs, key)
	} else {
		c.configs[key] = next
	}
	return nil
}

// configError is a refusal by package config as an answer's error.
func configError(err *config.Error) *apiError {
	if err == nil {
		return nil
	}
	return &apiError{code: err.Code, message: err.Message}
}
