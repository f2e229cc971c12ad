package broker

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

// This file owns who may do what: what each API needs, as kafka.server.KafkaApis
// has it, where that is about a request as a whole. What is about one of its
// topics or groups, its handler asks by may. Without an authorizer everybody may
// do everything, and asking is one atomic load.

// WithACL adds access control lists, written as [auth.ParseACL] reads them:
//
//	[deny] USER OPERATION[,OPERATION...] TYPE:NAME [from HOST]
//
// such as "alice read,write topic:orders", "bob all group:team-*" or "deny *
// delete topic:*". What nobody is allowed to do, only users of [WithSuperUser]
// may do, or everybody, with the config allow.everyone.if.no.acl.found.
func WithACL(texts ...string) Option { return func(o *options) { o.acls = append(o.acls, texts...) } }

// Configs of Kafka's authorizer. They are its own, so DescribeConfigs does not
// know them.
const (
	authorizerClass = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
	superUsers      = "super.users"
	openByDefault   = "allow.everyone.if.no.acl.found"
)

// authorize sets the authorizer up, if there is to be one.
func (b *Broker) authorize(o *options) error {
	if class := b.started.String("authorizer.class.name"); class != "" && class != authorizerClass {
		return fmt.Errorf("authorizer.class.name %s: only %s is there", class, authorizerClass)
	}
	super := make(map[auth.Principal]bool)
	for text := range strings.SplitSeq(o.configs[superUsers], ";") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, ok := auth.ParsePrincipal(text)
		if !ok {
			return fmt.Errorf("%s: %q is not User:NAME", superUsers, text)
		}
		super[p] = true
	}
	for _, u := range o.users {
		if u.super {
			super[auth.User(u.name)] = true
		}
	}
	if b.started.String("authorizer.class.name") == "" && len(super) == 0 && len(o.acls) == 0 {
		return nil
	}
	rules := auth.NewRules(super, strings.EqualFold(strings.TrimSpace(o.configs[openByDefault]), "true"))
	for _, text := range o.acls {
		acls, err := auth.ParseACL(text)
		if err != nil {
			return err
		}
		rules = rules.With(acls...)
	}
	b.firstRules = rules
	b.rules.Store(rules)
	return nil
}

// who is the client as ACLs know it. One inside the process has the address of
// this machine.
func (r *request) who() auth.Client {
	host := r.peer.remote.Addr()
	if !host.IsValid() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return auth.Client{Principal: r.principal, Host: host}
}

// may says whether the client may do something with a resource.
func (r *request) may(op kmsg.ACLOperation, t kmsg.ACLResourceType, name string) bool {
	rules := r.broker.rules.Load()
	if rules == nil || r.super || rules.May(r.who(), op, t, name) {
		return true
	}
	r.lacks(op, t, name)
	return false
}

func (r *request) mayTopic(op kmsg.ACLOperation, name string) bool {
	return r.may(op, kmsg.ACLResourceTypeTopic, name)
}

func (r *request) mayGroup(op kmsg.ACLOperation, id string) bool {
	return r.may(op, kmsg.ACLResourceTypeGroup, id)
}

func (r *request) mayTransact(op kmsg.ACLOperation, id string) bool {
	return r.may(op, kmsg.ACLResourceTypeTransactionalId, id)
}

func (r *request) mayCluster(op kmsg.ACLOperation) bool {
	return r.may(op, kmsg.ACLResourceTypeCluster, auth.Cluster)
}

// mayWriteIdempotently: who may write to any topic may have a producer id, too
// (KIP-679).
func (r *request) mayWriteIdempotently() bool {
	rules := r.broker.rules.Load()
	return rules == nil || r.super || r.mayCluster(kmsg.ACLOperationIdempotentWrite) ||
		rules.MayAny(r.who(), kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic)
}

// authorizedOperations are those that the client may do with a resource, as
// answers have them.
func (r *request) authorizedOperations(t kmsg.ACLResourceType, name string) (bits int32) {
	rules := r.broker.rules.Load()
	if rules != nil && !r.super {
		return rules.Allowed(r.who(), t, name)
	}
	for _, op := range auth.Operations(t) {
		bits |= 1 << op
	}
	return bits
}

// guarded says whether anything may be refused: then answers must not tell what
// exists.
func (r *request) guarded() bool { return r.broker.rules.Load() != nil && !r.super }

