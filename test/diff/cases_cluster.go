package diff

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadata asks for topics by name; null when names is nil.
func metadata(names []string, edit func(x *actor, r *kmsg.MetadataRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.MetadataRequest) {
		if names != nil {
			r.Topics = []kmsg.MetadataRequestTopic{}
		}
		for _, n := range names {
			r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: x.ptr(n)})
		}
		if edit != nil {
			edit(x, r)
		}
	})
}

// literal asks for a topic whose name is not made the script's own.
func literal(name string) func(x *actor, r *kmsg.MetadataRequest) {
	return func(_ *actor, r *kmsg.MetadataRequest) {
		r.AllowAutoTopicCreation = true
		r.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	}
}

var long250 = string(make250())

func make250() []byte {
	b := make([]byte, 250)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

// found says whether all topics of a metadata answer are there.
func found(resp kmsg.Response) bool {
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if t.ErrorCode != 0 {
			return false
		}
	}
	return true
}

// header makes a frame of a request header and a body.
func header(key, version int16, id int32, client *string, body []byte) []byte {
	b := []byte{0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	if client == nil {
		b = append(b, 0xff, 0xff)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(*client)))
		b = append(b, *client...)
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func frame(key, version int16, body []byte) func(*actor, int32) []byte {
	return func(_ *actor, id int32) []byte { return header(key, version, id, val(clientID), body) }
}

var apiVersionsAsk = req(func(_ *actor, r *kmsg.ApiVersionsRequest) {
	r.ClientSoftwareName, r.ClientSoftwareVersion = "diff", "1"
})

var wireScripts = []script{
	{name: "api versions", key: kmsg.ApiVersions, steps: []step{
		// behaviours 1, 6, 7 and 8
		{name: "asked", ask: apiVersionsAsk},
		// behaviour 3
		{name: "empty client software name", ask: req(func(_ *actor, r *kmsg.ApiVersionsRequest) { r.ClientSoftwareVersion = "1" })},
		{name: "empty client software version", ask: req(func(_ *actor, r *kmsg.ApiVersionsRequest) { r.ClientSoftwareName = "diff" })},
		{name: "a name with a space", ask: req(func(_ *actor, r *kmsg.ApiVersionsRequest) { r.ClientSoftwareName, r.ClientSoftwareVersion = "a b", "1" })},
		{name: "a name that begins with a dash", ask: req(func(_ *actor, r *kmsg.ApiVersionsRequest) { r.ClientSoftwareName, r.ClientSoftwareVersion = "-a", "1" })},
	}},
	{name: "frames", key: kmsg.ApiVersions, to: 1, from: 1, steps: []step{
		// behaviour 1
		{name: "null client id", at: val[int16](0), ask: apiVersionsAsk, raw: func(_ *actor, id int32) []byte { return header(keyApiVersions, 0, id, nil, nil) }},
		{name: "empty client id", at: val[int16](0), ask: apiVersionsAsk, raw: func(_ *actor, id int32) []byte { return header(keyApiVersions, 0, id, val(""), nil) }},
		// behaviour 2
		{name: "api versions v99", ask: apiVersionsAsk, answerIn: val[int16](0), raw: frame(keyApiVersions, 99, []byte{0, 1, 1, 0})},
		{name: "api versions v-1", ask: apiVersionsAsk, answerIn: val[int16](0), raw: frame(keyApiVersions, -1, nil)},
		// behaviour 4
		{name: "api versions v3 cut short", silent: true, at: val[int16](3), ask: apiVersionsAsk, raw: frame(keyApiVersions, 3, []byte{0, 9, 'a'})},
		// behaviour 5
		{name: "bytes after the body", at: val[int16](0), ask: apiVersionsAsk, raw: frame(keyApiVersions, 0, []byte("rest"))},
		// behaviour 9
		{name: "metadata v99", silent: true, ask: metadata(nil, nil), raw: frame(3, 99, nil)},
		{name: "metadata v-1", silent: true, ask: metadata(nil, nil), raw: frame(3, -1, nil)},
		// behaviour 10
		{name: "key 4", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(4, 0, nil)},
		{name: "key 7", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(7, 0, nil)},
		{name: "key 52", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(52, 0, nil)},
		{name: "key 62", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(62, 0, nil)},
		{name: "key 999", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(999, 0, nil)},
		{name: "key -1", silent: true, not: crashes, ask: apiVersionsAsk, raw: frame(-1, 0, nil)},
		// behaviour 11
		{name: "frame size 0", silent: true, ask: apiVersionsAsk, raw: octets(0, 0, 0, 0)},
		{name: "frame size -1", silent: true, not: allocates, ask: apiVersionsAsk, raw: octets(0xff, 0xff, 0xff, 0xff)},
		{name: "frame size 2^31-1", silent: true, not: allocates, ask: apiVersionsAsk, raw: octets(0x7f, 0xff, 0xff, 0xff)},
		{name: "frame size 104857601", silent: true, not: allocates, ask: apiVersionsAsk, raw: octets(0x06, 0x40, 0, 1)},
		// behaviour 12
		{name: "frame size 104857600, body not sent", not: allocates, silent: true, ask: apiVersionsAsk, raw: octets(0x06, 0x40, 0, 0)},
		// behaviour 13
		{name: "a frame of 3 bytes", silent: true, not: crashes, ask: apiVersionsAsk, raw: octets(0, 0, 0, 3, 1, 2, 3)},
		{name: "a TLS hello", silent: true, not: allocates, ask: apiVersionsAsk, raw: octets(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3)},
		{name: "metadata v1 cut short", silent: true, ask: metadata(nil, nil), raw: frame(3, 1, []byte{0, 0, 0, 9})},
		{name: "a list of 2^31-1 topics", silent: true, not: allocates, ask: metadata(nil, nil), raw: frame(3, 1, []byte{0x7f, 0xff, 0xff, 0xff})},
	}},
}

var (
	crashes   = []exclusion{{kfakeName, "an unknown key ends its process"}}
	allocates = []exclusion{{kfakeName, "it takes what a size field asks for"}}
)

func octets(b ...byte) func(*actor, int32) []byte {
	return func(*actor, int32) []byte { return b }
}

var clusterScripts = []script{
	{name: "metadata", key: kmsg.Metadata, steps: join(
		topics(spec{"t", 3, nil}, spec{"a.b", 1, nil}),
		[]step{
			// behaviours 17 and 18
			{name: "empty list", mine: []string{"Topics"}, ask: metadata([]string{}, nil)},
			{name: "null list", mine: []string{"Topics"}, ask: metadata(nil, nil)},
			{name: "by name", ask: metadata([]string{"t"}, nil)},
			{name: "two, one unknown", ask: metadata([]string{"nope", "t"}, nil)},
			// behaviour 21
			{name: "unknown, not to be made", ask: metadata([]string{"nope"}, nil)},
			// behaviours 22 and 23
			{name: "unknown, to be made", ask: metadata([]string{"auto"}, func(_ *actor, r *kmsg.MetadataRequest) { r.AllowAutoTopicCreation = true })},
			{name: "it appears", until: found, ask: metadata([]string{"auto"}, nil)},
			// behaviour 25
			{name: "empty name", ask: metadata(nil, literal(""))},
			{name: "name .", ask: metadata(nil, literal("."))},
			{name: "name ..", ask: metadata(nil, literal(".."))},
			{name: "name with a space", ask: metadata(nil, literal("a b"))},
			{name: "name with an accent", ask: metadata(nil, literal("é"))},
			{name: "name with a slash", ask: metadata(nil, literal("a/b"))},
			{name: "name of 250 characters", ask: metadata(nil, literal(long250))},
			{name: "bad name, not to be made", ask: metadata(nil, func(_ *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{Topic: val("a b")}}
			})},
			// behaviour 27
			{name: "a name that collides", ask: metadata([]string{"a_b"}, func(_ *actor, r *kmsg.MetadataRequest) { r.AllowAutoTopicCreation = true })},
			{name: "and is not made", ask: metadata([]string{"a_b"}, nil)},
			// behaviour 32
			{name: "same topic twice", ask: metadata([]string{"t", "t"}, nil)},
			// behaviour 33
			{name: "authorized operations", ask: metadata([]string{"t"}, func(_ *actor, r *kmsg.MetadataRequest) {
				r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = true, true
			})},
		},
	)},
	{name: "metadata by id", key: kmsg.Metadata, from: 10, steps: join(
		topics(spec{"t", 3, nil}),
		[]step{
			// behaviours 28 and 30
			{name: "by id", ask: metadata(nil, func(x *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{TopicID: x.topicID("t")}}
			})},
			{name: "unknown id", ask: metadata(nil, func(x *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{TopicID: x.topicID("nope")}}
			})},
			// behaviour 29
			{name: "id and name", ask: metadata(nil, func(x *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{TopicID: x.topicID("t"), Topic: x.ptr("t")}}
			})},
			{name: "id and name that don't fit", ask: metadata(nil, func(x *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{TopicID: x.topicID("t"), Topic: x.ptr("nope")}}
			})},
			// behaviour 31
			{name: "neither", ask: metadata(nil, func(_ *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{}}
			})},
			{name: "one by id, one by name", ask: metadata(nil, func(x *actor, r *kmsg.MetadataRequest) {
				r.Topics = []kmsg.MetadataRequestTopic{{TopicID: x.topicID("t")}, {Topic: x.ptr("nope")}}
			})},
		},
	)},
	{name: "describe cluster", key: kmsg.DescribeCluster, steps: []step{
		{name: "asked", ask: req(func(_ *actor, r *kmsg.DescribeClusterRequest) { r.EndpointType = 1 })},
		// behaviour 33
		{name: "authorized operations", ask: req(func(_ *actor, r *kmsg.DescribeClusterRequest) {
			r.EndpointType, r.IncludeClusterAuthorizedOperations = 1, true
		})},
		// behaviour 34
		{name: "endpoint type 2", ask: req(func(_ *actor, r *kmsg.DescribeClusterRequest) { r.EndpointType = 2 })},
		{name: "endpoint type 9", ask: req(func(_ *actor, r *kmsg.DescribeClusterRequest) { r.EndpointType = 9 })},
		{name: "fenced brokers too", ask: req(func(_ *actor, r *kmsg.DescribeClusterRequest) { r.EndpointType, r.IncludeFencedBrokers = 1, true })},
	}},
	{name: "find coordinator", key: kmsg.FindCoordinator, steps: []step{
		// behaviours 35, 37, 38 and 39
		{name: "group", ask: coordinator(0, "g")},
		{name: "transactional id", ask: coordinator(1, "txn"), until: func(resp kmsg.Response) bool {
			r := resp.(*kmsg.FindCoordinatorResponse)
			return r.ErrorCode != 15 && (len(r.Coordinators) == 0 || r.Coordinators[0].ErrorCode != 15)
		}},
		{name: "type 9", ask: coordinator(9, "g")},
		{name: "type 5", ask: coordinator(5, "g")},
		{name: "type -1", ask: coordinator(-1, "g")},
		{name: "share type, a key that is none", ask: coordinator(2, "g")},
		{name: "empty key", ask: req(func(_ *actor, r *kmsg.FindCoordinatorRequest) { r.CoordinatorKeys = []string{""} })},
		{name: "three keys, one twice", ask: req(func(x *actor, r *kmsg.FindCoordinatorRequest) {
			r.CoordinatorKey, r.CoordinatorKeys = x.name("g"), []string{x.name("g"), x.name("h"), x.name("g")}
		})},
		{name: "no keys", ask: req(func(_ *actor, r *kmsg.FindCoordinatorRequest) { r.CoordinatorKey = "only-old-versions-have-it" })},
	}},
	{name: "init producer id", key: kmsg.InitProducerID, steps: []step{
		{name: "no transactional id", ask: initProducer(nil)},
		// behaviour 78
		{name: "with an old id and epoch", ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = answer[kmsg.InitProducerIDResponse](x, "no transactional id").ProducerID, 0
		})},
		{name: "with an id and no epoch", ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) { r.ProducerID = 1 })},
		{name: "with an epoch and no id", ask: initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) { r.ProducerEpoch = 1 })},
		{name: "timeout 0 without transactional id", ask: initProducer(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 })},
		{name: "timeout -1 without transactional id", ask: initProducer(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = -1 })},
		// behaviour 79
		{name: "empty transactional id", ask: initProducer(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionalID = val("") })},
	}},
	{name: "init transactional producer", key: kmsg.InitProducerID, steps: []step{
		{name: "coordinator", hidden: true, ask: coordinator(1, "txn"), until: func(resp kmsg.Response) bool {
			return resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0
		}},
		{name: "first", ask: initTxn(nil), until: func(resp kmsg.Response) bool {
			code := resp.(*kmsg.InitProducerIDResponse).ErrorCode
			return code != 14 && code != 15 && code != 16 && code != 51
		}},
		// behaviour 213
		{name: "again", ask: initTxn(nil)},
		{name: "with the newest epoch", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			a := answer[kmsg.InitProducerIDResponse](x, "again")
			r.ProducerID, r.ProducerEpoch = a.ProducerID, a.ProducerEpoch
		})},
		{name: "with an old epoch", ask: initTxn(func(x *actor, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = answer[kmsg.InitProducerIDResponse](x, "again").ProducerID, 0
		})},
		{name: "with another id", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = 987654321, 0 })},
		// behaviour 79
		{name: "timeout 0", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 })},
		{name: "timeout -1", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = -1 })},
		{name: "timeout above the maximum", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 900001 })},
		{name: "an id and no epoch", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.ProducerID = 1 })},
		{name: "an epoch and no id", ask: initTxn(func(_ *actor, r *kmsg.InitProducerIDRequest) { r.ProducerEpoch = 1 })},
	}},
}

func coordinator(kind int8, key string) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.FindCoordinatorRequest) {
		r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, x.name(key), []string{x.name(key)}
	})
}

func initProducer(edit func(x *actor, r *kmsg.InitProducerIDRequest)) func(*actor) kmsg.Request {
	return req(func(x *actor, r *kmsg.InitProducerIDRequest) {
		r.TransactionTimeoutMillis = 60000
		if edit != nil {
			edit(x, r)
		}
	})
}

func initTxn(edit func(x *actor, r *kmsg.InitProducerIDRequest)) func(*actor) kmsg.Request {
	return initProducer(func(x *actor, r *kmsg.InitProducerIDRequest) {
		r.TransactionalID = x.ptr("txn")
		if edit != nil {
			edit(x, r)
		}
	})
}
