package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
)

// guarded is a broker with an admin, and with alice, who may do what acls say.
func guarded(t testing.TB, acls ...string) *Broker {
	return Start(t, WithSuperUser("admin", "admin-secret"), WithUser("alice", "alice-secret"), WithACL(acls...), WithTopic("t", 1, nil))
}

func metadataOf(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	return req
}

// test/diff compares what Apache Kafka answers to such a user, API by API.
func TestWhoHasNoACLMayDoNothing(t *testing.T) {
	c := dialLogin(t, guarded(t), "alice")
	// behaviour 244
	if resp := ask[*kmsg.MetadataResponse](c, metadataOf()); len(resp.Topics) != 0 {
		t.Errorf("all topics: %+v", resp.Topics)
	}
	for _, name := range []string{"t", "unknown"} {
		resp := ask[*kmsg.MetadataResponse](c, metadataOf(name))
		if got := resp.Topics[0]; got.ErrorCode != 29 || got.TopicID != [16]byte{} || len(got.Partitions) != 0 {
			t.Errorf("topic %s: %+v", name, got)
		}
	}
	// behaviour 245
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 7, 1000
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}
	if got := ask[*kmsg.CreateTopicsResponse](c, create).Topics[0]; got.ErrorCode != 29 || text(got.ErrorMessage) != "Authorization failed." {
		t.Errorf("CreateTopics: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"}, {ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"}}
	if got := ask[*kmsg.DescribeConfigsResponse](c, configs).Resources; got[0].ErrorCode != 29 || got[1].ErrorCode != 31 || len(got[0].Configs)+len(got[1].Configs) != 0 {
		t.Errorf("DescribeConfigs: %+v", got)
	}
	// behaviour 246
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "g"
	if got := ask[*kmsg.FindCoordinatorResponse](c, find); got.ErrorCode != 30 {
		t.Errorf("FindCoordinator: [%d]", got.ErrorCode)
	}
	if got := ask[*kmsg.ListGroupsResponse](c, kmsg.NewPtrListGroupsRequest()); got.ErrorCode != 0 || len(got.Groups) != 0 {
		t.Errorf("ListGroups: %+v", got)
	}
	// behaviour 247
	init := kmsg.NewPtrInitProducerIDRequest()
	if got := ask[*kmsg.InitProducerIDResponse](c, init); got.ErrorCode != 31 || got.ProducerID != -1 {
		t.Errorf("InitProducerId: %+v", got)
	}
	init.TransactionalID, init.TransactionTimeoutMillis = new("x"), 1000
	if got := ask[*kmsg.InitProducerIDResponse](c, init); got.ErrorCode != 53 {
		t.Errorf("InitProducerId with an id: %+v", got)
	}
	// behaviour 248
	acls := kmsg.NewPtrDescribeACLsRequest()
	acls.Version, acls.ResourceType, acls.ResourcePatternType, acls.Operation, acls.PermissionType = 3, 1, 1, 1, 1
	if got := ask[*kmsg.DescribeACLsResponse](c, acls); got.ErrorCode != 31 {
		t.Errorf("DescribeAcls: [%d]", got.ErrorCode)
	}
	// Apache Kafka never answers this one: behaviour 253.
	scram := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	if got := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](c, scram); got.ErrorCode != 31 || len(got.Results) != 0 {
		t.Errorf("DescribeUserScramCredentials: %+v", got)
	}
}

func TestAnACLLetsAUserIn(t *testing.T) {
	b := guarded(t, "alice read topic:t")
	c := dialLogin(t, b, "alice")
	// behaviour 249
	req := metadataOf("t")
	req.Version, req.IncludeTopicAuthorizedOperations = 10, true
	if got := ask[*kmsg.MetadataResponse](c, req).Topics[0]; got.ErrorCode != 0 || got.AuthorizedOperations != 264 {
		t.Errorf("%+v", got)
	}
	// A client can produce where it may write, be it idempotent or not.
	admin := dialLogin(t, b, "admin")
	create := kmsg.NewPtrCreateACLsRequest()
	create.Version = 3
	acl := kmsg.NewCreateACLsRequestCreation()
	acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, "t", kmsg.ACLResourcePatternTypeLiteral
	acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:alice", "127.0.0.1", kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeAllow
	create.Creations = append(create.Creations, acl)
	produce := func() error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism()), kgo.RecordRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		return client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr()
	}
	if err := produce(); err == nil {
		t.Error("alice writes without permission")
	}
	if got := ask[*kmsg.CreateACLsResponse](admin, create).Results[0]; got.ErrorCode != 0 {
		t.Fatalf("CreateAcls: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	if err := produce(); err != nil {
		t.Errorf("alice may write: %v", err)
	}
	b.Reset()
	if err := produce(); err == nil {
		t.Error("Reset keeps an ACL that was made since")
	}
}

