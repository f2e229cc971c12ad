package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/group"
)

// handleConsumerGroupHeartbeat serves ConsumerGroupHeartbeat v0-v1 (KIP-848;
// v1: regular expressions, and member ids that clients make).
func (b *Broker) handleConsumerGroupHeartbeat(r *request, req *kmsg.ConsumerGroupHeartbeatRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	if req.MemberEpoch == 0 {
		b.internalTopic(groupMetadataTopic) // the group may begin here
	}
	client := group.Client{ID: r.clientID, Host: r.clientHost()}
	timing := b.consumerTiming(req.Group)
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.ConsumerHeartbeat(now, client, req, b.groupCluster(), timing)
		return eff
	})
	return resp, nil
}

// handleConsumerGroupDescribe serves ConsumerGroupDescribe v0-v1 (v1: which
// protocol a member uses).
func (b *Broker) handleConsumerGroupDescribe(r *request, req *kmsg.ConsumerGroupDescribeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	topics := b.lookupTopic()
	for _, id := range req.Groups {
		var d kmsg.ConsumerGroupDescribeResponseGroup
		if err := r.seesGroup(id); err != nil {
			d.Default()
			d.Group, d.ErrorCode, d.AuthorizedOperations = id, err.Code, notAsked
			resp.Groups = append(resp.Groups, d)
			continue
		}
		if !b.groups.peek(id, func(g *group.Group) { d = g.DescribeConsumer(topics) }) {
			d = group.NewGroup(id, b.groups.config()).DescribeConsumer(topics)
		}
		d.AuthorizedOperations = notAsked
		if req.IncludeAuthorizedOperations && d.ErrorCode == 0 {
			d.AuthorizedOperations = r.authorizedOperations(kmsg.ACLResourceTypeGroup, id)
		}
		if r.guarded() {
			r.hideConsumer(&d)
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp, nil
}

// groupCluster is the cluster's topics as groups see them. Asked for under a
// group's lock, it never goes back in time for that group.
func (b *Broker) groupCluster() group.Cluster {
	m := b.image.Load()
	return group.Cluster{
		Version: m.version,
		Lookup:  m.lookup,
		All: func(yield func(group.Topic) bool) {
			m.topics.Scan(func(_ string, t *topic) bool { return yield(groupTopic(t)) })
		},
	}
}

// consumerTiming is what the configs of a group of consumers, or else the
// broker's, say about its times.
func (b *Broker) consumerTiming(id string) group.Timing {
	own, cfg := b.controller.configsOf(kmsg.ConfigResourceTypeGroupConfig, id), b.config.Load()
	return group.Timing{
		SessionTimeout:     config.GroupDuration("group.consumer.session.timeout.ms", own, cfg),
		HeartbeatInterval:  config.GroupDuration("group.consumer.heartbeat.interval.ms", own, cfg),
		AssignmentInterval: config.GroupDuration("group.consumer.assignment.interval.ms", own, cfg),
	}
}

// consumerConfig reads the configs of consumer groups. Assignors that only a
// Java class has are left out.
func consumerConfig(cfg *config.Broker, newMemberID func() string) group.ConsumerConfig {
	c := group.ConsumerConfig{MaxSize: cfg.Int("group.consumer.max.size"), NewMemberID: newMemberID}
	for _, name := range cfg.List("group.consumer.assignors") {
		if group.IsAssignor(name) {
			c.Assignors = append(c.Assignors, name)
		}
	}
	if len(c.Assignors) == 0 {
		c.Assignors = []string{"uniform"}
	}
	c.Upgrade, c.Downgrade = group.MigrationPolicy(cfg.String("group.consumer.migration.policy"))
	return c
}
