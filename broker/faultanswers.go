package broker

import (
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
)

// This file owns how a fault finds its part of a request, whatever the API, and
// what a failed request is answered. It walks kmsg's structs by their field
// names, which are the same in all APIs: only requests that a fault is asked
// about pay for it.

// matches says whether a fault is about r.
func (b *Broker) matches(f *fault.Fault, r *request) bool {
	if f.API != fault.Any && f.API.Int16() != r.key || f.ClientID != "" && f.ClientID != r.clientID || f.Broker >= 0 && f.Broker != r.node.id {
		return false
	}
	body := reflect.ValueOf(r.body).Elem()
	if f.Group != "" && !namesGroup(body, f.Group) || f.TransactionalID != "" && !namesTransaction(body, f.TransactionalID) {
		return false
	}
	if f.Topic == "" && f.Partition < 0 {
		return true
	}
	if req, ok := r.body.(*kmsg.FetchRequest); ok && len(b.inSession(f, r.node, req)) > 0 {
		return true
	}
	return b.names(f, kmsg.Key(r.key), body)
}

// topicLists are the fields in which requests list what has a topic's name.
var topicLists = []string{"Topics", "TopicNames", "Resources"}

// names says whether a request names the fault's topic and partition, at any
// depth. A list that is absent means all topics, where it may be.
func (b *Broker) names(f *fault.Fault, api kmsg.Key, v reflect.Value) bool {
	for i := range v.NumField() {
		name, list := v.Type().Field(i).Name, v.Field(i)
		if list.Kind() != reflect.Slice {
			continue
		}
		topics := slices.Contains(topicLists, name)
		if topics && list.Len() == 0 && list.IsNil() && slices.Contains(nilMeansAll, api) && b.image.Load().topic(f.Topic) != nil {
			return true
		}
		for j := range list.Len() {
			e := list.Index(j)
			switch {
			case topics && (f.Topic == "" || b.topicOf(e) == f.Topic) && b.namesPartition(f, api, e):
				return true
			case !topics && e.Kind() == reflect.Struct && b.names(f, api, e):
				return true
			}
		}
	}
	return false
}

// nilMeansAll is the APIs that are about all topics where they name none.
var nilMeansAll = []kmsg.Key{kmsg.Metadata, kmsg.OffsetFetch, kmsg.DescribeTopicPartitions, kmsg.DescribeLogDirs, kmsg.ElectLeaders, kmsg.ListPartitionReassignments, kmsg.DescribeShareGroupOffsets}

// namesPartition says whether a topic's entry in a request is about the fault's
// partition: it lists it, or lists none.
func (b *Broker) namesPartition(f *fault.Fault, api kmsg.Key, topic reflect.Value) bool {
	if f.Partition < 0 || topic.Kind() != reflect.Struct {
		return f.Partition < 0
	}
	list := topic.FieldByName("Partitions")
	if !list.IsValid() || list.Kind() != reflect.Slice {
		// Metadata and DescribeTopicPartitions ask for all partitions.
		asksAll := api == kmsg.Metadata || api == kmsg.DescribeTopicPartitions
		return asksAll && b.image.Load().topic(b.topicOf(topic)).partition(f.Partition) != nil
	}
	for i := range list.Len() {
		if partitionOfEntry(list.Index(i)) == f.Partition {
			return true
		}
	}
	return false
}

// inSession is the fault's error at each partition of the request's fetch
// session that it is about: a Fetch in a session does not name what it fetches,
// and its answer leaves out what has no news. There are none for a fault about
// all topics and partitions.
func (b *Broker) inSession(f *fault.Fault, n *node, req *kmsg.FetchRequest) (topics []kmsg.FetchResponseTopic) {
	if f.Topic == "" && f.Partition < 0 {
		return nil
	}
	s := n.fetchSessions.Load().get(req.SessionID)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := s.first.next; p != &s.first; p = p.next {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = p.asked.topic, p.asked.topicID
		if f.Topic != "" && b.topicOf(reflect.ValueOf(t)) != f.Topic || f.Partition >= 0 && p.asked.index != f.Partition {
			continue
		}
		part := kmsg.NewFetchResponseTopicPartition()
		part.Partition, part.HighWatermark, part.LastStableOffset, part.LogStartOffset = p.asked.index, -1, -1, -1
		if f.Error != nil {
			part.ErrorCode = f.Error.Code
		}
		t.Partitions = append(t.Partitions, part)
		topics = append(topics, t)
	}
	return topics
}

