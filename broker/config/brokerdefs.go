package config

// This file owns the table of broker configs. Names, types, defaults and rules
// are in broker.tsv, as Apache Kafka 4.3 has them; what differs and what has
// an effect is here.

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed broker.tsv
var brokerTSV string

// ownDefaults are the defaults that differ from Kafka's. Clients see them as
// DEFAULT_CONFIG.
var ownDefaults = map[string]string{
	// One process is the whole cluster, so it is broker and controller. Without
	// more brokers a topic cannot have more than one replica.
	"process.roles":                                    "broker,controller",
	"controller.listener.names":                        "CONTROLLER",
	"node.id":                                          "1",
	"broker.id":                                        "1",
	"offsets.topic.replication.factor":                 "1",
	"transaction.state.log.replication.factor":         "1",
	"transaction.state.log.min.isr":                    "1",
	"share.coordinator.state.topic.replication.factor": "1",
	"share.coordinator.state.topic.min.isr":            "1",
	// A test or an exercise starts one consumer and wants its records now;
	// Kafka waits 3 s for more members.
	"group.initial.rebalance.delay.ms": "0",
	// The same for consumer groups: Kafka makes at most one assignment per
	// second.
	"group.consumer.assignment.interval.ms": "0",
	"group.share.assignment.interval.ms":    "0",
	// And for streams groups, of which Kafka delays the first assignment, too.
	"group.streams.assignment.interval.ms":     "0",
	"group.streams.initial.rebalance.delay.ms": "0",
	// A client that guesses passwords is a test of just that.
	"connection.failed.authentication.delay.ms": "0",
	// GSSAPI needs a Kerberos server; OAUTHBEARER, as Kafka is without further
	// settings, believes every token, so nobody has it unasked.
	"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
}

