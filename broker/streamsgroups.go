package broker

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
	"minibroker/broker/group"
)

// handleStreamsGroupHeartbeat serves StreamsGroupHeartbeat v0-v1 (KIP-1071; v1:
// the answer asks for a description of the topology, KIP-1331). The topics that
// the application needs for itself are made before the answer.
func (b *Broker) handleStreamsGroupHeartbeat(r *request, req *kmsg.StreamsGroupHeartbeatRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.StreamsGroupHeartbeatResponse)
	if !b.servesStreamsGroups() {
		resp.ErrorCode, resp.Status = kerr.UnsupportedVersion.Code, []kmsg.StreamsGroupHeartbeatResponseStatus{}
		return resp, nil
	}
	if err := checkTopologyNames(req.Topology); err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(err)
		resp.Status = []kmsg.StreamsGroupHeartbeatResponseStatus{}
		return resp, nil
	}
	if req.MemberEpoch == 0 {
		b.internalTopic(groupMetadataTopic) // the group may begin here
	}
	client := group.Client{ID: r.clientID, Host: r.clientHost()}
	settings := b.streamsSettings(req.Group)
	var made *group.MadeTopics
	for {
		var missing []group.InternalTopic
		b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
			resp, missing, eff = g.StreamsHeartbeat(now, client, req, b.groupCluster(), settings, made)
			return eff
		})
		if resp != nil {
			return resp, nil
		}
		made = b.makeStreamsTopics(missing)
	}
}

// makeStreamsTopics makes the topics that a streams group needs.
func (b *Broker) makeStreamsTopics(missing []group.InternalTopic) *group.MadeTopics {
	made := &group.MadeTopics{Failed: make(map[string]string)}
	for _, t := range missing {
		_, err := b.createTopic(newTopic{name: t.Name, partitions: t.Partitions, replicas: t.ReplicationFactor, configs: t.Configs})
		if err != nil && err.code != kerr.TopicAlreadyExists.Code {
			_, text := codeAndText(err)
			made.Failed[t.Name] = *text
		}
	}
	return made
}

// checkTopologyNames refuses topics that no application may have.
func checkTopologyNames(t *kmsg.StreamsGroupHeartbeatRequestTopology) *apiError {
	if t == nil {
		return nil
	}
	var internal, invalid []string
	seen := make(map[string]bool)
	check := func(name string) {
		switch {
		case seen[name]:
		case isInternal(name):
			internal = append(internal, name)
		case invalidTopicName(name) != "":
			invalid = append(invalid, name)
		}
		seen[name] = true
	}
	for i := range t.Subtopologies {
		s := &t.Subtopologies[i]
		for _, list := range [][]string{s.SourceTopics, s.RepartitionSinkTopics} {
			for _, name := range list {
				check(name)
			}
		}
		for _, list := range [][]kmsg.TopicInfo{s.RepartitionSourceTopics, s.StateChangelogTopics} {
			for j := range list {
				check(list[j].Topic)
			}
		}
	}
	switch {
	case len(internal) > 0:
		return fail(kerr.StreamsInvalidTopology, "Use of Kafka internal topics %s in a Kafka Streams topology is prohibited.", strings.Join(internal, ","))
	case len(invalid) > 0:
		return fail(kerr.StreamsInvalidTopology, "Topic names %s are not valid topic names.", strings.Join(invalid, ","))
	}
	return nil
}

// handleStreamsGroupDescribe serves StreamsGroupDescribe v0-v1 (v1: the
// topology's description, and the assignor's name).
func (b *Broker) handleStreamsGroupDescribe(r *request, req *kmsg.StreamsGroupDescribeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.StreamsGroupDescribeResponse)
	serves := b.servesStreamsGroups()
	for _, id := range req.Groups {
		d := kmsg.NewStreamsGroupDescribeResponseGroup()
		d.Group, d.ErrorCode = id, kerr.UnsupportedVersion.Code
		if err := r.seesGroup(id); err != nil {
			d.ErrorCode = err.Code
		} else if serves && !b.groups.peek(id, func(g *group.Group) { d = g.DescribeStreams(id, req.IncludeTopologyDescription) }) {
			d = group.NewGroup(id, b.groups.config()).DescribeStreams(id, req.IncludeTopologyDescription)
		}
		if req.IncludeAuthorizedOperations && d.ErrorCode == 0 {
			d.AuthorizedOperations = r.authorizedOperations(kmsg.ACLResourceTypeGroup, id)
		}
		if r.guarded() {
			r.hideStreams(&d)
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp, nil
}

// handleStreamsGroupTopologyDescriptionUpdate serves
// StreamsGroupTopologyDescriptionUpdate v0 (KIP-1331): it keeps what the topology
// looks like, for those who describe the group.
func (b *Broker) handleStreamsGroupTopologyDescriptionUpdate(r *request, req *kmsg.StreamsGroupTopologyDescriptionUpdateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.StreamsGroupTopologyDescriptionUpdateResponse)
	if !b.servesStreamsGroups() {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	b.groups.with(req.Group, func(g *group.Group, now time.Time) (eff group.Effects) {
		resp, eff = g.DescribeTopology(now, req)
		return eff
	})
	return resp, nil
}

// servesStreamsGroups tells whether the protocol is switched on, by the
// broker's config and by the cluster's feature.
func (b *Broker) servesStreamsGroups() bool {
	protocols := b.config.Load().List("group.coordinator.rebalance.protocols")
	return (*b.features.Load())["streams.version"] > 0 &&
		slices.ContainsFunc(protocols, func(p string) bool { return strings.EqualFold(p, group.KindStreams) })
}

// streamsSettings is what the configs of a streams group, or else the broker's,
// say.
func (b *Broker) streamsSettings(id string) group.StreamsSettings {
	own, cfg := b.controller.configsOf(kmsg.ConfigResourceTypeGroupConfig, id), b.config.Load()
	return group.StreamsSettings{
		SessionTimeout:        config.GroupDuration("group.streams.session.timeout.ms", own, cfg),
		HeartbeatInterval:     config.GroupDuration("group.streams.heartbeat.interval.ms", own, cfg),
		AssignmentInterval:    config.GroupDuration("group.streams.assignment.interval.ms", own, cfg),
		InitialRebalanceDelay: config.GroupDuration("group.streams.initial.rebalance.delay.ms", own, cfg),
		Standbys:              config.GroupInt("group.streams.num.standby.replicas", own, cfg),
	}
}
