package ui

import (
	"flag"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"minibroker/broker/fault"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// fixtures are views without a broker: each page as it looks full, and empty
// where it has a text of its own for that.
func fixtures() map[string]struct {
	page, path string
	view       any
} {
	type fixture = struct {
		page, path string
		view       any
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	orders := topicRow{Name: "orders", Partitions: 3, Replicas: 1, Records: 12345, Bytes: 1500}
	record := messageRow{Partition: 2, Offset: 17, Time: at, Key: decode([]byte("user-42"), "auto", 100), Value: decode([]byte(`{"prix": 12}`), "auto", 100),
		Headers: []headerRow{{"trace-id", decode([]byte{0xff, 1}, "auto", 100)}}}
	tombstone := messageRow{Partition: 0, Offset: 18, Time: at, Key: decode([]byte{}, "auto", 100), Value: decode(nil, "auto", 100)}
	marker := messageRow{Partition: 0, Offset: 19, Time: at, Control: "commit"}
	batch := &batchView{Base: 15, Last: 17, Records: 3, Bytes: 214, LeaderEpoch: 2, CRC: 0xdeadbeef, Codec: "lz4", ProducerID: 1000, Sequence: 12, First: at, Newest: at, Raw: decode([]byte{0, 1}, "hex", 100)}
	configs := []configRow{
		{Name: "retention.ms", Value: "1234", Source: "DYNAMIC_TOPIC_CONFIG", Changed: true, Default: "604800000", Doc: "How long records are kept."},
		{Name: "node.id", Value: "1", Source: "STATIC_BROKER_CONFIG", ReadOnly: true},
		{Name: "ssl.key.password", Null: true, Source: "STATIC_BROKER_CONFIG", ReadOnly: true, Sensitive: true},
	}
	members, offsets := heads("members", memberColumns), heads("offsets", offsetColumns)
	lags := draw([]point{{at, map[string]float64{"orders": 14}}})
	group := &groupView{MemberColumns: members, OffsetColumns: offsets, Findings: []finding{{"idle", []any{1, 2, 2}, true}}, Steps: []step{{At: at, Group: "billing", From: "Empty", To: "PreparingRebalance", Member: "reader-1", Why: "member joined", Text: "member joined"}}, ID: "billing", Kind: classicKind, History: lags, State: "Stable", Protocol: "range", Type: "consumer", Coordinator: 1, Epoch: -1, Lag: 14, Topics: []string{"orders"},
		Members: []memberRow{{ID: "reader-1", Client: "reader", Host: "172.18.0.4", Assigned: []assigned{{"orders", []int32{0, 1}}}}, {ID: "reader-2", Client: "reader", Host: "172.18.0.5"}},
		Offsets: []offsetRow{{Topic: "orders", Partition: 0, Committed: 6, End: 20, Lag: 14, Member: "reader"}, {Topic: "orders", Partition: 1, Committed: -1, Lag: -1}}}
	sharing := &groupView{MemberColumns: members, ShareColumns: heads("shares", shareColumns), ID: "workers", Kind: shareKind, History: lags, State: "Stable", Protocol: "simple", Type: "share", Coordinator: 1, Epoch: 3, Lag: 3, Topics: []string{"orders"}, Members: group.Members[:1], Findings: []finding{{"archived", []any{1}, true}},
		Offsets: []offsetRow{{Topic: "orders", Partition: 0, Committed: 1, End: 9, Lag: 3}}, Shares: []shareRow{
			{Topic: "orders", Start: 1, Handed: 5, End: 9, Lag: 3, Members: []string{"reader"}, Runs: []shareRun{{1, 1, shareAcquired, 2, "reader-1", "reader", at}, {2, 4, shareArchived, 5, "", "", time.Time{}}}},
			{Topic: "orders", Partition: 1, Start: -1, Handed: -1, Lag: -1}}}
	open := transactionRow{ID: "payer", State: ongoing, ProducerID: 1000, Epoch: 2, Coordinator: 1, Started: at, Timeout: 60000, Partitions: []assigned{{"__consumer_offsets", []int32{4}}, {"orders", []int32{0, 2}}}}
	happened := []happening{{at, "group", "billing", "member joined: orders 0, 1", "Stable", true, false}, {at, "client", "app", "kafka-python @ 172.18.0.4 came, and was told localhost:9092", "works", true, false},
		{at, "change", "minibroker-ui", "CreateTopics: orders TOPIC_ALREADY_EXISTS", "", false, true}, {at, "broker", "2", "Broker 2 was stopped", "down", true, false}}
	empty := &groupView{ID: "billing", Kind: consumerKind, History: lags, State: "Empty", Epoch: -1}
	messages := messagesView{Topic: "orders", Mode: "latest", Modes: modes, Partitions: []int32{0, 1, 2}, Partition: "all", Limit: 50, Limits: limits, Decode: "auto", Decodings: decodings,
		Messages: []messageRow{record, tombstone, marker}, LookedAt: 3, Next: "?cursor=0%3A3"}
	failed := messages
	failed.Filter, failed.Failed, failed.Unjudged, failed.Query = "value.price > 3", 14, true, "filter=value.price+%3E+3&unjudged=1"
	failed.Failures = []failure{{"no such key: price", 13, []place{{0, 18}}, advise(failed.Filter, "no such key: price")}, {"actual cost limit exceeded", 1, []place{{1, 2}}, advise(failed.Filter, "cost limit")}}
	without := tombstone
	without.Unjudged = "no such key: price"
	failed.Messages = []messageRow{record, without}
	mistaken := messages
	mistaken.Filter, mistaken.Advice = "price = 3", advise("price = 3", "Syntax error: token recognition error at: '= '")
	tailing := messages
	tailing.Mode, tailing.Messages, tailing.Next = "tail", nil, ""
	failing := &exchange{ID: 7, At: at, Connection: 9, Remote: "172.18.0.4:5000", Client: "app", Software: "kafka-python 2.2.15", Node: 1, API: "Heartbeat", Key: 12, Version: 4, Took: 1.25,
		Outcome: "billing UNKNOWN_MEMBER_ID", Bad: true, In: 30, Out: 10}
	silent := &exchange{ID: 8, At: at, Connection: 10, Client: "app", API: "Produce", Version: 9, Took: 0.5, Outcome: "no answer", In: 3e6}
	frame := labFrame{Brokers: []labBroker{{1, true}}, Lanes: []labLane{{"orders", 0, 1, []int32{1}, []int32{1}, 0, 2, []labDot{{0, "user-42"}, {1, ""}}}}, Hidden: 2, Groups: []labGroup{}, Events: []step{}}
	deny := aclRow{"User:ann", "*", "DENY", "READ", "TOPIC", "orders", "LITERAL", "deny ann read topic:orders"}
	prefixed := aclRow{"User:ann", "10.0.0.3", "ALLOW", "READ", "TOPIC", "team-", "PREFIXED", "ann read topic:team-* from 10.0.0.3"}
	certificate := way{Protocol: "SSL", Bootstrap: "localhost:9092", CA: "http://localhost:7080/ca.pem", trustsCA: true, Certificate: true}
	secure := way{Protocol: "SASL_SSL", Bootstrap: "localhost:9092,localhost:9093", Mechanism: "SCRAM-SHA-256", User: "USER", CA: "http://localhost:7080/ca.pem", trustsCA: true, Link: "/?via=SASL_SSL#connect"}
	none := messages
	none.Messages, none.LookedAt, none.Next = nil, 0, ""
	return map[string]fixture{
		"overview": {"overview", "/", overviewView{ClusterID: "Gh3IbuzmMXDWTw7cc6WrRA", Started: at, Brokers: 1, Controller: 1, Topics: 2, Internal: 1, Partitions: 53, Groups: 1, Active: 1,
			Bootstrap: "localhost:9092", Happenings: happened, Listens: []string{"127.0.0.1:9092", "[::1]:9092"}, Ways: []way{{Protocol: "PLAINTEXT", Bootstrap: "localhost:9092"}}, Snippets: (&way{Protocol: "PLAINTEXT", Bootstrap: "localhost:9092"}).snippets()}},
		"overview-certificate": {"overview", "/", overviewView{Ways: []way{certificate}, Bootstrap: certificate.Bootstrap, Snippets: certificate.snippets()}},
		"overview-secure":      {"overview", "/", overviewView{Ways: []way{secure, {Protocol: "PLAINTEXT", Bootstrap: "localhost:9093", Link: "/?via=PLAINTEXT#connect"}}, Bootstrap: secure.Bootstrap, Snippets: secure.snippets()}},
		"topics":               {"topics", "/topics", topicsView{Total: 2, Hidden: 1, Sort: "name", Columns: heads("", topicColumns), Rows: []topicRow{orders, {Name: "__consumer_offsets", Internal: true, Partitions: 50, Replicas: 1, UnderISR: 1, Bytes: -1}}, Next: "?from=100"}},
		"topics-empty":         {"topics", "/topics", topicsView{}},
		"create":               {"create", "/create-topic", createView{[]string{"delete", "compact"}}},
		"topic": {"topic", "/topics/orders", topicView{PartitionColumns: heads("partitions", partitionColumns), ProducerColumns: heads("producers", producerColumns), ConsumerColumns: heads("groups", consumerColumns), topicRow: orders, Happenings: happened[2:3], ID: "abc", Cleanup: "delete", Retention: "604800000", Partition: []partitionRow{{Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}, End: 5, Records: 5, Bytes: 70}, {Partition: 1, Leader: -1, Bytes: -1}}, Consumers: []topicGroup{{"billing", "Stable", 14}},
			Producers: []producerRow{{0, 1000, 2, 41, at, -1, "shop", "172.18.0.4", ""}, {0, 1001, 0, 3, at, 17, "shop", "172.18.0.4", "tx"}}}},
		"stats": {"stats", "/topics/orders/stats", statsView{Topic: "orders", LookedAt: 3, Records: 12345, NullKeys: 1, Distinct: 1, Keys: spread{Least: 4, Most: 7, Average: 5.5}, Values: spread{Most: 100, Average: 50}, Oldest: at, Newest: at.Add(2 * time.Second),
			Parts: []partStat{{0, 3, 1}, {1, 0, 0}}, Common: []keyCount{{decode([]byte("user-42"), "auto", 100), 2, []int32{0, 1}}}}},
		"stats-empty":     {"stats", "/topics/orders/stats", statsView{Topic: "orders"}},
		"manage":          {"manage", "/topics/orders/manage", manageView{"orders", true, []int32{0, 1, 2}, 12345, []int32{1, 2}}},
		"config":          {"config", "/topics/orders/config", topicConfigView{"orders", "", configs}},
		"delete":          {"delete", "/topics/orders/delete", deleteView{"orders", true, 12345}},
		"messages":        {"messages", "/topics/orders/messages", messages},
		"messages-filter": {"messages", "/topics/orders/messages", failed},
		"messages-wrong":  {"messages", "/topics/orders/messages", mistaken},
		"messages-tail":   {"messages", "/topics/orders/messages?mode=tail", tailing},
		"messages-empty":  {"messages", "/topics/orders/messages", none},
		"record":          {"record", "/topics/orders/p/2/o/17", recordView{Topic: "orders", Record: record, Decode: "auto", Decodings: decodings, Previous: 16, Next: -1, Batch: batch, Python: "print(1)"}},
		"send":            {"send", "/topics/orders/send", sendView{"orders", []int32{0, 1, 2}}},
		"groups":          {"groups", "/groups", groupsView{Total: 1, Columns: heads("", groupColumns), Rows: []groupRow{{ID: "billing", Kind: shareKind, State: "Stable", Protocol: "range", Coordinator: 1, Members: 2, Topics: 1, Lag: 14}}}},
		"groups-empty":    {"groups", "/groups", groupsView{}},
		"group":           {"group", "/groups/billing", group},
		"group-share":     {"group", "/groups/workers", sharing},
		"group-empty":     {"group", "/groups/billing", empty},
		"reset":           {"reset", "/groups/billing/reset", resetView{empty, resetModes, []string{"orders"}, false, []move{{"orders", 0, 6, 0, false}, {"orders", 1, -1, 5, true}, {"orders", 2, 1, 3, false}, {"orders", 3, 1, 1, false}}, 3}},
		"reset-active":    {"reset", "/groups/billing/reset", resetView{Group: group, Modes: resetModes, Topics: []string{"orders"}}},
		"deletegroup":     {"deletegroup", "/groups/billing/delete", empty},
		"brokers": {"brokers", "/brokers", brokersView{Controller: 1, Several: true, Columns: heads("", brokerColumns), Brokers: []brokerRow{{ID: 1, Address: "localhost:9092", Controller: true, Leads: 53, Replicas: 53}, {ID: 2, Address: "localhost:9093", Rack: "b", Stopped: true}},
			Dirs:    []dirRow{{Broker: 1, Path: "/memory", Topics: 3, Partitions: 53, Bytes: 1500, Total: -1, Usable: -1}},
			Traffic: []metricRow{{Name: "minibroker_connections", Help: "Open client connections.", Value: 2}}, Requests: []metricRow{{Label: "Metadata", Value: 7}}, Bytes: lags, Rates: lags}},
		"broker": {"broker", "/brokers/1", brokerView{1, "", configs}},
		"wire":   {"wire", "/wire", wireView{Since: at, APIs: []string{"Heartbeat"}, Rows: []*exchange{failing, silent}, Query: "after=8"}},
		"exchange": {"exchange", "/wire/7", exchangeView{failing, messageView{Bytes: 30, Fields: []field{{Name: "Group", Value: `"billing"`}, {Name: "Topics", Value: "[1]", Kids: []field{{Name: "0", Kids: []field{{Name: "Partition", Value: "1"}}}}}}, Hex: "00"},
			&messageView{Bytes: 10, Fields: []field{{Name: "ErrorCode", Value: "25", Note: "UNKNOWN_MEMBER_ID", Bad: true}}, Hex: "00"}, []errorNote{{25, "UNKNOWN_MEMBER_ID", "The coordinator is not aware of this member."}}}},
		"exchange-large":      {"exchange", "/wire/8", exchangeView{silent, messageView{Bytes: 3e6, Cut: true, Hex: "00"}, nil, nil}},
		"transactions":        {"transactions", "/transactions", transactionsView{Total: 2, Open: 1, Columns: heads("", transactionColumns), Rows: []transactionRow{open, {ID: "shop", State: "CompleteCommit", ProducerID: 3}}}},
		"transactions-empty":  {"transactions", "/transactions", transactionsView{}},
		"transaction":         {"transaction", "/transactions/payer", transactionView{open, "app", "172.18.0.4"}},
		"transaction-settled": {"transaction", "/transactions/shop", transactionView{transactionRow: transactionRow{ID: "shop", State: "CompleteCommit", ProducerID: 3}}},
		"events":              {"events", "/events", eventsView{Kind: "group", Kinds: eventKinds, Total: 104, From: 100, Rows: happened, Since: at, Previous: "?from=0"}},
		"events-empty":        {"events", "/events", eventsView{Kinds: eventKinds, Since: at}},
		"doctor":              {"doctor", "/doctor", doctorView{Bootstrap: "localhost:9092", Ill: 1, Columns: heads("", doctorColumns), Clients: []patientRow{{"kafka-python 2.2.15", "app", "172.18.0.4", "localhost:9092", 9092, at, "lost", "gateway"}, {"librdkafka 2.1", "", "10.0.0.3", "broker:9092", 9092, at, "works", "rule"}}}},
		"doctor-empty":        {"doctor", "/doctor", doctorView{Bootstrap: "localhost:9092"}},
		"faults": {"faults", "/faults", faultsView{Faults: []faultRow{{ID: 1, What: "hold JoinGroup, always", Kind: "hold", API: "JoinGroup", Only: []limit{{"group", "billing"}}, Hits: 3, Left: -1},
			{ID: 2, What: "delay any request by 1s, one in 10, after 2", Kind: "delay", API: "any", Value: "1s", Every: 10, Passes: 2, Left: 1}, {ID: 3, What: "hold SyncGroup", Kind: "hold", API: "SyncGroup", Left: -1, Open: true}},
			Presets: presetViews()[:1], Kinds: fault.Kinds, APIs: []string{"any", "Produce"}, Errors: []string{"NOT_LEADER_FOR_PARTITION"}, Brokers: []int32{1}, Topics: []string{"orders"}, Groups: []string{"billing"}}},
		"faults-empty":  {"faults", "/faults", faultsView{Presets: presetViews(), Kinds: fault.Kinds}},
		"clock":         {"clock", "/clock", clockView{Now: at, Steps: clockSteps}},
		"clock-virtual": {"clock", "/clock", clockView{Virtual: true, Now: at, Next: &at, Steps: clockSteps}},
		"lab":           {"lab", "/lab", labView{"orders", []string{"orders"}, false, frame}},
		"lab-empty":     {"lab", "/lab", labView{}},
		"users":         {"users", "/security", usersView{Columns: heads("", userColumns), Users: []scramRow{{"ann", "SCRAM-SHA-256", 4096}}, Mechanisms: scramMechanisms}},
		"users-empty":   {"users", "/security", usersView{Mechanisms: scramMechanisms}},
		"deleteuser":    {"deleteuser", "/security/users/delete", userDelete{"ann", "SCRAM-SHA-256"}},
		"acls":          {"acls", "/security/acls", aclsView{Columns: heads("", aclColumns), ACLs: []aclRow{deny, prefixed}, Total: 202, Next: "?from=100", Principals: []string{"User:ann"}, Resources: aclResources}},
		"acls-empty":    {"acls", "/security/acls", aclsView{Off: "SECURITY_DISABLED"}},
		"deleteacls":    {"deleteacls", "/security/acls/delete", aclsDelete{[]aclRow{deny}, map[string]string{"principal": "User:ann"}}},
		"newacl":        {"newacl", "/security/acls/new", newACLView{ACLs: []aclRow{prefixed}, Command: "kafka-acls.sh", Kinds: aclKinds, Resources: aclResources, Operations: aclOperations, Patterns: aclPatterns, Permissions: aclPermissions, Principals: []string{"User:ann"}, Topics: []string{"orders"}, Groups: []string{"billing"}}},
		"newacl-empty":  {"newacl", "/security/acls/new", newACLView{Kinds: aclKinds}},
		"who": {"who", "/security/who?operation=READ&resource=TOPIC&name=orders", whoView{Asked: "operation", Whole: true, Super: []string{"User:admin"}, Operations: aclOperations, Resources: aclResources,
			Verdicts: []verdictRow{{Principal: "User:ann", Host: "*", Rule: "deny", ACL: &deny}, {Principal: "User:admin", Host: "*", Allowed: true, Rule: "super_user"}, {Principal: "User:*", Everybody: true, Host: "*", Rule: "none", Remedy: prefixed.Query()}}}},
		"who-principal": {"who", "/security/who?principal=User:ann", whoView{Asked: "principal", Permitted: []permittedRow{{"TOPIC", "team-", "PREFIXED", "*", []operationRow{{"READ", true, prefixed}, {"WRITE", false, deny}}}}}},
		"who-empty":     {"who", "/security/who", whoView{Operations: aclOperations, Resources: aclResources}},
		"denied": {"denied", "/security/denied", deniedView{[]denialRow{
			{Number: 3, Last: at, Times: 2, Principal: "User:ann", Host: "10.0.0.3", Client: "shop", API: "Produce", Operation: "WRITE", Resource: "TOPIC", Name: "orders", Rule: "none", Seen: []aclRow{prefixed}, Remedy: "ann write topic:orders", Plan: prefixed.Query() + "&plan=1"},
			{Number: 2, Last: at, Times: 1, Principal: "User:ann", Host: "10.0.0.3", API: "Fetch", Operation: "READ", Resource: "TOPIC", Name: "orders", Rule: "deny", ACL: &deny},
			{Number: 1, Last: at, Times: 1, Principal: "bob", Host: "10.0.0.4", API: "SaslAuthenticate", Login: "other_mechanism", Mechanism: "PLAIN", Use: "SCRAM-SHA-256", Reason: "Authentication failed: Invalid username or password"}}}},
		"denied-empty": {"denied", "/security/denied", deniedView{}},
		"quotas":       {"quotas", "/security/quotas", quotasView{Quotas: []quotaRow{{User: "ann", Client: byDefault, Key: "producer_byte_rate", Value: 1024}}, Keys: quotaKeys}},
		"quotas-empty": {"quotas", "/security/quotas", quotasView{Keys: quotaKeys}},
		"tokens":       {"tokens", "/security/tokens", tokensView{Tokens: []tokenRow{{ID: "Xz8", HMAC: "c2VjcmV0", Owner: "User:ann", Requester: "User:admin", Renewers: []string{"User:bob"}, Issued: at, Expires: at.Add(time.Hour), Until: at.Add(2 * time.Hour)}}}},
		"tokens-empty": {"tokens", "/security/tokens", tokensView{Off: "DELEGATION_TOKEN_AUTH_DISABLED"}},
		"absent":       {"absent", "/lab", struct{}{}},
		"problem":      {"problem", "/nope", nil},
	}
}

// heads are the heads of a table that is sorted as it always is.
func heads[R any](table string, columns []sortable[R]) []column {
	_, all := sortBy(httptest.NewRequest("GET", "/", nil), table, nil, columns)
	return all
}

func TestPagesLookAsTheyDid(t *testing.T) {
	hash := regexp.MustCompile(`\?v=[0-9a-f]+`) // changes with each file's content
	for name, x := range fixtures() {
		for code, l := range languages() {
			f := &frame{lang: l, Lang: code, Theme: "system", Path: x.path, Form: url.Values{}, View: x.view, Inner: name != "absent"}
			f.Section, _, _ = strings.Cut(strings.TrimPrefix(x.path, "/"), "/")
			if name == "problem" {
				f.Problem = explain(say(404, "problem.no.page"))
			}
			got, err := render(x.page, f)
			if err != nil {
				t.Errorf("%s in %s: %v", name, code, err)
				continue
			}
			got = hash.ReplaceAll(got, []byte("?v=HASH"))
			file := filepath.Join("testdata", name+"."+code+".html")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s in %s changed; if that was meant, run go test ./ui -run PagesLook -update and read the difference. It is now:\n%s", name, code, got)
			}
			if strings.Contains(string(got), "%!") {
				t.Errorf("%s in %s has a text whose values do not fit: %s", name, code, got)
			}
		}
	}
}

