package diff

import (
	"slices"
	"strings"
)

// unordered are lists whose order means nothing, by API and path; with the
// reason. Every other list is compared in its order.
var unordered = map[string]string{
	"AlterClientQuotas.Entries":                                       "Apache Kafka's order is that of a hash table",
	"AlterClientQuotas.Entries.Entity":                                "Apache Kafka's order is that of a hash table",
	"DescribeClientQuotas.Entries":                                    "Apache Kafka's order is that of a hash table",
	"DescribeClientQuotas.Entries.Entity":                             "Apache Kafka's order is that of a hash table",
	"DescribeClientQuotas.Entries.Values":                             "Apache Kafka's order is that of a hash table",
	"DescribeUserSCRAMCredentials.Results":                            "Apache Kafka's order is that of a hash table",
	"AlterUserSCRAMCredentials.Results":                               "Apache Kafka's order is that of a hash table",
	"ElectLeaders.Topics":                                             "Apache Kafka's order is that of a hash table",
	"ElectLeaders.Topics.Partitions":                                  "Apache Kafka's order is that of a hash table",
	"DescribeLogDirs.Dirs.Topics":                                     "Apache Kafka's order is that of a hash table",
	"DescribeLogDirs.Dirs.Topics.Partitions":                          "Apache Kafka's order is that of a hash table",
	"AlterReplicaLogDirs.Topics":                                      "Apache Kafka's order is that of a hash table",
	"ListConfigResources.ConfigResources":                             "Apache Kafka's order is that of a hash table",
	"UpdateFeatures.Results":                                          "Apache Kafka's order is that of a hash table",
	"AddPartitionsToTxn.Topics":                                       "Apache Kafka's order is that of a hash table",
	"AddPartitionsToTxn.Topics.Partitions":                            "Apache Kafka's order is that of a hash table",
	"AddPartitionsToTxn.Transactions":                                 "Apache Kafka's order is that of a hash table",
	"AddPartitionsToTxn.Transactions.Topics":                          "Apache Kafka's order is that of a hash table",
	"AddPartitionsToTxn.Transactions.Topics.Partitions":               "Apache Kafka's order is that of a hash table",
	"DescribeTransactions.TransactionStates.Topics":                   "Apache Kafka's order is that of a hash table",
	"DescribeTransactions.TransactionStates.Topics.Partitions":        "Apache Kafka's order is that of a hash table",
	"DescribeProducers.Topics.Partitions.ActiveProducers":             "Apache Kafka's order is that of a hash table",
	"ListTransactions.TransactionStates":                              "Apache Kafka's order is that of a hash table",
	"WriteTxnMarkers.Markers":                                         "Apache Kafka's order is that of a hash table",
	"WriteTxnMarkers.Markers.Topics":                                  "Apache Kafka's order is that of a hash table",
	"WriteTxnMarkers.Markers.Topics.Partitions":                       "Apache Kafka's order is that of a hash table",
	"DescribeConfigs.Resources.Configs":                               "Apache Kafka's order is that of a hash table",
	"DescribeGroups.Groups":                                           "Apache Kafka asks a coordinator thread per partition of the offsets topic",
	"ListGroups.Groups":                                               "Apache Kafka's order is that of a hash table",
	"DescribeGroups.Groups.Members":                                   "Apache Kafka's order is that of a hash table",
	"ConsumerGroupDescribe.Groups.Members":                            "Apache Kafka's order is that of a hash table",
	"StreamsGroupDescribe.Groups.Members":                             "Apache Kafka's order is that of a hash table",
	"StreamsGroupHeartbeat.PartitionsByUserEndpoint.ActivePartitions": "Apache Kafka's order is that of a hash table",
	"JoinGroup.Members":                                               "Apache Kafka's order is that of a hash table",
	"Metadata.Topics.Partitions":                                      "Apache Kafka's order is that of a hash table",
	"Metadata.Topics":                                                 "Apache Kafka gives those that exist first, in a hash table's order",
	"DeleteGroups.Groups":                                             "Apache Kafka's order is that of a hash table",
	"DescribeACLs.Resources.ACLs":                                     "Apache Kafka's order is that of a hash table",
	"DescribeACLs.Resources":                                          "Apache Kafka's order is that of a hash table",
	"DeleteTopics.Topics":                                             "Apache Kafka shuffles them, so that nobody relies on an order",
}

// unorderedTexts are what texts begin with that go on with names, by commas, whose
// order means nothing; with the reason.
var unorderedTexts = map[string]string{
	"Internal topics are missing: ": "Apache Kafka's order is that of a set",
}

// ordered is a text of unorderedTexts with its names in order, or any other as it is.
func ordered(s string) string {
	for begin := range unorderedTexts {
		if list, ok := strings.CutPrefix(s, begin); ok {
			names := strings.Split(list, ", ")
			slices.Sort(names)
			return begin + strings.Join(names, ", ")
		}
	}
	return s
}