func TestBadACLsAreRefused(t *testing.T) {
	c := dialLogin(t, guarded(t), "admin")
	try := func(edit func(*kmsg.CreateACLsRequestCreation)) string {
		req := kmsg.NewPtrCreateACLsRequest()
		req.Version = 3
		acl := kmsg.NewCreateACLsRequestCreation()
		acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, "t", kmsg.ACLResourcePatternTypeLiteral
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:alice", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
		edit(&acl)
		req.Creations = append(req.Creations, acl)
		got := ask[*kmsg.CreateACLsResponse](c, req).Results[0]
		return fmt.Sprintf("[%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	// behaviour 250
	for want, edit := range map[string]func(*kmsg.CreateACLsRequestCreation){
		"[42] Could not parse principal from `alice` (no colon is present separating the principal type from the principal name)": func(c *kmsg.CreateACLsRequestCreation) { c.Principal = "alice" },
		"[42] Invalid empty resource name":                                   func(c *kmsg.CreateACLsRequestCreation) { c.ResourceName = "" },
		"[42] The only valid name for the CLUSTER resource is kafka-cluster": func(c *kmsg.CreateACLsRequestCreation) { c.ResourceType = kmsg.ACLResourceTypeCluster },
		"[-1] ": func(c *kmsg.CreateACLsRequestCreation) { c.Operation = kmsg.ACLOperationAny },
	} {
		if got := try(edit); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := try(func(c *kmsg.CreateACLsRequestCreation) { c.ResourcePatternType = kmsg.ACLResourcePatternTypeMatch }); got != "[-1] " {
		t.Errorf("a pattern to match: %s", got)
	}
}

func TestAConsumerNeedsItsGroupAndItsTopic(t *testing.T) {
	b := guarded(t, "alice read topic:t", "alice read group:mine")
	b.Produce("t", Record{Value: []byte("v")})
	consume := func(group string) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.SASL(saslplain.Auth{User: "alice", Pass: "alice-secret"}.AsMechanism()),
			kgo.ConsumerGroup(group), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			return err
		}
		return client.CommitUncommittedOffsets(t.Context())
	}
	if err := consume("mine"); err != nil {
		t.Errorf("alice's group: %v", err)
	}
	if err := consume("other"); err == nil {
		t.Error("another group lets alice in")
	}
	// The program itself may do everything.
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()), kgo.Dialer(b.AdminDialer()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	groups, err := kadm.NewClient(client).ListGroups(t.Context())
	if err != nil || len(groups) != 1 {
		t.Errorf("%v, %v", groups, err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, opt := range map[string]Option{
		"such as":               WithACL("alice"),
		"given twice":           func(o *options) { WithUser("a", "b")(o); WithUser("a", "c")(o) },
		"name and a password":   WithUser("a", ""),
		"is no security":        WithSecurityProtocol("TLS"),
		"is not User:NAME":      WithConfig("super.users", "admin"),
		"StandardAuthorizer is": WithConfig("authorizer.class.name", "com.example.Mine"),
	} {
		if b, err := New(WithPort(0), opt); err == nil || !strings.Contains(err.Error(), want) {
			if b != nil {
				_ = b.Close()
			}
			t.Errorf("%q: %v", want, err)
		}
	}
}

// With Kafka's own configs, as in a server.properties.
func TestAnAuthorizerByConfig(t *testing.T) {
	b := Start(t, WithConfig("authorizer.class.name", authorizerClass), WithConfig("super.users", "User:ANONYMOUS"), WithConfig("allow.everyone.if.no.acl.found", "true"))
	acls := kmsg.NewPtrDescribeACLsRequest()
	acls.Version, acls.ResourceType, acls.ResourcePatternType, acls.Operation, acls.PermissionType = 3, 1, 1, 1, 1
	if got := ask[*kmsg.DescribeACLsResponse](dial(t, b), acls); got.ErrorCode != 0 {
		t.Errorf("[%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
}
