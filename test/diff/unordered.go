package diff

// unordered are lists whose order means nothing, by API and path; with the
// reason. Every other list is compared in its order.
var unordered = map[string]string{
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
	"DeleteTopics.Topics":                                             "Apache Kafka shuffles them, so that nobody relies on an order",
}
