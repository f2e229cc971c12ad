package broker

import (
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
)

// This file owns how a fault finds its part of a request, whatever the API, and
// what a failed request is answered. It walks kmsg's structs by their field
// names, which are the same in all APIs: only requests that a fault is asked
// about pay for it.

// matches says whether a fault is about r.
func (b *Broker) matches(f *fault.Fault, r *request) bool {
	if f.API.Int16() != r.key || f.ClientID != "" && f.ClientID != r.clientID {
		return false
	}
	body := reflect.ValueOf(r.body).Elem()
	if f.Group != "" && !namesGroup(body, f.Group) {
		return false
	}
	if req, ok := r.body.(*kmsg.FetchRequest); ok && len(b.inSession(f, r.node, req)) > 0 {
		return true
	}
	return b.names(f, body)
}

// names says whether a request names the fault's topic and partition.
func (b *Broker) names(f *fault.Fault, v reflect.Value) bool {
	if f.Topic == "" && f.Partition < 0 {
		return true
	}
	matched, _ := b.split(f, v)
	return matched.IsValid()
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
	for _, name := range []string{"Group", "GroupID", "CoordinatorKey"} {
		if g := v.FieldByName(name); g.IsValid() && g.Kind() == reflect.String && g.String() == id {
			return true
		}
	}
	for _, name := range []string{"Groups", "CoordinatorKeys", "GroupIDs"} {
		list := v.FieldByName(name)
		for i := 0; list.IsValid() && i < list.Len(); i++ {
			e := list.Index(i)
			if e.Kind() == reflect.String && e.String() == id || e.Kind() == reflect.Struct && namesGroup(e, id) {
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
func (b *Broker) split(f *fault.Fault, v reflect.Value) (matched, rest reflect.Value) {
	topics := v.FieldByName("Topics")
	if !topics.IsValid() || f.Topic == "" && f.Partition < 0 {
		return v, reflect.Value{}
	}
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
		c.FieldByName("Topics").Set(topics)
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
}

// failed is the answer to a request that a fault makes fail.
func (b *Broker) failed(f *fault.Fault, r *request) (kmsg.Response, error) {
	if slices.Contains(readsOnly, kmsg.Key(r.key)) {
		resp, err := handlers[r.key](b, r)
		if err != nil {
			return nil, err
		}
		if s, ok := resp.(spliced); ok {
			resp = s.model()
		}
		n := b.setErrors(f, reflect.ValueOf(resp).Elem(), f.Topic == "", f.Partition < 0)
		if answer, ok := resp.(*kmsg.FetchResponse); ok && n == 0 {
			answer.Topics = append(answer.Topics, b.inSession(f, r.node, r.body.(*kmsg.FetchRequest))...)
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

// mirror gives an answer an entry for each topic, partition, group or member
// that the request has: the fields of the same names.
func mirror(from, to reflect.Value) {
	for i := range to.NumField() {
		name, field := to.Type().Field(i).Name, to.Field(i)
		asked := from.FieldByName(name)
		if names := from.FieldByName("TopicNames"); name == "Topics" && names.IsValid() && names.Len() > 0 {
			asked = names // DeleteTopics before v6
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
	for _, name := range []string{"Partition", "Topic", "Group"} {
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
		if f.API == kmsg.Metadata && name == "Partitions" && f.Partition < 0 || f.API == kmsg.OffsetFetch && name == "Topics" && f.Topic == "" && f.Partition < 0 {
			continue
		}
		for j := range field.Len() {
			e := field.Index(j)
			t, p := inTopic, inPartition
			switch name {
			case "Topics":
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

// joinTopics adds the topics of from to those of to.
func joinTopics(to, from reflect.Value) {
	have, more := to.FieldByName("Topics"), from.FieldByName("Topics")
next:
	for i := range more.Len() {
		t := more.Index(i)
		for j := range have.Len() {
			same := have.Index(j)
			if sameTopic(same, t) && t.FieldByName("Partitions").IsValid() {
				p := same.FieldByName("Partitions")
				p.Set(reflect.AppendSlice(p, t.FieldByName("Partitions")))
				continue next
			}
		}
		have.Set(reflect.Append(have, t))
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
