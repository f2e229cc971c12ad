package broker

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/group"
	"minibroker/broker/share"
)

// handleListGroups serves ListGroups v0-v5 (v4: by state, v5: by type).
func (b *Broker) handleListGroups(r *request, req *kmsg.ListGroupsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	filter := group.NewFilter(req.StatesFilter, req.TypesFilter)
	all := r.mayCluster(kmsg.ACLOperationDescribe)
	for _, id := range b.groups.all() {
		if r.coordinates(groupMetadataTopic, id) != nil || !all && !r.mayGroup(kmsg.ACLOperationDescribe, id) {
			continue
		}
		b.groups.peek(id, func(g *group.Group) {
			if line := g.List(); filter.Match(line) {
				resp.Groups = append(resp.Groups, line)
			}
		})
	}
	slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
	return resp, nil
}

// handleDescribeGroups serves DescribeGroups v0-v6 (v3: authorised operations,
// v6: an error for a group that does not exist).
func (b *Broker) handleDescribeGroups(r *request, req *kmsg.DescribeGroupsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range req.Groups {
		var d kmsg.DescribeGroupsResponseGroup
		if err := r.seesGroup(id); err != nil {
			d.Default()
			d.Group, d.ErrorCode, d.AuthorizedOperations = id, err.Code, notAsked
			resp.Groups = append(resp.Groups, d)
			continue
		}
		if !b.groups.peek(id, func(g *group.Group) { d = g.Describe(req.Version) }) {
			d = group.NewGroup(id, b.groups.config()).Describe(req.Version)
		}
		d.AuthorizedOperations = notAsked
		if req.IncludeAuthorizedOperations && d.ErrorCode == 0 {
			d.AuthorizedOperations = r.authorizedOperations(kmsg.ACLResourceTypeGroup, id)
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp, nil
}

// handleDeleteGroups serves DeleteGroups v0-v3 (v3: error texts).
func (b *Broker) handleDeleteGroups(r *request, req *kmsg.DeleteGroupsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	seen := make(map[string]bool, len(req.Groups))
	for _, id := range req.Groups {
		if seen[id] {
			continue // one answer, as Kafka gives
		}
		seen[id] = true
		answer := kmsg.NewDeleteGroupsResponseGroup()
		answer.Group = id
		err := r.coordinates(groupMetadataTopic, id)
		if !r.mayGroup(kmsg.ACLOperationDelete, id) {
			err = kerr.GroupAuthorizationFailed
		}
		if err == nil {
			b.groups.with(id, func(g *group.Group, now time.Time) (eff group.Effects) {
				shared := g.IsShare()
				if err, eff = g.Delete(now); err == nil && shared {
					b.shares.deleteWhere(func(key share.PartitionKey) bool { return key.Group == id })
				}
				return eff
			})
		}
		if err != nil {
			answer.ErrorCode = err.Code
		}
		resp.Groups = append(resp.Groups, answer)
	}
	return resp, nil
}
