package diff

// kfakeTable is where kfake and minibroker differ, and Apache Kafka's answer
// does not tell who is right. (Where it does, see kfakeDiffers.)
var kfakeTable = []meant{
	{script: "produce null records", path: "Topics[$t].Partitions[0].*", why: "minibroker: Apache Kafka never answers (behaviour 50); empty records get 87 from it"},
	{script: "alter configs", step: "same resource twice", path: "Resources[$t].*", why: "minibroker: Apache Kafka never answers AlterConfigs with a resource twice, and answers IncrementalAlterConfigs so (behaviour 156)"},
	{script: "offset commit", step: "is stored", to: 1, path: "*.Metadata", ref: "null", sub: `""`, why: "minibroker: v0 has no member to commit for, and without a commit the metadata is empty (behaviour 187)"},
}
