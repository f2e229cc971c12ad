package broker

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// This file owns the topics in which the coordinators keep their records. They
// come into being on first use, as in Apache Kafka, and are there for clients
// to read.

// internalTopic finds an internal topic, and makes it if it is not there yet.
func (b *Broker) internalTopic(name string) *topic {
	if t := b.image.Load().topic(name); t != nil {
		return t
	}
	if t, err := b.createTopic(b.plannedInternalTopic(name)); err == nil {
		return t
	}
	// Another request was faster; or the broker's configs make it impossible,
	// and then there is none.
	return b.image.Load().topic(name)
}

// plannedInternalTopic is what an internal topic is like
// (org.apache.kafka.coordinator.group.GroupCoordinatorService.groupMetadataTopicConfigs
// and its likes).
func (b *Broker) plannedInternalTopic(name string) newTopic {
	cfg := b.config.Load()
	number := func(name string) string { return strconv.Itoa(cfg.Int(name)) }
	n := newTopic{name: name}
	switch name {
	case groupMetadataTopic:
		n.partitions = int32(cfg.Int("offsets.topic.num.partitions"))
		n.replicas = int16(cfg.Int("offsets.topic.replication.factor"))
		n.configs = map[string]string{
			"cleanup.policy":   "compact",
			"compression.type": "producer",
			"segment.bytes":    number("offsets.topic.segment.bytes"),
		}
	case transactionStateTopic:
		n.partitions = int32(cfg.Int("transaction.state.log.num.partitions"))
		n.replicas = int16(cfg.Int("transaction.state.log.replication.factor"))
		n.configs = map[string]string{
			"cleanup.policy":                 "compact",
			"compression.type":               "uncompressed",
			"min.insync.replicas":            number("transaction.state.log.min.isr"),
			"segment.bytes":                  number("transaction.state.log.segment.bytes"),
			"unclean.leader.election.enable": "false",
		}
	case shareStateTopic:
		n.partitions = int32(cfg.Int("share.coordinator.state.topic.num.partitions"))
		n.replicas = int16(cfg.Int("share.coordinator.state.topic.replication.factor"))
		n.configs = map[string]string{
			"cleanup.policy":      "delete",
			"compression.type":    "uncompressed",
			"min.insync.replicas": number("share.coordinator.state.topic.min.isr"),
			"retention.ms":        "-1",
			"segment.bytes":       number("share.coordinator.state.topic.segment.bytes"),
		}
	}
	return n
}

// partitionOf is the partition of an internal topic that has a key's records:
// Java's hash of the key decides (org.apache.kafka.common.utils.Utils.abs).
func (t *topic) partitionOf(key string) *partition {
	var h int32
	for _, r := range key {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			h = 31*h + int32(high)
			r = low
		}
		h = 31*h + int32(r)
	}
	if h == math.MinInt32 {
		h = 0
	}
	return t.partitions[int(max(h, -h))%len(t.partitions)]
}