// brokerDocs says what the broker configs do that have an effect here. Every
// other one is accepted, checked, shown, and changes nothing.
var brokerDocs = []struct{ name, doc string }{
	{"connection.failed.authentication.delay.ms", "How long a client that could not authenticate waits for its answer."},
	{"connections.max.reauth.ms", "How long a session may last before its client must authenticate again (KIP-368); 0: for ever."},
	{"delegation.token.secret.key", "The key of delegation tokens, the same on all brokers. Not set: there are no tokens."},
	{"delegation.token.max.lifetime.ms", "How long a delegation token lives, however often it is renewed."},
	{"delegation.token.expiry.time.ms", "How long a delegation token lives unless it is renewed."},
	{"delegation.token.expiry.check.interval.ms", "How often expired delegation tokens are forgotten."},
	{"sasl.enabled.mechanisms", "How clients may authenticate: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (unsecured tokens)."},
	{"sasl.server.max.receive.size", "The largest message that a client may send before it has authenticated."},
	{"ssl.client.auth", "Whether clients of ports that speak SSL must show a certificate (required), may (requested), or are not asked (none)."},
	{"authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer lets users do what ACLs allow. Not set: everybody may do everything, unless super.users or ACLs are given."},
	{"auto.leader.rebalance.enable", "Whether partitions go back to their preferred leaders after a while."},
	{"auto.create.topics.enable", "Whether asking for the metadata of a topic that does not exist creates it."},
	{"broker.id", "The older name of node.id."},
	{"broker.rack", "The rack that this broker says it is in."},
	{"default.replication.factor", "Replicas of a topic that is created without saying how many."},
	{"controller.quota.window.num", "How many windows of controller.quota.window.size.seconds a controller_mutation_rate quota saves up for a burst."},
	{"controller.quota.window.size.seconds", "The length of such a window."},
	{"delete.topic.enable", "Whether topics may be deleted."},
	{"fetch.max.bytes", "The most bytes that one Fetch answers, whatever the consumer asks for; a first batch that is larger is sent alone."},
	{"leader.imbalance.check.interval.seconds", "How long after a partition got another leader it goes back to its preferred one."},
	{"replica.lag.time.max.ms", "A follower that is behind for longer than this leaves the ISR."},
	{"replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector lets consumers read from the replica in their rack (KIP-392). Any other class is as good as none."},
	{"offsets.topic.replication.factor", "Replicas of __consumer_offsets. Not set, with several brokers: 3, or as many as there are."},
	{"offsets.topic.num.partitions", "Partitions of __consumer_offsets."},
	{"offsets.topic.segment.bytes", "segment.bytes of __consumer_offsets."},
	{"transaction.state.log.replication.factor", "The same of __transaction_state."},
	{"transaction.state.log.min.isr", "min.insync.replicas of __transaction_state. Not set, with several brokers: 2, or less with fewer than three."},
	{"transaction.state.log.num.partitions", "Partitions of __transaction_state."},
	{"transaction.state.log.segment.bytes", "segment.bytes of __transaction_state."},
	{"share.coordinator.state.topic.replication.factor", "Replicas of __share_group_state. Not set, with several brokers: 3, or as many as there are."},
	{"share.coordinator.state.topic.min.isr", "min.insync.replicas of __share_group_state. Not set, with several brokers: 2, or less with fewer than three."},
	{"share.coordinator.state.topic.num.partitions", "Partitions of __share_group_state."},
	{"share.coordinator.state.topic.segment.bytes", "segment.bytes of __share_group_state."},
	{"group.consumer.assignment.interval.ms", "The shortest time between two assignments of a consumer group (KIP-848)."},
	{"group.consumer.assignors", "The assignors that members of consumer groups may ask for; the first one is the default."},
	{"group.consumer.heartbeat.interval.ms", "How often members of consumer groups are told to send heartbeats."},
	{"group.consumer.max.size", "The most members that a consumer group of KIP-848 may have."},
	{"group.consumer.migration.policy", "Whether groups with members may change between the classic protocol and KIP-848's."},
	{"group.consumer.session.timeout.ms", "A member of a consumer group of KIP-848 that sends no heartbeat for this long is removed."},
	{"group.coordinator.rebalance.protocols", "Which group protocols are served: without consumer, ConsumerGroupHeartbeat is refused, without streams, StreamsGroupHeartbeat."},
	{"group.initial.rebalance.delay.ms", "How long a new, empty consumer group waits for more members before its first rebalance."},
	{"group.max.session.timeout.ms", "The longest session.timeout.ms that a consumer may ask for."},
	{"group.max.size", "The most members that a consumer group may have."},
	{"group.min.session.timeout.ms", "The shortest session.timeout.ms that a consumer may ask for."},
	{"group.share.assignment.interval.ms", "The shortest time between two assignments of a share group (KIP-932)."},
	{"group.share.delivery.count.limit", "How often a record is given to members of a share group before it is given up."},
	{"group.share.heartbeat.interval.ms", "How often members of share groups are told to send heartbeats."},
	{"group.share.max.share.sessions", "The most share sessions that are open at once."},
	{"group.share.max.size", "The most members that a share group may have."},
	{"group.share.partition.max.record.locks", "The most records of one partition that members of a share group have and did not acknowledge."},
	{"group.share.record.lock.duration.ms", "How long a member of a share group has a record before others may have it."},
	{"group.share.session.timeout.ms", "A member of a share group that sends no heartbeat for this long is removed."},
	{"group.streams.assignment.interval.ms", "The shortest time between two assignments of a streams group (KIP-1071)."},
	{"group.streams.heartbeat.interval.ms", "How often members of streams groups are told to send heartbeats."},
	{"group.streams.initial.rebalance.delay.ms", "How long a new, empty streams group waits for more members before its first assignment."},
	{"group.streams.max.size", "The most members that a streams group may have."},
	{"group.streams.num.standby.replicas", "Standby copies of each task's state in a streams group."},
	{"group.streams.session.timeout.ms", "A member of a streams group that sends no heartbeat for this long is removed."},
	{"log.retention.check.interval.ms", "How long records stay that were older than retention.ms when they came. All others are dropped when they are due."},
	{"log.cleaner.backoff.ms", "How long compaction waits that could not be finished, as records came meanwhile."},
	{"log.cleaner.enable", "Whether topics with cleanup.policy=compact are compacted."},
	{"max.incremental.fetch.session.cache.slots", "How many incremental fetch sessions are kept."},
	{"max.request.partition.size.limit", "The most partitions that one DescribeTopicPartitions answers."},
	{"node.id", "This broker's id, 1 or more: some clients take node 0 for any node."},
	{"num.partitions", "Partitions of a topic that is created without saying how many, auto-created ones included."},
	{"offset.metadata.max.bytes", "The longest metadata text that an offset commit may have."},
	{"offsets.retention.check.interval.ms", "How often committed offsets are looked at for ones to forget."},
	{"offsets.retention.minutes", "Committed offsets of a group without members are forgotten after this long."},
	{"producer.id.expiration.ms", "An idempotent producer that was silent for this long is forgotten, and its sequence numbers with it."},
	{"transactional.id.expiration.ms", "A transactional id that was not used for this long is forgotten."},
	{"quota.window.num", "Over how many windows of quota.window.size.seconds the rate of a client with a quota is measured."},
	{"quota.window.size.seconds", "The length of such a window."},
	{"socket.request.max.bytes", "The largest request; a connection that announces a larger one is closed."},
	{"share.coordinator.cold.partition.snapshot.interval.ms", "A share group's state of a partition that did not change for this long is written once more as a whole, so that what it replaces can go."},
	{"share.coordinator.snapshot.update.records.per.snapshot", "After how many changes such a state is written as a whole."},
	{"share.coordinator.state.topic.prune.interval.ms", "How often __share_group_state drops records that later ones replace."},
	{"telemetry.max.bytes", "The largest push of metrics by a client (KIP-714)."},
	{"transaction.max.timeout.ms", "The longest transaction timeout that a producer may ask for."},
	{"transaction.abort.timed.out.transaction.cleanup.interval.ms", "How often open transactions are looked at for ones that took too long and are aborted."},
	{"transaction.remove.expired.transaction.cleanup.interval.ms", "How often transactional ids are looked at for ones to forget."},
	{"transaction.partition.verification.enable", "Whether a producer that did not add a partition to its transaction is refused there (KIP-890)."},
}