// namesGroup says whether a request is about a group.
func namesGroup(v reflect.Value, id string) bool {
	if kind := v.FieldByName("CoordinatorType"); kind.IsValid() && kind.Int() != int64(groupCoordinator) {
		return false
	}
	return has(v, id, "Group", "GroupID", "CoordinatorKey", "Key") || lists(v, id, namesGroup, "Groups", "CoordinatorKeys", "GroupIDs")
}

// namesTransaction says whether a request is about a transactional id.
func namesTransaction(v reflect.Value, id string) bool {
	if kind := v.FieldByName("CoordinatorType"); kind.IsValid() {
		return kind.Int() == int64(transactionCoordinator) && (has(v, id, "CoordinatorKey") || lists(v, id, namesTransaction, "CoordinatorKeys"))
	}
	return has(v, id, "TransactionalID", "TransactionID") || lists(v, id, namesTransaction, "TransactionalIDs", "Transactions")
}

// has says whether one of the fields is a text.
func has(v reflect.Value, text string, fields ...string) bool {
	return slices.ContainsFunc(fields, func(name string) bool { return stringOf(v.FieldByName(name)) == text })
}

// lists says whether one of the fields is a list with a text, or with a struct
// of which names is true.
func lists(v reflect.Value, text string, names func(reflect.Value, string) bool, fields ...string) bool {
	for _, name := range fields {
		list := v.FieldByName(name)
		for i := 0; list.IsValid() && i < list.Len(); i++ {
			if e := list.Index(i); e.Kind() == reflect.String && e.String() == text || e.Kind() == reflect.Struct && names(e, text) {
				return true
			}
		}
	}
	return false
}

// topicOf is the topic that a struct of a request or an answer names.
func (b *Broker) topicOf(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return stringOf(v)
	}
	if name := stringOf(v.FieldByName("Topic")); name != "" {
		return name
	}
	if kind := v.FieldByName("ResourceType"); kind.IsValid() && kmsg.ConfigResourceType(kind.Int()) == kmsg.ConfigResourceTypeTopic {
		return stringOf(v.FieldByName("ResourceName"))
	}
	if id := v.FieldByName("TopicID"); id.IsValid() {
		if t := b.image.Load().topicByID(id.Interface().([16]byte)); t != nil {
			return t.name
		}
	}
	return ""
}

