package diff

// changing are fields of Apache Kafka's answers that change from one run to
// the next: a recording leaves them out.
var changing = []meant{
	{script: "describe broker configs", path: "*Configs[listeners]*", why: "ports"},
	{script: "describe broker configs", path: "*Configs[controller.quorum.bootstrap.servers]*", why: "ports"},
	{script: "describe broker configs", path: "*Configs[log.dirs]*", why: "directories"},
}