// withoutEffect are the topic configs that are accepted and change nothing; nor
// do the broker configs that they fall back to.
var withoutEffect = []string{
	"file.delete.delay.ms", "flush.messages", "flush.ms", "local.retention.bytes", "local.retention.ms",
	"preallocate", "segment.index.bytes",
}

var (
	brokerDefs, brokerByName = newBrokerDefs()
	// Sorted when somebody asks: the program starts sooner.
	brokerSorted = sync.OnceValue(func() []*Def { return shown(brokerDefs) })
)

func newBrokerDefs() ([]*Def, map[string]*Def) {
	rows := strings.Count(brokerTSV, "\n") // the first has the columns' names
	defs, memory := make([]*Def, 0, rows), make([]brokerRow, rows)
	for line := range strings.Lines(brokerTSV[strings.Index(brokerTSV, "\n")+1:]) {
		row := &memory[len(defs)]
		if err := row.read(strings.TrimSuffix(line, "\n")); err != nil {
			panic(fmt.Sprintf("config: broker.tsv:%d: %v", len(defs)+2, err))
		}
		d := &row.def
		if own, ok := ownDefaults[d.Name]; ok {
			row.byDefault = own
			d.Default = &row.byDefault
		}
		defs = append(defs, d)
	}
	byName := index(defs)
	for i := range brokerDocs {
		byName[brokerDocs[i].name].Doc = brokerDocs[i].doc
	}
	for _, t := range topicDefs {
		if slices.Contains(withoutEffect, t.Name) {
			continue
		}
		for _, s := range t.Synonyms {
			byName[s.Name].Doc = "The default of " + t.Name + unit(s.Times) + " for topics that do not set it."
		}
	}
	return defs, byName
}

