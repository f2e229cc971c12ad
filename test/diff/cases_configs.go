package diff

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topicResource  = kmsg.ConfigResourceTypeTopic
	brokerResource = kmsg.ConfigResourceTypeBroker
)

// describe asks for a resource's configs; keys nil means all. A topic's name
// is made the script's own; "node" is the broker's id.
func describe(kind kmsg.ConfigResourceType, name string, keys []string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
		r.IncludeSynonyms, r.IncludeDocumentation = true, false
		r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: x.resource(kind, name), ConfigNames: keys}}
	})
}

func (x *actor) resource(kind kmsg.ConfigResourceType, name string) string {
	switch {
	case kind == topicResource && name != "" && name != "a b":
		return x.name(name)
	case name == "node":
		return strconv.Itoa(int(x.target.nodeID))
	}
	return name
}

// op is one change of a config; a nil value is null.
type op struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

const (
	set      = kmsg.IncrementalAlterConfigOpSet
	del      = kmsg.IncrementalAlterConfigOpDelete
	appendTo = kmsg.IncrementalAlterConfigOpAppend
	subtract = kmsg.IncrementalAlterConfigOpSubtract
)

func alter(kind kmsg.ConfigResourceType, name string, ops ...op) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
		rs := kmsg.NewIncrementalAlterConfigsRequestResource()
		rs.ResourceType, rs.ResourceName = kind, x.resource(kind, name)
		for _, o := range ops {
			rs.Configs = append(rs.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: o.name, Op: o.op, Value: o.value})
		}
		r.Resources = append(r.Resources, rs)
	})
}

func alterAll(kind kmsg.ConfigResourceType, name string, ops ...op) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.AlterConfigsRequest) {
		rs := kmsg.NewAlterConfigsRequestResource()
		rs.ResourceType, rs.ResourceName = kind, x.resource(kind, name)
		for _, o := range ops {
			rs.Configs = append(rs.Configs, kmsg.AlterConfigsRequestResourceConfig{Name: o.name, Value: o.value})
		}
		r.Resources = append(r.Resources, rs)
	})
}

// shows waits until a config has a value: Kafka applies it after it answered.
func shows(name, value string) func(kmsg.Response) bool {
	return func(resp kmsg.Response) bool {
		for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
			for _, c := range r.Configs {
				if c.Name == name && c.Value != nil && *c.Value == value {
					return true
				}
			}
		}
		return false
	}
}

