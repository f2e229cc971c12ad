package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDeleteTopics serves DeleteTopics v0-v6 (v6: by id).
func (b *Broker) handleDeleteTopics(r *request, req *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for i := range req.TopicNames { // v0-v5
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &req.TopicNames[i]})
	}
	var named []kmsg.DeleteTopicsRequestTopic
	for _, entry := range asked {
		if err := misnamed(&entry); err != nil {
			answer := kmsg.NewDeleteTopicsResponseTopic()
			answer.Topic, answer.TopicID = entry.Topic, entry.TopicID
			answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
			resp.Topics = append(resp.Topics, answer)
			continue
		}
		named = append(named, entry)
	}
	m := b.image.Load()
	meant := func(entry *kmsg.DeleteTopicsRequestTopic) string { return meantTopic(m, entry) }
	for entry, twice := range eachOnce(named, meant) {
		answer := kmsg.NewDeleteTopicsResponseTopic()
		answer.Topic, answer.TopicID = entry.Topic, entry.TopicID
		t, err := b.deleteRequested(r, m, req, entry, twice)
		if err == nil && req.TimeoutMillis <= 0 {
			err = errTimedOut
		}
		if twice && namedBothWays(named, meant, meant(entry)) {
			err = errAlsoByID
		}
		if err == errAlsoByID {
			t = m.topic(meant(entry))
		}
		if t != nil {
			answer.Topic, answer.TopicID = &t.name, t.id
		}
		answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// misnamed says whether an entry names a topic in no way, or in two.
func misnamed(entry *kmsg.DeleteTopicsRequestTopic) *apiError {
	switch byID := entry.TopicID != [16]byte{}; {
	case byID && entry.Topic != nil:
		return fail(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	case !byID && entry.Topic == nil:
		return fail(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	}
	return nil
}

// errAlsoByID refuses a topic that is named once by name and once by id.
var errAlsoByID = fail(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied.")

// namedBothWays says whether a topic is there by its name and by its id.
func namedBothWays(asked []kmsg.DeleteTopicsRequestTopic, meant func(*kmsg.DeleteTopicsRequestTopic) string, key string) bool {
	var byName, byID bool
	for i := range asked {
		if meant(&asked[i]) == key {
			byName = byName || asked[i].Topic != nil
			byID = byID || asked[i].Topic == nil
		}
	}
	return byName && byID
}

// meantTopic is the same for two entries that mean one topic, by name or id.
func meantTopic(m *image, entry *kmsg.DeleteTopicsRequestTopic) string {
	if entry.Topic != nil {
		return *entry.Topic
	}
	if t := m.topicByID(entry.TopicID); t != nil {
		return t.name
	}
	return string(entry.TopicID[:])
}

func (b *Broker) deleteRequested(r *request, m *image, req *kmsg.DeleteTopicsRequest, entry *kmsg.DeleteTopicsRequestTopic, twice bool) (*topic, *apiError) {
	byID := entry.TopicID != [16]byte{}
	switch {
	case twice && byID:
		return nil, fail(kerr.InvalidRequest, "Duplicate topic id.")
	case twice:
		return nil, fail(kerr.InvalidRequest, "Duplicate topic name.")
	case !b.config.Load().Bool("delete.topic.enable"):
		if req.Version < 3 {
			return nil, fail(kerr.InvalidRequest, "Topic deletion is disabled.")
		}
		return nil, fail(kerr.TopicDeletionDisabled, "Topic deletion is disabled.")
	case req.TimeoutMillis <= 0 && req.IsFlexible():
		return nil, errTimedOut
	}
	name := entry.Topic
	if byID {
		t := m.topicByID(entry.TopicID)
		if t == nil {
			return nil, errUnknownTopicID
		}
		name = &t.name
	}
	switch t := m.topic(*name); {
	case !r.mayTopic(kmsg.ACLOperationDescribe, *name):
		return nil, errTopicDenied // whether it is there is not told
	case t != nil && !r.mayTopic(kmsg.ACLOperationDelete, *name):
		return t, errTopicDenied
	}
	if t := m.topic(*name); t != nil {
		quota := mutations{r, req.Version >= 5}
		if err := quota.take(len(t.partitions)); err != nil {
			return nil, err
		}
	}
	return b.deleteTopic(*name)
}
