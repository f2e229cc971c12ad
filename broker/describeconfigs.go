package broker

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
)

// handleDescribeConfigs serves DescribeConfigs v0-v4 (v1: synonyms, KIP-226;
// v3: types and documentation, KIP-569).
func (b *Broker) handleDescribeConfigs(r *request, req *kmsg.DescribeConfigsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	// Kafka refuses the whole request for one type that it does not know.
	refused := slices.ContainsFunc(req.Resources, func(asked kmsg.DescribeConfigsRequestResource) bool { return !describable(asked.ResourceType) })
	for i := range req.Resources {
		asked := &req.Resources[i]
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = asked.ResourceType, asked.ResourceName
		var entries []config.Entry
		err := errInvalidRequest
		if !refused {
			err = r.deniedConfigs(kmsg.ACLOperationDescribeConfigs, asked.ResourceType, asked.ResourceName)
		}
		if !refused && err == nil {
			entries, err = b.describeResource(r.node, asked.ResourceType, asked.ResourceName)
		}
		// Kafka's text is never null here, and empty without details.
		var text string
		if err != nil {
			answer.ErrorCode, text = err.code, err.message
		}
		answer.ErrorMessage = &text
		for _, e := range entries {
			if len(asked.ConfigNames) == 0 || slices.Contains(asked.ConfigNames, e.Name) {
				answer.Configs = append(answer.Configs, describeConfig(req, &e))
			}
		}
		resp.Resources = append(resp.Resources, answer)
	}
	return resp, nil
}

func describable(kind kmsg.ConfigResourceType) bool {
	switch kind {
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger,
		kmsg.ConfigResourceTypeGroupConfig, kmsg.ConfigResourceTypeClientMetrics:
		return true
	}
	return false
}

// describeResource lists a resource's configs. Groups and client metrics
// subscriptions that nobody configured have the defaults.
func (b *Broker) describeResource(n *node, kind kmsg.ConfigResourceType, name string) ([]config.Entry, *apiError) {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if reason := invalidTopicName(name); reason != "" {
			return nil, fail(kerr.InvalidTopicException, "%s", reason)
		}
		t := b.image.Load().topic(name)
		if t == nil {
			return nil, &apiError{code: kerr.UnknownTopicOrPartition.Code}
		}
		return t.config.Describe(), nil
	case kmsg.ConfigResourceTypeBroker:
		if name == "" {
			return n.config.Load().DescribeClusterDefaults(), nil
		}
		if err := checkBrokerName(n, "Broker", name, strconv.Itoa(int(n.id))+" or empty string"); err != nil {
			return nil, err
		}
		return n.config.Load().Describe(), nil
	case kmsg.ConfigResourceTypeBrokerLogger:
		return b.loggers.describe(n, name)
	case kmsg.ConfigResourceTypeGroupConfig:
		if name == "" {
			return nil, fail(kerr.InvalidRequest, "Group name must not be empty")
		}
		return config.DescribeGroup(b.controller.configsOf(kind, name), b.config.Load()), nil
	case kmsg.ConfigResourceTypeClientMetrics:
		if name == "" {
			return nil, fail(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(b.controller.configsOf(kind, name)), nil
	}
	return nil, errInvalidRequest
}

// checkBrokerName holds a resource name against the broker asked. what is
// Kafka's word for it: it differs between APIs.
func checkBrokerName(n *node, what, name, expected string) *apiError {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return fail(kerr.InvalidRequest, "%s id must be an integer, but it is: %s", what, name)
	}
	if int32(id) != n.id {
		return fail(kerr.InvalidRequest, "Unexpected broker id, expected %s, but received %s", expected, name)
	}
	return nil
}

// describeConfig writes one config in the form of the request's version.
func describeConfig(req *kmsg.DescribeConfigsRequest, e *config.Entry) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.IsDefault = e.Source == config.DefaultConfig
	c.Source = kmsg.ConfigSource(e.Source)
	c.ConfigType = kmsg.ConfigType(e.Type)
	if req.IncludeDocumentation && e.Doc != "" {
		c.Documentation = &e.Doc
	}
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			syn := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			syn.Name, syn.Value, syn.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, syn)
		}
	}
	return c
}
