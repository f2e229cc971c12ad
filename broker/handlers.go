package broker

import "minibroker/protocol"

// handlers is the table of who answers which API. Each handler is in the file
// of its subject. TestEveryAPIHasAHandler holds the table against
// protocol.APIs.
var handlers = [...]handlerFunc{
	protocol.KeyProduce:     on((*Broker).handleProduce),
	protocol.KeyFetch:       on((*Broker).handleFetch),
	2:                       on((*Broker).handleListOffsets),
	protocol.KeyMetadata:    on((*Broker).handleMetadata),
	protocol.KeyApiVersions: on((*Broker).handleApiVersions),
	8:                       on((*Broker).handleOffsetCommit),
	9:                       on((*Broker).handleOffsetFetch),
	10:                      on((*Broker).handleFindCoordinator),
	11:                      on((*Broker).handleJoinGroup),
	12:                      on((*Broker).handleHeartbeat),
	13:                      on((*Broker).handleLeaveGroup),
	14:                      on((*Broker).handleSyncGroup),
	15:                      on((*Broker).handleDescribeGroups),
	16:                      on((*Broker).handleListGroups),
	19:                      on((*Broker).handleCreateTopics),
	20:                      on((*Broker).handleDeleteTopics),
	21:                      on((*Broker).handleDeleteRecords),
	22:                      on((*Broker).handleInitProducerID),
	23:                      on((*Broker).handleOffsetForLeaderEpoch),
	24:                      on((*Broker).handleAddPartitionsToTxn),
	25:                      on((*Broker).handleAddOffsetsToTxn),
	26:                      on((*Broker).handleEndTxn),
	27:                      on((*Broker).handleWriteTxnMarkers),
	28:                      on((*Broker).handleTxnOffsetCommit),
	32:                      on((*Broker).handleDescribeConfigs),
	33:                      on((*Broker).handleAlterConfigs),
	37:                      on((*Broker).handleCreatePartitions),
	42:                      on((*Broker).handleDeleteGroups),
	44:                      on((*Broker).handleIncrementalAlterConfigs),
	47:                      on((*Broker).handleOffsetDelete),
	60:                      on((*Broker).handleDescribeCluster),
	61:                      on((*Broker).handleDescribeProducers),
	65:                      on((*Broker).handleDescribeTransactions),
	66:                      on((*Broker).handleListTransactions),
}
