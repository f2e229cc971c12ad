// Package config knows every Kafka config that a client can see: of topics,
// brokers, groups and client metrics. It has their names, types, defaults,
// rules, synonyms and texts, as Apache Kafka 4.3 has them, and works out which
// value holds. It reads nothing and locks nothing: a Broker and a Topic are
// immutable values.
//
// This file owns the vocabulary.
package config

import (
	"strconv"
	"sync/atomic"
)

// Type is a config's type, numbered as DescribeConfigs v3+ answers it.
type Type int8

const (
	TypeUnknown Type = iota
	TypeBoolean
	TypeString
	TypeInt
	TypeShort
	TypeLong
	TypeDouble
	TypeList
	TypeClass
	TypePassword
)

var typeNames = [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

// String is Kafka's name of the type, as its error texts spell it.
func (t Type) String() string { return typeNames[t] }

// Source says where a value comes from, numbered as DescribeConfigs v1+
// answers it (KIP-226).
type Source int8

const (
	DynamicTopicConfig         Source = 1
	DynamicBrokerConfig        Source = 2
	DynamicDefaultBrokerConfig Source = 3
	StaticBrokerConfig         Source = 4
	DefaultConfig              Source = 5
	DynamicBrokerLoggerConfig  Source = 6
	ClientMetricsConfig        Source = 7
	GroupConfig                Source = 8
)

// String is Kafka's name of the source.
func (s Source) String() string {
	switch s {
	case DynamicTopicConfig:
		return "DYNAMIC_TOPIC_CONFIG"
	case DynamicBrokerConfig:
		return "DYNAMIC_BROKER_CONFIG"
	case DynamicDefaultBrokerConfig:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG"
	case StaticBrokerConfig:
		return "STATIC_BROKER_CONFIG"
	case DefaultConfig:
		return "DEFAULT_CONFIG"
	case DynamicBrokerLoggerConfig:
		return "DYNAMIC_BROKER_LOGGER_CONFIG"
	case ClientMetricsConfig:
		return "CLIENT_METRICS_CONFIG"
	case GroupConfig:
		return "GROUP_CONFIG"
	}
	return "UNKNOWN(" + strconv.Itoa(int(s)) + ")"
}

// Def defines one config.
type Def struct {
	Name string
	Type Type
	// Default is nil where Kafka has no default.
	Default *string
	// ReadOnly configs cannot be changed while the broker runs.
	ReadOnly bool
	// Sensitive values are never told to a client.
	Sensitive bool
	// Internal configs are accepted, and described only where they are set.
	Internal bool
	// Synonyms are the broker configs that a topic's or group's config falls
	// back to, the first that is set wins.
	Synonyms []Synonym
	// Doc says in a line what the config does here. It is empty for a broker
	// config that is accepted and has no effect.
	Doc string

	rule      lazyRule
	perBroker bool // may not be a cluster-wide default

	parsed atomic.Pointer[any] // Default, once it was needed
}

// Synonym is a broker config that a topic's config falls back to.
type Synonym struct {
	Name string
	// Times converts: log.retention.hours is retention.ms divided by 3600000.
	Times int64
}

// Entry is one config of a resource, as DescribeConfigs and CreateTopics v5+
// answer it.
type Entry struct {
	Name      string
	Value     *string // nil: null, or sensitive
	Source    Source
	Type      Type
	ReadOnly  bool
	Sensitive bool
	Synonyms  []SynonymEntry // in precedence order
	Doc       string         // empty: null
}

// SynonymEntry is one of the settings that an Entry's value comes from.
type SynonymEntry struct {
	Name   string
	Value  *string
	Source Source
}

// Error is a refusal with Kafka's error code and text.
type Error struct {
	Code    int16
	Message string
}

func (e *Error) Error() string { return e.Message }

// Kafka's codes of the refusals in this package.
const (
	codeInvalidConfig  int16 = 40
	codeInvalidRequest int16 = 42
)

func invalidConfig(message string) *Error {
	return &Error{Code: codeInvalidConfig, Message: message}
}

func invalidRequest(message string) *Error {
	return &Error{Code: codeInvalidRequest, Message: message}
}