func stringOf(v reflect.Value) string {
	if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

func partitionOfEntry(v reflect.Value) int32 {
	if v.Kind() == reflect.Struct {
		v = v.FieldByName("Partition")
	}
	if v.IsValid() && v.Kind() == reflect.Int32 {
		return int32(v.Int())
	}
	return -1
}

// split parts a request's topics into those that the fault is about and the
// others. Either is invalid if it has none; both are copies of the request.
// Where topics are not at its top, all of the request is what it is about.
func (b *Broker) split(f *fault.Fault, v reflect.Value) (matched, rest reflect.Value) {
	at := slices.IndexFunc(topicLists, func(name string) bool {
		list := v.FieldByName(name)
		return list.IsValid() && list.Len() > 0
	})
	if at < 0 || f.Topic == "" && f.Partition < 0 {
		return v, reflect.Value{}
	}
	topics := v.FieldByName(topicLists[at])
	hit, miss := reflect.MakeSlice(topics.Type(), 0, 0), reflect.MakeSlice(topics.Type(), 0, 0)
	for i := range topics.Len() {
		t := topics.Index(i)
		if f.Topic != "" && b.topicOf(t) != f.Topic {
			miss = reflect.Append(miss, t)
			continue
		}
		var partitions reflect.Value
		if t.Kind() == reflect.Struct {
			partitions = t.FieldByName("Partitions")
		}
		if f.Partition < 0 || !partitions.IsValid() || partitions.Kind() != reflect.Slice {
			hit = reflect.Append(hit, t)
			continue
		}
		in, out := reflect.MakeSlice(partitions.Type(), 0, 0), reflect.MakeSlice(partitions.Type(), 0, 0)
		for j := range partitions.Len() {
			if p := partitions.Index(j); partitionOfEntry(p) == f.Partition {
				in = reflect.Append(in, p)
			} else {
				out = reflect.Append(out, p)
			}
		}
		hit, miss = appendTopic(hit, t, in), appendTopic(miss, t, out)
	}
	with := func(topics reflect.Value) reflect.Value {
		if topics.Len() == 0 {
			return reflect.Value{}
		}
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		c.FieldByName(topicLists[at]).Set(topics)
		return c
	}
	return with(hit), with(miss)
}

func appendTopic(to, t, partitions reflect.Value) reflect.Value {
	if partitions.Len() == 0 {
		return to
	}
	c := reflect.New(t.Type()).Elem()
	c.Set(t)
	c.FieldByName("Partitions").Set(partitions)
	return reflect.Append(to, c)
}

// readsOnly is the APIs that change nothing: when they fail they are handled,
// and the error is written into the answer, which has all else that clients
// need, such as the brokers' addresses.
var readsOnly = []kmsg.Key{
	kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.OffsetFetch, kmsg.FindCoordinator, kmsg.DescribeGroups, kmsg.ListGroups,
	kmsg.ApiVersions, kmsg.OffsetForLeaderEpoch, kmsg.DescribeConfigs, kmsg.DescribeCluster, kmsg.DescribeTopicPartitions,
	kmsg.ConsumerGroupDescribe, kmsg.ShareGroupDescribe, kmsg.StreamsGroupDescribe, kmsg.DescribeShareGroupOffsets,
	kmsg.DescribeTransactions, kmsg.ListTransactions, kmsg.DescribeProducers, kmsg.DescribeLogDirs, kmsg.DescribeACLs,
	kmsg.DescribeClientQuotas, kmsg.DescribeUserSCRAMCredentials, kmsg.DescribeQuorum, kmsg.ListPartitionReassignments,
	kmsg.ListConfigResources, kmsg.DescribeDelegationToken, kmsg.ReadShareGroupState, kmsg.ReadShareGroupStateSummary,
	kmsg.GetTelemetrySubscriptions,
}

// failed is the answer to a request that a fault makes fail.
func (b *Broker) failed(f *fault.Fault, r *request) (kmsg.Response, error) {
	if slices.Contains(readsOnly, kmsg.Key(r.key)) {
		resp, err := handlers[r.key](b, r)
		if err != nil {
			return nil, err
		}
		resp = asModel(resp)
		n := b.setErrors(f, reflect.ValueOf(resp).Elem(), f.Topic == "", f.Partition < 0)
		if answer, ok := resp.(*kmsg.FetchResponse); ok && n == 0 {
			answer.Topics = append(answer.Topics, b.inSession(f, r.node, r.body.(*kmsg.FetchRequest))...)
		} else if n == 0 { // it has no errors of topics
			b.setErrors(f, reflect.ValueOf(resp).Elem(), true, true)
		}
		return resp, nil
	}
	if p, ok := r.body.(*kmsg.ProduceRequest); ok && p.Acks == acksNone {
		return nil, nil
	}
	matched, rest := b.split(f, reflect.ValueOf(r.body).Elem())
	resp := r.body.ResponseKind()
	answer := reflect.ValueOf(resp).Elem()
	mirror(matched, answer)
	b.setErrors(f, answer, true, true)
	if !rest.IsValid() {
		return resp, nil
	}
	others := *r
	others.body = rest.Addr().Interface().(kmsg.Request)
	handled, err := handlers[r.key](b, &others)
	r.throttled = others.throttled
	if err != nil || handled == nil {
		return handled, err
	}
	joinTopics(reflect.ValueOf(handled).Elem(), answer)
	return handled, nil
}

// askedAs is the lists of answers that requests have under other names.
var askedAs = map[string][]string{
	"Topics":  {"TopicNames", "Dirs"},                              // DeleteTopics before v6, AlterReplicaLogDirs
	"Results": {"Creations", "Filters", "Deletions", "Upsertions"}, // of ACLs and SCRAM credentials
}

// refusal is the answer to a request of which nothing is done: an error at each
// place where the answer has room for one.
func (b *Broker) refusal(r *request, err *kerr.Error) kmsg.Response {
	resp := r.body.ResponseKind()
	answer := reflect.ValueOf(resp).Elem()
	mirror(reflect.ValueOf(r.body).Elem(), answer)
	b.setErrors(&fault.Fault{Error: err, Partition: -1}, answer, true, true)
	return resp
}

// mirror gives an answer an entry for each topic, partition, group or member
// that the request has: the fields of the same names.
func mirror(from, to reflect.Value) {
	if dirs := from.FieldByName("Dirs"); dirs.IsValid() { // AlterReplicaLogDirs answers by topic
		for i := range dirs.Len() {
			mirror(dirs.Index(i), to)
		}
	}
	for i := range to.NumField() {
		name, field := to.Type().Field(i).Name, to.Field(i)
		asked := from.FieldByName(name)
		for _, other := range askedAs[name] {
			if list := from.FieldByName(other); list.IsValid() && list.Len() > 0 {
				asked = list
			}
		}
		if !asked.IsValid() || name == "Version" || name == "UnknownTags" {
			continue
		}
		switch {
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct && asked.Kind() == reflect.Slice:
			for j := range asked.Len() {
				e := reflect.New(field.Type().Elem())
				e.MethodByName("Default").Call(nil)
				if of := asked.Index(j); of.Kind() == reflect.Struct {
					mirror(of, e.Elem())
				} else {
					setScalar(e.Elem(), of)
				}
				field.Set(reflect.Append(field, e.Elem()))
			}
		case asked.Type() == field.Type() && field.Kind() != reflect.Slice:
			field.Set(asked)
		case field.Kind() == reflect.Pointer && field.Type().Elem() == asked.Type():
			p := reflect.New(asked.Type())
			p.Elem().Set(asked)
			field.Set(p)
		}
	}
}

// setScalar names an entry that the request gives as a bare name or number.
func setScalar(entry, of reflect.Value) {
	for _, name := range []string{"Partition", "Topic", "Group", "GroupID"} {
		field := entry.FieldByName(name)
		switch {
		case !field.IsValid():
		case field.Type() == of.Type():
			field.Set(of)
			return
		case field.Kind() == reflect.Pointer && field.Type().Elem() == of.Type():
			p := reflect.New(of.Type())
			p.Elem().Set(of)
			field.Set(p)
			return
		}
	}
}

// setErrors writes the fault's error into an answer, as deep as there is a
// place for it: at the partitions where it has some. inTopic and inPartition
// say that v is in the fault's topic and partition. It returns how many places
// got it.
func (b *Broker) setErrors(f *fault.Fault, v reflect.Value, inTopic, inPartition bool) (n int) {
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.Struct {
			continue
		}
		// The error of a topic's metadata and that of a group's offsets stand
		// at the topic and at the group, unless asked for otherwise.
		if _, ok := v.Addr().Interface().(*kmsg.MetadataResponseTopic); ok && f.Partition < 0 {
			continue
		}
		if hasPlace(v) && name == "Topics" && f.Topic == "" && f.Partition < 0 {
			continue
		}
		for j := range field.Len() {
			e := field.Index(j)
			t, p := inTopic, inPartition
			switch name {
			case "Groups", "Coordinators":
				if f.Group != "" && !namesGroup(e, f.Group) {
					continue
				}
			case "Topics", "Resources":
				t = t || b.topicOf(e) == f.Topic
			case "Partitions":
				p = p || partitionOfEntry(e) == f.Partition
			}
			n += b.setErrors(f, e, t, p)
		}
	}
	if code := v.FieldByName("ErrorCode"); n == 0 && inTopic && inPartition && code.IsValid() {
		code.SetInt(int64(f.Error.Code))
		if base := v.FieldByName("BaseOffset"); base.IsValid() {
			base.SetInt(-1)
		}
		if records := v.FieldByName("RecordBatches"); records.IsValid() {
			records.SetZero()
		}
		n++
	}
	return n
}

