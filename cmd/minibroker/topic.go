package main

// This file owns the text of --topic.

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"minibroker/broker/config"
)

// topicSpec is a topic to create at start.
type topicSpec struct {
	name       string
	partitions int // 0: num.partitions
	configs    map[string]string
}

// parseTopic reads name[:partitions[:config=value,...]]. A value may have
// commas itself, as in cleanup.policy=compact,delete: what has no "=" belongs
// to the value before.
func parseTopic(text string) (topicSpec, error) {
	name, rest, _ := strings.Cut(text, ":")
	t := topicSpec{name: strings.TrimSpace(name)}
	if t.name == "" {
		return t, errors.New("the name is missing: write name:partitions, such as orders:3")
	}
	partitions, settings, _ := strings.Cut(rest, ":")
	if partitions = strings.TrimSpace(partitions); partitions != "" {
		n, err := strconv.ParseInt(partitions, 10, 32)
		if err != nil || n < 1 {
			return t, fmt.Errorf("%q is not a number of partitions: write name:partitions, such as %s:3", partitions, t.name)
		}
		t.partitions = int(n)
	}
	var last string
	for part := range strings.SplitSeq(settings, ",") {
		key, value, ok := strings.Cut(part, "=")
		switch key = strings.TrimSpace(key); {
		case ok:
			if err := checkTopicConfig(key); err != nil {
				return t, err
			}
			if t.configs == nil {
				t.configs = map[string]string{}
			}
			t.configs[key], last = value, key
		case last != "":
			t.configs[last] += "," + part
		case strings.TrimSpace(settings) != "":
			return t, fmt.Errorf("%q is not a config: write name=value, such as retention.ms=60000", part)
		}
	}
	return t, nil
}

func checkTopicConfig(name string) error {
	if _, ok := config.TopicDef(name); ok {
		return nil
	}
	if near := config.SuggestTopic(name); near != "" {
		return fmt.Errorf("unknown topic config %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown topic config %q: names are Apache Kafka's, such as %q", name, "retention.ms")
}