// Every field has a label, every picture a text, every table a caption, every
// page one first heading.
func TestPagesCanBeReadAloud(t *testing.T) {
	field := regexp.MustCompile(`<(?:input|select|textarea)[^>]*>`)
	for name, x := range fixtures() {
		f := &frame{lang: languages()["en"], Lang: "en", Theme: "system", Path: x.path, Form: url.Values{}, View: x.view}
		raw, err := render(x.page, f)
		if err != nil {
			t.Fatal(err)
		}
		page := string(raw)
		if n := strings.Count(page, "<h1"); n != 1 {
			t.Errorf("%s has %d first headings", name, n)
		}
		for _, at := range field.FindAllStringIndex(page, -1) {
			tag := page[at[0]:at[1]]
			if id := regexp.MustCompile(`id="([^"]*)"`).FindStringSubmatch(tag); id != nil && strings.Contains(page, `<label for="`+id[1]+`"`) {
				continue
			}
			if !strings.Contains(tag, `type="hidden"`) && strings.LastIndex(page[:at[0]], "<label") <= strings.LastIndex(page[:at[0]], "</label>") {
				t.Errorf("%s has a field without a label: %s", name, tag)
			}
		}
		if strings.Count(page, "<table") != strings.Count(page, "<caption") {
			t.Errorf("%s has a table without a caption", name)
		}
	}
}