var configScripts = []script{
	{name: "describe configs", key: kmsg.DescribeConfigs, steps: join(
		topics(spec{"t", 1, map[string]string{"retention.ms": "3600000", "max.message.bytes": "2000"}}, spec{"plain", 1, nil}),
		[]step{
			// behaviour 144
			{name: "a topic, all", ask: describe(topicResource, "plain", nil)},
			{name: "a topic with settings", ask: describe(topicResource, "t", nil)},
			{name: "some keys", ask: describe(topicResource, "t", []string{"retention.ms", "cleanup.policy", "max.message.bytes"})},
			{name: "without synonyms", ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				*r = *describe(topicResource, "t", []string{"retention.ms"})(x).(*kmsg.DescribeConfigsRequest)
				r.IncludeSynonyms = false
			})},
			{name: "with documentation", ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				*r = *describe(topicResource, "t", []string{"retention.ms"})(x).(*kmsg.DescribeConfigsRequest)
				r.IncludeDocumentation = true
			})},
			// behaviour 146
			{name: "unknown key", ask: describe(topicResource, "t", []string{"no.such", "retention.ms"})},
			{name: "no keys", ask: describe(topicResource, "t", []string{})},
			// behaviour 147
			{name: "unknown topic", ask: describe(topicResource, "nope", nil)},
			{name: "bad topic name", ask: describe(topicResource, "a b", nil)},
			{name: "empty topic name", ask: describe(topicResource, "", nil)},
			{name: "broker, some keys", ask: describe(brokerResource, "node", []string{
				"num.partitions", "log.retention.hours", "log.retention.ms", "message.max.bytes", "auto.create.topics.enable",
				"group.initial.rebalance.delay.ms", "min.insync.replicas", "log.cleanup.policy", "log.segment.bytes", "num.io.threads",
			})},
			// behaviour 148
			{name: "broker defaults", ask: describe(brokerResource, "", nil)},
			// behaviour 149
			{name: "broker 99", ask: describe(brokerResource, "99", nil)},
			{name: "broker abc", ask: describe(brokerResource, "abc", nil)},
			// behaviour 150
			{name: "sensitive key", ask: describe(brokerResource, "node", []string{"ssl.keystore.password"})},
			// behaviour 152
			{name: "type 1", ask: describe(1, "x", nil)},
			{name: "type 77", ask: describe(77, "x", nil)},
			{name: "type 77 and a topic", ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				*r = *describe(topicResource, "plain", nil)(x).(*kmsg.DescribeConfigsRequest)
				r.Resources = append(r.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: 77, ResourceName: "x"})
			})},
			{name: "two resources", ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				*r = *describe(topicResource, "t", []string{"retention.ms"})(x).(*kmsg.DescribeConfigsRequest)
				r.Resources = append(r.Resources, describe(topicResource, "nope", nil)(x).(*kmsg.DescribeConfigsRequest).Resources...)
			})},
			{name: "same resource twice", ask: req(func(x *actor, r *kmsg.DescribeConfigsRequest) {
				*r = *describe(topicResource, "t", []string{"retention.ms"})(x).(*kmsg.DescribeConfigsRequest)
				r.Resources = append(r.Resources, r.Resources[0])
			})},
			{name: "nothing", ask: req(func(*actor, *kmsg.DescribeConfigsRequest) {})},
		},
	)},
	{name: "describe broker configs", key: kmsg.DescribeConfigs, from: 4, steps: []step{
		{name: "all", ask: describe(brokerResource, "node", nil)},
		{name: "set an unknown key", ask: alter(brokerResource, "node", op{"no.such", set, val("1")})},
		{name: "it shows", ask: describe(brokerResource, "node", []string{"no.such"}), until: func(resp kmsg.Response) bool {
			return len(resp.(*kmsg.DescribeConfigsResponse).Resources[0].Configs) == 1
		}},
		{name: "delete it", ask: alter(brokerResource, "node", op{"no.such", del, nil})},
		{name: "it is gone", ask: describe(brokerResource, "node", []string{"no.such"}), until: func(resp kmsg.Response) bool {
			return len(resp.(*kmsg.DescribeConfigsResponse).Resources[0].Configs) == 0
		}},
	}},
	{name: "incremental alter configs", key: kmsg.IncrementalAlterConfigs, steps: join(
		topics(spec{"t", 1, nil}),
		[]step{
			{name: "set", ask: alter(topicResource, "t", op{"retention.ms", set, val("5000000")})},
			{name: "it shows", until: shows("retention.ms", "5000000"), ask: describe(topicResource, "t", []string{"retention.ms"})},
			{name: "delete", ask: alter(topicResource, "t", op{"retention.ms", del, nil})},
			{name: "the default shows", until: shows("retention.ms", "604800000"), ask: describe(topicResource, "t", []string{"retention.ms"})},
			{name: "delete what is not set", ask: alter(topicResource, "t", op{"retention.ms", del, nil})},
			// behaviour 153
			{name: "append", ask: alter(topicResource, "t", op{"cleanup.policy", appendTo, val("compact")})},
			{name: "both show", until: shows("cleanup.policy", "delete,compact"), ask: describe(topicResource, "t", []string{"cleanup.policy"})},
			{name: "append what is there", ask: alter(topicResource, "t", op{"cleanup.policy", appendTo, val("compact")})},
			{name: "subtract", ask: alter(topicResource, "t", op{"cleanup.policy", subtract, val("delete")})},
			{name: "one shows", until: shows("cleanup.policy", "compact"), ask: describe(topicResource, "t", []string{"cleanup.policy"})},
			{name: "subtract what is not there", ask: alter(topicResource, "t", op{"cleanup.policy", subtract, val("delete")})},
			{name: "subtract the last one", ask: alter(topicResource, "t", op{"cleanup.policy", subtract, val("compact")})},
			{name: "none shows", until: shows("cleanup.policy", ""), ask: describe(topicResource, "t", []string{"cleanup.policy"})},
			// behaviour 154
			{name: "append to a number", ask: alter(topicResource, "t", op{"retention.ms", appendTo, val("1")})},
			{name: "subtract from a number", ask: alter(topicResource, "t", op{"retention.ms", subtract, val("1")})},
			{name: "null value", ask: alter(topicResource, "t", op{"retention.ms", set, nil})},
			{name: "null to append", ask: alter(topicResource, "t", op{"cleanup.policy", appendTo, nil})},
			{name: "unknown key", ask: alter(topicResource, "t", op{"no.such", set, val("1")})},
			{name: "delete an unknown key", ask: alter(topicResource, "t", op{"no.such", del, nil})},
			{name: "same key twice", ask: alter(topicResource, "t", op{"retention.ms", set, val("1")}, op{"retention.ms", set, val("2")})},
			// behaviour 156
			{name: "same resource twice", ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
				*r = *alter(topicResource, "t", op{"retention.ms", set, val("1")})(x).(*kmsg.IncrementalAlterConfigsRequest)
				r.Resources = append(r.Resources, r.Resources[0])
			})},
			{name: "unknown topic", ask: alter(topicResource, "nope", op{"retention.ms", set, val("1")})},
			{name: "bad topic name", ask: alter(topicResource, "a b", op{"retention.ms", set, val("1")})},
			{name: "empty topic name", ask: alter(topicResource, "", op{"retention.ms", set, val("1")})},
			// behaviour 157
			{name: "segment.bytes 1", ask: alter(topicResource, "t", op{"segment.bytes", set, val("1")})},
			{name: "not a number", ask: alter(topicResource, "t", op{"retention.ms", set, val("abc")})},
			{name: "append what is not allowed", ask: alter(topicResource, "t", op{"cleanup.policy", appendTo, val("nope")})},
			{name: "one good and one bad key", ask: alter(topicResource, "t", op{"retention.ms", set, val("777")}, op{"segment.bytes", set, val("1")})},
			{name: "the good one is not set", ask: describe(topicResource, "t", []string{"retention.ms"})},
			{name: "validate only", ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
				*r = *alter(topicResource, "t", op{"retention.ms", set, val("888")})(x).(*kmsg.IncrementalAlterConfigsRequest)
				r.ValidateOnly = true
			})},
			{name: "nothing was set", ask: describe(topicResource, "t", []string{"retention.ms"})},
			{name: "no keys", ask: alter(topicResource, "t")},
			// behaviour 158
			{name: "node.id", ask: alter(brokerResource, "node", op{"node.id", set, val("7")})},
			{name: "listeners as the cluster's default", ask: alter(brokerResource, "", op{"listeners", set, val("PLAINTEXT://:1")})},
			{name: "broker 99", ask: alter(brokerResource, "99", op{"log.retention.ms", set, val("1")})},
			{name: "broker abc", ask: alter(brokerResource, "abc", op{"log.retention.ms", set, val("1")})},
			{name: "type 77", ask: alter(77, "x", op{"a", set, val("1")})},
			{name: "type 77, null values", ask: alter(77, "x", op{"a", set, nil}, op{"b", appendTo, nil})},
			{name: "an unknown topic, null value", ask: alter(topicResource, "nope", op{"retention.ms", set, nil})},
			{name: "an unknown topic, a key twice", ask: alter(topicResource, "nope", op{"retention.ms", set, val("1")}, op{"retention.ms", del, nil})},
			{name: "two topics and a broker, an operation that is none", ask: req(func(x *actor, r *kmsg.IncrementalAlterConfigsRequest) {
				*r = *alter(topicResource, "t", op{"retention.ms", 9, val("1")})(x).(*kmsg.IncrementalAlterConfigsRequest)
				for _, a := range []func(*actor) kmsg.Request{alter(topicResource, "nope", op{"retention.ms", set, val("1")}), alter(topicResource, "", op{"retention.ms", set, nil}), alter(brokerResource, "99", op{"log.retention.ms", set, val("1")})} {
					r.Resources = append(r.Resources, a(x).(*kmsg.IncrementalAlterConfigsRequest).Resources...)
				}
			})},
			{name: "type 0", ask: alter(0, "x", op{"a", set, val("1")})},
			{name: "nothing", ask: req(func(*actor, *kmsg.IncrementalAlterConfigsRequest) {})},
		},
	)},
	{name: "alter configs", key: kmsg.AlterConfigs, steps: join(
		topics(spec{"t", 1, map[string]string{"max.message.bytes": "2000"}}),
		[]step{
			// behaviour 162
			{name: "one key", ask: alterAll(topicResource, "t", op{name: "retention.ms", value: val("5000000")})},
			{name: "the other is at its default", until: shows("retention.ms", "5000000"), ask: describe(topicResource, "t", []string{"retention.ms", "max.message.bytes"})},
			{name: "validate only", ask: req(func(x *actor, r *kmsg.AlterConfigsRequest) {
				*r = *alterAll(topicResource, "t", op{name: "retention.ms", value: val("1")})(x).(*kmsg.AlterConfigsRequest)
				r.ValidateOnly = true
			})},
			{name: "unknown key", ask: alterAll(topicResource, "t", op{name: "no.such", value: val("1")})},
			{name: "bad value", ask: alterAll(topicResource, "t", op{name: "retention.ms", value: val("x")})},
			{name: "null value", ask: alterAll(topicResource, "t", op{name: "retention.ms"})},
			{name: "same key twice", ask: alterAll(topicResource, "t", op{name: "retention.ms", value: val("1000000")}, op{name: "retention.ms", value: val("2000000")})},
			{name: "unknown topic", ask: alterAll(topicResource, "nope", op{name: "retention.ms", value: val("1")})},
			{name: "empty topic name", ask: alterAll(topicResource, "", op{name: "retention.ms", value: val("1")})},
			{name: "same resource twice", silent: true, on: "twice", ask: req(func(x *actor, r *kmsg.AlterConfigsRequest) {
				*r = *alterAll(topicResource, "t", op{name: "retention.ms", value: val("1")})(x).(*kmsg.AlterConfigsRequest)
				r.Resources = append(r.Resources, r.Resources[0])
			})},
			{name: "no keys", ask: alterAll(topicResource, "t")},
			{name: "all at their defaults", until: shows("retention.ms", "604800000"), ask: describe(topicResource, "t", []string{"retention.ms", "max.message.bytes"})},
			{name: "node.id", ask: alterAll(brokerResource, "node", op{name: "node.id", value: val("7")})},
			{name: "broker 99", ask: alterAll(brokerResource, "99", op{name: "log.retention.ms", value: val("1")})},
			{name: "broker abc", ask: alterAll(brokerResource, "abc", op{name: "log.retention.ms", value: val("1")})},
			{name: "type 77", ask: alterAll(77, "x", op{name: "a", value: val("1")})},
			{name: "type 77, null value", ask: alterAll(77, "x", op{name: "a"})},
			{name: "an unknown topic, a key twice", ask: alterAll(topicResource, "nope", op{name: "retention.ms", value: val("1")}, op{name: "retention.ms", value: val("2")})},
		},
	)},
}
