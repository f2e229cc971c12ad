package protocol

import "slices"

// Feature is one feature of the cluster that is switched by level (KIP-584),
// with the levels that can be chosen. Level 0 is off.
type Feature struct {
	Name     string
	Min, Max int16
}

// features is the table of features, as ApiVersions lists them. Clients decide
// by them which way to talk, so a level is there only when the APIs that it
// promises are in the table of apis.go.
var features = slices.DeleteFunc([]Feature{
	{Name: "eligible.leader.replicas.version", Max: 1}, // KIP-966: replicas that left an ISR that is too small may lead
	{Name: "group.version", Max: levelIf(1, 68, 69)},   // KIP-848: ConsumerGroupHeartbeat, ConsumerGroupDescribe
	{Name: "kraft.version", Max: 1},                    // KIP-853: voters have directory ids
	{Name: "metadata.version", Min: 7, Max: 30},        // 3.3-IV3 to 4.3-IV0
	{Name: "share.version", Max: levelIf(1, 76, 77, 78, 79)},
	{Name: "streams.version", Max: levelIf(1, 88, 89)},
	{Name: "transaction.version", Max: levelIf(2, 24, 25, 26, 28)}, // KIP-890: EndTxn v5 and implicit adding of partitions
}, func(f Feature) bool { return f.Max == 0 })

// levelIf is level if all these APIs are served, else 0.
func levelIf(level int16, keys ...int16) int16 {
	for _, key := range keys {
		if APIFor(key) == nil {
			return 0
		}
	}
	return level
}

// Features returns the table.
func Features() []Feature { return slices.Clone(features) }
