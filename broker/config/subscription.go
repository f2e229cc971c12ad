package config

import "strings"

// This file owns what a client metrics subscription says (KIP-714).

// DefaultPushInterval is how often clients push that no subscription is for,
// in ms.
const DefaultPushInterval = 300_000

// What a subscription can match (org.apache.kafka.server.metrics.ClientMetricsConfigs).
const (
	MatchInstanceID      = "client_instance_id"
	MatchClientID        = "client_id"
	MatchSoftwareName    = "client_software_name"
	MatchSoftwareVersion = "client_software_version"
	MatchSourceAddress   = "client_source_address"
	MatchSourcePort      = "client_source_port"
)

// Subscription is a client metrics subscription.
type Subscription struct {
	IntervalMs int64
	Metrics    []string          // prefixes of names; "*": all
	Match      map[string]string // patterns by what they match; empty: every client
}

// ReadSubscription reads overrides that AlterClientMetrics accepted.
func ReadSubscription(overrides map[string]string) Subscription {
	s := Subscription{IntervalMs: DefaultPushInterval, Match: make(map[string]string)}
	for _, d := range metricsDefs {
		text, ok := overrides[d.Name]
		if !ok {
			continue
		}
		switch v, _ := d.parse(text); v := v.(type) {
		case int64:
			s.IntervalMs = v
		case []string:
			if d.Name == "metrics" {
				s.Metrics = v
				continue
			}
			for _, pair := range v {
				name, pattern, _ := strings.Cut(pair, "=")
				s.Match[strings.TrimSpace(name)] = strings.TrimSpace(pattern)
			}
		}
	}
	return s
}