// Errors of who may not, with Apache Kafka's texts.
var (
	errTopicDenied       = fail(kerr.TopicAuthorizationFailed, "Topic authorization failed.")
	errGroupDenied       = fail(kerr.GroupAuthorizationFailed, "Group authorization failed.")
	errClusterDenied     = fail(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	errTransactionDenied = fail(kerr.TransactionalIDAuthorizationFailed, "Transactional Id authorization failed.")
)

// clusterNeeds are the operations that APIs as a whole need on the cluster.
var clusterNeeds = map[kmsg.Key]kmsg.ACLOperation{
	kmsg.DescribeACLs:                 kmsg.ACLOperationDescribe,
	kmsg.CreateACLs:                   kmsg.ACLOperationAlter,
	kmsg.DeleteACLs:                   kmsg.ACLOperationAlter,
	kmsg.AlterReplicaLogDirs:          kmsg.ACLOperationAlter,
	kmsg.DescribeLogDirs:              kmsg.ACLOperationDescribe,
	kmsg.ElectLeaders:                 kmsg.ACLOperationAlter,
	kmsg.AlterPartitionAssignments:    kmsg.ACLOperationAlter,
	kmsg.ListPartitionReassignments:   kmsg.ACLOperationDescribe,
	kmsg.DescribeClientQuotas:         kmsg.ACLOperationDescribeConfigs,
	kmsg.AlterClientQuotas:            kmsg.ACLOperationAlterConfigs,
	kmsg.DescribeUserSCRAMCredentials: kmsg.ACLOperationDescribe,
	kmsg.AlterUserSCRAMCredentials:    kmsg.ACLOperationAlter,
	kmsg.DescribeQuorum:               kmsg.ACLOperationDescribe,
	kmsg.UpdateFeatures:               kmsg.ACLOperationAlter,
	kmsg.UnregisterBroker:             kmsg.ACLOperationAlter,
	kmsg.ListConfigResources:          kmsg.ACLOperationDescribeConfigs,
	kmsg.AddRaftVoter:                 kmsg.ACLOperationAlter,
	kmsg.RemoveRaftVoter:              kmsg.ACLOperationAlter,
	kmsg.InitializeShareGroupState:    kmsg.ACLOperationClusterAction,
	kmsg.ReadShareGroupState:          kmsg.ACLOperationClusterAction,
	kmsg.WriteShareGroupState:         kmsg.ACLOperationClusterAction,
	kmsg.DeleteShareGroupState:        kmsg.ACLOperationClusterAction,
	kmsg.ReadShareGroupStateSummary:   kmsg.ACLOperationClusterAction,
}

// denied says why the client may not send a request at all; nil if it may. An
// authorizer is there.
func (r *request) denied() *kerr.Error {
	if op, needs := clusterNeeds[kmsg.Key(r.key)]; needs {
		if !r.mayCluster(op) {
			return kerr.ClusterAuthorizationFailed
		}
		return nil
	}
	transact := func(id string) *kerr.Error {
		if !r.mayTransact(kmsg.ACLOperationWrite, id) {
			return kerr.TransactionalIDAuthorizationFailed
		}
		return nil
	}
	group := func(op kmsg.ACLOperation, id string) *kerr.Error {
		if !r.mayGroup(op, id) {
			return kerr.GroupAuthorizationFailed
		}
		return nil
	}
	const read = kmsg.ACLOperationRead
	switch req := r.body.(type) {
	case *kmsg.OffsetCommitRequest:
		return group(read, req.Group)
	case *kmsg.JoinGroupRequest:
		return group(read, req.Group)
	case *kmsg.HeartbeatRequest:
		return group(read, req.Group)
	case *kmsg.LeaveGroupRequest:
		return group(read, req.Group)
	case *kmsg.SyncGroupRequest:
		return group(read, req.Group)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		if err := group(read, req.Group); err != nil {
			return err
		}
		return r.mayDescribeAll(req.SubscribedTopicNames)
	case *kmsg.ShareGroupHeartbeatRequest:
		if err := group(read, req.GroupID); err != nil {
			return err
		}
		return r.mayDescribeAll(req.SubscribedTopicNames)
	case *kmsg.StreamsGroupHeartbeatRequest:
		return group(read, req.Group)
	case *kmsg.StreamsGroupTopologyDescriptionUpdateRequest:
		return group(read, req.Group)
	case *kmsg.ShareFetchRequest:
		return group(read, pointed(req.GroupID))
	case *kmsg.ShareAcknowledgeRequest:
		return group(read, pointed(req.GroupID))
	case *kmsg.AlterShareGroupOffsetsRequest:
		return group(read, req.GroupID)
	case *kmsg.DeleteShareGroupOffsetsRequest:
		return group(kmsg.ACLOperationDelete, req.GroupID)
	case *kmsg.OffsetDeleteRequest:
		return group(kmsg.ACLOperationDelete, req.Group)
	case *kmsg.InitProducerIDRequest:
		switch {
		case req.TransactionalID != nil:
			return transact(*req.TransactionalID)
		case !r.mayWriteIdempotently():
			return kerr.ClusterAuthorizationFailed
		}
	case *kmsg.AddPartitionsToTxnRequest:
		if req.Version < 4 {
			return transact(req.TransactionalID)
		} else if !r.mayCluster(kmsg.ACLOperationClusterAction) {
			return kerr.ClusterAuthorizationFailed
		}
	case *kmsg.AddOffsetsToTxnRequest:
		if err := transact(req.TransactionalID); err != nil {
			return err
		}
		return group(read, req.Group)
	case *kmsg.EndTxnRequest:
		return transact(req.TransactionalID)
	case *kmsg.TxnOffsetCommitRequest:
		if err := transact(req.TransactionalID); err != nil {
			return err
		}
		return group(read, req.Group)
	case *kmsg.WriteTxnMarkersRequest:
		if !r.mayCluster(kmsg.ACLOperationAlter) && !r.mayCluster(kmsg.ACLOperationClusterAction) {
			return kerr.ClusterAuthorizationFailed
		}
	}
	return nil
}

// deny is the answer to a request that the client may not send. Kafka has the
// error at the places of its getErrorResponse methods.
func (b *Broker) deny(r *request, err *kerr.Error) kmsg.Response {
	if err != kerr.ClusterAuthorizationFailed {
		return b.refuseAll(r, err)
	}
	answer := r.body.ResponseKind()
	code, text := err.Code, deniedText(err)
	switch resp := answer.(type) {
	case *kmsg.AddPartitionsToTxnResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeQuorumResponse:
		resp.ErrorCode, resp.ErrorMessage = code, text
	case *kmsg.DescribeClientQuotasResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeUserSCRAMCredentialsResponse:
		resp.ErrorCode = code
		for range r.body.(*kmsg.DescribeUserSCRAMCredentialsRequest).Users {
			result := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
			result.ErrorCode = code
			resp.Results = append(resp.Results, result)
		}
	case *kmsg.AlterUserSCRAMCredentialsResponse:
		for _, user := range usersOf(r.body.(*kmsg.AlterUserSCRAMCredentialsRequest)) {
			result := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
			result.User, result.ErrorCode, result.ErrorMessage = user, code, text
			resp.Results = append(resp.Results, result)
		}
	case *kmsg.AlterReplicaLogDirsResponse:
		dirs := r.body.(*kmsg.AlterReplicaLogDirsRequest).Dirs
		for i := range dirs {
			for _, t := range dirs[i].Topics {
				at := kmsg.NewAlterReplicaLogDirsResponseTopic()
				at.Topic = t.Topic
				for _, index := range t.Partitions {
					at.Partitions = append(at.Partitions, kmsg.AlterReplicaLogDirsResponseTopicPartition{Partition: index, ErrorCode: code})
				}
				resp.Topics = append(resp.Topics, at)
			}
		}
	default:
		answer = b.refuseAll(r, err)
		explain(reflect.ValueOf(answer).Elem(), err)
	}
	return answer
}

// explain gives each place of an answer that has an error, and room for one, its
// text; and the whole answer the error, if it has room for that.
func explain(v reflect.Value, err *kerr.Error) {
	for i := range v.NumField() {
		if list := v.Field(i); list.Kind() == reflect.Slice && list.Type().Elem().Kind() == reflect.Struct {
			for j := range list.Len() {
				explain(list.Index(j), err)
			}
		}
	}
	code, text := v.FieldByName("ErrorCode"), v.FieldByName("ErrorMessage")
	if code.IsValid() {
		code.SetInt(int64(err.Code))
	}
	if text.IsValid() && text.Kind() == reflect.Pointer {
		text.Set(reflect.ValueOf(deniedText(err)))
	}
}

// deniedText is Apache Kafka's text for an error; nil for those that are not
// about what somebody may do.
func deniedText(err *kerr.Error) *string {
	switch err {
	case kerr.ClusterAuthorizationFailed:
		return &errClusterDenied.message
	case kerr.GroupAuthorizationFailed:
		return &errGroupDenied.message
	}
	return nil
}

// usersOf are the users that a request changes, each once.
func usersOf(req *kmsg.AlterUserSCRAMCredentialsRequest) (users []string) {
	for i := range req.Deletions {
		users = append(users, req.Deletions[i].Name)
	}
	for i := range req.Upsertions {
		users = append(users, req.Upsertions[i].Name)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

func pointed(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// mayDescribeAll: a member may only subscribe to what it may see.
func (r *request) mayDescribeAll(topics []string) *kerr.Error {
	if slices.ContainsFunc(topics, func(name string) bool { return !r.mayTopic(kmsg.ACLOperationDescribe, name) }) {
		return kerr.TopicAuthorizationFailed
	}
	return nil
}

// mayCreate says whether the client may make a topic.
func (r *request) mayCreate(topic string) bool {
	return r.mayCluster(kmsg.ACLOperationCreate) || r.mayTopic(kmsg.ACLOperationCreate, topic)
}

// seesGroup says why a group is not told of: the client may not see it, or it is
// coordinated elsewhere.
func (r *request) seesGroup(id string) *kerr.Error {
	if !r.mayGroup(kmsg.ACLOperationDescribe, id) {
		return kerr.GroupAuthorizationFailed
	}
	return r.coordinates(groupMetadataTopic, id)
}

// clusterOperations are those that the client may do with the cluster, if it may
// see it at all.
func (r *request) clusterOperations() int32 {
	if !r.mayCluster(kmsg.ACLOperationDescribe) {
		return 0
	}
	return r.authorizedOperations(kmsg.ACLResourceTypeCluster, auth.Cluster)
}

// topicName is the name of a topic found, or else the one asked for.
func topicName(t *topic, asked string) string {
	if t != nil {
		return t.name
	}
	return asked
}