func unit(times int64) string {
	switch times {
	case minute:
		return " in minutes"
	case hour:
		return " in hours"
	}
	return ""
}

// brokerRow is a row of broker.tsv: name, type, default, rule and when it may be
// changed.
type brokerRow struct {
	def       Def
	byDefault string
}

func (r *brokerRow) read(line string) error {
	var f [5]string
	n := 0
	for column := range strings.SplitSeq(line, "\t") {
		if n < len(f) {
			f[n] = column
		}
		n++
	}
	if n != len(f) {
		return fmt.Errorf("%d columns instead of %d", n, len(f))
	}
	kind := slices.Index(typeNames[:], f[1])
	if kind < 0 {
		return fmt.Errorf("unknown type %q", f[1])
	}
	d := &r.def
	d.Name, d.Type, d.Sensitive = f[0], Type(kind), Type(kind) == TypePassword
	d.rule.text = f[3]
	if f[2] != "null" {
		r.byDefault = f[2]
		d.Default = &r.byDefault
	}
	switch f[4] {
	case "read-only":
		d.ReadOnly = true
	case "internal":
		d.ReadOnly, d.Internal = true, true
	case "dynamic": // has no static form, so it is shown only where it is set
		d.Internal = true
	case "per-broker":
		d.perBroker = true
	case "cluster-wide":
	default:
		return fmt.Errorf("unknown update mode %q", f[4])
	}
	return nil
}

// BrokerDef finds a broker config by name.
func BrokerDef(name string) (*Def, bool) {
	d, ok := brokerByName[name]
	return d, ok
}

// BrokerDefs lists the broker configs that DescribeConfigs shows, by name. The
// definitions are shared: do not change them.
func BrokerDefs() []*Def { return slices.Clone(brokerSorted()) }

// OwnDefaults maps the broker configs whose default differs from Apache Kafka's
// to Kafka's default; nil where Kafka has none.
func OwnDefaults() map[string]*string {
	kafka := make(map[string]*string, len(ownDefaults))
	for line := range strings.Lines(brokerTSV) {
		f := strings.SplitN(line, "\t", 4)
		if _, ok := ownDefaults[f[0]]; !ok {
			continue
		}
		if kafka[f[0]] = &f[2]; f[2] == "null" {
			kafka[f[0]] = nil
		}
	}
	return kafka
}

// brokerNames are the broker configs that decide name's value, in precedence
// order (DynamicBrokerConfig.brokerConfigSynonyms).
func brokerNames(name string) []string {
	switch name {
	case "log.roll.ms", "log.roll.hours":
		return []string{"log.roll.ms", "log.roll.hours"}
	case "log.roll.jitter.ms", "log.roll.jitter.hours":
		return []string{"log.roll.jitter.ms", "log.roll.jitter.hours"}
	case "log.flush.interval.ms":
		return []string{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"}
	case "log.retention.ms", "log.retention.minutes", "log.retention.hours":
		return []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}
	}
	return []string{name}
}

// retired are configs of older Kafkas that old server.properties still have.
var retired = []string{
	"advertised.host.name", "advertised.port", "broker.id.generation.enable", "control.plane.listener.name",
	"controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms", "delegation.token.master.key",
	"host.name", "inter.broker.protocol.version", "leader.imbalance.per.broker.percentage",
	"log.message.downconversion.enable", "log.message.format.version", "log.message.timestamp.difference.max.ms",
	"offsets.commit.required.acks", "port", "reserved.broker.max.id",
}

// ofAuthorizer are configs that belong to Kafka's authorizer: they have an effect,
// and DescribeConfigs does not know them.
var ofAuthorizer = []string{"super.users", "allow.everyone.if.no.acl.found"}

// isRetired says whether Kafka once had the config, or takes it for a plugin
// or a listener of its own: then it is accepted and without effect.
func isRetired(name string) bool {
	for _, prefix := range []string{"zookeeper.", "password.encoder.", "listener.name.", "rsm.config.", "rlmm.config.", "confluent."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains(retired, name) || slices.Contains(ofAuthorizer, name)
}
