package broker

import (
	"fmt"
	"strings"

	"github.com/tidwall/btree"
)

// Topics that the cluster makes for itself
// (org.apache.kafka.common.internals.Topic).
const (
	groupMetadataTopic    = "__consumer_offsets"
	transactionStateTopic = "__transaction_state"
	shareStateTopic       = "__share_group_state"
	clusterMetadataTopic  = "__cluster_metadata"
)

const maxTopicName = 249

func isInternal(name string) bool {
	return name == groupMetadataTopic || name == transactionStateTopic || name == shareStateTopic
}

// invalidTopicName says why a name can't be a topic's; "" if it can. The texts
// are org.apache.kafka.common.internals.Topic's.
func invalidTopicName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == ".":
		return "Topic name is invalid: '.' is not allowed"
	case name == "..":
		return "Topic name is invalid: '..' is not allowed"
	case len(name) > maxTopicName:
		return fmt.Sprintf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return fmt.Sprintf("Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return ""
}

// collidesWith finds a topic whose name differs from name only in '.' and '_':
// their metrics would have the same names. It looks only at the topics that
// share name's beginning up to the first of these characters.
func collidesWith(topics *btree.Map[string, *topic], name string) string {
	first := strings.IndexAny(name, "._")
	if first < 0 {
		return ""
	}
	prefix, folded, found := name[:first], fold(name), ""
	topics.Ascend(prefix, func(other string, _ *topic) bool {
		if !strings.HasPrefix(other, prefix) {
			return false
		}
		if len(other) == len(name) && fold(other) == folded {
			found = other
			return false
		}
		return true
	})
	return found
}

func fold(name string) string { return strings.ReplaceAll(name, ".", "_") }
