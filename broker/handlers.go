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
	17:                      on((*Broker).handleSASLHandshake),
	19:                      on((*Broker).handleCreateTopics),
	20:                      on((*Broker).handleDeleteTopics),
	21:                      on((*Broker).handleDeleteRecords),
	22:                      on((*Broker).handleInitProducerID),
	23:                      on((*Broker).handleOffsetForLeaderEpoch),
	29:                      on((*Broker).handleDescribeACLs),
	30:                      on((*Broker).handleCreateACLs),
	31:                      on((*Broker).handleDeleteACLs),
	32:                      on((*Broker).handleDescribeConfigs),
	33:                      on((*Broker).handleAlterConfigs),
	36:                      on((*Broker).handleSASLAuthenticate),
	37:                      on((*Broker).handleCreatePartitions),
	38:                      on((*Broker).handleCreateDelegationToken),
	39:                      on((*Broker).handleRenewDelegationToken),
	40:                      on((*Broker).handleExpireDelegationToken),
	41:                      on((*Broker).handleDescribeDelegationToken),
	42:                      on((*Broker).handleDeleteGroups),
	44:                      on((*Broker).handleIncrementalAlterConfigs),
	47:                      on((*Broker).handleOffsetDelete),
	55:                      on((*Broker).handleDescribeQuorum),
	60:                      on((*Broker).handleDescribeCluster),
	64:                      on((*Broker).handleUnregisterBroker),
	80:                      on((*Broker).handleAddRaftVoter),
	81:                      on((*Broker).handleRemoveRaftVoter),
}
