// Package protocol turns bytes into Kafka's requests and answers back into
// bytes. It has no state, no clock and no sockets of its own.
package protocol

import (
	"math"
	"slices"
)

// API is one row of the table of what is served: ApiVersions' answer, the
// dispatch and docs/protocol.md come from it.
type API struct {
	Key  int16
	Name string // Apache Kafka's name (org.apache.kafka.common.protocol.ApiKeys)
	// Min and Max are the versions served, ends included.
	Min, Max int16

	flexibleFrom int16 // first version with tagged fields (KIP-482)
}

// never is flexibleFrom where no version served is.
const never = math.MaxInt16

// apis is the table. Max is what kmsg knows; Min is 0: old clients are served.
// TestParseHeaderAgreesWithKmsgInEveryVersion holds flexibleFrom against kmsg.
var apis = []API{
	{Key: 0, Name: "Produce", Max: 13, flexibleFrom: 9},
	{Key: 1, Name: "Fetch", Max: 18, flexibleFrom: 12},
	{Key: 2, Name: "ListOffsets", Max: 11, flexibleFrom: 6},
	{Key: 3, Name: "Metadata", Max: 13, flexibleFrom: 9},
	{Key: 8, Name: "OffsetCommit", Max: 10, flexibleFrom: 8},
	{Key: 9, Name: "OffsetFetch", Max: 10, flexibleFrom: 6},
	{Key: 10, Name: "FindCoordinator", Max: 6, flexibleFrom: 3},
	{Key: 11, Name: "JoinGroup", Max: 9, flexibleFrom: 6},
	{Key: 12, Name: "Heartbeat", Max: 4, flexibleFrom: 4},
	{Key: 13, Name: "LeaveGroup", Max: 5, flexibleFrom: 4},
	{Key: 14, Name: "SyncGroup", Max: 5, flexibleFrom: 4},
	{Key: 15, Name: "DescribeGroups", Max: 6, flexibleFrom: 5},
	{Key: 16, Name: "ListGroups", Max: 5, flexibleFrom: 3},
	{Key: 17, Name: "SaslHandshake", Max: 1, flexibleFrom: never},
	{Key: 18, Name: "ApiVersions", Max: 5, flexibleFrom: 3},
	{Key: 19, Name: "CreateTopics", Max: 7, flexibleFrom: 5},
	{Key: 20, Name: "DeleteTopics", Max: 6, flexibleFrom: 4},
	{Key: 21, Name: "DeleteRecords", Max: 2, flexibleFrom: 2},
	{Key: 22, Name: "InitProducerId", Max: 5, flexibleFrom: 2},
	{Key: 23, Name: "OffsetForLeaderEpoch", Max: 4, flexibleFrom: 4},
	{Key: 24, Name: "AddPartitionsToTxn", Max: 5, flexibleFrom: 3},
	{Key: 25, Name: "AddOffsetsToTxn", Max: 4, flexibleFrom: 3},
	{Key: 26, Name: "EndTxn", Max: 5, flexibleFrom: 3},
	{Key: 27, Name: "WriteTxnMarkers", Max: 2, flexibleFrom: 1},
	{Key: 28, Name: "TxnOffsetCommit", Max: 6, flexibleFrom: 3},
	{Key: 29, Name: "DescribeAcls", Max: 3, flexibleFrom: 2},
	{Key: 30, Name: "CreateAcls", Max: 3, flexibleFrom: 2},
	{Key: 31, Name: "DeleteAcls", Max: 3, flexibleFrom: 2},
	{Key: 32, Name: "DescribeConfigs", Max: 4, flexibleFrom: 4},
	{Key: 33, Name: "AlterConfigs", Max: 2, flexibleFrom: 2},
	{Key: 34, Name: "AlterReplicaLogDirs", Max: 2, flexibleFrom: 2},
	{Key: 35, Name: "DescribeLogDirs", Max: 5, flexibleFrom: 2},
	{Key: 36, Name: "SaslAuthenticate", Max: 2, flexibleFrom: 2},
	{Key: 37, Name: "CreatePartitions", Max: 3, flexibleFrom: 2},
	{Key: 38, Name: "CreateDelegationToken", Max: 3, flexibleFrom: 2},
	{Key: 39, Name: "RenewDelegationToken", Max: 2, flexibleFrom: 2},
	{Key: 40, Name: "ExpireDelegationToken", Max: 2, flexibleFrom: 2},
	{Key: 41, Name: "DescribeDelegationToken", Max: 3, flexibleFrom: 2},
	{Key: 42, Name: "DeleteGroups", Max: 3, flexibleFrom: 2},
	{Key: 43, Name: "ElectLeaders", Max: 2, flexibleFrom: 2},
	{Key: 44, Name: "IncrementalAlterConfigs", Max: 1, flexibleFrom: 1},
	{Key: 45, Name: "AlterPartitionReassignments", Max: 1, flexibleFrom: 0},
	{Key: 46, Name: "ListPartitionReassignments", Max: 0, flexibleFrom: 0},
	{Key: 47, Name: "OffsetDelete", Max: 0, flexibleFrom: never},
	{Key: 48, Name: "DescribeClientQuotas", Max: 1, flexibleFrom: 1},
	{Key: 49, Name: "AlterClientQuotas", Max: 1, flexibleFrom: 1},
	{Key: 50, Name: "DescribeUserScramCredentials", Max: 0, flexibleFrom: 0},
	{Key: 51, Name: "AlterUserScramCredentials", Max: 0, flexibleFrom: 0},
	{Key: 55, Name: "DescribeQuorum", Max: 2, flexibleFrom: 0},
	{Key: 57, Name: "UpdateFeatures", Max: 2, flexibleFrom: 0},
	{Key: 60, Name: "DescribeCluster", Max: 2, flexibleFrom: 0},
	{Key: 61, Name: "DescribeProducers", Max: 0, flexibleFrom: 0},
	{Key: 64, Name: "UnregisterBroker", Max: 0, flexibleFrom: 0},
	{Key: 65, Name: "DescribeTransactions", Max: 0, flexibleFrom: 0},
	{Key: 66, Name: "ListTransactions", Max: 2, flexibleFrom: 0},
	{Key: 68, Name: "ConsumerGroupHeartbeat", Max: 1, flexibleFrom: 0},
	{Key: 69, Name: "ConsumerGroupDescribe", Max: 1, flexibleFrom: 0},
	{Key: 71, Name: "GetTelemetrySubscriptions", Max: 0, flexibleFrom: 0},
	{Key: 72, Name: "PushTelemetry", Max: 0, flexibleFrom: 0},
	{Key: 74, Name: "ListConfigResources", Max: 1, flexibleFrom: 0},
	{Key: 75, Name: "DescribeTopicPartitions", Max: 0, flexibleFrom: 0},
	{Key: 76, Name: "ShareGroupHeartbeat", Max: 1, flexibleFrom: 0},
	{Key: 77, Name: "ShareGroupDescribe", Max: 1, flexibleFrom: 0},
	{Key: 78, Name: "ShareFetch", Max: 2, flexibleFrom: 0},
	{Key: 79, Name: "ShareAcknowledge", Max: 2, flexibleFrom: 0},
	{Key: 80, Name: "AddRaftVoter", Max: 1, flexibleFrom: 0},
	{Key: 81, Name: "RemoveRaftVoter", Max: 0, flexibleFrom: 0},
	{Key: 83, Name: "InitializeShareGroupState", Max: 0, flexibleFrom: 0},
	{Key: 84, Name: "ReadShareGroupState", Max: 0, flexibleFrom: 0},
	{Key: 85, Name: "WriteShareGroupState", Max: 1, flexibleFrom: 0},
	{Key: 86, Name: "DeleteShareGroupState", Max: 0, flexibleFrom: 0},
	{Key: 87, Name: "ReadShareGroupStateSummary", Max: 1, flexibleFrom: 0},
	{Key: 88, Name: "StreamsGroupHeartbeat", Max: 1, flexibleFrom: 0},
	{Key: 89, Name: "StreamsGroupDescribe", Max: 1, flexibleFrom: 0},
	{Key: 90, Name: "DescribeShareGroupOffsets", Max: 1, flexibleFrom: 0},
	{Key: 91, Name: "AlterShareGroupOffsets", Max: 0, flexibleFrom: 0},
	{Key: 92, Name: "DeleteShareGroupOffsets", Max: 0, flexibleFrom: 0},
	{Key: 93, Name: "StreamsGroupTopologyDescriptionUpdate", Max: 0, flexibleFrom: 0},
}

// byKey holds the table's rows at their keys; nil where nothing is served.
var byKey = func() []*API {
	rows := make([]*API, apis[len(apis)-1].Key+1)
	for i := range apis {
		rows[apis[i].Key] = &apis[i]
	}
	return rows
}()

// APIs returns the table, sorted by key.
func APIs() []API { return slices.Clone(apis) }

// APIFor returns the row of a key, or nil where nothing is served under it.
func APIFor(key int16) *API {
	if key < 0 || int(key) >= len(byKey) {
		return nil
	}
	return byKey[key]
}

// Serves says whether version is among those served.
func (a *API) Serves(version int16) bool { return a.Min <= version && version <= a.Max }

// Flexible says whether version has tagged fields (KIP-482).
func (a *API) Flexible(version int16) bool { return version >= a.flexibleFrom }

// Keys that code outside the handlers' table must name.
const (
	KeyProduce      int16 = 0
	KeyFetch        int16 = 1
	KeyMetadata     int16 = 3
	KeyOffsetCommit int16 = 8
	KeyApiVersions  int16 = 18
)
