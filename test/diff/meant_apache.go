package diff

// apacheTable is all that minibroker answers otherwise than Apache Kafka on
// purpose. why is the row of docs/differences.md that tells of it.
var apacheTable = []meant{
	{script: "produce null records", path: answered, ref: "no answer", sub: "yes", why: "Produce with null records"},
	{script: "alter configs", step: "same resource twice", path: answered, ref: "no answer", sub: "yes", why: "AlterConfigs with a resource twice"},

	{path: "ApiKeys[*].MinVersion", sub: "0", why: oldVersions},
	{path: "ApiKeys[18].MaxVersion", ref: "4", sub: "5", why: newVersions},
	{path: "ApiKeys[71]*", ref: absent, sub: there, why: "client telemetry"},
	{path: "ApiKeys[72]*", ref: absent, sub: there, why: "client telemetry"},
	{path: "ApiKeys[28].MaxVersion", ref: "5", sub: "6", why: newVersions},
	{path: "ApiKeys[42].MaxVersion", ref: "2", sub: "3", why: newVersions},
	{path: "ApiKeys[88].MaxVersion", ref: "0", sub: "1", why: newVersions},
	{path: "ApiKeys[89].MaxVersion", ref: "0", sub: "1", why: newVersions},
	{path: "ApiKeys[93]*", ref: absent, sub: there, why: newVersions},
	{path: "FinalizedFeatures*", why: "ApiVersions"},
	{path: "SupportedFeatures*", why: "ApiVersions"},

	{script: "metadata", step: "unknown, to be made", path: "Topics[$auto]*", why: autoCreation},
	{script: "metadata", step: "unknown, not to be made", to: 3, path: "Topics[$nope]*", why: autoCreation},
	{script: "metadata", step: "two, one unknown", to: 3, path: "Topics[$nope]*", why: autoCreation},

	{script: "fetch", step: "partition max bytes of *", path: "*.RecordBatches[*]", ref: "cut: *", sub: absent, why: "Fetch, more data than `max_bytes`"},
	{script: "produce", step: "what the log holds then", path: "Topics[$t].Partitions[29].RecordBatches[0]", ref: "*+5 *", sub: "*+1 *", why: "Produce of records whose offset deltas do not count up"},
	{script: "produce", step: "what the log holds then", path: "Topics[$t].Partitions[30].RecordBatches[0]", ref: "*+0 \"k1\"*", sub: "*+1 \"k1\"*", why: "Produce of records whose offset deltas do not count up"},
	{script: "delete records", step: "largest timestamp then", path: "Topics[$t].Partitions[0].*", why: "ListOffsets -3 after DeleteRecords"},

	{path: "*Configs[min.insync.replicas]*", why: "eligible leader replicas"},
	{script: "describe configs", step: "broker defaults", path: "Resources[0].Configs*", why: "eligible leader replicas"},
	{path: "*.Documentation", why: "texts of configs"},
	{script: "describe broker configs", path: "Resources[1].Configs[group.consumer.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: "defaults for one broker in memory"},
	{path: "*.ConfigSynonyms[* again 1].Value", ref: `"*"`, why: "defaults for one broker in memory"},
	{script: "describe broker configs", path: "Resources[1].Configs[connection.failed.authentication.delay.ms]*", ref: `"100"`, sub: `"0"`, why: "defaults for one broker in memory"},
	{script: "describe broker configs", path: "Resources[1].Configs[sasl.enabled.mechanisms]*", why: "`sasl.enabled.mechanisms`"},
	{script: "describe broker configs", path: "Resources[1].Configs[listener*", why: ownSettings},
	{script: "describe broker configs", path: "Resources[1].Configs[broker.id]*", why: ownSettings},
	{script: "describe broker configs", path: "Resources[1].Configs[node.id]*", why: ownSettings},
	{script: "describe broker configs", path: "Resources[1].Configs[log.dirs]*", why: ownSettings},
	{script: "describe broker configs", path: "Resources[1].Configs[process.roles]*", why: ownSettings},
	{script: "describe broker configs", path: "Resources[1].Configs[controller.*", why: ownSettings},

	{script: "describe broker configs", path: "Resources[1].Configs[group.share.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: "defaults for one broker in memory"},
	{path: "*Configs[group.share.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: "`group.share.assignment.interval.ms`"},
	{path: "*Configs[group.consumer.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: "`group.consumer.assignment.interval.ms`"},
	{path: "*Configs[group.streams.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: streamsDefaults},
	{path: "*Configs[group.streams.initial.rebalance.delay.ms]*", ref: `"3000"`, sub: `"0"`, why: streamsDefaults},
	{script: "streams group topics that are made", path: "*", why: "internal topics of a streams group"},
	{path: "*Configs[group.share.assignment.interval.ms]*", ref: `"1000"`, sub: `"0"`, why: "defaults for one broker in memory"},

	{path: "HeartbeatIntervalMillis", ref: "*000", why: "heartbeat intervals of consumer, share and streams groups"},

	{script: "share fetch", step: "an unknown topic", path: "*", why: "ShareFetch that begins a session with an unknown topic id"},

	{script: "add partitions to transactions", step: "no transactions", path: answered, ref: "no answer", sub: "yes", why: "AddPartitionsToTxn v4+ without transactions"},
	{script: "add partitions to transactions", step: "a transaction twice", path: "Transactions[$txn again 1].Topics[$t].Partitions*", why: "AddPartitionsToTxn v4+ that names a transaction twice"},
	{script: "write transaction markers", step: "a partition twice", path: answered, ref: "no answer", sub: "yes", why: lostMarkers},
	{script: "write transaction markers", step: "two markers, one to an unknown topic", path: answered, ref: "no answer", sub: "yes", why: lostMarkers},
	{script: "commit offsets in a transaction", step: "an empty transactional id", path: "Topics[$t].Partitions[0].ErrorCode", ref: "0", sub: "42 INVALID_REQUEST", why: othersID},
	{script: "commit offsets in a transaction", step: "an unknown transactional id", path: "Topics[$t].Partitions[0].ErrorCode", ref: "0", sub: "49 *", why: othersID},
	{script: "fetch transactions", path: "Topics[$t].Partitions[0].AbortedTransactions[<ProducerID of \"other producer\">]", ref: there, sub: absent, why: "Fetch that reads what is committed"},

	{script: "alter client quotas", step: "value NaN", path: "Entries[*].Error*", ref: "", sub: "", why: "AlterClientQuotas with the value NaN"},

	{script: "frames", step: "a TLS hello", path: answered, ref: "closed", sub: errStrange.Error(), why: "HTTP and TLS on the Kafka port"},
}

const (
	oldVersions     = "old versions"
	newVersions     = "newer versions"
	autoCreation    = "topics made on first use"
	streamsDefaults = "`group.streams.initial.rebalance.delay.ms`, `group.streams.assignment.interval.ms`"
	lostMarkers     = "WriteTxnMarkers with a partition twice, or with one of several markers that writes nothing"
	othersID        = "TxnOffsetCommit with a transactional id that is not the producer's, which has offsets pending"
	ownSettings     = "settings of a broker with disks and controllers"
)