// hasPlace says whether an answer to OffsetFetch, or a group in it, has an error
// of its own: only v0 and v1 have none.
func hasPlace(v reflect.Value) bool {
	switch a := v.Addr().Interface().(type) {
	case *kmsg.OffsetFetchResponse:
		return a.Version >= 2
	case *kmsg.OffsetFetchResponseGroup:
		return true
	}
	return false
}

// joinTopics adds the topics of from to those of to.
func joinTopics(to, from reflect.Value) {
	for _, name := range topicLists {
		have, more := to.FieldByName(name), from.FieldByName(name)
		if !have.IsValid() {
			continue
		}
	next:
		for i := range more.Len() {
			t := more.Index(i)
			for j := range have.Len() {
				same := have.Index(j)
				if t.FieldByName("Partitions").IsValid() && sameTopic(same, t) {
					p := same.FieldByName("Partitions")
					p.Set(reflect.AppendSlice(p, t.FieldByName("Partitions")))
					continue next
				}
			}
			have.Set(reflect.Append(have, t))
		}
	}
}

func sameTopic(a, b reflect.Value) bool {
	for _, name := range []string{"Topic", "TopicID"} {
		if f := a.FieldByName(name); f.IsValid() && !f.Equal(b.FieldByName(name)) {
			return false
		}
	}
	return true
}

// corruptible is the partitions with records in a Fetch answer that a fault is
// about.
func (b *Broker) corruptible(f *fault.Fault, answer *kmsg.FetchResponse) (parts []*kmsg.FetchResponseTopicPartition) {
	for i := range answer.Topics {
		t := &answer.Topics[i]
		if f.Topic != "" && b.topicOf(reflect.ValueOf(t).Elem()) != f.Topic {
			continue
		}
		for j := range t.Partitions {
			if p := &t.Partitions[j]; len(p.RecordBatches) > 0 && (f.Partition < 0 || p.Partition == f.Partition) {
				parts = append(parts, p)
			}
		}
	}
	return parts
}
