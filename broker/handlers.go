package broker

import "minibroker/protocol"

// handlers is the table of who answers which API. Each handler is in the file
// of its subject. TestEveryAPIHasAHandler holds the table against
// protocol.APIs.
var handlers = [...]handlerFunc{
	protocol.KeyMetadata:    on((*Broker).handleMetadata),
	protocol.KeyApiVersions: on((*Broker).handleApiVersions),
	19:                      on((*Broker).handleCreateTopics),
	20:                      on((*Broker).handleDeleteTopics),
	32:                      on((*Broker).handleDescribeConfigs),
	33:                      on((*Broker).handleAlterConfigs),
	37:                      on((*Broker).handleCreatePartitions),
	44:                      on((*Broker).handleIncrementalAlterConfigs),
	60:                      on((*Broker).handleDescribeCluster),
}
