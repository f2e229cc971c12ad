package config

// This file owns dynamic changes of broker configs
// (DynamicBrokerConfig.validateConfigs, KIP-226).

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Alter is IncrementalAlterConfigs on a broker; with clusterWide on the
// defaults of all brokers, the broker named "".
func (b *Broker) Alter(clusterWide bool, ops []Op) (*Broker, *Error) {
	if err := CheckOps(ops); err != nil {
		return nil, err
	}
	next, err := apply(b.layers[place(clusterWide)].values, ops, func(name string) *Def { return brokerByName[name] },
		func(op, name string) string {
			return "Config value " + strings.ToLower(op) + " is not allowed for config key: " + name
		})
	if err != nil {
		return nil, err
	}
	return b.with(clusterWide, next)
}

// Replace is AlterConfigs on a broker: what is not in entries is no longer
// set dynamically.
func (b *Broker) Replace(clusterWide bool, entries []Op) (*Broker, *Error) {
	if err := CheckOps(entries); err != nil {
		return nil, err
	}
	return b.with(clusterWide, set(entries))
}

func place(clusterWide bool) int {
	if clusterWide {
		return ofCluster
	}
	return ofBroker
}

func (b *Broker) with(clusterWide bool, values map[string]string) (*Broker, *Error) {
	if err := checkDynamic(clusterWide, values); err != nil {
		return nil, err
	}
	layers := b.layers
	layers[place(clusterWide)].values = values
	next, err := newBroker(layers)
	if err != nil {
		return nil, invalidRequest(err.Message)
	}
	if err := b.checkThreads(next); err != nil {
		return nil, err
	}
	return next, nil
}

// checkDynamic says which configs may be set so. Names that Kafka does not know
// are accepted: they may be a plugin's.
func checkDynamic(clusterWide bool, values map[string]string) *Error {
	var readOnly, security, perBroker []string
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		d := brokerByName[name]
		switch {
		case d == nil:
		case d.ReadOnly:
			readOnly = append(readOnly, name)
		case isListenerSecurity(name):
			security = append(security, name)
		case d.perBroker:
			perBroker = append(perBroker, name)
		}
	}
	refuse := func(reason string, names []string) *Error {
		return invalidRequest(reason + ": [" + strings.Join(names, ", ") + "]")
	}
	if len(readOnly) > 0 {
		return refuse("Cannot update these configs dynamically", readOnly)
	}
	if len(security) > 0 {
		return refuse("These security configs can be dynamically updated only per-listener using the listener prefix", security)
	}
	for _, name := range names {
		if d := brokerByName[name]; d != nil {
			if _, err := d.parse(values[name]); err != nil {
				return invalidRequest(err.Message)
			}
		}
	}
	if clusterWide && len(perBroker) > 0 {
		return refuse("Cannot update these configs at default cluster level, broker id must be specified", perBroker)
	}
	if slices.Contains(perBroker, "listeners") {
		return invalidRequest("The listeners of this broker are set when it starts.")
	}
	return nil
}

func isListenerSecurity(name string) bool {
	return strings.HasPrefix(name, "ssl.keystore.") || strings.HasPrefix(name, "ssl.truststore.") || name == "ssl.key.password"
}

// pools are the thread pools that Kafka resizes while it runs. They do not
// exist here, but a client that asks for too much must hear so.
var pools = []string{"background.threads", "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers"}

// checkThreads allows a pool at most to double or halve at once
// (DynamicThreadPool.validateReconfiguration).
func (b *Broker) checkThreads(next *Broker) *Error {
	for _, name := range pools {
		was, is := b.Int(name), next.Int(name)
		reason := ""
		switch {
		case is < was/2:
			reason = "value should be at least half the current value " + strconv.Itoa(was)
		case is > was*2:
			reason = "value should not be greater than double the current value " + strconv.Itoa(was)
		default:
			continue
		}
		return invalidRequest("Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for " +
			name + "=" + strconv.Itoa(is) + ", " + reason + " for configuration Invalid dynamic configuration")
	}
	return nil
}
