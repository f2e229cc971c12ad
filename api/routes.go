package api

import "net/http"

// This file owns the table of operations: what is served, and, by schema.go,
// what the OpenAPI document says.

var routes []route

// whichACLs are the parameters that name ACLs.
var whichACLs = []param{
	{name: "acl", kind: "string", doc: "such as \"anna read topic:orders\"; may be there several times."},
	{name: "principal", kind: "string", doc: "all that are about it, such as User:anna."},
}

// The table is set here because getOpenAPI reads it.
func init() {
	routes = []route{
		{method: "GET", path: "/health", id: "getHealth", tag: "broker", summary: "Where the broker is", status: 200, answer: Health{}, handle: getHealth},
		{method: "GET", path: "/openapi.json", id: "getOpenAPI", tag: "broker", summary: "This document", status: 200, answer: map[string]any{}, handle: getOpenAPI},
		{method: "GET", path: "/clients", id: "listClients", tag: "broker", summary: "Who is connected", status: 200, answer: ClientList{}, handle: listClients},

		{method: "GET", path: "/clients/wait", id: "waitForClient", tag: "broker", summary: "Wait until a client is connected", status: 200, answer: ClientList{}, handle: waitClient,
			params: []param{{name: "client_id", kind: "string", doc: "its client id.", required: true}, timeout}},

		{method: "GET", path: "/brokers", id: "listBrokers", tag: "brokers", summary: "The logical brokers", status: 200, answer: BrokerList{}, handle: listBrokers},
		{method: "POST", path: "/brokers/{id}/stop", id: "stopBroker", tag: "brokers", summary: "Stop a logical broker", status: 200, answer: Broker{}, handle: onBroker(stopBroker)},
		{method: "POST", path: "/brokers/{id}/start", id: "startBroker", tag: "brokers", summary: "Start a stopped broker again", status: 200, answer: Broker{}, handle: onBroker(startBroker)},
		{method: "PUT", path: "/brokers/{id}/lag", id: "setFollowerLag", tag: "brokers", summary: "Hold a broker's followers up", body: Lag{}, status: 200, answer: Broker{}, handle: onBroker(setLag)},
		{method: "PUT", path: "/topics/{topic}/partitions/{partition}/leader", id: "moveLeader", tag: "brokers", summary: "Make a broker the leader of a partition", body: Mover{}, status: 200, answer: Topic{}, handle: moveLeader},
		{method: "PUT", path: "/groups/{group}/coordinator", id: "moveCoordinator", tag: "brokers", summary: "Make a broker the coordinator of a group, and of those that share its partition", body: Mover{}, status: 204, handle: moveCoordinator},

		{method: "GET", path: "/topics", id: "listTopics", tag: "topics", summary: "All topics", status: 200, answer: TopicList{}, handle: listTopics,
			params: []param{{name: "internal", kind: "boolean", doc: "with the broker's own topics.", values: []string{"true", "false"}}}},
		{method: "POST", path: "/topics", id: "createTopic", tag: "topics", summary: "Make a topic", body: NewTopic{}, status: 201, answer: Topic{}, handle: createTopic},
		{method: "GET", path: "/topics/{topic}", id: "getTopic", tag: "topics", summary: "A topic and its partitions", status: 200, answer: Topic{}, handle: getTopic},
		{method: "DELETE", path: "/topics/{topic}", id: "deleteTopic", tag: "topics", summary: "Delete a topic", status: 204, handle: deleteTopic},
		{method: "POST", path: "/topics/{topic}/partitions", id: "addPartitions", tag: "topics", summary: "Give a topic more partitions", body: Growth{}, status: 200, answer: Topic{}, handle: growTopic},
		{method: "GET", path: "/topics/{topic}/configs", id: "getTopicConfigs", tag: "topics", summary: "A topic's configs", status: 200, answer: Configs{}, handle: getConfigs},
		{method: "PATCH", path: "/topics/{topic}/configs", id: "changeTopicConfigs", tag: "topics", summary: "Change some of a topic's configs", body: ConfigChange{}, status: 200, answer: Configs{}, handle: changeConfigs},

		{method: "GET", path: "/topics/{topic}/records", id: "readRecords", tag: "records", summary: "Read records", status: 200, answer: Records{}, handle: readRecords,
			params: []param{
				{name: "partition", kind: "integer", doc: "only this partition."},
				{name: "from", kind: "string", doc: "where each partition is begun: start, end, an offset, -N for its last N offsets, or a time in RFC 3339."},
				{name: "limit", kind: "integer", doc: "how many records at most; 100 if it is not there."},
				{name: "decode", kind: "string", doc: "auto: JSON, text, or else base64. text: the same without JSON. base64: always that.", values: []string{"auto", "text", "base64"}},
				{name: "isolation", kind: "string", doc: "read_committed: without records of open and aborted transactions. read_uncommitted, if it is not there: with them.", values: []string{"read_uncommitted", "read_committed"}},
			}},
		{method: "POST", path: "/topics/{topic}/records", id: "produce", tag: "records", summary: "Put records in", body: NewRecords{}, status: 201, answer: Stored{}, handle: produce},
		{method: "GET", path: "/topics/{topic}/wait", id: "waitForRecords", tag: "records", summary: "Wait until a topic has records", status: 200, answer: Topic{}, handle: waitRecords,
			params: []param{{name: "count", kind: "integer", doc: "how many; 1 if it is not there."}, timeout}},

		{method: "GET", path: "/groups", id: "listGroups", tag: "groups", summary: "All consumer groups", status: 200, answer: GroupList{}, handle: listGroups},
		{method: "GET", path: "/groups/{group}", id: "getGroup", tag: "groups", summary: "A group, its members and offsets", status: 200, answer: Group{}, handle: getGroup},
		{method: "DELETE", path: "/groups/{group}", id: "deleteGroup", tag: "groups", summary: "Delete a group without members", status: 204, handle: deleteGroup},
		{method: "PUT", path: "/groups/{group}/offsets", id: "resetOffsets", tag: "groups", summary: "Set where a group without members goes on", body: OffsetReset{}, status: 200, answer: OffsetsMoved{}, handle: resetOffsets},
		{method: "GET", path: "/groups/{group}/wait", id: "waitForGroup", tag: "groups", summary: "Wait until a group is as the parameters say, one after the other", status: 200, answer: Group{}, handle: waitGroup,
			params: []param{
				{name: "members", kind: "integer", doc: "Stable with exactly so many members."},
				{name: "state", kind: "string", doc: "in this state, such as Empty."},
				{name: "topic", kind: "string", doc: "has committed all that the topic has, or with offset, that offset of its partition."},
				{name: "partition", kind: "integer", doc: "of offset; 0 if it is not there."},
				{name: "offset", kind: "integer", doc: "has committed this offset of the topic, or a later one."},
				timeout,
			}},

		{method: "GET", path: "/transactions", id: "listTransactions", tag: "transactions", summary: "All transactional ids", status: 200, answer: TransactionList{}, handle: listTransactions,
			params: []param{{name: "open", kind: "boolean", doc: "only those with an open transaction.", values: []string{"true", "false"}}}},
		{method: "GET", path: "/transactions/{id}", id: "getTransaction", tag: "transactions", summary: "A transactional id and its newest transaction", status: 200, answer: Transaction{}, handle: getTransaction},
		{method: "GET", path: "/transactions/{id}/wait", id: "waitForTransaction", tag: "transactions", summary: "Wait until a transaction is in a state", status: 200, answer: Transaction{}, handle: waitTransaction,
			params: []param{{name: "state", kind: "string", doc: "such as Ongoing, CompleteCommit or CompleteAbort.", required: true}, timeout}},

		{method: "GET", path: "/faults", id: "listFaults", tag: "faults", summary: "The faults in place", status: 200, answer: FaultList{}, handle: listFaults},
		{method: "POST", path: "/faults", id: "addFault", tag: "faults", summary: "Put a fault in place", body: FaultSpec{}, status: 201, answer: Fault{}, handle: addFault},
		{method: "DELETE", path: "/faults", id: "clearFaults", tag: "faults", summary: "Remove all faults", status: 204, handle: clearFaults},
		{method: "GET", path: "/faults/{id}", id: "getFault", tag: "faults", summary: "A fault and its hits", status: 200, answer: Fault{}, handle: getFault},
		{method: "DELETE", path: "/faults/{id}", id: "removeFault", tag: "faults", summary: "Remove a fault, and release what it holds", status: 204, handle: removeFault},
		{method: "POST", path: "/faults/{id}/release", id: "releaseFault", tag: "faults", summary: "Open the gate of a hold", status: 200, answer: Fault{}, handle: releaseFault},
		{method: "GET", path: "/faults/{id}/wait", id: "waitForFault", tag: "faults", summary: "Wait until a fault has happened", status: 200, answer: Fault{}, handle: waitFault,
			params: []param{{name: "hits", kind: "integer", doc: "how often; 1 if it is not there."}, timeout}},

		{method: "GET", path: "/users", id: "listUsers", tag: "security", summary: "The users with a password for SCRAM", status: 200, answer: UserList{}, handle: listUsers},
		{method: "PUT", path: "/users/{user}", id: "setPassword", tag: "security", summary: "Give a user a password for SCRAM; a new user is made", body: Password{}, status: 204, handle: setPassword},
		{method: "DELETE", path: "/users/{user}", id: "deleteUser", tag: "security", summary: "Take a user's SCRAM passwords away", status: 204, handle: deleteUser},
		{method: "GET", path: "/acls", id: "listACLs", tag: "security", summary: "The ACLs", status: 200, answer: ACLList{}, handle: listACLs, params: whichACLs},
		{method: "POST", path: "/acls", id: "createACLs", tag: "security", summary: "Make ACLs", body: NewACLs{}, status: 201, answer: ACLList{}, handle: createACLs},
		{method: "DELETE", path: "/acls", id: "deleteACLs", tag: "security", summary: "Delete ACLs, and answer with those that were", status: 200, answer: ACLList{}, handle: deleteACLs, params: whichACLs},
		{method: "GET", path: "/acls/decision", id: "decide", tag: "security", summary: "Whether somebody may do something, and which rule decides", status: 200, answer: Decision{}, handle: decide,
			params: []param{
				{name: "principal", kind: "string", doc: "such as User:anna, or anna.", required: true},
				{name: "operation", kind: "string", doc: "such as read.", required: true},
				{name: "resource", kind: "string", doc: "such as topic:orders, or cluster.", required: true},
				{name: "host", kind: "string", doc: "the client's IP address; without it, of one that no ACL names."},
			}},
		{method: "GET", path: "/denials", id: "listDenials", tag: "security", summary: "The requests that ACLs refused, and the logins that were refused, with what would let them through", status: 200, answer: DenialList{}, handle: listDenials},

		{method: "GET", path: "/clock", id: "getClock", tag: "state", summary: "The broker's clock", status: 200, answer: Clock{}, handle: getClock},
		{method: "POST", path: "/clock/advance", id: "advanceClock", tag: "state", summary: "Move the clock ahead; all that falls due is done when this is answered", body: Advance{}, status: 200, answer: Clock{}, handle: advance},
		{method: "POST", path: "/reset", id: "reset", tag: "state", summary: "Go back to how the broker started: its own topics and fixtures, and nothing else", status: 200, answer: ResetResult{}, handle: reset},
		{method: "GET", path: "/snapshots", id: "listSnapshots", tag: "state", summary: "The snapshots that are kept", status: 200, answer: SnapshotList{}, handle: listSnapshots},
		{method: "PUT", path: "/snapshots/{name}", id: "takeSnapshot", tag: "state", summary: "Keep the state under a name: topics, records, configs, groups' offsets, transactions, quotas and users", status: 204, handle: takeSnapshot},
		{method: "DELETE", path: "/snapshots/{name}", id: "deleteSnapshot", tag: "state", summary: "Forget a snapshot", status: 204, handle: deleteSnapshot},
		{method: "POST", path: "/snapshots/{name}/restore", id: "restoreSnapshot", tag: "state", summary: "Go back to a snapshot", status: 200, answer: ResetResult{}, handle: restoreSnapshot},
		{method: "GET", path: "/fixture", id: "dumpFixture", tag: "state", summary: "What the broker has, as a fixture in JSON lines", status: 200, answerMedia: "application/jsonl", stream: dumpFixture,
			params: []param{{name: "topic", kind: "string", doc: "only this topic; may be there several times."}}},
		{method: "POST", path: "/fixture", id: "loadFixture", tag: "state", summary: "Load a fixture: JSON lines, or YAML with a Content-Type that says so", bodyMedia: "application/jsonl", status: 200, answer: Loaded{}, handle: loadFixture},

		{method: "GET", path: "/transcript", id: "getTranscript", tag: "transcript", summary: "The newest requests of clients", status: 200, answer: Transcript{}, handle: getTranscript,
			params: []param{
				{name: "after", kind: "integer", doc: "only lines behind the one with this number."},
				{name: "limit", kind: "integer", doc: "only the newest so many."},
			}},
		{method: "GET", path: "/transcript/stream", id: "streamTranscript", tag: "transcript", summary: "The requests as they come, as server-sent events with a transcript line each", status: 200, answerMedia: "text/event-stream", stream: streamTranscript,
			params: []param{{name: "after", kind: "integer", doc: "only lines behind the one with this number."}}},
	}
}

// tags are the groups of operations, in the document's order.
var tags = []string{"broker", "brokers", "topics", "records", "groups", "transactions", "faults", "security", "state", "transcript"}

func getOpenAPI(a *API, _ *http.Request) (any, error) { return Document(a.parts...), nil }
